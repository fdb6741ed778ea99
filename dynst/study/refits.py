"""The second judge: a network trained from scratch for every plan, so that no plan is judged by its own training."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Channel, Sites
from dynst.evaluation import LinearJudge, Score, refit
from dynst.training import Recipe

__all__ = ["NetworkJudge"]


class NetworkJudge:
    """Scores plans by a fresh network each: the same first weights, data and number of steps for all of them.

    Parameters
    ----------
    linear : LinearJudge
        Gives the data, and the frames that need no network.
    seed : int
        Of weights and order of the data.
    options : dict
        Size and steps of the network, as in `dynst.evaluation.refit`; ``device`` for its recipe.
    """

    def __init__(self, linear: LinearJudge, *, seed: int, options: dict[str, Any]) -> None:
        self._linear, self._seed = linear, seed
        self._options = {name: value for name, value in options.items() if name != "device"}
        self._recipe = Recipe(device=options.get("device", "cpu"))

    @property
    def sites(self) -> Sites:
        """The places that may carry sensors."""
        return self._linear.sites

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are forecast."""
        return self._linear.channels

    def score(self, selected: Int[ndarray, " k"]) -> Score:
        """Errors on the test period of a network that was trained with the `selected` sites alone."""
        linear = self._linear
        return refit(
            linear.split,
            linear.window,
            linear.scaling,
            np.sort(selected),
            seed=self._seed,
            recipe=self._recipe,
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
        """Errors of forecasting each site's training mean."""
        return self._linear.climatology()
