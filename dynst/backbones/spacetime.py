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
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve

from dynst.backbones.covariance import Sensors, alike, history_inputs, noise_of

__all__ = ["Form", "SpaceTimeForecaster", "completed"]

_LEAST = 1e-6  # variance, in squared standard deviations, below which a series counts as constant
_RIDGE = 3.0  # penalty of the ridge beside persistence, in variances of a sensor (docs/method.md)
_STEEPEST = 1.2  # largest factor from the present to a later anomaly


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
    >>> from dynst.backbones.covariance import Anomalies
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
            made[lead] = np.maximum(record.doubt - told, 1e-4 * record.doubt + _LEAST)
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
    for pattern, rows in alike(known):
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


def _damping(
    product: Float[ndarray, " N"], square: Float[ndarray, " N"], weight: Float[ndarray, " N"]
) -> Float[ndarray, " N"]:
    """Factor from the present to a later anomaly: half each site's own, half that of all sites."""
    own = product / np.maximum(square, _LEAST)
    pooled = float(product @ weight) / max(float(square @ weight), _LEAST)
    factor: ndarray = np.clip((own + pooled) / 2, -1.0, _STEEPEST)
    return factor
