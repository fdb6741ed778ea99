"""What a cell of a comparison is called, and why one is empty; light, as every worker process loads it first."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cell", "Gap"]


@dataclass(frozen=True, order=True)
class Cell:
    """A plan, or with a judge a score, of a planner (or frame) at a budget with a seed.

    Examples
    --------
    >>> Cell("coverage", 20, 1, "linear").words
    'coverage, 20 sensors, seed 1, judge linear'
    """

    planner: str
    budget: int
    seed: int
    judge: str = ""

    @property
    def words(self) -> str:
        """What it is called in messages."""
        judge = f", judge {self.judge}" if self.judge else ""
        where = f", {self.budget} sensors" if self.budget else ""  # a frame has no budget
        return f"{self.planner}{where}, seed {self.seed}{judge}"


@dataclass(frozen=True)
class Gap:
    """Why a cell holds nothing; where that is `final`, trying again would not help."""

    reason: str
    final: bool = False
