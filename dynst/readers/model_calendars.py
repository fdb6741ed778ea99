"""Calendars that datetime64 does not hold: those of climate models, and civil dates far from today."""

from __future__ import annotations

from collections.abc import Sequence

import cftime  # type: ignore[import-untyped]  # it ships no types
import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from dynst.domain import Clock
from dynst.domain.dates import date_of
from dynst.readers.stamps import parts_of_text

__all__ = ["CALENDARS", "YEAR_DAYS", "clock_of_days", "days_of_count", "days_of_text", "months_of_days"]

YEAR_DAYS: dict[str, int | None] = {
    "noleap": 365,
    "365_day": 365,
    "all_leap": 366,
    "366_day": 366,
    "360_day": 360,
    "standard": None,
    "gregorian": None,
    "proleptic_gregorian": None,
}
"""Days of every year of a calendar; None where leap years differ."""

CALENDARS = {"gregorian_noleap": "noleap"}  # MPAS; the rest goes by the names of CF

_UNIT_DAYS = {"day": 1.0, "d": 1.0, "hour": 1 / 24, "hr": 1 / 24, "h": 1 / 24, "minute": 1 / 1440, "min": 1 / 1440}
_UNIT_DAYS |= {"second": 1 / 86_400, "sec": 1 / 86_400, "s": 1 / 86_400, "millisecond": 1 / 86_400_000, "week": 7.0}


def days_of_count(values: Shaped[ndarray, " t"], since: str, calendar: str) -> Float[ndarray, " t"] | None:
    """Days as `Clock.days` counts them in the calendar, of ``days since ...``; None if no such date can be made.

    Examples
    --------
    >>> days_of_count(np.array([0.0, 720.0]), "hours since 0001-01-01", "360_day").tolist()
    [0.0, 30.0]
    """
    if calendar not in YEAR_DAYS or " since " not in since:
        return None
    word, start = (part.strip() for part in since.split(" since ", maxsplit=1))
    year_days = YEAR_DAYS[calendar]
    size = _unit_days(word.lower(), year_days)
    if size is None:
        return None
    try:
        begin = cftime.num2date(0, f"days since {start}", calendar)
    except (ValueError, OverflowError, TypeError):
        return None
    zero = "days since 0001-01-01" if year_days else "days since 1970-01-01"
    first = cftime.date2num(begin, zero, calendar if year_days else begin.calendar)
    return float(first) + np.asarray(values, np.float64) * size


def _unit_days(word: str, year_days: int | None) -> float | None:
    """Length of a unit in days; of months and years only where all are of one length."""
    single = word.removesuffix("s") if word != "s" else word
    if single in _UNIT_DAYS:
        return _UNIT_DAYS[single]
    if single in {"year", "common_year"}:
        return None if year_days is None else float(year_days)
    return 30.0 if single == "month" and year_days == 360 else None


def days_of_text(texts: Sequence[str], calendar: str) -> Float[ndarray, " t"] | None:
    """Days as `Clock.days` counts them in the calendar, of ISO text; None if a text is no date of it.

    Examples
    --------
    >>> days_of_text(["0001-02-30_12:00:00"], "360_day").tolist(), days_of_text(["0001-02-30"], "noleap") is None
    ([59.5], True)
    """
    parts = parts_of_text(texts)
    if parts is None or calendar not in YEAR_DAYS:
        return None
    zero = "days since 0001-01-01" if YEAR_DAYS[calendar] else "days since 1970-01-01"
    civil = "proleptic_gregorian" if YEAR_DAYS[calendar] is None else calendar
    try:
        dates = [cftime.datetime(*row, calendar=civil) for row in parts[:, :3].astype(int).tolist()]
    except ValueError:
        return None
    days: ndarray = np.asarray(cftime.date2num(dates, zero, civil), np.float64) + parts[:, 3] / 86_400
    return days


def clock_of_days(days: Float[ndarray, " t"], calendar: str) -> Clock:
    """The clock of days of a calendar, from `days_of_count`."""
    length = YEAR_DAYS[calendar]
    if length is not None:
        return Clock(days=days, years=1 + days / length, year_days=length)
    moment = np.round(days * 86_400_000).astype(np.int64).astype("datetime64[ms]")
    first = moment.astype("datetime64[Y]")
    began, ended = (year.astype("datetime64[ms]").astype(np.int64) for year in (first, first + 1))
    gone = (moment.astype(np.int64) - began) / (ended - began)
    return Clock(days=days, years=first.astype(np.int64) + 1970 + gone)


def months_of_days(days: Float[ndarray, " t"], calendar: str) -> Int[ndarray, " t"]:
    """Number of the month of each day, counted on over the years."""
    whole = np.floor(days + 1e-9).astype(np.int64)
    length = YEAR_DAYS[calendar]
    if length is None:
        months: ndarray = whole.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
        return months
    in_year = np.array(
        [12 * (year - 1) + month - 1 for year, month, _ in (date_of(day, length) for day in range(length))]
    )
    counted: ndarray = 12 * (whole // length) + in_year[whole % length]
    return counted
