"""Rules of deployment on a map: where no new sensor may stand, stations that exist, the distance that sensors keep."""

from __future__ import annotations

import math
from collections.abc import Iterator

import altair as alt
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Plan, Role
from dynst.domain.space import EARTH_RADIUS_KM
from dynst.domain.spacing import HOPS
from dynst.domain.words import distance
from dynst.reports.marks import Mark, drawn_marks, table
from dynst.reports.view import View

__all__ = ["RULE_COLOUR", "closed_sites", "rule_marks", "rule_words"]

RULE_COLOUR = "#111111"
"""Of circles and crosses: dark, so that they stand out from sensors and shades."""

_CIRCLES = 200  # sensors that get a circle; chosen: more of them hide the map
_CORNERS = 48  # of a circle


def closed_sites(plan: Plan) -> Bool[ndarray, " n"]:
    """Sites where a rule, or the record, lets no sensor stand."""
    closed: ndarray = plan.sites.role == Role.FORBIDDEN
    return closed


def rule_words(plan: Plan, *, shaded: bool) -> list[str]:
    """What the marks of the rules mean, for the lines below the title; `shaded` if sites are no dots of their own."""
    words = []
    if closed_sites(plan).any():
        words.append(f"{'hatched' if shaded else 'crossed'}: no new sensor may stand there")
    least = _least(plan)
    if least is not None and plan.budget <= _CIRCLES:
        length = distance(least, plan.sites.distance_unit)
        words.append(f"circles: half the minimum distance of {length}; those of new sensors do not overlap")
    return [f"{'; '.join(words)[:1].upper()}{'; '.join(words)[1:]}"] if words else []


def rule_marks(plan: Plan, view: View, x: alt.X, y: alt.Y, *, shaded: bool) -> list[alt.Chart]:
    """Circles of half the minimum distance around the sensors, and crosses on closed dots."""
    crosses = [] if shaded else _crosses(plan, view, x, y)
    return [*crosses, *_circles(plan, view, x, y)]


def _crosses(plan: Plan, view: View, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    closed = np.flatnonzero(closed_sites(plan)).tolist()
    if not closed:
        return []
    rows = ({"x": f"{view.x[site]:.6g}", "y": f"{view.y[site]:.6g}"} for site in closed)
    marks = alt.Chart(table(rows)).mark_point(
        shape="cross", size=28, angle=45, filled=True, fill=RULE_COLOUR, opacity=0.8, clip=True, aria=False
    )
    return [marks.encode(x=x, y=y)]


def _least(plan: Plan) -> float | None:
    """The minimum distance in the `distance_unit` of the sites; None without one, or where it counts hops."""
    kept = plan.provenance.get("min_distance")
    if not isinstance(kept, dict) or kept.get("unit") == HOPS:
        return None
    return float(kept["least"])


def _circles(plan: Plan, view: View, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    least = _least(plan)
    if least is None or plan.budget > _CIRCLES or view.schematic:
        return []
    lines = alt.Chart(table(_circle_rows(plan, view, least / 2))).mark_line(
        stroke=RULE_COLOUR, strokeWidth=0.9, strokeDash=[3, 2], interpolate="linear-closed", clip=True, aria=False
    )
    return [lines.encode(x=x, y=y, detail="path:N", order="i:Q")]


def _circle_rows(plan: Plan, view: View, radius: float) -> Iterator[dict[str, object]]:
    """Corners of the circle around each sensor; an existing station has its own place."""
    for path, mark in enumerate(drawn_marks(plan, plan.selected, view)):
        for i, (a, b) in enumerate(_ring(plan, mark, radius, view).tolist()):
            yield {"x": f"{a:.6g}", "y": f"{b:.6g}", "path": path, "i": i}


def _ring(plan: Plan, mark: Mark, radius: float, view: View) -> Float[ndarray, "c 2"]:
    """Places on the drawing at one distance from a sensor, all around."""
    bearing = np.arange(_CORNERS) * 2 * math.pi / _CORNERS
    ring: ndarray
    if not view.geographic:
        length = radius * (1000.0 if (plan.sites.unit, view.unit) == ("m", "m") else 1.0)
        ring = np.array([mark.x, mark.y]) + length * np.stack([np.sin(bearing), np.cos(bearing)], axis=-1)
        return ring
    east, north = np.radians([mark.x, mark.y])
    angle = radius / EARTH_RADIUS_KM
    up = np.arcsin(np.sin(north) * np.cos(angle) + np.cos(north) * np.sin(angle) * np.cos(bearing))
    across = np.arctan2(np.sin(bearing) * np.sin(angle) * np.cos(north), np.cos(angle) - np.sin(north) * np.sin(up))
    ring = np.degrees(np.stack([east + across, up], axis=-1))
    return ring
