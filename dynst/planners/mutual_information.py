"""Greedy mutual information: sensors that tell most about the places without one."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.planners.base import PlannerSkipped, Task, finish_plan

__all__ = ["mutual_information_order", "plan"]

_LIMIT = 4000  # sites; the covariance and its inverse take 256 MB there, and grow with the square
_OPERATIONS = 4e9  # each pick costs n^2; beyond this many the rest follows by farthest point


def plan(task: Task, *, seed: int, shrinkage: float = 0.05) -> Plan:
    """Sites by the mutual information between sensors and the rest under a Gaussian field.

    The covariance is that of the training snapshots, averaged over the observed channels and shrunk towards its
    diagonal. It does not see how often a site reports; gains are weighted by that share.

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    shrinkage : float
        Weight of the diagonal, from 0 to 1.

    Raises
    ------
    PlannerSkipped
        On more than 4000 sites.

    Source
    ------
    Krause, Singh & Guestrin 2008, Near-optimal sensor placements in Gaussian processes, algorithm 1.
    """
    n = len(task.sites)
    if n > _LIMIT:
        raise PlannerSkipped(
            f"mutual_information keeps the covariance of all pairs of sites and stops at {_LIMIT} sites; "
            f"{n} came. Use a_optimal or pivoted_qr."
        )
    fixed, legal = task.sites.fixed, task.sites.legal
    count = min(len(legal), len(fixed) + max(1, int(_OPERATIONS / n**2)))
    order, ratio = mutual_information_order(
        _covariance(task, shrinkage), task.sites.role != 2, count, start=fixed, share=task.reporting
    )
    importance = np.zeros(n)
    importance[order] = ratio
    return finish_plan(
        task,
        order,
        importance,
        planner="mutual_information",
        importance_is="mutual information gained with the places without a sensor when the sensor is added, nat",
        seed=seed,
        provenance={"shrinkage": shrinkage},
    )


def _covariance(task: Task, shrinkage: float) -> Float[ndarray, "n n"]:
    snapshots, observed = task.train_snapshots, task.train.observed
    n = snapshots.shape[1]
    covariance = np.zeros((n, n))
    for channel in observed:
        values = snapshots[:, :, channel].astype(float)
        covariance += values.T @ values / (len(values) * len(observed))
        if task.train_known is not None:  # filled gaps vary less than values do
            true = (task.scaling.site_std[:, channel] / task.scaling.std[channel]).astype(float) ** 2
            covariance[np.diag_indices(n)] += np.maximum(true - (values**2).mean(axis=0), 0.0) / len(observed)
    power = np.diag(covariance).copy()
    covariance *= 1 - shrinkage
    covariance[np.diag_indices(n)] += shrinkage * power + 1e-6 * max(float(power.mean()), 1e-12)
    return covariance


def mutual_information_order(
    covariance: Float[ndarray, "n n"],
    free: ndarray,
    count: int,
    *,
    start: Int[ndarray, " j"],
    share: Float[ndarray, " n"] | None = None,
) -> tuple[Int[ndarray, " count"], Float[ndarray, " count"]]:
    """The first `count` sites and the information gained at each, times its `share`; `start` come first.

    The variance of a site given the sensors follows from a partial Cholesky decomposition, its variance given all
    other places without a sensor from the inverse of their covariance, which shrinks with every pick.
    """
    n = len(covariance)
    precision = np.linalg.inv(covariance)
    given_sensors = np.diag(covariance).copy()
    factor = np.zeros((count, n))
    rest, open_ = np.ones(n, bool), free.copy()
    order, gained = np.empty(count, np.int64), np.empty(count)
    for i in range(count):
        given_rest = 1.0 / np.where(rest, np.diag(precision), 1.0)
        ratio = np.log(np.maximum(given_sensors, 1e-300) / given_rest) / 2
        if share is not None:
            ratio = np.where(ratio > 0, ratio * share, ratio)
        site = int(start[i]) if i < len(start) else int(np.argmax(np.where(open_, ratio, -np.inf)))
        order[i], gained[i] = site, float(ratio[site])
        column = covariance[site] - factor[:i, site] @ factor[:i]
        factor[i] = column / np.sqrt(max(float(column[site]), 1e-300))
        given_sensors = given_sensors - factor[i] ** 2
        row = precision[site].copy()
        precision -= np.outer(row / row[site], row)
        open_[site], rest[site] = False, False
    return order, gained
