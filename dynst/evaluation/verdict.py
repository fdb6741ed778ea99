"""What a curve says, in words: better, tie or worse, how many sensors are enough, and where the choice is free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dynst.domain import FRAMES, Curve
from dynst.domain.curve import CurveRow
from dynst.errors import DataError
from dynst.evaluation.comparison import RANDOM
from dynst.evaluation.knee import Knee, indifferent_budgets, knee, relative_errors

__all__ = ["Answer", "Knee", "answer"]

_TRAINED = ("dynst", "one_shot")  # planners whose plan comes out of a network


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
    here = _Findings(curve, plan_name, budget)
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


class _Findings:
    """One plan at one budget: its differences and verdicts, and the errors around it."""

    def __init__(self, curve: Curve, name: str, budget: int) -> None:
        self.curve, self.name, self.budget = curve, name, budget
        self.rows: dict[str, CurveRow] = {row.planner: row for row in curve.table(budget)}
        self.errors = relative_errors(curve, budget)
        self.sites = round(budget / (1 - sparsity)) if (sparsity := float(curve.at(budget)["sparsity"])) < 1 else budget
        self.plans = [other for other in curve.planners if other not in FRAMES]
        found = {other: self.of(name, other) for other in self.plans if other != name}
        self.found = {other: cell for other, cell in found.items() if cell is not None}

    def of(self, name: str, other: str) -> tuple[float, float, float, str] | None:
        """Difference of `name` to `other` and its interval in %, and the verdict; None where not compared."""
        data = self.curve.at(self.budget)
        if "verdict" not in data or other not in data["against"].values:
            return None
        cell = data.sel(planner=name, against=other)
        word = str(cell["verdict"].item())
        change, low, high = (float(cell[key]) for key in ("difference", "low", "high"))
        return (change, low, high, word) if word and math.isfinite(change) else None

    def rivals(self, word: str) -> list[str]:
        """The other planners, random plans aside, against which the verdict is `word`; least error first."""
        names = [other for other, cell in self.found.items() if cell[3] == word and other != RANDOM]
        return sorted(names, key=lambda other: self.rows[other].error)

    @property
    def random(self) -> str:
        """Verdict against the random plans; empty where there is none."""
        return self.found[RANDOM][3] if RANDOM in self.found else ""

    @property
    def better_than_random(self) -> list[str]:
        """The planners, this one among them, that are better than the random plans; least error first."""
        cells = {other: self.of(other, RANDOM) for other in self.plans if other != RANDOM}
        names = [other for other, cell in cells.items() if cell is not None and cell[3] == "better"]
        return sorted(names, key=lambda other: self.rows[other].error)

    @property
    def idle(self) -> bool:
        """Whether sensors help nothing: neither those of the plan nor one at every site."""
        floor, ceiling = (self.rows[frame].error if frame in self.rows else math.nan for frame in ("floor", "ceiling"))
        every, ours = self.of("ceiling", "floor"), self.of(self.name, "floor")
        helps = every[3] == "better" and ceiling < floor if every else not ceiling >= floor
        return not helps and not (ours and ours[3] == "better")


def _headline(here: _Findings) -> str:
    start = f"With sensors at {here.budget} of {here.sites} sites"
    plan, worse, ties, wins = f"the plan of {_clean(here.name)}", *map(here.rivals, ("worse", "tie", "better"))
    if not math.isfinite(here.rows[here.name].error):
        return f"{start}, {plan} could not be judged: {_clean(here.rows[here.name].reason or 'no test value')}."
    if worse:
        rival = worse[0]
        take = f"dynst export-map --planner {_clean(rival)}"
        return f"This plan is worse than {_clean(rival)} by {_percent(here.found[rival][0])}: take that one ({take})."
    if here.random == "worse":
        change = _percent(here.found[RANDOM][0])
        return f"{start}, {plan} is worse than sensors placed at random, by {change}: do not use it."
    if here.random == "better":
        change = _percent(here.found[RANDOM][0])
        return f"{start}, {plan} forecasts with {change} less error than random plans{_beside(wins, ties)}."
    if here.random == "tie":
        others = here.better_than_random
        if not others:
            return "Nothing here is better than placing sensors at random."
        return (
            f"{start}, {plan} cannot be told from a random one, but {_listed(others)} "
            f"{'is' if len(others) == 1 else 'are'} better than random."
        )
    error = f"{start}, {plan} forecasts with an error of {_figure(here.rows[here.name])}"
    return f"{error}{_beside(wins, ties)}." if wins or ties else f"{error}; there is no other plan to compare with."


def _beside(wins: Sequence[str], ties: Sequence[str]) -> str:
    parts = [f"it is better than {_listed(wins)}"] if wins else []
    parts += [f"it ties with {_listed(ties)}"] if ties else []
    return "; " + " and ".join(parts) if parts else ""


def _frames(here: _Findings) -> list[str]:
    """What the frames say of the whole comparison: that no plan can help here, or that the judge is a poor one."""
    error = {name: row.error for name, row in here.rows.items() if row.is_frame}
    lines = []
    if here.idle and {"floor", "ceiling"} <= set(error):
        lines.append("Sensors at every site forecast no better than none: places do not matter here.")
    if error.get("persistence", math.nan) < error.get("ceiling", math.nan):
        lines.append("Forecasting no change (persistence) beats the judge even with every site.")
    return lines


def _draws(here: _Findings) -> list[str]:
    """How many of the random plans it beats, and how much these differ."""
    if here.name == RANDOM or RANDOM not in here.errors or here.name not in here.errors:
        return []
    draws, ours = here.errors[RANDOM], float(here.errors[here.name].mean())
    beaten = int((ours < draws).sum())
    which = "It has less error than the one random plan" if beaten else "The one random plan has no more error"
    if len(draws) == 1:
        return [f"{which} that was tried: one says little."]
    count = f"{'all' if beaten == len(draws) else beaten or 'none'} of the {len(draws)} random plans"
    spread = 100 * float(draws.std(ddof=1) / draws.mean())
    line = f"It has less error than {count} that were tried, which differ by {_percent(spread)} among themselves"
    if RANDOM not in here.found:
        return [f"{line}; they are too few for a verdict."]
    change, low, high, word = here.found[RANDOM]
    told = "" if word != "tie" else ": no more than luck of the draw and of the test period can do"
    return [f"{line}. To their mean it is {change:+.1f} % (95 %: {_interval(low, high)}){told}."]


def _rivals(here: _Findings) -> list[str]:
    """By how much it wins and loses; whom it cannot be told from is in the headline, unless that is about a loss."""
    lines = []
    worse, ties, wins = map(here.rivals, ("worse", "tie", "better"))
    if len(worse) > 1 or (worse and here.random == "worse"):
        lines.append(f"It is worse than {_with_changes(worse, here)}.")
    if wins:
        lines.append(f"It is better than {_with_changes(wins, here)}.")
    if ties and (worse or here.random in ("tie", "worse")):
        lines.append(f"It cannot be told from {_listed(ties)}.")
    if worse and here.random == "better":
        lines.append(f"It is better than random plans by {_percent(here.found[RANDOM][0])}.")
    elif worse and here.random in ("tie", "worse"):
        lines.append(f"It is {'worse' if here.random == 'worse' else 'no better'} than random plans.")
    return lines


def _second_judge(here: _Findings, second: tuple[str, Curve] | None) -> list[str]:
    """Whether another judge finds the same; a plan that wins under one judge alone is said to."""
    if second is None or here.name not in second[1].planners or here.budget not in second[1].budgets:
        return []
    judge, there = _clean(second[0]), _Findings(second[1], here.name, here.budget)
    lines = []
    one, other = here.random, there.random
    if one and other:
        change = f"{there.found[RANDOM][0]:+.1f} %"
        lines.append(_both(one, other, judge, change, made_by_network=here.name in _TRAINED))
    lost = there.rivals("worse")
    if lost:
        lines.append(f"Judged by {judge}, it is worse than {_with_changes(lost, there)}.")
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
        return [f"Not even {_sensors(max(curve.budgets))}, the most that were tried, come {within}."]
    fewest = ", the fewest that were tried," if found.budget == min(curve.budgets) else ""
    if found.low == found.high:
        return [f"{_sensors(found.budget)}{fewest or ' (of the numbers tried)'} are {within}."]
    top = f"{found.low} to {found.high}" if found.high is not None else f"{found.low} or more"
    return [f"{_sensors(found.budget)}{fewest} are {within} (95 %: {top}, of the numbers tried)."]


def _free_choice(free: tuple[int, int], here: _Findings) -> str:
    low, high = (100 * (1 - budget / here.sites) for budget in reversed(free))
    return (
        f"Between {low:.3g} % and {high:.3g} % sparsity ({free[0]} to {free[1]} sensors) the choice of sites does not "
        "matter on this data: any spread-out plan does as well."
    )


def _validation(here: _Findings) -> list[str]:
    """Which plan one would have taken without the test data, and how that one did."""
    if "valid_total" not in here.curve.data:
        return []
    known = here.curve.at(here.budget)["valid_total"]
    values = {name: known.sel(planner=name).values for name in here.plans if name != RANDOM and name in here.errors}
    means = {name: float(v[np.isfinite(v)].mean()) for name, v in values.items() if np.isfinite(v).any()}
    if len(means) < 2 or here.name not in means:
        return []
    pick = min(means, key=lambda name: means[name])
    if pick == here.name:
        return ["On validation data this plan has the least error, too: one would have picked it without the test."]
    cell = here.of(pick, here.name)
    if cell is None:
        return []
    change, _, _, word = cell
    told = f"{_percent(change)} {'less' if change < 0 else 'more'} error than this plan"
    return [f"On validation data one would have picked {_clean(pick)}; on test data it has {told} ({word})."]


def _limits(curve: Curve) -> list[str]:
    """What the figures leave out, and what they speak of."""
    measured = np.isfinite(curve.data["rmse"]).any([dim for dim in curve.data["rmse"].dims if dim != "channel"]).values
    silent = [name for name, there in zip(curve.channels, measured, strict=True) if not there]
    lines = []
    if silent and len(silent) < len(curve.channels):
        verb = "has no measured value" if len(silent) == 1 else "have no measured values"
        lines.append(f"{_listed(silent)} {verb} in the test period: the error over all channels leaves that out.")
    if str(curve.data.attrs.get("intervals", "")).startswith("one test run"):
        lines.append("There is one test run: what is said here holds for that run alone.")
    return lines


def _with_changes(names: Sequence[str], here: _Findings) -> str:
    return _joined([f"{_clean(name)} ({here.found[name][0]:+.1f} %)" for name in names])


def _listed(names: Sequence[str]) -> str:
    return _joined([_clean(name) for name in names])


def _joined(parts: Sequence[str]) -> str:
    """Words in a row, the last after "and"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _clean(name: str) -> str:
    """A name from a file on one line."""
    return " ".join(name.split())


def _percent(value: float) -> str:
    return f"{abs(value):.1f} %" if abs(value) >= 0.05 else "less than 0.1 %"


def _interval(low: float, high: float) -> str:
    return f"{low:+.1f} to {high:+.1f} %" if math.isfinite(high) else "unknown"


def _sensors(budget: int) -> str:
    return "1 sensor" if budget == 1 else f"{budget} sensors"


def _figure(row: CurveRow) -> str:
    return f"{row.error:.3g}" + ("" if row.units == "1" else f" {_clean(row.units)}")
