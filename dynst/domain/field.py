"""Field: a record of one or more quantities over time, at sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain.cards import card
from dynst.domain.clock import Clock
from dynst.domain.dates import said_moment
from dynst.domain.layout import Layout
from dynst.domain.origin import Origin
from dynst.domain.sites import Sites
from dynst.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ArraySeries", "Channel", "Covariate", "Field", "Series", "join_blocks"]


@dataclass(frozen=True)
class Channel:
    """One quantity of a field: its name, its unit, whether sensors measure it and whether it is forecast."""

    name: str
    units: str = "1"
    long_name: str = ""
    observe: bool = True
    predict: bool = True


@runtime_checkable
class Series(Protocol):
    """Values over time, read block by block so that a record may be larger than memory."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Time steps, sites, channels."""

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        """A fresh float32 array of the steps ``start <= step < stop``; a missing value is NaN."""

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        """Fill `out` (float32, C-contiguous) with the steps from `start`; a missing value is NaN."""


@dataclass(frozen=True, eq=False)
class ArraySeries:
    """A series held in memory as float32 `(time, n, c)`."""

    values: Float[ndarray, "time n c"]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.ascontiguousarray(self.values, np.float32))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Time steps, sites, channels."""
        steps, n, c = self.values.shape
        return steps, n, c

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        """A copy of the steps ``start <= step < stop``."""
        return self.values[start:stop].copy()

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        """Fill `out` with the steps from `start`."""
        out[...] = self.values[start : start + len(out)]


@dataclass(frozen=True, eq=False)
class _SliceSeries:
    """The steps ``start <= step < stop`` of another series."""

    base: Series
    start: int
    stop: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.stop - self.start, *self.base.shape[1:]

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        return self.base.read(self.start + start, min(self.start + stop, self.stop))

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        self.base.read_into(self.start + start, out)


@dataclass(frozen=True, eq=False)
class _JoinedSeries:
    """Spans ``start <= step < stop`` of another series, one after the other."""

    base: Series
    spans: tuple[tuple[int, int], ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        return sum(stop - start for start, stop in self.spans), *self.base.shape[1:]

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        out = np.empty((max(0, stop - start), *self.base.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        done, offset = 0, start
        for first, last in self.spans:
            length = last - first
            if offset < length and done < len(out):
                count = min(length - offset, len(out) - done)
                self.base.read_into(first + offset, out[done : done + count])
                done, offset = done + count, 0
            else:
                offset -= length


@dataclass(frozen=True, eq=False)
class _ChainedSeries:
    """All steps of one series, then all of another."""

    first: Series
    second: Series

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.first.shape[0] + self.second.shape[0], *self.first.shape[1:]

    def read(self, start: int, stop: int) -> Float[ndarray, "time n c"]:
        start, stop, _ = slice(start, stop).indices(self.shape[0])
        out = np.empty((max(0, stop - start), *self.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start: int, out: Float[ndarray, "time n c"]) -> None:
        border = self.first.shape[0]
        here = min(max(border - start, 0), len(out))
        if here:
            self.first.read_into(start, out[:here])
        if here < len(out):
            self.second.read_into(start + here - border, out[here:])


@dataclass(frozen=True, eq=False)
class Covariate:
    """Something known of each site: its name, its unit, a value per site."""

    name: str
    values: Float[ndarray, " n"]
    units: str = "1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", np.ascontiguousarray(self.values, float))


@dataclass(frozen=True, eq=False)
class Field:
    """A record `(time, site, channel)` in physical units, on sites with a layout, cut into runs of even steps.

    Parameters
    ----------
    series : Series
        The values; a missing one is NaN, and `has_missing` says whether there is any.
    time : Shaped[ndarray, "time"]
        datetime64[ns], or integers where the calendar could not be decoded.
    run : Int[ndarray, "time"]
        Number of the run of each step, not decreasing. Steps are even within a run; no window crosses runs.
    sites, layout : Sites, Layout
        Where the values are, and how the places neighbour each other.
    channels : tuple of Channel
        Name, unit and use of each channel.
    name : str
        Short name of the data, for run folders and titles.
    cadence : str
        The step in words, like ``6 h``.
    has_missing : bool
        Whether any value is NaN.
    cases : tuple of str
        Names of the runs, if each is an experiment of its own (a simulation, a fire) rather than a piece of one
        record between gaps; else empty. A split then keeps whole runs together.
    covariates : tuple of Covariate
        What is known of each site beforehand and never measured by a sensor: height, kind of node.
    origin : Origin
        Where it came from: path, fingerprint, notes of the reader; goes into provenance.
    clock : Clock
        Where in day and year each step stands. Made of `time` if left out; a reader gives it where the calendar of a
        model has dates that datetime64 cannot hold.

    Examples
    --------
    >>> from dynst.domain import GridLayout
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> field = Field.of(np.zeros((3, 2, 1)), sites, GridLayout((1, 2), np.arange(2)))
    >>> field
    Field(3 steps x 2 sites x 1 channels, 1 run)
    >>> field.between(1, 3).steps
    2
    """

    series: Series
    time: ndarray
    run: Int[ndarray, " time"]
    sites: Sites
    layout: Layout
    channels: tuple[Channel, ...]
    name: str = "field"
    cadence: str = "1 step"
    has_missing: bool = False
    cases: tuple[str, ...] = ()
    covariates: tuple[Covariate, ...] = ()
    origin: Origin = Origin()  # noqa: RUF009 - frozen
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        steps, n, c = self.series.shape
        if (
            (len(self.time), len(self.run)) != (steps, steps)
            or len(self.sites) != n
            or len(self.layout) != n
            or len(self.channels) != c
        ):
            raise DataError(
                f"a field of {steps} steps, {n} sites and {c} channels needs as many times ({len(self.time)}), "
                f"runs ({len(self.run)}), sites ({len(self.sites)}), layout cells ({len(self.layout)}) "
                f"and channels ({len(self.channels)})."
            )
        if steps and (np.diff(self.run) < 0).any():
            raise DataError("the run numbers of a field must not decrease.")
        if self.cases and len(self.cases) != len(self.runs):
            raise DataError(f"a field of {len(self.runs)} runs needs as many names of cases; {len(self.cases)} came.")
        for covariate in self.covariates:
            if covariate.values.shape != (n,) or not np.isfinite(covariate.values).all():
                raise DataError(f'covariate "{covariate.name}" needs one finite value for each of the {n} sites.')
        if not any(channel.observe for channel in self.channels) or not any(
            channel.predict for channel in self.channels
        ):
            raise DataError("a field needs at least one observed and one predicted channel.")
        if self.clock.steps is None:
            clock = Clock.of(self.time) if self.clock.days is None else self.clock
            counted = clock.counted(self.time, self.run, anew=bool(self.cases))
            object.__setattr__(self, "clock", counted)
        if len(self.clock) != steps:
            raise DataError(f"a field of {steps} steps needs a clock of as many; {len(self.clock)} came.")

    @classmethod
    def of(
        cls,
        values: Float[ndarray, "time n c"],
        sites: Sites,
        layout: Layout,
        *,
        channels: tuple[Channel, ...] | None = None,
        time: ndarray | None = None,
        run: Int[ndarray, " time"] | None = None,
        name: str = "field",
        cadence: str = "1 step",
        cases: tuple[str, ...] = (),
    ) -> Field:
        """A field from an array in memory; NaN counts as missing."""
        steps, _, c = values.shape
        return cls(
            series=ArraySeries(values),
            time=np.arange(steps) if time is None else time,
            run=np.zeros(steps, np.int64) if run is None else run,
            sites=sites,
            layout=layout,
            channels=channels or tuple(Channel(f"channel{i}") for i in range(c)),
            name=name,
            cadence=cadence,
            has_missing=bool(np.isnan(values).any()),
            cases=cases,
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        channels = ", ".join(f"{channel.name} [{channel.units}]" for channel in self.channels)
        facts = [("steps", f"{self.steps:,}, every {self.cadence}"), ("sites", f"{len(self.sites):,}")]
        return card(f"Field: {self.name}", [*facts, ("channels", channels)])

    def __repr__(self) -> str:
        steps, n, c = self.series.shape
        runs = len(self.runs)
        return f"Field({steps} steps x {n} sites x {c} channels, {runs} run{'s' if runs != 1 else ''})"

    @property
    def steps(self) -> int:
        """Number of time steps, over all runs."""
        return self.series.shape[0]

    @property
    def runs(self) -> list[tuple[int, int]]:
        """First and one-past-last step of each run."""
        if not self.steps:
            return []
        border = np.flatnonzero(np.diff(self.run)) + 1
        return list(zip([0, *border.tolist()], [*border.tolist(), self.steps], strict=True))

    def moment(self, step: int) -> str:
        """The time of a step to the minute: a date of the record's own calendar, or the number of the step.

        Examples
        --------
        >>> from dynst.domain import GridLayout
        >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
        >>> field = Field.of(np.zeros((3, 2, 1)), sites, GridLayout((1, 2), np.arange(2)))
        >>> field.moment(-1), replace(field, clock=Clock(days=np.arange(58.0, 61), year_days=360)).moment(1)
        ('step 2', '0001-02-30T00:00')
        """
        if self.time.dtype.kind == "M":
            return str(self.time[step].astype("datetime64[m]"))
        if self.clock.days is None:
            return f"step {self.time[step]}"
        return said_moment(float(self.clock.days[step]), self.clock.year_days, between="T")

    @property
    def observed(self) -> Int[ndarray, " c_in"]:
        """Indices of the channels that a sensor measures."""
        return np.array([i for i, channel in enumerate(self.channels) if channel.observe])

    @property
    def predicted(self) -> Int[ndarray, " c_out"]:
        """Indices of the channels that are forecast."""
        return np.array([i for i, channel in enumerate(self.channels) if channel.predict])

    def between(self, start: int, stop: int) -> Field:
        """The same field for the steps ``start <= step < stop``; nothing is read."""
        start, stop, _ = slice(start, stop).indices(self.steps)
        touched = [i for i, (a, b) in enumerate(self.runs) if max(a, start) < min(b, stop)]
        return replace(
            self,
            series=_SliceSeries(self.series, start, max(start, stop)),
            time=self.time[start:stop],
            run=self.run[start:stop],
            clock=self.clock.at(slice(start, stop)),
            cases=tuple(self.cases[i] for i in touched) if self.cases else (),
        )

    def pick(self, numbers: Sequence[int]) -> Field:
        """The same field for some of its `runs`, by number, ascending; nothing is read.

        Examples
        --------
        >>> from dynst.domain import GridLayout
        >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
        >>> values = np.arange(6.0)[:, None, None] * np.ones((6, 2, 1))
        >>> field = Field.of(values, sites, GridLayout((1, 2), np.arange(2)), run=np.array([0, 0, 1, 1, 2, 2]))
        >>> field.pick([0, 2]).series.read(1, 3)[:, 0, 0].tolist()
        [1.0, 4.0]
        """
        spans = [self.runs[number] for number in sorted(set(numbers))]
        steps = np.concatenate([np.arange(start, stop) for start, stop in spans]) if spans else np.zeros(0, np.int64)
        return replace(
            self,
            series=_JoinedSeries(self.series, tuple(spans)),
            time=self.time[steps],
            run=self.run[steps],
            clock=self.clock.at(steps),
            cases=tuple(self.cases[number] for number in sorted(set(numbers))) if self.cases else (),
        )

    def blocks(self, limit_bytes: int = 32 << 20) -> Iterator[Float[ndarray, "time n c"]]:
        """All values, a block of at most `limit_bytes` at a time, in order."""
        steps, n, c = self.series.shape
        size = max(1, limit_bytes // (4 * n * c))
        for start in range(0, steps, size):
            yield self.series.read(start, min(start + size, steps))

    def to_xarray(self) -> xr.DataArray:
        """The whole record in memory, labelled `(time, site, channel)`, with positions and units."""
        import xarray as xr  # noqa: PLC0415  # with pandas 0.6 s: only what is written or read needs it

        return xr.DataArray(
            self.series.read(0, self.steps),
            dims=("time", "site", "channel"),
            coords={
                "time": self.time,
                "run": ("time", self.run),
                "x": ("site", self.sites.x),
                "y": ("site", self.sites.y),
                "channel": [channel.name for channel in self.channels],
                "units": ("channel", [channel.units for channel in self.channels]),
            },
            name=self.name,
        )


def join_blocks(first: Field, second: Field) -> Field:
    """Two blocks of one record as one field; nothing is read. The second begins a new run.

    Examples
    --------
    >>> from dynst.domain import GridLayout
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> field = Field.of(np.arange(6.0)[:, None, None] * np.ones((6, 2, 1)), sites, GridLayout((1, 2), np.arange(2)))
    >>> joined = join_blocks(field.between(0, 2), field.between(4, 6))
    >>> joined.series.read(1, 3)[:, 0, 0].tolist(), joined.run.tolist()
    ([1.0, 4.0], [0, 0, 1, 1])
    """
    shift = first.run[-1] + 1 - second.run[0]
    return replace(
        first,
        series=_ChainedSeries(first.series, second.series),
        time=np.concatenate([first.time, second.time]),
        run=np.concatenate([first.run, second.run + shift]),
        clock=first.clock.then(second.clock),
        cases=first.cases + second.cases,
    )
