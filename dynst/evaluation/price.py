"""The price of rules: plans with and without each rule, judged on the same test windows."""

from __future__ import annotations

from collections.abc import Mapping

from jaxtyping import Int
from numpy import ndarray

from dynst.domain.change import Change
from dynst.domain.price import PriceOfRules, RulePrice
from dynst.evaluation.changes import change_between, corrected, shown_error, shown_units
from dynst.evaluation.sweep import Judge

__all__ = ["price_of_rules"]


def price_of_rules(
    judge: Judge,
    selected: Int[ndarray, " k"],
    without: Mapping[str, Int[ndarray, " k"] | str],
    *,
    planner: str,
) -> PriceOfRules:
    """What each rule costs, with intervals that are paired by test windows.

    Parameters
    ----------
    judge : Judge
        Who scores.
    selected : Int[ndarray, "k"]
        Sensors of the plan under all rules.
    without : mapping of str to Int[ndarray, "k"] or str
        By rule: sensors of the plan without it, or the reason why there is none.
    planner : str
        Who made the plans.
    """
    plans = {rule: chosen for rule, chosen in without.items() if not isinstance(chosen, str)}
    judge.share([selected, *plans.values()])
    ruled = judge.score(selected)
    changes: list[Change] = []
    for chosen in plans.values():
        score = judge.score(chosen)
        changes.append(change_between(shown_error(score), ruled, score))
    found = dict(zip(plans, corrected(changes), strict=True)) if changes else {}
    rows = [RulePrice(rule, found.get(rule), "" if rule in plans else str(without[rule])) for rule in without]
    return PriceOfRules(planner, len(selected), shown_error(ruled), shown_units(judge.channels), tuple(rows))
