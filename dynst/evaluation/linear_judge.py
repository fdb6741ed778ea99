"""The default judge: the space-time forecaster, solved anew for every plan from a covariance that all plans share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.covariance import Anomalies, Lagged, Sensors
from dynst.backbones.dense_sensors import DenseForecaster, are_many
from dynst.backbones.spacetime import SpaceTimeForecaster
from dynst.evaluation.closed_form import ClosedFormJudge
from dynst.evaluation.dense_choice import choose_dense_form
from dynst.evaluation.form_choice import Fold, FormChoice, choose_form, folds
from dynst.evaluation.judge_data import long_filters

__all__ = ["LinearJudge", "SharedProducts"]

_SHARED_BYTES = 256 << 20
_BUDGETS = (5, 20, 60)  # at which forms are chosen; others take that of the nearest,
_MANY_BUDGETS = (1000, 4000)  # or, of very many sensors, that of the next larger one
_TWICE = 1.5  # times that each site serves, on the mean, from which sharing pays


class SharedProducts:
    """Products of sensors with all targets, computed once for the sites of many plans.

    Parameters
    ----------
    record : Anomalies
        Training time.
    history, leads : int
        Steps of a history, and of a forecast.
    filters : Float[ndarray, "t f"] or None
        Patterns in time for a long history.
    """

    def __init__(
        self, record: Anomalies, *, history: int, leads: int, filters: Float[ndarray, "t f"] | None = None
    ) -> None:
        self._record, self._history, self._leads, self._filters = record, history, leads, filters
        self._pool: Lagged | Sensors | None = None

    def share(self, plans: Sequence[Int[ndarray, " _"]]) -> None:
        """Compute the products of all sites that these plans use, if they serve more than once and fit into memory."""
        used = np.unique(np.concatenate([np.zeros(0, np.int64), *plans]))
        served = sum(map(len, plans)) >= _TWICE * len(used)
        if len(used) and served and not self._held(used) and self._bytes(len(used)) <= _SHARED_BYTES:
            lengths = {"history": self._history, "leads": self._leads}
            self._pool = Lagged.of(self._record, used, **lengths) if self._even else self._made(used)

    def sensors(self, sites: Int[ndarray, " k"]) -> Sensors:
        """The sensors of a plan."""
        if isinstance(self._pool, Sensors) and self._held(sites):
            return self._pool.part(np.searchsorted(self._pool.sites, sites))
        return self._made(sites)

    def _made(self, sites: Int[ndarray, " k"]) -> Sensors:
        pool = self._pool if isinstance(self._pool, Lagged) and self._held(sites) else None
        lengths = {"history": self._history, "leads": self._leads}
        return Sensors.of(self._record, sites, **lengths, filters=self._filters, lagged=pool)

    @cached_property
    def _even(self) -> bool:
        """Whether there are products that plans can share."""
        return self._filters is None and Lagged.suits(self._record, history=self._history, leads=self._leads)

    def _held(self, sites: Int[ndarray, " _"]) -> bool:
        return self._pool is not None and bool(np.isin(sites, self._pool.sites).all())

    def _bytes(self, sites: int) -> int:
        readings, targets = sites * len(self._record.observed), self._record.targets.shape[1]
        if self._even:
            return int(4 * (self._history + self._leads) * readings * targets)
        inputs = readings * (self._history if self._filters is None else self._filters.shape[1])
        return int(4 * (self._leads + 2) * inputs * targets + 8 * inputs**2)


@dataclass(frozen=True, eq=False)
class _Forecaster:
    """The space-time forecaster of one plan, as judges want it: without the present field."""

    solved: SpaceTimeForecaster | DenseForecaster

    @property
    def notes(self) -> dict[str, object]:
        return self.solved.notes

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        return self.solved.later(readings)


class LinearJudge(ClosedFormJudge):
    """Judges by the closed-form space-time forecaster (`SpaceTimeForecaster`): the default.

    The form of its covariance and the noise of its sensors are chosen for each size of plan by random plans on
    rolling folds, once for all plans of that size (`choose_form`).

    Examples
    --------
    >>> from dynst.domain import Field, GridLayout, Sites, Window
    >>> from dynst.domain.split import split_by_time
    >>> wave = np.sin(np.arange(200)[:, None, None] / 3 + np.arange(3.0)[:, None])
    >>> field = Field.of(wave, Sites(np.arange(3.0), np.zeros(3)), GridLayout((1, 3), np.arange(3)))
    >>> judge = LinearJudge(split_by_time(field, Window(2, 2)), Window(2, 2))
    >>> judge.score(np.array([1])).total < 0.2 < judge.floor().total  # two steps at one site tell the phase
    True
    """

    def fit(self, selected: Int[ndarray, " k"]) -> _Forecaster:
        """The space-time forecaster of a plan."""
        return _Forecaster(self.forecaster(selected))

    def forecaster(self, selected: Int[ndarray, " k"]) -> SpaceTimeForecaster | DenseForecaster:
        """The same with the present field and the standard deviation of its errors."""
        choice = self.choice(len(selected))
        if self._are_many(len(selected)):
            return DenseForecaster(
                self.data.anomalies,
                selected,
                choice.form,
                history=self.window.history,
                leads=self.window.prediction,
                misfit=choice.misfit,
            )
        return SpaceTimeForecaster(self._products.sensors(selected), choice.form)

    def choice(self, budget: int) -> FormChoice:
        """The form for plans of so many sensors: that of the nearest budget at which forms are chosen."""
        size = self._size(budget)
        if size not in self._choices:
            self._choices[size] = self._chosen(size)
        return self._choices[size]

    def adopt(self, other: LinearJudge) -> None:
        """Take over the forms that another judge has chosen, instead of choosing them again."""
        self._choices.update(other._choices)

    def facts(self) -> dict[str, object]:
        """The forms that were chosen so far, as JSON types."""
        return {"forms": [choice.facts() for choice in self._choices.values()]}

    def _chosen(self, size: int) -> FormChoice:
        known = (self.split, self.scaling, self.window, size)
        if self._are_many(size):
            return choose_dense_form(*known, seed=self.data.seed, among=self._folds)
        return choose_form(*known, seed=self.data.seed, filters=self._filters, among=self._folds)

    def _size(self, budget: int) -> int:
        """Of the budgets at which forms are chosen, the nearest; very many sensors are a case of their own."""
        legal = len(self.sites.legal)
        if self._are_many(budget):
            return next(size for size in (*_MANY_BUDGETS, legal) if self._are_many(size) and size >= min(budget, legal))
        sizes = {min(size, legal) for size in _BUDGETS if not self._are_many(size)} or {1}
        return min(sorted(sizes), key=lambda size: abs(math.log(size / budget)))

    def _are_many(self, budget: int) -> bool:
        return are_many(budget, len(self.data.observed), self.window.history)

    def share(self, plans: Sequence[Int[ndarray, " _"]]) -> None:
        """Compute the covariances of the sites of these plans once."""
        few = [plan for plan in plans if not self._are_many(len(plan))]
        if few:
            self._products.share(few)

    @cached_property
    def _folds(self) -> list[Fold]:
        return folds(self.split, self.scaling, self.window, self.data.seed)

    @cached_property
    def _choices(self) -> dict[int, FormChoice]:
        return {}

    @cached_property
    def _products(self) -> SharedProducts:
        lengths = {"history": self.window.history, "leads": self.window.prediction}
        return SharedProducts(self.data.anomalies, **lengths, filters=self._filters)

    @cached_property
    def _filters(self) -> Float[ndarray, "t f"] | None:
        return long_filters(self.data)
