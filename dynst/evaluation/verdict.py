"""What a curve says, in words: better, tie or worse, how many sensors are enough, and where the choice is free."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dynst.domain import RANDOM, Curve
from dynst.domain.judges import DEFAULT, JUDGES
from dynst.domain.plain import plain
from dynst.domain.words import UNCLEAR, duration, span
from dynst.errors import DataError
from dynst.evaluation.bootstrap import verdict
from dynst.evaluation.findings import Findings, changes, figure, listed, percent, sensors
from dynst.evaluation.knee import Knee, indifferent_budgets, knee
from dynst.evaluation.leads import skill_by_lead
from dynst.planners import row_of

__all__ = ["Answer", "Knee", "answer", "verdict"]

_ALIKE = 2.0  # %; chosen, as where the choice of sites does not matter: nobody moves a station for less
_NEARLY_ALL = 0.9  # of the random plans; chosen
_SEEN = {
    "better": "less error than with random plans",
    "tie": "a tie with random plans",
    "worse": "more error than with random plans",
    UNCLEAR: "nothing that can be judged",
}
_VISIBLE = 1.005  # chosen: a ratio of errors that shows in three digits


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
        ``better``, ``tie``, ``worse`` or ``cannot be judged`` (an interval too wide) beside each other planner at the
        plan's budget; after Holm's correction but for random plans, which are a question of their own.
    knee : Knee or None
        How many sensors are enough; None where sensors win next to nothing, or nobody knows what they can win.
    indifferent : tuple of float, or None
        Lowest and highest sparsity between which the choice of sites does not matter; None where there is none.
    """

    headline: str
    sentences: tuple[str, ...] = ()
    against: dict[str, str] = field(default_factory=dict)
    knee: Knee | None = None
    indifferent: tuple[float, float] | None = None


def answer(
    curve: Curve,
    plan_name: str,
    budget: int,
    *,
    others: Mapping[str, Curve] | None = None,
    tolerance: float = 5.0,
    judge: str = DEFAULT,
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
    others : mapping of str to Curve, or None
        Other judges by name (``ridge``, ``network``), and what they found.
    tolerance : float
        What may be missing, in % of what sensors can win, where their number is called enough.
    judge : str
        Name of the first judge.

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
        *_limits_of_forecaster(here),
        *skill_by_lead(curve, plan_name, budget),
        *_draws(here),
        *_rivals(here),
        *_second_judges(here, others or {}, judge),
        *_enough(enough, curve),
        *([] if free is None or idle else [_free_choice(free, here)]),
        *_at_sensors(here),
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
    """What a planner can take from all this."""
    if not math.isfinite(here.rows[here.name].error):
        reason = plain(here.rows[here.name].reason or "no test value")
        return f"The plan of {plain(here.name)} for {sensors(here.budget)} {UNCLEAR}: {reason}."
    if here.idle:
        return _next_to_nothing(here)
    worse = here.rivals("worse")
    if worse:
        valid = _validation_errors(here)  # the test chose these rivals; which of them to take, it shall not choose too
        rival = min(worse, key=lambda name: (valid.get(name, math.inf), name))
        take = f"dynst export-map --planner {plain(rival)}"
        return f"This plan is worse than {plain(rival)} by {percent(here.found[rival][0])}: take that one ({take})."
    by_random = {"worse": _worse_than_random, "better": _better_than_random, "tie": _tie_with_random}
    if here.random in by_random:
        return by_random[here.random](here)
    start = f"{_plan(here)} an error of {figure(here.rows[here.name])}{_of_the_way(here)}"
    if here.random == UNCLEAR:
        return f"{start}; whether that is less than with random places {UNCLEAR}: the test windows differ too much."
    if here.found:
        return f"{start}."
    return f"{start}; there is no other plan to compare with."


def _plan(here: Findings) -> str:
    """``20 sensors (of 864 sites) forecast with``."""
    verb = "forecasts" if here.budget == 1 else "forecast"
    return f"{sensors(here.budget)} (of {here.sites} sites) {verb} all sites with"


def _of_the_way(here: Findings) -> str:
    """How near the plan comes to a sensor at every site."""
    if here.stake is None or here.stake.ceiling >= here.stake.floor:
        return ""
    if here.error <= here.stake.ceiling:
        return ", no more than with a sensor at every site"
    share = here.stake.share(here.error)
    if share <= 0:
        return ", no less than with no sensor at all"
    win = "it wins" if here.budget == 1 else "they win"
    return f"; {win} {share:.0f} % of what a sensor at every site wins over none"


def _better_than_random(here: Findings) -> str:
    less = f", {percent(here.found[RANDOM][0])} less than from random places"
    return f"{_plan(here)} an error of {figure(here.rows[here.name])}{less}{_of_the_way(here)}."


def _worse_than_random(here: Findings) -> str:
    change = percent(here.found[RANDOM][0])
    return f"This plan has {change} more error than sensors placed at random: do not use it."


def _tie_with_random(here: Findings) -> str:
    """The plan is not shown to differ from random ones: how sure that is, and what is better."""
    change = here.found[RANDOM][0]
    size = percent(change)
    beaten, draws = here.beaten
    others = [name for name in here.better_than_random if name != here.name]
    if others:
        are = "is" if len(others) == 1 else "are"
        return f"This plan cannot be told from a random one, but {listed(others)} {are} better than random."
    if beaten >= _NEARLY_ALL * draws and change < 0:
        count = f"{beaten} of {draws} random plans have more error than this plan, by {size} on the mean"
        return f"{count}; such a difference is not beyond luck of the draw and of the test period."
    wins = here.rivals("better")
    if wins:
        return f"This plan is better than {listed(wins)}, but it cannot be told from sensors placed at random."
    if abs(change) <= _ALIKE:
        return f"This plan and sensors placed at random forecast alike: their errors differ by {size}."
    less = "less" if change < 0 else "more"
    return f"This plan cannot be told from sensors placed at random: {size} {less} error can be luck."


def _next_to_nothing(here: Findings) -> str:
    """That sensors win little over the climatology at these lead times, by this forecaster."""
    assert here.stake is not None
    gain, than = here.stake.gain, {"floor": "none", "climatology": "the climatology"}[here.stake.none_is]
    if gain <= 0:
        more = f"a sensor at every site forecasts with {percent(gain)} more error than {than}"
        return f"With this forecaster sensors add nothing to the climatology: {more}."
    less = f"a sensor at every site forecasts with {percent(gain)} less error than {than}"
    return f"At {_lead(here.curve)} sensors add next to nothing to the climatology: {less}."


def _lead(curve: Curve) -> str:
    """The lead times of a curve, as in ``these lead times (6 h to 1 day)``."""
    steps = [int(step) for step in curve.data["lead_time"].values]
    first, last = duration(steps[0], curve.cadence), duration(steps[-1], curve.cadence)
    return f"this lead time ({first})" if len(steps) == 1 else f"these lead times ({first} to {last})"


def _limits_of_forecaster(here: Findings) -> list[str]:
    """What the frames say of the forecaster: that a simpler forecast wins, or that it makes poor use of sensors."""
    error = {name: row.error for name, row in here.rows.items() if row.is_frame}
    every, ours = error.get("ceiling", math.nan), here.rows[here.name].error
    lines = []
    if error.get("persistence", math.nan) < every:
        lines.append(
            f'With this forecaster, a sensor at every site is no match for "no change": {figure(here.rows["ceiling"])} '
            f"against {figure(here.rows['persistence'])}, on the mean over lead times."
        )
    if not here.idle and every >= error.get("floor", math.nan):
        lines.append("With this forecaster, a sensor at every site forecasts no better than none.")
    if every > _VISIBLE * ours:
        lines.append(
            f"A sensor at every site leaves more error than this plan ({every:.3g} against {ours:.3g}): from a record "
            "of this length the forecaster learns to use a few sensors better than all."
        )
    return lines


def _at_sensors(here: Findings) -> list[str]:
    """Why the error at the sensors is larger than away from them, where it is."""
    data = here.curve.at(here.budget)
    if not {"rmse_at_sensors", "rmse_away"} <= set(data.data_vars):
        return []
    pair = [data[name].sel(planner=here.name).isel(channel=0) for name in ("rmse_at_sensors", "rmse_away")]
    at, away = (float(((part**2).mean("lead_time", skipna=True) ** 0.5).mean("seed", skipna=True)) for part in pair)
    if not at > _VISIBLE * away:
        return []
    return [
        f"RMSE is larger at the sensors than away from them ({at:.3g} against {away:.3g}): the sensors stand where the "
        "field varies most, and what is forecast there is the future, not the reading."
    ]


def _draws(here: Findings) -> list[str]:
    """How many of the random plans it beats, and how much these differ."""
    if here.name == RANDOM or RANDOM not in here.errors or here.name not in here.errors:
        return []
    draws = here.errors[RANDOM]
    beaten, _ = here.beaten
    if len(draws) == 1:
        return [f"The one random plan that was tried has {'more' if beaten else 'no more'} error: one says little."]
    count = "All" if beaten == len(draws) else str(beaten or "None")
    spread = percent(100 * float(draws.std(ddof=1) / draws.mean()))
    have = "has" if beaten == 1 else "have"
    line = f"{count} of the {len(draws)} random plans {have} more error; they differ by {spread} among themselves"
    if RANDOM not in here.found:
        return [f"{line}; they are too few for a verdict."]
    change, low, high, word = here.found[RANDOM]
    if word == UNCLEAR:
        return [f"{line}. The difference to their mean {UNCLEAR}: its interval is wider than +-200 %."]
    told = ": it can be luck of the draw or of the test period" if word == "tie" else ""
    return [f"{line}. The difference to their mean is {change:+.1f} % (95 %: {span(low, high)}){told}."]


def _rivals(here: Findings) -> list[str]:
    """By how much it wins and loses against the other planners, and whom it cannot be told from."""
    lines = []
    worse, ties, wins, unclear = map(here.rivals, ("worse", "tie", "better", UNCLEAR))
    if worse:
        lines.append(f"It is worse than {changes(worse, here)}.")
    if wins:
        lines.append(f"It is better than {changes(wins, here)}.")
    if ties:
        lines.append(f"It cannot be told from {listed(ties)}.")
    if unclear:
        lines.append(f"Beside {listed(unclear)} it {UNCLEAR}: the intervals are wider than +-200 %.")
    if worse and here.random == "better":
        lines.append(f"It is better than random plans by {percent(here.found[RANDOM][0])}.")
    elif worse and here.random in ("tie", "worse"):
        lines.append(f"It is {'worse' if here.random == 'worse' else 'no better'} than random plans.")
    return lines


def _second_judges(here: Findings, others: Mapping[str, Curve], first: str) -> list[str]:
    """Whether other judges find the same; a plan that wins under one judge alone is said to."""
    lines = []
    for name, curve in others.items():
        if here.name in curve.planners and here.budget in curve.budgets:
            there = Findings(curve, here.name, here.budget)
            told = _second_closed_form if JUDGES[name].closed_form else _second_network
            lines += told(here, there, JUDGES[name].words, JUDGES[first].words)
    return lines


def _second_closed_form(here: Findings, there: Findings, judge: str, _first: str) -> list[str]:
    """Whether the other judge that needs no training agrees."""
    one, other = here.random, there.random
    lost = [name for name in there.rivals("worse") if name not in here.rivals("worse")]
    lines = []
    if one and other and one == other and not lost:
        lines.append(f"{judge.capitalize()} as judge agrees.")
    elif one and other and one != other:
        end = "one judge alone is no proof" if one == "tie" else "take the difference with care"
        lines.append(f"A second judge, {judge}, sees {_SEEN[other]}: {end}.")
    if lost:
        lines.append(f"Judged by {judge}, it is worse than {changes(lost, there)}.")
    return lines


def _second_network(here: Findings, there: Findings, judge: str, first: str) -> list[str]:
    """What networks find that were trained with this plan alone."""
    lines = []
    one, other = here.random, there.random
    if one and other:
        change = f"{there.found[RANDOM][0]:+.1f} %"
        lines.append(_both(one, other, judge, first, change, made_by_network=row_of(here.name).trains))
    lost = there.rivals("worse")
    if lost:
        lines.append(f"Judged by {judge}, it is worse than {changes(lost, there)}.")
    elif here.rivals("worse") and there.found:
        lines.append(f"Judged by {judge}, it is worse than no other plan.")
    return lines


def _both(one: str, other: str, judge: str, first: str, change: str, *, made_by_network: bool) -> str:
    if UNCLEAR in (one, other):
        return f"How it compares with random plans {UNCLEAR} by both judges."
    if one == other:
        same = {"better": "is better than random plans too", "worse": "is worse than random plans too"}
        return f"Judged by {judge}, it {same.get(one, 'cannot be told from random plans either')} ({change})."
    if one == "better":
        return f"It is better than random plans by {first} only: by {judge} it is {_said(other)} ({change})."
    if other == "better":
        own = ", that is, only under the kind of network that made it" if made_by_network else ""
        return f"It is better than random plans ({change}) only when judged by {judge}{own}: {first} says {one}."
    return f"Judged by {judge}, it is {_said(other)} ({change}) than random plans; {first} says {one}."


def _said(word: str) -> str:
    return "a tie" if word == "tie" else word


def _enough(found: Knee | None, curve: Curve) -> list[str]:
    """How many sensors win nearly all that sensors can win."""
    if found is None:
        return []
    share = f"{100 - found.tolerance:g} % of what a sensor at every site wins over none"
    if found.budget is None:
        most = max(curve.budgets)
        win = "the most that was tried, wins" if most == 1 else "the most that were tried, win"
        return [f"Not even {sensors(most)}, {win} {share}."]
    one = found.budget == 1
    tried = "was tried" if one else "were tried"
    fewest = f", the fewest that {tried}," if found.budget == min(curve.budgets) else ""
    enough = "is enough: it wins" if one else "are enough: they win"
    line = f"{sensors(found.budget)}{fewest} {enough} {share}"
    if found.low == found.high:
        return [f"{line}, of the numbers tried."]
    top = f"{found.low} to {found.high}" if found.high is not None else f"{found.low} or more"
    return [f"{line} (interval: {top}, of the numbers tried)."]


def _free_choice(free: tuple[int, int], here: Findings) -> str:
    low, high = (100 * (1 - budget / here.sites) for budget in reversed(free))
    return (
        f"Between {low:.3g} % and {high:.3g} % sparsity ({free[0]} to {free[1]} sensors) the choice of sites does not "
        "matter to this forecaster: any spread-out plan does as well."
    )


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
    if curve.test_runs == 1:
        lines.append("There is one test run: what is said here holds for that run alone.")
    return lines
