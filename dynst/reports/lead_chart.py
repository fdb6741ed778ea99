"""Error against lead time: how fast each forecast loses what its sensors tell."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np

from dynst.domain import Curve
from dynst.domain.curve import FRAMES, RANDOM
from dynst.domain.words import VISIBLE, duration, step_of
from dynst.errors import ConfigError, unknown_name
from dynst.reports.colours import planner_colour
from dynst.reports.curve_chart import STYLE
from dynst.reports.evidence_tables import best_other, with_unit

__all__ = ["lead_chart"]

_DASHES = {"floor": [1, 3], "ceiling": [7, 3], "persistence": [3, 3], "climatology": [9, 3, 2, 3]}
_TICKS = 12  # chosen: what fits under the chart
_GREY = "#6b7078"


def lead_chart(curve: Curve, planner: str, budget: int, *, channel: str | None = None) -> alt.LayerChart:
    """RMSE of one channel at each lead time: the plan, the best other one, random plans, and the frames.

    Parameters
    ----------
    curve : Curve
        What was judged.
    planner : str
        Whose plan is drawn first.
    budget : int
        At which number of sensors.
    channel : str or None
        Which forecast channel; the first if left out.

    Raises
    ------
    ConfigError
        If the curve has no such planner or channel.
    DataError
        If the curve was not judged at `budget`.

    Examples
    --------
    >>> values = np.array([[2.0, 3.0], [1.0, 1.5]]).reshape(2, 1, 2, 1, 1)
    >>> curve = Curve.of({"rmse": values, "mae": values, "bias": values}, planners=["coverage", "ceiling"], budgets=[5],
    ...     n=20, channels=["t2m"], units=["K"], total=values[:, :, 0, 0])
    >>> lead_chart(curve, "coverage", 5).title.text
    't2m: error against lead time, 5 sensors'
    """
    channel = curve.channels[0] if channel is None else channel
    if planner not in curve.planners:
        raise ConfigError(unknown_name("planner", planner, curve.planners))
    if channel not in curve.channels:
        raise ConfigError(unknown_name("channel", channel, curve.channels))
    unit = curve.units[curve.channels.index(channel)]
    names = _drawn(curve, planner, budget)
    scale = alt.Scale(domain=names, range=[_GREY if name in FRAMES else planner_colour(name) for name in names])
    dashes = alt.Scale(domain=names, range=[_DASHES.get(name, [1, 0]) for name in names])
    rows = _rows(curve, names, budget, channel)
    won = _won(rows, planner)
    of_rows, spread = alt.Chart(alt.InlineData(values=rows)), any(row["high"] != row["low"] for row in rows)
    step, time = step_of(curve.cadence)
    ticks = [step * lead for lead in _ticks(curve)]
    x = alt.X("lead:Q", title=f"lead time ({time})", axis=alt.Axis(values=ticks, format="~r", grid=False))
    y = alt.Scale(zero=False, nice=False, padding=12)
    title = with_unit("RMSE", unit)
    key = alt.Legend(title=None, symbolType="stroke", symbolSize=500, symbolStrokeWidth=2.5, symbolOpacity=1)
    colour = alt.Color("planner:N", scale=scale, legend=key)
    lines = of_rows.mark_line(strokeWidth=2).encode(
        x=x,
        y=alt.Y("error:Q", scale=y, title=title),
        color=colour,
        strokeDash=alt.StrokeDash("planner:N", scale=dashes, legend=key),
    )
    points = of_rows.mark_circle(size=34, opacity=1).encode(
        x=x,
        y=alt.Y("error:Q", scale=y),
        color=colour,
        tooltip=["planner:N", alt.Tooltip("time:N", title="lead"), alt.Tooltip("error:Q", format=".4g")],
    )
    bands = (
        of_rows.transform_filter("datum.high > datum.low")
        .mark_area(opacity=0.16, aria=False)
        .encode(x=x, y=alt.Y("low:Q", scale=y, title=title), y2="high:Q", color=colour)
    )
    said = alt.TitleParams(
        f"{channel}: error against lead time, {budget:,} sensors",
        subtitle=["Test time, all sites; bands: one standard deviation over seeds or random draws", *_skill(won)],
        **STYLE,
    )
    chart: alt.LayerChart = (
        alt.layer(*([bands] if spread else []), lines, points, *_turn(won, x))
        .properties(width=520, height=260, title=said)
        .configure_axis(labelColor="#444", titleColor="#444", gridColor="#eceae6", domainColor="#8a8f98")
        .configure_view(stroke=None)
    )
    return chart


def _drawn(curve: Curve, planner: str, budget: int) -> list[str]:
    """The plan, the best of the others, random plans, then the frames from the best to the worst."""
    table = [row for row in curve.table(budget) if math.isfinite(row.error)]
    best = best_other(curve, planner, budget)
    plans = [planner, *([] if best is None else [best]), *(row.planner for row in table if row.planner == RANDOM)]
    return [*dict.fromkeys(plans), *(row.planner for row in table if row.is_frame)]


def _ticks(curve: Curve) -> list[int]:
    """Lead times to write on the axis: all, or at most a dozen at even steps."""
    leads: list[int] = curve.data["lead_time"].values.tolist()
    return leads[:: math.ceil(len(leads) / _TICKS)]


def _rows(curve: Curve, names: list[str], budget: int, channel: str) -> list[dict[str, Any]]:
    errors = curve.at(budget)["rmse"].sel(channel=channel)
    rows: list[dict[str, Any]] = []
    step, _ = step_of(curve.cadence)
    for name in names:
        for lead, cell in zip(errors["lead_time"].values.tolist(), errors.sel(planner=name).values, strict=True):
            known = cell[np.isfinite(cell)]
            if len(known):
                mean, spread = float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else 0.0
                row = {"planner": name, "step": lead, "error": mean, "low": mean - spread, "high": mean + spread}
                rows.append(row | {"lead": step * lead, "time": duration(lead, curve.cadence)})
    return rows


def _won(rows: list[dict[str, Any]], planner: str) -> list[dict[str, Any]] | None:
    """The last lead times, all of those at which the plan beats "no change" for good; None if that was not judged."""
    ours = [row for row in rows if row["planner"] == planner]
    theirs = {row["step"]: row["error"] for row in rows if row["planner"] == "persistence"}
    if not ours or any(row["step"] not in theirs for row in ours):
        return None
    lost = [i for i, row in enumerate(ours) if VISIBLE * row["error"] >= theirs[row["step"]]]
    won = ours[max(lost) + 1 :] if lost else ours
    return [row | {"first": len(won) == len(ours)} for row in won]


def _skill(won: list[dict[str, Any]] | None) -> list[str]:
    """From which lead time on the plan is better than "no change", in words."""
    if won is None:
        return []
    if not won:
        return ['This plan is not better than "no change" (persistence) at the last lead time']
    if won[0]["first"]:
        return ['This plan is better than "no change" (persistence) at every lead time']
    return [f'From {won[0]["time"]} on this plan is better than "no change" (persistence)']


def _turn(won: list[dict[str, Any]] | None, x: alt.X) -> list[alt.Chart]:
    """An upright line at the lead time from which the plan is better than "no change"; none where nothing changes."""
    if not won or won[0]["first"]:
        return []
    here = alt.Chart(alt.InlineData(values=[{"lead": won[0]["lead"], "text": f"better from {won[0]['time']}"}]))
    rule = here.mark_rule(color="#222222", strokeDash=[2, 2], aria=False).encode(x=x)
    words = here.mark_text(
        align="left", baseline="bottom", dx=-4, dy=-3, fontSize=11, fontWeight="bold", color="#222222"
    )
    return [rule, words.encode(x=x, y=alt.value(0), text="text:N")]
