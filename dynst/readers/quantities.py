"""What varies in time on a grid in these files: the quantities, their levels, and what is left aside and why."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Int
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.clocks import clock_of
from dynst.readers.flags import can_tell, flag_words, flags_of
from dynst.readers.grids import Grid, dimension_roles, find_grid
from dynst.readers.landmask import LandMask, find_mask
from dynst.readers.names import (
    CANONICAL,
    Role,
    channel_name,
    clean_units,
    is_mask,
    is_sea_quantity,
    is_static,
    long_name,
    role_of,
)
from dynst.readers.pieces import Piece, file_chunk, with_fill
from dynst.readers.sources import Handles, Source
from dynst.readers.times import Times

__all__ = ["Found", "Quantity", "find_quantities", "levels_of", "no_measurement", "tells"]


_VERSIONS = "expver"


@dataclass(frozen=True, eq=False)
class Quantity:
    """One variable over all files, with its levels: as many channels as levels."""

    variable: str
    name: str
    units: str
    long_name: str
    levels: tuple[float, ...]
    level_order: Int[ndarray, " l"]
    at_sea_only: bool
    pieces: tuple[Piece, ...]

    @property
    def channels(self) -> list[str]:
        """Names of its channels, lowest number of level first."""
        return [channel_name(self.name, level) for level in self.levels] or [self.name]

    @property
    def aliases(self) -> set[str]:
        """Names by which all its channels may be asked for."""
        return {self.variable, self.name}

    @property
    def steps(self) -> int:
        """Time steps over all files."""
        return sum(len(piece.times.values) for piece in self.pieces)


@dataclass(frozen=True, eq=False)
class Found:
    """All quantities on the grid that most of them share."""

    grid: Grid
    quantities: tuple[Quantity, ...]
    mask: LandMask | None
    notes: tuple[str, ...]
    left_aside: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Member:
    piece: Piece
    levels: tuple[float, ...]
    grid: int  # number of the distinct grid


@dataclass(eq=False)
class _Look:
    """What is remembered while looking: variables of one file mostly share their grid and their clock."""

    grids: list[Grid] = field(default_factory=list)  # the distinct ones
    aside: dict[str, str] = field(default_factory=dict)
    static: list[str] = field(default_factory=list)  # of those aside, what stands on a grid without a time
    by_axes: dict[tuple[object, ...], Grid | None] = field(default_factory=dict)
    clocks: dict[tuple[str, str], Times] = field(default_factory=dict)

    def grid(self, dataset: xr.Dataset, variable: str, file: str) -> Grid | None:
        """The grid of a variable, worked out once for all that stand on the same axes."""
        array = dataset.variables[variable]
        key = (file, array.dims, str(array.attrs.get("coordinates")), str(array.attrs.get("grid_mapping")))
        if key not in self.by_axes:
            self.by_axes[key] = find_grid(dataset, variable, where=_basename(file))
        return self.by_axes[key]

    def number(self, grid: Grid) -> int:
        """Number of the grid among the distinct ones."""
        same = next((i for i, other in enumerate(self.grids) if grid is other or grid.same_as(other)), None)
        if same is None:
            self.grids.append(grid)
            return len(self.grids) - 1
        return same

    def times(self, dataset: xr.Dataset, dim: str, file: str) -> Times:
        """The time axis along a dimension."""
        if (file, dim) not in self.clocks:
            if dataset.sizes[dim] == 0:
                raise DataError(
                    f"{_basename(file)}: dimension {dim} has length 0: the file holds no step. Get it again."
                )
            self.clocks[file, dim] = clock_of(dataset, dim, where=_basename(file))
        return self.clocks[file, dim]


def _basename(file: str) -> str:
    return Path(file.rstrip("/")).name


def find_quantities(source: Source, handles: Handles) -> Found:
    """Look into every file once and sort its variables; no value of a series is read.

    Raises
    ------
    DataError
        If no variable varies in time on a grid, or files of one variable differ in levels.
    """
    groups: dict[tuple[str, str], list[_Member]] = {}
    look = _Look()
    mask: LandMask | None = None
    many = len({Path(file).parent for file in source.files}) > 1
    for file in source.files:
        dataset = handles[file]
        for variable in map(str, dataset.variables):
            member = _member(dataset, variable, file, look)
            if member is not None:
                groups.setdefault((Path(file).parent.name if many else "", variable), []).append(member)
        mask = mask or find_mask(dataset, look.grids)
    if not groups:
        raise _nothing(handles[source.files[0]], _basename(source.files[0]), look)
    common = Counter(member.grid for members in groups.values() for member in members).most_common(1)[0][0]
    quantities: dict[str, Quantity] = {}
    for (folder, variable), members in sorted(groups.items()):
        if any(member.grid != common for member in members):
            h, w = members[0].piece.grid.shape
            kind = ", staggered" if _staggered(handles[members[0].piece.file].variables[variable]) else ""
            look.aside[variable] = f"stands on another grid ({h} x {w}{kind}) than most variables"
            continue
        quantity = _quantity(variable, members)
        twice = {name for other in quantities.values() for name in other.channels} & set(quantity.channels)
        if twice:
            look.aside[f"{folder}/{variable}"] = f"holds {', '.join(sorted(twice))} a second time"
            continue
        quantities[f"{quantity.name} {folder}"] = quantity
    ordered = tuple(sorted(quantities.values(), key=lambda quantity: quantity.channels))
    pieces = [piece for quantity in ordered for piece in quantity.pieces]
    notes = dict.fromkeys(piece.times.note for piece in pieces)
    if any(piece.versions_dim for piece in pieces):
        notes[f"the parts of {_VERSIONS} (ERA5, and ERA5T where it is not there yet) are read as one record"] = None
    grid = look.grids[common]
    return Found(grid, ordered, mask, tuple(note for note in (grid.note, *notes) if note), look.aside)


def _member(dataset: xr.Dataset, variable: str, file: str, look: _Look) -> _Member | None:
    """The variable as a piece of a series on a grid; None, with the reason in `aside`, if it is none."""
    array, aside = dataset.variables[variable], look.aside
    if array.ndim < 2 or variable in _helpers(dataset) or array.dtype.kind not in "iuf":
        return None
    roles = dimension_roles(dataset, variable)
    grid = look.grid(dataset, variable, file)
    if grid is None:
        if array.ndim >= 3 or Role.TIME in roles.values():
            aside[variable] = _no_grid(array)
        return None
    number = look.number(grid)
    rest = [str(dim) for dim in array.dims if dim not in grid.dims]
    time_dim = next((dim for dim in rest if roles[dim] is Role.TIME), None)
    level_dim = next((dim for dim in rest if roles[dim] is Role.LEVEL), None)
    versions_dim = next((dim for dim in rest if dim.lower() == _VERSIONS and dataset.sizes[dim] > 1), None)
    odd = [dim for dim in rest if dim not in (time_dim, level_dim, versions_dim) and dataset.sizes[dim] > 1]
    if time_dim is None:
        look.static += [] if variable in look.static else [variable]
        aside[variable] = "is static (no time dimension)"
        return None
    if odd:
        aside[variable] = f"has a dimension {odd[0]} of {dataset.sizes[odd[0]]}; select one of them in the file first"
        return None
    beside = {str(name): other for name, other in dataset.variables.items() if other.dims == array.dims}
    owner = flags_of({name: other.attrs for name, other in beside.items()})
    if variable in owner:
        aside[variable] = flag_words(owner[variable], tells(array, time_dim))
        return None
    if reason := no_measurement(variable, array) or _unmoved(variable, array, time_dim):
        aside[variable] = reason
        return None
    piece = Piece(
        file=file,
        variable=variable,
        grid=grid,
        times=look.times(dataset, time_dim, file),
        time_dim=time_dim,
        level_dim=level_dim,
        chunk=file_chunk(array, time_dim, grid.dims[0]),
        attrs=with_fill(array.attrs, array.dtype),
        flags={
            name: dict(beside[name].attrs)
            for name, of in owner.items()
            if of == variable and tells(beside[name], time_dim)
        },
        versions_dim=versions_dim,
    )
    return _Member(piece, levels_of(dataset, array, level_dim), number)


def _helpers(dataset: xr.Dataset) -> set[str]:
    """Variables that only describe others: coordinates and their bounds."""
    named = set(map(str, dataset.dims)) & set(map(str, dataset.variables))
    for name, array in dataset.variables.items():
        if re.search(r"(_bounds|_bnds|_bds)$", str(name)):
            named.add(str(name))
        for key in ("bounds", "climatology"):
            named.add(str(array.attrs.get(key, "")))
        if role_of(str(name), array.attrs) in (Role.LATITUDE, Role.LONGITUDE):
            named.add(str(name))
    return named


def tells(flags: xr.Variable, time_dim: str) -> bool:
    """Whether flags say which values are bad; those without meanings are judged by their first step."""
    first = np.zeros(0) if flags.attrs.get("flag_meanings") else np.asarray(flags.isel({time_dim: 0}).values)
    return can_tell(first, flags.attrs)


def _staggered(array: xr.Variable) -> list[str]:
    """Dimensions of space between the cells, as WRF names them."""
    return [str(dim) for dim in array.dims if str(dim) in {"west_east_stag", "south_north_stag"}]


def _no_grid(array: xr.Variable) -> str:
    """Why a variable stands on no grid."""
    between = _staggered(array)
    if between:
        return f"stands between the cells ({between[0]}), at positions that the file does not give"
    return f"stands on ({', '.join(map(str, array.dims))}), which is no grid in time"


def _unmoved(name: str, array: xr.Variable, time_dim: str) -> str:
    """Why a property of the ground that is written at each step is no series; empty if it is one."""
    steps = array.sizes[time_dim]
    if steps < 2 or not is_static(name, array.attrs):
        return ""
    first, *others = (array.isel({time_dim: step}).values for step in (0, steps // 2, steps - 1))
    same = all(np.array_equal(first, other, equal_nan=first.dtype.kind == "f") for other in others)
    return "does not vary in time" if same else ""


def no_measurement(name: str, array: xr.Variable) -> str:
    """Why a variable in time is not something a sensor could measure; empty if it is."""
    if array.dtype.kind in "iu" and is_mask(name, array.attrs):
        return "is a mask, not a quantity"
    if str(array.attrs.get("standard_name", "")).endswith("number_of_observations"):
        return "describes the quality of another variable"
    if re.match(r"(count|number) of ", str(array.attrs.get("long_name", "")).lower()):
        return "counts observations, and is no quantity"
    return ""


def levels_of(dataset: xr.Dataset, array: xr.Variable, level_dim: str | None) -> tuple[float, ...]:
    """Level values, pressures in hPa; also of a single level that is no dimension."""
    if level_dim is not None:
        clock = dataset.variables.get(level_dim)
        if clock is None or clock.ndim != 1 or clock.dtype.kind not in "iuf":
            return tuple(float(i) for i in range(dataset.sizes[level_dim]))
        return _in_hpa(clock)
    named = str(array.attrs.get("coordinates", "")).split()
    for name, other in dataset.variables.items():
        if other.ndim == 0 and role_of(str(name), other.attrs) is Role.LEVEL:
            pressure = clean_units(str(other.attrs.get("units", ""))) in {"hPa", "Pa"}
            if pressure and (str(name) in named or "coordinates" not in array.attrs):
                return _in_hpa(other)
    return ()


def _in_hpa(level: xr.Variable) -> tuple[float, ...]:
    values = np.ravel(np.asarray(level.values, float))
    if clean_units(str(level.attrs.get("units", ""))) == "Pa":
        values = values / 100
    return tuple(np.round(values, 6).tolist())


def _quantity(variable: str, members: list[_Member]) -> Quantity:
    levels = members[0].levels
    for member in members:
        if member.levels != levels:
            raise DataError(
                f"{Path(member.piece.file).name}: {variable} has levels {member.levels}, other files have {levels}. "
                "Give files with the same levels."
            )
    name = CANONICAL.get(variable, variable)
    parent = Path(members[0].piece.file).parent.name
    cut = re.fullmatch(r"(.*)_(\d{1,4})", parent)
    if not levels and cut and CANONICAL.get(cut[1]) == name:
        levels = (float(cut[2]),)  # WeatherBench 1 writes the level of a pre-cut variable into the folder's name only
    attrs = members[0].piece.attrs
    return Quantity(
        variable=variable,
        name=name,
        units=clean_units(str(attrs.get("units", ""))),
        long_name=long_name(attrs),
        levels=tuple(sorted(levels)),
        level_order=np.argsort(np.asarray(levels or (0.0,)), kind="stable"),
        at_sea_only=is_sea_quantity(variable, attrs),
        pieces=tuple(member.piece for member in members),
    )


def _nothing(dataset: xr.Dataset, where: str, look: _Look) -> DataError:
    """The one line for a file without a series on a grid: what was seen, and what to do."""
    attributes = [array.attrs for array in dataset.variables.values()]
    if any(attrs.get("cf_role") == "mesh_topology" for attrs in attributes):
        return DataError(
            f"{where}: holds a mesh, not a grid. Give that one file itself, not its folder, a pattern or a URL."
        )
    lines = {role_of(str(name), array.attrs): array for name, array in dataset.variables.items() if array.ndim == 1}
    place, other = lines.get(Role.LATITUDE), lines.get(Role.LONGITUDE)
    if place is not None and other is not None and place.dims == other.dims != ("time",):
        return DataError(
            f"{where}: holds a series at {place.size} stations (dimension {place.dims[0]}), not a grid. "
            "Give that one file itself, not its folder, a pattern or a URL."
        )
    if look.static:
        shape = " x ".join(str(size) for size in dataset.variables[look.static[0]].shape)
        return DataError(
            f"{where}: no variable varies in time: {', '.join(look.static[:8])} ({shape}) is static. "
            "Give a file with a time dimension; a forecast needs a series."
        )
    seen = ", ".join(
        f"{name}({', '.join(map(str, array.dims))})" for name, array in list(dataset.variables.items())[:12]
    )
    more = "; ".join(f"{name} {reason}" for name, reason in list(look.aside.items())[:4])
    return DataError(
        f"{where}: no variable with a time dimension and a grid was found; seen: {seen or 'nothing'}"
        f"{f'; {more}' if more else ''}. Expected dimensions like (time, latitude, longitude), named or "
        "described by CF attributes."
    )
