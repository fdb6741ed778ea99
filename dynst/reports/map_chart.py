"""The map of a plan as a Vega-Altair chart: one definition serves page, notebook and PNG."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Layout, Plan
from dynst.reports.coastline import CREDIT, Land, land_in
from dynst.reports.raster import COLOURS, png_url, site_of_pixel
from dynst.reports.shades import Shades, shades_of
from dynst.reports.view import View, lonlat, view_of

__all__ = ["SENSOR_COLOUR", "importance_map"]

SENSOR_COLOUR = "#d55e00"
"""Vermilion of the colour-blind safe palette of Okabe and Ito (2008): far from every shade of the map."""

_LABELLED = 20  # up to so many sensors carry their rank; chosen: more numbers hide the map
_LONGEST_LINE = 128  # characters of a line of small print under the title; chosen for the usual width of 760 pixels


def importance_map(
    plan: Plan, layout: Layout | None = None, *, title: str = "Sensor plan", top: int | None = None
) -> alt.LayerChart:
    """Importance of every site as a heat map, the sensors on it, and the coast.

    Parameters
    ----------
    plan : Plan
        The ranked sites.
    layout : GridLayout or None
        The grid that the sites are cells of; without it each site is drawn as a square.
    title : str
        First line above the map.
    top : int or None
        Draw only the first so many sensors; all of the plan's budget if left out.

    Examples
    --------
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([1, 0]), np.array([2.0, 1.0]), 1, Sites(np.array([0.0, 9.0]), np.zeros(2)), "by_hand")
    >>> importance_map(plan, GridLayout((1, 2), np.arange(2))).title.text
    'Sensor plan'
    """
    view, shades = view_of(plan.sites, layout), shades_of(plan.importance_map)
    land = land_in(view.west, view.east, view.south, view.north) if view.geographic else Land((), (), ())
    sensors = plan.order[: plan.budget if top is None else plan.top(top).budget]
    x, y = _axes(view)
    layers: list[alt.Chart] = [
        *_land(land, x, y),
        *_picture(view, shades, x, y),
        *_coast(land, x, y),
        *_sensors(plan, sensors, view, x, y),
        _small_print(plan, view),
    ]
    chart: alt.LayerChart = (
        alt.layer(*layers)
        .properties(
            width=view.width,
            height=view.height,
            view=alt.ViewConfig(fill="#f4f7fa", stroke="#8a8f98"),
            title=alt.TitleParams(
                title, anchor="start", fontSize=17, subtitle=_words(plan, len(sensors), view, shades), **_TITLE
            ),
        )
        .configure_axis(labelColor="#444", tickColor="#8a8f98", domain=False, labelFontSize=11, titleColor="#444")
        .configure_legend(labelColor="#444", titleColor="#222", titleFontSize=12, labelFontSize=11)
    )
    return chart


_TITLE: dict[str, Any] = {
    "subtitleFontSize": 12,
    "subtitleColor": "#555",
    "subtitlePadding": 5,
    "offset": 12,
    "subtitleLineHeight": 16,
}


def _words(plan: Plan, shown: int, view: View, shades: Shades) -> list[str]:
    """What a reader must know to read the map: how many, by whom, what the shades are."""
    first = f"{shown:,} of {len(plan.sites):,} sites carry a sensor (sparsity {1 - shown / len(plan.sites):.4g})"
    made = f"planner {plan.planner}" + (f", seed {plan.provenance['seed']}" if "seed" in plan.provenance else "")
    scale = "shaded by percentile, as a few sites dwarf the rest" if shades.by_rank else "shaded in proportion"
    what = f"Importance: {plan.importance_is}"
    lines = [f"{first} · {made}"]
    lines += [f"{what}; {scale}"] if len(what) + len(scale) < _LONGEST_LINE else [what, scale.capitalize()]
    if abs(view.stretch - 1) > 0.02:
        lines.append(f"Not to scale: heights are drawn {view.stretch:.2g} times as long as widths")
    return [part for line in lines for part in _wrapped(line)]


def _wrapped(line: str) -> list[str]:
    parts = [""]
    for word in line.split():
        if parts[-1] and len(parts[-1]) + len(word) >= _LONGEST_LINE:
            parts.append("")
        parts[-1] = f"{parts[-1]} {word}".strip()
    return parts


def _axes(view: View) -> tuple[alt.X, alt.Y]:
    return (
        alt.X(
            "x:Q",
            scale=alt.Scale(domain=[view.west, view.east], nice=False, zero=False),
            axis=alt.Axis(
                values=view.ticks(view.west, view.east, max(2, view.width // 90)),
                title=None if view.geographic else f"x ({view.unit})",
                labelExpr=_EAST if view.geographic else _LENGTH,
                grid=False,
            ),
        ),
        alt.Y(
            "y:Q",
            scale=alt.Scale(domain=[view.south, view.north], nice=False, zero=False),
            axis=alt.Axis(
                values=view.ticks(view.south, view.north, max(2, view.height // 60)),
                title=None if view.geographic else f"y ({view.unit})",
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
    return _table(rows)


def _table(rows: Iterable[Mapping[str, object]]) -> alt.InlineData:
    """Rows as CSV inside the chart: a fifth of the size of JSON, and nothing for Altair to check one by one."""
    text, writer = io.StringIO(), None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
            writer.writeheader()
        writer.writerow(row)
    numbers = {"x": "number", "y": "number", "i": "number", "rank": "number", "name": "string"}
    return alt.InlineData(values=text.getvalue(), format=alt.CsvDataFormat(type="csv", parse=numbers))


def _picture(view: View, shades: Shades, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The heat map as one image, and an unseen mark that brings its legend."""
    url = png_url(shades.level, site_of_pixel(view))
    middle = {"x": (view.west + view.east) / 2, "y": (view.south + view.north) / 2, "url": url, "shade": 0.5}
    image = (
        alt.Chart(alt.InlineData(values=[middle]))
        .mark_image(
            width=view.width, height=view.height, aspect=False, align="center", baseline="middle", clip=True, aria=False
        )
        .encode(x=x, y=y, url="url:N")
    )
    labels = " : ".join(f"datum.value == {level:g} ? '{text}'" for level, text in shades.ticks) + " : ''"
    legend = alt.Legend(
        title=["importance", "(percentiles)" if shades.by_rank else ""][: 1 + shades.by_rank],
        values=[level for level, _ in shades.ticks],
        labelExpr=labels,
        gradientLength=min(220, view.height - 40),
        gradientOpacity=1,
        gradientStrokeColor="#8a8f98",
        gradientStrokeWidth=0.5,
        offset=14,
    )
    key = (
        alt.Chart(alt.InlineData(values=[middle]))
        .mark_point(opacity=0, filled=True, aria=False)
        .encode(
            x=x,
            y=y,
            color=alt.Color("shade:Q", scale=alt.Scale(domain=[0, 1], range=list(COLOURS)), legend=legend),
        )
    )
    return [image, key]


def _sensors(plan: Plan, sensors: Int[ndarray, " k"], view: View, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A dot for each sensor, the first rank on top; ranks on the dots if they are few."""
    labelled = len(sensors) <= _LABELLED
    size = 16.0 if labelled else _dot_size(view, len(sensors))
    values = _rows(plan, sensors, view)
    encoding: dict[str, Any] = {
        "x": x,
        "y": y,
        "tooltip": [alt.Tooltip(f"{name}:N", title=name) for name in list(values[0])[2:-1]],
    }
    kind = alt.Fill("kind:N", scale=alt.Scale(range=[SENSOR_COLOUR]), legend=_KEY)
    dots = (
        alt.Chart(_table(values[::-1]))
        .mark_circle(
            size=math.pi / 4 * size**2, stroke="#ffffff", strokeWidth=min(1.4, size / 7) if size > 4 else 0, opacity=1
        )
        .encode(fill=kind, **encoding)
    )
    if not labelled:
        return [dots]
    shown = (row for row, covered in zip(values, _hidden(view, sensors, size), strict=True) if not covered)
    numbers = (
        alt.Chart(_table(shown))
        .mark_text(fontSize=9, fontWeight="bold", color="#ffffff", dy=0.5, aria=False)
        .encode(text="rank:N", **encoding)
    )
    return [dots, numbers]


_KEY = alt.Legend(title=None, symbolSize=110, symbolStrokeWidth=0, offset=14)


def _rows(plan: Plan, sensors: Int[ndarray, " k"], view: View) -> list[dict[str, object]]:
    known = lonlat(plan.sites)
    rows: list[dict[str, object]] = []
    for rank, site in enumerate(sensors.tolist(), 1):
        row: dict[str, object] = {"x": f"{view.x[site]:.6g}", "y": f"{view.y[site]:.6g}", "rank": rank}
        row |= {"name": plan.sites.name[site], "importance": f"{plan.importance[rank - 1]:.4g}"}
        if known is None:
            row |= {f"x ({view.unit})": row["x"], f"y ({view.unit})": row["y"]}
        else:
            row |= {"longitude": f"{known[0][site]:.3f}°", "latitude": f"{known[1][site]:.3f}°"}
        rows.append({**row, "kind": "sensor, rank" if len(sensors) <= _LABELLED else "sensor"})
    return rows


def _dot_size(view: View, count: int) -> float:
    """Diameter in pixels at which `count` dots cover about an eighth of the cells' area."""
    if view.corners is None:
        share = 0.7
    else:
        across, along = np.ptp(view.corners[..., 0], axis=1), np.ptp(view.corners[..., 1], axis=1)
        share = float((across * along).sum() / ((view.east - view.west) * (view.north - view.south)))
    area = min(1.0, share) * view.width * view.height
    return float(np.clip(math.sqrt(area / 8 / count * 4 / math.pi), 1.5, 10.0))


def _hidden(view: View, sensors: Int[ndarray, " k"], size: float) -> list[bool]:
    """Whether the number on a dot would be covered by a dot of better rank."""
    pixels: Float[ndarray, "k 2"] = np.stack(
        [
            (view.x[sensors] - view.west) / (view.east - view.west) * view.width,
            (view.y[sensors] - view.south) / (view.north - view.south) * view.height,
        ],
        axis=-1,
    )
    apart = np.linalg.norm(pixels[:, None] - pixels[None], axis=-1)
    return [bool((apart[i, :i] < 0.8 * size).any()) for i in range(len(sensors))]


def _small_print(plan: Plan, view: View) -> alt.Chart:
    parts = [f"data: {plan.provenance['data']}"] if isinstance(plan.provenance.get("data"), str) else []
    parts += [f"coast: {CREDIT}"] if view.geographic else []
    line: alt.Chart = (
        alt.Chart(alt.InlineData(values=[{"text": " · ".join([*parts, "dynst"])}]))
        .mark_text(align="left", baseline="top", fontSize=10, color="#8a8f98", clip=False)
        .encode(x=alt.value(0), y=alt.value(view.height + (26 if view.geographic else 44)), text="text:N")
    )
    return line
