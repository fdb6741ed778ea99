"""UGRID: netCDF files with a mesh of triangles or polygons, and series at its nodes or faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Channel, Covariate, Frame
from dynst.errors import DataError
from dynst.readers.flags import bad_values, can_tell, flag_words, flags_of
from dynst.readers.mesh_records import MeshRecord
from dynst.readers.names import Role, clean_units, long_name, role_of
from dynst.readers.pieces import Oddities, decode, with_fill
from dynst.readers.records import Wanted, nearly_even
from dynst.readers.sources import source_of
from dynst.readers.times import Times, decode_times, find_runs
from dynst.readers.triangles import triangle_areas

__all__ = ["holds_mesh", "read_ugrid"]

_DEPTHS = {"depth", "water_depth", "waterdepth", "mesh2d_waterdepth", "sea_floor_depth_below_sea_surface"}
_BLOCK = 16 << 20


def holds_mesh(file: Path) -> bool:
    """Whether a file is netCDF with a variable that is a mesh topology."""
    try:
        with xr.open_dataset(file, engine="netcdf4", decode_cf=False, cache=False) as data:
            return _topology(data) is not None
    except Exception:  # whatever is wrong with it, another reader says so
        return False


def _topology(data: xr.Dataset) -> xr.DataArray | None:
    return next((data[name] for name in data.variables if data[name].attrs.get("cf_role") == "mesh_topology"), None)


def read_ugrid(path: str, file: Path, wanted: Wanted) -> MeshRecord:
    """The record in a netCDF file with a mesh.

    Raises
    ------
    DataError, ConfigError
        If the mesh is not whole, nothing on it varies in time, or a channel is asked for that is not there.
    """
    where = file.name
    with xr.open_dataset(file, engine="netcdf4", decode_cf=False, cache=False) as data:
        mesh = _topology(data)
        assert mesh is not None  # recognised by it
        nodes, geographic, node_dim = _nodes(data, mesh, where)
        faces, face_dim = _faces(data, mesh, len(nodes), where)
        clock = next(
            (
                data[name]
                for name in data.variables
                if data[name].ndim == 1 and role_of(str(name), data[name].attrs) is Role.TIME
            ),
            None,
        )
        if clock is None:
            raise DataError(f"{where}: no time coordinate: nothing on the mesh varies in time.")
        time_dim = str(clock.dims[0])
        series = {
            dim: [a for a in data.data_vars.values() if set(a.dims) == {time_dim, dim}] for dim in (node_dim, face_dim)
        }
        place = node_dim if series[node_dim] else face_dim
        flags = _flags(series[place])
        series[place] = [a for a in series[place] if str(a.name) not in {flag.name for flag in flags}]
        if not series[place]:
            raise DataError(f"{where}: no variable with the dimensions {time_dim} and {node_dim} or {face_dim}.")
        offered = [
            Channel(str(a.name), clean_units(str(a.attrs.get("units", ""))), long_name(a.attrs)) for a in series[place]
        ]
        channels = wanted.choose(where, offered, {str(a.name): "is on the faces" for a in series[face_dim]})
        order, times, odd = _times(decode_times(clock.values, clock.attrs, where=where), where)
        static = [
            a
            for a in data.data_vars.values()
            if a.dims == (place,)
            and a.dtype.kind == "f"
            and np.isfinite(_masked(a, False)).all()
            and role_of(str(a.name), a.attrs) not in {Role.X, Role.Y, Role.LATITUDE, Role.LONGITUDE}
            and str(a.name) not in str(mesh.attrs)
        ]
        covariates = tuple(
            Covariate(str(a.name), _masked(a, False).astype(float), clean_units(str(a.attrs.get("units", ""))))
            for a in static
        )
        dry = [
            c.name
            for c in channels
            if (c.name.lower() in _DEPTHS or str(data[c.name].attrs.get("standard_name", "")) in _DEPTHS)
            and _both_signs(_masked(data[c.name], False))
        ]
    runs = find_runs(times, where=where)
    notes = [note for note in (times.note, *odd) if note]
    if runs.gaps:
        notes.append(f"{len(runs.gaps)} gaps in time cut the record into runs: {'; '.join(runs.gaps[:3])}")
    notes += [f"{flag.name} is not used: it {flag_words(flag.owner, flag.told)}" for flag in flags]
    notes += [f"{known.name} does not vary in time: it is a covariate" for known in covariates]
    notes += [
        f"{name} of 0 or less is dry ground: missing there, and a place that is never wet is no site" for name in dry
    ]
    if not geographic:
        notes.append("the coordinate reference system is not stated: positions are metres in a plane of their own")
    cut = _cut(faces)
    triangles: ndarray | None = cut
    pairs: ndarray | None = None
    area: ndarray | None = None
    points = nodes
    if place == face_dim:
        points, area = (
            _centres(nodes, faces),
            np.bincount(
                np.repeat(np.arange(len(faces)), _count(faces)), triangle_areas(nodes, cut), minlength=len(faces)
            ),
        )
        pairs, triangles = _adjacent(faces), None
        notes.append("the values are on faces: the sites are their centres")
    names = [channel.name for channel in channels]

    def blocks() -> Iterator[Float[ndarray, "t n c"]]:
        with xr.open_dataset(file, engine="netcdf4", decode_cf=False, cache=False) as data:
            size = max(1, _BLOCK // (8 * len(points) * len(names)))
            for start in range(0, len(order), size):
                piece = order[start : start + size]
                out = [_masked(data[name].transpose(time_dim, place)[piece], name in dry) for name in names]
                for flag in (flag for flag in flags if flag.told and flag.owner in names):
                    cells = data[flag.name].transpose(time_dim, place)[piece].values
                    out[names.index(flag.owner)][bad_values(cells, flag.attrs)] = np.nan
                yield np.stack(out, axis=-1)

    return MeshRecord(
        source=source_of(path, file.stem, "mesh", (str(file),), members=[file], root=None),
        steps=len(order),
        blocks=blocks,
        points=points,
        channels=channels,
        time=times.values if times.decoded else np.arange(len(times.values)),
        clock=times.clock(runs.run),
        run=runs.run,
        cadence=runs.cadence,
        frame=Frame.GEOGRAPHIC if geographic else Frame.PLANAR,
        triangles=triangles,
        pairs=pairs,
        area=area,
        covariates=covariates,
        notes=tuple(notes),
    )


@dataclass(frozen=True, eq=False)
class _Flag:
    """A variable with quality flags: whose, and whether it says which values are bad."""

    name: str
    owner: str
    told: bool
    attrs: Mapping[str, object]


def _flags(arrays: Sequence[xr.DataArray]) -> list[_Flag]:
    known = {str(array.name): array for array in arrays}
    owner = flags_of({name: array.attrs for name, array in known.items()})
    return [
        _Flag(name, of, can_tell(known[name].values, known[name].attrs), known[name].attrs)
        for name, of in owner.items()
    ]


def _times(times: Times, where: str) -> tuple[Int[ndarray, " s"], Times, tuple[str, ...]]:
    """Which steps to read, in order; their times, even where they nearly are; and what was done."""
    order = np.argsort(times.values, kind="stable")
    times = replace(times, values=times.values[order])
    twice = np.flatnonzero(times.values[1:] == times.values[:-1])
    if len(twice):
        raise DataError(f"{where}: time repeats: {times.say(int(twice[0]))} comes more than once. Drop one of them.")
    found = nearly_even(times)
    if found is None:
        return order, times, ()
    keep, even, note = found
    return order[keep], even, (note,)


def _both_signs(values: Float[ndarray, "t n"]) -> bool:
    return bool((values < 0).any() and (values > 0).any())


def _masked(array: xr.DataArray, dry: bool) -> Float[ndarray, "*t n"]:
    """Values unpacked, NaN where they are fill or dry ground."""
    values = decode(np.asarray(array.values), with_fill(array.attrs, array.dtype), Oddities())
    if dry:
        values[values <= 0] = np.nan
    return values


def _nodes(data: xr.Dataset, mesh: xr.DataArray, where: str) -> tuple[Float[ndarray, "n 2"], bool, str]:
    names = str(mesh.attrs.get("node_coordinates", "")).split()
    if len(names) != 2 or not all(name in data.variables for name in names):
        raise DataError(
            f"{where}: holds a mesh, but {mesh.name} names no two node_coordinates that are there "
            f"({' '.join(names) or 'none'}). Write the mesh again by the UGRID conventions."
        )
    roles = [role_of(name, data[name].attrs) for name in names]
    if roles[0] in {Role.LATITUDE, Role.Y}:
        names, roles = names[::-1], roles[::-1]
    if data[names[0]].ndim != 1 or data[names[0]].dims != data[names[1]].dims:
        raise DataError(f"{where}: {names[0]} and {names[1]} are not one number for each node. Write the mesh again.")
    nodes = np.stack([np.asarray(data[name].values, float) for name in names], axis=-1)
    geographic = Role.LONGITUDE in roles
    if geographic:
        nodes[:, 0] = (nodes[:, 0] + 180) % 360 - 180
    return nodes, geographic, str(data[names[0]].dims[0])


def _faces(data: xr.Dataset, mesh: xr.DataArray, n: int, where: str) -> tuple[Int[ndarray, "f k"], str]:
    """Nodes of each face, -1 where a face has fewer than others."""
    name = str(mesh.attrs.get("face_node_connectivity", ""))
    if name not in data.variables:
        raise DataError(f"{where}: holds a mesh, but its face_node_connectivity ({name or 'none'}) is not there.")
    array = data[name]
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise DataError(f"{where}: {name} has shape {array.shape} ({array.dtype}); expected faces x nodes of a face.")
    raw = array.values.astype(float)
    if mesh.attrs.get("face_dimension") == array.dims[1] or array.shape[0] <= 4 < array.shape[1]:
        array, raw = array.transpose(), raw.T
    filled = ~np.isfinite(raw) | (raw < 0)
    if "_FillValue" in array.attrs:
        filled |= raw == float(array.attrs["_FillValue"])
    start = int(array.attrs.get("start_index", 0))
    faces = np.where(filled, -1, np.where(filled, 0, raw) - start).astype(np.int64)
    if (faces[~filled] < 0).any() or (faces >= n).any():
        worst = int(faces[~filled].min()) if (faces[~filled] < 0).any() else int(faces.max())
        raise DataError(
            f"{where}: {name} names node {worst}, but nodes count from 0 to {n - 1} (start_index {start}). "
            "Is start_index right?"
        )
    faces = np.take_along_axis(faces, np.argsort(filled, axis=1, kind="stable"), axis=1)
    short = np.flatnonzero((~filled).sum(1) < 3)
    if len(short):
        raise DataError(f"{where}: {name} gives face {short[0]} fewer than 3 nodes ({len(short)} such). Drop them.")
    return faces, str(array.dims[0])


def _count(faces: Int[ndarray, "f k"]) -> Int[ndarray, " f"]:
    """Triangles of each face."""
    count: ndarray = (faces >= 0).sum(1) - 2
    return count


def _cut(faces: Int[ndarray, "f k"]) -> Int[ndarray, "g 3"]:
    """Each face as a fan of triangles around its first node, face by face."""
    fans = np.stack(
        [np.stack([faces[:, 0], faces[:, i], faces[:, i + 1]], -1) for i in range(1, faces.shape[1] - 1)], 1
    )
    return fans[(fans >= 0).all(-1)]


def _centres(nodes: Float[ndarray, "n 2"], faces: Int[ndarray, "f k"]) -> Float[ndarray, "f 2"]:
    there = (faces >= 0)[:, :, None]
    centre: ndarray = (nodes[faces] * there).sum(1) / there.sum(1)
    return centre


def _adjacent(faces: Int[ndarray, "f k"]) -> Int[ndarray, "2 e"]:
    """Pairs of faces that share a side, each once."""
    last = np.where(faces >= 0, np.arange(faces.shape[1]), -1).max(1)
    after = np.where(np.arange(faces.shape[1]) == last[:, None], faces[:, :1], np.roll(faces, -1, 1))
    there = faces >= 0
    side = np.sort(np.stack([faces[there], after[there]], -1), axis=1)
    owner = np.broadcast_to(np.arange(len(faces))[:, None], faces.shape)[there]
    order = np.lexsort((owner, side[:, 1], side[:, 0]))
    side, owner = side[order], owner[order]
    same = (side[1:] == side[:-1]).all(axis=1) & (owner[1:] != owner[:-1])
    pairs = np.unique(np.sort(np.stack([owner[:-1][same], owner[1:][same]], -1), axis=1), axis=0)
    return pairs.T
