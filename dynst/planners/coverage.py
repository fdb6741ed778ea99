"""Coverage: every sensor as far as possible from all others, on the Earth or in the plane, whatever the data say."""

from __future__ import annotations

import numpy as np

from dynst.domain import Frame, GraphLayout, Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.farthest import farthest_point_gaps, hop_gaps

__all__ = ["plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """Farthest-point ranking from the fixed sites, or from the site nearest the middle where none is fixed.

    Where nobody knows the positions, far is what takes many edges of the graph: its drawing bends the distances. The
    seed changes nothing: the ranking follows from positions or graph alone.
    """
    sites, layout = task.sites, task.train.layout
    if sites.frame is Frame.SCHEMATIC and isinstance(layout, GraphLayout):
        order, gap = hop_gaps(sites, layout, sites.fixed)
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
