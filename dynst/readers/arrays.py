"""Arrays in .npy, .npz and HDF5 files, of which any box can be read without the rest; nothing is unpickled."""

from __future__ import annotations

import io
import math
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import h5py  # type: ignore[import-untyped]  # it ships no types
import numpy as np
from numpy import ndarray

from dynst.errors import DataError

__all__ = ["SUFFIXES", "Array", "member_names", "open_arrays", "shapes_of"]

SUFFIXES = (".npy", ".npz", ".h5", ".hdf5")
"""Endings of the files that are read."""

_HDF5 = b"\x89HDF\r\n\x1a\n"
_NPY = b"\x93NUMPY"


@runtime_checkable
class Array(Protocol):
    """An array in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes, as in the file, outermost first."""

    @property
    def dtype(self) -> np.dtype:
        """Type of its values, as in the file."""

    @property
    def attrs(self) -> Mapping[str, object]:
        """What the file says of it."""

    def read(self, box: Sequence[tuple[int, int]]) -> ndarray:
        """A fresh array of the values in a box: first and one-past-last index along each axis."""


@dataclass(frozen=True, eq=False)
class _Raw:
    """Values in C order in a file of their own or within another; read with plain positioned reads.

    No memory map, whose pages would count as this process's own.
    """

    open: Callable[[], io.FileIO]
    where: str
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    attrs: Mapping[str, object] = field(default_factory=dict)

    def read(self, box: Sequence[tuple[int, int]]) -> ndarray:
        out = np.empty([stop - start for start, stop in box], self.dtype)
        if not out.size:
            return out
        inner = len(box)  # axes from here on lie side by side in the file
        while inner and (inner == len(box) or box[inner] == (0, self.shape[inner])):
            inner -= 1
        step = [math.prod(self.shape[axis + 1 :]) for axis in range(len(box))]
        first = sum(start * step[axis] for axis, (start, _) in enumerate(box))
        with self.open() as stream:
            for index in np.ndindex(*out.shape[:inner]):
                at = first + sum(i * step[axis] for axis, i in enumerate(index))
                stream.seek(self.offset + at * self.dtype.itemsize)
                view = memoryview(out[index].reshape(-1).view(np.uint8).data)
                while view:
                    count = stream.readinto(view)
                    if not count:
                        raise DataError(f"{self.where}: the file ended early. Get it again.")
                    view = view[count:]
        return out


@dataclass(frozen=True, eq=False)
class _Data:
    """A data set of an HDF5 file."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    attrs: Mapping[str, object]

    def read(self, box: Sequence[tuple[int, int]]) -> ndarray:
        try:
            with h5py.File(self.file, "r", rdcc_nbytes=16 << 20) as stream:
                return np.asarray(stream[self.name][tuple(slice(*pair) for pair in box)])
        except OSError as err:
            raise DataError(
                f"{self.file.name}: {self.name} cannot be read ({_first_line(err)}). The file is damaged: get it again."
            ) from err


def member_names(file: Path) -> list[str]:
    """Names of the arrays in an .npz file, from its table of contents; none if it is no zip file."""
    try:
        with zipfile.ZipFile(file) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return []


def shapes_of(file: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays of numbers in a file, by name, from their headers alone; none if it cannot be opened."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                headers = {name: _header_of(archive, name) for name in archive.namelist() if name.endswith(".npy")}
            return {name.removesuffix(".npy"): shape for name, shape in headers.items() if shape}
        return {name: array.shape for name, array in open_arrays(file, Path).items() if array.dtype.kind in "iufb"}
    except (OSError, zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error, DataError):
        return {}  # whatever is wrong with it, the reader says


def _header_of(archive: zipfile.ZipFile, member: str) -> tuple[int, ...]:
    """Shape of an array of numbers in an archive; empty if it is no such array."""
    with archive.open(member) as stream:
        try:
            header = _of_npy(stream, member, 1 << 62, 0, lambda: io.FileIO(member))
        except DataError:
            return ()
    return header.shape if header.dtype.kind in "iufb" else ()


def open_arrays(file: Path, scratch: Callable[[], Path], least: int = 3) -> dict[str, Array]:
    """The arrays in a file by name; no value is read.

    Parameters
    ----------
    file : Path
        Ends in .npy (one array, under the empty name), .npz, .h5 or .hdf5.
    scratch : callable
        Gives a folder in which compressed members of an .npz are unpacked, under no name, so that they vanish with
        the array.
    least : int
        Axes that a compressed member of an .npz must have to be worth unpacking.

    Raises
    ------
    DataError
        If the file is damaged, cut off, not what its name says, or holds Python objects.
    """
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
    except OSError as err:
        raise DataError(f"{file.name}: the file cannot be opened ({err.strerror}). Check its permissions.") from err
    if not start:
        raise DataError(f"{file.name}: the file is empty (0 bytes). Get it again.")
    if start.startswith(_NPY):
        size = file.stat().st_size
        with file.open("rb") as stream:
            return {"": _of_npy(stream, file.name, size, 0, lambda: file.open("rb", buffering=0))}
    if start.startswith(b"PK"):
        return _of_npz(file, scratch, least)
    if start.startswith(_HDF5):
        return _of_hdf5(file)
    raise DataError(
        f"{file.name}: neither a NumPy array nor HDF5: it starts with {start!r}. Expected one of {', '.join(SUFFIXES)}."
    )


def _of_npy(stream: Any, where: str, size: int, base: int, opened: Callable[[], io.FileIO]) -> Array:
    """The array whose header `stream` is about to give; `size` bytes from `base` on are its own."""
    try:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = header(stream)
    except (ValueError, EOFError, OSError) as err:
        raise DataError(f"{where}: the header of the array is damaged ({_first_line(err)}). Get it again.") from err
    if min(shape, default=0) < 0:
        raise DataError(f"{where}: the header of the array is damaged: its shape is {shape}. Get it again.")
    _check_type(where, dtype)
    offset = stream.tell()
    expected = offset + math.prod(shape) * dtype.itemsize
    if size < expected:
        raise DataError(f"{where}: the file is not whole: {size} of {expected} bytes are there. Get it again.")
    if fortran:
        return _Turned(_Raw(opened, where, base + offset, tuple(shape[::-1]), dtype))
    return _Raw(opened, where, base + offset, tuple(shape), dtype)


@dataclass(frozen=True, eq=False)
class _Turned:
    """The transpose of an array: what Fortran wrote."""

    base: _Raw

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape[::-1]

    @property
    def dtype(self) -> np.dtype:
        return self.base.dtype

    @property
    def attrs(self) -> Mapping[str, object]:
        return {}

    def read(self, box: Sequence[tuple[int, int]]) -> ndarray:
        return self.base.read(box[::-1]).T


def _of_npz(file: Path, scratch: Callable[[], Path], least: int) -> dict[str, Array]:
    found: dict[str, Array] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if info.filename == name:
                    continue
                where = f"{file.name}: {name}"
                with archive.open(info) as stream:
                    if info.compress_type == zipfile.ZIP_STORED:
                        base = _start(file, info.header_offset)
                        found[name] = _of_npy(stream, where, info.file_size, base, lambda: file.open("rb", buffering=0))
                        continue
                    header = _of_npy(stream, where, info.file_size, 0, lambda: file.open("rb", buffering=0))
                if len(header.shape) < least:
                    continue  # nothing that is read: not worth unpacking
                with archive.open(info) as stream:
                    unpacked = _copied(stream, where, scratch(), info.file_size)
                found[name] = _unpacked(unpacked, where, info.file_size)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error) as err:
        raise DataError(f"{file.name}: the archive is damaged ({_first_line(err)}). Get it again.") from err
    return found


def _copied(stream: Any, where: str, folder: Path, size: int) -> tempfile._TemporaryFileWrapper[bytes]:
    """The content of a stream in a file under no name, which goes when nobody holds it any more."""
    try:
        copy = tempfile.NamedTemporaryFile(dir=folder, suffix=".npy")  # noqa: SIM115 - goes with the array
    except OSError as err:
        raise DataError(_no_room(where, folder, size, err)) from err
    while block := stream.read(1 << 20):
        try:
            copy.write(block)
            copy.flush()
        except OSError as err:
            with suppress(OSError):  # what is still in its buffer has no place either
                copy.close()
            raise DataError(_no_room(where, folder, size, err)) from err
    return copy


def _no_room(where: str, folder: Path, size: int, err: OSError) -> str:
    return (
        f"{where}: cannot be unpacked into {folder} ({err.strerror or err}): {size / 1e6:.3g} MB are needed. "
        "Free space, or set DYNST_CACHE to a folder with more."
    )


def _unpacked(copy: tempfile._TemporaryFileWrapper[bytes], where: str, size: int) -> Array:
    """The array in a copy that lives as long as the array may be read."""
    copy.flush()
    with Path(copy.name).open("rb") as stream:
        return _of_npy(stream, where, size, 0, lambda: Path(copy.name).open("rb", buffering=0))


def _start(file: Path, header: int) -> int:
    """Where the content of a stored member begins, after the header at `header`."""
    with file.open("rb") as stream:
        stream.seek(header + 26)
        name, extra = struct.unpack("<HH", stream.read(4))
    return header + 30 + int(name) + int(extra)


def _of_hdf5(file: Path) -> dict[str, Array]:
    found: dict[str, Array] = {}

    def look(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind != "O":
            attrs = {key: value for key, value in item.attrs.items() if np.ndim(value) == 0 or np.size(value) == 1}
            found[name] = _Data(file, name, tuple(item.shape), item.dtype, attrs)

    try:
        with h5py.File(file, "r") as stream:
            stream.visititems(look)
    except (OSError, RuntimeError, KeyError) as err:
        raise DataError(f"{file.name}: cannot be opened as HDF5: {_first_line(err)}. Get it again.") from err
    return found


def _check_type(where: str, dtype: np.dtype) -> None:
    if dtype.hasobject:
        raise DataError(
            f"{where}: the array holds Python objects, which are never unpickled. Save it as plain numbers."
        )
    if dtype.names:
        raise DataError(f"{where}: the array has named fields ({', '.join(dtype.names)}). Save each as an array.")


def _first_line(err: BaseException) -> str:
    return (str(err).strip().splitlines() or [type(err).__name__])[0].rstrip(".")
