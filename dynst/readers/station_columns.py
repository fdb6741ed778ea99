"""Which column says what station a row is of, and which columns of numbers measure nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int
from numpy import ndarray

from dynst.readers.station_tables import Places, find_roles
from dynst.readers.tables import Table, words_of

__all__ = ["LONG_NAMES", "counts_rows", "idle", "station_column", "told_apart"]

_OF = ("", "_id", " id", "id", "_name", "_code", "_no", "_nr", "_number")
_WHAT = ("station", "site", "sensor", "location", "stop", "device", "node", "gauge", "buoy", "samplingpoint", "stn")
LONG_NAMES: tuple[str, ...] = (
    *(f"{what}{of}" for what in _WHAT for of in _OF),
    *("bus_stop", "wmo", "city", "name", "code", "id"),
)
"""Columns of a long table, lower case, that say which station a row is of; the likeliest first."""

_COUNTERS = {"", "id", "no", "nr", "index", "idx", "row", "rownum", "rowid", "fid", "objectid", "oid", "unnamed", "n"}
_FLAGS = {"flag", "flags", "qc", "qa", "qf", "quality", "qualifier", "validity", "verification", "status"}
_IDENTIFIERS = [["id"], ["uid"], ["pk"], ["key"], ["oid"], ["fid"], ["rowid"]]  # last words of names
_CODED = {"id", "no", "num", "number", "nr", "code", "cd"}  # words of columns whose whole numbers are names
_KNOWN = 0.5  # share of names that a table of stations must know, before a column is taken for that of the stations
_LOOK = 3  # times a station must come before "it never changes" says anything


def station_column(table: Table, columns: Sequence[str], time: str, places: Places | None = None) -> str | None:
    """The column that says which station a row is of; None if each column is a station.

    By the names that a table of stations knows, else by what columns are called, else by what tells rows of one time
    apart. A column that never repeats says nothing about stations: it numbers the rows.

    Parameters
    ----------
    table : Table
        Its columns of dates are joined.
    columns : sequence of str
        All but the times.
    time : str
        The column of times.
    places : Places, optional
        A table of stations.
    """
    known = {name for called in places.called.values() for name in called} if places is not None else set[str]()
    if known:
        headed = len(known.intersection(columns))
        if 2 * headed > len(columns):
            return None
        hits = {column: _hits(table, column, known) for column in columns if _may_name(table, column)}
        best = max(hits, key=lambda column: (hits[column], -_rank(column)), default="")
        if best and hits[best] > headed:
            return best
        if headed:
            return None
    named = [column for column in _called(table, columns) if _may_name(table, column) and _repeats(table, column)]
    if named:
        return named[0]
    if len(columns) == 2 and not table.is_numeric(columns[0]) and table.is_numeric(columns[1]):
        return columns[0]  # time, somebody, something
    return _by_rows(table, columns, time)


def _called(table: Table, columns: Sequence[str]) -> list[str]:
    """Columns called like one of stations, the likeliest first."""
    exact = [column for column in columns if column.lower() in LONG_NAMES]
    exact.sort(key=_rank)
    loose = [column for column in columns if column not in exact and set(words_of(column)) & set(_WHAT)]
    coded = {column for column in loose if set(words_of(column)) & _CODED and table.whole(column) is not None}
    return [*exact, *(column for column in loose if column in coded or not table.is_numeric(column))]


def _may_name(table: Table, column: str) -> bool:
    """Whether cells may be names: text or whole numbers."""
    return table.frame[column].dtype.kind not in "fbMm"


def _repeats(table: Table, column: str) -> bool:
    rows = len(table.frame)
    return rows < _LOOK or table.frame[column].nunique() < rows


def _hits(table: Table, column: str, known: set[str]) -> int:
    """How many different names of a column are known; 0 if most are not."""
    cells = set(Table(table.path, table.frame[[column]].drop_duplicates()).text(column))
    hits = len(known & cells)
    return hits if hits >= _KNOWN * len(cells) else 0


def _rank(column: str) -> int:
    return LONG_NAMES.index(column.lower()) if column.lower() in LONG_NAMES else len(LONG_NAMES)


def _by_rows(table: Table, columns: Sequence[str], time: str) -> str | None:
    """The column of text that alone tells the rows of one time apart, where times repeat."""
    when = pd.Series(pd.factorize(table.frame[time])[0])
    if not when.duplicated().any():
        return None
    for column in columns:
        if table.is_numeric(column) or table.frame[column].isna().any() or not _repeats(table, column):
            continue
        pair = pd.DataFrame({"when": when, "who": table.text(column)})
        if not pair.duplicated().any():
            return column
    return None


def told_apart(table: Table, time: str, station: str) -> Table:
    """The table with the positions in the names of stations, if stations of one name stand at two places at a time.

    Numbers of sites often hold within a county or a country only.
    """
    roles = find_roles([column for column in table.columns if column not in {time, station}])
    if not {"lat", "lon"} <= set(roles):
        return table
    parts = {"when": table.frame[time], "who": table.text(station), "lat": table.numbers(roles["lat"])}
    rows = pd.DataFrame(parts | {"lon": table.numbers(roles["lon"])}).drop_duplicates()
    if not rows.duplicated(["when", "who"]).any():
        return table
    whole = pd.DataFrame(parts | {"lon": table.numbers(roles["lon"])})
    who = [f"{name} ({lat:g}, {lon:g})" for name, lat, lon in zip(whole.who, whole.lat, whole.lon, strict=True)]
    note = f"stations of one name in {station} stand at several places and are told apart by those"
    return table.noted(table.frame.assign(**{station: who}), note)


def counts_rows(table: Table, column: str) -> bool:
    """Whether a column only numbers the rows: it is called so, and each row has one more than the row above."""
    words = words_of(column) or [""]
    cells = table.whole(column) if words[0] in _COUNTERS else None
    return cells is not None and len(cells) > 1 and bool((np.diff(cells) == 1).all())


def idle(table: Table, columns: Iterable[str], number: Int[ndarray, " rows"]) -> dict[str, str]:
    """Columns of whole numbers without a unit that measure nothing, and why.

    Parameters
    ----------
    table : Table
        A row a station and time.
    columns : iterable of str
        Columns of numbers.
    number : Int[ndarray, "rows"]
        The station of each row.
    """
    found: dict[str, str] = {}
    often = np.bincount(number).max() >= _LOOK
    for column in columns:
        cells = table.whole(column) if often and not table.measured.get(column) and "(" not in column else None
        why = "" if cells is None or "[" in column else _why_idle(column, cells, number)
        found |= {column: why} if why else {}
    return found


def _why_idle(column: str, cells: Int[ndarray, " rows"], number: Int[ndarray, " rows"]) -> str:
    if set(words_of(column)) & _FLAGS:
        return "is a flag of quality, not a measured value"
    if words_of(column)[-1:] in _IDENTIFIERS:
        return "is an identifier, not a measured value"
    order = np.argsort(number, kind="stable")
    step = np.diff(cells[order])[number[order][1:] == number[order][:-1]]
    if (np.diff(cells) == 1).all() or (step == 1).all():
        return "counts the rows"
    return "" if step.any() else "holds a whole number that never changes at a station"
