"""One plan at one budget of a curve: its differences, verdicts and errors, and how they are put in words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dynst.domain import FRAMES, RANDOM, Curve
from dynst.domain.curve import CurveRow
from dynst.domain.plain import plain
from dynst.domain.words import UNCLEAR, vague
from dynst.evaluation.comparison import alone
from dynst.evaluation.knee import relative_errors, stake

__all__ = ["Cell", "Findings", "changes", "figure", "listed", "percent", "sensors"]

_NEXT_TO_NOTHING = 5.0  # %, chosen: with so little less error than without any sensor nobody would build one

Cell = tuple[float, float, float, str]
"""Difference and its interval in %, and the verdict."""


class Findings:
    """One plan at one budget: its differences and verdicts, and the errors around it.

    Against random plans the plan that is asked about is a question of its own (`comparison.alone`).
    """

    def __init__(self, curve: Curve, name: str, budget: int) -> None:
        self.curve, self.name, self.budget = curve, name, budget
        self.rows: dict[str, CurveRow] = {row.planner: row for row in curve.table(budget)}
        self.errors = relative_errors(curve, budget)
        self.sites = round(budget / (1 - sparsity)) if (sparsity := float(curve.at(budget)["sparsity"])) < 1 else budget
        self.plans = [other for other in curve.planners if other not in FRAMES]
        found = {other: self.of(name, other) for other in self.plans if other != name}
        self.found = {other: cell for other, cell in found.items() if cell is not None}
        self.stake = stake(curve, budget)

    def of(self, name: str, other: str) -> Cell | None:
        """Difference of `name` to `other` and its interval in %, and the verdict; None where not compared."""
        cell = self.curve.compared(name, other, self.budget)
        if cell is None or not cell[3]:
            return None
        change, low, high, word = cell
        if vague(low, high):
            word = UNCLEAR
        elif (name, other) == (self.name, RANDOM):
            word = alone(low, high)
        return change, low, high, word

    def rivals(self, word: str) -> list[str]:
        """The other planners, random plans aside, against which the verdict is `word`; least error first."""
        names = [other for other, cell in self.found.items() if cell[3] == word and other != RANDOM]
        return sorted(names, key=lambda other: self.rows[other].error)

    @property
    def random(self) -> str:
        """Verdict against the random plans; empty where there is none."""
        return self.found[RANDOM][3] if RANDOM in self.found else ""

    @property
    def beaten(self) -> tuple[int, int]:
        """How many random plans have more error than this plan, and how many there are."""
        draws, ours = self.errors.get(RANDOM, np.zeros(0)), self.errors.get(self.name, np.full(1, np.nan))
        return int((ours.mean() < draws).sum()), len(draws)

    @property
    def better_than_random(self) -> list[str]:
        """The planners, this one among them, that are better than the random plans; least error first."""
        cells = {other: self.of(other, RANDOM) for other in self.plans if other != RANDOM}
        names = [other for other, cell in cells.items() if cell is not None and cell[3] == "better"]
        return sorted(names, key=lambda other: self.rows[other].error)

    @property
    def error(self) -> float:
        """The plan's error in training standard deviations, mean over seeds; NaN if it could not be had."""
        return float(self.errors[self.name].mean()) if self.name in self.errors else math.nan

    @property
    def idle(self) -> bool:
        """Whether sensors win next to nothing here: neither those of the plan nor one at every site."""
        if self.stake is None:
            return False
        none = self.stake.none
        return self.stake.gain < _NEXT_TO_NOTHING and not self.error < (1 - _NEXT_TO_NOTHING / 100) * none


def changes(names: Sequence[str], here: Findings) -> str:
    """Planners, each with the difference to it."""
    return _joined([f"{plain(name)} ({here.found[name][0]:+.1f} %)" for name in names])


def listed(names: Sequence[str]) -> str:
    r"""Names in a row.

    Examples
    --------
    >>> listed(["a_optimal", "forward", "my\nplan"])
    'a_optimal, forward and my plan'
    """
    return _joined([plain(name) for name in names])


def _joined(parts: Sequence[str]) -> str:
    """Words in a row, the last after "and"."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def percent(value: float) -> str:
    """Size of a difference; what would be rounded to nothing is said to be little."""
    return f"{abs(value):.1f} %" if abs(value) >= 0.05 else "less than 0.1 %"


def sensors(budget: int) -> str:
    """So many sensors."""
    return "1 sensor" if budget == 1 else f"{budget} sensors"


def figure(row: CurveRow) -> str:
    """An error with its unit."""
    return f"{row.error:.3g}" + ("" if row.units == "1" else f" {plain(row.units)}")
