"""Meshes and clouds of points: EAGLE runs, UGRID netCDF, plain arrays in .npz, MATLAB and HDF5 files."""

from __future__ import annotations

import glob
import zipfile
from collections.abc import Sequence
from pathlib import Path

import h5py  # type: ignore[import-untyped]  # it ships no types

from dynst.domain import Field
from dynst.errors import ConfigError, DataError
from dynst.readers.base import Hints
from dynst.readers.eagle import SITES, read_eagle, runs_in
from dynst.readers.mesh_records import field_of
from dynst.readers.point_clouds import POSITIONS, read_cloud
from dynst.readers.records import Wanted
from dynst.readers.ugrid import holds_mesh, read_ugrid

__all__ = ["read", "recognises"]

_NETCDF = (".nc", ".nc4", ".cdf", ".netcdf")


def recognises(path: str, hints: Hints) -> bool:
    """Whether a path holds a mesh or a cloud of points, by the names of files and of the arrays in them."""
    if hints.stations is not None or hints.graph is not None or hints.layout is not None or "://" in path:
        return False
    try:
        place = Path(path).expanduser()
        several = _netcdf_files(place)
        if several:
            return holds_mesh(several[0]) and not any(place.glob("*.csv"))
        if place.is_dir():
            tables = any(place.glob("*.csv"))
            return not tables and (bool(runs_in(place)) or (place / "triangles.npy").is_file())
        if not place.is_file():
            return bool(runs_in(place))
        suffix = place.suffix.lower()
        if suffix in _NETCDF:
            return holds_mesh(place)
        return suffix == ".mat" or place.name == "sim.npz" or bool(_names(place, suffix) & set(POSITIONS))
    except (OSError, RuntimeError, ValueError):  # no permission, too long a name, an unknown home, a zero byte
        return False


def _netcdf_files(place: Path) -> list[Path]:
    """The netCDF files of a folder or of a pattern; none for anything else."""
    if place.is_dir():
        return sorted(file for file in place.iterdir() if file.suffix.lower() in _NETCDF)
    found = [] if place.is_file() else sorted(map(Path, glob.glob(str(place))))  # noqa: PTH207 - may be absolute
    return found if all(file.suffix.lower() in _NETCDF and file.is_file() for file in found) else []


def _names(file: Path, suffix: str) -> set[str]:
    """Names of the arrays in a file, in small letters; none if it cannot be opened."""
    try:
        if suffix == ".npz":
            with zipfile.ZipFile(file) as archive:
                return {name.removesuffix(".npy").lower() for name in archive.namelist()}
        if suffix in {".h5", ".hdf5"}:
            with h5py.File(file, "r") as store:
                return {str(name).lower() for name in store}
    except Exception:  # whatever is wrong with it, another reader says
        return set()
    return set()


def read(
    path: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Field:
    """A record on a mesh or on scattered points of a plane.

    Parameters
    ----------
    path : str
        A run folder of EAGLE (``sim.npz`` and ``triangles.npy``), a tree of them or a pattern; a netCDF file with a
        mesh or with cells that form no grid (UGRID, FVCOM, ICON, MPAS), or several that follow each other; a .npz,
        .h5 or MATLAB file with positions, maybe triangles, and fields.
    observe, predict : sequence of str, optional
        Channels that sensors measure and that are forecast. Default: all, if there are at most 8.
    cache_dir : Path, optional
        Where records larger than 64 MB are kept once converted; default ``DYNST_CACHE`` or the user's cache folder.
    hints : Hints
        ``sites``, the number of reference sites of meshes that move; 2000 if left out.

    Returns
    -------
    Field
        A mesh that stands still keeps its nodes and triangles. Meshes that move, or differ between runs, are read off
        at reference sites; what was done is in `Origin.notes`.

    Raises
    ------
    DataError
        If the files hold no usable record; the message names the file, the reason and the remedy.
    ConfigError
        If a channel is asked for that is not there, or channels must be named.
    """
    hints.check("mesh", "sites")
    if hints.sites is not None and hints.sites < 2:
        raise ConfigError(f"sites must be 2 or more; {hints.sites} came.")
    wanted, place = Wanted(observe, predict), Path(path).expanduser()
    several = _netcdf_files(place)
    if not several and runs_in(place):
        record = read_eagle(path, place, wanted, hints.sites or SITES)
    elif not several and place.is_dir():
        raise DataError(f"{path}: triangles.npy has no sim.npz beside it. Give a whole run folder, or a tree of them.")
    elif hints.sites is not None:
        raise ConfigError("sites is for meshes that move; this mesh keeps its own nodes: leave it out.")
    elif several or place.suffix.lower() in _NETCDF:
        record = read_ugrid(path, several or [place], wanted)
    else:
        record = read_cloud(path, place, wanted)
    return field_of(record, cache_dir=cache_dir, keep_values=hints.keep_values)
