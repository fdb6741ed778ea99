"""The one door: from what a user typed to a field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dynst.domain import Field
from dynst.errors import ConfigError
from dynst.readers import gridded, synthetic
from dynst.readers.base import Reader, sniff
from dynst.readers.samples import DEFAULT_SAMPLE, list_samples, sample_path

__all__ = ["READERS", "read", "resolve"]

READERS: dict[str, Reader] = {"gridded": gridded.read, "synthetic": synthetic.read}
"""Readers by name; `sniff` chooses."""


def read(
    data: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
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
    field = READERS[sniff(path)](path, observe=observe, predict=predict, cache_dir=cache_dir)
    if path == data:
        return field
    return replace(field, source={**field.source, "path": data})


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
