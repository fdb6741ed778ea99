"""The map of a plan as a Vega-Altair chart: one definition serves page, notebook and PNG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import GraphLayout, GridLayout, Layout, Plan
from dynst.reports.coastline import CREDIT, Land, land_in
from dynst.reports.marks import (
    LOSS,
    SENSOR_COLOUR,
    drawn_links,
    importance_scale,
    links_of,
    ringed,
    sensor_dots,
    site_dots,
    table,
)
from dynst.reports.raster import COLOURS, png_url, site_of_pixel
from dynst.reports.rule_marks import closed_sites, rule_marks, rule_words
from dynst.reports.shades import Shades, shades_of_plan
from dynst.reports.view import View, view_of

__all__ = [
    "SENSOR_COLOUR",
    "axes_of",
    "bare_map",
    "base_layers",
    "importance_map",
    "is_field",
    "site_map",
    "size_words",
    "small_print",
    "styled",
]

_DOTS = 1500  # up to so many sites of no grid and no mesh are dots of their own, more of them a heat map; chosen
_LONGEST_LINE = 128  # characters of a line of small print under the title; chosen for the usual width of 760 pixels


def importance_map(
    plan: Plan, layout: Layout | None = None, *, title: str = "Sensor plan", top: int | None = None
) -> alt.LayerChart:
    """Where the next sensor would help, the sensors by what they are worth, the links of a graph, and the coast.

    A shade is the gain of a further sensor, and the size of a mark the loss if that sensor goes. Of a planner that does
    not tell them (see `Plan.valued_at`) the shade is its own importance, and all marks have one size.

    Cells of a grid, nodes of a mesh and sites in great number make a heat map with the sensors on it; fewer sites are
    dots in the shade of their importance, the sensors ringed.

    Parameters
    ----------
    plan : Plan
        The ranked sites.
    layout : Layout or None
        The grid that the sites are cells of, or their graph; without it there are only dots.
    title : str
        First line above the map.
    top : int or None
        Draw only the first so many sensors; all of the plan's budget if left out.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([1, 0]), np.array([2.0, 1.0]), 1, Sites(np.array([0.0, 9.0]), np.zeros(2)), "by_hand")
    >>> importance_map(plan, GridLayout((1, 2), np.arange(2))).title.text
    'Sensor plan'
    """
    view, shades = view_of(plan.sites, layout), shades_of_plan(plan)
    sensors = plan.order[: plan.budget if top is None else plan.top(top).budget]
    x, y = axes_of(view)
    marks = (
        sensor_dots(plan, sensors, view, x, y)
        if is_field(plan, layout)
        else ringed(plan, view, sensors, shades, (x, y))
    )
    said = [_count(plan, len(sensors)), *_shade_words(plan, layout, shades), size_words(plan)]
    words = [*said, *_place_words(plan, view, layout)]
    return site_map(plan, layout, view, shades, marks, title=title, words=words)


def bare_map(plan: Plan, layout: Layout | None, *, title: str, words: Sequence[str]) -> alt.LayerChart:
    """The map of a plan without its sensors, for marks of another kind; `words` come first below the title."""
    view, shades = view_of(plan.sites, layout), shades_of_plan(plan)
    said = [*words, *_shade_words(plan, layout, shades), *_place_words(plan, view, layout)]
    return site_map(plan, layout, view, shades, [], title=title, words=said)


def is_field(plan: Plan, layout: Layout | None) -> bool:
    """Whether sites are drawn as a heat map of their cells, and not as dots of their own."""
    triangles = layout.triangles if isinstance(layout, GraphLayout) else None
    return isinstance(layout, GridLayout) or triangles is not None or len(plan.sites) > _DOTS


def site_map(
    plan: Plan,
    layout: Layout | None,
    view: View,
    shades: Shades,
    marks: Sequence[alt.Chart],
    *,
    title: str,
    words: Sequence[str],
) -> alt.LayerChart:
    """Every site in its shade, with links and coast, under `marks`; `words` are the lines below the title."""
    shaded = is_field(plan, layout)
    layers = [*base_layers(plan, layout, view, shades), *marks]
    layers += [*rule_marks(plan, view, *axes_of(view), shaded=shaded), small_print(plan, view)]
    subtitle = [part for line in (*words, *rule_words(plan, shaded=shaded)) for part in _wrapped(line)]
    chart: alt.LayerChart = styled(
        alt.layer(*layers).properties(
            width=view.width,
            height=view.height,
            view=alt.ViewConfig(fill="#f4f7fa", stroke="#8a8f98"),
            title=alt.TitleParams(title, anchor="start", fontSize=17, subtitle=subtitle, **_TITLE),
        )
    )
    return chart


def base_layers(
    plan: Plan, layout: Layout | None, view: View, shades: Shades, *, still: bool = False
) -> list[alt.Chart]:
    """Every site in its shade, with links, land and coast; a map that is `still` cannot be moved."""
    land = land_in(view.west, view.east, view.south, view.north) if view.geographic else Land((), (), ())
    x, y = axes_of(view)
    layers: list[alt.Chart] = [*_land(land, x, y)]
    shaded = is_field(plan, layout)
    if shaded:
        triangles = layout.triangles if isinstance(layout, GraphLayout) else None
        layers += [*_picture(plan, view, triangles, shades, (x, y), still=still), *_coast(land, x, y)]
    else:
        lines = drawn_links(links_of(layout), view, x, y) if isinstance(layout, GraphLayout) else []
        layers += [*_coast(land, x, y), *lines, site_dots(plan, shades, view, x, y)]
    return layers


def styled(chart: Any) -> Any:
    """The look that all maps share; of any kind of chart."""
    return chart.configure_axis(
        labelColor="#444", tickColor="#8a8f98", domain=False, labelFontSize=11, titleColor="#444"
    ).configure_legend(labelColor="#444", titleColor="#222", titleFontSize=12, labelFontSize=11)


_TITLE: dict[str, Any] = {
    "subtitleFontSize": 12,
    "subtitleColor": "#555",
    "subtitlePadding": 5,
    "offset": 12,
    "subtitleLineHeight": 16,
}


def _count(plan: Plan, shown: int) -> str:
    """How many sensors, by whom."""
    first = f"{shown:,} of {len(plan.sites):,} sites carry a sensor (sparsity {1 - shown / len(plan.sites):.4g})"
    made = f"planner {plan.planner}" + (f", seed {plan.provenance['seed']}" if "seed" in plan.provenance else "")
    return f"{first} · {made}"


def _shade_words(plan: Plan, layout: Layout | None, shades: Shades) -> list[str]:
    """What the shades stand for."""
    scale = "by percentile, as a few sites dwarf the rest" if shades.by_rank else "in proportion"
    if plan.valued_at is None:
        what = f"Shade: importance, {plan.importance_is}"
        whole = f"{what}; shaded {scale}"
        return [whole] if len(whole) < _LONGEST_LINE else [what, f"Shaded {scale}"]
    grey = "; grey: a sensor of the plan" if is_field(plan, layout) else ""
    return [
        f"Shade: gain of the next sensor after these {plan.valued_at:,}, {scale}{grey}",
        f"Gain and loss: {plan.importance_is}",
    ]


def size_words(plan: Plan) -> str:
    """What the size of a mark and the number on it stand for."""
    size = f"Size of a mark: {LOSS}. " if plan.valued_at is not None else ""
    return f"{size}Number: order of building"


def _place_words(plan: Plan, view: View, layout: Layout | None) -> list[str]:
    """What a reader must know of the places."""
    lines = []
    if isinstance(layout, GraphLayout):
        lines.append(f"{layout.words[:1].upper()}{layout.words[1:]}: {len(links_of(layout)):,} links")
    under = len(plan.sites) - len(set(zip(view.x.tolist(), view.y.tolist(), strict=True)))
    if under:
        what = "1 site stands" if under == 1 else f"{under:,} sites stand"
        lines.append(f"{what} at the place of another and may be hidden by it")
    if view.schematic:
        lines.append("Drawn from the graph: positions are unknown")
    elif abs(view.stretch - 1) > 0.02:
        lines.append(f"Not to scale: heights are drawn {view.stretch:.2g} times as long as widths")
    return lines


def _wrapped(line: str) -> list[str]:
    parts = [""]
    for word in line.split():
        if parts[-1] and len(parts[-1]) + len(word) >= _LONGEST_LINE:
            parts.append("")
        parts[-1] = f"{parts[-1]} {word}".strip()
    return parts


def axes_of(view: View) -> tuple[alt.X, alt.Y]:
    """The two axes of a map."""
    return (
        alt.X(
            "x:Q",
            scale=alt.Scale(domain=[view.west, view.east], nice=False, zero=False),
            axis=None
            if view.schematic
            else alt.Axis(
                values=view.ticks(view.west, view.east, max(2, view.width // 90)),
                title=None if view.geographic else view.axis("x"),
                labelExpr=_EAST if view.geographic else _LENGTH,
                grid=False,
            ),
        ),
        alt.Y(
            "y:Q",
            scale=alt.Scale(domain=[view.south, view.north], nice=False, zero=False),
            axis=None
            if view.schematic
            else alt.Axis(
                values=view.ticks(view.south, view.north, max(3, view.height // 60)),
                title=None if view.geographic else view.axis("y"),
                labelExpr=_NORTH if view.geographic else _LENGTH,
                grid=False,
            ),
        ),
    )


_LENGTH = "format(datum.value, ',~r')"
_TURNED = "((datum.value + 900) % 360 - 180)"
_EAST = f"format(abs({_TURNED}), '~r') + '°' + ({_TURNED} == 0 || {_TURNED} == -180 ? '' : {_TURNED} > 0 ? 'E' : 'W')"
_NORTH = "format(abs(datum.value), '~r') + '°' + (datum.value == 0 ? '' : datum.value > 0 ? 'N' : 'S')"


def _land(land: Land, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    parts = ((land.areas, "#e6e3dc"), (land.lakes, "#f4f7fa"))
    return [
        alt.Chart(_paths(rings))
        .mark_line(fill=colour, strokeWidth=0, interpolate="linear-closed", clip=True, aria=False)
        .encode(x=x, y=y, detail="path:N", order="i:Q")
        for rings, colour in parts
        if rings
    ]


def _coast(land: Land, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Dark on a pale halo, so that the line shows on light and on dark shades."""
    strokes = (("#ffffff", 1.8, 0.55), ("#222222", 0.7, 0.9))
    return [
        alt.Chart(_paths(land.coasts))
        .mark_line(stroke=colour, strokeWidth=width, opacity=opacity, clip=True, strokeJoin="round", aria=False)
        .encode(x=x, y=y, detail="path:N", order="i:Q")
        for colour, width, opacity in strokes
        if land.coasts
    ]


def _paths(lines: tuple[ndarray, ...]) -> alt.InlineData:
    rows = (
        {"x": f"{x:.3f}", "y": f"{y:.3f}", "path": path, "i": i}
        for path, line in enumerate(lines)
        for i, (x, y) in enumerate(line.tolist())
    )
    return table(rows)


def _moving_size(view: View) -> tuple[alt.ExprRef, alt.ExprRef]:
    """Width and height that follow where the map is moved; of use only where it has its scales to itself."""
    return (
        alt.expr(f"abs(scale('x', {view.east}) - scale('x', {view.west}))"),
        alt.expr(f"abs(scale('y', {view.north}) - scale('y', {view.south}))"),
    )


def _picture(
    plan: Plan,
    view: View,
    triangles: Int[ndarray, "f 3"] | None,
    shades: Shades,
    axes: tuple[alt.X, alt.Y],
    *,
    still: bool,
) -> list[alt.Chart]:
    """The heat map as one image, and an unseen mark that brings its legend."""
    x, y = axes
    size = (view.width, view.height) if still else _moving_size(view)
    closed = closed_sites(plan)
    hatched = closed if closed.any() else None
    colours = shades.colours or COLOURS
    url = png_url(shades.level, site_of_pixel(view, triangles), hatched=hatched, colours=colours)
    middle = {"x": (view.west + view.east) / 2, "y": (view.south + view.north) / 2, "url": url, "shade": 0.5}
    image = (
        alt.Chart(alt.InlineData(values=[middle]))
        .mark_image(
            width=size[0],
            height=size[1],
            aspect=False,
            align="center",
            baseline="middle",
            clip=True,
            aria=False,
        )
        .encode(x=x, y=y, url="url:N")
    )
    key = (
        alt.Chart(alt.InlineData(values=[middle]))
        .mark_point(opacity=0, filled=True, aria=False)
        .encode(x=x, y=y, color=importance_scale(shades, view))
    )
    return [image, key]


def small_print(plan: Plan, view: View) -> alt.Chart:
    """Where data and coast come from, below the map."""
    parts = [f"data: {plan.provenance['data']}"] if isinstance(plan.provenance.get("data"), str) else []
    parts += [f"coast: {CREDIT}"] if view.geographic else []
    line: alt.Chart = (
        alt.Chart(alt.InlineData(values=[{"text": " · ".join([*parts, "dynst"])}]))
        .mark_text(
            align="left",
            baseline="top",
            fontSize=10,
            color="#8a8f98",
            clip=False,
            dy=26 if view.geographic else 8 if view.schematic else 44,
            limit=alt.expr("max(width, 300)"),
        )
        .encode(x=alt.value(0), y=alt.value("height"), text="text:N")
    )
    return line
