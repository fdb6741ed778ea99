"""Where cells are made: one process, its record read once, and what neighbouring cells share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dynst.config import Study
from dynst.domain import FRAMES, Plan
from dynst.domain.judges import DEFAULT, JUDGES
from dynst.errors import DynstError
from dynst.evaluation import Score
from dynst.evaluation.closed_form import ClosedFormJudge
from dynst.evaluation.sweep import Judge
from dynst.export import load_plan
from dynst.planners import PLANNERS
from dynst.planners.base import PlannerSkipped, Task
from dynst.run_layout import RunLayout
from dynst.study.cell import Cell, Gap
from dynst.study.cells import Matrix, Store
from dynst.study.log import read_log
from dynst.study.measure import Cost, measured
from dynst.study.prepare import Prepared, prepare
from dynst.study.refits import NetworkJudge, closed_judge, regions_of_study

__all__ = ["Desk", "Errand"]

_MENDABLE = (DynstError, MemoryError, np.linalg.LinAlgError, FloatingPointError)
# What makes a gap; any other exception is a bug and is shown as one.


@dataclass(frozen=True)
class Errand:
    """What a process must be told to make cells of a comparison; called, it makes them.

    Attributes
    ----------
    study : Study
        Of the run, every choice written out.
    run : Path
        The run folder.
    matrix : Matrix
        The comparison.
    """

    study: Study
    run: Path
    matrix: Matrix

    def __call__(self) -> Callable[[Cell], Gap | None]:
        """Read the record; what comes back makes one cell and says why if it could not."""
        return Desk(prepare(self.study), self.run, self.matrix).make


class Desk:
    """Makes cells, each from its coordinates and the record alone, and keeps what the next one may share.

    Either the planners' matrices or those of one judge are in memory, never both.

    Parameters
    ----------
    prepared : Prepared
        The study with its data.
    run : Path
        Folder of the run; its plans are used where they are asked for, and are not made again.
    matrix : Matrix
        The comparison.
    """

    def __init__(self, prepared: Prepared, run: Path, matrix: Matrix) -> None:
        self._prepared, self._files, self._matrix = prepared, RunLayout(run), matrix
        self._store = Store(self._files.comparison, prepared.field.layout)
        self._regions = regions_of_study(prepared)
        self._task: Task | None = None
        self._judge_at_hand: tuple[str, ClosedFormJudge] | None = None

    def make(self, cell: Cell) -> Gap | None:
        """Make a cell and keep it; the reason if it could not be made, which is kept likewise."""
        try:
            if cell.judge:
                return self._score(cell)
            self._plan(cell)
        except _MENDABLE as error:
            gap = Gap(_reason(error), final=isinstance(error, PlannerSkipped))
            self._store.put_gap(cell, gap)
            return gap
        return None

    def closed(self, name: str) -> ClosedFormJudge:
        """A judge in closed form, made where it is not the one that was asked for last."""
        if self._judge_at_hand is None or self._judge_at_hand[0] != name:
            self._task = self._judge_at_hand = None  # their memory is needed
            self._judge_at_hand = name, closed_judge(name, self._prepared, self._regions)
        return self._judge_at_hand[1]

    def _plan(self, cell: Cell) -> None:
        made = self._of_run(cell)
        if made is None:
            task = self._planning().with_budget(cell.budget)
            options = self._prepared.study.planner_options(cell.planner)
            made = measured(lambda: PLANNERS[cell.planner].plan(task, seed=cell.seed, **options))
        self._store.put_plan(cell, *made)

    def _of_run(self, cell: Cell) -> tuple[Plan, Cost] | None:
        """The plan that the run itself made at this budget with this seed, so that it is that one which is judged."""
        path = self._files.plan_by(cell.planner)
        if cell.budget != self._prepared.budget or cell.seed != self._prepared.study.seed or not path.is_file():
            return None
        lines = [line for line in read_log(self._files.log) if line.get("planner") == cell.planner]
        return load_plan(path)[0], Cost.of(lines[-1] if lines else {})

    def _planning(self) -> Task:
        if self._task is None:
            self._judge_at_hand = None
            self._task = self._prepared.task()
        return self._task

    def _score(self, cell: Cell) -> Gap | None:
        judge = self._judge(cell)
        if cell.planner in FRAMES:
            make: Callable[[], Score] = getattr(judge, cell.planner)
        else:
            found = self._store.plan(self._matrix.plan_of(cell))
            if not isinstance(found, tuple):
                return found or Gap("its plan is missing or damaged")  # said where the plan is; nothing of this cell's
            selected = found[0].selected

            def make() -> Score:
                return judge.score(selected)

        self._store.put_score(cell, *measured(make))
        return None

    def _judge(self, cell: Cell) -> Judge:
        if JUDGES[cell.judge].closed_form:
            return self.closed(cell.judge)
        return NetworkJudge(
            self.closed(DEFAULT), seed=cell.seed, options=self._prepared.study.network(), regions=self._regions
        )


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return f"too little memory{f' ({error})' if str(error) else ''}"
    return " ".join(str(error).split()) or type(error).__name__
