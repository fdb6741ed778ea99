"""Ridge regression in closed form: the fast judge of plans, and the floor under every network.

Penalised least squares ``min_W |Y - X W|^2 / m + penalty |W|^2`` from the histories at the chosen sites to the
whole future field. All targets share one factorisation, so every penalty of a wide grid costs next to nothing,
and no target is cut to leading modes: what a truncated basis leaves out would make errors look too small.

There is no intercept: inputs and targets are anomalies from each site's training mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.errors import DataError

__all__ = ["LinearForecaster", "TargetGrams", "fit_ridge", "fit_ridge_dual"]

_BLOCK = 4096  # columns of targets in float64 at a time: 8 MB for 250 windows
_START = (1e-4, 1e3)  # of the mean eigenvalue; the best strength grows with the number of features
_LIMIT = (1e-10, 1e8)  # beyond these the fit is plain least squares, or zero, to rounding
_PER_DECADE = 4


@dataclass(frozen=True, eq=False)
class LinearForecaster:
    """Forecast ``(inputs @ left) @ right``, with the penalty that was chosen.

    Parameters
    ----------
    left : Float[ndarray, "q s"]
        From features (or Gram rows) to shared components, float64.
    right : Float[ndarray, "s r"]
        From shared components to targets.
    penalty : float
        Chosen strength, in units of the squared inputs.
    at_grid_end : bool
        Whether no stronger or no weaker penalty was tried than the chosen one. With the default grid, which widens
        itself, that means: the inputs say nothing (or everything) about the targets.
    error : float
        Weighted mean squared error on the validation windows at the chosen penalty.
    """

    left: Float[ndarray, "q s"]
    right: Float[ndarray, "s r"]
    penalty: float
    at_grid_end: bool
    error: float

    def __repr__(self) -> str:
        return f"LinearForecaster({self.left.shape[0]} -> {self.right.shape[1]}, penalty {self.penalty:.3g})"

    def predict(self, inputs: Float[ndarray, "v q"]) -> Float[ndarray, "v r"]:
        """Forecasts in float64. After `fit_ridge_dual`, `inputs` are Gram rows against the training windows."""
        middle = inputs.astype(np.float64) @ self.left
        forecast = np.empty((len(inputs), self.right.shape[1]))
        for block in _blocks(self.right.shape[1]):
            forecast[:, block] = middle @ self.right[:, block].astype(np.float64)
        return forecast


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
        for block in _blocks(r):
            root = 1.0 if weight is None else np.sqrt(weight[block].astype(np.float64))
            y, z = targets[:, block] * root, valid_targets[:, block] * root
            y, z = y.astype(np.float64, copy=False), z.astype(np.float64, copy=False)
            train += y @ y.T
            cross += z @ y.T
            valid += float(np.vdot(z, z))
        return cls(train, cross, valid, v * (float(r) if weight is None else float(weight.sum())))


@dataclass(frozen=True, eq=False)
class _Spectrum:
    """Forecast of training targets Y at a penalty: ``rows @ diag(1 / (value + penalty)) @ columns.T @ Y / m``."""

    value: Float[ndarray, " s"]
    columns: Float[ndarray, "m s"]
    rows: Float[ndarray, "v s"]  # of the validation windows

    @property
    def scale(self) -> float:
        return float(self.value.mean()) if len(self.value) and self.value.sum() > 0 else 1.0


def fit_ridge(
    inputs: Float[ndarray, "m q"],
    targets: Float[ndarray, "m r"],
    *,
    valid_inputs: Float[ndarray, "v q"],
    valid_targets: Float[ndarray, "v r"],
    penalties: Float[ndarray, " g"] | None = None,
    weight: Float[ndarray, " r"] | None = None,
    valid_observed: Bool[ndarray, "v r"] | None = None,
) -> LinearForecaster:
    """Ridge regression whose penalty has the least error on validation windows.

    Parameters
    ----------
    inputs, targets : Float[ndarray, "m q"], Float[ndarray, "m r"]
        Training windows, standardised; a missing value is 0.
    valid_inputs, valid_targets : Float[ndarray, "v q"], Float[ndarray, "v r"]
        Windows on which the penalty is chosen.
    penalties : Float[ndarray, "g"] or None
        Strengths to try, as they are. If left out: 1e-4 to 1e3 times the mean eigenvalue of the smaller Gram matrix,
        four to a decade, widened at an end for as long as the best one stands there.
    weight : Float[ndarray, "r"] or None
        Weight of each target in the validation error, for example the area of its site.
    valid_observed : Bool[ndarray, "v r"] or None
        Which validation targets count.

    Returns
    -------
    LinearForecaster
        Solved in float64 over the smaller of features and windows; both forms agree.

    Raises
    ------
    DataError
        If an input is NaN or infinite, or there is no window.

    Examples
    --------
    >>> x = np.array([[1.0], [-1.0], [2.0]])
    >>> fit = fit_ridge(x, 3 * x, valid_inputs=x, valid_targets=3 * x, penalties=np.array([1e-9]))
    >>> fit.predict(np.array([[5.0]])).round(6).tolist()
    [[15.0]]
    """
    x, xv = inputs.astype(np.float64), valid_inputs.astype(np.float64)
    m, q = _windows(x, xv), x.shape[1]
    if m <= q:
        fit = fit_ridge_dual(
            x @ x.T,
            targets,
            valid_gram=xv @ x.T,
            valid_targets=valid_targets,
            penalties=penalties,
            weight=weight,
            valid_observed=valid_observed,
        )
        return LinearForecaster(x.T @ fit.left, fit.right, fit.penalty, fit.at_grid_end, fit.error)
    value, vectors = _eigen(x.T @ x / m)
    spectrum = _Spectrum(value, x @ vectors, xv @ vectors)
    loads = _project(spectrum.columns, targets)
    error = _errors(spectrum, loads, valid_targets, weight, valid_observed)
    penalty, at_end = _best(error, spectrum.scale, penalties)
    return LinearForecaster(vectors / (value + penalty), loads, penalty, at_end, error(penalty))


def fit_ridge_dual(
    gram: Float[ndarray, "m m"],
    targets: Float[ndarray, "m r"],
    *,
    valid_gram: Float[ndarray, "v m"],
    valid_targets: Float[ndarray, "v r"],
    penalties: Float[ndarray, " g"] | None = None,
    weight: Float[ndarray, " r"] | None = None,
    valid_observed: Bool[ndarray, "v r"] | None = None,
    shared: TargetGrams | None = None,
) -> LinearForecaster:
    """Ridge regression from inner products of windows: `fit_ridge` without ever holding the features.

    The Gram matrix of a plan is the sum of those of its sites, so many plans share one pass over the data.

    Parameters
    ----------
    gram, valid_gram : Float[ndarray, "m m"], Float[ndarray, "v m"]
        ``X @ X.T`` of the training windows, and ``X_valid @ X.T``.
    targets, valid_targets, penalties, weight, valid_observed
        As for `fit_ridge`.
    shared : TargetGrams or None
        `TargetGrams.of(targets, valid_targets, weight=weight)`, if it is at hand; used unless `valid_observed` is
        given. A fit then costs nothing that grows with the number of targets.

    Returns
    -------
    LinearForecaster
        Its `predict` takes Gram rows ``X_new @ X.T``. It refers to `targets`; it does not copy them.

    Raises
    ------
    DataError
        If an input is NaN or infinite, or there is no window.
    """
    m = _windows(gram, valid_gram)
    value, vectors = _eigen(gram.astype(np.float64) / m)
    spectrum = _Spectrum(value, vectors, valid_gram.astype(np.float64) @ vectors)
    error: Callable[[float], float]
    if valid_observed is None:
        grams = shared or TargetGrams.of(targets, valid_targets, weight=weight)
        error = _GramErrors.of_grams(spectrum, grams)
    else:
        loads = _project(vectors, targets)
        error = _errors(spectrum, loads, valid_targets, weight, valid_observed)
    penalty, at_end = _best(error, spectrum.scale, penalties)
    left = (vectors / (value + penalty)) @ vectors.T / m
    return LinearForecaster(left, targets, penalty, at_end, error(penalty))


@dataclass(frozen=True, eq=False)
class _GramErrors:
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

    @classmethod
    def of_grams(cls, spectrum: _Spectrum, grams: TargetGrams) -> _GramErrors:
        m, c, a = len(grams.train), spectrum.columns, spectrum.rows
        linear = np.einsum("vs,vs->s", a, grams.cross @ c) / m
        quadratic = (a.T @ a) * (c.T @ grams.train @ c) / m**2
        return cls(spectrum.value, linear, quadratic, grams.valid, grams.count)

    @classmethod
    def of_loads(
        cls,
        spectrum: _Spectrum,
        loads: Float[ndarray, "s r"],
        valid_targets: Float[ndarray, "v r"],
        weight: Float[ndarray, " r"] | None,
    ) -> _GramErrors:
        grams = TargetGrams.of(loads, valid_targets, weight=weight)  # the loads stand in for the training targets
        a = spectrum.rows
        linear = np.einsum("vs,vs->s", a, grams.cross)
        return cls(spectrum.value, linear, (a.T @ a) * grams.train, grams.valid, grams.count)


@dataclass(frozen=True, eq=False)
class _MaskedErrors:
    """Validation error over the observed targets; each penalty costs one forecast of the validation windows."""

    spectrum: _Spectrum
    loads: Float[ndarray, "s r"]
    targets: Float[ndarray, "v r"]
    weight: Float[ndarray, " r"] | None
    observed: Bool[ndarray, "v r"]

    def __call__(self, penalty: float) -> float:
        rows = self.spectrum.rows / (self.spectrum.value + penalty)
        total, count = 0.0, 0.0
        for block in _blocks(self.loads.shape[1]):
            seen = self.observed[:, block] * (1.0 if self.weight is None else self.weight[block].astype(np.float64))
            total += float((seen * (rows @ self.loads[:, block] - self.targets[:, block]) ** 2).sum())
            count += float(seen.sum())
        if count <= 0:
            raise DataError("no validation target is observed: the ridge penalty cannot be chosen. Give more data.")
        return total / count


def _errors(
    spectrum: _Spectrum,
    loads: Float[ndarray, "s r"],
    valid_targets: Float[ndarray, "v r"],
    weight: Float[ndarray, " r"] | None,
    observed: Bool[ndarray, "v r"] | None,
) -> Callable[[float], float]:
    if observed is None:
        return _GramErrors.of_loads(spectrum, loads, valid_targets, weight)
    return _MaskedErrors(spectrum, loads, valid_targets, weight, observed)


def _windows(train: Float[ndarray, "m q"], valid: Float[ndarray, "v q"]) -> int:
    if not (len(train) and len(valid)):
        raise DataError(
            f"a ridge regression needs training and validation windows; {len(train)} and {len(valid)} came. "
            "Give a longer record."
        )
    return len(train)


def _eigen(gram: Float[ndarray, "s s"]) -> tuple[Float[ndarray, " s"], Float[ndarray, "s s"]]:
    # float64 throughout: a float32 inverse of a Gram matrix with a small penalty has no correct digit.
    if not np.isfinite(gram).all():
        raise DataError("the inputs of a ridge regression hold NaN or infinity. Fill missing values with the mean, 0.")
    value, vectors = np.linalg.eigh(gram)
    return np.maximum(value, 0.0), vectors


def _project(columns: Float[ndarray, "m s"], targets: Float[ndarray, "m r"]) -> Float[ndarray, "s r"]:
    loads = np.empty((columns.shape[1], targets.shape[1]))
    for block in _blocks(targets.shape[1]):
        loads[:, block] = columns.T @ targets[:, block].astype(np.float64) / len(columns)
    return loads


def _best(error: Callable[[float], float], scale: float, penalties: Float[ndarray, " g"] | None) -> tuple[float, bool]:
    """Penalty of least error (the stronger one of a tie) and whether it ends what was tried."""
    tried: dict[float, float] = {}

    def look(values: Sequence[float]) -> int:
        tried.update({value: error(value) for value in values if value not in tried})
        grid = sorted(tried, reverse=True)
        return int(np.argmin([tried[value] for value in grid]))

    if penalties is not None:
        best = look([float(value) for value in penalties])
        return sorted(tried, reverse=True)[best], best in (0, len(tried) - 1)
    low, high = (round(float(np.log10(limit))) for limit in _START)
    best = look([scale * 10.0**decade for decade in range(low, high + 1)])
    while best == 0 and scale * 10.0**high < scale * _LIMIT[1]:
        high += 1
        best = look([scale * 10.0**high])
    while best == len(tried) - 1 and scale * 10.0**low > scale * _LIMIT[0]:
        low -= 1
        best = look([scale * 10.0**low])
    centre = sorted(tried, reverse=True)[best]
    steps = range(-_PER_DECADE + 1, _PER_DECADE)
    best = look([centre * 10.0 ** (step / _PER_DECADE) for step in steps if step])
    return sorted(tried, reverse=True)[best], best in (0, len(tried) - 1)


def _blocks(columns: int) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, columns, _BLOCK))
