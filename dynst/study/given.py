"""What `dynst.fit` is given: a study, a path, a field made in Python, or data of xarray or pandas."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from dynst.config import FROM_PYTHON, Study
from dynst.domain import Field
from dynst.errors import ConfigError, unknown_name
from dynst.readers.base import Hints

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["Source", "asked", "made_in_python"]

Source: TypeAlias = "Study | Field | str | os.PathLike[str] | xr.Dataset | xr.DataArray | pd.DataFrame"


def asked(source: Source, options: dict[str, object]) -> tuple[Study, Field | None]:
    """The study, and the data if no file holds them.

    Parameters
    ----------
    source : Study, Field, str, Path, xr.Dataset, xr.DataArray or pd.DataFrame
        A study; a study file (``.toml``); data by their path, URL or name; a field; or data of xarray or pandas.
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
    if not isinstance(source, str | os.PathLike):
        return _read_here(source, options)
    if Path(source).suffix == ".toml":
        study = Study.load(Path(source))
        return study.but(**options) if options else study, None
    return Study.of(data=os.fspath(source), **options), None


def _read_here(source: object, options: dict[str, object]) -> tuple[Study, Field]:
    """The study, and the field in data of another library; what tells how to read them has done its work."""
    if "data" in options:
        raise ConfigError("data: an object made in Python came; give no other data beside it.")
    from dynst.readers.python_data import read_data  # noqa: PLC0415  # only here, xarray and pandas are loaded already

    positions = options.get("stations")
    study = Study.of(data=f"{FROM_PYTHON}data", **options | {"stations": None})
    field = read_data(
        source,
        observe=study.observe or None,
        predict=study.predict or None,
        hints=study.hints,
        stations=positions,
    )
    used = {hint.name: hint.default for hint in fields(Hints)}
    if study.observe:
        used |= {"observe": [channel.name for channel in field.channels if channel.observe]}
    if study.predict:
        used |= {"predict": [channel.name for channel in field.channels if channel.predict]}
    return Study.of(**options | used | {"data": f"{FROM_PYTHON}{field.name}"}), field


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
