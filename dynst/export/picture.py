"""PNG, SVG, PDF and self-contained HTML: the map of the plan for a slide, a paper or a mail."""

from __future__ import annotations

import html
import re

import altair as alt
import vl_convert

from dynst.domain import Layout, Plan
from dynst.domain.plain import visible, visible_parts
from dynst.export.base import listed, made_by
from dynst.export.places import places_of
from dynst.reports.embedded import chart_for_script, script_hash, vega
from dynst.reports.map_chart import importance_map
from dynst.reports.movable import VIEW, movable
from dynst.reports.sensor_table import worth_heading, worth_is

__all__ = ["png_of", "render_html", "render_pdf", "render_png", "render_svg"]

_SCALE = 2.0  # pixels of the file per pixel of the page; chosen: sharp on today's screens and in print at 14 cm
_ROWS = 200  # sensors listed below the map of a page; chosen: more belong in a table of their own

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src {policy}; \
style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'">
<title>{title}</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 1000px; padding: 0 1rem; }}
#map {{ overflow-x: auto; touch-action: pan-y; }}
#map .mark-image image {{ image-rendering: pixelated; }}
#map svg {{ cursor: grab; }}
button {{ font: inherit; min-width: 2.2rem; padding: .2rem .6rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e4e2dd; text-align: right; }}
th:nth-child(2), td:nth-child(2) {{ text-align: left; }}
p {{ color: #555; }}
</style>
</head>
<body>
<div id="map" role="img" aria-label="{title}: map of the importance of all sites and of the sensors"></div>
<p id="move" hidden>
<button type="button" data-by="0.5" aria-label="zoom in">+</button>
<button type="button" data-by="2" aria-label="zoom out">\u2212</button>
<button type="button" data-by="0">whole map</button>
Drag to move, turn the wheel to zoom, double-click for the whole map.</p>
<noscript><p>The map needs JavaScript; the sensors are listed below.</p></noscript>
<table>
<thead><tr>{header}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>{note}</p>
<script>{library}</script>
<script>{draw}</script>
</body>
</html>
"""

_DRAW = """"use strict";
dynstDraw(document.getElementById("map"), CHART).then(({view}) => {
  const axes = ["x", "y"], whole = axes.map((axis) => view.scale(axis).domain());
  const zoom = (by) => {
    axes.forEach((axis, i) => {
      const [low, high] = view.scale(axis).domain(), middle = (low + high) / 2, half = (high - low) / 2 * by;
      view.signal(`VIEW_${axis}`, by ? [middle - half, middle + half] : whole[i]);
    });
    view.runAsync();
  };
  for (const button of document.querySelectorAll("#move button")) {
    button.addEventListener("click", () => zoom(Number(button.dataset.by)));
  }
  document.getElementById("move").hidden = false;
});""".replace("VIEW", VIEW)


def render_png(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """The map as a picture."""
    return png_of(_map(plan, layout, top, title))


def png_of(chart: alt.TopLevelMixin) -> bytes:
    """A chart as a picture."""
    picture: bytes = vl_convert.vegalite_to_png(visible_parts(chart.to_dict()), scale=_SCALE, allowed_base_urls=[])
    return picture


def render_svg(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """The map as a drawing."""
    chart = _map(plan, layout, top, title)
    drawing: str = vl_convert.vegalite_to_svg(visible_parts(chart.to_dict()), allowed_base_urls=[])
    return _renumbered(drawing).encode()


def render_pdf(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """The map as one page of its own size; the order of its objects is not the same each time."""
    chart = _map(plan, layout, top, title)
    page: bytes = vl_convert.vegalite_to_pdf(visible_parts(chart.to_dict()), allowed_base_urls=[])
    return page


def render_html(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """The map as a page that needs no network; the pointer moves and zooms it."""
    chart = movable(_map(plan, layout, top, title))
    library, draw = vega(), _DRAW.replace("CHART", chart_for_script(chart.to_dict()))
    header, rows = _table(plan, layout, top)
    left = len(listed(plan, top)) - _ROWS
    more = f"The first {_ROWS} of {left + _ROWS} sensors; a CSV export has all. " if left > 0 else ""
    page = _PAGE.format(
        title=_escaped(title or "Sensor plan"),
        header=header,
        rows=rows,
        note=_escaped(f"{more}{worth_is(plan if top is None else plan.top(top))}. {made_by(plan)}."),
        policy=f"{script_hash(library)} {script_hash(draw)}",
        library=library,
        draw=draw,
    )
    return page.encode()


def _map(plan: Plan, layout: Layout | None, top: int | None, title: str | None) -> alt.LayerChart:
    return importance_map(plan, layout, top=top, title=title or "Sensor plan")


def _renumbered(drawing: str) -> str:
    """The drawing with its clips and gradients counted from 0: Vega counts on from one drawing to the next."""
    names = dict.fromkeys(re.findall(r'(?<= id=")(?:clip|gradient_)\d+(?=")', drawing))
    new = {name: f"{name.rstrip('0123456789')}{i}" for i, name in enumerate(names)}
    return re.sub(
        r'(?<= id=")(?:clip|gradient_)\d+(?=")|(?<=url\(#)[^)]+', lambda found: new.get(found[0], found[0]), drawing
    )


def _table(plan: Plan, layout: Layout | None, top: int | None) -> tuple[str, str]:
    places = places_of(plan, None)
    axes = places.axes if places.known else ()
    rows = []
    for one in listed(plan, top)[:_ROWS]:
        place = [f"{value:.3f}" for value in places.position(one)] if places.known else []
        cells = (str(one.rank), one.name, one.role, *place, f"{plan.importance[one.rank - 1]:.4g}")
        rows.append("<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells) + "</tr>")
    names = ("order of building", "name", "role", *axes, worth_heading(plan if top is None else plan.top(top)))
    return "".join(f"<th>{_escaped(name)}</th>" for name in names), "\n".join(rows)


def _escaped(text: str) -> str:
    return html.escape(visible(text))
