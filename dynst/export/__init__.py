"""Plans as files for other people's tools."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from dynst.export.formats import EARTH, POSITIONS, Exporter, choose

if TYPE_CHECKING:
    from dynst.domain import Layout, Plan
    from dynst.export.netcdf import load_plan, save_plan, write_netcdf

__all__ = [
    "DEFAULT",
    "EXPORTERS",
    "Exporter",
    "choose",
    "export_plan",
    "load_plan",
    "render",
    "save_plan",
    "write_netcdf",
]

_GEOJSON = "points, on grids with cell polygons, for any GIS"
_HTML = "the map as one page to move and zoom in, without a network"
_PNG = "the map as a picture"
_SVG = "the map as a drawing that stays sharp at any size"
_PDF = "the map as a page for a report"
_GEOPACKAGE = "sensors and cells as layers of one file, for any GIS"
_KML = "pins for Google Earth and phones"
_XLSX = "a workbook with a sheet of sensors"
_NETCDF = "importance, ranks and sensors with their grid, graph or mesh (CF)"

DEFAULT = "geojson"
"""The format where nobody names one."""

EXPORTERS: dict[str, Exporter] = {
    exporter.format: exporter
    for exporter in (
        Exporter("geojson", ".geojson", _GEOJSON, "geojson", "render", text=True, magic=b"{"),
        Exporter("csv", ".csv", "a table for a spreadsheet or a script", "table", "render", text=True, magic=b"rank,"),
        Exporter("netcdf", ".nc", _NETCDF, "netcdf", "render", text=False, magic=b"\x89HDF"),
        Exporter(
            "geopackage", ".gpkg", _GEOPACKAGE, "geopackage", "render", text=False, magic=b"SQLite", needs=POSITIONS
        ),
        Exporter("kml", ".kml", _KML, "kml", "render", text=True, magic=b"<?xml", needs=EARTH),
        Exporter("xlsx", ".xlsx", _XLSX, "workbook", "render", text=False, magic=b"PK\x03\x04"),
        Exporter("png", ".png", _PNG, "picture", "render_png", text=False, magic=b"\x89PNG\r\n\x1a\n"),
        Exporter("svg", ".svg", _SVG, "picture", "render_svg", text=True, magic=b"<svg"),
        Exporter("pdf", ".pdf", _PDF, "picture", "render_pdf", text=False, magic=b"%PDF-"),
        Exporter("html", ".html", _HTML, "picture", "render_html", text=True, magic=b"<!DOCTYPE html>"),
    )
}
"""Exporters by format name."""


def render(
    plan: Plan, format: str, *, layout: Layout | None = None, top: int | None = None, title: str | None = None
) -> bytes:
    """The plan as the bytes of a file in `format`; see `Exporter.render`."""
    return choose(EXPORTERS, format=format).render(plan, layout=layout, top=top, title=title)


def export_plan(
    plan: Plan,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    layout: Layout | None = None,
    top: int | None = None,
    title: str | None = None,
) -> None:
    """Write a plan for a GIS, a spreadsheet, a script or a slide: as `dynst export-map` does.

    Parameters
    ----------
    plan : Plan
        The ranked sites.
    path : str or Path
        The file; it is written whole or not at all.
    format : str or None
        A name in `EXPORTERS`; the one that the ending of `path` names if None.
    layout : Layout or None
        The grid of the sites, for their cells, or their graph (``run.layout``); without it there are only points.
    top : int or None
        So many sensors of best rank; the plan's budget if None.
    title : str or None
        For formats that carry one.

    Raises
    ------
    ConfigError
        If no format is meant, or the file cannot be written.
    BudgetError
        If `top` is more than the plan ranks.
    """
    choose(EXPORTERS, format=format, path=path).write(plan, path, layout=layout, top=top, title=title)


def __getattr__(name: str) -> object:
    if name in {"load_plan", "save_plan", "write_netcdf"}:
        return getattr(import_module("dynst.export.netcdf"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
