"""Plans as files for other people's tools."""

import os

from dynst.domain import Layout, Plan
from dynst.export.base import Exporter, choose
from dynst.export.geojson import GEOJSON
from dynst.export.netcdf import NETCDF, load_plan, save_plan, write_netcdf
from dynst.export.picture import HTML, PNG
from dynst.export.table import CSV

__all__ = ["EXPORTERS", "Exporter", "choose", "load_plan", "render", "save_plan", "write", "write_netcdf"]

EXPORTERS: dict[str, Exporter] = {exporter.format: exporter for exporter in (GEOJSON, CSV, NETCDF, PNG, HTML)}
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
