"""Which shade a value gets on a map, and the legend that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import Plan

__all__ = ["GAIN", "Shades", "shades_in", "shades_of", "shades_of_plan"]

GAIN = "gain of a next sensor"
"""What importance is at a site without a sensor, where `Plan.valued_at` is known."""

_SPREAD = 0.35  # values whose middle nine tenths fill less of their range than this are heavy-tailed; chosen
_LARGE, _FINE = 1e7, 1e-3  # values and ranges beyond which labels count powers of ten
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Shades:
    """Values turned into shades from 0 (light) to 1 (dark).

    Parameters
    ----------
    level : Float[ndarray, "n"]
        Shade of each value; NaN where there is none.
    ticks : tuple of (float, str)
        Shades to label in a legend, with the value that each stands for.
    by_rank : bool
        Whether shades follow the rank of a value (its percentile) and not its size.
    what : str
        What the values are, for the legend.
    colours : tuple of str
        From shade 0 to 1; empty for those of the maps of importance.
    """

    level: Float[ndarray, " n"]
    ticks: tuple[tuple[float, str], ...]
    by_rank: bool
    what: str = "importance"
    colours: tuple[str, ...] = ()


def shades_of(values: Float[ndarray, " n"]) -> Shades:
    """Shades in proportion to the values; by percentile if a few of them dwarf the rest.

    Examples
    --------
    >>> shades_of(np.array([0.0, 1.0, 2.0])).level.tolist()
    [0.0, 0.5, 1.0]
    >>> few = shades_of(np.append(np.arange(100.0), [1e6, np.nan]))
    >>> few.by_rank, few.level[[0, 50, 99, 100, 101]].tolist()
    (True, [0.0, 0.5, 0.99, 1.0, nan])
    """
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    level = np.full(len(values), np.nan)
    if high == low:
        level[np.isfinite(values)] = 0.5
        return Shades(level, ((0.5, _text(low)),) if len(known) else (), False)
    by_rank = bool(np.subtract(*np.quantile(known, [0.95, 0.05])) < _SPREAD * (high - low))
    if by_rank:
        level[np.isfinite(values)] = _ranks(known) / (len(known) - 1)
        marks = np.quantile(known, _TICKS)
    else:
        level = (values - low) / (high - low)
        marks = low + np.array(_TICKS) * (high - low)
    return Shades(level, tuple(zip(_TICKS, map(_text, marks.tolist()), strict=True)), by_rank)


def shades_in(values: Float[ndarray, " n"], low: float, high: float, what: str) -> Shades:
    """Shades in proportion, from one value to another; beyond them the outermost ones.

    Examples
    --------
    >>> shades_in(np.array([-1.0, 1.0, 9.0]), -1.0, 3.0, "pressure (Pa)").level.tolist()
    [0.0, 0.5, 1.0]
    """
    width = high - low if high > low else 1.0
    level = np.clip((values - low) / width, 0.0, 1.0)
    marks = low + np.array(_TICKS) * width
    labels = [_plain(_counted(mark, width)) for mark in marks.tolist()]
    return Shades(level, tuple(zip(_TICKS, labels, strict=True)), False, what)


def shades_of_plan(plan: Plan) -> Shades:
    """Where the next sensor would help; importance where the planner does not tell the gain of a sensor.

    Sites that carry a sensor have no shade where the shade is a gain: what they are worth is another number.

    Examples
    --------
    >>> from dynst.domain import Sites
    >>> sites, order, worth = Sites(np.arange(3.0), np.zeros(3)), np.array([2, 0, 1]), np.array([0.3, 0.2, 0.1])
    >>> shades_of_plan(Plan(order, worth, 1, sites, "by_hand", valued_at=1)).level.tolist()
    [1.0, 0.0, nan]
    >>> shades_of_plan(Plan(order, worth, 1, sites, "by_hand")).level.round(1).tolist()
    [0.5, 0.0, 1.0]
    """
    if plan.valued_at is None:
        return shades_of(plan.importance_map)
    return replace(shades_of(plan.gains), what=GAIN)


def _ranks(values: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Rank of each value from 0; equal values share the mean of their ranks.

    Examples
    --------
    >>> _ranks(np.array([5.0, 1.0, 5.0])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    middle: ndarray = np.cumsum(count) - (count + 1) / 2
    return middle[group]


def _counted(value: float, width: float) -> str:
    """A value with as many digits as tell it from others so far apart."""
    if abs(value) >= _LARGE or width < _FINE:
        return f"{value:.3g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(width)))}f}"


def _text(value: float) -> str:
    return _plain(f"{value:.3g}")


def _plain(text: str) -> str:
    return text.replace("e-0", "e-").replace("e+0", "e+").replace("-", "\N{MINUS SIGN}")
