"""netCDF: the plan with its grid, graph or mesh, from which the same are read back; maps that follow CF and UGRID."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import Frame, GraphLayout, GridLayout, Layout, Plan, Sites
from dynst.domain.cf import LATITUDE, LONGITUDE
from dynst.errors import CheckpointError, DynstError
from dynst.export.base import made_by, ranked, replace_whole
from dynst.reports.view import lonlat
from dynst.run_layout import NAMES

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["grid_axes", "load_plan", "render", "save_plan", "write_netcdf"]

_STRAIGHT = 1e-6  # positions on one row or column of a grid with straight axes agree to so many degrees or metres


def save_plan(plan: Plan, layout: Layout | None, path: str | os.PathLike[str]) -> None:
    """Write plan and layout to a netCDF file, whole or not at all; `load_plan` reads them back."""
    replace_whole(path, _bytes(_dataset(plan, layout, plan.selected)))


def load_plan(path: str | os.PathLike[str]) -> tuple[Plan, Layout | None]:
    """The plan and the layout that `save_plan` or the netCDF exporter wrote.

    Raises
    ------
    CheckpointError
        If there is no such file, or it is no plan.
    DataError
        If its positions were changed since.
    """
    if not Path(path).is_file():
        raise CheckpointError(f"{path}: there is no such file. Name a {NAMES.plan} that dynst wrote.")
    import xarray as xr  # noqa: PLC0415  # with pandas 0.6 s: only what is written or read needs it

    try:
        with xr.open_dataset(path, engine="netcdf4") as opened:
            data = opened.load()
        return Plan.from_dataset(data), _layout(data)
    except DynstError:
        raise
    except (OSError, RuntimeError, KeyError, AttributeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: this is not a plan that dynst wrote ({error}). Name another file.") from error


def write_netcdf(data: xr.Dataset, path: Path) -> None:
    """Write a netCDF file; that the disk is full, which netCDF calls an HDF error, is an OSError as everywhere.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    try:
        data.to_netcdf(path, engine="netcdf4")
    except RuntimeError as error:
        if "NetCDF: HDF error" not in str(error):
            raise
        raise OSError(errno.EIO, "netCDF cannot write it; the disk may be full", str(path)) from error


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A netCDF file of plan and layout."""
    data = _dataset(plan, layout, ranked(plan, top))
    return _bytes(data.assign_attrs(title=title) if title else data)


def _layout(data: xr.Dataset) -> Layout | None:
    if "grid_cell" in data:
        shape = (int(data.attrs["grid_rows"]), int(data.attrs["grid_columns"]))
        return GridLayout(shape, data["grid_cell"].values, periodic=bool(data.attrs["grid_periodic"]))
    if "graph_edge" in data:
        return GraphLayout(
            data.sizes["site"],
            data["graph_edge"].values.T,
            data["graph_weight"].values,
            triangles=data["mesh_face_nodes"].values.astype(np.int64) if "mesh_face_nodes" in data else None,
            words=str(data.attrs["graph_is"]),
            weighted=bool(data.attrs["graph_weighted"]),
        )
    return None


def _dataset(plan: Plan, layout: Layout | None, sensors: ndarray) -> xr.Dataset:
    data = plan.to_dataset()
    data.attrs |= {"Conventions": "CF-1.11", "source": made_by(plan)}
    rank = np.zeros(len(plan.sites), np.int32)
    rank[plan.order] = np.arange(1, len(plan.order) + 1)
    sensor = np.zeros(len(plan.sites), np.int8)
    sensor[sensors] = 1
    if isinstance(layout, GridLayout):
        return _with_grid(data, plan, layout, rank, sensor)
    return data if layout is None else _with_graph(data, plan, layout, rank, sensor)


def _with_grid(data: xr.Dataset, plan: Plan, layout: GridLayout, rank: ndarray, sensor: ndarray) -> xr.Dataset:
    data["grid_cell"] = ("site", layout.cell, {"long_name": "row-major cell of each site, from 0"})
    data.attrs |= {"grid_rows": layout.shape[0], "grid_columns": layout.shape[1]}
    data.attrs["grid_periodic"] = int(layout.periodic)
    dims, axes = grid_axes(plan.sites, layout)
    data = data.assign_coords(axes)
    located = {} if set(dims) <= set(axes) or "lat" not in axes else {"coordinates": "lat lon"}
    data["importance_map"] = (dims, layout.fold(plan.importance_map), {"long_name": plan.importance_is})
    data["rank_map"] = (dims, layout.fold(rank, 0.0).astype(np.int32), {"long_name": "rank of each site, 0 for none"})
    meanings = {"flag_values": np.array([-1, 0, 1], np.int8), "flag_meanings": "no_site no_sensor sensor"}
    data["sensor_map"] = (dims, layout.fold(sensor, -1.0).astype(np.int8), {"long_name": "sensors", **meanings})
    for name in ("importance_map", "rank_map", "sensor_map"):
        data[name].encoding |= {"zlib": True, **located}
    return data


def _with_graph(data: xr.Dataset, plan: Plan, layout: GraphLayout, rank: ndarray, sensor: ndarray) -> xr.Dataset:
    """Sites as points (CF, chapter 9), or as nodes of a mesh (CF-UGRID) where there are triangles."""
    edge = layout.edge_index.T.astype(np.int32)
    data["graph_edge"] = (("edge", "end"), edge, {"long_name": "sender and receiver of each edge, sites from 0"})
    data["graph_weight"] = ("edge", layout.edge_weight, {"long_name": "strength of each edge"})
    data.attrs |= {"graph_is": layout.words, "graph_weighted": int(layout.weighted)}
    data, places = _with_places(data, plan)
    located: dict[str, object] = {"mesh": "mesh", "location": "node"} if layout.triangles is not None else {}
    data["importance_map"] = ("site", plan.importance_map, {"long_name": plan.importance_is} | located)
    data["rank_map"] = ("site", rank, {"long_name": "rank of each site, 0 for none"} | located)
    meanings = {"flag_values": np.array([0, 1], np.int8), "flag_meanings": "no_sensor sensor"}
    data["sensor_map"] = ("site", sensor, {"long_name": "sensors", **meanings} | located)
    for name in ("importance_map", "rank_map", "sensor_map"):
        data[name].encoding |= {"coordinates": f"{places} site_name".strip()}
    if layout.triangles is not None:
        data.attrs["Conventions"] += " UGRID-1.0"
        topology = {"cf_role": "mesh_topology", "topology_dimension": 2, "face_node_connectivity": "mesh_face_nodes"}
        data["mesh"] = ((), np.int32(0), topology | {"node_coordinates": places, "node_dimension": "site"})
        corners = {"cf_role": "face_node_connectivity", "start_index": np.int32(0)}
        data["mesh_face_nodes"] = (("mesh_face", "mesh_corner"), layout.triangles.astype(np.int32), corners)
    elif places:
        data.attrs["featureType"] = "point"
    return data


def _with_places(data: xr.Dataset, plan: Plan) -> tuple[xr.Dataset, str]:
    """The dataset, and the names of the positions that a map is to be drawn by."""
    sites, known = plan.sites, lonlat(plan.sites)
    if sites.frame is Frame.SCHEMATIC:
        return data, ""
    if sites.frame is Frame.GEOGRAPHIC or known is None:
        return data, "x y"
    data["lon"], data["lat"] = ("site", known[0], LONGITUDE), ("site", known[1], LATITUDE)
    return data, "lon lat"


def grid_axes(
    sites: Sites, layout: GridLayout
) -> tuple[tuple[str, str], dict[str, tuple[object, ndarray, dict[str, str]]]]:
    """Names of the grid's two dimensions, and coordinates: one value a row and column where those are straight."""
    lon, lat = LONGITUDE, LATITUDE
    known = lonlat(sites)
    x, y = layout.fold(sites.x), layout.fold(sites.y)
    across, down = _lines(x, 0, 360.0 if sites.frame is Frame.GEOGRAPHIC else None), _lines(y, 1)
    if sites.frame is Frame.GEOGRAPHIC and across is not None and down is not None:
        return ("lat", "lon"), {"lat": ("lat", down, lat), "lon": ("lon", across, lon)}
    if sites.frame is not Frame.GEOGRAPHIC and across is not None and down is not None:
        dims = ("grid_y", "grid_x")
        projected = sites.frame is Frame.PROJECTED
        axes: dict[str, tuple[object, ndarray, dict[str, str]]] = {
            f"grid_{axis}": (
                f"grid_{axis}",
                line,
                {"units": sites.unit, "axis": axis.upper()}
                | ({"standard_name": f"projection_{axis}_coordinate"} if projected else {}),
            )
            for axis, line in (("x", across), ("y", down))
        }
    else:
        dims, axes = ("row", "column"), {}
    if known is not None:
        axes |= {"lon": (dims, layout.fold(known[0]), lon), "lat": (dims, layout.fold(known[1]), lat)}
    elif not axes:
        axes |= {"grid_x": (dims, x, {"units": sites.unit}), "grid_y": (dims, y, {"units": sites.unit})}
    return dims, axes


def _lines(grid: Float[ndarray, "h w"], axis: int, period: float | None = None) -> Float[ndarray, " m"] | None:
    """The one value of each line along `axis`, running one way as CF wants it; None if a line bends.

    Lines without any site get their value from the steps of the others.
    """
    lines = np.moveaxis(grid, axis, 0)
    held = np.flatnonzero(np.isfinite(lines).any(axis=0))
    low, high = np.nanmin(lines[:, held], axis=0), np.nanmax(lines[:, held], axis=0)
    if (high - low > _STRAIGHT).any() or (len(held) < 2 and len(held) < lines.shape[1]):
        return None
    known = np.unwrap(low, period=period) if period else low
    value = np.interp(np.arange(lines.shape[1]), held, known)
    for end, inner in ((held[0], known[:2]), (held[-1], known[-2:])):
        outside = np.arange(end) if end == held[0] else np.arange(end + 1, len(value))
        if len(outside):
            nearest = held[:2] if end == held[0] else held[-2:]
            value[outside] = value[end] + (outside - end) * np.diff(inner)[0] / np.diff(nearest)[0]
    steps = np.diff(value)
    one_way: bool = bool((steps > 0).all() or (steps < 0).all())
    return value if one_way else None


def _bytes(data: xr.Dataset) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rendered.nc"
        write_netcdf(data, path)
        return path.read_bytes()
