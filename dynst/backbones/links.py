"""Who hears whom, and what is known of each link: distance, direction, given weight, crowdedness of its ends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array, csc_array, diags_array, eye_array
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from dynst.domain import Frame, GraphLayout, Layout, Sites
from dynst.domain.graphs import nearest_neighbours

__all__ = ["Links", "links_among", "links_of", "links_to", "place_features"]

_FREQUENCIES = (1, 2, 4)  # half waves over the extent of the sites
_STAY = 0.9  # chance that a walk on a graph without positions goes on: it reaches about ten links far
_CHUNK = 256  # sensors whose walks are worked out at a time


@dataclass(frozen=True, eq=False)
class Links:
    """Edges from senders to receivers, sorted by receiver, with features of order one.

    Parameters
    ----------
    edge_index : Int[ndarray, "2 e"]
        Sender and receiver of each.
    features : Float[ndarray, "e g"]
        The same columns for any number of edges of one kind.
    senders, receivers : int
        How many there are of both.
    """

    edge_index: Int[ndarray, "2 e"]
    features: Float[ndarray, "e g"]
    senders: int
    receivers: int

    def __len__(self) -> int:
        return int(self.edge_index.shape[1])


def links_of(sites: Sites, layout: Layout, neighbours: int) -> Links:
    """The edges of a graph; on a grid those to the nearest sites, as many as asked for."""
    graph = layout if isinstance(layout, GraphLayout) else nearest_neighbours(sites, neighbours)
    weight = graph.edge_weight if graph.weighted else None
    return _links(sites, graph.edge_index, np.arange(len(sites)), len(sites), weight=weight)


def links_among(sites: Sites, layout: Layout, sensors: Int[ndarray, " k"], neighbours: int) -> Links:
    """Edges between each of some sites and the nearest others of them, both ways, in one part where there is a way.

    Nearest is by position; without positions, by the walks on the graph that lead from one to the other.
    """
    if sites.frame is Frame.SCHEMATIC:
        near, _ = _by_walks(layout, sensors, sensors, neighbours, itself=False)
        edges = np.unique(np.concatenate([near, near[::-1]], axis=1), axis=1)
    elif len(sensors) > 1:
        some = Sites(sites.x[sensors], sites.y[sensors], sites.frame, unit=sites.unit)
        edges = nearest_neighbours(some, neighbours).edge_index
    else:
        edges = np.zeros((2, 0), np.int64)
    return _links(sites, edges, sensors, len(sensors), ends=sensors)


def links_to(sites: Sites, layout: Layout, sensors: Int[ndarray, " k"], nearest: int) -> Links:
    """Edges from the nearest sensors to every site, a sensor being its own nearest; none where none can be reached."""
    n, k = len(sites), len(sensors)
    if not k:
        return _links(sites, np.zeros((2, 0), np.int64), sensors, n)
    if sites.frame is Frame.SCHEMATIC:
        edges, walk = _by_walks(layout, sensors, np.arange(n), nearest, itself=True)
        return _links(sites, edges, sensors, n, length=walk)
    count = min(nearest, k)
    _, near = KDTree(sites.points[sensors]).query(sites.points, k=count)
    edges = np.stack([np.asarray(near).reshape(-1), np.repeat(np.arange(n), count)])
    return _links(sites, edges, sensors, n)


def place_features(sites: Sites) -> Float[ndarray, "n p"]:
    """Where each site is, as smooth waves over the extent of all; no column where nobody knows.

    Examples
    --------
    >>> place_features(Sites(np.array([0.0, 1.0, 2.0]), np.zeros(3), Frame.PLANAR)).shape  # y tells nothing
    (3, 7)
    """
    if sites.frame is Frame.SCHEMATIC:
        return np.zeros((len(sites), 0))
    centred = sites.points - sites.points.mean(axis=0)
    size = np.abs(centred).max(axis=0)
    axes = centred[:, size > 1e-6 * size.max()] / max(size.max(), 1e-12)
    waves = [wave(np.pi / 2 * frequency * axes) for frequency in _FREQUENCIES for wave in (np.sin, np.cos)]
    return np.concatenate([axes, *waves], axis=1)


def _links(
    sites: Sites,
    edges: Int[ndarray, "2 e"],
    sensors: Int[ndarray, " m"],
    receivers: int,
    *,
    ends: Int[ndarray, " n"] | None = None,
    weight: Float[ndarray, " e"] | None = None,
    length: Float[ndarray, " e"] | None = None,
) -> Links:
    """Links with their features; `sensors` and `ends` say which sites senders and receivers are."""
    order = np.lexsort((edges[0], edges[1]))
    edges = edges[:, order]
    crowd = (np.bincount(edges[1], minlength=receivers)[edges[1]], np.bincount(edges[0])[edges[0]])
    columns = [np.log1p(degree) for degree in crowd]
    if weight is not None:
        columns.append(_relative(weight[order]))
    if length is not None:
        columns.append(_relative(length[order]))
    if sites.frame is not Frame.SCHEMATIC:
        receiver = edges[1] if ends is None else ends[edges[1]]
        step = sites.points[sensors[edges[0]]] - sites.points[receiver]
        far = np.linalg.norm(step, axis=1)
        along = _directions(sites, step, receiver) / np.maximum(far, 1e-300)[:, None]
        columns += [_relative(far), *along.T]
    return Links(np.ascontiguousarray(edges, np.int64), np.stack(columns, axis=-1), len(sensors), receivers)


def _relative(size: Float[ndarray, " e"]) -> Float[ndarray, " e"]:
    """Logarithm of sizes over their median, in [-4, 4]."""
    some = size[size > 0]
    middle = float(np.median(some)) if len(some) else 1.0
    bounded: ndarray = np.clip(np.log(np.maximum(size, 1e-300) / middle), -4.0, 4.0)
    return bounded


def _directions(sites: Sites, step: Float[ndarray, "e d"], at: Int[ndarray, " e"]) -> Float[ndarray, "e 2"]:
    """Steps in the local plane: east and north on the Earth, else along x and y."""
    if sites.frame is not Frame.GEOGRAPHIC:
        return step
    longitude = np.radians(sites.x[at])
    east = np.stack([-np.sin(longitude), np.cos(longitude), np.zeros(len(at))], axis=-1)
    north = np.cross(sites.points[at], east)
    return np.stack([(step * east).sum(axis=1), (step * north).sum(axis=1)], axis=-1)


def _by_walks(
    layout: Layout, sensors: Int[ndarray, " k"], ends: Int[ndarray, " m"], count: int, *, itself: bool
) -> tuple[Int[ndarray, "2 e"], Float[ndarray, " e"]]:
    """The sensors that each end hears best through the graph, and how far away they are in terms of walks.

    A walk starts at an end, goes against the edges to a neighbour, more likely along a heavy edge, and goes on with a
    fixed chance. Far is a sensor that few walks visit: minus the logarithm of their expected number.
    """
    assert isinstance(layout, GraphLayout)
    n, k = layout.size, len(sensors)
    weight = coo_array((layout.edge_weight, (layout.edge_index[1], layout.edge_index[0])), shape=(n, n)).tocsr()
    total = np.asarray(weight.sum(axis=1)).ravel()
    step = diags_array(_STAY / np.where(total > 0, total, 1.0)) @ weight
    solver = splu(csc_array(eye_array(n) - step))
    best, where = np.zeros((len(ends), 0)), np.zeros((len(ends), 0), np.int64)
    for start in range(0, k, _CHUNK):
        some = np.arange(start, min(start + _CHUNK, k))
        goal = np.zeros((n, len(some)))
        goal[sensors[some], np.arange(len(some))] = 1.0
        visits = solver.solve(goal)[ends]
        if not itself:
            visits[ends[:, None] == sensors[some]] = 0.0
        best = np.concatenate([best, visits], axis=1)
        where = np.concatenate([where, np.broadcast_to(some, visits.shape)], axis=1)
        keep = np.argsort(-best, axis=1, kind="stable")[:, :count]
        best, where = np.take_along_axis(best, keep, axis=1), np.take_along_axis(where, keep, axis=1)
    heard = best > 1e-12
    edges = np.stack([where[heard], np.repeat(np.arange(len(ends)), heard.sum(axis=1))])
    return edges, 1.0 - np.log(best[heard] * (1 - _STAY))
