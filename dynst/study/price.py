"""Plans without each rule of a study: what the price of the rules is found from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Plan, Rules, Sites
from dynst.domain.price import ALL_RULES
from dynst.errors import BudgetError
from dynst.export import load_plan, save_plan
from dynst.planners import DEFAULT, PLANNERS, row_of
from dynst.planners.base import Task
from dynst.run_layout import RunLayout
from dynst.runs import whole
from dynst.study.event import Event, Listener, nobody
from dynst.study.prepare import Prepared

__all__ = ["RelaxedPlans", "relaxed_plans"]


@dataclass(frozen=True, eq=False)
class RelaxedPlans:
    """Plans with and without rules, all by one planner.

    Attributes
    ----------
    planner : str
        Who planned.
    selected : Int[ndarray, "k"]
        Sensors under all rules.
    without : dict
        By rule: sensors without it.
    reasons : dict
        By rule: why there is no plan without it.
    """

    planner: str
    selected: Int[ndarray, " k"]
    without: dict[str, Int[ndarray, " k"]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def relaxed_plans(
    prepared: Prepared, task: Task, plan: Plan, *, keep: RunLayout, listen: Listener = nobody
) -> RelaxedPlans | None:
    """Plans of the same size by the same planner without each rule, and without any; None without rules.

    A planner that trains a network would take hours, so the default planner makes all plans in its stead.

    Parameters
    ----------
    prepared : Prepared
        The study.
    task : Task
        What was planned.
    plan : Plan
        The plan under all rules.
    keep : RunLayout
        The run that keeps the plans: those found in it are not made again.
    listen : callable
        Called with an `Event` of stage ``rules`` before each plan.
    """
    rules = prepared.ruled.rules
    if not rules.given:
        return None
    trains = row_of(plan.planner).trains
    name = DEFAULT if trains else plan.planner
    options = prepared.study.planner_options(name)
    sets = _fewer(rules)

    def planned(what: str, sites: Sites) -> Plan:
        path = keep.relaxed(what)
        if path.is_file():
            return load_plan(path)[0]
        made = PLANNERS[name].plan(_on(task, sites), seed=prepared.study.seed, **options)
        with whole(path) as part:
            save_plan(made, prepared.field.layout, part)
        return made

    ruled = planned("under all rules", task.sites) if trains else plan
    found = RelaxedPlans(name, ruled.selected)
    for done, (rule, fewer) in enumerate(sets.items()):
        listen(Event("rules", f"without {rule.replace('_', ' ')}", done, len(sets)))
        try:
            found.without[rule] = planned(f"without {rule}", fewer.on(prepared.bare)).selected
        except BudgetError as error:
            found.reasons[rule] = f"no plan: {error}"
    return found


def _fewer(rules: Rules) -> Mapping[str, Rules]:
    """Rules without each one; without any comes first, if that is another case."""
    sets = {rule: rules.without(rule) for rule in rules.given}
    return {ALL_RULES: Rules(), **sets} if len(sets) > 1 else sets


def _on(task: Task, sites: Sites) -> Task:
    """The same task under other rules; what was computed from the record is shared."""
    train, valid = replace(task.train, sites=sites), replace(task.valid, sites=sites)
    learn_on = None if task.learn_on is None else replace(task.learn_on, sites=sites)
    return replace(task, train=train, valid=valid, learn_on=learn_on)
