"""Leading modes of a set of snapshots: randomized singular value decomposition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

__all__ = ["Modes", "leading_modes"]

_EXTRA = 10  # columns beyond the rank: Halko, Martinsson & Tropp advise 5 to 10
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


def leading_modes(snapshots: Float[ndarray, "s q"], rank: int, *, seed: int = 0) -> Modes:
    """The `rank` leading modes of snapshots about zero (fewer where the data have fewer).

    Cost and memory are linear in the size of the snapshots: they are read a few times, never copied, and no
    ``q x q`` matrix is formed. Snapshots should be thinned from the record, not all of it.

    Source
    ------
    Halko, Martinsson & Tropp 2011, Finding structure with randomness, algorithm 4.4.

    Examples
    --------
    >>> wave = np.outer(np.sin(np.arange(40.0)), [3.0, 4.0, 0.0])
    >>> leading_modes(wave, 2).patterns.round(3).tolist()
    [[0.6], [0.8], [0.0]]
    """
    s, q = snapshots.shape
    width = min(rank + _EXTRA, s, q)
    rng = np.random.default_rng(seed)
    # the sketch is kept in the dtype of the data: float32 halves the reading, and its rounding is far below the noise
    sketch = snapshots.T @ rng.standard_normal((s, width)).astype(snapshots.dtype)
    for _ in range(_POWER):
        sketch, _ = np.linalg.qr(sketch)
        sketch, _ = np.linalg.qr(snapshots @ sketch)
        sketch = snapshots.T @ sketch
    basis, _ = np.linalg.qr(sketch.astype(float))
    small = (snapshots @ basis.astype(snapshots.dtype)).astype(float)
    _, value, rotation = np.linalg.svd(small, full_matrices=False)
    keep = min(rank, int((value > value[0] * 1e-6).sum())) if len(value) and value[0] > 0 else 0
    patterns = basis @ rotation[:keep].T
    largest = np.abs(patterns).argmax(axis=0)
    patterns = patterns * np.where(patterns[largest, np.arange(keep)] < 0, -1.0, 1.0)
    return Modes(patterns, value[:keep] / np.sqrt(s))
