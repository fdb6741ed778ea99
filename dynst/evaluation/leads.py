"""From which lead time on a plan beats the two forecasts that need no plan: "no change" and the climatology."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Curve
from dynst.domain.words import VISIBLE, duration

__all__ = ["skill_by_lead"]

_WORDS = {"persistence": '"no change"', "climatology": "the climatology"}


def skill_by_lead(curve: Curve, planner: str, budget: int) -> list[str]:
    """One sentence: at which lead times the plan is better than "no change" and than the climatology.

    Nothing where the curve lacks one of the two, or the plan could not be judged.
    """
    if not {planner, *_WORDS} <= set(curve.planners):
        return []
    errors = _errors(curve, budget, (planner, *_WORDS))
    if not all(np.isfinite(values).all() for values in errors.values()):
        return []
    times = [duration(int(step), curve.cadence) for step in curve.data["lead_time"].values]
    ours = errors.pop(planner)
    beaten = {name: VISIBLE * ours < values for name, values in errors.items()}
    if all(wins.all() for wins in beaten.values()):
        return [f'At {_every(times)} this plan is better than "no change" and than the climatology.']
    units = curve.units[0] if len(curve.channels) == 1 else ""
    parts = []
    for name, wins in beaten.items():
        first = _first_lost(~wins, times, errors[name], ours, units)
        parts.append(_part(_WORDS[name], wins, VISIBLE * errors[name] < ours, times, first))
    said = "; ".join(parts)
    return [f"{_capital(said)}."]


def _errors(curve: Curve, budget: int, names: Sequence[str]) -> dict[str, Float[ndarray, " lead"]]:
    """Error at each lead time: of one channel in its unit, of several together as shares of their climatologies."""
    rmse = curve.at(budget)["rmse"].mean("seed", skipna=True).transpose("planner", "lead_time", "channel")
    found = {name: rmse.sel(planner=name).values for name in names}
    if len(curve.channels) == 1:
        return {name: values[:, 0] for name, values in found.items()}
    scale = np.sqrt(np.square(found["climatology"]).mean(axis=0))
    measured = np.isfinite(scale) & (scale > 0)
    if not measured.any():
        return {name: np.full(len(values), np.nan) for name, values in found.items()}
    shares = {name: values[:, measured] / scale[measured] for name, values in found.items()}
    return {name: np.sqrt(np.square(values).mean(axis=1)) for name, values in shares.items()}


def _part(
    who: str, wins: Bool[ndarray, " lead"], loses: Bool[ndarray, " lead"], times: Sequence[str], first: _Lost
) -> str:
    """What is to be said of one of the two; `first` is the first lead time at which the plan is no better."""
    if wins.all():
        return f"this plan is better than {who} at {_every(times)}"
    good = "better than" if loses.any() else "as good as"
    if not wins.any():
        return f"{who} is {good} this plan at {_every(times)}, {first}"
    changes = np.flatnonzero(np.diff(wins)) + 1
    if len(changes) > 1:
        return f"{who} is {good} this plan at {int((~wins).sum())} of {len(wins)} lead times"
    turn = int(changes[0])
    if not wins[-1]:
        return f"from {times[turn]} on {who} is {good} this plan ({first})"
    until = f"at {times[0]}" if turn == 1 else f"up to {times[turn - 1]}"
    figures = first.figures if until == first.at else str(first)
    return f"{until} {who} is {good.rsplit(' ', 1)[0]} ({figures}), from {times[turn]} on this plan is better"


@dataclass(frozen=True)
class _Lost:
    """Both errors at the first lead time at which the plan has lost; empty where there is none."""

    at: str = ""
    figures: str = ""

    def __str__(self) -> str:
        return f"{self.at} {self.figures}".strip()


def _first_lost(
    lost: Bool[ndarray, " lead"], times: Sequence[str], theirs: ndarray, ours: ndarray, units: str
) -> _Lost:
    if not lost.any():
        return _Lost()
    first = int(np.flatnonzero(lost)[0])
    at = f"at {times[first]}" if len(times) > 1 else ""
    if not units:
        return _Lost(at, f"by {100 * (1 - theirs[first] / ours[first]):.1f} %")
    unit = "" if units == "1" else f" {' '.join(units.split())}"
    return _Lost(at, f"{theirs[first]:.3g} against {ours[first]:.3g}{unit}")


def _every(times: Sequence[str]) -> str:
    return times[0] if len(times) == 1 else f"every lead time ({times[0]} to {times[-1]})"


def _capital(text: str) -> str:
    """The same with its first letter large, even after a quotation mark."""
    first = next(i for i, letter in enumerate(text) if letter.isalpha())
    return f"{text[:first]}{text[first].upper()}{text[first + 1 :]}"
