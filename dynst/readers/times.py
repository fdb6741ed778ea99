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
from dynst.domain.dates import said_moment
from dynst.errors import DataError
from dynst.readers.model_calendars import (
    CALENDARS,
    YEAR_DAYS,
    clock_of_days,
    days_of_count,
    days_of_text,
    months_of_days,
)
from dynst.readers.stamps import as_text, dates_of_digits, dates_of_text, layout_of_unit

__all__ = ["Runs", "Times", "decode_times", "find_runs", "gap_notes", "join"]

_HANDFUL = 6  # chosen: shorter than any window that trains, validates and tests anything
_DAY = 86_400_000_000_000
_WORDS = ((_DAY, "day"), (3_600_000_000_000, "h"), (60_000_000_000, "min"), (1_000_000_000, "s"), (1, "ns"))
_SHORT = {"second": "s", "sec": "s", "minute": "min", "hour": "h", "hr": "h", "d": "day"}  # one style with dates
_COUNTED = {f"{word}s": word for word in ("day", "week", "month", "year", "step")}
_SHORT |= {f"{word}s": short for word, short in _SHORT.items()} | _COUNTED


@dataclass(frozen=True, eq=False)
class Times:
    """One time axis: datetime64[ns]; days of a `calendar` that datetime64 does not hold; or bare numbers in some unit.

    Days of a calendar are counted as `Clock.days` counts them.
    """

    values: Shaped[ndarray, " t"]
    unit: str = "step"
    note: str = ""
    calendar: str = ""

    @property
    def decoded(self) -> bool:
        """Whether the values are datetime64."""
        return self.values.dtype.kind == "M"

    @property
    def dated(self) -> bool:
        """Whether the values are dates of some calendar."""
        return self.decoded or bool(self.calendar)

    def say(self, i: int) -> str:
        """The time of step `i`, for a message."""
        value = self.values[i]
        if self.decoded:
            return str(value.astype("datetime64[m]"))
        if self.calendar:
            return said_moment(float(value), YEAR_DAYS[self.calendar], between="T")
        return f"{float(value):g}"

    def clock(self, run: Int[ndarray, " t"], *, anew: bool = False) -> Clock:
        """Where in day and year each step stands, in the calendar of the file; with `anew` every run begins at 0."""
        dates = clock_of_days(self.values, self.calendar) if self.calendar else Clock.of(self.values)
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


def decode_times(values: Shaped[ndarray, "t ..."], attrs: Mapping[str, object], *, where: str) -> Times:
    """Dates from a time axis: CF numbers, ISO text, digits that are a date; bare numbers, with a note, if it has none.

    Raises
    ------
    DataError
        If a time is missing.

    Examples
    --------
    >>> decode_times(np.array([0, 6]), {"units": "hours since 1959-01-01"}, where="x.nc").values[1]
    np.datetime64('1959-01-01T06:00:00.000000000')
    >>> decode_times(np.array(["2018-10-15_06:00:00"]), {}, where="x.nc").say(0)
    '2018-10-15T06:00'
    >>> decode_times(np.array([366.0, 1096.5]), {"units": "hour since 0000-01-01"}, where="x.nc").unit
    'hour'
    """
    values = np.atleast_1d(values)
    named = str(attrs.get("calendar", "standard")).strip().lower()
    calendar = CALENDARS.get(named, named)
    if values.dtype.kind == "M":
        return Times(_checked(values.astype("datetime64[ns]"), where))
    if values.dtype.kind not in "iuf":
        return _of_text(as_text(values) or [], len(values), calendar, where)
    _checked(values, where)
    units = str(attrs.get("units", "")).strip()
    if " since " not in units:
        return _of_digits(values, units)
    dates = _dates(values, units, calendar)
    if dates is not None:
        return _float32_rounded(values, dates)
    if calendar == "julian" and (true := _true_instants(values, units)) is not None:
        return Times(true, note="dates of the Julian calendar are given in the civil one")
    days = days_of_count(values, units, calendar)
    if days is not None:
        return Times(days, "day", _said_calendar(calendar), calendar)
    said = f'"{units}"' + (f" in calendar {calendar}" if "calendar" in attrs else "")
    return Times(
        values,
        unit=units.split(" since ", maxsplit=1)[0].strip(),
        note=f"the time unit {said} gives no date, so steps are counted by number",
    )


def _said_calendar(calendar: str) -> str:
    length = YEAR_DAYS[calendar]
    return f"dates are of the calendar {calendar}, whose years have {length} days" if length else ""


def _of_text(texts: Sequence[str], steps: int, calendar: str, where: str) -> Times:
    """Dates of ISO text, in the calendar if one is named; step numbers if it is no date."""
    empty = [i for i, text in enumerate(texts) if text.lower() in {"", "nat", "nan", "none"}]
    if empty:
        raise DataError(
            f"{where}: {len(empty)} of {steps} times are missing (first at step {empty[0]}). Give every step a time."
        )
    dates = None if YEAR_DAYS.get(calendar) else dates_of_text(texts)
    if dates is not None:
        return Times(dates)
    days = days_of_text(texts, calendar)
    if days is not None:
        return Times(days, "day", _said_calendar(calendar), calendar)
    shown = f' ("{texts[0][:30]}")' if texts else ""
    return Times(
        np.arange(steps),
        note=f"the times are text that is no date{shown}, so steps are counted by number and no gap is seen. "
        "Write them as 2020-12-31T18:00:00",
    )


def _of_digits(values: Shaped[ndarray, " t"], units: str) -> Times:
    """Dates of numbers whose digits are a date, by their unit or because all are whole days; else the bare numbers."""
    whole = bool((values == np.floor(values)).all()) and values.min() >= 16780101 and values.max() <= 22611231
    layout = layout_of_unit(units) or ("%Y%m%d" if whole else "")
    exact = not (values.dtype == np.float32 and layout == "%Y%m%d")
    dates = dates_of_digits(values, layout) if layout and exact else None
    if dates is not None:
        return Times(dates, note="" if layout_of_unit(units) else "times like 20200131 are read as dates")
    if layout and not exact:
        note = "times like 20200131 are kept as float32, which holds no eight digits: steps are counted by number"
        return Times(np.arange(len(values)), note=note)
    return Times(values, note="the time axis has no date, so its steps are counted by number")


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
    if monthly and int(monthly[2]) > 1677 and calendar not in _MODELS:
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
    try:
        return np.array([np.datetime64(date.isoformat(), "ns") for date in dates])
    except ValueError:  # 29 February 1900 is a day of the Julian calendar only
        return None


_MODELS = {name for name, length in YEAR_DAYS.items() if length}


def _true_instants(values: ndarray, units: str) -> ndarray | None:
    """Julian dates as the civil dates of the same days."""
    try:
        dates = cftime.num2date(values, units, "julian")
        days = np.asarray(cftime.date2num(dates, "days since 1970-01-01", "julian"), np.float64)
        start = cftime.datetime(1970, 1, 1, calendar="julian").toordinal() - _CIVIL_1970
    except (ValueError, OverflowError, TypeError):
        return None
    seconds = np.round((days + start) * 86_400).astype(np.int64)
    stamps = seconds.astype("datetime64[s]")
    years = stamps.astype("datetime64[Y]").astype(np.int64) + 1970
    return None if years.min() < 1678 or years.max() > 2261 else np.asarray(stamps.astype("datetime64[ns]"))


_CIVIL_1970 = cftime.datetime(1970, 1, 1, calendar="proleptic_gregorian").toordinal()
_ROUND = tuple(size * 1_000_000_000 for size in (86_400, 43_200, 21_600, 10_800, 3600, 1800, 900, 600, 300, 60, 1))


def _float32_rounded(values: ndarray, dates: ndarray) -> Times:
    """Dates on round times that single precision cannot tell them from: those with the evenest steps."""
    if values.dtype != np.float32 or len(values) < 2 or np.ptp(values) == 0:
        return Times(dates)
    ticks = dates.astype(np.int64)
    tick = float(np.ptp(ticks)) / float(np.ptp(values.astype(float)))
    slack = float(np.spacing(np.abs(values).max())) * tick
    rounded = [np.round(ticks / size).astype(np.int64) * size for size in _ROUND]
    near = [even for even in (*rounded, _on_line(ticks, slack)) if even is not None and _fits(even, ticks, slack)]
    best = min(near, key=lambda even: len(np.unique(np.diff(even))), default=ticks)
    if (best == ticks).all():
        return Times(dates)
    note = f"times are kept in single precision, good to {slack / 60e9:.2g} minutes, and were put on even ones"
    return Times(best.astype("datetime64[ns]"), note=note)


def _fits(even: Int[ndarray, " t"], ticks: Int[ndarray, " t"], slack: float) -> bool:
    """Whether even times are as near as single precision allows, and no two of them fall together."""
    return bool(np.abs(even - ticks).max() <= slack and (np.diff(np.sort(even)) > 0).all())


def _on_line(ticks: Int[ndarray, " t"], slack: float) -> Int[ndarray, " t"] | None:
    """Even times of a round step, where single precision makes several steps one."""
    step = (int(ticks[-1]) - int(ticks[0])) / (len(ticks) - 1)
    size = next((size for size in _ROUND if abs(step - size) * (len(ticks) - 1) <= slack), None)
    if size is None:
        return None
    first = round(float(np.median(ticks - size * np.arange(len(ticks)))) / size) * size
    return first + size * np.arange(len(ticks))


def join(axes: Sequence[Times], *, where: str) -> Times:
    """The times that all axes share, in order.

    Raises
    ------
    DataError
        If they share none, or some hold dates and others numbers.
    """
    if len({(axis.decoded, axis.calendar) for axis in axes}) > 1:
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
    by_month = _even_months(times, delta)
    if by_month is not None:
        return by_month
    unit = 1_000_000_000 if times.decoded else max(abs(float(np.median(delta))) * 1e-6, 1e-12)
    kinds, counts = np.unique(np.round(delta / unit), return_counts=True)
    step_size = float(kinds[counts.argmax()]) * unit
    if times.decoded and step_size == 0:  # steps below a second
        kinds, counts = np.unique(delta, return_counts=True)
        step_size = float(kinds[counts.argmax()])
    # a thousandth: times kept as float days or hours are off by rounding, and no real gap is so small
    even = np.abs(delta - step_size) <= 1e-3 * abs(step_size)
    return even, _say_step(step_size, times)


def _even_months(times: Times, delta: Shaped[ndarray, " s"]) -> tuple[ndarray, str] | None:
    """Which steps are so many months, and the step in words; None if most are not."""
    day = _DAY if times.decoded else 1
    alike = len(np.unique(np.round(delta / day, 6))) == 1
    if not times.dated or np.median(delta) < 27.9 * day or (times.decoded and alike):
        return None
    count = months_of_days(times.values, times.calendar) if times.calendar else times.values.astype("datetime64[M]")
    months = np.diff(count.astype(np.int64))
    kinds, counts = np.unique(months, return_counts=True)
    step = int(kinds[counts.argmax()])
    if step < 1 or counts.max() * 2 < len(months) or (alike and len(kinds) > 1):
        return None
    even = (months == step) & (delta > step * 27 * day) & (delta < (step * 31 + 2) * day)
    return (even, _months(step)) if even.mean() >= 0.5 else None


def _months(step: int) -> str:
    return f"{step // 12} year{'s' if step > 12 else ''}" if step % 12 == 0 else f"{step} month{'s' * (step > 1)}"


def _say_step(step: float, times: Times) -> str:
    if times.calendar:
        step = round(step * 86_400) * 1e9
    if not times.dated:
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
