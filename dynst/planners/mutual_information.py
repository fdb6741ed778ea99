"""Greedy mutual information: sensors that tell most about the places without one."""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.planners.base import PlannerSkipped, Task, finish_plan

__all__ = ["mutual_information_order", "plan"]

_LIMIT = 4000  # sites; the covariance and its inverse take 256 MB there, and grow with the square
_OPERATIONS = 2e9  # pick k costs n k; beyond this many the rest follows by farthest point


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
    count = min(len(legal), len(fixed) + max(1, int(math.sqrt(_OPERATIONS / n))))
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
    other places without a sensor from the inverse of their covariance, which shrinks with every pick: the same partial
    decomposition of the inverse. So pick `k` costs two products with `k` rows, and no matrix is updated.
    """
    n = len(covariance)
    precision = _inverse(covariance)
    given_sensors, told_by_rest = np.diag(covariance).copy(), np.diag(precision).copy()
    factor, taken = np.zeros((count, n)), np.zeros((count, n))
    rest, open_ = np.ones(n, bool), free.copy()
    order, gained = np.empty(count, np.int64), np.empty(count)
    for i in range(count):
        given_rest = 1.0 / np.where(rest, told_by_rest, 1.0)
        ratio = np.log(np.maximum(given_sensors, 1e-300) / given_rest) / 2
        if share is not None:
            ratio = np.where(ratio > 0, ratio * share, ratio)
        site = int(start[i]) if i < len(start) else int(np.argmax(np.where(open_, ratio, -np.inf)))
        order[i], gained[i] = site, float(ratio[site])
        factor[i] = _next_row(covariance, factor[:i], site)
        given_sensors -= factor[i] ** 2
        taken[i] = _next_row(precision, taken[:i], site)
        told_by_rest -= taken[i] ** 2
        open_[site], rest[site] = False, False
    return order, gained


def _next_row(matrix: Float[ndarray, "n n"], rows: Float[ndarray, "i n"], site: int) -> Float[ndarray, " n"]:
    """One more row of a partial Cholesky decomposition, at the pivot `site`."""
    left = matrix[site] - rows[:, site] @ rows
    row: ndarray = left / np.sqrt(max(float(left[site]), 1e-300))
    return row


def _inverse(covariance: Float[ndarray, "n n"]) -> Float[ndarray, "n n"]:
    """The inverse of a positive definite matrix, at half the cost of the inverse of any."""
    factor = scipy.linalg.cholesky(covariance, lower=True)
    lower, _ = scipy.linalg.lapack.dpotri(factor, lower=1, overwrite_c=1)  # above the diagonal: zero, as in the factor
    whole: ndarray = lower + lower.T
    whole[np.diag_indices(len(whole))] /= 2
    return whole
