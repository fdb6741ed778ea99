"""Stationary block bootstrap of paired window errors: how far a difference may be off, as blocks or whole runs tell.

What is resampled is a mean: the log of a ratio of two RMSE is, to first order, the mean over windows of the difference
of their `influence`. For a mean the variance over all possible resamples has a closed form (Politis & Romano 1994,
J. Am. Stat. Assoc. 89), so nothing is drawn, and the same errors always give the same interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import stdtr, stdtrit

__all__ = [
    "LEVEL",
    "Interval",
    "block_length",
    "bounds",
    "influence",
    "layout_doubt",
    "resampled_variance",
    "seed_doubt",
    "together",
    "verdict",
    "window_doubt",
]

LEVEL = 0.95
"""Of intervals and verdicts."""

_CAUTION = 2.0  # chosen: the length of least error in the variance is too short where errors have a long, weak memory
_MEMORY = 0.97  # chosen: largest lag-1 correlation that is believed; beyond it no record here is long enough
_FEWEST = 3  # windows; fewer tell nothing of their spread
_RESOLUTION = 5e-5  # relative: judges compute in float32, and two plans 0.01 % apart are not two plans
_AT_ONCE = 2_000_000  # values of a block of rows, so that long records need no more memory

Doubt = tuple[Float[ndarray, " r"], Float[ndarray, " r"]]
"""Variance of each of `r` estimates, and the degrees of freedom with which it is known."""


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
    block: float | None = None,
    run: Int[ndarray, " m"] | None = None,
    drawn: bool = False,
) -> tuple[str, Interval]:
    """Whether `a` forecasts better than `b` on the same windows, as far as these windows can tell.

    The figure is ``RMSE_a / RMSE_b - 1``; of several `b` (random plans, seeds) the mean of their RMSE is taken.

    Parameters
    ----------
    a, b : Float[ndarray, "m"]
        Mean squared error of each test window, in order of time; NaN for a window that does not count.
    block : float or None
        Mean block length in windows; chosen from the differences if left out.
    run : Int[ndarray, "m"] or None
        Experiment of each window, where there are several: they are then resampled whole, and `block` counts for
        nothing. None for windows of one record.
    drawn : bool
        Whether `b` are draws of which any other could have come: then the interval also covers the luck of `a` being
        one more such draw. Otherwise it covers the choice of test windows alone.

    Returns
    -------
    tuple of str and Interval
        ``better``, ``tie`` or ``worse``, and the difference in % (below zero is better).

    Examples
    --------
    >>> errors = np.random.default_rng(0).uniform(1, 2, 100)
    >>> verdict(errors, errors)[0]
    'tie'
    >>> verdict(errors, 1.21 * errors)[0]
    'better'
    """
    others = np.atleast_2d(b)
    finite = np.isfinite(a) & np.isfinite(others).all(axis=0)
    ours, theirs = influence(a[None, finite]), influence(others[:, finite])
    doubt = window_doubt((ours[1] - theirs[1])[None], block=block, run=None if run is None else run[finite])
    if drawn:
        doubt = together(doubt, layout_doubt(others[:, finite]))
    _, low, high = bounds(np.array([ours[0] - theirs[0]]), doubt)
    estimate = 100.0 * math.expm1(ours[0] - theirs[0])
    word = "tie" if low[0] <= 0 <= high[0] else "better" if estimate < 0 else "worse"
    return word, Interval(estimate, float(low[0]), float(high[0]))


def influence(errors: Float[ndarray, "s m"]) -> tuple[float, Float[ndarray, " m"]]:
    """Log of the mean RMSE of `s` forecasters, and how much each window moves it; the mean of the latter is 0.

    Examples
    --------
    >>> level, moved = influence(np.array([[1.0, 1.0, 4.0, 10.0]]))  # mean 4, RMSE 2
    >>> float(np.exp(level)), moved.tolist()  # d log(RMSE) = (e - 4) / (2 * 4)
    (2.0, [-0.375, -0.375, 0.0, 0.75])
    """
    mean = errors.mean(axis=1, keepdims=True)
    roots = np.sqrt(mean)
    safe = np.where(roots > 0, roots, 1.0)
    level = math.log(max(float(roots.mean()), np.finfo(float).tiny))
    return level, ((errors - mean) / (2.0 * safe)).mean(axis=0) / float(safe.mean())


def bounds(
    difference: Float[ndarray, " r"], doubt: Doubt
) -> tuple[Float[ndarray, " r"], Float[ndarray, " r"], Float[ndarray, " r"]]:
    """Probability of such a difference of logs between equals, and its 95 % interval in %.

    The probability is below 0.05 exactly where the interval does not hold zero.

    Examples
    --------
    >>> [values.round(3).tolist() for values in bounds(np.log([1.1]), (np.array([1e-4]), np.array([1e9])))]
    [[0.0], [7.865], [12.177]]
    """
    off = np.sqrt(doubt[0])
    p: ndarray = 2.0 * stdtr(doubt[1], -np.abs(difference) / off)
    half = stdtrit(doubt[1], (1 + LEVEL) / 2) * off
    with np.errstate(over="ignore"):
        return p, 100.0 * np.expm1(difference - half), 100.0 * np.expm1(difference + half)


def together(one: Doubt, other: tuple[float, float] | Doubt) -> Doubt:
    """Doubt of two independent sources: variances add, degrees of freedom as Welch and Satterthwaite have it.

    Examples
    --------
    >>> together((np.array([1.0]), np.array([4.0])), (1.0, 4.0))
    (array([2.]), array([8.]))
    """
    variance = one[0] + other[0]
    with np.errstate(invalid="ignore"):
        share = np.where(np.isfinite(variance), one[0] / variance, 1.0)
    return variance, 1.0 / (share**2 / one[1] + (1 - share) ** 2 / other[1])


def layout_doubt(errors: Float[ndarray, "draws m"]) -> tuple[float, float]:
    """How far one more draw may lie from the mean of these: ``s^2 (1 + 1/J)`` of their RMSE, relative to the mean.

    Examples
    --------
    >>> errors = np.array([[1.0, 1.0], [4.0, 4.0]])  # RMSE 1 and 2: mean 1.5, s^2 = 0.5
    >>> layout_doubt(errors)  # 0.5 * 1.5 / 1.5^2, known from two draws
    (0.3333333333333333, 1.0)
    """
    roots, j = np.sqrt(errors.mean(axis=1)), len(errors)
    if j < 2:
        return math.inf, 1.0
    return float(roots.var(ddof=1) * (1 + 1 / j) / max(roots.mean(), np.finfo(float).tiny) ** 2), j - 1.0


def seed_doubt(errors: Float[ndarray, "s m"]) -> tuple[float, float]:
    """How far the mean RMSE of these seeds may be off because other seeds could have come; nothing for a single one.

    Examples
    --------
    >>> errors = np.array([[1.0, 1.0], [4.0, 4.0]])  # RMSE 1 and 2: mean 1.5, s^2 = 0.5
    >>> seed_doubt(errors)  # 0.5 / 2 / 1.5^2, known from two seeds
    (0.1111111111111111, 1.0)
    """
    roots, j = np.sqrt(errors.mean(axis=1)), len(errors)
    if j < 2:
        return 0.0, 1.0
    return float(roots.var(ddof=1) / j / max(roots.mean(), np.finfo(float).tiny) ** 2), j - 1.0


def window_doubt(
    series: Float[ndarray, "r m"], *, block: float | None = None, run: Int[ndarray, " m"] | None = None
) -> Doubt:
    """How far the mean of each series may be off because other windows could have come.

    Windows of several runs stay together, which keeps all their correlation: what differs between runs is seen as it
    is. Those of one run, or of one record, are drawn in blocks; what is then found says nothing of another run.
    """
    m = series.shape[1]
    if m < _FEWEST:
        return np.full(len(series), np.inf), np.ones(len(series))
    if run is not None and len(np.unique(run)) > 1:
        variance, freedom = _between_runs(series, run)
    else:
        rows = max(1, _AT_ONCE // m)
        parts = [_calibrated(series[i : i + rows], block) for i in range(0, len(series), rows)]
        variance, freedom = (np.concatenate(values) for values in zip(*parts, strict=True))
    return variance + _RESOLUTION**2, freedom


def resampled_variance(series: Float[ndarray, "r m"], block: Float[ndarray, " r"]) -> Float[ndarray, " r"]:
    """Variance of the mean of each series over all its stationary bootstrap resamples, with blocks of this mean length.

    Examples
    --------
    >>> resampled_variance(np.array([[0.0, 2.0]]), np.array([1.0]))  # independent: variance 1, over 2
    array([0.5])
    """
    centred = series - series.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.fft(centred, axis=1)) ** 2 / series.shape[1]
    variance: ndarray = (_kernel(series.shape[1], block) * power).mean(axis=1) / series.shape[1]
    return variance


def _between_runs(series: Float[ndarray, "r m"], run: Int[ndarray, " m"]) -> Doubt:
    """Variance of the mean if whole runs are drawn, as one more run would show it."""
    _, number = np.unique(run, return_inverse=True)
    runs = int(number.max()) + 1
    member = np.eye(runs)[number]  # (m, runs)
    centred = series - series.mean(axis=1, keepdims=True)
    shares = centred @ member / series.shape[1]
    return runs / (runs - 1) * np.square(shares).sum(axis=1), np.full(len(series), runs - 1.0)


def _calibrated(series: Float[ndarray, "r m"], block: float | None) -> Doubt:
    """Bootstrap variance, put right for what blocks miss of an AR(1) with the memory of the series.

    Blocks cut correlation off, and the mean is taken from the same windows, so the bootstrap variance is too small on
    average: for an AR(1) by a factor known exactly from its spectrum, which also says with how many degrees of freedom
    the variance is known (Satterthwaite). Both together are what fixed-b asymptotics do for a kernel.
    """
    r, m = series.shape
    asked = _CAUTION * _block_lengths(series) if block is None else np.full(r, float(block))
    length = np.clip(asked, 1.0, m / 3)
    memory = _memory(series)[:, None]
    wave = np.exp(-2j * np.pi * np.arange(1, m) / m)
    seen = _kernel(m, length)[:, 1:] / np.abs(1.0 - memory * wave) ** 2  # frequency 0 left with the mean
    expected, freedom = seen.sum(axis=1) / m, np.square(seen.sum(axis=1)) / np.square(seen).sum(axis=1)
    truth = 1.0 / (1.0 - memory[:, 0]) ** 2
    return resampled_variance(series, length) * truth / expected, np.maximum(freedom, 1.0)


def _kernel(m: int, block: Float[ndarray, " r"]) -> Float[ndarray, "r m"]:
    """What the stationary bootstrap weighs each frequency with (transform of eq. 7 of Politis & Romano 1994)."""
    lag, stay = np.arange(m), (1.0 - 1.0 / np.maximum(block, 1.0))[:, None]
    weights = (1 - lag / m) * stay**lag + (lag / m) * stay ** (m - lag)
    weights[:, 0] = 1.0
    kernel: ndarray = np.fft.fft(weights, axis=1).real
    return kernel


def _memory(series: Float[ndarray, "r m"]) -> Float[ndarray, " r"]:
    """Lag-1 correlation as Burg estimates it, with its known bias of ``-(1 + 3 phi) / m`` taken off; 0 if negative."""
    centred = series - series.mean(axis=1, keepdims=True)
    before, after = centred[:, :-1], centred[:, 1:]
    power = np.square(before).sum(axis=1) + np.square(after).sum(axis=1)
    burg = 2.0 * (before * after).sum(axis=1) / np.where(power > 0, power, 1.0)
    memory: ndarray = np.clip(burg + (1 + 3 * burg) / series.shape[1], 0.0, _MEMORY)
    return memory


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
    return float(_block_lengths(series[None])[0])


def _block_lengths(series: Float[ndarray, "r m"]) -> Float[ndarray, " r"]:
    """`block_length` of each row."""
    r, m = series.shape
    if m < 8:
        return np.ones(r)
    centred = series - series.mean(axis=1, keepdims=True)
    row = max(5, math.ceil(math.sqrt(math.log10(m))))  # neighbouring correlations that must be quiet
    longest = min(m - 1, math.ceil(math.sqrt(m)) + row)
    spectrum = np.abs(np.fft.rfft(centred, 2 * m, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, : longest + 1] / m
    flat = covariance[:, 0] <= 1e-24 * np.square(series).mean(axis=1)  # constant, to rounding
    covariance[flat] = np.eye(longest + 1)[0]
    reach = np.minimum(2 * np.maximum(_negligible_after(covariance[:, 1:] / covariance[:, :1], m, row), 1), longest)
    lags = np.arange(1, longest + 1)
    window = np.clip(2.0 * (1.0 - lags / reach[:, None]), 0.0, 1.0)
    curvature = 2.0 * (window * lags * covariance[:, 1:]).sum(axis=1)
    at_zero = covariance[:, 0] + 2.0 * (window * covariance[:, 1:]).sum(axis=1)
    limit = math.ceil(min(3.0 * math.sqrt(m), m / 3.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.cbrt(np.square(curvature / at_zero) * m)  # 2 G^2 / D with D = 2 g(0)^2
    lengths: ndarray = np.clip(np.where(at_zero > 0, length, limit), 1.0, limit)
    return lengths


def _negligible_after(correlation: Float[ndarray, "r lags"], m: int, row: int) -> Int[ndarray, " r"]:
    """Last lag before `row` neighbouring correlations that are all within the noise of `m` values."""
    quiet = np.abs(correlation) < 2.0 * math.sqrt(math.log10(m) / m)
    counts = np.cumsum(np.pad(quiet, ((0, 0), (1, 0))), axis=1)
    calm = counts[:, row:] - counts[:, :-row] == row
    loud = quiet.shape[1] - np.argmax(~quiet[:, ::-1], axis=1)  # the last that is not quiet
    return np.where(calm.any(axis=1), calm.argmax(axis=1), np.where(quiet.all(axis=1), 0, loud))
