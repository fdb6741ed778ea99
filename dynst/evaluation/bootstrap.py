"""Bootstrap of paired window errors, in blocks of time or by whole runs: says better, tie or worse, and by how much."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.stats import norm
from scipy.stats import t as student

__all__ = [
    "Interval",
    "block_length",
    "interval_block",
    "judged",
    "replicates",
    "resamples",
    "resampling_weights",
    "run_weights",
    "verdict",
]

_LEVEL = 0.95
_DRAWS = 1000
_CAUTION = 2.0  # chosen: the length of least error in the variance leaves 95 % intervals on AR(1) errors at 76-87 %
_FEWEST = 3.0  # blocks; below that no resampling can say how far a mean may be off


@dataclass(frozen=True)
class Interval:
    """Relative difference of two RMSE in %, and the bounds of its 95 % interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:+.1f} [{self.low:+.1f}, {self.high:+.1f}] %"


def verdict(
    a: Float[ndarray, " m"],
    b: Float[ndarray, " m"] | Float[ndarray, "draws m"],
    *,
    draws: int = _DRAWS,
    seed: int = 0,
    block: float | None = None,
    run: Int[ndarray, " m"] | None = None,
) -> tuple[str, Interval]:
    """Whether `a` forecasts better than `b` on the same windows, as far as these windows can tell.

    The figure is ``RMSE_a / RMSE_b - 1``; of several `b` (random plans, seeds) the mean of their RMSE is taken. The
    interval covers the choice of test windows, not that of the layouts.

    Parameters
    ----------
    a, b : Float[ndarray, "m"]
        Mean squared error of each test window, in order of time; NaN for a window that does not count.
    draws : int
        Resamples.
    seed : int
        Seed of the resampling.
    block : float or None
        Mean block length in windows; chosen from the differences if left out.
    run : Int[ndarray, "m"] or None
        Experiment of each window, where there are several: they are then resampled whole, and `block` counts for
        nothing. None for windows of one record.

    Returns
    -------
    tuple of str and Interval
        ``better``, ``tie`` or ``worse``, and the difference in % (below zero is better).

    Examples
    --------
    >>> errors = np.random.default_rng(0).uniform(1, 2, 100)
    >>> verdict(errors, errors)
    ('tie', Interval(estimate=0.0, low=0.0, high=0.0))
    >>> verdict(errors, 1.21 * errors)[0]
    'better'
    """
    others = np.atleast_2d(b)
    finite = np.isfinite(a) & np.isfinite(others).all(axis=0)
    a, others = a[finite], others[:, finite]
    if block is None:
        block = interval_block(a - others.mean(axis=0))
    weights, pieces = resamples(len(a), block, None if run is None else run[finite], draws=draws, seed=seed)
    ours, theirs = replicates(a[None], weights)[:, 0], replicates(others, weights).mean(axis=1)
    return judged(ours, theirs, pieces=pieces)


def judged(a: Float[ndarray, " r"], b: Float[ndarray, " r"], *, pieces: float) -> tuple[str, Interval]:
    """Verdict and interval from replicated RMSE of both sides; the first replicate is the data themselves.

    With few independent pieces (blocks or runs, at least 2), percentiles are too narrow: the bounds are moved out by
    the ratio of Student's to the normal quantile, and by what a mean over so few hides of the variance.
    """
    relative = 100.0 * (a / b - 1.0)
    centre = relative[0]
    tails = [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]
    stretch = student.ppf(tails[1], pieces - 1) / norm.ppf(tails[1]) / math.sqrt(1 - 1 / pieces)
    low, high = centre + stretch * (np.quantile(relative[1:], tails) - centre)
    word = "better" if high < 0 else "worse" if low > 0 else "tie"
    return word, Interval(float(centre), max(float(low), -100.0), float(high))  # an error falls by all of it at most


def replicates(errors: Float[ndarray, "k m"], weights: Float[ndarray, "r m"]) -> Float[ndarray, "r k"]:
    """RMSE of each of `k` forecasters in each resample of their `m` window errors."""
    roots: ndarray = np.sqrt(weights @ errors.T)
    return roots


def resamples(
    m: int, block: float, run: Int[ndarray, " m"] | None = None, *, draws: int = _DRAWS, seed: int = 0
) -> tuple[Float[ndarray, "r m"], float]:
    """Weights of the windows in each resample, and of how many independent pieces they are made.

    Windows of several experiments are drawn by `run_weights`. Those of one, or of one record, by
    `resampling_weights`: what is then found holds for it and says nothing of another.
    """
    runs = 1 if run is None else len(np.unique(run))
    if run is not None and runs > 1:
        return run_weights(run, draws=draws, seed=seed), float(runs)
    return resampling_weights(m, block, draws=draws, seed=seed), max(m / max(block, 1.0), _FEWEST)


def run_weights(run: Int[ndarray, " m"], *, draws: int = _DRAWS, seed: int = 0) -> Float[ndarray, "r m"]:
    """How often each window is drawn if whole runs are, as shares; the first row is the data themselves.

    The windows of a run stay together, which keeps all their correlation; what differs between runs is seen as it is.
    Drawing blocks within the drawn runs as well would count the variance within runs twice.

    Examples
    --------
    >>> run_weights(np.array([0, 0, 1]), draws=2, seed=1).round(2).tolist()  # at last run 0 was drawn twice
    [[0.33, 0.33, 0.33], [0.33, 0.33, 0.33], [0.5, 0.5, 0.0]]
    """
    names, number = np.unique(run, return_inverse=True)
    times = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    counts = np.concatenate([np.ones((1, len(run))), times[:, number]])
    weights: ndarray = counts / counts.sum(axis=1, keepdims=True)
    return weights


def resampling_weights(m: int, block: float, *, draws: int = _DRAWS, seed: int = 0) -> Float[ndarray, "r m"]:
    """How often each window is drawn, as shares; the first row is the data themselves.

    Blocks of geometrically distributed length, wrapped at the end (Politis & Romano 1994, J. Am. Stat. Assoc. 89).
    """
    rng = np.random.default_rng(seed)
    fresh = rng.random((draws, m)) < 1.0 / max(block, 1.0)
    fresh[:, 0] = True
    begin = np.where(fresh, rng.integers(0, m, (draws, m)), 0)
    position = np.broadcast_to(np.arange(m), (draws, m))
    last = np.maximum.accumulate(np.where(fresh, position, 0), axis=1)
    index = (np.take_along_axis(begin, last, axis=1) + position - last) % m
    counts = np.bincount((index + m * np.arange(draws)[:, None]).ravel(), minlength=draws * m).reshape(draws, m)
    return np.concatenate([np.ones((1, m)), counts]) / m


def interval_block(series: Float[ndarray, " m"]) -> float:
    """Mean block length for an interval: longer than the one of least error in the variance."""
    return max(1.0, _CAUTION * block_length(series))


def block_length(series: Float[ndarray, " m"]) -> float:
    """Mean block length that suits the autocorrelation of a series, in steps of the series.

    Politis & White 2004 (Econometric Reviews 23) with the correction of Patton, Politis & White 2009: the lag after
    which the correlation is negligible sets a flat-top window, whose estimates of the spectrum at zero and its
    curvature give the length of least error.

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(400)
    >>> slow = np.convolve(noise, np.ones(12), "valid")
    >>> block_length(noise) < 5 < block_length(slow)
    True
    """
    m = len(series)
    centred = series - series.mean()
    if m < 8 or not np.square(centred).sum() > 0:
        return 1.0
    longest = min(m - 1, math.ceil(math.sqrt(m)) + max(5, math.ceil(math.sqrt(math.log10(m)))))
    covariance = np.array([centred[: m - lag] @ centred[lag:] / m for lag in range(longest + 1)])
    lag = _negligible_after(covariance[1:] / covariance[0], m)
    reach = min(2 * max(lag, 1), longest)
    lags = np.arange(1, reach + 1)
    window = np.clip(2.0 * (1.0 - lags / reach), 0.0, 1.0)
    curvature = 2.0 * (window * lags * covariance[1 : reach + 1]).sum()
    at_zero = covariance[0] + 2.0 * (window * covariance[1 : reach + 1]).sum()
    limit = math.ceil(min(3.0 * math.sqrt(m), m / 3.0))
    if at_zero <= 0:
        return float(limit)
    length = (curvature**2 / at_zero**2) ** (1 / 3) * m ** (1 / 3)  # 2 G^2 / D with D = 2 g(0)^2
    return float(np.clip(length, 1.0, limit))


def _negligible_after(correlation: Float[ndarray, " lags"], m: int) -> int:
    """Last lag before `run` neighbouring correlations in a row that are within the noise of `m` values."""
    run = max(5, math.ceil(math.sqrt(math.log10(m))))
    quiet = np.abs(correlation) < 2.0 * math.sqrt(math.log10(m) / m)
    for lag in range(len(quiet) - run + 1):
        if quiet[lag : lag + run].all():
            return lag
    return int(np.flatnonzero(~quiet)[-1]) + 1 if not quiet.all() else 0
