"""Plans over a ladder of budgets, beside the frames, to one Curve; what cannot be judged is a marked gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import FRAMES, Channel, Curve, Plan, Sites
from dynst.domain.words import drawn_runs
from dynst.errors import ConfigError, DynstError
from dynst.evaluation.comparison import compared
from dynst.evaluation.figures import figures, regions_in
from dynst.evaluation.score import Score

__all__ = ["LADDER", "Judge", "Progress", "curve_of", "judge_ladder", "ladder", "summary"]

_FEW = 8  # random plans that are judged at budgets that nobody asked about

LADDER = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Sparsities at which plans are compared besides the requested one; chosen to be dense where the choice matters."""

Progress = Callable[[str, int, int], None]
"""``(what, done, total)``: called before each score."""

Costs = Mapping[str, Mapping[tuple[str, int], Sequence[float]]]
"""``plan_seconds``, ``judge_seconds``, ``plan_peak_mb`` by planner and budget: one figure for each seed."""


@runtime_checkable
class Judge(Protocol):
    """Scores a set of sensors by a fresh forecaster; `LinearJudge` is one."""

    @property
    def sites(self) -> Sites:
        """The places that may carry sensors."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are forecast."""

    @property
    def cadence(self) -> str:
        """Time between two steps, like ``6 h``."""

    def share(self, plans: Sequence[Int[ndarray, " _"]]) -> None:
        """Compute once what these plans share, if anything."""

    def score(self, selected: Int[ndarray, " k"]) -> Score:
        """Errors when only the `selected` sites are measured."""

    def floor(self) -> Score:
        """Errors with no sensor."""

    def ceiling(self) -> Score:
        """Errors with a sensor at every site."""

    def persistence(self) -> Score:
        """Errors of no change."""

    def climatology(self) -> Score:
        """Errors of the climatology of each site."""


def ladder(sites: Sites, *, budget: int | None = None, sparsities: Sequence[float] = LADDER) -> tuple[int, ...]:
    """Budgets of a ladder of sparsities and of the requested one, ascending, as far as sites and rules allow.

    Examples
    --------
    >>> ladder(Sites(np.arange(100.0), np.zeros(100)), budget=7)
    (1, 2, 5, 7, 10, 20, 30, 50, 70)
    """
    low, high = max(1, len(sites.fixed)), len(sites.packing(0))
    budgets = {min(max(round((1 - sparsity) * len(sites)), low), high) for sparsity in sparsities}
    return tuple(sorted(budgets | ({budget} if budget is not None else set())))


def judge_ladder(
    plans: Mapping[str, Sequence[Plan]],
    judge: Judge,
    budgets: Sequence[int],
    *,
    gaps: Mapping[str, str] | None = None,
    costs: Costs | None = None,
    question: tuple[str, int] | None = None,
    climatology: str = "mean",
    planned_on: str = "",
    progress: Progress | None = None,
) -> Curve:
    """Errors of all plans at all budgets, of the frames, and of every pair on the same windows.

    Parameters
    ----------
    plans : mapping of str to sequence of Plan
        Rankings by planner; several of one planner are its seeds. Of ``uniform_random`` give at least 20.
    judge : Judge
        Who scores; the same for all.
    budgets : sequence of int
        Numbers of sensors; each ranking is cut there.
    gaps : mapping of str to str, or None
        Planners that made no plan, with the reason: a marked gap in the curve.
    costs, question, climatology, planned_on
        As in `curve_of`.
    progress : callable or None
        Called as ``progress(what, done, total)`` before each score.

    Returns
    -------
    Curve
        With intervals of the paired differences. A score that failed is NaN and has its reason.

    Raises
    ------
    ConfigError
        If there is neither a plan nor a gap, or no budget.
    """
    gaps = dict(gaps or {})
    if not budgets or not (plans or gaps):
        raise ConfigError("nothing to judge: give at least one plan and one budget.")
    budgets = sorted(set(budgets))
    names = [*plans, *(name for name in gaps if name not in plans), *FRAMES]
    asked = None if question is None else question[1]
    scores: dict[tuple[str, int], list[Score]] = {}
    reasons: dict[tuple[str, int], str] = {(name, k): why for name, why in gaps.items() for k in budgets}
    for name, k, score in _scores(plans, judge, budgets, reasons, progress=progress, asked=asked):
        scores.setdefault((name, k), []).append(score)
    said = {"climatology": climatology, "planned_on": planned_on}
    return curve_of(judge, names, budgets, scores, reasons, costs=costs, question=question, **said)


def summary(curve: Curve, budget: int) -> list[dict[str, str | float]]:
    """Rows of a table at one budget, least error first: planner, error, difference to random in %, each channel.

    Keys: ``planner``, ``error``, ``units``, ``spread`` (over seeds), ``seeds``, ``vs_random``, ``low``, ``high`` (in %,
    NaN where not judged), ``verdict``, one ``<channel> [<unit>]`` per channel, ``reason``.
    """
    units = dict(zip(curve.channels, curve.units, strict=True))
    rows: list[dict[str, str | float]] = []
    for row in curve.table(budget):
        versus, low, high = row.vs_random or (np.nan, np.nan, np.nan)
        line: dict[str, str | float] = {"planner": row.planner, "error": row.error, "units": row.units}
        line |= {"spread": row.spread, "seeds": row.seeds}
        line |= {"vs_random": versus, "low": low, "high": high, "verdict": row.verdict}
        line |= {f"{name} [{units[name]}]": error for name, error in row.per_channel.items()}
        rows.append(line | {"reason": row.reason})
    return rows


def _scores(
    plans: Mapping[str, Sequence[Plan]],
    judge: Judge,
    budgets: Sequence[int],
    reasons: dict[tuple[str, int], str],
    *,
    progress: Progress | None,
    asked: int | None,
) -> Iterable[tuple[str, int, Score]]:
    """Every score that can be had, a budget at a time, as plans of one budget share work; the reasons of the others."""
    judged = [(k, name, plan) for k in budgets for name, seeds in plans.items() for plan in _taken(seeds, k, asked)]
    total, done = len(FRAMES) + len(judged), 0

    def say(what: str) -> None:
        nonlocal done
        if progress is not None:
            progress(what, done, total)
        done += 1

    frames = {"floor": judge.floor, "ceiling": judge.ceiling}
    frames |= {"persistence": judge.persistence, "climatology": judge.climatology}
    for name, make in frames.items():
        say(name)
        score = make()
        yield from ((name, k, score) for k in budgets)

    judge.share([plan.order[:k] for k, _, plan in judged])  # all of it if memory allows, else budget by budget
    for k in budgets:
        here = [(name, plan) for budget, name, plan in judged if budget == k]
        judge.share([plan.order[:k] for _, plan in here])
        for name, plan in here:
            say(name)
            if k > len(plan.order):
                reasons[name, k] = f"the plan ranks {len(plan.order)} sites only"
                continue
            try:
                yield name, k, judge.score(plan.order[:k])
            except DynstError as error:
                reasons[name, k] = str(error)


def _taken(seeds: Sequence[Plan], budget: int, asked: int | None) -> Sequence[Plan]:
    """All plans of a planner at the budget that was asked about, or if none was; a few at others."""
    return seeds if asked in (None, budget) else seeds[:_FEW]


def curve_of(
    judge: Judge,
    names: Sequence[str],
    budgets: Sequence[int],
    scores: Mapping[tuple[str, int], Sequence[Score]],
    reasons: Mapping[tuple[str, int], str],
    *,
    costs: Costs | None = None,
    question: tuple[str, int] | None = None,
    climatology: str = "mean",
    planned_on: str = "",
) -> Curve:
    """The curve of scores that are at hand.

    Parameters
    ----------
    judge : Judge
        Names the sites and the channels; nothing is scored.
    names : sequence of str
        Planners and frames, in the order in which they are to stand.
    budgets : sequence of int
        Ascending.
    scores : mapping of (str, int) to sequence of Score
        By planner or frame and budget: one for each seed.
    reasons : mapping of (str, int) to str
        Why a planner has no score at a budget.
    costs : mapping of str to mapping, or None
        ``plan_seconds``, ``judge_seconds``, ``plan_peak_mb``: figures like `scores`; what is not known is NaN.
    question : tuple of str and int, or None
        Planner and budget that the study was made for: against random plans they are no part of a family.
    climatology : str
        What the climatology follows, in words: ``year + day``.
    planned_on : str
        What time the plans were made on, in words.
    """
    first = next(iter(scores.values()))[0]
    errors, extra = figures(names, budgets, scores)
    question = question if question is not None and question[0] in names and question[1] in budgets else None
    seeds = errors["total"].shape[2]
    for what, known in (costs or {}).items():
        values = np.full((len(names), len(budgets), seeds), np.nan)
        for (name, k), several in known.items():
            values[names.index(name), budgets.index(k), : len(several)] = several
        extra[what] = (("planner", "sparsity", "seed"), values)
    reason = [[reasons.get((name, k), "") for k in budgets] for name in names]
    return Curve.of(
        {name: errors[name] for name in ("rmse", "mae", "bias")},
        planners=names,
        budgets=budgets,
        n=len(judge.sites),
        channels=[channel.name for channel in judge.channels],
        units=[channel.units for channel in judge.channels],
        total=errors["total"],
        reason=np.array(reason, object),
        comparison=compared(names, budgets, scores, question=question),
        against=names,
        extra=extra,
        regions=regions_in(scores),
        attrs={"cadence": judge.cadence, "climatology": climatology}
        | ({"planned_on": planned_on} if planned_on else {})
        | _drawn(first)
        | _unobserved(judge, first),
    )


def _drawn(score: Score) -> dict[str, str]:
    """What the intervals speak of, where the test windows are of experiments."""
    return {} if score.run is None else {"intervals": drawn_runs(len(np.unique(score.run)))}


def _unobserved(judge: Judge, score: Score) -> dict[str, str]:
    """Channels that the test windows never tell the truth of at some lead time: `total` leaves these out."""
    names = [judge.channels[i].name for i in score.unobserved]
    return {"unobserved": ", ".join(names)} if names else {}
