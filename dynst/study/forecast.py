"""forecast: the plan of a run in use. Readings in, a field with error bars out; many starts in bounded memory."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from dynst import runs
from dynst.domain.durations import is_duration, steps_of
from dynst.errors import ConfigError, DataError, unknown_name
from dynst.evaluation.hindcast import Hindcast, HindcastTally
from dynst.forecasting.fields import forecast_blocks
from dynst.forecasting.files import FORMATS, Blocks, Picture
from dynst.forecasting.forecaster import Block, Forecaster
from dynst.forecasting.readings import Readings, Source, read_readings, read_truth
from dynst.forecasting.use import said_time, starts_between
from dynst.runs import Run, whole

__all__ = ["FORMATS", "Forecasted", "Scored", "forecast"]

NOBODY = "none"
"""In place of names of sensors: no reading at all."""


@dataclass(frozen=True)
class Scored:
    """Errors at one lead and of one channel.

    Parameters
    ----------
    lead : int
        Steps after the start.
    channel, units : str
        What is forecast.
    error, unchanged, climatology : float
        RMSE over all sites by area: of the forecast, of no change, of the climatology.
    coverage : float
        Share of the values inside their 90 % interval.
    crps, usual_crps : float
        Continuous ranked probability score of the forecast, and of the climatology with its spread.
    """

    lead: int
    channel: str
    units: str
    error: float
    unchanged: float
    climatology: float
    coverage: float
    crps: float
    usual_crps: float


@dataclass(frozen=True, eq=False)
class Forecasted:
    """What `forecast` did.

    Parameters
    ----------
    run, where : str
        Name of the run, and of the readings.
    file : Path or None
        What was written.
    first, last, starts : str, str, int
        First and last start, and how many.
    cadence, history, leads : str, int, int
        The step; steps that are read, and forecast.
    sensors, silent, unknown : tuple of str
        Sensors whose readings came, sensors without any, and stations that are no sensor of the plan.
    notes : tuple of str
        What was done with the readings.
    scores : tuple of Scored
        By lead and channel; empty without a truth.
    compared : int
        Starts that were compared with the truth.
    """

    run: str
    where: str
    file: Path | None
    first: str
    last: str
    starts: int
    cadence: str
    history: int
    leads: int
    sensors: tuple[str, ...]
    silent: tuple[str, ...]
    unknown: tuple[str, ...]
    notes: tuple[str, ...]
    scores: tuple[Scored, ...] = ()
    compared: int = 0

    def __repr__(self) -> str:
        return f"Forecasted({self.starts} start{'s' * (self.starts > 1)} of {self.run}, {self.file})"

    def to_json(self) -> dict[str, object]:
        """All of it as JSON types."""
        made = {key: value for key, value in vars(self).items() if key not in {"file", "scores"}}
        rows = [{key: _finite(value) for key, value in vars(score).items()} for score in self.scores]
        return made | {"file": None if self.file is None else str(self.file), "scores": rows}


def forecast(
    run: str | Run = "latest",
    readings: Source | None = None,
    out: str | os.PathLike[str] | None = None,
    *,
    since: str | None = None,
    until: str | None = None,
    truth: Source | None = None,
    sensors: Sequence[str] | None = None,
    lead: str | int | None = None,
    channel: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Forecasted:
    """Forecast the field from readings of the sensors of a run, write it, and score it where the truth is known.

    Parameters
    ----------
    run : str or Run
        The run, or its name.
    readings : path, DataFrame, Dataset, DataArray or Field
        See `Run.forecast`.
    out : path or None
        The file, by its ending one of `FORMATS`. A map and GeoJSON hold one start, the last, and one lead.
    since, until : str or None
        Times: forecast from each step between them, both included. Without: from the newest readings.
    truth : as `readings`, or None
        What became of the field, to score the forecasts.
    sensors : sequence of str or None
        Names of the sensors to use; ``none`` for none of them, which gives the climatology and its spread.
    lead : str, int or None
        Lead of a map or GeoJSON: a number of steps, or a time like ``12h``. Default: the last one.
    channel : str or None
        Channel of a map. Default: the first one.
    progress : callable
        Called with starts that are done, and all.

    Raises
    ------
    DynstError
        One line on what the user can mend; nothing is written then.
    """
    if readings is None:
        raise ConfigError("no readings are named. Give --obs FILE.")
    target = None if out is None else _target(Path(out))
    source = run if isinstance(run, Run) else runs.find(run)
    forecaster, plan = source.forecaster, source.plan
    picture = Picture(source.name, plan, forecaster, _lead(lead, forecaster), _channel(channel, forecaster))
    found = read_readings(readings, forecaster)
    if sensors is not None:
        found = found.only(_chosen(sensors, forecaster))
    silent = not found.heard.any()
    newest = np.array([found.steps[-1] if silent else found.newest])
    present = newest if since is None and until is None else starts_between(found, forecaster.timeline, since, until)
    became = None if truth is None else _truth(truth, forecaster, present)
    said = () if became is None else (*became.notes, *_known(forecaster, present))
    tally = None if became is None else HindcastTally(forecaster)
    blocks = _tallied(forecaster, found, present, truth=became, tally=tally, progress=progress)
    if target is None:
        for _ in blocks:
            pass
    else:
        _write(target, blocks, picture, found, became)
    hindcast = None if tally is None else tally.result()
    heard = np.isfinite(found.windows(present[-1:], forecaster.history)).any(axis=(0, 1, 3))
    heard = found.heard if len(present) > 1 else heard
    names = np.array(forecaster.sensors, object)
    first, last = (said_time(time) for time in forecaster.timeline.times(present[[0, -1]]))
    return Forecasted(
        source.name,
        found.where,
        target,
        first,
        last,
        len(present),
        forecaster.timeline.cadence,
        forecaster.history,
        forecaster.leads,
        tuple(names[heard]),
        tuple(names[~heard]),
        found.unknown,
        tuple(dict.fromkeys((*found.notes, *said))),
        () if hindcast is None else tuple(_scored(hindcast, forecaster)),
        0 if hindcast is None else hindcast.starts,
    )


def _target(path: Path) -> Path:
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path} ends in no known format. Give -o a file that ends in {', '.join(FORMATS)}.")
    if path.suffix.lower() == ".zarr" and path.exists():
        raise ConfigError(f"{path} exists already. Give -o another name, or remove it first.")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder. Give -o a file.")
    return path


def _lead(lead: str | int | None, forecaster: Forecaster) -> int:
    """Steps of the lead of a map."""
    if lead is None:
        return forecaster.leads
    text = str(lead)
    try:
        steps = steps_of(text, forecaster.timeline.cadence, option="lead") if is_duration(text) else int(text)
    except ValueError as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f'lead: "{text}" came; a number of steps or a time like 12h is expected.') from None
    if not 0 <= steps <= forecaster.leads:
        raise ConfigError(f"lead {text} is not forecast: choose from 0 (the present) to {forecaster.leads} steps.")
    return steps


def _channel(name: str | None, forecaster: Forecaster) -> int:
    names = [channel.name for channel in forecaster.predicted]
    if name is not None and name not in names:
        raise ConfigError(unknown_name("channel", name, names))
    return 0 if name is None else names.index(name)


def _chosen(names: Sequence[str], forecaster: Forecaster) -> Bool[ndarray, " k"]:
    """Which sensors are used."""
    known = forecaster.sensors
    if list(names) == [NOBODY]:
        return np.zeros(len(known), bool)
    for name in names:
        if name not in known:
            raise ConfigError(unknown_name("sensor", name, [*known, NOBODY]))
    return np.isin(known, names)


def _truth(source: Source, forecaster: Forecaster, present: Int[ndarray, " s"]) -> Readings:
    """What became of the field.

    Raises
    ------
    DataError
        If it holds no time that is forecast.
    """
    truth = read_truth(source, forecaster)
    wanted = np.unique(present[:, None] + np.arange(forecaster.leads + 1))
    if not np.isin(truth.steps, wanted).any():
        first, last = (said_time(time) for time in forecaster.timeline.times(wanted[[0, -1]]))
        raise DataError(
            f"{truth.where}: it holds no time from {first} to {last}, which are forecast. Give the truth then."
        )
    return truth


def _known(forecaster: Forecaster, present: Int[ndarray, " s"]) -> tuple[str, ...]:
    """That scores flatter a forecaster on the time that it was made on, if some of these starts lie in it."""
    fair, last = (forecaster.made_of[key] for key in ("tested_from", "last"))
    if fair is None and forecaster.timeline.anew:
        return ()
    before = _step_at(forecaster, fair if fair is not None else last)
    seen = int((present < before).sum()) if fair is not None else int((present <= before).sum())
    if not seen:
        return ()
    return (f"{seen} of {len(present)} starts lie in time that the forecaster was made on: their errors flatter it",)


def _step_at(forecaster: Forecaster, time: object) -> int:
    stamp = np.array([np.datetime64(str(time), "ns") if forecaster.timeline.dated else int(str(time))])
    return int(forecaster.timeline.steps(stamp)[0][0])


def _tallied(
    forecaster: Forecaster,
    readings: Readings,
    present: Int[ndarray, " s"],
    *,
    truth: Readings | None,
    tally: HindcastTally | None,
    progress: Callable[[int, int], None],
) -> Iterator[tuple[Int[ndarray, " b"], Block]]:
    """The forecasts, compared with the truth on the way."""
    done = 0
    for some, block in forecast_blocks(forecaster, readings, present):
        if truth is not None and tally is not None:
            tally.add(some, block, truth.at(some[:, None] + np.arange(forecaster.leads + 1)))
        yield some, block
        done += len(some)
        progress(done, len(present))


def _write(target: Path, blocks: Blocks, picture: Picture, readings: Readings, truth: Readings | None) -> None:
    suffix = target.suffix.lower()
    try:
        with (_whole_folder if suffix == ".zarr" else whole)(target) as part:
            FORMATS[suffix](part, blocks, picture, readings, truth)
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written ({error.strerror}). Give a file in a folder of yours."
        ) from error


@contextmanager
def _whole_folder(path: Path) -> Iterator[Path]:
    """A temporary folder beside `path`; on success it takes the name, on failure it vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _scored(found: Hindcast, forecaster: Forecaster) -> Iterator[Scored]:
    errors = [score.rmse for score in (found.forecast, found.unchanged, found.climatology)]
    for lead in range(forecaster.leads + 1):
        for i, channel in enumerate(forecaster.predicted):
            at = (lead, i)
            rmse = (float(error[at]) for error in errors)
            more = (float(part[at]) for part in (found.coverage, found.crps, found.usual_crps))
            yield Scored(lead, channel.name, channel.units, *rmse, *more)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not np.isfinite(value) else value
