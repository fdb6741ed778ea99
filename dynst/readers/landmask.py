"""A land-sea mask that travels in the same file as the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Bool
from numpy import ndarray

from dynst.readers.grids import Grid, find_grid
from dynst.readers.pieces import Oddities, decode

__all__ = ["LandMask", "find_mask"]

_STANDARD = {"land_binary_mask", "sea_binary_mask", "land_area_fraction", "sea_area_fraction"}
_NAMES = {"land_mask", "landmask", "lsm", "lsmask", "land_sea_mask", "sea_mask", "ocean_mask", "wet", "tmask", "mask"}


@dataclass(frozen=True, eq=False)
class LandMask:
    """Where a file says that land is, on the canonical grid."""

    variable: str
    land: Bool[ndarray, " n"]


def find_mask(dataset: xr.Dataset, grids: Sequence[Grid]) -> LandMask | None:
    """The land-sea mask of a file, if one variable obviously is one: static, on the grid, between 0 and 1."""
    for variable in map(str, dataset.variables):
        array = dataset.variables[variable]
        standard = str(array.attrs.get("standard_name", ""))
        if standard not in _STANDARD and variable.lower() not in _NAMES:
            continue
        if array.ndim < 2 or array.dtype.kind not in "iufb":
            continue
        grid = find_grid(dataset, variable, where=variable)
        if grid is None or not any(grid.same_as(other) for other in grids):
            continue
        if any(dataset.sizes[dim] > 1 for dim in array.dims if dim not in grid.dims):
            continue
        raw = array.isel({dim: 0 for dim in array.dims if dim not in grid.dims}).transpose(*grid.dims).values
        values = decode(np.asarray(raw), array.attrs, Oddities())[np.ix_(grid.rows, grid.columns)].ravel()
        if np.nanmin(values) < 0 or np.nanmax(values) > 1:
            continue
        one_is_land = _one_is_land(variable, array)
        if one_is_land is not None:
            # A cell without a mask value is undefined ground: never a site at sea.
            sea = values < 0.5 if one_is_land else values > 0.5
            return LandMask(variable, ~sea)
    return None


def _one_is_land(variable: str, array: xr.Variable) -> bool | None:
    """Whether 1 means land; None if the file does not say."""
    meanings = str(array.attrs.get("flag_meanings", "")).lower().split()
    flags = np.ravel(np.asarray(array.attrs.get("flag_values", []))).tolist()
    if 1 in flags and len(meanings) == len(flags):
        return "land" in meanings[flags.index(1)]
    said = f"{array.attrs.get('standard_name', '')} {variable}".lower()
    if (
        any(word in said for word in ("land_binary", "land_area", "land_mask", "landmask", "lsm"))
        and "lsmask" not in said
    ):
        return True
    if (
        any(word in said for word in ("sea_binary", "sea_area", "sea_mask", "ocean", "wet", "tmask"))
        and "land" not in said
    ):
        return False
    return None
