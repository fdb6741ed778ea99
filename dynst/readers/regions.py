"""Named polygons of a file (GeoJSON, GeoPackage, shapefile), and which sites lie in each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import geopandas
import numpy as np
import pyproj
import shapely
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Frame, Sites
from dynst.errors import DataError
from dynst.readers.siting_files import plain
from dynst.readers.tables import one_line, some

__all__ = ["read_regions", "read_zone"]

_NAMES = ("name", "region", "name_en", "admin", "label", "title", "basin", "zone", "id", "code")
_LONGEST = 60  # characters of a name: it heads a column
_MOST = 40  # regions: more are no table that anybody reads
_EARTH = "OGC:CRS84"


def read_regions(path: Path, sites: Sites, notes: list[str] | None = None) -> dict[str, Bool[ndarray, " n"]]:
    """Which sites lie in which polygon of a file.

    A site on a border belongs to both sides; polygons of one name are one region.

    Parameters
    ----------
    path : Path
        GeoJSON, TopoJSON, GeoPackage, shapefile or FlatGeobuf with polygons. Names come from a column called ``name``,
        ``region`` or alike, else they are numbers.
    sites : Sites
        Places in degrees, of a known reference system, or in a plane (then the file is read in that plane).
    notes : list of str or None
        What was done with the content is added here: polygons without a site, a reference system that was assumed.

    Returns
    -------
    dict of str to Bool[ndarray, "n"]
        Only regions that hold a site; at most 40, those with the most sites. Names are untrusted text on one line.

    Raises
    ------
    DataError
        If the file cannot be read, holds no polygon, or no polygon holds a site.
    """
    notes = [] if notes is None else notes
    frame, inside = _held(path, sites, notes)
    regions: dict[str, Bool[ndarray, " n"]] = {}
    for name, mine in zip(_names(frame, path, notes), inside, strict=True):
        regions[name] = regions[name] | mine if name in regions else mine
    empty = [name for name, mine in regions.items() if not mine.any()]
    if empty:
        notes.append(f"{path.name}: {len(empty)} of {len(regions)} regions hold no site: {some(empty)}")
    held = sorted((name for name in regions if name not in set(empty)), key=lambda name: -int(regions[name].sum()))
    if len(held) > _MOST:
        notes.append(f"{path.name}: {len(held)} regions hold sites; the {_MOST} with the most are told apart")
    kept = set(held[:_MOST])
    return {name: mine for name, mine in regions.items() if name in kept}


def read_zone(path: Path, sites: Sites, notes: list[str]) -> Bool[ndarray, " n"]:
    """Which sites lie in any polygon of a file, or on its border; files, `notes` and errors as for `read_regions`."""
    _, inside = _held(path, sites, notes)
    empty = int((~inside.any(axis=1)).sum())
    if empty:
        notes.append(f"{path.name}: {empty} of {len(inside)} polygons hold no site")
    return np.asarray(inside.any(axis=0))


def _held(path: Path, sites: Sites, notes: list[str]) -> tuple[geopandas.GeoDataFrame, Bool[ndarray, "r n"]]:
    """The polygons of a file, and which sites each holds."""
    frame = _polygons(path, notes)
    shapes, points = _in_one_system(path, frame, sites, notes)
    shapes = shapely.make_valid(shapes)
    inside = _members(shapes, points)
    if not inside.any():
        raise DataError(_nowhere(path, shapes, points))
    return frame, inside


def _polygons(path: Path, notes: list[str]) -> geopandas.GeoDataFrame:
    """The first layer with polygons."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {what}. Give a file with polygons, such as GeoJSON or a GeoPackage.")
    try:
        layers = [str(name) for name in geopandas.list_layers(path)["name"]]
        found = []
        for layer in layers:
            frame = geopandas.read_file(path, layer=layer)
            if "geometry" in frame and frame.geometry.geom_type.isin(("Polygon", "MultiPolygon")).any():
                found.append((layer, frame))
    except Exception as error:  # the library below raises many kinds
        first = one_line((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise DataError(f"{path.name}: cannot be read: {first}. Expected GeoJSON, GeoPackage or shapefile.") from error
    if not found:
        raise DataError(f"{path.name}: it holds no polygon. Regions are areas: give polygons with a name each.")
    if len(found) > 1:
        notes.append(f"{path.name}: only layer {one_line(found[0][0])} is read, not {some([n for n, _ in found[1:]])}")
    frame = found[0][1]
    areas = frame.geometry.geom_type.isin(("Polygon", "MultiPolygon")).to_numpy()
    if not areas.all():
        notes.append(f"{path.name}: {int((~areas).sum())} of {len(areas)} features are no polygons: left out")
    return frame[areas]


def _in_one_system(
    path: Path, frame: geopandas.GeoDataFrame, sites: Sites, notes: list[str]
) -> tuple[ndarray, Float[ndarray, "n 2"]]:
    """Polygons and sites in the same coordinates."""
    if sites.frame is Frame.SCHEMATIC:
        raise DataError(f"{path.name}: nobody knows where the sites are, so no polygon can hold one. Leave it out.")
    shapes = np.asarray(frame.geometry.values, object)
    if sites.longitude is not None and sites.latitude is not None:
        system, points = _EARTH, np.stack([sites.longitude, sites.latitude], axis=-1)
    elif sites.crs is not None:
        system, points = sites.crs, np.stack([sites.x, sites.y], axis=-1)
    else:
        notes.append(f"{path.name}: the sites lie in a local plane; the polygons are read in that plane")
        return shapes, np.stack([sites.x, sites.y], axis=-1)
    if frame.crs is None:
        words = "degrees east and north" if system == _EARTH else "the coordinates of the sites"
        notes.append(f"{path.name}: it names no reference system; read as {words}")
        return shapes, points
    try:
        source = pyproj.CRS(frame.crs)
        if system == _EARTH and source.is_geographic:
            return shapes, points  # a datum shift is smaller than any cell; geopandas keeps longitude first
        return np.asarray(frame.geometry.to_crs(system).values, object), points
    except pyproj.exceptions.ProjError as error:
        said = one_line(str(error).splitlines()[0])[:_LONGEST]
        raise DataError(f"{path.name}: its reference system cannot be used: {said}. Write it in WGS 84.") from error


def _members(shapes: ndarray, points: Float[ndarray, "n 2"]) -> Bool[ndarray, "r n"]:
    """Which point each polygon holds or touches; longitudes may count from 0 to 360 there."""
    inside = np.zeros((len(shapes), len(points)), bool)
    tree = shapely.STRtree(shapes)
    for turn in (0.0, 360.0):
        which, where = tree.query(shapely.points(points[:, 0] + turn, points[:, 1]), predicate="intersects")
        inside[where, which] = True
        if not np.nanmax(shapely.bounds(shapes)[:, 2], initial=-np.inf) > 180:
            break
    return inside


def _nowhere(path: Path, shapes: ndarray, points: Float[ndarray, "n 2"]) -> str:
    if _members(shapes, points[:, ::-1]).any():
        return (
            f"{path.name}: latitude and longitude of its polygons are swapped: only with x and y exchanged do they "
            "hold a site. Write longitude first."
        )
    west, south, _, _ = np.nanmin(shapely.bounds(shapes), axis=0)
    _, _, east, north = np.nanmax(shapely.bounds(shapes), axis=0)
    low, high = points.min(axis=0), points.max(axis=0)
    return (
        f"{path.name}: no polygon holds a site. The polygons span {west:g} to {east:g} and {south:g} to {north:g}, the "
        f"sites {low[0]:g} to {high[0]:g} and {low[1]:g} to {high[1]:g}. Give polygons of that area."
    )


def _names(frame: geopandas.GeoDataFrame, path: Path, notes: list[str]) -> Sequence[str]:
    columns = {str(column).lower(): column for column in frame.columns if column != frame.geometry.name}
    column = next((columns[name] for name in _NAMES if name in columns and frame[columns[name]].notna().any()), None)
    if column is None:
        notes.append(f'{path.name}: no column with names (such as "name" or "region"): regions are numbered')
        return [f"region {i}" for i in range(1, len(frame) + 1)]
    known = frame[column].where(frame[column].notna(), "").tolist()
    said = [plain(value)[:_LONGEST].strip() for value in known]
    return [name or f"region {i}" for i, name in enumerate(said, start=1)]
