"""Scores to the arrays of a Curve: every figure by planner, sparsity and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import ndarray

from dynst.evaluation.score import Score

__all__ = ["figures"]

Extra = dict[str, tuple[tuple[str, ...], ndarray]]


def figures(
    names: Sequence[str], budgets: Sequence[int], scores: Mapping[tuple[str, int], Sequence[Score]]
) -> tuple[dict[str, ndarray], Extra]:
    """The errors of a curve and, with the names of their dimensions, what else the scores hold.

    Returns
    -------
    tuple
        ``rmse``, ``mae``, ``bias`` (planner, sparsity, lead time, channel, seed) and ``total`` (planner, sparsity,
        seed); and the variables that not every judge can give, besides ``window_error`` (planner, sparsity, window):
        the mean squared error of each test window in squared training standard deviations, mean over seeds.
    """
    p, c = next(iter(scores.values()))[0].rmse.shape
    seeds = max(map(len, scores.values()))
    errors = {name: np.full((len(names), len(budgets), p, c, seeds), np.nan) for name in ("rmse", "mae", "bias")}
    errors["total"] = np.full((len(names), len(budgets), seeds), np.nan)
    for i, name in enumerate(names):
        for j, k in enumerate(budgets):
            for seed, score in enumerate(scores.get((name, k), ())):
                errors["rmse"][i, j, ..., seed] = score.rmse
                errors["mae"][i, j, ..., seed] = score.mae
                errors["bias"][i, j, ..., seed] = score.bias
                errors["total"][i, j, seed] = score.total
    return errors, _window_errors(names, budgets, scores)


def _window_errors(
    names: Sequence[str], budgets: Sequence[int], scores: Mapping[tuple[str, int], Sequence[Score]]
) -> Extra:
    """What intervals are made of, so that a later comparison needs no scores; ``run`` where windows are of several."""
    first = next(iter(scores.values()))[0]
    values = np.full((len(names), len(budgets), len(first.per_window)), np.nan, np.float32)
    for (name, k), several in scores.items():
        values[names.index(name), budgets.index(k)] = np.mean([score.per_window for score in several], axis=0)
    extra: Extra = {"window_error": (("planner", "sparsity", "window"), values)}
    return extra if first.run is None else extra | {"run": (("window",), first.run)}
