"""Ridge regression in closed form: the fast judge of plans, and the floor under every network.

Penalised least squares ``min_W |Y - X W|^2 / m + penalty |W|^2`` from the histories at the chosen sites to the
whole future field. All targets share one factorisation, so every penalty of a wide grid costs next to nothing,
and no target is cut to leading modes: what a truncated basis leaves out would make errors look too small.

There is no intercept: inputs and targets are anomalies from each site's climatology.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.backbones.penalty import (
    Spectrum,
    TargetGrams,
    best_penalty,
    blocks,
    error_of_grams,
    error_of_loads,
    project,
)
from dynst.errors import DataError

__all__ = ["LinearForecaster", "TargetGrams", "fit_ridge", "fit_ridge_dual"]


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
        for block in blocks(self.right.shape[1]):
            forecast[:, block] = middle @ self.right[:, block].astype(np.float64)
        return forecast


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
    spectrum = Spectrum(value, x @ vectors, xv @ vectors)
    loads = project(spectrum.columns, targets)
    error = error_of_loads(spectrum, loads, valid_targets, weight=weight, observed=valid_observed)
    penalty, at_end = best_penalty(error, spectrum.scale, penalties)
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
        `TargetGrams.of(targets, valid_targets, weight=weight)`, if it is at hand; used where there are more than half
        as many targets as windows, unless `valid_observed` is given. A fit then costs nothing that grows with them.

    Returns
    -------
    LinearForecaster
        Its `predict` takes Gram rows ``X_new @ X.T``. It refers to `targets` if these are many; it does not copy them.

    Raises
    ------
    DataError
        If an input is NaN or infinite, or there is no window.
    """
    m = _windows(gram, valid_gram)
    value, vectors = _eigen(gram.astype(np.float64) / m)
    spectrum = Spectrum(value, vectors, valid_gram.astype(np.float64) @ vectors)
    few = 2 * targets.shape[1] <= m  # targets: then nothing between windows and windows is needed of them
    if few or valid_observed is not None:
        loads = project(vectors, targets)
        error = error_of_loads(spectrum, loads, valid_targets, weight=weight, observed=valid_observed)
    else:
        error = error_of_grams(spectrum, shared or TargetGrams.of(targets, valid_targets, weight=weight))
    penalty, at_end = best_penalty(error, spectrum.scale, penalties)
    left = vectors / (value + penalty)
    if few:
        return LinearForecaster(left, loads, penalty, at_end, error(penalty))
    return LinearForecaster(left @ vectors.T / m, targets, penalty, at_end, error(penalty))


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
