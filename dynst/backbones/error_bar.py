"""Error bars that are calibrated on forecasts of time that a forecaster was not fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

__all__ = ["ErrorBar"]

_COVERAGE = 0.9  # share of the values that an interval is to hold
_ONE_DEVIATION = 0.6827  # share that one deviation holds of a normal distribution: a few wild errors move it little
_GAUSSIAN = 1.6448536  # standard deviations that hold this share of a normal distribution
_LEAST = 1e-6  # scale of the errors, at least


@dataclass(frozen=True, eq=False)
class ErrorBar:
    """Factors by which the covariance's own error is off, from forecasts of time that it was not fitted to.

    Parameters
    ----------
    scale : Float[ndarray, "p co"]
        Actual by expected standard deviation of the error, for lead 0 and later: 68 % of the errors lie within.
    reach : Float[ndarray, "p co"]
        Scaled standard deviations within which 90 % of the values lie.
    """

    scale: Float[ndarray, "p co"]
    reach: Float[ndarray, "p co"]

    @classmethod
    def fit(cls, ratio: Float[ndarray, "r p co"], weight: Float[ndarray, " r"]) -> ErrorBar:
        """The factors from errors divided by their expected deviation; NaN where the truth is missing.

        Examples
        --------
        >>> noise = 2.0 * np.random.default_rng(0).standard_normal((5000, 1, 1))
        >>> bar = ErrorBar.fit(noise, np.ones(5000))
        >>> bar.scale.round(1).item(), bar.reach.round(1).item()
        (2.0, 1.6)
        """
        scale, reach = np.ones(ratio.shape[1:]), np.full(ratio.shape[1:], _GAUSSIAN)
        for place in np.ndindex(scale.shape):
            error = ratio[:, *place]
            known = np.isfinite(error)
            if known.any():
                error, heavy = error[known], weight[known]
                size = np.abs(error)
                scale[place] = max(_weighted_quantile(size, heavy, _ONE_DEVIATION), _LEAST)
                reach[place] = _weighted_quantile(size, heavy, _COVERAGE) / scale[place]
        return cls(scale, reach)

    def deviation(self, expected: Float[ndarray, "p n co"]) -> Float[ndarray, "p n co"]:
        """Standard deviation of the error at each lead, site and channel."""
        scaled: ndarray = expected * self.scale[:, None]
        return scaled

    def half_width(self, expected: Float[ndarray, "p n co"]) -> Float[ndarray, "p n co"]:
        """Half of the interval that holds 90 % of the values."""
        half: ndarray = self.deviation(expected) * self.reach[:, None]
        return half


def _weighted_quantile(values: Float[ndarray, " v"], weight: Float[ndarray, " v"], level: float) -> float:
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][np.searchsorted(share, level).clip(max=len(values) - 1)])
