"""The map of a forecast: the field, its standard deviation and, where the truth is known, the error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Layout, Plan
from dynst.reports.map_chart import axes_of, base_layers, is_field, small_print, styled
from dynst.reports.marks import drawn_marks, site_size, table
from dynst.reports.raster import BOTH_WAYS
from dynst.reports.shades import Shades, shades_in
from dynst.reports.view import View, view_of

__all__ = ["Panel", "forecast_map"]

_WIDE = 1.6  # times as wide as high: panels of wider maps stand below each other; chosen
_SMALLER = 0.62  # of the usual size, where panels stand side by side; chosen
_OUTER = 0.005  # share of the values on either side that get the outermost shade: a few must not pale the rest
_SMALL: dict[str, Any] = {"subtitleFontSize": 12, "subtitleColor": "#555", "offset": 14}
_READING, _SILENT = "sensor", "silent sensor"
_COLOURS = {_READING: "#111111", _SILENT: "#cc79a7"}  # the second is the purple of Okabe and Ito, no shade of a map


@dataclass(frozen=True, eq=False)
class Panel:
    """One of the maps.

    Parameters
    ----------
    title : str
        What is shown.
    values : Float[ndarray, "n"]
        Of the sites; NaN for none.
    legend : str
        What the shades stand for, with the unit.
    signed : bool
        Whether zero is the middle of the shades.
    """

    title: str
    values: Float[ndarray, " n"]
    legend: str
    signed: bool = False


def forecast_map(
    plan: Plan,
    layout: Layout | None,
    panels: Sequence[Panel],
    *,
    heard: Bool[ndarray, " k"],
    title: str,
    words: Sequence[str] = (),
) -> alt.HConcatChart | alt.VConcatChart:
    """Maps of a forecast beside each other, the sensors on each.

    Parameters
    ----------
    plan, layout : Plan, Layout or None
        The sites and the sensors.
    panels : sequence of Panel
        What is shown.
    heard : Bool[ndarray, "k"]
        Which sensors' readings came, first sensor first.
    title, words : str, sequence of str
        Lines above the maps.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> plan = Plan(np.array([1, 0]), np.array([2.0, 1.0]), 1, Sites(np.array([0.0, 9.0]), np.zeros(2)), "by_hand")
    >>> panels = [Panel("mean", np.array([1.0, 2.0]), "t (K)")]
    >>> forecast_map(plan, GridLayout((1, 2), np.arange(2)), panels, heard=np.ones(1, bool), title="Now").title.text
    'Now'
    """
    whole = view_of(plan.sites, layout)
    below = whole.width > _WIDE * whole.height
    scale = 1.0 if below or len(panels) == 1 else _SMALLER
    view = replace(whole, width=round(whole.width * scale), height=round(whole.height * scale))
    charts = [_map(plan, layout, view, panel, heard, last=panel is panels[-1]) for panel in panels]
    joined = alt.vconcat(*charts) if below else alt.hconcat(*charts)
    made = joined.resolve_scale(color="independent", stroke="independent", fill="independent").properties(
        title=alt.TitleParams(
            title,
            anchor="start",
            fontSize=17,
            subtitle=list(words),
            subtitleFontSize=12,
            subtitleColor="#555",
            offset=14,
        )
    )
    chart: alt.HConcatChart | alt.VConcatChart = styled(made)
    return chart


def _map(
    plan: Plan, layout: Layout | None, view: View, panel: Panel, heard: Bool[ndarray, " k"], *, last: bool
) -> alt.LayerChart | alt.FacetChart:
    layers = base_layers(plan, layout, view, _shades(panel), still=True)
    layers += [_sensors(plan, layout, view, heard, legend=last)]
    layers += [small_print(plan, view)] if last else []
    return alt.layer(*layers).properties(
        width=view.width,
        height=view.height,
        view=alt.ViewConfig(fill="#f4f7fa", stroke="#8a8f98"),
        title=alt.TitleParams(panel.title, anchor="start", fontSize=13, offset=8),
    )


def _shades(panel: Panel) -> Shades:
    known = panel.values[np.isfinite(panel.values)]
    low, high = np.quantile(known, [_OUTER, 1 - _OUTER]).tolist() if len(known) else (0.0, 0.0)
    if not panel.signed:
        return shades_in(panel.values, low, high, panel.legend)
    size = max(abs(low), abs(high))
    return replace(shades_in(panel.values, -size, size, panel.legend), colours=BOTH_WAYS)


def _sensors(plan: Plan, layout: Layout | None, view: View, heard: Bool[ndarray, " k"], *, legend: bool) -> alt.Chart:
    """Sensors whose readings came, and silent ones: dots on a field, rings around the dots of sites."""
    came = dict(zip(plan.selected.tolist(), heard.tolist(), strict=True))
    rows = [
        {"x": f"{mark.x:.6g}", "y": f"{mark.y:.6g}", "name": mark.one.name, "kind": _kind(came[mark.one.site])}
        for mark in drawn_marks(plan, plan.selected, view)
    ]
    kinds = [kind for kind in _COLOURS if any(row["kind"] == kind for row in rows)]
    scale = alt.Scale(domain=kinds, range=[_COLOURS[kind] for kind in kinds])
    key = alt.Legend(title=None, symbolSize=70, symbolStrokeWidth=2, offset=14) if legend else None
    x, y = axes_of(view)
    base = alt.Chart(table(rows)).encode(x=x, y=y, tooltip=["name:N", "kind:N"])
    if is_field(plan, layout):
        dots = base.mark_circle(size=40, stroke="#ffffff", strokeWidth=1.0, opacity=1)
        marks: alt.Chart = dots.encode(fill=alt.Fill("kind:N", scale=scale, legend=key))
    else:
        rings = base.mark_point(size=math.pi / 4 * (site_size(view) + 6) ** 2, strokeWidth=2, opacity=1)
        marks = rings.encode(stroke=alt.Stroke("kind:N", scale=scale, legend=key))
    return marks


def _kind(came: bool) -> str:
    return _READING if came else _SILENT
