"""The space-time forecaster for plans of very many sensors: a system of some of them, and what the others add.

The covariance among thousands of histories is too large to solve. So the last two steps of some hundred sensors,
spread evenly, forecast the whole field. The misfit of this estimate at every sensor is then carried on: to its own
site, and from the nearest sensor to each site without one. By how much, forecasts of held-out time tell.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import KDTree

from dynst.backbones.spacetime import Anomalies, Form, block_toeplitz, completed, distances_between

__all__ = ["MANY", "DenseForecaster", "Misfit", "are_many"]

MANY = 1200
"""Readings in the histories of all sensors above which some of the sensors stand for all."""

_STEPS = 2  # of a history: on dense networks older ones add little

Misfit = Float[ndarray, "p two"]
"""Share of the misfit now that is added at each lead from 0: at sites with a sensor, and at the others."""


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
        Of the covariance; its taper and its persistence are not used.
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
        self._memory = record.autocorrelation(self._steps + leads)
        own = self._own()
        self._variance = np.maximum(np.diagonal(own[0]), 1e-6)
        self.system = block_toeplitz(own)
        self.system.flat[:: len(self.system) + 1] += form.noise * np.tile(self._variance, self._steps)
        self._solver = cho_factor(self.system)

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""
        return {"noise": self.form.noise, "sensors_in_the_system": len(self._used)}

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p s co"]:
        """The present field, then the field at each lead; a missing reading is NaN."""
        fields = self.interpolated(readings)
        if self._misfit is None:
            return fields
        misfit = self.misfits(readings)
        nearest, own = self.nearest
        for place, sites in enumerate((own, ~own)):
            added = misfit[:, None, nearest[sites]] * self._misfit[:, place, None, None].astype(np.float32)
            fields[:, :, sites] += added
        return fields

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
        made = np.zeros(estimate.shape, np.float32)
        for place, channel in enumerate(record.predicted.tolist()):
            for reading in np.flatnonzero(record.observed == channel).tolist():
                made[..., place] = np.nan_to_num(readings[:, -1, :, reading] - estimate[..., place])
        return made

    def deviation(self) -> Float[ndarray, "p s co"]:
        """Standard deviation of the error of the system's forecast at lead 0 and later."""
        variance = self.record.variance[self._columns]
        made = np.empty((self.leads + 1, len(variance)))
        inverse = np.linalg.inv(self.system).astype(np.float32)
        for lead in range(len(made)):
            cross = self._field(np.eye(len(self.system)), lead, self._columns)
            told = np.einsum("fn,fn->n", cross, inverse @ cross)
            made[lead] = np.maximum(variance - told, 1e-4 * variance + 1e-6)
        return np.sqrt(made).reshape(len(made), len(self.targets), -1)

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
        return order[even]

    def _own(self) -> Float[ndarray, "t q q"]:
        """Covariance among the series of the system at each lag."""
        record, form, series = self.record, self.form, self._series
        m, q = series.shape
        earlier = record.earlier(series, self._steps).reshape(m, -1)
        sample = (earlier.T @ series).reshape(self._steps, q, q).astype(float) / m
        still = form.memory * sample[0]
        if form.kernel > 0:
            deviation = np.sqrt(np.maximum(np.diagonal(sample[0]), 1e-6))
            places = self._places(self.sites[self._used])
            fall = np.exp(-distances_between(places, places) / record.length)
            channels = np.eye(len(record.observed))
            still = still + form.kernel * np.kron(fall, channels) * np.outer(deviation, deviation)
        return form.sample * sample + self._memory[: self._steps, None, None] * still

    def _solved(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b F"]:
        some = readings[:, -self._steps :, self._used]
        inputs = completed(some.reshape(len(some), -1).astype(float), self.system)
        return cho_solve(self._solver, inputs.T).T

    def _field(
        self, solved: Float[ndarray, "b F"], lead: int, columns: Int[ndarray, " c"]
    ) -> Float[ndarray, "b c"]:
        """Forecast of some targets at a lead: through the steps of training time, so no large product is made."""
        record, form = self.record, self.form
        steps = solved.reshape(len(solved), self._steps, -1)
        memory = self._memory[lead : lead + self._steps][::-1]
        still = np.einsum("btq,t->bq", steps, memory)
        weights = form.memory * (still @ self._series.T.astype(float))
        for step in range(self._steps):
            lag = lead + self._steps - 1 - step
            shifted = self._shifted(lag)
            weights += form.sample * (steps[:, step] @ shifted.T.astype(float))
        every = len(columns) == record.targets.shape[1]
        targets = record.targets if every else record.targets[:, columns]
        made = (weights / len(targets)).astype(np.float32) @ targets
        if form.kernel > 0:
            made += form.kernel * self._by_distance(still, columns)
        return made

    def _shifted(self, lag: int) -> Float[ndarray, "m q"]:
        """The series `lag` steps earlier."""
        record, made = self.record, np.zeros_like(self._series)
        if lag >= len(made):
            return made
        same = record.stretch[lag:] == record.stretch[: len(made) - lag]
        made[lag:] = self._series[: len(made) - lag] * same[:, None]
        return made

    def _by_distance(self, still: Float[ndarray, "b q"], columns: Int[ndarray, " c"]) -> Float[ndarray, "b c"]:
        record = self.record
        observed, width = len(record.observed), len(record.predicted)
        sites = columns[::width] // width
        fall = self._fall(sites)
        scaled = (still * np.sqrt(self._variance)).astype(np.float32).reshape(len(still), -1, observed)
        made = np.zeros((len(still), len(sites), width), np.float32)
        for place, channel in enumerate(record.predicted.tolist()):
            for reading in np.flatnonzero(record.observed == channel).tolist():
                made[..., place] = scaled[..., reading] @ fall
        deviation = np.sqrt(record.variance[columns]).astype(np.float32)
        return made.reshape(len(still), -1) * deviation

    def _fall(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "u s"]:
        """Correlation by distance between the system and some sites; the last one is kept."""
        key = sites.tobytes()
        if self._kept_fall[0] != key:
            places = self._places(self.sites[self._used])
            distance = distances_between(places, self._places(sites))
            self._kept_fall[:] = [key, np.exp(-distance / self.record.length).astype(np.float32)]
        fall: ndarray = self._kept_fall[1]
        return fall

    @cached_property
    def _kept_fall(self) -> list[object]:
        return [None, None]

    def _places(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "s d"]:
        points = self.record.points
        assert points is not None  # a form with a kernel is tried only where places are known
        return points[sites]

    @cached_property
    def nearest(self) -> tuple[Int[ndarray, " s"], ndarray]:
        """Place in `sites` of the sensor nearest to each target, and which targets carry it themselves."""
        place = np.full(len(self.record.weight), -1)
        place[self.sites] = np.arange(len(self.sites))
        own = place[self.targets] >= 0
        if self.record.points is None:
            return np.maximum(place[self.targets], 0), own
        _, nearest = KDTree(self.record.points[self.sites]).query(self.record.points[self.targets])
        return np.where(own, place[self.targets], nearest), own
