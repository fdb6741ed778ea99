"""What covariances in space and time are made of: training anomalies, and products of a plan's sensors with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.linalg import cho_factor, get_blas_funcs
from scipy.spatial.distance import cdist

from dynst.errors import DataError

__all__ = [
    "STILL",
    "Anomalies",
    "Lagged",
    "Sensors",
    "add_product",
    "alike",
    "bound_of",
    "distances_between",
    "gram",
    "history_inputs",
    "noise_of",
    "precision",
    "rows_of",
]

_WINDOWS = 2000  # of training time, at most: more tell little
_PAIRED = 400  # sites whose pairs tell the length of the correlation
_BINS = 30  # of distance
_SAME = 1e-9  # relative difference of distances that rounding makes
_LEAST = 1e-6  # variance, in squared standard deviations, below which a series counts as constant
_BEYOND = 2.5  # times the largest anomaly of training time, of the site or of the typical one
_RIDGE = 3.0  # penalty of the ridge beside persistence, in variances of a sensor (docs/method.md)
_FAINT = 0.01  # ridge of patterns in time that are fitted to a history with gaps
_DOUBT = 0.02  # least variance of a target in an error bar, as a share of the mean of all
_ROUNDING = 0.01  # noise of a sensor from which float32 is exact enough
_QUIET = 0.01  # least noise of a sensor, as a share of the mean of all

STILL = 1e-4
"""Variance, in squared standard deviations, below which a sensor says nothing of its neighbours."""


@dataclass(frozen=True, eq=False)
class Anomalies:
    """Standardised anomalies of training time, in stretches of even steps.

    Parameters
    ----------
    values : Float[ndarray, "m n c"]
        float32, without NaN; what was missing holds what is expected of it, and its series keeps its variance.
        float64 is worked in float64.
    stretch : Int[ndarray, "m"]
        Number of the stretch of each step, not decreasing. No lag runs from one stretch to the next.
    observed, predicted : Int[ndarray, "_"]
        Channels that sensors measure, and channels that are forecast.
    weight : Float[ndarray, "n"]
        Area weights of the sites.
    points : Float[ndarray, "n d"] or None
        Places whose straight-line distance orders like true distance; None where nobody knows them.
    """

    values: Float[ndarray, "m n c"]
    stretch: Int[ndarray, " m"]
    observed: Int[ndarray, " ci"]
    predicted: Int[ndarray, " co"]
    weight: Float[ndarray, " n"]
    points: Float[ndarray, "n d"] | None = None

    def __post_init__(self) -> None:
        if not len(self.values):
            raise DataError("a covariance needs training time; got no step. Give a longer record.")

    @cached_property
    def targets(self) -> Float[ndarray, "m N"]:
        """The predicted channels of all sites, site-major."""
        return self._columns(self.values, self.predicted)

    @cached_property
    def variance(self) -> Float[ndarray, " N"]:
        """Mean square of each target."""
        mean: ndarray = np.einsum("mn,mn->n", self.targets, self.targets, dtype=float) / len(self.targets)
        return mean

    @cached_property
    def doubt(self) -> Float[ndarray, " N"]:
        """Variance of each target that an error bar starts from: one that hardly moved so far may move yet."""
        return np.asarray(np.maximum(self.variance, _DOUBT * float(self.variance.mean())))

    @cached_property
    def target_weight(self) -> Float[ndarray, " N"]:
        """Area weight of each target."""
        return np.repeat(self.weight, len(self.predicted))

    @cached_property
    def usual_extreme(self) -> float:
        """Largest anomaly of a typical site and channel."""
        return float(np.median(np.abs(self.values).max(axis=0)))

    def readings(self, sites: Int[ndarray, " k"]) -> Float[ndarray, "m q"]:
        """The observed channels of some sites, site-major."""
        return self._columns(self.values[:, sites], self.observed)

    def windows(self, length: int) -> Int[ndarray, " w"]:
        """First step of each window of `length` steps that lies in one stretch.

        Raises
        ------
        DataError
            If there is none.
        """
        starts = np.arange(len(self.values) - length + 1)
        starts = starts[self.stretch[starts] == self.stretch[starts + length - 1]]
        if not len(starts):
            raise DataError(f"training time holds no window of {length} steps. Shorten history and horizon.")
        return np.asarray(starts[:: -(-len(starts) // _WINDOWS)])

    def autocorrelation(self, lags: int) -> Float[ndarray, " l"]:
        """Correlation with the same series `lag` steps later, pooled over sites and channels; 1 at lag 0."""
        known = self._correlations_in_time
        for lag in range(len(known), lags):
            known.append(self._product(lag))
        return np.array(known[:lags]) / max(known[0], _LEAST)

    @cached_property
    def _correlations_in_time(self) -> list[float]:
        return []

    def _product(self, lag: int) -> float:
        """Sum of the products of all series with themselves `lag` steps later."""
        flat = self.values.reshape(len(self.values), -1)
        if lag >= len(flat):
            return 0.0
        later, now = flat[lag:], flat[: len(flat) - lag]
        same = self.stretch[lag:] == self.stretch[: len(flat) - lag]
        return float(np.einsum("mn,mn->m", later, now).astype(float) @ same)

    def later(self, lead: int) -> Float[ndarray, " N"]:
        """Mean product of each target with itself `lead` steps later."""
        if lead not in self._later:
            starts, targets = self.windows(lead + 1), self.targets
            product = np.einsum("mn,mn->n", rows_of(targets, starts), rows_of(targets, starts + lead), dtype=float)
            self._later[lead] = product / len(starts)
        return self._later[lead]

    @cached_property
    def _later(self) -> dict[int, Float[ndarray, " N"]]:
        return {}

    def at(self, sites: Int[ndarray, " s"]) -> Anomalies:
        """The same of some of the sites."""
        made = replace(
            self,
            values=self.values[:, sites],
            weight=self.weight[sites],
            points=None if self.points is None else self.points[sites],
        )
        if self.points is not None:
            made.__dict__["length"] = self.length
        made.__dict__["_correlations_in_time"] = self._correlations_in_time
        return made

    @cached_property
    def length(self) -> float:
        """Distance at which correlations fall to 1/e, between typical spacing and half the extent.

        Raises
        ------
        DataError
            If nobody knows the places.
        """
        if self.points is None:
            raise DataError("sites without positions have no correlation length. Choose a form without distances.")
        count = min(len(self.points), _PAIRED)
        moving = np.flatnonzero((np.square(self.values).mean(axis=0) > STILL).all(axis=1))
        moving = moving if len(moving) > 1 else np.arange(len(self.points))
        some = moving[np.unique(np.linspace(0, len(moving) - 1, min(count, len(moving))).round().astype(int))]
        distance = distances_between(self.points[some], self.points[some])
        first, second = np.triu_indices(len(some), 1)
        if not len(first):
            return 1.0
        lengths = [
            _length(distance[first, second], correlation[first, second])
            for correlation in map(_correlations, np.moveaxis(self.values[:, some], 2, 0))
        ]
        nearest = np.where(np.eye(len(some), dtype=bool), np.inf, distance).min(axis=1)
        extent = float(np.linalg.norm(self.points.max(axis=0) - self.points.min(axis=0)))
        return float(np.clip(max(lengths), np.median(nearest), max(extent / 2, np.median(nearest))))

    @staticmethod
    def _columns(values: Float[ndarray, "m k c"], channels: Int[ndarray, " j"]) -> Float[ndarray, "m q"]:
        every = len(channels) == values.shape[2]
        chosen = values if every else values[:, :, channels]
        return chosen.reshape(len(values), -1)


@dataclass(frozen=True, eq=False)
class Sensors:
    """What one plan reads in training time: its histories, and their products with themselves and with all targets.

    Parameters
    ----------
    record : Anomalies
        Training time.
    sites : Int[ndarray, "k"]
        Where the sensors are.
    filters : Float[ndarray, "t f"]
        Orthonormal patterns in time by which a history is read; the unit matrix reads its steps as they are.
    out : Float[ndarray, "p F N"]
        Mean product of each input with each target at lead 0 and later. Inputs are pattern-major.
    own : Float[ndarray, "F F"]
        Mean product of two inputs.
    now_out, now_own : Float[ndarray, "q N"], Float[ndarray, "q q"]
        The same of readings and targets of one step.
    bound : Float[ndarray, "q"]
        Size beyond which a reading tells no more of other places: training time has seen nothing like it.
    places : Float[ndarray, "k d"] or None
        Where the sensors are, if not all of them are among the sites of `record`; their site is then -1.
    """

    record: Anomalies
    sites: Int[ndarray, " k"]
    filters: Float[ndarray, "t f"]
    out: Float[ndarray, "p F N"]
    own: Float[ndarray, "F F"]
    now_out: Float[ndarray, "q N"]
    now_own: Float[ndarray, "q q"]
    bound: Float[ndarray, " q"]
    places: Float[ndarray, "k d"] | None = None

    @classmethod
    def of(
        cls,
        record: Anomalies,
        sites: Int[ndarray, " k"],
        *,
        history: int,
        leads: int,
        filters: Float[ndarray, "t f"] | None = None,
        lagged: Lagged | None = None,
    ) -> Sensors:
        """The sensors of a plan; a history is read by its steps if no `filters` are given.

        `lagged` are products of these sites, or of more, that are at hand.
        """
        series, targets = record.readings(sites), record.targets
        now_out = series.T @ targets / len(series)
        even = filters is None and _follow(record.windows(history + leads), history)
        filters = np.eye(history) if filters is None else filters
        starts = record.windows(history + leads)
        if even:
            known = Lagged.of(record, sites, history=history, leads=leads) if lagged is None else lagged
            out, own = known.out(sites, series), _own_by_lag(series, starts, history)
        else:
            out, own = _by_window(series, targets, starts, filters, leads)
        return cls(record, sites, filters, out, own, now_out, gram(series), bound_of(record, series))

    @property
    def history(self) -> int:
        """Steps of a history."""
        return len(self.filters)

    @property
    def leads(self) -> int:
        """Steps of a forecast."""
        return len(self.out) - 1

    def part(self, places: Int[ndarray, " j"]) -> Sensors:
        """Some of the sensors, by place in `sites`; what all of them share is not computed again."""
        width = len(self.record.observed)
        rows = (places[:, None] * width + np.arange(width)).ravel()
        patterns = np.arange(self.filters.shape[1])[:, None]
        inputs = (patterns * len(self.now_own) + rows).ravel()
        return replace(
            self,
            sites=self.sites[places],
            out=self.out[:, inputs],
            own=self.own[np.ix_(inputs, inputs)],
            now_out=self.now_out[rows],
            now_own=self.now_own[np.ix_(rows, rows)],
            bound=self.bound[rows],
        )

    def onto(self, targets: Int[ndarray, " s"]) -> Sensors:
        """The same sensors with some of the sites as targets, in increasing order; others are forecast no more."""
        record, width = self.record, len(self.record.predicted)
        columns = (targets[:, None] * width + np.arange(width)).ravel()
        kept = record.at(targets)
        place = np.full(len(record.weight), -1)
        place[targets] = np.arange(len(targets))
        return replace(
            self,
            record=kept,
            sites=place[self.sites],
            out=np.ascontiguousarray(self.out[:, :, columns]),
            now_out=self.now_out[:, columns],
            places=self._places,
        )

    @cached_property
    def _places(self) -> Float[ndarray, "k d"] | None:
        """Where the sensors are."""
        if self.places is not None or self.record.points is None:
            return self.places
        return np.asarray(self.record.points[self.sites])

    @cached_property
    def variance(self) -> Float[ndarray, " q"]:
        """Mean square of each series of readings."""
        return np.diagonal(self.now_own)

    @cached_property
    def noise(self) -> Float[ndarray, " F"]:
        """Variance of a sensor's noise in each input, at a share of 1."""
        return np.tile(noise_of(self.variance), self.filters.shape[1])

    @cached_property
    def ridge(self) -> tuple[Float[ndarray, "F F"], bool]:
        """The system of the ridge regression beside persistence, factorised."""
        system = self.own.astype(self.out.dtype)
        system.flat[:: len(system) + 1] += (_RIDGE * self.noise).astype(system.dtype)
        factor, lower = cho_factor(system.T, check_finite=False)
        return factor, lower

    @cached_property
    def measured(self) -> tuple[Int[ndarray, " p"], Int[ndarray, " p"]]:
        """Readings that are targets as well: their number in a step of readings, and their target."""
        record = self.record
        here = np.flatnonzero(self.sites >= 0)[:, None]
        reading, target = np.nonzero(record.observed[:, None] == record.predicted)
        step = here * len(record.observed) + reading
        column = self.sites[here] * len(record.predicted) + target
        return step.ravel(), column.ravel()

    @cached_property
    def distances(self) -> tuple[Float[ndarray, "k k"], Float[ndarray, "k n"]]:
        """Straight-line distance from each sensor to each sensor, and to each site."""
        if self._places is None or self.record.points is None:
            raise DataError("sites without positions have no distances. Choose a form without distances.")
        return distances_between(self._places, self._places), distances_between(self._places, self.record.points)

    @cached_property
    def kernel(self) -> tuple[Float[ndarray, "q q"], Float[ndarray, "q N"]]:
        """Covariance that falls exponentially with distance, none between channels: own, and with targets."""
        record = self.record
        own, out = (np.exp(-distance / record.length) for distance in self.distances)
        same = (record.observed[:, None] == record.predicted).astype(float)
        deviation = np.sqrt(np.where(self.variance > STILL, self.variance, 0.0))
        out = np.kron(out, same) * deviation[:, None] * np.sqrt(record.variance)
        own = np.kron(own, np.eye(len(record.observed))) * np.outer(deviation, deviation)
        return own, out.astype(record.values.dtype)

    def fading(self, taper: float) -> tuple[Float[ndarray, "q q"], Float[ndarray, "q N"]]:
        """Factors by which covariances fade with distance: own, and with targets."""
        if taper not in self._fading:
            record, width = self.record, len(self.record.observed)
            reach = taper * record.length
            own, out = (np.exp(-np.square(distance / reach) / 2) for distance in self.distances)
            spread = _spread(out, width, len(record.predicted)).astype(record.values.dtype)
            self._fading[taper] = _spread(own, width, width), spread
        return self._fading[taper]

    @cached_property
    def _fading(self) -> dict[float, tuple[Float[ndarray, "q q"], Float[ndarray, "q N"]]]:
        return {}


@dataclass(frozen=True, eq=False)
class Lagged:
    """Products of sites with all targets some steps later, from which those of any history and lead are made.

    A window's product differs from that of its neighbour by a step at either end alone. So all steps of a history
    share what lies between, and only the ends are added for each.

    Parameters
    ----------
    record : Anomalies
        Training time in one stretch whose windows follow one another (`Lagged.suits`).
    sites : Int[ndarray, "k"]
        Whose readings.
    history, leads : int
        Steps of a history, and of a forecast.
    products : Float[ndarray, "l q N"]
        Sum over the steps that all steps of a history share, by lag.
    """

    record: Anomalies
    sites: Int[ndarray, " k"]
    history: int
    leads: int
    products: Float[ndarray, "l q N"]

    @staticmethod
    def suits(record: Anomalies, *, history: int, leads: int) -> bool:
        """Whether training time is of that kind."""
        return _follow(record.windows(history + leads), history)

    @classmethod
    def of(cls, record: Anomalies, sites: Int[ndarray, " k"], *, history: int, leads: int) -> Lagged:
        """The products of some sites."""
        series, targets = record.readings(sites), record.targets
        shared = _shared_steps(record.windows(history + leads), history)
        products = np.empty((history + leads, series.shape[1], targets.shape[1]), targets.dtype)
        for lag, into in enumerate(products):
            np.matmul(series[shared].T, targets[shared.start + lag : shared.stop + lag], out=into)
        return cls(record, sites, history, leads, products)

    def out(self, sites: Int[ndarray, " k"], series: Float[ndarray, "m q"]) -> Float[ndarray, "p F N"]:
        """Mean products of the histories of some of the sites with all targets, at lead 0 and later."""
        width, targets = len(self.record.observed), self.record.targets
        starts = self.record.windows(self.history + self.leads)
        order = np.argsort(self.sites)
        places = order[np.searchsorted(self.sites, sites, sorter=order)]
        rows = (places[:, None] * width + np.arange(width)).ravel()
        made = np.empty((self.leads + 1, self.history, len(rows), targets.shape[1]), targets.dtype)
        scaled = np.asarray(series / len(starts), targets.dtype)
        for lead, step in np.ndindex(*made.shape[:2]):
            lag, ends = self.history - 1 + lead - step, _ends(starts, self.history, step)
            np.divide(self.products[lag, rows], len(starts), out=made[lead, step])
            add_product(made[lead, step], scaled[ends].T, targets[ends + lag])
        return np.asarray(made.reshape(self.leads + 1, -1, targets.shape[1]))


def _follow(starts: Int[ndarray, " w"], history: int) -> bool:
    """Whether windows follow one another without a break, and for long enough to share steps."""
    return bool(len(starts) == starts[-1] - starts[0] + 1 and len(starts) > 2 * history)


def _shared_steps(starts: Int[ndarray, " w"], history: int) -> slice:
    """Steps that stand at every place of a history in some window."""
    return slice(int(starts[0]) + history - 1, int(starts[-1]) + 1)


def _ends(starts: Int[ndarray, " w"], history: int, step: int) -> Int[ndarray, " e"]:
    """Steps that stand at place `step` of a history in some window, but not at every place."""
    first, last = int(starts[0]), int(starts[-1])
    return np.asarray(np.r_[first + step : first + history - 1, last + 1 : last + step + 1])


def _own_by_lag(series: Float[ndarray, "m q"], starts: Int[ndarray, " w"], history: int) -> Float[ndarray, "F F"]:
    """Mean products of the steps of a history in float64, as `gram` has them."""
    exact, shared, size = series.astype(float), _shared_steps(starts, history), series.shape[1]
    made = np.empty((history, size, history, size))
    for lag in range(history):
        product = exact[shared].T @ exact[shared.start + lag : shared.stop + lag]
        for step in range(history - lag):
            ends = _ends(starts, history, step)
            both = (product + exact[ends].T @ exact[ends + lag]) / len(starts)
            made[step, :, step + lag], made[step + lag, :, step] = both, both.T
    return np.asarray(made.reshape(history * size, -1))


def _by_window(
    series: Float[ndarray, "m q"],
    targets: Float[ndarray, "m N"],
    starts: Int[ndarray, " w"],
    filters: Float[ndarray, "t f"],
    leads: int,
) -> tuple[Float[ndarray, "p F N"], Float[ndarray, "F F"]]:
    """Mean products of histories with all targets and with themselves, window by window."""
    history = len(filters)
    inputs = history_inputs(series[starts[:, None] + np.arange(history)], filters).astype(targets.dtype)
    out = np.empty((leads + 1, inputs.shape[1], targets.shape[1]), targets.dtype)
    for lead in range(leads + 1):
        np.matmul(inputs.T, rows_of(targets, starts + history - 1 + lead), out=out[lead])
    out /= len(starts)
    return out, gram(inputs)  # the latter exact: noise may be a millionth of it


def add_product(into: Float[ndarray, "b n"], left: Float[ndarray, "b f"], right: Float[ndarray, "f n"]) -> None:
    """Add a product of matrices in place, without a temporary of its size.

    Examples
    --------
    >>> into = np.ones((1, 2))
    >>> add_product(into, np.array([[2.0]]), np.array([[3.0, 4.0]]))
    >>> into.tolist()
    [[7.0, 9.0]]
    """
    gemm = get_blas_funcs("gemm", (into, left, right))
    made: ndarray = gemm(1.0, right.T, left.T, beta=1.0, c=into.T, overwrite_c=True).T
    if not np.shares_memory(made, into):  # not contiguous, or of another type
        into[:] = made


def bound_of(record: Anomalies, series: Float[ndarray, "m q"]) -> Float[ndarray, " q"]:
    """Size beyond which a reading counts as this size, where it speaks of other places or times."""
    largest = np.abs(series).max(axis=0)
    return np.asarray(_BEYOND * np.maximum(largest, record.usual_extreme))


def noise_of(variance: Float[ndarray, " q"]) -> Float[ndarray, " q"]:
    """Variance of a sensor's noise by that of its series; a series that hardly moves has the noise of others."""
    return np.asarray(np.maximum(variance, max(_QUIET * float(variance.mean()), _LEAST)))


def history_inputs(steps: Float[ndarray, "b t q"], filters: Float[ndarray, "t f"]) -> Float[ndarray, "b F"]:
    """Histories read by patterns in time, pattern-major.

    Where steps are missing (NaN), patterns are fitted to those that came; NaN where fewer than half of them did.
    """
    if len(filters) == filters.shape[1]:
        return steps.reshape(len(steps), -1)
    by_series = steps.transpose(0, 2, 1).reshape(-1, len(filters))
    known = np.isfinite(by_series)
    read = np.where(known, by_series, 0.0) @ filters
    read = read.astype(by_series.dtype, copy=False)
    for pattern, rows in alike(known):
        if pattern.sum() * 2 < len(pattern):
            read[rows] = np.nan
        elif not pattern.all():
            some = filters[pattern]
            system = some.T @ some + _FAINT * np.eye(filters.shape[1])
            read[rows] = by_series[np.ix_(rows, pattern)] @ np.linalg.solve(system, some.T).T
    shape = (len(steps), steps.shape[2], -1)
    return np.asarray(read.reshape(shape).transpose(0, 2, 1).reshape(len(steps), -1))


def distances_between(first: Float[ndarray, "k d"], second: Float[ndarray, "n d"]) -> Float[ndarray, "k n"]:
    """Straight-line distances."""
    return np.asarray(cdist(first, second))  # exact: a place is at distance 0 from itself


def gram(values: Float[ndarray, "m q"], kind: type | np.dtype[Any] = float) -> Float[ndarray, "q q"]:
    """Mean products of columns, in float64 by default: rounding to float32 would leave negative eigenvalues."""
    exact = values.astype(kind, copy=False)
    product: ndarray = exact.T @ exact
    product /= len(values)
    return product


def precision(noise: float, kind: np.dtype[Any]) -> np.dtype[Any]:
    """Floating type in which a system with so much noise is solved: float64 where rounding would outweigh the noise.

    Examples
    --------
    >>> precision(0.1, np.dtype("f4")), precision(1e-6, np.dtype("f4"))
    (dtype('float32'), dtype('float64'))
    """
    return kind if noise >= _ROUNDING else np.dtype(float)


def rows_of(values: Float[ndarray, "m q"], rows: Int[ndarray, " w"]) -> Float[ndarray, "w q"]:
    """Some rows; no copy where they follow one another."""
    whole = len(rows) == rows[-1] - rows[0] + 1
    return values[rows[0] : rows[-1] + 1] if whole else values[rows]


def _spread(factor: Float[ndarray, "k n"], rows: int, columns: int) -> Float[ndarray, "q N"]:
    """The same factor for all channels of a pair of sites."""
    return np.repeat(np.repeat(factor, rows, axis=0), columns, axis=1)


def _correlations(values: Float[ndarray, "m s"]) -> Float[ndarray, "s s"]:
    exact = values.astype(float)
    product = exact.T @ exact
    size = np.sqrt(np.maximum(np.diagonal(product), _LEAST))
    return np.asarray(product / np.outer(size, size))


def _length(distance: Float[ndarray, " p"], correlation: Float[ndarray, " p"]) -> float:
    """First distance at which the mean correlation is below 1/e, in bins of about equal count.

    Equal distances, of which grids have many, share a bin: else the order of the sites would matter.
    """
    ends = np.quantile(distance, np.linspace(0, 1, _BINS + 1)[1:-1], method="lower")
    bins = np.searchsorted(ends, distance * (1 - _SAME))
    sums = np.stack([np.bincount(bins, weights) for weights in (np.ones(len(bins)), distance, correlation)])
    count, far, mean = sums[:, sums[0] > 0]
    far, mean = far / count, mean / count
    below = np.flatnonzero(mean < np.exp(-1))
    return float(far[below[0]] if len(below) else far[-1])


def alike(known: Bool[ndarray, "b q"]) -> Iterator[tuple[Bool[ndarray, " q"], Int[ndarray, " r"]]]:
    """Each pattern of what is known, and the rows that have it."""
    _, first, which = np.unique(np.packbits(known, axis=1), axis=0, return_index=True, return_inverse=True)
    for number, row in enumerate(first):
        yield known[row], np.flatnonzero(which.ravel() == number)
