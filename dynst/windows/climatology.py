"""What is usual at a site at a time of the day, week and year: a mean and waves, fitted by least squares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import Clock, Field
from dynst.domain.calendar import Calendar
from dynst.domain.clock import Unit
from dynst.domain.split import thin
from dynst.windows.normal import NormalSums, reference_of

__all__ = ["Climatology", "Fitted", "Wave", "fit_climatology", "wave_values", "waves_of", "with_mean"]

_SAME = 1e-3  # share of a wave that those before it leave over, below which it is a mixture of them
_ROUNDING = 1e-6  # of cycles in a step
_LOOKED_AT = 5000  # steps by which waves are told apart
_BLOCK_BYTES = 16 << 20
_PRODUCT_BYTES = 64 << 20  # of the products of waves, where each site has its own


class Wave(NamedTuple):
    """A cosine or a sine in days, years or steps: so many cycles in one of them."""

    unit: Unit
    frequency: float
    sine: bool


@dataclass(frozen=True, eq=False)
class Climatology:
    """What is usual: a mean of each site and channel, and waves on top of it.

    Parameters
    ----------
    mean : Float[ndarray, "n c"]
        In the channel's unit.
    waves : tuple of Wave
        Empty where the mean is all.
    amplitude : Float[ndarray, "f n c"]
        Of each wave at each site, in the channel's unit.

    Examples
    --------
    >>> clock = Clock.of(np.array(["2000-01-01T06", "2000-01-01T18"], "datetime64[ns]"))
    >>> noon = Climatology(np.zeros((1, 1)), (Wave("days", 1.0, sine=True),), np.full((1, 1, 1), 5.0))
    >>> noon.beyond_mean(clock).ravel().tolist()
    [5.0, -5.0]
    """

    mean: Float[ndarray, "n c"]
    waves: tuple[Wave, ...]
    amplitude: Float[ndarray, "f n c"]

    def beyond_mean(self, clock: Clock) -> Float[ndarray, "time n c"]:
        """What the waves add to the mean of each site at these times, float32."""
        basis = wave_values(self.waves, clock).astype(np.float32)
        made = basis @ self.amplitude.reshape(len(self.waves), self.mean.size).astype(np.float32, copy=False)
        return np.asarray(made.reshape(len(basis), *self.mean.shape))

    def select(self, channels: ndarray) -> Climatology:
        """The same for some of the channels, by index."""
        return Climatology(self.mean[:, channels], self.waves, self.amplitude[:, :, channels])


class Fitted(NamedTuple):
    """A climatology; the sum of squared departures from it and the number of values, of each site and channel."""

    climatology: Climatology
    square: Float[ndarray, "n c"]
    values: Float[ndarray, "n c"]


def fit_climatology(field: Field, calendar: Calendar, *, block_bytes: int = _BLOCK_BYTES) -> Fitted:
    """Least squares over all steps of `field`, a block in memory at a time; missing values do not count.

    Amplitudes have a small ridge: a site of few values has the season of the others. One without any has zeros.
    """
    _, n, c = field.series.shape
    waves = waves_of(field.clock, calendar)
    fits = [_fit_columns(field, waves, part, block_bytes) for part in _parts(n, c, len(waves), own=field.has_missing)]
    solved, square, count = (np.concatenate(part) for part in zip(*fits, strict=True))
    amplitude = np.ascontiguousarray(solved[:, 1:].T, np.float32).reshape(len(waves), n, c)
    climatology = Climatology(solved[:, 0].reshape(n, c), waves, amplitude)
    return Fitted(climatology, square.reshape(n, c), count.reshape(n, c))


def waves_of(clock: Clock, calendar: Calendar) -> tuple[Wave, ...]:
    """The waves of a calendar that steps at the times of the clock can tell apart.

    What is faster than two steps is left out, and what is a mixture of the waves before it. Steps of 6 h know one
    whole wave of the day, and of the second the cosine.
    """
    asked = [
        Wave(unit, frequency, sine)
        for unit, frequency in calendar.frequencies
        for sine in (False, True)
        if frequency * clock.stride(unit) <= 0.5 + _ROUNDING
    ]
    some = clock.at(thin(np.arange(len(clock)), _LOOKED_AT))
    basis = with_mean(wave_values(asked, some))
    told = _told_apart(basis.T @ basis / max(1, len(basis)))
    return tuple(wave for wave, alone in zip(asked, told[1:], strict=True) if alone)


def wave_values(waves: Sequence[Wave], clock: Clock) -> Float[ndarray, "time f"]:
    """Every wave at every time, float64."""
    values = np.empty((len(clock), len(waves)))
    for column, wave in enumerate(waves):
        angle = 2 * np.pi * (clock.gone(wave.unit) * wave.frequency % 1.0)
        values[:, column] = np.sin(angle) if wave.sine else np.cos(angle)
    return values


def with_mean(waves: Float[ndarray, "time f"]) -> Float[ndarray, "time g"]:
    """The waves behind a column of ones."""
    return np.concatenate([np.ones((len(waves), 1)), waves], axis=1)


def _told_apart(gram: Float[ndarray, "f f"]) -> list[bool]:
    """Which columns are no mixture of those kept before them: a Cholesky factor, row by row."""
    factor, kept = np.zeros((0, len(gram))), []
    for i, row in enumerate(gram):
        rest = row - factor[:, i] @ factor
        kept.append(bool(rest[i] > _SAME))
        if kept[-1]:
            factor = np.concatenate([factor, rest[None] / math.sqrt(rest[i])])
    return kept


def _parts(sites: int, channels: int, waves: int, *, own: bool) -> Iterator[slice]:
    """All columns at once, or those of as many sites as may have products of waves of their `own`."""
    each = 8 * channels * (waves + 1) ** 2
    most = max(1, _PRODUCT_BYTES // each) if own else sites
    for start in range(0, sites, most):
        yield slice(start * channels, min(start + most, sites) * channels)


def _fit_columns(
    field: Field, waves: Sequence[Wave], part: slice, block_bytes: int
) -> tuple[ndarray, ndarray, ndarray]:
    """Mean and amplitudes ``(q, 1 + f)`` of some columns (a channel at a site), squared departures ``(q,)``, counts."""
    sums: NormalSums | None = None
    reference = np.zeros(0)
    start = 0
    for block in field.blocks(block_bytes):
        values = block.reshape(len(block), -1)[:, part]
        basis = with_mean(wave_values(waves, field.clock.at(slice(start, start + len(block)))))
        if sums is None:
            reference = reference_of(values)
        more = NormalSums.of(basis, values - reference)
        sums = more if sums is None else sums + more
        start += len(block)
    assert sums is not None, "a training block has steps"
    solved = sums.solve(len(field.channels))
    departures = sums.departures(solved)
    solved[:, 0] += reference
    return solved, departures, sums.count
