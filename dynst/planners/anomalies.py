"""Training anomalies as covariances want them: complete, without spikes, and not too many."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.covariance import Anomalies
from dynst.domain import Field, Frame, Window
from dynst.windows.gaps import GapModel
from dynst.windows.scaling import Scaling

__all__ = ["learnt", "training_anomalies"]

_NUMBERS = 16_000_000  # training anomalies that covariances are made of,
_FEWEST, _MOST = 500, 6000  # and their steps
_STRETCHES = 24
_WHOLE = 8  # windows that a stretch holds at least, as lags end where a stretch does
_ENOUGH = 5  # training values for each parameter of a site's climatology
_BLOCK = 1 << 22  # numbers that are looked at together
_SPIKE = (0.99, 2.0, 5.0)  # quantile of a series, times it, and typical deviations: larger anomalies are cut


def training_anomalies(
    field: Field,
    scaling: Scaling,
    window: Window,
    *,
    sites: Int[ndarray, " k"] | None = None,
    gaps: GapModel | None = None,
) -> Anomalies:
    """Anomalies of a training block for covariances: all of its steps, or stretches of them where they are many.

    A missing value is what `GapModel` expects of it, and its series is scaled up to its variance: covariances then
    stay positive semidefinite.
    Rare anomalies far beyond all others are cut, so that one spike does not make a covariance.

    Parameters
    ----------
    field, scaling, window : Field, Scaling, Window
        The block, what its anomalies are, and the lags that are needed.
    sites : Int[ndarray, "k"] or None
        Some of the sites; all if left out.
    gaps : GapModel or None
        Fitted on the block, if it has gaps.
    """
    places = None if field.sites.frame is Frame.SCHEMATIC else field.sites.points
    chosen = np.arange(len(field.sites)) if sites is None else sites
    steps = min(_MOST, max(_FEWEST, _NUMBERS // (len(chosen) * len(field.channels))))
    spans = _stretches(field, steps, _WHOLE * window.length)
    values = np.empty((sum(stop - start for start, stop in spans), len(chosen), len(field.channels)), np.float32)
    stretch = np.empty(len(values), np.int64)
    expected = np.zeros_like(values) if gaps is None else np.empty_like(values)
    done = 0
    for number, (start, stop) in enumerate(spans):
        length = stop - start
        anomalies = scaling.anomalies(field, start, stop)
        values[done : done + length] = anomalies[:, chosen]
        if gaps is not None:
            expected[done : done + length] = gaps.expected(anomalies)[:, chosen]
        stretch[done : done + length] = number
        done += length
    _cut_spikes(values)
    if field.has_missing:
        unlearnt = ~learnt(scaling)[chosen]
        values[:, unlearnt], expected[:, unlearnt] = np.nan, 0.0
        _fill(values, expected)
    return Anomalies(
        values,
        stretch,
        field.observed,
        field.predicted,
        field.sites.weight[chosen],
        None if places is None else places[chosen],
    )


def learnt(scaling: Scaling) -> Bool[ndarray, "n c"]:
    """What has enough training values for its climatology: with few, they fit it exactly and seem constant."""
    parameters = 1 + len(scaling.climatology.waves)
    return np.asarray(scaling.count >= _ENOUGH * parameters)


def _cut_spikes(values: Float[ndarray, "m n c"]) -> None:
    """Cut, in place, what is far beyond the usual anomalies of its series and of all others.

    A series with such spikes is taken about its median before, and about its mean after: a spike has moved the
    climatology that the anomalies are from.
    """
    flat = values.reshape(len(values), -1)
    alive = np.flatnonzero(np.isfinite(flat).any(axis=0))
    if not len(alive):
        return
    size = max(1, _BLOCK // len(flat))
    blocks = [alive[start : start + size] for start in range(0, len(alive), size)]
    square = np.concatenate([np.nanmean(np.square(flat[:, block]), axis=0) for block in blocks])
    typical = float(np.sqrt(np.median(square)))
    for block in blocks:
        series = flat[:, block]
        beyond = block[np.nanmax(np.abs(series), axis=0) > _bounds(series, typical)]
        if len(beyond):
            flat[:, beyond] = _without_spikes(flat[:, beyond], typical)


def _without_spikes(series: Float[ndarray, "m s"], typical: float) -> Float[ndarray, "m s"]:
    centred = series - np.nanmedian(series, axis=0)
    bound = _bounds(centred, typical)
    cut = np.clip(centred, -bound, bound)
    return np.asarray(cut - np.nanmean(cut, axis=0))


def _bounds(series: Float[ndarray, "m s"], typical: float) -> Float[ndarray, " s"]:
    """Size of an anomaly beyond which it is a spike: by what its series and all others usually do."""
    quantile, times, deviations = _SPIKE
    reckon = np.quantile if np.isfinite(series).all() else np.nanquantile  # the latter is slow
    return np.asarray(np.maximum(times * reckon(np.abs(series), quantile, axis=0), deviations * typical))


def _fill(values: Float[ndarray, "m n c"], expected: Float[ndarray, "m n c"]) -> None:
    """Put what is expected where values are missing, and scale each series to the variance of what was measured."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    variance = np.square(np.where(known, values, 0.0)).sum(axis=0) / count
    np.copyto(values, expected, where=~known)
    filled = np.square(values).mean(axis=0)
    scale = np.sqrt(np.divide(variance, filled, out=np.ones(variance.shape), where=filled > 0))
    values *= scale.astype(np.float32)


def _stretches(field: Field, most: int, least: int) -> list[tuple[int, int]]:
    """Spans of steps, `most` of them in all, spread evenly over the runs; all steps where they are fewer."""
    if field.steps <= most:
        return field.runs
    length = min(most, max(least, most // _STRETCHES))
    count = max(1, most // length)
    starts = np.linspace(0, field.steps - length, count).round().astype(int)
    return [
        (max(first, start), min(last, start + length))
        for start in starts.tolist()
        for first, last in field.runs
        if max(first, start) < min(last, start + length)
    ]
