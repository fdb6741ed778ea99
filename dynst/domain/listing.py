"""Sensors of a plan under their own names: new ones at their sites, existing stations at their own places."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Int
from numpy import ndarray

from dynst.domain.plan import Plan
from dynst.domain.sites import Role

__all__ = ["EXISTING", "Listed", "listing"]

EXISTING = "existing"
"""Role of a station that stands already."""


@dataclass(frozen=True)
class Listed:
    """A sensor as files and maps show it: a new one at its site, or an existing station under its own name and place.

    Parameters
    ----------
    rank, site : int
        Rank from 1, and index of the site; several stations on one site share both.
    name : str
        What the sensor is called.
    role : str
        ``existing``; ``new``; ``candidate`` if it is ranked beyond the plan.
    station : int or None
        Its row in `Sites.stations`, where it has a place of its own.
    """

    rank: int
    site: int
    name: str
    role: str
    station: int | None = None


def listing(plan: Plan, ranked: Int[ndarray, " k"]) -> list[Listed]:
    """The sensors of sites in the order of their rank; on a site with several stations each of them.

    Parameters
    ----------
    plan : Plan
        The ranked sites.
    ranked : Int[ndarray, "k"]
        The first so many of its order.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites, Stations
    >>> two = Stations(np.array([0, 0]), ("hill", "hilltop"), np.array([0.1, 0.2]), np.zeros(2), np.array([11.1, 22.2]))
    >>> sites = Sites(np.arange(3.0), np.zeros(3), name=("a", "b", "c"), role=np.array([1, 0, 0]), stations=two)
    >>> plan = Plan(np.arange(3), np.ones(3), 2, sites, "by_hand")
    >>> [(one.rank, one.name, one.role) for one in listing(plan, plan.order)]
    [(1, 'hill', 'existing'), (1, 'hilltop', 'existing'), (2, 'b', 'new'), (3, 'c', 'candidate')]
    """
    sites, rows = plan.sites, list[Listed]()
    names = () if sites.stations is None else sites.stations.name
    own: dict[int, list[int]] = {}
    for i, site in enumerate([] if sites.stations is None else sites.stations.site.tolist()):
        own.setdefault(site, []).append(i)
    for rank, site in enumerate(ranked.tolist(), 1):
        fixed = sites.role[site] == Role.FIXED
        added = "new" if rank <= plan.budget else "candidate"
        role = EXISTING if fixed else added
        stations = own.get(site, []) if fixed else []
        rows += [Listed(rank, site, names[i], role, i) for i in stations]
        rows += [] if stations else [Listed(rank, site, sites.name[site], role)]
    return rows
