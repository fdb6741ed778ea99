"""Columns of a table that hold quality flags: applied to the columns they speak of, and set aside."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from dynst.readers.flags import bad_values, can_tell, flag_words, flags_by_name
from dynst.readers.tables import Table

__all__ = ["without_flags"]

_DIGITS = 9  # largest flag where nobody says what a column is but its name


def without_flags(table: Table, keys: Collection[str]) -> tuple[Table, tuple[str, ...]]:
    """The table without columns of flags, cells that these call bad or missing empty; and notes.

    Parameters
    ----------
    table : Table
        As it was read.
    keys : collection of str
        Columns that say when and where a row is: no flag empties them.
    """
    named = {column: flags_by_name(column, table.columns) for column in table.columns if column not in keys}
    flags = {column: of for column, of in named.items() if of or (of == "" and _looks_like_flags(table, column))}
    if not flags:
        return table, ()
    frame, notes, emptied = table.frame.copy(), list[str](), 0
    for flag, owner in flags.items():
        cells = frame[flag].to_numpy()
        cells = cells if cells.dtype.kind in "iuf" else cells.astype("U8")
        told = can_tell(cells, {})
        columns = [owner] if owner else [c for c in table.columns if table.is_numeric(c) and c not in flags]
        columns = [column for column in columns if told and column not in keys]
        bad = bad_values(cells, {})
        for column in columns:
            emptied += int((frame[column].notna() & bad).sum())
            frame[column] = frame[column].where(~bad)
        notes.append(f"{flag} is not used: it {flag_words(owner or 'its row', bool(columns))}")
    if emptied:
        notes.append(f"{emptied} values that quality flags call bad or missing are read as missing")
    return replace(table, frame=frame.drop(columns=list(flags))), tuple(notes)


def _looks_like_flags(table: Table, column: str) -> bool:
    """Whether a column that is called like flags holds any: text, or small whole numbers."""
    if not table.is_numeric(column):
        return True
    cells = table.numbers(column)
    known = cells[~np.isnan(cells)]
    return bool(((known == np.floor(known)) & (known >= 0) & (known <= _DIGITS)).all())
