"""Arrays of times by places by channels, as collections of traffic keep them: detectors, not pictures."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dynst.domain import Channel
from dynst.errors import ConfigError, DataError
from dynst.readers.arrays import SUFFIXES, Array, open_arrays, shapes_of
from dynst.readers.base import Hints
from dynst.readers.records import Record, Wanted, cleaned
from dynst.readers.sidecar import Sidecar, of_places, place_letters, read_sidecar
from dynst.readers.times import Times

__all__ = ["holds_places", "read_places_array"]

_TRAFFIC = re.compile(r"pems-?d?0?[48]\b", re.IGNORECASE)
_MEASURED = ("flow", "occupancy", "speed")  # of the two collections that keep three


def holds_places(path: Path, hints: Hints) -> bool:
    """Whether a file holds one array of times by places, by its letters or its shape; no value is read."""
    if path.suffix.lower() not in SUFFIXES or not path.is_file():
        return False
    try:
        letters = hints.layout or read_sidecar(path).layout
    except ConfigError:  # whoever reads the file says what is wrong with its side-car
        return False
    if letters is not None:
        return "p" in letters
    able = [shape for shape in shapes_of(path).values() if len(shape) >= 3]
    return len(able) == 1 and of_places(able[0])


def read_places_array(path: Path, wanted: Wanted, layout: str | None) -> Record:
    """The record in an array of times by places; places are called by their numbers.

    Raises
    ------
    DataError, ConfigError
        If there is no such array, its axes are unclear, or a channel is asked for that is not there.
    """
    side = read_sidecar(path)
    name, array = _only(path, open_arrays(path, lambda: Path(tempfile.gettempdir()), least=2), side)
    where = f"{path.name}{': ' if name else ''}{name}"
    letters = place_letters(where, array.shape, layout or side.layout)
    raw = np.asarray(array.read([(0, length) for length in array.shape]), float)
    values = raw.transpose([letters.index(letter) for letter in "tpc" if letter in letters])
    values = values if "c" in letters else values[:, :, None]
    if side.fill is not None:
        values[values == side.fill] = np.nan
    offered, assumed = _channels(path, side, values.shape[2])
    channels = wanted.choose(path.name, offered, {})
    kept = [offered.index(next(one for one in offered if one.name == channel.name)) for channel in channels]
    said = {"t": "times", "p": "places", "c": "channels"}
    axes = " by ".join(f"{length} {said[letter]}" for letter, length in zip(letters, array.shape, strict=True))
    times, note = _times(side, len(values))
    values32, notes = cleaned(values[:, :, kept])
    names = tuple(str(i) for i in range(values.shape[1]))
    given = [f"the array is taken for {axes} (--layout {letters})"] if layout is None else []
    return Record(where, values32, times, names, channels, notes=(*given, *assumed, *note, *notes), numbered=True)


def _only(path: Path, arrays: dict[str, Array], side: Sidecar) -> tuple[str, Array]:
    numbers = {name: array for name, array in arrays.items() if array.dtype.kind in "iufb" and len(array.shape) > 1}
    if side.variable is not None and side.variable in numbers:
        return side.variable, numbers[side.variable]
    most = max((len(array.shape) for array in numbers.values()), default=0)
    able = {name: array for name, array in numbers.items() if len(array.shape) == most}
    if len(able) == 1:
        return next(iter(able.items()))
    shapes = ", ".join(f"{key or 'one array'} {array.shape} {array.dtype}" for key, array in arrays.items())
    if not able:
        raise DataError(f"{path.name}: no array of numbers of times by places is in it (there: {shapes or 'nothing'}).")
    raise ConfigError(
        f"{path.name}: which array holds the values? There are {shapes}. "
        f'Name one in {path.name}.toml, for example variable = "{next(iter(able))}".'
    )


def _channels(path: Path, side: Sidecar, count: int) -> tuple[list[Channel], list[str]]:
    """Channels as the side-car names them, else by number; of well-known files as everybody calls them."""
    names: Sequence[str] = side.channels or ()
    assumed = []
    if not names and count == len(_MEASURED) and _TRAFFIC.match(path.stem):
        names = _MEASURED
        assumed.append(f"channels are assumed to be {', '.join(_MEASURED)}, as in such files")
    names = names or (["value"] if count == 1 else [f"channel{i}" for i in range(count)])
    units = side.units or ["1"] * count
    for what, said in (("channels", names), ("units", units)):
        if len(said) != count:
            raise ConfigError(f"{path.name}: {count} channels, but the side-car names {len(said)} {what}.")
    return [Channel(name, unit) for name, unit in zip(names, units, strict=True)], assumed


def _times(side: Sidecar, steps: int) -> tuple[Times, list[str]]:
    step = side.cadence or side.step
    if step is None:
        return Times(np.arange(steps)), ["the array has no times, so steps are counted by number"]
    if side.start is None:
        return Times(np.arange(steps) * step, "s"), ["the array has no date, so steps are counted"]
    return Times(
        side.start.astype("datetime64[ns]") + (np.arange(steps) * int(step * 1e9)).astype("timedelta64[ns]")
    ), []
