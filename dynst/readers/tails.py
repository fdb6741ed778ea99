"""Values far outside the rest of a record, found by the record itself: codes for missing values, and single spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

__all__ = ["TAIL", "Outlier", "Tail", "looks_like_code", "outliers", "suspicious"]

TAIL = 32
"""So many distinct values, the most extreme ones of a side, are looked at."""

_OFTEN = 5  # chosen: so often no measurement hits exactly the same value far from all others
_TWICE = 2
_LONG_CODE = 255  # smaller nines may be measured: 99 %
_DOUBT = 20.0  # times farther out than all others: beyond any doubt
_ODD = 3.0  # times farther out: worth a look
_DEVIATIONS = 50.0  # robust standard deviations of the record
_FEW = 20  # distinct values: with fewer their spread says little
_GAP_OF_FEW = 20.0  # ranges of the rest
_HALF = 0.5  # a record of mostly zeros reaches somewhere, too
_WIDE = 0.8  # chosen: finds -200 below nitrogen oxides of 2 to 1400, and nothing in clean records
_LEAST_GAP = _WIDE * _HALF / 2  # quartile ranges of all, of which the rest may have half; a smaller gap is never wide
_TO_DEVIATION = 0.7413  # of a quartile range, for a normal distribution
_BOUNDS = {f"{float(bound):g}" for bound in (32767, 32768, 65534, 65535, 2147483647, 2147483648, 4294967295, 255)}
_POWER = 10  # 1e10 and more: 1e20, 1e15


@dataclass(frozen=True)
class Outlier:
    """One value far outside the rest.

    Parameters
    ----------
    value : float
        As float32 holds it.
    count : int
        How often the record holds it.
    code : bool
        Whether it stands for a missing value: nothing that is measured gives it again and again.
    alone : bool
        Whether it is so far out that no measurement gives it, if no reading beside it in time is as odd.
    odd : bool
        Whether it is worth a look: many deviations away, as no calm record has any.
    """

    value: float
    count: int
    code: bool = False
    alone: bool = False
    odd: bool = False


@dataclass(frozen=True, eq=False)
class Tail:
    """The distinct values of a side, from the most extreme inwards, and how often each comes."""

    values: Float[ndarray, " k"]
    counts: Int[ndarray, " k"]

    def join(self, other: Tail) -> Tail:
        """Of two parts of a record; the larger side, not more than `TAIL` values.

        Examples
        --------
        >>> one = Tail(np.array([9.0, 1.0]), np.array([2, 1]))
        >>> one.join(Tail(np.array([9.0, 4.0]), np.array([1, 1]))).counts.tolist()
        [3, 1, 1]
        """
        values, place = np.unique(np.concatenate([self.values, other.values]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([self.counts, other.counts]), len(values)).astype(np.int64)
        return Tail(values[::-1][:TAIL], counts[::-1][:TAIL])

    @classmethod
    def of(cls, values: Float[ndarray, " m"]) -> Tail:
        """The larger side of some values, none of them NaN."""
        ordered = np.sort(values)
        first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
        counts = np.diff(np.r_[first, len(ordered)])
        return cls(ordered[first][::-1][:TAIL], counts[::-1][:TAIL])


def suspicious(body: Float[ndarray, " m"], extremes: Float[ndarray, " n"]) -> bool:
    """Whether the side of the larger values can hold any that lie far outside the rest.

    All values are of the record, so where they leave no wide gap the whole record leaves none.

    Parameters
    ----------
    body : Float[ndarray, "m"]
        A sample of the record, ascending.
    extremes : Float[ndarray, "n"]
        The largest value of each site.

    Examples
    --------
    >>> body = np.sort(np.random.default_rng(0).standard_normal(500))
    >>> suspicious(body, body[-1:] + 0.5), suspicious(body, np.array([99.0]))
    (False, True)
    """
    return bool(outliers(Tail.of(np.concatenate([body, extremes[extremes > body[-1]]])), body))


def outliers(tail: Tail, body: Float[ndarray, " m"], *, lower: bool = False) -> list[Outlier]:
    """The values of the larger side that lie far outside the rest, from the most extreme inwards.

    Parameters
    ----------
    tail : Tail
        The larger side of the whole record.
    body : Float[ndarray, "m"]
        A sample of the record, ascending.
    lower : bool
        Whether all signs were turned: it is the side of the smaller values.

    Examples
    --------
    >>> body = np.sort(np.random.default_rng(0).standard_normal(500))
    >>> outliers(Tail(np.r_[9999.0, body[::-1][:31]], np.r_[7, np.ones(31, int)]), body)
    [Outlier(value=9999.0, count=7, code=True, alone=True, odd=True)]
    >>> outliers(Tail.of(body), body)
    []
    """
    distinct = _distinct(body)
    gaps = -np.diff(tail.values.astype(float))
    for k in (np.flatnonzero(gaps > _LEAST_GAP * _quartile_range(distinct)) + 1).tolist()[::-1]:
        inside = _Rest.below(float(tail.values[k - 1]), float(tail.values[k]), body, distinct)
        if inside.distinct.size and _wide(tail.values[:k], inside):
            return [_judged(tail, i, inside, lower=lower) for i in range(k)]
    return []


def looks_like_code(value: float) -> bool:
    """Whether people write such a number for a missing value: all nines, the bound of a type, a power of ten.

    Examples
    --------
    >>> [looks_like_code(value) for value in (-9999.9, 99.0, 65535.0, 1e20, -200.0, 9.0)]
    [True, True, True, True, False, False]
    """
    size = np.float32(abs(value))
    digits = np.format_float_positional(size, trim="-").replace(".", "")
    nines = len(digits) > 1 and set(digits) == {"9"}
    power = np.format_float_scientific(size, trim="-", exp_digits=1)
    mantissa, _, exponent = power.partition("e+")
    return nines or f"{size:g}" in _BOUNDS or (mantissa in {"1", "1."} and int(exponent or 0) >= _POWER)


@dataclass(frozen=True, eq=False)
class _Rest:
    """The values below some that are suspected: the largest, the median, and the distinct ones."""

    edge: float
    middle: float
    distinct: Float[ndarray, " d"]

    @classmethod
    def below(cls, value: float, edge: float, body: Float[ndarray, " m"], distinct: Float[ndarray, " d"]) -> _Rest:
        count = int(np.searchsorted(body, value))
        middle = float(body[count // 2]) if count else edge
        return cls(edge, middle, distinct[: np.searchsorted(distinct, value)])

    @property
    def reach(self) -> float:
        """How far they reach above the median; half the quartile range of the distinct ones if that is more."""
        return max(self.edge - self.middle, _HALF * _quartile_range(self.distinct))


def _wide(values: Float[ndarray, " k"], rest: _Rest) -> bool:
    """Whether the gap below the suspected values is wider than all that the rest reaches."""
    gap = float(values[-1]) - rest.edge
    if len(rest.distinct) >= _FEW or all(looks_like_code(value) for value in values.tolist()):
        return gap > _WIDE * rest.reach
    span = rest.edge - float(rest.distinct[0])
    return span > 0 and gap > _GAP_OF_FEW * span


def _judged(tail: Tail, i: int, rest: _Rest, *, lower: bool) -> Outlier:
    value, count = float(tail.values[i]), int(tail.counts[i])
    deviation = _TO_DEVIATION * _quartile_range(rest.distinct)
    gap = value - rest.edge
    odd = value - rest.middle > _DEVIATIONS * deviation and gap > _ODD * rest.reach
    beyond = odd and gap > _DOUBT * rest.reach
    known = looks_like_code(value) and value >= _LONG_CODE
    often = count >= _OFTEN or (known and lower) or sum([count >= _TWICE, beyond, known]) > 1
    return Outlier(value, count, code=often and value != 0, alone=beyond, odd=odd)


def _distinct(ordered: Float[ndarray, " m"]) -> Float[ndarray, " d"]:
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def _quartile_range(distinct: Float[ndarray, " d"]) -> float:
    last = len(distinct) - 1
    return float(distinct[round(0.75 * last)]) - float(distinct[round(0.25 * last)])
