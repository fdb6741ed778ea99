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

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from dynst.backbones.covariance import Sensors, add_product, alike, history_inputs, precision

__all__ = ["Form", "SpaceTimeForecaster", "completed"]

_LEAST = 1e-6  # variance, in squared standard deviations, below which a series counts as constant
_BLOCK = 4096  # targets whose present field is estimated at a time
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
        self.system = self._mix(steps, precision(form.noise, self._type))
        self.system.flat[:: len(self.system) + 1] += (form.noise * sensors.noise).astype(self.system.dtype)
        self._solver = cho_factor(self.system.T, check_finite=False)  # symmetric: its transpose is read in order
        if form.persistence > 0 and form.damped:
            self._damp()

    @property
    def notes(self) -> dict[str, object]:
        """How it was made."""
        return {"noise": self.form.noise, "persistence": self.form.persistence}

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        """The present field, then the field at each lead; a missing reading is NaN."""
        return self._shaped(self._leads(readings))

    def later(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        """The field at each lead after the present; its memory goes by lead first."""
        return self._shaped(self._leads(readings, present=False)[1:])

    def ridge(self, readings: Float[ndarray, "b t k ci"]) -> tuple[Float[ndarray, "b F"], Float[ndarray, "p b N"]]:
        """The ridge beside persistence: its coefficients, and what it says of each lead. All forms have the same."""
        ridge, out = self._ridge(self.inputs(readings)[0]), self.sensors.out
        return ridge, np.stack([ridge @ each for each in out])

    def parts(
        self,
        readings: Float[ndarray, "b t k ci"],
        ridge: tuple[Float[ndarray, "b F"], Float[ndarray, "p b N"]] | None = None,
    ) -> tuple[Float[ndarray, "b p n co"], ...]:
        """The hybrid forecast, damped persistence with ridge, and the present field as it is.

        `ridge` is that of another form, where no reading is missing.

        Raises
        ------
        AttributeError
            If the form holds no damped persistence.
        """
        inputs, present = self.inputs(readings)
        solved, (weights, told) = self._solved(inputs), ridge or self.ridge(readings)
        hybrid = np.empty((self.sensors.leads + 1, len(inputs), len(self.sensors.record.variance)), self._type)
        damped, unchanged = np.empty_like(hybrid), np.empty_like(hybrid)
        self._speak(hybrid, solved)
        unchanged[:] = self._present_field(hybrid[0], present)
        damped[0] = unchanged[0] - weights @ self._with_present
        for lead in self._every[1:]:
            np.multiply(self._factors[lead], damped[0], out=damped[lead])
            damped[lead] += told[lead]
        damped[0] = unchanged[0] = hybrid[0]
        return self._shaped(hybrid), self._shaped(damped), self._shaped(unchanged)

    def operator(self) -> Float[ndarray, "p F N"]:
        """What each input says of each target at lead 0 and later, by the hybrid covariance."""
        shape = (self.sensors.leads + 1, len(self.system), len(self.sensors.record.variance))
        made = np.empty(shape, self.system.dtype)
        for lead in self._every:
            cross = self._cross(lead).astype(self.system.dtype, copy=False)
            made[lead] = cho_solve(self._solver, cross, check_finite=False)
        return made

    def mixed_operator(self, hybrid: Float[ndarray, "p F N"]) -> tuple[Float[ndarray, "p F N"], Float[ndarray, "p m"]]:
        """The same with persistence, and what of its misfit now a measured target takes over at each lead.

        `hybrid` is what `operator` gives.
        """
        share, (_, columns) = self.form.persistence, self.sensors.measured
        step_in = np.zeros((len(hybrid), len(columns)))
        if share == 0:
            return hybrid, step_in
        made = (1 - share) * hybrid
        made[0] = hybrid[0]
        if not self.form.damped:
            made[1:] += share * hybrid[0]
            step_in[1:] = share
            return made, step_in
        ridge = np.asarray(cho_solve(self.sensors.ridge, np.eye(len(self.system), dtype=self._type)))
        start = hybrid[0] - ridge @ self._with_present
        for lead in self._every[1:]:
            made[lead] += share * (ridge @ self.sensors.out[lead] + self._factors[lead] * start)
            step_in[lead] = share * self._factors[lead][columns]
        return made, step_in

    def deviation(self, missing: Bool[ndarray, "t k ci"] | None = None) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error of the hybrid forecast at lead 0 and later; needs no reading.

        `missing` says which readings do not come; all do if left out.
        """
        record, known = self.sensors.record, self._known(missing)
        factor, _ = self._solver if known.all() else cho_factor(self.system[np.ix_(known, known)])
        made = np.empty((self.sensors.leads + 1, len(record.variance)))
        for lead in self._every:
            cross = self._cross(lead)[known].astype(factor.dtype, copy=False)
            seen = solve_triangular(factor, cross, trans=1, check_finite=False, overwrite_b=True)
            told = np.einsum("fn,fn->n", seen, seen)
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

    def _shaped(self, leads: Float[ndarray, "p b N"]) -> Float[ndarray, "b p n co"]:
        fields = np.moveaxis(leads, 0, 1)
        return fields.reshape(*fields.shape[:2], len(self.sensors.record.weight), -1)

    def _mix(self, steps: Float[ndarray, " l"], kind: np.dtype[Any]) -> Float[ndarray, "F F"]:
        """The parts of the covariance: what has its own lags, and what shares the common memory; among inputs."""
        sensors, form = self.sensors, self.form
        size, patterns = len(sensors.now_own), sensors.filters.shape[1]
        own, out = sensors.own.astype(kind, copy=False), sensors.out
        still_own, still_out = form.memory * sensors.now_own, form.memory * sensors.now_out
        made = form.sample * own
        blocks = made.reshape(patterns, size, patterns, size)
        if np.isfinite(form.taper):
            fade_own, fade_out = sensors.fading(form.taper)
            blocks *= fade_own[:, None].astype(kind)
            out = (out.reshape(len(out), patterns, size, -1) * fade_out).reshape(out.shape)
            still_own, still_out = still_own * fade_own, still_out * fade_out
        if form.kernel > 0:
            kernel_own, kernel_out = sensors.kernel
            still_own = still_own + form.kernel * kernel_own
            still_out = np.asarray(still_out + form.kernel * kernel_out)
        self._out, self._still = out, still_out
        lag = np.abs(np.subtract.outer(np.arange(sensors.history), np.arange(sensors.history)))
        memory = (sensors.filters.T @ steps[lag] @ sensors.filters).astype(kind)
        still_own = still_own.astype(kind, copy=False)
        for i, j in np.ndindex(patterns, patterns):
            blocks[i, :, j] += memory[i, j] * still_own
        return made

    def _cross(self, lead: int, columns: slice = slice(None)) -> Float[ndarray, "F c"]:
        """Covariance of the inputs with targets at a lead."""
        made = self.form.sample * self._out[lead][:, columns]
        memory = self._memory[lead].astype(made.dtype)
        made += np.multiply.outer(memory, self._still[:, columns]).reshape(made.shape)
        return np.asarray(made)

    def _leads(self, readings: Float[ndarray, "b t k ci"], *, present: bool = True) -> Float[ndarray, "p b N"]:
        """The forecast by lead; that of the present is computed if it is asked for or needed for the others."""
        inputs, now = self.inputs(readings)
        share, damped = self.form.persistence, self.form.persistence > 0 and self.form.damped
        ridge = self._ridge(inputs) if damped else None
        made = np.empty((self.sensors.leads + 1, len(inputs), len(self.sensors.record.variance)), self._type)
        solved = self._solved(inputs)
        if present or share > 0:
            self._speak(made[:1], solved)
        self._speak(made[1:], (1 - share) * solved, None if ridge is None else share * ridge, first=1)
        if share == 0:
            return made
        start = self._present_field(made[0], now)
        if ridge is not None:
            start -= ridge @ self._with_present
        start *= self._type.type(share)
        for lead in self._every[1:]:
            made[lead] += start if ridge is None else start * self._factors[lead]
        return made

    def _solved(self, inputs: Float[ndarray, "b F"]) -> Float[ndarray, "b F"]:
        right = inputs.T.astype(self.system.dtype, copy=False)
        return np.asarray(cho_solve(self._solver, right, check_finite=False).T)

    def _ridge(self, inputs: Float[ndarray, "b F"]) -> Float[ndarray, "b F"]:
        """Coefficients of the ridge regression beside persistence."""
        right = inputs.T.astype(self._type, copy=False)
        return np.asarray(cho_solve(self.sensors.ridge, right, check_finite=False).T)

    def _speak(
        self,
        into: Float[ndarray, "p b N"],
        solved: Float[ndarray, "b F"],
        ridge: Float[ndarray, "b F"] | None = None,
        *,
        first: int = 0,
    ) -> None:
        """What the hybrid covariance says with these coefficients, from the lead `first` on, and a ridge beside it."""
        sensors, form = self.sensors, self.form
        patterns = solved.reshape(len(solved), sensors.filters.shape[1], -1)
        still = np.tensordot(self._memory[first : first + len(into)], patterns, (1, 1)).astype(self._type)
        sample = (form.sample * solved).astype(self._type)
        if ridge is not None and self._out is sensors.out:
            sample, ridge = sample + ridge, None
        for place, field in enumerate(into):
            np.matmul(sample, self._out[first + place], out=field)
            if form.sample < 1:
                add_product(field, still[place], self._still)
            if ridge is not None:
                add_product(field, ridge, sensors.out[first + place])

    def _damp(self) -> None:
        """Damped persistence of the present field: factors of each site and lead, and the ridge for what is left."""
        sensors, record = self.sensors, self.sensors.record
        count = len(record.variance)
        square, products = np.empty(count), np.empty((sensors.leads + 1, count))
        self._with_present = np.empty((len(self.system), count), self._type)  # inputs with the present field
        own = sensors.own.astype(self._type, copy=False)
        for start in range(0, count, _BLOCK):
            part = slice(start, start + _BLOCK)
            right = self._cross(0, part).astype(self.system.dtype, copy=False)
            estimate = cho_solve(self._solver, right, check_finite=False).astype(self._type, copy=False)
            shared = own @ estimate
            square[part] = np.einsum("fn,fn->n", shared, estimate)
            products[1:, part] = [np.einsum("fn,fn->n", estimate, out[:, part]) for out in sensors.out[1:]]
            self._with_present[:, part] = shared
        _, columns = sensors.measured
        square[columns] = record.variance[columns]
        self._with_present[:, columns] = sensors.out[0][:, columns]
        self._factors = np.ones((sensors.leads + 1, count), self._type)
        for lead in self._every[1:]:
            products[lead, columns] = record.later(lead)[columns]
            self._factors[lead] = _damping(products[lead], square, record.target_weight)

    def _present_field(self, field: Float[ndarray, "b N"], present: Float[ndarray, "b q"]) -> Float[ndarray, "b N"]:
        """The reading where a sensor reports, the estimate elsewhere."""
        readings, columns = self.sensors.measured
        known = present[:, readings].astype(self._type)
        start = field.copy()
        start[:, columns] = np.where(np.isfinite(known), known, field[:, columns])
        return start

    def _known(self, missing: Bool[ndarray, "t k ci"] | None) -> Bool[ndarray, " F"]:
        """Which inputs come."""
        if missing is None:
            return np.ones(len(self.system), bool)
        steps = np.where(missing, np.nan, 0.0).reshape(1, self.sensors.history, -1)
        return np.asarray(np.isfinite(history_inputs(steps, self.sensors.filters))[0])


def completed(inputs: Float[ndarray, "b F"], system: Float[ndarray, "F F"]) -> Float[ndarray, "b F"]:
    """What was missing (NaN) is what the covariance `system` expects of it, given all that came."""
    known = np.isfinite(inputs)
    if known.all():
        return inputs
    filled, system = np.where(known, inputs, 0.0), system.astype(float)
    inverse = np.linalg.inv(system)
    for pattern, rows in alike(known):
        gone = ~pattern
        if gone.any() and pattern.any():
            weights = _expectation(system, inverse, pattern)
            filled[np.ix_(rows, gone)] = inputs[np.ix_(rows, pattern)] @ weights
    return filled


def _expectation(
    system: Float[ndarray, "F F"], inverse: Float[ndarray, "F F"], known: Bool[ndarray, " F"]
) -> Float[ndarray, "k g"]:
    """Weights of what is known in the expectation of the rest, by the smaller of two systems."""
    gone = ~known
    if 2 * gone.sum() < len(gone):
        return np.asarray(-cho_solve(cho_factor(inverse[np.ix_(gone, gone)]), inverse[np.ix_(gone, known)]).T)
    return np.asarray(cho_solve(cho_factor(system[np.ix_(known, known)]), system[np.ix_(known, gone)]))


def _damping(
    product: Float[ndarray, " N"], square: Float[ndarray, " N"], weight: Float[ndarray, " N"]
) -> Float[ndarray, " N"]:
    """Factor from the present to a later anomaly: half each site's own, half that of all sites."""
    own = product / np.maximum(square, _LEAST)
    pooled = float(product @ weight) / max(float(square @ weight), _LEAST)
    factor: ndarray = np.clip((own + pooled) / 2, -1.0, _STEEPEST)
    return factor
