"""The sensors of a plan as rows: where they are, what they are worth, and what could stand in for them."""

from __future__ import annotations

import math

from dynst.domain import Frame, Plan
from dynst.domain.stability import Stability
from dynst.reports.evidence_tables import with_unit
from dynst.reports.marks import LOSS
from dynst.reports.view import lonlat

__all__ = ["sensor_rows", "stability_rows", "worth_heading", "worth_is"]

Row = dict[str, object]

_STAND_INS = 3  # named for a sensor; chosen: those that stood in for it most often


def sensor_rows(plan: Plan, *, limit: int | None = None) -> list[Row]:
    """One row per sensor in the order of building; positions only where somebody knows them.

    The last column is the loss if a sensor goes, where the planner tells it, else the planner's importance.

    Parameters
    ----------
    plan : Plan
        The plan.
    limit : int or None
        So many rows at most.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> sites = Sites(np.array([4.9, 13.4]), np.array([52.4, 52.5]), name=("Amsterdam", "Berlin"))
    >>> sensor_rows(Plan(np.array([1, 0]), np.array([2.0, 1.0]), 1, sites, "by_hand"))
    [{'order of building': 1, 'name': 'Berlin', 'longitude': '13.400', 'latitude': '52.500', 'importance': 2.0}]
    """
    sites, known = plan.sites, lonlat(plan.sites)
    axes: tuple[str, ...] = ("longitude", "latitude")
    if known is None:
        axes = () if sites.frame is Frame.SCHEMATIC else (with_unit("x", sites.unit), with_unit("y", sites.unit))
    x, y = known if known is not None else (sites.x, sites.y)
    worth = worth_heading(plan)
    rows = []
    for rank, site in enumerate(plan.selected[:limit].tolist(), start=1):
        place = dict(zip(axes, (f"{x[site]:.3f}", f"{y[site]:.3f}"), strict=False))
        row: Row = {"order of building": rank, "name": sites.name[site], **place}
        rows.append(row | {worth: float(plan.importance[rank - 1])})
    return rows


def worth_is(plan: Plan) -> str:
    """What the last column of `sensor_rows` measures.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> worth_is(Plan(np.array([0]), np.ones(1), 1, Sites(np.zeros(1), np.zeros(1)), "by_hand", "distance, km"))
    'Importance: distance, km'
    """
    return f"{worth_heading(plan).capitalize()}: {plan.importance_is}"


def worth_heading(plan: Plan) -> str:
    """Heading of the last column of `sensor_rows`."""
    return LOSS if plan.valued_at is not None and plan.budget <= plan.valued_at else "importance"


def stability_rows(stability: Stability, *, limit: int | None = None) -> list[Row]:
    """One row per sensor, most important first: how firm it is, and which sites took its place when it was not chosen.

    Columns: ``rank``, ``name``, ``grade`` (always, usually, interchangeable, or unknown), ``chosen in``, the share of
    the variants with a sensor there or within the radius, and ``stand-ins`` with the share of the variants of each.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> from dynst.domain.stability import Variant
    >>> sites, others = Sites(np.arange(3.0), np.zeros(3), name=("a", "b", "c")), np.array([[1, 0, 0], [0, 1, 0]], bool)
    >>> seeds = (Variant.seed(1), Variant.seed(2))
    >>> stability_rows(Stability("by_hand", sites, np.array([0]), seeds, others, 120.0))
    [{'rank': 1, 'name': 'a', 'grade': 'always', 'chosen in': '100 %', 'stand-ins': 'b (50 %)'}]
    """
    name, shares = stability.sites.name, stability.near_frequency.tolist()
    cells = zip(stability.selected.tolist(), stability.grade, shares, stability.substitutes, strict=True)
    return [
        {
            "rank": rank,
            "name": name[site],
            "grade": grade,
            "chosen in": None if math.isnan(share) else f"{100 * share:.0f} %",
            "stand-ins": ", ".join(f"{name[other]} ({100 * part:.0f} %)" for other, part in others[:_STAND_INS]),
        }
        for rank, (site, grade, share, others) in enumerate(list(cells)[:limit], start=1)
    ]
