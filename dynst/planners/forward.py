"""Greedy forward selection: each sensor lowers the error of the linear forecast the most."""

from __future__ import annotations

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.linear_evidence import LinearEvidence, forecast_evidence, share
from dynst.planners.swaps import Bench, affordable_picks

__all__ = ["plan"]


def plan(task: Task, *, seed: int, penalty: float = 0.01) -> Plan:
    """Sites by the exact fall of the penalised training error of a ridge from histories to the future field.

    The plain form of what `dynst_linear` does: one term, targets as they are, no synthetic windows, no way back.
    All gains are exact, each from the window-by-window Gram matrix, so a pick costs time linear in the sites.
    The rest, beyond the operations allowed, follows by farthest point.

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    penalty : float
        Ridge penalty per window.
    """
    evidence = forecast_evidence(task, penalty=penalty)
    order, gain = _greedy(evidence, task)
    importance = np.zeros(len(task.sites))
    importance[order] = share(gain)
    return finish_plan(
        task,
        order,
        importance,
        planner="forward",
        importance_is="share of the linear forecast error that the sensor removes when it is added",
        seed=seed,
        provenance=dict(evidence.notes),
    )


def _greedy(evidence: LinearEvidence, task: Task) -> tuple[np.ndarray, np.ndarray]:
    fixed, legal = task.sites.fixed.tolist(), task.sites.legal
    count = len(fixed) + affordable_picks(evidence, len(legal), most=len(legal) - len(fixed))
    bench = Bench.of(evidence, np.zeros(0, np.int64), legal) if count else None
    order, gained = np.empty(count, np.int64), np.empty(count)
    for i in range(count):
        assert bench is not None
        gains = bench.gains()
        at = int(np.searchsorted(legal, fixed[i])) if i < len(fixed) else int(np.argmax(gains))
        order[i], gained[i] = legal[at], max(float(gains[at]), 0.0)
        bench = bench.toggle(int(legal[at]))
    return order, gained
