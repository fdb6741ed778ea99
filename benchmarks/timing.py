"""Interleaved timing, and one table that sets each ratio beside its target."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Row", "interleaved", "show"]


@dataclass(frozen=True)
class Row:
    """One measured ratio: `what` was measured, the figures behind it, the ratio and the least (or most) it must be."""

    what: str
    figures: str
    ratio: float
    target: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.ratio <= self.target if self.at_most else self.ratio >= self.target


def interleaved(
    *sides: Callable[[], object],
    repeats: int,
    warm_up: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Median seconds of each side, taken in turns (A, B, A, B), so that a busy moment meets all of them.

    With `clock=time.process_time`, right for work in one thread, other processes do not count at all.
    """
    for _ in range(warm_up):
        for side in sides:
            side()
    seconds: list[list[float]] = [[] for _ in sides]
    for _ in range(repeats):
        for kept, side in zip(seconds, sides, strict=True):
            start = clock()
            side()
            kept.append(clock() - start)
    return [statistics.median(kept) for kept in seconds]


def show(title: str, rows: list[Row]) -> int:
    """Print the table; the exit code is 1 if a target was missed."""
    width = max(len(row.what) for row in rows)
    middle = max(len(row.figures) for row in rows)
    print(f"\n{title}")
    for row in rows:
        target = f"target {'<=' if row.at_most else '>='} {row.target:g}"
        verdict = "reached" if row.reached else "MISSED"
        print(f"  {row.what:<{width}}  {row.figures:>{middle}}  {row.ratio:8.3g}  {target:<15} {verdict}")
    sys.stdout.flush()
    return int(not all(row.reached for row in rows))
