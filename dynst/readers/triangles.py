"""Triangles: which one a place lies in, what is read there, which nodes stand for all."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.errors import DataError

__all__ = ["Locator", "areas", "check_triangles", "thinned", "triangle_areas"]

_EDGE = 1e-9  # so far outside, in shares of a triangle, is still inside: a site on an edge must not fall between two


class Locator:
    """Finds the triangle around each of some fixed places, for one mesh after another.

    The places are sorted into square bins once; each triangle looks into the bins that it covers. So a mesh that is
    wholly new at every frame costs no more than one that moves a little, and nothing is built for it.

    Parameters
    ----------
    places : Float[ndarray, "s 2"]
        Where values are wanted.

    Examples
    --------
    >>> square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    >>> face, weight = Locator(np.array([[0.75, 0.25], [2.0, 2.0]])).find(square, np.array([[0, 1, 2], [0, 2, 3]]))
    >>> face.tolist(), weight[0].tolist()  # the second place is outside
    ([0, -1], [0.25, 0.5, 0.25])
    """

    def __init__(self, places: Float[ndarray, "s 2"]) -> None:
        self.places = np.ascontiguousarray(places, float)
        self._low = self.places.min(0)
        extent = np.maximum(np.ptp(self.places, axis=0), 1e-12 * max(1.0, float(np.abs(self.places).max())))
        self._size = max(float(np.sqrt(extent.prod() / len(places))), float(extent.max()) / max(64, len(places)))
        self._shape = np.floor(extent / self._size).astype(np.int64) + 1
        at = self._bins(self.places)
        flat = at[:, 1] * self._shape[0] + at[:, 0]
        self._order = np.argsort(flat, kind="stable")
        self._count = np.bincount(flat, minlength=int(self._shape.prod()))
        self._start = np.cumsum(self._count) - self._count

    def _bins(self, points: Float[ndarray, "p 2"]) -> Int[ndarray, "p 2"]:
        at: ndarray = np.floor((points - self._low) / self._size)
        clipped: ndarray = np.clip(at, -1, self._shape).astype(np.int64)
        return clipped

    def find(
        self, nodes: Float[ndarray, "n 2"], triangles: Int[ndarray, "f 3"]
    ) -> tuple[Int[ndarray, " s"], Float[ndarray, "s 3"]]:
        """The triangle of each place, -1 outside of all, and the weights of its corners there."""
        corners = nodes[triangles.T]  # corners first: numpy is slow along a last axis of three
        slack = 1e-6 * self._size
        low = np.maximum(self._bins(corners.min(0) - slack), 0)
        high = np.minimum(self._bins(corners.max(0) + slack), self._shape - 1)
        wide = np.maximum(high - low + 1, 0)
        owner, k = _spread(wide.prod(1))
        cell = (low[owner, 1] + k // wide[owner, 0]) * self._shape[0] + low[owner, 0] + k % wide[owner, 0]
        pair, k = _spread(self._count[cell])
        owner, site = owner[pair], self._order[self._start[cell[pair]] + k]
        a, b, c = corners[:, owner]
        p, ab, ac = self.places[site] - a, b - a, c - a
        double = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):  # a triangle without area holds nothing
            second = (p[:, 0] * ac[:, 1] - p[:, 1] * ac[:, 0]) / double
            third = (ab[:, 0] * p[:, 1] - ab[:, 1] * p[:, 0]) / double
            weight = np.stack([1.0 - second - third, second, third])
            least = weight.min(0)
            inside = np.flatnonzero((least >= -_EDGE) & (double != 0))
        inside = inside[np.argsort(least[inside], kind="stable")]  # of two triangles the deeper one is written last
        face = np.full(len(self.places), -1)
        face[site[inside]] = owner[inside]
        weights = np.zeros((len(self.places), 3))
        weights[site[inside]] = weight[:, inside].T
        return face, weights


def _spread(count: Int[ndarray, " m"]) -> tuple[Int[ndarray, " q"], Int[ndarray, " q"]]:
    """Each index as often as its count, and the number of the repetition."""
    owner = np.repeat(np.arange(len(count)), count)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(count) - count, count)


def areas(nodes: Float[ndarray, "n 2"], triangles: Int[ndarray, "f 3"]) -> Float[ndarray, " n"]:
    """A third of the area of all triangles around each node; 0 for a node outside every triangle.

    Examples
    --------
    >>> areas(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), np.array([[0, 1, 2]])).round(3).tolist()
    [0.167, 0.167, 0.167, 0.0]
    """
    share: ndarray = np.bincount(
        triangles.ravel(), np.repeat(triangle_areas(nodes, triangles) / 3, 3), minlength=len(nodes)
    )
    return share


def triangle_areas(nodes: Float[ndarray, "n 2"], triangles: Int[ndarray, "f 3"]) -> Float[ndarray, " f"]:
    """Area of each triangle."""
    a, b, c = (nodes[triangles[:, i]] for i in range(3))
    area: ndarray = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    return area


def thinned(points: Float[ndarray, "n 2"], count: int) -> Int[ndarray, " k"]:
    """At most `count` of the points, each the farthest from those before it; ascending.

    Examples
    --------
    >>> thinned(np.array([[0.0, 0.0], [0.1, 0.0], [1.0, 0.0], [2.0, 0.0]]), 3).tolist()
    [0, 2, 3]
    """
    if len(points) <= count:
        return np.arange(len(points))
    chosen = [int(np.argmin(((points - points.mean(0)) ** 2).sum(1)))]
    distance = ((points - points[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        np.minimum(distance, ((points - points[chosen[-1]]) ** 2).sum(1), out=distance)
    return np.array(sorted(chosen))


def check_triangles(triangles: ndarray, n: int, where: str) -> Int[ndarray, "*s f 3"]:
    """Triangles as whole numbers, each naming a node that is there.

    Raises
    ------
    DataError
        If their last axis is not 3, or one names a node that is not there.
    """
    if triangles.dtype.kind not in "iuf" or triangles.ndim < 2 or triangles.shape[-1] != 3:
        raise DataError(f"{where}: triangles of shape {triangles.shape} came; each needs the numbers of 3 nodes.")
    if not triangles.size:
        raise DataError(f"{where}: there is no triangle. Write the mesh again.")
    worst = triangles.max() if triangles.max() >= n else triangles.min()
    if not 0 <= worst < n:
        raise DataError(
            f"{where}: a triangle names node {worst:g}, but nodes count from 0 to {n - 1}. "
            "Are nodes counted from 1, or is this the mesh of another run?"
        )
    return triangles.astype(np.int64)
