"""netCDF and zarr on grids: latitude-longitude, projected or curvilinear; one file or many; WeatherBench 1 and 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from dynst.domain import ArraySeries, Field, GridLayout, Origin, Series, Sites
from dynst.domain.caches import cache_folder
from dynst.errors import DataError
from dynst.readers.base import Hints
from dynst.readers.cache import Learnt, convert
from dynst.readers.names import Role, role_of
from dynst.readers.survey import Survey, survey
from dynst.readers.values import Look, look

__all__ = ["IN_MEMORY_BYTES", "field_of", "read", "recognises"]

IN_MEMORY_BYTES = 64 << 20
"""Records up to this size stay in memory. Chosen: every sample and most regional files fit, and no laptop notices."""


def recognises(path: str, hints: Hints) -> bool:
    """Whether a path is a netCDF file under the name of an HDF5 file, with latitudes."""
    if hints != Hints() or "://" in path or Path(path).suffix.lower() not in {".h5", ".hdf5"}:
        return False
    try:
        with xr.open_dataset(path, engine="netcdf4", decode_cf=False, cache=False) as data:
            return any(role_of(str(name), array.attrs) is Role.LATITUDE for name, array in data.coords.items())
    except Exception:  # whatever is wrong with it, another reader says so
        return False


def read(
    path: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Field:
    """A record on a grid, from any CF-like netCDF or zarr.

    Parameters
    ----------
    path : str
        A file, a pattern, a folder of netCDF files, a tree of one folder per variable (WeatherBench 1), a zarr store
        (WeatherBench 2), or a URL of one of them.
    observe, predict : sequence of str, optional
        Channels that sensors measure and that are forecast: channels (``z500``), variables (all their levels) by
        their name in the file or their short name. Default: all, if there are at most 8.
    cache_dir : Path, optional
        Where records larger than 64 MB are kept once converted; default ``DYNST_CACHE`` or the user's cache folder.
    hints : Hints
        ``keep_values``; none of the others means anything here.

    Returns
    -------
    Field
        The same for the same physical data, however they are laid out: northern rows first, columns from west to
        east beginning after the widest gap (a full turn at -180), longitudes in [-180, 180), missing values NaN,
        cells that never hold a value left out. Notes of what was done are in `Origin.notes`.

    Raises
    ------
    DataError
        If the files hold no usable record; the message names the file, the reason and the remedy.
    ConfigError
        If a channel is asked for that is not there, or channels must be named.
    """
    hints.check("gridded")
    found = survey(path, cache_dir=cache_dir)
    try:
        return field_of(found.choose(observe, predict), cache_dir=cache_dir, keep_values=hints.keep_values)
    finally:
        found.close()


def field_of(found: Survey, *, cache_dir: Path | None = None, keep_values: bool = False) -> Field:
    """The field of a survey whose channels are chosen: read into memory if small, else converted once to a file."""
    series: Series
    if found.bytes <= IN_MEMORY_BYTES:
        values = np.empty((found.steps, found.grid.x.size, len(found.channels)), np.float32)
        for slab in found.slabs():
            values[slab.start : slab.start + len(slab.values), slab.site : slab.site + slab.values.shape[1]] = (
                slab.values
            )
        seen = ~np.isnan(values)
        _no_empty_channel(found, np.asarray(seen.any(axis=(0, 1))))
        cells = np.flatnonzero(seen.any(axis=(0, 2)) & found.positioned)
        series = ArraySeries(values[:, cells] if len(cells) < values.shape[1] else values)
        missing = 1.0 - float(seen[:, cells].mean()) if len(cells) else 0.0
        learnt = Learnt(missing, tuple(found.oddities.notes()))
    else:
        done = convert(
            cache_folder(cache_dir),
            found.version,
            found.steps,
            len(found.channels),
            cells=lambda: _cells(found),
            slabs=found.slabs,
            learnt=lambda: Learnt(found.missing_share(), tuple(found.oddities.notes())),
        )
        series, cells, learnt = done.series, done.cells, done.learnt
    if not len(cells):
        raise DataError(
            f"{found.source.name}: no cell of the grid ever holds a value. Check the variable and its mask."
        )
    looked = look(series, found.channels, learnt.missing, keep=keep_values)
    return looked.on(_assemble(found, looked, cells, learnt))


def _cells(found: Survey) -> np.ndarray:
    """Cells that ever hold a value; a look at the first slab is enough if none is missing there."""
    first = next(iter(found.slabs(limit_bands=False)))
    if first.values.shape[1] == found.grid.x.size and not np.isnan(first.values).any():
        return np.flatnonzero(found.positioned)
    valid = np.zeros(found.grid.x.size, bool)
    channels = np.zeros(len(found.channels), bool)
    for slab in found.slabs():
        seen = ~np.isnan(slab.values)
        valid[slab.site : slab.site + slab.values.shape[1]] |= seen.any(axis=(0, 2))
        channels |= seen.any(axis=(0, 1))
    _no_empty_channel(found, channels)
    found.oddities.clear()  # they are counted again when the values are written
    return np.flatnonzero(valid & found.positioned)


def _no_empty_channel(found: Survey, seen: np.ndarray) -> None:
    empty = [channel.name for channel, any_value in zip(found.channels, seen.tolist(), strict=True) if not any_value]
    if empty:
        raise DataError(
            f"{found.source.name}: {', '.join(empty)} has no value at any time and place (all missing). "
            "Choose other variables with --observe and --predict, or check the file."
        )


def _assemble(found: Survey, seen: Look, cells: np.ndarray, learnt: Learnt) -> Field:
    grid, missing = found.grid, seen.missing
    cells = cells[seen.sites]
    sites = Sites(
        grid.x[cells],
        grid.y[cells],
        frame=grid.frame,
        area=grid.area[cells],
        crs=grid.crs,
        longitude=None if grid.longitude is None else grid.longitude[cells],
        latitude=None if grid.latitude is None else grid.latitude[cells],
    )
    said = [*found.source.notes, *found.notes, *learnt.notes]
    dropped = grid.x.size - len(cells)
    if dropped:
        said.append(f"{dropped} of {grid.x.size} cells never hold a value and are no sites")
    if missing > 0:
        said.append(f"{missing:.2%} of the values at the sites are missing")
    return Field(
        series=seen.series,
        time=found.time,
        clock=found.clock,
        run=found.runs.run,
        sites=sites,
        layout=GridLayout(grid.shape, cells, periodic=grid.periodic),
        channels=found.channels,
        name=found.source.name,
        cadence=found.runs.cadence,
        has_missing=missing > 0,
        origin=Origin(
            found.source.path,
            "gridded",
            found.source.marks.fingerprint,
            sampled=found.source.marks.sampled,
            notes=tuple(said),
            grid=f"{grid.kind} {grid.shape[0]} x {grid.shape[1]}",
        ),
    )
