"""DynST on the linear forecaster: prune, drop and regrow, and swap by exact what-ifs, weights solved at every step."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.linear_evidence import LinearEvidence, linear_evidence, marginal_values
from dynst.planners.swaps import Bench, affordable_picks, greedy_order, swap_sweep

__all__ = ["IMPORTANCE_IS", "plan"]

IMPORTANCE_IS = "share of the linear forecast error that the sensor takes away, or would take away where there is none"
_ONE_BY_ONE = 64  # at most so many sensors: regrow one at a time by exact gain, so that twins never come together


def plan(
    task: Task,
    *,
    seed: int,
    ratio: float = 0.75,
    alpha: float = 0.3,
    rounds: int = 4,
    sweeps: int = 3,
) -> Plan:
    """Sensors left when the dense support is pruned by what the linear forecaster loses without each of them.

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Order in which sensors take their turn in the swaps.
    ratio : float
        Share of the sensors that a round of pruning leaves.
    alpha : float
        Share of the sensors exchanged in a round at the start; it falls to none along a half cosine.
    rounds : int
        Rounds of drop and regrow at the budget.
    sweeps : int
        Passes of exact swaps at the end, at most.

    Source
    ------
    Wu et al., arXiv 2403.02914 (the loop); docs/method.md (the solved weights, the exact scores, the constants).
    """
    evidence = linear_evidence(task)
    legal, k = task.sites.legal, task.budget
    targets = _targets(len(legal), k, ratio) + [k] * rounds
    support, best, lowest = legal, legal, math.inf
    for number, target in enumerate(targets, start=1):
        wanted = round(alpha / 2 * (1 + math.cos(math.pi * number / len(targets))) * target)
        count = max(1, wanted) if target == k else wanted
        count = min(count, target - len(task.sites.fixed), len(legal) - target)
        support = _round(evidence, task, support, target, max(0, count))
        if target == k:
            score = evidence.score(support)
            if score < lowest:
                best, lowest = support, score
    best, polish = swap_sweep(task, best, seed=seed, sweeps=sweeps, evidence=evidence)
    return finish_plan(
        task,
        greedy_order(evidence, task.sites, best),
        marginal_values(task, best),
        planner="dynst_linear",
        importance_is=IMPORTANCE_IS,
        seed=seed,
        provenance={"rounds": len(targets), "score": evidence.score(best), **polish, **evidence.notes},
    )


def _targets(dense: int, k: int, ratio: float) -> list[int]:
    targets, target = [], dense
    while target > k:
        target = max(k, math.floor(ratio * target))
        targets.append(target)
    return targets or [k]


def _round(
    evidence: LinearEvidence, task: Task, support: Int[ndarray, " j"], target: int, regrow: int
) -> Int[ndarray, " k"]:
    """One round: sensors of least loss leave until `target - regrow` are left, then `regrow` come back or anew."""
    loss = evidence.losses(support)
    loss[np.isin(support, task.sites.fixed)] = np.inf
    ranked = np.argsort(-loss, kind="stable")
    keep = np.sort(support[ranked[: target - regrow]])
    if not regrow:
        return keep
    if target > _ONE_BY_ONE or affordable_picks(evidence, evidence.shape[0], most=regrow) < regrow:
        free = np.setdiff1d(task.sites.legal, keep)
        value = evidence.gradient(keep, free)
        return np.sort(np.concatenate([keep, free[np.argsort(-value, kind="stable")[:regrow]]]))
    return _regrow_one_by_one(evidence, task, keep, regrow)


def _regrow_one_by_one(
    evidence: LinearEvidence, task: Task, keep: Int[ndarray, " j"], count: int
) -> Int[ndarray, " k"]:
    illegal = np.setdiff1d(np.arange(evidence.shape[0]), task.sites.legal)
    bench = Bench.of(evidence, keep)
    for _ in range(count):
        gains = bench.gains()
        gains[illegal] = -np.inf
        bench = bench.toggle(int(np.argmax(gains)))
    return bench.support
