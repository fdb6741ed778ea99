"""Records too large for memory: converted once to one raw file, then read step by step with plain reads."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain.caches import is_alive
from dynst.errors import DataError

__all__ = ["Converted", "FileSeries", "Learnt", "Slab", "convert"]

_FORMAT = 1


@dataclass(frozen=True, eq=False)
class FileSeries:
    """A series in one raw float32 file, time-major `(time, n, c)`.

    Read with `preadv` into the caller's buffer: no memory map, whose pages would count as this process's own, and
    no state shared between threads.
    """

    path: Path
    shape: tuple[int, int, int]
    _file: int = field(init=False, repr=False)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        expected = 4 * int(np.prod(self.shape, dtype=np.int64))
        if self.path.stat().st_size != expected:
            raise DataError(f"{self.path}: the converted record is damaged. Delete this folder and start again.")
        file = os.open(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        object.__setattr__(self, "_file", file)
        weakref.finalize(self, os.close, file)

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        """A fresh array of the steps ``start <= step < stop``."""
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        out = np.empty((max(0, stop - start), *self.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        """Fill `out` with the steps from `start`."""
        if start < 0 or start + len(out) > self.shape[0]:
            raise IndexError(f"steps {start} to {start + len(out)} of a record of {self.shape[0]}")
        view = memoryview(out.reshape(-1).view(np.uint8).data)
        offset = 4 * start * self.shape[1] * self.shape[2]
        while view:
            count = self._read_at(view, offset)
            if count <= 0:
                raise DataError(f"{self.path}: the converted record ended early. Delete this folder and start again.")
            view, offset = view[count:], offset + count

    def _read_at(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file, [view], offset)
        with self._lock:  # platforms without positioned reads into a buffer
            os.lseek(self._file, offset, os.SEEK_SET)
            content = os.read(self._file, len(view))
        view[: len(content)] = content
        return len(content)


@dataclass(frozen=True, eq=False)
class Slab:
    """Values of some steps at some neighbouring sites: ``values[t, i]`` is of step ``start + t``, site ``site + i``."""

    start: int
    site: int
    values: Float[ndarray, "t i c"]


@dataclass(frozen=True)
class Learnt:
    """What is learnt by reading all values: the share that is missing at the sites, and what was odd."""

    missing: float
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, object]:
        """As JSON types, from which `from_json` makes the same again."""
        return {"missing": self.missing, "notes": list(self.notes)}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any], values: int) -> Learnt:
        """What `to_json` described; `values` is their number: entries of meshes once held how many are missing.

        Examples
        --------
        >>> Learnt.from_json({"lost": 3}, 12) == Learnt.from_json({"missing": 0.25, "notes": []}, 12)
        True
        """
        missing = facts["missing"] if "missing" in facts else facts["lost"] / values
        return cls(float(missing), tuple(facts.get("notes", ())))


@dataclass(frozen=True, eq=False)
class Converted:
    """A converted record and what was learnt on the way."""

    series: FileSeries
    cells: Int[ndarray, " n"]
    learnt: Learnt


def convert(
    folder: Path,
    key: str,
    steps: int,
    channels: int,
    *,
    cells: Callable[[], Int[ndarray, " n"]],
    slabs: Callable[[Int[ndarray, " n"]], Iterator[Slab]],
    learnt: Callable[[], Learnt],
) -> Converted:
    """The record under `key`, converted now unless it was before.

    Parameters
    ----------
    folder, key : Path, str
        The entry is the folder ``folder/key``: whole or absent, as it is written under another name first.
    steps, channels : int
        Length of the record, and number of its channels.
    cells : callable
        Gives the cells of the grid that are sites. Called only if there is no entry yet, as the other two.
    slabs : callable
        Gives the values at those sites; together the slabs fill the record.
    learnt : callable
        What to remember beside the values, asked for after the last slab.
    """
    entry = folder / hashlib.sha256(f"{_FORMAT}|{key}".encode()).hexdigest()[:20]
    if not (entry / "entry.json").exists():
        _clear_leftovers(entry)
        partial = entry.with_name(f"{entry.name}.partial-{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(parents=True)
            sites = cells()
            np.save(partial / "cells.npy", sites, allow_pickle=False)
            shape = (steps, len(sites), channels)
            _write(partial / "values.f32", shape, slabs(sites))
            text = json.dumps({"format": _FORMAT, "shape": shape, "facts": learnt().to_json()}, indent=1)
            (partial / "entry.json").write_text(text, encoding="utf-8")
            if not entry.exists():  # another process may have been faster
                partial.rename(entry)
        except OSError as err:
            raise DataError(
                f"the record cannot be converted into {folder} ({err.strerror or err}): "
                f"{4 * steps * channels / 1e6:.3g} MB per 1000 sites are needed. Free space or set DYNST_CACHE."
            ) from err
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    saved = json.loads((entry / "entry.json").read_text(encoding="utf-8"))
    steps, n, c = saved["shape"]
    cell = np.load(entry / "cells.npy", allow_pickle=False)
    series = FileSeries(entry / "values.f32", (steps, n, c))
    return Converted(series, cell, Learnt.from_json(saved["facts"], steps * n * c))


def _write(path: Path, shape: tuple[int, int, int], slabs: Iterator[Slab]) -> None:
    """Plain positioned writes: pages written through a memory map would count as memory of this process."""
    steps, n, c = shape
    with path.open("wb", buffering=0) as stream:
        stream.truncate(4 * steps * n * c)
        for slab in slabs:
            values = np.ascontiguousarray(slab.values, np.float32)
            if values.shape[1] == n:
                _write_at(stream, 4 * slab.start * n * c, values)
            else:
                for t, row in enumerate(values):
                    _write_at(stream, 4 * ((slab.start + t) * n + slab.site) * c, row)


def _write_at(stream: io.FileIO, offset: int, values: ndarray) -> None:
    stream.seek(offset)
    view = memoryview(values.reshape(-1).view(np.uint8).data)
    while view:
        view = view[stream.write(view) or 0 :]


def _clear_leftovers(entry: Path) -> None:
    """Remove what a killed conversion of the same record left behind."""
    for left in entry.parent.glob(f"{entry.name}.partial-*"):
        number = left.name.rsplit("-", 1)[1]
        if not number.isdigit() or not is_alive(int(number)):
            shutil.rmtree(left, ignore_errors=True)
