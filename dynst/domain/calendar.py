"""What of a calendar a climatology follows: words such as ``year+day``, and the frequencies that they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dynst.domain.clock import Unit
from dynst.errors import ConfigError, unknown_name

__all__ = ["MEAN", "TERMS", "Calendar", "Term"]

Term = Literal["year", "week", "day", "cycle"]

TERMS: tuple[Term, ...] = ("year", "week", "day", "cycle")
"""What may repeat itself: parts of the calendar, and a number of steps."""

_YEAR, _WEEK, _DAY, _CYCLE = (1, 2), (1, 2, 3), (1, 2, 3), (1, 2, 3)  # waves in each

_WEEKDAYS = (-2, -1, 1, 2)
# Cycles a week beside each wave of the day: what tells the hours of one weekday from those of another. Of a weekend of
# two days the waves of 1, 2 and 3 cycles a week hold 65, 31 and 4 %: two on either side carry nearly all of it.


@dataclass(frozen=True)
class Calendar:
    """What a climatology follows beside the mean: some of `TERMS`, and how many steps a cycle has.

    Examples
    --------
    >>> Calendar.parse("day+year").terms, str(Calendar()), Calendar(("cycle",), 288).words
    (('year', 'day'), 'mean', 'cycle of 288 steps')
    """

    terms: tuple[Term, ...] = ()
    cycle: int | None = None

    @classmethod
    def parse(cls, text: str, *, cycle: int | None = None) -> Calendar:
        """A calendar from words joined by plus signs.

        Raises
        ------
        ConfigError
            If a word is unknown.
        """
        words = [word.strip() for word in text.lower().split("+")]
        for word in words:
            if word not in {"mean", *TERMS}:
                raise ConfigError(unknown_name("word", word, ("auto", "mean", *TERMS)))
        return cls(tuple(term for term in TERMS if term in words), cycle)

    def __str__(self) -> str:
        return "+".join(self.terms) or "mean"

    @property
    def words(self) -> str:
        """The terms as a user reads them."""
        cycle = f"cycle of {self.cycle} steps"
        return " + ".join(cycle if term == "cycle" else term for term in self.terms) or "mean"

    @property
    def frequencies(self) -> tuple[tuple[Unit, float], ...]:
        """Unit and cycles in one of it, of every wave that the terms have if steps are short."""
        found: list[tuple[Unit, float]] = []
        if "year" in self.terms:
            found += [("years", float(k)) for k in _YEAR]
        if "week" in self.terms:
            found += [("days", k / 7) for k in _WEEK]
        if "day" in self.terms:
            found += [("days", float(k)) for k in _DAY]
        if {"day", "week"} <= set(self.terms):
            found += [("days", k + beside / 7) for k in _DAY for beside in _WEEKDAYS]
        if "cycle" in self.terms and self.cycle is not None:
            found += [("steps", k / self.cycle) for k in _CYCLE]
        return tuple(found)


MEAN = Calendar()
"""The mean of each site and channel alone."""
