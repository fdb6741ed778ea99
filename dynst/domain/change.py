"""How an error compares with another one on the same test windows."""

from __future__ import annotations

from dataclasses import dataclass

from dynst.domain.words import UNCLEAR, vague

__all__ = ["Change"]


@dataclass(frozen=True)
class Change:
    """An error, and how it compares with another on the same test windows.

    Attributes
    ----------
    error : float
        RMSE over lead times: in the channel's unit if there is one channel, else in training standard deviations.
    percent, low, high : float
        Difference to the other error in %, and its 95 % interval; below zero is better.
    p : float
        Probability of such a difference between equals; for leave-one-out values and for rivals after Holm's
        correction for their number.
    """

    error: float
    percent: float
    low: float
    high: float
    p: float

    @property
    def verdict(self) -> str:
        """``better`` or ``worse`` than the other where ``p < 0.05``, else ``tie``; ``tie`` of what cannot be judged."""
        if vague(self.low, self.high) or not self.p < 0.05:
            return "tie"
        return "better" if self.percent < 0 else "worse"

    def __str__(self) -> str:
        if vague(self.low, self.high):
            return f"by a figure that {UNCLEAR} (its interval is wider than +-200 %)"
        digits = 1 if max(abs(self.low), abs(self.high)) >= 3 else 2
        change, low, high = (f"{round(part, digits) + 0.0:+.{digits}f}" for part in (self.percent, self.low, self.high))
        return f"{change} % (95 %: {low} to {high})"
