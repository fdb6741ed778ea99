"""Series of stations in netCDF (CF discrete sampling geometry) and in the JSON of graph collections."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float32
from numpy import ndarray

from dynst.domain import Channel, Covariate
from dynst.errors import DataError
from dynst.readers.clocks import clock_of
from dynst.readers.edges import Links
from dynst.readers.flags import bad_values, can_tell, flag_words, flags_of
from dynst.readers.gridded import IN_MEMORY_BYTES
from dynst.readers.groups import only_group
from dynst.readers.mesh_records import MeshRecord
from dynst.readers.names import Role, clean_units, degrees_in, long_name, role_of
from dynst.readers.pieces import Oddities, decode, with_fill
from dynst.readers.records import Record, Wanted, cleaned, nearly_even
from dynst.readers.sources import source_of
from dynst.readers.station_tables import Places, place
from dynst.readers.tables import one_line, some
from dynst.readers.times import Times, find_runs, gap_notes

__all__ = ["holds_stations", "read_json", "read_netcdf", "stream_netcdf"]

_FIRST = 1000  # steps by which flags without meanings are judged
_BLOCK = 4 << 20
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
    with _opened(path) as (data, stored):
        found = _outline(path.name, data, stored, wanted)
        odd = Oddities()
        values = found.read(stored, 0, len(found.times.values), odd)
    notes = (*found.notes[:1], *odd.notes(), *found.notes[1:]) if found.times.note else (*odd.notes(), *found.notes)
    names = tuple(next(iter(found.called.values())))
    return Record(found.where, values, found.times, names, found.channels, places=found.places, notes=notes)


def stream_netcdf(path: str, file: Path, wanted: Wanted) -> MeshRecord | None:
    """The record in a large netCDF file with stations that have positions, to be read block by block; else None.

    Raises
    ------
    DataError, ConfigError
        As `read_netcdf`.
    """
    with _opened(file) as (data, stored):
        found = _outline(file.name, data, stored, wanted)
    steps, places, names = len(found.times.values), found.places, tuple(next(iter(found.called.values())))
    small = 4 * steps * len(names) * len(found.channels) <= IN_MEMORY_BYTES
    if small or places is None or not _plain(found.times, places):
        return None

    def blocks() -> Iterator[Float32[ndarray, "t n c"]]:
        size = max(1, _BLOCK // (4 * len(names) * len(found.channels)))
        with _opened(file) as (_, stored):
            for start in range(0, steps, size):
                yield found.read(stored, start, min(start + size, steps), Oddities())

    runs = find_runs(found.times, where=found.where)
    height = () if places.height is None else (Covariate("height", places.height, places.height_unit),)
    return MeshRecord(
        source=source_of(path, file.stem, "stations", (str(file),), members=[file], root=None),
        steps=steps,
        blocks=blocks,
        points=np.stack([places.x, places.y], axis=-1),
        channels=found.channels,
        time=found.times.values if found.times.decoded else np.arange(steps),
        run=runs.run,
        cadence=runs.cadence,
        frame=places.frame,
        unit=places.unit,
        clock=found.times.clock(runs.run),
        covariates=height,
        notes=(*found.notes, *places.notes, *gap_notes(runs)),
        names=names,
        reader="stations",
    )


def _plain(times: Times, places: Places) -> bool:
    """Whether times ascend evenly and every station has a place, so that nothing is to be moved or left out."""
    ascending = bool((times.values[1:] > times.values[:-1]).all())
    known = np.isfinite(places.x).all() and np.isfinite(places.y).all()
    height = places.height is None or (np.isfinite(places.height).all() and np.ptp(places.height) > 0)
    return bool(ascending and known and height) and nearly_even(times) is None


@contextmanager
def _opened(path: Path) -> Iterator[tuple[xr.Dataset, xr.Dataset]]:
    """A file, decoded but for its times, and as it is stored."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of several fill values all are honoured
            group = only_group(str(path))
            plain: dict[str, Any] = {"engine": "netcdf4", "cache": False, "group": group}
            data = xr.open_dataset(path, decode_times=False, decode_timedelta=False, **plain)
            stored = xr.open_dataset(path, decode_cf=False, **plain)
    except Exception as err:  # the libraries below raise many kinds
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise DataError(f"{path.name}: cannot be opened as netCDF: {first}. Is the file whole? Get it again.") from err
    with data, stored:
        yield data, stored


@dataclass(frozen=True, eq=False)
class _Outline:
    """A netCDF file with stations, before its values are read."""

    where: str
    dims: tuple[str, str]
    channels: tuple[Channel, ...]
    times: Times
    called: Mapping[str, list[str]]
    places: Places | None
    flags: Mapping[str, str]  # variables of flags that are applied, and whose they are
    notes: tuple[str, ...]

    def read(self, stored: xr.Dataset, start: int, stop: int, odd: Oddities) -> Float32[ndarray, "t n c"]:
        """Values of some steps; what is flagged, filled or not valid is NaN."""
        part = stored.isel({self.dims[0]: slice(start, stop)})
        values = np.empty((stop - start, part.sizes[self.dims[1]], len(self.channels)), np.float32)
        for i, channel in enumerate(self.channels):
            chosen = part[channel.name]
            attrs = with_fill(chosen.attrs, chosen.dtype)
            values[:, :, i] = decode(_values(self.where, chosen, self.dims), attrs, odd)
            for name in (name for name, of in self.flags.items() if of == channel.name):
                flags = _values(self.where, part[name], self.dims)
                bad = bad_values(flags, part[name].attrs) & ~np.isnan(values[:, :, i])
                odd.flagged += int(bad.sum())
                values[:, :, i][bad] = np.nan
        return values


def _outline(where: str, data: xr.Dataset, stored: xr.Dataset, wanted: Wanted) -> _Outline:
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
    alike = {str(n): a for n, a in stored.data_vars.items() if {dim, time_dim} <= set(map(str, a.dims))}
    owner = flags_of({name: array.attrs for name, array in alike.items()})
    first = stored.isel({time_dim: slice(0, _FIRST)})
    told = {name: can_tell(_values(where, first[name], (time_dim, dim)), first[name].attrs) for name in owner}
    aside |= {name: flag_words(owner[name], told[name]) for name in owner}
    offered = [name for name in offered if name not in owner]
    if not offered:
        more = " It keeps its samples in one long row; give them as (time, station)." if _ragged(data) else ""
        raise DataError(
            f"{where}: no variable has the dimensions {time_dim} and {dim}: "
            f"{some([f'{name} {why}' for name, why in aside.items()] or list(data.variables), 4)}.{more}"
        )
    known = [Channel(name, clean_units(_attr(data[name], "units")), long_name(data[name].attrs)) for name in offered]
    channels = wanted.choose(where, known, aside)
    times = clock_of(data, time_dim, where=where)
    notes = [*([times.note] if times.note else []), *(f"{name} is not used: it {why}" for name, why in aside.items())]
    called, places = _who_and_where(where, data, dim)
    applied = {name: of for name, of in owner.items() if told[name]}
    return _Outline(where, (time_dim, dim), channels, times, called, places, applied, tuple(notes))


def _values(where: str, array: xr.DataArray, dims: tuple[str, str]) -> ndarray:
    """What the file holds, as times by stations."""
    try:
        flat = array.squeeze([d for d in array.dims if str(d) not in dims], drop=True)
        return np.asarray(flat.transpose(*dims).values)
    except Exception as err:  # a damaged chunk shows only now
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise DataError(f"{where}: {array.name} cannot be read: {first}. The file is damaged.") from err


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
