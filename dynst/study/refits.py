"""The judges of a study: those in closed form, and networks trained afresh, so that no plan is judged by its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from dynst.domain import Channel, Sites
from dynst.evaluation import LinearJudge, Score
from dynst.evaluation.closed_form import ClosedFormJudge
from dynst.evaluation.regions import regions_of
from dynst.evaluation.ridge_judge import RidgeJudge
from dynst.study.prepare import Prepared
from dynst.windows import Scaling

__all__ = ["NetworkJudge", "closed_judge", "regions_of_study"]

Regions = Mapping[str, Bool[ndarray, " n"]]

_CLOSED: dict[str, type[ClosedFormJudge]] = {"linear": LinearJudge, "ridge": RidgeJudge}
"""Class of each judge in closed form."""


def regions_of_study(prepared: Prepared, notes: list[str] | None = None) -> Regions:
    """Sites of the regions that errors are told apart for; what was done with a polygon file is added to `notes`.

    Raises
    ------
    DataError
        If the polygon file cannot be used.
    """
    path = prepared.study.regions
    return regions_of(prepared.field.sites, Path(path) if path else None, notes)


def closed_judge(name: str, prepared: Prepared, regions: Regions, *, scaling: Scaling | None = None) -> ClosedFormJudge:
    """A judge in closed form by its name; `scaling` if it is at hand."""
    split, window = prepared.split, prepared.window
    if scaling is None:
        scaling = Scaling.fit(split.train, prepared.climatology.calendar)
    return _CLOSED[name](split, window, scaling=scaling, seed=prepared.study.seed, regions=regions)


class NetworkJudge:
    """Scores plans by a fresh network each: the same first weights, data and number of steps for all of them.

    Parameters
    ----------
    linear : ClosedFormJudge
        Gives the data, and the frames that need no network.
    seed : int
        Of weights and order of the data.
    options : dict
        Size and steps of the network, as in `dynst.evaluation.refit`; ``device`` for its recipe.
    regions : mapping of str to Bool[ndarray, "n"]
        Sites of each region.
    """

    def __init__(self, linear: ClosedFormJudge, *, seed: int, options: dict[str, Any], regions: Regions) -> None:
        self._linear, self._seed, self._regions = linear, seed, regions
        self._options = {name: value for name, value in options.items() if name != "device"}
        self._device = options.get("device", "cpu")

    @property
    def sites(self) -> Sites:
        """The places that may carry sensors."""
        return self._linear.sites

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are forecast."""
        return self._linear.channels

    @property
    def cadence(self) -> str:
        """Time between two steps, like ``6 h``."""
        return self._linear.cadence

    def share(self, plans: Sequence[Int[ndarray, " _"]]) -> None:
        """Nothing: each network is trained by itself."""

    def score(self, selected: Int[ndarray, " k"]) -> Score:
        """Errors on the test period of a network that was trained with the `selected` sites alone."""
        from dynst.evaluation.refit import refit  # noqa: PLC0415  # loads torch: only networks need it
        from dynst.training import Recipe  # noqa: PLC0415

        linear = self._linear
        return refit(
            linear.split,
            linear.window,
            linear.scaling,
            np.sort(selected),
            seed=self._seed,
            recipe=Recipe(device=self._device),
            regions=self._regions,
            **self._options,
        )

    def floor(self) -> Score:
        """Errors of a network without any sensor."""
        return self.score(np.zeros(0, np.int64))

    def ceiling(self) -> Score:
        """Errors of a network with a sensor at every site."""
        return self.score(np.arange(len(self.sites)))

    def persistence(self) -> Score:
        """Errors of forecasting no change."""
        return self._linear.persistence()

    def climatology(self) -> Score:
        """Errors of forecasting each site's climatology."""
        return self._linear.climatology()
