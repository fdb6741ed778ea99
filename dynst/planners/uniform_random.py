"""Random plans: the floor that every other planner has to beat."""

from __future__ import annotations

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan, ranking_in_turn

__all__ = ["plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """All legal sites in random order, uniform over permutations; each in its turn, if the rules let it in."""
    legal = task.sites.legal
    order = ranking_in_turn(task, np.random.default_rng(seed).permutation(legal))
    importance = np.zeros(len(task.sites))
    importance[order] = 1.0 - np.arange(len(order)) / len(order)
    return finish_plan(
        task, order, importance, planner="uniform_random", importance_is="place in a random order", seed=seed
    )
