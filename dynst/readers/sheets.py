"""Workbooks of spreadsheets (.xlsx): one sheet as CSV text, so that it is read like any table."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from pathlib import Path

from dynst.errors import DataError

__all__ = ["SUFFIXES", "sheet_text"]

_OLD = (".xls", ".xlsb", ".ods")  # workbooks of other forms, which are recognised and not read
SUFFIXES = (".xlsx", ".xlsm", *_OLD)
"""Names of workbooks."""


def sheet_text(path: Path) -> tuple[str, tuple[str, ...]]:
    """The first sheet of a workbook that holds a table, as CSV text; and notes.

    Raises
    ------
    DataError
        If it is no .xlsx, the package that reads them is not installed, or no sheet holds a table.
    """
    if path.suffix.lower() in _OLD:
        raise DataError(f"{path.name}: of workbooks only .xlsx is read. Save the sheet as CSV.")
    try:
        import openpyxl  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra; most records are no workbooks
    except ImportError as err:
        raise DataError(
            f"{path.name}: reading workbooks needs the package openpyxl: pip install 'dynst[excel]', "
            "or save the sheet as CSV."
        ) from err
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheets = [(sheet.title, list(sheet.iter_rows(values_only=True))) for sheet in book.worksheets]
        book.close()
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile, SyntaxError) as err:
        first = (str(err).strip().splitlines() or [type(err).__name__])[0].rstrip(".")
        raise DataError(f"{path.name}: cannot be read as a workbook: {first}. Save the sheet as CSV.") from err
    able = [(title, rows) for title, rows in sheets if sum(_filled(row) > 1 for row in rows) > 2]
    if not able:
        raise DataError(
            f"{path.name}: no sheet holds a table ({', '.join(title for title, _ in sheets) or 'there is no sheet'}). "
            "Save the sheet as CSV."
        )
    title, rows = able[0]
    rest = [other for other, _ in able[1:]]
    notes = (f"of {path.name} the sheet {title} is read; left aside: {', '.join(rest)}",) if rest else ()
    return _csv(rows), notes


def _filled(row: Iterable[object]) -> int:
    return sum(cell is not None for cell in row)


def _csv(rows: list[tuple[object, ...]]) -> str:
    """Rows from the first on that has as many cells as most rows have; titles above it are left out."""
    counts = [_filled(row) for row in rows]
    usual = max(set(counts) - {0, 1}, key=lambda count: (counts.count(count), count))
    first = next(i for i, count in enumerate(counts) if count >= max(2, usual - 1))
    width = max(i + 1 for row in rows[first:] for i, cell in enumerate(row) if cell is not None)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([_said(cell) for cell in row[:width]] for row in rows[first:])
    return out.getvalue()


def _said(cell: object) -> str:
    """A cell as text; dates as ISO, whole numbers without a point."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        cell = (cell + timedelta(microseconds=500_000)).replace(microsecond=0)  # days are kept as fractions
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if isinstance(cell, float) and cell.is_integer():
        return f"{cell:.0f}"
    return str(cell)
