"""How good forecasts were: errors beside no change and the climatology, coverage of the intervals, CRPS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.special import ndtr

from dynst.evaluation.score import ErrorTally, Score
from dynst.forecasting.forecaster import Block, Forecaster

__all__ = ["Hindcast", "HindcastTally"]


@dataclass(frozen=True, eq=False)
class Hindcast:
    """Figures of many forecasts, for lead 0 and later.

    Parameters
    ----------
    forecast, unchanged, climatology : Score
        Errors of the forecasts, of no change (of the value or of its anomaly, whichever has less error) and of the
        climatology. A value that nobody measured counts in none.
    coverage : Float[ndarray, "p co"]
        Share of the values inside their 90 % interval, by area.
    crps, usual_crps : Float[ndarray, "p co"]
        Continuous ranked probability score of the forecast and of the climatology with its spread, in the unit.
    starts : int
        Forecasts that were compared.
    """

    forecast: Score
    unchanged: Score
    climatology: Score
    coverage: Float[ndarray, "p co"]
    crps: Float[ndarray, "p co"]
    usual_crps: Float[ndarray, "p co"]
    starts: int


class HindcastTally:
    """Gathers forecasts and what became of them, some starts at a time.

    Parameters
    ----------
    forecaster : Forecaster
        What made the forecasts.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        self._forecaster = forecaster
        sites, leads = forecaster.sites, forecaster.leads + 1
        self._weight = sites.weight[None, None, :, None]
        made = (sites.weight, forecaster.selected, forecaster.std, leads)
        self._tallies = {name: ErrorTally(*made) for name in ("forecast", "value", "anomaly", "climatology")}
        shape = (leads, len(forecaster.predicted))
        self._sums = {name: np.zeros(shape) for name in ("inside", "crps", "usual", "weight")}
        self._spread = np.maximum(forecaster.spread(), 1e-30)
        self.starts = 0

    def add(self, present: Int[ndarray, " b"], block: Block, truth: Float[ndarray, "b p n co"]) -> None:
        """Count the forecasts of some starts; a truth that is missing is NaN."""
        forecaster = self._forecaster
        steps = present[:, None] + np.arange(forecaster.leads + 1)
        usual = forecaster.climatology(steps.ravel()).reshape(truth.shape)
        known = np.isfinite(truth)
        now = truth[:, :1]
        last = {"value": now, "anomaly": now - usual[:, :1] + usual}
        made = {"forecast": block.mean, "climatology": usual}
        made |= {name: np.where(np.isfinite(values), values, usual) for name, values in last.items()}
        filled = np.where(known, truth, 0)
        for name, values in made.items():
            error = ((values - filled) / forecaster.std).astype(np.float32)
            self._tallies[name].add(error, known.copy())
        self._count(block, truth, usual, known)
        self.starts += int(known.any(axis=(1, 2, 3)).sum())

    def _count(
        self,
        block: Block,
        truth: Float[ndarray, "b p n co"],
        usual: Float[ndarray, "b p n co"],
        known: ndarray,
    ) -> None:
        weight = self._weight * known
        miss = np.abs(truth - block.mean)
        figures = {
            "inside": miss <= block.half_width[block.pattern],
            "crps": _crps(miss, block.deviation[block.pattern]),
            "usual": _crps(np.abs(truth - usual), self._spread),
            "weight": np.ones(truth.shape),
        }
        for name, values in figures.items():
            self._sums[name] += (weight * np.where(known, values, 0)).sum(axis=(0, 2))

    def result(self) -> Hindcast | None:
        """The figures; None where no start has a truth."""
        if not self.starts:
            return None
        scores = {name: tally.score() for name, tally in self._tallies.items()}
        weight = np.where(self._sums["weight"] > 0, self._sums["weight"], np.nan)
        unchanged = min((scores["value"], scores["anomaly"]), key=lambda score: score.total)
        return Hindcast(
            scores["forecast"],
            unchanged,
            scores["climatology"],
            self._sums["inside"] / weight,
            self._sums["crps"] / weight,
            self._sums["usual"] / weight,
            self.starts,
        )


def _crps(miss: Float[ndarray, "*s"], deviation: Float[ndarray, "*d"]) -> Float[ndarray, "*s"]:
    """CRPS of a normal distribution whose mean is so far off (Gneiting and Raftery 2007, equation 21).

    Examples
    --------
    >>> _crps(np.array([0.0, 9.0]), np.ones(1)).round(3).tolist()
    [0.234, 8.436]
    """
    z = miss / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.asarray(deviation * (z * (2 * ndtr(z) - 1) + 2 * density - 1 / np.sqrt(np.pi)))
