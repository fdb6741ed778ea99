"""Forecasts as labelled datasets that follow CF, some starts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from jaxtyping import Float, Int, Shaped
from numpy import ndarray

from dynst.domain.durations import length_of
from dynst.export.canvas import Canvas, canvas_of
from dynst.forecasting.forecaster import Block, Forecaster
from dynst.forecasting.readings import Readings

__all__ = ["Fields", "decoded", "forecast_blocks", "lead_length"]

_BLOCK = 3 << 20  # bytes of a mean that are made at a time; what is beside it takes some ten times as much
_CALENDARS = {360: "360_day", 365: "noleap", 366: "all_leap"}
_EPOCH = np.datetime64("1970-01-01", "ns")
_TICKS = (("seconds", 1_000_000_000), ("milliseconds", 1_000_000), ("microseconds", 1_000), ("nanoseconds", 1))
_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_LOW, _HIGH = 5, 95  # percent, of the interval


def forecast_blocks(
    forecaster: Forecaster, readings: Readings, present: Int[ndarray, " s"]
) -> Iterator[tuple[Int[ndarray, " b"], Block]]:
    """Forecasts from many starts, as many at a time as fit into a little memory, in their order."""
    size = 4 * (forecaster.leads + 1) * len(forecaster.sites) * len(forecaster.predicted)
    count = max(1, _BLOCK // size)
    for first in range(0, len(present), count):
        some = present[first : first + count]
        yield some, forecaster.forecast(readings.windows(some, forecaster.history), some)


def lead_length(cadence: str) -> tuple[float, str]:
    """Length of a step in a unit of CF; 1 without a unit where steps have no length.

    Examples
    --------
    >>> lead_length("6 h"), lead_length("1 month"), lead_length("1 step")
    ((6.0, 'h'), (1.0, 'month'), (1.0, '1'))
    """
    length = length_of(cadence)
    if length is None:
        return 1.0, "1"
    if length[1]:
        return float(length[0]), "month"
    unit, size = next((one for one in _UNITS if (length[0] / one[1]).denominator == 1), ("s", 1))
    return float(length[0] / size), unit


@dataclass(frozen=True, eq=False)
class Fields:
    """How the forecasts of a forecaster are labelled.

    Parameters
    ----------
    forecaster : Forecaster
        What makes them.
    attributes : mapping
        Of the dataset: title, source, history.
    present_only : bool
        Whether lead 0 alone is kept.
    """

    forecaster: Forecaster
    attributes: Mapping[str, str]
    present_only: bool = False

    def dataset(self, present: Int[ndarray, " b"], block: Block) -> xr.Dataset:
        """The forecasts of some starts as they stand in a file; `decoded` makes dates of the times."""
        canvas, kept = self._canvas, np.arange(1 if self.present_only else self.forecaster.leads + 1)
        dims = ("time", "lead", *canvas.dims)
        parts = self._parts(block)
        data = {name: (dims, canvas.lay(values[:, kept]), attributes) for name, values, attributes in parts}
        made = xr.Dataset(
            data, coords=self._coords(present, kept), attrs={"Conventions": "CF-1.11"} | dict(self.attributes)
        )
        if canvas.crs:
            made["crs"] = ((), np.int32(0), canvas.crs)
        for name in data:
            made[name].encoding |= {"zlib": True, "complevel": 1} | (
                {"coordinates": canvas.located} if canvas.located else {}
            )
        return made

    def _parts(self, block: Block) -> list[tuple[str, Float[ndarray, "b p n"], dict[str, str]]]:
        """Name, values and attributes of each variable."""
        deviation, half = block.deviation[block.pattern], block.half_width[block.pattern]
        mapped = {"grid_mapping": "crs"} if self._canvas.crs else {}
        found = []
        for i, channel in enumerate(self.forecaster.predicted):
            name, said = channel.name, channel.long_name or channel.name

            mean = {
                "units": channel.units,
                "long_name": f"forecast of {said}",
                "cell_methods": "realization: mean",
                "ancillary_variables": f"{name}_sd {name}_low {name}_high",
            }
            spread = {
                "units": "K" if channel.units == "degC" else channel.units,
                "long_name": f"standard deviation of the error of {said}",
                "cell_methods": "realization: standard_deviation",
            }
            bounds = {
                side: {"units": channel.units, "long_name": f"{percent} % quantile of {said}"}
                for side, percent in (("low", _LOW), ("high", _HIGH))
            }
            found += [
                (name, block.mean[..., i], mean | mapped),
                (f"{name}_sd", deviation[..., i], spread | mapped),
                (f"{name}_low", block.mean[..., i] - half[..., i], bounds["low"] | mapped),
                (f"{name}_high", block.mean[..., i] + half[..., i], bounds["high"] | mapped),
            ]
        return found

    def _coords(self, present: Int[ndarray, " b"], kept: Int[ndarray, " p"]) -> dict[str, object]:
        timeline = self.forecaster.timeline
        length, unit = lead_length(timeline.cadence)
        start, attributes = self._times(present)
        valid, _ = self._times(present[:, None] + kept)
        lead = {"standard_name": "forecast_period", "units": unit, "long_name": "time after the start"}
        return {
            "time": (
                "time",
                start,
                attributes | {"long_name": "start of the forecast"} | self._standard("forecast_reference_time"),
            ),
            "lead": ("lead", kept * length, lead),
            "valid_time": (
                ("time", "lead"),
                valid,
                attributes | {"long_name": "time that is forecast"} | self._standard("time"),
            ),
            **self._canvas.coords,
        }

    def _standard(self, name: str) -> dict[str, str]:
        timeline = self.forecaster.timeline
        return {"standard_name": name} if timeline.dated or timeline.began is not None else {}

    def _times(self, steps: Int[ndarray, "*s"]) -> tuple[Shaped[ndarray, "*s"], dict[str, str]]:
        """Times as numbers, and what they count."""
        timeline = self.forecaster.timeline
        if timeline.dated:
            gone = (timeline.times(steps) - _EPOCH).astype(np.int64)
            unit, tick = self._tick
            return gone // tick, {"units": f"{unit} since 1970-01-01", "calendar": "proleptic_gregorian"}
        if timeline.began is not None and timeline.year_days in _CALENDARS:
            days = timeline.clock(np.ravel(steps)).gone("days").reshape(steps.shape)
            return days, {"units": "days since 0001-01-01", "calendar": _CALENDARS[timeline.year_days]}
        return timeline.times(steps), {"units": "1", "comment": "steps of the record, which has no dates"}

    @cached_property
    def _tick(self) -> tuple[str, int]:
        """The largest unit in which all times are whole numbers."""
        gone = (self.forecaster.timeline.times(np.arange(3)) - _EPOCH).astype(np.int64)
        return next(one for one in _TICKS if not (gone % one[1]).any())

    @cached_property
    def _canvas(self) -> Canvas:
        return canvas_of(self.forecaster.sites, self.forecaster.layout)


def decoded(data: xr.Dataset) -> xr.Dataset:
    """The same with dates in place of numbers, as xarray opens it."""
    return xr.decode_cf(data, decode_timedelta=False)
