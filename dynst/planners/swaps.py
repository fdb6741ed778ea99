"""One sensor at a time under the linear forecaster: add the best, take one out, swap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Role, Sites
from dynst.planners.base import Task
from dynst.planners.farthest import farthest_point
from dynst.planners.linear_evidence import LinearEvidence, Solved, change, linear_evidence

__all__ = ["Bench", "affordable_picks", "affordable_sweeps", "greedy_order", "swap_sweep"]

_TOLERANCE = 1e-4  # smallest fall of the score that counts; below 1e-2 further search is noise (docs/method.md)
_OPERATIONS = 1e11  # multiplications that swaps or a greedy order may cost: about 15 s on one core


_PICKS = 64  # sensors ordered one by one by exact gain
_BYTES = 1 << 30  # that the moments of a bench may take at the worst moment of a swap,
_COPIES = 9  # when so many matrices of f x f numbers per site and term are alive (measured)


@dataclass(frozen=True, eq=False)
class Bench:
    """A set of sensors with the exact worth of every site, kept up to date as sensors come and go.

    Adding or taking one sensor changes ``H`` by rank f. So the moments of all sites follow from two products with
    the matrix of histories, 2 f columns wide, instead of a new inverse and its product.

    Parameters
    ----------
    evidence : LinearEvidence
        Where the numbers come from.
    sites : Int[ndarray, "s"]
        Sites on the bench, increasing.
    active : Bool[ndarray, "s"]
        Which of them are sensors.
    solved, moments : list
        Per term, see `LinearEvidence`.
    """

    evidence: LinearEvidence
    sites: Int[ndarray, " s"]
    histories: Float[ndarray, "s f m"]
    active: Bool[ndarray, " s"]
    solved: list[Solved]
    moments: list[tuple[ndarray, ndarray]]

    @classmethod
    def of(
        cls, evidence: LinearEvidence, support: Int[ndarray, " k"], sites: Int[ndarray, " s"] | None = None
    ) -> Bench:
        """A bench with the sensors at `support`, over `sites` (all if left out), which hold `support`."""
        everything = np.arange(evidence.shape[0])
        sites = everything if sites is None else np.sort(sites)
        histories = evidence.histories if len(sites) == len(everything) else evidence.histories[sites]
        solved = evidence.solve(support)
        active = np.zeros(len(sites), bool)
        active[np.searchsorted(sites, support)] = True
        return cls(evidence, sites, histories, active, solved, evidence.moments(solved, sites))

    @property
    def support(self) -> Int[ndarray, " k"]:
        """The sensors, increasing."""
        support: ndarray = self.sites[self.active]
        return support

    @property
    def score(self) -> float:
        """Mean log error."""
        return self.evidence.score_of(self.solved)

    def gains(self) -> Float[ndarray, " s"]:
        """Fall of the score when each site of the bench is added; minus infinity for a sensor."""
        value = change(self.moments, [state.error for state in self.solved], 1.0)
        return np.where(self.active, -np.inf, value)

    def toggle(self, site: int) -> Bench:
        """The bench after one site was added or, if it is a sensor, taken out."""
        at = int(np.searchsorted(self.sites, site))
        sign = -1.0 if self.active[at] else 1.0
        active = self.active.copy()
        active[at] = not active[at]
        solved, moments = [], []
        for term, state, (d, c) in zip(self.evidence.terms, self.solved, self.moments, strict=True):
            flat = self.histories.reshape(-1, self.histories.shape[2])[:, : term.rows]
            f = d.shape[1]
            own = flat[at * f : (at + 1) * f]
            u, b = own @ state.inverse, own @ state.answer  # f x rows, f x r
            middle = sign * np.linalg.inv(np.eye(f) + sign * d[at])
            middle = (middle + middle.T) / 2
            both = (flat @ np.concatenate([u, b @ state.answer.T]).T).reshape(len(d), f, 2 * f)
            g, e = both[:, :, :f], both[:, :, f:]  # X_s' H X_a and B_s B_a'
            gm = g @ middle
            gt = g.transpose(0, 2, 1)
            cross = gm @ e.transpose(0, 2, 1)
            moments.append((d - gm @ gt, c - cross - cross.transpose(0, 2, 1) + gm @ (b @ b.T) @ middle @ gt))
            drop = middle @ b
            inverse = state.inverse - u.T @ middle @ u
            answer = state.answer - u.T @ drop
            solved.append(Solved(inverse, answer, state.error - float(np.einsum("fr,fr->", b, drop))))
        return Bench(self.evidence, self.sites, self.histories, active, solved, moments)

    def refreshed(self) -> Bench:
        """The same, computed from the start: rounding of many steps is gone."""
        return Bench.of(self.evidence, self.support, self.sites)


def affordable_picks(evidence: LinearEvidence, sites: int, *, most: int) -> int:
    """How many picks over a bench of `sites`, at most `most`, fit into operations and memory: no clock is asked."""
    _, f, m = evidence.shape
    if _COPIES * 8 * sites * f * f * len(evidence.terms) > _BYTES:
        return 0
    return int(min(most, _OPERATIONS // (4 * m * f * f * max(1, sites) * len(evidence.terms))))


def affordable_sweeps(evidence: LinearEvidence, sensors: int, *, most: int) -> int:
    """How many passes of swaps over `sensors`, at most `most`, fit into the operations allowed."""
    n = evidence.shape[0]
    return affordable_picks(evidence, n, most=2 * most * max(1, sensors)) // (2 * max(1, sensors))


def greedy_order(evidence: LinearEvidence, sites: Sites, selected: Int[ndarray, " k"]) -> Int[ndarray, " k"]:
    """The selected sites in the order of building: fixed ones, then each time the one with the largest gain.

    After 64 picks, or where they would cost too much, the rest of the selected sites follows by farthest point: gains
    are by then too small to tell sites apart, and neighbours would come one after the other.
    """
    free = np.setdiff1d(selected, sites.fixed)
    picks = affordable_picks(evidence, len(selected), most=min(_PICKS, len(free)))
    order = sites.fixed.tolist()
    bench = Bench.of(evidence, sites.fixed, np.concatenate([sites.fixed, free])) if picks else None
    for _ in range(picks):
        assert bench is not None
        best = int(bench.sites[np.argmax(bench.gains())])
        order.append(best)
        bench = bench.toggle(best)
    role = np.full(len(sites), Role.FORBIDDEN, np.int8)
    role[selected] = Role.CANDIDATE
    head = np.array(order, np.int64)
    return np.concatenate([head, farthest_point(sites.with_role(role), head, len(selected) - len(head))])


def swap_sweep(
    task: Task, selected: Int[ndarray, " k"], *, seed: int, sweeps: int = 1, evidence: LinearEvidence | None = None
) -> tuple[Int[ndarray, " k"], dict[str, int]]:
    """Sensors after exact swaps: each in turn leaves, and the best legal site comes if the score falls by it.

    Sensors take their turn in a seeded random order. Fixed sites stay and forbidden ones never come. Fewer sweeps
    run where the operations allowed do not suffice, none if not even one fits.

    Parameters
    ----------
    task : Task
        Whose sites and training windows to use.
    selected : Int[ndarray, "k"]
        The sensors of a plan.
    seed : int
        Order of the turns.
    sweeps : int
        Passes over the sensors, at most; a pass without a swap ends the search.

    evidence : LinearEvidence or None
        Scores to use; those of the task if left out.

    Returns
    -------
    Int[ndarray, "k"]
        The sensors after the swaps, increasing.
    dict
        Number of `swaps` made and of `sweeps` run.
    """
    evidence = linear_evidence(task) if evidence is None else evidence
    rng = np.random.default_rng(seed)
    illegal = np.setdiff1d(np.arange(evidence.shape[0]), task.sites.legal)
    selected = np.sort(selected)
    movable = len(np.setdiff1d(selected, task.sites.fixed))
    swaps = done = 0
    room = len(task.sites.legal) > len(selected)
    allowed = affordable_sweeps(evidence, movable, most=sweeps) if room and movable else 0
    bench = Bench.of(evidence, selected) if allowed else None
    for _ in range(allowed):
        assert bench is not None
        before, done = swaps, done + 1
        for site in rng.permutation(np.setdiff1d(bench.support, task.sites.fixed)).tolist():
            without = bench.toggle(site)
            gains = without.gains()
            gains[illegal] = -np.inf
            best = int(np.argmax(gains))
            if best != site and gains[best] > gains[site] + _TOLERANCE:
                bench, swaps = without.toggle(best), swaps + 1
        if swaps == before:
            break
        bench = bench.refreshed()
    return (selected if bench is None else bench.support), {"swaps": swaps, "sweeps": done}
