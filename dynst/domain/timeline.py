"""The even steps of a record, carried on beyond its end: which step a time is, and what time a step is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from dynst.domain.clock import Clock
from dynst.domain.durations import length_of
from dynst.domain.field import Field

__all__ = ["Timeline"]

_SECOND = 1_000_000_000  # nanoseconds
_DAY = 86_400  # seconds


@dataclass(frozen=True, eq=False)
class Timeline:
    """Steps at an even distance, counted from the first step of a record.

    Parameters
    ----------
    first : datetime64[ns] or int
        Time of step 0: a date, or a number where the record has no dates.
    cadence : str
        The step in words, like ``6 h`` or ``1 month``.
    year_days : int or None
        Days of every year in the calendar of a model; None in the civil calendar.
    began : float or None
        Days of step 0 in the calendar of a model, counted from the year 1; None in the civil calendar.
    anew : bool
        Whether each run of the record is an experiment, whose steps begin at 0.

    Examples
    --------
    >>> line = Timeline(np.datetime64("2026-01-01", "ns"), "6 h")
    >>> line.times(np.array([0, 5])).astype("datetime64[h]").tolist()[1].isoformat()
    '2026-01-02T06:00:00'
    >>> line.steps(np.array(["2026-01-01T13"], "datetime64[ns]"))
    (array([2]), array([0.16666667]))
    """

    first: np.datetime64[Any] | int
    cadence: str
    year_days: int | None = None
    began: float | None = None
    anew: bool = False

    @classmethod
    def of(cls, record: Field) -> Timeline:
        """The steps of a record."""
        first, clock = record.time[0], record.clock
        dated = isinstance(first, np.datetime64)
        began = None if clock.days is None or clock.year_days is None else float(clock.days[0])
        return cls(first if dated else int(first), record.cadence, clock.year_days, began, bool(record.cases))

    @property
    def dated(self) -> bool:
        """Whether times are dates."""
        return isinstance(self.first, np.datetime64)

    def times(self, steps: Int[ndarray, "*s"]) -> Shaped[ndarray, "*s"]:
        """Times of some steps: dates, or the numbers of the record."""
        if not self.dated:
            return np.asarray(np.asarray(steps) + int(self.first))
        if self._months:
            month = self._first_month + np.asarray(steps) * self._months
            return np.asarray(month.astype("datetime64[ns]") + self._into_month)
        gone = np.round(np.asarray(steps) * self._nanoseconds).astype("timedelta64[ns]")
        return np.asarray(self._start + gone)

    def steps(self, times: Shaped[ndarray, "*s"]) -> tuple[Int[ndarray, "*s"], Float[ndarray, "*s"]]:
        """The nearest step of each time, and how far from it the time is, as a share of a step."""
        return _rounded(self._exact(times))

    def clock(self, steps: Int[ndarray, " s"]) -> Clock:
        """Where in day and year some steps stand."""
        if self.year_days is not None and self.began is not None:
            days = self.began + np.asarray(steps) * (self._nanoseconds / (_DAY * _SECOND))
            return Clock(days, 1 + days / self.year_days, steps.astype(float), self.year_days)
        clock = Clock.of(self.times(steps)) if self.dated else Clock()
        return Clock(clock.days, clock.years, steps.astype(float))

    def steps_of_days(self, days: Float[ndarray, "*s"]) -> tuple[Int[ndarray, "*s"], Float[ndarray, "*s"]]:
        """The nearest step of moments in the calendar of a model, and how far from it each is."""
        assert self.began is not None  # of a record with such a calendar
        return _rounded((days - self.began) * (_DAY * _SECOND / self._nanoseconds))

    def _exact(self, times: Shaped[ndarray, "*s"]) -> Float[ndarray, "*s"]:
        if not self.dated:
            return np.asarray(times, float) - float(self.first)
        stamps = np.asarray(times, "datetime64[ns]")
        if not self._months:
            return np.asarray((stamps - self._start).astype(np.int64) / self._nanoseconds)
        month = stamps.astype("datetime64[M]")
        began = month.astype("datetime64[ns]")
        length = ((month + 1).astype("datetime64[ns]") - began).astype(np.int64)
        whole = (month - self._first_month).astype(np.int64)
        into = (stamps - began).astype(np.int64) - self._into_month.astype(np.int64)
        return np.asarray((whole + into / length) / self._months)

    @property
    def _nanoseconds(self) -> float:
        length = length_of(self.cadence)
        return 1.0 if length is None else float(length[0]) * _SECOND

    @property
    def _months(self) -> int:
        """Months of a step; 0 where a step has a fixed length."""
        length = length_of(self.cadence)
        return int(length[0]) if length is not None and length[1] else 0

    @property
    def _start(self) -> Shaped[ndarray, ""]:
        return np.asarray(self.first, "datetime64[ns]")

    @property
    def _first_month(self) -> Shaped[ndarray, ""]:
        return np.asarray(self._start.astype("datetime64[M]"))

    @property
    def _into_month(self) -> Shaped[ndarray, ""]:
        return np.asarray(self._start - self._first_month.astype("datetime64[ns]"))


def _rounded(exact: Float[ndarray, "*s"]) -> tuple[Int[ndarray, "*s"], Float[ndarray, "*s"]]:
    nearest = np.round(exact).astype(np.int64)
    return nearest, np.abs(exact - nearest)
