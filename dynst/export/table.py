"""CSV: one row a sensor, for a spreadsheet or a script."""

from __future__ import annotations

from dynst.domain import Layout, Plan
from dynst.export.base import made_by
from dynst.export.places import places_of
from dynst.export.rows import sensor_rows
from dynst.reports.tables import csv_text

__all__ = ["render"]


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A table with a header and one row a sensor."""
    line = made_by(plan)  # a column, since a comment line breaks most readers
    rows = sensor_rows(plan, places_of(plan, layout), top)
    return csv_text(row | {"provenance": line} for _, row in rows).encode()
