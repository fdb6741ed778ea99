"""Error against the number of sensors as a Vega-Altair chart: one definition serves page, notebook and PNG."""

from __future__ import annotations

import json
import math
from typing import Any

import altair as alt

from dynst.domain.curve import FRAMES, RANDOM, Curve, CurveRow
from dynst.reports.colours import planner_colour
from dynst.reports.evidence_tables import best_other, with_unit
from dynst.reports.marks import table

__all__ = ["OURS", "STYLE", "curve_chart"]

OURS = ("dynst", "dynst_linear")
"""Planners that are drawn boldest where all are drawn."""

_OFF = 0.6  # a frame that lies further outside the errors of the plans than this share of their range is only named
_TOGETHER = 0.035  # frames closer than this share of the height share one label
STYLE: dict[str, Any] = {
    "anchor": "start",
    "fontSize": 17,
    "subtitleFontSize": 12,
    "subtitleColor": "#555",
    "subtitleLineHeight": 16,
    "offset": 12,
}
"""How the title of a chart is set."""

_WIDTH, _HEIGHT = 620.0, 380.0
_LABEL = 38.0  # pixels that the label of a number of sensors takes
_SLIM, _SLIMMEST = "width < 420", 230.0
"""On a phone the names of the frames stand on their lines, not beside them."""


def curve_chart(
    curve: Curve,
    *,
    title: str = "Forecast error against the number of sensors",
    budget: int | None = None,
    planner: str | None = None,
) -> alt.LayerChart:
    """Error of planners over the ladder of budgets, between floor and ceiling, with persistence and climatology.

    The error is that of `Curve.table`: in the channel's unit for one channel, else in training standard deviations.
    Bands are the standard deviation over seeds, for random plans over draws. A point tells under the pointer how it
    compares with random plans. What could not be judged is named below the title with its reason.

    Parameters
    ----------
    curve : Curve
        What was judged.
    title : str
        First line above the chart.
    budget : int or None
        Number of sensors at which an upright line is drawn; in a page that links charts it is the signal ``budget``.
    planner : str or None
        Whose plan the chart is about: it is drawn with random plans and the best other planner at `budget` (the fewest
        sensors if left out). All planners are drawn if left out.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([[2.0, 3.0], [1.0, 1.0]]).reshape(2, 2, 1, 1, 1)
    >>> curve = Curve.of({"rmse": values, "mae": values, "bias": values}, planners=["coverage", "ceiling"],
    ...     budgets=[10, 5], n=20, channels=["t2m"], units=["K"], total=values.reshape(2, 2, 1))
    >>> curve_chart(curve).title.text
    'Forecast error against the number of sensors'
    """
    rows = [row for budget in curve.budgets for row in curve.table(budget)]
    judged = [row for row in rows if math.isfinite(row.error)]
    names = _drawn(curve, planner, budget)
    plans = [row for row in judged if row.planner in names]
    frames, off = _frames(judged, plans)
    low, high = _range([row.error - row.spread for row in plans] + [row.error + row.spread for row in plans], frames)
    units = rows[0].units if rows else "1"
    x = alt.X(
        "budget:Q",
        scale=alt.Scale(type="log", nice=False, padding=18),
        axis=alt.Axis(
            values=sorted(set(curve.budgets)),
            labelExpr=_labels(curve, budget),
            labelOverlap=False,
            title="sensors, log scale (below: sparsity)",
            grid=False,
        ),
    )
    y = alt.Scale(domain=[low, high], nice=False, zero=False)
    chart: alt.LayerChart = (
        alt.layer(*_frame_layers(frames, y, units), *_plan_layers(plans, names, x, y, units), *_ruler(budget, x))
        .properties(
            width=_WIDTH,
            height=_HEIGHT,
            title=alt.TitleParams(title, subtitle=_words(curve, rows, off, units, names), **STYLE),
        )
        .configure_axis(labelColor="#444", titleColor="#444", gridColor="#eceae6", domainColor="#8a8f98")
        .configure_legend(labelColor="#222", titleColor="#222", labelFontSize=11, symbolStrokeWidth=2.5)
        .configure_view(stroke=None)
    )
    return chart if budget is None else chart.add_params(alt.param(name="budget", value=budget))


def _ruler(budget: int | None, x: alt.X) -> list[alt.Chart]:
    """An upright line at a budget, behind nothing and in nobody's way."""
    if budget is None:
        return []
    here = alt.Chart(table([{"name": "now"}])).transform_calculate(budget="budget")
    line = here.mark_rule(color="#222222", strokeWidth=1.6, strokeDash=[2, 2], aria=False, clip=True)
    words = here.transform_calculate(text="format(budget, ',') + (budget == 1 ? ' sensor' : ' sensors')").mark_text(
        baseline="bottom", dy=-4, fontSize=12, fontWeight="bold", color="#222222", aria=False
    )
    return [line.encode(x=x), words.encode(x=x, y=alt.value(0), text="text:N")]


def _frames(judged: list[CurveRow], plans: list[CurveRow]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean error of each frame, split into those near the plans and those too far off to draw."""
    names = dict.fromkeys(row.planner for row in judged if row.is_frame)
    means = {
        name: math.fsum(row.error for row in judged if row.planner == name) / sum(row.planner == name for row in judged)
        for name in names
    }
    if not plans:
        return means, {}
    inner = [row.error for row in plans] + [means[name] for name in ("floor", "ceiling") if name in means]
    reach = _OFF * (max(inner) - min(inner) or abs(max(inner)) or 1.0)
    off = {name: mean for name, mean in means.items() if not min(inner) - reach <= mean <= max(inner) + reach}
    return {name: mean for name, mean in means.items() if name not in off}, off


def _range(errors: list[float], frames: dict[str, float]) -> tuple[float, float]:
    every = [*errors, *frames.values()] or [0.0, 1.0]
    margin = 0.05 * (max(every) - min(every) or abs(max(every)) or 1.0)
    return max(0.0, min(every) - margin) if min(every) >= 0 else min(every) - margin, max(every) + margin


def _drawn(curve: Curve, planner: str | None, budget: int | None) -> dict[str, str]:
    """The planners to draw, each with its name in the key; the one that the chart is about comes first."""
    every = [name for name in curve.planners if name not in FRAMES]
    if planner is None or planner not in every:
        return {name: name for name in every}
    other = best_other(curve, planner, budget if budget in curve.budgets else min(curve.budgets))
    said = {planner: f"{planner}: this plan", RANDOM: "random plans"}
    said |= {} if other is None else {other: f"{other}: best other"}
    return {name: said[name] for name in (planner, RANDOM, other) if name in every}


def _labels(curve: Curve, budget: int | None) -> str:
    """A Vega expression: number of sensors, and below it the sparsity, for each budget that has room for it."""
    sparsity = dict(zip(curve.budgets, curve.data["sparsity"].values.tolist(), strict=True))
    wide, slim = (_with_room(curve.budgets, budget, width) for width in (_WIDTH, _SLIMMEST))
    cases = (
        f"datum.value == {at} && ({_SLIM} ? {str(at in slim).lower()} : {str(at in wide).lower()}) "
        f"? ['{at:,}', '{share:.4g}']"
        for at, share in sparsity.items()
    )
    return " : ".join([*cases, "''"])


def _with_room(budgets: tuple[int, ...], own: int | None, width: float) -> list[int]:
    """Budgets whose labels do not meet on an axis of that width: the plan's own first, then the outermost, then others.

    Examples
    --------
    >>> _with_room((605, 432, 20, 17, 9), 20, 620.0)
    [20, 605, 9, 432]
    """
    low, high = math.log(min(budgets)), math.log(max(budgets))
    place = {budget: (math.log(budget) - low) / (high - low or 1.0) * (width - 36.0) for budget in budgets}
    first = [budget for budget in (own, max(budgets), min(budgets)) if budget in place]
    kept: list[int] = []
    for budget in dict.fromkeys([*first, *sorted(budgets)]):
        if all(abs(place[budget] - place[other]) >= _LABEL for other in kept):
            kept.append(budget)
    return kept


def _plan_layers(
    plans: list[CurveRow], names: dict[str, str], x: alt.X, scale: alt.Scale, units: str
) -> list[alt.Chart]:
    if not plans:
        return []
    order = _by_mean_rank(plans)
    about = [name for name, words in names.items() if name != words][:1] or list(OURS)
    cases = (f"datum.value == {json.dumps(name)} ? {json.dumps(words)}" for name, words in names.items())
    said = " : ".join([*cases, "''"])
    data = alt.InlineData(
        values=[
            {
                "planner": row.planner,
                "budget": row.budget,
                "error": row.error,
                "low": row.error - row.spread,
                "high": row.error + row.spread,
                "spread": f"{row.spread:.3g} ({row.seeds} seeds)" if row.seeds > 1 else "one seed",
                "versus": _versus(row),
                "ours": row.planner in about,
            }
            for row in plans
        ]
    )
    spread = "datum.high > datum.low"
    shared: dict[str, Any] = {
        "x": x,
        "color": alt.Color(
            "planner:N",
            scale=alt.Scale(domain=order, range=[planner_colour(name) for name in order]),
            legend=alt.Legend(
                title="planner, best first",
                labelExpr=said,
                offset=112,
                symbolType="circle",
                symbolSize=90,
                symbolOpacity=1,
            ),
        ),
    }
    tip = [
        alt.Tooltip("planner:N"),
        alt.Tooltip("budget:Q", title="sensors"),
        alt.Tooltip("error:Q", format=".4g"),
        alt.Tooltip("spread:N", title="sd over seeds"),
        alt.Tooltip("versus:N", title="against random plans"),
    ]
    width = alt.condition("datum.ours", alt.value(3), alt.value(1.4))
    base, y = alt.Chart(data), alt.Y("error:Q", scale=scale, title=with_unit("RMSE", units))
    bands = [
        base.transform_filter(spread)
        .mark_area(opacity=0.16, aria=False)
        .encode(y=alt.Y("low:Q", scale=scale, title=with_unit("RMSE", units)), y2="high:Q", **shared),
        base.transform_filter(spread)
        .mark_rule(opacity=0.3, strokeWidth=1, aria=False)
        .encode(y=alt.Y("low:Q", scale=scale), y2="high:Q", **shared),
    ]
    return [
        *(bands if any(row.spread > 0 for row in plans) else []),
        base.mark_line().encode(y=y, strokeWidth=width, tooltip=tip, **shared),
        base.mark_circle(opacity=1).encode(
            y=y, size=alt.condition("datum.ours", alt.value(60), alt.value(28)), tooltip=tip, **shared
        ),
    ]


def _versus(row: CurveRow) -> str:
    if row.vs_random is None:
        return "not compared"
    change, low, high = row.vs_random
    bounds = f"{low:+.1f} to {high:+.1f}" if math.isfinite(high) else "unknown"
    return f"{change:+.1f} %, 95 % interval {bounds}" + (f": {row.verdict}" if row.verdict else "")


def _by_mean_rank(plans: list[CurveRow]) -> list[str]:
    ranks: dict[str, list[int]] = {}
    for budget in {row.budget for row in plans}:
        here = sorted((row for row in plans if row.budget == budget), key=lambda row: row.error)
        for rank, row in enumerate(here):
            ranks.setdefault(row.planner, []).append(rank)
    return sorted(ranks, key=lambda name: (sum(ranks[name]) / len(ranks[name]), name))


def _frame_layers(frames: dict[str, float], scale: alt.Scale, units: str) -> list[alt.Chart]:
    if not frames:
        return []
    groups: list[tuple[float, list[str]]] = []
    y, height = alt.Y("error:Q", scale=scale, title=with_unit("RMSE", units)), scale.domain[1] - scale.domain[0]
    for name, error in sorted(frames.items(), key=lambda item: item[1]):
        if groups and error - groups[-1][0] < _TOGETHER * height:
            groups[-1][1].append(name)
        else:
            groups.append((error, [name]))
    lines = alt.Chart(alt.InlineData(values=[{"error": error, "name": name} for name, error in frames.items()]))
    words = alt.Chart(alt.InlineData(values=[{"error": error, "name": ", ".join(names)} for error, names in groups]))
    return [
        lines.mark_rule(strokeDash=[5, 4], stroke="#6b7078", strokeWidth=1).encode(y=y),
        words.mark_text(
            align=alt.expr(f"{_SLIM} ? 'right' : 'left'"),
            baseline=alt.expr(f"{_SLIM} ? 'bottom' : 'middle'"),
            dx=alt.expr(f"{_SLIM} ? -2 : 5"),
            fontSize=11,
            color="#4d525a",
        ).encode(x=alt.value("width"), y=y, text="name:N"),
    ]


def _words(curve: Curve, rows: list[CurveRow], off: dict[str, float], units: str, names: dict[str, str]) -> list[str]:
    leads = curve.data.sizes["lead_time"]
    lines = [
        f"{', '.join(curve.channels)}; RMSE over {leads} lead time{'s' if leads != 1 else ''}, all sites; "
        "bands: one standard deviation over seeds or random draws"
    ]
    if any(said != name for name, said in names.items()):
        lines.append("Drawn are this plan, random plans and the best other one; the table has all")
    if off:
        lines.append("Off the chart: " + ", ".join(f"{name} {error:.4g} {units}" for name, error in off.items()))
    missing: dict[str, str] = {}
    for row in rows:
        if row.reason:
            missing.setdefault(row.planner, row.reason)
    return lines + [f"Not judged everywhere: {name} ({reason})" for name, reason in missing.items()]
