"""PNG and self-contained HTML: the map of the plan for a slide, a paper or a mail."""

from __future__ import annotations

import html

import vl_convert

from dynst.domain import Layout, Plan
from dynst.domain.plain import visible, visible_parts
from dynst.export.base import listed, made_by
from dynst.export.places import places_of
from dynst.reports.embedded import chart_for_script, vega
from dynst.reports.map_chart import importance_map

__all__ = ["render_html", "render_png"]

_SCALE = 2.0  # pixels of the file per pixel of the page; chosen: sharp on today's screens and in print at 14 cm
_ROWS = 200  # sensors listed below the map of a page; chosen: more belong in a table of their own

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>
body {{ font: 14px/1.45 system-ui, sans-serif; color: #222; margin: 2rem auto; max-width: 1000px; padding: 0 1rem; }}
#map {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #e4e2dd; text-align: right; }}
th:nth-child(2), td:nth-child(2) {{ text-align: left; }}
p {{ color: #555; }}
</style>
</head>
<body>
<div id="map" role="img" aria-label="{title}: map of the importance of all sites and of the sensors"></div>
<noscript><p>The map needs JavaScript; the sensors are listed below.</p></noscript>
<table>
<thead><tr>{header}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
<p>{note}</p>
<script>{library}</script>
<script>dynstDraw(document.getElementById("map"), {chart});</script>
</body>
</html>
"""


def render_png(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """The map as a picture."""
    chart = importance_map(plan, layout, top=top, title=title or "Sensor plan")
    bare = visible_parts(chart.to_dict())
    picture: bytes = vl_convert.vegalite_to_png(bare, scale=_SCALE, allowed_base_urls=[])
    return picture


def render_html(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """The map as a page that needs no network."""
    chart = importance_map(plan, layout, top=top, title=title or "Sensor plan")
    header, rows = _table(plan, layout, top)
    left = len(listed(plan, top)) - _ROWS
    more = f"The first {_ROWS} of {left + _ROWS} sensors; a CSV export has all. " if left > 0 else ""
    page = _PAGE.format(
        title=_escaped(title or "Sensor plan"),
        header=header,
        rows=rows,
        note=_escaped(f"{more}Importance: {plan.importance_is}. {made_by(plan)}."),
        library=vega(),
        chart=chart_for_script(chart.to_dict()),
    )
    return page.encode()


def _escaped(text: str) -> str:
    return html.escape(visible(text))


def _table(plan: Plan, layout: Layout | None, top: int | None) -> tuple[str, str]:
    places = places_of(plan, None)
    axes = places.axes if places.known else ()
    rows = []
    for one in listed(plan, top)[:_ROWS]:
        place = [f"{value:.3f}" for value in places.position(one)] if places.known else []
        cells = (str(one.rank), one.name, one.role, *place, f"{plan.importance[one.rank - 1]:.4g}")
        rows.append("<tr>" + "".join(f"<td>{_escaped(cell)}</td>" for cell in cells) + "</tr>")
    return "".join(f"<th>{_escaped(name)}</th>" for name in ("rank", "name", "role", *axes, "importance")), "\n".join(
        rows
    )
