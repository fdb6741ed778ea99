"""Series of stations in tables: a column a station, a row a station and time, or a column a fire device."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy import ndarray

from dynst.domain import Channel
from dynst.errors import DataError
from dynst.readers.clock_changes import without_clock_changes
from dynst.readers.date_columns import is_dated, time_column, with_dates
from dynst.readers.names import clean_units
from dynst.readers.parameters import spread
from dynst.readers.records import Record, Wanted, cleaned, fill_gaps, read_times
from dynst.readers.repeats import differences
from dynst.readers.station_columns import LONG_NAMES, counts_rows, idle, station_column, told_apart
from dynst.readers.station_tables import Places, find_roles, place
from dynst.readers.table_flags import without_flags
from dynst.readers.tables import Table, quantity_of, some, words_of
from dynst.readers.times import Times
from dynst.readers.turned_tables import upright

__all__ = ["record_of"]

_STILL = 1e-6  # by so much what says where a station stands may change over time
_LARGEST = 8 << 30  # bytes of a table of all times by all stations


def record_of(table: Table, wanted: Wanted, places: Places | None = None) -> Record:
    """The record in one table, whichever way it is written; `places` may tell which column names the stations.

    Raises
    ------
    DataError, ConfigError
        If it holds no series, a cell is no number, or a channel is asked for that is not there.
    """
    if table.units:
        return _devices(table, wanted)
    table = upright(with_dates(table), LONG_NAMES)
    time = time_column(table)
    rest = [column for column in table.columns if column != time]
    station = None if time is None else station_column(table, rest, time, places)
    if station is None and _are_places(rest, time):
        raise DataError(
            f"{table.path.name}: it holds positions of stations and no times. Give it as the table of stations "
            "(--stations FILE), and the table of values as the data."
        )
    keys = {column for column in (time, station) if column is not None}
    table, said = without_flags(table, keys | set(find_roles(rest).values()))
    if time is not None and station is not None:
        record = fill_gaps(_long(table, wanted, time, station))
    else:
        record = _wide(table, wanted, time)
    return replace(record, notes=(*record.notes, *said))


def _are_places(columns: Sequence[str], time: str | None) -> bool:
    """Whether columns give positions of stations, and nothing that changes in time."""
    roles = find_roles(columns)
    named = {column for column in columns if column.lower() in LONG_NAMES}
    return {"lat", "lon"} <= set(roles) and (time is None or set(columns) <= {*roles.values(), *named})


def _times(table: Table, column: str | None) -> Times:
    if column is None:
        return Times(np.arange(len(table.frame)), note="no column holds times, so steps are counted by number")
    if not words_of(column) and table.frame[column].dtype.kind in "iu":
        return Times(table.frame[column].to_numpy(), note="the rows are numbered, so steps are counted by number")
    return read_times(table.frame[column], column or "", table.path.name)


def _wide(table: Table, wanted: Wanted, time: str | None) -> Record:
    where = table.path.name
    names = [column for column in table.columns if column != time]
    dead = [column for column in names if not column or (table.frame[column].isna().all() and column.startswith("Unn"))]
    names = [column for column in names if column not in dead]
    aside = {column: "counts the rows" for column in names if counts_rows(table, column)}
    aside |= {column: "holds text" for column in names if _is_worded(table, column)}
    aside |= {column: "holds times" for column in names if is_dated(table, column)}
    names = [column for column in names if column not in aside] or names
    if not names:
        raise DataError(f"{where}: it has a column of times and no other. Expected one column a station.")
    times = _times(table, time)
    values = np.stack([table.numbers(name) for name in names], axis=1)[:, :, None]
    (channel,) = wanted.choose(where, (Channel("value"),), {})
    values, notes = cleaned(values)
    said = [*table.notes, *([times.note] if times.note else [])]
    said += [f"{column} is not used: it {reason}" for column, reason in aside.items() if column not in names]
    return Record(where, values, times, tuple(names), (channel,), notes=(*said, *notes))


def _is_worded(table: Table, column: str) -> bool:
    """Whether a column holds text only, such as remarks or days of the week."""
    cells = table.frame[column]
    if cells.dtype.kind in "iufbmM" or cells.isna().all():
        return False
    head = cells.dropna().head(1000).astype("str")
    return not head.str.contains(r"\d", regex=True).any() and not table.is_numeric(column)


def _long(table: Table, wanted: Wanted, time: str, station: str) -> Record:
    where = table.path.name
    rest = [column for column in table.columns if column not in {time, station}]
    table = told_apart(table, time, station)
    table = spread(table, time, station, list(find_roles(rest).values()))
    times = _times(table, time)
    who = pd.Series(table.text(station))
    if (who == "").any():
        row = int(np.flatnonzero((who == "").to_numpy())[0])
        raise DataError(f'{where}: column "{station}", row {row + 1} names no station. Name it, or remove the row.')
    rest = [column for column in table.columns if column not in {time, station}]
    number, names = pd.factorize(who, sort=True)
    roles = _roles(table, rest, number)
    valued = [column for column in rest if column not in roles.values()]
    aside = {column: "holds text" for column in valued if not table.is_numeric(column)}
    empty = [column for column in aside if table.frame[column].isna().all()]
    aside |= dict.fromkeys(empty, "has no value")
    aside |= {column: "holds times" for column in valued if is_dated(table, column)}
    numeric = [column for column in valued if column not in aside]
    asked = {*(wanted.observe or ()), *(wanted.predict or ())}
    still = {column: why for column, why in idle(table, numeric, number).items() if _channel(column).name not in asked}
    aside |= still if len(still) < len(numeric) else {}
    offered = _channels(where, [column for column in valued if column not in aside], table.measured)
    if not offered:
        raise DataError(f"{where}: beside {time} and {station} no column holds numbers; seen: {some(table.columns)}.")
    channels = wanted.choose(where, list(offered.values()), aside)
    columns = {channel.name: column for column, channel in offered.items()}
    times = without_clock_changes(times, number)
    when, unique = pd.factorize(pd.Series(times.values), sort=True)
    shape = (len(unique), len(names), len(channels))
    if 4 * int(np.prod(shape, dtype=np.int64)) > _LARGEST:
        raise DataError(
            f"{where}: {shape[1]} stations report at {shape[0]} different times, which is too uneven for a table of "
            "all. Resample the stations to one even step."
        )
    key = when.astype(np.int64) * len(names) + number
    order = np.argsort(key, kind="stable")
    again = np.flatnonzero(key[order][1:] == key[order][:-1])
    cells = np.stack([table.numbers(columns[channel.name]) for channel in channels], axis=1)
    other = again[differences(cells[order[again]], cells[order[again + 1]]) > 0]
    if len(other):
        row = int(order[other + 1].min())
        raise DataError(
            f"{where}: station {who.iloc[row]} has more than one row for {times.say(row)} (row {row + 1} repeats it "
            f"with other values; {len(other)} such rows). If rows are of several instruments or heights, give each a "
            "name of its own; if an hour of local time comes twice, give the times in UTC."
        )
    values = np.full(shape, np.nan)
    values[when, number] = cells
    values32, notes = cleaned(values)
    said = [*table.notes, *([times.note] if times.note else [])]
    said += [f"the stations are named by the column {station}"] if station.lower() not in LONG_NAMES else []
    said += [f"rows that repeat another are taken once: {len(again)}"] if len(again) else []
    said += [f"{column} is not used: it {reason}" for column, reason in aside.items()]
    record = Record(
        where,
        values32,
        replace(times, values=np.asarray(unique)),
        tuple(str(name) for name in names),
        channels,
        notes=(*said, *notes),
        long=True,
    )
    if not ({"lat", "lon"} <= set(roles) or len({"x", "y", "z"} & set(roles)) > 1):
        return record
    known = {role: _constant(table, column, number, record.names) for role, column in roles.items()}
    return replace(record, places=place(where, {station: record.names}, known))


def _roles(table: Table, columns: Sequence[str], number: ndarray) -> dict[str, str]:
    """Columns that say where stations stand; the height of waves or the x of a velocity says something else."""
    roles = find_roles(columns)
    pair = {"lat", "lon"} if {"lat", "lon"} <= set(roles) else {"x", "y", "z"} & set(roles)

    def steady(column: str) -> bool:
        cells = pd.Series(table.numbers(column)).groupby(number)
        return not (cells.max() - cells.min() > _STILL).any()

    return {
        role: column
        for role, column in roles.items()
        if (len(pair) > 1 and role in pair) or (table.is_numeric(column) and steady(column))
    }


def _constant(table: Table, column: str, number: ndarray, names: Sequence[str]) -> ndarray:
    """The one value of each station in a column of a long table."""
    cells = pd.Series(table.numbers(column)).groupby(number)
    low, high = cells.min().to_numpy(), cells.max().to_numpy()
    moved = np.flatnonzero(high - low > _STILL)
    if len(moved):
        raise DataError(
            f"{table.path.name}: station {names[int(moved[0])]} moves: its {column} runs from {low[moved[0]]:g} to "
            f"{high[moved[0]]:g} ({len(moved)} such stations). A sensor is a place: give every station one."
        )
    return low


def _channels(where: str, columns: Sequence[str], measured: Mapping[str, str]) -> dict[str, Channel]:
    """Channels by their columns; those that differ in their units alone are called by both."""
    found = {column: _channel(column, measured.get(column, "")) for column in columns}
    names = [channel.name for channel in found.values()]
    for column, channel in found.items():
        if names.count(channel.name) > 1:
            found[column] = replace(channel, name=re.sub(r"[^\w.-]+", "_", column).strip("_"))
    names = [channel.name for channel in found.values()]
    if len(set(names)) < len(names):
        twice = [column for column, channel in found.items() if names.count(channel.name) > 1]
        raise DataError(f"{where}: columns {some(twice)} have names too much alike. Give every column another name.")
    return found


def _channel(column: str, measured: str = "") -> Channel:
    """Name and unit in one: ``PM10 (ug/m3)``; or the unit in which it is said to be measured."""
    unit = re.search(r"[\[(](.*?)[\])]\s*$", column)
    bare = column[: unit.start()] if unit else column
    return Channel(re.sub(r"[^\w.-]+", "_", bare.strip()) or "value", clean_units(unit[1] if unit else measured))


def _devices(table: Table, wanted: Wanted) -> Record:
    """A fire test: each column is a device, and its unit says what it measures."""
    where = table.path.name
    time, *devices = table.columns
    if "time" not in time.lower() and time.lower() not in {"t", "s"}:
        raise DataError(f'{where}: the first column is "{time}", in {table.units[0]}. Expected the times there.')
    units = dict(zip(devices, table.units[1:], strict=True))
    kinds = {unit: quantity_of(unit) for unit in dict.fromkeys(units.values())}
    each = {
        unit: Channel(_channel(kind).name, clean_units("degC" if unit == "C" else unit)) for unit, kind in kinds.items()
    }
    offered: dict[str, Channel] = {}
    for channel in each.values():
        if offered.setdefault(channel.name, channel) != channel:
            raise DataError(
                f"{where}: {channel.name} comes in {offered[channel.name].units} and in {channel.units}. "
                "Give all devices of one quantity one unit."
            )
    channels = wanted.choose(where, list(offered.values()), {})
    of_unit = {unit: channel.name for unit, channel in each.items()}
    chosen = [channel.name for channel in channels]
    devices = [device for device in devices if of_unit[units[device]] in chosen]
    values = np.full((len(table.frame), len(devices), len(channels)), np.nan)
    for i, device in enumerate(devices):
        values[:, i, chosen.index(of_unit[units[device]])] = table.numbers(device)
    times = Times(table.numbers(time), table.units[0], "the time axis has no date, so its steps are counted by number")
    if not np.isfinite(times.values).all():
        row = int(np.flatnonzero(~np.isfinite(times.values))[0])
        raise DataError(f'{where}: column "{time}", row {row + 1} has no time. Remove the rows without a time.')
    values32, notes = cleaned(values)
    names = tuple(f"{device} {of_unit[units[device]]}" for device in devices)
    return Record(where, values32, times, names, channels, short=tuple(devices), notes=(times.note, *notes))
