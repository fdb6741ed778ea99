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
        self._weights = np.stack([weight * group for group in groups], axis=-1)  # at sensors, away from them, regions
        self._std = np.asarray(std, float)
        self._sums = [ErrorSums.zero(p, len(std)) for _ in groups]
        self._windows: list[tuple[ndarray, ndarray]] = []

    def add(
        self,
        error: Float[ndarray, "b p n c"],
        observed: Bool[ndarray, "b p n c"] | None = None,
        *,
        truth: Float[ndarray, "b p n c"] | None = None,
    ) -> None:
        """Count the standardised errors of some windows where the target is observed; `error` is overwritten.

        `truth` are the standardised targets: anomalies from each site's climatology.
        """
        groups = self._weights.shape[1]
        if observed is None:
            weight = np.broadcast_to(self._weights.sum(axis=0), (*error.shape[:2], error.shape[3], groups))
        else:
            error[~observed] = 0.0
            weight = self._over_sites(observed)
        anomaly = []
        if truth is not None:
            known = truth if observed is None else np.where(observed, truth, np.float32(0))
            total = self._over_sites(np.square(known))
            anomaly = [self._over_sites(error * known) + total, total]
        signed = self._over_sites(error)
        absolute = self._over_sites(np.abs(error, out=error))
        square = self._over_sites(np.square(error, out=error))
        for i in range(groups):
            parts = (part[..., i].sum(axis=0) for part in (square, absolute, signed, weight, *anomaly))
            self._sums[i] = self._sums[i] + ErrorSums(*parts)
        self._windows.append((square[..., :2].sum(axis=-1), weight[..., :2].sum(axis=-1)))

    def _over_sites(self, values: Shaped[ndarray, "b p n c"]) -> Float[ndarray, "b p c g"]:
        """Weighted sums over the sites of each group."""
        b, p, n, c = values.shape
        rows = values.transpose(0, 1, 3, 2).reshape(-1, n).astype(np.float32, copy=False)
        return (rows @ self._weights.astype(np.float32)).astype(float).reshape(b, p, c, -1)

    def score(self, notes: dict[str, object] | None = None, *, run: Int[ndarray, " m"] | None = None) -> Score:
        """The errors so far; `run` as for `Score`."""
        at, away, *others = (sums.scaled(self._std) for sums in self._sums)
        regions = dict(zip(self._names, others, strict=True))
        return Score(at + away, at, away, self._std, self._per_window(), notes or {}, run, regions)

    def _per_window(self) -> Float[ndarray, " m"]:
        """What each window adds to the mean over lead times and channels, each of which counts alike."""
        square, weight = (np.concatenate(parts) for parts in zip(*self._windows, strict=True))  # (m, p, c)
        there, known = weight.any(axis=(1, 2)), weight.sum(axis=0) > 0
        usual = weight[:, known].sum(axis=0) / max(1, there.sum())
        return np.where(there, (square[:, known] / usual).mean(axis=1) if known.any() else np.nan, np.nan)
