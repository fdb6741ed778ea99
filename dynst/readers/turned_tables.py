"""Tables turned on their side: stations in rows, times as names of columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from dynst.errors import DataError
from dynst.readers.date_columns import is_time_named
from dynst.readers.parameters import KINDS, UNITS
from dynst.readers.station_tables import find_roles
from dynst.readers.tables import Table, some, words_of

__all__ = ["upright"]

_DATED = re.compile(
    r"\d{4}-\d\d(-\d\d)?([T ]\d\d:\d\d(:\d\d)?)?Z?|\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d\d)( \d{1,2}:\d\d)?"
    r"|\d{4}[./]\d\d?([./]\d\d?)?|[A-Za-z]{3,9}[ -]\d{2,4}|\d{4}[ -]?[QM]\d{1,2}"
)
_NUMBERED = re.compile(r"(1[6-9]|20|21)\d\d((0[1-9]|1[0-2])([0-3]\d)?)?")
_YEAR_TWICE = re.compile(r"(\d{4}) \[YR\d{4}\]")  # as the databank of the World Bank writes years
_LEAST = 3  # columns that are times, before a table is taken for one on its side


def upright(table: Table, names: Sequence[str]) -> Table:
    """The table with a row a station and time, if its columns are times; else as it is.

    Parameters
    ----------
    table : Table
        As in the file.
    names : sequence of str
        Lower-case names of columns that say which station a row is of, the likeliest first.

    Raises
    ------
    DataError
        If nothing tells the rows apart.
    """
    when = {column: time for column in table.columns if (time := _time_of(column))}
    rest = [column for column in table.columns if column not in when]
    numbered = all(map(_NUMBERED.fullmatch, when.values()))
    steady = not numbered or list(when.values()) == sorted(when.values())
    timed = any(is_time_named(column) for column in rest)
    if len(when) < _LEAST or len(when) < len(rest) or not rest or timed or not steady:
        return table
    roles = set(find_roles(rest).values())
    kinds = [column for column in rest if set(words_of(column)) & (KINDS | UNITS) and not table.is_numeric(column)]
    label = _labels(table, [column for column in rest if column not in roles], kinds, names)
    frame = table.frame[[*roles, *kinds]].copy()
    frame.insert(0, "station", label)
    places = [column for column in frame.columns if column != "station"]
    parts = [frame.assign(time=time, value=table.frame[column]) for column, time in when.items()]
    long = pd.concat(parts, ignore_index=True)[["station", "time", "value", *places]]
    if numbered:
        long["time"] = long["time"].where(long["time"].str.len() > 4, long["time"] + "-01-01")
    return table.noted(long, f"stations stand in rows and {len(when)} times as columns: the table was turned")


def _time_of(column: str) -> str:
    """The time that the name of a column is; empty if it is none."""
    bare = column[1:] if re.fullmatch(r"[Xx]\d{4}.*", column) else column  # R writes names so that are numbers
    twice = _YEAR_TWICE.fullmatch(bare)
    bare = twice[1] if twice else bare
    if not (_DATED.fullmatch(bare) or _NUMBERED.fullmatch(bare)):
        return ""
    part = re.fullmatch(r"(\d{4})[ -]?([QM])(\d{1,2})", bare)
    if part is None:
        return bare
    month = 3 * int(part[3]) - 2 if part[2] == "Q" else int(part[3])
    return f"{part[1]}-{month:02d}"


def _labels(table: Table, columns: Sequence[str], kinds: Sequence[str], names: Sequence[str]) -> list[str]:
    """What each row is called: by the likeliest column whose names differ, else by all columns of text together."""
    free = [column for column in columns if column not in kinds]
    text = {column: table.text(column) for column in free}
    of_kind = list(zip(*(table.text(column) for column in kinds), strict=True)) or [()] * len(table.frame)

    def tells(cells: Sequence[str]) -> bool:
        return all(cells) and len(set(zip(cells, of_kind, strict=True))) == len(cells)

    known = [column for column in free if column.lower() in names]
    known.sort(key=lambda column: names.index(column.lower()))
    worded = [column for column in free if not table.is_numeric(column)]
    for column in [*known, *worded, *free]:
        if tells(text[column]):
            return text[column]
    rows = zip(*(text[column] for column in worded), strict=True)
    joined = [", ".join(dict.fromkeys(filter(None, reversed(row)))) for row in rows]
    if joined and tells(joined):
        return joined
    raise DataError(
        f"{table.path.name}: stations stand in rows and times as columns, but no column tells the rows apart (seen: "
        f"{some(columns)}). Give every row a name of its own in a column called station."
    )
