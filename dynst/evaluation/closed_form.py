"""The door of closed-form judges: a forecaster solved anew for every plan in milliseconds, the same way for all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.persistence import persistence
from dynst.domain import Channel, Sites, Window
from dynst.domain.split import Split
from dynst.errors import ConfigError
from dynst.evaluation.judge_data import JudgeData, ScoredWindows
from dynst.evaluation.score import ErrorTally, Score
from dynst.windows.scaling import Scaling

__all__ = ["ClosedFormJudge", "PlanForecaster"]

_Scored = Literal["valid", "test"]


@runtime_checkable
class PlanForecaster(Protocol):
    """The forecaster of one plan."""

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        """Standardised anomalies of all sites at each lead, from those at the sensors; a missing reading is NaN."""


class ClosedFormJudge(ABC):
    """Errors of a forecaster that reads only the chosen sites and forecasts all of them.

    It is made on the training block, its form is chosen without the test block, and the test block is read at the
    first score on it. A missing target counts in no error. What a site never measured in the training block is
    neither input nor target.

    Parameters
    ----------
    split : Split
        Training, validation and test blocks.
    window : Window
        History and prediction.
    scaling : Scaling or None
        Fitted on the training block; fitted here if left out.
    seed : int
        Seed of the thinning of windows.
    limit, max_bytes : int
        Training windows at most, and memory for them; validation takes a third of it, test two thirds.
    regions : mapping of str to Bool[ndarray, "n"], or None
        Sites of each region, for errors told apart (`Score.regions`).
    """

    def __init__(
        self,
        split: Split,
        window: Window,
        *,
        scaling: Scaling | None = None,
        seed: int = 0,
        limit: int = 1000,
        max_bytes: int = 150 << 20,
        regions: Mapping[str, Bool[ndarray, " n"]] | None = None,
    ) -> None:
        scaling = Scaling.fit(split.train) if scaling is None else scaling
        self.data = JudgeData(
            split, window, scaling, seed=seed, limit=limit, max_bytes=max_bytes, regions=regions or {}
        )

    def __repr__(self) -> str:
        window = self.window
        return f"{type(self).__name__}({self.split!r}, {window.history} -> {window.prediction})"

    @property
    def split(self) -> Split:
        """Training, validation and test blocks."""
        return self.data.split

    @property
    def window(self) -> Window:
        """History and prediction."""
        return self.data.window

    @property
    def scaling(self) -> Scaling:
        """What anomalies are taken from."""
        return self.data.scaling

    @property
    def sites(self) -> Sites:
        """The places that may carry sensors, all of which are forecast."""
        return self.split.train.sites

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are forecast."""
        return tuple(self.split.train.channels[i] for i in self.data.predicted)

    @property
    def cadence(self) -> str:
        """Time between two steps, like ``6 h``."""
        return self.split.train.cadence

    @abstractmethod
    def fit(self, selected: Int[ndarray, " k"]) -> PlanForecaster:
        """The forecaster of a plan of at least one site, made on training time."""

    def facts(self) -> dict[str, object]:
        """What was chosen so far, as JSON types."""
        return {}

    def share(self, plans: Sequence[Int[ndarray, " _"]]) -> None:
        """Compute once what these plans share; by default nothing is."""
        del plans

    def score(self, selected: Int[ndarray, " k"], *, on: _Scored = "test") -> Score:
        """Errors when only the `selected` sites are measured."""
        selected = self._checked(selected)
        forecaster, windows = self.fit(selected), self.data.windows(on)
        readings = windows.readings(selected, self.data.observed)
        return self._tally(self._forecasts(forecaster, windows, readings), selected, on, forecaster.notes)

    def scores(self, plans: Sequence[Int[ndarray, " _"]], *, on: _Scored = "test") -> Iterator[Score]:
        """Errors of many plans, in their order: those of `score`, at less cost."""
        checked = [self._checked(selected) for selected in plans]
        self.share(checked)
        for selected in checked:
            yield self.score(selected, on=on)

    def without(self, selected: Int[ndarray, " k"], *, on: _Scored = "test") -> Iterator[Score]:
        """Errors when each of the `selected` sites in turn is left out, of two or more."""
        selected = self._checked(selected)
        return self.scores([np.delete(selected, i) for i in range(len(selected))], on=on)

    def with_each(
        self, selected: Int[ndarray, " k"], others: Int[ndarray, " j"], *, on: _Scored = "test"
    ) -> Iterator[Score]:
        """Errors when each of the `others` in turn joins the `selected` sites."""
        selected = self._checked(selected)
        return self.scores([np.append(selected, site) for site in others], on=on)

    def silenced(
        self, selected: Int[ndarray, " k"], failures: Iterable[Int[ndarray, " _"]], *, on: _Scored = "test"
    ) -> Iterator[Score]:
        """Errors while some sensors are silent, for each set of failed sites; the forecaster is not made anew."""
        selected = self._checked(selected)
        forecaster, windows = self.fit(selected), self.data.windows(on)
        heard = windows.readings(selected, self.data.observed)
        for silent in failures:
            readings = heard.copy()
            readings[:, :, np.isin(selected, silent)] = np.nan
            forecasts = self._forecasts(forecaster, windows, readings)
            yield self._tally(forecasts, selected, on, {"silent": len(silent)})

    def floor(self, *, on: _Scored = "test") -> Score:
        """Errors of the forecaster with no sensor: the climatology of each site."""
        return self.climatology(on=on)

    def ceiling(self, *, on: _Scored = "test") -> Score:
        """Errors of the forecaster with a sensor at every site, legal or not."""
        return self.score(np.arange(len(self.sites)), on=on)

    def climatology(self, *, on: _Scored = "test") -> Score:
        """Errors of forecasting the climatology of each site."""
        return self._tally(self._nothing(on), np.zeros(0, np.int64), on, {})

    def persistence(self, *, on: _Scored = "test") -> Score:
        """Errors of no change: of the value or of its anomaly, whichever has less error on validation time."""
        valid = {kind: self._no_change("valid", kind, {}).total for kind in ("value", "anomaly")}
        kind = "anomaly" if not valid["value"] < valid["anomaly"] else "value"
        return self._no_change(on, kind, {"of": kind})

    def _no_change(self, on: _Scored, kind: str, notes: dict[str, object]) -> Score:
        windows = self.data.windows(on)
        every = np.arange(len(self.sites))
        return self._tally(self._persisting(windows, on, kind), every, on, notes)

    def _persisting(self, windows: ScoredWindows, on: _Scored, kind: str) -> Iterator[Float[ndarray, "b p n co"]]:
        predicted, history = self.data.predicted, self.window.history
        every, field = np.arange(len(self.sites)), self.data.block(on)
        normal = self._normal(windows, on) if kind == "value" else None
        past = windows.readings(every, predicted) if not windows.has_missing else None
        for rows in windows.chunks(len(predicted)):
            steps = windows.steps[rows]
            values = windows.values[steps[:, :history]][..., predicted] if past is None else past[rows]
            if normal is not None:
                values = values + normal[steps[:, :history]]
            known = np.isfinite(values) if field.has_missing else None
            last = persistence(np.nan_to_num(values), steps=self.window.prediction, observed=known)
            if normal is None:
                yield last
            else:
                unknown = 0.0 if known is None else np.where(known.any(axis=1), 0.0, 1.0)[:, None]
                future = normal[steps[:, history:]]
                yield last - future + unknown * future

    def _normal(self, windows: ScoredWindows, on: _Scored) -> Float[ndarray, "s n co"]:
        """Climatology at each step of `windows.values`, in standard deviations from the mean of the site."""
        field, scaling, predicted = self.data.block(on), self.scaling, self.data.predicted
        needed = np.unique(windows.starts[:, None] + np.arange(self.window.length))
        expected = np.stack([scaling.expected(field, step, step + 1)[0] for step in needed.tolist()])
        return np.asarray(((expected - scaling.mean) / scaling.std)[..., predicted].astype(np.float32))

    def _nothing(self, on: _Scored) -> Iterator[Float[ndarray, "b p n co"]]:
        windows, channels = self.data.windows(on), len(self.data.predicted)
        shape = (self.window.prediction, len(self.sites), channels)
        for rows in windows.chunks(channels):
            yield np.zeros((len(windows.starts[rows]), *shape), np.float32)

    def _forecasts(
        self, forecaster: PlanForecaster, windows: ScoredWindows, readings: Float[ndarray, "b t k ci"]
    ) -> Iterator[Float[ndarray, "b p n co"]]:
        for rows in windows.chunks(len(self.data.predicted)):
            yield forecaster.forecast(readings[rows])

    def _tally(
        self,
        forecasts: Iterator[Float[ndarray, "b p n co"]],
        selected: Int[ndarray, " k"],
        on: _Scored,
        notes: dict[str, object],
    ) -> Score:
        data, windows = self.data, self.data.windows(on)
        tally = ErrorTally(self.sites.weight, selected, data.std, self.window.prediction, regions=data.regions)
        for rows, forecast in zip(windows.chunks(len(data.predicted)), forecasts, strict=True):
            truth = windows.truth(rows, data.predicted)
            known = np.isfinite(truth) if windows.has_missing else None
            if known is not None:
                truth = np.where(known, truth, np.float32(0))
            tally.add(forecast - truth, known, truth=truth)
        return tally.score(notes, run=data.run(on))

    def _checked(self, selected: Int[ndarray, " k"]) -> Int[ndarray, " k"]:
        selected = np.asarray(selected, np.int64)
        if not len(selected) or len(np.unique(selected)) != len(selected):
            raise ConfigError(f"a plan of {len(selected)} sites that are not all different cannot be judged.")
        return selected
