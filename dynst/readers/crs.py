"""Map projections of grids in metres: from the CF grid mapping to positions on the Earth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyproj
import xarray as xr
from jaxtyping import Float
from numpy import ndarray

from dynst.domain.space import wrap_longitude
from dynst.errors import DataError

__all__ = ["Place", "canonical_longitude", "to_degrees", "to_metres"]

_METRES = {"m": 1.0, "metre": 1.0, "meter": 1.0, "metres": 1.0, "meters": 1.0, "km": 1000.0}
_METRES |= {
    "kilometre": 1000.0,
    "kilometer": 1000.0,
    "kilometres": 1000.0,
    "kilometers": 1000.0,
    "": 1.0,
    "1000 m": 1e3,
}
_TURNED = {"degrees", "degree", "deg"}


@dataclass(frozen=True, eq=False)
class Place:
    """Positions on the Earth of projected cells, if a projection is known."""

    longitude: Float[ndarray, " n"]
    latitude: Float[ndarray, " n"]
    crs: str | None
    rotated: bool = False


def canonical_longitude(degrees: Float[ndarray, "*s"], decimals: int) -> Float[ndarray, "*s"]:
    """Longitudes in [-180, 180), rounded last: 359.9 and -0.1 give the same bits.

    Examples
    --------
    >>> canonical_longitude(np.array([359.9, 179.9999999, 360.0]), 6).tolist()
    [-0.1, -180.0, 0.0]
    """
    wrapped = np.round(wrap_longitude(degrees), decimals)
    return np.where(wrapped >= 180.0, -180.0, wrapped) + 0.0  # + 0.0 turns -0.0 into 0.0


def to_metres(
    values: Float[ndarray, " m"], decimals: int, attrs: Mapping[str, object], name: str, where: str
) -> Float[ndarray, " m"]:
    """A projected coordinate in metres (degrees stay degrees: a rotated pole), rounded to what its type can hold.

    Examples
    --------
    >>> to_metres(np.array([1.0, 2.5]), 6, {"units": "km"}, "x", "x.nc").tolist()
    [1000.0, 2500.0]
    """
    units = str(attrs.get("units", "")).strip().lower()
    if units in _TURNED:
        return np.round(values, decimals)
    if units not in _METRES:
        raise DataError(f"{where}: coordinate {name} is in {units!r}. Expected metres, kilometres or degrees.")
    return np.round(values * _METRES[units], 3 if decimals > 4 else 1)


def to_degrees(
    dataset: xr.Dataset, variable: str, x: Float[ndarray, " n"], y: Float[ndarray, " n"], *, where: str
) -> Place:
    """Longitude and latitude of cells, by the grid mapping that the variable or the file names."""
    nowhere = np.full(len(x), np.nan)
    mapping = _mapping(dataset, variable)
    if mapping is None:
        return Place(nowhere, nowhere, None)
    name, attrs = mapping
    try:
        crs = _crs(attrs)
        rotated = attrs.get("grid_mapping_name") == "rotated_latitude_longitude"
        # To the projection's own sphere or ellipsoid: weather models print their spherical latitude as it is.
        base = crs.geodetic_crs if not rotated else crs.source_crs
        step = pyproj.Transformer.from_crs(crs, base, always_xy=True)
        longitude, latitude = step.transform(x, y)
    except (pyproj.exceptions.CRSError, pyproj.exceptions.ProjError, KeyError, ValueError) as err:
        raise DataError(f"{where}: the projection {name} cannot be understood: {err}. Mend its attributes.") from err
    epsg = crs.to_epsg()
    said = f"EPSG:{epsg}" if epsg else crs.to_wkt()
    return Place(canonical_longitude(longitude, 6), np.round(latitude, 6), said, rotated)


def _mapping(dataset: xr.Dataset, variable: str) -> tuple[str, Mapping[str, object]] | None:
    named = str(dataset[variable].attrs.get("grid_mapping", dataset[variable].encoding.get("grid_mapping", "")))
    named = named.split(":", maxsplit=1)[0]
    if named in dataset.variables:
        return named, dataset.variables[named].attrs
    for name, array in dataset.variables.items():
        if {"grid_mapping_name", "crs_wkt", "spatial_ref"} & set(array.attrs):
            return str(name), array.attrs
    return None


def _crs(attrs: Mapping[str, object]) -> pyproj.CRS:
    for key in ("crs_wkt", "spatial_ref"):
        if attrs.get(key):
            return pyproj.CRS.from_user_input(str(attrs[key]))
    try:
        return pyproj.CRS.from_cf(dict(attrs))
    except (KeyError, pyproj.exceptions.CRSError):
        if "proj4" in attrs:
            return pyproj.CRS.from_user_input(str(attrs["proj4"]))
        raise
