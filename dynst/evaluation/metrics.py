"""Figures from ErrorSums. All are means - over sites by area, over windows evenly - and never sums over C*H*W."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.evaluation.sums import ErrorSums

__all__ = ["acc", "bias", "mae", "mse", "rmse", "skill"]


def mse(sums: ErrorSums) -> Float[ndarray, "p c"]:
    """Mean squared error per lead time and channel, in squared units; NaN where nothing was observed.

    Some papers print the sum over channels and pixels instead; that is this figure times C*H*W.
    """
    return _mean(sums.square, sums.weight)


def rmse(sums: ErrorSums) -> Float[ndarray, "p c"]:
    """Root of the mean squared error over sites and windows together (not the mean of roots per window).

    Examples
    --------
    >>> rmse(ErrorSums.of(np.array([[[[3.0], [-3.0]]]]), np.array([2.0, 5.0]))).item()
    3.0
    """
    root: ndarray = np.sqrt(mse(sums))
    return root


def mae(sums: ErrorSums) -> Float[ndarray, "p c"]:
    """Mean absolute error over sites and windows, per lead time and channel, in the unit of the sums."""
    return _mean(sums.absolute, sums.weight)


def bias(sums: ErrorSums) -> Float[ndarray, "p c"]:
    """Mean of forecast minus truth, per lead time and channel: positive when the forecast is too high."""
    return _mean(sums.signed, sums.weight)


def acc(sums: ErrorSums) -> Float[ndarray, "p c"]:
    """Anomaly correlation per lead time and channel: 1 for the right pattern, 0 for one that says nothing.

    Uncentred, weighted by area, over sites and windows together; anomalies are from the climatology of each site.
    The climatology itself has 0 by convention; where the truth never leaves it, or nothing is observed, there is NaN.
    The published alternatives - centred in each map, a mean of the correlations of single maps, a climatology for each
    day of the year - give other figures.

    Examples
    --------
    >>> truth = np.array([[[[1.0], [-2.0]]]])
    >>> half = ErrorSums.of(-0.5 * truth, np.ones(2), truth=truth)  # the right pattern at half its strength
    >>> acc(half).item()
    1.0
    """
    forecast = sums.square + 2 * sums.product - sums.truth  # f = e + t, so f^2 = e^2 + 2 f t - t^2
    # a forecast of nothing has no square but for the rounding of float32
    says = forecast > 1e-6 * sums.truth
    raw = np.where((sums.truth > 0) & (sums.weight > 0), 0.0, np.nan)
    np.divide(sums.product, np.sqrt(np.maximum(forecast, 0.0) * sums.truth), out=raw, where=says & np.isfinite(raw))
    value: ndarray = np.clip(raw, -1.0, 1.0)
    return value


def skill(sums: ErrorSums, reference: ErrorSums) -> Float[ndarray, "p c"]:
    """Skill ``1 - MSE / MSE_reference``: 1 is perfect, 0 no better than the reference (Murphy 1988).

    Examples
    --------
    >>> weight = np.ones(1)
    >>> skill(ErrorSums.of(np.full((1, 1, 1, 1), 1.0), weight), ErrorSums.of(np.full((1, 1, 1, 1), 2.0), weight)).item()
    0.75
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        value: ndarray = 1.0 - mse(sums) / mse(reference)
    return value


def _mean(total: Float[ndarray, "p c"], weight: Float[ndarray, "p c"]) -> Float[ndarray, "p c"]:
    mean: ndarray = np.divide(total, weight, out=np.full(total.shape, np.nan), where=weight > 0)
    return mean
