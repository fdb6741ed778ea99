"""What a small TOML file beside an array says of it, and the letters of its axes."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path

import numpy as np

from dynst.errors import ConfigError, unknown_name

__all__ = ["LETTERS", "Sidecar", "axis_letters", "of_places", "place_letters", "read_sidecar"]

LETTERS = "etchw"
"""Axes: event, time, channel, rows, columns."""

_SMALL = 4  # an axis of at most so many entries among longer ones holds the channels
_FAR = 5  # times as many places as channels, before an array is taken for one of places,
_FEWEST = 8  # and at least so many
_NUMBERS = ("spacing", "spacing_x", "spacing_y", "cadence", "step", "fill")


@dataclass(frozen=True)
class Sidecar:
    """Content of ``<file>.toml``; whatever it leaves out is None. Lengths in metres, `cadence` (`step`) in seconds."""

    layout: str | None = None
    spacing: float | None = None
    spacing_x: float | None = None
    spacing_y: float | None = None
    channels: tuple[str, ...] | None = None
    units: tuple[str, ...] | None = None
    cadence: float | None = None
    step: float | None = None
    start: np.datetime64 | None = None
    variable: str | None = None
    floor: str | None = None
    fill: float | None = None


def read_sidecar(file: Path) -> Sidecar:
    """The side-car of a data file; an empty one if there is none.

    Raises
    ------
    ConfigError
        If it is no TOML, or holds an unknown key or a value of the wrong kind.
    """
    beside = file.with_name(f"{file.name}.toml")
    if not beside.is_file():
        return Sidecar()
    try:
        content = tomllib.loads(beside.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as err:
        raise ConfigError(f"{beside.name}: cannot be read as TOML: {str(err).splitlines()[0]}.") from err
    known = [field.name for field in fields(Sidecar)]
    said: dict[str, object] = {}
    for key, value in content.items():
        if key not in known:
            raise ConfigError(f"{beside.name}: {unknown_name('key', key, known)}")
        said[key] = _value(beside.name, key, value)
    return Sidecar(**said)  # type: ignore[arg-type]  # each value was checked


def _value(where: str, key: str, value: object) -> object:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in _NUMBERS:
        if number and (key == "fill" or 0 < float(str(value)) < np.inf):
            return float(str(value))
        expected = "a number" if key == "fill" else "a number above 0"
    elif key in ("channels", "units"):
        if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
            return tuple(value)
        expected = 'a list of texts, like ["temperature"]'
    elif key == "start":
        try:
            text = value.isoformat() if isinstance(value, date | datetime) else str(value)
            return np.datetime64(text.removesuffix("+00:00").removesuffix("Z"), "ns")
        except ValueError:
            expected = "a date like 2013-07-01T00:00"
    elif isinstance(value, str) and (key != "floor" or value in ("first", "last")):
        return value
    else:
        expected = '"first" or "last", the row that lies lowest' if key == "floor" else "a text"
    raise ConfigError(f"{where}: {key} = {value!r} is no use: expected {expected}.")


def axis_letters(where: str, shape: Sequence[int], given: str | None) -> str:
    """Letters of the axes of an array: those given, or those that its shape leaves no doubt about.

    Raises
    ------
    ConfigError
        If they do not fit, or the shape could be read in several ways.

    Examples
    --------
    >>> axis_letters("x.npy", (400, 32, 480), None), axis_letters("x.npy", (400, 2, 32, 480), None)
    ('thw', 'tchw')
    >>> axis_letters("x.npy", (40, 30, 32, 48), None)
    Traceback (most recent call last):
    dynst.errors.ConfigError: x.npy: what the 4 axes of shape (40, 30, 32, 48) are is unclear. Say it in letters (e event, t time, c channel, h rows, w columns; outermost first), for example --layout tchw.
    """  # noqa: E501 - one line is the law of messages
    said = f"shape ({', '.join(map(str, shape))})"
    if given is not None:
        odd = [letter for letter in given if letter not in LETTERS]
        if odd or len(set(given)) < len(given) or not {"t", "h", "w"} <= set(given):
            raise ConfigError(
                f'layout "{given}" is no use: give each of t (time), h (rows) and w (columns) once, and e (event) and '
                "c (channel) at most once, outermost first, for example --layout tchw."
            )
        if len(given) != len(shape):
            raise ConfigError(
                f'{where}: layout "{given}" has {len(given)} letters, but the array has {len(shape)} axes of {said}. '
                "Give one letter an axis."
            )
        return given
    small = [axis for axis, length in enumerate(shape) if length <= _SMALL]
    if len(shape) == 3 and small == [2] and min(shape[:2]) > _SMALL:  # places with channels, or a very narrow picture
        raise ConfigError(
            f"{where}: what the axes of {said} are is unclear. Say it in letters: --layout tpc for time, places and "
            "channels, --layout thw for time, rows and columns."
        )
    by_place: dict[tuple[int, tuple[int, ...]], str] = {(4, (1,)): "tchw", (4, (3,)): "thwc", (5, (2,)): "etchw"}
    guess = "thw" if len(shape) == 3 else by_place.get((len(shape), tuple(small)))
    if guess is None:
        example = {5: "etchw"}.get(len(shape), "tchw")
        raise ConfigError(
            f"{where}: what the {len(shape)} axes of {said} are is unclear. Say it in letters (e event, t time, "
            f"c channel, h rows, w columns; outermost first), for example --layout {example}."
        )
    return guess


def of_places(shape: Sequence[int]) -> bool:
    """Whether a shape can only be times by places by channels: few channels, many more places, yet more times.

    Examples
    --------
    >>> of_places((16992, 307, 3)), of_places((400, 32, 480)), of_places((400, 12, 3))
    (True, False, False)
    """
    if len(shape) != 3:
        return False
    times, places, channels = shape
    return channels <= _SMALL and times >= places >= max(_FAR * channels, _FEWEST)


def place_letters(where: str, shape: Sequence[int], given: str | None) -> str:
    """Letters of an array of times by places: those given, or those that its shape leaves no doubt about.

    Raises
    ------
    ConfigError
        If they do not fit, or the shape could be read in several ways.

    Examples
    --------
    >>> place_letters("x.npz", (16992, 307, 3), None), place_letters("x.npz", (16992, 307), None)
    ('tpc', 'tp')
    """
    said = f"shape ({', '.join(map(str, shape))})"
    if given is None and of_places(shape):
        return "tpc"
    if given is None and len(shape) == 2 and shape[0] >= shape[1]:
        return "tp"
    if given is None:
        raise ConfigError(
            f"{where}: what the {len(shape)} axes of {said} are is unclear. Say it in letters (t time, p places, "
            "c channel; outermost first), for example --layout tpc."
        )
    if sorted(given) not in (["p", "t"], ["c", "p", "t"]):
        raise ConfigError(
            f'layout "{given}" is no use: give each of t (time) and p (places) once, and c (channel) at most once, '
            "outermost first, for example --layout tpc."
        )
    if len(given) != len(shape):
        raise ConfigError(
            f'{where}: layout "{given}" has {len(given)} letters, but the array has {len(shape)} axes of {said}. '
            "Give one letter an axis."
        )
    return given
