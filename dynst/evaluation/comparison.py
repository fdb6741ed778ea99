"""Every plan against every other on the same test windows: difference, interval, and better, tie or worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import ndarray

from dynst.evaluation.bootstrap import interval_block, judged, replicates, resamples
from dynst.evaluation.score import Score

__all__ = ["MIN_RANDOM_DRAWS", "compared"]

MIN_RANDOM_DRAWS = 10
"""Random plans below which nothing is said about them: they differ among each other by 2-7 % (docs/method.md)."""

_RANDOM = "uniform_random"


def compared(
    names: Sequence[str], budgets: Sequence[int], scores: Mapping[tuple[str, int], Sequence[Score]]
) -> dict[str, ndarray]:
    """Each planner against each other: RMSE difference in %, its interval, and the word for it."""
    shape = (len(names), len(names), len(budgets))
    found: dict[str, ndarray] = {name: np.full(shape, np.nan) for name in ("difference", "low", "high")}
    found["verdict"] = np.full(shape, "", object)
    for j, k in enumerate(budgets):
        known = [i for i, name in enumerate(names) if _comparable(name, scores.get((name, k), ()))]
        if len(known) < 2:
            continue
        errors = [np.stack([score.per_window for score in scores[names[i], k]]) for i in known]
        finite = np.isfinite(np.concatenate(errors)).all(axis=0)
        if not finite.any():
            continue
        errors = [error[:, finite] for error in errors]
        block = _common_block(errors)
        run = scores[names[known[0]], k][0].run
        weights, pieces = resamples(int(finite.sum()), block, None if run is None else run[finite])
        roots = [replicates(error, weights).mean(axis=1) for error in errors]
        for a, row in zip(known, roots, strict=True):
            for b, column in zip(known, roots, strict=True):
                if a != b:
                    word, interval = judged(row, column, pieces=pieces)
                    found["verdict"][a, b, j] = word
                    found["difference"][a, b, j] = interval.estimate
                    found["low"][a, b, j], found["high"][a, b, j] = interval.low, interval.high
    return found


def _comparable(name: str, scores: Sequence[Score]) -> bool:
    return len(scores) >= (MIN_RANDOM_DRAWS if name == _RANDOM else 1)


def _common_block(errors: Sequence[ndarray]) -> float:
    """One block length for all pairs: the median of what they ask for against the mean of all."""
    means = np.stack([error.mean(axis=0) for error in errors])
    return float(np.median([interval_block(row) for row in means - means.mean(axis=0)]))
