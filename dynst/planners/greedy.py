"""The one greedy search: each time the site of largest gain that the rules let in."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain.room import Room

__all__ = ["Gains", "greedy"]


@runtime_checkable
class Gains(Protocol):
    """What each site is worth beside the sensors that came so far."""

    def gains(self, free: Bool[ndarray, " n"]) -> Float[ndarray, " n"]:
        """Worth of every site as the next sensor; minus infinity for a site that adds nothing.

        Only the sites that are `free` can be taken.
        """

    def add(self, site: int) -> None:
        """A sensor came."""


def greedy(
    worth: Gains, room: Room, count: int, *, first: Int[ndarray, " j"] | None = None
) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"]]:
    """Add sensors one by one, each time the site of largest gain; ties go to the lower index.

    Parameters
    ----------
    worth : Gains
        Scores the sites, and is told of every sensor.
    room : Room
        Where the rules let a sensor stand; it is told of every sensor too.
    count : int
        Sensors to add, at most.
    first : Int[ndarray, "j"] or None
        Sites that come first whatever their gain: existing stations. They are counted.

    Returns
    -------
    Int[ndarray, "k"]
        The sites in their order. Fewer than `count` where no site is open or none adds anything.
    Float[ndarray, "k"]
        The gain of each when it came.
    """
    given = [] if first is None else first.tolist()
    order: list[int] = []
    gained: list[float] = []
    while len(order) < count:
        free = room.open
        gains = worth.gains(free)
        site = given[len(order)] if len(order) < len(given) else room.best(gains, free)
        if site is None:
            break
        order.append(site)
        gained.append(float(gains[site]))
        room.add(site)
        worth.add(site)
    return np.array(order, np.int64), np.array(gained)
