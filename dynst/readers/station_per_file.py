"""One file a station: tables of quantities whose station is told by the name of the file."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dynst.readers.date_columns import time_column, with_dates
from dynst.readers.station_columns import station_column
from dynst.readers.station_tables import Places, find_roles
from dynst.readers.tables import Table

__all__ = ["with_stations"]

_STILL = 1e-6  # by so much a position may wander in a file of one place


def with_stations(tables: Sequence[Table], places: Places | None) -> list[Table]:
    """The tables with a column of stations from the names of their files, if each file is of one station.

    It is, if a table of stations knows most of the files by their names and none of their columns; or if each table
    keeps one position and names no station.

    Parameters
    ----------
    tables : sequence of Table
        One a file.
    places : Places, optional
        A table of stations.
    """
    tables = [with_dates(table) for table in tables]
    if any(_names_stations(table, places) for table in tables):
        return list(tables)
    stems = [table.path.stem for table in tables]
    if places is not None:
        known = {name for called in places.called.values() for name in called}
        found = [_known_in(stem, known) for stem in stems]
        if 2 * sum(map(bool, found)) <= len(found) or any(known.intersection(table.columns) for table in tables):
            return list(tables)
        names = [name or stem for name, stem in zip(found, stems, strict=True)]
    elif all(map(_stands, tables)):
        names = _differing(stems)
    else:
        return list(tables)
    return [_told(table, name) for table, name in zip(tables, names, strict=True)]


def _names_stations(table: Table, places: Places | None) -> bool:
    """Whether a table says itself which stations it is of, or has no times."""
    time = time_column(table)
    if time is None or table.units:
        return True
    return station_column(table, [column for column in table.columns if column != time], time, places) is not None


def _known_in(stem: str, known: set[str]) -> str:
    """The longest name in the name of a file that stands there as a word of its own; empty if there is none."""
    inside = [name for name in known if name and re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", stem)]
    return max(inside, key=len, default="")


def _stands(table: Table) -> bool:
    """Whether a table keeps one longitude and latitude."""
    roles = find_roles(table.columns)
    if not {"lat", "lon"} <= set(roles):
        return False
    places = [table.numbers(roles[role]) for role in ("lat", "lon")]
    return all(float(place.max() - place.min()) <= _STILL for place in places)


def _differing(stems: Sequence[str]) -> list[str]:
    """Names of files without the words that all of them begin and end with."""
    words = [re.split(r"[_\-. ]+", stem) for stem in stems]
    begin = _alike(words)
    end = _alike([list(reversed(parts)) for parts in words])
    bare = [" ".join(parts[begin : len(parts) - end]) for parts in words]
    return bare if all(bare) and len(set(bare)) == len(bare) else list(stems)


def _alike(words: Sequence[Sequence[str]]) -> int:
    """How many words all lists begin with."""
    same = [len(set(column)) == 1 for column in zip(*words, strict=False)]
    return same.index(False) if False in same else len(same)


def _told(table: Table, name: str) -> Table:
    frame = table.frame.drop(columns="station", errors="ignore")
    frame.insert(0, "station", name)
    return table.noted(frame, "each file is of one station, called like the file")
