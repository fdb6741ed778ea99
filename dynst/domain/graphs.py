"""Graphs from positions, triangles, edge lists and matrices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path
from scipy.spatial import KDTree

from dynst.domain.layout import GraphLayout
from dynst.domain.sites import Sites
from dynst.errors import ConfigError, DataError

__all__ = ["drawing", "nearest_neighbours", "of_edges", "of_matrix", "of_triangles", "within_radius"]

_LOOKED = 16  # sites near each other among which links between parts are looked for first
_DRAWN = 3000  # nodes up to which a graph without positions is drawn by its shortest paths


def nearest_neighbours(sites: Sites, k: int = 8) -> GraphLayout:
    """Each site joined to its `k` nearest, on the Earth or in the plane, in both directions, in one connected part.

    Clusters that are nobody's neighbours are joined by the shortest links between them, so that every site can hear
    of every other.

    Parameters
    ----------
    sites : Sites
        With positions.
    k : int
        Neighbours of a site; 8 by default, as many as a cell of a grid has.

    Raises
    ------
    ConfigError
        If `k` is below 1.

    Examples
    --------
    >>> sites = Sites(np.array([0.0, 1.0, 2.0, 90.0, 91.0]), np.zeros(5))
    >>> layout = nearest_neighbours(sites, 1)  # two clusters, joined by 2 -- 90
    >>> layout.edge_index.T.tolist()
    [[1, 0], [0, 1], [2, 1], [1, 2], [3, 2], [2, 3], [4, 3], [3, 4]]
    """
    if k < 1:
        raise ConfigError(f"a site needs at least 1 neighbour; {k} came.")
    n = len(sites)
    near = sites.nearest(min(k, n - 1)) if n > 1 else np.zeros((1, 0), np.int64)
    pairs = np.stack([near.ravel(), np.repeat(np.arange(n), near.shape[1])])
    edges = _both_ways(_joined(sites, pairs), n)
    return GraphLayout(n, edges, words=f"{min(k, max(n - 1, 0))} nearest neighbours")


def within_radius(sites: Sites, radius: float) -> GraphLayout:
    """Each site joined to all within `radius`, in the `distance_unit` of the sites (km on the Earth), both ways.

    Raises
    ------
    DataError
        If the radius leaves the sites in more than one part; the message names the shortest radius that does not.

    Examples
    --------
    >>> within_radius(Sites(np.array([0.0, 1.0, 2.0]), np.zeros(3)), 120.0)
    GraphLayout(3 sites, 4 edges)
    """
    n = len(sites)
    tree, points = sites.tree, sites.points
    pairs = tree.query_pairs(sites.chord(radius), output_type="ndarray").reshape(-1, 2).T.astype(np.int64)
    layout = GraphLayout(n, _both_ways(pairs, n), words=f"all within {radius:g} {sites.distance_unit}")
    if layout.parts > 1:
        links = _joined(sites, pairs)[:, pairs.shape[1] :]
        longest = float(sites.distance(np.linalg.norm(points[links[0]] - points[links[1]], axis=1)).max())
        raise DataError(
            f"a radius of {radius:g} {sites.distance_unit} leaves the {n} sites in {layout.parts} parts that do not "
            f"hear of each other. Choose at least {longest * 1.001:.4g} {sites.distance_unit}, or nearest neighbours."
        )
    return layout


def of_triangles(n: int, triangles: Int[ndarray, "f 3"]) -> GraphLayout:
    """The sides of triangles as edges in both directions, each once.

    Raises
    ------
    DataError
        If a triangle names a node that is not there.

    Examples
    --------
    >>> of_triangles(4, np.array([[0, 1, 2], [1, 2, 3]])).edge_index.shape  # five sides
    (2, 10)
    """
    triangles = np.asarray(triangles, np.int64).reshape(-1, 3)
    if len(triangles) and not (triangles.min() >= 0 and triangles.max() < n):
        worst = int(triangles.min() if triangles.min() < 0 else triangles.max())
        guess = " Are nodes counted from 1 there?" if worst == n else ""
        raise DataError(f"a triangle names node {worst}, but nodes count from 0 to {n - 1}.{guess}")
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]).T
    edges = _both_ways(sides[:, sides[0] != sides[1]], n)
    return GraphLayout(n, edges, triangles=triangles, words=f"edges of {len(triangles)} triangles")


def of_edges(
    n: int,
    senders: Int[ndarray, " e"],
    receivers: Int[ndarray, " e"],
    weight: Float[ndarray, " e"] | None = None,
    *,
    both_ways: bool = True,
) -> tuple[GraphLayout, tuple[str, ...]]:
    """A given list of edges as a layout, and notes on what was mended: self loops and repeated edges.

    Parameters
    ----------
    n : int
        Number of sites.
    senders, receivers : Int[ndarray, "e"]
        Ends of the edges.
    weight : Float[ndarray, "e"] or None
        Strength of each edge: larger is nearer. Edges of weight 0 are no edges.
    both_ways : bool
        Whether an edge that is given in one direction stands for both; if False, directions are kept.

    Raises
    ------
    DataError
        If an edge names a site that is not there, a weight is negative or not finite, or no edge is left.

    Examples
    --------
    >>> layout, notes = of_edges(3, np.array([0, 0, 1, 1]), np.array([1, 1, 2, 1]))
    >>> layout, notes
    (GraphLayout(3 sites, 4 edges), ('1 self loop dropped: a site always knows itself', '1 repeated edge merged'))
    """
    ends = np.stack([np.asarray(senders, np.int64), np.asarray(receivers, np.int64)])
    if ends.size and not (ends.min() >= 0 and ends.max() < n):
        raise DataError(
            f"an edge names site {int(ends.max() if ends.max() >= n else ends.min())}, "
            f"but sites count from 0 to {n - 1}."
        )
    strength = np.ones(ends.shape[1]) if weight is None else np.asarray(weight, float)
    if not np.isfinite(strength).all() or (strength < 0).any():
        worst = strength[~np.isfinite(strength) | (strength < 0)][0]
        raise DataError(f"an edge has weight {worst:g}; weights are positive, and larger means nearer.")
    notes = []
    loop = ends[0] == ends[1]
    if loop.any():
        notes.append(f"{loop.sum()} self loop{'s' if loop.sum() > 1 else ''} dropped: a site always knows itself")
    keep = ~loop & (strength > 0)
    ends, strength = ends[:, keep], strength[keep]
    key = ends[1] * n + ends[0]
    repeated = len(key) - len(np.unique(key))
    if repeated:
        notes.append(f"{repeated} repeated edge{'s' if repeated > 1 else ''} merged")
    if both_ways:
        ends = np.concatenate([ends, ends[::-1]], axis=1)
        strength = np.concatenate([strength, strength])
    if not ends.size:
        raise DataError("the graph has no edge between two different sites. Give one edge at least, or none at all.")
    key = ends[1] * n + ends[0]
    order = np.lexsort((-strength, key))  # of edges that repeat the strongest stays
    first = order[np.unique(key[order], return_index=True)[1]]
    layout = GraphLayout(n, ends[:, first], strength[first], weighted=weight is not None)
    if layout.parts > 1:
        alone = len(layout.isolated)
        notes.append(
            f"the graph falls into {layout.parts} parts ({alone} sites alone): "
            "no edge leads from one to another, so a graph network hears of other parts only by what all sites share"
        )
    return layout, tuple(notes)


def of_matrix(weights: Float[ndarray, "n n"], *, both_ways: bool = False) -> tuple[GraphLayout, tuple[str, ...]]:
    """A dense matrix of weights, entry ``[i, j]`` from site i to site j, as a layout, and notes on what was mended.

    The diagonal is left aside without a word: most makers of such matrices put ones there.

    Raises
    ------
    DataError
        As `of_edges`, or if the matrix is not square.

    Examples
    --------
    >>> of_matrix(np.array([[1.0, 0.5], [0.5, 1.0]]))[0]
    GraphLayout(2 sites, 2 edges)
    """
    weights = np.array(weights, float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise DataError(
            f"a weight matrix must be square; {' x '.join(map(str, weights.shape))} came. "
            "Give one row and one column a site, without a header."
        )
    np.fill_diagonal(weights, 0.0)
    senders, receivers = np.nonzero(weights)
    return of_edges(len(weights), senders, receivers, weights[senders, receivers], both_ways=both_ways)


def drawing(layout: GraphLayout) -> Float[ndarray, "n 2"]:
    """A drawing of a graph whose sites have no positions: in the plane, an edge about one unit long.

    Classical scaling of the lengths of shortest paths (Torgerson 1952); parts stand side by side. Where there are
    more than 3000 sites they stand on a circle, part by part.

    Examples
    --------
    >>> line, _ = of_edges(3, np.array([0, 1]), np.array([1, 2]))
    >>> x = drawing(line)[:, 0]
    >>> bool(abs(abs(x[2] - x[0]) - 2) < 1e-9)
    True
    """
    n = layout.size
    place = np.zeros((n, 2))
    if n > _DRAWN:
        order = np.argsort(layout.part, kind="stable")
        angle = 2 * np.pi * np.arange(n) / n
        place[order] = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * n / (2 * np.pi)
        return place
    ones = np.ones(layout.edge_index.shape[1])
    graph = coo_array((ones, (layout.edge_index[0], layout.edge_index[1])), shape=(n, n)).tocsr()
    hops = shortest_path(graph, directed=False, unweighted=True)
    right = 0.0
    for part in range(layout.parts):
        members = np.flatnonzero(layout.part == part)
        square = hops[np.ix_(members, members)] ** 2
        centred = -(square - square.mean(0) - square.mean(1)[:, None] + square.mean()) / 2
        value, vector = np.linalg.eigh(centred)
        axes = vector[:, ::-1][:, :2] * np.sqrt(np.maximum(value[::-1][:2], 0.0))
        axes = axes * np.where(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
        place[members, : axes.shape[1]] = axes
        place[members, 0] += right - place[members, 0].min()
        right = place[members, 0].max() + 1.5
    return place


def _both_ways(pairs: Int[ndarray, "2 e"], n: int) -> Int[ndarray, "2 g"]:
    key = np.unique(np.concatenate([pairs[1] * n + pairs[0], pairs[0] * n + pairs[1]]))
    return np.stack([key % n, key // n])


def _joined(sites: Sites, pairs: Int[ndarray, "2 e"]) -> Int[ndarray, "2 g"]:
    """The pairs, and the shortest links that join what they leave apart (Boruvka's rounds)."""
    n, points = len(sites), sites.points
    reach, near = (
        sites.tree.query(points, k=min(n, _LOOKED)) if n > 1 else (np.zeros((1, 1)), np.zeros((1, 1), np.int64))
    )
    while True:
        part = GraphLayout(n, _both_ways(pairs[:, pairs[0] != pairs[1]], n)).part
        if part.max() == 0:
            return pairs
        outsider = part[near] != part[:, None]
        first = outsider.argmax(axis=1)
        distance = np.where(outsider.any(axis=1), reach[np.arange(n), first], np.inf)
        links = []
        for inside in np.split(np.argsort(part, kind="stable"), np.cumsum(np.bincount(part))[:-1]):
            site = inside[np.argmin(distance[inside])]
            other = near[site, first[site]]
            blind = inside[np.isinf(distance[inside])]  # whose near ones are all of their own part
            if len(blind) and reach[blind, -1].min() < distance[site]:
                outside = np.flatnonzero(part != part[site])
                away, nearest = KDTree(points[outside]).query(points[inside])
                site, other = inside[np.argmin(away)], outside[nearest[np.argmin(away)]]
            links.append((site, other))
        pairs = np.concatenate([pairs, np.array(links, np.int64).T], axis=1)
