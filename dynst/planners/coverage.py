"""Coverage: every sensor as far as possible from all others, on the Earth or in the plane, whatever the data say."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from dynst.domain import Frame, GraphLayout, Plan, Sites
from dynst.planners.base import Task, finish_plan
from dynst.planners.farthest import farthest_point_gaps

__all__ = ["hop_gaps", "plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """Farthest-point ranking from the fixed sites, or from the site nearest the middle where none is fixed.

    Where nobody knows the positions, far is what takes many edges of the graph: its drawing bends the distances. The
    seed changes nothing: the ranking follows from positions or graph alone.
    """
    sites, layout = task.sites, task.train.layout
    if sites.frame is Frame.SCHEMATIC and isinstance(layout, GraphLayout):
        order, gap = hop_gaps(sites, layout)
        reach, unit = np.ones(len(sites)), "edges"
    else:
        order, gap = farthest_point_gaps(sites, sites.fixed, len(sites.legal) - len(sites.fixed))
        reach, unit = np.full(len(sites), np.inf), sites.distance_unit
    reach[order] = gap
    widest = float(reach[np.isfinite(reach)].max(initial=0.0))
    reach[np.isinf(reach)] = widest  # fixed sites and the first one stand before there is a distance to measure
    return finish_plan(
        task,
        order,
        sites.distance(reach),
        planner="coverage",
        importance_is=f"distance to the nearest sensor ranked before it, {unit}",
        seed=seed,
    )


def hop_gaps(sites: Sites, layout: GraphLayout) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """Legal sites, each the most edges away from the fixed ones and those before it, and how many edges that is.

    A part of the graph that has no sensor is farther than any distance: the largest comes first, at its site of most
    edges. Ties go to the lower index. The ranking ends when every site left is the neighbour of one in it.
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
    waiting = sites.fixed.tolist()
    while True:
        if waiting:
            pick = waiting.pop(0)
        else:
            gap = np.where(legal, distance, -1.0)
            most = float(gap.max())
            if most <= 1.0 and picks:
                return np.array(picks, np.int64), np.array(gaps)
            far = np.flatnonzero(gap == most)
            pick = int(far[np.lexsort((-degree[far], -members[far]))[0]] if np.isinf(most) else far[0])
        picks.append(pick)
        gaps.append(float(distance[pick]) if pick not in sites.fixed else np.inf)
        limit = min(float(len(sites)), float(distance.max()))
        near = dijkstra(graph, directed=False, unweighted=True, indices=pick, limit=limit)
        distance = np.minimum(distance, near)
        legal[pick] = False
