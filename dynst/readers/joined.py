"""Several files of stations as one record: other devices, quantities, pieces in time, or experiments."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from dynst.domain import Channel
from dynst.errors import DataError
from dynst.readers.records import Record, even_out, fill_gaps, in_order
from dynst.readers.station_tables import Places
from dynst.readers.tables import some
from dynst.readers.times import Runs, Times, find_runs

__all__ = ["joined"]


def joined(records: list[Record], files: list[Path], places: Places | None) -> tuple[Record, Runs, tuple[str, ...]]:
    """One record from all files; its runs; and the names of its experiments, if files are experiments.

    Parameters
    ----------
    records : list of Record
        What each file holds.
    files : list of Path
        The files, whose names become those of experiments and quantities.
    places : Places or None
        A table of positions, which tells files of sites from others.

    Raises
    ------
    DataError
        If the files do not belong together, a time repeats, or times are too uneven.
    """
    records = [in_order(record) for record in records]
    if len(records) > 1 and places is not None:
        records, files = _placed(records, files, places)
    kinds: dict[tuple[object, ...], list[int]] = {}
    for i, record in enumerate(records):
        kinds.setdefault((tuple(sorted(record.names)), record.channels), []).append(i)
    if len(kinds) > 1 and _are_of_stations(records):
        records, stems = [_united(records)], [""]
    elif len(kinds) > 1:
        keys = [[re.sub(r"\D+", " ", files[i].stem).strip() for i in group] for group in kinds.values()]
        if any(key != keys[0] for key in keys) and max(map(len, keys)) > 1:
            raise _unlike(records)
        groups = [list(group) for group in zip(*kinds.values(), strict=True)]
        records = [_side_by_side([records[i] for i in group]) for group in groups]
        stems = keys[0] if len(groups) > 1 else [""]
    else:
        stems = _stems(files)
    records = [even_out(record) for record in records]
    if len(records) == 1:
        return records[0], find_runs(records[0].times, where=records[0].where), ()
    first = records[0]
    records = [_reordered(record, first.names) for record in records]
    if len({record.times.calendar for record in records}) > 1:
        raise DataError(f"{first.where} and others have dates of several calendars. Give all of them one calendar.")
    if all(record.times.dated for record in records):
        return _dated(records, stems)
    return _cases(records, stems)


def _stems(files: list[Path]) -> list[str]:
    """Names of files, with those of their folders if they need them to differ."""
    stems = [file.stem for file in files]
    if len(set(stems)) == len(stems):
        return stems
    above = os.path.commonpath([file.parent for file in files])
    return ["_".join(file.relative_to(above).with_suffix("").parts) for file in files]


def _unlike(records: list[Record]) -> DataError:
    said = "; ".join(f"{record.where}: {some(record.names, 3)}" for record in records[:3])
    return DataError(
        f"the {len(records)} files do not belong together: their stations differ ({said}). Give one file as the data, "
        "and those with positions and links as stations and graph."
    )


def _placed(records: list[Record], files: list[Path], places: Places) -> tuple[list[Record], list[Path]]:
    """Those files whose columns have a position: a folder of a fire test holds the heat release, too."""
    known = {name for called in places.called.values() for name in called}
    use = [i for i, record in enumerate(records) if known.intersection([*record.names, *record.short])]
    if not use:
        return records, files
    note = [f"{records[i].where} is left aside: no column has a position" for i in range(len(files)) if i not in use]
    records = [records[i] for i in use]
    records[0] = replace(records[0], notes=(*records[0].notes, *note))
    return records, [files[i] for i in use]


def _are_of_stations(records: Sequence[Record]) -> bool:
    """Whether files have dates, quantities in common, and their own stations or their own times."""
    if not all(record.times.decoded and record.long for record in records):
        return False
    times: dict[str, list[ndarray]] = {}
    for record in records:
        for name in record.names:
            times.setdefault(name, []).append(record.times.values)
    return all(len(parts) == 1 or _all_differ(np.concatenate(parts)) for parts in times.values())


def _all_differ(values: ndarray) -> bool:
    return len(np.unique(values)) == len(values)


def _united(records: Sequence[Record]) -> Record:
    """Stations of all files at all times; what a file does not say is missing."""
    channels = _shared_channels(records)
    names = sorted({name for record in records for name in record.names})
    times = np.unique(np.concatenate([record.times.values for record in records]))
    values = np.full((len(times), len(names), len(channels)), np.nan, np.float32)
    for record in records:
        at = np.searchsorted(times, record.times.values)
        who = np.array([names.index(name) for name in record.names])
        what = np.array([list(channels).index(channel.name) for channel in record.channels])
        values[np.ix_(at, who, what)] = record.values
    first = records[0]
    notes = dict.fromkeys(note for record in records for note in record.notes)
    return fill_gaps(
        replace(
            first,
            where=f"{first.where} and {len(records) - 1} more",
            values=values,
            times=replace(first.times, values=times),
            names=tuple(names),
            channels=tuple(channels.values()),
            places=_places_of(records),
            notes=(*notes, f"{len(records)} files of {len(names)} stations are read together"),
        )
    )


def _places_of(records: Sequence[Record]) -> Places | None:
    """Positions of the stations of all files, where each file gives its own."""
    known = [record.places for record in records if record.places is not None]
    if len(known) < len(records) or len({(places.frame, tuple(places.called)) for places in known}) > 1:
        return None
    heights = [places.height for places in known if places.height is not None]
    column = next(iter(known[0].called))
    called = [name for places in known for name in places.called[column]]
    once = [called.index(name) for name in dict.fromkeys(called)]
    x, y = (np.concatenate([getattr(places, axis) for places in known])[once] for axis in "xy")
    height = np.concatenate(heights)[once] if len(heights) == len(known) else None
    return replace(known[0], where="the files", called={column: [called[i] for i in once]}, x=x, y=y, height=height)


def _shared_channels(records: Sequence[Record]) -> dict[str, Channel]:
    """Channels of all files, by name.

    Raises
    ------
    DataError
        If two files give one in different units.
    """
    channels = {channel.name: channel for channel in records[0].channels}
    for record in records[1:]:
        for channel in record.channels:
            if channels.setdefault(channel.name, channel).units != channel.units:
                raise DataError(
                    f"{records[0].where} and {record.where} give {channel.name} in {channels[channel.name].units} and "
                    f"in {channel.units}. Convert one of them."
                )
    return channels


def _side_by_side(records: list[Record]) -> Record:
    """Other devices, or other quantities, of the same times."""
    first = records[0]
    channels = _shared_channels(records)
    for record in records[1:]:
        if len(record.times.values) != len(first.times.values) or (record.times.values != first.times.values).any():
            raise DataError(
                f"{first.where} and {record.where} hold other stations at other times "
                f"({len(first.times.values)} and {len(record.times.values)} steps). Give files of one kind, or of "
                "the same times."
            )
    names = [name for record in records for name in record.names]
    if len(set(names)) < len(names):
        raise _unlike(records)
    notes = dict.fromkeys(note for record in records for note in record.notes)
    values = np.full((len(first.times.values), len(names), len(channels)), np.nan, np.float32)
    at = 0
    for record in records:
        columns = [list(channels).index(channel.name) for channel in record.channels]
        values[:, at : at + len(record.names), columns] = record.values
        at += len(record.names)
    return replace(
        first,
        where=" and ".join(record.where for record in records),
        values=values,
        names=tuple(names),
        short=tuple(name for record in records for name in record.short),
        channels=tuple(channels.values()),
        notes=(*notes, f"{' and '.join(record.where for record in records)} are read side by side"),
    )


def _reordered(record: Record, names: Sequence[str]) -> Record:
    if record.names == tuple(names):
        return record
    order = np.array([record.names.index(name) for name in names])
    short = tuple(record.short[i] for i in order) if record.short else ()
    return replace(record, values=record.values[:, order], names=tuple(names), short=short)


def _dated(records: list[Record], stems: Sequence[str]) -> tuple[Record, Runs, tuple[str, ...]]:
    """Files with dates: quantities of the same times, or pieces of one record."""
    first = records[0]
    notes = [note for record in records for note in record.notes]
    same = all(
        len(record.times.values) == len(first.times.values) and (record.times.values == first.times.values).all()
        for record in records
    )
    if same and len(first.channels) == 1:
        channels = tuple(replace(first.channels[0], name=stem) for stem in stems)
        values = np.concatenate([record.values for record in records], axis=2)
        notes.append(f"{len(records)} files of the same times and stations are read as {len(records)} quantities")
    else:
        channels, values = first.channels, np.concatenate([record.values for record in records])
        notes.append(f"{len(records)} files are joined in time")
    together = np.concatenate([record.times.values for record in records])
    times = first.times if same else replace(first.times, values=together)
    whole = replace(first, values=values, times=times, channels=channels, notes=tuple(dict.fromkeys(notes)))
    whole = replace(whole, where=f"{first.where} and {len(records) - 1} more")
    if not same:
        owner = np.repeat(np.arange(len(records)), [len(record.values) for record in records])
        whole = in_order(whole, owner, [record.where for record in records])
    return whole, find_runs(whole.times, where=whole.where), ()


def _cases(records: list[Record], stems: Sequence[str]) -> tuple[Record, Runs, tuple[str, ...]]:
    """Files without dates: an experiment each."""
    each = [find_runs(record.times, where=record.where) for record in records]
    cadences = {runs.cadence: stem for runs, stem in zip(each, stems, strict=True)}
    if len(cadences) > 1:
        said = ", ".join(f"{cadence} in {stem}" for cadence, stem in cadences.items())
        raise DataError(f"the experiments have other steps: {said}. Resample them to one step.")
    run, names, gaps, last = list[ndarray](), list[str](), list[str](), 0
    for runs, stem in zip(each, stems, strict=True):
        pieces = int(runs.run[-1]) + 1
        names += [stem] if pieces == 1 else [f"{stem} part {i + 1}" for i in range(pieces)]
        gaps += [f"{stem}: {gap}" for gap in runs.gaps]
        run.append(runs.run + last)
        last += pieces
    notes = dict.fromkeys(note for record in records for note in record.notes)
    whole = replace(
        records[0],
        values=np.concatenate([record.values for record in records]),
        times=Times(np.arange(sum(len(record.values) for record in records)), records[0].times.unit),
        notes=(*notes, f"{len(records)} files of the same stations are read as {len(records)} experiments"),
    )
    return whole, Runs(np.concatenate(run), each[0].cadence, tuple(gaps)), tuple(names)
