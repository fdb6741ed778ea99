"""Greedy mutual information: sensors that tell most about the places without one."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.room import Room
from dynst.planners.base import PlannerSkipped, Task, finish_plan
from dynst.planners.greedy import greedy
from dynst.planners.options import PlannerOptions, Share

__all__ = ["Options", "mutual_information_order", "plan"]

_LIMIT = 4000  # sites; the covariance and its inverse take 256 MB there, and grow with the square
_OPERATIONS = 2e9  # pick k costs n k; beyond this many the rest follows by farthest point


@dataclass(frozen=True)
class Options(PlannerOptions):
    """Options of `plan`.

    Parameters
    ----------
    shrinkage : float
        Weight of the diagonal of the covariance, from 0 to 1.
    """

    shrinkage: Share = 0.05


def plan(task: Task, *, seed: int, options: Options = Options()) -> Plan:
    """Sites by the mutual information between sensors and the rest under a Gaussian field.

    The covariance is that of the training snapshots, averaged over the observed channels and shrunk towards its
    diagonal. It does not see how often a site reports; gains are weighted by that share.

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    options : Options
        Shrinkage of the covariance.

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
    room = task.room()
    order, ratio = mutual_information_order(
        _covariance(task, options.shrinkage), room, count, first=fixed, share=task.reporting
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
        provenance={"shrinkage": options.shrinkage},
        room=room,
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
    room: Room,
    count: int,
    *,
    first: Int[ndarray, " j"] | None = None,
    share: Float[ndarray, " n"] | None = None,
) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """At most `count` sites and the information gained at each, times its `share`; `first` come first."""
    return greedy(_Information(covariance, count, share), room, count, first=first)


class _Information:
    """Information between the sensors and the places without one.

    The variance of a site given the sensors follows from a partial Cholesky decomposition, its variance given all
    other places without a sensor from the inverse of their covariance, which shrinks with every pick: the same partial
    decomposition of the inverse. So pick `k` costs two products with `k` rows, and no matrix is updated.
    """

    def __init__(self, covariance: Float[ndarray, "n n"], count: int, share: Float[ndarray, " n"] | None) -> None:
        n = len(covariance)
        self._covariance, self._precision = covariance, _inverse(covariance)
        self._given_sensors = np.diag(covariance).copy()
        self._told_by_rest = np.diag(self._precision).copy()
        self._factor, self._taken = np.zeros((count, n)), np.zeros((count, n))
        self._rest = np.ones(n, bool)
        self._picks = 0
        self._share = share

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Information gained with each site."""
        given_rest = 1.0 / np.where(self._rest, self._told_by_rest, 1.0)
        ratio: ndarray = np.log(np.maximum(self._given_sensors, 1e-300) / given_rest) / 2
        if self._share is not None:
            ratio = np.where(ratio > 0, ratio * self._share, ratio)
        return ratio

    def add(self, site: int) -> None:
        """Take a site from the places without a sensor."""
        i = self._picks
        self._factor[i] = _next_row(self._covariance, self._factor[:i], site)
        self._given_sensors -= self._factor[i] ** 2
        self._taken[i] = _next_row(self._precision, self._taken[:i], site)
        self._told_by_rest -= self._taken[i] ** 2
        self._rest[site] = False
        self._picks += 1


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
