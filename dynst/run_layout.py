"""What the files and folders of a run are called; nobody else names one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dynst.domain.judges import JudgeInfo

__all__ = ["NAMES", "ComparisonLayout", "KeptPlan", "RunLayout"]


@dataclass(frozen=True)
class _Layout:
    """What a run and a comparison have alike.

    Attributes
    ----------
    path : Path
        The folder itself.
    """

    path: Path

    @property
    def lock(self) -> Path:
        """Held by the process that fills the folder."""
        return self.path / ".lock"

    def curve(self, judge: JudgeInfo) -> Path:
        """The curve of a judge."""
        return self.path / f"{judge.file}.nc"

    def curve_table(self, judge: JudgeInfo) -> Path:
        """The same as a table."""
        return self.curve(judge).with_suffix(".csv")


@dataclass(frozen=True)
class KeptPlan:
    """A plan in the folder of a comparison: who planned, for how many sensors, with which seed."""

    path: Path
    planner: str
    budget: int
    seed: int


@dataclass(frozen=True)
class ComparisonLayout(_Layout):
    """Names of the files of a comparison.

    Examples
    --------
    >>> files = RunLayout(Path("run")).comparison
    >>> files.plan("coverage", 20, 1).as_posix()
    'run/compare/plans/coverage-k20-s1.nc'
    >>> files.score("linear", "coverage", 20, 1).as_posix()
    'run/compare/cells/linear/coverage-k20-s1.npz'
    >>> files.gap(files.plan("coverage", 20, 1)).name
    'coverage-k20-s1.gap.json'
    """

    @property
    def made_of(self) -> Path:
        """Fingerprint of the record, and the options that all cells share."""
        return self.path / "made_of.json"

    @property
    def plans_folder(self) -> Path:
        """Holds a file for each plan."""
        return self.path / "plans"

    @property
    def scores_folder(self) -> Path:
        """Holds a folder for each judge, with a file for each score."""
        return self.path / "cells"

    def plan(self, planner: str, budget: int, seed: int) -> Path:
        """The plan of a planner."""
        return self.plans_folder / f"{_cell(planner, budget, seed)}.nc"

    def score(self, judge: str, planner: str, budget: int, seed: int) -> Path:
        """What a judge says of a plan or of a frame."""
        return self.scores_folder / judge / f"{_cell(planner, budget, seed)}.npz"

    def gap(self, file: Path) -> Path:
        """Why a plan or a score is not there."""
        return file.with_suffix(".gap.json")

    def plans(self) -> list[KeptPlan]:
        """The plans that are there, least seed first."""
        found = [(path, _CELL.fullmatch(path.stem)) for path in sorted(self.plans_folder.glob("*.nc"))]
        plans = [KeptPlan(path, cell[1], int(cell[2]), int(cell[3])) for path, cell in found if cell]
        return sorted(plans, key=lambda plan: plan.seed)


@dataclass(frozen=True)
class RunLayout(_Layout):
    """Names of the files of a run.

    Examples
    --------
    >>> files = RunLayout(Path("run"))
    >>> files.study.as_posix(), files.plan_by("coverage").as_posix(), files.variant("first half").as_posix()
    ('run/study.toml', 'run/plans/coverage.nc', 'run/stability/first-half.nc')
    """

    @property
    def study(self) -> Path:
        """The study, every choice written out."""
        return self.path / "study.toml"

    @property
    def provenance(self) -> Path:
        """Versions, seed, fingerprint of the data, device, command, and what was said on the way."""
        return self.path / "provenance.json"

    @property
    def log(self) -> Path:
        """One line per training step and per plan."""
        return self.path / "log.jsonl"

    @property
    def plan(self) -> Path:
        """The plan that the run was made for."""
        return self.path / "plan.nc"

    @property
    def plans_folder(self) -> Path:
        """Holds the plan of each planner at the run's budget."""
        return self.path / "plans"

    @property
    def relaxed_folder(self) -> Path:
        """Holds the plans under fewer rules."""
        return self.plans_folder / "rules"

    @property
    def price(self) -> Path:
        """What each rule costs in forecast error."""
        return self.path / "rules.json"

    @property
    def forecaster(self) -> Path:
        """The forecaster of the plan, as it was judged."""
        return self.path / "forecaster.safetensors"

    @property
    def refitted(self) -> Path:
        """The same form fitted to all data."""
        return self.path / "forecaster_all_data.safetensors"

    @property
    def checkpoint(self) -> Path:
        """A folder for the state of a training that was stopped."""
        return self.path / "checkpoint"

    @property
    def stability(self) -> Path:
        """What stays of the plan with other seeds and parts of the record."""
        return self.path / "stability.nc"

    @property
    def variants_folder(self) -> Path:
        """Holds the plans of these other seeds and parts."""
        return self.path / "stability"

    @property
    def page(self) -> Path:
        """The report as a page."""
        return self.path / "report.html"

    @property
    def reported(self) -> bool:
        """Whether the report is there, as a page and as text."""
        return self.page.is_file() and self.page.with_suffix(".md").is_file()

    @property
    def comparison(self) -> ComparisonLayout:
        """The comparison of planners that plan anew for each budget."""
        return ComparisonLayout(self.path / "compare")

    @property
    def complete(self) -> bool:
        """Whether this is the folder of a run that was finished."""
        return not self.path.name.startswith(".") and self.plan.is_file() and self.provenance.is_file()

    def plan_by(self, planner: str) -> Path:
        """The plan of a planner at the run's budget."""
        return self.plans_folder / f"{planner}.nc"

    def plans(self) -> dict[str, Path]:
        """The plans that are there, by planner."""
        return {path.stem: path for path in self.plans_folder.glob("*.nc")}

    def relaxed(self, name: str) -> Path:
        """The plan under fewer rules."""
        return self.relaxed_folder / f"{_slug(name)}.nc"

    def variant(self, name: str) -> Path:
        """The plan with another seed or from a part of the record."""
        return self.variants_folder / f"{_slug(name)}.nc"

    def judge_facts(self, judge: JudgeInfo) -> Path:
        """What a judge in closed form chose."""
        return self.path / f"{judge.file}_made.json"


NAMES = RunLayout(Path())
"""The layout as seen from inside of the folder: bare names, for messages."""

_CELL = re.compile(r"(.+)-k(\d+)-s(\d+)")


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name)


def _cell(planner: str, budget: int, seed: int) -> str:
    """Name of a cell; `_CELL` takes it apart."""
    return f"{planner}-k{budget}-s{seed}"
