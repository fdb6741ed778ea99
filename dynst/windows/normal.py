"""Least squares of many series on a few shared regressors, summed block by block around gaps, float64."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

__all__ = ["NormalSums", "reference_of"]

_PRIOR = (
    3.0  # each coefficient but the mean counts as seen so often before, at its usual value (1 to 10 tried: no matter)
)
_CHUNK = 4096  # series that are solved at a time


@dataclass(frozen=True, eq=False)
class NormalSums:
    """What a fit of `q` series on `g` regressors, the first of which is 1, is made of.

    Parameters
    ----------
    products : Float[ndarray, "q g g"]
        Of the regressors with each other, where the series has values; of length 1 where all series share one.
    cross : Float[ndarray, "q g"]
        Of the regressors with the values.
    squares, count : Float[ndarray, "q"]
        Sum of the squared values, and their number.

    Examples
    --------
    >>> line = np.stack([np.ones(50), np.linspace(-1, 1, 50)], axis=1)
    >>> sums = NormalSums.of(line, 3 + 2 * line[:, 1:])
    >>> sums.solve().round(1).tolist(), round(float(sums.departures(sums.solve())[0]), 1)
    ([[3.0, 2.0]], 0.0)
    """

    products: Float[ndarray, "p g g"]
    cross: Float[ndarray, "q g"]
    squares: Float[ndarray, " q"]
    count: Float[ndarray, " q"]

    @classmethod
    def of(cls, basis: Float[ndarray, "time g"], values: Float[ndarray, "time q"]) -> NormalSums:
        """The sums of one block of steps; NaN is a gap."""
        known = np.isfinite(values)
        values = np.where(known, values, 0.0).astype(np.float64, copy=False)
        whole = np.asarray((basis.T @ basis)[None])
        products = whole if known.all() else _around_gaps(basis, whole, known)
        count = known.sum(axis=0, dtype=np.float64)
        return cls(products, values.T @ basis, np.einsum("tq,tq->q", values, values), count)

    def __add__(self, other: NormalSums) -> NormalSums:
        return NormalSums(
            self.products + other.products,
            self.cross + other.cross,
            self.squares + other.squares,
            self.count + other.count,
        )

    def on(self, regressors: Int[ndarray, " f"]) -> NormalSums:
        """The sums for some of the regressors."""
        products = self.products[:, regressors[:, None], regressors]
        return NormalSums(products, self.cross[:, regressors], self.squares, self.count)

    def solve(self, channels: int = 1) -> Float[ndarray, "q g"]:
        """Coefficients of each series; those behind the mean are drawn a little to the usual ones.

        Usual is the mean over all series of a channel, by their number of values. So a site of a few values has its
        own mean and, until it has shown another, the season of the others. A series without any value has zeros.

        Parameters
        ----------
        channels : int
            Series come site by site, so many to a site.
        """
        first = self._solved(np.zeros_like(self.cross)).reshape(-1, channels, self.cross.shape[1])
        weight = self.count.reshape(-1, channels, 1)
        pooled = (first * weight).sum(axis=0) / np.maximum(weight.sum(axis=0), 1)
        usual = np.tile(pooled, (len(first), 1))
        return np.where(self.count[:, None] > 0, self._solved(usual), 0.0)

    def _solved(self, usual: Float[ndarray, "q g"]) -> Float[ndarray, "q g"]:
        """Least squares with a prior around the `usual` coefficients; the mean has none where there are values."""
        size = self.cross.shape[1]
        prior = np.full(size, _PRIOR)
        prior[0] = 0.0
        right = self.cross + prior * usual
        if len(self.products) == 1:
            return np.asarray(np.linalg.solve(self.products[0] + np.diag(prior), right.T).T)
        solved = np.empty(right.shape)
        for start in range(0, len(solved), _CHUNK):
            some = slice(start, start + _CHUNK)
            system = self._own(some) + np.diag(prior)
            system[:, 0, 0] += self.count[some] == 0
            solved[some] = np.linalg.solve(system, right[some, :, None])[:, :, 0]
        return solved

    def departures(self, solved: Float[ndarray, "q g"]) -> Float[ndarray, " q"]:
        """Sum of the squares of what the coefficients leave over."""
        explained = np.empty(len(solved))
        for start in range(0, len(solved), _CHUNK):
            some = slice(start, start + _CHUNK)
            through = np.matmul(self._own(some), solved[some, :, None])[:, :, 0]
            explained[some] = ((2 * self.cross[some] - through) * solved[some]).sum(axis=1)
        return np.maximum(self.squares - explained, 0.0)

    def _own(self, some: slice) -> Float[ndarray, "k g g"]:
        return self.products if len(self.products) == 1 else self.products[some]


def reference_of(values: Float[ndarray, "time q"]) -> Float[ndarray, " q"]:
    """The mean of each series in a first block, 0 without any value: sums of what is left keep their digits."""
    known = np.isfinite(values)
    total = np.where(known, values, 0.0).sum(axis=0, dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=0), 1))


def _around_gaps(
    basis: Float[ndarray, "time g"], whole: Float[ndarray, "1 g g"], known: ndarray
) -> Float[ndarray, "q g g"]:
    """Products where each series has values; only those with gaps are summed by themselves."""
    size = basis.shape[1]
    gaps = np.flatnonzero(~known.all(axis=0))
    upper = np.triu_indices(size)
    pairs = basis[:, upper[0]] * basis[:, upper[1]]
    products = np.repeat(whole, known.shape[1], axis=0)
    summed = known[:, gaps].T.astype(np.float64) @ pairs
    own = np.empty((len(gaps), size, size))
    own[:, upper[0], upper[1]] = summed
    own[:, upper[1], upper[0]] = summed
    products[gaps] = own
    return products
