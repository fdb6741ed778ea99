"""What is in a file, and what a fit would do with it, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy import ndarray

from dynst.domain import Channel, Field, GridLayout, Window
from dynst.errors import ConfigError, DynstError
from dynst.readers.base import Hints
from dynst.readers.door import READERS, resolve, sniff
from dynst.readers.gridded import IN_MEMORY_BYTES, field_of
from dynst.readers.survey import Survey, survey

__all__ = ["Inspection", "VariableInfo", "inspect"]

_SAMPLED_STEPS = 16  # of a record too large to read for a look


@dataclass(frozen=True)
class VariableInfo:
    """One variable of the file: as channels, or left aside for a reason."""

    variable: str
    channels: tuple[str, ...] = ()
    units: str = ""
    long_name: str = ""
    steps: int = 0
    left_aside: str = ""


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found. `rows` is for people, `as_dict` for machines."""

    data: str
    name: str
    reader: str
    variables: tuple[VariableInfo, ...]
    grid: str
    frame: str
    periodic: bool
    cells: int
    sites: int
    sites_are_counted: bool
    extent: str
    steps: int
    first: str
    last: str
    cadence: str
    runs: tuple[int, ...]
    missing_share: float
    memory_mb: float
    stays_in_memory: bool
    observe: tuple[str, ...]
    predict: tuple[str, ...]
    window: str
    windows: int
    split: tuple[int, int, int]
    fingerprint: str
    notes: tuple[str, ...]
    problem: str = ""

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, texts, lists and dicts."""
        return asdict(self)

    def rows(self) -> list[tuple[str, str]]:
        """Lines of a table: what, and how it is."""
        about = "" if self.sites_are_counted else "about "
        kept = "kept in memory" if self.stays_in_memory else "converted once to a cache file"
        rows = [("data", f"{self.data} ({self.reader} reader)")]
        for variable in self.variables:
            if variable.left_aside:
                rows.append((f"not used: {variable.variable}", f"it {variable.left_aside}"))
            else:
                shown = ", ".join(variable.channels[:6]) + (" ..." if len(variable.channels) > 6 else "")
                rows.append(
                    (f"variable {variable.variable}", f"{shown} [{variable.units}] {variable.long_name}".rstrip())
                )
        rows += [
            ("grid", f"{self.grid}, {self.frame}{', full turn of longitude' if self.periodic else ''}"),
            ("sites", f"{about}{self.sites} of {self.cells} cells; {self.extent}"),
            ("time", f"{self.steps} steps of {self.cadence}, {self.first} to {self.last}"),
            (
                "runs",
                f"{len(self.runs)}, of {min(self.runs)} to {max(self.runs)} steps"
                if len(self.runs) > 1
                else "1, no gap",
            ),
            (
                "missing",
                f"{about}{self.missing_share:.2%} of the values at the sites" if self.missing_share else "nothing",
            ),
            ("memory", f"{self.memory_mb:.1f} MB as float32, {kept}"),
        ]
        if self.problem:
            rows.append(("fit", f"would stop: {self.problem}"))
        else:
            train, valid, test = self.split
            rows += [
                ("fit observes", ", ".join(self.observe)),
                ("fit predicts", ", ".join(self.predict)),
                ("fit window", f"{self.window}: {self.windows} windows"),
                ("fit splits", f"{train} / {valid} / {test} steps for training, validation and test"),
            ]
        return rows + [("note", note) for note in self.notes]


def inspect(
    data: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    shares: tuple[float, float, float] = (0.65, 0.17, 0.18),
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Inspection:
    """Look at a record: its variables, places and times, and what a fit would do. Nothing is converted.

    Parameters
    ----------
    data : str
        As for `read`.
    observe, predict : sequence of str, optional
        As for `read`; where a file has too many channels and none are named, the answer says so under `problem`.
    cache_dir : Path, optional
        Where files behind a URL are fetched to.
    shares : tuple of float
        Parts of the record for training, validation and test, as a fit splits it.
    hints : Hints
        What the files do not say themselves.

    Raises
    ------
    DataError, ConfigError
        If there is no usable record at all.

    Examples
    --------
    >>> found = inspect("synthetic:planted")
    >>> found.sites, found.cadence, found.window
    (80, '1 step', '4 steps of history, 4 of prediction')
    """
    path = resolve(data)
    reader = sniff(path, hints)
    if reader != "gridded":
        field = READERS[reader](path, observe=observe, predict=predict, cache_dir=cache_dir, hints=hints)
        return _describe(data, field, [_channel_info(field, channel) for channel in field.channels], shares, "")
    found, problem = survey(path, cache_dir=cache_dir), ""
    try:
        try:
            chosen = found.choose(observe, predict)
        except ConfigError as err:
            if observe is not None and predict is not None:
                raise
            problem = str(err)
            one = found.found.quantities[0].channels[0]
            chosen = found.choose([one], [one])
        infos = _variables(chosen)
        if chosen.bytes <= IN_MEMORY_BYTES:
            return _describe(data, field_of(chosen), infos, shares, problem)
        return _describe_large(data, chosen, infos, shares, problem)
    finally:
        found.close()


def _variables(found: Survey) -> list[VariableInfo]:
    used = [VariableInfo(q.variable, tuple(q.channels), q.units, q.long_name, q.steps) for q in found.found.quantities]
    return used + [VariableInfo(name, left_aside=reason) for name, reason in sorted(found.found.left_aside.items())]


def _channel_info(field: Field, channel: Channel) -> VariableInfo:
    return VariableInfo(channel.name, (channel.name,), channel.units, channel.long_name, field.steps)


def _describe(
    data: str, field: Field, variables: list[VariableInfo], shares: tuple[float, float, float], problem: str
) -> Inspection:
    raw_notes = field.source.get("notes", [])
    values = field.series.read(0, field.steps)
    return _inspection(
        data=data,
        name=field.name,
        reader=str(field.source.get("reader", "")),
        variables=variables,
        grid=str(field.source.get("grid", field.layout.words)),
        frame=str(field.sites.frame),
        periodic=isinstance(field.layout, GridLayout) and field.layout.periodic,
        cells=math.prod(field.layout.shape) if isinstance(field.layout, GridLayout) else len(field.sites),
        sites=len(field.sites),
        counted=True,
        extent=_extent(field.sites.x, field.sites.y),
        time=field.time,
        cadence=field.cadence,
        runs=[stop - start for start, stop in field.runs],
        missing=float(np.isnan(values).mean()),
        bytes_=values.nbytes,
        channels=field.channels,
        fingerprint=str(field.source.get("fingerprint", "")),
        notes=[str(note) for note in raw_notes] if isinstance(raw_notes, list) else [],
        shares=shares,
        problem=problem,
    )


def _describe_large(
    data: str, found: Survey, variables: list[VariableInfo], shares: tuple[float, float, float], problem: str
) -> Inspection:
    steps = np.unique(np.linspace(0, found.steps - 1, _SAMPLED_STEPS).round().astype(int))
    looks = np.stack([found.step(int(step)) for step in steps])
    cells = np.flatnonzero((~np.isnan(looks)).any(axis=(0, 2)) & found.positioned)
    grid = found.grid
    return _inspection(
        data=data,
        name=found.source.name,
        reader="gridded",
        variables=variables,
        grid=f"{grid.kind} {grid.shape[0]} x {grid.shape[1]}",
        frame=str(grid.frame),
        periodic=grid.periodic,
        cells=grid.x.size,
        sites=len(cells),
        counted=False,
        extent=_extent(grid.x[cells], grid.y[cells]),
        time=found.time,
        cadence=found.runs.cadence,
        runs=np.bincount(found.runs.run).tolist(),
        missing=float(np.isnan(looks[:, cells]).mean()) if len(cells) else 1.0,
        bytes_=found.bytes,
        channels=found.channels,
        fingerprint=found.source.fingerprint,
        notes=[*found.notes, f"sites and missing values are judged by {len(steps)} steps spread over the record"],
        shares=shares,
        problem=problem,
    )


def _inspection(
    *,
    data: str,
    name: str,
    reader: str,
    variables: list[VariableInfo],
    grid: str,
    frame: str,
    periodic: bool,
    cells: int,
    sites: int,
    counted: bool,
    extent: str,
    time: ndarray,
    cadence: str,
    runs: list[int],
    missing: float,
    bytes_: int,
    channels: Sequence[Channel],
    fingerprint: str,
    notes: list[str],
    shares: tuple[float, float, float],
    problem: str,
) -> Inspection:
    window, count, split = "none", 0, (0, 0, 0)
    try:
        plan = Window.for_record(len(time))
        window = f"{plan.history} steps of history, {plan.prediction} of prediction"
        count = sum(max(0, run - plan.length + 1) for run in runs)
        usable = max(0, len(time) - 2 * plan.embargo)
        train, both = round(shares[0] * usable), round((shares[0] + shares[1]) * usable)
        split = (train, both - train, usable - both)
    except DynstError as err:
        problem = problem or str(err)
    return Inspection(
        data=data,
        name=name,
        reader=reader,
        variables=tuple(variables),
        grid=grid,
        frame=frame,
        periodic=periodic,
        cells=cells,
        sites=sites,
        sites_are_counted=counted,
        extent=extent,
        steps=len(time),
        first=_say(time, 0),
        last=_say(time, -1),
        cadence=cadence,
        runs=tuple(runs),
        missing_share=missing,
        memory_mb=bytes_ / 1e6,
        stays_in_memory=bytes_ <= IN_MEMORY_BYTES,
        observe=tuple(channel.name for channel in channels if channel.observe),
        predict=tuple(channel.name for channel in channels if channel.predict),
        window=window,
        windows=count,
        split=split,
        fingerprint=fingerprint,
        notes=tuple(notes),
        problem=problem,
    )


def _say(time: ndarray, i: int) -> str:
    return str(time[i].astype("datetime64[m]")) if time.dtype.kind == "M" else f"step {time[i]}"


def _extent(x: ndarray, y: ndarray) -> str:
    if not len(x):
        return "nowhere"
    return f"x {x.min():g} to {x.max():g}, y {y.min():g} to {y.max():g}"
