"""What a value that nobody measured probably was: a factor model of the training block, fitted around its gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Field
from dynst.domain.modes import leading_modes
from dynst.domain.split import thin
from dynst.windows.scaling import Scaling

__all__ = ["GapModel"]

_RANK = 20  # factors at most; those that the data do not ask for fade by themselves (3 to 40 tried: no loss beyond 10)
_STEPS = 1000  # training steps that the model is fitted on, at most,
_VALUES = 25_000_000  # and values at most
_PROBES = 3000  # columns (a channel at a site) that tell the factors, at most: time and memory stay bounded
_ROUNDS = 25
_FAITH = 10.0  # the noise of a column counts as seen so many times before its first value: the mean of all columns
_COLUMNS = 5_000  # columns whose loadings are solved at a time


@dataclass(frozen=True, eq=False)
class GapModel:
    """Standardised values as a few common factors and noise of each column: ``x = loading @ z + e``, ``z ~ N(0, I)``.

    Fitted by expectation maximisation on what was measured alone: a gap is neither 0 nor a value. Loadings have a
    normal prior as wide as those of their factor over all columns, so a site that reported ten times is drawn to its
    mean, and one that never did stays there.

    Parameters
    ----------
    loading : Float[ndarray, "n c r"]
        What one unit of each factor adds to each channel of each site.
    noise : Float[ndarray, "n c"]
        Variance of the rest.
    probes : Int[ndarray, "q"]
        Columns (``site * c + channel``) that tell the factors, increasing.

    Source
    ------
    Rubin & Thayer 1982, EM algorithms for ML factor analysis; Ilin & Raiko 2010, Practical approaches to principal
    component analysis in the presence of missing values (why the loadings need a prior).

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> wave = np.sin(np.arange(300))[:, None, None] * np.array([[1.0], [2.0], [-1.0]])
    >>> wave[::2, 1] = np.nan
    >>> field = Field.of(wave, Sites(np.arange(3.0), np.zeros(3)), GridLayout((1, 3), np.arange(3)))
    >>> model = GapModel.fit(field, Scaling.fit(field))
    >>> model.expected(np.array([[[0.5], [np.nan], [-0.5]]])).round(1).ravel().tolist()
    [0.5, 1.0, -0.5]
    """

    loading: Float[ndarray, "n c r"]
    noise: Float[ndarray, "n c"]
    probes: Int[ndarray, " q"]

    @classmethod
    def fit(cls, field: Field, scaling: Scaling, *, rank: int = _RANK, seed: int = 0) -> GapModel:
        """The model of a training block, from at most 1000 of its steps; large fields are thinned further."""
        n, c = field.series.shape[1:]
        alive = np.flatnonzero(scaling.site_std.ravel() > 0)
        probes = np.sort(np.random.default_rng(seed).permutation(alive)[:_PROBES])
        steps = thin(np.arange(field.steps), max(50, min(_STEPS, _VALUES // (n * c))), seed=seed)
        flat = scaling.anomalies_at(field, steps).reshape(len(steps), n * c)
        told, known = _known(flat[:, probes])
        modes = leading_modes(told, rank)
        w, noise = modes.patterns * modes.amplitude, np.full(len(probes), _mean_square(told, known))
        for _ in range(_ROUNDS):
            w, noise = _columns(told, known, _factors(told, known, w, noise), _width(w, known), noise)
        factors, width = _factors(told, known, w, noise), _width(w, known)
        loading, rest = np.zeros((n * c, w.shape[1])), np.full(n * c, noise.mean())
        loading[probes], rest[probes] = w, noise
        others = np.setdiff1d(np.arange(n * c), probes)
        for start in range(0, len(others), _COLUMNS):
            some = others[start : start + _COLUMNS]
            loading[some], rest[some] = _columns(*_known(flat[:, some]), factors, width, rest[some])
        return cls(loading.reshape(n, c, -1), rest.reshape(n, c), probes)

    def expected(self, anomalies: Float[ndarray, "s n c"]) -> Float[ndarray, "s n c"]:
        """The mean of every value given those known at the same step; NaN counts as not known."""
        s, n, c = anomalies.shape
        flat, w = anomalies.reshape(s, n * c), self.loading.reshape(n * c, -1)
        z, _ = _factors(*_known(flat[:, self.probes]), w[self.probes], self.noise.ravel()[self.probes])
        return (z.astype(np.float32) @ w.T.astype(np.float32)).reshape(s, n, c)

    def completed(
        self,
        inputs: Float[ndarray, "m k f"],
        known: Bool[ndarray, "m k f"],
        sites: Int[ndarray, " k"],
        channels: Int[ndarray, " c_in"],
    ) -> Float[ndarray, "m k f"]:
        """Histories of some sites, each gap filled from what the others of them report at the same step, no more.

        Parameters
        ----------
        inputs, known : ndarray, "m k f"
            Histories as in `Design`, and which of their values are measured.
        sites, channels : Int[ndarray, "k"], Int[ndarray, "c_in"]
            What they are of.
        """
        m, k, f = inputs.shape
        c = len(channels)
        steps = [a.reshape(m, k, f // c, c).transpose(0, 2, 1, 3).reshape(-1, k * c) for a in (inputs, known)]
        w, noise = self.loading[sites][:, channels].reshape(k * c, -1), self.noise[sites][:, channels].reshape(-1)
        few = np.unique(np.linspace(0, k * c - 1, min(k * c, _PROBES)).astype(np.int64))
        filled, rows = (
            steps[0].copy(),
            np.flatnonzero(~steps[1].all(axis=1)),
        )  # the others miss nothing
        value, seen = steps[0][rows], steps[1][rows]
        z = _means(value[:, few].astype(np.float32), seen[:, few], w[few], noise[few])
        filled[rows] = np.where(seen, value, z.astype(np.float32) @ w.T.astype(np.float32))
        return np.ascontiguousarray(filled.reshape(m, f // c, k, c).transpose(0, 2, 1, 3)).reshape(m, k, f)


def _known(values: Float[ndarray, "s q"]) -> tuple[Float[ndarray, "s q"], Float[ndarray, "s q"]]:
    """The values with 0 where nothing is known, and 1 where something is, else 0."""
    known = np.isfinite(values)
    return np.where(known, values, 0.0).astype(np.float32), known.astype(np.float32)


def _mean_square(values: Float[ndarray, "s q"], known: Float[ndarray, "s q"]) -> float:
    return max(float(np.square(values, dtype=float).sum()) / max(float(known.sum()), 1.0), 1e-12)


def _width(w: Float[ndarray, "q r"], known: Float[ndarray, "s q"]) -> Float[ndarray, " r"]:
    """Variance of the loadings of each factor, over the columns that have a value."""
    width: ndarray = np.maximum((w**2).sum(axis=0) / max(int(known.any(axis=0).sum()), 1), 1e-9)
    return width


def _factors(
    values: Float[ndarray, "s q"], known: Float[ndarray, "s q"], w: Float[ndarray, "q r"], noise: Float[ndarray, " q"]
) -> tuple[Float[ndarray, "s r"], Float[ndarray, "s r r"]]:
    """Mean and covariance of the factors at each step, given what is known."""
    scaled = w / noise[:, None]
    covariance = _covariance(known, w, noise)
    return np.einsum("srt,st->sr", covariance, (values @ scaled.astype(np.float32)).astype(float)), covariance


def _covariance(
    known: Float[ndarray, "s q"], w: Float[ndarray, "q r"], noise: Float[ndarray, " q"]
) -> Float[ndarray, "s r r"]:
    """Covariance of the factors at each step: it depends on which columns are known, and not on what they show."""
    q, r = w.shape
    products = ((w / noise[:, None])[:, :, None] * w[:, None, :]).reshape(q, r * r).astype(np.float32)
    made: ndarray = np.linalg.inv((known @ products).astype(float).reshape(len(known), r, r) + np.eye(r))
    return made


def _means(
    values: Float[ndarray, "s q"], known: Bool[ndarray, "s q"], w: Float[ndarray, "q r"], noise: Float[ndarray, " q"]
) -> Float[ndarray, "s r"]:
    """Mean of the factors at each step as `_factors` has it, with one inverse for all steps that know the same."""
    s, r = len(values), w.shape[1]
    packed = np.packbits(known, axis=1)
    words = np.zeros((s, -(-packed.shape[1] // 8) * 8), np.uint8)
    words[:, : packed.shape[1]] = packed
    keys = words.view(np.uint64) if words.shape[1] == 8 else words.view(f"V{words.shape[1]}")
    _, first, which = np.unique(keys.ravel(), return_index=True, return_inverse=True)
    covariance = _covariance(known[first].astype(np.float32), w, noise)
    moved = (values @ (w / noise[:, None]).astype(np.float32)).astype(float)
    alike = np.split(np.argsort(which, kind="stable"), np.cumsum(np.bincount(which))[:-1])
    means = np.empty((s, r))
    for inverse, rows in zip(covariance, alike, strict=False):  # of no steps, `split` makes one part
        means[rows] = moved[rows] @ inverse
    return means


def _columns(
    values: Float[ndarray, "s q"],
    known: Float[ndarray, "s q"],
    factors: tuple[Float[ndarray, "s r"], Float[ndarray, "s r r"]],
    width: Float[ndarray, " r"],
    noise: Float[ndarray, " q"],
) -> tuple[Float[ndarray, "q r"], Float[ndarray, " q"]]:
    """Loadings and noise of each column, given the mean and covariance of the factors."""
    z, covariance = factors
    s, r = z.shape
    second = (z[:, :, None] * z[:, None, :] + covariance).reshape(s, r * r)
    g = (known.T @ second.astype(np.float32)).astype(float).reshape(values.shape[1], r, r)
    h = (values.T @ z.astype(np.float32)).astype(float)
    w = np.linalg.solve(g + (noise[:, None] / width)[:, :, None] * np.eye(r), h[:, :, None])[:, :, 0]
    left = np.square(values, dtype=float).sum(axis=0) - 2 * (w * h).sum(axis=1)
    left = np.maximum(left + np.einsum("qr,qrt,qt->q", w, g, w), 0.0)
    count = known.sum(axis=0, dtype=float)
    mean = left.sum() / max(float(count.sum()), 1.0)
    return w, np.maximum((left + _FAITH * mean) / (count + _FAITH), 1e-6)
