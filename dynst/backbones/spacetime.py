"""The closed-form space-time forecaster: best linear unbiased estimates from a hybrid covariance.

`z(t, s)` are standardised anomalies of site `s`. With the history `x` of the sensors and the fields `y_h` at lead
`h` (`h = 0` is the present field)::

    forecast   y_h = C_hx (C_xx + noise D)^-1 x          D: variances of the sensors
    error      C_hh - C_hx (C_xx + noise D)^-1 C_xh

The covariance of a lag mixes the sample, the sample at lag 0 with a common memory, and a kernel of distance::

    C(tau) = (1 - a - b) S(tau) o L  +  a r(tau) S(0) o L  +  b r(tau) K

Each part is positive semidefinite, so their mixture is. Readings that are missing are filled with what the
same covariance expects of them given all others: that is exactly the forecast from the readings that came.

`S` is the mean product over the windows of training time, so it is semidefinite and has no end effects.

The hybrid alone loses what lies outside the sample's patterns. So a second forecast starts from the present field
(the reading at a sensor, the estimate elsewhere), damps it for each site and lead, and adds a ridge regression on
the sensors for what is left. A third one lets the present field persist as it is. The default is the mean of the
first two; the others are for records where they are clearly better (docs/method.md).

Sources: Gandin 1963; Cressie and Wikle 2011, chapter 6; Hamill and Snyder 2000 and Lorenc 2003 (hybrid
covariances); Gaspari and Cohn 1999 (tapers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist

from dynst.errors import DataError

__all__ = [
    "STILL",
    "Anomalies",
    "ErrorBar",
    "Form",
    "Sensors",
    "SpaceTimeForecaster",
    "bound_of",
    "completed",
    "distances_between",
    "gram",
    "history_inputs",
    "noise_of",
]

_WINDOWS = 2000  # of training time, about: more tell little
_PAIRED = 400  # sites whose pairs tell the length of the correlation
_BINS = 30  # of distance
_SAME = 1e-9  # relative difference of distances that rounding makes
_LEAST = 1e-6  # variance, in squared standard deviations, below which a series counts as constant
_BEYOND = 2.5  # times the largest anomaly of training time, of the site or of the typical one
_FAINT = 0.01  # ridge of patterns in time that are fitted to a history with gaps
_QUIET = 0.01  # least noise of a sensor, as a share of the mean of all
_RIDGE = 3.0  # penalty of the ridge beside persistence, in variances of a sensor (docs/method.md)
_STEEPEST = 1.2  # largest factor from the present to a later anomaly
_COVERAGE = 0.9  # share of the values that an interval is to hold
_GAUSSIAN = 1.6448536  # standard deviations that hold this share of a normal distribution


STILL = 1e-4
"""Variance, in squared standard deviations, below which a sensor says nothing of its neighbours."""


@dataclass(frozen=True)
class Form:
    """How the covariance is mixed, how noisy a sensor is, and how much of the forecast is persistence.

    Parameters
    ----------
    memory : float
        Share `a` of the sample covariance at lag 0 with the common autocorrelation.
    kernel : float
        Share `b` of the kernel of distance; `memory + kernel` is at most 1.
    taper : float
        Covariances fade with distance over `taper` correlation lengths; infinity leaves them as they are.
    noise : float
        Variance of the noise of a sensor, as a share of the variance of its series.
    persistence : float
        Weight of persistence beside the hybrid, from 0 (the hybrid alone) to 1.
    damped : bool
        Whether persistence is damped and has a ridge for what is left; else the present field stays as it is.
    """

    memory: float = 0.5
    kernel: float = 0.0
    taper: float = np.inf
    noise: float = 0.1
    persistence: float = 0.5
    damped: bool = True

    @property
    def sample(self) -> float:
        """Share of the sample covariance with its own lags."""
        return 1.0 - self.memory - self.kernel

    @property
    def local(self) -> bool:
        """Whether the form needs distances between sites."""
        return self.kernel > 0 or bool(np.isfinite(self.taper))


@dataclass(frozen=True, eq=False)
class Anomalies:
    """Standardised anomalies of training time, in stretches of even steps.

    Parameters
    ----------
    values : Float[ndarray, "m n c"]
        float32, without NaN; what was missing is 0, and the rest of its series is scaled up to its variance.
        float64 is worked in float64.
    stretch : Int[ndarray, "m"]
        Number of the stretch of each step, not decreasing. No lag runs from one stretch to the next.
    observed, predicted : Int[ndarray, "_"]
        Channels that sensors measure, and channels that are forecast.
    weight : Float[ndarray, "n"]
        Area weights of the sites.
    points : Float[ndarray, "n d"] or None
        Places whose straight-line distance orders like true distance; None where nobody knows them.
    """

    values: Float[ndarray, "m n c"]
    stretch: Int[ndarray, " m"]
    observed: Int[ndarray, " ci"]
    predicted: Int[ndarray, " co"]
    weight: Float[ndarray, " n"]
    points: Float[ndarray, "n d"] | None = None

    def __post_init__(self) -> None:
        if not len(self.values):
            raise DataError("a covariance needs training time; got no step. Give a longer record.")

    @cached_property
    def targets(self) -> Float[ndarray, "m N"]:
        """The predicted channels of all sites, site-major."""
        return self._columns(self.values, self.predicted)

    @cached_property
    def variance(self) -> Float[ndarray, " N"]:
        """Mean square of each target."""
        mean: ndarray = np.einsum("mn,mn->n", self.targets, self.targets, dtype=float) / len(self.targets)
        return mean

    @cached_property
    def target_weight(self) -> Float[ndarray, " N"]:
        """Area weight of each target."""
        return np.repeat(self.weight, len(self.predicted))

    @cached_property
    def usual_extreme(self) -> float:
        """Largest anomaly of a typical site and channel."""
        return float(np.median(np.abs(self.values).max(axis=0)))

    def readings(self, sites: Int[ndarray, " k"]) -> Float[ndarray, "m q"]:
        """The observed channels of some sites, site-major."""
        return self._columns(self.values[:, sites], self.observed)

    def windows(self, length: int) -> Int[ndarray, " w"]:
        """First step of each window of `length` steps that lies in one stretch.

        Raises
        ------
        DataError
            If there is none.
        """
        starts = np.arange(len(self.values) - length + 1)
        starts = starts[self.stretch[starts] == self.stretch[starts + length - 1]]
        if not len(starts):
            raise DataError(f"training time holds no window of {length} steps. Shorten history and horizon.")
        return np.asarray(starts[:: max(1, len(starts) // _WINDOWS)])

    def autocorrelation(self, lags: int) -> Float[ndarray, " l"]:
        """Correlation with the same series `lag` steps later, pooled over sites and channels; 1 at lag 0."""
        known = self._correlations_in_time
        for lag in range(len(known), lags):
            known.append(self._product(lag))
        return np.array(known[:lags]) / max(known[0], _LEAST)

    @cached_property
    def _correlations_in_time(self) -> list[float]:
        return []

    def _product(self, lag: int) -> float:
        """Sum of the products of all series with themselves `lag` steps later."""
        flat = self.values.reshape(len(self.values), -1)
        if lag >= len(flat):
            return 0.0
        later, now = flat[lag:], flat[: len(flat) - lag]
        same = self.stretch[lag:] == self.stretch[: len(flat) - lag]
        return float(np.einsum("mn,mn->m", later, now).astype(float) @ same)

    def at(self, sites: Int[ndarray, " s"]) -> Anomalies:
        """The same of some of the sites."""
        made = replace(
            self,
            values=self.values[:, sites],
            weight=self.weight[sites],
            points=None if self.points is None else self.points[sites],
        )
        if self.points is not None:
            made.__dict__["length"] = self.length
        made.__dict__["_correlations_in_time"] = self._correlations_in_time
        return made

    @cached_property
    def length(self) -> float:
        """Distance at which correlations fall to 1/e, between typical spacing and half the extent.

        Raises
        ------
        DataError
            If nobody knows the places.
        """
        if self.points is None:
            raise DataError("sites without positions have no correlation length. Choose a form without distances.")
        count = min(len(self.points), _PAIRED)
        moving = np.flatnonzero((np.square(self.values).mean(axis=0) > STILL).all(axis=1))
        moving = moving if len(moving) > 1 else np.arange(len(self.points))
        some = moving[np.unique(np.linspace(0, len(moving) - 1, min(count, len(moving))).round().astype(int))]
        distance = distances_between(self.points[some], self.points[some])
        first, second = np.triu_indices(len(some), 1)
        if not len(first):
            return 1.0
        lengths = [
            _length(distance[first, second], correlation[first, second])
            for correlation in map(_correlations, np.moveaxis(self.values[:, some], 2, 0))
        ]
        nearest = np.where(np.eye(len(some), dtype=bool), np.inf, distance).min(axis=1)
        extent = float(np.linalg.norm(self.points.max(axis=0) - self.points.min(axis=0)))
        return float(np.clip(max(lengths), np.median(nearest), max(extent / 2, np.median(nearest))))

    @staticmethod
    def _columns(values: Float[ndarray, "m k c"], channels: Int[ndarray, " j"]) -> Float[ndarray, "m q"]:
        every = len(channels) == values.shape[2]
        chosen = values if every else values[:, :, channels]
        return chosen.reshape(len(values), -1)


@dataclass(frozen=True, eq=False)
class Sensors:
    """What one plan reads in training time: its histories, and their products with themselves and with all targets.

    Parameters
    ----------
    record : Anomalies
        Training time.
    sites : Int[ndarray, "k"]
        Where the sensors are.
    filters : Float[ndarray, "t f"]
        Orthonormal patterns in time by which a history is read; the unit matrix reads its steps as they are.
    out : Float[ndarray, "p F N"]
        Mean product of each input with each target at lead 0 and later. Inputs are pattern-major.
    own : Float[ndarray, "F F"]
        Mean product of two inputs.
    now_out, now_own : Float[ndarray, "q N"], Float[ndarray, "q q"]
        The same of readings and targets of one step.
    bound : Float[ndarray, "q"]
        Size beyond which a reading tells no more of other places: training time has seen nothing like it.
    places : Float[ndarray, "k d"] or None
        Where the sensors are, if not all of them are among the sites of `record`; their site is then -1.
    """

    record: Anomalies
    sites: Int[ndarray, " k"]
    filters: Float[ndarray, "t f"]
    out: Float[ndarray, "p F N"]
    own: Float[ndarray, "F F"]
    now_out: Float[ndarray, "q N"]
    now_own: Float[ndarray, "q q"]
    bound: Float[ndarray, " q"]
    places: Float[ndarray, "k d"] | None = None

    @classmethod
    def of(
        cls,
        record: Anomalies,
        sites: Int[ndarray, " k"],
        *,
        history: int,
        leads: int,
        filters: Float[ndarray, "t f"] | None = None,
    ) -> Sensors:
        """The sensors of a plan; a history is read by its steps if no `filters` are given."""
        filters = np.eye(history) if filters is None else filters
        series, targets = record.readings(sites), record.targets
        starts = record.windows(history + leads)
        inputs = history_inputs(series[starts[:, None] + np.arange(history)], filters)
        inputs = inputs.astype(targets.dtype)
        out = np.empty((leads + 1, inputs.shape[1], targets.shape[1]), targets.dtype)
        for lead in range(leads + 1):
            np.matmul(inputs.T, targets[starts + history - 1 + lead], out=out[lead])
        out /= len(starts)
        own = gram(inputs)  # exact: noise may be a millionth of it
        now_own = gram(series)
        now_out = series.T @ targets / len(series)
        return cls(record, sites, filters, out, own, now_out, now_own, bound_of(record, series))

    @property
    def history(self) -> int:
        """Steps of a history."""
        return len(self.filters)

    @property
    def leads(self) -> int:
        """Steps of a forecast."""
        return len(self.out) - 1

    def part(self, places: Int[ndarray, " j"]) -> Sensors:
        """Some of the sensors, by place in `sites`; what all of them share is not computed again."""
        width = len(self.record.observed)
        rows = (places[:, None] * width + np.arange(width)).ravel()
        patterns = np.arange(self.filters.shape[1])[:, None]
        inputs = (patterns * len(self.now_own) + rows).ravel()
        return replace(
            self,
            sites=self.sites[places],
            out=self.out[:, inputs],
            own=self.own[np.ix_(inputs, inputs)],
            now_out=self.now_out[rows],
            now_own=self.now_own[np.ix_(rows, rows)],
            bound=self.bound[rows],
        )

    def onto(self, targets: Int[ndarray, " s"]) -> Sensors:
        """The same sensors with some of the sites as targets, in increasing order; others are forecast no more."""
        record, width = self.record, len(self.record.predicted)
        columns = (targets[:, None] * width + np.arange(width)).ravel()
        kept = record.at(targets)
        place = np.full(len(record.weight), -1)
        place[targets] = np.arange(len(targets))
        return replace(
            self,
            record=kept,
            sites=place[self.sites],
            out=np.ascontiguousarray(self.out[:, :, columns]),
            now_out=self.now_out[:, columns],
            places=self._places,
        )

    @cached_property
    def _places(self) -> Float[ndarray, "k d"] | None:
        """Where the sensors are."""
        if self.places is not None or self.record.points is None:
            return self.places
        return np.asarray(self.record.points[self.sites])

    @cached_property
    def variance(self) -> Float[ndarray, " q"]:
        """Mean square of each series of readings."""
        return np.diagonal(self.now_own)

    @cached_property
    def measured(self) -> tuple[Int[ndarray, " p"], Int[ndarray, " p"]]:
        """Readings that are targets as well: their number in a step of readings, and their target."""
        record = self.record
        here = np.flatnonzero(self.sites >= 0)[:, None]
        reading, target = np.nonzero(record.observed[:, None] == record.predicted)
        step = here * len(record.observed) + reading
        column = self.sites[here] * len(record.predicted) + target
        return step.ravel(), column.ravel()

    @cached_property
    def distances(self) -> tuple[Float[ndarray, "k k"], Float[ndarray, "k n"]]:
        """Straight-line distance from each sensor to each sensor, and to each site."""
        if self._places is None or self.record.points is None:
            raise DataError("sites without positions have no distances. Choose a form without distances.")
        return distances_between(self._places, self._places), distances_between(self._places, self.record.points)

    def kernel(self) -> tuple[Float[ndarray, "q q"], Float[ndarray, "q N"]]:
        """Covariance that falls exponentially with distance, none between channels: own, and with targets."""
        record = self.record
        own, out = (np.exp(-distance / record.length) for distance in self.distances)
        same = (record.observed[:, None] == record.predicted).astype(float)
        deviation = np.sqrt(np.where(self.variance > STILL, self.variance, 0.0))
        out = np.kron(out, same) * deviation[:, None] * np.sqrt(record.variance)
        own = np.kron(own, np.eye(len(record.observed))) * np.outer(deviation, deviation)
        return own, out.astype(record.values.dtype)

    def fading(self, taper: float) -> tuple[Float[ndarray, "q q"], Float[ndarray, "q N"]]:
        """Factors by which covariances fade with distance: own, and with targets."""
        record, width = self.record, len(self.record.observed)
        reach = taper * record.length
        own, out = (np.exp(-np.square(distance / reach) / 2) for distance in self.distances)
        return _spread(own, width, width), _spread(out, width, len(record.predicted)).astype(record.values.dtype)


class SpaceTimeForecaster:
    """The forecaster of one plan: from the histories of its sensors to all sites, channels and leads.

    Parameters
    ----------
    sensors : Sensors
        What the plan reads.
    form : Form
        Of the covariance and of the forecast.

    Examples
    --------
    >>> wave = np.sin(np.arange(400)[:, None] / 5 + np.arange(3.0)).astype(np.float32)
    >>> both = np.array([0])
    >>> record = Anomalies(wave[:, :, None], np.zeros(400, int), both, both, np.ones(3))
    >>> sensors = Sensors.of(record, np.array([1]), history=2, leads=2)
    >>> forecaster = SpaceTimeForecaster(sensors, Form(noise=1e-4, memory=0.0, persistence=0.0))
    >>> forecast = forecaster.forecast(wave[None, 100:102, 1:2, None])  # two steps at one site tell the phase
    >>> forecast.shape, bool(np.abs(forecast[0, :, :, 0] - wave[101:104]).max() < 0.05)
    ((1, 3, 3, 1), True)
    """

    def __init__(self, sensors: Sensors, form: Form) -> None:
        self.sensors, self.form = sensors, form
        steps = sensors.record.autocorrelation(sensors.history + sensors.leads)
        self._memory = np.stack([sensors.filters.T @ steps[lead:][: sensors.history][::-1] for lead in self._every])
        self._mix(steps)
        noise = np.tile(noise_of(sensors.variance), sensors.filters.shape[1])
        self.system = self._own + form.noise * np.diag(noise)
        self._solver = cho_factor(self.system)
        if form.persistence > 0 and form.damped:
            self._damp(noise)

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""
        return {"noise": self.form.noise, "persistence": self.form.persistence}

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        """The present field, then the field at each lead; a missing reading is NaN."""
        inputs, present = self.inputs(readings)
        share = self.form.persistence
        hybrid = self._hybrid(inputs)
        if share == 0:
            return self._shaped(hybrid)
        kept = self._damped if self.form.damped else self._unchanged
        return self._shaped(_mean_of(hybrid, lambda field: kept(field, inputs, present), share))

    def parts(self, readings: Float[ndarray, "b t k ci"]) -> tuple[Float[ndarray, "b p n co"], ...]:
        """The hybrid forecast, damped persistence with ridge, and the present field as it is.

        Raises
        ------
        AttributeError
            If the form holds no damped persistence.
        """
        inputs, present = self.inputs(readings)
        hybrid = np.stack(list(self._hybrid(inputs)), axis=1)
        damped, unchanged = (
            np.stack([hybrid[:, 0], *kept(hybrid[:, 0], inputs, present)], axis=1)
            for kept in (self._damped, self._unchanged)
        )
        return tuple(self._shaped(np.moveaxis(fields, 1, 0)) for fields in (hybrid, damped, unchanged))

    def deviation(self, missing: Bool[ndarray, "t k ci"] | None = None) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error of the hybrid forecast at lead 0 and later; needs no reading.

        `missing` says which readings do not come; all do if left out.
        """
        record, covariance = self.sensors.record, self._known_part(missing)
        made = np.empty((self.sensors.leads + 1, len(record.variance)))
        for lead in self._every:
            cross = self._cross(lead)
            told = np.einsum("fn,fn->n", cross, covariance @ cross)
            made[lead] = np.maximum(record.variance - told, 1e-4 * record.variance + _LEAST)
        return np.sqrt(made).reshape(len(made), len(record.weight), -1)

    def inputs(self, readings: Float[ndarray, "b t k ci"]) -> tuple[Float[ndarray, "b F"], Float[ndarray, "b q"]]:
        """What the forecaster reads, complete, and the present readings; what was missing of these stays NaN."""
        steps = readings.reshape(len(readings), self.sensors.history, -1)
        usual = np.clip(steps, -self.sensors.bound, self.sensors.bound)
        return completed(history_inputs(usual, self.sensors.filters), self.system), steps[:, -1]

    @property
    def _type(self) -> np.dtype[np.floating[Any]]:
        return self.sensors.record.values.dtype

    @property
    def _every(self) -> range:
        return range(self.sensors.leads + 1)

    def _shaped(self, leads: Iterable[Float[ndarray, "b N"]]) -> Float[ndarray, "b p n co"]:
        fields = np.stack(list(leads), axis=1)
        return fields.reshape(*fields.shape[:2], len(self.sensors.record.weight), -1)

    def _mix(self, steps: Float[ndarray, " l"]) -> None:
        """The parts of the covariance: what has its own lags, and what shares the common memory."""
        sensors, form = self.sensors, self.form
        own, out = sensors.own, sensors.out
        still_own, still_out = form.memory * sensors.now_own, form.memory * sensors.now_out
        if np.isfinite(form.taper):
            fade_own, fade_out = sensors.fading(form.taper)
            patterns = sensors.filters.shape[1]
            own, out = own * np.tile(fade_own, (patterns, patterns)), out * np.tile(fade_out, (patterns, 1))
            still_own, still_out = still_own * fade_own, still_out * fade_out
        if form.kernel > 0:
            kernel_own, kernel_out = sensors.kernel()
            still_own = still_own + form.kernel * kernel_own
            still_out = np.asarray(still_out + form.kernel * kernel_out)
        self._out, self._still = out, still_out
        lag = np.abs(np.subtract.outer(np.arange(sensors.history), np.arange(sensors.history)))
        memory = sensors.filters.T @ steps[lag] @ sensors.filters
        self._own = form.sample * own + np.kron(memory, still_own)

    def _cross(self, lead: int) -> Float[ndarray, "F N"]:
        """Covariance of the inputs with the targets at a lead."""
        made = self.form.sample * self._out[lead]
        made += np.multiply.outer(self._memory[lead].astype(made.dtype), self._still).reshape(made.shape)
        return np.asarray(made)

    def _hybrid(self, inputs: Float[ndarray, "b F"]) -> Iterator[Float[ndarray, "b N"]]:
        """The hybrid forecast at lead 0 and later, one after the other."""
        solved = cho_solve(self._solver, inputs.T).T
        patterns = solved.reshape(len(solved), self.sensors.filters.shape[1], -1)
        sample = (self.form.sample * solved).astype(self._type)
        for lead in self._every:
            still = np.einsum("bfq,f->bq", patterns, self._memory[lead]).astype(self._type)
            field = still @ self._still
            if self.form.sample > 0:
                field += sample @ self._out[lead]
            yield field

    def _damp(self, noise: Float[ndarray, " F"]) -> None:
        """Damped persistence of the present field: factors of each site and lead, and the ridge for what is left."""
        sensors, record = self.sensors, self.sensors.record
        self._ridge_solver = cho_factor(sensors.own + _RIDGE * np.diag(noise))
        estimate = cho_solve(self._solver, self._cross(0).astype(float)).astype(self._type)
        shared = sensors.own.astype(self._type) @ estimate  # inputs with the present field
        square = np.einsum("fn,fn->n", shared, estimate).astype(float)
        _, columns = sensors.measured
        square[columns] = record.variance[columns]
        shared[:, columns] = sensors.out[0][:, columns]
        self._with_present = shared
        self._factors = np.ones((sensors.leads + 1, len(square)), self._type)
        for lead in self._every[1:]:
            product = np.einsum("fn,fn->n", estimate, sensors.out[lead]).astype(float)
            product[columns] = self._later(lead)
            self._factors[lead] = _damping(product, square, record.target_weight)

    def _later(self, lead: int) -> Float[ndarray, " p"]:
        """Mean product of each measured target with itself `lead` steps later."""
        record, (_, columns) = self.sensors.record, self.sensors.measured
        starts = record.windows(lead + 1)
        targets = record.targets[:, columns]
        product: ndarray = np.einsum("mp,mp->p", targets[starts], targets[starts + lead], dtype=float)
        return product / len(starts)

    def _damped(
        self, field: Float[ndarray, "b N"], inputs: Float[ndarray, "b F"], present: Float[ndarray, "b q"]
    ) -> Iterator[Float[ndarray, "b N"]]:
        """Damped persistence with ridge at lead 1 and later."""
        ridge = cho_solve(self._ridge_solver, inputs.T).T.astype(self._type)
        start = self._present_field(field, present) - ridge @ self._with_present
        for lead in self._every[1:]:
            yield self._factors[lead] * start + ridge @ self.sensors.out[lead]

    def _unchanged(
        self, field: Float[ndarray, "b N"], inputs: Float[ndarray, "b F"], present: Float[ndarray, "b q"]
    ) -> Iterator[Float[ndarray, "b N"]]:
        """The present field at lead 1 and later."""
        start = self._present_field(field, present)
        return (start for _ in self._every[1:])

    def _present_field(self, field: Float[ndarray, "b N"], present: Float[ndarray, "b q"]) -> Float[ndarray, "b N"]:
        """The reading where a sensor reports, the estimate elsewhere."""
        readings, columns = self.sensors.measured
        known = present[:, readings].astype(self._type)
        start = field.copy()
        start[:, columns] = np.where(np.isfinite(known), known, field[:, columns])
        return start

    def _known_part(self, missing: Bool[ndarray, "t k ci"] | None) -> Float[ndarray, "F F"]:
        """The inverse of the system over what comes, 0 elsewhere."""
        size = len(self.system)
        known = np.ones(size, bool)
        if missing is not None:
            steps = np.where(missing, np.nan, 0.0).reshape(1, self.sensors.history, -1)
            known = np.isfinite(history_inputs(steps, self.sensors.filters))[0]
        made = np.zeros((size, size), self._type)
        place = np.ix_(known, known)
        made[place] = np.linalg.inv(self.system[place])
        return made


@dataclass(frozen=True, eq=False)
class ErrorBar:
    """Factors by which the covariance's own error is off, from forecasts of time that it was not fitted to.

    Parameters
    ----------
    scale : Float[ndarray, "p co"]
        Actual by expected standard deviation of the error, for lead 0 and later.
    reach : Float[ndarray, "p co"]
        Scaled standard deviations within which 90 % of the values lie.
    """

    scale: Float[ndarray, "p co"]
    reach: Float[ndarray, "p co"]

    @classmethod
    def fit(cls, ratio: Float[ndarray, "r p co"], weight: Float[ndarray, " r"]) -> ErrorBar:
        """The factors from errors divided by their expected deviation; NaN where the truth is missing.

        Examples
        --------
        >>> noise = 2.0 * np.random.default_rng(0).standard_normal((5000, 1, 1))
        >>> bar = ErrorBar.fit(noise, np.ones(5000))
        >>> bar.scale.round(1).item(), bar.reach.round(1).item()
        (2.0, 1.6)
        """
        scale, reach = np.ones(ratio.shape[1:]), np.full(ratio.shape[1:], _GAUSSIAN)
        for place in np.ndindex(scale.shape):
            error = ratio[:, *place]
            known = np.isfinite(error)
            if known.any():
                error, heavy = error[known], weight[known]
                scale[place] = max(float(np.sqrt(np.square(error) @ heavy / heavy.sum())), _LEAST)
                reach[place] = _weighted_quantile(np.abs(error) / scale[place], heavy)
        return cls(scale, reach)

    def deviation(self, expected: Float[ndarray, "p n co"]) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error at each lead, site and channel."""
        scaled: ndarray = expected * self.scale[:, None]
        return scaled

    def half_width(self, expected: Float[ndarray, "p n co"]) -> Float[ndarray, "p n co"]:
        """Half of the interval that holds 90 % of the values."""
        half: ndarray = self.deviation(expected) * self.reach[:, None]
        return half


def bound_of(record: Anomalies, series: Float[ndarray, "m q"]) -> Float[ndarray, " q"]:
    """Size beyond which a reading counts as this size, where it speaks of other places or times."""
    largest = np.abs(series).max(axis=0)
    return np.asarray(_BEYOND * np.maximum(largest, record.usual_extreme))


def noise_of(variance: Float[ndarray, " q"]) -> Float[ndarray, " q"]:
    """Variance of a sensor's noise by that of its series; a series that hardly moves has the noise of others."""
    return np.asarray(np.maximum(variance, max(_QUIET * float(variance.mean()), _LEAST)))


def history_inputs(steps: Float[ndarray, "b t q"], filters: Float[ndarray, "t f"]) -> Float[ndarray, "b F"]:
    """Histories read by patterns in time, pattern-major.

    Where steps are missing (NaN), patterns are fitted to those that came; NaN where fewer than half of them did.
    """
    if len(filters) == filters.shape[1]:
        return steps.reshape(len(steps), -1)
    by_series = steps.transpose(0, 2, 1).reshape(-1, len(filters))
    known = np.isfinite(by_series)
    read = np.where(known, by_series, 0.0) @ filters
    read = read.astype(by_series.dtype, copy=False)
    for pattern, rows in _alike(known):
        if pattern.sum() * 2 < len(pattern):
            read[rows] = np.nan
        elif not pattern.all():
            some = filters[pattern]
            system = some.T @ some + _FAINT * np.eye(filters.shape[1])
            read[rows] = by_series[np.ix_(rows, pattern)] @ np.linalg.solve(system, some.T).T
    shape = (len(steps), steps.shape[2], -1)
    return np.asarray(read.reshape(shape).transpose(0, 2, 1).reshape(len(steps), -1))


def _mean_of(
    hybrid: Iterator[Float[ndarray, "b N"]],
    kept: Callable[[Float[ndarray, "b N"]], Iterator[Float[ndarray, "b N"]]],
    share: float,
) -> Iterator[Float[ndarray, "b N"]]:
    """The present field of the hybrid, then its mean with what is kept of that field."""
    field = next(hybrid)
    yield field
    for other, persisting in zip(hybrid, kept(field), strict=True):
        yield (1 - share) * other + share * persisting


def completed(inputs: Float[ndarray, "b F"], system: Float[ndarray, "F F"]) -> Float[ndarray, "b F"]:
    """What was missing (NaN) is what the covariance `system` expects of it, given all that came."""
    known = np.isfinite(inputs)
    if known.all():
        return inputs
    filled = np.where(known, inputs, 0.0)
    precision = np.linalg.inv(system)
    for pattern, rows in _alike(known):
        gone = ~pattern
        if gone.any() and pattern.any():
            weights = _expectation(system, precision, pattern)
            filled[np.ix_(rows, gone)] = inputs[np.ix_(rows, pattern)] @ weights
    return filled


def _expectation(
    system: Float[ndarray, "F F"], precision: Float[ndarray, "F F"], known: Bool[ndarray, " F"]
) -> Float[ndarray, "k g"]:
    """Weights of what is known in the expectation of the rest, by the smaller of two systems."""
    gone = ~known
    if 2 * gone.sum() < len(gone):
        return np.asarray(-cho_solve(cho_factor(precision[np.ix_(gone, gone)]), precision[np.ix_(gone, known)]).T)
    return np.asarray(cho_solve(cho_factor(system[np.ix_(known, known)]), system[np.ix_(known, gone)]))


def distances_between(first: Float[ndarray, "k d"], second: Float[ndarray, "n d"]) -> Float[ndarray, "k n"]:
    """Straight-line distances."""
    return np.asarray(cdist(first, second))  # exact: a place is at distance 0 from itself


def gram(values: Float[ndarray, "m q"]) -> Float[ndarray, "q q"]:
    """Mean products of columns in float64: rounding to float32 would leave negative eigenvalues."""
    exact = values.astype(float)
    product: ndarray = exact.T @ exact
    return product / len(values)


def _spread(factor: Float[ndarray, "k n"], rows: int, columns: int) -> Float[ndarray, "q N"]:
    """The same factor for all channels of a pair of sites."""
    return np.repeat(np.repeat(factor, rows, axis=0), columns, axis=1)


def _correlations(values: Float[ndarray, "m s"]) -> Float[ndarray, "s s"]:
    exact = values.astype(float)
    product = exact.T @ exact
    size = np.sqrt(np.maximum(np.diagonal(product), _LEAST))
    return np.asarray(product / np.outer(size, size))


def _length(distance: Float[ndarray, " p"], correlation: Float[ndarray, " p"]) -> float:
    """First distance at which the mean correlation is below 1/e, in bins of about equal count.

    Equal distances, of which grids have many, share a bin: else the order of the sites would matter.
    """
    ends = np.quantile(distance, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower")
    bins = np.searchsorted(ends, distance * (1 - _SAME))
    sums = np.stack([np.bincount(bins, weights) for weights in (np.ones(len(bins)), distance, correlation)])
    count, far, mean = sums[:, sums[0] > 0]
    far, mean = far / count, mean / count
    below = np.flatnonzero(mean < np.exp(-1))
    return float(far[below[0]] if len(below) else far[-1])


def _alike(known: Bool[ndarray, "b q"]) -> Iterator[tuple[Bool[ndarray, " q"], Int[ndarray, " r"]]]:
    """Each pattern of what is known, and the rows that have it."""
    _, first, which = np.unique(np.packbits(known, axis=1), axis=0, return_index=True, return_inverse=True)
    for number, row in enumerate(first):
        yield known[row], np.flatnonzero(which.ravel() == number)


def _damping(
    product: Float[ndarray, " N"], square: Float[ndarray, " N"], weight: Float[ndarray, " N"]
) -> Float[ndarray, " N"]:
    """Factor from the present to a later anomaly: half each site's own, half that of all sites."""
    own = product / np.maximum(square, _LEAST)
    pooled = float(product @ weight) / max(float(square @ weight), _LEAST)
    factor: ndarray = np.clip((own + pooled) / 2, -1.0, _STEEPEST)
    return factor


def _weighted_quantile(values: Float[ndarray, " v"], weight: Float[ndarray, " v"]) -> float:
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(share, _COVERAGE).clip(max=len(values) - 1)])
