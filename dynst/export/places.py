"""Positions and cells of sites as they go into files: WGS 84 where known, lengths in a plane or nothing where not."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import shapely
from jaxtyping import Float
from numpy import ndarray
from shapely.geometry import mapping

from dynst.domain import Frame, GridLayout, Layout, Plan, Stations
from dynst.domain.listing import Listed
from dynst.errors import ConfigError
from dynst.export.formats import EARTH, POSITIONS
from dynst.reports.cells import cell_corners
from dynst.reports.view import lonlat

__all__ = ["Places", "check_places", "places_of"]

_DECIMALS = 6  # of a degree, 0.1 m
_DECIMALS_METRES = 3
_DECIMALS_OTHER = 6  # of lengths whose unit may be anything


@dataclass(frozen=True, eq=False)
class Places:
    """Positions and cells of all sites of a plan.

    Parameters
    ----------
    x, y : Float[ndarray, "n"]
        Degrees east in [-180, 180) and degrees north if `geographic`, else lengths in `unit`.
    geographic : bool
        Whether the Earth's longitude and latitude are known.
    corners : Float[ndarray, "n 4 2"] or None
        Corners of the cells, anticlockwise, in the same unit; beyond 180 where a cell lies on the date line.
    plane : tuple of Float[ndarray, "n"], or None
        x and y in the plane of the data, if they are not given in degrees.
    unit : str
        Unit of `plane`: ``m``, or what the data name; ``1`` for lengths without dimension.
    known : bool
        Whether anybody knows the positions; if not, `x` and `y` only draw the graph and belong in no file.
    stations : Stations or None
        Existing stations, which have places of their own.
    """

    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
    geographic: bool
    corners: Float[ndarray, "n 4 2"] | None
    plane: tuple[Float[ndarray, " n"], Float[ndarray, " n"]] | None
    unit: str
    known: bool
    stations: Stations | None = None

    @property
    def axes(self) -> tuple[str, str]:
        """Names of the two coordinates with their unit, as a reader of a table sees them."""
        if self.geographic:
            return "longitude", "latitude"
        return ("x", "y") if self.unit == "1" else (f"x ({self.unit})", f"y ({self.unit})")

    @property
    def local_crs(self) -> str:
        """The plane of the data as a GIS knows it: what it reads without one are degrees."""
        unit = "metre" if self.unit == "m" else re.sub(r'["\[\]]', "", self.unit)
        return f'LOCAL_CS["local plane",UNIT["{unit}",1]]'

    @property
    def _decimals(self) -> int:
        return _DECIMALS if self.geographic else _DECIMALS_METRES if self.unit == "m" else _DECIMALS_OTHER

    def position(self, one: Listed) -> list[float]:
        """Position of a sensor, rounded: an existing station's own, or that of the site."""
        x, y, at = self.x, self.y, one.site
        if self.stations is not None and one.station is not None:
            x, y = self._own(self.stations)
            at = one.station
        return [round(float(x[at]), self._decimals), round(float(y[at]), self._decimals)]

    def _own(self, stations: Stations) -> tuple[Float[ndarray, " k"], Float[ndarray, " k"]]:
        """Own places of the stations, in the coordinates of `x` and `y`."""
        if not self.geographic:
            return stations.x, stations.y
        if stations.longitude is not None and stations.latitude is not None:
            return stations.longitude, stations.latitude
        return self.x[stations.site], self.y[stations.site]

    def on_plane(self, one: Listed) -> tuple[float, float] | None:
        """Place of a sensor in the plane of the data, as they came."""
        if self.plane is None:
            return None
        if self.stations is not None and one.station is not None:
            return float(self.stations.x[one.station]), float(self.stations.y[one.station])
        return float(self.plane[0][one.site]), float(self.plane[1][one.site])

    def snapped(self, one: Listed) -> dict[str, float]:
        """How far a sensor stands from the middle of its site, under a key with the unit; nothing without positions."""
        if not self.known:
            return {}
        away = 0.0 if self.stations is None or one.station is None else float(self.stations.away[one.station])
        return {self.snapped_key: round(away, _DECIMALS)}

    @property
    def snapped_key(self) -> str:
        """Name of the distance to the site: in km on the Earth and for metres, else in the unit of the plane."""
        return "snapped_km" if self.geographic or self.unit == "m" else "snapped"

    def cell(self, site: int) -> dict[str, object] | None:
        """GeoJSON geometry of the cell: a polygon, or two where the date line cuts it (RFC 7946, 3.1.9)."""
        if self.corners is None:
            return None
        ring = shapely.Polygon(np.round(self.corners[site], self._decimals))
        parts = _within_the_turn(ring) if self.geographic else [ring]
        shape: dict[str, object] = mapping(parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts))
        return shape

    def bounds(self, site: int) -> list[float] | None:
        """West, south, east, north of the cell; west lies above east where the date line cuts it (RFC 7946, 5.2)."""
        if self.corners is None:
            return None
        (west, south), (east, north) = self.corners[site].min(axis=0), self.corners[site].max(axis=0)
        if self.geographic:
            west, east = (-180.0, 180.0) if east - west >= 360 else (_wrapped(west), _wrapped(east, closed=True))
        return [round(float(value), self._decimals) + 0.0 for value in (west, south, east, north)]


def check_places(plan: Plan, needs: int, what: str) -> None:
    """Make sure that `what` can be made of the places.

    Parameters
    ----------
    plan : Plan
        The ranked sites.
    needs : int
        See `Exporter`.
    what : str
        Name of the format.

    Raises
    ------
    ConfigError
        If nobody knows the positions, or nobody knows where on the Earth they are.
    """
    if needs >= POSITIONS and plan.sites.frame is Frame.SCHEMATIC:
        raise ConfigError(
            f"{what} is made of positions, and the sites are nodes of a graph without any. "
            "Give positions when you plan (--stations FILE), or export a table."
        )
    if needs >= EARTH and lonlat(plan.sites) is None:
        raise ConfigError(
            f"{what} is made of longitudes and latitudes, and the sites are known in a plane alone. "
            "Export another format, or give the data a reference system."
        )


def places_of(plan: Plan, layout: Layout | None) -> Places:
    """Where the sites are; longitudes and latitudes are given only where somebody knew them."""
    sites = plan.sites
    known = lonlat(sites)
    x, y = known if known is not None else (sites.x, sites.y)
    grid = layout if isinstance(layout, GridLayout) else None
    corners = None if grid is None else cell_corners(x, y, grid, geographic=known is not None)
    schematic = sites.frame is Frame.SCHEMATIC
    plane = None if schematic or sites.frame is Frame.GEOGRAPHIC else (sites.x, sites.y)
    return Places(x, y, known is not None, corners, plane, sites.unit, not schematic, sites.stations)


def _within_the_turn(polygon: shapely.Polygon) -> list[shapely.Polygon]:
    """The polygon in [-180, 180], cut at the date line if it crosses it, every outer ring anticlockwise."""
    parts = []
    for turn in (0.0, 360.0, -360.0):
        moved = shapely.transform(polygon, lambda points, turn=turn: points + np.array([turn, 0.0]))
        inside = shapely.clip_by_rect(moved, -180.0, -90.0, 180.0, 90.0)
        parts += [part for part in shapely.get_parts(inside) if part.geom_type == "Polygon" and part.area > 0]
    return [shapely.geometry.polygon.orient(part) for part in parts]


def _wrapped(longitude: float, *, closed: bool = False) -> float:
    """Longitude in [-180, 180), or in (-180, 180] for an eastern border."""
    turned = (longitude + 180.0) % 360.0 - 180.0
    return 180.0 if closed and turned == -180.0 else turned
