"""GeoPackage, and the same as a GeoDataFrame: sensors as points, and their cells as polygons where there is a grid."""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas
import pyogrio
import shapely
from shapely.geometry import shape

from dynst.domain import Layout, Plan
from dynst.export.base import made_by
from dynst.export.formats import POSITIONS
from dynst.export.places import Places, check_places, places_of
from dynst.export.rows import sensor_rows

__all__ = ["render", "to_geodataframe"]

_WGS84 = "EPSG:4326"
_WRITTEN = "2000-01-01T00:00:00.000Z"  # the time of change that a GeoPackage must name: same plan, same bytes


def to_geodataframe(plan: Plan, layout: Layout | None = None, *, top: int | None = None) -> geopandas.GeoDataFrame:
    """The sensors as points with rank, name, role and importance, in longitude and latitude wherever those are known.

    Parameters
    ----------
    plan : Plan
        The ranked sites.
    layout : Layout or None
        The grid of the sites, for the borders of their cells.
    top : int or None
        So many sensors of best rank; the plan's budget if None.

    Returns
    -------
    geopandas.GeoDataFrame
        One row a sensor, best rank first, indexed by nothing but its order. Existing stations stand at their own
        places. How the plan was made is in ``attrs["provenance"]``.

    Raises
    ------
    ConfigError
        If nobody knows where the sites are.
    BudgetError
        If `top` is more than the plan ranks.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([1, 0]), np.ones(2), 1, Sites(np.array([7.0, 8.0]), np.array([46.0, 47.0])), "by_hand")
    >>> frame = to_geodataframe(plan)
    >>> frame.crs.to_string(), frame.geometry.x.tolist(), frame["role"].tolist()
    ('EPSG:4326', [8.0], ['new'])
    """
    check_places(plan, POSITIONS, "a GeoDataFrame")
    places = places_of(plan, layout)
    rows = sensor_rows(plan, places, top)
    points = [shapely.Point(places.position(one)) for one, _ in rows]
    frame = _frame([row for _, row in rows], points, places)
    frame.attrs["provenance"] = made_by(plan)
    return frame


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A GeoPackage with a layer ``sensors`` and, on grids, a layer ``cells``."""
    sensors = to_geodataframe(plan, layout, top=top).assign(provenance=made_by(plan))
    layers = {"sensors": sensors} | _cells(plan, places_of(plan, layout), top)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rendered.gpkg"
        _write(layers, path, title or "dynst sensor plan")
        return path.read_bytes()


def _write(layers: dict[str, geopandas.GeoDataFrame], path: Path, title: str) -> None:
    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": _WRITTEN})
    try:
        for name, frame in layers.items():
            options = {"DESCRIPTION": title} if name == "sensors" else {}
            frame.to_file(path, layer=name, driver="GPKG", engine="pyogrio", layer_options=options)
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})


def _cells(plan: Plan, places: Places, top: int | None) -> dict[str, geopandas.GeoDataFrame]:
    """The cells of the sensors; one that the date line cuts is a polygon of two parts, so all are of the same kind."""
    if places.corners is None:
        return {}
    rows = sensor_rows(plan, places, top)
    shapes = [shape(places.cell(one.site)) for one, _ in rows]
    polygons = [one if one.geom_type == "MultiPolygon" else shapely.MultiPolygon([one]) for one in shapes]
    columns = [{key: row[key] for key in ("rank", "name", "importance", "role", "site")} for _, row in rows]
    return {"cells": _frame(columns, polygons, places)}


def _frame(rows: list[dict[str, object]], shapes: list[shapely.Geometry], places: Places) -> geopandas.GeoDataFrame:
    crs = _WGS84 if places.geographic else places.local_crs
    columns = {key: [row[key] for row in rows] for key in rows[0]}
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=crs)
