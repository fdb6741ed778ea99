"""What is in a file, and what a fit would do with it, before anything is trained."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import ArraySeries, Channel, Field, Frame, GraphLayout, GridLayout, Origin, Sites, Window
from dynst.domain.dates import Until
from dynst.domain.durations import window_words
from dynst.domain.split import Split, split_record, window_starts
from dynst.errors import ConfigError, DynstError
from dynst.readers.base import Hints
from dynst.readers.door import READERS, resolve, sniff
from dynst.readers.gridded import IN_MEMORY_BYTES, field_of
from dynst.readers.survey import ManyChannels, Survey, survey
from dynst.readers.values import look

__all__ = ["GraphInfo", "Inspection", "VariableInfo", "inspect"]

_SAMPLED_STEPS, _LEAST_STEPS = 16, 4  # of a record too large to read for a look
_SAMPLED_BYTES = 32 << 20
_WORST = 5  # sites that are named for what they miss
_SHOWN = 6  # names in a row of the table; all are in the document


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
class GraphInfo:
    """How the sites of a graph or a mesh neighbour each other."""

    words: str
    edges: int
    mean_neighbours: float
    parts: int
    isolated: tuple[str, ...]
    weighted: bool
    triangles: int

    @classmethod
    def of(cls, layout: GraphLayout, sites: Sites) -> GraphInfo:
        """The figures of a layout."""
        edges = layout.edge_index.shape[1]
        return cls(
            words=layout.words,
            edges=edges,
            mean_neighbours=edges / len(layout),
            parts=layout.parts,
            isolated=tuple(sites.name[site] for site in layout.isolated.tolist()),
            weighted=layout.weighted,
            triangles=0 if layout.triangles is None else len(layout.triangles),
        )

    @property
    def text(self) -> str:
        """The graph as a user reads it."""
        weights = " with weights" if self.weighted else ""
        parts = "in one part" if self.parts == 1 else f"in {self.parts} parts that do not hear of each other"
        alone = f", alone: {_some(self.isolated)}" if self.isolated else ""
        return f"{self.words}: {self.edges} edges{weights}, {self.mean_neighbours:.1f} a site, {parts}{alone}"


@dataclass(frozen=True)
class Inspection:
    """What `inspect` found. `rows` is for people, `as_dict` for machines.

    `split` and `split_windows` hold steps and windows for training, validation and test; `worst_sites` the names of
    sites that miss most of what they measure at all, with the share; `partial` is how many sites measure some of the
    channels only. `graph` is None on a grid, `cases` names the runs that are
    experiments of their own. `record` is the field itself; None where it is too large to be read for a look, and where
    a fit would stop.
    """

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
    graph: GraphInfo | None = None
    unit: str = "degrees"
    cases: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    missing_by_channel: Mapping[str, float] | None = None
    partial: int = 0
    worst_sites: Mapping[str, float] | None = None
    split_windows: tuple[int, int, int] = (0, 0, 0)
    split_how: str = ""
    record: Field | None = field(default=None, repr=False, compare=False)

    def as_dict(self) -> dict[str, object]:
        """Plain numbers, texts, lists and dicts."""
        plain = asdict(replace(self, record=None))
        del plain["record"]
        return plain

    def cut(self, field: Field, window: Window, split: Split) -> Inspection:
        """The same with the window and the parts that a fit would take."""
        blocks = (split.train, split.valid, split.test)
        steps, windows = zip(*((block.steps, len(window_starts(block, window))) for block in blocks), strict=True)
        return replace(
            self,
            window=window_words(window.history, window.prediction, field.cadence),
            windows=len(window_starts(field, window)),
            split=steps,
            split_windows=windows,
            split_how=split.how,
        )

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
                units = f" [{variable.units}]" if variable.units else ""
                rows.append((f"variable {variable.variable}", f"{shown}{units} {variable.long_name}".rstrip()))
        rows += [
            *self._places(about),
            ("time", f"{self.steps} steps of {self.cadence}, {self.first} to {self.last}"),
            ("runs", self._runs()),
            ("missing", f"{about}{self.missing_share:.2%} of the values at the sites{self._worst()}")
            if self.missing_share
            else ("missing", "nothing"),
        ]
        if self.missing_share and self.missing_by_channel and len(self.missing_by_channel) > 1:
            rows.append(
                ("missing in", ", ".join(f"{name} {part:.1%}" for name, part in self.missing_by_channel.items()))
            )
        rows += [("known of sites", ", ".join(self.covariates))] if self.covariates else []
        rows.append(("memory", f"{self.memory_mb:.1f} MB as float32, {kept}"))
        if self.problem:
            rows.append(("fit", f"would stop: {self.problem}"))
        else:
            train, valid, test = self.split
            rows += [
                ("fit observes", ", ".join(self.observe)),
                ("fit predicts", ", ".join(self.predict)),
                ("fit window", f"{self.window}: {self.windows} windows"),
                ("fit splits", f"{train} / {valid} / {test} steps for training, validation and test, {self.split_how}"),
            ]
        return rows + [("note", note) for note in self.notes]

    def _places(self, about: str) -> list[tuple[str, str]]:
        if self.graph is None:
            turn = ", full turn of longitude" if self.periodic else ""
            grid = ("grid", f"{self.grid}, {self.frame}{turn}")
            return [grid, ("sites", f"{about}{self.sites} of {self.cells} cells; {self.extent}")]
        unknown = self.frame == Frame.SCHEMATIC
        where = "nobody says where they are" if unknown else f"{self.frame}; {self.extent}"
        return [("sites", f"{self.sites}, {where}"), ("graph", self.graph.text)]

    def _runs(self) -> str:
        if len(self.runs) == 1:
            return "1, no gap"
        kind = "experiments" if self.cases else "between gaps"
        same = min(self.runs) == max(self.runs)
        length = f"{self.runs[0]} steps each" if same else f"{min(self.runs)} to {max(self.runs)} steps"
        named = f": {_some(self.cases)}" if self.cases else ""
        return f"{len(self.runs)} {kind} of {length}{named}"

    def _worst(self) -> str:
        who = "1 site measures" if self.partial == 1 else f"{self.partial} sites measure"
        some = f"; {who} some of the channels only" if self.partial else ""
        if not self.worst_sites or self.graph is None:
            return some
        return f"{some}; most at " + ", ".join(f"{name} ({part:.0%})" for name, part in self.worst_sites.items())


def inspect(
    data: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    shares: tuple[float, float, float] = (0.65, 0.17, 0.18),
    hints: Hints = Hints(),  # noqa: B008 - frozen
    split: str = "auto",
    until: Until | None = None,
) -> Inspection:
    """Look at a record: its variables, places and times, and what a fit would do.

    Grids larger than memory are judged by a few of their steps. Other records are read as a fit reads them, those
    larger than 64 MB of memory from the cache file that a fit would use; it is made if it is not there yet.

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
    split : str
        ``auto``, ``run`` or ``time``, as a fit splits the record.
    until : Until or None
        Dates that end training and validation.

    Raises
    ------
    DataError, ConfigError
        If there is no usable record at all.

    Examples
    --------
    >>> found = inspect("synthetic:planted")
    >>> found.sites, found.cadence, found.window
    (80, '1 step', '4 steps read, 4 forecast')
    """
    path, cut = resolve(data), _Cut(shares, split, until)
    reader = sniff(path, hints)
    if reader != "gridded":
        look = partial(READERS[reader], path, cache_dir=cache_dir, hints=hints)
        offered, problem = tuple[str, ...](), ""
        try:
            field = look(observe=observe, predict=predict)
        except ManyChannels as err:
            offered, problem = err.names, str(err)
            field = look(observe=observe or predict or offered[:1], predict=predict or observe or offered[:1])
        seen = [_channel_info(field, channel) for channel in field.channels]
        known = [channel.name for channel in field.channels]
        unread = [VariableInfo(name, (name,)) for name in offered if name not in known]
        if unread:
            notes = (*field.origin.notes, f"only {', '.join(known)} is read for this look")
            field = replace(field, origin=replace(field.origin, notes=notes))
        return _describe(data, field, seen + unread, cut, problem)
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
            return _describe(data, field_of(chosen, keep_values=hints.keep_values), infos, cut, problem)
        return _describe_large(data, chosen, infos, cut, problem, keep_values=hints.keep_values)
    finally:
        found.close()


def _variables(found: Survey) -> list[VariableInfo]:
    used = [VariableInfo(q.variable, tuple(q.channels), q.units, q.long_name, q.steps) for q in found.found.quantities]
    return used + [VariableInfo(name, left_aside=reason) for name, reason in sorted(found.found.left_aside.items())]


def _channel_info(field: Field, channel: Channel) -> VariableInfo:
    return VariableInfo(channel.name, (channel.name,), channel.units, channel.long_name, field.steps)


@dataclass(frozen=True)
class _Cut:
    """How a fit splits the record."""

    shares: tuple[float, float, float]
    by: str
    until: Until | None = None


def _describe(data: str, field: Field, variables: list[VariableInfo], cut: _Cut, problem: str) -> Inspection:
    layout, names = field.layout, [channel.name for channel in field.channels]
    gone = _missing(field)
    measured = gone < 1
    by_site = np.where(measured, gone, 0.0).sum(axis=1) / measured.sum(axis=1).clip(1)
    worst = [site for site in np.argsort(-by_site, kind="stable")[:_WORST].tolist() if by_site[site] > 0]
    return _inspection(
        data=data,
        reader=field.origin.reader,
        variables=variables,
        outline=field,
        read=True,
        grid=field.origin.grid or layout.words,
        periodic=isinstance(layout, GridLayout) and layout.periodic,
        cells=math.prod(layout.shape) if isinstance(layout, GridLayout) else len(field.sites),
        sites=len(field.sites),
        counted=True,
        frame=field.sites.frame,
        extent=_extent(field.sites.x, field.sites.y, field.sites.unit),
        missing=float(gone.mean()),
        bytes_=4 * math.prod(field.series.shape),
        channels=field.channels,
        notes=list(field.origin.notes),
        cut=cut,
        problem=problem,
        graph=GraphInfo.of(layout, field.sites) if isinstance(layout, GraphLayout) else None,
        unit=field.sites.unit,
        covariates=tuple(f"{known.name} [{known.units}]" for known in field.covariates),
        missing_by_channel=dict(zip(names, gone.mean(axis=0).tolist(), strict=True)),
        partial=int((measured.any(axis=1) & ~measured.all(axis=1)).sum()),
        worst_sites={field.sites.name[site]: float(by_site[site]) for site in worst},
    )


def _missing(field: Field) -> Float[ndarray, "n c"]:
    """Share of the steps at which each site misses each channel."""
    gone: Int[ndarray, "n c"] = np.zeros(field.series.shape[1:], np.int64)
    for block in field.blocks() if field.has_missing else ():
        gone += np.isnan(block).sum(axis=0)
    return gone / max(1, field.steps)


def _describe_large(
    data: str, found: Survey, variables: list[VariableInfo], cut: _Cut, problem: str, *, keep_values: bool
) -> Inspection:
    count = max(_LEAST_STEPS, min(_SAMPLED_STEPS, _SAMPLED_BYTES * found.steps // found.bytes))
    steps = np.unique(np.linspace(0, found.steps - 1, count).round().astype(int))
    looks = np.empty((len(steps), found.grid.x.size, len(found.channels)), np.float32)
    for i, step in enumerate(steps.tolist()):
        looks[i] = found.step(step)
    seen = look(ArraySeries(looks), found.channels, 0.0, keep=keep_values)
    cells = np.flatnonzero((~np.isnan(looks)).any(axis=(0, 2)) & found.positioned)
    grid = found.grid
    return _inspection(
        data=data,
        reader="gridded",
        variables=variables,
        outline=_outline(found),
        read=False,
        grid=f"{grid.kind} {grid.shape[0]} x {grid.shape[1]}",
        periodic=grid.periodic,
        cells=grid.x.size,
        sites=len(cells),
        counted=False,
        frame=grid.frame,
        extent=_extent(grid.x[cells], grid.y[cells], "degrees" if grid.frame is Frame.GEOGRAPHIC else "m"),
        missing=float(np.isnan(looks[:, cells]).mean()) if len(cells) else 1.0,
        bytes_=found.bytes,
        channels=found.channels,
        notes=[
            *found.source.notes,
            *found.notes,
            *seen.codes,
            f"sites and missing values are judged by {len(steps)} steps spread over the record",
        ],
        cut=cut,
        problem=problem,
        unit="degrees" if grid.frame is Frame.GEOGRAPHIC else "m",
    )


def _outline(found: Survey) -> Field:
    """Times and runs of a record that is too large to read, as a field of one site: all that a split looks at."""
    return Field(
        series=ArraySeries(np.zeros((found.steps, 1, 1))),
        time=found.time,
        clock=found.clock,
        run=found.runs.run,
        sites=Sites(np.zeros(1), np.zeros(1)),
        layout=GridLayout((1, 1), np.zeros(1, np.int64)),
        channels=(Channel("outline"),),
        name=found.source.name,
        cadence=found.runs.cadence,
        origin=Origin(fingerprint=found.source.marks.fingerprint),
    )


def _inspection(
    *,
    outline: Field,
    read: bool,
    counted: bool,
    frame: Frame,
    missing: float,
    bytes_: int,
    channels: Sequence[Channel],
    notes: list[str],
    cut: _Cut,
    problem: str,
    variables: list[VariableInfo],
    **rest: Any,
) -> Inspection:
    """What a fit would do with the record, decided as the fit decides it, beside what was found."""
    runs = [stop - start for start, stop in outline.runs]
    found = Inspection(
        name=outline.name,
        variables=tuple(variables),
        frame=str(frame),
        sites_are_counted=counted,
        steps=outline.steps,
        first=outline.moment(0),
        last=outline.moment(-1),
        cadence=outline.cadence,
        runs=tuple(runs),
        cases=outline.cases,
        missing_share=missing,
        memory_mb=bytes_ / 1e6,
        stays_in_memory=bytes_ <= IN_MEMORY_BYTES,
        observe=tuple(channel.name for channel in channels if channel.observe),
        predict=tuple(channel.name for channel in channels if channel.predict),
        window="none",
        windows=0,
        split=(0, 0, 0),
        fingerprint=outline.origin.fingerprint,
        notes=tuple(notes),
        problem=problem,
        record=outline if read and not problem else None,
        **rest,
    )
    try:
        window = Window.for_record(outline.steps, longest=max(runs, default=0))
        split = split_record(outline, window, by=cut.by, shares=cut.shares, until=cut.until)
        return found.cut(outline, window, split)
    except DynstError as err:
        return replace(found, problem=problem or str(err), record=None)


def _extent(x: ndarray, y: ndarray, unit: str) -> str:
    if not len(x):
        return "nowhere"
    names = ("longitude", "latitude") if unit == "degrees" else ("x", "y")
    words = "" if unit in ("1", "degrees") else f" {unit}"
    return ", ".join(
        f"{name} {_figure(values.min())} to {_figure(values.max())}{words}"
        for name, values in zip(names, (x, y), strict=True)
    )


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1e5 else f"{value:g}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
