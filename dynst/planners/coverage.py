"""Coverage: every sensor as far as possible from all others, on the Earth or in the plane, whatever the data say."""

from __future__ import annotations

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import RANKED_BEYOND, Task, finish_plan
from dynst.planners.farthest import farthest_in_room, farthest_point_gaps, graph_alone, hop_gaps

__all__ = ["plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """Farthest-point ranking from the fixed sites, or from the site nearest the middle where none is fixed.

    Where nobody knows the positions, far is what takes many edges of the graph: its drawing bends the distances. The
    seed changes nothing: the ranking follows from positions or graph alone.
    """
    sites, layout = task.sites, task.train.layout
    graph = graph_alone(sites, layout)
    reach = np.full(len(sites), np.inf) if graph is None else np.ones(len(sites))
    unit = sites.distance_unit if graph is None else "edges"
    room = task.room()
    if sites.spacing is not None:
        for site in sites.fixed.tolist():
            room.add(site)
        order, gap = farthest_in_room(room, layout, task.budget - len(sites.fixed) + RANKED_BEYOND)
    elif graph is not None:
        order, gap = hop_gaps(sites, graph, sites.fixed)
    else:
        order, gap = farthest_point_gaps(sites, sites.fixed, len(sites.legal) - len(sites.fixed))
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
        room=room,
    )
