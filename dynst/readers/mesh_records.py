"""What every kind of mesh file is turned into before sites are settled, and the field made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import (
    ArraySeries,
    Channel,
    Clock,
    Covariate,
    Field,
    Frame,
    GraphLayout,
    MakersSplit,
    Origin,
    Series,
    Sites,
)
from dynst.domain.caches import cache_folder
from dynst.domain.graphs import nearest_neighbours, of_triangles
from dynst.errors import DataError
from dynst.readers.cache import Learnt, Slab, convert
from dynst.readers.gridded import IN_MEMORY_BYTES
from dynst.readers.sources import Source
from dynst.readers.triangles import areas
from dynst.readers.values import look

__all__ = ["MeshRecord", "field_of"]

_NEIGHBOURS = 8


@dataclass(frozen=True, eq=False)
class MeshRecord:
    """A record on nodes, or places that stand for them, before its values are read.

    Parameters
    ----------
    source : Source
        The files.
    steps : int
        Over all runs.
    blocks : callable
        Gives the values, some steps of all places at a time, in order; may be asked more than once.
    points : Float[ndarray, "n 2"]
        Where the places are.
    channels : tuple of Channel
        What the last axis of the values is.
    triangles : Int[ndarray, "f 3"] or None
        The mesh of the places; without it each place is joined to its nearest.
    pairs : Int[ndarray, "2 e"] or None
        Neighbours, where they are neither (faces that share a side).
    area : Float[ndarray, "n"] or None
        Made of the triangles if left out; ones without them.
    role : Int[ndarray, "n"] or None
        What a plan may do with a place.
    names : tuple of str
        What the places are called; by their positions if left out.
    reader : str
        Who made the record; the places of ``stations`` are sensors that stand.
    """

    source: Source
    steps: int
    blocks: Callable[[], Iterator[Float[ndarray, "t n c"]]]
    points: Float[ndarray, "n 2"]
    channels: tuple[Channel, ...]
    time: ndarray
    run: Int[ndarray, " time"]
    cadence: str
    frame: Frame = Frame.PLANAR
    unit: str = ""
    clock: Clock = field(default_factory=Clock)
    triangles: Int[ndarray, "f 3"] | None = None
    pairs: Int[ndarray, "2 e"] | None = None
    area: Float[ndarray, " n"] | None = None
    role: Int[ndarray, " n"] | None = None
    cases: tuple[str, ...] = ()
    covariates: tuple[Covariate, ...] = ()
    notes: tuple[str, ...] = ()
    split: MakersSplit | None = None
    names: tuple[str, ...] = ()
    reader: str = "mesh"


def field_of(record: MeshRecord, *, cache_dir: Path | None = None, keep_values: bool = False) -> Field:
    """The field of a record: places that never hold a value are no sites, large values are kept in a file.

    Raises
    ------
    DataError
        If a channel or every place is without any value, a position is not finite, or a node with values lies in no
        triangle.
    """
    where, n, c = record.source.name, len(record.points), len(record.channels)
    if not np.isfinite(record.points).all():
        bad = int((~np.isfinite(record.points)).any(axis=1).sum())
        raise DataError(f"{where}: {bad} of {n} nodes have no position (NaN or infinite). Write the mesh again.")
    area = record.area
    if area is None:
        area = np.ones(n) if record.triangles is None else areas(record.points, record.triangles)
    notes: list[str] = list(record.notes)
    series: Series
    alone = area <= 0
    if alone.any():
        notes.append(f"nodes outside every triangle are no sites: {int(alone.sum())} of {n}")
    if 4 * record.steps * n * c <= IN_MEMORY_BYTES:
        values = np.concatenate([block.astype(np.float32) for block in record.blocks()])
        keep = _keep(record, iter([values]), alone)
        values = values[:, keep] if len(keep) < n else values
        series, missing = ArraySeries(values), float(np.isnan(values).mean())
    else:
        lost = [0, 0]
        names, source = [channel.name for channel in record.channels], record.source
        done = convert(
            cache_folder(cache_dir),
            f"{record.reader}|{source.marks.version}|{source.path}|{names}|{n}",
            record.steps,
            c,
            cells=lambda: _keep(record, record.blocks(), alone),
            slabs=lambda keep: _slabs(record, keep, lost),
            learnt=lambda: Learnt(lost[0] / max(1, lost[1])),
        )
        series, keep, missing = done.series, done.cells, done.learnt.missing
    seen = look(series, record.channels, missing, keep=keep_values)
    keep, missing = keep[seen.sites], seen.missing
    if len(keep) < 2:
        raise DataError(f"{where}: {len(keep)} place with a value came; a plan needs 2 or more.")
    silent = n - len(keep) - int(alone.sum())
    if silent > 0:
        notes.append(f"places that never hold a value are no sites: {silent} of {n}")
    if missing:
        notes.append(f"{missing:.2%} of the values at the sites are missing")
    sites = Sites(
        record.points[keep, 0],
        record.points[keep, 1],
        frame=record.frame,
        area=area[keep],
        unit=record.unit,
        name=tuple(record.names[i] for i in keep.tolist()) if record.names else (),
        role=np.zeros(len(keep), np.int8) if record.role is None else record.role[keep],
    )
    layout = _layout(record, sites, keep)
    if layout.parts > 1:
        notes.append(f"the sites fall into {layout.parts} parts that do not hear of each other")
    made = Field(
        series=seen.series,
        time=record.time,
        clock=record.clock,
        run=record.run,
        sites=sites,
        layout=layout,
        channels=record.channels,
        name=where,
        cadence=record.cadence,
        has_missing=missing > 0,
        cases=record.cases,
        covariates=tuple(replace(known, values=known.values[keep]) for known in record.covariates),
        origin=Origin(
            record.source.path,
            record.reader,
            record.source.marks.fingerprint,
            sampled=record.source.marks.sampled,
            notes=tuple(notes),
            stations=record.reader == "stations",
            makers_split=record.split,
        ),
    )
    return seen.on(made)


def _keep(record: MeshRecord, blocks: Iterator[ndarray], alone: Bool[ndarray, " n"]) -> Int[ndarray, " k"]:
    """Places that ever hold a value; looks no farther than to where all have held one."""
    seen = np.zeros((len(record.points), len(record.channels)), bool)
    for block in blocks:
        seen |= np.isfinite(block).any(0)
        if seen.any(1).all() and seen.any(0).all():
            break
    silent = np.flatnonzero(~seen.any(0))
    if len(silent):
        name = record.channels[silent[0]].name
        raise DataError(f"{record.source.name}: {name} has no value at any time and place (all missing).")
    stray = np.flatnonzero(seen.any(1) & alone)
    if len(stray):
        raise DataError(
            f"{record.source.name}: {len(stray)} of {len(alone)} nodes hold values but lie in no triangle (first: node "
            f"{stray[0]}, counted from 0). Give the triangles of these nodes, or drop the nodes that no triangle uses."
        )
    return np.flatnonzero(seen.any(1))


def _slabs(record: MeshRecord, keep: Int[ndarray, " k"], lost: list[int]) -> Iterator[Slab]:
    """The values at the sites; `lost` counts those that are missing, and all of them."""
    start = 0
    for block in record.blocks():
        values = np.ascontiguousarray(block[:, keep], np.float32)
        lost[0] += int(np.isnan(values).sum())
        lost[1] += values.size
        yield Slab(start, 0, values)
        start += len(block)


def _layout(record: MeshRecord, sites: Sites, keep: Int[ndarray, " k"]) -> GraphLayout:
    at = np.full(len(record.points), -1)
    at[keep] = np.arange(len(keep))
    if record.triangles is not None:
        triangles = at[record.triangles]
        return of_triangles(len(keep), triangles[(triangles >= 0).all(axis=1)])
    if record.pairs is not None:
        pairs = at[record.pairs]
        pairs = pairs[:, (pairs >= 0).all(axis=0)]
        return GraphLayout(len(keep), np.concatenate([pairs, pairs[::-1]], axis=1), words="faces that share a side")
    return nearest_neighbours(sites, _NEIGHBOURS)
