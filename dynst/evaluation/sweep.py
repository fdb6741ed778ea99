"""Plans over a ladder of budgets, beside the frames, to one Curve; what cannot be judged is a marked gap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import FRAMES, Channel, Curve, Plan, Sites
from dynst.errors import ConfigError, DynstError
from dynst.evaluation.bootstrap import interval_block, judged, replicates, resamples
from dynst.evaluation.score import Score

__all__ = ["LADDER", "MIN_RANDOM_DRAWS", "Judge", "Progress", "judge_ladder", "ladder", "summary"]

LADDER = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Sparsities at which plans are compared besides the requested one; chosen to be dense where the choice matters."""

MIN_RANDOM_DRAWS = 10
"""Random plans below which nothing is said about them: they differ among each other by 2-7 % (docs/method.md)."""

_RANDOM = "uniform_random"

Progress = Callable[[str, int, int], None]
"""``(what, done, total)``: called before each score."""


@runtime_checkable
class Judge(Protocol):
    """Scores a set of sensors by a fresh forecaster; `LinearJudge` is one."""

    @property
    def sites(self) -> Sites:
        """The places that may carry sensors."""

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are forecast."""

    def score(self, selected: Int[ndarray, " k"]) -> Score:
        """Errors when only the `selected` sites are measured."""

    def floor(self) -> Score:
        """Errors with no sensor."""

    def ceiling(self) -> Score:
        """Errors with a sensor at every site."""

    def persistence(self) -> Score:
        """Errors of no change."""

    def climatology(self) -> Score:
        """Errors of the training mean."""


def ladder(sites: Sites, *, budget: int | None = None, sparsities: Sequence[float] = LADDER) -> tuple[int, ...]:
    """Budgets of a ladder of sparsities and of the requested one, ascending, as far as sites and roles allow.

    Examples
    --------
    >>> ladder(Sites(np.arange(100.0), np.zeros(100)), budget=7)
    (1, 2, 5, 7, 10, 20, 30, 50, 70)
    """
    low, high = max(1, len(sites.fixed)), len(sites.legal)
    budgets = {min(max(round((1 - sparsity) * len(sites)), low), high) for sparsity in sparsities}
    return tuple(sorted(budgets | ({budget} if budget is not None else set())))


def judge_ladder(
    plans: Mapping[str, Sequence[Plan]],
    judge: Judge,
    budgets: Sequence[int],
    *,
    gaps: Mapping[str, str] | None = None,
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
    scores: dict[tuple[str, int], list[Score]] = {}
    reasons: dict[tuple[str, int], str] = {(name, k): why for name, why in gaps.items() for k in budgets}
    for name, k, score in _scores(plans, judge, budgets, reasons, progress):
        scores.setdefault((name, k), []).append(score)
    return _curve(names, judge, budgets, scores, reasons)


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
    progress: Progress | None,
) -> Iterable[tuple[str, int, Score]]:
    """Every score that can be had, plan by plan with budgets ascending; the reasons of the others."""
    total = len(FRAMES) + sum(len(seeds) for seeds in plans.values()) * len(budgets)
    done = 0

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
    for name, seeds in plans.items():
        for plan in seeds:
            for k in budgets:
                say(name)
                if k > len(plan.order):
                    reasons[name, k] = f"the plan ranks {len(plan.order)} sites only"
                    continue
                try:
                    yield name, k, judge.score(plan.order[:k])
                except DynstError as error:
                    reasons[name, k] = str(error)


def _curve(
    names: Sequence[str],
    judge: Judge,
    budgets: Sequence[int],
    scores: Mapping[tuple[str, int], Sequence[Score]],
    reasons: Mapping[tuple[str, int], str],
) -> Curve:
    p, c = next(iter(scores.values()))[0].rmse.shape
    seeds = max(map(len, scores.values()))
    errors = {name: np.full((len(names), len(budgets), p, c, seeds), np.nan) for name in ("rmse", "mae", "bias")}
    total = np.full((len(names), len(budgets), seeds), np.nan)
    reason = np.full((len(names), len(budgets)), "", object)
    for i, name in enumerate(names):
        for j, k in enumerate(budgets):
            reason[i, j] = reasons.get((name, k), "")
            for seed, score in enumerate(scores.get((name, k), ())):
                errors["rmse"][i, j, ..., seed] = score.rmse
                errors["mae"][i, j, ..., seed] = score.mae
                errors["bias"][i, j, ..., seed] = score.bias
                total[i, j, seed] = score.total
    return Curve.of(
        errors,
        planners=names,
        budgets=budgets,
        n=len(judge.sites),
        channels=[channel.name for channel in judge.channels],
        units=[channel.units for channel in judge.channels],
        total=total,
        reason=reason,
        comparison=_comparison(names, budgets, scores),
        against=names,
        attrs=_drawn(next(iter(scores.values()))[0]),
    )


def _comparison(
    names: Sequence[str], budgets: Sequence[int], scores: Mapping[tuple[str, int], Sequence[Score]]
) -> dict[str, ndarray]:
    """Each planner against each other: RMSE difference in %, its interval, and the word for it."""
    shape = (len(names), len(names), len(budgets))
    found: dict[str, ndarray] = {name: np.full(shape, np.nan) for name in ("difference", "low", "high")}
    found["verdict"] = np.full(shape, "", object)
    for j, k in enumerate(budgets):
        known = [i for i, name in enumerate(names) if _comparable(name, scores.get((name, k), ()))]
        if len(known) < 2:
            continue
        errors = [np.stack([score.per_window for score in scores[names[i], k]]) for i in known]
        finite = np.isfinite(np.concatenate(errors)).all(axis=0)
        if not finite.any():
            continue
        errors = [error[:, finite] for error in errors]
        block = _common_block(errors)
        run = scores[names[known[0]], k][0].run
        weights, pieces = resamples(int(finite.sum()), block, None if run is None else run[finite])
        roots = [replicates(error, weights).mean(axis=1) for error in errors]
        for a, row in zip(known, roots, strict=True):
            for b, column in zip(known, roots, strict=True):
                if a != b:
                    word, interval = judged(row, column, pieces=pieces)
                    found["verdict"][a, b, j] = word
                    found["difference"][a, b, j] = interval.estimate
                    found["low"][a, b, j], found["high"][a, b, j] = interval.low, interval.high
    return found


def _drawn(score: Score) -> dict[str, str]:
    """What the intervals speak of, where the test windows are of experiments."""
    runs = 0 if score.run is None else len(np.unique(score.run))
    several = f"{runs} test runs, drawn whole: for other runs like these"
    return {"intervals": several if runs > 1 else "one test run: for that run alone"} if runs else {}


def _comparable(name: str, scores: Sequence[Score]) -> bool:
    return len(scores) >= (MIN_RANDOM_DRAWS if name == _RANDOM else 1)


def _common_block(errors: Sequence[ndarray]) -> float:
    """One block length for all pairs: the median of what they ask for against the mean of all."""
    means = np.stack([error.mean(axis=0) for error in errors])
    return float(np.median([interval_block(row) for row in means - means.mean(axis=0)]))
