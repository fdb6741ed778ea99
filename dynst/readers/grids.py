"""The grid under a variable: where its cells are, brought into one order of rows and columns."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain.sites import Frame
from dynst.domain.space import EARTH_RADIUS_KM, cell_edges, unit_vectors, wrap_longitude, zone_area_km2
from dynst.errors import DataError
from dynst.readers.clocks import has_dates
from dynst.readers.crs import canonical_longitude, to_degrees, to_metres
from dynst.readers.names import Role, degrees_in, role_of

__all__ = ["Grid", "dimension_roles", "find_grid"]


@dataclass(frozen=True, eq=False)
class Grid:
    """All cells of a grid in canonical order: northern rows first, columns from west to east.

    `rows` and `columns` say which row and column of the file comes first, second and so on; `x`, `y`, `area` have
    one value per cell, row by row. A cell without a position (NaN) can be no site.
    """

    kind: str
    dims: tuple[str, str]
    rows: Int[ndarray, " h"]
    columns: Int[ndarray, " w"]
    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
    area: Float[ndarray, " n"]
    periodic: bool = False
    frame: Frame = Frame.GEOGRAPHIC
    crs: str | None = None
    longitude: Float[ndarray, " n"] | None = None
    latitude: Float[ndarray, " n"] | None = None
    note: str = ""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    def same_as(self, other: Grid) -> bool:
        """Whether both stand for the same cells, to a ten thousandth of a degree or a metre."""
        tolerance = 1e-4 if self.frame is Frame.GEOGRAPHIC else 1.0
        return self.shape == other.shape and all(
            np.allclose(a, b, rtol=0, atol=tolerance, equal_nan=True) for a, b in ((self.x, other.x), (self.y, other.y))
        )


def dimension_roles(dataset: xr.Dataset, variable: str) -> dict[str, Role | None]:
    """The role of each dimension of a variable, by its coordinate if it has one, else by its name."""
    roles: dict[str, Role | None] = {}
    for dim in dataset[variable].dims:
        own = dataset.variables.get(dim)
        role = role_of(str(dim), own.attrs if own is not None and own.ndim == 1 else {})
        roles[str(dim)] = Role.TIME if role is None and has_dates(dataset, str(dim)) else role
    return roles


def find_grid(dataset: xr.Dataset, variable: str, *, where: str) -> Grid | None:
    """The grid on which a variable stands; None if it stands on no two dimensions of space.

    Raises
    ------
    DataError
        If a meridian or parallel repeats, or a coordinate has no value.
    """
    roles = dimension_roles(dataset, variable)
    by_role = {role: dim for dim, role in roles.items() if role is not None}
    held = {role: dim for role, dim in by_role.items() if dim in dataset.variables}
    if Role.LATITUDE in held and Role.LONGITUDE in held:
        return _regular(dataset, held[Role.LATITUDE], held[Role.LONGITUDE], where)
    curved = _two_dimensional(dataset, variable)
    if curved is not None:
        return _curvilinear(dataset, *curved, roles, where)
    if Role.Y in held and Role.X in held:
        return _projected(dataset, variable, held[Role.Y], held[Role.X], where)
    return None


def _axis(dataset: xr.Dataset, dim: str, where: str) -> tuple[ndarray, int]:
    """Values of a coordinate in float64, and the decimals worth keeping: float32 degrees are good to about 2e-5."""
    raw = np.asarray(dataset[dim].values)
    values = raw.astype(float)
    scale, offset = dataset[dim].attrs.get("scale_factor", 1.0), dataset[dim].attrs.get("add_offset", 0.0)
    values = (values * float(scale) + float(offset)) * degrees_in(str(dataset[dim].attrs.get("units", "")))
    if not np.isfinite(values).all():
        raise DataError(f"{where}: coordinate {dim} has {int((~np.isfinite(values)).sum())} values that are no number.")
    return values, 4 if raw.dtype.itemsize < 8 and raw.dtype.kind == "f" else 6


def _regular(dataset: xr.Dataset, y_dim: str, x_dim: str, where: str) -> Grid:
    latitude, decimals = _axis(dataset, y_dim, where)
    latitude = np.round(latitude, decimals)
    rows = np.argsort(-latitude, kind="stable")
    latitude = latitude[rows]
    if len(latitude) > 1 and (np.diff(latitude) == 0).any():
        twice = latitude[:-1][np.diff(latitude) == 0][0]
        raise DataError(f"{where}: latitude repeats: {twice:g} comes more than once. Drop the repeated row first.")
    columns, longitude, widths, periodic = _longitudes(*_axis(dataset, x_dim, where), where)
    x, y = np.meshgrid(longitude, latitude)
    area = zone_area_km2(latitude, 1.0)[:, None] * widths[None, :]
    return Grid(
        "latitude-longitude",
        (y_dim, x_dim),
        rows,
        columns,
        x.ravel(),
        y.ravel(),
        area.ravel(),
        periodic=periodic,
        note=_said_unit(dataset, y_dim),
    )


def _longitudes(values: ndarray, decimals: int, where: str) -> tuple[ndarray, ndarray, ndarray, bool]:
    """Order of the columns, their longitudes in [-180, 180), their widths in degrees, and whether they close."""
    wrapped = canonical_longitude(values, decimals)
    order = np.argsort(wrapped, kind="stable")
    east = wrapped[order]
    gaps = np.diff(east, append=east[0] + 360.0)
    if len(east) == 1:
        return order, east, np.ones(1), False
    same = np.flatnonzero(gaps < 1e-3 * np.median(gaps))
    if len(same):
        pair = sorted((order[same[0]], order[(same[0] + 1) % len(order)]))
        last = pair[1] == len(values) - 1
        raise DataError(
            f"{where}: longitude repeats: {values[pair[0]]:.6g} and {values[pair[1]]:.6g} are the same meridian "
            f"({len(values) - len(same)} distinct of {len(values)} values). "
            f"Drop the {'last column' if last and len(same) == 1 else 'repeated columns'} before reading."
        )
    # A full turn closes with a gap like all others; a region leaves one much larger, and begins east of it.
    periodic = len(east) > 3 and bool(gaps.max() <= 1.25 * np.median(gaps))
    start = 0 if periodic else (int(gaps.argmax()) + 1) % len(east)
    order, east, gaps = np.roll(order, -start), np.roll(east, -start), np.roll(gaps, -start)
    unwrapped = east[0] + np.concatenate([[0.0], np.cumsum(gaps[:-1])])
    widths = (gaps + np.roll(gaps, 1)) / 2 if periodic else np.diff(cell_edges(unwrapped))
    return order, east, widths, periodic


def _two_dimensional(dataset: xr.Dataset, variable: str) -> tuple[str, str] | None:
    """Names of the two-dimensional latitude and longitude of a variable."""
    dims = set(dataset[variable].dims)
    named = str(dataset[variable].attrs.get("coordinates", "")).split()
    found: dict[Role, str] = {}
    for name in [*named, *(str(key) for key in dataset.variables)]:
        if name not in dataset.variables:
            continue
        array = dataset.variables[name]
        role = role_of(name, array.attrs)
        planes = array.ndim == 2 or (array.ndim == 3 and _is_time(dataset, str(array.dims[0])))
        if planes and set(array.dims) <= dims and role in (Role.LATITUDE, Role.LONGITUDE):
            found.setdefault(role, name)
    if len(found) < 2:
        return None
    return found[Role.LATITUDE], found[Role.LONGITUDE]


def _is_time(dataset: xr.Dataset, dim: str) -> bool:
    own = dataset.variables.get(dim)
    return role_of(dim, {} if own is None else own.attrs) is Role.TIME or has_dates(dataset, dim)


def _standing(dataset: xr.Dataset, name: str, where: str) -> xr.Variable:
    """A coordinate on rows and columns; models such as WRF write it again at each step.

    Raises
    ------
    DataError
        If it changes with time.
    """
    array = dataset.variables[name]
    if array.ndim == 2:
        return array
    steps = array.sizes[array.dims[0]]
    first = array.isel({array.dims[0]: 0}).load()
    for step in {steps // 2, steps - 1}:
        if not np.allclose(array.isel({array.dims[0]: step}).values, first.values, rtol=0, atol=1e-4, equal_nan=True):
            raise DataError(
                f"{where}: {name} changes with time: the grid moves, and a sensor is a place. "
                "Interpolate the fields onto one grid first."
            )
    return first


def _said_unit(dataset: xr.Dataset, name: str) -> str:
    unit = str(dataset.variables[name].attrs.get("units", ""))
    return f"positions in {unit} were turned to degrees" if degrees_in(unit) != 1 else ""


def _curvilinear(dataset: xr.Dataset, lat: str, lon: str, roles: dict[str, Role | None], where: str) -> Grid:
    latitude, longitude = (_standing(dataset, name, where) for name in (lat, lon))
    dims: tuple[Hashable, ...] = latitude.dims
    y_dim, x_dim = str(dims[0]), str(dims[1])
    if roles.get(y_dim) is Role.X or roles.get(x_dim) is Role.Y:
        y_dim, x_dim = x_dim, y_dim
    north, decimals = _degrees(latitude, (y_dim, x_dim))
    north = np.round(north, decimals)
    east = canonical_longitude(*_degrees(longitude, (y_dim, x_dim)))
    seen = np.isfinite(north) & np.isfinite(east)
    if not seen.any():
        raise DataError(f"{where}: {lat} and {lon} hold no position at all.")
    rows, columns = np.arange(north.shape[0]), np.arange(north.shape[1])
    if len(rows) > 1 and np.nansum(np.diff(north, axis=0)) > 0:
        rows = rows[::-1]
    if len(columns) > 1 and np.nansum(wrap_longitude(np.diff(east, axis=1))) < 0:
        columns = columns[::-1]
    north, east = north[np.ix_(rows, columns)], east[np.ix_(rows, columns)]
    seen = np.isfinite(north) & np.isfinite(east)
    north, east = np.where(seen, north, np.nan), np.where(seen, east, np.nan)
    periodic = _closes(north, east, where)
    area = _quad_area_km2(north, east)
    return Grid(
        "curvilinear",
        (y_dim, x_dim),
        rows,
        columns,
        east.ravel(),
        north.ravel(),
        area.ravel(),
        periodic=periodic,
        note=_said_unit(dataset, lat),
    )


def _degrees(variable: xr.Variable, dims: tuple[str, str]) -> tuple[Float[ndarray, "h w"], int]:
    values = np.asarray(variable.transpose(*dims).values, float)
    for key in ("_FillValue", "missing_value"):
        if key in variable.attrs:
            values = np.where(values == float(np.ravel(variable.attrs[key])[0]), np.nan, values)
    values = np.where(np.abs(values) > 720, np.nan, values) * degrees_in(str(variable.attrs.get("units", "")))
    return values, 5 if variable.dtype.itemsize < 8 else 6


def _closes(north: Float[ndarray, "h w"], east: Float[ndarray, "h w"], where: str) -> bool:
    """Whether the last column neighbours the first; refuses columns that repeat the first ones."""
    if north.shape[1] < 4:
        return False
    for back in (1, 2):  # ocean grids of the NEMO kind repeat two
        one, other = (np.stack([north[:, i], east[:, i]]) for i in (back - 1, -1))
        known = np.isfinite(one).all(axis=0) & np.isfinite(other).all(axis=0)
        if known.any() and np.allclose(one[:, known], other[:, known], rtol=0, atol=1e-5):
            width = north.shape[1]
            raise DataError(
                f"{where}: longitude repeats: the first and last columns stand on the same positions "
                f"({width - back} distinct of {width} columns). "
                f"Drop the last {'column' if back == 1 else '2 columns'} before reading."
            )
    turn = np.nanmedian(np.nansum(np.abs(wrap_longitude(np.diff(east, axis=1))), axis=1))
    step = turn / (north.shape[1] - 1)
    return bool(abs(turn + step - 360.0) < 0.5 * step)


def _quad_area_km2(north: Float[ndarray, "h w"], east: Float[ndarray, "h w"]) -> Float[ndarray, "h w"]:
    """Area of cells from the steps between neighbouring centres on the sphere."""
    points = unit_vectors(east.ravel(), north.ravel()).reshape(*north.shape, 3)
    down = np.gradient(points, axis=0) if north.shape[0] > 1 else np.full_like(points, np.nan)
    across = np.gradient(points, axis=1) if north.shape[1] > 1 else np.full_like(points, np.nan)
    area = np.linalg.norm(np.cross(down, across), axis=-1) * EARTH_RADIUS_KM**2
    known = np.isfinite(area)
    return np.where(known, area, np.median(area[known]) if known.any() else 1.0)


def _projected(dataset: xr.Dataset, variable: str, y_dim: str, x_dim: str, where: str) -> Grid:
    x, y = (to_metres(*_axis(dataset, dim, where), dataset[dim].attrs, dim, where) for dim in (x_dim, y_dim))
    rows, columns = np.argsort(-y, kind="stable"), np.argsort(x, kind="stable")
    for name, axis in ((y_dim, y), (x_dim, x)):
        if len(np.unique(axis)) < len(axis):
            raise DataError(f"{where}: {name} repeats: {len(np.unique(axis))} distinct of {len(axis)} values.")
    y, x = y[rows], x[columns]
    area = np.abs(np.diff(cell_edges(y)))[:, None] * np.abs(np.diff(cell_edges(x)))[None, :] / 1e6
    across, down = np.meshgrid(x, y)
    place = to_degrees(dataset, variable, across.ravel(), down.ravel(), where=where)
    if place.rotated:  # degrees of a turned pole are no metres: the cells have plain positions on the Earth
        north, east = place.latitude.reshape(across.shape), place.longitude.reshape(across.shape)
        turned = _quad_area_km2(north, east).ravel()
        return Grid("rotated pole", (y_dim, x_dim), rows, columns, east.ravel(), north.ravel(), turned)
    return Grid(
        "projected",
        (y_dim, x_dim),
        rows,
        columns,
        across.ravel(),
        down.ravel(),
        area.ravel(),
        frame=Frame.PROJECTED if place.crs else Frame.PLANAR,
        crs=place.crs,
        longitude=place.longitude if place.crs else None,
        latitude=place.latitude if place.crs else None,
        note="" if place.crs else "the file names no map projection, so positions are metres in a plane of their own",
    )
