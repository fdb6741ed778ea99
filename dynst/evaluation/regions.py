"""Regions in which errors are told apart: the user's polygons, else bands of latitude."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from dynst.domain import Sites

__all__ = ["default_regions", "regions_of"]

_TROPICS = 20.0  # degrees; the bands of WeatherBench 2


def default_regions(sites: Sites) -> dict[str, Bool[ndarray, " n"]]:
    """Bands of latitude that part the sites; none where nobody knows the latitudes, or they are too few.

    Sites on both sides of the tropics: ``tropics`` (less than 20 degrees from the equator), ``northern extratropics``
    and ``southern extratropics``. Any other record: a third of the sites each in ``north``, ``middle`` and ``south``,
    as evenly as sites of equal latitude allow.

    Examples
    --------
    >>> regions = default_regions(Sites(np.zeros(6), np.array([51.0, 52, 53, 54, 55, 56])))
    >>> {name: inside.nonzero()[0].tolist() for name, inside in regions.items()}
    {'north': [4, 5], 'middle': [2, 3], 'south': [0, 1]}
    """
    latitude = sites.latitude
    if latitude is None:
        return {}
    north, south = latitude >= _TROPICS, latitude <= -_TROPICS
    names = ("northern extratropics", "tropics", "southern extratropics")
    if not (north.any() and south.any()):
        low, high = np.quantile(latitude, [1 / 3, 2 / 3])
        north, south = latitude > high, latitude <= low
        names = ("north", "middle", "south")
    masks = (north, ~(north | south), south)
    return dict(zip(names, masks, strict=True)) if all(mask.any() for mask in masks) else {}


def regions_of(
    sites: Sites, path: Path | None = None, notes: list[str] | None = None
) -> dict[str, Bool[ndarray, " n"]]:
    """The regions of a polygon file, or bands of latitude without one; `notes` as for `read_regions`.

    Raises
    ------
    DataError
        If the file cannot be read or holds no site.
    """
    if path is None:
        return default_regions(sites)
    from dynst.readers.regions import read_regions  # noqa: PLC0415  # half a second of imports that few runs need

    return read_regions(Path(path), sites, notes)
