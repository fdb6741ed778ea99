"""Scores to the arrays of a Curve: every figure by planner, sparsity and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy import ndarray

from dynst.evaluation import metrics
from dynst.evaluation.score import Score

__all__ = ["figures", "regions_in"]

_BY_SEED = ("planner", "sparsity", "seed")
_BY_LEAD = ("planner", "sparsity", "lead_time", "channel", "seed")
_BY_REGION = ("planner", "sparsity", "region", "channel", "seed")

Extra = dict[str, tuple[tuple[str, ...], ndarray]]


def figures(
    names: Sequence[str], budgets: Sequence[int], scores: Mapping[tuple[str, int], Sequence[Score]]
) -> tuple[dict[str, ndarray], Extra]:
    """The errors of a curve and, with the names of their dimensions, what else the scores hold.

    Returns
    -------
    tuple
        ``rmse``, ``mae``, ``bias`` (planner, sparsity, lead time, channel, seed) and ``total`` (planner, sparsity,
        seed); and the variables that not every judge can give, each with the names of its dimensions: ``acc``,
        ``rmse_at_sensors``, ``rmse_away``, ``rmse_region`` (over the lead times together), ``valid_total`` and
        ``window_error``. A curve of which no score has them lacks them; `regions_in` names the regions.
    """
    p, c = next(iter(scores.values()))[0].rmse.shape
    seeds, regions = max(map(len, scores.values())), regions_in(scores)
    place = (len(names), len(budgets))
    by_lead = ("rmse", "mae", "bias", "acc", "rmse_at_sensors", "rmse_away")
    errors = {name: np.full((*place, p, c, seeds), np.nan) for name in by_lead}
    errors |= {name: np.full((*place, seeds), np.nan) for name in ("total", "valid_total")}
    errors["rmse_region"] = np.full((*place, len(regions), c, seeds), np.nan)
    for i, name in enumerate(names):
        for j, k in enumerate(budgets):
            for seed, score in enumerate(scores.get((name, k), ())):
                for figure, value in _of(score).items():
                    errors[figure][i, j, ..., seed] = value
                for r, region in enumerate(regions):
                    if region in score.regions:
                        errors["rmse_region"][i, j, r, :, seed] = metrics.rmse(score.regions[region].over_leads())[0]
    kept = {name: errors.pop(name) for name in (*by_lead[:3], "total")}
    dims = dict.fromkeys(by_lead, _BY_LEAD) | {"valid_total": _BY_SEED, "rmse_region": _BY_REGION}
    extra: Extra = {name: (dims[name], values) for name, values in errors.items() if np.isfinite(values).any()}
    return kept, extra | _window_errors(names, budgets, scores)


def regions_in(scores: Mapping[tuple[str, int], Sequence[Score]]) -> tuple[str, ...]:
    """Names of the regions that any score tells apart, in their first order."""
    return tuple(dict.fromkeys(name for several in scores.values() for score in several for name in score.regions))


def _of(score: Score) -> dict[str, object]:
    valid = score.notes.get("valid_error")
    return {
        "rmse": score.rmse,
        "mae": score.mae,
        "bias": score.bias,
        "acc": score.acc,
        "rmse_at_sensors": metrics.rmse(score.at_sensors),
        "rmse_away": metrics.rmse(score.away),
        "total": score.total,
        "valid_total": valid if isinstance(valid, int | float) else np.nan,
    }


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
