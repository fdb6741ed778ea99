"""A closed-form forecaster as a few arrays: what a run keeps, so that a plan can be used without its data.

The forecast from complete readings is linear in them. So a product of each input with each target at each lead is
all that is kept, beside the covariance among the inputs: that one fills in readings that did not come, exactly as
the forecaster itself does, and gives the error bar for any pattern of them.

A product that is too large is kept as two factors, its leading singular vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, solve_triangular

from dynst.backbones.covariance import history_inputs
from dynst.backbones.dense_sensors import DenseForecaster, at_targets, persisting
from dynst.backbones.error_bar import ErrorBar
from dynst.backbones.spacetime import SpaceTimeForecaster, completed
from dynst.errors import CheckpointError

__all__ = ["KeptForecaster", "Product"]

_LEAST = 1e-6  # variance, in squared standard deviations, below which nothing is left
_SHARE = 1e-4  # of the variance of a target that is always left
_LARGEST = 100 << 20  # bytes of a product above which factors are kept
_LOST = 1e-9  # share of the power that factors may lose, if the room allows to keep the rest
_PATTERNS = 8  # of missing readings, whose error bars are remembered


@dataclass(frozen=True, eq=False)
class Product:
    """A product of inputs with targets at each lead, whole or as two factors.

    Parameters
    ----------
    left : Float[ndarray, "F r"] or None
        Inputs by singular vectors; None where `right` is the whole product.
    right : Float[ndarray, "p r N"]
        Of each lead.
    """

    left: Float[ndarray, "F r"] | None
    right: Float[ndarray, "p r N"]

    @classmethod
    def of(cls, whole: Float[ndarray, "p F N"], *, largest: int = _LARGEST) -> Product:
        """The product, as factors if it takes more bytes than allowed.

        Examples
        --------
        >>> whole = np.ones((2, 3, 4), np.float32)
        >>> product = Product.of(whole, largest=10)
        >>> product.left.shape, bool(np.allclose(product.at(1, np.ones((1, 3), np.float32)), 3.0))
        ((3, 1), True)
        """
        if whole.nbytes <= largest:
            return cls(None, np.ascontiguousarray(whole, np.float32))
        leads, inputs, targets = whole.shape
        power = np.zeros((inputs, inputs))
        for lead in whole:
            power += lead.astype(float) @ lead.T.astype(float)
        values, vectors = np.linalg.eigh(power)
        order = np.argsort(-values)
        rest = 1.0 - np.cumsum(values[order]) / max(float(values.sum()), 1e-300)
        needed = int(np.searchsorted(-rest, -_LOST)) + 1
        room = largest // (4 * leads * targets)
        rank = max(1, min(inputs, needed, room))
        left = np.ascontiguousarray(vectors[:, order[:rank]], np.float32)
        return cls(left, np.stack([left.T @ lead for lead in whole]).astype(np.float32))

    def at(self, lead: int, inputs: Float[ndarray, "b F"]) -> Float[ndarray, "b N"]:
        """What inputs say of the targets at a lead."""
        seen = inputs if self.left is None else inputs @ self.left
        return np.asarray(seen @ self.right[lead])

    def rows(self, lead: int) -> Float[ndarray, "F N"]:
        """The product at a lead."""
        right: ndarray = self.right[lead]
        return right if self.left is None else np.asarray(self.left @ right)


@dataclass(frozen=True, eq=False)
class KeptForecaster:
    """Forecasts of all sites from the readings of a plan, in standardised anomalies.

    Parameters
    ----------
    system : Float[ndarray, "F F"]
        Covariance among the inputs, with the noise of the sensors.
    filters : Float[ndarray, "t f"]
        Patterns in time by which a history is read; as many steps as are used, the last ones of a history.
    used : Int[ndarray, "u"]
        Places among the sensors of those whose history is an input.
    bound : Float[ndarray, "q"]
        Size beyond which a reading counts as this size.
    hybrid : Product
        Inputs with the targets at lead 0 and later, as the covariance has them: for the present and error bars.
    mixed : Product
        The same for the forecast, persistence included.
    reading, column : Int[ndarray, "m"]
        Present readings that are targets themselves, and which.
    step_in : Float[ndarray, "p m"]
        What of the misfit at its own sensor a target takes over at each lead.
    share : Float[ndarray, "p two"]
        What of the misfit at the nearest sensor a target takes over: at sensors, and elsewhere.
    nearest : Int[ndarray, "n"]
        Place among the sensors of the one nearest to each site, where misfits are carried; empty where they are not.
    own : Bool[ndarray, "n"]
        Which sites carry that sensor themselves.
    persistence : Float[ndarray, ""]
        Weight of the present field at each lead after it, where misfits are carried.
    doubt : Float[ndarray, "N"]
        Variance of each target without any reading.
    scale, reach : Float[ndarray, "p co"]
        Calibration of the error bars, see `ErrorBar`.
    """

    system: Float[ndarray, "F F"]
    filters: Float[ndarray, "t f"]
    used: Int[ndarray, " u"]
    bound: Float[ndarray, " q"]
    hybrid: Product
    mixed: Product
    reading: Int[ndarray, " m"]
    column: Int[ndarray, " m"]
    step_in: Float[ndarray, "p m"]
    share: Float[ndarray, "p two"]
    nearest: Int[ndarray, " n"]
    own: Bool[ndarray, " n"]
    persistence: Float[ndarray, ""]
    doubt: Float[ndarray, " N"]
    scale: Float[ndarray, "p co"]
    reach: Float[ndarray, "p co"]

    @property
    def leads(self) -> int:
        """Leads after the present."""
        return len(self.scale) - 1

    @property
    def channels(self) -> int:
        """Channels that are forecast."""
        return int(self.scale.shape[1])

    @property
    def bar(self) -> ErrorBar:
        """Calibration of the error bars."""
        return ErrorBar(self.scale, self.reach)

    @classmethod
    def of(cls, solved: SpaceTimeForecaster | DenseForecaster, bar: ErrorBar) -> KeptForecaster:
        """The forecaster of a plan as arrays."""
        if isinstance(solved, DenseForecaster):
            return _of_many(solved, bar)
        return _of_few(solved, bar)

    def forecast(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b p n co"]:
        """The present field, then the field at each lead; a missing reading is NaN.

        Histories may be longer than what is used of them.
        """
        inputs = self._inputs(readings)
        made = np.stack([self.mixed.at(lead, inputs) for lead in range(self.leads + 1)], axis=1)
        if len(self.column):
            self._step_in(made, readings)
        fields = made.reshape(*made.shape[:2], -1, self.channels)
        if not len(self.nearest):
            return fields
        return persisting(self._carried(fields, readings), float(self.persistence))

    def deviation(self, missing: Bool[ndarray, "t k ci"] | None = None) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error at lead 0 and later, for the readings that come."""
        return self.bar.deviation(self._expected(missing))

    def half_width(self, missing: Bool[ndarray, "t k ci"] | None = None) -> Float[ndarray, "p n co"]:
        """Half of the interval that holds 90 % of the values."""
        return self.bar.half_width(self._expected(missing))

    def to_arrays(self) -> dict[str, ndarray]:
        """All of it by name."""
        made: dict[str, ndarray] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "mixed" and value is self.hybrid:
                continue
            if not isinstance(value, Product):
                made[field.name] = value
                continue
            made[f"{field.name}.right"] = value.right
            if value.left is not None:
                made[f"{field.name}.left"] = value.left
        return made

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ndarray]) -> KeptForecaster:
        """What `to_arrays` gave.

        Raises
        ------
        CheckpointError
            If a part is missing.
        """
        try:
            hybrid = Product(arrays.get("hybrid.left"), arrays["hybrid.right"])
            mixed = Product(arrays.get("mixed.left"), arrays["mixed.right"]) if "mixed.right" in arrays else hybrid
            parts: dict[str, Any] = {"hybrid": hybrid, "mixed": mixed}
            parts |= {field.name: arrays[field.name] for field in fields(cls) if field.name not in parts}
        except KeyError as error:
            raise CheckpointError(f"the forecaster lacks its part {error}. Make the run again.") from error
        return cls(**parts)

    def _inputs(self, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b F"]:
        """What the forecaster reads, complete."""
        steps = readings[:, -len(self.filters) :, self.used].reshape(len(readings), len(self.filters), -1)
        usual = np.clip(steps, -self.bound, self.bound)
        return completed(history_inputs(usual, self.filters), self.system).astype(np.float32)

    def _step_in(self, made: Float[ndarray, "b p N"], readings: Float[ndarray, "b t k ci"]) -> None:
        """Let each sensor that reports speak for its own target."""
        present = readings[:, -1].reshape(len(readings), -1)[:, self.reading]
        estimate = self.hybrid.at(0, self._inputs(readings))[:, self.column]
        misfit = np.nan_to_num(present - estimate)
        for lead in range(1, self.leads + 1):
            made[:, lead, self.column] += misfit * self.step_in[lead]

    def _carried(
        self, fields_: Float[ndarray, "b p n co"], readings: Float[ndarray, "b t k ci"]
    ) -> Float[ndarray, "b p n co"]:
        """The misfit of the present at the sensors, carried on to all sites."""
        sensors = readings.shape[2]
        misfit = np.zeros((len(readings), sensors * self.channels), np.float32)
        present = readings[:, -1].reshape(len(readings), -1)[:, self.reading]
        estimate = self.hybrid.at(0, self._inputs(readings))[:, self.column]
        place = self.reading // readings.shape[3] * self.channels + self.column % self.channels
        misfit[:, place] = np.nan_to_num(present - estimate)
        taken = at_targets(misfit.reshape(len(readings), sensors, -1), (self.nearest, self.own))
        at = np.where(self.own, self.share[:, :1], self.share[:, 1:]).astype(np.float32)
        return np.asarray(fields_ + taken[:, None] * at[:, :, None])

    def _expected(self, missing: Bool[ndarray, "t k ci"] | None) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error as the covariance has it."""
        known = self._known(missing)
        key = known.tobytes()
        if key not in self._remembered:
            if len(self._remembered) >= _PATTERNS:
                self._remembered.clear()
            self._remembered[key] = self._error(known)
        return self._remembered[key]

    def _known(self, missing: Bool[ndarray, "t k ci"] | None) -> Bool[ndarray, " F"]:
        """Which inputs come."""
        if missing is None:
            return np.ones(len(self.system), bool)
        steps = np.where(missing, np.nan, 0.0)[-len(self.filters) :, self.used]
        return np.asarray(np.isfinite(history_inputs(steps.reshape(1, len(steps), -1), self.filters))[0])

    def _error(self, known: Bool[ndarray, " F"]) -> Float[ndarray, "p n co"]:
        made = np.tile(self.doubt, (self.leads + 1, 1))
        if known.any():
            system = self.system.astype(float)
            factor, _ = cho_factor(system[np.ix_(known, known)])
            for lead in range(self.leads + 1):
                cross = system[known] @ self.hybrid.rows(lead)
                seen = solve_triangular(factor, cross, trans=1, check_finite=False)
                made[lead] -= np.einsum("fn,fn->n", seen, seen)
        error: ndarray = np.sqrt(np.maximum(made, _SHARE * self.doubt + _LEAST))
        return error.reshape(len(made), -1, self.channels)

    @cached_property
    def _remembered(self) -> dict[bytes, Float[ndarray, "p n co"]]:
        return {}


def _of_few(solved: SpaceTimeForecaster, bar: ErrorBar) -> KeptForecaster:
    """Of a plan whose histories are solved as a whole."""
    sensors, form = solved.sensors, solved.form
    hybrid = solved.operator()
    mixed, step_in = solved.mixed_operator(hybrid)
    reading, column = sensors.measured
    nothing = np.zeros(0, np.int64)
    used = np.arange(len(sensors.sites))
    if form.persistence == 0:
        reading, column, step_in = nothing, nothing, np.zeros((len(hybrid), 0))
    product = Product.of(hybrid)
    return KeptForecaster(
        system=solved.system,
        filters=sensors.filters,
        used=used,
        bound=sensors.bound,
        hybrid=product,
        mixed=product if mixed is hybrid else Product.of(mixed),
        reading=reading,
        column=column,
        step_in=step_in.astype(np.float32),
        share=np.zeros((len(hybrid), 2)),
        nearest=nothing,
        own=np.zeros(0, bool),
        persistence=np.zeros(()),
        doubt=np.asarray(sensors.record.doubt, float),
        scale=bar.scale,
        reach=bar.reach,
    )


def _of_many(solved: DenseForecaster, bar: ErrorBar) -> KeptForecaster:
    """Of a plan of very many sensors, of which some stand for all."""
    product = Product.of(solved.operator())
    leads = solved.leads + 1
    share = np.zeros((leads, 2)) if solved.misfit is None else np.asarray(solved.misfit, float)
    record = solved.record
    sensor, channel = np.nonzero(np.ones((len(solved.sites), len(record.predicted)), bool))
    observed = {int(name): place for place, name in enumerate(record.observed)}
    places = np.array([observed.get(int(record.predicted[one]), -1) for one in channel])
    measured = places >= 0
    nearest, own = solved.nearest
    return KeptForecaster(
        system=solved.system,
        filters=np.eye(solved.steps),
        used=solved.used,
        bound=solved.bound,
        hybrid=product,
        mixed=product,
        reading=(sensor * len(record.observed) + places)[measured],
        column=(solved.sites[sensor] * len(record.predicted) + channel)[measured],
        step_in=np.zeros((leads, int(measured.sum())), np.float32),
        share=share,
        nearest=nearest,
        own=own,
        persistence=np.array(solved.form.persistence),
        doubt=np.asarray(record.doubt, float),
        scale=bar.scale,
        reach=bar.reach,
    )
