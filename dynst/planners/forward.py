"""Greedy forward selection: each sensor lowers the training error of a linear forecast the most."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from dynst.backbones.spacetime import Form
from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.bench import Bench
from dynst.planners.exchange import OnBench, exact_picks
from dynst.planners.greedy import greedy
from dynst.planners.options import PlannerOptions, Positive

__all__ = ["Options", "plan"]


@dataclass(frozen=True)
class Options(PlannerOptions):
    """Options of `plan`.

    Parameters
    ----------
    penalty : float
        Penalty of the ridge, in variances of a site; more than 0.
    """

    penalty: Positive = 0.01


def plan(task: Task, *, seed: int, options: Options = Options()) -> Plan:
    """Sites by the exact fall of the penalised training error of a ridge from histories to the future field.

    The plain form of what `dynst_linear` does: the sample covariance alone, little noise, the present field is no
    target, and there is no way back. Beyond what is asked, and beyond the operations allowed, the rest follows by
    farthest point.

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    options : Options
        Penalty of the ridge.
    """
    form = Form(memory=0.0, kernel=0.0, noise=options.penalty)
    error = replace(task.expected_error, form=form, present=False, reporting=None)
    legal = task.sites.legal
    count = exact_picks(error, len(legal), most=task.budget)
    bench = Bench.of(error, np.zeros(0, np.int64), legal)
    room = task.room()
    worth = OnBench(bench)
    order, removed = greedy(worth, room, count, first=task.sites.fixed)
    importance = np.zeros(len(task.sites))
    importance[order] = removed / worth.remaining
    return finish_plan(
        task,
        order,
        importance,
        planner="forward",
        importance_is="share of the linear forecast error that the sensor removes when it is added",
        seed=seed,
        room=room,
    )
