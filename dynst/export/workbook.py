"""XLSX: the table of sensors as a workbook, with a second sheet that says where it comes from."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dynst.domain import Layout, Plan
from dynst.domain.plain import visible
from dynst.errors import ConfigError
from dynst.export.base import made_by
from dynst.export.places import places_of
from dynst.export.rows import sensor_rows

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet  # type: ignore[import-untyped]

__all__ = ["render"]

_DATES = re.compile(rb"<dcterms:(created|modified)[^>]*>[^<]*</dcterms:\1>")
_WIDEST, _NARROWEST = 40, 9  # letters of a column; chosen


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A workbook with one row a sensor; text is text, whatever a name looks like.

    Raises
    ------
    ConfigError
        If the package that writes workbooks is not installed.
    """
    try:
        from openpyxl import Workbook  # type: ignore[import-untyped]  # noqa: PLC0415  # an extra: most plans leave as something else
    except ImportError as error:
        raise ConfigError(
            "a workbook needs the package openpyxl: pip install 'dynst[excel]', or write CSV, which spreadsheets open."
        ) from error
    rows = [row for _, row in sensor_rows(plan, places_of(plan, layout), top)]
    book = Workbook()
    sheet = book.active
    sheet.title = "sensors"
    _fill(sheet, [list(rows[0]), *(list(row.values()) for row in rows)])
    sheet.auto_filter.ref = sheet.dimensions
    about = [
        ("title", title or "dynst sensor plan"),
        ("made by", made_by(plan)),
        ("importance", plan.importance_is),
        ("reference system", plan.sites.crs or ""),
    ]
    _fill(book.create_sheet("about"), [("what", "value"), *about])
    content = io.BytesIO()
    book.save(content)
    return _undated(content.getvalue())


def _fill(sheet: Worksheet, rows: Sequence[Sequence[object]]) -> None:
    """Write the rows below a bold line of names that stays in view."""
    from openpyxl.styles import Font  # type: ignore[import-untyped]  # noqa: PLC0415  # see render

    for at, row in enumerate(rows, 1):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(at, column, visible(value) if isinstance(value, str) else value)
            cell.quotePrefix = isinstance(value, str)
            cell.data_type = "s" if cell.quotePrefix else cell.data_type  # never a formula
            cell.font = Font(bold=at == 1)
    for column, cells in enumerate(zip(*rows, strict=True), 1):
        letter = sheet.cell(1, column).column_letter
        width = max(len(str(value)) for value in cells) + 2
        sheet.column_dimensions[letter].width = min(max(width, _NARROWEST), _WIDEST)
    sheet.freeze_panes = "A2"


def _undated(content: bytes) -> bytes:
    """The workbook without the time of writing: same plan, same bytes."""
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = zipfile.ZipInfo(name)  # dated 1980-01-01
            part.compress_type = zipfile.ZIP_DEFLATED
            new.writestr(part, _DATES.sub(b"", old.read(name)))
    return whole.getvalue()
