"""Everything about a record except its values: grid, times, runs, channels; and the values, slab by slab."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Channel, Clock
from dynst.errors import ConfigError, unknown_name
from dynst.readers.axes import Axis, axis_of
from dynst.readers.cache import Slab
from dynst.readers.grids import Grid
from dynst.readers.pieces import Oddities
from dynst.readers.quantities import Found, Quantity, find_quantities
from dynst.readers.sources import Handles, Source, locate
from dynst.readers.times import Runs, Times, find_runs, join

__all__ = ["MANY_CHANNELS", "ManyChannels", "Survey", "survey"]

MANY_CHANNELS = 8
"""A file with more channels than this must be told which to use."""

_NAMED = 40  # channels in a message
_SLAB_BYTES = 4 << 20  # larger is no faster, and zarr holds a slab several times over
_CHUNK_BYTES = 32 << 20  # a compressed chunk larger than this is read in bands of rows


class ManyChannels(ConfigError):  # noqa: N818 - what is wrong is that none is named
    """More channels than a fit takes by itself, and none named; `names` lists them."""

    def __init__(self, where: str, names: Sequence[str]) -> None:
        first = names[0]
        super().__init__(
            f"{where} offers {len(names)} channels: {_some(names)}. "
            f"Name those to use, for example --observe {first} --predict {first}."
        )
        self.names = tuple(names)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


@dataclass(frozen=True, eq=False)
class _Pick:
    """A chosen quantity: which of its levels, and where each step of the joined time axis lies."""

    quantity: Quantity
    levels: Int[ndarray, " l"]
    columns: tuple[int, ...]  # channel numbers
    piece: Int[ndarray, " t"]
    step: Int[ndarray, " t"]


@dataclass(frozen=True, eq=False)
class Survey:
    """A record before its values are read; `choose` fixes its channels."""

    source: Source
    handles: Handles
    found: Found
    channels: tuple[Channel, ...] = ()
    time: ndarray = field(default_factory=lambda: np.zeros(0))
    clock: Clock = field(default_factory=Clock)
    runs: Runs = field(default_factory=lambda: Runs(np.zeros(0, np.int64), "1 step"))
    notes: tuple[str, ...] = ()
    picks: tuple[_Pick, ...] = ()
    oddities: Oddities = field(default_factory=Oddities)
    _tally: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def grid(self) -> Grid:
        """All cells."""
        return self.found.grid

    @property
    def steps(self) -> int:
        """Time steps."""
        return len(self.time)

    @property
    def bytes(self) -> int:
        """Size of all values as float32."""
        return 4 * self.steps * self.grid.x.size * len(self.channels)

    @property
    def positioned(self) -> Bool[ndarray, " n"]:
        """Cells with a position."""
        return np.asarray(np.isfinite(self.grid.x) & np.isfinite(self.grid.y))

    @property
    def version(self) -> str:
        """Changes with the files and with the choice of channels."""
        names = ",".join(channel.name for channel in self.channels)
        return hashlib.sha256(f"{self.source.marks.version}|{self.source.path}|{names}".encode()).hexdigest()

    def missing_share(self) -> float:
        """Share of missing values among those that `slabs` gave for chosen cells."""
        missing, total = self._tally
        return missing / total if total else 0.0

    def close(self) -> None:
        """Close the files."""
        self.handles.close()

    def choose(self, observe: Sequence[str] | None = None, predict: Sequence[str] | None = None) -> Survey:
        """The survey of some channels only.

        Raises
        ------
        ConfigError
            If a name is unknown, or there are many channels and none is named.
        DataError
            If the chosen variables share no time, or their times repeat or are too uneven.
        """
        offered = [(quantity, i) for quantity in self.found.quantities for i in range(len(quantity.channels))]
        names = [quantity.channels[i] for quantity, i in offered]
        if len(names) > MANY_CHANNELS and (observe is None or predict is None):
            raise ManyChannels(self.source.name, names)
        observed, predicted = (self._match(asked, names) for asked in (observe, predict))
        chosen = [i for i, name in enumerate(names) if name in observed | predicted]
        channels = tuple(
            Channel(names[i], q.units, q.long_name, names[i] in observed, names[i] in predicted)
            for i in chosen
            for q in (offered[i][0],)
        )
        picked = list(dict.fromkeys(id(offered[i][0]) for i in chosen))
        quantities = [next(q for q in self.found.quantities if id(q) == key) for key in picked]
        axes = [axis_of(quantity, self.handles) for quantity in quantities]
        shared = join([axis.times for axis in axes], where=self.source.name)
        runs = find_runs(shared, where=self.source.name)
        picks = tuple(
            _pick(
                quantity,
                axis,
                shared,
                [(offered[i][1], at) for at, i in enumerate(chosen) if offered[i][0] is quantity],
            )
            for quantity, axis in zip(quantities, axes, strict=True)
        )
        time = shared.values if shared.decoded else np.arange(len(shared.values))
        notes = self._notes(quantities, axes, shared, runs)
        clock = shared.clock(runs.run)
        return replace(self, channels=channels, time=time, clock=clock, runs=runs, picks=picks, notes=notes)

    def _match(self, asked: Sequence[str] | None, names: list[str]) -> set[str]:
        if asked is None:
            return set(names)
        matched: set[str] = set()
        for name in asked:
            whole = [q for q in self.found.quantities if name in q.aliases]
            if name in names:
                matched.add(name)
            elif whole:
                matched |= {channel for quantity in whole for channel in quantity.channels}
            elif name in self.found.left_aside:
                raise ConfigError(f"{self.source.name}: {name} cannot be used: it {self.found.left_aside[name]}.")
            else:
                known = {*names, *(alias for q in self.found.quantities for alias in q.aliases)}
                raise ConfigError(f"{self.source.name}: {unknown_name('channel', name, known)}")
        return matched

    def _notes(self, quantities: list[Quantity], axes: list[Axis], shared: Times, runs: Runs) -> tuple[str, ...]:
        notes = list(self.found.notes)
        mask = self.found.mask
        notes += [
            f"{name} is not used: it {reason}"
            for name, reason in sorted(self.found.left_aside.items())
            if mask is None or name != mask.variable
        ]
        if any(axis.mixed for axis in axes):
            notes.append("the times were not in order and were sorted")
        notes += dict.fromkeys(note for axis in axes for note in axis.notes)
        for quantity, axis in zip(quantities, axes, strict=True):
            steps = len(axis.times.values)
            lost = steps - len(shared.values)
            if lost:
                notes.append(f"{lost} of {steps} steps of {quantity.name} are left out: other variables lack them")
        if runs.gaps:
            shown = "; ".join(runs.gaps[:3]) + (f" and {len(runs.gaps) - 3} more" if len(runs.gaps) > 3 else "")
            many = "s" * (len(runs.gaps) > 1)
            notes.append(f"{len(runs.gaps)} gap{many} in time cut the record into {len(runs.gaps) + 1} runs: {shown}")
        if mask is not None:
            sea = [quantity.name for quantity in quantities if quantity.at_sea_only]
            if sea:
                notes.append(
                    f"{int(mask.land.sum())} of {mask.land.size} cells are land by {mask.variable}: "
                    f"no {', '.join(sea)} there"
                )
            else:
                notes.append(
                    f"the mask {mask.variable} is not applied: no chosen variable is known to exist at sea only"
                )
        return tuple(notes)

    def slabs(self, cells: Int[ndarray, " n"] | None = None, *, limit_bands: bool = True) -> Iterator[Slab]:
        """All values, a few megabytes at a time, of all cells, or of those given (and counted for `missing_share`)."""
        self._tally[:] = [0, 0]
        width = self.grid.shape[1]
        for start, stop, low, high in self._plan(limit_bands):
            values = self._read(start, stop, low, high)
            site = low * width
            if cells is not None:
                inside = cells[(cells >= low * width) & (cells < high * width)]
                site = int(np.searchsorted(cells, low * width))
                if len(inside) < values.shape[1]:
                    values = values[:, inside - low * width]
                self._tally[0] += int(np.isnan(values).sum())
                self._tally[1] += values.size
            yield Slab(start, site, values)

    def step(self, number: int) -> Float[ndarray, "n c"]:
        """Values of one step on all cells."""
        values: ndarray = self._read(number, number + 1, 0, self.grid.shape[0])[0]
        return values

    def _plan(self, limit_bands: bool = True) -> Iterator[tuple[int, int, int, int]]:
        """Steps and rows of each slab, along the borders of the files and of their chunks."""
        height, width = self.grid.shape
        step_bytes = 4 * height * width * len(self.channels)
        chunk = max(piece.chunk[0] for pick in self.picks for piece in pick.quantity.pieces)
        rows = height
        if chunk * step_bytes > _CHUNK_BYTES and limit_bands:
            unit = max(piece.chunk[1] for pick in self.picks for piece in pick.quantity.pieces)
            rows = min(height, unit * max(1, _CHUNK_BYTES // (chunk * step_bytes * unit // height + 1)))
        size = chunk * max(1, _SLAB_BYTES // (chunk * step_bytes)) if limit_bands else max(1, _SLAB_BYTES // step_bytes)
        first = self.picks[0]
        for start, stop in _segments(first.piece, first.step):
            at = start
            while at < stop:
                local = int(first.step[at])
                end = min(stop, at + size - (local % size))
                for low in range(0, height, rows):
                    yield at, end, low, min(low + rows, height)
                at = end

    def _read(self, start: int, stop: int, low: int, high: int) -> Float[ndarray, "t i c"]:
        width = self.grid.shape[1]
        out = np.empty((stop - start, (high - low) * width, len(self.channels)), np.float32)
        for pick in self.picks:
            for number in np.unique(pick.piece[start:stop]).tolist():
                here = np.flatnonzero(pick.piece[start:stop] == number)
                steps = pick.step[start:stop][here]
                block = pick.quantity.pieces[number].read(self.handles, steps, pick.levels, (low, high), self.oddities)
                target = slice(None) if len(here) == stop - start else here
                for level, channel in enumerate(pick.columns):
                    out[target, :, channel] = block[:, level].reshape(len(here), -1)
            if self.found.mask is not None and pick.quantity.at_sea_only:
                land = self.found.mask.land[low * width : high * width]
                for channel in pick.columns:
                    out[:, land, channel] = np.nan
        return out


def survey(path: str, *, cache_dir: Path | None = None) -> Survey:
    """Look at a record without reading its values.

    Raises
    ------
    DataError
        If the path holds no series on a grid.
    """
    source = locate(path, cache_dir=cache_dir)
    handles = Handles(source)
    try:
        return Survey(source, handles, find_quantities(source, handles))
    except BaseException:
        handles.close()
        raise


def _pick(quantity: Quantity, axis: Axis, shared: Times, wanted: list[tuple[int, int]]) -> _Pick:
    at = np.searchsorted(axis.times.values, shared.values)
    levels = quantity.level_order[[level for level, _ in wanted]]
    return _Pick(quantity, levels, tuple(channel for _, channel in wanted), axis.piece[at], axis.step[at])


def _segments(piece: Int[ndarray, " t"], step: Int[ndarray, " t"]) -> list[tuple[int, int]]:
    """Stretches of the joined axis that lie side by side in one file."""
    breaks = np.flatnonzero((np.diff(piece) != 0) | (np.diff(step) < 0)) + 1
    return list(zip([0, *breaks.tolist()], [*breaks.tolist(), len(piece)], strict=True))
