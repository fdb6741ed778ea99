"""Tidy tables: one row a station, time and quantity, spread so that each quantity has a column of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from jaxtyping import Int
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.tables import Table, some, words_of

__all__ = ["KINDS", "UNITS", "spread"]

KINDS = {"parameter", "parameters", "pollutant", "variable", "indicator", "quantity", "measure", "metric", "field"}
KINDS |= {"characteristic", "characteristicname", "property", "species", "element", "datatype", "param", "analyte"}
KINDS |= {"measurement", "observed", "polluant", "kenngroesse", "series"}
"""Words in the name of a column whose cells say what a row measures."""

UNITS = {"unit", "units", "uom", "unitofmeasurement"}
"""Words in the name of a column whose cells are units."""

_VALUES = {"value", "values", "concentration", "result", "reading", "wert", "valeur", "valor", "measurement", "obs"}
_MANY = 100  # kinds beyond which a column of text says something else
_SIDE = {"code", "cd", "id", "flag", "qualifier", "type"}  # words of columns that stand beside what they speak of


@dataclass(frozen=True, eq=False)
class _Cells:
    """Who and when each row is of: a number for each pair of station and time."""

    pair: Int[ndarray, " rows"]
    count: int


def spread(table: Table, time: str, station: str, kept: Sequence[str]) -> Table:
    """The table with a column for each quantity, if its rows say which quantity they are of; else as it is.

    A column is what says it if it is called so, or if it is text and alone tells rows of one station and time apart.

    Parameters
    ----------
    table : Table
        One row a station, time and quantity.
    time, station : str
        Columns that say when and where.
    kept : sequence of str
        Columns with positions, which stay.

    Raises
    ------
    DataError
        If a quantity comes twice for a station and time, or in several units.
    """
    rest = [column for column in table.columns if column not in {time, station, *kept}]
    valued = _valued(table, rest)
    free = [column for column in rest if column not in valued and not UNITS & set(words_of(column))]
    if not valued or not free:
        return table
    cells = _cells(table, time, station)
    kind = _kind(table, free, valued, cells)
    if kind is None:
        return table
    unit = next((column for column in rest if UNITS & set(words_of(column)) and column not in valued), None)
    called, kinds = pd.factorize(pd.Series(table.text(kind)), sort=True)
    labels = [str(label) for label in kinds]
    _check_once(table, kind, cells, called, (time, station))
    units = {} if unit is None else _units(table, unit, called, labels)
    at, first = np.unique(cells.pair, return_index=True)
    row = np.searchsorted(at, cells.pair)
    frame = table.frame.iloc[first][[time, station, *kept]].reset_index(drop=True)
    measured: dict[str, str] = {}
    for column in valued:
        numbers = table.numbers(column)
        for number, label in enumerate(labels):
            name = label if len(valued) == 1 else f"{column} {label}"
            mine = called == number
            values = np.full(len(first), np.nan)
            values[row[mine]] = numbers[mine]
            frame[name] = values
            measured |= {name: units[label]} if units.get(label) else {}
    said = f"each row is of one of {len(labels)} quantities, named by {kind}: {some(labels)}"
    return replace(table.noted(frame, said), measured=measured, comma=False)


def _cells(table: Table, time: str, station: str) -> _Cells:
    when, _ = pd.factorize(table.frame[time])
    who, names = pd.factorize(table.frame[station])
    pair = when.astype(np.int64) * len(names) + who
    return _Cells(pair, len(np.unique(pair)))


def _valued(table: Table, rest: Sequence[str]) -> list[str]:
    """Columns of measured values: the one called so, else all with numbers."""
    numeric = [column for column in rest if table.is_numeric(column)]
    called = [column for column in numeric if _is_value(column)]
    return called[:1] or numeric


def _is_value(column: str) -> bool:
    words = words_of(column)
    return bool(_VALUES & set(words)) and not (_SIDE | UNITS) & set(words)


def _kind(table: Table, free: Sequence[str], valued: Sequence[str], cells: _Cells) -> str | None:
    """The column that says what a row measures."""
    named = [column for column in free if KINDS & set(words_of(column)) and _tells(table, column, cells)]
    named.sort(key=lambda column: bool(_SIDE & set(words_of(column))))
    if named and len(valued) == 1 and _is_value(valued[0]):
        return named[0]
    if cells.count == len(table.frame):
        return None
    words = [column for column in free if not table.is_numeric(column)]
    return next((column for column in [*named, *words] if _tells(table, column, cells)), None)


def _tells(table: Table, column: str, cells: _Cells) -> bool:
    """Whether a column has few kinds, always filled, and leaves hardly a row of one kind twice."""
    kinds, labels = pd.factorize(pd.Series(table.text(column)))
    if len(labels) > _MANY or "" in set(labels):
        return False
    pairs = len(np.unique(cells.pair * len(labels) + kinds))
    return pairs > cells.count or pairs == len(table.frame)


def _check_once(table: Table, kind: str, cells: _Cells, called: Int[ndarray, " rows"], at: tuple[str, str]) -> None:
    key = pd.Series(cells.pair * (int(called.max()) + 1) + called)
    twice = np.flatnonzero(key.duplicated().to_numpy())
    if len(twice):
        row = int(twice[0])
        said = ", ".join(table.text(column)[row] for column in (at[1], at[0], kind))
        raise DataError(
            f"{table.path.name}: row {row + 1} repeats {said} ({len(twice)} such rows). "
            "Keep one row a station, time and quantity."
        )


def _units(table: Table, unit: str, called: Int[ndarray, " rows"], labels: Sequence[str]) -> dict[str, str]:
    """The one unit of each quantity."""
    pairs = pd.DataFrame({"kind": called, "unit": table.text(unit)}).drop_duplicates()
    pairs = pairs[pairs["unit"] != ""]
    found: dict[str, str] = {}
    for number, said in zip(pairs["kind"].tolist(), pairs["unit"].tolist(), strict=True):
        label = labels[number]
        if found.setdefault(label, said) != said:
            raise DataError(f"{table.path.name}: {label} comes in {found[label]} and in {said}. Convert one of them.")
    return found
