"""What limits the findings of a run: said once, for the terminal and for the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dynst.domain import Curve, Plan
from dynst.domain.curve import FRAMES
from dynst.domain.judges import JUDGES
from dynst.domain.words import drawn_runs

__all__ = ["PlanNote", "caveats", "data_caveats", "plan_notes"]

_FEW_WINDOWS = 100  # of the test period; chosen: a hundred windows that overlap are a few dozen spells of weather
_TOO_FEW = 20  # windows; with fewer, 9 to 18 % of equal plans are told apart where errors are alike (method.md 7.2)
_GAPS = 6  # reasons listed; chosen: more of them say the same


@dataclass(frozen=True)
class PlanNote:
    """One sentence on how a plan came to be, and whether it warns."""

    text: str
    warns: bool = False

    def __str__(self) -> str:
        """As it is said while a plan is made."""
        return f"Note: {self.text}" if self.warns else self.text


def caveats(plan: Plan, curves: Mapping[str, Curve], provenance: Mapping[str, Any]) -> list[str]:
    """Everything a reader of the results must know besides them, in plain sentences.

    Parameters
    ----------
    plan : Plan
        The plan of the run.
    curves : mapping of str to Curve
        By the name of the judge; the one that the answer rests on first.
    provenance : mapping
        Of the run folder: ``facts`` and ``skipped``.
    """
    found = [note.text for note in plan_notes(plan)]
    skipped = provenance.get("skipped")
    skipped = skipped if isinstance(skipped, dict) else {}
    found += [f"{name} was skipped: {reason}" for name, reason in sorted(skipped.items())]
    found += _of_test_period(provenance)
    found += _of_runs(next(iter(curves.values()))) if curves else []
    for name, curve in curves.items():
        judge = JUDGES[name].words
        found += [f"{judge}: {gap}" for gap in _gaps(curve, skipped)]
        if not JUDGES[name].closed_form and _networks(curve, plan) == 1:
            found.append(f"{judge}: one network for each plan, so luck in its training is not seen and may decide.")
    if plan.sites.frame == "schematic":
        found.append("Nobody says where the sites are: the map is a drawing of the graph, and distances mean nothing.")
    return list(dict.fromkeys(found))


def plan_notes(plan: Plan) -> list[PlanNote]:
    """What the planner says about how the plan came to be: steps that it left out, and warnings."""
    left_out = {step: _left_out(plan.provenance.get(step)) for step in ("polish", "exact_sweep")}
    notes = [PlanNote(f"{step}: skipped: {why}") for step, why in left_out.items() if why]
    own = plan.provenance.get("as_trained")
    if isinstance(own, list):
        kept = len(set(own) & set(plan.selected.tolist()))
        notes.append(PlanNote(f"{kept} of {plan.budget} sensors are those that the network chose in training."))
    silent = plan.provenance.get("sites_silent_in_training")
    if silent:
        who = "1 site reports" if silent == 1 else f"{silent} sites report"
        silence = f"{who} nothing in the training time: a sensor there counts for nothing."
        notes.append(PlanNote(silence, warns=True))
    warnings = plan.provenance.get("warnings")
    return notes + [PlanNote(str(text), warns=True) for text in (warnings if isinstance(warnings, list) else [])]


def data_caveats(provenance: Mapping[str, Any]) -> list[str]:
    """What was wrong with the values of the record, and what was done: a verdict is not spoken without it.

    Examples
    --------
    >>> data_caveats({"facts": {"data": {"caveats": ["values of -9999 are read as missing: 7"]}}})
    ['The data: values of -9999 are read as missing: 7.']
    """
    facts = provenance.get("facts")
    data = facts.get("data") if isinstance(facts, dict) else None
    found = data.get("caveats") if isinstance(data, dict) else None
    return [f"The data: {text}." for text in found] if isinstance(found, list) else []


def _left_out(step: object) -> str:
    """Why a step after the training was left out; empty if it was not."""
    if isinstance(step, dict):
        return str(step.get("skipped", ""))
    return step.removeprefix("skipped: ") if isinstance(step, str) else ""  # the text stood alone in an older form


def _of_test_period(provenance: Mapping[str, Any]) -> list[str]:
    facts = provenance.get("facts")
    split = facts.get("split", {}) if isinstance(facts, dict) else {}
    windows = split.get("test", {}).get("windows")
    if windows is None or windows >= _FEW_WINDOWS:
        return []
    count = "1 window" if windows == 1 else f"{windows} windows"
    found = [f"The test period holds {count} only: another stretch of time may rank the plans otherwise."]
    if windows < _TOO_FEW:
        chance = "better or worse may be chance in more than 5 % of cases"
        found.append(f"So few windows hardly show how alike their errors are: {chance}.")
    return found


def _of_runs(curve: Curve) -> list[str]:
    runs = curve.test_runs
    if runs is None or runs < 2:
        return []  # of one test run the answer speaks
    return [f"What the intervals speak of: {drawn_runs(runs)}."]


def _networks(curve: Curve, plan: Plan) -> int:
    """How many networks judged the plan; 0 where none did."""
    if plan.planner not in curve.planners or plan.budget not in curve.budgets:
        return 0
    return int(np.isfinite(curve.at(plan.budget)["total"].sel(planner=plan.planner)).sum())


def _gaps(curve: Curve, skipped: Iterable[str]) -> list[str]:
    """Plans that could not be judged, and why; those that were not made at all are said elsewhere."""
    found: dict[tuple[str, str], list[int]] = {}
    for name in curve.planners:
        for j, budget in enumerate(curve.budgets):
            reason = str(curve.data["reason"].sel(planner=name)[j].item())
            if reason and name not in FRAMES and name not in skipped:
                found.setdefault((name, reason), []).append(budget)
    lines = [
        f"{name} was not judged at {', '.join(map(str, budgets))} sensors: {reason}"
        for (name, reason), budgets in found.items()
    ]
    more = len(lines) - _GAPS
    return [*lines[:_GAPS], *([f"{more} more gaps are in the curve, with their reasons"] if more > 0 else [])]
