"""Plain arrays in .npz, MATLAB and HDF5 files: positions, maybe triangles, and fields on them, told by shape."""

from __future__ import annotations

from pathlib import Path

import h5py  # type: ignore[import-untyped]  # it ships no types
import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.io import loadmat

from dynst.domain import Channel
from dynst.errors import DataError
from dynst.readers.mesh_records import MeshRecord
from dynst.readers.records import Wanted
from dynst.readers.sources import source_of
from dynst.readers.times import Times, find_runs
from dynst.readers.triangles import check_triangles

__all__ = ["POSITIONS", "TRIANGLES", "read_cloud"]

POSITIONS = ("coords", "coordinates", "points", "nodes", "vertices", "positions", "pos", "x_star", "xy")
TRIANGLES = ("triangles", "tri", "faces", "elements", "cells", "connectivity")
_TIMES = ("t", "time", "times", "t_star")
_COMPONENTS = 4  # an axis up to this long holds components of a vector, not cases
_PARAMETERS = ("param", "params", "parameter", "parameters", "mu")


def read_cloud(path: str, file: Path, wanted: Wanted) -> MeshRecord:
    """The record in a file of plain arrays.

    Raises
    ------
    DataError, ConfigError
        If positions or fields are not found, or a channel is asked for that is not there.
    """
    where = file.name
    arrays = {name: np.squeeze(value) if 1 in value.shape[1:] else value for name, value in _load(file).items()}
    points_name = _named(arrays, POSITIONS)
    if points_name is None:
        raise DataError(f"{where}: no positions: expected an array named {', '.join(POSITIONS)}; {_say(arrays)} came.")
    points = np.asarray(arrays.pop(points_name), float)
    if points.ndim == 2 and points.shape[0] == 2 != points.shape[1]:
        points = points.T
    if points.ndim != 2 or points.shape[1] != 2:
        raise DataError(f"{where}: {points_name} has shape {points.shape}; expected nodes x 2 (sensors in a plane).")
    n, notes, triangles = len(points), [], None
    mesh_name = _named(arrays, TRIANGLES)
    if mesh_name is not None:
        triangles = check_triangles(arrays.pop(mesh_name), n, f"{where}: {mesh_name}")
    clock_name = _named(arrays, _TIMES)
    clock = None if clock_name is None else np.asarray(arrays.pop(clock_name)).ravel()
    parameter_name = _named(arrays, _PARAMETERS)
    parameter = None if parameter_name is None else arrays.pop(parameter_name)
    fields: dict[str, ndarray] = {}
    for name, array in arrays.items():
        if n not in array.shape or array.ndim not in (2, 3):
            notes.append(f"{name} ({' x '.join(map(str, array.shape))}) is not used: it has no axes of times and nodes")
            continue
        fields |= _components(name, _ordered(array, n, None if clock is None else len(clock)))
    if not fields:
        raise DataError(f"{where}: no field on the {n} nodes; {_say(arrays)} came. Give arrays times x nodes.")
    shapes = {values.shape[:2] for values in fields.values()}
    if len(shapes) > 1:
        said = ", ".join(f"{name} {values.shape[0]} x {values.shape[1]}" for name, values in fields.items())
        raise DataError(f"{where}: the fields differ in cases and times ({said}). Give fields of the same times.")
    cases, steps = shapes.pop()
    channels = wanted.choose(where, [Channel(name) for name in fields], {})
    values = np.stack([np.asarray(fields[channel.name], np.float32) for channel in channels], axis=-1)
    names: tuple[str, ...] = ()
    if cases > 1:
        names = tuple(_case(i, parameter, cases) for i in range(cases))
        notes.append(f"{cases} cases of {steps} steps each are runs of their own")
    elif parameter is not None and clock is None and parameter.shape == (steps,):
        values = values[:, np.argsort(parameter, kind="stable")]
        notes.append(
            f"THERE IS NO TIME: the {steps} steps are cases put in order of {parameter_name} "
            f"({parameter.min():g} to {parameter.max():g}); a forecast is a guess at the next cases of that order"
        )
    times = Times(np.arange(steps)) if clock is None else Times(clock.astype(float), "time unit")
    if len(times.values) != steps:
        raise DataError(f"{where}: {clock_name} has {len(times.values)} times, but the fields have {steps} steps.")
    runs = find_runs(times, where=where)
    notes.append("the file says no units: positions and values are taken as dimensionless")
    flat = values.reshape(cases * steps, n, len(channels))
    return MeshRecord(
        source=source_of(path, file.stem, "mesh", (str(file),), members=[file], root=None),
        steps=cases * steps,
        blocks=lambda: (flat[start : start + 256] for start in range(0, len(flat), 256)),
        points=points,
        channels=channels,
        time=np.arange(cases * steps),
        run=np.repeat(np.arange(cases), steps) if cases > 1 else runs.run,
        cadence=runs.cadence,
        unit="1",
        triangles=triangles,
        cases=names,
        notes=tuple(notes),
    )


def _load(file: Path) -> dict[str, ndarray]:
    """The numeric arrays of a file."""
    suffix = file.suffix.lower()
    try:
        with file.open("rb") as stream:
            start = stream.read(128)
        if not start:
            raise DataError(f"{file.name}: the file is empty (0 bytes). Get it again.")
        if suffix == ".mat" and (start.startswith(b"\x89HDF") or b"MATLAB 7.3" in start):
            raise DataError(f"{file.name}: MATLAB 7.3 files are not read. Save it in MATLAB with save(..., '-v7').")
        if suffix == ".mat":
            every = loadmat(str(file))
        elif suffix == ".npz":
            with np.load(file, allow_pickle=False) as archive:
                every = {name: archive[name] for name in archive.files}
        else:
            with h5py.File(file, "r") as store:
                every = {name: item[()] for name, item in store.items() if isinstance(item, h5py.Dataset)}
    except DataError:
        raise
    except Exception as err:  # over a damaged file these libraries raise nearly anything
        if "allow_pickle" in str(err):
            raise DataError(
                f"{file.name}: an array holds Python objects, which are never unpickled. Save it as plain numbers."
            ) from err
        first = (str(err).strip().splitlines() or [type(err).__name__])[0]
        raise DataError(f"{file.name}: cannot be read ({first}). Is the file whole? Get it again.") from err
    return {name: a for name, a in every.items() if isinstance(a, ndarray) and a.dtype.kind in "iuf" and a.ndim}


def _named(arrays: dict[str, ndarray], names: tuple[str, ...]) -> str | None:
    lower = {name.lower(): name for name in arrays}
    return next((lower[name] for name in names if name in lower), None)


def _say(arrays: dict[str, ndarray]) -> str:
    return ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no array of numbers"


def _ordered(array: ndarray, n: int, steps: int | None) -> Float[ndarray, "case time n comp"]:
    """Axes in one order. The last axis as long as the mesh holds its nodes, the axis as long as the clock the times."""
    axes = list(range(array.ndim))
    node = next(i for i in reversed(axes) if array.shape[i] == n)
    rest = [i for i in axes if i != node]
    if len(rest) == 1:
        return np.moveaxis(array, node, -1)[None, :, :, None]
    short = [i for i in reversed(rest) if array.shape[i] <= _COMPONENTS and array.shape[i] != steps]
    if short:
        return array.transpose(*(i for i in rest if i != short[0]), node, short[0])[None]
    time = next((i for i in reversed(rest) if array.shape[i] == steps), rest[-1])
    return array.transpose(*(i for i in rest if i != time), time, node)[..., None]


def _components(name: str, values: Float[ndarray, "case time n comp"]) -> dict[str, ndarray]:
    """Each component under a name of its own: U_star is u and v."""
    base = name.lower().removesuffix("_star")
    count = values.shape[-1]
    if count == 1:
        return {base: values[..., 0]}
    plain = base in {"u", "uv", "velocity", "vel"} and count <= 3
    return {("uvw"[i] if plain else f"{base}{i + 1}"): values[..., i] for i in range(count)}


def _case(i: int, parameter: ndarray | None, cases: int) -> str:
    if parameter is None or len(parameter) != cases:
        return f"case {i + 1}"
    return f"case {i + 1} ({', '.join(f'{value:.4g}' for value in np.ravel(parameter[i]))})"
