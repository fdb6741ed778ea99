"""A record of stations before anything is put on sites; its channels chosen and its times made even."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int
from numpy import ndarray

from dynst.domain import Channel
from dynst.errors import ConfigError, DataError, unknown_name
from dynst.readers.clock_changes import standard_time
from dynst.readers.edges import Links
from dynst.readers.repeats import differences, settle
from dynst.readers.stamps import dates_of_digits
from dynst.readers.station_tables import Places
from dynst.readers.survey import MANY_CHANNELS, ManyChannels
from dynst.readers.tables import SUFFIXES, one_line
from dynst.readers.times import Times

__all__ = [
    "Record",
    "Wanted",
    "cleaned",
    "even_out",
    "fill_gaps",
    "in_order",
    "looks_dated",
    "nearly_even",
    "read_times",
]

_SNAP = 0.25  # of a step: so far may a time be put; what lies farther off is a gap or uneven
_CROWD = 0.05  # share of steps that may be left aside because two fall on one even time
_FILLED = 0.1  # share of steps that a long table may lack without being cut there
_EPOCHS = (1e11, 1e14, 1e17)  # since 1970: fewer are seconds, fewer milliseconds, fewer microseconds, else nanoseconds
_HUGE = 1e30  # no measured number: an undeclared fill value, or infinite
_DATE = r"\d{4}-\d\d|\d{4}/\d|\d{4}\.\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{8}T|[A-Za-z]{3} \d|\d{1,2}[ -][A-Za-z]{3}"


@dataclass(frozen=True, eq=False)
class Record:
    """What a file, or several of one kind, says of stations.

    Parameters
    ----------
    where : str
        The file, for messages.
    values : Float32[ndarray, "t n c"]
        A missing value is NaN.
    times : Times
        One axis for all.
    names : tuple of str
        Stations, as the data call them.
    channels : tuple of Channel
        What is measured.
    short : tuple of str
        What else the stations may be called, if anything.
    places, links : Places, Links or None
        Positions and links that the data carry themselves.
    notes : tuple of str
        What was done.
    long : bool
        Whether rows name their stations, so that a file may hold some stations, or some times, of a whole.
    numbered : bool
        Whether stations have no names but the numbers of their columns.
    """

    where: str
    values: Float32[ndarray, "t n c"]
    times: Times
    names: tuple[str, ...]
    channels: tuple[Channel, ...]
    short: tuple[str, ...] = ()
    places: Places | None = None
    links: Links | None = None
    notes: tuple[str, ...] = ()
    long: bool = False
    numbered: bool = False

    def at(self, steps: Int[ndarray, " s"], times: Times, note: str = "") -> Record:
        """The record of some steps, at other times; a step of -1 has no values."""
        values = np.where((steps >= 0)[:, None, None], self.values[steps], np.float32(np.nan))
        return replace(self, values=values, times=times, notes=(*self.notes, note) if note else self.notes)


@dataclass(frozen=True)
class Wanted:
    """The channels that a user asked for; None for all. With `every`, all are read and the choice comes later."""

    observe: Sequence[str] | None = None
    predict: Sequence[str] | None = None
    every: bool = False

    def choose(self, where: str, offered: Sequence[Channel], aside: Mapping[str, str]) -> tuple[Channel, ...]:
        """The channels to read, with their use.

        Raises
        ------
        ConfigError
            If a name is unknown, or there are many channels and none is named.
        """
        if self.every:
            return tuple(offered)
        names = [channel.name for channel in offered]
        if len(names) > MANY_CHANNELS and (self.observe is None or self.predict is None):
            raise ManyChannels(where, names)
        for name in {*(self.observe or ()), *(self.predict or ())} - set(names):
            if name in aside:
                raise ConfigError(f"{where}: {name} cannot be used: it {aside[name]}.")
            raise ConfigError(f"{where}: {unknown_name('channel', name, names)}")
        used = [
            replace(
                channel,
                observe=self.observe is None or channel.name in self.observe,
                predict=self.predict is None or channel.name in self.predict,
            )
            for channel in offered
        ]
        return tuple(channel for channel in used if channel.observe or channel.predict)


def read_times(cells: pd.Series, name: str, where: str) -> Times:
    """Times from a column of a table: dates as text, whole-number dates, years, seconds, or bare steps.

    Raises
    ------
    DataError
        If a time is missing or cannot be read, or could be read in two ways.

    Examples
    --------
    >>> read_times(pd.Series(["1.2.2020", "13.2.2020"]), "date", "x.csv").values.astype("datetime64[D]").tolist()
    [datetime.date(2020, 2, 1), datetime.date(2020, 2, 13)]
    """
    lower = name.lower()
    if cells.isna().any():
        row = int(np.flatnonzero(cells.isna().to_numpy())[0])
        raise DataError(f'{where}: column "{name}", row {row + 1} has no time. Remove the rows without a time.')
    if isinstance(cells.dtype, pd.DatetimeTZDtype):
        return Times(cells.dt.tz_convert(None).to_numpy("datetime64[ns]"), note="times were turned to UTC")
    if cells.dtype.kind == "M":
        return Times(cells.to_numpy("datetime64[ns]"))
    if cells.dtype.kind in "iuf":
        values = cells.to_numpy()
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(f'{where}: column "{name}", row {row + 1} holds an infinite time. Correct it.')
        whole = bool((values == np.floor(values)).all())
        if whole and values.min() >= 17000101 and values.max() <= 22611231:
            return _dates(cells.astype("int64").astype("str"), name, where, "%Y%m%d")
        packed = _packed(values, lower) if whole else _with_fraction(values, lower)
        if packed is not None:
            return Times(packed)
        if whole and "year" in lower and values.min() >= 1678 and values.max() <= 2261:
            return Times((values.astype(np.int64) - 1970).astype("datetime64[Y]").astype("datetime64[ns]"))
        if values.min() > 1e8 and any(word in lower for word in ("epoch", "unix", "timestamp")):
            tick = 10 ** (9 - 3 * int(np.searchsorted(_EPOCHS, values.max(), side="right")))
            dates = np.round(values * tick).astype(np.int64).astype("datetime64[ns]")
            return Times(dates, note="times are counted from 1970-01-01")
        unit = next((unit for unit in ("min", "hour", "day", "sec") if unit in lower), "")
        unit = unit or ("s" if lower in {"t", "time"} or lower.endswith(("_s", "(s)", "[s]")) else "step")
        return Times(values, unit, note="the time axis has no date, so its steps are counted by number")
    return _dates(cells.astype("str").str.strip(), name, where, None)


def _with_fraction(values: ndarray, name: str) -> ndarray | None:
    """Dates from numbers like 20201231.75, or 2020.5 where the column is of years; None if they are none."""
    if values.min() >= 16780101 and values.max() <= 22611232:
        return dates_of_digits(values, "%Y%m%d")
    years = re.search("year|decimal", name) and values.min() >= 1678 and values.max() < 2261
    return dates_of_digits(values, "%Y") if years else None


def _packed(values: ndarray, name: str) -> ndarray | None:
    """Dates from numbers like 2020123118, or 202012 where the column is of months or dates; None if they are none."""
    digits = len(f"{values.max():.0f}")
    layout = {6: "%Y%m", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(digits)
    if layout is None or values.min() < 1700 * 10 ** (digits - 4) or (digits == 6 and not re.search("mon|dat", name)):
        return None
    text = pd.Series(values.astype(np.int64)).astype("str")
    dates: ndarray = pd.to_datetime(text, format=layout, errors="coerce").to_numpy("datetime64[ns]")
    return None if np.isnat(dates).any() else dates


def cleaned(values: Float[ndarray, "t n c"]) -> tuple[Float32[ndarray, "t n c"], list[str]]:
    """As float32, with what is no number that float32 measures missing; and notes of what was found."""
    notes = []
    huge = np.abs(values) > _HUGE
    if huge.any():
        notes.append(f"values beyond {_HUGE:g} are read as missing: {int(huge.sum())}")
        values = np.where(huge, np.nan, values)
    return values.astype(np.float32), notes


def looks_dated(cells: pd.Series) -> bool:
    """Whether a column of text begins with a date."""
    if cells.dtype.kind == "M" or isinstance(cells.dtype, pd.DatetimeTZDtype):
        return True
    return cells.dtype.kind not in "iufb" and bool(cells.iloc[:3].astype("str").str.strip().str.match(_DATE).all())


def _dates(text: pd.Series, name: str, where: str, layout: str | None) -> Times:
    text = text.str.replace(r"^(\d{4}-\d\d-\d\d)_(?=\d\d)", r"\1T", regex=True)  # as WRF writes them
    kinds = text.drop_duplicates()
    first = kinds.str.extract(r"^(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}").astype(float)
    options: dict[str, object] = {"format": layout or "ISO8601"}
    if layout is None and first[0].notna().mean() > 0.5:
        if (first[0] > 12).any() and (first[1] > 12).any():
            row = int(np.flatnonzero((first[1] > 12).to_numpy())[0])
            raise DataError(
                f'{where}: column "{name}" mixes days first and months first ("{kinds.iloc[0]}", "{kinds.iloc[row]}"). '
                "Write dates as 2020-12-31."
            )
        if not (first > 12).any(axis=None) and "." not in str(kinds.iloc[0])[:6]:
            raise DataError(
                f'{where}: dates like "{kinds.iloc[0]}" in column "{name}" can be read in two ways. '
                "Write dates as 2020-12-31."
            )
        options = {"format": "mixed", "dayfirst": not (first[1] > 12).any()}
    elif layout is None and not kinds.iloc[:3].str.match(r"\d{4}-?\d\d").all():
        options = {"format": "mixed"}
    dates = pd.to_datetime(kinds, utc=True, errors="coerce", **options)  # type: ignore[call-overload]
    if dates.isna().any():
        cell = kinds[dates.isna()].iloc[0]
        row = int(np.flatnonzero((text == cell).to_numpy())[0])
        raise DataError(
            f'{where}: column "{name}", row {row + 1} holds "{one_line(cell)[:40]}", which is no date '
            f"({int(dates.isna().sum())} of {len(kinds)} are none). Write dates as 2020-12-31 or 2020-12-31T18:00."
        )
    values = dates.dt.tz_convert(None)
    values.index = pd.Index(kinds)
    offset = kinds.str.contains(r":.*[+-]\d\d:?\d\d$", regex=True).any()
    note = "times with an offset were turned to UTC" if offset else ""
    return Times(text.map(values).to_numpy("datetime64[ns]"), note=note)


def in_order(record: Record, owner: Int[ndarray, " t"] | None = None, files: Sequence[str] = ()) -> Record:
    """The record with its times ascending, and each once.

    Parameters
    ----------
    record : Record
        As the files have it.
    owner, files : Int[ndarray, "t"], sequence of str
        Number of the file of each step, and their names, where there are several.

    Raises
    ------
    DataError
        If a time comes twice with other values, and nothing says which counts.
    """
    times = record.times
    if owner is None and times.decoded:
        stamps, said = standard_time(times.values)
        times = replace(times, values=stamps)
        record = replace(record, times=times, notes=(*record.notes, said) if said else record.notes)
    several = np.zeros(len(times.values), np.int64) if owner is None else owner

    def apart(first: Int[ndarray, " p"], second: Int[ndarray, " p"]) -> Float[ndarray, " p"]:
        return differences(record.values[first], record.values[second])

    try:
        order, notes = settle(times, several, files or [record.where], apart)
    except DataError as err:
        tell = " Or name the station of each row in a column called station." * record.where.endswith(SUFFIXES)
        raise DataError(f"{err}{tell}") from None
    if len(order) == len(times.values) and (np.diff(order) == 1).all():
        return record
    mixed = owner is None and bool((np.diff(times.values) < np.zeros(1, np.diff(times.values).dtype)).any())
    sorted_ = ("the times were not in order and were sorted",) * mixed
    found = record.at(order, replace(times, values=times.values[order]))
    return replace(found, notes=(*found.notes, *sorted_, *notes))


def even_out(record: Record) -> Record:
    """The record at even times, if its own are nearly even: loggers and fire tests do not keep time to the second."""
    found = nearly_even(record.times)
    return record if found is None else record.at(*found)


def nearly_even(times: Times) -> tuple[Int[ndarray, " s"], Times, str] | None:
    """Which steps to keep, their even times and a note; None if the times are even, or far from it.

    A step is put on the nearest of the even times; of two that fall on one the nearer stays. Months stay as they are.
    """
    number, second = _numbers(times)
    delta = np.diff(number)
    step = float(np.median(delta)) if len(delta) else 0.0
    if step <= 0 or (times.dated and step >= 27 * 86_400 * second):
        return None
    step = _round_step(delta, step, second)
    turn = (number - number[len(number) // 2]) / step
    if np.median(np.abs(delta - step)) > _SNAP * step or (np.abs(delta / step - np.round(delta / step)) <= 1e-3).all():
        return None
    shift = float(np.median(turn - np.round(turn)))
    slot = np.round(turn - shift)
    off = np.abs(turn - shift - slot)
    nearest = np.lexsort((off, slot))
    nearest = np.sort(nearest[np.unique(slot[nearest], return_index=True)[1]])
    crowded = len(slot) - len(nearest)
    if off[nearest].max() > _SNAP or crowded > max(1, _CROWD * len(slot)) or np.median(np.diff(slot[nearest])) != 1:
        return None
    start = number[len(number) // 2] + shift * step
    even = start + slot[nearest] * step
    tick = min(second, step)
    values = (np.round(even / tick) * tick).astype(np.int64).astype("datetime64[ns]") if times.decoded else even
    worst = float((off[nearest] * step).max()) / second
    unit = "s" if times.dated else times.unit
    note = f"uneven times were put on even ones, {step / second:g} {unit} apart and at most "
    note += f"{worst:.3g} {unit} away"
    if crowded:
        note += f"; {crowded} step{'s' * (crowded > 1)} with another nearer to the same time left aside"
    return nearest, replace(times, values=values), note


def _numbers(times: Times) -> tuple[Float[ndarray, " t"] | Int[ndarray, " t"], float]:
    """Times as numbers, and the length of a second in them; 1 where they are no dates."""
    if times.decoded:
        return times.values.astype("datetime64[ns]").astype(np.int64), 1e9
    return times.values.astype(float), 1 / 86_400 if times.calendar else 1.0


def _round_step(delta: ndarray, step: float, second: float) -> float:
    """The roundest step that the mean of the steps allows: a clock that wanders does not run away."""
    whole = np.round(delta / step)
    if whole.sum() < 1:
        return step
    mean = float(delta.sum() / whole.sum())
    slack = 2 * float(np.abs(delta - whole * step).max() / whole.sum())
    round_ones = [
        86_400,
        3600,
        600,
        300,
        60,
        30,
        *(digit * 10.0**k for k in (1, 0, -1, -2, -3, -4) for digit in (5, 2, 1)),
    ]
    near = (round(mean / (unit * second)) * unit * second for unit in round_ones)
    return next((value for value in near if value > 0 and abs(value - mean) <= slack), mean)


def fill_gaps(record: Record) -> Record:
    """The record with the few even steps that nobody reported, as missing: a long table has no rows for them."""
    times = record.times
    number = times.values.astype(np.int64) if times.decoded else times.values.astype(float)
    if len(number) < 3:
        return record
    delta = np.diff(number)
    step = delta.min()
    turns = delta / step
    whole = np.round(turns).astype(np.int64)
    lacking = int(whole.sum() - len(whole))
    if not lacking or (np.abs(turns - whole) > 1e-6).any() or lacking > max(1, _FILLED * len(number)):
        return record
    steps = np.full(int(whole.sum()) + 1, -1)
    steps[np.concatenate([[0], np.cumsum(whole)])] = np.arange(len(number))
    values = (number[0] + step * np.arange(len(steps))).astype(times.values.dtype)
    note = f"steps at which no station reported were added as missing: {lacking}"
    return record.at(steps, replace(times, values=values), note)
