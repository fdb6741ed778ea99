"""Data made in Python: an xarray object or a pandas table, read by the rules for files of the same content."""

from __future__ import annotations

import os
import re
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import geopandas
import pandas as pd
import xarray as xr

from dynst.domain import Field
from dynst.errors import ConfigError, DataError
from dynst.readers.base import Hints
from dynst.readers.door import read

__all__ = ["as_netcdf", "read_data"]

_EXPECTED = (
    "Expected a study, a path, a Field, an xarray Dataset or DataArray, or a pandas DataFrame (index time and a "
    "column a station, or a row a station and time)."
)
_STATIONS = "Expected a path, or a DataFrame with the columns station, lat, lon."


def read_data(
    data: object,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
    stations: object = None,
) -> Field:
    """The field in an object of another library: written to a file out of sight, then read as any file.

    So names, units, calendars, grids and gaps mean what they mean in a file. Data larger than memory are better named
    by their path.

    Parameters
    ----------
    data : xr.Dataset, xr.DataArray or pd.DataFrame
        A table may be wide (index or first column the time, a column a station) or long.
    observe, predict : sequence of str, optional
        See `dynst.read`.
    hints : Hints
        What the data do not say themselves.
    stations : path or pd.DataFrame, optional
        Positions of stations, in place of `Hints.stations`.

    Raises
    ------
    ConfigError
        If the object is of another kind.
    DataError
        If it cannot be written, or holds no usable record.

    Examples
    --------
    >>> time = pd.date_range("2020-01-01", periods=40, freq="D")
    >>> waves = pd.DataFrame({"a": range(40), "b": range(40)}, index=time)
    >>> read_data(waves, stations=pd.DataFrame({"station": ["a", "b"], "lat": [46.0, 47.0], "lon": [7.0, 8.0]}))
    Field(40 steps x 2 sites x 1 channels, 1 run)
    """
    folder = tempfile.TemporaryDirectory(prefix="dynst-")
    kept = Path(folder.name) / "kept"
    try:
        path = _written(data, Path(folder.name))
        if stations is not None:
            hints = replace(hints, stations=_positions(stations, Path(folder.name)))
        field = read(str(path), observe=observe, predict=predict, hints=hints, cache_dir=kept)
    except BaseException:
        folder.cleanup()
        raise
    if kept.exists():  # a large record was converted to a file, which goes when nobody holds the record any more
        path.unlink()
        weakref.finalize(field.series, folder.cleanup)
    else:
        folder.cleanup()
    return replace(field, origin=replace(field.origin, path=""))


def _written(data: object, folder: Path) -> Path:
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name=data.name or "value")
    if isinstance(data, xr.Dataset):
        return as_netcdf(data, folder / f"{_name(data)}.nc")
    if isinstance(data, pd.DataFrame):
        return _table(data, folder / "table.csv")
    raise ConfigError(f"data: an object of type {type(data).__name__} came. {_EXPECTED}")


def _name(data: xr.Dataset) -> str:
    """As the file that it was opened from is called."""
    source = data.encoding.get("source")
    stem = Path(source).stem if isinstance(source, str) else ""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-") or "dataset"


def as_netcdf(data: xr.Dataset, path: Path) -> Path:
    """The file of a dataset, so that the readers can read it.

    Raises
    ------
    DataError
        If netCDF cannot hold it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", xr.SerializationWarning)
            data.drop_encoding().to_netcdf(path, engine="netcdf4")
    except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
        first = str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
        raise DataError(
            f"the dataset cannot be written as netCDF: {first}. Drop or convert the variable or attribute."
        ) from error
    return path


def _table(frame: pd.DataFrame, path: Path) -> Path:
    if frame.columns.nlevels > 1:
        raise DataError(
            f"the table has {frame.columns.nlevels} levels of column names; one is expected. "
            "Give a long table: time, station, and a column a quantity."
        )
    return _csv(frame, path, index="time")


def _positions(stations: object, folder: Path) -> str:
    if isinstance(stations, str | os.PathLike):
        return os.fspath(stations)
    if isinstance(stations, geopandas.GeoDataFrame):
        path = folder / "stations.gpkg"
        stations.to_file(path, driver="GPKG")
        return str(path)
    if isinstance(stations, pd.DataFrame):
        return str(_csv(stations, folder / "stations.csv", index="station"))
    raise ConfigError(f"stations: an object of type {type(stations).__name__} came. {_STATIONS}")


def _csv(frame: pd.DataFrame, path: Path, *, index: str) -> Path:
    """The table as CSV; an index that only counts rows is left out, one without a name gets one."""
    counted = isinstance(frame.index, pd.RangeIndex) and frame.index.name is None
    named = frame.rename_axis(index) if frame.index.nlevels == 1 and frame.index.name is None else frame
    named.to_csv(path, index=not counted)
    return path
