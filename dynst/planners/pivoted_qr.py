"""Column-pivoted QR of the leading modes: each sensor sees most of what the sensors before it cannot."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan
from dynst.planners.modal import RANK, REACH, modal_field

__all__ = ["pivots", "plan"]


def plan(task: Task, *, seed: int, rank: int | None = None, scaled: bool = True) -> Plan:
    """Sites by the pivots of the modes' matrix, a site with several observed channels being a block of columns.

    Modes are scaled by their amplitude, so the pivots are those of the (filtered) data themselves and a prefix of the
    ranking is the plan for a smaller budget. The published form, as many modes as sensors and all of them alike, is
    ``rank=budget, scaled=False``; its error was the same within noise on rolling origins, while with 100 modes that
    all count alike a small plan chases the last of them and is no better than chance (docs/method.md).

    When the modes are used up, the pivoting starts again among the sites that are left, up to 5 sites per mode; the
    rest follows by farthest point.

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    rank : int or None
        Modes kept; 100 if left out.
    scaled : bool
        Whether modes count by their amplitude.

    Source
    ------
    Manohar et al. 2018, Data-driven sparse sensor placement for reconstruction.
    """
    field = modal_field(task, rank=RANK if rank is None else rank)
    blocks = field.view if scaled else field.view / field.amplitude
    free = task.sites.role == 0
    chosen, importance = np.zeros(0, np.int64), np.zeros(len(task.sites))
    start, passes = task.sites.fixed, 0
    while len(chosen) < REACH * field.rank and free.any():
        count = min(int(free.sum()), REACH * field.rank - len(chosen))
        picks, norm = pivots(blocks, free, count, start=start)
        if not len(picks):
            if not len(start):
                break
            start = start[:0]  # the fixed sites alone use up the modes
            continue
        passes += 1
        chosen = np.concatenate([chosen, picks])
        importance[picks] = norm / passes
        free[picks] = False
        start = start[:0]
    importance[task.sites.fixed] = importance.max(initial=0.0)
    return finish_plan(
        task,
        chosen,
        importance,
        planner="pivoted_qr",
        importance_is="amplitude of the leading modes that the sensors before it do not see, by pass over the sites",
        seed=seed,
        provenance={"modes": field.rank, "scaled": scaled, "passes": passes},
    )


def pivots(
    blocks: Float[ndarray, "n c r"], free: ndarray, count: int, *, start: Int[ndarray, " j"] | None = None
) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """Pivots of a QR decomposition by Gram-Schmidt, at most `count` and only among `free` sites.

    For one channel these are the pivots of LAPACK's ``geqp3``. Each pick costs one product with the matrix, so `k`
    picks cost ``n c r k`` and not a whole decomposition. Picks end when nothing new is left to see.

    Parameters
    ----------
    blocks : Float[ndarray, "n c r"]
        Columns of each site.
    free : Bool[ndarray, "n"]
        Sites that may be picked.
    count : int
        How many, at most.
    start : Int[ndarray, "j"] or None
        Sites seen already: their columns are taken out first.

    Returns
    -------
    Int[ndarray, "k"]
        Sites, in order.
    Float[ndarray, "k"]
        Norm of what is left of each when it is picked.
    """
    n, c, r = blocks.shape
    flat = np.ascontiguousarray(blocks.reshape(n * c, r))
    left = np.einsum("ncr,ncr->n", blocks, blocks)
    full = float(left.max(initial=0.0))
    checked = full  # the largest norm when the norms were last computed and not updated
    basis = np.zeros((0, r))
    picks: list[int] = []
    norms: list[float] = []
    first = [] if start is None else np.asarray(start).tolist()
    while len(picks) < count and len(basis) < r:
        if first:
            site = first.pop(0)
        else:
            candidates = np.where(free, left, -1.0)
            candidates[picks] = -1.0
            site = int(np.argmax(candidates))
            if candidates[site] < 1e-8 * checked:  # updates have lost the digits: compute afresh
                rest = flat - (flat @ basis.T) @ basis
                left = np.einsum("nr,nr->n", rest, rest).reshape(n, c).sum(axis=1)
                candidates = np.where(free, left, -1.0)
                candidates[picks] = -1.0
                site = int(np.argmax(candidates))
                checked = max(float(candidates[site]), 0.0)
            if candidates[site] <= 1e-20 * full:
                break
            picks.append(site)
            norms.append(float(np.sqrt(max(left[site], 0.0))))
        for column in range(c):
            vector = flat[site * c + column]
            rest = vector - (vector @ basis.T) @ basis
            rest -= (rest @ basis.T) @ basis  # once more: Gram-Schmidt twice is enough
            length = float(np.linalg.norm(rest))
            if length <= 1e-10 * max(float(np.linalg.norm(vector)), 1e-300) or len(basis) == r:
                continue
            basis = np.concatenate([basis, rest[None] / length])
            left = left - ((flat @ basis[-1]) ** 2).reshape(n, c).sum(axis=1)
    return np.array(picks, np.int64), np.array(norms)
