"""The land of the Earth, for maps that need no network: Natural Earth 1:50 million, cut to a window."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import shapely
from jaxtyping import Float
from numpy import ndarray

__all__ = ["CREDIT", "Land", "land_in"]

CREDIT = "Natural Earth 1:50m (public domain)"
"""Who drew the coast. The shipped file is their 1:50 million land, simplified to 0.01 degree."""

_POLE = -89.99  # what runs along the map's lower border is no coast but the way a map closes Antarctica
_SMALLEST = 3.0  # islands below so many square map units (of the detail asked for) cannot be seen; chosen


@dataclass(frozen=True)
class Land:
    """Land inside a window: areas to fill, and coasts to draw over whatever covers them.

    Parameters
    ----------
    areas : tuple of Float[ndarray, "k 2"]
        Closed outer rings, degrees east and north, in the window's own count of longitude.
    lakes : tuple of Float[ndarray, "k 2"]
        Closed rings inside the areas that are no land.
    coasts : tuple of Float[ndarray, "k 2"]
        Lines; unlike the rings they do not run along the border of the window, nor along the date line.
    """

    areas: tuple[ndarray, ...]
    lakes: tuple[ndarray, ...]
    coasts: tuple[ndarray, ...]


def land_in(west: float, east: float, south: float, north: float, *, detail: int = 1200) -> Land:
    """Land in the window from `west` to `east`, which may lie anywhere on the circle, beyond 180 degrees too.

    Parameters
    ----------
    west, east, south, north : float
        Degrees; ``west < east``, so a Pacific map is 124 to 290 and not 124 to -70.
    detail : int
        Points along the longer side of the map that can be told apart; finer bends are left out.

    Examples
    --------
    >>> fiji = land_in(176.0, 184.0, -20.0, -14.0)  # across the date line
    >>> bool(min(ring[:, 0].min() for ring in fiji.areas) < 180 < max(ring[:, 0].max() for ring in fiji.areas))
    True
    >>> land_in(-30.0, -20.0, 10.0, 14.0).coasts  # open sea
    ()
    """
    step = max(east - west, north - south) / detail
    found = [
        piece
        for turn in range(int(np.floor((west - 200) / 360)), int(np.ceil((east + 200) / 360)) + 1)
        for piece in _polygons_in(shapely.box(west - 360 * turn, south, east - 360 * turn, north), step, 360.0 * turn)
    ]
    if not found:
        return Land((), (), ())
    whole = shapely.union_all(found)  # pieces that a date line parts grow together, so it draws no coast
    cut = shapely.clip_by_rect(whole, west, south, east, north)
    polygons = [part for part in shapely.get_parts(cut) if part.geom_type == "Polygon" and not part.is_empty]
    inside = shapely.box(west, max(south, _POLE), east, north)
    lines = shapely.intersection(shapely.boundary(whole), inside)
    return Land(
        areas=tuple(shapely.get_coordinates(polygon.exterior) for polygon in polygons),
        lakes=tuple(shapely.get_coordinates(ring) for polygon in polygons for ring in polygon.interiors),
        coasts=tuple(
            shapely.get_coordinates(line)
            for line in shapely.get_parts(shapely.line_merge(lines) if lines.geom_type == "MultiLineString" else lines)
            if line.geom_type == "LineString" and not line.is_empty
        ),
    )


def _polygons_in(box: shapely.Polygon, step: float, shift: float) -> list[shapely.Geometry]:
    """Land that meets the box, without what is too small to see, moved east by `shift` degrees."""
    tree, polygons, area = _land()
    near = tree.query(box, predicate="intersects")
    near = near[area[near] > _SMALLEST * step**2]
    simple = shapely.simplify(polygons[near], step / 2)
    moved = shapely.transform(simple, lambda points: points + np.array([shift, 0.0]))
    return list(shapely.make_valid(moved))


@lru_cache(maxsize=1)
def _land() -> tuple[shapely.STRtree, ndarray, Float[ndarray, " p"]]:
    """The shipped polygons, a search tree over them, and their areas in square degrees."""
    packed = json.loads(gzip.decompress(files("dynst.reports").joinpath("land.json.gz").read_bytes()))
    every = [[_ring(numbers, packed["scale"]) for numbers in rings] for rings in packed["polygons"]]
    polygons = np.array([shapely.Polygon(outer, holes) for outer, *holes in every])
    return shapely.STRtree(polygons), polygons, shapely.area(polygons)


def _ring(numbers: list[int], scale: int) -> Float[ndarray, "k 2"]:
    """Points of a ring that is stored as steps from point to point."""
    ring: ndarray = np.cumsum(np.reshape(numbers, (-1, 2)), axis=0) / scale
    return ring
