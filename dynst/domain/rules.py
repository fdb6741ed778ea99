"""Rules of deployment: which sites hold a sensor already, which may get one, and how far sensors keep apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from dynst.domain.sites import Role, Sites, Stations
from dynst.domain.spacing import Spacing
from dynst.errors import BudgetError

__all__ = ["Rules"]

_HALVINGS = 12  # of the distance, when one is looked for at which a plan fits


@dataclass(frozen=True, eq=False)
class Rules:
    """What a plan may do with each of `n` sites; what is None is a rule that nobody gave.

    Parameters
    ----------
    existing : Bool[ndarray, "n"] or None
        A station stands here: always in the plan.
    allow : Bool[ndarray, "n"] or None
        Only here may a new sensor stand.
    forbid : Bool[ndarray, "n"] or None
        Here no new sensor may stand.
    min_distance : Spacing or None
        New sensors keep this distance to each other and to existing stations.
    stations : Stations or None
        The existing stations at their own places.

    Examples
    --------
    >>> sites = Sites(np.arange(4.0), np.zeros(4))
    >>> rules = Rules(existing=np.array([True, False, False, False]), forbid=np.arange(4) < 2)
    >>> rules.on(sites).role.tolist()
    [1, 2, 0, 0]
    >>> rules.words(sites)
    '1 existing station stays; 2 of 4 sites may carry a new sensor'
    """

    existing: Bool[ndarray, " n"] | None = None
    allow: Bool[ndarray, " n"] | None = None
    forbid: Bool[ndarray, " n"] | None = None
    min_distance: Spacing | None = None
    stations: Stations | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """Names of the rules that somebody gave."""
        return tuple(
            name for name in ("existing", "allow", "forbid", "min_distance") if getattr(self, name) is not None
        )

    def without(self, rule: str) -> Rules:
        """The rules but for one."""
        if rule == "existing":
            return replace(self, existing=None, stations=None)
        return replace(self, **{rule: None})

    def on(self, sites: Sites) -> Sites:
        """The sites with the roles and the spacing that the rules give them.

        A station that exists stays, whatever a zone says; a role that the record gave stays otherwise.
        """
        closed = self.closed(sites) & (sites.role != Role.FIXED)
        role = np.where(closed, Role.FORBIDDEN, sites.role)
        role = np.where(_mask(self.existing, sites), Role.FIXED, role)
        spacing = self.min_distance or sites.spacing
        stations = self.stations or sites.stations
        if spacing is sites.spacing and stations is sites.stations and (role == sites.role).all():
            return sites  # with what it has found already, such as how many sensors fit
        return replace(sites, role=role.astype(np.int8), spacing=spacing, stations=stations)

    def closed(self, sites: Sites) -> Bool[ndarray, " n"]:
        """Sites where a zone lets no new sensor stand."""
        made: ndarray = _mask(self.forbid, sites)
        return made if self.allow is None else made | ~self.allow

    def overruled(self, sites: Sites) -> Int[ndarray, " k"]:
        """Sites of existing stations that stand where a zone lets no new sensor stand."""
        return np.flatnonzero(_mask(self.existing, sites) & self.closed(sites))

    def words(self, sites: Sites) -> str:
        """What the rules leave, in words."""
        ruled = self.on(sites)
        free = int((ruled.role == Role.CANDIDATE).sum())
        parts = [f"{free} of {len(sites)} sites may carry a new sensor"]
        if self.existing is not None:
            count = int(self.existing.sum())
            stay = "existing station stays" if count == 1 else "existing stations stay"
            parts.insert(0, f"{count} {stay}")
        if self.min_distance is not None:
            room = ruled.packing(0)
            fit = f"at most {len(room)} fit" if room.exact else f"room was found for {len(room)}"
            parts.append(f"sensors stand at least {self.min_distance.words} apart: {fit}")
        return "; ".join(parts)

    def check_budget(self, budget: int, sites: Sites) -> None:
        """Refuse a number of sensors that the rules leave no plan for.

        Raises
        ------
        BudgetError
            One line with the rule, and the nearest number of sensors that has a plan.
        """
        ruled = self.on(sites)
        fixed, legal = len(ruled.fixed), len(ruled.legal)
        if self.existing is not None and budget < fixed:
            raise BudgetError(
                f"rule existing: {fixed} stations stand already and count towards the sensors, of which "
                f"{budget} came. Ask for {fixed} or more."
            )
        zones = [name for name in ("allow", "forbid") if name in self.given]
        who = f"rule{'s' * (len(zones) > 1)} {' and '.join(zones)}"
        if zones and not legal:
            raise BudgetError(f"{who}: no site is left that may carry a sensor. Widen the zones.")
        if zones and budget > legal:
            included = f", existing stations ({fixed}) included" if fixed else ""
            raise BudgetError(
                f"{who}: {legal} of {len(sites)} sites can be in a plan{included}; {budget} sensors came. "
                f"Ask for {_or_fewer(legal, fixed)}, or widen the zones."
            )
        if self.min_distance is not None and fixed < budget <= legal:
            self._check_distance(budget, ruled, self.min_distance)

    def _check_distance(self, budget: int, ruled: Sites, spacing: Spacing) -> None:
        room = ruled.packing(budget)
        if len(room) >= budget:
            return
        found = f"at most {len(room)} sensors fit" if room.exact else f"room was found for {len(room)} sensors"
        fixed = f", {len(ruled.fixed)} existing stations included" if len(ruled.fixed) else ""
        where = " in the zones" if {"allow", "forbid"} & set(self.given) else ""
        shorter = _fitting(budget, ruled, spacing)
        fits = f", or for {shorter.words}, at which {budget} fit" if shorter else ""
        raise BudgetError(
            f"rule min_distance: at {spacing.words} {found}{where}{fixed}; {budget} came. "
            f"Ask for {_or_fewer(len(room), len(ruled.fixed))}{fits}."
        )


def _or_fewer(most: int, fixed: int) -> str:
    """The largest number of sensors, and how many of them are new."""
    return f"{most} or fewer" + (f" ({most - fixed} new)" if fixed else "")


def _fitting(budget: int, ruled: Sites, spacing: Spacing) -> Spacing | None:
    """The largest shorter distance at which a plan was found to fit, to two digits; None without one."""

    def fits(least: float) -> bool:
        shorter = replace(spacing, least=least)
        return len(replace(ruled, spacing=shorter).packing(0)) >= budget

    if spacing.by_hops:
        found = next((hops for hops in range(int(spacing.least) - 1, 0, -1) if fits(float(hops))), None)
        return None if found is None else replace(spacing, least=float(found))
    low, high = 0.0, spacing.least
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if fits(middle):
            low = middle
        else:
            high = middle
    rounded = _rounded_down(low)
    return replace(spacing, least=rounded) if low > 0 and fits(rounded) else None


def _rounded_down(value: float) -> float:
    """A positive number with two digits, not above the value."""
    if value <= 0:
        return 0.0
    digit = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(f"{np.floor(value / digit) * digit:.12g}")


def _mask(mask: Bool[ndarray, " n"] | None, sites: Sites) -> Bool[ndarray, " n"]:
    return np.zeros(len(sites), bool) if mask is None else mask
