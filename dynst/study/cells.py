"""The cells of a comparison: a file for each plan and each score, whole or not there; a reason where it failed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dynst.domain import FRAMES, Layout, Plan
from dynst.domain.judges import JUDGES
from dynst.errors import DynstError
from dynst.evaluation import Score
from dynst.export import load_plan, save_plan
from dynst.planners import row_of
from dynst.run_layout import ComparisonLayout
from dynst.runs import whole
from dynst.study.cell import Cell, Gap
from dynst.study.measure import Cost

__all__ = ["Matrix", "Store"]

_NETWORK_DRAWS = 3  # docs/method.md: random plans under the network judge, at least

_COST = "cost of this plan"  # in its provenance


@dataclass(frozen=True)
class Matrix:
    """All cells of a comparison: planner x budget x seed x judge, and the frames.

    Parameters
    ----------
    planners, judges : tuple of str
        Who plans and who judges.
    budgets : tuple of int
        Ascending.
    seeds : int
        Plans of a planner that draws lots, and networks for each plan.
    first : int
        The first seed; the others follow.

    Examples
    --------
    >>> matrix = Matrix(("coverage", "dynst"), (5,), ("linear", "network"), seeds=2, first=0)
    >>> [(cell.planner, cell.seed) for cell in matrix.plans()]  # one plan where no lots are drawn
    [('coverage', 0), ('dynst', 0), ('dynst', 1)]
    >>> [(cell.planner, cell.seed) for cell in matrix.scores("network")]  # network s judges plan s
    [('coverage', 0), ('coverage', 1), ('dynst', 0), ('dynst', 1)]
    """

    planners: tuple[str, ...]
    budgets: tuple[int, ...]
    judges: tuple[str, ...]
    seeds: int
    first: int

    def plans(self) -> list[Cell]:
        """The plans that the scores need."""
        return list(dict.fromkeys(self.plan_of(cell) for judge in self.judges for cell in self.scores(judge)))

    def scores(self, judge: str) -> list[Cell]:
        """The scores of plans; all budgets of one planner and seed in a row, ascending."""
        return [Cell(p, k, s, judge) for p in self.planners for s in self._seeds(p, judge) for k in self.budgets]

    def frames(self, judge: str) -> list[Cell]:
        """What errors are read against; only a network's floor and ceiling depend on the seed."""
        drawn = 1 if JUDGES[judge].closed_form else self.seeds
        seeds = {name: drawn if name in ("floor", "ceiling") else 1 for name in FRAMES}
        return [Cell(name, 0, self.first + i, judge) for name in FRAMES for i in range(seeds[name])]

    def plan_of(self, score: Cell) -> Cell:
        """The plan that is judged there."""
        return Cell(score.planner, score.budget, score.seed if row_of(score.planner).seeded else self.first)

    def all(self) -> Iterator[Cell]:
        """Every cell, plans first."""
        yield from self.plans()
        for judge in self.judges:
            yield from self.frames(judge)
            yield from self.scores(judge)

    def _seeds(self, planner: str, judge: str) -> Sequence[int]:
        closed_form, row = JUDGES[judge].closed_form, row_of(planner)
        several = 1
        if row.seeded or not closed_form:
            several = self.seeds
        if row.draws > 1:
            several = row.draws if closed_form else max(_NETWORK_DRAWS, self.seeds)
        return range(self.first, self.first + several)


class Store:
    """The folder of a comparison, with its cells.

    Parameters
    ----------
    files : ComparisonLayout
        Names of its files.
    layout : Layout or None
        Written with every plan.
    """

    def __init__(self, files: ComparisonLayout, layout: Layout | None) -> None:
        self.files, self._layout = files, layout

    def __repr__(self) -> str:
        return f"Store({str(self.files.path)!r})"

    def plan(self, cell: Cell) -> tuple[Plan, Cost] | Gap | None:
        """The plan and what it cost, or why there is none; None if that is not known yet, or the file is damaged."""
        path = self._file(cell)
        if not path.is_file():
            return self._gap(cell)
        try:
            plan = load_plan(path)[0]
        except (DynstError, OSError, ValueError, KeyError):
            return None
        cost = plan.provenance.get(_COST)
        return plan, Cost.of(cost if isinstance(cost, dict) else {})

    def score(self, cell: Cell) -> tuple[Score, Cost] | Gap | None:
        """The score and what it cost, or why there is none; None if not known yet, or the file is damaged."""
        path = self._file(cell)
        if not path.is_file():
            return self._gap(cell)
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            cost = Cost(float(arrays.pop("cost_seconds")), float(arrays.pop("cost_peak_mb")))
            return Score.from_arrays(arrays), cost
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def known(self, cell: Cell) -> bool:
        """Whether nothing is left to do for this cell."""
        found = self.score(cell) if cell.judge else self.plan(cell)
        return found is not None and not (isinstance(found, Gap) and not found.final)

    def settled(self, cell: Cell) -> bool:
        """Whether there is a file for this cell, be it one with a reason."""
        return self._file(cell).is_file() or self._gap_file(cell).is_file()

    def forget(self, cell: Cell) -> None:
        """Remove what there is, so that the cell is made anew."""
        self._file(cell).unlink(missing_ok=True)
        self._gap_file(cell).unlink(missing_ok=True)

    def put_plan(self, cell: Cell, plan: Plan, cost: Cost) -> None:
        """Keep a plan."""
        plan = replace(plan, provenance={**plan.provenance, _COST: cost.to_dict()})
        with whole(self._file(cell)) as part:
            save_plan(plan, self._layout, part)
        self._gap_file(cell).unlink(missing_ok=True)

    def put_score(self, cell: Cell, score: Score, cost: Cost) -> None:
        """Keep a score."""
        arrays: dict[str, Any] = {**score.to_arrays(), "cost_seconds": cost.seconds, "cost_peak_mb": cost.peak_mb}
        with whole(self._file(cell)) as part, part.open("wb") as file:
            np.savez(file, **arrays)
        self._gap_file(cell).unlink(missing_ok=True)

    def put_gap(self, cell: Cell, gap: Gap) -> None:
        """Keep why there is nothing."""
        self._file(cell).unlink(missing_ok=True)
        with whole(self._gap_file(cell)) as part:
            part.write_text(json.dumps({"reason": gap.reason, "final": gap.final}) + "\n", encoding="utf-8")

    def _gap(self, cell: Cell) -> Gap | None:
        try:
            said = json.loads(self._gap_file(cell).read_text(encoding="utf-8"))
            return Gap(str(said["reason"]), bool(said["final"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _gap_file(self, cell: Cell) -> Path:
        return self.files.gap(self._file(cell))

    def _file(self, cell: Cell) -> Path:
        place = (cell.planner, cell.budget, cell.seed)
        return self.files.score(cell.judge, *place) if cell.judge else self.files.plan(*place)
