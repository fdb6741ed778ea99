"""What a table says of each sensor: one row for CSV, workbooks, GeoPackage and KML."""

from __future__ import annotations

from dynst.domain import Plan
from dynst.domain.listing import Listed
from dynst.export.base import listed
from dynst.export.places import Places

__all__ = ["sensor_rows"]


def sensor_rows(plan: Plan, places: Places, top: int | None) -> list[tuple[Listed, dict[str, object]]]:
    """Each sensor with its columns, best rank first; the same columns in every row."""
    return [(one, _row(plan, places, one)) for one in listed(plan, top)]


def _row(plan: Plan, places: Places, one: Listed) -> dict[str, object]:
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
    edges = ("west", "south", "east", "north") if places.geographic else ("x_min", "y_min", "x_max", "y_max")
    bounds = places.bounds(one.site)
    if bounds is not None:
        row |= {f"cell_{edge}": value for edge, value in zip(edges, bounds, strict=True)}
    return row
