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
    without: Mapping[str, Int[ndarray, " k"]],
    *,
    planner: str,
    reasons: Mapping[str, str] | None = None,
) -> PriceOfRules:
    """What each rule costs, with intervals that are paired by test windows.

    Parameters
    ----------
    judge : Judge
        Who scores.
    selected : Int[ndarray, "k"]
        Sensors of the plan under all rules.
    without : mapping of str to Int[ndarray, "k"]
        By rule: sensors of the plan without it.
    planner : str
        Who made the plans.
    reasons : mapping of str to str, or None
        Why there is no plan without a rule.
    """
    judge.share([selected, *without.values()])
    ruled = judge.score(selected)
    changes: list[Change] = []
    for chosen in without.values():
        score = judge.score(chosen)
        changes.append(change_between(shown_error(score), ruled, score))
    changes = corrected(changes) if changes else []
    rows = [RulePrice(rule, change) for rule, change in zip(without, changes, strict=True)]
    rows += [RulePrice(rule, reason=reason) for rule, reason in (reasons or {}).items()]
    return PriceOfRules(planner, len(selected), shown_error(ruled), shown_units(judge.channels), tuple(rows))
