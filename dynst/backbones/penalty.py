"""The strength of a ridge penalty: validation error as a function of it, and the search for the least.

With one eigen-decomposition the forecast of the validation windows is ``rows @ diag(1 / (value + penalty)) @ loads``
for every penalty at once, and its error needs inner products of the targets only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.errors import DataError

__all__ = ["Spectrum", "TargetGrams", "best_penalty", "blocks", "error_of_grams", "error_of_loads", "project"]

_BLOCK = 4096  # columns of targets in float64 at a time: 8 MB for 250 windows
_START = (-4, 3)  # decades of the mean eigenvalue; the best strength grows with the number of features
_LIMIT = (-10, 8)  # beyond these the fit is plain least squares, or zero, to rounding
_PER_DECADE = 4


@dataclass(frozen=True, eq=False)
class TargetGrams:
    """Inner products of targets, weighted by column: all that choosing a penalty needs; share them between plans.

    Parameters
    ----------
    train : Float[ndarray, "m m"]
        Training targets with training targets.
    cross : Float[ndarray, "v m"]
        Validation targets with training targets.
    valid : float
        Sum of the weighted squares of the validation targets.
    count : float
        Sum of the weights over all entries of the validation targets.
    """

    train: Float[ndarray, "m m"]
    cross: Float[ndarray, "v m"]
    valid: float
    count: float

    @classmethod
    def of(
        cls,
        targets: Float[ndarray, "m r"],
        valid_targets: Float[ndarray, "v r"],
        *,
        weight: Float[ndarray, " r"] | None = None,
    ) -> TargetGrams:
        """Inner products of these targets, in float64; `weight` per column, ones if left out."""
        m, v, r = len(targets), len(valid_targets), targets.shape[1]
        train, cross, valid = np.zeros((m, m)), np.zeros((v, m)), 0.0
        for block in blocks(r):
            root = 1.0 if weight is None else np.sqrt(weight[block].astype(np.float64))
            y, z = targets[:, block] * root, valid_targets[:, block] * root
            y, z = y.astype(np.float64, copy=False), z.astype(np.float64, copy=False)
            train += y @ y.T
            cross += z @ y.T
            valid += float(np.vdot(z, z))
        return cls(train, cross, valid, v * (float(r) if weight is None else float(weight.sum())))


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Forecast of training targets Y at a penalty: ``rows @ diag(1 / (value + penalty)) @ columns.T @ Y / m``."""

    value: Float[ndarray, " s"]
    columns: Float[ndarray, "m s"]
    rows: Float[ndarray, "v s"]  # of the validation windows

    @property
    def scale(self) -> float:
        """Mean eigenvalue, the natural unit of a penalty; 1 if there is nothing to measure by."""
        return float(self.value.mean()) if len(self.value) and self.value.sum() > 0 else 1.0


def error_of_grams(spectrum: Spectrum, grams: TargetGrams) -> Callable[[float], float]:
    """Weighted mean squared validation error as a function of the penalty, from inner products alone."""
    m, c, a = len(grams.train), spectrum.columns, spectrum.rows
    linear = np.einsum("vs,vs->s", a, grams.cross @ c) / m
    quadratic = (a.T @ a) * (c.T @ grams.train @ c) / m**2
    return _GramError(spectrum.value, linear, quadratic, grams.valid, grams.count)


def error_of_loads(
    spectrum: Spectrum,
    loads: Float[ndarray, "s r"],
    valid_targets: Float[ndarray, "v r"],
    *,
    weight: Float[ndarray, " r"] | None,
    observed: Bool[ndarray, "v r"] | None,
) -> Callable[[float], float]:
    """The same from `loads` (see `project`); where not all targets are `observed`, by a forecast for each penalty."""
    if observed is not None:
        return _MaskedError(spectrum, loads, valid_targets, weight, observed)
    grams = TargetGrams.of(loads, valid_targets, weight=weight)  # the loads stand in for the training targets
    a = spectrum.rows
    linear, quadratic = np.einsum("vs,vs->s", a, grams.cross), (a.T @ a) * grams.train
    return _GramError(spectrum.value, linear, quadratic, grams.valid, grams.count)


def project(columns: Float[ndarray, "m s"], targets: Float[ndarray, "m r"]) -> Float[ndarray, "s r"]:
    """``columns.T @ targets / m`` in float64, without a float64 copy of the targets."""
    loads = np.empty((columns.shape[1], targets.shape[1]))
    for block in blocks(targets.shape[1]):
        loads[:, block] = columns.T @ targets[:, block].astype(np.float64) / len(columns)
    return loads


def best_penalty(
    error: Callable[[float], float], scale: float, penalties: Float[ndarray, " g"] | None
) -> tuple[float, bool]:
    """Penalty of least error (the stronger one of a tie) and whether it ends what was tried.

    Without `penalties`: first a decade at a time, in units of `scale`, on for as long as the best stands at an end;
    then quarters of a decade around it.
    """
    tried: dict[float, float] = {}

    def look(*values: float) -> int:
        tried.update({value: error(value) for value in values if value not in tried})
        return int(np.argmin([tried[value] for value in sorted(tried, reverse=True)]))

    if penalties is not None:
        best = look(*penalties.tolist())
    else:
        low, high = _START
        best = look(*(scale * 10.0**decade for decade in range(low, high + 1)))
        while best == 0 and high < _LIMIT[1]:
            high += 1
            best = look(scale * 10.0**high)
        while best == len(tried) - 1 and low > _LIMIT[0]:
            low -= 1
            best = look(scale * 10.0**low)
        centre = sorted(tried, reverse=True)[best]
        best = look(*(centre * 10.0 ** (step / _PER_DECADE) for step in range(1 - _PER_DECADE, _PER_DECADE) if step))
    return sorted(tried, reverse=True)[best], best in (0, len(tried) - 1)


def blocks(columns: int) -> Iterator[slice]:
    """All columns, some at a time."""
    return (slice(start, start + _BLOCK) for start in range(0, columns, _BLOCK))


@dataclass(frozen=True, eq=False)
class _GramError:
    """Validation error as a function of the penalty, in O(s^2) for s components.

    With d = 1 / (value + penalty) the squared error is ``constant - 2 linear . d + d . quadratic . d``.
    """

    value: Float[ndarray, " s"]
    linear: Float[ndarray, " s"]
    quadratic: Float[ndarray, "s s"]
    constant: float
    count: float

    def __call__(self, penalty: float) -> float:
        d = 1.0 / (self.value + penalty)
        return max(0.0, float(self.constant - 2 * self.linear @ d + d @ self.quadratic @ d)) / self.count


@dataclass(frozen=True, eq=False)
class _MaskedError:
    """Validation error over the observed targets; each penalty costs one forecast of the validation windows."""

    spectrum: Spectrum
    loads: Float[ndarray, "s r"]
    targets: Float[ndarray, "v r"]
    weight: Float[ndarray, " r"] | None
    observed: Bool[ndarray, "v r"]

    def __call__(self, penalty: float) -> float:
        rows = self.spectrum.rows / (self.spectrum.value + penalty)
        total, count = 0.0, 0.0
        for block in blocks(self.loads.shape[1]):
            seen = self.observed[:, block] * (1.0 if self.weight is None else self.weight[block].astype(np.float64))
            total += float((seen * (rows @ self.loads[:, block] - self.targets[:, block]) ** 2).sum())
            count += float(seen.sum())
        if count <= 0:
            raise DataError("no validation target is observed: the ridge penalty cannot be chosen. Give more data.")
        return total / count
