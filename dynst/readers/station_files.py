"""Series of stations in netCDF (CF discrete sampling geometry) and in the JSON of graph collections."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy import ndarray

from dynst.domain import Channel
from dynst.errors import DataError
from dynst.readers.clocks import clock_of
from dynst.readers.edges import Links
from dynst.readers.groups import only_group
from dynst.readers.names import Role, clean_units, degrees_in, role_of
from dynst.readers.records import Record, Wanted, cleaned
from dynst.readers.station_tables import Places, place
from dynst.readers.tables import one_line, some
from dynst.readers.times import Times

__all__ = ["holds_stations", "read_json", "read_netcdf"]

_HUGE = 1e30  # fill values that a file forgot to declare
_DIMENSIONS = ("station", "stations", "site", "sites", "sensor", "sensors", "location")
_HEIGHTS = {"elevation", "altitude", "alt", "height", "elev", "surface_altitude", "orography", "z"}


def holds_stations(path: Path) -> bool:
    """Whether a file is netCDF whose positions lie along one dimension that is not time, or that speaks of stations."""
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_cf=False, cache=False, group=only_group(str(path))) as data:
            named = any({"time", dim} == set(map(str, a.dims)) for a in data.variables.values() for dim in _DIMENSIONS)
            return named or _station_dim(data) is not None
    except Exception:  # whatever is wrong with it, another reader says so
        return False


def _station_dim(data: xr.Dataset) -> str | None:
    axes: dict[Role, tuple[str, ...]] = {}
    for name, array in data.variables.items():
        role = role_of(str(name), array.attrs)
        if array.attrs.get("cf_role") == "mesh_topology":
            return None
        if array.ndim == 1 and role in {Role.LATITUDE, Role.LONGITUDE}:
            axes[role] = tuple(map(str, array.dims))
    if len(axes) < 2 or axes[Role.LATITUDE] != axes[Role.LONGITUDE]:
        return None
    (dim,) = axes[Role.LATITUDE]
    clock = data.variables.get(dim)
    return None if role_of(dim, {} if clock is None else clock.attrs) is Role.TIME else dim


def read_netcdf(path: Path, wanted: Wanted) -> Record:
    """The record in a netCDF file with dimensions time and station, in either order.

    Raises
    ------
    DataError, ConfigError
        If it holds no such series, or a channel is asked for that is not there.
    """
    where = path.name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of several fill values all are honoured
            plain: dict[str, Any] = {"decode_times": False, "decode_timedelta": False, "cache": False}
            data = xr.open_dataset(path, engine="netcdf4", group=only_group(str(path)), **plain)
    except Exception as err:  # the libraries below raise many kinds
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise DataError(f"{where}: cannot be opened as netCDF: {first}. Is the file whole? Get it again.") from err
    with data:
        return _netcdf(where, data, wanted)


def _netcdf(where: str, data: xr.Dataset, wanted: Wanted) -> Record:
    clock = next((n for n, a in data.variables.items() if a.ndim == 1 and role_of(str(n), a.attrs) is Role.TIME), None)
    time_dim = str(data.variables[clock].dims[0]) if clock is not None else "time" if "time" in data.dims else None
    dim = _station_dim(data) or next((str(d) for d in data.dims if role_of(str(d), {}) is Role.NODE), None)
    if dim is None or time_dim is None or dim == time_dim:
        seen = ", ".join(f"{name}({', '.join(map(str, a.dims))})" for name, a in list(data.variables.items())[:8])
        raise DataError(
            f"{where}: no series at stations: expected dimensions (time, station); seen: {seen or 'nothing'}."
        )
    offered, aside = list[str](), dict[str, str]()
    for name, array in data.variables.items():
        long = {
            str(d) for d, size in zip(array.dims, array.shape, strict=True) if size > 1 or str(d) in {dim, time_dim}
        }
        if long == {dim, time_dim} and array.dtype.kind in "iuf":
            offered.append(str(name))
        elif array.ndim > 1 and time_dim in array.dims:
            aside[str(name)] = f"has the dimensions ({', '.join(map(str, array.dims))})"
    if not offered:
        more = " It keeps its samples in one long row; give them as (time, station)." if _ragged(data) else ""
        raise DataError(
            f"{where}: no variable has the dimensions {time_dim} and {dim}: "
            f"{some([f'{name} {why}' for name, why in aside.items()] or list(data.variables), 4)}.{more}"
        )
    known = [Channel(name, clean_units(_attr(data[name], "units")), _attr(data[name], "long_name")) for name in offered]
    channels = wanted.choose(where, known, aside)
    times = clock_of(data, time_dim, where=where)
    values = np.empty((data.sizes[time_dim], data.sizes[dim], len(channels)), np.float32)
    for i, channel in enumerate(channels):
        chosen = data[channel.name]
        try:
            chosen = chosen.squeeze([d for d in chosen.dims if str(d) not in {dim, time_dim}], drop=True)
            values[:, :, i] = chosen.transpose(time_dim, dim).values
        except Exception as err:  # a damaged chunk shows only now
            first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
            raise DataError(f"{where}: {channel.name} cannot be read: {first}. The file is damaged.") from err
    odd = np.abs(values) > _HUGE
    notes = [times.note] if times.note else []
    if odd.any():
        values[odd] = np.nan
        notes.append(f"values beyond {_HUGE:g} are read as missing: {int(odd.sum())}")
    notes += [f"{name} is not used: it {reason}" for name, reason in aside.items()]
    called, places = _who_and_where(where, data, dim)
    names = tuple(next(iter(called.values()), [str(i) for i in range(data.sizes[dim])]))
    return Record(where, values, times, names, channels, places=places, notes=tuple(notes))


def _ragged(data: xr.Dataset) -> bool:
    return any({"sample_dimension", "instance_dimension"} & set(array.attrs) for array in data.variables.values())


def _attr(array: xr.DataArray, name: str) -> str:
    return str(array.attrs.get(name, "")).strip()


def _who_and_where(where: str, data: xr.Dataset, dim: str) -> tuple[dict[str, list[str]], Places | None]:
    """Names of the stations by the variable that holds them, the identifier first; and their positions."""
    called: dict[str, list[str]] = {}
    columns: dict[str, ndarray] = {}
    units: dict[str, str] = {}
    turned = False
    for name, array in data.variables.items():
        if tuple(map(str, array.dims)) != (dim,):
            continue
        role = role_of(str(name), array.attrs)
        standard = str(array.attrs.get("standard_name", "")).lower()
        if array.dtype.kind in "OSU":
            cells = [cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in array.values]
            called[str(name)] = [one_line(cell) for cell in cells]
        elif array.dtype.kind not in "iuf":
            continue
        elif str(name).lower() in _HEIGHTS or standard in _HEIGHTS:
            columns["height"] = np.asarray(array.values, float)
            units["height"] = clean_units(str(array.attrs.get("units", "m")))
        elif role is Role.LATITUDE or role is Role.LONGITUDE:
            degrees = degrees_in(str(array.attrs.get("units", "")))
            columns["lat" if role is Role.LATITUDE else "lon"] = np.asarray(array.values, float) * degrees
            turned |= degrees != 1
        elif role is Role.X or role is Role.Y:
            axis = "x" if role is Role.X else "y"
            columns[axis] = np.asarray(array.values, float)
            unit = clean_units(str(array.attrs.get("units", "")))
            units[axis] = "" if unit == "1" else unit
        elif array.dtype.kind in "iu":
            called[str(name)] = [str(cell) for cell in array.values.tolist()]
    whole = {name: cells for name, cells in called.items() if len(set(cells)) == len(cells)}
    identifiers = [str(n) for n, a in data.variables.items() if a.attrs.get("cf_role") == "timeseries_id"]
    order = sorted(whole, key=lambda name: (name not in identifiers, name != dim))
    called = {name: whole[name] for name in order} or {dim: [str(i) for i in range(data.sizes[dim])]}
    placed = {"lat", "lon"} <= set(columns) or {"x", "y"} <= set(columns)
    if not placed:
        return called, None
    places = place(where, called, columns, units)
    said = ("positions in radians were turned to degrees",) if turned else ()
    return called, replace(places, notes=(*places.notes, *said))


def read_json(path: Path, wanted: Wanted) -> Record:
    """The record in a JSON graph: nodes with series and links, or ``edges`` and a table ``FX`` of times by nodes.

    Raises
    ------
    DataError, ConfigError
        If it is no such graph, or a channel is asked for that is not there.
    """
    where = path.name
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as err:
        raise DataError(f"{where}: cannot be read as JSON: {str(err).splitlines()[0]}. Get it again.") from err
    if isinstance(data, dict) and isinstance(data.get("nodes"), list) and data["nodes"]:
        return _nodes(where, data, wanted)
    if isinstance(data, dict) and "edges" in data and ("FX" in data or "X" in data):
        return _edges(where, data, wanted)
    seen = some(list(data), 6) if isinstance(data, dict) else f"a {type(data).__name__}"
    raise DataError(f"{where}: not a graph with series: expected nodes and links, or edges and FX; it holds {seen}.")


def _nodes(where: str, data: Mapping[str, Any], wanted: Wanted) -> Record:
    nodes = data["nodes"]
    if not all(isinstance(node, dict) for node in nodes):
        raise DataError(f"{where}: its nodes are no objects. Expected a list of nodes with a name and a series each.")
    long = [key for key, value in nodes[0].items() if isinstance(value, list) and len(value) > 1]
    sizes = {key: {len(node[key]) if isinstance(node.get(key), list) else 0 for node in nodes} for key in long}
    even = [key for key in long if len(sizes[key]) == 1]
    plain = [key for key in even if not isinstance(nodes[0][key][0], list | dict | str)]
    if not plain:
        raise DataError(
            f"{where}: no list of numbers has one length at all nodes; the first holds {some(list(nodes[0]))}."
        )
    length = max(len(nodes[0][key]) for key in plain)
    channels = wanted.choose(where, [Channel(key) for key in plain if len(nodes[0][key]) == length], {})
    values = np.stack([_array(where, [node[c.name] for node in nodes], c.name) for c in channels], axis=-1)
    scalars = {k for k in nodes[0] if all(isinstance(node.get(k), str | int | float) for node in nodes)} - {
        "lat",
        "lon",
    }
    called = {key: [one_line(node[key]) for node in nodes] for key in nodes[0] if key in scalars}
    called = {key: cells for key, cells in called.items() if len(set(cells)) == len(cells)}
    names = next(iter(called.values()), [str(i) for i in range(len(nodes))])
    pair = next((p for p in (("lon", "lat"), ("x", "y")) if all(key in nodes[0] for key in p)), None)
    places = None
    if pair is not None:
        positions = {key: _array(where, [node.get(key, np.nan) for node in nodes], key) for key in pair}
        places = place(where, {"node": names}, positions, {"x": "m", "y": "m"})
    links = _links(where, data.get("links") or data.get("edges") or [], called, len(nodes), bool(data.get("directed")))
    values32, notes = cleaned(values.transpose(1, 0, 2))
    return Record(
        where,
        values32,
        Times(np.arange(length), note="the file has no times, so steps are counted by number"),
        tuple(names),
        channels,
        places=places,
        links=links,
        notes=tuple(notes),
    )


def _array(where: str, rows: Sequence[Any], what: str) -> ndarray:
    try:
        return np.array(rows, float)
    except (ValueError, TypeError) as err:
        raise DataError(f"{where}: {what} is no table of numbers ({str(err).splitlines()[0]}).") from err


def _links(where: str, links: Sequence[Any], called: Mapping[str, list[str]], n: int, directed: bool) -> Links | None:
    if not links:
        return None
    try:
        ends = [(one_line(link["source"]), one_line(link["target"])) for link in links]
        weight = [float(link["weight"]) for link in links] if "weight" in links[0] else None
    except (KeyError, TypeError, ValueError) as err:
        raise DataError(f"{where}: a link lacks {err}. Expected source, target and, at all or none, weight.") from err
    flat = {end for pair in ends for end in pair}
    columns = [*called.values(), [str(i) for i in range(n)]]
    known = max(columns, key=lambda cells: len(flat.intersection(cells)))
    number = {name: i for i, name in enumerate(known)}
    strangers = sorted(flat - set(number))
    if strangers:
        raise DataError(f"{where}: a link ends at {strangers[0]}, which is no node ({len(strangers)} such ends).")
    at = np.array([[number[a], number[b]] for a, b in ends], np.int64).T
    notes = ("links have a direction in the file and are used both ways",) if directed else ()
    return Links(where, at[0], at[1], None if weight is None else np.array(weight), notes=notes)


def _edges(where: str, data: Mapping[str, Any], wanted: Wanted) -> Record:
    key = "FX" if "FX" in data else "X"
    (channel,) = wanted.choose(where, [Channel("value", long_name=key)], {})
    values = _array(where, data[key], key)
    edges = _array(where, data["edges"], "edges")
    if values.ndim != 2 or not values.size or edges.ndim != 2 or edges.shape[1] < 2:
        raise DataError(
            f"{where}: {key} of shape {values.shape} and edges of shape {edges.shape} came; expected a table of times "
            "by nodes, and pairs of nodes."
        )
    n = values.shape[1]
    if not (edges[:, :2].min() >= 0 and edges[:, :2].max() < n):
        raise DataError(f"{where}: an edge names node {edges[:, :2].max():g}, but {key} has {n} nodes, counted from 0.")
    ids = data.get("node_ids")
    names = [str(i) for i in range(n)]
    if isinstance(ids, dict) and len(ids) == n and set(map(str, ids.values())) == set(names):
        names = [one_line(name) for name in sorted(ids, key=lambda name: int(ids[name]))]
    weight = None if data.get("weights") is None else _array(where, data["weights"], "weights").ravel()
    if weight is not None and len(weight) != len(edges):
        raise DataError(f"{where}: {len(weight)} weights came for {len(edges)} edges. Give one for each, or none.")
    ends = edges[:, :2].T.astype(np.int64)
    values32, notes = cleaned(values[:, :, None])
    return Record(
        where,
        values32,
        Times(np.arange(len(values)), note="the file has no times, so steps are counted by number"),
        tuple(names),
        (channel,),
        links=Links(where, ends[0], ends[1], weight),
        notes=tuple(notes),
    )
