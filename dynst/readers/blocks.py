"""The values of a series, a few megabytes at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import ArraySeries, Series

__all__ = ["blocks_of"]

_BLOCK = 4 << 20  # bytes: stays in the cache of a processor


def blocks_of(series: Series) -> Iterator[tuple[int, Float[ndarray, "t n c"]]]:
    """First step and values of each block, only to be looked at: they are not copied, or overwritten by the next.

    Examples
    --------
    >>> [(start, block.shape) for start, block in blocks_of(ArraySeries(np.zeros((5, 2, 1))))]
    [(0, (5, 2, 1))]
    """
    steps, n, c = series.shape
    size = max(1, _BLOCK // max(1, 4 * n * c))
    if isinstance(series, ArraySeries):
        yield from ((start, series.values[start : start + size]) for start in range(0, steps, size))
        return
    buffer = np.empty((min(size, steps), n, c), np.float32)
    for start in range(0, steps, size):
        out = buffer[: min(size, steps - start)]
        series.read_into(start, out)
        yield start, out
