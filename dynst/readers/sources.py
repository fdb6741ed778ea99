"""Files and stores behind a path: found, told apart by their first bytes, opened lazily, fingerprinted."""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path

import fsspec
import xarray as xr

from dynst.domain.caches import cache_folder
from dynst.errors import ConfigError, DataError
from dynst.readers import grib, groups
from dynst.readers.fingerprints import Marks, marks_of
from dynst.readers.netcdf3 import expected_size

__all__ = ["Handles", "Source", "locate", "source_of", "writable"]

_NETCDF = (b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF\r\n\x1a\n")
_GRIB = b"GRIB"
_SUFFIXES = (".nc", ".nc4", ".cdf", ".netcdf")
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zmetadata")
_PACKAGES = {
    "http": "aiohttp",
    "https": "aiohttp",
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}
_NO_FILE = "neither a file nor a folder, but a device, a pipe or a socket. Write the data to a netCDF file first."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REMOTE = "the fingerprint of a remote store sees names, sizes and descriptions of its parts, not their values"


@dataclass(frozen=True)
class Source:
    """What a path stands for.

    Parameters
    ----------
    path : str
        As the user gave it.
    name : str
        Short name, for run folders and titles.
    kind : str
        ``netcdf`` or ``zarr``.
    files : tuple of str
        netCDF files on this machine, or the one zarr store (a folder or a URL).
    marks : Marks
        Fingerprints of the files.
    notes : tuple of str
        What a user should know of them.
    group : str
        The group inside the files, as the user named it behind ``#``; empty for the one that holds data.
    """

    path: str
    name: str
    kind: str
    files: tuple[str, ...]
    marks: Marks
    notes: tuple[str, ...] = ()
    group: str = ""


class Handles:
    """Lazily opened datasets, the last few kept open: forty years of files are not forty open files."""

    def __init__(self, source: Source, limit: int = 8) -> None:
        self._source = source
        self._limit = limit
        self._open: OrderedDict[str, xr.Dataset] = OrderedDict()

    def __getitem__(self, file: str) -> xr.Dataset:
        if file not in self._open:
            self._open[file] = _open(file, self._source.kind, self._source.group)
            if len(self._open) > self._limit:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(file)
        return self._open[file]

    def close(self) -> None:
        """Close all."""
        while self._open:
            self._open.popitem()[1].close()


def locate(path: str, *, cache_dir: Path | None = None) -> Source:
    """The files behind a path: a file, a glob, a folder, a tree of folders, a zarr store, or a URL of one of them.

    Remote netCDF files are fetched once into the cache folder, remote zarr stores are read in place.

    Raises
    ------
    DataError
        If there is nothing, or nothing that is netCDF or zarr.
    """
    if path.startswith("file://"):
        return replace(locate(path.removeprefix("file://"), cache_dir=cache_dir), path=path)
    if "://" in path:
        return _remote(path, cache_dir)
    if groups.MARK in path and not Path(path).exists():
        file, group = path.rsplit(groups.MARK, 1)
        return replace(locate(file, cache_dir=cache_dir), path=path, group=group)
    files = _local_files(path)
    if files is None:
        store = Path(path)
        members = sorted(p for p in store.rglob("*") if p.is_file())
        return source_of(
            path, _clean(store.name), "zarr", (str(store),), members=members, root=store, cache_dir=cache_dir
        )
    for file in files:
        _check_netcdf(file)
    plain = [Path(file) for file in files]
    name = plain[0].stem if len(plain) == 1 else re.sub(r"[*?\[\]]+", "", Path(path).stem) or plain[0].parent.name
    root = Path(os.path.commonpath([p.parent for p in plain]))
    return source_of(path, _clean(name), "netcdf", tuple(files), members=plain, root=root, cache_dir=cache_dir)


def _local_files(path: str) -> list[str] | None:
    """The netCDF files of a path; None for a zarr store."""
    try:
        return _listed(path, Path(path).expanduser())
    except DataError:
        raise
    except (OSError, RuntimeError, ValueError) as err:  # no permission, too long a name, an unknown home, a zero byte
        reason = getattr(err, "strerror", None) or str(err)
        raise DataError(f"{path!r}: cannot be looked at: {reason}. Check the path and its permissions.") from err


def _listed(path: str, place: Path) -> list[str] | None:
    if not place.exists():
        found = sorted(glob.glob(str(place), recursive=True))  # noqa: PTH207 - the pattern may be absolute
        if not found:
            raise DataError(f"{path}: no such file, folder or pattern. Check the path (here: {Path.cwd()}).")
        return found
    if place.is_file():
        return [str(place)]
    if not place.is_dir():
        raise DataError(f"{path}: {_NO_FILE}")
    if any((place / mark).exists() for mark in _ZARR_MARKS):
        return None
    inside = [p for p in sorted(place.iterdir()) if p.suffix.lower() in _SUFFIXES]
    if not inside:  # one folder per variable; constants hold no series
        folders = [p for p in sorted(place.iterdir()) if p.is_dir() and p.name != "constants"]
        inside = [p for folder in folders for p in sorted(folder.iterdir()) if p.suffix.lower() in _SUFFIXES]
    inside = inside or [p for p in sorted(place.iterdir()) if p.is_file() and _starts(p).startswith((*_NETCDF, _GRIB))]
    if not inside:
        stores = [p.name for p in sorted(place.iterdir()) if any((p / mark).exists() for mark in _ZARR_MARKS)]
        hint = f" It holds zarr stores: give one of {', '.join(stores)}." if stores else ""
        raise DataError(
            f"{path}: the folder holds no netCDF file ({', '.join(_SUFFIXES)}), no folder of them, and is no zarr "
            f"store.{hint or ' Give a file, a folder of files, a zarr store or sample:NAME.'}"
        )
    return [str(p) for p in inside]


def _check_netcdf(file: str) -> None:
    name = Path(file).name
    if Path(file).is_dir():
        raise DataError(f"{name}: a folder came where a netCDF file was expected. Give a pattern that matches files.")
    if not Path(file).is_file():  # to open a pipe would wait for ever
        raise DataError(f"{name}: {_NO_FILE}")
    start = _starts(Path(file))
    if not start:
        raise DataError(f"{name}: the file is empty (0 bytes). Get it again.")
    if start.startswith(b"CDF"):
        _check_whole(Path(file))
    if start.startswith(_NETCDF):
        return
    if start.startswith(_GRIB):
        grib.check_installed(name)
        return
    if start.startswith((b"PK\x03\x04", b"\x93NUMPY")):
        raise DataError(f"{name}: NumPy and zip files are not read yet. Write the grid as netCDF or zarr.")
    text = start.decode("utf-8", errors="replace").splitlines()[0][:40]
    kind = "text" if text.isprintable() else "unknown content"
    raise DataError(
        f"{name}: not a netCDF file: it starts with {text!r} ({kind}). Expected netCDF 3, netCDF 4 or zarr."
    )


def _starts(file: Path) -> bytes:
    """The first bytes of a file."""
    try:
        with file.open("rb") as stream:
            return stream.read(64)
    except OSError as err:
        raise DataError(f"{file.name}: the file cannot be opened ({err.strerror}). Check its permissions.") from err


def _check_whole(file: Path) -> None:
    size = file.stat().st_size
    try:
        expected = expected_size(file)
    except (EOFError, LookupError, OSError, ValueError, OverflowError):  # the header is cut off or damaged
        raise DataError(
            f"{file.name}: the header is damaged: the file is not whole ({size} bytes). Get it again."
        ) from None
    if expected is not None and size < expected:
        raise DataError(f"{file.name}: the file is not whole: {size} of {expected} bytes are there. Get it again.")


def _file_system(url: str, protocol: str) -> tuple[fsspec.AbstractFileSystem, str]:
    if protocol not in fsspec.available_protocols():
        raise DataError(f'{url}: the protocol "{protocol}://" is unknown. Use https://, s3://, gs:// or a local path.')
    try:
        fs, root = fsspec.core.url_to_fs(url)
    except ImportError as err:
        missing = _PACKAGES.get(protocol) or err.name
        if missing is None:
            raise DataError(f"{url}: reading {protocol}:// needs another package: {err}.") from err
        raise DataError(f"{url}: reading {protocol}:// needs the package {missing}: pip install {missing}") from err
    return fs, root


def _remote(url: str, cache_dir: Path | None) -> Source:
    protocol = url.split("://", maxsplit=1)[0]
    try:
        fs, root = _file_system(url, protocol)
        if any(fs.exists(f"{root.rstrip('/')}/{mark}") for mark in _ZARR_MARKS):
            members = sorted(fs.find(root))
            digest = hashlib.sha256(root.encode())
            for member in members:
                digest.update(f"{member[len(root) :]}|{fs.size(member)}|".encode())
                if member.endswith((*_ZARR_MARKS, ".zarray", ".zattrs")):
                    digest.update(fs.cat_file(member))
            fingerprint = digest.hexdigest()[:16]
            name = _clean(root.rstrip("/").rsplit("/", 1)[-1])
            marks = Marks(fingerprint, fingerprint, fingerprint)
            return Source(url, name, "zarr", (url.rstrip("/"),), marks, (_REMOTE,))
        found = sorted(fs.glob(root)) if any(mark in root for mark in "*?[") else [root] if fs.isfile(root) else []
        found = found or sorted(f for f in fs.find(root) if f.endswith(_SUFFIXES) and "/constants/" not in f)
        if not found:
            raise DataError(f"{url}: nothing is there: no zarr store and no netCDF file. Check the URL.")
        local = [_fetch(fs, file, f"{protocol}://{file}", cache_folder(cache_dir)) for file in found]
    except DataError:
        raise
    except Exception as err:  # each file system has errors of its own
        if isinstance(err, OSError) and err.errno in _FULL:
            raise ConfigError(
                f"{url}: cannot be fetched into {cache_folder(cache_dir)} ({err.strerror}). Free space, or set "
                "DYNST_CACHE to a folder with more."
            ) from err
        raise DataError(
            f"{url}: cannot be reached: {type(err).__name__}: {err}. Check the URL and the network."
        ) from err
    for file in local:
        _check_netcdf(file)
    plain = [Path(file) for file in local]
    return source_of(url, _clean(plain[0].stem), "netcdf", tuple(local), members=plain, root=None, cache_dir=cache_dir)


def _fetch(fs: fsspec.AbstractFileSystem, file: str, url: str, cache: Path) -> str:
    key = hashlib.sha256(f"{url}|{fs.size(file)}|{fs.info(file).get('ETag', '')}".encode()).hexdigest()[:16]
    local = cache / "fetched" / key / file.rsplit("/", 1)[-1]
    if not local.exists():
        local.parent.mkdir(parents=True, exist_ok=True)
        partial = local.with_name(f"{local.name}.partial-{os.getpid()}")
        fs.get_file(file, str(partial))
        partial.replace(local)
    return str(local)


def source_of(
    path: str,
    name: str,
    kind: str,
    files: tuple[str, ...],
    *,
    members: list[Path],
    root: Path | None,
    cache_dir: Path | None = None,
) -> Source:
    """A source with the fingerprints of its `members`, by their names below `root`."""
    return Source(path, name, kind, files, marks_of(members, root, cache_dir=cache_dir))


def _open(file: str, kind: str, group: str) -> xr.Dataset:
    name = file.rstrip("/").rsplit("/", 1)[-1]
    try:
        # Nothing is decoded here: conflicting fill values and odd calendars are the reader's own business.
        if kind == "netcdf" and _starts(Path(file)).startswith(_GRIB):
            return grib.opened(file)
        return groups.opened(file, kind, group)
    except DataError:
        raise
    except Exception as err:  # the libraries below raise many kinds
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise DataError(f"{name}: cannot be opened as {kind}: {first}. Is the file whole? Get it again.") from err


def _clean(name: str) -> str:
    for suffix in (*_SUFFIXES, ".zarr"):
        name = name.removesuffix(suffix)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-") or "data"


def writable(folder: Path) -> Path:
    """The folder, made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise ConfigError(
            f"cache folder {folder} cannot be made ({err.strerror}). Set DYNST_CACHE to another."
        ) from err
    return folder
