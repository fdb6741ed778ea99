"""From readings to labelled forecasts: which starts, and what the dataset says of itself."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import xarray as xr
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.dates import Date
from dynst.domain.timeline import Timeline
from dynst.errors import ConfigError, DataError
from dynst.export.base import made_by
from dynst.forecasting.fields import Fields, decoded, forecast_blocks
from dynst.forecasting.forecaster import Forecaster
from dynst.forecasting.readings import Readings, Source, read_readings

__all__ = ["attributes_of", "forecast_from", "reconstruction", "said_time", "starts_between"]

_NEAR = 1e-3  # of a step: a start is named, not measured


def forecast_from(forecaster: Forecaster, source: Source, start: object, *, name: str, plan: Plan) -> xr.Dataset:
    """The forecast from one start, see `Run.forecast`."""
    readings = read_readings(source, forecaster)
    present = np.array([readings.newest if start is None else _step_of(start, forecaster.timeline)])
    return _made(forecaster, readings, present, Fields(forecaster, attributes_of(forecaster, name, plan)))


def reconstruction(forecaster: Forecaster, source: Source, *, name: str, plan: Plan) -> xr.Dataset:
    """The present field at each time of the readings, see `Run.reconstruct`."""
    readings = read_readings(source, forecaster)
    fields = Fields(forecaster, attributes_of(forecaster, name, plan), present_only=True)
    return _made(forecaster, readings, readings.steps, fields)


def _made(forecaster: Forecaster, readings: Readings, present: Int[ndarray, " s"], fields: Fields) -> xr.Dataset:
    blocks = [fields.dataset(some, block) for some, block in forecast_blocks(forecaster, readings, present)]
    joined = blocks[0] if len(blocks) == 1 else xr.concat(blocks, "time", data_vars="minimal", coords="minimal")
    return decoded(joined)


def attributes_of(forecaster: Forecaster, name: str, plan: Plan) -> dict[str, str]:
    """What a dataset says of itself."""
    made = forecaster.made_of
    return {
        "title": f"forecast of {made['data']} from {len(forecaster.selected)} sensors",
        "source": f"{made_by(plan)}; run {name}, forecaster made on {made['made_on']}",
        "data_fingerprint": str(made["fingerprint"]),
        "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} dynst forecast {name}",
    }


def starts_between(readings: Readings, timeline: Timeline, since: str | None, until: str | None) -> Int[ndarray, " s"]:
    """Steps from one time to another, both with all of what they name, within the time of the readings.

    Raises
    ------
    ConfigError
        If one is no time.
    DataError
        If no step lies between them.
    """
    steps = np.arange(readings.steps[0], readings.steps[-1] + 1)
    if not timeline.dated and timeline.began is None:
        low, high = (_number(text, flag) for text, flag in ((since, "--from"), (until, "--to")))
        numbers = timeline.times(steps)
        keep = (numbers >= (low if low is not None else -np.inf)) & (numbers <= (high if high is not None else np.inf))
    else:
        days = timeline.clock(steps).gone("days")
        keep = np.ones(len(steps), bool)
        if since is not None:
            keep &= days >= Date.parse(since).begin(timeline.year_days) - 1e-9
        if until is not None:
            keep &= days < Date.parse(until).end(timeline.year_days) - 1e-9
    if not keep.any():
        first, last = timeline.times(steps[[0, -1]])
        raise DataError(
            f"{readings.where}: there are no readings from {since or 'the beginning'} to {until or 'the end'}; they "
            f"run from {said_time(first)} to {said_time(last)}."
        )
    return steps[keep]


def _number(text: str | None, flag: str) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise ConfigError(f'{flag}: "{text}" came; the record counts steps: a number of a step is expected.') from None


def said_time(time: object) -> str:
    """A time, or the number of a step, in words."""
    return str(time)[:16].replace("T", " ")


def _step_of(start: object, timeline: Timeline) -> int:
    try:
        times = np.array([np.datetime64(start, "ns")]) if timeline.dated else np.array([int(start)])  # type: ignore[call-overload]
    except (ValueError, TypeError) as error:
        expected = "a time such as 2026-01-31T18:00" if timeline.dated else "the number of a step"
        raise ConfigError(f'start: "{start}" came; {expected} is expected.') from error
    step, off = timeline.steps(times)
    if off[0] > _NEAR:
        nearest = said_time(timeline.times(step)[0])
        raise ConfigError(f"start: {start} is no step of the record; the nearest is {nearest}. Give that.")
    return int(step[0])
