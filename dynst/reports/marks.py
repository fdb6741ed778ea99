"""Sensors, sites and links as marks on a map, and the names that find room beside them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import altair as alt
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import GraphLayout, Plan, Sites
from dynst.domain.listing import EXISTING, Listed, listing
from dynst.reports.raster import COLOURS, UNRANKED, usual_gap
from dynst.reports.shades import GAIN, Shades
from dynst.reports.view import View

__all__ = [
    "EXISTING_COLOUR",
    "LOSS",
    "SENSOR_COLOUR",
    "Mark",
    "drawn_links",
    "drawn_marks",
    "importance_scale",
    "links_of",
    "loss_cell",
    "mark_size",
    "ringed",
    "sensor_dots",
    "site_dots",
    "site_size",
    "table",
    "worth_words",
]

SENSOR_COLOUR = "#d55e00"
"""Vermilion of the colour-blind safe palette of Okabe and Ito (2008): far from every shade of the map."""

EXISTING_COLOUR = "#000000"
"""Black of the same palette, for stations that stand already."""

LOSS = "loss if it goes"
"""What importance is at a site with a sensor, where `Plan.valued_at` is known."""

_EXISTING = "existing station"  # in the legend
_PALE = "#f7c9ab"  # within the ring of a sensor that has no shade: a tint of its colour, and no shade of the map
_NUMBERED = "sensor (order of building)"  # in the legend, where the number stands on it or beside it
_SMALLEST, _LARGEST = 0.25, 2.6  # area of a mark that is worth nothing, and of the one worth most; chosen
_LABELLED = 20  # up to so many sensors carry their rank on a dot; chosen: more numbers hide the map
_NAMED = 30  # up to so many sensors that stand among dots carry rank and name; chosen likewise
_LETTERS = 22  # of a name beside a dot; chosen
_LETTER, _LINE = 6.0, 13.0  # pixels that a letter and a line of text take at size 10
_BUSIEST = 2500  # links that are drawn; chosen: more are a grey cloud


def table(rows: Iterable[Mapping[str, object]]) -> alt.InlineData:
    """Rows as CSV inside the chart: a fifth of the size of JSON, and nothing for Altair to check one by one."""
    text, writer = io.StringIO(), None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(text, list(row), lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
            writer.writeheader()
        writer.writerow(row)
    kinds = dict.fromkeys(("x", "y", "x2", "y2", "i", "rank", "shade", "loss"), "number") | {"name": "string"}
    columns = () if writer is None else writer.fieldnames
    parse = {column: kinds[column] for column in columns if column in kinds}
    return alt.InlineData(values=text.getvalue(), format=alt.CsvDataFormat(type="csv", parse=parse))


def importance_scale(shades: Shades, view: View) -> alt.Color:
    """The colours of the map, with the legend that says what they stand for."""
    labels = " : ".join(f"datum.value == {level:g} ? '{text}'" for level, text in shades.ticks) + " : ''"
    legend = alt.Legend(
        title=[shades.what, "(percentiles)" if shades.by_rank else ""][: 1 + shades.by_rank],
        values=[level for level, _ in shades.ticks],
        labelExpr=labels,
        gradientLength=min(220, view.height - 40),
        gradientOpacity=1,
        gradientStrokeColor="#8a8f98",
        gradientStrokeWidth=0.5,
        offset=14,
    )
    return alt.Color("shade:Q", scale=alt.Scale(domain=[0, 1], range=list(shades.colours or COLOURS)), legend=legend)


def sensor_dots(plan: Plan, sensors: Int[ndarray, " k"], view: View, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """A dot for each sensor, the first rank on top; ranks on the dots if they are few."""
    labelled = len(sensors) <= _LABELLED
    size = 16.0 if labelled else _dot_size(view, len(sensors))
    marks = drawn_marks(plan, sensors, view)
    values = _sensor_rows(plan, marks, view, _NUMBERED if labelled else "sensor")
    encoding: dict[str, Any] = {"x": x, "y": y, "tooltip": _tooltip(view, ranked=True)}
    kind = alt.Fill("kind:N", scale=_kinds(values), legend=_KEY)
    dots = (
        alt.Chart(table(values[::-1]))
        .mark_circle(stroke="#ffffff", strokeWidth=min(1.4, size / 7) if size > 4 else 0, opacity=1)
        .encode(fill=kind, size=mark_size([plan], math.pi / 4 * size**2), **encoding)
    )
    if not labelled:
        return [dots]
    shown = (row for row, covered in zip(values, _hidden(view, marks, size), strict=True) if not covered)
    numbers = (
        alt.Chart(table(shown))
        .mark_text(fontSize=9, fontWeight="bold", color="#ffffff", dy=0.5, aria=False)
        .encode(text="rank:N", **encoding)
    )
    return [dots, numbers]


def mark_size(plans: Iterable[Plan], area: float, usual: alt.ExprRef | None = None) -> Any:
    """Area of a mark in square pixels by the column `loss`: the larger, the more is lost if the sensor goes.

    Parameters
    ----------
    plans : iterable of Plan
        Where the losses come from.
    area : float
        Of a mark of middling size.
    usual : expression or None
        Area of a mark whose loss is not known; `area` if left out.
    """
    other = alt.value(area if usual is None else usual)
    most = max((float(np.nanmax(plan.losses)) for plan in plans if plan.valued_at is not None), default=0.0)
    if not most > 0:
        return other
    scale = alt.Scale(domain=[0, most], range=[_SMALLEST * area, _LARGEST * area], nice=False)
    legend = alt.Legend(title=LOSS, tickCount=3, format=".2~g", symbolOpacity=1, symbolFillColor="#8a8f98")
    return alt.condition("datum.loss >= 0", alt.Size("loss:Q", scale=scale, legend=legend), other)


def loss_cell(plan: Plan, site: int) -> str:
    """The loss if the sensor at a site goes, for the column `loss`."""
    return _cell(float(plan.losses[site]))


def _cell(value: float) -> str:
    """A number that is not below zero; -1 for one that is not known, as Vega leaves out marks without a number."""
    return "-1" if math.isnan(value) else f"{max(value, 0.0):.4g}"


def worth_words(plan: Plan, rank: int) -> str:
    """The importance of the site of a rank (from 1), and which of the two it is where that is known."""
    value = f"{plan.importance[rank - 1]:.4g}"
    if plan.valued_at is None:
        return value
    return f"{value}, {LOSS if rank <= plan.valued_at else GAIN}"


_KEY = alt.Legend(title=None, symbolSize=110, symbolStrokeWidth=0, offset=14)


def links_of(layout: GraphLayout) -> Int[ndarray, "l 2"]:
    """Pairs of sites that an edge joins, whatever its direction."""
    pairs: ndarray = np.unique(np.sort(layout.edge_index.T, axis=1), axis=0)
    return pairs


def drawn_links(pairs: Int[ndarray, "l 2"], view: View, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Links as thin lines; none if they are too many, nor any that would run across a map of the whole Earth."""
    if view.geographic:
        pairs = pairs[np.abs(view.x[pairs[:, 0]] - view.x[pairs[:, 1]]) <= 180.0]
    if not 0 < len(pairs) <= _BUSIEST:
        return []
    ends = np.concatenate([view.x[pairs], view.y[pairs]], axis=1).tolist()
    rows = ({"x": f"{a:.6g}", "x2": f"{b:.6g}", "y": f"{c:.6g}", "y2": f"{d:.6g}"} for a, b, c, d in ends)
    lines = alt.Chart(table(rows)).mark_rule(
        stroke="#8a8f98", strokeWidth=0.7, opacity=0.45 if len(pairs) < _BUSIEST / 5 else 0.3, clip=True, aria=False
    )
    return [lines.encode(x=x, x2="x2", y=y, y2="y2")]


def site_dots(plan: Plan, shades: Shades, view: View, x: alt.X, y: alt.Y) -> alt.Chart:
    """Every site as a dot in the shade of its importance, the most important on top; grey if it is not ranked."""
    order = np.argsort(np.nan_to_num(shades.level, nan=-1.0), kind="stable").tolist()
    rows = (
        _row(plan.sites.name[site], view.x[site], view.y[site], view, _shade_words(plan, shades, site))
        | {"shade": _cell(float(shades.level[site]))}
        for site in order
    )
    colour = alt.condition("datum.shade >= 0", importance_scale(shades, view), alt.value(UNRANKED))
    dots: alt.Chart = (
        alt.Chart(table(rows))
        .mark_circle(size=math.pi / 4 * site_size(view) ** 2, stroke="#4a4f57", strokeWidth=0.5, opacity=1, clip=True)
        .encode(x=x, y=y, color=colour, tooltip=_tooltip(view, ranked=False, what=shades.what))
    )
    return dots


def _shade_words(plan: Plan, shades: Shades, site: int) -> str:
    """The value behind the shade of a site."""
    return "none" if np.isnan(shades.level[site]) else f"{plan.importance_map[site]:.4g}"


def ringed(
    plan: Plan, view: View, sensors: Int[ndarray, " k"], shades: Shades, axes: tuple[alt.X, alt.Y]
) -> list[alt.Chart]:
    """The sensors among `site_dots`: larger, in their shade, ringed; rank and name beside them if they are few."""
    named = len(sensors) <= _NAMED
    size = site_size(view) + (5.0 if named else 2.5)
    marks = drawn_marks(plan, sensors, view)
    values = _sensor_rows(plan, marks, view, _NUMBERED if named else "sensor")
    for row, mark in zip(values, marks, strict=True):
        row["shade"] = _cell(float(shades.level[mark.one.site]))
    key = alt.Legend(title=None, symbolSize=110, symbolStrokeWidth=2.5, symbolFillColor="#ffffff", offset=14)
    rings = (
        alt.Chart(table(values[::-1]))
        .mark_circle(strokeWidth=2.4, opacity=1, clip=True)
        .encode(
            x=axes[0],
            y=axes[1],
            color=alt.condition("datum.shade >= 0", importance_scale(shades, view), alt.value(_PALE)),
            size=mark_size([plan], math.pi / 4 * size**2),
            stroke=alt.Stroke("kind:N", scale=_kinds(values), legend=key),
            tooltip=_tooltip(view, ranked=True),
        )
    )
    return [rings, *(_labels(plan, view, marks, size, axes) if named else [])]


def _labels(plan: Plan, view: View, marks: Sequence[Mark], size: float, axes: tuple[alt.X, alt.Y]) -> list[alt.Chart]:
    """Rank and name of each sensor where they cover no other; the rank alone where the name does not fit."""
    generated = replace(plan.sites, name=()).name == plan.sites.name
    placed = _placed(
        [
            (f"{one.rank}" if generated and one.station is None else f"{one.rank}: {_short(one.name)}", f"{one.rank}")
            for one in (mark.one for mark in marks)
        ],
        _pixels(view, marks),
        size,
        view,
    )
    layers = []
    for side, style in _sides(size).items():
        rows = [
            {"x": f"{mark.x:.8g}", "y": f"{mark.y:.8g}", "name": text}
            for mark, (text, at) in zip(marks, placed, strict=True)
            if at == side
        ]
        if rows:
            words = alt.Chart(table(rows)).encode(x=axes[0], y=axes[1], text="name:N")
            shared: dict[str, Any] = {"baseline": "middle", "fontSize": 10, "aria": False}
            layers += [
                words.mark_text(**style, **shared, stroke="#ffffff", strokeWidth=2.6, opacity=0.9, strokeJoin="round"),
                words.mark_text(**style, **shared, color="#222222", fontWeight=600),
            ]
    return layers


def _sides(size: float) -> dict[str, dict[str, Any]]:
    """How a label stands beside a dot: in pixels, so that it stays there where the map is zoomed."""
    near = size / 2 + 3.0
    return {
        "right": {"align": "left", "dx": near},
        "left": {"align": "right", "dx": -near},
        "above": {"align": "center", "dy": -near - _LINE / 2},
        "below": {"align": "center", "dy": near + _LINE / 2},
    }


def _placed(
    texts: list[tuple[str, str]], dots: Float[ndarray, "k 2"], size: float, view: View
) -> list[tuple[str, str]]:
    """Text of each label and the side of its dot where it covers least, by rank; no text where none fits."""
    near, half = size / 2 + 3.0, size / 2
    taken = [(a - half, b - half, a + half, b + half) for a, b in dots.tolist()]
    found = []
    for (long, short), (a, b) in zip(texts, dots.tolist(), strict=True):
        for text in dict.fromkeys((long, short)):
            wide = _LETTER * len(text)
            lefts = {"right": a + near, "left": a - near - wide, "above": a - wide / 2, "below": a - wide / 2}
            downs = {"right": b, "left": b, "above": b - near - _LINE / 2, "below": b + near + _LINE / 2}
            boxes = {
                side: (left, downs[side] - _LINE / 2, left + wide, downs[side] + _LINE / 2)
                for side, left in lefts.items()
            }
            free = [side for side, box in boxes.items() if _inside(box, view) and not any(_meet(box, t) for t in taken)]
            if free:
                best = min(free, key=lambda side: _covered(boxes[side], view.pixels))
                taken.append(boxes[best])
                found.append((text, best))
                break
        else:
            found.append(("", ""))
    return found


def _inside(box: tuple[float, float, float, float], view: View) -> bool:
    return box[0] >= 0 and box[1] >= 0 and box[2] <= view.width and box[3] <= view.height


def _covered(box: tuple[float, float, float, float], places: Float[ndarray, "n 2"]) -> int:
    return int(((places > box[:2]) & (places < box[2:])).all(axis=1).sum())


def _meet(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _short(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "\N{HORIZONTAL ELLIPSIS}"


def site_size(view: View) -> float:
    """Diameter in pixels of a dot among others."""
    return float(np.clip(0.8 * usual_gap(view), 4.0, 11.0))


def _tooltip(view: View, *, ranked: bool, what: str = "importance") -> list[alt.Tooltip]:
    """What a mark says of itself under the pointer."""
    titles = {"rank": "order of building"} if ranked else {}
    titles |= {"name": "name", "importance": what}
    if view.geographic:
        titles |= {"longitude": "longitude", "latitude": "latitude"}
    elif not view.schematic:
        titles |= {"x": view.axis("x"), "y": view.axis("y")}
    return [alt.Tooltip(f"{key}:N", title=title) for key, title in titles.items()]


def _row(name: str, x: float, y: float, view: View, importance: str) -> dict[str, object]:
    row: dict[str, object] = {"x": f"{x:.6g}", "y": f"{y:.6g}", "name": name, "importance": importance}
    if view.geographic:
        longitude = (x + 180.0) % 360.0 - 180.0
        row |= {"longitude": f"{longitude:.3f}°", "latitude": f"{y:.3f}°"}
    return row


@dataclass(frozen=True)
class Mark:
    """A sensor, and where it stands in the coordinates of the drawing.

    Parameters
    ----------
    one : Listed
        The sensor.
    x, y : float
        As in `View`.
    """

    one: Listed
    x: float
    y: float


def drawn_marks(plan: Plan, sensors: Int[ndarray, " k"], view: View) -> list[Mark]:
    """Where the sensors stand: existing stations at their own places."""
    return [Mark(one, *_place(plan.sites, one, view)) for one in listing(plan, sensors)]


def _place(sites: Sites, one: Listed, view: View) -> tuple[float, float]:
    x, y = float(view.x[one.site]), float(view.y[one.site])
    own = sites.stations
    if own is None or one.station is None or view.schematic:
        return x, y
    if not view.geographic:
        scale = 1000.0 if (sites.unit, view.unit) == ("m", "km") else 1.0
        return float(own.x[one.station]) / scale, float(own.y[one.station]) / scale
    if own.longitude is None or own.latitude is None:
        return x, y
    east = float(own.longitude[one.station]) - x  # the drawing may count its longitudes a turn further
    return x + (east + 180.0) % 360.0 - 180.0, float(own.latitude[one.station])


def _sensor_rows(plan: Plan, marks: Sequence[Mark], view: View, kind: str) -> list[dict[str, object]]:
    return [
        _row(mark.one.name, mark.x, mark.y, view, worth_words(plan, mark.one.rank))
        | {"rank": mark.one.rank, "kind": _EXISTING if mark.one.role == EXISTING else kind}
        | {"loss": loss_cell(plan, mark.one.site)}
        for mark in marks
    ]


def _kinds(rows: Sequence[Mapping[str, object]]) -> alt.Scale:
    """Colours of new sensors and of existing stations; of what there is."""
    kinds = sorted({str(row["kind"]) for row in rows}, key=lambda kind: kind == _EXISTING)
    return alt.Scale(domain=kinds, range=[EXISTING_COLOUR if kind == _EXISTING else SENSOR_COLOUR for kind in kinds])


def _pixels(view: View, marks: Sequence[Mark]) -> Float[ndarray, "k 2"]:
    return view.pixels_of(np.array([mark.x for mark in marks]), np.array([mark.y for mark in marks]))


def _dot_size(view: View, count: int) -> float:
    """Diameter in pixels at which `count` dots cover about an eighth of the cells' area."""
    if view.corners is None:
        share = 0.7
    else:
        across, along = np.ptp(view.corners[..., 0], axis=1), np.ptp(view.corners[..., 1], axis=1)
        share = float((across * along).sum() / ((view.east - view.west) * (view.north - view.south)))
    area = min(1.0, share) * view.width * view.height
    return float(np.clip(math.sqrt(area / 8 / count * 4 / math.pi), 1.5, 10.0))


def _hidden(view: View, marks: Sequence[Mark], size: float) -> list[bool]:
    """Whether the number on a dot would be covered by a dot of better rank."""
    places = _pixels(view, marks)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return [bool((apart[i, :i] < 0.8 * size).any()) for i in range(len(marks))]
