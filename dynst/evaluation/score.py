"""Score: what one forecaster's errors amount to - overall, at sensors and away, and window by window."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from dynst.evaluation import metrics
from dynst.evaluation.sums import ErrorSums

__all__ = ["ErrorTally", "Score"]

_PARTS = ("sums", "at_sensors", "away")
_ERRORS = ("square", "absolute", "signed", "weight")
_COUNTED = (*_ERRORS, "product", "truth")


@dataclass(frozen=True, eq=False)
class Score:
    """Errors of one forecaster over the windows of one block.

    Parameters
    ----------
    sums, at_sensors, away : ErrorSums
        In the channels' units: over all sites, over the sites with a sensor, and over those without.
    std : Float[ndarray, "c"]
        Training standard deviation of each channel, in its unit.
    per_window : Float[ndarray, "m"]
        Mean squared error of each window over sites, lead times and channels, in squared training standard
        deviations; NaN for a window without any observed target. Where targets are missing, a window counts by what it
        observes of each lead time and channel, so that the mean over windows is always the square of `total`. Kept for
        paired intervals.
    notes : dict
        How the forecaster was made: penalty of a ridge, steps of a network and its ``valid_error``, the RMSE on
        validation windows in training standard deviations.
    run : Int[ndarray, "m"] or None
        Experiment that each window is of; None where all are of one record.
    regions : dict of str to ErrorSums
        Errors over the sites of each named region, in the channels' units; empty where none were told apart.
    """

    sums: ErrorSums
    at_sensors: ErrorSums
    away: ErrorSums
    std: Float[ndarray, " c"]
    per_window: Float[ndarray, " m"]
    notes: dict[str, object] = field(default_factory=dict)
    run: Int[ndarray, " m"] | None = None
    regions: dict[str, ErrorSums] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Score({self.total:.4g} standard deviations over {len(self.per_window)} windows)"

    @property
    def rmse(self) -> Float[ndarray, "p c"]:
        """Root mean squared error per lead time and channel, in the channel's unit."""
        return metrics.rmse(self.sums)

    @property
    def mae(self) -> Float[ndarray, "p c"]:
        """Mean absolute error per lead time and channel, in the channel's unit."""
        return metrics.mae(self.sums)

    @property
    def bias(self) -> Float[ndarray, "p c"]:
        """Mean of forecast minus truth per lead time and channel, in the channel's unit."""
        return metrics.bias(self.sums)

    @property
    def acc(self) -> Float[ndarray, "p c"]:
        """Anomaly correlation per lead time and channel; `metrics.acc` names the convention."""
        return metrics.acc(self.sums)

    @property
    def total(self) -> float:
        """RMSE over lead times and channels, each counting alike, in training standard deviations.

        A channel, or a lead time of it, without any observed target does not count; `unobserved` tells of it.
        """
        known = self.sums.weight > 0
        return float(np.sqrt(np.mean((metrics.mse(self.sums) / self.std**2)[known]))) if known.any() else np.nan

    @property
    def unobserved(self) -> tuple[int, ...]:
        """Positions of the channels that have no observed target at some lead time: `total` leaves these out."""
        return tuple(np.flatnonzero((self.sums.weight <= 0).any(axis=0)).tolist())

    def to_arrays(self) -> dict[str, ndarray]:
        """Everything as arrays for one ``.npz`` file, from which `from_arrays` makes the same score again."""
        named = {name: getattr(self, name) for name in _PARTS}
        named |= {f"region{i}": sums for i, sums in enumerate(self.regions.values())}
        arrays = {f"{name}_{part}": a for name, sums in named.items() for part, a in sums.to_arrays().items()}
        arrays |= {"std": self.std, "per_window": self.per_window}
        # text as JSON: an array of strings would drop what a name ends with if that is a NUL
        arrays["notes"] = np.array(json.dumps(self.notes, default=_plain))
        arrays["regions"] = np.array(json.dumps(list(self.regions)))
        return arrays if self.run is None else arrays | {"run": self.run}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, ndarray]) -> Score:
        """The score that `to_arrays` described.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        names = json.loads(str(arrays["regions"]))

        def sums(name: str) -> ErrorSums:
            start = f"{name}_"
            return ErrorSums(**{key.removeprefix(start): arrays[key] for key in arrays if key.startswith(start)})

        return cls(
            sums("sums"),
            sums("at_sensors"),
            sums("away"),
            std=arrays["std"],
            per_window=arrays["per_window"],
            notes=json.loads(str(arrays["notes"])),
            run=arrays.get("run"),
            regions={name: sums(f"region{i}") for i, name in enumerate(names)},
        )


def _plain(value: object) -> object:
    """Numbers of NumPy as those of Python."""
    return value.item() if isinstance(value, np.generic) else str(value)


class ErrorTally:
    """Gathers standardised errors, some windows at a time, into a `Score`.

    Parameters
    ----------
    weight : Float[ndarray, "n"]
        Area weight of each site.
    selected : Int[ndarray, "k"]
        The sites with a sensor.
    std : Float[ndarray, "c"]
        Deviation that turns standardised errors into the channels' units.
    p : int
        Number of lead times.
    regions : mapping of str to Bool[ndarray, "n"], or None
        Sites of each region; regions may overlap and need not cover all sites.

    Examples
    --------
    >>> tally = ErrorTally(np.ones(2), np.array([1]), np.array([10.0]), 1)
    >>> tally.add(np.array([[[[0.5], [0.0]]]], np.float32))
    >>> score = tally.score()
    >>> score.away.square.item(), score.at_sensors.square.item(), score.per_window.tolist()
    (25.0, 0.0, [0.125])
    """

    def __init__(
        self,
        weight: Float[ndarray, " n"],
        selected: Int[ndarray, " k"],
        std: Float[ndarray, " c"],
        p: int,
        *,
        regions: Mapping[str, Bool[ndarray, " n"]] | None = None,
    ) -> None:
        has = np.zeros(len(weight), bool)
        has[selected] = True
        self._names = tuple(regions or {})
        groups = [has, ~has, *(regions or {}).values()]
        self._weight = np.asarray(weight, float)
        self._weights = np.stack([weight * group for group in groups])  # at sensors, away from them, regions
        self._std = np.asarray(std, float)
        self._by_site = {name: np.zeros((p, len(weight), len(std))) for name in _COUNTED}
        self._has_truth = True
        self._windows: list[tuple[ndarray, ndarray]] = []

    def add(
        self,
        error: Float[ndarray, "b p n c"],
        observed: Bool[ndarray, "b p n c"] | None = None,
        *,
        truth: Float[ndarray, "b p n c"] | None = None,
    ) -> None:
        """Count the standardised errors of some windows where the target is observed; `error` may be overwritten.

        `truth` are the standardised targets: anomalies from each site's climatology. Arrays whose memory goes by lead
        time first are summed up without a copy.
        """
        error = _by_lead(error)
        known = None if observed is None else _by_lead(observed)
        if known is not None:
            np.copyto(error, 0, where=~known)
        self._has_truth &= truth is not None
        if truth is not None:
            target = _by_lead(truth) if known is None else np.where(known, _by_lead(truth), np.float32(0))
            square = _products(target, target)
            self._by_site["truth"] += square
            self._by_site["product"] += _products(error, target) + square
        self._by_site["signed"] += _over_windows(error)
        self._by_site["absolute"] += _over_windows(np.abs(error, out=error))
        self._by_site["square"] += _over_windows(np.square(error, out=error))
        if known is None:
            self._by_site["weight"] += error.shape[1]
            weight = np.full((error.shape[1], len(error), error.shape[3]), self._weight.sum())
        else:
            self._by_site["weight"] += _over_windows(known.astype(np.float32))
            weight = self._over_sites(known)
        self._windows.append((self._over_sites(error), weight))

    def _over_sites(self, values: Shaped[ndarray, "p b n c"]) -> Float[ndarray, "b p c"]:
        """Weighted sums over all sites, of each window."""
        flat = values.astype(np.float32, copy=False).reshape(*values.shape[:2], -1)
        weights = np.kron(self._weight[:, None], np.eye(values.shape[3])).astype(np.float32)
        return np.moveaxis(flat @ weights, 0, 1).astype(float)

    def score(self, notes: dict[str, object] | None = None, *, run: Int[ndarray, " m"] | None = None) -> Score:
        """The errors so far; `run` as for `Score`."""
        at, away, *others = (self._sums(weights).scaled(self._std) for weights in self._weights)
        regions = dict(zip(self._names, others, strict=True))
        return Score(at + away, at, away, self._std, self._per_window(), notes or {}, run, regions)

    def _sums(self, weights: Float[ndarray, " n"]) -> ErrorSums:
        """Sums over the sites of a group."""
        sums = {name: np.einsum("n,pnc->pc", weights, values) for name, values in self._by_site.items()}
        return ErrorSums(**(sums if self._has_truth else {name: sums[name] for name in _ERRORS}))

    def _per_window(self) -> Float[ndarray, " m"]:
        """What each window adds to the mean over lead times and channels, each of which counts alike."""
        square, weight = (np.concatenate(parts) for parts in zip(*self._windows, strict=True))  # (m, p, c)
        there, known = weight.any(axis=(1, 2)), weight.sum(axis=0) > 0
        usual = weight[:, known].sum(axis=0) / max(1, there.sum())
        return np.where(there, (square[:, known] / usual).mean(axis=1) if known.any() else np.nan, np.nan)


def _by_lead(values: Shaped[ndarray, "b p n c"]) -> Shaped[ndarray, "p b n c"]:
    """The same by lead time first."""
    return np.ascontiguousarray(np.moveaxis(values, 1, 0))


def _products(one: Float[ndarray, "p b n c"], other: Float[ndarray, "p b n c"]) -> Float[ndarray, "p n c"]:
    """Sums of products over the windows."""
    p, b, n, c = one.shape
    made: ndarray = np.einsum("pbq,pbq->pq", one.reshape(p, b, -1), other.reshape(p, b, -1))
    return made.reshape(p, n, c)


def _over_windows(values: Float[ndarray, "p b n c"]) -> Float[ndarray, "p n c"]:
    """Sums over the windows, by the fastest product there is."""
    p, b, n, c = values.shape
    return np.asarray((np.ones(b, values.dtype) @ values.reshape(p, b, n * c)).reshape(p, n, c))
