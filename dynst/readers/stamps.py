"""Dates as people write them in data files: ISO text, characters, and numbers whose digits are a date."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from numpy import ndarray

__all__ = ["as_text", "dates_of_digits", "dates_of_text", "layout_of_unit", "parts_of_text"]

_EARLIEST, _LATEST = 1678, 2261  # years that datetime64[ns] holds
_ISO = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})(?:[T_ ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d+))?)?)?)? ?(?:Z|UTC|[+-]00:?00)?",
    re.ASCII,
)
_UNIT = re.compile(r"\s*(?:day|month|year)s? as (%Y(?:%m(?:%d)?)?)(?:\.%f)?\s*", re.ASCII)
_SPELLED = {"yyyymmdd": "%Y%m%d", "yyyymm": "%Y%m", "yyyymmdd.f": "%Y%m%d"}
_SECOND = 1_000_000_000


def as_text(values: Shaped[ndarray, "t ..."]) -> list[str] | None:
    """One text for each step: of strings, of bytes, or of single characters in rows; None if they are no text.

    Examples
    --------
    >>> as_text(np.array([list("2018"), list("2019")], "S1"))
    ['2018', '2019']
    """
    if values.dtype.kind not in "SUO":
        return None
    if values.ndim > 1:
        rows = [[_plain(cell) for cell in row] for row in values.reshape(len(values), -1).tolist()]
        return ["".join(row).split("\0", 1)[0].strip() for row in rows]
    return [_plain(cell).split("\0", 1)[0].strip() for cell in np.ravel(values).tolist()]


def _plain(cell: object) -> str:
    return cell.decode("utf-8", errors="replace") if isinstance(cell, bytes) else str(cell)


def parts_of_text(texts: Sequence[str]) -> Float[ndarray, "t 4"] | None:
    """Year, month, day, and second of the day, of ISO text; None if any text is none.

    Examples
    --------
    >>> parts_of_text(["2018-10-15_06:00:00", "0001-02-30"]).tolist()
    [[2018.0, 10.0, 15.0, 21600.0], [1.0, 2.0, 30.0, 0.0]]
    >>> parts_of_text(["soon"]) is None
    True
    """
    found = [_ISO.fullmatch(text) for text in texts]
    if not found or any(match is None for match in found):
        return None
    rows = [[float(part or 0) for part in match.groups()[:6]] for match in found if match]
    part = np.array(rows)
    below = np.array([float(f"0.{match[7] or 0}") for match in found if match])
    second = part[:, 3] * 3600 + part[:, 4] * 60 + part[:, 5] + below
    sound = (part[:, 1] >= 1) & (part[:, 1] <= 12) & (part[:, 2] >= 1) & (part[:, 2] <= 31) & (second <= 86_400)
    return np.column_stack([part[:, :3], second]) if sound.all() else None


def dates_of_text(texts: Sequence[str]) -> Shaped[ndarray, " t"] | None:
    """datetime64[ns] of ISO text, with a T, a space or an underscore before the hour; None if any text is none.

    Examples
    --------
    >>> str(dates_of_text(["2018-10-15_06:00:00"])[0])[:16], dates_of_text(["0001-01-01_00:00:00"]) is None
    ('2018-10-15T06:00', True)
    """
    parts = parts_of_text(texts)
    if parts is not None:
        return _dates(parts)
    if not any(re.fullmatch(r"\d{4}-.*:.*[+-]\d\d:?\d\d", text) for text in texts[:1]):
        return None
    dates = pd.to_datetime(pd.Series(list(texts)), utc=True, errors="coerce", format="ISO8601")
    return None if dates.isna().any() else dates.dt.tz_convert(None).to_numpy("datetime64[ns]")


def _dates(parts: Float[ndarray, "t 4"]) -> Shaped[ndarray, " t"] | None:
    """Dates of the civil calendar; None if one is no date of it, or too far away."""
    year, month, day = (parts[:, i].astype(np.int64) for i in range(3))
    if year.min() < _EARLIEST or year.max() > _LATEST:
        return None
    months = (12 * (year - 1970) + month - 1).astype("datetime64[M]")
    length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    if (day > length).any():
        return None
    ticks = np.round(parts[:, 3] * 1e6).astype(np.int64) * 1000
    dates: ndarray = (months.astype("datetime64[D]") + (day - 1)).astype("datetime64[ns]") + ticks
    return dates


def layout_of_unit(units: str) -> str:
    """The layout of the digits that a unit states; empty if it states none.

    Examples
    --------
    >>> layout_of_unit("day as %Y%m%d.%f"), layout_of_unit("YYYYMMDD"), layout_of_unit("days since 2000-01-01")
    ('%Y%m%d', '%Y%m%d', '')
    """
    found = _UNIT.fullmatch(units)
    return found[1] if found else _SPELLED.get(units.strip().lower(), "")


def dates_of_digits(values: Shaped[ndarray, " t"], layout: str) -> Shaped[ndarray, " t"] | None:
    """Dates of numbers like 20010131.25, whose fraction is that of the day (month, year); None if they are none.

    Times that stand within a second of a whole minute are put on it: eight digits leave few for the hour.

    Examples
    --------
    >>> [str(date)[:16] for date in dates_of_digits(np.array([20010131.25, 20010201.0]), "%Y%m%d")]
    ['2001-01-31T06:00', '2001-02-01T00:00']
    >>> str(dates_of_digits(np.array([200102.5]), "%Y%m")[0])[:16]
    '2001-02-15T00:00'
    """
    number = np.asarray(values, np.float64)
    whole = np.floor(number + 1e-9)
    digits, part = whole.astype(np.int64), np.clip(number - whole, 0, None)
    scale = {"%Y%m%d": 10_000, "%Y%m": 100, "%Y": 1}[layout]
    year = digits // scale
    month = digits // (scale // 100) % 100 if scale > 1 else np.ones_like(digits)
    day = digits % 100 if scale > 100 else np.ones_like(digits)
    if (month < 1).any() or (month > 12).any() or (day < 1).any():
        return None
    begin = _dates(np.column_stack([year, month, day, np.zeros(len(number))]).astype(float))
    if begin is None:
        return None
    unit = {"%Y%m%d": "D", "%Y%m": "M", "%Y": "Y"}[layout]
    span = (begin.astype(f"datetime64[{unit}]") + 1).astype("datetime64[ns]") - begin
    ticks = np.round(part * span.astype(np.int64)).astype(np.int64)
    minute = np.round(ticks / (60 * _SECOND)).astype(np.int64) * 60 * _SECOND
    dates: ndarray = begin + np.where(np.abs(ticks - minute) <= _SECOND, minute, ticks)
    return dates
