"""How many sensors are enough, and between which numbers of them the choice of sites does not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from dynst.domain import FRAMES, Curve
from dynst.evaluation.bootstrap import bounds, influence, window_doubt
from dynst.evaluation.comparison import RANDOM

__all__ = ["Knee", "indifferent_budgets", "knee", "relative_errors"]

_NO_CHOICE = 0.02  # chosen: what the best plan gains over random ones, and what these differ by, that nobody moves for


@dataclass(frozen=True)
class Knee:
    """Fewest sensors whose error is within a tolerance of that with every site.

    Attributes
    ----------
    budget, low, high : int or None
        Of the curve's budgets: the estimate and its 95 % interval; None where no budget of the curve is enough.
    tolerance : float
        In %.
    """

    budget: int | None
    low: int | None
    high: int | None
    tolerance: float


def knee(curve: Curve, planner: str, tolerance: float = 5.0) -> Knee | None:
    """Fewest sensors from which on the error of a planner's plans stays within a tolerance of the ceiling's.

    The interval is that of the errors, read the other way: from `low` sensors on, no number can be told from enough;
    from `high` sensors on, every number is enough at the upper bound of its error, too.

    Parameters
    ----------
    curve : Curve
        With ``window_error``.
    planner : str
        Whose plans.
    tolerance : float
        In %.

    Returns
    -------
    Knee or None
        None where the curve has no ceiling, or no window errors.
    """
    if "window_error" not in curve.data or not {planner, "ceiling"} <= set(curve.planners):
        return None
    run = curve.data["run"].values if "run" in curve.data else None
    window_error = curve.data["window_error"]
    budgets, bands = [], []
    for j, budget in enumerate(curve.budgets):
        ours, all_sites = (window_error.sel(planner=name)[j].values.astype(float) for name in (planner, "ceiling"))
        finite = np.isfinite(ours) & np.isfinite(all_sites)
        if not finite.any():
            continue
        (level, moved), (best, at_best) = influence(ours[None, finite]), influence(all_sites[None, finite])
        doubt = window_doubt((moved - at_best)[None], run=None if run is None else run[finite])
        _, low, high = bounds(np.array([level - best]), doubt)
        budgets.append(budget)
        bands.append((100.0 * math.expm1(level - best), low[0], high[0]))
    if not budgets:
        return None
    order = np.argsort(budgets)
    numbers, within = np.array(budgets)[order], np.array(bands)[order] <= tolerance
    estimate, low_, high_ = (_from_here_on(numbers, within[:, i]) for i in range(3))
    return Knee(estimate, low_, high_, tolerance)


def indifferent_budgets(curve: Curve) -> tuple[int, int] | None:
    """Fewest and most sensors between which the choice of sites does not matter; None where there is no such range.

    The rule: at two or more neighbouring budgets no planner is better than the random plans, none is better than
    ``coverage``, the best is less than 2 % better than the mean random plan, and the random plans differ among
    themselves by less than 2 % (standard deviation).
    """
    free = [budget for budget in sorted(curve.budgets) if _indifferent(curve, budget)]
    runs: list[list[int]] = []
    for budget in sorted(curve.budgets):
        if budget not in free:
            runs.append([])
        else:
            runs = runs or [[]]
            runs[-1].append(budget)
    longest = max(runs, key=len, default=[])
    return (longest[0], longest[-1]) if len(longest) > 1 else None


def relative_errors(curve: Curve, budget: int) -> dict[str, ndarray]:
    """Finite errors of each planner's seeds at one budget, over all channels; planners without any are left out."""
    total = curve.at(budget)["total"]
    found = {name: total.sel(planner=name).values for name in curve.planners}
    return {name: values[np.isfinite(values)] for name, values in found.items() if np.isfinite(values).any()}


def _from_here_on(budgets: ndarray, within: Bool[ndarray, " k"]) -> int | None:
    """Fewest sensors such that they and all larger numbers are within."""
    outside = np.flatnonzero(~within)
    first = int(outside[-1]) + 1 if len(outside) else 0
    return int(budgets[first]) if first < len(budgets) else None


def _indifferent(curve: Curve, budget: int) -> bool:
    data, errors = curve.at(budget), relative_errors(curve, budget)
    plans = [name for name in errors if name not in FRAMES and name != RANDOM]
    if RANDOM not in errors or len(errors[RANDOM]) < 2 or not plans or "verdict" not in data:
        return False
    words = data["verdict"].sel(planner=plans)
    if not (words.sel(against=RANDOM) != "").any() or (words.sel(against=RANDOM) == "better").any():
        return False
    if "coverage" in plans and (words.sel(against="coverage") == "better").any():
        return False
    usual = float(errors[RANDOM].mean())
    best = min(float(errors[name].mean()) for name in plans)
    return best > (1 - _NO_CHOICE) * usual and float(errors[RANDOM].std(ddof=1)) < _NO_CHOICE * usual
