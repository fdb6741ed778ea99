"""The space-time forecaster for plans of very many sensors: a system of some of them, and what the others add.

The covariance among thousands of histories is too large to solve. So the last two steps of some hundred sensors,
spread evenly, forecast the whole field. The misfit of this estimate at every sensor is then carried on: to its own
site, and from the nearest sensor to each site without one. By how much, forecasts of held-out time tell.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import KDTree

from dynst.backbones.covariance import STILL, Anomalies, bound_of, distances_between, gram, noise_of
from dynst.backbones.spacetime import Form, completed

__all__ = ["MANY", "DenseForecaster", "Misfit", "Nearest", "are_many", "at_targets", "carried", "persisting"]

MANY = 1200
"""Readings in the histories of all sensors above which some of the sensors stand for all."""

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
        self.record, self.sites, self.form, self.leads = record, sites, form, leads
        self.targets = np.arange(len(record.weight)) if targets is None else targets
        self._misfit = misfit
        self._steps = min(history, _STEPS)
        self._used = self._spread_evenly()
        self._series = record.readings(sites[self._used])
        self._variance = np.einsum("mq,mq->q", self._series, self._series, dtype=float) / len(self._series)
        self._bound = bound_of(record, self._series)
        self._memory = record.autocorrelation(self._steps + leads)
        self._starts = record.windows(self._steps + leads)
        histories = self._series[self._starts[:, None] + np.arange(self._steps)]
        self._inputs = histories.reshape(len(histories), -1)
        self.system = self._own()
        self.system.flat[:: len(self.system) + 1] += form.noise * np.tile(noise_of(self._variance), self._steps)
        self._solver = cho_factor(self.system)

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""
        return {"noise": self.form.noise, "sensors_in_the_system": len(self._used)}

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p s co"]:
        """The present field, then the field at each lead; a missing reading is NaN."""
        fields = self.interpolated(readings)
        if self._misfit is not None:
            fields = carried(fields, self.misfits(readings), self.nearest, self._misfit)
        return persisting(fields, self.form.persistence)

    def interpolated(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p s co"]:
        """What the system alone forecasts."""
        solved = self._solved(readings)
        fields = np.stack([self._field(solved, lead, self._columns) for lead in range(self.leads + 1)], axis=1)
        return fields.reshape(*fields.shape[:2], len(self.targets), -1)

    def misfits(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b k co"]:
        """Present readings minus the present estimate at all sensors; 0 where there is none or no such channel."""
        record = self.record
        estimate = self._field(self._solved(readings), 0, self._columns_of(self.sites))
        estimate = estimate.reshape(len(readings), len(self.sites), -1)
        made = np.zeros_like(estimate)
        for place, channel in enumerate(record.predicted.tolist()):
            for reading in np.flatnonzero(record.observed == channel).tolist():
                made[..., place] = np.nan_to_num(readings[:, -1, :, reading] - estimate[..., place])
        return made

    def deviation(self) -> Float[ndarray, "p s co"]:
        """Standard deviation of the error of the system's forecast at lead 0 and later."""
        variance = self.record.doubt[self._columns]
        made = np.empty((self.leads + 1, len(variance)))
        inverse = np.linalg.inv(self.system).astype(self._type)
        for lead in range(len(made)):
            cross = self._field(np.eye(len(self.system)), lead, self._columns)
            told = np.einsum("fn,fn->n", cross, inverse @ cross)
            made[lead] = np.maximum(variance - told, 1e-4 * variance + 1e-6)
        return np.sqrt(made).reshape(len(made), len(self.targets), -1)

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
        record, form, series = self.record, self.form, self._series
        sample, still = gram(self._inputs), form.memory * gram(series)
        if form.kernel > 0:
            deviation = self._deviation
            places = self._places(self.sites[self._used])
            fall = np.exp(-distances_between(places, places) / record.length)
            still += form.kernel * np.kron(fall, np.eye(len(record.observed))) * np.outer(deviation, deviation)
        lag = np.abs(np.subtract.outer(np.arange(self._steps), np.arange(self._steps)))
        return np.asarray(form.sample * sample + np.kron(self._memory[lag], still))

    def _solved(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b F"]:
        some = readings[:, -self._steps :, self._used].reshape(len(readings), self._steps, -1).astype(float)
        usual = np.clip(some, -self._bound, self._bound)
        inputs = completed(usual.reshape(len(usual), -1), self.system)
        return np.asarray(cho_solve(self._solver, inputs.T).T)

    def _field(self, solved: Float[ndarray, "b F"], lead: int, columns: Int[ndarray, " c"]) -> Float[ndarray, "b c"]:
        """Forecast of some targets at a lead: through the steps of training time, so no large product is made."""
        record, form = self.record, self.form
        every = len(columns) == record.targets.shape[1]
        targets = record.targets if every else record.targets[:, columns]
        by_window = (solved.astype(self._type) @ self._inputs.T) * (form.sample / len(self._inputs))
        made = by_window @ targets[self._starts + self._steps - 1 + lead]
        memory = self._memory[lead : lead + self._steps][::-1]
        still = np.einsum("btq,t->bq", solved.reshape(len(solved), self._steps, -1), memory).astype(self._type)
        if form.memory > 0:
            made += (still @ self._series.T) * (form.memory / len(targets)) @ targets
        if form.kernel > 0:
            made += form.kernel * self._by_distance(still, columns)
        return np.asarray(made)

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
        deviation = np.sqrt(record.variance[columns]).astype(self._type)
        return np.asarray(made.reshape(len(still), -1) * deviation)

    def _fall(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "u s"]:
        """Correlation by distance between the system and some sites; the last one is kept."""
        key = sites.tobytes()
        if key not in self._kept:
            distance = distances_between(self._places(self.sites[self._used]), self._places(sites))
            self._kept.clear()
            self._kept[key] = np.exp(-distance / self.record.length).astype(self._type)
        return self._kept[key]

    @property
    def _deviation(self) -> Float[ndarray, " q"]:
        """Standard deviation of each series; 0 where it hardly moves, as it says nothing of its neighbours then."""
        return np.asarray(np.sqrt(np.where(self._variance > STILL, self._variance, 0.0)))

    @cached_property
    def _kept(self) -> dict[bytes, Float[ndarray, "u s"]]:
        return {}

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
