"""CSV: one row a sensor, for a spreadsheet or a script."""

from __future__ import annotations

from dynst.domain import Layout, Plan
from dynst.export.base import listed, made_by
from dynst.export.places import places_of
from dynst.reports.tables import csv_text

__all__ = ["render"]


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A table with a header and one row a sensor."""
    places = places_of(plan, layout)
    edges = ("west", "south", "east", "north") if places.geographic else ("x_min", "y_min", "x_max", "y_max")
    line, rows = made_by(plan), []
    for one in listed(plan, top):
        row: dict[str, object] = {"rank": one.rank, "name": one.name}
        if places.geographic:
            row["longitude"], row["latitude"] = places.position(one)
        plane = places.on_plane(one)
        if plane is not None and places.unit == "m":
            row["x_m"], row["y_m"] = plane
        elif plane is not None:
            row |= {"x": plane[0], "y": plane[1], "xy_unit": places.unit}
        row |= {"importance": float(plan.importance[one.rank - 1]), "selected": int(one.rank <= plan.budget)}
        row |= {"role": one.role, "site": one.site, **places.snapped(one)}
        bounds = places.bounds(one.site)
        if bounds is not None:
            row |= {f"cell_{edge}": value for edge, value in zip(edges, bounds, strict=True)}
        rows.append(row | {"provenance": line})  # a column, since a comment line breaks most readers
    return csv_text(rows).encode()
