"""Rules of deployment: which sites hold a sensor already, and which may get one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from dynst.domain.sites import Role, Sites
from dynst.errors import BudgetError

__all__ = ["Rules"]


@dataclass(frozen=True, eq=False)
class Rules:
    """What a plan may do with each of `n` sites; a mask that is None is a rule that nobody gave.

    Parameters
    ----------
    existing : Bool[ndarray, "n"] or None
        A station stands here: always in the plan.
    allow : Bool[ndarray, "n"] or None
        Only here may a new sensor stand.
    forbid : Bool[ndarray, "n"] or None
        Here no new sensor may stand.

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

    def on(self, sites: Sites) -> Sites:
        """The sites with the roles that the rules give them.

        A station that exists stays, whatever a zone says; a role that the record gave stays otherwise.
        """
        role = np.where(self.closed(sites) & (sites.role != Role.FIXED), Role.FORBIDDEN, sites.role)
        return sites.with_role(np.where(_mask(self.existing, sites), Role.FIXED, role))

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
        left = f"{free} of {len(sites)} sites may carry a new sensor"
        if self.existing is None:
            return left
        count = int(self.existing.sum())
        stay = "existing station stays" if count == 1 else "existing stations stay"
        return f"{count} {stay}; {left}"

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
        zones = [name for name in ("allow", "forbid") if getattr(self, name) is not None]
        who = f"rule{'s' * (len(zones) > 1)} {' and '.join(zones)}"
        if zones and not legal:
            raise BudgetError(f"{who}: no site is left that may carry a sensor. Widen the zones.")
        if zones and budget > legal:
            included = f", existing stations ({fixed}) included" if fixed else ""
            raise BudgetError(
                f"{who}: {legal} of {len(sites)} sites can be in a plan{included}; {budget} sensors came. "
                f"Ask for {legal} or fewer, or widen the zones."
            )


def _mask(mask: Bool[ndarray, " n"] | None, sites: Sites) -> Bool[ndarray, " n"]:
    return np.zeros(len(sites), bool) if mask is None else mask
