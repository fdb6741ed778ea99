"""Time axes: decoded, put in order, joined, and cut into runs of even steps."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import cftime  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import xarray as xr
from jaxtyping import Int, Shaped
from numpy import ndarray
from xarray.coders import CFDatetimeCoder

from dynst.domain import Clock
from dynst.errors import DataError

__all__ = ["Runs", "Times", "decode_times", "find_runs", "gap_notes", "join"]

_HANDFUL = 6  # chosen: shorter than any window that trains, validates and tests anything
_DAY = 86_400_000_000_000
_WORDS = ((_DAY, "day"), (3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"), (1, "ns"))
_SHORT = {"second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h", "d": "day"}  # one style with dates
_COUNTED = {f"{word}s": word for word in ("day", "week", "month", "year", "step")}
_SHORT |= {f"{word}s": short for word, short in _SHORT.items()} | _COUNTED


@dataclass(frozen=True, eq=False)
class Times:
    """One time axis: datetime64[ns], or numbers in some unit where the calendar could not be decoded.

    `since` and `calendar` are then what the file says of the numbers (``days since 1850-01-01``, ``noleap``).
    """

    values: Shaped[ndarray, " t"]
    unit: str = "step"
    note: str = ""
    since: str = ""
    calendar: str = ""

    @property
    def decoded(self) -> bool:
        """Whether the values are dates."""
        return self.values.dtype.kind == "M"

    def say(self, i: int) -> str:
        """The time of step `i`, for a message."""
        value = self.values[i]
        return str(value.astype("datetime64[m]")) if self.decoded else f"{float(value):g}"

    def clock(self, run: Int[ndarray, " t"], *, anew: bool = False) -> Clock:
        """Where in day and year each step stands, in the calendar of the file; with `anew` every run begins at 0."""
        dates = Clock.of(self.values) if self.decoded else _model_dates(self.values, self.since, self.calendar)
        return dates.counted(self.values, run, anew=anew)


@dataclass(frozen=True, eq=False)
class Runs:
    """Number of the run of each step, the even step in words, and what is odd about the axis."""

    run: Int[ndarray, " t"]
    cadence: str
    gaps: tuple[str, ...] = ()


def gap_notes(runs: Runs) -> list[str]:
    """What gaps do to a record, in words; nothing where there is none."""
    if not runs.gaps:
        return []
    shown = "; ".join(runs.gaps[:3]) + (f" and {len(runs.gaps) - 3} more" if len(runs.gaps) > 3 else "")
    count = f"{len(runs.gaps)} gap{'s' * (len(runs.gaps) > 1)}"
    return [f"{count} in time cut the record into {int(runs.run[-1]) + 1} runs: {shown}"]


def decode_times(values: Shaped[ndarray, " t"], attrs: Mapping[str, object], *, where: str) -> Times:
    """Dates from the numbers of a CF time axis; the bare numbers, with a note, if no date can be made of them.

    Raises
    ------
    DataError
        If a time is missing.

    Examples
    --------
    >>> decode_times(np.array([0, 6]), {"units": "hours since 1959-01-01"}, where="x.nc").values[1]
    np.datetime64('1959-01-01T06:00:00.000000000')
    >>> decode_times(np.array([366.0, 1096.5]), {"units": "hour since 0000-01-01"}, where="x.nc").unit
    'hour'
    """
    values = np.atleast_1d(values)
    if values.dtype.kind == "M":
        return Times(_checked(values.astype("datetime64[ns]"), where))
    if values.dtype.kind not in "iuf":
        return Times(np.arange(len(values)), note="the times are text and were replaced by step numbers")
    _checked(values, where)
    units, calendar = str(attrs.get("units", "")), str(attrs.get("calendar", "standard")).lower()
    if " since " not in units:
        return Times(values, note="the time axis has no date, so its steps are counted by number")
    dates = _dates(values, units, calendar)
    if dates is not None:
        return Times(dates)
    said = f'"{units}"' + (f" in calendar {calendar}" if "calendar" in attrs else "")
    return Times(
        values,
        unit=units.split(" since ", maxsplit=1)[0].strip(),
        note=f"the time unit {said} gives no civil date, so steps are counted by number",
        since=units,
        calendar=calendar,
    )


def _checked(values: ndarray, where: str) -> ndarray:
    bad = np.isnat(values) if values.dtype.kind == "M" else ~np.isfinite(values.astype(float))
    if bad.any():
        raise DataError(
            f"{where}: {int(bad.sum())} of {len(values)} times are missing (first at step {int(bad.argmax())}). "
            "Drop the steps without a time before reading."
        )
    return values


def _dates(values: ndarray, units: str, calendar: str) -> ndarray | None:
    monthly = re.match(r"(month|year)s? since (\d{4})-(\d{1,2})", units)
    if monthly and int(monthly[2]) > 1677:
        months = np.floor(values * (12 if monthly[1] == "year" else 1)).astype(np.int64)
        start = np.datetime64(f"{monthly[2]}-{int(monthly[3]):02d}", "M")
        return np.asarray((start + months).astype("datetime64[ns]"))
    try:
        coder = CFDatetimeCoder(use_cftime=False, time_unit="ns")
        variable = xr.Variable(("t",), values, {"units": units, "calendar": calendar})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            decoded = np.asarray(coder.decode(variable, name="t").values)
        return decoded if decoded.dtype.kind == "M" else None
    except (ValueError, OverflowError, Warning, TypeError):
        pass  # reference dates before the Gregorian calendar need the slower library below
    if calendar not in {"standard", "gregorian", "proleptic_gregorian", "julian"}:
        return None
    try:
        dates = cftime.num2date(values, units, calendar)
    except (ValueError, OverflowError, Warning, TypeError):
        return None
    if min(date.year for date in dates) < 1678 or max(date.year for date in dates) > 2261:
        return None
    return np.array([np.datetime64(date.isoformat(), "ns") for date in dates])


_MODEL_YEARS = {"noleap": 365, "365_day": 365, "all_leap": 366, "366_day": 366, "360_day": 360}


def _model_dates(values: ndarray, since: str, calendar: str) -> Clock:
    """The clock of a calendar whose years are all of one length; an empty one of any other."""
    if calendar not in _MODEL_YEARS or " since " not in since:
        return Clock()
    try:
        dates = cftime.num2date(values, since, calendar)
        days = cftime.date2num(dates, "days since 0001-01-01", calendar)
    except (ValueError, OverflowError, TypeError):
        return Clock()
    days = np.asarray(days, np.float64)
    length = _MODEL_YEARS[calendar]
    return Clock(days=days, years=1 + days / length, year_days=length)


def join(axes: Sequence[Times], *, where: str) -> Times:
    """The times that all axes share, in order.

    Raises
    ------
    DataError
        If they share none, or some hold dates and others numbers.
    """
    if len({axis.decoded for axis in axes}) > 1:
        raise DataError(f"{where}: some time axes hold dates and others bare numbers. Give all of them one calendar.")
    shared = axes[0].values
    for axis in axes[1:]:
        shared = np.intersect1d(shared, axis.values)
    if not len(shared):
        raise DataError(
            f"{where}: the variables share no time ({axes[0].say(0)} and {axes[-1].say(0)} come first). "
            "Choose variables or files of one period."
        )
    return replace(axes[0], values=np.sort(shared))


def find_runs(times: Times, *, where: str) -> Runs:
    """Runs of even steps; calendar months count as even.

    Raises
    ------
    DataError
        If the steps are so uneven that no run is longer than a handful of steps.

    Examples
    --------
    >>> month = Times(np.arange("2000-01", "2000-06", dtype="datetime64[M]").astype("datetime64[ns]"))
    >>> find_runs(month, where="x.nc").cadence
    '1 month'
    >>> gap = Times(np.array([0, 1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14]))
    >>> find_runs(gap, where="x.nc").run.tolist()
    [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    """
    steps = len(times.values)
    if steps < 2:
        return Runs(np.zeros(steps, np.int64), "1 step")
    even, cadence = _even(times)
    run = np.concatenate([[0], np.cumsum(~even)]).astype(np.int64)
    longest = int(np.bincount(run).max())
    if run[-1] and longest < min(_HANDFUL, steps):
        raise DataError(
            f"{where}: the times are uneven: steps of {_census(times)}; no run of even steps is longer than {longest}. "
            "Resample to an even step before reading."
        )
    breaks = np.flatnonzero(~even)
    return Runs(run, cadence, tuple(f"{times.say(int(i))} to {times.say(int(i) + 1)}" for i in breaks))


def _even(times: Times) -> tuple[ndarray, str]:
    delta = np.diff(times.values).astype(np.int64 if times.decoded else float)
    if times.decoded and np.median(delta) >= 27.9 * _DAY and len(np.unique(delta)) > 1:
        months = np.diff(times.values.astype("datetime64[M]").astype(np.int64))
        kinds, counts = np.unique(months, return_counts=True)
        step = int(kinds[counts.argmax()])
        if step >= 1 and counts.max() * 2 >= len(months):
            even = (months == step) & (delta > step * 27 * _DAY) & (delta < (step * 31 + 2) * _DAY)
            if even.mean() >= 0.5:
                return even, _months(step)
    unit = 1_000_000_000 if times.decoded else max(abs(float(np.median(delta))) * 1e-6, 1e-12)
    kinds, counts = np.unique(np.round(delta / unit), return_counts=True)
    step_size = float(kinds[counts.argmax()]) * unit
    if times.decoded and step_size == 0:  # steps below a second
        kinds, counts = np.unique(delta, return_counts=True)
        step_size = float(kinds[counts.argmax()])
    # a thousandth: times kept as float days or hours are off by rounding, and no real gap is so small
    even = np.abs(delta - step_size) <= 1e-3 * abs(step_size)
    return even, _say_step(step_size, times)


def _months(step: int) -> str:
    return f"{step // 12} year{'s' if step > 12 else ''}" if step % 12 == 0 else f"{step} month{'s' * (step > 1)}"


def _say_step(step: float, times: Times) -> str:
    if not times.decoded:
        unit = times.unit.lower()
        word = _SHORT.get(unit, unit)
        return f"{step:g} {word}{'s' if f'{word}s' in _COUNTED and step != 1 else ''}"
    size, word = next((item for item in _WORDS if step >= item[0] and step % item[0] == 0), _WORDS[-1])
    count = step / size
    return f"{count:g} {word}{'s' if word == 'day' and count != 1 else ''}"


def _census(times: Times) -> str:
    delta = np.diff(times.values).astype(np.int64 if times.decoded else float)
    kinds, counts = np.unique(delta, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:4]
    said = ", ".join(f"{_say_step(float(kinds[i]), times)} ({counts[i]})" for i in most)
    return said + (f" and {len(kinds) - 4} other sizes" if len(kinds) > 4 else "")
