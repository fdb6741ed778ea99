"""Fields over time as files, a block of starts at a time: netCDF, zarr and CSV; one of them as GeoJSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import netCDF4
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.layout import Layout
from dynst.export.netcdf import write_netcdf
from dynst.export.places import places_of
from dynst.reports.tables import csv_text

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["field_geojson", "write_csv", "write_netcdf_blocks", "write_zarr_blocks"]

_TIME = "time"  # the dimension that grows
_CACHE = 1 << 20  # bytes that netCDF keeps of a variable: each part is written once


def write_netcdf_blocks(blocks: Iterator[xr.Dataset], path: Path) -> None:
    """Write datasets that follow each other in time as one netCDF file; one of them is in memory at a time."""
    first = next(blocks)
    for name, array in first.data_vars.items():
        if _TIME in array.dims:
            first[name].encoding["chunksizes"] = (1, *array.shape[1:])
    first.encoding["unlimited_dims"] = {_TIME}
    write_netcdf(first, path)
    written = first.sizes[_TIME]
    with netCDF4.Dataset(path, "a") as file:
        for stored in file.variables.values():
            if _TIME in stored.dimensions:
                stored.set_var_chunk_cache(_CACHE)
        for block in blocks:
            stop = written + block.sizes[_TIME]
            for name, variable in block.variables.items():
                if _TIME in variable.dims:
                    file.variables[str(name)][written:stop] = variable.values
            written = stop


def write_zarr_blocks(blocks: Iterator[xr.Dataset], path: Path) -> None:
    """Write datasets that follow each other in time as one zarr store; one of them is in memory at a time."""
    for number, block in enumerate(blocks):
        _plain(block).to_zarr(path, mode="a" if number else "w", append_dim=_TIME if number else None, zarr_format=2)


def _plain(block: xr.Dataset) -> xr.Dataset:
    """The same without what is netCDF's own."""
    made = block.copy()
    for variable in made.variables.values():
        kept = {key: value for key, value in variable.encoding.items() if key == "coordinates"}
        variable.encoding = kept
    return made


def write_csv(blocks: Iterator[Iterable[Mapping[str, object]]], path: Path) -> None:
    """Write rows as one table, a block of them at a time."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        for number, rows in enumerate(blocks):
            text = csv_text(rows)
            stream.write(text if not number else text[text.index("\n") + 1 :])


def field_geojson(
    plan: Plan,
    layout: Layout | None,
    columns: Mapping[str, Float[ndarray, " n"]],
    head: Mapping[str, object],
    *,
    reported: Bool[ndarray, " n"],
) -> bytes:
    """A feature a site, with its values: the cells of a grid, else points; in degrees wherever those are known.

    Parameters
    ----------
    plan, layout : Plan, Layout or None
        The sites.
    columns : mapping
        Values of the sites, by name.
    head : mapping
        What is said of all of them.
    reported : Bool[ndarray, "n"]
        Sites of sensors whose readings came.
    """
    places = places_of(plan, layout)
    features = []
    for site, name in enumerate(plan.sites.name):
        point = {"type": "Point", "coordinates": [round(float(places.x[site]), 6), round(float(places.y[site]), 6)]}
        geometry = (places.cell(site) or point) if places.known else None
        sensor = "" if not plan.active[site] else "reading" if reported[site] else "silent"
        properties: dict[str, object] = {"site": site, "name": name, "sensor": sensor}
        properties |= {key: _number(values[site]) for key, values in columns.items()}
        features.append({"type": "Feature", "id": site, "geometry": geometry, "properties": properties})
    collection = {"type": "FeatureCollection", **head, "features": features}
    return (json.dumps(collection, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _number(value: np.floating) -> float | None:
    """A value with the digits of float32; None where there is none."""
    return None if not math.isfinite(value) else float(f"{float(value):.7g}")
