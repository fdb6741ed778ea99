"""Readings of a network, in whatever form it keeps them, on the sensors and the steps of a forecaster."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from dynst.domain import ArraySeries, Channel, Field, Frame, Series, Sites
from dynst.domain.durations import length_of
from dynst.domain.plain import plain
from dynst.domain.timeline import Timeline
from dynst.errors import DataError
from dynst.readers.door import read, resolve, sniff
from dynst.readers.names import CANONICAL
from dynst.readers.python_data import as_netcdf
from dynst.readers.records import Record, Wanted, even_out, in_order
from dynst.readers.series_tables import record_of
from dynst.readers.siting import stations_among
from dynst.readers.siting_files import Given
from dynst.readers.station_columns import LONG_NAMES
from dynst.readers.station_tables import Places
from dynst.readers.stations import records_of
from dynst.readers.tables import some, table_of
from dynst.readers.times import Times
from dynst.readers.units import conversion, known

if TYPE_CHECKING:
    from dynst.forecasting.forecaster import Forecaster

__all__ = ["Readings", "Source", "read_readings", "read_truth"]

Source = str | os.PathLike[str] | pd.DataFrame | pd.Series | xr.Dataset | xr.DataArray | Field

_NEAR = 0.1  # of a step: so far from its step may a time lie; chosen
_FINER = 0.75  # of a step: readings that come more often than this have some between the steps
_FAR = 100  # years from the record at which a date is taken for a mistake; chosen
_MOST = 100_000_000  # steps from the record, where steps have no dates, likewise
_ODD = 12.0  # standard deviations from what is usual at which the middle of all readings is in another unit; chosen
_BLOCK = 8 << 20  # bytes of a record that are in memory at a time


@dataclass(frozen=True, eq=False)
class Readings:
    """Values at some sites of a forecaster, at steps of its timeline.

    Parameters
    ----------
    where : str
        What they come from, for messages.
    steps : Int[ndarray, "u"]
        Steps that came, ascending, each once.
    series : Series
        Values at these steps, in the units of the forecaster; NaN where none came.
    heard : Bool[ndarray, "k"]
        Which of the sites have any value.
    found : Bool[ndarray, "k"]
        Which of the sites are known to the source, with values or without.
    unknown : tuple of str
        Stations that are none of these sites.
    notes : tuple of str
        What was done, in words.
    """

    where: str
    steps: Int[ndarray, " u"]
    series: Series
    heard: Bool[ndarray, " k"]
    found: Bool[ndarray, " k"]
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Readings({len(self.steps)} steps of {int(self.heard.sum())} of {len(self.heard)} sites)"

    def at(self, steps: Int[ndarray, "*s"]) -> Float[ndarray, "*s k c"]:
        """Values at some steps; NaN where none came."""
        wanted, place = np.unique(steps, return_inverse=True)
        values = np.full((len(wanted), *self.series.shape[1:]), np.nan, np.float32)
        row = np.searchsorted(self.steps, wanted)
        there = np.isin(wanted, self.steps)
        if there.any():
            first, last = int(row[there][0]), int(row[there][-1]) + 1
            values[there] = self.series.read(first, last)[row[there] - first]
        return np.asarray(values[place.reshape(steps.shape)])

    def windows(self, present: Int[ndarray, " b"], history: int) -> Float[ndarray, "b t k c"]:
        """Histories that end at some steps."""
        return self.at(present[:, None] + np.arange(1 - history, 1))

    def only(self, chosen: Bool[ndarray, " k"]) -> Readings:
        """The same with some sites silent."""
        values = self.series.read(0, len(self.steps))
        values[:, ~chosen] = np.nan
        return replace(self, series=ArraySeries(values), heard=self.heard & chosen)

    @property
    def newest(self) -> int:
        """The last step at which any value came.

        Raises
        ------
        DataError
            If there is none.
        """
        values = self.series.read(0, len(self.steps))
        told = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
        if not len(told):
            raise DataError(f"{self.where}: no sensor has a value at any time (all missing). Give readings.")
        return int(self.steps[told[-1]])


def read_readings(source: Source, forecaster: Forecaster) -> Readings:
    """Readings of the sensors of a forecaster.

    Parameters
    ----------
    source : path, DataFrame, Dataset, DataArray or Field
        A long table (time, station, values), a wide one (time, a column a station), netCDF of stations, or any record
        that dynst reads: then the values at the sensors are taken.
    forecaster : Forecaster
        Its sensors, channels and steps.

    Raises
    ------
    DataError
        If nothing can be read, none of it is of these sensors, units differ, or times lie off the steps.
    """
    place = np.full(len(forecaster.sites), -1)
    place[forecaster.selected] = np.arange(len(forecaster.selected))
    found = _Gathering(forecaster, place, forecaster.observed, "sensor of this plan", len(forecaster.selected))
    return _checked(found.read(source), forecaster)


def read_truth(source: Source, forecaster: Forecaster) -> Readings:
    """What became of the field that a forecaster forecasts; a large record is read when it is asked for.

    Raises
    ------
    DataError
        As `read_readings`.
    """
    every = np.arange(len(forecaster.sites))
    return _Gathering(forecaster, every, forecaster.predicted, "site of this run", len(every)).read(source, lazy=True)


class _OtherStationsError(DataError):
    """A source that holds none of the sites that are looked for; others beside it may."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True, eq=False)
class _Gathering:
    """What is looked for in a source.

    Parameters
    ----------
    place : Int[ndarray, "n"]
        Where the values of each site of the forecaster go; -1 for nowhere.
    channels : tuple of Channel
        Quantities that are looked for.
    what, count : str, int
        What these sites are, in words, and how many.
    """

    forecaster: Forecaster
    place: Int[ndarray, " n"]
    channels: tuple[Channel, ...]
    what: str
    count: int

    def read(self, source: Source, *, lazy: bool = False) -> Readings:
        """The readings in a source, whatever its form."""
        try:
            return self._in_any_form(source, lazy=lazy)
        except _OtherStationsError as error:
            raise DataError(str(error)) from error

    def _in_any_form(self, source: Source, *, lazy: bool) -> Readings:
        if isinstance(source, Field):
            return self._of_field(source, lazy=lazy)
        if isinstance(source, pd.Series):
            source = source.unstack() if source.index.nlevels > 1 else source.to_frame()
        if isinstance(source, pd.DataFrame):
            return self._of_records([_of_frame(source)], None)
        if isinstance(source, xr.DataArray):
            source = source.to_dataset(name=source.name or self.channels[0].name)
        if isinstance(source, xr.Dataset):
            with tempfile.TemporaryDirectory() as folder:
                return self.read(as_netcdf(source, Path(folder) / "readings.nc"))
        path = resolve(os.fspath(source))
        if sniff(path) == "stations":
            return self._of_records(*records_of(path))
        return self._of_field(self._record(path), lazy=lazy)

    def _record(self, path: str) -> Field:
        names = tuple(channel.name for channel in self.channels)
        return read(path, observe=names, predict=names)

    def _of_field(self, record: Field, *, lazy: bool) -> Readings:
        site, unknown, notes = self._sites_of(record)
        use, factors = self._quantities(record.name, record.channels)
        steps, off, notes_of_time = self._steps_of(record)
        rows, steps, said = _on_steps(record.name, steps, off, self.forecaster.timeline)
        there = site >= 0
        series: Series = _Picked(record.series, rows, site, use, factors)
        if not lazy:
            series = ArraySeries(_whole(series))
        heard = np.isfinite(series.read(0, len(rows))).any(axis=(0, 2)) if not lazy else there
        return Readings(record.name, steps, series, heard, there, unknown, (*notes, *notes_of_time, *said))

    def _sites_of(self, record: Field) -> tuple[Int[ndarray, " k"], tuple[str, ...], list[str]]:
        """Site of the record for each place, -1 for none."""
        mine = np.flatnonzero(self.place >= 0)
        site = np.full(self.count, -1)
        sites = self.forecaster.sites
        if record.sites.fingerprint == sites.fingerprint:
            site[self.place[mine]] = mine
            return site, (), []
        names = record.sites.name if record.origin.stations else tuple(f"site {i}" for i in range(len(record.sites)))
        row, by_place = stations_among(sites, self.forecaster.layout, _given(record.name, names, record.sites))
        if record.origin.stations:
            return self._each_once(record.name, names, row, by_place)
        away = _apart(sites, record.sites, row)
        order = np.lexsort((away, row))  # of several cells at one site the nearest
        first = order[np.unique(row[order], return_index=True)[1]]
        first = first[(row[first] >= 0)]
        first = first[self.place[row[first]] >= 0]
        site[self.place[row[first]]] = first
        if not len(first):
            raise DataError(self._strangers(record.name, (f"{len(record.sites)} places elsewhere",)))
        said = f"{record.name} has other sites than the run: {len(first)} of {self.count} are found by their place"
        return site, (), [said]

    def _each_once(
        self, where: str, names: Sequence[str], row: Int[ndarray, " s"], by_place: Bool[ndarray, " s"]
    ) -> tuple[Int[ndarray, " k"], tuple[str, ...], list[str]]:
        """The one station of each place."""
        site = np.full(self.count, -1)
        ours = np.flatnonzero((row >= 0) & (self.place[row] >= 0))
        if not len(ours):
            raise _OtherStationsError(where, self._strangers(where, names))
        taken: dict[int, int] = {}
        for i in ours.tolist():
            at = int(self.place[row[i]])
            if at in taken:
                raise DataError(
                    f"{where}: {plain(names[taken[at]])} and {plain(names[i])} are both readings of one {self.what}, "
                    f"{self.forecaster.sites.name[row[i]]}. Keep one of them."
                )
            taken[at] = i
            site[at] = i
        strangers = tuple(plain(names[i]) for i in np.flatnonzero(row < 0).tolist())
        moved = [plain(names[i]) for i in ours.tolist() if by_place[i]]
        notes = [f"found by their place, within half a spacing: {len(moved)} ({some(moved)})"] if moved else []
        spare = int((row >= 0).sum()) - len(ours)
        notes += [f"stations on other sites of the run are not used: {spare}"] if spare else []
        return site, strangers, notes

    def _strangers(self, where: str, names: Sequence[str]) -> str:
        known = self.forecaster.sensors if self.count < len(self.forecaster.sites) else self.forecaster.sites.name
        return (
            f"{where}: none of its stations ({some([plain(name) for name in names], 3)}) is a {self.what}; these are "
            f"called {some(known, 3)}. Give readings of this network, named as the run names it, or with positions."
        )

    def _steps_of(self, record: Field) -> tuple[Int[ndarray, " t"], Float[ndarray, " t"], list[str]]:
        """Step of each time of a record, how far it is, and what was done; -1 far for what is left out."""
        timeline, clock = self.forecaster.timeline, record.clock
        _same_kind(record.name, timeline, dated=isinstance(record.time[0], np.datetime64))
        notes = []
        steps, off = _steps(timeline, record.time, clock.days, clock.year_days, clock.steps)
        if record.cases and len(record.runs) > 1:
            first, last = record.runs[-1]
            notes.append(
                f"{record.name} holds {len(record.runs)} experiments: the last one is read, {record.cases[-1]}"
            )
            inside = np.zeros(len(steps), bool)
            inside[first:last] = True
            off = np.where(inside, off, np.inf)
        return steps, off, notes

    def _of_records(self, records: Sequence[Record], places: Places | None) -> Readings:
        """Stations of one or several files; a value that comes twice is refused."""
        parts, strangers = [], list[_OtherStationsError]()
        for record in records:
            try:
                parts.append(self._of_record(record, record.places or places))
            except _OtherStationsError as error:
                strangers.append(error)
        if not parts:
            raise strangers[0]
        aside = tuple(f"{error.where} is left aside: none of its stations is a {self.what}" for error in strangers)
        if len(parts) == 1:
            return replace(parts[0], notes=(*parts[0].notes, *aside))
        steps = np.unique(np.concatenate([part.steps for part in parts]))
        values = np.full((len(steps), self.count, len(self.channels)), np.nan, np.float32)
        where = f"{parts[0].where} and {len(parts) - 1} more"
        for part in parts:
            rows, new = np.searchsorted(steps, part.steps), part.series.read(0, len(part.steps))
            if (np.isfinite(values[rows]) & np.isfinite(new)).any():
                raise DataError(f"{part.where}: it holds readings that another file gives, too. Keep one of them.")
            values[rows] = np.where(np.isfinite(new), new, values[rows])
        unknown = dict.fromkeys(name for part in parts for name in part.unknown)
        notes = dict.fromkeys(note for part in parts for note in part.notes)
        heard, found = (np.any([getattr(part, key) for part in parts], axis=0) for key in ("heard", "found"))
        return Readings(where, steps, ArraySeries(values), heard, found, tuple(unknown), (*notes, *aside))

    def _of_record(self, record: Record, places: Places | None) -> Readings:
        where = record.where
        record = record if record.times.decoded else even_out(in_order(record))  # loggers of a test keep no time
        given = _called(record, places)
        row, by_place = stations_among(self.forecaster.sites, self.forecaster.layout, given)
        site, unknown, notes = self._each_once(where, record.names, row, by_place)
        use, factors = self._quantities(where, record.channels)
        timeline = self.forecaster.timeline
        _same_kind(where, timeline, dated=record.times.decoded)
        steps, off = _record_steps(record.times, timeline)
        rows, steps, said = _on_steps(where, steps, off, timeline)
        picked = _Picked(ArraySeries(record.values), rows, site, use, factors)
        values = _whole(picked)
        heard = np.isfinite(values).any(axis=(0, 2))
        kept = tuple(note for note in record.notes if note)
        return Readings(where, steps, ArraySeries(values), heard, site >= 0, unknown, (*notes, *said, *kept))

    def _quantities(self, where: str, offered: Sequence[Channel]) -> tuple[Int[ndarray, " c"], Float[ndarray, "c two"]]:
        """Which of the quantities of a source each channel is, -1 for none; factor and summand to its unit."""
        use = np.full(len(self.channels), -1)
        factors = np.tile([1.0, 0.0], (len(self.channels), 1))
        for i, channel in enumerate(self.channels):
            use[i] = _index_of(channel, offered, where)
        if (use < 0).all() and len(self.channels) == len(offered) == 1:
            use[0] = 0
        if (use < 0).all():
            wanted, came = ([channel.name for channel in some_] for some_ in (self.channels, offered))
            raise DataError(
                f"{where}: it holds {some(came)}, and {some(wanted)} {'is' if len(wanted) == 1 else 'are'} expected. "
                "Name the columns of values so, in a table with a column for the time and one for the station."
            )
        for i in np.flatnonzero(use >= 0).tolist():
            factors[i] = self._factor(where, offered[use[i]], self.channels[i])
        return use, factors

    def _factor(self, where: str, given: Channel, wanted: Channel) -> tuple[float, float]:
        if not (known(given.units) and known(wanted.units)):
            return 1.0, 0.0
        found = conversion(given.units, wanted.units)
        if found is None:
            raise DataError(
                f"{where}: {given.name} is in {given.units}, and the run has {wanted.name} in {wanted.units}. "
                f"Give it in {wanted.units}."
            )
        return found


@dataclass(frozen=True, eq=False)
class _Picked:
    """Some rows, sites and channels of another series, in other units; -1 of a site or channel has no values."""

    base: Series
    rows: Int[ndarray, " u"]
    site: Int[ndarray, " k"]
    channel: Int[ndarray, " c"]
    factors: Float[ndarray, "c two"]
    shape: tuple[int, int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", (len(self.rows), len(self.site), len(self.channel)))

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        out = np.empty((max(0, min(stop, len(self.rows)) - start), *self.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        rows = self.rows[start : start + len(out)]
        if not len(rows):
            return
        low, high = int(rows.min()), int(rows.max()) + 1
        values = self.base.read(low, high)[:, self.site][rows - low]
        values = values[:, :, self.channel] * self.factors[:, 0] + self.factors[:, 1]
        values[:, self.site < 0] = np.nan
        values[:, :, self.channel < 0] = np.nan
        out[...] = values


def _whole(series: Series) -> Float[ndarray, "time n c"]:
    """All values; of the series below at most a block is in memory."""
    values = np.empty(series.shape, np.float32)
    base = series.base.shape if isinstance(series, _Picked) else series.shape
    size = max(1, _BLOCK // (4 * base[1] * base[2]))
    for start in range(0, len(values), size):
        series.read_into(start, values[start : start + size])
    return values


def _index_of(channel: Channel, offered: Sequence[Channel], where: str) -> int:
    """The quantity that is a channel: by its name, or by that of the file if it holds no other."""
    names = [one.name for one in offered]
    if channel.name in names:
        return names.index(channel.name)
    folded = [CANONICAL.get(name, name).casefold() for name in names]
    if folded.count(channel.name.casefold()) == 1:
        return folded.index(channel.name.casefold())
    return 0 if len(names) == 1 and Path(where).stem.casefold() == channel.name.casefold() else -1


def _of_frame(frame: pd.DataFrame) -> Record:
    if not len(frame) or not len(frame.columns):
        raise DataError("readings: the table is empty. Give readings.")
    table = table_of(frame, Path("readings"))
    text = [column for column in table.columns if column.lower() in LONG_NAMES]
    made = table.frame.assign(**{column: table.text(column) for column in text})
    return record_of(replace(table, frame=made), Wanted(every=True))


def _called(record: Record, places: Places | None) -> Given:
    """The stations of a record by their names, and by their places if these are known."""
    called = {"station": record.names} | ({"short": record.short} if record.short else {})
    if places is None:
        return Given(record.where, called)
    try:
        placed, row = places.match(record.names, record.short)
    except DataError:  # the table beside is of others
        return Given(record.where, called)
    where = np.where((row >= 0)[:, None], np.stack([placed.x, placed.y], axis=-1)[row], np.nan)
    called |= {name: tuple(cells[i] if i >= 0 else "" for i in row) for name, cells in placed.called.items()}
    if placed.frame is Frame.GEOGRAPHIC:
        return Given(record.where, called, lonlat=where)
    return Given(record.where, called, plane=where)


def _given(where: str, names: Sequence[str], sites: Sites) -> Given:
    called = {"site": tuple(names)}
    if sites.longitude is not None and sites.latitude is not None:
        return Given(where, called, lonlat=np.stack([sites.longitude, sites.latitude], axis=-1))
    if sites.frame is Frame.SCHEMATIC:
        return Given(where, called)
    return Given(where, called, plane=np.stack([sites.x, sites.y], axis=-1))


def _apart(sites: Sites, others: Sites, row: Int[ndarray, " s"]) -> Float[ndarray, " s"]:
    """How far each of the others is from its site, in an order that is that of distances."""
    if sites.points.shape[1] != others.points.shape[1]:
        return np.zeros(len(row))
    return np.asarray(np.linalg.norm(sites.points[row] - others.points, axis=1))


def _same_kind(where: str, timeline: Timeline, *, dated: bool) -> None:
    if dated and not timeline.dated:
        raise DataError(
            f"{where}: its times are dates, and the record of this run counts {_counted(timeline)}. "
            f"Give {_counted(timeline)} since its beginning."
        )
    if timeline.dated and not dated:
        raise DataError(
            f"{where}: its times are no dates, and the record of this run has dates, {timeline.cadence} apart. "
            "Write a column of times such as 2026-01-31T18:00."
        )


def _counted(timeline: Timeline) -> str:
    return f"days in a calendar of {timeline.year_days} days" if timeline.year_days is not None else "steps"


def _record_steps(times: Times, timeline: Timeline) -> tuple[Int[ndarray, " t"], Float[ndarray, " t"]]:
    """Step of each time of a table; times without a date are steps, or durations since the beginning."""
    clock = times.clock(np.zeros(len(times.values), np.int64))
    if times.decoded or (clock.days is not None and timeline.began is not None):
        return _steps(timeline, times.values, clock.days, clock.year_days, None)
    values = times.values.astype(float)
    unit, step = length_of(f"1 {times.unit}"), length_of(timeline.cadence)
    if unit is not None and step is not None and unit[1] == step[1]:
        values = values * float(unit[0] / step[0])
        values = values - values[0] if timeline.anew else values - np.median(values - np.round(values))
    nearest = np.round(values).astype(np.int64)
    return nearest, np.abs(values - nearest)


def _steps(
    timeline: Timeline,
    times: Shaped[ndarray, " t"],
    days: Float[ndarray, " t"] | None,
    year_days: int | None,
    counted: Float[ndarray, " t"] | None,
) -> tuple[Int[ndarray, " t"], Float[ndarray, " t"]]:
    if timeline.dated:
        return timeline.steps(times)
    if timeline.began is not None and days is not None and year_days == timeline.year_days:
        return timeline.steps_of_days(days)
    steps = np.asarray(times if counted is None else counted, float)
    return np.round(steps).astype(np.int64), np.zeros(len(steps))


def _on_steps(
    where: str, steps: Int[ndarray, " t"], off: Float[ndarray, " t"], timeline: Timeline
) -> tuple[Int[ndarray, " u"], Int[ndarray, " u"], list[str]]:
    """Rows that lie on steps, those steps, ascending, and what was done.

    Raises
    ------
    DataError
        If times lie off the steps, or far from the record.
    """
    asked = np.flatnonzero(np.isfinite(off))
    steps_, off_ = steps[asked], off[asked]
    _reasonable(where, steps_, timeline)
    on, notes = off_ <= _NEAR, []
    near = _words_of_share(timeline, _NEAR)
    if not on.all():
        finer = len(steps_) > 1 and len(steps_) > len(np.unique(steps_)) / _FINER
        if not on.any() or not finer:
            raise DataError(
                f"{where}: {int((~on).sum())} of {len(on)} times lie off the steps of the run, {timeline.cadence} "
                f"apart, by more than {near} (the first belongs near {_said(timeline, int(steps_[~on][0]))}). "
                "Give readings at those times."
            )
        notes.append(f"readings between the steps of {timeline.cadence} are left aside: {int((~on).sum())} times")
    order = np.lexsort((off_, steps_))
    order = order[on[order]]
    first = np.sort(order[np.unique(steps_[order], return_index=True)[1]])
    first = first[np.argsort(steps_[first], kind="stable")]
    worst = float(off_[first].max()) if len(first) else 0.0
    if worst > 1e-3:
        notes.append(
            f"times are taken to the nearest step, at most {_words_of_share(timeline, worst)} away "
            f"(up to {near} are allowed)"
        )
    return asked[first], steps_[first], notes


def _reasonable(where: str, steps: Int[ndarray, " t"], timeline: Timeline) -> None:
    """Refuse dates that can only be a mistake."""
    if not len(steps):
        raise DataError(f"{where}: it holds no time. Give readings.")
    worst = int(steps[np.abs(steps).argmax()])
    if not timeline.dated:
        if abs(worst) > _MOST:
            raise DataError(f"{where}: step {worst} lies beyond reason. Count steps from the beginning of the record.")
        return
    years = abs(timeline.times(np.array([worst]))[0] - np.datetime64(str(timeline.first), "ns"))
    if years / np.timedelta64(365, "D") > _FAR:
        raise DataError(
            f"{where}: the time {_said(timeline, worst)} lies more than {_FAR} years from the beginning of the record, "
            f"{str(timeline.first)[:10]}. Correct it."
        )


def _said(timeline: Timeline, step: int) -> str:
    time = timeline.times(np.array([step]))[0]
    return str(time)[:16].replace("T", " ") if timeline.dated else f"step {time}"


def _words_of_share(timeline: Timeline, share: float) -> str:
    """A part of a step as a duration."""
    length = length_of(timeline.cadence)
    if length is None or length[1]:
        return f"{share:.2g} of a step"
    seconds = float(length[0]) * share
    size, unit = next((one for one in ((3600, "h"), (60, "min")) if seconds >= one[0]), (1, "s"))
    return f"{seconds / size:.3g} {unit}"


def _checked(readings: Readings, forecaster: Forecaster) -> Readings:
    """Refuse readings that can only be in another unit."""
    values = readings.series.read(0, len(readings.steps))
    if not np.isfinite(values).any():
        raise DataError(f"{readings.where}: no sensor has a value at any time (all missing). Give readings.")
    told = np.flatnonzero(np.isfinite(values).any(axis=(1, 2)))
    some_ = told[np.linspace(0, len(told) - 1, min(len(told), 200)).astype(np.int64)]
    anomalies = forecaster.anomalies(values[some_][:, None], readings.steps[some_])
    for i, channel in enumerate(forecaster.observed):
        came, raw = anomalies[..., i], values[some_][:, :, i]
        size = np.abs(came[np.isfinite(came)])
        if len(size) and np.median(size) > _ODD:
            usual = float(np.nanmean(forecaster.usual_at_sensors[:, i]))
            raise DataError(
                f"{readings.where}: {channel.name} is {float(np.nanmedian(raw)):.4g} in the middle, where "
                f"{usual:.4g}{f' {channel.units}' if known(channel.units) else ''} is usual: it seems to be in another "
                "unit. Convert it."
            )
    return readings
