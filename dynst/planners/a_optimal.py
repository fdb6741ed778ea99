"""Greedy A-optimal design: each sensor lowers the expected error of the reconstructed field the most."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.room import Room
from dynst.planners.base import Task, finish_plan
from dynst.planners.greedy import greedy
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
    room = task.room()
    order, fall = a_optimal_order(field, room, count, first=task.sites.fixed)
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
        room=room,
    )


def a_optimal_order(
    field: ModalField, room: Room, count: int, *, first: Int[ndarray, " j"] | None = None
) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """At most `count` sites and the fall of the trace of the posterior covariance at each; `first` come first."""
    order, fall = greedy(_Posterior(field), room, count, first=first)
    return order, np.maximum(fall, 0.0)


class _Posterior:
    """What the sensors leave unknown of the modes, and what each site would tell of it.

    With coefficients scaled to unit variance and posterior covariance P, a site with view V and noise R lowers the
    trace of S P S (S the amplitudes) by ``tr((V P V' + R)^-1 V P S S P V')``. Both matrices are kept for every site
    and follow from two products with the views when a sensor is added: ``O(n r)`` a pick for any number of picks.
    """

    def __init__(self, field: ModalField) -> None:
        n, c, r = field.view.shape
        self._view = field.view
        self._flat = np.ascontiguousarray(field.view.reshape(n * c, r))
        self._square = field.amplitude**2
        self._covariance = np.eye(r)
        own = np.einsum("ncr,ndr->ncd", field.view, field.view)
        self._seen = own + field.noise[:, :, None] * np.eye(c)
        self._worth = np.einsum("ncr,ndr->ncd", field.view * self._square, field.view)

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Fall of the trace with each site."""
        if self._seen.shape[1] == 1:
            return np.asarray(self._worth[:, 0, 0] / self._seen[:, 0, 0])
        solved = np.linalg.solve(self._seen, self._worth)
        return np.asarray(np.trace(solved, axis1=1, axis2=2))

    def add(self, site: int) -> None:
        """Learn what a sensor tells."""
        n, c = self._seen.shape[:2]
        own = self._seen[site]
        root = np.linalg.cholesky((own + own.T) / 2)
        vectors = np.linalg.solve(root, self._view[site] @ self._covariance)  # c x r, P' = P - vectors' vectors
        weighted = vectors * self._square
        g = (self._flat @ vectors.T).reshape(n, c, c)
        e = (self._flat @ (weighted @ self._covariance).T).reshape(n, c, c)
        inner = weighted @ vectors.T
        if c == 1:
            self._seen -= g * g
            self._worth += g * g * inner[0, 0] - 2 * g * e
        else:
            gt = g.transpose(0, 2, 1)
            cross = e @ gt
            self._seen -= g @ gt
            self._worth += g @ inner @ gt - cross - cross.transpose(0, 2, 1)
        self._covariance = self._covariance - vectors.T @ vectors
