"""One look at the values of every record: codes for missing values, spikes, sensors that stand still, directions.

`look` reads the record once, block by block, and keeps the extremes of each site and a sample. Only where these
are suspicious does it read again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import ArraySeries, Channel, Field, GraphLayout, GridLayout, Series
from dynst.domain.sites import Role
from dynst.readers.blocks import blocks_of
from dynst.readers.still import Stretch, still_stretches
from dynst.readers.tails import TAIL, Outlier, Tail, looks_like_code, outliers, suspicious

__all__ = ["Look", "look"]

_SAMPLE = 16_384  # values of a channel that stand for the record
_NAMED = 5  # readings named by place and time
_SPIKES = 100  # readings whose places are looked for; more of them are no single spikes
_LARGE_PART = 0.25  # chosen: of the readings; a sensor that stood still for longer is no candidate
_DEGREES = {"degree", "degrees", "deg", "°", "degree_true", "degrees_true", "deg_true", "degt", "arc_degree"}
_DIRECTION = re.compile(
    r"direction|azimuth|heading|bearing|(^|_)w?dir($|_|\d)|wind_?dir|^(wd|mwd|dd)(10)?$", re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Look:
    """What was found in the values of a record, and the record without what is no reading.

    Parameters
    ----------
    series : Series
        The values at the sites that are left; codes and spikes are NaN.
    sites : Int[ndarray, "n"]
        Numbers of the sites that are left, in the record as it was read.
    missing : float
        Share of missing values afterwards.
    changed : bool
        Whether any value or site is another than was read.
    """

    series: Series
    sites: Int[ndarray, " n"]
    missing: float
    changed: bool = False
    _channels: tuple[Channel, ...] = ()
    _odd: tuple[_Odd, ...] = ()
    _spikes: tuple[_Spike, ...] = ()
    _still: tuple[Stretch, ...] = ()
    _ranges: tuple[tuple[float, float], ...] = ()
    _never: Bool[ndarray, " m"] = field(default_factory=lambda: np.zeros(0, bool))
    _keep: bool = False

    def on(self, made: Field) -> Field:
        """The field made of what is left, with notes and caveats, and no new sensor where one stood still."""
        still = [] if self._keep else self._no_candidates(made)
        role = made.sites.role.copy()
        role[[site for site in still if role[site] == Role.CANDIDATE]] = Role.FORBIDDEN
        caveats = [*self._said_of_codes(made), *self._said_of_spikes(made), *self._said_of_still(made, still)]
        caveats += self._said_of_directions()
        notes = (*made.origin.notes, *caveats, *self._said_of_zeros())
        if not still and notes == made.origin.notes:
            return made
        sites = made.sites.with_role(role) if still else made.sites
        return replace(made, sites=sites, origin=replace(made.origin, notes=notes, caveats=tuple(caveats)))

    @property
    def codes(self) -> list[str]:
        """A sentence for each code, without places and times."""
        return [self._code(odd) for odd in self._odd if odd.outlier.code]

    def _said_of_codes(self, made: Field) -> list[str]:
        return [self._code(odd) + self._readings(odd, made) for odd in self._odd if odd.outlier.code]

    def _readings(self, odd: _Odd, made: Field) -> str:
        """Where and when a code stood, if it did so a few times only."""
        at = (odd.channel, odd.outlier.value)
        found = [spike for spike in self._spikes if (spike.channel, spike.value) == at]
        if not 0 < len(found) <= _NAMED:
            return ""
        return ": " + "; ".join(f"{made.sites.name[spike.site]}, {_when(made, spike.step)}" for spike in found)

    def _code(self, odd: _Odd) -> str:
        done = "are kept, as asked" if self._keep else "are read as missing"
        always = f", {odd.always} of which hold nothing else" if odd.always else ""
        where = f"{odd.places} site{'s' * (odd.places > 1)}{always}"
        return (
            f"values of {odd.outlier.value:.7g} {done}: {odd.outlier.count} of {self._channels[odd.channel].name}, at "
            f"{where}; they lie far outside all others ({odd.rest[0]:.5g} to {odd.rest[1]:.5g})"
        )

    def _said_of_zeros(self) -> list[str]:
        return [
            f"zeros of {self._channels[odd.channel].name} lie far outside all other values and are kept: "
            f"{odd.outlier.count}. If they stand for missing values, leave them empty in the file"
            for odd in self._odd
            if odd.outlier.value == 0 and odd.outlier.count > _SPIKES
        ]

    def _said_of_spikes(self, made: Field) -> list[str]:
        """Readings that no sensor gives, and those that are only doubtful."""
        said = []
        for gone in (True, False):
            found = [spike for spike in self._spikes if spike.gone is gone and not spike.code]
            if not found:
                continue
            done = "are read as missing" if gone else "are kept: look at them"
            named = _listed([self._reading(spike, made) for spike in found])
            said.append(f"single readings far outside all others {done}: {len(found)} ({named})")
        return said

    def _reading(self, spike: _Spike, made: Field) -> str:
        what = f"{self._channels[spike.channel].name} " * (len(self._channels) > 1)
        return f"{what}{spike.value:.7g} at {made.sites.name[spike.site]}, {_when(made, spike.step)}"

    def _said_of_still(self, made: Field, still: Sequence[int]) -> list[str]:
        """Sensors that stood still, those that are no candidates first."""
        said = []
        for stretches, told in (
            ([s for s in self._still if s.site in still], "have no new sensor in a plan"),
            ([s for s in self._still if s.site not in still and made.origin.stations], "are kept: look at them"),
        ):
            if not stretches:
                continue
            named = _listed([self._stretch(stretch, made) for stretch in stretches])
            count = len({stretch.site for stretch in stretches})
            said.append(f"sites whose values stood still for long {told}: {count} ({named})")
        return said

    def _stretch(self, stretch: Stretch, made: Field) -> str:
        what = f"{self._channels[stretch.channel].name} " * (len(self._channels) > 1)
        where = f"{made.sites.name[stretch.site]} {what}{stretch.value:.6g}"
        if stretch.whole:
            return f"{where} always"
        return f"{where} from {_when(made, stretch.start)} to {_when(made, stretch.stop - 1)}"

    def _no_candidates(self, made: Field) -> list[int]:
        """Sites at which every observed channel stood still for a large part of the record.

        On a grid only those that stand alone at a value of their own: a boundary is no broken sensor. On a mesh none:
        a pond holds its depth, and an inflow its speed.
        """
        if isinstance(made.layout, GraphLayout) and not made.origin.stations:
            return []
        observed = set(made.observed.tolist())
        held: dict[int, set[int]] = {}
        for stretch in self._still:
            if stretch.share >= _LARGE_PART and (made.origin.stations or self._own(stretch)):
                held.setdefault(stretch.site, set()).add(stretch.channel)
        found = [site for site, channels in sorted(held.items()) if observed <= channels]
        if isinstance(made.layout, GraphLayout):
            return found
        beside = _neighbours_that_never_move(made.layout, self._never)
        return [site for site in found if not beside[site]]

    def _own(self, stretch: Stretch) -> bool:
        """Whether a value is neither the least nor the largest of its channel."""
        return stretch.value not in self._ranges[stretch.channel]

    def _said_of_directions(self) -> list[str]:
        names = [
            channel.name
            for channel, (low, high) in zip(self._channels, self._ranges, strict=True)
            if _is_direction(channel, low, high)
        ]
        return [
            f"{name} is a direction: its mean and its errors are wrong where it turns from 360 to 0. "
            "Give east and north components (u and v), or its sine and cosine"
            for name in names
        ]


@dataclass(frozen=True)
class _Odd:
    """A value far outside the rest: how many sites hold it, how many nothing else, and where the rest lies."""

    channel: int
    outlier: Outlier
    rest: tuple[float, float]
    places: int = 0
    always: int = 0


@dataclass(frozen=True)
class _Spike:
    """One reading; `gone` if it is read as missing, `code` if its value is a code."""

    step: int
    site: int
    channel: int
    value: float
    gone: bool
    code: bool = False


@dataclass(frozen=True, eq=False)
class _Cleaned:
    """Another series at some of its sites, with codes and single readings missing."""

    base: Series
    sites: Int[ndarray, " n"]
    codes: tuple[tuple[int, np.float32], ...]
    spikes: tuple[_Spike, ...] = ()  # of sites as in `base`

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.base.shape[0], len(self.sites), self.base.shape[2]

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        values = self.base.read(start, stop)
        _mask(values, start, self.codes, self.spikes)
        return values if len(self.sites) == values.shape[1] else values[:, self.sites]

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        out[...] = self.read(start, start + len(out))


@dataclass(eq=False)
class _Extremes:
    """Least and largest value of each site and channel, and a sample of each channel; of one pass over a series."""

    low: Float[ndarray, "n c"]
    high: Float[ndarray, "n c"]
    sample: list[Float[ndarray, " m"]] = field(default_factory=list)

    @classmethod
    def of(cls, series: Series) -> _Extremes:
        steps, n, c = series.shape
        found = cls(np.full((n, c), np.nan, np.float32), np.full((n, c), np.nan, np.float32))
        across = max(1, n // 512)
        along = max(1, steps * -(-n // across) // _SAMPLE) | 1
        parts: list[list[ndarray]] = [[] for _ in range(c)]
        for start, block in blocks_of(series):
            np.fmin(found.low, np.fmin.reduce(block, axis=0), out=found.low)
            np.fmax(found.high, np.fmax.reduce(block, axis=0), out=found.high)
            few = block[-start % along :: along, (start // along) % across :: across]
            for channel, part in enumerate(parts):
                part.append(few[:, :, channel].ravel())
        for part in parts:
            values = np.sort(np.concatenate(part))  # NaN come last
            found.sample.append(values[: len(values) - int(np.isnan(values).sum())])
        return found

    def range(self, channel: int) -> tuple[float, float]:
        return float(np.fmin.reduce(self.low[:, channel])), float(np.fmax.reduce(self.high[:, channel]))


def look(series: Series, channels: Sequence[Channel], missing: float, *, keep: bool = False) -> Look:
    """Look at all values of a record, a few megabytes at a time.

    Parameters
    ----------
    series : Series
        As it was read; one in memory is mended in place.
    channels : sequence of Channel
        What its last axis is.
    missing : float
        Share of its values that are missing.
    keep : bool
        Whether every value stays as it is and is only told of.

    Examples
    --------
    >>> values = np.random.default_rng(0).uniform(5, 25, (400, 6, 1)).astype("f4")
    >>> values[::7, 1:5], values[:, 0] = -9999, -9999
    >>> found = look(ArraySeries(values), [Channel("t2m", "K")], 0.0)
    >>> found.sites.tolist(), round(found.missing, 3)
    ([1, 2, 3, 4, 5], 0.116)
    """
    extremes = _Extremes.of(series)
    everywhere = np.arange(series.shape[1])
    suspects = [i for i in range(series.shape[2]) if _suspicious(extremes, i)]
    odd = _odd_values(series, extremes, suspects) if suspects else ()
    spikes = _spikes(series, odd)
    ranges = tuple(_rest(extremes, odd, i) for i in range(series.shape[2]))
    codes = tuple((one.channel, np.float32(one.outlier.value)) for one in odd if one.outlier.code)
    gone = tuple(spike for spike in spikes if spike.gone and not spike.code)
    found = Look(series, everywhere, missing, False, tuple(channels), odd, spikes, (), ranges, _keep=keep)
    if (codes or gone) and not keep:
        found = _without(found, codes, gone)
        extremes = _Extremes.of(found.series)
    never = np.asarray((extremes.low == extremes.high).any(axis=1))
    return replace(found, _never=never, _still=still_stretches(found.series, extremes.low, extremes.high))


def _suspicious(extremes: _Extremes, channel: int) -> bool:
    """Whether anything of a channel may lie far outside the rest, by the extremes of its sites and a sample."""
    body, low, high = extremes.sample[channel], extremes.low[:, channel], extremes.high[:, channel]
    return len(body) > 0 and (suspicious(body, high) or suspicious(-body[::-1], -low))


def _odd_values(series: Series, extremes: _Extremes, suspects: Sequence[int]) -> tuple[_Odd, ...]:
    """Values far outside the rest, and at how many sites they are."""
    found: list[_Odd] = []
    for channel, (low, high) in _tails(series, extremes, suspects).items():
        body = extremes.sample[channel]
        for tail, sign in ((low, -1), (high, 1), (low, -1)):  # codes of one side may hide those of the other
            known = {odd.outlier.value for odd in found if odd.channel == channel}
            some_of = body[~np.isin(body, list(known))]
            side = outliers(tail, np.sort(sign * some_of), lower=sign < 0)
            signed = [replace(outlier, value=sign * outlier.value) for outlier in side]
            found += [_Odd(channel, outlier, (0.0, 0.0)) for outlier in signed if outlier.value not in known]
    if not found:
        return ()
    places = np.zeros((len(found), series.shape[1]), np.int64)
    there = np.zeros(series.shape[1:], np.int64)
    for _, block in blocks_of(series):
        there += (~np.isnan(block)).sum(axis=0)
        for i, odd in enumerate(found):
            places[i] += (block[:, :, odd.channel] == np.float32(odd.outlier.value)).sum(axis=0)
    held = [
        replace(
            odd,
            rest=_rest(extremes, found, odd.channel),
            places=int((places[i] > 0).sum()),
            always=int(((places[i] > 0) & (places[i] == there[:, odd.channel])).sum()),
        )
        for i, odd in enumerate(found)
    ]
    return tuple(_not_one_sensor(odd, series.shape[1]) for odd in held)


def _not_one_sensor(odd: _Odd, sites: int) -> _Odd:
    """No code is what one sensor alone gives always, unless people write codes so: that sensor stands still."""
    own = odd.places == odd.always == 1 < sites and not looks_like_code(odd.outlier.value)
    return replace(odd, outlier=replace(odd.outlier, code=False)) if own else odd


def _rest(extremes: _Extremes, odd: Sequence[_Odd], channel: int) -> tuple[float, float]:
    """Where all other values of a channel lie, as the sample and the extremes of sites tell."""
    if not any(one.channel == channel for one in odd):
        return extremes.range(channel)
    values = np.concatenate([extremes.sample[channel], extremes.low[:, channel], extremes.high[:, channel]])
    known = np.array([one.outlier.value for one in odd if one.channel == channel], np.float32)
    values = values[~np.isin(values, known) & ~np.isnan(values)]
    return (float(values.min()), float(values.max())) if len(values) else (np.nan, np.nan)


def _tails(series: Series, extremes: _Extremes, suspects: Sequence[int]) -> dict[int, tuple[Tail, Tail]]:
    """Both sides of the whole record, the lower one with its sign turned."""
    bounds = {i: _bounds(extremes.sample[i]) for i in suspects}
    none = Tail(np.zeros(0, np.float32), np.zeros(0, np.int64))
    found = dict.fromkeys(suspects, (none, none))
    for _, block in blocks_of(series):
        for channel, (low, high) in bounds.items():
            values = block[:, :, channel]
            below, above = values[values <= low], values[values >= high]
            found[channel] = (
                found[channel][0].join(Tail.of(-below)) if len(below) else found[channel][0],
                found[channel][1].join(Tail.of(above)) if len(above) else found[channel][1],
            )
    return found


def _bounds(sample: Float[ndarray, " m"]) -> tuple[np.float32, np.float32]:
    """What the most extreme distinct values of a sample begin with, on both sides."""
    distinct = sample[np.r_[True, sample[1:] != sample[:-1]]]
    last = min(len(distinct), TAIL) - 1
    return np.float32(distinct[last]), np.float32(distinct[-1 - last])


def _spikes(series: Series, odd: Sequence[_Odd]) -> tuple[_Spike, ...]:
    """The readings of values that are few, in order of time."""
    few = [one for one in odd if one.outlier.count <= _SPIKES and one.places != one.always]
    few = [one for one in few if one.outlier.code or one.outlier.odd]
    if not few or sum(one.outlier.count for one in few) > _SPIKES:
        return ()
    found = []
    for start, block in blocks_of(series):
        for one in few:
            at = np.argwhere(block[:, :, one.channel] == np.float32(one.outlier.value)).tolist()
            told = (one.channel, one.outlier.value, one.outlier.alone, one.outlier.code)
            found += [_Spike(start + t, site, *told) for t, site in at]
    found.sort(key=lambda spike: (spike.step, spike.site, spike.channel))
    odd_at = {(spike.step, spike.site, spike.channel) for spike in found}
    return tuple(replace(spike, gone=spike.gone and not _beside(spike, odd_at)) for spike in found)


def _beside(spike: _Spike, odd_at: set[tuple[int, int, int]]) -> bool:
    """Whether the reading before or after is odd, too: a real event may last."""
    return any((spike.step + d, spike.site, spike.channel) in odd_at for d in (-1, 1))


def _mask(
    values: Float[ndarray, "t n c"],
    start: int,
    codes: Sequence[tuple[int, np.float32]],
    spikes: Sequence[_Spike],
) -> None:
    """Make codes and spikes missing, in place."""
    for channel, code in codes:
        part = values[:, :, channel]
        part[part == code] = np.nan
    for spike in spikes:
        if start <= spike.step < start + len(values):
            values[spike.step - start, spike.site, spike.channel] = np.nan


def _without(found: Look, codes: tuple[tuple[int, np.float32], ...], spikes: tuple[_Spike, ...]) -> Look:
    """The record without codes and spikes, and without the sites that hold nothing else."""
    base = found.series
    if isinstance(base, ArraySeries):
        _mask(base.values, 0, codes, spikes)
    series: Series = base if isinstance(base, ArraySeries) else _Cleaned(base, found.sites, codes, spikes)
    seen = np.zeros(series.shape[1:], np.int64)
    for _, block in blocks_of(series):
        seen += (~np.isnan(block)).sum(axis=0)
    sites = np.flatnonzero(seen.any(axis=1))
    if len(sites) < len(seen):
        series = _at(base, sites, codes, spikes)
    number = np.full(len(seen), -1)
    number[sites] = np.arange(len(sites))
    moved = tuple(replace(spike, site=int(number[spike.site])) for spike in found._spikes if number[spike.site] >= 0)
    share = 1.0 - float(seen[sites].sum()) / max(1, series.shape[0] * len(sites) * series.shape[2])
    return replace(found, series=series, sites=sites, missing=share, changed=True, _spikes=moved)


def _at(
    base: Series, sites: Int[ndarray, " n"], codes: tuple[tuple[int, np.float32], ...], spikes: tuple[_Spike, ...]
) -> Series:
    if isinstance(base, ArraySeries):
        return ArraySeries(base.values[:, sites])
    return _Cleaned(base, sites, codes, spikes)


def _is_direction(channel: Channel, low: float, high: float) -> bool:
    """Whether a channel is an angle by name and unit; without a unit its range must be that of a full turn."""
    named = any(_DIRECTION.search(text) for text in (channel.name, channel.long_name))
    units = channel.units.strip().lower().replace(" ", "_")
    turn = units in {"", "1"} and low >= 0 and 180 < high <= 360
    return named and (units in _DEGREES or turn)


def _when(made: Field, step: int) -> str:
    time = made.time[step]
    return str(time.astype("datetime64[m]")).replace("T", " ") if made.time.dtype.kind == "M" else f"step {time}"


def _neighbours_that_never_move(layout: GridLayout, never: Bool[ndarray, " n"]) -> Int[ndarray, " n"]:
    """How many of the four cells beside each site never move."""
    still = np.pad(layout.fold(never.astype(np.float32), fill=0.0), 1)
    around = still[:-2, 1:-1] + still[2:, 1:-1] + still[1:-1, :-2] + still[1:-1, 2:]
    return layout.unfold(around).astype(np.int64)


def _listed(parts: Sequence[str]) -> str:
    """The first few of some texts, and how many more."""
    more = len(parts) - _NAMED
    return "; ".join(parts[:_NAMED]) + (f"; and {more} more" if more > 0 else "")
