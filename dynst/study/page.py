"""Everything in a run folder, put together for a report; the data are not read again."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dynst.domain import Curve, Plan
from dynst.domain.curve import FRAMES
from dynst.errors import CheckpointError
from dynst.evaluation.verdict import answer
from dynst.reports.page import Page
from dynst.runs import Run
from dynst.study.caveats import caveats
from dynst.study.facts import data_card
from dynst.study.log import read_log
from dynst.study.report_rows import cost_rows, provenance_rows, training_rows

__all__ = ["page_of"]

_LINEAR, _NETWORK = "linear judge", "network trained afresh"
_TOLERANCE = 5.0  # %, the default of a study; only for folders whose study.toml cannot be read


@dataclass(frozen=True)
class _Evidence:
    """The curves of a run by judge, and where they come from."""

    curves: Mapping[str, Curve]
    anew: bool  # planned anew for each budget, rather than one ranking cut or extended

    @property
    def compared(self) -> bool:
        """Whether there is any other plan to compare with."""
        first = next(iter(self.curves.values()), None)
        return first is not None and sum(name not in FRAMES for name in first.planners) > 1


def page_of(run: Run) -> Page:
    """All that a report shows, from the run folder alone.

    Parameters
    ----------
    run : Run
        A complete run; of a folder of an older form, or of a plan that was not compared, there is less to show.

    Raises
    ------
    CheckpointError
        If a file of the folder is damaged; the message names it.
    """
    plan, provenance = run.plan, run.provenance
    evidence = _evidence(run, plan)
    headline, sentences = _answer(run, plan, evidence)
    log = read_log(run.path / "log.jsonl")
    return Page(
        title=run.name,
        headline=headline,
        sentences=sentences,
        plan=plan,
        layout=run.layout,
        plans=_plans(run, plan),
        curves=evidence.curves,
        stability=run.stability,
        training=training_rows(log),
        costs=cost_rows(log, evidence.curves, plan.budget),
        facts=_data_card(provenance.get("facts")),
        provenance=provenance_rows(run.name, provenance, plan, _study(run)),
        notes=tuple(caveats(plan, evidence.curves, provenance, answered=evidence.compared)),
    )


def _evidence(run: Run, plan: Plan) -> _Evidence:
    """The curves of the comparison where it holds this plan at this budget; they are the better evidence."""
    anew = {_LINEAR: run.comparison, _NETWORK: run.comparison_refit}
    cut = {_LINEAR: run.curve if (run.path / "curve.nc").is_file() else None, _NETWORK: run.refit}
    curves: dict[str, Curve] = {}
    for judge in (_LINEAR, _NETWORK):
        better, other = anew[judge], cut[judge]
        if better is not None and _holds(better, plan) and _judged(better, plan):
            curves[judge] = better
        elif other is not None and _holds(other, plan):
            curves[judge] = other
    return _Evidence(curves, anew=any(curve is anew[judge] for judge, curve in list(curves.items())[:1]))


def _holds(curve: Curve, plan: Plan) -> bool:
    return plan.planner in curve.planners and plan.budget in curve.budgets


def _judged(curve: Curve, plan: Plan) -> bool:
    return bool(np.isfinite(curve.at(plan.budget)["total"].sel(planner=plan.planner).values).any())


def _answer(run: Run, plan: Plan, evidence: _Evidence) -> tuple[str, tuple[str, ...]]:
    """The headline and the sentences behind it, the last of which says what they rest on."""
    if not evidence.compared:
        return _nothing_compared(run, plan, evidence)
    (judge, first), *others = evidence.curves.items()
    second = ("a network trained afresh for each plan", others[0][1]) if others else None
    found = answer(first, plan.planner, plan.budget, second=second, tolerance=_tolerance(run))
    return found.headline, (*found.sentences, _rests_on(judge, first, plan, anew=evidence.anew))


def _nothing_compared(run: Run, plan: Plan, evidence: _Evidence) -> tuple[str, tuple[str, ...]]:
    headline = f"{plan.planner} chose {plan.budget} of {len(plan.sites)} sites; nothing was compared with this plan."
    judged = "" if evidence.curves else " and no forecast was judged"
    return headline, (
        f"No other planner's plan was judged beside it{judged}: whether it is better than sensors at random places is "
        f"not known.",
        f"To find out, run: dynst compare {run.name}",
    )


def _rests_on(judge: str, curve: Curve, plan: Plan, *, anew: bool) -> str:
    rows = {row.planner: row for row in curve.table(plan.budget)}
    seeds = {row.seeds for name, row in rows.items() if name not in (*FRAMES, "uniform_random") and row.seeds}
    several = " to ".join(map(str, sorted({min(seeds, default=1), max(seeds, default=1)})))
    draws = rows["uniform_random"].seeds if "uniform_random" in rows else 0
    random = f" and {draws} random plans" if draws > 1 else ""
    cut = "one ranking of each planner, cut short or extended to other numbers of sensors"
    how = "every planner planned anew for each number of sensors" if anew else cut
    return (
        f"The answer rests on the {judge} on the test period, which no planner has seen: {how}; "
        f"{several} seed{'s' if several != '1' else ''} of each planner{random}."
    )


def _plans(run: Run, plan: Plan) -> dict[str, Plan]:
    """Plans of all planners at the budget, the run's own first; those of the comparison where the fit made none."""
    found = {name: plan if name == plan.planner else run.plan_by(name) for name in run.planners}
    same = plan.sites.fingerprint
    return {name: other for name, other in found.items() if other.sites.fingerprint == same}


def _data_card(facts: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(facts, dict):
        return ()
    try:
        return tuple(data_card(facts))
    except (KeyError, TypeError, AttributeError):
        return (("data", "described in provenance.json in a form that this version of dynst does not know"),)


def _study(run: Run) -> str:
    try:
        return (run.path / "study.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{run.path / 'study.toml'} cannot be read ({error}). Make the run again.") from error


def _tolerance(run: Run) -> float:
    try:
        judge = tomllib.loads(_study(run)).get("judge", {})
    except tomllib.TOMLDecodeError:
        return _TOLERANCE
    value = judge.get("tolerance", _TOLERANCE) if isinstance(judge, dict) else _TOLERANCE
    return float(value) if isinstance(value, int | float) else _TOLERANCE
