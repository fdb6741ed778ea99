"""Plans as files for other people's tools."""

import os

from dynst.domain import Layout, Plan
from dynst.export.base import Exporter, choose
from dynst.export.netcdf import load_plan, save_plan, write_netcdf

__all__ = ["EXPORTERS", "Exporter", "choose", "load_plan", "render", "save_plan", "write", "write_netcdf"]

_GEOJSON = "points, on grids with cell polygons, for any GIS"
_NETCDF = "importance, ranks and sensors with their grid, graph or mesh (CF)"

EXPORTERS: dict[str, Exporter] = {
    exporter.format: exporter
    for exporter in (
        Exporter("geojson", ".geojson", _GEOJSON, "geojson", "render", text=True),
        Exporter("csv", ".csv", "a table for a spreadsheet or a script", "table", "render", text=True),
        Exporter("netcdf", ".nc", _NETCDF, "netcdf", "render", text=False),
        Exporter("png", ".png", "the map as a picture", "picture", "render_png", text=False),
        Exporter("html", ".html", "the map as one page that needs no network", "picture", "render_html", text=True),
    )
}
"""Exporters by format name."""


def render(
    plan: Plan, format: str, *, layout: Layout | None = None, top: int | None = None, title: str | None = None
) -> bytes:
    """The plan as the bytes of a file in `format`; see `Exporter.render`."""
    return choose(EXPORTERS, format=format).render(plan, layout=layout, top=top, title=title)


def write(
    plan: Plan,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    layout: Layout | None = None,
    top: int | None = None,
    title: str | None = None,
) -> None:
    """Write the plan in `format`, or in the one that the ending of `path` names; see `Exporter.write`."""
    choose(EXPORTERS, format=format, path=path).write(plan, path, layout=layout, top=top, title=title)
