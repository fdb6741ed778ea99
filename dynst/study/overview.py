"""What runs there are: one row each, finished, stopped or being made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from dynst import runs
from dynst.config import Study
from dynst.domain.judges import DEFAULT
from dynst.domain.words import UNCLEAR, span, vague
from dynst.errors import DynstError
from dynst.runs import Draft, Run

__all__ = ["RunRow", "overview"]

FINISHED, STOPPED, WORKING, DAMAGED = "finished", "stopped", "working", "damaged"


@dataclass(frozen=True)
class RunRow:
    """One run, as a table of runs shows it; what is not known yet is None.

    Parameters
    ----------
    name, data, planner : str
        Of the run, of its record as it was asked for, and of who planned.
    sensors : int or None
        The budget.
    error : float or None
        RMSE of the forecast from these sensors on test time, under the judge of a fit.
    units : str
        Unit of `error`.
    vs_random : tuple of float, or None
        Difference to random plans in %, and its 95 % interval; below zero is better.
    verdict : str
        ``better``, ``tie`` or ``worse`` than random plans; empty where that was not judged.
    date : str
        When it was finished, or last touched, ISO 8601.
    state : str
        ``finished``; ``stopped``, to be resumed; ``working``; ``damaged``.
    problem : str
        What is damaged.
    """

    name: str
    data: str
    planner: str
    sensors: int | None
    error: float | None
    units: str
    vs_random: tuple[float, float, float] | None
    verdict: str
    date: str
    state: str
    problem: str = ""

    def to_json(self) -> dict[str, object]:
        """The row as JSON types."""
        return asdict(self) | {"vs_random": None if self.vs_random is None else list(self.vs_random)}

    @property
    def against_random(self) -> str:
        """The difference to random plans in words.

        Examples
        --------
        >>> found = (-9.9, -17.9, -1.1)
        >>> RunRow("a", "x.nc", "coverage", 20, 7.0, "Pa", found, "better", "2026-01-01", "finished").against_random
        '-9.9 % (-17.9 to -1.1): better'
        """
        if self.vs_random is None:
            return ""
        change, low, high = self.vs_random
        if vague(low, high):
            return UNCLEAR
        word = f": {self.verdict}" if self.verdict else ""
        return f"{change:+.1f} % ({span(low, high, unit='')}){word}"


def overview() -> list[RunRow]:
    """All runs where runs are kept, the newest last."""
    rows = [_finished(run) for run in runs.finished()] + [_draft(draft) for draft in runs.drafts()]
    return sorted(rows, key=lambda row: (row.date, row.name))


def _finished(run: Run) -> RunRow:
    try:
        known = run.provenance
        data = known.get("data")
        plan = run.plan
        curve = run.curves.get(DEFAULT)
        row = None
        if curve is not None and plan.budget in curve.budgets:
            row = next((row for row in curve.table(plan.budget) if row.planner == plan.planner), None)
    except DynstError as error:
        return RunRow(run.name, "", "", None, None, "", None, "", "", DAMAGED, str(error))
    return RunRow(
        run.name,
        str(data.get("path", "")) if isinstance(data, Mapping) else "",
        plan.planner,
        plan.budget,
        None if row is None or row.reason else row.error,
        "" if row is None else row.units,
        None if row is None else row.vs_random,
        "" if row is None else row.verdict,
        str(known.get("finished", ""))[:19],
        FINISHED,
    )


def _draft(draft: Draft) -> RunRow:
    touched = datetime.fromtimestamp(draft.path.stat().st_mtime, UTC).isoformat()[:19]
    state = WORKING if draft.busy else STOPPED
    try:
        study = Study.load(draft.files.study)
    except DynstError:  # stopped before it began
        return RunRow(draft.name, "", "", None, None, "", None, "", touched, state)
    return RunRow(draft.name, study.data, study.planner, study.sensors, None, "", None, "", touched, state)
