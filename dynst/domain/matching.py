"""Which sensor of one plan stands for which of another: one to one, at the same place or near it."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching
from scipy.spatial import KDTree

from dynst.domain.sites import Frame, Sites

__all__ = ["chance_overlap", "matching", "usual_radius"]

_PROBES = 500  # sites whose neighbourhoods are measured for `usual_radius`; chosen: the median hardly moves with more
_SHARE = 0.25  # of the mean spacing of the sensors, see `usual_radius`
_TOUCH = 1e-9  # relative: a neighbour at exactly the radius counts, whatever the rounding


def matching(sites: Sites, ours: Int[ndarray, " k"], theirs: Int[ndarray, " j"], radius: float) -> Int[ndarray, " k"]:
    """For each of our sensors the one of theirs that stands for it, -1 where none does.

    As many pairs as possible at the same site or within the radius, each sensor in one pair at most; among such
    matchings one of least total distance. So a sensor of ours that they have too always has a partner, and a site
    that stands near two of our sensors stands for one of them only, which a greedy nearest search gets wrong.

    Parameters
    ----------
    sites : Sites
        The places.
    ours, theirs : Int[ndarray, "k"], Int[ndarray, "j"]
        Site indices of two selections, without repeats.
    radius : float
        In `Sites.distance_unit`; 0 pairs a site with itself alone.

    Source
    ------
    Assignment with one way out for each of ours, dearer than all pairs together: sparse Jonker-Volgenant (SciPy).

    Examples
    --------
    >>> sites = Sites(np.array([0.0, 10.0, 20.0, 30.0]), np.zeros(4), frame=Frame.PLANAR, unit="km")
    >>> matching(sites, np.array([0, 1]), np.array([1, 2]), 12.0).tolist()  # 1 stands for 0, so that 2 stands for 1
    [1, 2]
    >>> matching(sites, np.array([0, 1]), np.array([1, 2]), 0.0).tolist()
    [-1, 1]
    """
    k = len(ours)
    if not k or not len(theirs):
        return np.full(k, -1)
    row, column, apart = _near(sites, ours, theirs, radius)
    # Weights from 1, as a stored zero would be no edge; leaving one unmatched costs more than any detour of the others.
    rows = np.concatenate([row, np.arange(k)])
    columns = np.concatenate([column, len(theirs) + np.arange(k)])
    weights = np.concatenate([1.0 + apart, np.full(k, 2.0 * k + 2.0)])
    graph = coo_array((weights, (rows, columns)), shape=(k, len(theirs) + k)).tocsr()
    found = np.full(k, -1)
    mine, partner = min_weight_full_bipartite_matching(graph)
    real = partner < len(theirs)
    found[mine[real]] = theirs[partner[real]]
    return found


def _near(
    sites: Sites, ours: Int[ndarray, " k"], theirs: Int[ndarray, " j"], radius: float
) -> tuple[Int[ndarray, " e"], Int[ndarray, " e"], Float[ndarray, " e"]]:
    """Pairs that may be matched, as places in both lists, and how far apart they are as a share of the radius."""
    if not radius > 0:
        _, row, column = np.intersect1d(ours, theirs, return_indices=True)
        return row, column, np.zeros(len(row))
    limit = sites.chord(radius) * (1 + _TOUCH)
    pairs = KDTree(sites.points[ours]).query_ball_tree(KDTree(sites.points[theirs]), limit)
    row = np.repeat(np.arange(len(ours)), [len(near) for near in pairs])
    column = np.array([j for near in pairs for j in near], np.int64)
    apart = np.linalg.norm(sites.points[ours[row]] - sites.points[theirs[column]], axis=1) / limit
    # Two sites may share a place (two stations on one mast): the very same site is the nearer one.
    return row, column, np.where(ours[row] == theirs[column], 0.0, np.maximum(apart, _TOUCH))


def chance_overlap(legal: int, fixed: int, budget: int, other: int | None = None) -> float:
    """Jaccard overlap that two random plans have on average: the mean over how many sensors they happen to share.

    Parameters
    ----------
    legal, fixed : int
        Sites that a plan may hold, and those that every plan holds.
    budget, other : int
        Sensors of the one plan and of the other; the same if left out.

    Examples
    --------
    >>> round(chance_overlap(3, 0, 1), 6)  # one of three sites each: the same one in a third of the cases
    0.333333
    >>> chance_overlap(100, 5, 5)  # all are fixed
    1.0
    """
    other = budget if other is None else other
    free, ours, theirs = legal - fixed, budget - fixed, other - fixed
    common = np.arange(max(0, ours + theirs - free), min(ours, theirs) + 1)

    def log_ways(n: int, k: Int[ndarray, " s"]) -> Float[ndarray, " s"]:
        return np.array([math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) for i in k.tolist()])

    logs = log_ways(ours, common) + log_ways(free - ours, theirs - common) - log_ways(free, np.array([theirs]))
    shared = fixed + common
    return float((np.exp(logs) * shared / (budget + other - shared)).sum())


def usual_radius(sites: Sites, budget: int) -> float:
    """Distance within which two sites count as the same place for a plan of `budget` sensors.

    A quarter of the mean spacing that so many sensors have, and at least the usual spacing of neighbouring sites;
    in `Sites.distance_unit`, rounded up to two digits. 0 where nobody knows the positions: only a site itself will do.

    A quarter is chosen. Two random plans then share about a sixth of their sensors by chance (the disc of that radius
    covers pi/16 of a sensor's share of the area); with half of the spacing it would be nearly half of them, and an
    overlap would say little.

    The mean spacing is taken from the sites themselves, as areas may be bare weights: the disc around a site that
    reaches as many neighbours as there are sites for each sensor covers one sensor's share of the area. The median
    over the sites leaves out coasts and borders, and is the same on either side of the date line.

    Examples
    --------
    >>> x, y = np.meshgrid(np.arange(40.0), np.arange(40.0))
    >>> sites = Sites(x.ravel(), y.ravel(), frame=Frame.PLANAR, unit="km")
    >>> usual_radius(sites, 16)  # 16 sensors on 1600 km2: 10 km apart
    2.6
    >>> usual_radius(sites, 1600)  # never below the spacing of the sites
    1.0
    """
    n = len(sites)
    if sites.frame is Frame.SCHEMATIC or n < 2:
        return 0.0
    probes = np.linspace(0, n - 1, min(n, _PROBES)).astype(int)
    reach = min(n - 1, max(1, round(n / budget)))
    chords, _ = sites.tree.query(sites.points[probes], k=reach + 1)
    distance = sites.distance(np.asarray(chords)[:, 1:])
    apart = distance[:, 0][distance[:, 0] > 0]
    spacing = float(np.median(apart)) if len(apart) else 0.0
    share = math.sqrt(math.pi) * float(np.median(distance[:, -1]))
    return _rounded_up(max(spacing, _SHARE * share))


def _rounded_up(value: float) -> float:
    if not value > 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit - 1e-6) * unit:.3g}")
