"""Greedy A-optimal design: each sensor lowers the expected error of the reconstructed field the most."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.modal import ModalField, modal_field, useful_picks

__all__ = ["a_optimal_order", "plan"]


def plan(task: Task, *, seed: int) -> Plan:
    """Sites by the fall of the area-weighted error variance of the leading modes; the seed changes nothing.

    Modes are Gaussian with their training variance, sensors see them through the variance of their site outside the
    modes. Beyond 5 picks per mode the rest follows by farthest point, on large fields from the budget on
    (`useful_picks`).
    """
    field = modal_field(task)
    count = useful_picks(task, field)
    order, fall = a_optimal_order(field, task.sites.role != 2, count, start=task.sites.fixed)
    importance = np.zeros(len(task.sites))
    importance[order] = fall / max(float((field.amplitude**2).sum()), 1e-300)
    return finish_plan(
        task,
        order,
        importance,
        planner="a_optimal",
        importance_is="share of the variance of the leading modes that the sensor explains when it is added",
        seed=seed,
        provenance={"modes": field.rank},
    )


def a_optimal_order(
    field: ModalField, free: ndarray, count: int, *, start: Int[ndarray, " j"]
) -> tuple[Int[ndarray, " count"], Float[ndarray, " count"]]:
    """The first `count` sites and the fall of the trace of the posterior covariance at each; `start` come first.

    With coefficients scaled to unit variance and posterior covariance P, a site with view V and noise R lowers the
    trace of S P S (S the amplitudes) by ``tr((V P V' + R)^-1 V P S S P V')``. Both matrices are kept for every site
    and follow from two products with the views when a sensor is added: ``O(n r)`` a pick for any number of picks.
    """
    n, c, r = field.view.shape
    flat = np.ascontiguousarray(field.view.reshape(n * c, r))
    square = field.amplitude**2
    posterior = np.eye(r)
    seen = np.einsum("ncr,ndr->ncd", field.view, field.view) + field.noise[:, :, None] * np.eye(c)
    worth = np.einsum("ncr,ndr->ncd", field.view * square, field.view)
    open_ = free.copy()
    order, fall = np.empty(count, np.int64), np.empty(count)
    for i in range(count):
        gain = worth[:, 0, 0] / seen[:, 0, 0] if c == 1 else np.trace(np.linalg.solve(seen, worth), axis1=1, axis2=2)
        site = int(start[i]) if i < len(start) else int(np.argmax(np.where(open_, gain, -np.inf)))
        order[i], fall[i] = site, max(float(gain[site]), 0.0)
        open_[site] = False
        root = np.linalg.cholesky((seen[site] + seen[site].T) / 2)
        vectors = np.linalg.solve(root, field.view[site] @ posterior)  # c x r, P' = P - vectors' vectors
        weighted = vectors * square
        g = (flat @ vectors.T).reshape(n, c, c)
        e = (flat @ (weighted @ posterior).T).reshape(n, c, c)
        gt, inner = g.transpose(0, 2, 1), weighted @ vectors.T
        if c == 1:
            seen -= g * g
            worth += g * g * inner[0, 0] - 2 * g * e
        else:
            cross = e @ gt
            seen -= g @ gt
            worth += g @ inner @ gt - cross - cross.transpose(0, 2, 1)
        posterior = posterior - vectors.T @ vectors
    return order, fall
