"""The closed-form space-time forecaster: best linear unbiased estimates from a hybrid covariance.

`z(t, s)` are standardised anomalies of site `s`. With the history `x` of the sensors and the fields `y_h` at lead
`h` (`h = 0` is the present field)::

    forecast   y_h = C_hx (C_xx + noise D)^-1 x          D: variances of the sensors
    error      C_hh - C_hx (C_xx + noise D)^-1 C_xh

The covariance of a lag mixes the sample, the sample at lag 0 with a common memory, and a kernel of distance::

    C(tau) = (1 - a - b) S(tau) o L  +  a r(tau) S(0) o L  +  b r(tau) K

Each part is positive semidefinite, so their mixture is. Readings that are missing are filled with what the
same covariance expects of them given all others: that is exactly the forecast from the readings that came.

The hybrid alone loses what lies outside the sample's patterns. So a second forecast starts from the present field
(the reading at a sensor, the estimate elsewhere), damps it for each site and lead, and adds a ridge regression on
the sensors for what is left. The default is the mean of both (docs/method.md).

Sources: Gandin 1963; Cressie and Wikle 2011, chapter 6; Hamill and Snyder 2000 and Lorenc 2003 (hybrid
covariances); Gaspari and Cohn 1999 (tapers).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve

from dynst.errors import DataError

__all__ = [
    "Anomalies",
    "ErrorBar",
    "Form",
    "Sensors",
    "SpaceTimeForecaster",
    "block_toeplitz",
    "completed",
    "distances_between",
]

_PAIRED = 400  # sites whose pairs tell the length of the correlation
_BINS = 30  # of distance
_LEAST = 1e-6  # variance, in squared standard deviations, below which a series counts as constant
_RIDGE = 3.0  # penalty of the ridge beside persistence, in variances of a sensor (docs/method.md)
_STEEPEST = 1.2  # largest factor from the present to a later anomaly
_COVERAGE = 0.9  # share of the values that an interval is to hold
_GAUSSIAN = 1.6448536  # standard deviations that hold this share of a normal distribution


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
        Weight of damped persistence with ridge, from 0 (the hybrid alone) to 1.
    """

    memory: float = 0.5
    kernel: float = 0.0
    taper: float = np.inf
    noise: float = 0.1
    persistence: float = 0.5

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

    def readings(self, sites: Int[ndarray, " k"]) -> Float[ndarray, "m q"]:
        """The observed channels of some sites, site-major."""
        return self._columns(self.values[:, sites], self.observed)

    def earlier(self, series: Float[ndarray, "m q"], lags: int) -> Float[ndarray, "m l q"]:
        """The series `lag` steps earlier, for each lag from 0; 0 where that is in another stretch."""
        made = np.zeros((len(series), lags, series.shape[1]), np.float32)
        made[:, 0] = series
        for lag in range(1, min(lags, len(series))):
            same = self.stretch[lag:] == self.stretch[:-lag]
            made[lag:, lag] = series[:-lag] * same[:, None]
        return made

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
        some = np.unique(np.linspace(0, len(self.points) - 1, count).round().astype(int))
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
    """What one plan reads in training time: its series, and their products with themselves and with all targets.

    Parameters
    ----------
    record : Anomalies
        Training time.
    sites : Int[ndarray, "k"]
        Where the sensors are.
    history, leads : int
        Steps of a history, and of a forecast.
    out : Float[ndarray, "l q N"]
        Mean product of each series with each target `lag` steps later, for ``history + leads`` lags; float32.
    own : Float[ndarray, "t q q"]
        Mean product of two series, the second `lag` steps later, for `history` lags.
    places : Float[ndarray, "k d"] or None
        Where the sensors are, if not all of them are among the sites of `record`; their site is then -1.
    """

    record: Anomalies
    sites: Int[ndarray, " k"]
    history: int
    leads: int
    out: Float[ndarray, "l q N"]
    own: Float[ndarray, "t q q"]
    places: Float[ndarray, "k d"] | None = None

    @classmethod
    def of(cls, record: Anomalies, sites: Int[ndarray, " k"], *, history: int, leads: int) -> Sensors:
        """The sensors of a plan."""
        series = record.readings(sites)
        m, q = series.shape
        earlier = record.earlier(series, history + leads).reshape(m, -1)
        out = (earlier.T @ record.targets).reshape(history + leads, q, -1)
        out /= np.float32(m)
        own = (earlier[:, : history * q].T @ series).reshape(history, q, q).astype(float) / m
        return cls(record, sites, history, leads, out, own)

    def part(self, places: Int[ndarray, " j"]) -> Sensors:
        """Some of the sensors, by place in `sites`; what all of them share is not computed again."""
        width = len(self.record.observed)
        rows = (places[:, None] * width + np.arange(width)).ravel()
        own = self.own[:, rows[:, None], rows]
        return Sensors(self.record, self.sites[places], self.history, self.leads, self.out[:, rows], own)

    def onto(self, targets: Int[ndarray, " s"]) -> Sensors:
        """The same sensors with some of the sites as targets, in increasing order; others are forecast no more."""
        record, width = self.record, len(self.record.predicted)
        columns = (targets[:, None] * width + np.arange(width)).ravel()
        kept = record.at(targets)
        place = np.full(len(record.weight), -1)
        place[targets] = np.arange(len(targets))
        out = np.ascontiguousarray(self.out[:, :, columns])
        return replace(self, record=kept, sites=place[self.sites], out=out, places=self._places)

    @cached_property
    def _places(self) -> Float[ndarray, "k d"] | None:
        """Where the sensors are."""
        if self.places is not None or self.record.points is None:
            return self.places
        return self.record.points[self.sites]

    @cached_property
    def variance(self) -> Float[ndarray, " q"]:
        """Mean square of each series."""
        return np.maximum(np.diagonal(self.own[0]), _LEAST)

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
        deviation = np.sqrt(self.variance)
        out = np.kron(out, same) * deviation[:, None] * np.sqrt(record.variance)
        own = np.kron(own, np.eye(len(record.observed))) * np.outer(deviation, deviation)
        return own, out.astype(np.float32)

    def fading(self, taper: float) -> tuple[Float[ndarray, "q q"], Float[ndarray, "q N"]]:
        """Factors by which covariances fade with distance: own, and with targets."""
        record, width = self.record, len(self.record.observed)
        reach = taper * record.length
        own, out = (np.exp(-np.square(distance / reach) / 2) for distance in self.distances)
        return _spread(own, width, width), _spread(out, width, len(record.predicted)).astype(np.float32)


class SpaceTimeForecaster:
    """The forecaster of one plan: from the histories of its sensors to all sites, channels and leads.

    Parameters
    ----------
    sensors : Sensors
        What the plan reads.
    form : Form
        Of the covariance and of the forecast.
    filters : Float[ndarray, "t f"] or None
        Orthonormal patterns in time by which a long history is read; its steps as they are if left out.

    Examples
    --------
    >>> wave = np.sin(np.arange(400)[:, None] / 5 + np.arange(3.0)).astype(np.float32)
    >>> both = np.array([0])
    >>> record = Anomalies(wave[:, :, None], np.zeros(400, int), both, both, np.ones(3))
    >>> sensors = Sensors.of(record, np.array([1]), history=2, leads=2)
    >>> forecaster = SpaceTimeForecaster(sensors, Form(noise=1e-4, memory=0.0, persistence=0.0))
    >>> forecast = forecaster.forecast(wave[None, 100:102, 1:2, None])  # two steps at one site tell the phase
    >>> forecast.shape, bool(np.abs(forecast[0, :, :, 0] - wave[101:104]).max() < 0.1)
    ((1, 3, 3, 1), True)
    """

    def __init__(self, sensors: Sensors, form: Form, *, filters: Float[ndarray, "t f"] | None = None) -> None:
        self.sensors, self.form = sensors, form
        self.filters = np.eye(sensors.history) if filters is None else filters
        self._plain = filters is None
        self._memory = sensors.record.autocorrelation(sensors.history + sensors.leads)
        self._mix()
        noise = np.diag(np.tile(sensors.variance, self.filters.shape[1]))
        self.system = self._between(self._own) + form.noise * noise
        self._solver = cho_factor(self.system)
        if form.persistence > 0:
            self._damp(noise)

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""
        return {"noise": self.form.noise, "persistence": self.form.persistence}

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        """The present field, then the field at each lead; a missing reading is NaN."""
        inputs, present = self.inputs(readings)
        return self._shaped(self._leads(inputs, present, self.form.persistence))

    def deviation(self, missing: Bool[ndarray, "t k ci"] | None = None) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error of the hybrid forecast at lead 0 and later; needs no reading.

        `missing` says which readings do not come; all do if left out.
        """
        record, covariance = self.sensors.record, self._known_part(missing)
        made = np.empty((self.sensors.leads + 1, len(record.variance)))
        for lead in range(len(made)):
            cross = self._cross(lead)
            told = np.einsum("fn,fn->n", cross, covariance @ cross)
            made[lead] = np.maximum(record.variance - told, 1e-4 * record.variance + _LEAST)
        return np.sqrt(made).reshape(len(made), len(record.weight), -1)

    def inputs(self, readings: Float[ndarray, "b t k ci"]) -> tuple[Float[ndarray, "b F"], Float[ndarray, "b q"]]:
        """What the forecaster reads, complete, and the present readings; what was missing is filled."""
        sensors = self.sensors
        steps = readings.reshape(len(readings), sensors.history, -1).astype(float)
        flat = np.einsum("tf,btq->bfq", self.filters, steps) if not self._plain else steps
        inputs = completed(flat.reshape(len(steps), -1), self.system)
        return inputs, steps[:, -1]

    def _mix(self) -> None:
        """The parts of the covariance: what has its own lags, and what shares the common memory."""
        sensors, form = self.sensors, self.form
        own, out = sensors.own, sensors.out
        still_own, still_out = form.memory * own[0], np.float32(form.memory) * out[0]
        if np.isfinite(form.taper):
            fade_own, fade_out = sensors.fading(form.taper)
            own, out = own * fade_own, out * fade_out
            still_own, still_out = still_own * fade_own, still_out * fade_out
        if form.kernel > 0:
            kernel_own, kernel_out = sensors.kernel()
            still_own = still_own + form.kernel * kernel_own
            still_out = still_out + np.float32(form.kernel) * kernel_out
        self._lagged, self._still = out, still_out
        memory = self._memory[: sensors.history, None, None]
        self._own = form.sample * own + memory * still_own

    def _between(self, own: Float[ndarray, "t q q"]) -> Float[ndarray, "F F"]:
        """Covariance of the inputs from that of the series at each lag."""
        full = block_toeplitz(own)
        if self._plain:
            return full
        t, q = own.shape[:2]
        steps = full.reshape(t, q, t, q)
        read = np.einsum("tf,tqur,ug->fqgr", self.filters, steps, self.filters, optimize=True)
        size = self.filters.shape[1] * q
        return read.reshape(size, size)

    def _ahead(self, out: Float[ndarray, "l q N"], lead: int) -> Float[ndarray, "F N"]:
        """Covariance of the inputs with the targets at a lead, from that of each lag."""
        window = out[lead : lead + self.sensors.history][::-1]
        if self._plain:
            return window.reshape(-1, out.shape[2])
        flat = window.reshape(len(window), -1)
        read = self.filters.T.astype(np.float32) @ flat
        return read.reshape(-1, out.shape[2])

    def _remembered(self, lead: int) -> Float[ndarray, " f"]:
        """Common memory from each input step to a lead."""
        return self.filters.T @ self._memory[lead : lead + self.sensors.history][::-1]

    def _cross(self, lead: int) -> Float[ndarray, "F N"]:
        """Covariance of the inputs with the targets at a lead; float32."""
        made = np.float32(self.form.sample) * self._ahead(self._lagged, lead)
        memory = self._remembered(lead).astype(np.float32)
        made += np.multiply.outer(memory, self._still).reshape(made.shape)
        return made

    def _damp(self, noise: Float[ndarray, "F F"]) -> None:
        """Damped persistence of the present field: factors of each site and lead, and the ridge for what is left."""
        sensors, record = self.sensors, self.sensors.record
        sample = self._between(sensors.own)
        self._ridge_solver = cho_factor(sample + _RIDGE * noise)
        estimate = cho_solve(self._solver, self._cross(0).astype(float)).astype(np.float32)
        shared = sample.astype(np.float32) @ estimate  # inputs with the present field
        square = np.einsum("fn,fn->n", shared, estimate).astype(float)
        _, columns = sensors.measured
        square[columns] = record.variance[columns]
        self._with_present = shared
        shared[:, columns] = self._ahead(sensors.out, 0)[:, columns]
        self._factors = np.ones((sensors.leads + 1, len(square)), np.float32)
        for lead in range(1, sensors.leads + 1):
            product = np.einsum("fn,fn->n", estimate, self._ahead(sensors.out, lead)).astype(float)
            product[columns] = self._later(lead)
            self._factors[lead] = _damping(product, square, record.target_weight)

    def _later(self, lead: int) -> Float[ndarray, " p"]:
        """Mean product of each measured target with itself `lead` steps later."""
        record, (_, columns) = self.sensors.record, self.sensors.measured
        targets = record.targets[:, columns]
        if lead >= len(targets):
            return np.zeros(len(columns))
        same = (record.stretch[lead:] == record.stretch[:-lead]).astype(np.float32)
        return np.einsum("mp,mp,m->p", targets[lead:], targets[:-lead], same) / len(targets)

    def parts(self, readings: Float[ndarray, "b t k ci"]) -> tuple[Float[ndarray, "b p n co"], ...]:
        """The hybrid forecast, and damped persistence with ridge; their present field is the same.

        Raises
        ------
        AttributeError
            If the form holds no persistence.
        """
        inputs, present = self.inputs(readings)
        return tuple(
            self._shaped(self._leads(inputs, present, share)) for share in (0.0, 1.0)
        )

    def _shaped(self, leads: Iterator[Float[ndarray, "b N"]]) -> Float[ndarray, "b p n co"]:
        fields = np.stack(list(leads), axis=1)
        return fields.reshape(*fields.shape[:2], len(self.sensors.record.weight), -1)

    def _leads(
        self, inputs: Float[ndarray, "b F"], present: Float[ndarray, "b q"], share: float
    ) -> Iterator[Float[ndarray, "b N"]]:
        """Fields at lead 0 and later, one after the other, with so much persistence."""
        leads = range(1, self.sensors.leads + 1)
        solved = cho_solve(self._solver, inputs.T).T
        field = self._hybrid(solved, 0)
        yield field
        damped = self._damped(field, inputs, present) if share > 0 else None
        for lead in leads:
            if damped is None:
                yield self._hybrid(solved, lead)
            elif share == 1:
                yield next(damped)
            else:
                mean = np.float32(share) * next(damped)
                mean += np.float32(1 - share) * self._hybrid(solved, lead)
                yield mean

    def _damped(
        self, field: Float[ndarray, "b N"], inputs: Float[ndarray, "b F"], present: Float[ndarray, "b q"]
    ) -> Iterator[Float[ndarray, "b N"]]:
        """Damped persistence with ridge at lead 1 and later."""
        readings, columns = self.sensors.measured
        start = field.copy()
        known = present[:, readings]
        start[:, columns] = np.where(np.isfinite(known), known, field[:, columns])
        ridge = cho_solve(self._ridge_solver, inputs.T).T.astype(np.float32)
        start -= ridge @ self._with_present
        for lead in range(1, self.sensors.leads + 1):
            yield self._factors[lead] * start + ridge @ self._ahead(self.sensors.out, lead)

    def _hybrid(self, solved: Float[ndarray, "b F"], lead: int) -> Float[ndarray, "b N"]:
        """The hybrid forecast at a lead."""
        steps = solved.reshape(len(solved), self.filters.shape[1], -1)
        still = np.einsum("bfq,f->bq", steps, self._remembered(lead)).astype(np.float32)
        made: ndarray = still @ self._still
        if self.form.sample > 0:
            made += (self.form.sample * solved).astype(np.float32) @ self._ahead(self._lagged, lead)
        return made

    def _known_part(self, missing: Bool[ndarray, "t k ci"] | None) -> Float[ndarray, "F F"]:
        """The inverse of the system over what comes, 0 elsewhere; float32."""
        size = len(self.system)
        known = np.ones(size, bool) if missing is None else self._read_whole(missing)
        made = np.zeros((size, size), np.float32)
        place = np.ix_(known, known)
        made[place] = np.linalg.inv(self.system[place])
        return made

    def _read_whole(self, missing: Bool[ndarray, "t k ci"]) -> Bool[ndarray, " F"]:
        """Inputs that can be read although some readings are missing."""
        gone = missing.reshape(self.sensors.history, -1)
        touched = (self.filters != 0).T.astype(int) @ gone.astype(int)
        return (touched == 0).ravel()


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


def block_toeplitz(own: Float[ndarray, "t q q"]) -> Float[ndarray, "F F"]:
    """Covariance of a history, time-major, from that of its series at each lag."""
    steps, q = own.shape[:2]
    full = np.empty((steps, q, steps, q))
    for first in range(steps):
        for second in range(steps):
            ahead = own[abs(second - first)]
            full[first, :, second] = ahead if second >= first else ahead.T
    return full.reshape(steps * q, steps * q)


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
        return -cho_solve(cho_factor(precision[np.ix_(gone, gone)]), precision[np.ix_(gone, known)]).T
    return cho_solve(cho_factor(system[np.ix_(known, known)]), system[np.ix_(known, gone)])


def distances_between(first: Float[ndarray, "k d"], second: Float[ndarray, "n d"]) -> Float[ndarray, "k n"]:
    """Straight-line distances."""
    square = -2.0 * (first @ second.T)
    square += np.square(first).sum(axis=1)[:, None]
    square += np.square(second).sum(axis=1)
    np.maximum(square, 0.0, out=square)
    return np.sqrt(square, out=square)


def _spread(factor: Float[ndarray, "k n"], rows: int, columns: int) -> Float[ndarray, "q N"]:
    """The same factor for all channels of a pair of sites."""
    return np.repeat(np.repeat(factor, rows, axis=0), columns, axis=1)


def _correlations(values: Float[ndarray, "m s"]) -> Float[ndarray, "s s"]:
    exact = values.astype(float)
    product = exact.T @ exact
    size = np.sqrt(np.maximum(np.diagonal(product), _LEAST))
    return product / np.outer(size, size)


def _length(distance: Float[ndarray, " p"], correlation: Float[ndarray, " p"]) -> float:
    """First distance, in bins of equal count, at which the mean correlation is below 1/e."""
    order = np.argsort(distance, kind="stable")
    bins = np.array_split(order, min(_BINS, len(order)))
    far = [float(distance[part].mean()) for part in bins]
    below = [i for i, part in enumerate(bins) if correlation[part].mean() < np.exp(-1)]
    return far[below[0]] if below else far[-1]


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
