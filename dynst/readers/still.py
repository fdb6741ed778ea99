"""Sensors that stand still: sites whose values do not change for a long time while those of others do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Series
from dynst.readers.blocks import blocks_of

__all__ = ["Stretch", "still_stretches"]

_STEPS = 64  # looked at, at most: what stands still for a tenth of the record shows in them
_LONG = 0.1  # of the record; chosen: shorter stretches are common in calm weather and coarse units
_LEAST = 20  # steps
_UNLIKE = 8  # times longer than at half of the sites
_SHARE = 8  # of the steps one is looked at, in short records
_SEEN = 0.9  # of the length: a sample sees a little less
_MANY = 0.15  # of the sites: if more stand still, it is how the field is
_CANDIDATES = 64  # sites of a channel looked at in full
_COLUMNS = 32 << 20  # bytes of them
_SHARED = 3  # sites that stand still at one value: a floor or a boundary, and no broken sensor


@dataclass(frozen=True)
class Stretch:
    """A stretch of steps ``start <= step < stop`` over which a site held one value.

    `share` is its part of the readings of the site; `whole` says that the site never held another value.
    """

    site: int
    channel: int
    value: float
    start: int
    stop: int
    share: float
    whole: bool


def still_stretches(series: Series, low: Float[ndarray, "n c"], high: Float[ndarray, "n c"]) -> tuple[Stretch, ...]:
    """Long constant stretches that are not how the field is, the longest of each site and channel.

    Zero rain, ice at its freezing point, or a fire that has not begun are no such stretches: many sites share them, or
    they are the least or largest value of the record.

    Parameters
    ----------
    series : Series
        The record.
    low, high : Float[ndarray, "n c"]
        Least and largest value of each site.
    """
    steps, _, channels = series.shape
    if steps < 2 * _LEAST:
        return ()
    longest, value = _sampled(series)
    whole: list[tuple[int, int]] = []
    part: list[tuple[int, int]] = []
    for channel in range(channels):
        least, most = low[:, channel], high[:, channel]
        many = max(1.0, _MANY * float((~np.isnan(least)).sum()))
        whole += [(int(site), channel) for site in _unlike_others(np.flatnonzero(least == most), least, many)]
        need = max(_LEAST, _LONG * steps, _UNLIKE * float(np.median(longest[:, channel])))
        held = value[:, channel]
        own = (held != np.fmin.reduce(least)) & (held != np.fmax.reduce(most)) & (least != most)
        sites = np.flatnonzero((longest[:, channel] >= _SEEN * need) & own)
        part += [(int(site), channel) for site in _unlike_others(sites, held, many)]
    part = part[: max(1, _COLUMNS // (4 * steps))]
    found = [*_whole(series, whole, low), *_in_full(series, part)] if whole or part else []
    need = max(_LEAST, _LONG * steps)
    return tuple(sorted((s for s in found if s.stop - s.start >= need), key=lambda s: (s.site, s.channel)))


def _unlike_others(sites: Int[ndarray, " k"], value: Float[ndarray, " n"], many: float) -> Int[ndarray, " j"]:
    """Sites that stand still, unless many do, or many at one value."""
    if len(sites) > many:
        return sites[:0]
    _, place, count = np.unique(value[sites], return_inverse=True, return_counts=True)
    return sites[(count[place] < _SHARED)][:_CANDIDATES]


def _sampled(series: Series) -> tuple[Float[ndarray, "n c"], Float[ndarray, "n c"]]:
    """About how many steps each site held one value, and which, by some steps spread over the record."""
    steps, n, c = series.shape
    stride = max(1, steps // min(_STEPS, max(_LEAST, steps // _SHARE)))
    run, longest = np.zeros((2, n * c), np.int32)
    value = np.full(n * c, np.nan, np.float32)
    before = series.read(0, 1).ravel()
    for step in range(stride, steps, stride):
        now = series.read(step, step + 1).ravel()
        lost = np.isnan(now)
        still = now == before
        np.copyto(now, before, where=lost)
        run *= still | lost
        same = np.flatnonzero(still)
        run[same] += 1
        better = same[run[same] > longest[same]]
        value[better], longest[better] = now[better], run[better]
        before = now
    return (longest * np.float32(stride)).reshape(n, c), value.reshape(n, c)


def _whole(series: Series, found: list[tuple[int, int]], low: Float[ndarray, "n c"]) -> list[Stretch]:
    """Sites that never held another value, if they reported often enough."""
    if not found:
        return []
    site, channel = np.array(found).T
    readings = np.zeros(len(found), np.int64)
    for _, block in blocks_of(series):
        readings += (~np.isnan(block[:, site, channel])).sum(axis=0)
    steps = series.shape[0]
    return [
        Stretch(s, c, float(low[s, c]), 0, steps, 1.0, True)
        for (s, c), count in zip(found, readings.tolist(), strict=True)
        if count >= max(_LEAST, _LONG * steps)
    ]


def _in_full(series: Series, found: list[tuple[int, int]]) -> list[Stretch]:
    """The longest stretch of each of some sites, from all steps."""
    if not found:
        return []
    site, channel = np.array(found).T
    columns = np.concatenate([block[:, site, channel] for _, block in blocks_of(series)])
    return [_longest(columns[:, k], *pair) for k, pair in enumerate(found)]


def _longest(column: Float[ndarray, " t"], site: int, channel: int) -> Stretch:
    there = np.flatnonzero(~np.isnan(column))
    values = column[there]
    edges = np.r_[0, np.flatnonzero(values[1:] != values[:-1]) + 1, len(values)]
    k = int(np.diff(edges).argmax())
    first, last = int(edges[k]), int(edges[k + 1]) - 1
    share = (last + 1 - first) / len(values)
    return Stretch(site, channel, float(values[first]), int(there[first]), int(there[last]) + 1, share, False)
