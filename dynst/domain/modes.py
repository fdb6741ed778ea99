"""Leading modes of a set of snapshots: exact where one side of the matrix is short, else by a randomized sketch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float
from numpy import ndarray

__all__ = ["Modes", "inner_products", "leading_modes"]

_SHORT = 2000  # snapshots or values: a Gram matrix of this side takes 32 MB and its decomposition a few seconds
_BLOCK = 4 << 20  # values that are held in double precision at a time: 32 MB
_ROUNDING = 1e-6  # amplitude relative to the first mode below which a mode is rounding: a Gram matrix squares 1e-16
_EXTRA = 10  # columns of a sketch beyond the rank: Halko, Martinsson & Tropp advise 5 to 10
_POWER = 2  # power steps: leading 50 singular values then agree with the exact ones to about 1e-5


@dataclass(frozen=True, eq=False)
class Modes:
    """Orthonormal patterns and the root mean square of the data along each.

    Parameters
    ----------
    patterns : Float[ndarray, "q r"]
        One column per mode, strongest first; the entry of largest size is positive.
    amplitude : Float[ndarray, "r"]
        Root mean square of the snapshots along each pattern, decreasing, in the unit of the snapshots.
    """

    patterns: Float[ndarray, "q r"]
    amplitude: Float[ndarray, " r"]

    @property
    def rank(self) -> int:
        """Number of modes."""
        return len(self.amplitude)


def leading_modes(
    snapshots: Float[ndarray, "s q"],
    rank: int,
    *,
    weight: Float[ndarray, " q"] | None = None,
    products: Float[ndarray, "m m"] | None = None,
) -> Modes:
    """The `rank` leading modes of snapshots about zero (fewer where the data have fewer).

    Up to 2000 snapshots, or 2000 values in each, the modes are the exact ones, from the eigenvectors of the Gram
    matrix of the shorter side in double precision: amplitudes down to 1e-6 of the first are told from rounding. Beyond,
    they come from a randomized sketch with two power steps, of which the first fifty are good to about 1e-5.

    Memory beyond the snapshots is that of the result: they are read in blocks and never copied, and no matrix of all
    pairs of the longer side is formed. Snapshots should be thinned from the record, not all of it.

    Parameters
    ----------
    snapshots : Float[ndarray, "s q"]
        One row per step.
    rank : int
        Number of modes, at most.
    weight : Float[ndarray, "q"] or None
        What each value is multiplied by first; 1 if left out.
    products : Float[ndarray, "m m"] or None
        What `inner_products` gives for the same snapshots and weight, for whoever asks for several ranks.

    Source
    ------
    Sirovich 1987, Turbulence and the dynamics of coherent structures, part I (the method of snapshots).
    Halko, Martinsson & Tropp 2011, Finding structure with randomness, algorithm 4.4 (the sketch).

    Examples
    --------
    >>> wave = np.outer(np.sin(np.arange(40.0)), [3.0, 4.0, 0.0])
    >>> leading_modes(wave, 2).patterns.round(3).tolist()
    [[0.6], [0.8], [0.0]]
    """
    s, q = snapshots.shape
    gram = inner_products(snapshots, weight=weight) if products is None else products
    if gram is None:
        patterns, value = _sketched(_scaled(snapshots, weight, slice(None)).astype(snapshots.dtype), rank)
    else:
        value, patterns = _leading(gram, rank)
        patterns = _patterns(snapshots, weight, patterns / np.where(value > 0, value, 1.0)) if s <= q else patterns
    keep = int((value > _ROUNDING * value[:1]).sum())
    patterns = patterns[:, :keep]
    largest = np.abs(patterns).argmax(axis=0) if patterns.size else np.zeros(0, np.int64)
    patterns *= np.where(patterns[largest, np.arange(keep)] < 0, -1.0, 1.0)
    return Modes(patterns, value[:keep] / np.sqrt(s))


def inner_products(
    snapshots: Float[ndarray, "s q"], *, weight: Float[ndarray, " q"] | None = None
) -> Float[ndarray, "m m"] | None:
    """Products of all pairs of steps, or of all pairs of values if these are fewer; None if both are over 2000.

    Snapshots are multiplied by `weight` first, as in `leading_modes`.
    """
    s, q = snapshots.shape
    if min(s, q) > _SHORT:
        return None
    total = np.zeros((min(s, q), min(s, q)))
    if s <= q:
        for columns in _blocks(q, s):
            block = _scaled(snapshots, weight, columns)
            total += block @ block.T
        return total
    for rows in _blocks(s, q):
        block = _scaled(snapshots[rows], weight, slice(None))
        total += block.T @ block
    return total


def _patterns(
    snapshots: Float[ndarray, "s q"], weight: ndarray | None, combination: Float[ndarray, "s r"]
) -> Float[ndarray, "q r"]:
    """Combinations of the weighted snapshots."""
    s, q = snapshots.shape
    patterns = np.empty((q, combination.shape[1]))
    for columns in _blocks(q, s):
        np.matmul(_scaled(snapshots, weight, columns).T, combination, out=patterns[columns])
    return patterns


def _scaled(snapshots: Float[ndarray, "s q"], weight: ndarray | None, columns: slice) -> Float[ndarray, "s b"]:
    """Some columns of the weighted snapshots, in double precision."""
    some = snapshots[:, columns].astype(float)
    return some if weight is None else np.multiply(some, weight[columns], out=some)


def _blocks(length: int, other: int) -> Iterator[slice]:
    """Pieces of one side of a matrix, each a block of some 4 million values with the whole of the other side."""
    width = max(1, _BLOCK // max(1, other))
    return (slice(start, start + width) for start in range(0, length, width))


def _leading(gram: Float[ndarray, "m m"], rank: int) -> tuple[Float[ndarray, " r"], Float[ndarray, "m r"]]:
    """Roots of the largest eigenvalues, decreasing, and their eigenvectors."""
    m = len(gram)
    if rank < 1 or not gram.any():
        return np.zeros(0), np.zeros((m, 0))
    value, vectors = scipy.linalg.eigh(gram, subset_by_index=(max(0, m - rank), m - 1))
    return np.sqrt(np.maximum(value[::-1], 0.0)), np.ascontiguousarray(vectors[:, ::-1])


def _sketched(snapshots: Float[ndarray, "s q"], rank: int) -> tuple[ndarray, ndarray]:
    """Patterns and singular values from a random sketch, of one fixed seed, with power steps."""
    s, q = snapshots.shape
    width = min(rank + _EXTRA, s, q)
    rng = np.random.default_rng(0)
    # the sketch is kept in the dtype of the data: float32 halves the reading, and its rounding is far below the noise
    sketch = snapshots.T @ rng.standard_normal((s, width)).astype(snapshots.dtype)
    for _ in range(_POWER):
        sketch, _ = np.linalg.qr(sketch)
        sketch, _ = np.linalg.qr(snapshots @ sketch)
        sketch = snapshots.T @ sketch
    basis, _ = np.linalg.qr(sketch.astype(float))
    small = (snapshots @ basis.astype(snapshots.dtype)).astype(float)
    _, value, rotation = np.linalg.svd(small, full_matrices=False)
    return basis @ rotation[:rank].T, value[:rank]
