"""Forecasts as files: netCDF, zarr and CSV of many starts, GeoJSON and a map of one of them at one lead."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Channel, Plan
from dynst.domain.durations import said_span
from dynst.export.field_files import field_geojson, write_csv, write_netcdf_blocks, write_zarr_blocks
from dynst.export.places import places_of
from dynst.forecasting.fields import Fields, lead_length
from dynst.forecasting.forecaster import Block, Forecaster
from dynst.forecasting.readings import Readings
from dynst.forecasting.use import attributes_of, said_time
from dynst.reports.evidence_tables import with_unit

__all__ = ["FORMATS", "Blocks", "Picture", "Writer"]


@dataclass(frozen=True, eq=False)
class Picture:
    """What files are made from.

    Parameters
    ----------
    name, plan, forecaster : str, Plan, Forecaster
        Of the run.
    lead, channel : int
        Of a map.
    """

    name: str
    plan: Plan
    forecaster: Forecaster
    lead: int
    channel: int

    @property
    def shown(self) -> Channel:
        """The channel of a map."""
        return self.forecaster.predicted[self.channel]

    @property
    def attributes(self) -> dict[str, str]:
        """What each file says of itself."""
        return attributes_of(self.forecaster, self.name, self.plan)

    def datasets(self, blocks: Iterator[tuple[Int[ndarray, " b"], Block]]) -> Iterator[xr.Dataset]:
        """The forecasts with labels."""
        fields = Fields(self.forecaster, self.attributes)
        return (fields.dataset(present, block) for present, block in blocks)

    def said(self, step: int) -> str:
        """The time of a step in words."""
        timeline = self.forecaster.timeline
        time = said_time(timeline.times(np.array([step]))[0])
        return time if timeline.dated else f"step {time}"

    @property
    def ahead(self) -> str:
        """The lead of a map in words."""
        if not self.lead:
            return "present field"
        span = said_span(self.lead, self.forecaster.timeline.cadence)
        return f"{span} ahead" if span else f"{self.lead} step{'s' * (self.lead > 1)} ahead"


Blocks = Iterator[tuple[Int[ndarray, " b"], Block]]
Writer = Callable[[Path, Blocks, Picture, Readings, Readings | None], None]


def _netcdf(path: Path, blocks: Blocks, picture: Picture, readings: Readings, truth: Readings | None) -> None:
    write_netcdf_blocks(picture.datasets(blocks), path)


def _zarr(path: Path, blocks: Blocks, picture: Picture, readings: Readings, truth: Readings | None) -> None:
    write_zarr_blocks(picture.datasets(blocks), path)


def _csv(path: Path, blocks: Blocks, picture: Picture, readings: Readings, truth: Readings | None) -> None:
    write_csv((_rows(picture, present, block) for present, block in blocks), path)


def _rows(picture: Picture, present: Int[ndarray, " b"], block: Block) -> Iterable[Mapping[str, object]]:
    """A row for each start, lead and site."""
    forecaster, places = picture.forecaster, places_of(picture.plan, None)
    axes = places.axes if places.known else ()
    where = [dict(zip(axes, pair, strict=False)) for pair in zip(places.x.tolist(), places.y.tolist(), strict=True)]
    length, unit = lead_length(forecaster.timeline.cadence)
    ahead = "lead" if unit == "1" else f"lead ({unit})"
    for b, start in enumerate(present.tolist()):
        parts = _columns(picture, block, b)
        for p in range(forecaster.leads + 1):
            times = {"time": _iso(picture, start), ahead: p * length, "valid_time": _iso(picture, start + p)}
            for site, name in enumerate(forecaster.sites.name):
                yield times | {"site": name} | where[site] | {key: float(v[p, site]) for key, v in parts.items()}


def _iso(picture: Picture, step: int) -> str:
    time = picture.forecaster.timeline.times(np.array([step]))[0]
    return said_time(time).replace(" ", "T")


def _columns(picture: Picture, block: Block, b: int) -> dict[str, Float[ndarray, "p n"]]:
    """Mean, deviation and interval of each channel, from one start."""
    q, found = block.pattern[b], dict[str, ndarray]()
    for i, channel in enumerate(picture.forecaster.predicted):
        mean, half = block.mean[b, :, :, i], block.half_width[q, :, :, i]
        found[channel.name] = mean
        found[f"{channel.name}_sd"] = block.deviation[q, :, :, i]
        found[f"{channel.name}_low"], found[f"{channel.name}_high"] = mean - half, mean + half
    return found


def _last(blocks: Blocks) -> tuple[int, Block]:
    """The last start, after all others were made and compared."""
    present, block = np.zeros(0, np.int64), None
    for present, block in blocks:  # noqa: B007 - the last one is wanted
        pass
    assert block is not None  # there is at least one start
    return int(present[-1]), block


def _geojson(path: Path, blocks: Blocks, picture: Picture, readings: Readings, truth: Readings | None) -> None:
    start, block = _last(blocks)
    columns = {key: values[picture.lead] for key, values in _columns(picture, block, -1).items()}
    head = {
        "name": picture.attributes["title"],
        "dynst": picture.attributes
        | {
            "start": picture.said(start),
            "valid_time": picture.said(start + picture.lead),
            "units": {channel.name: channel.units for channel in picture.forecaster.predicted},
        },
    }
    reported = np.zeros(len(picture.plan.sites), bool)
    reported[picture.forecaster.selected] = _heard(picture, readings, start)
    path.write_bytes(field_geojson(picture.plan, picture.forecaster.layout, columns, head, reported=reported))


def _png(path: Path, blocks: Blocks, picture: Picture, readings: Readings, truth: Readings | None) -> None:
    from dynst.export.picture import png_of  # noqa: PLC0415  # charts load altair
    from dynst.reports.forecast_chart import Panel, forecast_map  # noqa: PLC0415

    start, block = _last(blocks)
    channel, columns = picture.shown, _columns(picture, block, -1)
    mean, deviation = columns[channel.name][picture.lead], columns[f"{channel.name}_sd"][picture.lead]
    legend = with_unit(channel.name, channel.units)
    panels = [
        Panel(f"{channel.long_name or channel.name}, forecast", mean, legend),
        Panel("Standard deviation of its error", deviation, with_unit("deviation", channel.units)),
    ]
    became = None if truth is None else truth.at(np.array([start + picture.lead]))[0, :, picture.channel]
    if became is not None and np.isfinite(became).any():
        panels.append(
            Panel("Error: forecast less truth", mean - became, with_unit("error", channel.units), signed=True)
        )
    heard = _heard(picture, readings, start)
    chart = forecast_map(
        picture.plan,
        picture.forecaster.layout,
        panels,
        heard=heard,
        title=f"{picture.forecaster.made_of['data']}: {picture.said(start + picture.lead)}, {picture.ahead}",
        words=(f"From {int(heard.sum())} of {len(heard)} sensors, start {picture.said(start)}; run {picture.name}",),
    )
    path.write_bytes(png_of(chart))


def _heard(picture: Picture, readings: Readings, start: int) -> Bool[ndarray, " k"]:
    """Which sensors have a reading in the history of a start."""
    window = readings.windows(np.array([start]), picture.forecaster.history)
    return np.asarray(np.isfinite(window).any(axis=(0, 1, 3)))


FORMATS: dict[str, Writer] = {".nc": _netcdf, ".zarr": _zarr, ".csv": _csv, ".geojson": _geojson, ".png": _png}
"""How a forecast is written, by the ending of its file."""
