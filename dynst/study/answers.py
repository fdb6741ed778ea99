"""The answer of a run: which curves it rests on, and the one `Answer` that terminal, page and JSON show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from dynst.config import Study
from dynst.domain import FRAMES, Curve, Plan
from dynst.domain.judges import JUDGES
from dynst.errors import ConfigError
from dynst.evaluation.verdict import Answer, answer
from dynst.runs import Run
from dynst.study.caveats import data_caveats

__all__ = ["Evidence", "answer_of", "evidence_of", "tolerance_of"]


@dataclass(frozen=True)
class Evidence:
    """The curves that speak of a run's plan, by judge; the one that the answer rests on first.

    Attributes
    ----------
    curves : mapping of str to Curve
        By the names of `dynst.domain.judges.JUDGES`.
    anew : bool
        Whether every planner planned anew for each budget, rather than that one ranking was cut or extended.
    """

    curves: Mapping[str, Curve]
    anew: bool

    @property
    def compared(self) -> bool:
        """Whether there is any other plan to compare with."""
        first = next(iter(self.curves.values()), None)
        return first is not None and sum(name not in FRAMES for name in first.planners) > 1


def evidence_of(run: Run) -> Evidence:
    """The curves of the comparison where it holds the run's plan at its budget, else those of the fit."""
    plan, cut, anew = run.plan, run.curves, run.comparisons
    better = {judge: curve for judge, curve in anew.items() if _holds(curve, plan) and _judged(curve, plan)}
    other = {judge: curve for judge, curve in cut.items() if _holds(curve, plan)}
    known = other | better
    curves = {judge: known[judge] for judge in JUDGES if judge in known}
    first = next(iter(curves), "")
    return Evidence(curves, anew=first in better)


def answer_of(run: Run, evidence: Evidence | None = None) -> Answer | None:
    """What was found out about the plan of a run; None where nothing was compared with it."""
    evidence = evidence or evidence_of(run)
    if not evidence.compared:
        return None
    (judge, first), *others = evidence.curves.items()
    plan = run.plan
    found = answer(first, plan.planner, plan.budget, others=dict(others), tolerance=tolerance_of(run), judge=judge)
    return replace(found, sentences=(*found.sentences, *data_caveats(run.provenance)))


def tolerance_of(run: Run) -> float:
    """The tolerance of the run's study; the default where its file is missing or cannot be read."""
    path = run.files.study
    try:
        return Study.load(path).tolerance if path.is_file() else Study().tolerance
    except ConfigError:
        return Study().tolerance


def _holds(curve: Curve, plan: Plan) -> bool:
    return plan.planner in curve.planners and plan.budget in curve.budgets


def _judged(curve: Curve, plan: Plan) -> bool:
    return bool(np.isfinite(curve.at(plan.budget)["total"].sel(planner=plan.planner).values).any())
