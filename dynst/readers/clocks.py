"""Which variable of a file is the clock: the dimension's own, or another that has the dates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import xarray as xr

from dynst.errors import DataError
from dynst.readers.names import Role, role_of
from dynst.readers.times import Times, decode_times

__all__ = ["clock_of", "has_dates"]

_SINCE = re.compile(r"[A-Za-z_]+s? since -?\d{1,4}-\d")
_OTHER_TIMES = {"forecast_reference_time", "forecast_period"}  # when a forecast was made, and for how far ahead
_DESCRIPTIONS = ("units", "description", "long_name")  # WRF writes the unit of XTIME into its description


def has_dates(data: xr.Dataset, dim: str) -> bool:
    """Whether another variable along a dimension says when its steps are.

    Examples
    --------
    >>> when = ("record", np.arange(3.0), {"units": "days since 2000-01-01"})
    >>> has_dates(xr.Dataset({"valid_time": when}), "record")
    True
    """
    return next(_numbers(data, dim), None) is not None


def clock_of(data: xr.Dataset, dim: str, *, where: str) -> Times:
    """The times along a dimension: of its own variable if that has dates, else of another that has; else numbers.

    Parameters
    ----------
    data : Dataset
        Not decoded.
    dim : str
        The dimension of time.
    where : str
        The file, for messages.

    Raises
    ------
    DataError
        If a time is missing.

    Examples
    --------
    >>> when = ("t", np.array([15.0, 45.0]), {"units": "days since 2013-01-01", "standard_name": "time"})
    >>> clock = clock_of(xr.Dataset({"t": ("t", [0, 1]), "time_centered": when}), "t", where="x.nc")
    >>> clock.say(0), clock.note
    ('2013-01-16T00:00', 'dates are those of time_centered: t holds none')
    """
    own = data.variables.get(dim)
    plain = Times(np.arange(data.sizes[dim]), note="the time axis has no date, so its steps are counted by number")
    if own is not None and own.ndim == 1:
        plain = decode_times(np.asarray(own.values), own.attrs, where=where)
    if plain.dated:
        return plain
    for name, attrs in (*_numbers(data, dim), *_texts(data, dim)):
        times = _dated(data, name, attrs, where)
        if times is not None:
            said = f"dates are those of {name}" + (f": {dim} holds none" if own is not None else "")
            return replace(times, note="; ".join(filter(None, (said, times.note))))
    return plain


def _dated(data: xr.Dataset, name: str, attrs: dict[str, object], where: str) -> Times | None:
    """The times of a variable, if they are dates and each comes once."""
    try:
        times = decode_times(np.asarray(data.variables[name].values), attrs, where=where)
    except DataError:  # a time is missing: another variable may be whole
        return None
    return times if times.dated and len(np.unique(times.values)) == len(times.values) else None


def _numbers(data: xr.Dataset, dim: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Variables along a dimension that count from a date, those called time by the CF conventions first."""
    found = [
        (str(name), dict(array.attrs) | {"units": unit})
        for name, array in data.variables.items()
        if array.dims == (dim,) and str(name) != dim and array.dtype.kind in "iuf"
        if (unit := _since(array)) and str(array.attrs.get("standard_name", "")) not in _OTHER_TIMES
    ]
    yield from sorted(found, key=lambda item: item[1].get("standard_name") != "time")


def _since(array: xr.Variable) -> str:
    """The reference date of a variable, wherever it is written."""
    said = (str(array.attrs.get(key, "")).strip() for key in _DESCRIPTIONS)
    return next((text for text in said if _SINCE.match(text)), "")


def _texts(data: xr.Dataset, dim: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Variables of text along a dimension that speak of time: strings, or rows of characters."""
    calendar = {"calendar": data.attrs["config_calendar_type"]} if "config_calendar_type" in data.attrs else {}
    for name, array in data.variables.items():
        rows = array.ndim == 1 or (array.dtype.kind == "S" and array.dtype.itemsize == 1)
        told = role_of(str(name), array.attrs) is Role.TIME or re.search("time|date", str(name).lower())
        if array.dims[:1] == (dim,) and rows and array.dtype.kind in "SUO" and str(name) != dim and told:
            yield str(name), calendar | dict(array.attrs)
