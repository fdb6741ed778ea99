"""A minimum distance between sensors: which sites are too near to each other, and how many fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import dijkstra

__all__ = ["HOPS", "Packing", "Spacing", "pack", "pack_exactly", "pack_quickly"]

HOPS = "hops"
"""Unit of a distance along the edges of a graph."""

_PAIRS = 20_000_000  # pairs of sites too near to each other that may be listed at once (160 MB)
_EXACT_SITES, _EXACT_PAIRS = 300, 20_000  # up to which the largest set is searched for exactly
_NODES = 20_000  # branches of that search at most: operations are counted, no clock is read

Near = Callable[[int], Int[ndarray, " k"]]


@dataclass(frozen=True, eq=False)
class Spacing:
    """The distance that any two sensors keep at least.

    Parameters
    ----------
    least : float
        Two sensors at exactly this distance are far enough from each other.
    unit : str
        ``hops``, or the `distance_unit` of the sites; ``1`` for lengths without dimension.
    edges : Int[ndarray, "2 e"] or None
        Of the graph, for hops.

    Examples
    --------
    >>> Spacing(30.0, "km").words
    '30 km'
    >>> Spacing(1.0, "hops").words
    '1 hop'
    """

    least: float
    unit: str
    edges: Int[ndarray, "2 e"] | None = None

    @property
    def words(self) -> str:
        """The distance as a user reads it."""
        if self.unit == "1":
            return f"{self.least:g}"
        unit = "hop" if (self.unit, self.least) == (HOPS, 1) else self.unit
        return f"{self.least:g} {unit}"

    @property
    def by_hops(self) -> bool:
        """Whether the distance counts edges of a graph."""
        return self.unit == HOPS

    @cached_property
    def graph(self) -> csr_array:
        """Edges as a matrix, whatever their direction."""
        edges = np.zeros((2, 0), np.int64) if self.edges is None else self.edges
        size = int(edges.max(initial=-1)) + 1
        ones = np.ones(edges.shape[1])
        return coo_array((ones, (edges[0], edges[1])), shape=(size, size)).tocsr()

    def within_hops(self, site: int) -> Int[ndarray, " k"]:
        """Sites that take fewer hops from a site than the distance; the site itself is one."""
        if site >= self.graph.shape[0]:
            return np.array([site])  # it has no edge
        reach = dijkstra(self.graph, directed=False, unweighted=True, indices=site, limit=self.least)
        return np.flatnonzero(reach < self.least)


@dataclass(frozen=True, eq=False)
class Packing:
    """Sites that keep the distance to each other, as many as were found.

    Parameters
    ----------
    sites : Int[ndarray, "k"]
        Existing stations first.
    exact : bool
        Whether no larger set exists.
    """

    sites: Int[ndarray, " k"]
    exact: bool = False

    def __len__(self) -> int:
        return len(self.sites)


def pack(near: Near, free: Bool[ndarray, " n"], points: Float[ndarray, "n d"]) -> Int[ndarray, " k"]:
    """Sites among the free ones, none too near to another: the largest of several quick searches.

    Sites are taken in the order of their index and along each axis of the `points`, or each time the
    one that closes the fewest others.

    Examples
    --------
    >>> line = np.arange(7.0)[:, None]
    >>> pack(lambda i: np.flatnonzero(abs(line[:, 0] - i) < 2), np.ones(7, bool), line).tolist()
    [0, 2, 4, 6]
    """
    orders = [np.argsort(axis, kind="stable") for axis in points.T]
    found = [pack_quickly(near, free), *(_along(near, free, order) for order in orders)]
    found.append(_fewest_closed(near, free))
    best = max(found, key=len)
    return np.sort(best)


def pack_quickly(near: Near, free: Bool[ndarray, " n"]) -> Int[ndarray, " k"]:
    """Sites among the free ones, none too near to another, taken in the order of their index."""
    return _along(near, free, np.arange(len(free)))


def pack_exactly(near: Near, free: Bool[ndarray, " n"]) -> Int[ndarray, " k"] | None:
    """The largest set of free sites of which none is too near to another; None where that is too dear.

    Examples
    --------
    >>> line = np.arange(7.0)
    >>> pack_exactly(lambda i: np.flatnonzero(abs(line - i) < 2), np.ones(7, bool)).tolist()
    [0, 2, 4, 6]
    """
    sites = np.flatnonzero(free)
    if not len(sites):
        return sites
    if len(sites) > _EXACT_SITES:
        return None
    pairs = _pairs(near, sites, free)
    if len(pairs) > _EXACT_PAIRS:
        return None
    if not len(pairs):
        return sites
    return _largest(sites, pairs)


def _largest(sites: Int[ndarray, " m"], pairs: Int[ndarray, "p 2"]) -> Int[ndarray, " k"] | None:
    """The largest set of sites without both ends of a pair."""
    # a second of imports that a study without a tight distance does not need
    from scipy.optimize import Bounds, LinearConstraint, milp  # noqa: PLC0415

    rows = np.repeat(np.arange(len(pairs)), 2)
    matrix = coo_array((np.ones(2 * len(pairs)), (rows, pairs.ravel())), shape=(len(pairs), len(sites)))
    found = milp(
        -np.ones(len(sites)),
        integrality=np.ones(len(sites)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix.tocsr(), -np.inf, 1.0),
        options={"node_limit": _NODES},
    )
    if found.status != 0:
        return None
    chosen: ndarray = sites[found.x > 0.5]
    return chosen


def _pairs(near: Near, sites: Int[ndarray, " m"], free: Bool[ndarray, " n"]) -> Int[ndarray, "p 2"]:
    """Places among the `sites` of those that are too near to each other, each pair once."""
    place = np.full(len(free), -1)
    place[sites] = np.arange(len(sites))
    found = [np.zeros((0, 2), np.int64)]
    for at, site in enumerate(sites.tolist()):
        others = place[near(site)]
        others = others[others > at]
        found.append(np.stack([np.full(len(others), at), others], axis=-1))
    return np.concatenate(found)


def _along(near: Near, free: Bool[ndarray, " n"], order: Int[ndarray, " n"]) -> Int[ndarray, " k"]:
    """Every site of an order that is still free when its turn comes."""
    left, found = free.copy(), list[int]()
    for site in order[free[order]].tolist():
        if left[site]:
            found.append(site)
            left[near(site)] = False
    return np.array(found, np.int64)


def _fewest_closed(near: Near, free: Bool[ndarray, " n"]) -> Int[ndarray, " k"]:
    """Each time the site that closes the fewest others; nothing where too many pairs are near."""
    sites = np.flatnonzero(free)
    others: dict[int, ndarray] = {}
    pairs = 0
    for site in sites.tolist():
        close = near(site)
        others[site] = close[free[close]]
        pairs += len(others[site])
        if pairs > _PAIRS:
            return np.zeros(0, np.int64)
    closes = np.full(len(free), np.iinfo(np.int64).max)
    closes[sites] = [len(others[site]) for site in sites.tolist()]
    left, found = free.copy(), list[int]()
    for _ in range(len(sites)):
        site = int(np.argmin(closes))
        if not left[site]:
            break
        found.append(site)
        gone = others[site][left[others[site]]]
        left[gone] = False
        closes[gone] = np.iinfo(np.int64).max
        fewer = np.concatenate([others[one] for one in gone.tolist()])
        np.subtract.at(closes, fewer[left[fewer]], 1)
    return np.array(found, np.int64)
