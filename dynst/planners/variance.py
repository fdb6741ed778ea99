"""Variance ranking: sensors where the field moves most. Cheap, common, and bad; kept as a warning."""

from __future__ import annotations

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan, ranking_in_turn

__all__ = ["plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """Sites by the training variance of their observed channels, each in units of the channel's mean variance.

    A silent sensor reads the mean, so the variance counts by the share of the time that the site reports. The seed
    changes nothing.
    """
    scaling, observed = task.scaling, task.train.observed
    ratio = (scaling.site_std / scaling.std).astype(float)[:, observed]
    variance = (ratio**2 * scaling.share[:, observed]).sum(axis=1)
    legal = task.sites.legal
    order = legal[np.argsort(-variance[legal], kind="stable")]
    return finish_plan(
        task,
        ranking_in_turn(task, order),
        variance,
        planner="variance",
        importance_is="training variance of the observed channels, 1 = mean of the channel",
        seed=seed,
    )
