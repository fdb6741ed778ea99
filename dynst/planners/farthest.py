"""Farthest-point ranking: each new site is the one farthest from all sites before it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.domain import Sites

__all__ = ["central_site", "farthest_point", "farthest_point_gaps"]


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
