"""One variable in one file: read slab by slab, decoded, and brought into canonical order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.flags import bad_values
from dynst.readers.grids import Grid
from dynst.readers.sources import Handles
from dynst.readers.times import Times

__all__ = ["Oddities", "Piece", "decode", "file_chunk", "with_fill"]

_HUGE = 1e30  # no geophysical number: fill values that a file forgot to declare (9.97e36, 1e34, 3.4e38)


@dataclass
class Oddities:
    """Counts of values that were no numbers of the record; they are read as missing."""

    infinite: int = 0
    huge: int = 0
    outside: int = 0
    flagged: int = 0

    def clear(self) -> None:
        """Count anew."""
        self.infinite = self.huge = self.outside = self.flagged = 0

    def notes(self) -> list[str]:
        """In words."""
        said = []
        if self.infinite:
            said.append(f"{self.infinite} infinite values are read as missing")
        if self.huge:
            said.append(f"{self.huge} values beyond {_HUGE:g}, undeclared fill values, are read as missing")
        if self.outside:
            said.append(f"{self.outside} values outside the valid range that the file declares are read as missing")
        if self.flagged:
            said.append(f"{self.flagged} values that quality flags call bad or missing are read as missing")
        return said


@dataclass(frozen=True, eq=False)
class Piece:
    """A variable in one file, with its axes known by role."""

    file: str
    variable: str
    grid: Grid
    times: Times
    time_dim: str
    level_dim: str | None
    chunk: tuple[int, int]  # steps and rows that the file keeps together; 1 where it does not matter
    attrs: Mapping[str, object] = field(default_factory=dict)
    versions_dim: str | None = None  # its parts hold the same thing, each where the others have nothing
    fixed: Mapping[str, int] = field(default_factory=dict)  # the part of a dimension that is read, if not the first
    flags: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # attributes of its quality flags, by name

    def read(
        self,
        handles: Handles,
        steps: Int[ndarray, " t"],
        levels: Int[ndarray, " l"],
        rows: tuple[int, int],
        odd: Oddities,
    ) -> Float[ndarray, "t l r w"]:
        """Values at some steps and levels of the file, on some rows of the canonical grid.

        `steps` and `levels` count as the file does; a piece without a level dimension gives one level.
        """
        if self.versions_dim is not None:
            return self._of_all_versions(handles, steps, levels, rows, odd)
        wanted = self.grid.rows[rows[0] : rows[1]]
        values = decode(self._raw(handles, self.variable, steps, levels, wanted), self.attrs, odd)
        for name, attrs in self.flags.items():
            bad = bad_values(self._raw(handles, name, steps, levels, wanted), attrs) & ~np.isnan(values)
            odd.flagged += int(bad.sum())
            values[bad] = np.nan
        return _take(_take(values, wanted - int(wanted.min()), 2), self.grid.columns, 3)

    def _of_all_versions(
        self,
        handles: Handles,
        steps: Int[ndarray, " t"],
        levels: Int[ndarray, " l"],
        rows: tuple[int, int],
        odd: Oddities,
    ) -> Float[ndarray, "t l r w"]:
        """Values of the first version that has one."""
        assert self.versions_dim is not None  # asked before
        values = np.full(1, np.nan, np.float32)
        for version in range(handles[self.file].sizes[self.versions_dim]):
            one = replace(self, versions_dim=None, fixed={self.versions_dim: version})
            values = np.where(np.isnan(values), one.read(handles, steps, levels, rows, odd), values)
        return values

    def _raw(
        self,
        handles: Handles,
        variable: str,
        steps: Int[ndarray, " t"],
        levels: Int[ndarray, " l"],
        wanted: Int[ndarray, " r"],
    ) -> Shaped[ndarray, "t l h w"]:
        """What the file holds of a variable on the rows that cover those wanted, its axes in one order."""
        lazy = handles[self.file].variables[variable]
        low, high = int(wanted.min()), int(wanted.max()) + 1
        y_dim, x_dim = self.grid.dims
        order = [self.time_dim, *([self.level_dim] if self.level_dim else []), y_dim, x_dim]
        index: dict[str, int | slice | ndarray] = {
            str(dim): self.fixed.get(str(dim), 0) for dim in lazy.dims if dim not in order
        }
        index[y_dim] = slice(low, high)
        if self.level_dim is not None:
            index[self.level_dim] = _sorted_index(levels)
        kept = [dim for dim in lazy.dims if dim in order]
        parts = []
        stretches = _stretches(steps)
        for start, stop in stretches:
            index[self.time_dim] = slice(start, stop)
            # Values first: xarray turns a transposed lazy array into single points, at ten times the time and memory.
            parts.append(xr.Variable(kept, self._values(lazy.isel(index), start)).transpose(*order).values)
        raw = np.concatenate(parts) if len(parts) > 1 else _take(parts[0], steps - stretches[0][0], 0)
        return raw[:, None] if self.level_dim is None else _take(raw, np.argsort(np.argsort(levels)), 1)

    def _values(self, lazy: xr.Variable, start: int) -> ndarray:
        try:
            return np.asarray(lazy.values)
        except MemoryError:
            raise
        except Exception as err:  # the libraries below raise many kinds
            reason = " ".join(f"{type(err).__name__}: {err}".split())[:200]
            raise DataError(
                f"{Path(self.file).name}: {self.variable} cannot be read from step {start} on ({reason}). "
                "The file is damaged: get it again."
            ) from err


def _stretches(steps: Int[ndarray, " t"]) -> list[tuple[int, int]]:
    """Slices that cover the steps: one if they lie close together, else one for each stretch without a hole."""
    low, high = int(steps.min()), int(steps.max()) + 1
    if high - low <= 2 * len(steps):
        return [(low, high)]
    breaks = np.flatnonzero(np.diff(steps) != 1) + 1
    return [(int(part[0]), int(part[-1]) + 1) for part in np.split(steps, breaks)]


def _sorted_index(levels: Int[ndarray, " l"]) -> slice | ndarray:
    """Ascending, and a slice where possible: what every file format reads best."""
    ascending = np.sort(levels)
    if ascending[-1] - ascending[0] == len(ascending) - 1:
        return slice(int(ascending[0]), int(ascending[-1]) + 1)
    return ascending


def _take(values: ndarray, index: Int[ndarray, " m"], axis: int) -> ndarray:
    if len(index) == values.shape[axis] and (index == np.arange(len(index))).all():
        return values
    return np.take(values, index, axis=axis)


def decode(raw: ndarray, attrs: Mapping[str, object], odd: Oddities) -> Float[ndarray, "*s"]:
    """float32 numbers from what the file holds: fill values become NaN, packed integers are unpacked.

    Examples
    --------
    >>> decode(np.array([5, -1], np.int16), {"_FillValue": -1, "scale_factor": 0.5, "add_offset": 1.0}, Oddities())
    array([3.5, nan], dtype=float32)
    """
    if str(attrs.get("_Unsigned", "")).lower() == "true" and raw.dtype.kind == "i":
        raw = raw.view(f"u{raw.dtype.itemsize}")
    missing = np.zeros(raw.shape, bool)
    for key in ("_FillValue", "missing_value"):
        for fill in np.ravel(np.asarray(attrs[key])) if key in attrs else ():
            if fill.dtype.kind in "iuf" and not np.isnan(fill):
                with np.errstate(over="ignore", invalid="ignore"):
                    missing |= raw == fill.astype(raw.dtype)
    scale, offset = (float(np.ravel(np.asarray(attrs.get(key, default)))[0]) for key, default in _SCALING)
    if (scale, offset) != (1.0, 0.0):
        values = (raw.astype(float) * scale + offset).astype(np.float32)
    else:
        with np.errstate(over="ignore"):
            values = raw.astype(np.float32)
    values[missing] = np.nan
    for outside in _outside(raw, values, attrs):
        odd.outside += int(np.count_nonzero(outside & ~np.isnan(values)))
        values[outside] = np.nan
    if raw.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            wild = np.abs(values) > _HUGE
        if wild.any():
            infinite = int(np.isinf(raw[wild]).sum())
            odd.infinite += infinite
            odd.huge += int(wild.sum()) - infinite
            values[wild] = np.nan
    return values


def with_fill(attrs: Mapping[str, object], dtype: np.dtype) -> dict[str, object]:
    """Attributes with the fill value that netCDF writes where a file declares none; bytes have none.

    Examples
    --------
    >>> with_fill({}, np.dtype("i2")), with_fill({"missing_value": -1}, np.dtype("i2"))
    ({'_FillValue': -32767}, {'missing_value': -1})
    """
    known = _FILLS.get(f"{dtype.kind}{dtype.itemsize}")
    declared = known is None or "_FillValue" in attrs or "missing_value" in attrs
    return dict(attrs) if declared else {**attrs, "_FillValue": dtype.type(known).item()}


def _outside(raw: ndarray, values: ndarray, attrs: Mapping[str, object]) -> Iterator[ndarray]:
    """Where values lie below and above the valid range that a file declares; whole numbers speak of packed values."""
    for key, place, beyond in (("valid_min", 0, np.less), ("valid_max", 1, np.greater)):
        both = np.ravel(np.asarray(attrs.get("valid_range", [])))
        bound = both[place : place + 1] if len(both) == 2 else np.ravel(np.asarray(attrs.get(key, [])))
        if len(bound) != 1 or bound.dtype.kind not in "iuf":
            continue
        if raw.dtype.kind == "f" or bound.dtype.kind == "f":
            yield beyond(values, np.float32(bound[0]))
        else:
            wrapped = raw.dtype.kind == "u" and bound[0] < 0
            yield beyond(raw, int(bound[0]) + (1 << 8 * raw.dtype.itemsize) * wrapped)


_FILLS = {"i2": -32767, "i4": -2147483647, "i8": -9223372036854775806}
_FILLS |= {"u2": 65535, "u4": 4294967295, "u8": 18446744073709551614}
_SCALING = (("scale_factor", 1.0), ("add_offset", 0.0))


def file_chunk(variable: xr.Variable, time_dim: str, y_dim: str) -> tuple[int, int]:
    """Steps and rows that a file compresses together."""
    sizes = variable.encoding.get("shards") or variable.encoding.get("chunks") or variable.encoding.get("chunksizes")
    if not sizes:
        return 1, 1
    by_dim = dict(zip(variable.dims, sizes, strict=True))
    return int(by_dim[time_dim]), int(by_dim[y_dim])
