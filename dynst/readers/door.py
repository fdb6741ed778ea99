"""The one door: from what a user typed to a field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from dynst.domain import Field
from dynst.errors import ConfigError
from dynst.readers import frames, gridded, mesh, stations, synthetic
from dynst.readers.base import Hints, Reader
from dynst.readers.samples import DEFAULT_SAMPLE, list_samples, sample_path

__all__ = ["READERS", "read", "resolve", "sniff"]

READERS: dict[str, Reader] = {
    "frames": frames.read,
    "gridded": gridded.read,
    "mesh": mesh.read,
    "stations": stations.read,
    "synthetic": synthetic.read,
}
"""Readers by name; `sniff` chooses."""

_RECOGNISED: tuple[tuple[str, Callable[[str, Hints], bool]], ...] = (
    ("synthetic", synthetic.recognises),
    ("gridded", gridded.recognises),
    ("mesh", mesh.recognises),
    ("frames", frames.recognises),
    ("stations", stations.recognises),
)
"""Who is asked, in this order, whether a path is theirs, by names and first bytes; nobody's path is ``gridded``."""


def read(
    data: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Field:
    """The record that `data` names: a path, a pattern, a folder, a URL, ``sample:NAME`` or ``synthetic:NAME``.

    Parameters
    ----------
    data : str
        What the user typed.
    observe, predict : sequence of str, optional
        Channels that sensors measure, and that are forecast; default all, if there are at most 8.
    cache_dir : Path, optional
        Where large records are kept once converted.
    hints : Hints
        What the files do not say themselves.

    Raises
    ------
    DataError, ConfigError
        One clear line for whatever the user can mend.

    Examples
    --------
    >>> read("synthetic:white_noise:3").name
    'white_noise-3'
    """
    path = resolve(data)
    reader = READERS[sniff(path, hints)]
    field = reader(path, observe=observe, predict=predict, cache_dir=cache_dir, hints=hints)
    if path == data:
        return field
    return replace(field, origin=replace(field.origin, path=data))


def sniff(path: str, hints: Hints = Hints()) -> str:  # noqa: B008 - frozen
    """Name of the reader for a path, as in the table `READERS`.

    Examples
    --------
    >>> sniff("synthetic:planted"), sniff("era5.nc")
    ('synthetic', 'gridded')
    """
    return next((name for name, recognises in _RECOGNISED if recognises(path, hints)), "gridded")


def resolve(data: str) -> str:
    """The path behind a name of a sample; anything else as it is.

    Raises
    ------
    ConfigError
        If nothing is named, or there is no such sample; ``sample:`` alone lists them.
    """
    if not data.strip():
        raise ConfigError("no data are named. Give a file, a folder, a pattern, a URL or sample:NAME.")
    if not data.startswith("sample:"):
        return data
    name = data.removeprefix("sample:")
    if not name:
        raise ConfigError(
            f"which sample? Choose one of: {', '.join(f'sample:{known}' for known in list_samples())} "
            f"(default sample:{DEFAULT_SAMPLE})."
        )
    return sample_path(name)
