"""Named polygons of a file (GeoJSON, GeoPackage, shapefile), and which sites lie in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import numpy as np
import pyproj
import shapely
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Frame, Sites
from dynst.domain.plain import plain
from dynst.errors import DataError
from dynst.readers.tables import some

__all__ = ["Placed", "holding", "placed", "read_area", "read_layer", "read_regions"]

_NAMES = ("name", "region", "name_en", "admin", "label", "title", "basin", "zone", "id", "code")
_LONGEST = 60  # characters of a name: it heads a column
_MOST = 40  # regions: more are no table that anybody reads
_EARTH = "OGC:CRS84"
_AREAS = ("Polygon", "MultiPolygon")


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


def read_area(path: Path, sites: Sites, notes: list[str]) -> Bool[ndarray, " n"]:
    """Which sites lie in any polygon of a file, or on its border; files, `notes` and errors as for `read_regions`."""
    _, inside = _held(path, sites, notes)
    empty = int((~inside.any(axis=1)).sum())
    if empty:
        notes.append(f"{path.name}: {empty} of {len(inside)} polygons hold no site")
    return np.asarray(inside.any(axis=0))


def _held(path: Path, sites: Sites, notes: list[str]) -> tuple[geopandas.GeoDataFrame, Bool[ndarray, "r n"]]:
    """The polygons of a file, and which sites each holds."""
    frame = read_layer(path, notes, _AREAS)
    if frame is None:
        raise DataError(
            f"{path.name}: it holds no polygon. Give polygons; points and lines are zones with a buffer in km, "
            f'"{path.name} buffer=5".'
        )
    areas = frame.geometry.geom_type.isin(_AREAS).to_numpy()
    if not areas.all():
        notes.append(f"{path.name}: {int((~areas).sum())} of {len(areas)} features are no polygons: left out")
    frame = frame[areas]
    found = placed(path, frame, sites, notes)
    inside = holding(found)
    if not inside.any():
        raise DataError(_nowhere(path, found))
    return frame, inside


def read_layer(path: Path, notes: list[str], kinds: Sequence[str]) -> geopandas.GeoDataFrame | None:
    """The first layer that holds a geometry of one of these kinds; None without one."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise DataError(f"{path}: {what}. Give a file with polygons, such as GeoJSON or a GeoPackage.")
    try:
        layers = [str(name) for name in geopandas.list_layers(path)["name"]]
        found = []
        for layer in layers:
            frame = geopandas.read_file(path, layer=layer)
            if "geometry" in frame and frame.geometry.geom_type.isin(kinds).any():
                found.append((layer, frame))
    except Exception as error:  # the library below raises many kinds
        first = plain((str(error).strip().splitlines() or [type(error).__name__])[0])
        raise DataError(f"{path.name}: cannot be read: {first}. Expected GeoJSON, GeoPackage or shapefile.") from error
    if len(found) > 1:
        notes.append(f"{path.name}: only layer {plain(found[0][0])} is read, not {some([n for n, _ in found[1:]])}")
    return found[0][1] if found else None


@dataclass(frozen=True, eq=False)
class Placed:
    """Shapes of a file and the sites in the same coordinates.

    Parameters
    ----------
    shapes : ndarray
        As the file has them, valid; where the sites have no degrees, in their plane.
    sites : Float[ndarray, "n 2"]
        The sites in the coordinates of the shapes; NaN where these have no such place.
    crs : pyproj.CRS or None
        Of both, where it is another than degrees; None for degrees, and in the plane of the sites.
    degrees : bool
        Whether both are degrees, of which a turn later is the same place.
    """

    shapes: ndarray
    sites: Float[ndarray, "n 2"]
    crs: pyproj.CRS | None = None
    degrees: bool = False


def placed(path: Path, frame: geopandas.GeoDataFrame, sites: Sites, notes: list[str]) -> Placed:
    """Shapes and sites in the same coordinates.

    Sites go into the reference system of the file, so that no shape is torn at the date line or at a pole.
    """
    if sites.frame is Frame.SCHEMATIC:
        raise DataError(f"{path.name}: nobody knows where the sites are, so no polygon can hold one. Leave it out.")
    shapes = np.asarray(frame.geometry.values, object)
    plane = np.stack([sites.x, sites.y], axis=-1)
    try:
        if sites.longitude is not None and sites.latitude is not None:
            return _on_earth(path, frame, shapes, np.stack([sites.longitude, sites.latitude], axis=-1), notes)
        if sites.crs is None:
            notes.append(f"{path.name}: the sites lie in a local plane; the polygons are read in that plane")
        elif frame.crs is None:
            notes.append(f"{path.name}: it names no reference system; read as the coordinates of the sites")
        else:
            shapes = np.asarray(frame.geometry.to_crs(sites.crs).values, object)
    except pyproj.exceptions.ProjError as error:
        said = plain(str(error).splitlines()[0])[:_LONGEST]
        raise DataError(f"{path.name}: its reference system cannot be used: {said}. Write it in WGS 84.") from error
    return Placed(shapely.make_valid(shapes), plane)


def _on_earth(
    path: Path, frame: geopandas.GeoDataFrame, shapes: ndarray, lonlat: Float[ndarray, "n 2"], notes: list[str]
) -> Placed:
    if frame.crs is None:
        notes.append(f"{path.name}: it names no reference system; read as degrees east and north")
    source = None if frame.crs is None else pyproj.CRS(frame.crs)
    if source is None or source.is_geographic:  # a datum shift is smaller than any cell; geopandas has longitude first
        return Placed(shapely.make_valid(shapes), lonlat, degrees=True)
    step = pyproj.Transformer.from_crs(_EARTH, source, always_xy=True)
    there = np.stack(step.transform(lonlat[:, 0], lonlat[:, 1]), axis=-1)
    return Placed(shapely.make_valid(shapes), np.where(np.isfinite(there), there, np.nan), source)


def holding(placed: Placed) -> Bool[ndarray, "r n"]:
    """Which site each shape holds or touches."""
    return _members(placed.shapes, placed.sites, turns=(0.0, 360.0, -360.0) if placed.degrees else (0.0,))


def _members(shapes: ndarray, points: Float[ndarray, "n 2"], turns: Sequence[float]) -> Bool[ndarray, "r n"]:
    """Which point each shape holds or touches, also where the shape counts its longitudes a turn further."""
    inside = np.zeros((len(shapes), len(points)), bool)
    tree = shapely.STRtree(shapes)
    there = np.flatnonzero(np.isfinite(points).all(axis=1))
    shapely.prepare(shapes)
    for turn in turns:
        x, y = points[there, 0] + turn, points[there, 1]
        which, where = tree.query(shapely.points(x, y))  # boxes alone: a prepared shape then answers far faster
        order = np.argsort(where, kind="stable")
        ends = np.flatnonzero(np.diff(where[order])) + 1
        for near in np.split(order, ends) if len(order) else []:
            at, mine = where[near[0]], which[near]
            inside[at, there[mine]] |= shapely.intersects_xy(shapes[at], x[mine], y[mine])
    return inside


def _nowhere(path: Path, placed: Placed) -> str:
    shapes, points = placed.shapes, placed.sites
    if holding(replace(placed, sites=points[:, ::-1])).any():
        return (
            f"{path.name}: latitude and longitude of its polygons are swapped: only with x and y exchanged do they "
            "hold a site. Write longitude first."
        )
    west, south, _, _ = np.nanmin(shapely.bounds(shapes), axis=0)
    _, _, east, north = np.nanmax(shapely.bounds(shapes), axis=0)
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
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
