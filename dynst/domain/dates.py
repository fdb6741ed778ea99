"""Dates as a user names them - a year, a month, a day, a moment - in the calendar of a record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from dynst.errors import ConfigError, DataError

__all__ = ["Date", "Until", "date_of", "said_moment"]

_SHAPE = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d))?)?)?)?)?", re.ASCII)
_LEAST, _MOST = (1, 1, 1, 0, 0, 0), (9999, 12, 31, 23, 59, 59)
_SECONDS = (3600, 60, 1)
_DAY = 86_400
_PLAIN = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTHS = {360: (30,) * 12, 365: _PLAIN, 366: (31, 29, *_PLAIN[2:])}  # days of a year -> days of its months


@dataclass(frozen=True)
class Date:
    """A year, month, day, hour, minute or second: as many numbers as were named. It means all of what it names.

    Examples
    --------
    >>> Date.parse("2015-12"), str(Date.parse("2015-12-31T18:00"))
    (Date(parts=(2015, 12)), '2015-12-31T18:00')
    """

    parts: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Date:
        """A date from ISO text.

        Raises
        ------
        ConfigError
            If it is none in any calendar.
        """
        found = _SHAPE.fullmatch(text.strip())
        parts = tuple(int(part) for part in found.groups() if part is not None) if found else ()
        limits = zip(parts, _LEAST, _MOST, strict=False)
        if not parts or not all(low <= part <= high for part, low, high in limits):
            raise ConfigError(
                f'"{text}" came; a date such as 2015, 2015-12, 2015-12-31 or 2015-12-31T18:00 is expected.'
            )
        return cls(parts)

    def __str__(self) -> str:
        day = "-".join([f"{self.parts[0]:04d}", *(f"{part:02d}" for part in self.parts[1:3])])
        return "T".join([day, ":".join(f"{part:02d}" for part in self.parts[3:])]).rstrip("T")

    @property
    def latest(self) -> tuple[int, ...]:
        """The last second of it in numbers, to put dates in order; a month may have fewer days."""
        return self.parts + _MOST[len(self.parts) :]

    def end(self, year_days: int | None = None) -> float:
        """The first moment after it, in days as `Clock.days` counts them.

        Parameters
        ----------
        year_days : int or None
            Days of every year of a model's calendar; None for the civil one.

        Raises
        ------
        DataError
            If the calendar has no such day.

        Examples
        --------
        >>> Date.parse("1970").end(), Date.parse("1970-01-02T11").end(), Date.parse("0001-02").end(360)
        (365.0, 1.5, 60.0)
        """
        year, month, day = self._last_day(year_days)
        clock = self.parts[3:]
        gone = sum(size * part for size, part in zip(_SECONDS, clock, strict=False))
        seconds = gone + _SECONDS[len(clock) - 1] if clock else _DAY
        return _first_day(year, month, year_days) + day - 1 + seconds / _DAY

    def begin(self, year_days: int | None = None) -> float:
        """The first moment of it, in days as `Clock.days` counts them; parameters as of `end`.

        Examples
        --------
        >>> Date.parse("1970-02").begin(), Date.parse("1970-01-02T12").begin(), Date.parse("0001-02").begin(360)
        (31.0, 1.5, 30.0)
        """
        self._last_day(year_days)
        year, month, day = (*self.parts[:3], *_LEAST[len(self.parts[:3]) : 3])
        gone = sum(size * part for size, part in zip(_SECONDS, self.parts[3:], strict=False))
        return _first_day(year, month, year_days) + day - 1 + gone / _DAY

    def words(self, year_days: int | None = None) -> str:
        """Its last day, or the moment that it is.

        Examples
        --------
        >>> Date.parse("2016-02").words(), Date.parse("2016").words(360), Date.parse("2016-02-01T06").words()
        ('2016-02-29', '2016-12-30', '2016-02-01T06')
        """
        return str(Date(self._last_day(year_days) + self.parts[3:]))

    def _last_day(self, year_days: int | None) -> tuple[int, int, int]:
        year, month, day = self.latest[:3]
        length = _month_lengths(year, year_days)[month - 1]
        if self.parts[2:3] > (length,):
            raise DataError(
                f"{self} is no date of the record's calendar: month {month} of {year} has {length} days. "
                "Name a day that there is."
            )
        return year, month, min(day, length)


@dataclass(frozen=True)
class Until:
    """Dates that end training and validation; what each names belongs to its part. What follows is the test.

    Without the second, what follows the first is divided between validation and test.
    """

    train: Date
    valid: Date | None = None

    @classmethod
    def parse(cls, train: str, valid: str | None = None) -> Until:
        """Both from ISO text.

        Raises
        ------
        ConfigError
            If one is no date, or validation would not end after training.

        Examples
        --------
        >>> Until.parse("2015", "2016").words()
        'by date: training until 2015-12-31, validation until 2016-12-31'
        """
        until = cls(Date.parse(train), None if valid is None else Date.parse(valid))
        if until.valid is not None and until.valid.latest <= until.train.latest:
            raise ConfigError(
                f"valid_until {until.valid} does not end after train_until {until.train}: validation follows training. "
                "Name a later date."
            )
        return until

    def words(self, year_days: int | None = None) -> str:
        """The split in words."""
        train = f"by date: training until {self.train.words(year_days)}"
        if self.valid is None:
            return f"{train}, then validation and test by share"
        return f"{train}, validation until {self.valid.words(year_days)}"


def said_moment(days: float, year_days: int | None = None, *, between: str = " ") -> str:
    """A moment to the minute, from days as `Clock.days` counts them; `between` stands before the hour.

    Examples
    --------
    >>> said_moment(0.75), said_moment(365 + 31 + 27.5, 365)
    ('1970-01-01 18:00', '0002-02-28 12:00')
    """
    whole, minutes = divmod(round(days * 1440), 1440)
    year, month, day = date_of(whole, year_days)
    return f"{year:04d}-{month:02d}-{day:02d}{between}{minutes // 60:02d}:{minutes % 60:02d}"


def date_of(whole: int, year_days: int | None) -> tuple[int, int, int]:
    """Year, month and day of a whole number of days as `Clock.days` counts them.

    Examples
    --------
    >>> date_of(59, 360), date_of(59, None)
    ((1, 2, 30), (1970, 3, 1))
    """
    if year_days is None:
        year, month, day = str(np.datetime64(whole, "D")).rsplit("-", 2)
        return int(year), int(month), int(day)
    began = [0, *accumulate(_MONTHS[year_days])]
    number = sum(first <= whole % year_days for first in began)
    return 1 + whole // year_days, number, 1 + whole % year_days - began[number - 1]


def _month_lengths(year: int, year_days: int | None) -> tuple[int, ...]:
    if year_days is None:
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        return _MONTHS[365 + leap]
    return _MONTHS[year_days]


def _first_day(year: int, month: int, year_days: int | None) -> int:
    """Days from the clock's zero (1970 in the civil calendar, the year 1 in a model's) to the first of a month."""
    if year_days is None:
        return int(np.datetime64(12 * (year - 1970) + month - 1, "M").astype("datetime64[D]").astype(np.int64))
    return (year - 1) * year_days + sum(_MONTHS[year_days][: month - 1])
