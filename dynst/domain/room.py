"""Sensors chosen so far, and what the rules of deployment still leave room for."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain.sites import Sites
from dynst.domain.spacing import pack

__all__ = ["Room", "in_turn"]

_SEARCHES = 200  # times that one search may look for another way to place the sensors that are left


class Room:
    """The sensors of a plan in the making, and where the rules let the next one stand.

    A search that adds sensors one by one can use up the space before it has all of them. So the room
    keeps `spare` sites with which the plan could be completed at any time. A site that would leave
    too few of them is not admitted.

    Parameters
    ----------
    sites : Sites
        Their roles and their spacing are the rules.
    chosen : iterable of int, or Int[ndarray, "k"]
        Sensors to begin with. Existing stations are not added by themselves.
    budget : int or None
        Sensors that the plan has in the end; None where it may end at any number.

    Examples
    --------
    >>> room = Room(Sites(np.arange(4.0), np.zeros(4), role=np.array([0, 2, 0, 0])), [0])
    >>> room.open.tolist()
    [False, False, True, True]
    """

    def __init__(
        self, sites: Sites, chosen: Iterable[int] | Int[ndarray, " k"] = (), *, budget: int | None = None
    ) -> None:
        self.sites = sites
        self.budget = budget
        self.chosen: list[int] = []
        self._legal = np.zeros(len(sites), bool)
        self._legal[sites.legal] = True
        self._too_near = np.zeros(len(sites), np.int64)  # sensors that are too near to each site
        self._taken = np.zeros(len(sites), bool)
        self._searches = 0
        self._spare = np.zeros(0, np.int64)
        if budget is not None and sites.spacing is not None:
            self._spare = sites.packing(budget).sites
        for site in chosen:
            self.add(int(site))
        if budget is not None and sites.spacing is not None and len(self._spare) < budget - len(self.chosen):
            self._spare = self._other_spare(np.zeros(0, np.int64))

    @property
    def open(self) -> Bool[ndarray, " n"]:
        """Sites that may be added now, as far as roles and distances to the sensors go."""
        free: ndarray = self._legal & ~self._taken & (self._too_near == 0)
        return free

    def open_without(self, site: int) -> Bool[ndarray, " n"]:
        """Sites that may take the place of a sensor; its own site is one."""
        others, count = self._taken.copy(), self._too_near.copy()
        others[site] = False
        if self.sites.spacing is not None:
            count[self.sites.near(site)] -= 1
        free: ndarray = self._legal & ~others & (count == 0)
        return free

    def admits(self, site: int) -> bool:
        """Whether the plan can still be completed when an open site is added."""
        if self.budget is None or self.sites.spacing is None:
            return True
        needed = self.budget - len(self.chosen) - 1
        near = self.sites.near(site)
        spare = self._spare[~np.isin(self._spare, near)]
        if len(spare) < needed:
            spare = self._other_spare(near)
        if len(spare) < needed:
            return False
        self._spare = spare
        return True

    def best(self, worth: Float[ndarray, " n"], free: Bool[ndarray, " n"]) -> int | None:
        """The admitted site of most worth among the free ones, the first among equals; None if there is none.

        A site whose worth is minus infinity is never taken.
        """
        left = np.where(free, worth, -np.inf)
        while True:
            site = int(np.argmax(left))
            if left[site] == -np.inf:
                return None
            if self.admits(site):
                return site
            left[site] = -np.inf

    def add(self, site: int) -> None:
        """A sensor comes."""
        self.chosen.append(site)
        self._taken[site] = True
        if self.sites.spacing is not None:
            near = self.sites.near(site)
            self._too_near[near] += 1
            self._spare = self._spare[~np.isin(self._spare, near)]

    def remove(self, site: int) -> None:
        """A sensor leaves; it could come back."""
        self.chosen.remove(site)
        self._taken[site] = False
        if self.sites.spacing is not None:
            self._too_near[self.sites.near(site)] -= 1
            self._spare = np.append(self._spare, site)

    def _other_spare(self, near: Int[ndarray, " k"]) -> Int[ndarray, " j"]:
        """Sites to complete the plan with, when those `near` a new sensor are closed."""
        if self._searches >= _SEARCHES:
            return np.zeros(0, np.int64)
        self._searches += 1
        free = self.open
        free[near] = False
        return pack(self.sites.near, free, self.sites.points)


def in_turn(order: Int[ndarray, " m"], room: Room, count: int | None = None) -> Int[ndarray, " k"]:
    """Sites of an order that the rules let in, each in its turn; at most `count` of them.

    Once the budget of the room is reached, any open site may follow.

    Examples
    --------
    >>> sites = Sites(np.arange(4.0), np.zeros(4), role=np.array([0, 2, 0, 0]))
    >>> in_turn(np.array([3, 1, 0, 2]), Room(sites)).tolist()
    [3, 0, 2]
    """
    if room.sites.spacing is None:
        legal: ndarray = order[room.open[order]][:count]
        for site in legal.tolist():
            room.add(site)
        return legal
    most = len(order) if count is None else count
    found: list[int] = []
    for _ in range(2):  # a site that had to wait for the plan to be complete has a second turn
        free = room.open
        for site in order.tolist():
            if len(found) >= most:
                return np.array(found, np.int64)
            if free[site] and room.admits(site):
                room.add(site)
                found.append(site)
                free = room.open
    return np.array(found, np.int64)
