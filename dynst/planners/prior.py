"""Synthetic windows: what a field of the measured persistence and correlation length would do beyond a short record."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.planners.base import Task
from dynst.windows.time_modes import TimeModes

__all__ = ["Prior", "fit_prior", "synthetic_windows"]

_FEATURES = 512  # random Fourier features: covariances are right to about 1 / sqrt(512) = 4 %
_PROBES = 300  # sites between which the correlation length is measured
_BINS = 24
_TOGETHER = 10  # values that two sites must share before their correlation counts


@dataclass(frozen=True, eq=False)
class Prior:
    """A Gaussian field with covariance ``exp(-distance / length)``, first-order autoregressive in time.

    Parameters
    ----------
    length : float
        Straight-line distance between `Sites.points` at which the mean correlation falls to 1/e.
    memory : float
        Correlation of one step with the next.
    mixing : Float[ndarray, "c c"]
        Cholesky factor of the mean correlation between the channels of a site.
    deviation : Float[ndarray, "n c"]
        Standard deviation of each site and channel, in standardised units.
    """

    length: float
    memory: float
    mixing: Float[ndarray, "c c"]
    deviation: Float[ndarray, "n c"]


def fit_prior(task: Task, *, seed: int = 0) -> Prior:
    """Correlation length, persistence and channel correlation of the training data."""
    snapshots, known = task.train_snapshots, task.train_known
    deviation = task.scaling.site_std / task.scaling.std
    length = _correlation_length(task, np.random.default_rng(seed))
    normal = snapshots / np.maximum(deviation, 1e-6)
    if known is None:
        between = np.einsum("snc,snd->cd", normal, normal, dtype=float) / normal[..., 0].size
        power = np.outer(np.diag(between), np.diag(between))
    else:  # over the values that both channels of a pair report
        normal = np.where(known, normal, np.float32(0))
        between = np.einsum("snc,snd->cd", normal, normal, dtype=float)
        power = np.einsum("snc,snd->cd", normal**2, known, dtype=float)
        power = power * power.T
    correlation = np.clip(between / np.sqrt(np.maximum(power, 1e-24)), -1.0, 1.0)
    np.fill_diagonal(correlation, 1.0)
    c = len(correlation)
    mixing = np.linalg.cholesky(0.98 * correlation + 0.02 * np.eye(c))  # 0.02 keeps twin channels factorable
    return Prior(length, _memory(task), mixing, deviation.astype(float))


def _correlation_length(task: Task, rng: np.random.Generator) -> float:
    n = len(task.sites)
    probe = np.sort(rng.choice(n, min(n, _PROBES), replace=False))
    first, second = np.triu_indices(len(probe), 1)
    points = task.sites.points[probe]
    distance = np.linalg.norm(points[first] - points[second], axis=1)
    if not len(distance) or distance.max() <= 0:
        return 1.0
    correlation = _correlation(task, probe)
    common = np.isfinite(correlation[first, second])
    if not common.any():
        return 1.0
    first, second, distance = first[common], second[common], distance[common]
    edges = np.quantile(distance, np.linspace(0, 1, _BINS + 1))
    bin_of = np.clip(np.searchsorted(edges, distance, side="right") - 1, 0, _BINS - 1)
    count = np.maximum(np.bincount(bin_of, minlength=_BINS), 1)
    mean_distance = np.bincount(bin_of, distance, minlength=_BINS) / count
    mean_correlation = np.bincount(bin_of, correlation[first, second], minlength=_BINS) / count
    filled = np.bincount(bin_of, minlength=_BINS) > 0
    d = np.concatenate([[0.0], mean_distance[filled]])
    r = np.concatenate([[1.0], mean_correlation[filled]])
    below = np.flatnonzero(r < np.exp(-1))
    if not len(below):
        return float(d[-1])
    i = int(below[0])
    share = (r[i - 1] - np.exp(-1)) / max(r[i - 1] - r[i], 1e-12)
    return max(float(d[i - 1] + share * (d[i] - d[i - 1])), 1e-3 * float(d[-1]))


def _correlation(task: Task, probe: Int[ndarray, " p"]) -> Float[ndarray, "p p"]:
    """Mean over the channels of the correlation of sites; NaN for a pair that hardly ever reports together."""
    values = task.train_snapshots[:, probe].astype(float)
    if task.train_known is None:
        values = values - values.mean(axis=0)
        values /= np.maximum(np.sqrt((values**2).mean(axis=0)), 1e-9)
        full: ndarray = np.einsum("smc,skc->mk", values, values) / (values.shape[0] * values.shape[2])
        return full
    known = task.train_known[:, probe]
    values = np.where(known, values, 0.0)
    power = np.einsum("smc,skc->mk", values**2, known, optimize=True)
    product = np.einsum("smc,skc->mk", values, values, optimize=True)
    enough = np.einsum("smc,skc->mk", known, known, optimize=True, dtype=float) >= _TOGETHER
    scale = np.sqrt(power * power.T)
    correlation: ndarray = np.divide(product, scale, out=np.full(scale.shape, np.nan), where=enough & (scale > 0))
    return correlation


def _memory(task: Task) -> float:
    design, (observed, predicted) = task.design, (task.train.observed, task.train.predicted)
    common = np.intersect1d(observed, predicted)
    if not len(common):
        return 0.9
    now = design.inputs[:, :, -len(observed) :][:, :, np.searchsorted(observed, common)].astype(float)
    following = design.targets[:, 0][:, :, np.searchsorted(predicted, common)].astype(float)
    if design.observed is not None and design.inputs_observed is not None:
        both = design.inputs_observed[:, :, -len(observed) :][:, :, np.searchsorted(observed, common)]
        both = both & design.observed[:, 0][:, :, np.searchsorted(predicted, common)]
        now, following = now * both, following * both
    power = np.sqrt((now**2).sum(axis=0) * (following**2).sum(axis=0))
    correlation = (now * following).sum(axis=0)[power > 0] / power[power > 0]
    return float(np.clip(correlation.mean(), 0.3, 0.98)) if correlation.size else 0.9


def synthetic_windows(
    task: Task, prior: Prior, count: int, *, seed: int = 0
) -> tuple[Float[ndarray, "m n f"], Float[ndarray, "m q n c_out"]]:
    """Histories, and targets "now and the future", of `count` independent windows drawn from the prior.

    As in the design of the task, long ones are what they hold of its `time_modes`.

    The exponential covariance is drawn with random Fourier features (frequencies from its Cauchy spectrum),
    so any number of sites costs linear time and no covariance matrix is formed.

    Source
    ------
    Rahimi & Recht 2007, Random features for large-scale kernel machines.
    """
    rng = np.random.default_rng(seed)
    t, steps, c = task.window.history, task.window.length, prior.deviation.shape[1]
    points = task.sites.points
    n, d = points.shape
    tail = np.sqrt(np.maximum(rng.chisquare(1, _FEATURES), 1e-12))
    frequency = rng.standard_normal((d, _FEATURES)) / (tail * prior.length)
    phase = rng.uniform(0, 2 * np.pi, _FEATURES)
    state = rng.standard_normal((count, steps, c, _FEATURES))
    for step in range(1, steps):  # autoregression of the coefficients is autoregression of the field
        state[:, step] *= np.sqrt(1 - prior.memory**2)
        state[:, step] += prior.memory * state[:, step - 1]
    state = np.einsum("cd,msdk->msck", prior.mixing, state)
    past, ahead = slice(0, t), slice(t - 1, steps)
    if task.time_modes is not None:  # patterns are sums over time, as the field is one over features: any order
        state, past, ahead = _in_patterns(state, task.time_modes)
    width = state.shape[1]
    coefficients = state.reshape(-1, _FEATURES).T.astype(np.float32) * np.float32(np.sqrt(2 / _FEATURES))
    history = np.empty((count, n, past.stop - past.start, len(task.train.observed)), np.float32)
    future = np.empty((count, ahead.stop - ahead.start, n, len(task.train.predicted)), np.float32)
    for start in range(0, n, 2048):
        block = slice(start, start + 2048)
        wave = np.cos(points[block] @ frequency + phase).astype(np.float32)
        values = (wave @ coefficients).reshape(-1, count, width, c) * prior.deviation[block, None, None, :]
        history[:, block] = values[:, :, past][..., task.train.observed].transpose(1, 0, 2, 3)
        future[:, :, block] = values[:, :, ahead][..., task.train.predicted].transpose(1, 2, 0, 3)
    return history.reshape(count, n, -1), future


def _in_patterns(
    state: Float[ndarray, "m steps c k"], modes: TimeModes
) -> tuple[Float[ndarray, "m q c k"], slice, slice]:
    """Windows in patterns of time: those of the history, of which the last is the present, then those of the future."""
    t, q = modes.history.shape
    parts = (state[:, :t], modes.history), (state[:, t:], modes.future)
    made = np.concatenate([np.einsum("mtck,tq->mqck", part, by, optimize=True) for part, by in parts], axis=1)
    return made, slice(0, q), slice(q - 1, made.shape[1])
