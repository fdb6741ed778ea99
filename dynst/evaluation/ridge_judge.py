"""The second opinion: ridge regression from the histories of the sensors to the leading modes of the future field."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.linear import LinearForecaster, fit_ridge
from dynst.evaluation.closed_form import ClosedFormJudge
from dynst.evaluation.judge_data import Block, long_filters
from dynst.evaluation.modes import Basis
from dynst.windows.gaps import GapModel

__all__ = ["RidgeJudge"]


@dataclass(frozen=True, eq=False)
class _Forecaster:
    """A ridge regression on the sensors of one plan."""

    judge: RidgeJudge
    selected: Int[ndarray, " k"]
    fit: LinearForecaster

    @property
    def notes(self) -> dict[str, object]:
        return {"penalty": self.fit.penalty, "penalty_at_grid_end": self.fit.at_grid_end}

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        judge = self.judge
        coefficients = self.fit.predict(judge.features(readings, self.selected)).astype(np.float32)
        shape = (len(readings), judge.window.prediction, len(judge.sites), len(judge.channels))
        return np.asarray((coefficients @ judge.basis.fields).reshape(shape))


class RidgeJudge(ClosedFormJudge):
    """Judges by ridge regression from the sensors' histories to the leading modes of the future field.

    It is solved in float64, its penalty is chosen on validation windows, and errors are taken against the full field.
    A history of more than 12 steps is read as a few patterns in time (`TimeModes`). Where the record has gaps, a
    missing target of training time is what `GapModel` expects of it, and a silent sensor reads what the model expects
    from the other sensors of the plan at that step.

    Examples
    --------
    >>> from dynst.domain import Field, GridLayout, Sites, Window
    >>> from dynst.domain.split import split_by_time
    >>> wave = np.sin(np.arange(200)[:, None, None] / 3 + np.arange(3.0)[:, None])
    >>> field = Field.of(wave, Sites(np.arange(3.0), np.zeros(3)), GridLayout((1, 3), np.arange(3)))
    >>> judge = RidgeJudge(split_by_time(field, Window(2, 2)), Window(2, 2))
    >>> judge.score(np.array([1])).total < 0.1 < judge.floor().total  # two steps at one site tell the phase
    True
    """

    def fit(self, selected: Int[ndarray, " k"]) -> _Forecaster:
        """The ridge regression of a plan."""
        train, valid = (
            self.features(self.data.windows(on).readings(selected, self.data.observed), selected)
            for on in ("train", "valid")
        )
        basis = self.basis
        solved = fit_ridge(train[self._taught], basis.coefficients, valid_inputs=valid, valid_targets=basis.valid)
        return _Forecaster(self, selected, solved)

    def features(self, readings: Float[ndarray, "b t k ci"], selected: Int[ndarray, " k"]) -> Float[ndarray, "b q"]:
        """Histories as regressors, without gaps."""
        known = np.isfinite(readings)
        if not known.all():
            readings = self._completed(readings, known, selected)
        if self._filters is not None:
            readings = np.einsum("tf,btkc->bfkc", self._filters, readings)
        return readings.reshape(len(readings), -1)

    def _completed(
        self, readings: Float[ndarray, "b t k ci"], known: Bool[ndarray, "b t k ci"], selected: Int[ndarray, " k"]
    ) -> Float[ndarray, "b t k ci"]:
        zeros = np.where(known, readings, np.float32(0))
        if self._gaps is None:
            return zeros
        b, t, k, c = readings.shape
        by_site = [values.transpose(0, 2, 1, 3).reshape(b, k, t * c) for values in (zeros, known)]
        filled = self._gaps.completed(by_site[0], by_site[1], selected, self.data.observed)
        return filled.reshape(b, k, t, c).transpose(0, 2, 1, 3)

    @cached_property
    def basis(self) -> Basis:
        """Modes of the training targets, and what training and validation windows hold of them."""
        train, valid = self._targets("train")[self._taught], self._targets("valid")
        return Basis.of(train, valid, self.sites.weight)

    @cached_property
    def _taught(self) -> Bool[ndarray, " m"]:
        """Training windows with a measured target."""
        windows = self.data.windows("train")
        if not windows.has_missing:
            return np.ones(len(windows), bool)
        truth = windows.truth(slice(None), self.data.predicted)
        return np.asarray(np.isfinite(truth).any(axis=(1, 2, 3)))

    def _targets(self, on: Block) -> Float[ndarray, "m p n co"]:
        """Futures without gaps."""
        windows = self.data.windows(on)
        truth = windows.truth(slice(None), self.data.predicted)
        if not windows.has_missing:
            return truth
        expected = 0.0 if self._gaps is None else self._gaps.expected(windows.values)
        complete = np.where(np.isfinite(windows.values), windows.values, expected)
        steps = windows.steps[:, self.window.history :]
        return np.asarray(complete[steps][..., self.data.predicted])

    @property
    def _gaps(self) -> GapModel | None:
        return self.data.gaps

    @cached_property
    def _filters(self) -> Float[ndarray, "t f"] | None:
        return long_filters(self.data)
