"""The charts of a page: each is the chart that notebook and PNG show, its title set as text of the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import altair as alt

from dynst.domain import Curve, Layout, Plan
from dynst.domain.curve import FRAMES
from dynst.domain.stability import Stability
from dynst.domain.words import vague
from dynst.reports.curve_chart import curve_chart
from dynst.reports.embedded import chart_for_script
from dynst.reports.explore import budget_map, verdict_chart
from dynst.reports.lead_chart import lead_chart
from dynst.reports.stability_chart import stability_map
from dynst.reports.training_chart import active_chart, lives_chart, loss_chart, swap_chart

__all__ = [
    "Figure",
    "curve_figures",
    "lead_figures",
    "map_figure",
    "reach",
    "stability_figure",
    "training_figures",
    "verdict_figures",
    "whole_curve",
]

_MOST = 1000  # sensors of each ranking that the map of a page can draw; chosen: keeps a page below 3 MB
_LINES = 3  # in the first chart of a curve
_CHANNELS = 4  # channels that get a chart by lead time; chosen: as many as the tables show


@dataclass(frozen=True)
class Figure:
    """A chart and the words around it.

    Attributes
    ----------
    key : str
        Name of its place in the page.
    title : str
        What it shows.
    words : tuple of str
        What one must know to read it.
    label : str
        The text alternative, for those who cannot see it.
    spec : str
        Vega-Lite, without title and without inputs of its own, as JSON that is safe inside a script element.
    scaled : bool
        Whether height follows width, as on a map.
    """

    key: str
    title: str
    words: tuple[str, ...]
    label: str
    spec: str
    scaled: bool = False


def map_figure(plan: Plan, layout: Layout | None, plans: Mapping[str, Plan], budgets: tuple[int, ...]) -> Figure:
    """The map of importance, on which sensors of any planner's ranking are drawn up to a budget."""
    chart = budget_map(plan, layout, plans=plans, most=reach(plan, budgets), title=_map_title(plan))
    label = f"Map of {len(plan.sites):,} sites in shades, with the sensors as numbered dots"
    return _figure("map", chart, label, scaled=True)


def _map_title(plan: Plan) -> str:
    """What the map shows, by what the shades are."""
    return (
        "The sensors and their importance" if plan.valued_at is None else "The sensors, and where the next would help"
    )


def reach(plan: Plan, budgets: tuple[int, ...]) -> int:
    """Where the slider ends: beyond every judged budget and three times that of the plan, if so many are drawn."""
    return min(max(60, 3 * plan.budget, *budgets), max(_MOST, plan.budget), len(plan.order))


def curve_figures(curves: Mapping[str, Curve], planner: str, budget: int) -> Iterator[Figure]:
    """Error of a plan against the number of sensors, by judge; none for a judge who saw one budget only."""
    for i, (judge, curve) in enumerate(curves.items()):
        if len(curve.budgets) > 1:
            title = f"Error against the number of sensors, judged by {judge}"
            chart = curve_chart(curve, title=title, budget=budget, planner=planner)
            label = (
                f"Lines of forecast error for the plan at {len(curve.budgets)} numbers of sensors; the table has all"
            )
            yield _figure(f"curve-{i}", chart, label)


def whole_curve(judge: str, curve: Curve, budget: int, number: int) -> Figure | None:
    """The same of all planners; None where the plan, random plans and one other are all."""
    names = [name for name in curve.planners if name not in FRAMES]
    if len(curve.budgets) < 2 or len(names) <= _LINES:
        return None
    chart = curve_chart(curve, title=f"All planners, judged by {judge}", budget=budget)
    label = f"Lines of forecast error for {', '.join(names)} at {len(curve.budgets)} numbers of sensors"
    return _figure(f"curve-all-{number}", chart, f"{label}; the table has all")


def verdict_figures(curves: Mapping[str, Curve], planner: str, budget: int) -> Iterator[Figure]:
    """The plan against each other one with intervals, by judge; none where nothing was compared."""
    for i, (judge, curve) in enumerate(curves.items()):
        if "difference" in curve.data and planner in curve.planners and budget in curve.budgets:
            against = [str(name) for name in curve.data["against"].values if name not in FRAMES]
            cells = [curve.compared(planner, name, budget) for name in against]
            if any(cell is not None and not vague(*cell[1:3]) for cell in cells):
                chart = verdict_chart(curve, planner, budget)
                chart.title.text = f"{planner} against each other planner, judged by {judge}"
                yield _figure(f"verdict-{i}", chart, "Differences of error with 95 % intervals; the table has all")


def lead_figures(curve: Curve, planner: str, budget: int) -> Iterator[Figure]:
    """Error against lead time, one chart per channel; none where there is one lead time."""
    if curve.data.sizes["lead_time"] > 1 and planner in curve.planners and budget in curve.budgets:
        for i, channel in enumerate(curve.channels[:_CHANNELS]):
            chart = lead_chart(curve, planner, budget, channel=channel)
            yield _figure(f"lead-{i}", chart, "Lines of forecast error over lead time; the table has all")


def stability_figure(stability: Stability, layout: Layout | None) -> Figure:
    """The map of what stays of a plan."""
    chart = stability_map(stability, layout, findings=False)  # the page has them as a paragraph
    return _figure("stays", chart, "Map of the sensors by grade of stability; the table has all", scaled=True)


def training_figures(training: tuple[Mapping[str, Any], ...], plan: Plan) -> Iterator[Figure]:
    """How the mask was trained; none where no mask was."""
    if not training or "n_active" not in training[0]:
        return
    yield _figure("active", active_chart(training), "Line of the number of active sites over the training steps")
    if any(row.get("births") or row.get("deaths") for row in training):
        yield _figure("swaps", swap_chart(training), "Bars of births and deaths at each update of the mask")
    if all("loss" in row for row in training):
        yield _figure("loss", loss_chart(training), "Line of the loss over the training steps")
    yield _figure("lives", lives_chart(training, plan), "A bar for each time that a site was in the mask")


def _figure(key: str, chart: alt.LayerChart, label: str, *, scaled: bool = False) -> Figure:
    title, words = str(chart.title.text), chart.title.subtitle
    chart.title = alt.Undefined
    bare = chart.to_dict()
    for param in bare.get("params", ()):
        param.pop("bind", None)  # the page has inputs of its own, with labels and for the keyboard
    lines = (words,) if isinstance(words, str) else tuple(map(str, words or ()))
    spec = chart_for_script(bare)
    return Figure(key, title, lines, f"{title}. {label}.", spec, scaled)
