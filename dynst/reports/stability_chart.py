"""The map of what stays of a plan: where its variants put sensors, its own by grade, and their substitutes."""

from __future__ import annotations

import math

import altair as alt
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.domain import Layout, Plan
from dynst.domain.stability import GRADE_WORDS, GRADES, UNKNOWN, Stability
from dynst.reports.map_chart import SENSOR_COLOUR, is_field, site_map
from dynst.reports.marks import table
from dynst.reports.shades import Shades
from dynst.reports.view import View, view_of

__all__ = ["stability_map"]

_MARKS = dict(
    zip(
        (*GRADES, UNKNOWN),
        (("circle", SENSOR_COLOUR), ("square", "#e69f00"), ("diamond", "#ffffff"), ("cross", "#d5d2cc")),
        strict=True,
    )
)
"""Shape and colour of each grade: vermilion and orange of the safe palette of Okabe and Ito (2008), white and grey."""

_WORDS = {grade: words.lower() for grade, words in GRADE_WORDS.items()} | {UNKNOWN: "not known"}
_RIM = "#1a1a1a"
_NUMBERED = 30  # up to so many sensors carry their rank; chosen: more numbers hide the map
_SIZE, _LEAST = 17.0, 5.0  # pixels across a numbered mark, and across one of very many
_SUBSTITUTE = 5.0  # pixels across the dot of a site that variants chose; chosen: below any sensor
_NAMED = 3  # substitutes that a tooltip names; chosen: further ones came once
_TICKS = ((0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %"))


def stability_map(
    stability: Stability,
    layout: Layout | None = None,
    *,
    title: str = "What stays of the plan",
    findings: bool = True,
) -> alt.LayerChart:
    """Sensors by grade, in shape and colour, on the share of all plans that put a sensor at or near each place.

    Parameters
    ----------
    stability : Stability
        The plan and its variants.
    layout : Layout or None
        The grid that the sites are cells of, or their graph; without it there are only dots.
    title : str
        First line above the map.
    findings : bool
        Whether what was found stands above the map in words.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> from dynst.domain.stability import Variant
    >>> chosen = np.array([[True, False, False]])
    >>> found = Stability("by_hand", Sites(np.arange(3.0), np.zeros(3)), np.array([1]), (Variant.seed(1),), chosen, 0.0)
    >>> stability_map(found, GridLayout((1, 3), np.arange(3))).title.subtitle[-1]
    'Shades: share of 2 plans by by_hand with a sensor there; small dots: sites that other plans chose'
    """
    view, share = view_of(stability.sites, layout), _share_near(stability)
    sensors = stability.selected
    plan = Plan(
        np.argsort(-share, kind="stable"),
        np.sort(share)[::-1],
        len(sensors),
        stability.sites.with_role(np.zeros(len(share), np.int8)),
        stability.planner,
    )
    shades = Shades(share, _TICKS, by_rank=False, what="share of plans")
    x, y = _axes(view)
    marks = _other_sites(stability, view, x, y, seen=is_field(plan, layout)) + _sensors(stability, view, x, y)
    near = f"a sensor within {stability.radius:,.4g} {stability.radius_unit}" if stability.radius else "a sensor there"
    shaded = f"Shades: share of {len(stability.variants) + 1} plans by {stability.planner} with {near}"
    if is_field(plan, layout):
        shaded += "; small dots: sites that other plans chose"
    words = [*([stability.words()] if findings else []), shaded]
    if view.schematic:
        words.append("Drawn from the graph: positions are unknown")
    return site_map(plan, layout, view, shades, marks, title=title, words=words)


def _share_near(stability: Stability) -> Float[ndarray, " n"]:
    """Share of all plans with a sensor at each site or within the radius: single cells would not show on a map."""
    sites, radius = stability.sites, stability.radius
    if not radius > 0:
        return stability.frequency
    own = np.zeros(len(sites), bool)
    own[stability.selected] = True
    near = []
    for chosen in (own, *stability.others):
        apart, _ = KDTree(sites.points[chosen]).query(sites.points)
        near.append(apart <= sites.chord(radius) * (1 + 1e-9))
    share: ndarray = np.mean(near, axis=0)
    return share


def _other_sites(stability: Stability, view: View, x: alt.X, y: alt.Y, *, seen: bool) -> list[alt.Chart]:
    """Sites that other plans chose, most often on top: how often, and for which sensor of the plan they stood in.

    Among dots of all sites they are unseen, as those have their shade, but speak under the pointer.
    """
    stands_for: dict[int, list[str]] = {}
    for rank, found in enumerate(stability.substitutes, 1):
        for site, _ in found:
            stands_for.setdefault(site, []).append(str(rank))
    frequency = stability.frequency
    others = np.setdiff1d(np.flatnonzero(frequency), stability.selected)
    others = others[np.argsort(frequency[others], kind="stable")]
    rows = [
        _place(stability, site, view)
        | {"chosen": _percent(frequency[site]), "instead": ", ".join(stands_for.get(site, ["none"]))}
        for site in others.tolist()
    ]
    if not rows:
        return []
    tips = [("name", "name"), ("chosen", "chosen by plans"), ("instead", "stands in for sensor")]
    dots = alt.Chart(table(rows)).mark_circle(
        size=math.pi / 4 * _SUBSTITUTE**2, fill="#ffffff", stroke=_RIM, strokeWidth=0.8, opacity=1 if seen else 0
    )
    return [dots.encode(x=x, y=y, tooltip=[alt.Tooltip(f"{key}:N", title=words) for key, words in tips])]


def _sensors(stability: Stability, view: View, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Sensors of the plan by grade, the first rank on top; numbered while they are few."""
    grades, k = stability.grade, len(stability.selected)
    labels = {grade: f"{words}: {grades.count(grade)}" for grade, words in _WORDS.items()}
    shown = [UNKNOWN] if UNKNOWN in grades else list(GRADES)
    rows = [
        _place(stability, site, view)
        | {
            "rank": rank,
            "stays": labels[grade],
            "grade": grade,
            "share": _percent(share),
            "instead": _names(stability, instead),
        }
        for rank, (site, grade, share, instead) in enumerate(
            zip(
                stability.selected.tolist(),
                grades,
                stability.near_frequency.tolist(),
                stability.substitutes,
                strict=True,
            ),
            1,
        )
    ]
    names = [labels[grade] for grade in shown]
    size = _SIZE if k <= _NUMBERED else max(_LEAST, _SIZE * math.sqrt(_NUMBERED / k))
    key = alt.Legend(title="sensors", symbolSize=130, symbolStrokeWidth=1.3, offset=14)
    tips = {"rank": "rank", "name": "name", "grade": "grade", "share": "in variants", "instead": "instead"}
    marks = (
        alt.Chart(table(rows[::-1]))
        .mark_point(
            size=math.pi / 4 * size**2, filled=True, stroke=_RIM, strokeWidth=1.3 if size > 8 else 0.7, opacity=1
        )
        .encode(
            x=x,
            y=y,
            fill=alt.Fill("stays:N", scale=alt.Scale(domain=names, range=[_MARKS[g][1] for g in shown]), legend=key),
            shape=alt.Shape("stays:N", scale=alt.Scale(domain=names, range=[_MARKS[g][0] for g in shown]), legend=key),
            tooltip=[alt.Tooltip(f"{name}:N", title=words) for name, words in tips.items()],
        )
    )
    if k > _NUMBERED:
        return [marks]
    numbers = alt.Chart(table(rows[i] for i in _uncovered(view, stability.selected))).mark_text(
        fontSize=9, fontWeight="bold", color="#000000", dy=0.5, aria=False
    )
    return [marks, numbers.encode(x=x, y=y, text="rank:N")]


def _uncovered(view: View, sensors: Int[ndarray, " k"]) -> list[int]:
    """Numbers of the sensors on which no mark of better rank lies."""
    places = view.pixels[sensors]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    return [i for i in range(len(sensors)) if not (apart[i, :i] < 0.9 * _SIZE).any()]


def _names(stability: Stability, instead: tuple[tuple[int, float], ...]) -> str:
    if not instead:
        return "none nearby"
    more = f" and {len(instead) - _NAMED} more" if len(instead) > _NAMED else ""
    return ", ".join(f"{stability.sites.name[site]} ({_percent(share)})" for site, share in instead[:_NAMED]) + more


def _percent(share: float) -> str:
    return "unknown" if math.isnan(share) else f"{100 * share:.0f} %"


def _place(stability: Stability, site: int, view: View) -> dict[str, object]:
    return {"x": f"{view.x[site]:.6g}", "y": f"{view.y[site]:.6g}", "name": stability.sites.name[site]}


def _axes(view: View) -> tuple[alt.X, alt.Y]:
    """The axes of the map once more, drawn by the layers below."""
    return (
        alt.X("x:Q", scale=alt.Scale(domain=[view.west, view.east], nice=False, zero=False)),
        alt.Y("y:Q", scale=alt.Scale(domain=[view.south, view.north], nice=False, zero=False)),
    )
