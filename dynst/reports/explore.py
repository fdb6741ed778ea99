"""Charts to look into a run with: a map with a slider for the budget, two plans on one map, verdicts with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping

import altair as alt
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Curve, Layout, Plan
from dynst.domain.curve import FRAMES
from dynst.domain.words import UNCLEAR, vague
from dynst.errors import ConfigError, unknown_name
from dynst.reports.map_chart import SENSOR_COLOUR, bare_map, size_words
from dynst.reports.marks import loss_cell, mark_size, table, worth_words
from dynst.reports.view import View, view_of

__all__ = ["budget_map", "comparison_map", "verdict_chart"]

_MOST = 60  # sensors that a slider reaches unless told otherwise: beyond, the choice of places hardly matters; chosen
_NUMBERED = 30  # up to so many sensors carry their rank; chosen: more numbers hide the map
_DOT = math.pi / 4 * 16.0**2
_CROWD = 100  # square pixels of a dot without a number at most; chosen
_RIM = "budget <= 200 ? 1.4 : 0.5"
_VERDICTS = {"better": "#0072b2", "tie": "#8a8f98", "worse": "#d55e00"}
"""Blue, grey and vermilion of the colour-blind safe palette of Okabe and Ito (2008)."""


def budget_map(
    plan: Plan,
    layout: Layout | None = None,
    *,
    plans: Mapping[str, Plan] | None = None,
    most: int | None = None,
    title: str = "Slide the budget",
) -> alt.LayerChart:
    """The map of importance with a slider below it: how many sensors of the ranking are drawn.

    The slider works in a notebook and in a saved page, without Python behind it.

    Parameters
    ----------
    plan : Plan
        The ranked sites; its budget is where the slider stands at first.
    layout : Layout or None
        The grid that the sites are cells of, or their graph; without it there are only dots.
    plans : mapping of str to Plan, or None
        Plans on the same sites, among which a list below the map chooses whose ranking is drawn; `plan` comes first.
    most : int or None
        Where the slider ends; three times the budget, at least 60 and at most all ranked sites if left out.
    title : str
        First line above the map.

    Raises
    ------
    BudgetError
        If `most` is more than the plan ranks.
    DataError
        If the plans are on different sites.

    Examples
    --------
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([1, 0, 2]), np.array([3.0, 2.0, 1.0]), 2, Sites(np.arange(3.0), np.zeros(3)), "by_hand")
    >>> slider = budget_map(plan).params[0]
    >>> slider.value, slider.bind.max
    (2, 3)
    """
    most = min(max(_MOST, 3 * plan.budget), len(plan.order)) if most is None else plan.top(most).budget
    view = view_of(plan.sites, layout)
    rankings = {plan.planner: plan} | {name: other for name, other in (plans or {}).items() if name != plan.planner}
    for other in rankings.values():
        plan.overlap(other)  # raises on other sites
    slider = alt.binding_range(min=_fewest(plan), max=most, step=1, name="sensors ")
    budget = alt.param(name="budget", value=min(plan.budget, most), bind=slider)
    choice = alt.binding_select(options=list(rankings), name="ranking by ") if len(rankings) > 1 else alt.Undefined
    whose = f"Ranking by planner {plan.planner}" if len(rankings) == 1 else f"Shades by planner {plan.planner}"
    chart = bare_map(plan, layout, title=title, words=[whose, size_words(plan)])
    chart.layer = [*chart.layer, *_dots(rankings, most, view), _count(rankings, most, view)]
    return chart.add_params(budget, alt.param(name="ranking", value=plan.planner, bind=choice))


def _dots(rankings: Mapping[str, Plan], most: int, view: View) -> list[alt.Chart]:
    """Sensors of each ranking up to the budget, the first rank on top; numbered while they are few."""
    rows = [
        _place(plan, site, view)
        | {"rank": rank, "importance": worth_words(plan, rank), "planner": name, "loss": loss_cell(plan, site)}
        for name, plan in rankings.items()
        for rank, site in enumerate(plan.order[:most].tolist(), 1)
    ]
    ranked = alt.Chart(table(rows[::-1])).transform_filter("datum.planner == ranking")
    shown = ranked.transform_filter("datum.rank <= budget")
    x, y = _axes(view)
    titles = {"rank": "order of building", "name": "name", "importance": "importance", "planner": "planner"}
    tooltip = [alt.Tooltip(f"{name}:N", title=title) for name, title in titles.items()]
    # Area in square pixels: as large as a number needs while there are few, then all dots together keep their area.
    many = max(7.0, min(_CROWD, _DOT * _NUMBERED / min(most, max(plan.budget for plan in rankings.values()))))
    usual = alt.expr(f"budget <= {_NUMBERED} ? {_DOT:.0f} : max(7, min({_CROWD}, {_DOT * _NUMBERED:.0f} / budget))")
    few = all(plan.budget <= _NUMBERED for plan in rankings.values())
    size = mark_size(rankings.values(), _DOT if few else many, usual)
    dots = shown.mark_circle(fill=SENSOR_COLOUR, stroke="#ffffff", strokeWidth=alt.expr(_RIM), opacity=1)
    numbers = shown.transform_filter(f"budget <= {_NUMBERED}").mark_text(
        fontSize=9, fontWeight="bold", color="#ffffff", dy=0.5, aria=False
    )
    return [dots.encode(x=x, y=y, size=size, tooltip=tooltip), numbers.encode(x=x, y=y, text="rank:N", tooltip=tooltip)]


def _count(rankings: Mapping[str, Plan], most: int, view: View) -> alt.Chart:
    """How many sensors are drawn, above the map at its right."""
    total = len(next(iter(rankings.values())).sites)
    ranked = [{"name": name, "most": min(most, len(plan.order))} for name, plan in rankings.items()]
    words: alt.Chart = (
        alt.Chart(alt.InlineData(values=ranked))
        .transform_filter("datum.name == ranking")
        .transform_calculate(shown="min(budget, datum.most)")
        .transform_calculate(
            text=f"format(datum.shown, ',') + ' of {total:,} sites, sparsity ' + "
            f"format(1 - datum.shown / {total}, '.4~')"
        )
        .mark_text(align="right", baseline="bottom", fontSize=13, fontWeight="bold", color="#222222", dy=-5)
        .encode(x=alt.value("width"), y=alt.value(0), text="text:N")
    )
    return words


def comparison_map(
    plan: Plan, other: Plan, layout: Layout | None = None, *, title: str | None = None
) -> alt.LayerChart:
    """Two plans on the map of importance of the first: sensors in common, and those of one plan only.

    Parameters
    ----------
    plan, other : Plan
        Plans on the same sites.
    layout : Layout or None
        The grid that the sites are cells of, or their graph; without it there are only dots.
    title : str or None
        First line above the map; the names of the planners if left out.

    Raises
    ------
    DataError
        If the plans are on different sites.

    Examples
    --------
    >>> from dynst.domain import Sites
    >>> sites = Sites(np.arange(3.0), np.zeros(3))
    >>> ours = Plan(np.array([1, 0]), np.array([3.0, 2.0]), 2, sites, "by_hand")
    >>> comparison_map(ours, Plan(np.array([1, 2]), np.array([3.0, 2.0]), 2, sites, "by_eye")).title.subtitle[0]
    '1 of 2 sensors in common with by_eye, which has 2 (overlap 0.33)'
    """
    share, common = plan.overlap(other), np.intersect1d(plan.selected, other.selected)
    view = view_of(plan.sites, layout)
    if title is None:
        title = f"{plan.planner} beside {other.planner}"
    groups = {
        f"{other.planner} only": _left(other, common),
        f"{plan.planner} only": _left(plan, common),
        "both": common,
    }
    rows = [_place(plan, site, view) | {"plan": name} for name, found in groups.items() for site in found.tolist()]
    first = f"{len(common)} of {plan.budget} sensors in common with {other.planner}, which has {other.budget}"
    said = [f"{first} (overlap {share:.2f})", f"Shades by planner {plan.planner}"]
    chart = bare_map(plan, layout, title=title, words=said)
    x, y = _axes(view)
    names, key = list(groups), alt.Legend(title="sensors of", symbolSize=130, symbolStrokeWidth=1.5, offset=14)
    marks = (
        alt.Chart(table(rows))
        .mark_point(size=_DOT * 0.8, filled=True, stroke="#1a1a1a", strokeWidth=1.5, opacity=1)
        .encode(
            x=x,
            y=y,
            fill=alt.Fill(
                "plan:N", scale=alt.Scale(domain=names, range=["#ffffff", SENSOR_COLOUR, "#cc79a7"]), legend=key
            ),
            shape=alt.Shape("plan:N", scale=alt.Scale(domain=names, range=["square", "circle", "diamond"]), legend=key),
            tooltip=[alt.Tooltip("plan:N", title="sensor of"), alt.Tooltip("name:N")],
        )
    )
    chart.layer = [*chart.layer, marks]
    return chart


def verdict_chart(curve: Curve, planner: str, budget: int) -> alt.LayerChart:
    """How much better or worse a planner does than each other one, with the interval that decides on the word.

    Parameters
    ----------
    curve : Curve
        A judged curve that holds comparisons.
    planner : str
        Whose plan is compared.
    budget : int
        At which number of sensors.

    Raises
    ------
    ConfigError
        If the curve compares no planner of that name.
    DataError
        If the curve was not judged at `budget`.
    """
    cell = curve.at(budget)
    known = [str(name) for name in cell["against"].values if name not in FRAMES] if "difference" in cell else []
    if planner not in known:
        raise ConfigError(unknown_name("planner", planner, known))
    cells = {name: curve.compared(planner, name, budget) for name in known if name != planner}
    rows = [
        dict(zip(("against", "difference", "low", "high", "verdict"), (name, *found), strict=True))
        for name, found in cells.items()
        if found is not None and not vague(*found[1:3])
    ]
    left = [name for name, found in cells.items() if found is not None and vague(*found[1:3])]
    undrawn = [f"Not drawn, {UNCLEAR}: {', '.join(left)}."] if left else []
    y = alt.Y("against:N", title=None, sort=alt.SortField("difference"), axis=alt.Axis(grid=True, domain=False))
    colour = alt.Color(
        "verdict:N",
        scale=alt.Scale(domain=list(_VERDICTS), range=list(_VERDICTS.values())),
        legend=alt.Legend(title=f"{planner} is", symbolOpacity=1),
    )
    of_rows = alt.Chart(alt.InlineData(values=rows))
    zero = alt.Chart(alt.InlineData(values=[{"at": 0}])).mark_rule(stroke="#222222", strokeWidth=1)
    title = alt.Axis(title=[f"error of {planner} against the other (%)", "left of 0: smaller"], format="+~r")
    bars = of_rows.mark_rule(strokeWidth=4, opacity=0.55).encode(
        x=alt.X("low:Q", axis=title), x2="high:Q", y=y, color=colour
    )
    dots = of_rows.mark_circle(size=110, opacity=1).encode(
        x="difference:Q",
        y=y,
        color=colour,
        tooltip=[
            "against:N",
            "verdict:N",
            *(alt.Tooltip(f"{k}:Q", format="+.1f") for k in ("difference", "low", "high")),
        ],
    )
    chart: alt.LayerChart = (
        alt.layer(zero.encode(x="at:Q"), bars, dots)
        .properties(
            width=520,
            height=alt.Step(26),
            title=alt.TitleParams(
                f"{planner} against each other planner, {budget:,} sensors",
                anchor="start",
                fontSize=17,
                subtitle=[
                    "Bars: 95 % interval of one difference. Colours: verdict, corrected for number (Holm).",
                    *undrawn,
                ],
                subtitleFontSize=12,
                subtitleColor="#555",
                offset=12,
            ),
        )
        .configure_axis(labelColor="#444", titleColor="#444", gridColor="#eceae6", labelFontSize=12)
        .configure_view(stroke=None)
    )
    return chart


def _fewest(plan: Plan) -> int:
    """The smallest budget of a plan on these sites: sensors that stand already are in every plan."""
    return max(1, len(plan.sites.fixed))


def _axes(view: View) -> tuple[alt.X, alt.Y]:
    """The axes of the map once more, drawn by the layers below."""
    return (
        alt.X("x:Q", scale=alt.Scale(domain=[view.west, view.east], nice=False, zero=False)),
        alt.Y("y:Q", scale=alt.Scale(domain=[view.south, view.north], nice=False, zero=False)),
    )


def _place(plan: Plan, site: int, view: View) -> dict[str, object]:
    return {"x": f"{view.x[site]:.6g}", "y": f"{view.y[site]:.6g}", "name": plan.sites.name[site]}


def _left(plan: Plan, common: Int[ndarray, " c"]) -> Int[ndarray, " k"]:
    left: ndarray = plan.selected[~np.isin(plan.selected, common)]
    return left
