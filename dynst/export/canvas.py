"""Where the values of sites go in a dataset: on the axes of their grid, or along the sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import Frame, GridLayout, Layout, Sites
from dynst.domain.cf import LATITUDE, LONGITUDE, axis_attributes
from dynst.export.netcdf import grid_axes
from dynst.reports.view import lonlat

__all__ = ["Canvas", "canvas_of"]


@dataclass(frozen=True, eq=False)
class Canvas:
    """Dimensions and coordinates of sites as CF wants them.

    Parameters
    ----------
    dims : tuple of str
        Of the places.
    coords : dict
        Coordinates by name, as xarray takes them.
    located : str
        Names of coordinates that are no dimensions, as the attribute ``coordinates`` of CF lists them.
    grid : GridLayout or None
        The grid, if it is one.
    crs : dict
        Attributes of the grid mapping; empty without one.
    """

    dims: tuple[str, ...]
    coords: dict[str, tuple[object, ndarray, dict[str, str]]]
    located: str
    grid: GridLayout | None
    crs: dict[str, object]

    def lay(self, values: Float[ndarray, "*s n"]) -> Float[ndarray, "*s ..."]:
        """Values of the sites along the dimensions; NaN where there is no site."""
        return values if self.grid is None else self.grid.fold(values)


def canvas_of(sites: Sites, layout: Layout | None) -> Canvas:
    """The dimensions and coordinates that suit some sites.

    Examples
    --------
    >>> canvas_of(Sites(np.array([0.0, 1.0]), np.array([5.0, 5.0])), GridLayout((1, 2), np.arange(2))).dims
    ('lat', 'lon')
    """
    crs = _mapping(sites)
    if isinstance(layout, GridLayout):
        dims, axes = grid_axes(sites, layout)
        return Canvas(dims, axes, " ".join(name for name in axes if name not in dims), layout, crs)
    names = np.array(sites.name, dtype=object)
    coords: dict[str, tuple[object, ndarray, dict[str, str]]] = {
        "site_name": ("site", names, {"long_name": "name of the site", "cf_role": "timeseries_id"})
    }
    known = lonlat(sites)
    if known is not None:
        coords |= {"lon": ("site", known[0], LONGITUDE), "lat": ("site", known[1], LATITUDE)}
    if known is None and sites.frame is not Frame.SCHEMATIC:
        for axis in ("x", "y"):
            coords[axis] = ("site", getattr(sites, axis), axis_attributes(sites, axis))
    return Canvas(("site",), coords, " ".join(coords), None, crs)


def _mapping(sites: Sites) -> dict[str, object]:
    if sites.frame is not Frame.PROJECTED or sites.crs is None:
        return {}
    from pyproj import CRS  # noqa: PLC0415  # reading its database takes longer than most exports

    return {key: value for key, value in CRS.from_user_input(sites.crs).to_cf().items() if value is not None}
