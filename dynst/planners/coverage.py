"""Coverage: every sensor as far as possible from all others, on the Earth or in the plane, whatever the data say."""

from __future__ import annotations

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.farthest import farthest_point_gaps

__all__ = ["plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """Farthest-point ranking from the fixed sites, or from the site nearest the middle where none is fixed.

    The seed changes nothing: the ranking follows from the positions alone.
    """
    sites = task.sites
    order, gap = farthest_point_gaps(sites, sites.fixed, len(sites.legal) - len(sites.fixed))
    reach = np.full(len(sites), np.inf)
    reach[order] = gap
    widest = float(gap[np.isfinite(gap)].max(initial=0.0))
    reach[np.isinf(reach)] = widest  # fixed sites and the first one stand before there is a distance to measure
    return finish_plan(
        task,
        order,
        sites.distance(reach),
        planner="coverage",
        importance_is=f"distance to the nearest sensor ranked before it, {sites.distance_unit}",
        seed=seed,
    )
