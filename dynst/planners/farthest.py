"""Farthest-point ranking: each new site is the one farthest from all sites before it, by distance or by edges."""

from __future__ import annotations

from functools import cached_property
from itertools import chain

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import KDTree

from dynst.domain import Frame, GraphLayout, Layout, Sites
from dynst.domain.room import Room
from dynst.planners.greedy import Gains, greedy

__all__ = ["central_site", "farthest_in_room", "farthest_point", "farthest_point_gaps", "graph_alone", "hop_gaps"]

_ALONE = 64  # picks in a row, one by one: while there are few, hardly any are free of each other; chosen
_FEW = 16  # picks found together below which one by one is cheaper; chosen
_BLOCK = 1 << 16  # places whose neighbours are asked for at once
_NEAR = 9  # the place itself and its nearest neighbours, which rule out most places at once; chosen
_SLACK = 1 + 1e-9  # a ball this much larger misses nothing to rounding


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

    The picks equal those of the plain quadratic loop (ties go to the lower index) at about ``n log n`` cost, see
    `_Search`. With nothing taken, the first pick is `central_site`.

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
    if count < 1:
        return np.zeros(0, np.int64), np.zeros(0)
    legal = sites.legal
    taken = np.asarray(taken, np.int64)
    search = _Search(np.ascontiguousarray(sites.points[legal]))
    if len(taken):
        search.start(sites.points[taken], np.searchsorted(legal, taken))
    else:
        search.pick(int(np.searchsorted(legal, central_site(sites))))
    found = 0
    while not search.settled(count):
        if found < _FEW:
            search.one_by_one(min(_ALONE, count))
            found = _FEW
        else:
            found = search.together()
    picks, gaps = search.ranking(count)
    return legal[picks], gaps


class _Search:
    """Farthest-point picks in the making, one by one or many together, with the distance of every place to them.

    A place keeps its distance to the nearest pick until its own turn comes if every other place inside that distance
    has a smaller one: whatever is picked before it is farther out and lowers nothing there. So all such places are
    picked together, whatever their turn; sorted by their distances, they are the picks of the plain loop.
    """

    def __init__(self, points: Float[ndarray, "n d"]) -> None:
        self._points = points
        self._tree = KDTree(points)
        self._left = np.full(len(points), np.inf)  # squared distance to the nearest pick; -1 marks what is picked
        self._picks: list[Int[ndarray, " k"]] = []
        self._gaps: list[Float[ndarray, " k"]] = []  # squared

    def start(self, taken: Float[ndarray, "t d"], places: Int[ndarray, " t"]) -> None:
        """Distances to what is taken already, which is at these places."""
        nearest = KDTree(taken).query(self._points)[1]
        self._left = _squared(self._points - taken[nearest])
        self._left[places] = -1.0

    def settled(self, count: int) -> bool:
        """Whether the first `count` picks of the plain loop are among those found: nothing left is as far."""
        gaps = np.concatenate([np.zeros(0), *self._gaps])
        most = float(self._left.max(initial=-1.0))
        return most < 0 or bool((gaps > most).sum() >= count)

    def ranking(self, count: int) -> tuple[Int[ndarray, " count"], Float[ndarray, " count"]]:
        """The first `count` picks, and the distance of each to the nearest pick before it."""
        picks, gaps = np.concatenate([np.zeros(0, np.int64), *self._picks]), np.concatenate([np.zeros(0), *self._gaps])
        order = np.lexsort((picks, -gaps))[:count]
        return picks[order], np.sqrt(gaps[order])

    def pick(self, place: int) -> None:
        """Pick one place, and lower the distances that it changes."""
        reach = float(self._left[place])
        ball = np.arange(len(self._points))
        if np.isfinite(reach):
            ball = np.asarray(self._tree.query_ball_point(self._points[place], np.sqrt(reach) * _SLACK), np.int64)
        self._left[ball] = np.minimum(self._left[ball], _squared(self._points[ball] - self._points[place]))
        self._note(np.array([place]), np.array([reach]))

    def one_by_one(self, count: int) -> None:
        """The next picks of the plain loop."""
        for _ in range(count):
            place = int(np.argmax(self._left))
            if self._left[place] < 0:
                return
            self.pick(place)

    def together(self) -> int:
        """Pick every place that nothing inside its distance can come before; how many these are."""
        places = self._peaks()
        owner, member = self._balls(places)
        centre = places[owner]
        away = _squared(self._points[member] - self._points[centre])
        inside = away < self._left[centre]
        first = self._before(member, centre) & inside
        free = np.bincount(owner[first], minlength=len(places)) == 0
        changed = free[owner] & inside  # what is farther out may have its turn, at a larger distance, before this one
        gaps = self._left[places[free]]
        np.minimum.at(self._left, member[changed], away[changed])
        self._note(places[free], gaps)
        return int(free.sum())

    @cached_property
    def _near(self) -> tuple[Int[ndarray, "n k"], Float[ndarray, " n"]]:
        """The nearest neighbours of each place, itself among them, and how far the last of them is."""
        n, wanted = len(self._points), np.arange(1, min(_NEAR, len(self._points)) + 1)
        near, edge = np.empty((n, len(wanted)), np.int32), np.empty(n)
        for start in range(0, n, _BLOCK):  # the query itself takes four times the memory of what is kept
            rows = slice(start, start + _BLOCK)
            away, near[rows] = self._tree.query(self._points[rows], k=wanted)
            edge[rows] = away[:, -1]
        return near, edge

    def _balls(self, places: Int[ndarray, " p"]) -> tuple[Int[ndarray, " m"], Int[ndarray, " m"]]:
        """Who is nearer to each of the places than its nearest pick: numbers of the places, and who."""
        near, edge = self._near
        reach = np.sqrt(self._left[places]) * _SLACK
        few, many = np.flatnonzero(reach < edge[places]), np.flatnonzero(reach >= edge[places])
        balls = self._tree.query_ball_point(self._points[places[many]], reach[many])
        size = np.fromiter(map(len, balls), np.int64, len(many))
        member = np.fromiter(chain.from_iterable(balls), np.int64, int(size.sum()))
        owner = np.concatenate([np.repeat(few, near.shape[1]), np.repeat(many, size)])
        return owner, np.concatenate([near[places[few]].ravel(), member])

    def _peaks(self) -> Int[ndarray, " p"]:
        """Places not yet picked that come before all of their nearest neighbours inside their distance."""
        places = np.flatnonzero(self._left >= 0)
        for near in self._near[0].T[1:]:
            member = near[places]
            away = _squared(self._points[member] - self._points[places])
            places = places[~(self._before(member, places) & (away < self._left[places]))]
        return places

    def _before(self, one: Int[ndarray, " k"], other: Int[ndarray, " k"]) -> Bool[ndarray, " k"]:
        """Whether the plain loop would pick each of `one` before its `other`, as distances are."""
        ours, theirs = self._left[one], self._left[other]
        before: ndarray = (ours > theirs) | ((ours == theirs) & (one < other))
        return before

    def _note(self, places: Int[ndarray, " k"], gaps: Float[ndarray, " k"]) -> None:
        self._left[places] = -1.0
        self._picks.append(places)
        self._gaps.append(gaps)


def _squared(shift: Float[ndarray, "n d"]) -> Float[ndarray, " n"]:
    """Squared length of each row, the same bits for a row whatever stands beside it."""
    total: ndarray = np.zeros(len(shift))
    for part in shift.T:
        total += part * part
    return total


def graph_alone(sites: Sites, layout: Layout | None) -> GraphLayout | None:
    """The graph of sites that have no positions, where far is what takes many edges; None where they have."""
    return layout if sites.frame is Frame.SCHEMATIC and isinstance(layout, GraphLayout) else None


def farthest_in_room(room: Room, layout: Layout | None, count: int) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """At most `count` more sites where there is room, each farthest from all sensors before it.

    Returns
    -------
    Int[ndarray, "k"]
        Sites, in order.
    Float[ndarray, "k"]
        How far each is from the nearest sensor before it: as a straight line, or in edges where positions are not
        known; infinite where there is no sensor before it.
    """
    graph = graph_alone(room.sites, layout)
    away: Gains = _StraightAway(room.sites) if graph is None else _HopsAway(room.sites, graph)
    for site in room.chosen:
        away.add(site)
    order, gap = greedy(away, room, count)
    return order, np.where(gap >= _NOWHERE, np.inf, gap)


_NOWHERE = 1e18  # gains from here on: no sensor is in reach; what is above tells such sites apart


class _StraightAway:
    """How far each site is from the nearest sensor, as a straight line."""

    def __init__(self, sites: Sites) -> None:
        self._points = sites.points
        self._left = np.full(len(sites), _NOWHERE)
        self._left[central_site(sites)] = 2 * _NOWHERE  # the first sensor

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Distance to the nearest sensor."""
        return np.asarray(self._left)

    def add(self, site: int) -> None:
        """A sensor came."""
        self._left = np.minimum(self._left, np.sqrt(_squared(self._points - self._points[site])))


class _HopsAway:
    """How many edges each site is from the nearest sensor; see `hop_gaps` for those that no sensor reaches.

    With `neighbours` left out, a site beside a sensor adds nothing.
    """

    def __init__(self, sites: Sites, layout: GraphLayout, *, neighbours: bool = True) -> None:
        self._least = -np.inf if neighbours else 1.0
        edges = layout.edge_index
        shape = (len(sites), len(sites))
        self._graph = coo_array((np.ones(edges.shape[1]), (edges[0], edges[1])), shape=shape).tocsr()
        degree = np.bincount(edges.ravel(), minlength=len(sites))
        members = np.bincount(layout.part)[layout.part]
        self._left = _NOWHERE * (1 + members + degree / (1 + degree.max(initial=0)))

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Edges to the nearest sensor."""
        return np.where(self._left > self._least, self._left, -np.inf)

    def add(self, site: int) -> None:
        """A sensor came."""
        limit = min(float(len(self._left)), float(self._left.max()))
        near = dijkstra(self._graph, directed=False, unweighted=True, indices=site, limit=limit)
        self._left = np.minimum(self._left, near)


def hop_gaps(
    sites: Sites, layout: GraphLayout, taken: Int[ndarray, " k"]
) -> tuple[Int[ndarray, " m"], Float[ndarray, " m"]]:
    """Those taken, then legal sites, each the most edges away from all before it; and how many edges that is.

    A part of the graph that has no sensor is farther than any distance: the largest comes first, at its site of most
    edges. Ties go to the lower index. The ranking ends when every site left is the neighbour of one in it. For those
    taken the number is infinite.
    """
    room, away = Room(sites), _HopsAway(sites, layout, neighbours=False)
    first = np.asarray(taken, np.int64)
    order, gap = greedy(away, room, len(sites.legal), first=first)
    gap[: len(first)] = np.inf
    return order, np.where(gap >= _NOWHERE, np.inf, gap)
