"""The sensors of a plan as rows: where they are, what they are worth, and what could stand in for them."""

from __future__ import annotations

from dynst.domain import Frame, Plan
from dynst.reports.evidence_tables import with_unit
from dynst.reports.view import lonlat

__all__ = ["sensor_rows"]

Row = dict[str, object]


def sensor_rows(plan: Plan, *, limit: int | None = None) -> list[Row]:
    """One row per sensor, most important first; positions only where somebody knows them.

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
    [{'rank': 1, 'name': 'Berlin', 'longitude': '13.400', 'latitude': '52.500', 'importance': 2.0}]
    """
    sites, known = plan.sites, lonlat(plan.sites)
    axes: tuple[str, ...] = ("longitude", "latitude")
    if known is None:
        axes = () if sites.frame is Frame.SCHEMATIC else (with_unit("x", sites.unit), with_unit("y", sites.unit))
    x, y = known if known is not None else (sites.x, sites.y)
    rows = []
    for rank, site in enumerate(plan.selected[:limit].tolist(), start=1):
        place = dict(zip(axes, (f"{x[site]:.3f}", f"{y[site]:.3f}"), strict=False))
        row: Row = {"rank": rank, "name": sites.name[site], **place}
        rows.append(row | {"importance": float(plan.importance[rank - 1])})
    return rows
