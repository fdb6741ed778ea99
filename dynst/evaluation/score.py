"""Score: what one forecaster's errors amount to - overall, at sensors and away, and window by window."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from dynst.evaluation import metrics
from dynst.evaluation.sums import ErrorSums

__all__ = ["ErrorTally", "Score"]


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
        deviations; NaN for a window without any observed target. Kept for paired intervals.
    notes : dict
        How the forecaster was made: penalty of a ridge, steps of a network.
    run : Int[ndarray, "m"] or None
        Experiment that each window is of; None where all are of one record.
    """

    sums: ErrorSums
    at_sensors: ErrorSums
    away: ErrorSums
    std: Float[ndarray, " c"]
    per_window: Float[ndarray, " m"]
    notes: dict[str, object] = field(default_factory=dict)
    run: Int[ndarray, " m"] | None = None

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
    def total(self) -> float:
        """RMSE over lead times and channels, each counting alike, in training standard deviations."""
        return float(np.sqrt(np.nanmean(metrics.mse(self.sums) / self.std**2)))


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

    Examples
    --------
    >>> tally = ErrorTally(np.ones(2), np.array([1]), np.array([10.0]), 1)
    >>> tally.add(np.array([[[[0.5], [0.0]]]], np.float32))
    >>> score = tally.score()
    >>> score.away.square.item(), score.at_sensors.square.item(), score.per_window.tolist()
    (25.0, 0.0, [0.125])
    """

    def __init__(
        self, weight: Float[ndarray, " n"], selected: Int[ndarray, " k"], std: Float[ndarray, " c"], p: int
    ) -> None:
        has = np.zeros(len(weight), bool)
        has[selected] = True
        self._weights = np.stack([weight * has, weight * ~has], axis=-1)  # at sensors, away from them
        self._std = np.asarray(std, float)
        self._sums = [ErrorSums.zero(p, len(std)) for _ in range(2)]
        self._windows: list[ndarray] = []

    def add(self, error: Float[ndarray, "b p n c"], observed: Bool[ndarray, "b p n c"] | None = None) -> None:
        """Count the standardised errors of some windows where the target is observed; `error` is overwritten."""
        if observed is None:
            weight = np.broadcast_to(self._weights.sum(axis=0), (*error.shape[:2], error.shape[3], 2))
        else:
            error[~observed] = 0.0
            weight = self._over_sites(observed)
        signed = self._over_sites(error)
        absolute = self._over_sites(np.abs(error, out=error))
        square = self._over_sites(np.square(error, out=error))
        for i in range(2):
            parts = (part[..., i].sum(axis=0) for part in (square, absolute, signed, weight))
            self._sums[i] = self._sums[i] + ErrorSums(*parts)
        num, den = square.sum(axis=(1, 2, 3)), weight.sum(axis=(1, 2, 3))
        self._windows.append(np.divide(num, den, out=np.full(len(num), np.nan), where=den > 0))

    def _over_sites(self, values: Shaped[ndarray, "b p n c"]) -> Float[ndarray, "b p c 2"]:
        """Weighted sums over the sites: over those with a sensor, and over the others."""
        b, p, n, c = values.shape
        rows = values.transpose(0, 1, 3, 2).reshape(-1, n).astype(np.float32, copy=False)
        return (rows @ self._weights.astype(np.float32)).astype(float).reshape(b, p, c, 2)

    def score(self, notes: dict[str, object] | None = None, *, run: Int[ndarray, " m"] | None = None) -> Score:
        """The errors so far; `run` as for `Score`."""
        at, away = (sums.scaled(self._std) for sums in self._sums)
        return Score(at + away, at, away, self._std, np.concatenate(self._windows), notes or {}, run)
