"""Groups of netCDF-4 and zarr: the one that holds data is read, of several one is named behind ``#``."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import xarray as xr
import zarr

from dynst.errors import DataError

__all__ = ["MARK", "only_group", "opened"]

MARK = "#"
"""Between a file and the group that is meant: ``x.nc#forecast``."""

_SHOWN = 8


def opened(file: str, kind: str, group: str = "") -> xr.Dataset:
    """A file or store, undecoded; with what lies above a group that describes its dimensions.

    Raises
    ------
    DataError
        If data lie in several groups and none is named, or in none of the name.
    """
    root = _open(file, kind, "")
    if not group and any(array.ndim > 1 for array in root.variables.values()):
        return root
    known = _groups(file, kind)
    wanted = group.strip("/")
    if not wanted and len(known) != 1:
        return root if not known else _ask(root, file, known)
    name = wanted or next(iter(known))
    if name not in known:
        raise DataError(f"{Path(file).name}: there is no group {name} with data in it; {_said(known)}.")
    inside = _open(file, kind, name)
    above = {
        key: array for key, array in root.variables.items() if key not in inside and set(array.dims) <= set(inside.dims)
    }
    return inside.assign(above)


def only_group(file: str) -> str | None:
    """The group of a netCDF file that holds all its data; None if they lie in none, or in several."""
    with netCDF4.Dataset(file) as store:
        if any(array.ndim > 1 for array in store.variables.values()):
            return None
        found: dict[str, list[str]] = {}
        _walk(store, "", found)
    return next(iter(found)) if len(found) == 1 else None


def _ask(root: xr.Dataset, file: str, known: dict[str, list[str]]) -> xr.Dataset:
    root.close()
    raise DataError(
        f"{Path(file).name}: its data lie in {len(known)} groups: {_said(known)}. "
        f"Name one behind {MARK}: {file}{MARK}{next(iter(known))}"
    )


def _said(known: dict[str, list[str]]) -> str:
    shown = [f"{name} ({', '.join(variables[:3])})" for name, variables in list(known.items())[:_SHOWN]]
    more = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return (", ".join(shown) or "no group holds any") + more


def _open(file: str, kind: str, group: str) -> xr.Dataset:
    place = group or None
    if kind != "zarr":
        return xr.open_dataset(file, engine="netcdf4", decode_cf=False, cache=False, group=place)
    try:
        return xr.open_dataset(file, engine="zarr", decode_cf=False, cache=False, consolidated=True, group=place)
    except (KeyError, ValueError):
        return xr.open_dataset(file, engine="zarr", decode_cf=False, cache=False, consolidated=False, group=place)


def _groups(file: str, kind: str) -> dict[str, list[str]]:
    """Groups that hold arrays of two dimensions or more, by their path, with the names of those."""
    found: dict[str, list[str]] = {}
    if kind == "zarr":
        _walk_zarr(zarr.open_group(file, mode="r"), "", found)
    else:
        with netCDF4.Dataset(file) as store:
            _walk(store, "", found)
    return dict(sorted(found.items()))


def _walk(store: netCDF4.Dataset, path: str, found: dict[str, list[str]]) -> None:
    for name, inner in store.groups.items():
        here = f"{path}/{name}".strip("/")
        arrays = [key for key, array in inner.variables.items() if array.ndim > 1]
        found.update({here: arrays} if arrays else {})
        _walk(inner, here, found)


def _walk_zarr(store: zarr.Group, path: str, found: dict[str, list[str]]) -> None:
    for name, inner in store.groups():
        here = f"{path}/{name}".strip("/")
        arrays = [key for key, array in inner.arrays() if array.ndim > 1]
        found.update({here: arrays} if arrays else {})
        _walk_zarr(inner, here, found)
