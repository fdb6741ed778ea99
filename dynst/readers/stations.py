"""Station networks, sensor graphs and fire tests: tables, netCDF and JSON in, a field on a graph out."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import ArraySeries, Covariate, Field, Frame, GraphLayout, Origin, Sites
from dynst.domain.graphs import drawing, nearest_neighbours
from dynst.errors import DataError
from dynst.readers import arrays, hdf_frames
from dynst.readers.base import Hints
from dynst.readers.edges import holds_links, read_links
from dynst.readers.fingerprints import marks_of
from dynst.readers.hdf_frames import holds_frame, read_frame
from dynst.readers.joined import joined
from dynst.readers.mesh_records import field_of
from dynst.readers.place_arrays import holds_places as holds_places_array
from dynst.readers.place_arrays import read_places_array
from dynst.readers.records import Record, Wanted
from dynst.readers.series_tables import record_of
from dynst.readers.siting_files import read_positions
from dynst.readers.station_columns import LONG_NAMES
from dynst.readers.station_files import holds_stations, read_json, read_netcdf, stream_netcdf
from dynst.readers.station_per_file import with_stations
from dynst.readers.station_tables import Places, holds_places
from dynst.readers.tables import SUFFIXES, Table, read_table, some
from dynst.readers.times import Runs, gap_notes
from dynst.readers.values import look

__all__ = ["read", "recognises", "records_of"]

_NETCDF = (".nc", ".nc4", ".cdf", ".netcdf")
_ARRAYS = (*arrays.SUFFIXES, *hdf_frames.SUFFIXES)
_NEIGHBOURS = 8
_ZEROS = 0.01  # share of exact zeros that is said
_BESIDE = 100  # files beside an array that are looked at for links


def recognises(path: str, hints: Hints) -> bool:
    """Whether a path holds tables or series of stations, or the user gave positions or links of stations."""
    if hints.stations is not None or hints.graph is not None:
        return True
    if "://" in path:
        return False
    suffix = Path(path).suffix.lower()
    if suffix in {*SUFFIXES, ".json"}:
        return True
    try:
        place = Path(path).expanduser()
        if suffix in _NETCDF:
            return place.is_file() and holds_stations(place)
        if suffix in _ARRAYS:
            return place.is_file() and (holds_frame(place) or holds_places_array(place, hints))
        return place.is_dir() and _tables_in(place) != [] and not any(any(place.glob(f"{at}*.nc")) for at in ("", "*/"))
    except (OSError, RuntimeError, ValueError):  # no permission, too long a name, an unknown home, a zero byte
        return False


def read(
    path: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Field:
    """A record of stations, sensors or fire devices on a graph.

    Parameters
    ----------
    path : str
        A table (a column a station, or a row a station and time), a netCDF file with dimensions time and station, a
        JSON graph, a device file of a fire; or a folder or pattern of tables: quantities measured by the same or other
        devices, pieces in time, or several experiments.
    observe, predict : sequence of str, optional
        Channels that sensors measure and that are forecast. Default: all, if there are at most 8.
    cache_dir : Path, optional
        Where netCDF records larger than 64 MB are kept once converted, and fingerprints of large tables; default
        ``DYNST_CACHE`` or the user's cache folder.
    hints : Hints
        ``stations``, the table of positions, and ``graph``, the file with links. Without links each station is joined
        to its 8 nearest; without positions the graph is drawn.

    Returns
    -------
    Field
        Stations that never report, or that have no position, are no sites; all that was done is in `Origin.notes`.

    Raises
    ------
    DataError
        If the files hold no usable record; the message names the file, the reason and the remedy.
    ConfigError
        If a channel is asked for that is not there, or channels must be named.
    """
    array = Path(path).suffix.lower() in _ARRAYS
    hints.check("station", "stations", "graph", *(["layout"] * array))
    wanted = Wanted(observe, predict)
    told = [None if file is None else _helper(file) for file in (hints.stations, hints.graph)]
    files, told = _sorted_out(path, _files(path, [file for file in told if file is not None]), told)
    helpers = [file for file in told if file is not None]
    streamed = None if helpers or len(files) > 1 or not _is_netcdf(files[0]) else stream_netcdf(path, files[0], wanted)
    if streamed is not None:
        made = field_of(streamed, cache_dir=cache_dir, keep_values=hints.keep_values)
        marks = marks_of(files, cache_dir=cache_dir)
        origin = replace(made.origin, fingerprint=marks.fingerprint, sampled=marks.sampled)
        return replace(made, name=_name(path, files), origin=origin)
    places = None if told[0] is None else read_positions(told[0])
    if len(files) == 1:
        record = _record(files[0], wanted, places, hints.layout)
        if array and told == [None, None]:
            told = [None, _links_beside(files[0], record.names)]
            helpers = [file for file in told if file is not None]
        record = _named(record, places) if record.numbered and places is not None else record
        record, runs, cases = joined([record], files, places)
    else:  # files may be quantities, so what they offer together is known only once they are joined
        record, runs, cases = joined(_records(files, places), files, places)
        channels = wanted.choose(record.where, record.channels, {})
        at = [i for i, channel in enumerate(record.channels) if channel.name in {c.name for c in channels}]
        record = replace(record, values=record.values[:, :, at], channels=channels)
    field = _assemble(record, runs, cases, places or record.places, told[1], keep_values=hints.keep_values)
    named = zip(("positions", "links"), told, (hints.stations, hints.graph), strict=True)
    beside = {what: file for what, file, hint in named if file is not None and hint is None}
    said = tuple(f"{what} come from {file.name} beside the data" for what, file in beside.items())
    marks = marks_of([*files, *helpers], cache_dir=cache_dir)
    origin = replace(
        field.origin,
        path=path,
        reader="stations",
        fingerprint=marks.fingerprint,
        sampled=marks.sampled,
        notes=(*said, *field.origin.notes),
    )
    return replace(field, name=_name(path, files), origin=origin)


def records_of(path: str) -> tuple[list[Record], Places | None]:
    """What each file of a path says of stations, before anything is put on sites; and positions that lie beside.

    Nothing is asked of the times, and no position is needed: these may be readings of a few sensors.

    Raises
    ------
    DataError
        If there is no such file, or it is no table or series of stations.
    """
    files, told = _sorted_out(path, _files(path, []), [None, None])
    places = None if told[0] is None else read_positions(told[0])
    records = _records(files, places) if len(files) > 1 else [_record(files[0], Wanted(every=True), places)]
    return records, places


def _helper(file: str) -> Path:
    try:
        found = Path(file).expanduser()
        there = found.is_file()
    except (OSError, RuntimeError, ValueError) as err:
        raise DataError(
            f"{file!r}: cannot be looked at: {str(err).rstrip('.')}. Check the path and its permissions."
        ) from err
    if not there:
        raise DataError(f"{file}: no such file. Check the path (here: {Path.cwd()}).")
    return found


def _tables_in(folder: Path) -> list[Path]:
    """The tables of a folder: no texts beside them, and of a fire simulation only what its devices measured."""
    found = [file for file in sorted(folder.iterdir()) if file.suffix.lower() in SUFFIXES and file.name[0] != "."]
    found = [file for file in found if file.is_file() and file.suffix.lower() != ".txt"]
    if any(file.stem.endswith("_devc") for file in found):
        return [file for file in found if file.stem.endswith("_devc") or holds_places(file)]
    return found


def _files(path: str, helpers: Sequence[Path]) -> list[Path]:
    """The files of a path, without those that hold positions and links."""
    try:
        place = Path(path).expanduser()
        if place.is_dir():
            found = _tables_in(place)
        elif place.exists():
            found = [place]
        else:
            found = [Path(file) for file in sorted(glob.glob(str(place), recursive=True))]  # noqa: PTH207 - may be absolute
    except (OSError, RuntimeError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err).rstrip(".")
        raise DataError(f"{path!r}: cannot be looked at: {reason}. Check the path and its permissions.") from err
    if not found:
        what = (
            f"no table ({', '.join(SUFFIXES)}) in that folder" if place.is_dir() else "no such file, folder or pattern"
        )
        raise DataError(f"{path}: {what}. Check the path (here: {Path.cwd()}).")
    known = {helper.resolve() for helper in helpers}
    left = [file for file in found if file.resolve() not in known]
    if not left:
        raise DataError(f"{path}: it holds positions or links only. Give the file with the values as the data.")
    for file in left:
        if not file.is_file():
            raise DataError(f"{file}: neither a file nor a folder of tables. Give a file, a folder or a pattern.")
    return left


def _sorted_out(path: str, files: list[Path], told: list[Path | None]) -> tuple[list[Path], list[Path | None]]:
    """Tables of values in a folder, and the one beside them with positions, and the one with links, if not told."""
    if len(files) < 2 or not Path(path).expanduser().is_dir():
        return files, told
    found = list(told)
    for i, holds in enumerate((holds_places, holds_links)):
        such = [file for file in files if holds(file)]
        if told[i] is None and len(such) == 1 and len(files) > 1:
            found[i] = such[0]
            files = [file for file in files if file != such[0]]
    return files, found


def _is_netcdf(file: Path) -> bool:
    return file.suffix.lower() in _NETCDF


def _records(files: Sequence[Path], places: Places | None) -> list[Record]:
    """What each of several files holds, all channels; the name of a file may be that of its station."""
    every = Wanted(every=True)
    if any(file.suffix.lower() not in SUFFIXES for file in files):
        return [_record(file, every, places) for file in files]
    return [
        record_of(table, every, places) for table in with_stations([_table(file, places) for file in files], places)
    ]


def _table(file: Path, places: Places | None) -> Table:
    called = () if places is None else (name.lower() for name in places.called)
    return read_table(file, text=(*LONG_NAMES, *called))


def _links_beside(file: Path, names: Sequence[str]) -> Path | None:
    """The one list of links in the folder of an array, which has room for none, if it fits its places."""
    tables = [other for other in sorted(file.parent.iterdir())[:_BESIDE] if other.suffix.lower() in (".csv", ".txt")]
    fitting = [other for other in tables if holds_links(other) and _fits(other, names)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(file: Path, names: Sequence[str]) -> bool:
    try:
        links = read_links(file, names)
    except DataError:
        return False
    return len(links.senders) > 0 and not links.strange


def _named(record: Record, places: Places) -> Record:
    """Places of an array that has no names, called as in a table of stations of the same number."""
    if any(set(record.names) <= set(called) for called in places.called.values()):
        return record
    if len(places.x) != len(record.names) or not places.called:
        raise DataError(
            f"{record.where}: it holds {len(record.names)} places without names, and {places.where} holds "
            f"{len(places.x)} stations. Give a table with one row a place, in the same order."
        )
    names = tuple(next(iter(places.called.values())))
    note = f"the places are taken in the order of {places.where}"
    return replace(record, names=names, notes=(*record.notes, note))


def _zeros(record: Record) -> Record:
    """The record with a note if many values are exactly zero: in files of traffic that often means missing."""
    share = float((record.values == 0).mean())
    if share < _ZEROS:
        return record
    note = f"{share:.2%} of the values are exactly 0, which often stands for missing in such files; they are kept"
    return replace(record, notes=(*record.notes, note))


def _record(file: Path, wanted: Wanted, places: Places | None, layout: str | None = None) -> Record:
    suffix = file.suffix.lower()
    if suffix == ".json":
        return read_json(file, wanted)
    if suffix in SUFFIXES:
        return record_of(_table(file, places), wanted, places)
    if suffix in hdf_frames.SUFFIXES and holds_frame(file):
        return _zeros(record_of(read_frame(file), wanted, places))
    if suffix in arrays.SUFFIXES:
        return _zeros(read_places_array(file, wanted, layout))
    if _is_netcdf(file):
        return read_netcdf(file, wanted)
    raise DataError(
        f"{file.name}: positions or links of stations were given, but the data are no station data. Expected a table "
        f"({', '.join(SUFFIXES)}), netCDF with dimensions time and station, or a JSON graph."
    )


def _assemble(
    record: Record,
    runs: Runs,
    cases: tuple[str, ...],
    places: Places | None,
    graph: Path | None,
    *,
    keep_values: bool,
) -> Field:
    """The field: silent and unplaced stations left out, the rest joined by links or by nearness."""
    seen = ~np.isnan(record.values)
    empty = [channel.name for i, channel in enumerate(record.channels) if not seen[:, :, i].any()]
    if empty:
        raise DataError(f"{record.where}: {', '.join(empty)} has no value at any time and station (all missing).")
    notes = list(record.notes)
    reports = seen.any(axis=(0, 2))
    if not reports.all():
        silent = [name for name, there in zip(record.names, reports.tolist(), strict=True) if not there]
        notes.append(f"stations that never report are no sites: {len(silent)} of {len(reports)} ({some(silent)})")
    links = record.links if graph is None else read_links(graph, record.names)
    if places is None and links is None:
        raise DataError(
            f"{record.where}: the positions of its {len(record.names)} stations are unknown. Give a table with the "
            "columns station, lat, lon (--stations FILE), or the links between them (--graph FILE)."
        )
    keep, row = np.flatnonzero(reports), np.zeros(0, np.int64)
    if places is not None:
        keep, row, places = _positioned(record, places, keep, notes)
    _enough(record, keep)
    whole = len(keep) == len(reports)
    missing = 1.0 - float((seen if whole else seen[:, keep]).mean())
    found = look(
        ArraySeries(record.values if whole else record.values[:, keep]), record.channels, missing, keep=keep_values
    )
    coded = sorted(set(range(len(keep))) - set(found.sites.tolist()))
    if coded:
        who = some([record.names[keep[i]] for i in coded])
        notes.append(f"stations that hold nothing but a code are no sites: {len(coded)} ({who})")
    keep, row, missing = keep[found.sites], row[found.sites] if len(row) else row, found.missing
    _enough(record, keep)
    sites = None if places is None else _sites(record, places, keep, row)
    if links is None:
        assert sites is not None  # neither was refused above
        layout = nearest_neighbours(sites, _NEIGHBOURS)
    else:
        layout, said = links.layout(keep, sites)
        notes += said
        if sites is None:
            sites = _drawn(record, keep, layout)
            notes.append("nobody says where the stations are: x and y are a drawing of the graph")
    notes += gap_notes(runs)
    if missing:
        notes.append(f"{missing:.2%} of the values at the sites are missing")
    made = Field(
        series=found.series,
        time=record.times.values if record.times.decoded else np.arange(len(record.values)),
        clock=record.times.clock(runs.run, anew=bool(cases)),
        run=runs.run,
        sites=sites,
        layout=layout,
        channels=record.channels,
        cadence=runs.cadence,
        has_missing=missing > 0,
        cases=cases,
        covariates=_covariates(places, row, notes),
        origin=Origin(notes=tuple(notes), stations=True),
    )
    return found.on(made)


def _enough(record: Record, keep: Int[ndarray, " k"]) -> None:
    if len(keep) < 2:
        raise DataError(f"{record.where}: {len(keep)} station with values and a position came; a plan needs 2 or more.")


def _positioned(
    record: Record, places: Places, keep: Int[ndarray, " k"], notes: list[str]
) -> tuple[Int[ndarray, " n"], Int[ndarray, " n"], Places]:
    """Stations that have a position, and their rows in the table."""
    places, row = places.match(record.names, record.short)
    there = (row >= 0) & np.isfinite(places.x[row]) & np.isfinite(places.y[row])
    lost = [record.names[i] for i in keep if not there[i]]
    if lost:
        notes.append(f"stations without a position in {places.where} are no sites: {len(lost)} ({some(lost)})")
    spare = len(places.x) - len(set(row[row >= 0].tolist()))
    if spare:
        notes.append(f"stations of {places.where} without values: {spare}")
    if places.by not in {"", "station", "node"} and len(places.called) > 1:
        notes.append(f"stations are found in {places.where} by its column {places.by}")
    notes += places.notes
    keep = keep[there[keep]]
    return keep, row[keep], places


def _sites(record: Record, places: Places, keep: Int[ndarray, " n"], row: Int[ndarray, " n"]) -> Sites:
    return Sites(places.x[row], places.y[row], frame=places.frame, name=_names(record, keep), unit=places.unit)


def _names(record: Record, keep: Int[ndarray, " n"]) -> tuple[str, ...]:
    """Names of the sites; short ones if no two are alike."""
    names = record.short if record.short and len(set(record.short)) == len(record.short) else record.names
    return tuple(names[i] for i in keep)


def _drawn(record: Record, keep: Int[ndarray, " n"], layout: GraphLayout) -> Sites:
    place = drawing(layout)
    return Sites(place[:, 0], place[:, 1], frame=Frame.SCHEMATIC, name=_names(record, keep))


def _covariates(places: Places | None, row: Int[ndarray, " n"], notes: list[str]) -> tuple[Covariate, ...]:
    if places is None or places.height is None:
        return ()
    height: Float[ndarray, " n"] = places.height[row]
    known = np.isfinite(height)
    if not known.any():
        return ()
    if not known.all():
        notes.append(f"stations without a height are given the median height: {int((~known).sum())}")
        height = np.where(known, height, np.median(height[known]))
    if np.ptp(height) == 0:
        return ()
    notes.append(f"height of the stations is a covariate: {height.min():g} to {height.max():g} {places.height_unit}")
    return (Covariate("height", height, places.height_unit),)


def _name(path: str, files: Sequence[Path]) -> str:
    stem = files[0].stem if len(files) == 1 else re.sub(r"[*?\[\]]+", "", Path(path).stem) or files[0].parent.name
    return re.sub(r"[^A-Za-z0-9._-]+", "_", stem).strip("._-") or "stations"
