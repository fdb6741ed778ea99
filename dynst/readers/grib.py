"""GRIB through cfgrib, which comes with the extra ``dynst[grib]``."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import xarray as xr

from dynst.errors import DataError

__all__ = ["check_installed", "opened"]


def check_installed(name: str) -> None:
    """Refuse a GRIB file where nothing can read it.

    Raises
    ------
    DataError
        If cfgrib is not installed.
    """
    if find_spec("cfgrib") is None:
        raise DataError(f"{name}: reading GRIB needs the package cfgrib: pip install dynst[grib]")


def opened(file: str) -> xr.Dataset:
    """All fields of a GRIB file whose axes fit together; nothing is decoded, and no index is written beside it.

    Raises
    ------
    DataError
        If cfgrib cannot be loaded.
    """
    try:
        cfgrib: Any = importlib.import_module("cfgrib")
    except (ImportError, RuntimeError) as err:  # a missing ecCodes library is a RuntimeError
        raise DataError(f"{Path(file).name}: cfgrib cannot be loaded ({err}): pip install dynst[grib]") from err
    parts = cfgrib.open_datasets(file, backend_kwargs={"indexpath": ""}, decode_cf=False, cache=False)
    whole = xr.Dataset()
    for part in parts:
        alone = part.drop_vars([name for name, array in part.coords.items() if array.ndim == 0 and len(parts) > 1])
        fits = all(whole.sizes.get(dim, size) == size for dim, size in alone.sizes.items())
        known = [name for name in alone.data_vars if name not in whole]
        whole = whole.assign(alone[known].variables) if fits else whole
    return whole
