"""What a curve says, in words: better, tie or worse, how many sensors are enough, and where the choice is free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dynst.domain import Curve
from dynst.errors import DataError
from dynst.evaluation.bootstrap import verdict
from dynst.evaluation.comparison import RANDOM
from dynst.evaluation.findings import Findings, changes, figure, listed, one_line, percent, sensors, span
from dynst.evaluation.knee import Knee, indifferent_budgets, knee
from dynst.planners import TRAINED

__all__ = ["Answer", "Knee", "answer", "verdict"]

_ALIKE = 2.0  # %; chosen, as where the choice of sites does not matter: nobody moves a station for less


@dataclass(frozen=True)
class Answer:
    """The findings of a comparison, for people: plain sentences, the most important first.

    Attributes
    ----------
    headline : str
        One sentence: is the plan better than the simple ones?
    sentences : tuple of str
        The findings behind it, and what limits them.
    against : dict
        ``better``, ``tie`` or ``worse`` than each other planner at the plan's budget, after Holm's correction.
    knee : Knee or None
        How many sensors are enough; None where there is no ceiling to compare with.
    indifferent : tuple of float, or None
        Lowest and highest sparsity between which the choice of sites does not matter; None where there is none.
    """

    headline: str
    sentences: tuple[str, ...] = ()
    against: dict[str, str] = field(default_factory=dict)
    knee: Knee | None = None
    indifferent: tuple[float, float] | None = None


def answer(
    curve: Curve, plan_name: str, budget: int, *, second: tuple[str, Curve] | None = None, tolerance: float = 5.0
) -> Answer:
    """The findings about one planner's plan.

    Parameters
    ----------
    curve : Curve
        All planners under the first judge.
    plan_name : str
        Whose plan is asked about.
    budget : int
        Its number of sensors.
    second : tuple of str and Curve, or None
        Another judge, in words (``a network trained afresh for each plan``), and what it found.
    tolerance : float
        How close to the error with every site is close enough, in %.

    Raises
    ------
    DataError
        If the curve has no such planner or budget.
    """
    if plan_name not in curve.planners:
        raise DataError(f"the curve has no planner {plan_name}; it has {', '.join(curve.planners)}.")
    here = Findings(curve, plan_name, budget)
    idle = here.idle
    enough = None if idle else knee(curve, plan_name, tolerance)
    free = indifferent_budgets(curve)
    sentences = [
        *_frames(here),
        *_draws(here),
        *_rivals(here),
        *_second_judge(here, second),
        *_enough(enough, curve),
        *([] if free is None or idle else [_free_choice(free, here)]),
        *_validation(here),
        *_limits(curve),
    ]
    return Answer(
        headline=_headline(here),
        sentences=tuple(sentences),
        against={name: word for name, (_, _, _, word) in here.found.items()},
        knee=enough,
        indifferent=None if free is None else (1 - free[1] / here.sites, 1 - free[0] / here.sites),
    )


def _headline(here: Findings) -> str:
    start = f"With sensors at {here.budget} of {here.sites} sites"
    plan, worse, ties, wins = f"the plan of {one_line(here.name)}", *map(here.rivals, ("worse", "tie", "better"))
    if not math.isfinite(here.rows[here.name].error):
        return f"{start}, {plan} could not be judged: {one_line(here.rows[here.name].reason or 'no test value')}."
    if worse:
        valid = _validation_errors(here)  # the test chose these rivals; which of them to take, it shall not choose too
        rival = min(worse, key=lambda name: valid.get(name, math.inf))
        take = f"dynst export-map --planner {one_line(rival)}"
        return f"This plan is worse than {one_line(rival)} by {percent(here.found[rival][0])}: take that one ({take})."
    if here.random == "worse":
        change = percent(here.found[RANDOM][0])
        return f"{start}, {plan} is worse than sensors placed at random, by {change}: do not use it."
    if here.random == "better":
        change = percent(here.found[RANDOM][0])
        return f"{start}, {plan} forecasts with {change} less error than random plans{_beside(wins, ties)}."
    if here.random == "tie":
        others = here.better_than_random
        if not others:
            return _nothing_better(here)
        return (
            f"{start}, {plan} cannot be told from a random one, but {listed(others)} "
            f"{'is' if len(others) == 1 else 'are'} better than random."
        )
    error = f"{start}, {plan} forecasts with an error of {figure(here.rows[here.name])}"
    return f"{error}{_beside(wins, ties)}." if wins or ties else f"{error}; there is no other plan to compare with."


def _nothing_better(here: Findings) -> str:
    """No plan is better than random: because all are alike, or because this test could not show it."""
    cells = {name: here.of(name, RANDOM) for name in here.plans if name != RANDOM}
    change, best = min((cell[0], name) for name, cell in cells.items() if cell is not None)
    if change > -_ALIKE:
        return "Nothing here is shown to be better than placing sensors at random."
    return (
        f"Nothing here is shown to be better than placing sensors at random: the {percent(change)} less error of "
        f"{one_line(best)} can be luck."
    )


def _beside(wins: Sequence[str], ties: Sequence[str]) -> str:
    parts = [f"it is better than {listed(wins)}"] if wins else []
    parts += [f"it ties with {listed(ties)}"] if ties else []
    return "; " + " and ".join(parts) if parts else ""


def _frames(here: Findings) -> list[str]:
    """What the frames say of the whole comparison: that no plan can help here, or that the judge is a poor one."""
    error = {name: row.error for name, row in here.rows.items() if row.is_frame}
    lines = []
    if here.idle and error["ceiling"] >= error["floor"]:
        lines.append("Sensors at every site forecast no better than none: places do not matter here.")
    elif here.idle:
        told = any(word in ("better", "worse") for *_, word in here.found.values())
        end = "" if told else ": places cannot be told apart"
        lines.append(f"A sensor at every site is not shown to forecast better than none{end}.")
    if error.get("persistence", math.nan) < error.get("ceiling", math.nan):
        lines.append("Forecasting no change (persistence) beats the judge even with every site.")
    return lines


def _draws(here: Findings) -> list[str]:
    """How many of the random plans it beats, and how much these differ."""
    if here.name == RANDOM or RANDOM not in here.errors or here.name not in here.errors:
        return []
    draws, ours = here.errors[RANDOM], float(here.errors[here.name].mean())
    beaten = int((ours < draws).sum())
    if len(draws) == 1:
        return [f"The one random plan that was tried has {'more' if beaten else 'no more'} error: one says little."]
    count = "All" if beaten == len(draws) else str(beaten or "None")
    spread = percent(100 * float(draws.std(ddof=1) / draws.mean()))
    have = "has" if beaten == 1 else "have"
    line = f"{count} of the {len(draws)} random plans {have} more error; they differ by {spread} among themselves"
    if RANDOM not in here.found:
        return [f"{line}; they are too few for a verdict."]
    change, low, high, word = here.found[RANDOM]
    told = ": it can be luck of the draw or of the test period" if word == "tie" else ""
    return [f"{line}. The difference to their mean is {change:+.1f} % (95 %: {span(low, high)}){told}."]


def _rivals(here: Findings) -> list[str]:
    """By how much it wins and loses; whom it cannot be told from is in the headline, unless that is about a loss."""
    lines = []
    worse, ties, wins = map(here.rivals, ("worse", "tie", "better"))
    if len(worse) > 1 or (worse and here.random == "worse"):
        lines.append(f"It is worse than {changes(worse, here)}.")
    if wins:
        lines.append(f"It is better than {changes(wins, here)}.")
    if ties and (worse or here.random in ("tie", "worse")):
        lines.append(f"It cannot be told from {listed(ties)}.")
    if worse and here.random == "better":
        lines.append(f"It is better than random plans by {percent(here.found[RANDOM][0])}.")
    elif worse and here.random in ("tie", "worse"):
        lines.append(f"It is {'worse' if here.random == 'worse' else 'no better'} than random plans.")
    return lines


def _second_judge(here: Findings, second: tuple[str, Curve] | None) -> list[str]:
    """Whether another judge finds the same; a plan that wins under one judge alone is said to."""
    if second is None or here.name not in second[1].planners or here.budget not in second[1].budgets:
        return []
    judge, there = one_line(second[0]), Findings(second[1], here.name, here.budget)
    lines = []
    one, other = here.random, there.random
    if one and other:
        change = f"{there.found[RANDOM][0]:+.1f} %"
        lines.append(_both(one, other, judge, change, made_by_network=here.name in TRAINED))
    lost = there.rivals("worse")
    if lost:
        lines.append(f"Judged by {judge}, it is worse than {changes(lost, there)}.")
    elif here.rivals("worse") and there.found:
        lines.append(f"Judged by {judge}, it is worse than no other plan.")
    return lines


def _both(one: str, other: str, judge: str, change: str, *, made_by_network: bool) -> str:
    if one == other:
        same = {"better": "is better than random plans too", "worse": "is worse than random plans too"}
        return f"Judged by {judge}, it {same.get(one, 'cannot be told from random plans either')} ({change})."
    if one == "better":
        return (
            f"It is better than random plans under the linear judge only: by {judge} it is {_said(other)} ({change})."
        )
    if other == "better":
        own = ", that is, only under the kind of network that made it" if made_by_network else ""
        return (
            f"It is better than random plans ({change}) only when judged by {judge}{own}: the linear judge says {one}."
        )
    return f"Judged by {judge}, it is {_said(other)} ({change}) than random plans; the linear judge says {one}."


def _said(word: str) -> str:
    return "a tie" if word == "tie" else word


def _enough(found: Knee | None, curve: Curve) -> list[str]:
    if found is None:
        return []
    within = f"within {found.tolerance:g} % of the error with a sensor at every site"
    if found.budget is None:
        most = max(curve.budgets)
        come = "the most that was tried, comes" if most == 1 else "the most that were tried, come"
        return [f"Not even {sensors(most)}, {come} {within}."]
    one = found.budget == 1
    fewest = f", the fewest that {'was' if one else 'were'} tried," if found.budget == min(curve.budgets) else ""
    are = "is" if one else "are"
    if found.low == found.high:
        return [f"{sensors(found.budget)}{fewest or ' (of the numbers tried)'} {are} {within}."]
    top = f"{found.low} to {found.high}" if found.high is not None else f"{found.low} or more"
    return [f"{sensors(found.budget)}{fewest} {are} {within} (95 %: {top}, of the numbers tried)."]


def _free_choice(free: tuple[int, int], here: Findings) -> str:
    low, high = (100 * (1 - budget / here.sites) for budget in reversed(free))
    return (
        f"Between {low:.3g} % and {high:.3g} % sparsity ({free[0]} to {free[1]} sensors) the choice of sites does not "
        "matter on this data: any spread-out plan does as well."
    )


def _validation(here: Findings) -> list[str]:
    """Which plan one would have taken without the test data, and how that one did."""
    means = _validation_errors(here)
    if len(means) < 2 or here.name not in means:
        return []
    pick = min(means, key=lambda name: means[name])
    if pick == here.name:
        return ["On validation data this plan has the least error, too: one would have picked it without the test."]
    cell = here.of(pick, here.name)
    if cell is None:
        return []
    change, _, _, word = cell
    told = f"{percent(change)} {'less' if change < 0 else 'more'} error than this plan"
    return [f"On validation data one would have picked {one_line(pick)}; on test data it has {told} ({word})."]


def _validation_errors(here: Findings) -> dict[str, float]:
    """Error of each plan on validation data, mean over seeds, as far as it is known; random plans are nobody's pick."""
    if "valid_total" not in here.curve.data:
        return {}
    known = here.curve.at(here.budget)["valid_total"]
    values = {name: known.sel(planner=name).values for name in here.plans if name != RANDOM and name in here.errors}
    return {name: float(v[np.isfinite(v)].mean()) for name, v in values.items() if np.isfinite(v).any()}


def _limits(curve: Curve) -> list[str]:
    """What the figures leave out, and what they speak of."""
    rmse = np.moveaxis(curve.data["rmse"].values, curve.data["rmse"].dims.index("channel"), 0)
    silent = [name for name, values in zip(curve.channels, rmse, strict=True) if not np.isfinite(values).any()]
    lines = []
    if silent and len(silent) < len(curve.channels):
        verb = "has no measured value" if len(silent) == 1 else "have no measured values"
        lines.append(f"{listed(silent)} {verb} in the test period: the error over all channels leaves that out.")
    if str(curve.data.attrs.get("intervals", "")).startswith("one test run"):
        lines.append("There is one test run: what is said here holds for that run alone.")
    return lines
