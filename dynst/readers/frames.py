"""Stacks of frames in a plane: fires cut into overlapping events, taxi flow, any .npy, .npz or HDF5."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import ArraySeries, Channel, Field, Frame, GridLayout, MakersSplit, Origin, Series, Sites
from dynst.domain.caches import cache_folder
from dynst.errors import ConfigError, DataError, unknown_name
from dynst.readers.arrays import SUFFIXES, Array, member_names, open_arrays
from dynst.readers.base import Hints
from dynst.readers.cache import Learnt, Slab, convert
from dynst.readers.fingerprints import marks_of
from dynst.readers.gridded import IN_MEMORY_BYTES
from dynst.readers.hdf_frames import holds_frame
from dynst.readers.overlap import Rebuilt, rebuild
from dynst.readers.pieces import Oddities, decode
from dynst.readers.place_arrays import holds_places
from dynst.readers.records import Wanted
from dynst.readers.sidecar import Sidecar, axis_letters, read_sidecar
from dynst.readers.sources import writable
from dynst.readers.times import Runs, Times, find_runs
from dynst.readers.values import look

__all__ = ["read", "recognises"]

_FIRE = re.compile(r"a\d+_fds$")
_PART = re.compile(r"(train|valid|val|test)_(input|output)_")
_MESH = {"triangles", "pointcloud", "coords", "faces", "elements"}
_BLOCK = 4 << 20  # bytes read at once
_SPREAD = (
    (1, 3, 5),
    6,
    (0, 1, 2, 3),
    4,
    16,
)  # rows (of sixths) and stretches (of quarters, cells) that stand for a frame
_PARTS = {"train": "train", "valid": "valid", "val": "valid", "test": "test"}


def recognises(path: str, hints: Hints) -> bool:
    """Whether a path holds stacks of frames, by the names of files and of the arrays in them."""
    if hints.stations is not None or hints.graph is not None or hints.sites is not None or "://" in path:
        return False
    try:
        place = Path(path).expanduser()
        if place.is_dir():
            inside = _stacks_in(place)
            return bool(inside) and not any(_is_mesh(file) for file in inside)
        if place.suffix.lower() not in SUFFIXES or _is_mesh(place):
            return False
        return not (holds_places(place, hints) or holds_frame(place))
    except (OSError, RuntimeError, ValueError):  # no permission, too long a name, an unknown home, a zero byte
        return False


def _stacks_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())


def _is_mesh(file: Path) -> bool:
    if file.stem in _MESH:
        return True
    return file.suffix.lower() == ".npz" and file.is_file() and bool(_MESH & set(member_names(file)))


def read(
    path: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Field:
    """A record of frames on a planar grid; events that overlap are put together again.

    Parameters
    ----------
    path : str
        A file, a folder or a pattern: fire stacks ``a<k>_fds.npy`` (a scenario each), taxi flow, or any array.
    observe, predict : sequence of str, optional
        Channels that sensors measure and that are forecast. Default: all, if there are at most 8.
    cache_dir : Path, optional
        Where records larger than 64 MB are kept once converted; default ``DYNST_CACHE`` or the user's cache folder.
    hints : Hints
        ``layout``, the letters of the axes, and ``spacing`` in metres; both override a side-car ``<file>.toml``.

    Returns
    -------
    Field
        x to the right and y upwards, the uppermost row first. What was assumed is in `Origin.notes`.

    Raises
    ------
    DataError
        If a file is damaged or holds no usable frames.
    ConfigError
        If the axes are unclear or do not fit, or a channel is asked for that is not there.
    """
    hints.check("frame", "layout", "spacing")
    if hints.spacing is not None and not 0 < hints.spacing < np.inf:
        raise ConfigError(f"spacing must be a length above 0 in metres; {hints.spacing:g} came.")
    files = _files(path)
    name = files[0].stem if len(files) == 1 else re.sub(r"[*?\[\]]+", "", Path(path).stem) or files[0].parent.name
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._-") or "frames"
    record = _Record(name, _scenarios(files, hints, lambda: writable(cache_folder(cache_dir))), hints.spacing)
    record.survey()
    record.channels = Wanted(observe, predict).choose(name, record.offered, {})
    beside = [side for file in files if (side := _beside(file)).is_file()]
    marks = marks_of([*files, *beside], cache_dir=cache_dir)
    made = record.field(marks.version, path, cache_dir, keep_values=hints.keep_values)
    told = replace(made.origin, path=path, reader="frames", fingerprint=marks.fingerprint, sampled=marks.sampled)
    return replace(made, origin=told)


def _beside(file: Path) -> Path:
    return file.with_name(f"{file.name}.toml")


def _files(path: str) -> list[Path]:
    try:
        place = Path(path).expanduser()
        found = [place] if place.is_file() else _stacks_in(place) if place.is_dir() else []
        if not place.exists():
            listed = map(Path, sorted(glob.glob(str(place), recursive=True)))  # noqa: PTH207 - may be absolute
            found = [file for file in listed if file.suffix.lower() in SUFFIXES]
        odd = [file for file in found if not file.is_file()]
    except (OSError, RuntimeError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err).rstrip(".")
        raise DataError(f"{path!r}: cannot be looked at: {reason}. Check the path and its permissions.") from err
    if odd or (not found and place.exists()):
        raise DataError(f"{path}: neither a file nor a folder of frames. Give a file, a folder or a pattern.")
    if not found:
        raise DataError(f"{path}: no such file, folder or pattern. Check the path (here: {Path.cwd()}).")
    return sorted(found, key=lambda file: [int(part) if part.isdigit() else part for part in _pieces(file.name)])


def _pieces(name: str) -> list[str]:
    """Texts and numbers in turn, so that a10 comes after a9."""
    return re.split(r"(\d+)", name)


@dataclass(frozen=True, eq=False)
class _Stack:
    """An array whose axes are known."""

    where: str
    array: Array
    letters: str
    side: Sidecar

    def size(self, letter: str) -> int:
        return self.array.shape[self.letters.index(letter)] if letter in self.letters else 1

    @property
    def attrs(self) -> dict[str, object]:
        return {**self.array.attrs, **({} if self.side.fill is None else {"_FillValue": self.side.fill})}

    @property
    def by_rows(self) -> bool:
        """Whether the file runs through all times of a row before it comes to the next."""
        return self.letters.index("t") > min(self.letters.index("h"), self.letters.index("w"))

    def read(self, event: int, steps: tuple[int, int], rows: tuple[int, int], columns: tuple[int, int]) -> ndarray:
        """Values as in the file, as `(time, channel, row, column)`."""
        box = {"e": (event, event + 1), "t": steps, "c": (0, self.size("c")), "h": rows, "w": columns}
        raw = self.array.read([box[letter] for letter in self.letters])
        order = [self.letters.index(letter) for letter in "etchw" if letter in self.letters]
        return raw.transpose(order).reshape([stop - start for start, stop in (box[letter] for letter in "tchw")])


@dataclass(frozen=True, eq=False)
class _Scenario:
    """Events of one kind; each is made of one stack or several, one after the other in time."""

    name: str
    events: tuple[tuple[tuple[_Stack, int], ...], ...]
    kind: str = ""
    dates: Times | None = None
    part: tuple[str, ...] = ()  # train, valid or test for each event, as the makers have it

    @property
    def first(self) -> _Stack:
        return self.events[0][0][0]

    @property
    def frames(self) -> int:
        return sum(stack.size("t") for stack, _ in self.events[0])

    @property
    def bytes(self) -> int:
        step = self.first.size("c") * self.first.size("h") * self.first.size("w") * self.first.array.dtype.itemsize
        return len(self.events) * self.frames * step

    def read(
        self,
        event: int,
        steps: tuple[int, int],
        rows: tuple[int, int] | None = None,
        columns: tuple[int, int] | None = None,
    ) -> ndarray:
        found, at = [], 0
        for stack, number in self.events[event]:
            length = stack.size("t")
            start, stop = max(steps[0] - at, 0), min(steps[1] - at, length)
            if start < stop:
                all_of = (0, stack.size("h")), (0, stack.size("w"))
                found.append(stack.read(number, (start, stop), rows or all_of[0], columns or all_of[1]))
            at += length
        return found[0] if len(found) == 1 else np.concatenate(found)

    def rebuilt(self) -> Rebuilt:
        """The runs; frames of small stacks are compared in full, of large ones by cells and joints in full."""
        if len(self.events) == 1:
            return Rebuilt((((0, 0, self.frames),),), {})
        look = self._whole if self.bytes <= IN_MEMORY_BYTES else self._sample
        digests = np.zeros((len(self.events), self.frames), np.uint64)
        for event in range(len(self.events)):
            for step, values in enumerate(look(event)):
                digest = hashlib.blake2b(np.ascontiguousarray(values).tobytes(), digest_size=8).digest()
                digests[event, step] = int.from_bytes(digest, "little")
        return rebuild(digests, self._same)

    def _whole(self, event: int) -> ndarray:
        return self.read(event, (0, self.frames))

    def _sample(self, event: int) -> ndarray:
        h, w = self.first.size("h"), self.first.size("w")
        rows = sorted({h * row // _SPREAD[1] for row in _SPREAD[0]})
        starts = sorted({w * piece // _SPREAD[3] for piece in _SPREAD[2]})
        boxes = [((row, row + 1), (start, min(w, start + _SPREAD[4]))) for row in rows for start in starts]
        return np.concatenate([self.read(event, (0, self.frames), *box) for box in boxes], axis=3)

    def _same(self, a: int, b: int, stride: int) -> bool:
        """Whether the first and the last frame that two events share are equal in every cell."""
        if self.bytes <= IN_MEMORY_BYTES:
            return True  # the digests were of whole frames
        length = self.frames
        for mine, other in ((stride, 0), (length - 1, length - 1 - stride)):
            pair = self.read(a, (mine, mine + 1)), self.read(b, (other, other + 1))
            if not np.array_equal(*pair, equal_nan=pair[0].dtype.kind == "f"):
                return False
        return True


def _scenarios(files: list[Path], hints: Hints, scratch: Callable[[], Path]) -> list[_Scenario]:
    parts = [_PART.match(file.name) for file in files]
    if len(files) > 1 and all(parts):
        stacks: dict[str, dict[str, _Stack]] = {}
        for file, match in zip(files, parts, strict=True):
            assert match is not None  # as all do
            stacks.setdefault(_PARTS[match[1]], {})[match[2]] = _only(file, hints, scratch)
        return [_paired(files[0].parent.name, stacks, "taxi")]
    found = []
    for file in files:
        arrays = open_arrays(file, scratch)
        side = read_sidecar(file)
        pairs = {part: {"input": f"X_{part}", "output": f"Y_{part}"} for part in ("train", "valid", "val", "test")}
        pairs = {_PARTS[part]: pair for part, pair in pairs.items() if set(pair.values()) <= set(arrays)}
        if pairs and side.variable is None:
            stacks = {
                part: {key: _stack(file, name, arrays, side, hints, usual="etchw") for key, name in pair.items()}
                for part, pair in pairs.items()
            }
            found.append(_paired(file.stem, stacks, "taxi"))
        elif {"date", "data"} <= set(arrays) and side.variable is None:
            stack = _stack(file, "data", arrays, side, hints, usual="tchw")
            found.append(_Scenario(file.stem, (((stack, 0),),), "taxi", _dates(file, arrays["date"])))
        else:
            stack = _only(file, hints, scratch)
            kind = "fire" if _FIRE.match(file.stem) and stack.size("c") == 2 else ""
            found.append(_Scenario(file.stem, tuple(((stack, event),) for event in range(stack.size("e"))), kind))
    return found


def _only(file: Path, hints: Hints, scratch: Callable[[], Path]) -> _Stack:
    """The stack in a file that holds one, or that its side-car names."""
    arrays, side = open_arrays(file, scratch), read_sidecar(file)
    able = [name for name, array in arrays.items() if len(array.shape) >= 3 and array.dtype.kind in "iufb"]
    name = able[0] if len(able) == 1 else side.variable
    if side.variable is not None and side.variable not in arrays:
        raise ConfigError(f"{file.name}: {unknown_name('array', side.variable, arrays)}")
    if name is None or not able:
        shapes = ", ".join(f"{key or 'one array'} {array.shape} {array.dtype}" for key, array in arrays.items())
        if not able:
            raise DataError(
                f"{file.name}: no array of numbers with three or more axes is in it (there: {shapes or 'nothing'})."
            )
        raise ConfigError(
            f"{file.name}: which array holds the frames? There are {shapes}. "
            f'Name one in {file.name}.toml, for example variable = "{able[0]}".'
        )
    return _stack(file, side.variable or name, arrays, side, hints, usual="etchw" if _FIRE.match(file.stem) else None)


def _stack(
    file: Path, name: str, arrays: dict[str, Array], side: Sidecar, hints: Hints, *, usual: str | None
) -> _Stack:
    array, where = arrays[name], f"{file.name}{': ' if name else ''}{name}"
    if array.dtype.kind not in "iufb":
        raise DataError(f"{where}: holds values of type {array.dtype}. Expected numbers.")
    given = hints.layout or side.layout
    if given is None and usual is not None and len(array.shape) == len(usual):
        given = usual
    letters = axis_letters(where, array.shape, given)
    if 0 in array.shape:
        raise DataError(f"{where}: shape {array.shape} holds no value. Get it again.")
    return _Stack(where, array, letters, side)


def _paired(name: str, parts: dict[str, dict[str, _Stack]], kind: str) -> _Scenario:
    """Windows whose history and future are two arrays, of the makers' training, validation and test parts."""
    events, part = list[tuple[tuple[_Stack, int], ...]](), list[str]()
    for key in ("train", "valid", "test"):
        if key not in parts:
            continue
        pair = [parts[key][half] for half in ("input", "output") if half in parts[key]]
        if len({stack.size("e") for stack in pair}) > 1:
            raise DataError(
                f"{pair[0].where} and {pair[1].where} hold {pair[0].size('e')} and {pair[1].size('e')} events."
            )
        events += [tuple((stack, event) for stack in pair) for event in range(pair[0].size("e"))]
        part += [key] * pair[0].size("e")
    return _Scenario(name, tuple(events), kind, None, tuple(part))


def _dates(file: Path, array: Array) -> Times:
    """Times from texts like ``2013070101``: a day and the number of the half hour in it, from 1 on."""
    raw = array.read([(0, length) for length in array.shape]).ravel()
    texts = [value.decode() if isinstance(value, bytes) else str(value) for value in raw.tolist()]
    try:
        days = np.array([f"{text[:4]}-{text[4:6]}-{text[6:8]}" for text in texts], "datetime64[D]")
        slots = np.array([int(text[8:]) for text in texts])
    except ValueError as err:
        raise DataError(f"{file.name}: a date is not like 2013070101 (day and half hour): {err}.") from err
    odd = np.flatnonzero((slots < 1) | (slots > 48))
    if len(odd):
        raise DataError(f"{file.name}: date {texts[odd[0]]} names half hour {slots[odd[0]]}. Expected 1 to 48.")
    return Times(days.astype("datetime64[ns]") + (slots - 1) * np.timedelta64(30, "m"))


@dataclass(eq=False)
class _Record:
    """All scenarios as one record: filled step by step by `survey`, turned into a field by `field`."""

    name: str
    scenarios: list[_Scenario]
    spacing: float | None = None  # as the user says
    notes: list[str] = field(default_factory=list)
    spans: list[tuple[int, int, int, int]] = field(default_factory=list)  # scenario, event, first, past the last
    runs: Runs = field(default_factory=lambda: Runs(np.zeros(0, np.int64), "1 step"))
    cases: tuple[str, ...] = ()
    parts: dict[str, list[str]] = field(default_factory=dict)
    time: ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    offered: tuple[Channel, ...] = ()
    channels: tuple[Channel, ...] = ()
    flip: bool = False
    odd: Oddities = field(default_factory=Oddities)
    missing: list[int] = field(default_factory=lambda: [0, 0])

    @property
    def first(self) -> _Stack:
        return self.scenarios[0].first

    @property
    def shape(self) -> tuple[int, int]:
        return self.first.size("h"), self.first.size("w")

    def survey(self) -> None:
        """Runs, times, channels and the lowest row; no value is kept."""
        for stack in {id(s): s for scenario in self.scenarios for event in scenario.events for s, _ in event}.values():
            mine, other = ([s.size(letter) for letter in "chw"] for s in (self.first, stack))
            if mine != other:
                raise DataError(
                    f"{self.first.where} and {stack.where} differ: {mine} and {other} channels, rows and columns. "
                    "Give stacks of one kind."
                )
        self._channels()
        if any(scenario.dates for scenario in self.scenarios):
            self._dated()
        else:
            self._counted()
        self._upright()

    def _channels(self) -> None:
        count, kind, side = self.first.size("c"), self.scenarios[0].kind, self.first.side
        names, units = [f"channel{i}" for i in range(count)], ["1"] * count
        if count == 1:
            names = [re.sub(r"\W+", "_", self.first.where.rsplit(": ", 1)[-1].split(".")[0]) or "value"]
        if kind == "fire":
            names, units = ["temperature", "visibility"], ["degC", "m"]
        if kind == "taxi" and count == 2:
            names = ["inflow", "outflow"]
        if kind and side.channels is None:
            self.notes.append(f"channels are assumed to be {' and '.join(names)}, as in such files")
        for what, given in (("channels", side.channels), ("units", side.units)):
            if given is not None and len(given) != count:
                raise ConfigError(f"{self.first.where}: {count} channels, but the side-car names {len(given)} {what}.")
        names, units = list(side.channels or names), list(side.units or units)
        if len(set(names)) < count:
            raise ConfigError(f"{self.first.where}: two channels share a name: {', '.join(names)}.")
        self.offered = tuple(Channel(name, unit) for name, unit in zip(names, units, strict=True))

    def _dated(self) -> None:
        if not all(scenario.dates for scenario in self.scenarios):
            raise DataError(f"{self.name}: some files have dates and others none. Read them apart.")
        self.scenarios.sort(key=lambda scenario: scenario.dates.values.min() if scenario.dates else 0)
        for number, scenario in enumerate(self.scenarios):
            assert scenario.dates is not None  # as above
            if len(scenario.dates.values) != scenario.frames:
                raise DataError(
                    f"{scenario.first.where}: {len(scenario.dates.values)} dates for {scenario.frames} frames."
                )
            self.spans.append((number, 0, 0, scenario.frames))
        times = Times(np.concatenate([scenario.dates.values for scenario in self.scenarios if scenario.dates]))
        back = np.flatnonzero(np.diff(times.values).astype(np.int64) <= 0)
        if len(back):
            raise DataError(
                f"{self.name}: time goes back or repeats: "
                f"{times.say(int(back[0]) + 1)} after {times.say(int(back[0]))}."
            )
        self.runs, self.time = find_runs(times, where=self.name), times.values
        if self.runs.gaps:
            shown = "; ".join(self.runs.gaps[:3]) + (
                f" and {len(self.runs.gaps) - 3} more" if len(self.runs.gaps) > 3 else ""
            )
            self.notes.append(
                f"{len(self.runs.gaps)} gaps in time cut the record into {len(self.runs.gaps) + 1} runs: {shown}"
            )

    def _counted(self) -> None:
        """Frames without dates: runs as the content tells."""
        lengths, names = list[int](), list[str]()
        for number, scenario in enumerate(self.scenarios):
            found = scenario.rebuilt()
            self._say(scenario, found)
            for i, run in enumerate(found.runs):
                self.spans += [(number, *span) for span in run]
                lengths.append(sum(stop - start for _, start, stop in run))
                names.append(scenario.name if len(found.runs) == 1 else f"{scenario.name} run {i + 1}")
                if scenario.part:
                    for key in {scenario.part[event] for event, _, _ in run}:
                        self.parts.setdefault(key, []).append(names[-1])
        side = self.first.side
        step = side.cadence or side.step
        self.runs = Runs(np.repeat(np.arange(len(lengths)), lengths), "1 step" if step is None else f"{step:g} s")
        self.time = np.arange(sum(lengths))
        if step and side.start is not None and len(lengths) == 1:
            self.time = side.start.astype("datetime64[ns]") + (self.time * int(step * 1e9)).astype("timedelta64[ns]")
        if len(self.scenarios) > 1 or (len(lengths) > 1 and not self.scenarios[0].part):
            self.cases = tuple(names)
        if self.scenarios[0].part:
            listed = [name for part in self.parts.values() for name in part]
            if {"train", "valid", "test"} <= set(self.parts) and len(listed) == len(set(listed)):
                self.cases = tuple(names)
            else:
                self.parts = {}
                self.notes.append(
                    "the makers' parts are joined in order and split anew: windows overlap across their border, or a "
                    "part is lacking"
                )

    def _say(self, scenario: _Scenario, found: Rebuilt) -> None:
        events, joined = len(scenario.events), sum(found.strides.values())
        if events == 1:
            return
        steps = sum(stop - start for run in found.runs for _, start, stop in run)
        said = f"{scenario.name}: {events} events of {scenario.frames} frames"
        if not joined:
            self.notes.append(f"{said} do not overlap: a run each")
            return
        strides = ", ".join(str(stride) for stride in sorted(found.strides) if stride)
        runs = f"{len(found.runs)} run{'s' * (len(found.runs) > 1)}"
        self.notes.append(
            f"{said} overlap (stride {strides or 0}) and are put together again: {runs} of {steps} frames in all"
            + (f"; {found.strides[0]} events repeat another" if found.strides.get(0) else "")
            + ("" if found.ordered else "; the events were not in order")
        )

    def _upright(self) -> None:
        """Which row lies lowest: as the side-car says; the cooler of the outer rows of a fire; else the last."""
        floor = self.first.side.floor
        if floor is not None:
            self.flip = floor == "first"
            return
        if self.scenarios[0].kind != "fire":
            self.notes.append("the last row is taken for the lowest, as in a picture")
            return
        h, w = self.shape
        heat = np.zeros(2)
        for scenario in self.scenarios:
            for at in np.linspace(0, len(scenario.events) - 1, 4).astype(int).tolist():
                for row, side in ((0, 0), (h - 1, 1)):
                    heat[side] += float(
                        np.nanmean(
                            scenario.read(at, (scenario.frames - 1, scenario.frames), (row, row + 1), (0, w))[:, 0]
                        )
                    )
        self.flip = bool(heat[0] < heat[1])
        self.notes.append(
            f"the {'first' if self.flip else 'last'} row is taken for the floor: "
            + ("the other outer row is hotter" if heat[0] != heat[1] else "both outer rows are as hot")
        )

    def slabs(self, cells: Int[ndarray, " n"] | None = None) -> Iterator[Slab]:
        """Values of the chosen channels, a block at a time, of all cells or those given."""
        self.odd.clear()
        self.missing[:] = [0, 0]
        h, w = self.shape
        names = [channel.name for channel in self.offered]
        chosen = [names.index(channel.name) for channel in self.channels]
        frame = 4 * w * len(names)
        at = 0
        for number, event, first, last in self.spans:
            scenario = self.scenarios[number]
            rows = h if not scenario.first.by_rows else max(1, _BLOCK // (frame * (last - first)))
            steps = max(1, 4 * _BLOCK // (frame * rows) if rows < h else _BLOCK // (frame * h))
            for low in range(0, h, rows):
                high = min(h, low + rows)
                theirs = (h - high, h - low) if self.flip else (low, high)
                for start in range(first, last, steps):
                    stop = min(last, start + steps)
                    raw = scenario.read(event, (start, stop), theirs)[:, chosen]
                    values = decode(raw[:, :, ::-1] if self.flip else raw, scenario.first.attrs, self.odd)
                    flat = values.transpose(0, 2, 3, 1).reshape(stop - start, -1, len(chosen))
                    site = low * w
                    if cells is not None:
                        site = int(np.searchsorted(cells, low * w))
                        inside = cells[site : int(np.searchsorted(cells, high * w))]
                        flat = flat[:, inside - low * w] if len(inside) < flat.shape[1] else flat
                        self.missing[0] += int(np.isnan(flat).sum())
                        self.missing[1] += flat.size
                    yield Slab(at + start - first, site, flat)
            at += last - first

    def cells(self) -> Int[ndarray, " n"]:
        """Cells that ever hold a value."""
        valid: Bool[ndarray, " n"] = np.zeros(self.shape[0] * self.shape[1], bool)
        channels = np.zeros(len(self.channels), bool)
        for slab in self.slabs():
            seen = ~np.isnan(slab.values)
            valid[slab.site : slab.site + seen.shape[1]] |= seen.any(axis=(0, 2))
            channels |= seen.any(axis=(0, 1))
            if valid.all() and channels.all():
                break
        empty = [channel.name for channel, there in zip(self.channels, channels.tolist(), strict=True) if not there]
        if empty:
            raise DataError(f"{self.name}: {', '.join(empty)} has no value at any time and place (all missing).")
        return np.flatnonzero(valid)

    def learnt(self) -> Learnt:
        """What is learnt by reading all values."""
        return Learnt(self.missing[0] / max(1, self.missing[1]), tuple(self.odd.notes()))

    def field(self, version: str, path: str, cache_dir: Path | None, *, keep_values: bool = False) -> Field:
        """The field, in memory if small, else converted once to a file."""
        steps, (h, w), count = len(self.time), self.shape, len(self.channels)
        series: Series
        if 4 * steps * h * w * count <= IN_MEMORY_BYTES:
            cells = self.cells()
            values: Float[ndarray, "t n c"] = np.empty((steps, len(cells), count), np.float32)
            for slab in self.slabs(cells):
                values[slab.start : slab.start + len(slab.values), slab.site : slab.site + slab.values.shape[1]] = (
                    slab.values
                )
            series, learnt = ArraySeries(values), self.learnt()
        else:
            names = [channel.name for channel in self.channels]
            layouts = [scenario.first.letters for scenario in self.scenarios]
            key = f"frames|{version}|{path}|{names}|{layouts}|{self.flip}|{self.spans}"
            done = convert(
                cache_folder(cache_dir),
                key,
                steps,
                count,
                cells=self.cells,
                slabs=partial(self.slabs),
                learnt=self.learnt,
            )
            series, cells, learnt = done.series, done.cells, done.learnt
        seen = look(series, self.channels, learnt.missing, keep=keep_values)
        cells, missing, notes = cells[seen.sites], seen.missing, [*self.notes, *learnt.notes]
        if len(cells) < h * w:
            notes.append(f"{h * w - len(cells)} of {h * w} cells never hold a value and are no sites")
        if missing:
            notes.append(f"{missing:.2%} of the values at the sites are missing")
        made = Field(
            series=seen.series,
            time=self.time,
            run=self.runs.run,
            sites=self._sites(cells, notes),
            layout=GridLayout((h, w), cells),
            channels=self.channels,
            name=self.name,
            cadence=self.runs.cadence,
            has_missing=missing > 0,
            cases=self.cases,
            origin=Origin(notes=tuple(notes), makers_split=self._makers_split()),
        )
        return seen.on(made)

    def _makers_split(self) -> MakersSplit | None:
        if not self.parts:
            return None
        train, valid, test = (tuple(self.parts[part]) for part in ("train", "valid", "test"))
        return MakersSplit(train, valid, test)

    def _sites(self, cells: Int[ndarray, " n"], notes: list[str]) -> Sites:
        side = self.first.side
        dx, dy = (self.spacing or one or side.spacing for one in (side.spacing_x, side.spacing_y))
        known = dx is not None and dy is not None
        if not known:
            notes.append("the distance between cells is unknown (--spacing METRES): positions count cells")
        row, column = np.divmod(cells, self.shape[1])
        x, y = column * (dx or 1.0), (self.shape[0] - 1 - row) * (dy or 1.0)
        return Sites(x.astype(float), y.astype(float), frame=Frame.PLANAR, unit="m" if known else "cells")
