"""Data frames that pandas wrote as HDF5 (METR-LA, PEMS-BAY), read as tables; nothing is unpickled."""

from __future__ import annotations

from pathlib import Path
from pickletools import genops

import h5py  # type: ignore[import-untyped]  # it ships no types
import numpy as np
import pandas as pd
from jaxtyping import Shaped
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.tables import Table, some

__all__ = ["SUFFIXES", "holds_frame", "read_frame"]

SUFFIXES = (".h5", ".hdf5", ".hdf")
"""Names of files that may hold a frame."""

_TICKS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_TEXTS = {"STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"}
_NUMBERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1"}
_KINDS = (b"frame", b"frame_table", b"wide_table")


def holds_frame(path: Path) -> bool:
    """Whether a file holds a frame as pandas writes it."""
    try:
        with h5py.File(path, "r") as store:
            return bool(_frames_in(store))
    except (OSError, RuntimeError, KeyError):  # no HDF5, or damaged: another reader says so
        return False


def read_frame(path: Path) -> Table:
    """The frame in a file, its index as the column ``time``.

    Raises
    ------
    DataError
        If it cannot be read, or its columns have several levels.
    """
    try:
        with h5py.File(path, "r") as store:
            names = _frames_in(store)
            found = {name: _frame(path, store[name]) for name in names}
    except DataError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as err:
        first = (str(err).strip().splitlines() or [type(err).__name__])[0].rstrip(".")
        raise DataError(
            f"{path.name}: the frame cannot be read ({first}). Write it anew without compression, or as CSV."
        ) from err
    timed = [name for name in names if found[name].index.dtype.kind == "M"] or names
    frame = found[timed[0]]
    frame = frame.set_axis([_said(name) for name in frame.columns], axis=1).rename_axis("time").reset_index()
    rest = [name for name in names if name != timed[0]]
    notes = [f"of {path.name} the frame {timed[0]} is read; left aside: {some(rest)}"] if rest else []
    return Table(path, frame, notes=tuple(notes))


def _frames_in(store: h5py.File) -> list[str]:
    """Groups that are frames, by what they say of themselves or by the arrays in them."""
    found: list[str] = []

    def look(name: str, item: object) -> None:
        if not isinstance(item, h5py.Group):
            return
        says = _bytes(item.attrs.get("pandas_type")) in _KINDS
        if (says and ("table" in item or "block0_values" in item)) or {"axis0", "axis1", "block0_values"} <= set(item):
            found.append(name)

    store.visititems(look)
    return found


def _frame(path: Path, group: h5py.Group) -> pd.DataFrame:
    if "table" in group:
        return _of_table(group["table"])
    if "axis0" not in group:
        raise DataError(
            f"{path.name}: the columns of the frame {group.name.strip('/')} have several levels. "
            "Write one quantity at a time, for example frame.xs(NAME, axis=1, level=1).to_csv(FILE)."
        )
    columns = _labels(group["axis0"], None)
    pieces: dict[str, ndarray] = {}
    for number in range(int(group.attrs.get("nblocks", 1))):
        values = np.asarray(group[f"block{number}_values"])
        values = values.T if values.shape[0] != len(group["axis1"]) else values
        items = group.get(f"block{number}_items")
        names = columns if items is None else _labels(items, values.shape[1])
        pieces |= {name: values[:, i] for i, name in enumerate(names)}
    frame = pd.DataFrame(pieces, index=_index(np.asarray(group["axis1"]), group["axis1"].attrs.get("kind", b"")))
    known = [name for name in columns if name in pieces]
    return frame[known] if len(known) == len(pieces) else frame


def _of_table(table: h5py.Dataset) -> pd.DataFrame:
    """A frame in rows: fields are columns, or blocks of columns whose names stand in an attribute."""
    rows = np.asarray(table)
    parts = [pd.DataFrame(index=range(len(rows)))]
    for field in [name for name in rows.dtype.names or () if name != "index"]:
        values = rows[field].reshape(len(rows), -1)
        names = _pickled_labels(_bytes(table.attrs.get(f"{field}_kind")), values.shape[1])
        fallback = [field] if values.shape[1] == 1 else [str(i) for i in range(values.shape[1])]
        parts.append(pd.DataFrame(values, columns=names or fallback))
    frame = pd.concat(parts, axis=1)
    return frame.set_axis(_index(rows["index"], table.attrs.get("index_kind", b"")), axis=0)


def _labels(data: h5py.Dataset, count: int | None) -> list[str]:
    """Names of columns; those kept as Python objects are taken out of their bytes, which are never run."""
    if data.dtype.kind != "O":
        return [_said(cell) for cell in np.asarray(data).tolist()]
    if h5py.check_string_dtype(data.dtype) is not None:
        return [_said(cell) for cell in data[()]]
    content = b"".join(np.asarray(cell, np.uint8).tobytes() for cell in data[()])
    values = data.parent["block0_values"].shape
    return _pickled_labels(content, count or values[1]) or [str(i) for i in range(count or values[1])]


def _pickled_labels(content: bytes, count: int) -> list[str]:
    """The last `count` texts or numbers of a pickle, by its codes; none if there are fewer, or two are alike."""
    try:
        codes = [(code.name, argument) for code, argument, _ in genops(content)]
    except (ValueError, IndexError, UnicodeDecodeError):
        return []
    labels = [_said(argument) for name, argument in codes if name in _TEXTS | _NUMBERS][-count:]
    return labels if len(labels) == count == len(set(labels)) else []


def _index(values: Shaped[ndarray, " rows"], kind: object) -> Shaped[ndarray, " rows"]:
    """Times of the rows; numbers and texts as they are."""
    said = _bytes(kind).decode("latin-1")
    if values.dtype.kind in "iu" and said.startswith("datetime"):
        tick = said.partition("[")[2].partition("]")[0].partition(",")[0] or "ns"
        return np.asarray((values.astype(np.int64) * _TICKS.get(tick, 1)).astype("datetime64[ns]"))
    if values.dtype.kind in "iu" and len(values) and values.min() > 10**17:  # nanoseconds since 1970 that nobody names
        return values.astype(np.int64).astype("datetime64[ns]")
    return np.array([_said(cell) for cell in values.tolist()], object) if values.dtype.kind in "SO" else values


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value or "").encode()


def _said(cell: object) -> str:
    return (cell.decode("utf-8", errors="replace") if isinstance(cell, bytes) else str(cell)).strip()
