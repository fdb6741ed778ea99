"""How a map of sites is framed: which way round the Earth it opens, its borders, its size and its ticks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import Frame, GridLayout, Layout, Sites
from dynst.reports.cells import cell_corners

__all__ = ["View", "lonlat", "view_of"]

_WIDTH, _TALLEST, _NARROWEST, _FLATTEST = 760, 620, 240, 120  # pixels; chosen to fit a page and a laptop screen
_ROOM = 220  # pixels of height that dots and their names want at least; chosen
_OPEN = 30.0  # degrees: sites that leave no wider gap in longitude make a map of the whole turn; chosen
_NICE_DEGREES = (0.2, 0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60)
_IN_METRES = 5000.0  # maps narrower than this many metres count metres, wider ones kilometres; chosen


@dataclass(frozen=True)
class View:
    """Sites in the coordinates of a drawing, and the frame of that drawing.

    Parameters
    ----------
    x, y : Float[ndarray, "n"]
        Degrees, the longitudes counted on without a jump; else lengths, as `unit` says.
    corners : Float[ndarray, "n 4 2"] or None
        Corners of the cells in the same coordinates; None if the sites are on no grid.
    west, east, south, north : float
        Borders.
    width, height : int
        Size of the plotting area in pixels.
    unit : str
        ``degrees``, ``km``, ``m``, or another that the sites are given in; ``1`` where lengths have no dimension,
        ``edges`` in the drawing of a graph whose sites have no positions.
    turn : bool
        Whether the map shows the whole circle of longitude, so that its left border is its right one.
    stretch : float
        How many times longer a length is drawn in y than in x, at the middle of the map; 1 is true to scale.
    """

    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
    corners: Float[ndarray, "n 4 2"] | None
    west: float
    east: float
    south: float
    north: float
    width: int
    height: int
    unit: str
    turn: bool
    stretch: float

    @property
    def geographic(self) -> bool:
        """Whether the axes are longitude and latitude."""
        return self.unit == "degrees"

    @property
    def schematic(self) -> bool:
        """Whether places are drawn from the graph alone."""
        return self.unit == "edges"

    @property
    def pixels(self) -> Float[ndarray, "n 2"]:
        """Where on the plotting area the sites are, right and down from its upper left corner."""
        return self.pixels_of(self.x, self.y)

    def pixels_of(self, x: Float[ndarray, " k"], y: Float[ndarray, " k"]) -> Float[ndarray, "k 2"]:
        """Where on the plotting area places in the coordinates of the drawing are."""
        across = (x - self.west) / (self.east - self.west) * self.width
        return np.stack([across, (self.north - y) / (self.north - self.south) * self.height], axis=-1)

    def axis(self, name: str) -> str:
        """Name of a planar axis with its unit."""
        return name if self.unit == "1" else f"{name} ({self.unit})"

    def ticks(self, low: float, high: float, most: int) -> list[float]:
        """At most about `most` round values from `low` to `high`."""
        decade = 10.0 ** np.floor(np.log10(high - low))
        nice = (
            _NICE_DEGREES
            if self.geographic and high - low > 1
            else [decade * part for part in (0.1, 0.2, 0.25, 0.5, 1, 2, 5)]
        )
        step = next((step for step in nice if (high - low) / step <= most), nice[-1])
        return [
            round(float(i * step), 9)
            for i in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)
        ]


def lonlat(sites: Sites) -> tuple[Float[ndarray, " n"], Float[ndarray, " n"]] | None:
    """Degrees east in [-180, 180) and degrees north of the sites, or None where nobody knows them.

    A projected frame that came without them is transformed back with its reference system.

    Examples
    --------
    >>> lonlat(Sites(np.array([500_000.0]), np.array([0.0]), frame=Frame.PROJECTED, crs="EPSG:32631"))
    (array([3.]), array([0.]))
    >>> lonlat(Sites(np.array([500_000.0]), np.array([0.0]), frame=Frame.PLANAR)) is None
    True
    """
    if sites.longitude is not None and sites.latitude is not None:
        return sites.longitude, sites.latitude
    if sites.frame is not Frame.PROJECTED or sites.crs is None:
        return None
    from pyproj import Transformer  # noqa: PLC0415  # reading its database takes longer than most exports

    east, north = Transformer.from_crs(sites.crs, "EPSG:4326", always_xy=True).transform(sites.x, sites.y)
    return np.mod(np.asarray(east).round(9) + 180.0, 360.0) - 180.0, np.asarray(north).round(9)


def view_of(sites: Sites, layout: Layout | None = None) -> View:
    """The frame that suits the sites: degrees where they are known, else lengths in the plane.

    Longitudes open where the sites leave their widest gap, so a Pacific map is one piece.

    Examples
    --------
    >>> view = view_of(Sites(np.array([170.0, 180.0, -170.0]) - 0.01, np.zeros(3)), GridLayout((1, 3), np.arange(3)))
    >>> round(view.west), round(view.east)  # five degrees of cell and a margin beside the outer sites
    (164, 196)
    """
    known = lonlat(sites)
    grid = layout if isinstance(layout, GridLayout) else None
    if known is None:
        return _planar(sites, grid)
    longitude, latitude = known
    west, turn = _opening(longitude)
    turn = turn or (grid is not None and grid.periodic)
    x = longitude.copy() if turn else west + np.mod(longitude - west, 360.0)
    corners = None
    if grid is not None:
        corners = cell_corners(longitude, latitude, grid, geographic=True)
        corners[..., 0] += (x - longitude)[:, None]
    borders = _borders(x, latitude, corners)
    if turn:
        borders = (-180.0, 180.0, *borders[2:])
    middle = 0.0 if turn else (borders[2] + borders[3]) / 2  # a whole turn is drawn plate carree, as usual
    shortening = float(np.cos(np.radians(middle)))
    return _sized((x, latitude, corners), borders, unit="degrees", turn=turn, shortening=shortening)


def _planar(sites: Sites, layout: GridLayout | None) -> View:
    large = sites.unit == "m" and max(np.ptp(sites.x), np.ptp(sites.y)) >= _IN_METRES
    scale = 1e-3 if large else 1.0
    x, y = sites.x * scale, sites.y * scale
    corners = None if layout is None else cell_corners(x, y, layout, geographic=False)
    return _sized((x, y, corners), _borders(x, y, corners), unit="km" if large else sites.unit)


def _opening(longitude: Float[ndarray, " n"]) -> tuple[float, bool]:
    """Where a map begins: east of the widest gap between sites; and whether there is no gap worth a border."""
    sorted_east = np.unique(longitude)
    gaps = np.diff(sorted_east, append=sorted_east[0] + 360.0)
    widest = int(gaps.argmax())
    return float(sorted_east[(widest + 1) % len(sorted_east)]), bool(gaps[widest] <= _OPEN)


def _borders(
    x: Float[ndarray, " n"], y: Float[ndarray, " n"], corners: Float[ndarray, "n 4 2"] | None
) -> tuple[float, float, float, float]:
    points = np.stack([x, y], axis=-1) if corners is None else corners.reshape(-1, 2)
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    margin = (0.02 if corners is not None else 0.06) * np.where(size > 1e-6 * size.max(), size, size.max() or 1.0)
    (west, south), (east, north) = low - margin, high + margin
    return float(west), float(east), float(south), float(north)


def _sized(
    sites: tuple[Float[ndarray, " n"], Float[ndarray, " n"], Float[ndarray, "n 4 2"] | None],
    borders: tuple[float, float, float, float],
    *,
    unit: str,
    turn: bool = False,
    shortening: float = 1.0,
) -> View:
    """The view whose plotting area is as true to scale as fits; `shortening` is that of a degree of longitude."""
    west, east, south, north = borders
    if unit == "degrees":
        south, north = max(south, -90.0), min(north, 90.0)
    true_ratio = (north - south) / ((east - west) * shortening)
    width = min(_WIDTH, max(_NARROWEST, _TALLEST / true_ratio))
    height = min(_TALLEST, max(_FLATTEST if sites[2] is not None else _ROOM, width * true_ratio))
    size = round(width), round(height)
    return View(*sites, west, east, south, north, *size, unit, turn, stretch=height / (width * true_ratio))
