"""What a cell of a comparison is called, and why one is empty; light, as every worker process loads it first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Cell", "Gap"]


@dataclass(frozen=True, order=True)
class Cell:
    """A plan, or with a judge a score, of a planner (or frame) at a budget with a seed.

    Examples
    --------
    >>> Cell("coverage", 20, 1, "linear").file.as_posix()
    'cells/linear/coverage-k20-s1.npz'
    >>> Cell("coverage", 20, 1).file.as_posix()
    'plans/coverage-k20-s1.nc'
    """

    planner: str
    budget: int
    seed: int
    judge: str = ""

    @property
    def file(self) -> Path:
        """Where it is kept, below the folder of the comparison."""
        name = f"{self.planner}-k{self.budget}-s{self.seed}"
        return Path("cells", self.judge, f"{name}.npz") if self.judge else Path("plans", f"{name}.nc")

    @property
    def words(self) -> str:
        """``coverage, 20 sensors, seed 1, judge linear``."""
        judge = f", judge {self.judge}" if self.judge else ""
        where = f", {self.budget} sensors" if self.budget else ""  # a frame has no budget
        return f"{self.planner}{where}, seed {self.seed}{judge}"


@dataclass(frozen=True)
class Gap:
    """Why a cell holds nothing; where that is `final`, trying again would not help."""

    reason: str
    final: bool = False
