"""The space-time forecaster for plans of very many sensors: a system of some of them, and what the others add.

The covariance among thousands of histories is too large to solve. So the last two steps of some hundred sensors,
spread evenly, forecast the whole field. The misfit of this estimate at every sensor is then carried on: to its own
site, and from the nearest sensor to each site without one. By how much, forecasts of held-out time tell.
"""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial import KDTree

from dynst.backbones.covariance import (
    STILL,
    Anomalies,
    bound_of,
    distances_between,
    gram,
    noise_of,
    precision,
    rows_of,
)
from dynst.backbones.spacetime import Form, completed

__all__ = ["MANY", "DenseForecaster", "Misfit", "Nearest", "are_many", "at_targets", "carried", "persisting"]

MANY = 1200
"""Readings in the histories of all sensors above which some of the sensors stand for all."""

_WINDOWS = 1200  # of training time, and steps of it, from which products are made, about: as many as inputs
_STEPS = 2  # of a history: on dense networks older ones add little

Misfit = Float[ndarray, "p two"]
"""Share of the misfit now that is added at each lead from 0: at sites with a sensor, and at the others."""

Nearest = tuple[Int[ndarray, " s"], Bool[ndarray, " s"]]
"""Place among the sensors of the one nearest to each target, and which targets carry it themselves; -1 for unknown."""


def are_many(sensors: int, channels: int, history: int) -> bool:
    """Whether so many histories are too many to solve.

    Examples
    --------
    >>> are_many(60, 1, 4), are_many(5256, 1, 4)
    (False, True)
    """
    return sensors * channels * history > MANY


class DenseForecaster:
    """The forecaster of a plan of very many sensors.

    Parameters
    ----------
    record : Anomalies
        Training time.
    sites : Int[ndarray, "k"]
        Where the sensors are.
    form : Form
        Of the covariance and of the forecast; no taper, and persistence is not damped.
    history, leads : int
        Steps of a history, and of a forecast.
    misfit : Float[ndarray, "p two"] or None
        What is carried on, from lead 0; nothing if left out.
    targets : Int[ndarray, "s"] or None
        Sites to forecast, increasing; all if left out.
    """

    def __init__(
        self,
        record: Anomalies,
        sites: Int[ndarray, " k"],
        form: Form,
        *,
        history: int,
        leads: int,
        misfit: Misfit | None = None,
        targets: Int[ndarray, " s"] | None = None,
    ) -> None:
        self.record, self.sites, self.leads = record, sites, leads
        self.targets = np.arange(len(record.weight)) if targets is None else targets
        self._steps = min(history, _STEPS)
        self._used = self._spread_evenly()
        self._series = record.readings(sites[self._used])
        self._variance = np.einsum("mq,mq->q", self._series, self._series, dtype=float) / len(self._series)
        self._bound = bound_of(record, self._series)
        self._memory = record.autocorrelation(self._steps + leads)
        self._starts = _thinned(record.windows(self._steps + leads))
        self._now = _thinned(np.arange(len(self._series)))
        histories = self._series[self._starts[:, None] + np.arange(self._steps)]
        self._inputs = histories.reshape(len(histories), -1)
        self._products: dict[np.dtype[Any], tuple[Float[ndarray, "F F"], Float[ndarray, "q q"]]] = {}
        self._falls: dict[bytes, Float[ndarray, "u s"]] = {}
        self._solve(form, misfit)

    def of_form(self, form: Form, misfit: Misfit | None = None) -> DenseForecaster:
        """The same sensors under another form; what forms share is not computed again."""
        made = copy(self)
        made._solve(form, misfit)
        return made

    def _solve(self, form: Form, misfit: Misfit | None) -> None:
        self.form, self._misfit = form, misfit
        self.system = self._own()
        noise = form.noise * np.tile(noise_of(self._variance), self._steps)
        self.system.flat[:: len(self.system) + 1] += noise.astype(self.system.dtype)
        self._solver = cho_factor(self.system.T, check_finite=False)  # symmetric: its transpose is read in order

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""
        return {"noise": self.form.noise, "sensors_in_the_system": len(self._used)}

    @property
    def steps(self) -> int:
        """Steps of a history that are used, the last ones."""
        return self._steps

    @property
    def used(self) -> Int[ndarray, " u"]:
        """Places in `sites` of the sensors of the system."""
        return self._used

    @property
    def bound(self) -> Float[ndarray, " q"]:
        """Size beyond which a reading counts as this size."""
        return self._bound

    @property
    def misfit(self) -> Misfit | None:
        """What is carried on, from lead 0."""
        return self._misfit

    def operator(self) -> Float[ndarray, "p F N"]:
        """What each input of the system says of each target at lead 0 and later."""
        solved = cho_solve(self._solver, np.eye(len(self.system), dtype=self.system.dtype), check_finite=False)
        return self._by_lead(solved, self._columns, range(self.leads + 1))

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p s co"]:
        """The present field, then the field at each lead; a missing reading is NaN."""
        if self._misfit is None:
            return persisting(self.interpolated(readings), self.form.persistence)
        fields, misfit = self.both(readings)
        return persisting(carried(fields, misfit, self.nearest, self._misfit), self.form.persistence)

    def later(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p s co"]:
        """The field at each lead after the present."""
        return self.forecast(readings)[:, 1:]

    def interpolated(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p s co"]:
        """What the system alone forecasts."""
        return self._fields(self._solved(readings))

    def misfits(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b k co"]:
        """Present readings minus the present estimate; 0 where one is missing, and at sensors that no target needs."""
        return self._misfits(readings, self._estimate(self._solved(readings)))

    def both(self, readings: Float[ndarray, "b t k ci"]) -> tuple[Float[ndarray, "b p s co"], Float[ndarray, "b k co"]]:
        """What the system alone forecasts, and the misfits."""
        solved = self._solved(readings)
        fields = self._fields(solved)
        every = len(self.targets) == len(self.record.weight)
        estimate = fields[:, 0, self.sites[self._asked]] if every else self._estimate(solved)
        return fields, self._misfits(readings, estimate)

    def _misfits(
        self, readings: Float[ndarray, "b t k ci"], estimate: Float[ndarray, "b j co"]
    ) -> Float[ndarray, "b k co"]:
        record, asked = self.record, self._asked
        made = np.zeros((len(readings), len(self.sites), len(record.predicted)), self._type)
        for place, channel in enumerate(record.predicted.tolist()):
            for reading in np.flatnonzero(record.observed == channel).tolist():
                made[:, asked, place] = np.nan_to_num(readings[:, -1, asked, reading] - estimate[..., place])
        return made

    def _estimate(self, solved: Float[ndarray, "b F"]) -> Float[ndarray, "b j co"]:
        """The present field at the sensors whose misfit a target needs."""
        (present,) = self._by_lead(solved, self._columns_of(self.sites[self._asked]), range(1))
        return np.asarray(present.reshape(len(solved), len(self._asked), -1))

    @cached_property
    def _asked(self) -> Int[ndarray, " j"]:
        """Place in `sites` of the sensors that are nearest to a target."""
        place, _ = self.nearest
        return np.unique(place[place >= 0])

    def _fields(self, solved: Float[ndarray, "b F"]) -> Float[ndarray, "b p s co"]:
        fields = np.moveaxis(self._by_lead(solved, self._columns, range(self.leads + 1)), 0, 1)
        return fields.reshape(*fields.shape[:2], len(self.targets), -1)

    def deviation(self) -> Float[ndarray, "p s co"]:
        """Standard deviation of the error of the system's forecast at lead 0 and later."""
        variance = self.record.doubt[self._columns]
        factor, _ = self._solver
        told = np.empty((self.leads + 1, len(variance)))
        for lead in range(len(told)):
            (cross,) = self._by_lead(np.eye(len(self.system)), self._columns, range(lead, lead + 1))
            seen = solve_triangular(factor, cross.astype(factor.dtype, copy=False), trans=1, check_finite=False)
            told[lead] = np.einsum("fn,fn->n", seen, seen)
        made = np.maximum(variance - told, 1e-4 * variance + 1e-6)
        return np.asarray(np.sqrt(made).reshape(len(made), len(self.targets), -1))

    @property
    def _type(self) -> np.dtype[np.floating[Any]]:
        return self.record.values.dtype

    @cached_property
    def _columns(self) -> Int[ndarray, " c"]:
        return self._columns_of(self.targets)

    def _columns_of(self, sites: Int[ndarray, " s"]) -> Int[ndarray, " c"]:
        width = len(self.record.predicted)
        return (sites[:, None] * width + np.arange(width)).ravel()

    def _spread_evenly(self) -> Int[ndarray, " u"]:
        """Places in `sites` of the sensors of the system."""
        count = max(1, MANY // (self._steps * len(self.record.observed)))
        order = np.argsort(self.sites, kind="stable")
        even = np.unique(np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(int))
        return np.asarray(order[even])

    def _own(self) -> Float[ndarray, "F F"]:
        """Covariance among the histories of the system."""
        form = self.form
        sample, now = self._products_in(precision(form.noise, self._type))
        still = form.memory * now
        if form.kernel > 0:
            still += (form.kernel * self._near).astype(still.dtype, copy=False)
        made = form.sample * sample
        blocks = made.reshape(self._steps, len(still), self._steps, len(still))
        for i, j in np.ndindex(self._steps, self._steps):
            blocks[i, :, j] += still if i == j else self._memory[abs(i - j)].astype(still.dtype) * still
        return np.asarray(made)

    def _products_in(self, kind: np.dtype[Any]) -> tuple[Float[ndarray, "F F"], Float[ndarray, "q q"]]:
        """Mean products of the inputs and of the readings of one step, in a precision; kept for all forms."""
        if kind not in self._products:
            self._products[kind] = gram(self._inputs, kind), gram(rows_of(self._series, self._now), kind)
        return self._products[kind]

    @cached_property
    def _near(self) -> Float[ndarray, "q q"]:
        """The kernel of distance among the sensors of the system."""
        deviation, places = self._deviation, self._places(self.sites[self._used])
        fall = np.exp(-distances_between(places, places) / self.record.length)
        return np.asarray(np.kron(fall, np.eye(len(self.record.observed))) * np.outer(deviation, deviation))

    def _solved(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b F"]:
        some = readings[:, -self._steps :, self._used].reshape(len(readings), self._steps, -1).astype(float)
        usual = np.clip(some, -self._bound, self._bound)
        inputs = completed(usual.reshape(len(usual), -1), self.system)
        return np.asarray(cho_solve(self._solver, inputs.T.astype(self.system.dtype), check_finite=False).T)

    def _by_lead(
        self, solved: Float[ndarray, "b F"], columns: Int[ndarray, " c"], leads: range
    ) -> Float[ndarray, "p b c"]:
        """Forecast of some targets at some leads: through the steps of training time, so no large product is made."""
        record, form = self.record, self.form
        every = len(columns) == record.targets.shape[1]
        targets = record.targets if every else record.targets[:, columns]
        made = np.zeros((len(leads), len(solved), len(columns)), self._type)
        if form.sample > 0:
            by_window = (solved.astype(self._type) @ self._inputs.T) * (form.sample / len(self._inputs))
            for field, lead in zip(made, leads, strict=True):
                np.matmul(by_window, rows_of(targets, self._starts + self._steps - 1 + lead), out=field)
        if form.sample == 1:
            return made
        for step, still in enumerate(np.split(solved.astype(self._type), self._steps, axis=1)):
            shared = self._still(still, targets, columns)
            memory = self._memory[[lead + self._steps - 1 - step for lead in leads]].astype(self._type)
            for place, share in enumerate(memory):
                made[place] += share * shared
        return made

    def _still(
        self, still: Float[ndarray, "b q"], targets: Float[ndarray, "m c"], columns: Int[ndarray, " c"]
    ) -> Float[ndarray, "b c"]:
        """What one step of a history says through the covariance that fades in time as one."""
        form = self.form
        made = np.zeros((len(still), len(columns)), self._type)
        if form.memory > 0:
            by_step = (still @ rows_of(self._series, self._now).T) * (form.memory / len(self._now))
            np.matmul(by_step, rows_of(targets, self._now), out=made)
        if form.kernel > 0:
            made += self._by_distance(form.kernel * still, columns)
        return made

    def _by_distance(self, still: Float[ndarray, "b q"], columns: Int[ndarray, " c"]) -> Float[ndarray, "b c"]:
        record = self.record
        observed, width = len(record.observed), len(record.predicted)
        sites = columns[::width] // width
        fall = self._fall(sites)
        scaled = (still * self._deviation).astype(self._type).reshape(len(still), -1, observed)
        made = np.zeros((len(still), len(sites), width), self._type)
        for place, channel in enumerate(record.predicted.tolist()):
            for reading in np.flatnonzero(record.observed == channel).tolist():
                made[..., place] = scaled[..., reading] @ fall
        flat = made.reshape(len(still), -1)
        flat *= np.sqrt(record.variance[columns]).astype(self._type)
        return flat

    def _fall(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "u s"]:
        """Correlation by distance between the system and some sites; kept for all forms."""
        key = sites.tobytes()
        if key not in self._falls:
            distance = distances_between(self._places(self.sites[self._used]), self._places(sites))
            self._falls[key] = np.exp((distance / -self.record.length).astype(self._type))
        return self._falls[key]

    @property
    def _deviation(self) -> Float[ndarray, " q"]:
        """Standard deviation of each series; 0 where it hardly moves, as it says nothing of its neighbours then."""
        return np.asarray(np.sqrt(np.where(self._variance > STILL, self._variance, 0.0)))

    def _places(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "s d"]:
        points = self.record.points
        assert points is not None  # a form with a kernel is tried only where places are known
        return np.asarray(points[sites])

    @cached_property
    def nearest(self) -> Nearest:
        """Place in `sites` of the sensor nearest to each target, and which targets carry it themselves."""
        place = np.full(len(self.record.weight), -1)
        place[self.sites] = np.arange(len(self.sites))
        own = place[self.targets] >= 0
        if self.record.points is None:
            return place[self.targets], own
        _, nearest = KDTree(self.record.points[self.sites]).query(self.record.points[self.targets])
        return np.where(own, place[self.targets], nearest), own


def _thinned(steps: Int[ndarray, " m"]) -> Int[ndarray, " j"]:
    return steps[:: max(1, round(len(steps) / _WINDOWS))]


def carried(
    fields: Float[ndarray, "b p s co"], misfit: Float[ndarray, "b k co"], nearest: Nearest, share: Misfit
) -> Float[ndarray, "b p s co"]:
    """The forecast with shares of the misfit added at each lead."""
    _, own = nearest
    at = np.where(own, share[:, :1], share[:, 1:]).astype(fields.dtype)
    made: ndarray = fields + at_targets(misfit, nearest)[:, None] * at[:, :, None]
    return made


def at_targets(misfit: Float[ndarray, "b k co"], nearest: Nearest) -> Float[ndarray, "b s co"]:
    """The misfit that each target could take over: 0 where its nearest sensor is not known."""
    sensor, _ = nearest
    taken: ndarray = np.where(sensor[:, None] >= 0, misfit[:, sensor], 0)
    return taken


def persisting(fields: Float[ndarray, "b p s co"], weight: float) -> Float[ndarray, "b p s co"]:
    """The mean with the present field at each lead after it; `weight` is that of the present field."""
    if weight == 0:
        return fields
    made = (1 - weight) * fields + weight * fields[:, :1]
    made[:, 0] = fields[:, 0]
    return made
