"""One sensor at a time on the expected error: add the best, take the weakest out, swap."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Role, Sites
from dynst.domain.room import Room
from dynst.planners.bench import Bench
from dynst.planners.expected_error import ExpectedError
from dynst.planners.farthest import farthest_point
from dynst.planners.greedy import greedy

__all__ = [
    "PICKS",
    "OnBench",
    "add_best",
    "affordable",
    "become",
    "building_order",
    "exact_picks",
    "swap",
    "without_weakest",
]

PICKS = 500
"""Exact picks at most: later gains are too small to tell sites apart."""

_OPERATIONS = 4e11  # multiplications that one search may cost: about 20 s on one core
_TOLERANCE = 1e-3  # smallest fall of the expected error, as a share of it, that a swap is made for
_CROSS = 64_000_000  # numbers that the covariances of the sites with the sensors may hold (256 MB)
_ORDERED = 64  # sensors of a plan that are ordered one by one


def affordable(error: ExpectedError, sites: int, *, most: int) -> int:
    """How many changes of one sensor on a bench of so many sites, at most `most`, the operations allow."""
    steps, f = len(error.record.values), error.inputs
    change = 2.0 * sites * f * f * (3 * error.targets + steps)
    return int(min(most, _OPERATIONS // change))


def exact_picks(error: ExpectedError, sites: int, *, most: int) -> int:
    """How many sensors can be added one by one on a bench of so many sites: operations and memory are bounded."""
    room = _CROSS // (sites * error.inputs**2)
    return affordable(error, sites, most=min(most, PICKS, room))


@dataclass(frozen=True)
class OnBench:
    """The gains of a bench for the greedy search, over all sites.

    Parameters
    ----------
    bench : Bench
        It is told of every sensor.
    remaining : list of float
        Expected error that was left when each sensor came.
    """

    bench: Bench
    remaining: list[float] = field(default_factory=list)

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Fall of the expected error; minus infinity for a site that is not on the bench."""
        gains = np.full(len(free), -np.inf)
        gains[self.bench.sites] = self.bench.gains()
        return gains

    def add(self, site: int) -> None:
        """Put a sensor on the bench."""
        self.remaining.append(self.bench.remaining)
        self.bench.add(site)


def add_best(bench: Bench, room: Room, count: int) -> Int[ndarray, " count"]:
    """Add the site of largest gain, `count` times; the sites in their order."""
    return greedy(OnBench(bench), room, count)[0]


def without_weakest(bench: Bench, room: Room, count: int) -> None:
    """Take away the sensor of least loss, `count` times; fixed ones stay."""
    for _ in range(count):
        support = bench.support
        losses = np.where(np.isin(support, room.sites.fixed), np.inf, bench.losses())
        weakest = int(support[np.argmin(losses)])
        bench.remove(weakest)
        room.remove(weakest)


def become(bench: Bench, room: Room, support: Int[ndarray, " k"]) -> None:
    """Exchange sensors until these are the sensors."""
    for site in np.setdiff1d(bench.support, support).tolist():
        bench.remove(site)
        room.remove(site)
    for site in np.setdiff1d(support, bench.support).tolist():
        bench.add(site)
        room.add(site)


def swap(bench: Bench, room: Room, *, sweeps: int) -> dict[str, int]:
    """Exact swaps: each sensor in turn leaves, and the best site comes if the expected error falls by it.

    The sensor of least loss has the first turn. Fixed sites stay, and only a site that the rules let in may come. A
    sweep without a swap ends the search; fewer sweeps run where the operations allowed do not suffice.

    Returns
    -------
    dict
        Number of `swaps` made and of `sweeps` run.
    """
    sites = room.sites
    movable = np.setdiff1d(bench.support, sites.fixed)
    left_over = len(sites.legal) > len(bench.support)
    turns = affordable(bench.error, len(bench.sites), most=2 * sweeps * len(movable)) // 2
    affordable_sweeps = turns // max(1, len(movable)) if left_over else 0
    swaps = done = 0
    while done < affordable_sweeps:
        found = sum(_swapped(bench, room, site) for site in _turns(bench, sites))
        swaps, done = swaps + found, done + 1
        if not found:
            break
    return {"swaps": swaps, "sweeps": done}


def _turns(bench: Bench, sites: Sites) -> list[int]:
    """The sensors that may leave, the one of least loss first."""
    support = bench.support
    order = support[np.argsort(bench.losses(), kind="stable")]
    return [int(site) for site in order[~np.isin(order, sites.fixed)]]


def _swapped(bench: Bench, room: Room, site: int) -> bool:
    """Whether a better site was there for a sensor; it has taken its place then."""
    gains = bench.gains_without(site)
    own = gains[np.searchsorted(bench.sites, site)]
    gains[~room.open_without(site)[bench.sites]] = -np.inf
    best = int(np.argmax(gains))
    if gains[best] <= own + _TOLERANCE * bench.remaining:
        return False
    for change in (bench, room):
        change.remove(site)
        change.add(int(bench.sites[best]))
    return True


def building_order(error: ExpectedError, sites: Sites, selected: Int[ndarray, " k"]) -> Int[ndarray, " k"]:
    """The selected sites in the order of building: fixed ones, then each time the one of largest gain.

    After 64 picks, or where they would cost too much, the rest follows by farthest point: gains are by then too small
    to tell sites apart, and neighbours would come one after the other.
    """
    free = np.setdiff1d(selected, sites.fixed)
    role = np.full(len(sites), Role.FORBIDDEN, np.int8)
    role[selected] = Role.CANDIDATE
    chosen = replace(sites, role=role, spacing=None)  # these sensors keep their distance already
    picks = affordable(error, len(selected), most=min(_ORDERED, len(free)))
    head = sites.fixed
    if picks:
        bench = Bench.of(error, sites.fixed, np.concatenate([sites.fixed, free]))
        head = np.concatenate([head, add_best(bench, Room(chosen, sites.fixed), picks)]).astype(np.int64)
    return np.concatenate([head, farthest_point(chosen, head, len(selected) - len(head))])
