"""The tables of a report as rows, for page and Markdown: at the budget, over budgets, by lead time and region."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr

from dynst.domain import Curve
from dynst.domain.curve import FRAMES, RANDOM, CurveRow
from dynst.domain.words import UNCLEAR, duration, span, vague

__all__ = [
    "FRAME_WORDS",
    "best_other",
    "budget_rows",
    "curve_rows",
    "figure_rows",
    "frame_words",
    "lead_rows",
    "region_rows",
    "with_unit",
]

Row = dict[str, object]

FRAME_WORDS = {
    "floor": "floor (no sensor)",
    "ceiling": "ceiling (every site)",
    "persistence": "persistence",
    "climatology": "climatology",
}
"""The frames as a reader meets them for the first time."""

_LEADS, _CHANNELS, _REGIONS = 12, 4, 24  # rows and channels shown at most; chosen: what still fits a printed page


def budget_rows(curve: Curve, planner: str, budget: int, *, channels: int = _CHANNELS) -> list[Row]:
    """All plans at one budget, least error first, then the frames; how `planner` does against each, with its interval.

    Columns: ``planner``; ``error`` with its unit; each channel's RMSE where there are several; ``vs random`` in %,
    for random plans their spread; ``plan vs it``, how much `planner` differs from it in %, below zero is better, with
    ``95 %`` interval and ``verdict``; ``remark`` where something could not be judged.
    """
    table = curve.table(budget)
    units = dict(zip(curve.channels, curve.units, strict=True))
    shown = curve.channels[:channels] if len(curve.channels) > 1 else ()
    rows = []
    for row in sorted(table, key=lambda row: row.is_frame):
        line: Row = {"planner": _named(row, curve), with_unit("error", row.units): row.error}
        line |= {with_unit(name, units[name]): row.per_channel[name] for name in shown}
        rows.append(line | _versus(row, curve, planner, budget))
    remarks = any(row["remark"] for row in rows)
    return rows if remarks else [{name: value for name, value in row.items() if name != "remark"} for row in rows]


def curve_rows(curve: Curve, planner: str) -> list[Row]:
    """Error of every plan and frame at every budget, `planner` first; most sensors to the left."""
    budgets = sorted(curve.budgets, reverse=True)
    tables = {budget: {row.planner: row for row in curve.table(budget)} for budget in budgets}
    order = sorted(curve.planners, key=lambda name: (name in FRAMES, name != planner))
    return [
        {"planner": frame_words(name, curve)} | {str(budget): tables[budget][name].error for budget in budgets}
        for name in order
    ]


def figure_rows(curve: Curve, planner: str, budget: int) -> list[Row]:
    """RMSE, MAE, bias, skill and, where they were computed, ACC and RMSE at sensors and away, channel by channel.

    Skill is 1 minus the ratio of mean squared errors to those of climatology or persistence (Murphy 1988).
    """
    here = _mean(curve.at(budget))
    words = {"rmse": "RMSE", "mae": "MAE", "bias": "bias", "acc": "ACC"}
    words |= {"rmse_at_sensors": "RMSE at sensors", "rmse_away": "RMSE away"}
    rows = []
    for channel, unit in list(zip(curve.channels, curve.units, strict=True))[:_CHANNELS]:
        for name in _shown(curve, planner, budget):
            cell = here.sel(planner=name, channel=channel)
            line: Row = {"channel": with_unit(channel, unit), "planner": frame_words(name, curve)}
            line |= {word: float(cell[key]) for key, word in words.items() if key in cell}
            rows.append(line | _skills(here.sel(channel=channel)["rmse"], name))
    return rows


def _skills(rmse: xr.DataArray, name: str) -> Row:
    """Skill of one planner or frame against the forecasts that need no sensor plan; not against itself."""
    errors = {frame: float(rmse.sel(planner=frame)) for frame in FRAMES[2:] if frame in rmse["planner"].values}
    ours = float(rmse.sel(planner=name))
    return {
        f"skill to {frame}": 1 - (ours / error) ** 2 if frame != name and error > 0 else None
        for frame, error in errors.items()
    }


def lead_rows(curve: Curve, planner: str, budget: int) -> list[Row]:
    """RMSE at each lead time, channel by channel, of the plan, the best other one, random plans and the frames."""
    leads = curve.data["lead_time"].values
    picked = np.unique(np.linspace(0, len(leads) - 1, min(len(leads), _LEADS)).round().astype(int))
    data = curve.at(budget)["rmse"].mean("seed", skipna=True)
    rows = []
    for channel, unit in list(zip(curve.channels, curve.units, strict=True))[:_CHANNELS]:
        cell = data.sel(channel=channel)
        for i in picked.tolist():
            line: Row = {"channel": with_unit(channel, unit), "lead": duration(int(leads[i]), curve.cadence)}
            errors = {name: float(cell.sel(planner=name)[i]) for name in _shown(curve, planner, budget)}
            rows.append(line | errors)
    return rows


def region_rows(curve: Curve, planner: str, budget: int) -> list[Row]:
    """RMSE in each region, channel by channel; empty where no regions were told apart."""
    if "rmse_region" not in curve.data:
        return []
    data = curve.at(budget)["rmse_region"].mean("seed", skipna=True)
    rows = []
    for channel, unit in list(zip(curve.channels, curve.units, strict=True))[:_CHANNELS]:
        for i, region in list(enumerate(data["region"].values))[:_REGIONS]:
            cell = data.sel(channel=channel).isel(region=i)
            line: Row = {"channel": with_unit(channel, unit), "region": str(region)}
            rows.append(line | {name: float(cell.sel(planner=name)) for name in _shown(curve, planner, budget)})
    return rows


def best_other(curve: Curve, planner: str, budget: int) -> str | None:
    """The planner with the least error at a budget besides one and the random plans; None if there is no other."""
    ranked = [row.planner for row in curve.table(budget) if not row.is_frame and math.isfinite(row.error)]
    return next((name for name in ranked if name not in (planner, RANDOM)), None)


def with_unit(name: str, unit: str) -> str:
    """A name with its unit in parentheses; nothing for what has none.

    Examples
    --------
    >>> with_unit("msl", "Pa"), with_unit("share", "1")
    ('msl (Pa)', 'share')
    """
    return name if unit in ("", "1") else f"{name} ({unit})"


def frame_words(name: str, curve: Curve) -> str:
    """A planner or frame as a reader meets it for the first time; a climatology says what it follows."""
    words = FRAME_WORDS.get(name, name)
    return f"{words} ({curve.climatology})" if name == "climatology" else words


def _named(row: CurveRow, curve: Curve) -> str:
    return frame_words(row.planner, curve) + (f" x {row.seeds}" if row.seeds > 1 else "")


def _versus(row: CurveRow, curve: Curve, planner: str, budget: int) -> Row:
    """What stands beside an error: the difference to random plans, and how the plan does against this one."""
    line: Row = {"vs random": _beside_random(row), "plan vs it": None, "95 %": None, "verdict": None}
    line["remark"] = row.reason
    found = None if row.is_frame else curve.compared(planner, row.planner, budget)
    if found is None:
        return line
    change, low, high, word = found
    if vague(low, high):
        return line | {"95 %": UNCLEAR}
    return line | {"plan vs it": f"{change:+.1f} %", "95 %": span(low, high, unit=""), "verdict": word}


def _beside_random(row: CurveRow) -> str | None:
    """The difference to the mean random plan; of random plans their spread."""
    if row.planner == RANDOM and row.seeds > 1:
        return f"+- {100 * row.spread / row.error:.1f} %"
    if row.is_frame or row.vs_random is None or vague(*row.vs_random[1:]):
        return None
    return f"{row.vs_random[0]:+.1f} %"


def _shown(curve: Curve, planner: str, budget: int) -> Sequence[str]:
    """The plan, the best other one, random plans, and what errors are read against."""
    wanted = (planner, best_other(curve, planner, budget), RANDOM, "ceiling", "floor", "persistence", "climatology")
    return [name for name in wanted if name in curve.planners]


def _mean(data: xr.Dataset) -> xr.Dataset:
    """Over lead times and seeds: of squares for an RMSE, plain for the rest."""
    names = [name for name in ("mae", "bias", "acc") if name in data]
    found = data[names].mean(["lead_time", "seed"], skipna=True)
    for name in ("rmse", "rmse_at_sensors", "rmse_away"):
        if name in data:
            found[name] = ((data[name] ** 2).mean("lead_time", skipna=True) ** 0.5).mean("seed", skipna=True)
    return found
