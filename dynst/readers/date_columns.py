"""Which column of a table holds the times; dates, times of day and time zones that stand in columns of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from jaxtyping import Int
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.records import looks_dated, read_times
from dynst.readers.tables import Table, one_line, words_of

__all__ = ["is_dated", "is_time_named", "time_column", "with_dates"]

_TIMES = {"time", "times", "date", "datetime", "timestamp", "utc", "day", "month", "year", "hour", "t", "step", "index"}
_EXACT = {"time", "date", "datetime", "timestamp", "date_time", "valid_time", "utc", "mess_datum", "_time", "yyyymmdd"}
_WORDS = {"time", "date", "datetime", "timestamp", "datum", "zeit", "fecha", "yyyymmdd", "data", "dates", "times"}
_PARTS = {
    "year": {"year", "yyyy", "yy", "yr", "jahr", "annee", "año"},
    "month": {"month", "mon", "mo", "mm", "monat", "mois", "mes"},
    "day": {"day", "dd", "dy", "tag", "jour", "dia"},
    "yday": {"doy", "jday", "yday", "dayofyear", "day_of_year", "julian"},
    "hour": {"hour", "hh", "hr", "stunde", "heure", "hora"},
    "minute": {"minute", "mn", "mi", "minuten"},
    "second": {"second", "ss"},
}
_CLOCK = re.compile(
    r"(\d{1,2})[:.h](\d{2})(?:[:.](\d{2})(?:[.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_CLOCK_NAMES = {
    "time",
    "hh",
    "hour",
    "hhmm",
    "hrmin",
    "hrmn",
    "uhrzeit",
    "zeit",
    "tijd",
    "heure",
    "hora",
    "clock",
    "ora",
}
_UTC = {"utc", "gmt", "z"}
_ZONE_NAMES = {"tz", "timezone", "zone", "offset"}
_ZONES: dict[str, float] = {
    "utc": 0,
    "gmt": 0,
    "z": 0,
    "est": -5,
    "edt": -4,
    "cst": -6,
    "cdt": -5,
    "mst": -7,
    "mdt": -6,
    "pst": -8,
}
_ZONES |= {"pdt": -7, "akst": -9, "akdt": -8, "hst": -10, "ast": -4, "adt": -3, "nst": -3.5, "ndt": -2.5}
_ZONES |= {"wet": 0, "west": 1, "bst": 1, "cet": 1, "cest": 2, "mez": 1, "mesz": 2, "eet": 2, "eest": 3, "msk": 3}
_ZONES |= {"jst": 9, "kst": 9, "aest": 10, "aedt": 11, "nzst": 12, "nzdt": 13}
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", re.IGNORECASE)
_PACKED = {8, 10, 12, 14}  # digits of dates without signs between
_HEAD = 50  # cells that tell what a column holds
_HOUR = 3_600_000_000_000


def with_dates(table: Table) -> Table:
    """The table with one column of times where dates stand in several, and in UTC where a column names the zone.

    Raises
    ------
    DataError
        If the parts of a row make no date.
    """
    return _zoned(_clocked(_assembled(table)))


def is_time_named(column: str) -> bool:
    """Whether the name of a column speaks of times.

    Examples
    --------
    >>> is_time_named("Date Local"), is_time_named("DatetimeBegin"), is_time_named("wind")
    (True, True, False)
    """
    return bool(_WORDS & set(words_of(column))) or column.lower() in _EXACT


def time_column(table: Table) -> str | None:
    """The column that holds the times of the rows; None if there is none."""
    first, cells = table.columns[0], table.frame[table.columns[0]]
    words = words_of(first)
    if set(words) & {"time", "date", "datetime", "timestamp"}:
        return first
    exact = next((column for column in table.columns if column.lower() in _EXACT), None)
    if exact is not None:
        return exact
    if (words and words[0] in _TIMES) or looks_dated(cells):
        return first
    dated = [column for column in table.columns if is_dated(table, column)]
    named = [column for column in dated if is_time_named(column)]
    if named or dated:
        return min(named or dated, key=lambda column: not _UTC & set(words_of(column)))
    counts = cells.dtype.kind in "iu" and bool((np.diff(cells) == 1).all())
    return first if counts and (not words or first.startswith("Unnamed")) else None


def is_dated(table: Table, column: str) -> bool:
    """Whether a column holds dates, as text or as dates; bare numbers count only where the name says so."""
    cells = table.frame[column]
    if cells.dtype.kind in "iufb":
        named = cells.dtype.kind in "iu" and is_time_named(column)
        return named and len(cells) > 0 and _is_packed(int(cells.min()), int(cells.max()))
    there = _filled(cells)
    return len(there) > 0 and looks_dated(there)


def _is_packed(low: int, high: int) -> bool:
    """Whether whole numbers are dates like 20201231 or 202012311830."""
    return len(str(low)) == len(str(high)) in _PACKED and str(low)[:4] >= "1700" and str(high)[:4] <= "2261"


def _filled(cells: pd.Series) -> pd.Series:
    """The first cells that hold anything."""
    near = cells.head(_HEAD).dropna()
    return near if len(near) else cells.dropna().head(_HEAD)


def _assembled(table: Table) -> Table:
    """One column for dates that are written in two to six: year, month, and so on."""
    parts = _parts(table.columns)
    if "year" not in parts or not {"month", "yday"} & set(parts):
        return table
    parts = {part: column for part, column in parts.items() if part != "yday" or "month" not in parts}
    cells = {part: table.numbers(column) for part, column in parts.items()}
    year = cells["year"]
    cells["year"] = np.where(year < 70, year + 2000, np.where(year < 100, year + 1900, year))
    days = cells.pop("yday", np.ones(len(year)))
    dates = pd.to_datetime(pd.DataFrame({"month": 1, "day": 1} | cells), errors="coerce")
    dates += pd.to_timedelta(days - 1, unit="D")
    if dates.isna().any():
        row = int(np.flatnonzero(dates.isna().to_numpy())[0])
        said = ", ".join(f"{part} {table.text(column)[row] or 'empty'}" for part, column in parts.items())
        raise DataError(f"{table.path.name}: row {row + 1} holds no date: {said}. Correct or remove it.")
    frame = table.frame.drop(columns=list(parts.values()))
    frame.insert(0, "time", dates, allow_duplicates=False)
    return table.noted(frame)


def _parts(columns: Sequence[str]) -> dict[str, str]:
    """Columns by the part of a date that they hold; of MM and mm the first are months, the second minutes."""
    found: dict[str, str] = {}
    for column in columns:
        kind = next((part for part, names in _PARTS.items() if column.lower() in names), None)
        if column == "mm" and "MM" in columns:
            kind = "minute"
        if kind is not None:
            found.setdefault(kind, column)
    return found if "time" not in {column.lower() for column in columns} else {}


def _clocked(table: Table) -> Table:
    """One column for a date in one column and the time of day in another."""
    clocks = [column for column in table.columns if _is_clock(table, column)]
    dates = [column for column in table.columns if clocks and column not in clocks and _is_day(table, column)]
    if not dates:
        return table
    clock = min(clocks, key=lambda column: not _UTC & set(words_of(column)))
    date = _belonging(table, clock, dates)
    days = read_times(table.frame[date], date, table.path.name)
    if not days.decoded:
        return table
    since = _since_midnight(table, clock)
    minutes = _minutes_beside(table, clock)
    if minutes is not None:
        since = since + np.asarray(table.whole(minutes)) * _HOUR // 60
        clocks = [*clocks, minutes]
    frame = table.frame.drop(columns=[date, *clocks])
    frame.insert(0, date, days.values + since.astype("timedelta64[ns]"))
    others = [column for column in clocks if column not in {clock, minutes}]
    left = [f"{', '.join(others)} is not used: {clock} gives the time of day"] if others else []
    return table.noted(frame, f"the times are joined from the columns {date} and {clock}", *left)


def _minutes_beside(table: Table, clock: str) -> str | None:
    """The column of minutes beside one of whole hours."""
    hours = table.whole(clock)
    if hours is None or hours.max() > 24:
        return None
    named = (c for c in table.columns if set(words_of(c)) & {"minute", "minutes", "mn"} and table.whole(c) is not None)
    return next((column for column in named if 0 <= table.frame[column].min() <= table.frame[column].max() < 60), None)


def _is_clock(table: Table, column: str) -> bool:
    """Whether a column holds times of day: as text (18:30, 6:30 PM), or as numbers that its name says are some."""
    cells = table.frame[column]
    if cells.dtype.kind == "m":
        return True
    if cells.dtype.kind in "iu":
        if not _CLOCK_NAMES & set(words_of(column)):
            return False
        return int(cells.min()) >= 0 and int(cells.max()) <= 2400 and bool((cells % 100 < 60).all())
    if cells.dtype.kind in "fbM" or isinstance(cells.dtype, pd.DatetimeTZDtype):
        return False
    head = _filled(cells).astype("str").str.strip()
    named = bool(_CLOCK_NAMES & set(words_of(column)))
    if not len(head):
        return False
    digits = named and head.str.fullmatch(r"\d{4}").all() and head.str[2:].astype(int).lt(60).all()
    return bool(digits) or (bool(head.str.fullmatch(_CLOCK.pattern).all()) and not _is_decimal(head, named=named))


def _is_decimal(head: pd.Series, *, named: bool) -> bool:
    """Whether times of day like 18.30 may as well be numbers."""
    return bool(head.str.fullmatch(r"\d{1,2}\.\d{2}").all()) and not named


def _is_day(table: Table, column: str) -> bool:
    """Whether a column holds dates without a time of day."""
    cells = table.frame[column]
    if cells.dtype.kind == "M":
        return bool((cells.dropna() == cells.dropna().dt.normalize()).all())
    if not is_dated(table, column):
        return False
    return not bool(_filled(cells).astype("str").str.contains(r"\d:\d|\dT\d").any())


def _belonging(table: Table, clock: str, dates: Sequence[str]) -> str:
    """The date that belongs to a time of day: it shares the other words of its name, or stands nearest."""
    place = table.columns.index(clock)
    words = set(words_of(clock)) - _CLOCK_NAMES

    def far(date: str) -> tuple[bool, int]:
        shares = bool(words & set(words_of(date))) or not words
        return not shares, abs(table.columns.index(date) - place)

    return min(dates, key=far)


def _since_midnight(table: Table, column: str) -> Int[ndarray, " rows"]:
    """Nanoseconds since midnight."""
    cells = table.frame[column]
    if cells.dtype.kind == "m":
        return cells.to_numpy("timedelta64[ns]").astype(np.int64)
    text = cells.astype("str").str.strip()
    hours = cells.dtype.kind in "iu" and int(cells.max()) <= 24
    kinds = text.drop_duplicates()
    known = {cell: _of_clock(cell, hours=hours) for cell in kinds}
    bad = [cell for cell in kinds if known[cell] is None]
    if bad:
        row = int(np.flatnonzero((text == bad[0]).to_numpy())[0])
        said = "" if pd.isna(cells.iloc[row]) else one_line(bad[0])[:40]
        raise DataError(
            f'{table.path.name}: column "{column}", row {row + 1} holds "{said}" where a time of day was expected. '
            "Write times of day as 18:30."
        )
    return np.asarray(text.map(known).to_numpy(np.int64))


def _of_clock(cell: str, *, hours: bool) -> int | None:
    """Nanoseconds since midnight in UTC or local time, as written; None if it is no time of day."""
    if cell.isdigit():
        number = int(cell)
        hour, minute = (number, 0) if hours else divmod(number, 100)
        return (hour * 60 + minute) * _HOUR // 60
    found = _CLOCK.fullmatch(cell)
    if found is None:
        return None
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    if found[4]:
        hour = hour % 12 + 12 * (found[4][0] in "Pp")
    offset = offset_of(found[5]) if found[5] else 0.0
    return round((hour + minute / 60 + second / 3600 - (offset or 0.0)) * 3600) * _HOUR // 3600


def offset_of(zone: str) -> float | None:
    """Hours by which the clocks of a zone are ahead of UTC; None if its name says no fixed number.

    Examples
    --------
    >>> offset_of("EST"), offset_of("+05:30"), offset_of("Europe/Paris")
    (-5.0, 5.5, None)
    """
    if zone.lower() in _ZONES:
        return float(_ZONES[zone.lower()])
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return None
    return (int(found[2]) + int(found[3] or 0) / 60) * (-1 if found[1] == "-" else 1)


def _zoned(table: Table) -> Table:
    """Times in UTC where a column names the zone of each row."""
    column = next((c for c in table.columns if _ZONE_NAMES & set(words_of(c)) and not table.is_numeric(c)), None)
    time = None if column is None else time_column(table)
    if column is None or time is None or time == column:
        return table
    zones = table.text(column)
    kinds = sorted(set(zones))
    if not all(_is_zone(zone) for zone in kinds) or _has_offset(table, time):
        return table
    times = read_times(table.frame[time], time, table.path.name)
    if not times.decoded:
        return table
    values = times.values.copy()
    of_row = np.array(zones)
    for zone in kinds:
        rows = of_row == zone
        values[rows] = _in_utc(values[rows], zone)
    frame = table.frame.drop(columns=column)
    frame[time] = values
    return table.noted(frame, f"times were turned to UTC by the column {column}")


def _has_offset(table: Table, time: str) -> bool:
    """Whether the times already say how far they are from UTC."""
    cells = table.frame[time]
    if cells.dtype.kind in "iufM":
        return False
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return True
    return bool(cells.head(1).astype("str").str.contains(r":\d\d.*(?:[+-]\d\d:?\d\d|Z)$").any())


def _is_zone(zone: str) -> bool:
    if offset_of(zone) is not None:
        return True
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(zone)


def _in_utc(values: ndarray, zone: str) -> ndarray:
    offset = offset_of(zone)
    if offset is not None:
        return values - np.timedelta64(round(offset * 3600), "s")
    local = pd.DatetimeIndex(values).tz_localize(
        zone, ambiguous=np.zeros(len(values), bool), nonexistent="shift_forward"
    )
    return local.tz_convert(None).to_numpy("datetime64[ns]")
