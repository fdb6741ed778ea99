"""netCDF files whose values stand on a mesh or on cells that form no grid: UGRID, FVCOM, ICON, MPAS and their like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Channel, Covariate, Frame
from dynst.errors import DataError
from dynst.readers.clocks import clock_of, has_dates
from dynst.readers.flags import bad_values, flag_words, flags_of
from dynst.readers.mesh_records import MeshRecord
from dynst.readers.names import CANONICAL, Role, channel_name, clean_units, long_name, role_of
from dynst.readers.pieces import Oddities, decode, with_fill
from dynst.readers.quantities import levels_of, no_measurement, tells
from dynst.readers.records import Wanted, nearly_even
from dynst.readers.repeats import differences, settle
from dynst.readers.sources import source_of
from dynst.readers.supports import Support, find_supports, holds_supports, is_geometry, topology
from dynst.readers.times import Times, find_runs

__all__ = ["holds_mesh", "read_ugrid"]

_DEPTHS = {"depth", "water_depth", "waterdepth", "mesh2d_waterdepth", "sea_floor_depth_below_sea_surface"}
_BLOCK = 16 << 20


@dataclass(frozen=True, eq=False)
class _Offer:
    """A channel, and where it lies in the file: a variable, and one of its levels."""

    channel: Channel
    variable: str
    index: dict[str, int]
    flags: tuple[str, ...] = ()  # variables that say which of its values are bad


@dataclass(frozen=True, eq=False)
class _Choice:
    """The support that is read, its channels, and what was left aside."""

    support: Support
    offers: tuple[_Offer, ...]
    notes: tuple[str, ...]


def holds_mesh(file: Path) -> bool:
    """Whether a file is netCDF with a mesh, or with cells that form no grid."""
    try:
        with xr.open_dataset(file, engine="netcdf4", decode_cf=False, cache=False) as data:
            return holds_supports(data)
    except Exception:  # whatever is wrong with it, another reader says so
        return False


def read_ugrid(path: str, files: Sequence[Path], wanted: Wanted) -> MeshRecord:
    """The record in netCDF files with a mesh or with cells; several are parts in time of one record.

    Raises
    ------
    DataError, ConfigError
        If the mesh is not whole, nothing on it varies in time, files do not belong together, or a channel is asked
        for that is not there.
    """
    files = _with_series(files)
    where = files[0].name
    with _opened(files[0]) as data:
        time_dim = _time_dim(data, where)
        choice = _chosen(data, find_supports(data, files[0]), time_dim, wanted, where)
        support, channels = choice.support, tuple(offer.channel for offer in choice.offers)
        covariates = _covariates(data, support)
        dry = [offer.channel.name for offer in choice.offers if _goes_dry(data[offer.variable])]
    parts = _Parts(tuple(files), time_dim, choice)
    steps, times, odd = _times(parts)
    runs = find_runs(times, where=where)
    notes = [note for note in (times.note, *odd) if note]
    if runs.gaps:
        many = "s" * (len(runs.gaps) > 1)
        notes.append(f"{len(runs.gaps)} gap{many} in time cut the record into runs: {'; '.join(runs.gaps[:3])}")
    notes += [f"{known.name} does not vary in time: it is a covariate" for known in covariates]
    notes += [
        f"{name} of 0 or less is dry ground: missing there, and a place that is never wet is no site" for name in dry
    ]
    notes += [*support.notes, *choice.notes]

    def blocks() -> Iterator[Float[ndarray, "t n c"]]:
        size = max(1, _BLOCK // (8 * len(support.points) * len(channels)))
        for start in range(0, len(steps), size):
            yield parts.values(steps[start : start + size], dry)

    name = files[0].stem if len(files) == 1 else re.sub(r"[*?\[\]]+", "", Path(path).stem) or files[0].parent.name
    return MeshRecord(
        source=source_of(path, name, "mesh", tuple(map(str, files)), members=list(files), root=None),
        steps=len(steps),
        blocks=blocks,
        points=support.points,
        channels=channels,
        time=times.values if times.decoded else np.arange(len(times.values)),
        clock=times.clock(runs.run),
        run=runs.run,
        cadence=runs.cadence,
        frame=Frame.GEOGRAPHIC if support.geographic else Frame.PLANAR,
        triangles=support.triangles,
        pairs=support.pairs,
        area=support.area,
        covariates=covariates,
        notes=tuple(notes),
    )


def _opened(file: Path) -> xr.Dataset:
    try:
        return xr.open_dataset(file, engine="netcdf4", decode_cf=False, cache=False)
    except Exception as err:  # the libraries below raise many kinds
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise DataError(f"{file.name}: cannot be opened as netCDF: {first}. Is the file whole? Get it again.") from err


def _with_series(files: Sequence[Path]) -> list[Path]:
    """The files without those that hold a mesh and nothing that varies in time; all of them if none does."""

    def varies(file: Path) -> bool:
        with _opened(file) as data:
            return bool(_time_dims(data))

    return [file for file in files if len(files) == 1 or varies(file)] or list(files)


@dataclass(frozen=True, eq=False)
class _Parts:
    """Files that follow each other in time; steps are counted over all of them."""

    files: tuple[Path, ...]
    time_dim: str
    choice: _Choice

    def clocks(self) -> list[Times]:
        """The times of each file.

        Raises
        ------
        DataError
            If a file lacks a channel, or its places are others.
        """
        found = []
        for file in self.files:
            with _opened(file) as data:
                self._check(data, file)
                found.append(clock_of(data, self.time_dim, where=file.name))
        return found

    def _check(self, data: xr.Dataset, file: Path) -> None:
        support, first = self.choice.support, self.files[0].name
        lacking = [offer.variable for offer in self.choice.offers if offer.variable not in data.variables]
        if lacking or self.time_dim not in data.dims:
            raise DataError(f"{file.name}: {(lacking or [self.time_dim])[0]} is not there, but in {first} it is.")
        if data.sizes[support.dim] != len(support.points):
            raise DataError(
                f"{file.name}: {data.sizes[support.dim]} {support.kind} came; {first} has {len(support.points)}. "
                "Give files on one mesh."
            )

    @cached_property
    def ends(self) -> Int[ndarray, " f"]:
        """Steps before the end of each file."""
        sizes = []
        for file in self.files:
            with _opened(file) as data:
                sizes.append(data.sizes[self.time_dim])
        return np.cumsum(sizes)

    def values(self, steps: Int[ndarray, " t"], dry: Sequence[str] = ()) -> Float[ndarray, "t n c"]:
        """Values of some steps; NaN where they are fill or dry ground."""
        owner = np.searchsorted(self.ends, steps, side="right")
        out = np.empty((len(steps), len(self.choice.support.points), len(self.choice.offers)), np.float32)
        for number in np.unique(owner).tolist():
            here = owner == number
            before = int(self.ends[number - 1]) if number else 0
            with _opened(self.files[number]) as data:
                out[here] = _values(data, self.choice, self.time_dim, steps[here] - before, dry)
        return out


def _time_dim(data: xr.Dataset, where: str) -> str:
    found = _time_dims(data)
    if not found:
        raise DataError(f"{where}: no time coordinate: nothing on the mesh varies in time.")
    return found[0]


def _time_dims(data: xr.Dataset) -> list[str]:
    """Dimensions of time: first one that a coordinate of time is named after, then those along which one lies."""
    lines = {str(name): str(array.dims[0]) for name, array in data.variables.items() if array.ndim == 1}
    known = [dim for name, dim in lines.items() if role_of(name, data.variables[name].attrs) is Role.TIME]
    bare = [str(dim) for dim in data.dims if role_of(str(dim), {}) is Role.TIME or has_dates(data, str(dim))]
    return sorted(known, key=lambda dim: dim not in lines) + bare


def _chosen(data: xr.Dataset, supports: Sequence[Support], time_dim: str, wanted: Wanted, where: str) -> _Choice:
    """The places that what was asked for stands on; if nothing was, the first that have series."""
    aside: dict[str, str] = {}
    each = [(support, _offers(data, support.dim, time_dim, aside)) for support in supports]
    each = [(support, offers) for support, offers in each if offers]
    if not each:
        dims = " or ".join(support.dim for support in supports)
        more = "".join(f"; {name} {reason}" for name, reason in list(aside.items())[:3])
        raise DataError(f"{where}: no variable with the dimensions {time_dim} and {dims}{more}.")
    asked = {*(wanted.observe or ()), *(wanted.predict or ())}
    support, offers = max(each, key=lambda item: len(asked & _names(item[1])))
    for other, others in each:
        names = [offer.channel.name for offer in others]
        said = f"stands at the {other.kind}, and the others at the {support.kind}"
        aside |= {
            name: f"{said}; name it alone, as --observe {name} --predict {name}"
            for name in names * (other is not support)
        }
    channels = {
        channel.name: channel
        for channel in _widened(wanted, offers).choose(where, [offer.channel for offer in offers], aside)
    }
    taken = tuple(
        replace(offer, channel=channels[offer.channel.name]) for offer in offers if offer.channel.name in channels
    )
    return _Choice(support, taken, tuple(f"{name} is not used: it {reason}" for name, reason in aside.items()))


def _names(offers: Sequence[_Offer]) -> set[str]:
    return {name for offer in offers for name in (offer.channel.name, offer.variable)}


def _widened(wanted: Wanted, offers: Sequence[_Offer]) -> Wanted:
    """The same with the levels of a variable in the place of its name."""

    def wide(asked: Sequence[str] | None) -> list[str] | None:
        if asked is None:
            return None
        known = {offer.channel.name for offer in offers}
        levels = {name: [offer.channel.name for offer in offers if offer.variable == name] for name in asked}
        return [one for name in asked for one in ([name] if name in known else levels[name] or [name])]

    return replace(wanted, observe=wide(wanted.observe), predict=wide(wanted.predict))


def _offers(data: xr.Dataset, dim: str, time_dim: str, aside: dict[str, str]) -> list[_Offer]:
    """What varies in time along a dimension, a channel for each level; the rest goes aside with its reason."""
    offers: list[_Offer] = []
    beside = {str(key): array for key, array in data.data_vars.items() if {dim, time_dim} <= set(array.dims)}
    owner = flags_of({name: array.attrs for name, array in beside.items()})
    told = {name: tells(beside[name].variable, time_dim) for name in owner}
    for name, array in ((str(key), array) for key, array in data.data_vars.items()):
        if not {dim, time_dim} <= set(array.dims) or array.dtype.kind not in "iuf" or is_geometry(name, array):
            continue
        rest = [str(d) for d in array.dims if d not in (dim, time_dim) and array.sizes[d] > 1]
        level = next((d for d in rest if _role(data, d) is Role.LEVEL), None)
        if reason := flag_words(owner[name], told[name]) if name in owner else no_measurement(name, array.variable):
            aside[name] = reason
        elif odd := [d for d in rest if d != level]:
            aside[name] = f"has a dimension {odd[0]} of {array.sizes[odd[0]]}; select one of them in the file first"
        else:
            flags = tuple(flag for flag, of in owner.items() if of == name and told[flag])
            offers += [replace(offer, flags=flags) for offer in _levels(data, name, level)]
    return offers


def _role(data: xr.Dataset, dim: str) -> Role | None:
    own = data.variables.get(dim)
    return role_of(dim, {} if own is None else own.attrs)


def _levels(data: xr.Dataset, name: str, level_dim: str | None) -> list[_Offer]:
    array = data.variables[name]
    units, about = clean_units(str(array.attrs.get("units", ""))), long_name(array.attrs)
    short = CANONICAL.get(name, name)
    if level_dim is None:
        return [_Offer(Channel(short, units, about), name, {})]
    levels = levels_of(data, array, level_dim)
    return [
        _Offer(Channel(channel_name(short, levels[i]), units, about), name, {level_dim: i})
        for i in np.argsort(levels, kind="stable").tolist()
    ]


def _values(
    data: xr.Dataset, choice: _Choice, time_dim: str, steps: Int[ndarray, " t"], dry: Sequence[str] = ()
) -> Float[ndarray, "t n c"]:
    """Values of some steps of the file; NaN where they are fill or dry ground."""
    out = []
    for offer in choice.offers:
        array = data[offer.variable]
        kept = {time_dim, choice.support.dim}
        index = {str(d): 0 for d in array.dims if d not in kept} | offer.index
        raw = array.isel(index).isel({time_dim: steps}).transpose(time_dim, choice.support.dim).values
        values = decode(raw, with_fill(array.attrs, array.dtype), Oddities())
        for flag in offer.flags:
            cells = data[flag].isel({d: i for d, i in index.items() if d in data[flag].dims}).isel({time_dim: steps})
            values[bad_values(cells.transpose(time_dim, choice.support.dim).values, data[flag].attrs)] = np.nan
        if offer.channel.name in dry:
            values[values <= 0] = np.nan
        out.append(values)
    return np.stack(out, axis=-1)


def _goes_dry(array: xr.DataArray) -> bool:
    """Whether a variable is a depth of water that falls below 0 somewhere."""
    named = str(array.name).lower() in _DEPTHS or str(array.attrs.get("standard_name", "")) in _DEPTHS
    return named and _both_signs(decode(array.values, array.attrs, Oddities()))


def _both_signs(values: Float[ndarray, "t n"]) -> bool:
    return bool((values < 0).any() and (values > 0).any())


def _covariates(data: xr.Dataset, support: Support) -> tuple[Covariate, ...]:
    """What is known of the places and does not vary in time."""
    mesh = topology(data)
    described = str(mesh.attrs) if mesh is not None else ""
    found = []
    for key, array in data.data_vars.items():
        name = str(key)
        if array.dims != (support.dim,) or array.dtype.kind != "f" or is_geometry(name, array) or name in described:
            continue
        values = decode(array.values, array.attrs, Oddities()).astype(float)
        if np.isfinite(values).all():
            found.append(Covariate(name, values, clean_units(str(array.attrs.get("units", "")))))
    return tuple(found)


def _times(parts: _Parts) -> tuple[Int[ndarray, " s"], Times, tuple[str, ...]]:
    """Which steps to read, in order; their times, even where they nearly are; and what was done."""
    each = parts.clocks()
    if len({(times.decoded, times.calendar) for times in each}) > 1:
        raise DataError(
            f"{parts.files[0].name}: the files count time in different units. Give all of them one calendar."
        )
    times = replace(each[0], values=np.concatenate([part.values for part in each]))
    owner = np.repeat(np.arange(len(each)), [len(part.values) for part in each])

    def apart(first: Int[ndarray, " p"], second: Int[ndarray, " p"]) -> Float[ndarray, " p"]:
        return differences(parts.values(first), parts.values(second))

    order, notes = settle(times, owner, [file.name for file in parts.files], apart)
    times = replace(times, values=times.values[order])
    found = nearly_even(times)
    if found is None:
        return order, times, notes
    keep, even, note = found
    return order[keep], even, (*notes, note)
