"""Column-pivoted QR of the leading modes: each sensor sees most of what the sensors before it cannot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.room import Room
from dynst.planners.base import Task, finish_plan
from dynst.planners.greedy import greedy
from dynst.planners.modal import RANK, modal_field
from dynst.planners.options import Count, PlannerOptions

__all__ = ["Options", "pivots", "plan"]

_LOST = 1e-8  # powers that fell by this much since they were computed have lost half of their digits
_NOTHING = 1e-20  # power relative to the largest below which nothing is left to see
_DEPENDENT = 1e-10  # length of a column beyond the span, relative to its own, below which it lies in it


@dataclass(frozen=True)
class Options(PlannerOptions):
    """Options of `plan`.

    Parameters
    ----------
    rank : int or None
        Modes kept, at least 1; the budget times the number of observed channels, at most 100, if None.
    scaled : bool
        Whether modes count by their amplitude.
    """

    rank: Count | None = None
    scaled: bool = True


def plan(task: Task, *, seed: int, options: Options = Options()) -> Plan:
    """Sites by the pivots of the modes' matrix, a site with several observed channels being a block of columns.

    There are as many modes as the sensors measure values, at most 100: with more of them a small plan chases what it
    cannot hold. Modes are scaled by their amplitude, so the pivots are those of the (filtered) data themselves; the
    published form counts all modes alike (``scaled=False``). When the modes are used up, the rest follows by farthest
    point: pivoting once more among the sites that are left was no better (docs/method.md).

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    options : Options
        Number of modes, and whether they are scaled.

    Source
    ------
    Manohar et al. 2018, Data-driven sparse sensor placement for reconstruction.
    """
    measured = task.budget * len(task.train.observed)
    field = modal_field(task, rank=options.rank or min(RANK, measured))
    blocks = field.view if options.scaled else field.view / field.amplitude
    fixed, room = task.sites.fixed, task.room()
    chosen, norm = pivots(blocks, room, len(fixed) + field.rank, first=fixed)
    if len(chosen) == len(fixed):  # the fixed sites alone use up the modes
        chosen, norm = pivots(blocks, room, field.rank)
    else:
        chosen, norm = chosen[len(fixed) :], norm[len(fixed) :]
    importance = np.zeros(len(task.sites))
    importance[chosen] = norm
    importance[fixed] = norm.max(initial=0.0)
    return finish_plan(
        task,
        chosen,
        importance,
        planner="pivoted_qr",
        importance_is="amplitude of the leading modes that the sensors before it do not see",
        seed=seed,
        provenance={"modes": field.rank, "scaled": options.scaled},
        room=room,
    )


def pivots(
    blocks: Float[ndarray, "n c r"], room: Room, count: int, *, first: Int[ndarray, " j"] | None = None
) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """Pivots of a QR decomposition by Gram-Schmidt, at most `count` and only where there is room.

    For one channel these are the pivots of LAPACK's ``geqp3``. Each pick costs one product with the matrix, so `k`
    picks cost ``n c r k`` and not a whole decomposition. Picks end when nothing new is left to see.

    Parameters
    ----------
    blocks : Float[ndarray, "n c r"]
        Columns of each site.
    room : Room
        Where a sensor may stand.
    count : int
        How many, at most; `first` among them.
    first : Int[ndarray, "j"] or None
        Sites that are picked first.

    Returns
    -------
    Int[ndarray, "k"]
        Sites, in order.
    Float[ndarray, "k"]
        Norm of what is left of each when it is picked.
    """
    chosen, power = greedy(_Unseen(blocks), room, count, first=first)
    return chosen, np.sqrt(np.maximum(power, 0.0))


class _Unseen:
    """What the columns of each site have beyond the span of those taken out, as its power: the sum of squares."""

    def __init__(self, blocks: Float[ndarray, "n c r"]) -> None:
        n, self._channels, rank = blocks.shape
        self._flat = np.ascontiguousarray(blocks.reshape(n * self._channels, rank))
        self._basis = np.empty((rank, rank))
        self._size = 0
        self.power = self._by_site(np.einsum("nr,nr->n", self._flat, self._flat))
        self._most = float(self.power.max(initial=0.0))
        self._checked = self._most  # the largest when power was last computed afresh

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Power of each site; minus infinity when nothing is left to see."""
        largest = self._largest(free)
        if largest < _LOST * self._checked:  # updates have lost the digits
            self._compute_afresh()
            largest = self._largest(free)
            self._checked = max(largest, 0.0)
        if self.used_up or largest <= _NOTHING * self._most:
            return np.full(len(self.power), -np.inf)
        return self.power

    def add(self, site: int) -> None:
        """Add the columns of a site to the span."""
        for column in range(site * self._channels, (site + 1) * self._channels):
            self._extend(self._flat[column])

    @property
    def used_up(self) -> bool:
        """Whether the columns taken out span everything."""
        return self._size == len(self._basis)

    def _largest(self, free: Bool[ndarray, " n"]) -> float:
        return float(self.power.max(initial=-1.0, where=free))

    def _compute_afresh(self) -> None:
        """The powers without the rounding of the updates."""
        basis = self._basis[: self._size]
        rest = self._flat - (self._flat @ basis.T) @ basis
        self.power = self._by_site(np.einsum("nr,nr->n", rest, rest))

    def _extend(self, vector: Float[ndarray, " r"]) -> None:
        basis = self._basis[: self._size]
        rest = vector - (vector @ basis.T) @ basis
        rest -= (rest @ basis.T) @ basis  # once more: Gram-Schmidt twice is enough
        length = float(np.sqrt(rest @ rest))
        if self.used_up or length <= _DEPENDENT * max(float(np.sqrt(vector @ vector)), 1e-300):
            return
        rest /= length
        self._basis[self._size] = rest
        self._size += 1
        seen = self._flat @ rest
        seen *= seen
        self.power -= self._by_site(seen)

    def _by_site(self, values: Float[ndarray, " m"]) -> Float[ndarray, " n"]:
        return values if self._channels == 1 else values.reshape(-1, self._channels).sum(axis=1)
