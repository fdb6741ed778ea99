"""How many sensors are enough, and between which numbers of them the choice of sites does not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import FRAMES, RANDOM, Curve
from dynst.evaluation.bootstrap import bounds, influence, window_doubt
from dynst.planners import row_of

__all__ = ["Knee", "Stake", "indifferent_budgets", "knee", "relative_errors", "stake"]

_NO_CHOICE = 0.02  # chosen: what the best plan gains over random ones, and what these differ by, that nobody moves for


@dataclass(frozen=True)
class Knee:
    """Fewest sensors that win nearly all that sensors can win.

    Attributes
    ----------
    budget, low, high : int or None
        Of the curve's budgets: the estimate and its 95 % interval; None where no budget of the curve is enough.
    tolerance : float
        In % of the way from the floor to the ceiling: what may be missing.
    """

    budget: int | None
    low: int | None
    high: int | None
    tolerance: float


@dataclass(frozen=True)
class Stake:
    """What sensors can win at one budget, in the figures of `relative_errors`.

    Attributes
    ----------
    floor, ceiling : float
        Error with no sensor, and with one at every site.
    none : float
        The least error without any sensor: of the floor or of the climatology.
    none_is : str
        Which of the two.
    """

    floor: float
    ceiling: float
    none: float
    none_is: str

    @property
    def gain(self) -> float:
        """How much less error a sensor at every site leaves than none, in %; below zero if it leaves more."""
        return 100.0 * (1 - self.ceiling / self.none)

    def share(self, error: float) -> float:
        """How much of the way from the floor to the ceiling an error has come, in %."""
        return 100.0 * (self.floor - error) / (self.floor - self.ceiling)


def stake(curve: Curve, budget: int) -> Stake | None:
    """What sensors can win; None where the curve lacks floor or ceiling."""
    errors = {name: float(values.mean()) for name, values in relative_errors(curve, budget).items() if name in FRAMES}
    if not {"floor", "ceiling"} <= set(errors):
        return None
    known = [name for name in ("floor", "climatology") if name in errors]
    least = min(known, key=lambda name: errors[name])
    return Stake(errors["floor"], errors["ceiling"], errors[least], least)


def knee(curve: Curve, planner: str, tolerance: float = 5.0) -> Knee | None:
    """Fewest sensors that win nearly all that sensors can win, where no larger number is shown to win less.

    That is the way from the floor (no sensor) to the ceiling (one at every site). The interval is that of the errors,
    read the other way: from `low` sensors on, no number can be told from enough; from `high` sensors on, every number
    is enough at the upper bound of its error, too.

    Parameters
    ----------
    curve : Curve
        With ``window_error``.
    planner : str
        Whose plans.
    tolerance : float
        In % of the way from the floor to the ceiling: what may be missing.

    Returns
    -------
    Knee or None
        None where the curve has no floor, ceiling or window errors, or where sensors win nothing.
    """
    if "window_error" not in curve.data or not {planner, "floor", "ceiling"} <= set(curve.planners):
        return None
    run = curve.data["run"].values if "run" in curve.data else None
    bands = {}
    for j, budget in enumerate(curve.budgets):
        errors = curve.data["window_error"].sel(planner=[planner, "ceiling", "floor"])[:, j].values.astype(float)
        finite = np.isfinite(errors).all(axis=0)
        if finite.any():
            bands[budget] = _missing(errors[:, finite], tolerance / 100, None if run is None else run[finite])
    known = {budget: band for budget, band in bands.items() if band is not None}
    if not known:
        return None
    numbers = np.array(sorted(known))
    within = np.array([known[budget] for budget in numbers]) <= 0
    low, high = (_from_here_on(numbers, within[:, i]) for i in (1, 2))
    likely = [int(number) for number, is_within in zip(numbers, within[:, 0], strict=True) if is_within]
    estimate = next((number for number in likely if low is not None and number >= low), None)
    return Knee(estimate, low, high, tolerance)


def _missing(errors: Float[ndarray, "3 m"], part: float, run: ndarray | None) -> tuple[float, float, float] | None:
    """By how many % the error of a plan is above what is enough, and the 95 % interval; None if sensors win nothing.

    `errors` are those of the windows of plan, ceiling and floor. Enough is the error that lies `part` of the way from
    the ceiling to the floor.
    """
    (ours, moved), (best, at_best), (worst, at_worst) = (influence(row[None]) for row in errors)
    if best >= worst:
        return None
    ceiling, floor = (1 - part) * math.exp(best), part * math.exp(worst)
    enough = ceiling + floor
    at_enough = (ceiling * at_best + floor * at_worst) / enough
    above = ours - math.log(enough)
    _, low, high = bounds(np.array([above]), window_doubt((moved - at_enough)[None], run=run))
    return 100.0 * math.expm1(above), float(low[0]), float(high[0])


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
    blind = [name for name in plans if not row_of(name).reads_record]
    if any((words.sel(against=name) == "better").any() for name in blind):
        return False
    usual = float(errors[RANDOM].mean())
    best = min(float(errors[name].mean()) for name in plans)
    return best > (1 - _NO_CHOICE) * usual and float(errors[RANDOM].std(ddof=1)) < _NO_CHOICE * usual
