"""What `dynst.fit` is given: a study, a path, or a field made in Python."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dynst.config import FROM_PYTHON, Study
from dynst.domain import Field
from dynst.errors import ConfigError, unknown_name

__all__ = ["Source", "asked", "made_in_python"]

Source = Study | Field | str | os.PathLike[str]


def asked(source: Source, options: dict[str, object]) -> tuple[Study, Field | None]:
    """The study, and the data if no file holds them.

    Parameters
    ----------
    source : Study, Field, str or Path
        A study; a study file (``.toml``); data by their path, URL or name; or a field.
    options : dict
        Fields of the study and options of its planner, in place of what it says.

    Raises
    ------
    ConfigError
        If an option is unknown or makes no sense.

    Examples
    --------
    >>> asked("winter.zarr", {"sensors": 20})
    (Study(data='winter.zarr', sensors=20), None)
    """
    if isinstance(source, Study):
        return source.but(**options) if options else source, None
    if isinstance(source, Field):
        if "data" in options:
            raise ConfigError("data: a field made in Python came; give no other data beside it.")
        return Study.of(data=f"{FROM_PYTHON}{source.name}", **options), source
    if Path(source).suffix == ".toml":
        study = Study.load(Path(source))
        return study.but(**options) if options else study, None
    return Study.of(data=os.fspath(source), **options), None


def made_in_python(study: Study, field: Field) -> Field:
    """The field with the channels that the study names, marked by its content.

    Raises
    ------
    ConfigError
        If the study names files or figures that only a reader needs, or an unknown channel.
    """
    hints = study.hints
    for name in ("stations", "graph", "layout", "sites", "spacing"):
        if getattr(hints, name) is not None:
            raise ConfigError(f"{name}: belongs to data in files; a field made in Python has its own: leave it out.")
    names = [channel.name for channel in field.channels]
    for name in (*study.observe, *study.predict):
        if name not in names:
            raise ConfigError(f"{field.name}: {unknown_name('channel', name, names)}")
    channels = tuple(
        replace(
            channel,
            observe=_wanted(channel.name, study.observe, otherwise=channel.observe),
            predict=_wanted(channel.name, study.predict, otherwise=channel.predict),
        )
        for channel in field.channels
    )
    return _marked(replace(field, channels=channels))


def _wanted(name: str, asked_for: Sequence[str], *, otherwise: bool) -> bool:
    return name in asked_for if asked_for else otherwise


def _marked(field: Field) -> Field:
    """The field with a fingerprint of its content."""
    content = hashlib.sha256(field.sites.fingerprint.encode())
    for array in (field.time, field.run):
        content.update(np.ascontiguousarray(array).tobytes())
    for block in field.blocks():
        content.update(np.ascontiguousarray(block).tobytes())
    return replace(field, origin=replace(field.origin, fingerprint=content.hexdigest()[:16]))
