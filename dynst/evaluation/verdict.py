"""What a curve says, in words: better, tie or worse, how many sensors are enough, and where the choice is free."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Answer", "Knee"]


@dataclass(frozen=True)
class Knee:
    """Fewest sensors whose error is within a tolerance of that with every site.

    Attributes
    ----------
    budget, low, high : int or None
        Of the curve's budgets: the estimate and its 95 % interval; None where no budget of the curve is enough.
    tolerance : float
        In %.
    """

    budget: int | None
    low: int | None
    high: int | None
    tolerance: float


@dataclass(frozen=True)
class Answer:
    """The findings of a comparison, for people: plain sentences, the most important first.

    Attributes
    ----------
    headline : str
        One sentence: is the plan better than the simple ones?
    sentences : tuple of str
        The findings behind it, and what limits them.
    against : dict
        ``better``, ``tie`` or ``worse`` than each other planner at the plan's budget, after Holm's correction.
    knee : Knee or None
        How many sensors are enough; None where there is no ceiling to compare with.
    indifferent : tuple of float, or None
        Lowest and highest sparsity between which the choice of sites does not matter; None where there is none.
    """

    headline: str
    sentences: tuple[str, ...] = ()
    against: dict[str, str] = field(default_factory=dict)
    knee: Knee | None = None
    indifferent: tuple[float, float] | None = None
