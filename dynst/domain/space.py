"""Distance and area, on the Earth or in the plane."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

__all__ = ["EARTH_RADIUS_KM", "cell_edges", "distance_km", "unit_vectors", "wrap_longitude", "zone_area_km2"]

EARTH_RADIUS_KM = 6371.0088
"""Mean radius of the Earth in km (IUGG; Moritz 2000, Geodetic Reference System 1980)."""


def wrap_longitude(degrees: Float[ndarray, "*s"]) -> Float[ndarray, "*s"]:
    """Longitudes brought into [-180, 180), in degrees east.

    Examples
    --------
    >>> wrap_longitude(np.array([0.0, 180.0, 357.5])).tolist()
    [0.0, -180.0, -2.5]
    """
    return np.mod(np.asarray(degrees, float) + 180.0, 360.0) - 180.0


def unit_vectors(longitude: Float[ndarray, " n"], latitude: Float[ndarray, " n"]) -> Float[ndarray, "n 3"]:
    """Points on the unit sphere, from degrees east and degrees north.

    Straight-line distance between them grows with distance on the Earth, so a KD-tree on them needs no
    special case at the date line or at the poles.

    Examples
    --------
    >>> unit_vectors(np.array([0.0]), np.array([90.0])).round(12).tolist()
    [[0.0, 0.0, 1.0]]
    """
    east, north = np.radians(longitude), np.radians(latitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def distance_km(
    longitude: Float[ndarray, "*a"],
    latitude: Float[ndarray, "*a"],
    to_longitude: Float[ndarray, "*b"],
    to_latitude: Float[ndarray, "*b"],
) -> Float[ndarray, "*c"]:
    """Great-circle distance in km between points in degrees (haversine), broadcast over both sides.

    Examples
    --------
    >>> zero, ninety = np.zeros(1), np.full(1, 90.0)
    >>> float(distance_km(zero, zero, ninety, zero)[0].round(1))  # a quarter of the equator
    10007.6
    """
    east, north, to_east, to_north = map(np.radians, (longitude, latitude, to_longitude, to_latitude))
    half = np.sin((to_north - north) / 2) ** 2 + np.cos(north) * np.cos(to_north) * np.sin((to_east - east) / 2) ** 2
    km: ndarray = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0.0, 1.0)))
    return km


def cell_edges(centres: Float[ndarray, " m"]) -> Float[ndarray, " m+1"]:
    """Edges half-way between neighbouring centres; the outer ones mirror their inner neighbours.

    Examples
    --------
    >>> cell_edges(np.array([0.0, 1.0, 3.0])).tolist()
    [-0.5, 0.5, 2.0, 4.0]
    """
    centres = np.asarray(centres, float)
    if centres.size == 1:
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    inner = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - inner[0]], inner, [2 * centres[-1] - inner[-1]]])


def zone_area_km2(latitude: Float[ndarray, " h"], width_degrees: float) -> Float[ndarray, " h"]:
    """Area in km2 of one cell in each latitude row, `width_degrees` wide.

    Cell edges beyond a pole are cut there, so the cells of a global grid add up to 4 pi R^2, with or
    without rows that stand on the poles.

    Examples
    --------
    >>> rows = zone_area_km2(np.array([60.0, 0.0, -60.0]), 360.0)
    >>> bool(np.isclose(rows.sum(), 4 * np.pi * EARTH_RADIUS_KM**2))
    True
    """
    edges = np.radians(np.clip(cell_edges(latitude), -90.0, 90.0))
    area: ndarray = EARTH_RADIUS_KM**2 * np.radians(width_degrees) * np.abs(np.diff(np.sin(edges)))
    return area
