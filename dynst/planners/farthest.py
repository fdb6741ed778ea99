"""Farthest-point ranking: each new site is the one farthest from all sites before it, by distance or by edges."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from dynst.domain import GraphLayout, Sites

__all__ = ["central_site", "farthest_point", "farthest_point_gaps", "hop_gaps"]


def central_site(sites: Sites) -> int:
    """The legal site nearest the area-weighted centre; among equals the one of largest area, then of lowest index.

    On a whole sphere the centre is its midpoint, all sites are equally near, and a site on the equator is taken.

    Examples
    --------
    >>> central_site(Sites(np.array([0.0, 1.0, 2.0]), np.zeros(3)))
    1
    """
    legal = sites.legal
    centre = sites.weight @ sites.points / sites.weight.sum()
    away = np.linalg.norm(sites.points[legal] - centre, axis=1)
    near = away <= away.min() + 1e-9 * max(float(away.max()), 1e-300)  # rounding is no reason to prefer a site
    area = np.where(near, sites.area[legal], -1.0)
    return int(legal[np.argmax(area >= area.max() * (1 - 1e-9))])


def farthest_point(sites: Sites, taken: Int[ndarray, " k"], count: int) -> Int[ndarray, " count"]:
    """The sites of `farthest_point_gaps`, without the distances.

    Examples
    --------
    >>> sites = Sites(np.array([0.0, 1.0, 2.0, 3.0, 10.0]), np.zeros(5))
    >>> farthest_point(sites, np.array([0]), 2).tolist()
    [4, 3]
    """
    return farthest_point_gaps(sites, taken, count)[0]


def farthest_point_gaps(
    sites: Sites, taken: Int[ndarray, " k"], count: int
) -> tuple[Int[ndarray, " count"], Float[ndarray, " count"]]:
    """The next `count` legal sites, each farthest from those taken before it (true distance, no seam).

    Distances are kept for every legal site and lowered only inside the ball that a new site can change, found
    with a KD-tree: the picks equal those of the plain quadratic loop (ties go to the lower index) at about
    ``n log n`` cost. With nothing taken, the first pick is `central_site`.

    Parameters
    ----------
    sites : Sites
        The places; forbidden ones are never ranked.
    taken : Int[ndarray, "k"]
        Sites already chosen, not ranked again.
    count : int
        How many sites to rank; at most the legal sites that are left.

    Returns
    -------
    Int[ndarray, "count"]
        Sites, in order.
    Float[ndarray, "count"]
        Straight-line distance of each to the nearest site taken or ranked before it; infinite where there is none.

    Source
    ------
    Gonzalez 1985, Clustering to minimize the maximum intercluster distance.
    """
    legal = sites.legal
    points = np.ascontiguousarray(sites.points[legal])
    tree = KDTree(points)
    distance = np.full(len(legal), np.inf)  # squared, to the nearest taken site; -1 marks a ranked site
    taken = np.asarray(taken, np.int64)
    if len(taken):
        nearest = KDTree(sites.points[taken]).query(points)[1]
        shift = points - sites.points[taken][nearest]
        distance = np.einsum("bd,bd->b", shift, shift)
        distance[np.searchsorted(legal, taken)] = -1.0
    picks, gaps = np.empty(count, np.int64), np.empty(count)
    for i in range(count):
        pick = int(np.argmax(distance)) if i or len(taken) else int(np.searchsorted(legal, central_site(sites)))
        reach = distance[pick]
        picks[i], gaps[i] = legal[pick], np.sqrt(reach)
        distance[pick] = -1.0
        if reach <= 0.0:
            continue  # only twins of ranked sites are left: nothing can fall further
        if np.isinf(reach):
            ball = np.arange(len(legal))
        else:
            ball = np.asarray(tree.query_ball_point(points[pick], np.sqrt(reach) * (1 + 1e-9)), np.int64)
        shift = points[ball] - points[pick]
        distance[ball] = np.minimum(distance[ball], np.einsum("bd,bd->b", shift, shift))
    return picks, gaps


def hop_gaps(
    sites: Sites, layout: GraphLayout, taken: Int[ndarray, " k"]
) -> tuple[Int[ndarray, " m"], Float[ndarray, " m"]]:
    """Those taken, then legal sites, each the most edges away from all before it; and how many edges that is.

    A part of the graph that has no sensor is farther than any distance: the largest comes first, at its site of most
    edges. Ties go to the lower index. The ranking ends when every site left is the neighbour of one in it. For those
    taken the number is infinite.
    """
    edges = layout.edge_index
    graph = coo_array((np.ones(edges.shape[1]), (edges[0], edges[1])), shape=(len(sites), len(sites))).tocsr()
    degree = np.bincount(edges.ravel(), minlength=len(sites))
    members = np.bincount(layout.part)[layout.part]
    distance = np.full(len(sites), np.inf)
    legal = np.zeros(len(sites), bool)
    legal[sites.legal] = True
    picks: list[int] = []
    gaps: list[float] = []
    waiting = np.asarray(taken, np.int64).tolist()
    while True:
        given = len(picks) < len(waiting)
        if given:
            pick = waiting[len(picks)]
        else:
            gap = np.where(legal, distance, -1.0)
            most = float(gap.max())
            if most <= 1.0 and picks:
                return np.array(picks, np.int64), np.array(gaps)
            far = np.flatnonzero(gap == most)
            pick = int(far[np.lexsort((-degree[far], -members[far]))[0]] if np.isinf(most) else far[0])
        picks.append(pick)
        gaps.append(np.inf if given else float(distance[pick]))
        limit = min(float(len(sites)), float(distance.max()))
        near = dijkstra(graph, directed=False, unweighted=True, indices=pick, limit=limit)
        distance = np.minimum(distance, near)
        legal[pick] = False
