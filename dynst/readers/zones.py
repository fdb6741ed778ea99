"""Which sites the file of a zone means: those in its polygons, those it names, those within a buffer around either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyproj
import shapely
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.domain import Frame, Layout, Sites
from dynst.domain.distances import length_on
from dynst.domain.space import EARTH_RADIUS_KM, unit_vectors
from dynst.errors import ConfigError, DataError
from dynst.readers.regions import Placed, holding, placed, read_area, read_layer
from dynst.readers.rule_files import RuleFile
from dynst.readers.siting import space_of, stations_on
from dynst.readers.siting_files import read_given
from dynst.readers.tables import SUFFIXES

__all__ = ["read_zone"]

_LISTS = ("", ".list")  # endings of lists of names, besides those of tables
_FINE = 8  # pieces of an outline are at most a buffer / 8 long: a distance to their ends is at most 0.2 % too long
_BENT = 1.6  # a piece of an outline is at most so much longer than the straight way over its middle
_LINES = ("Point", "MultiPoint", "LineString", "MultiLineString", "LinearRing")
_SHAPES = (*_LINES, "Polygon", "MultiPolygon", "GeometryCollection")

Chord = Callable[[Float[ndarray, "k 2"]], Float[ndarray, "k d"]]


def read_zone(named: RuleFile, sites: Sites, layout: Layout, notes: list[str]) -> Bool[ndarray, " n"]:
    """Which sites lie in a zone.

    Parameters
    ----------
    named : RuleFile
        A file of polygons (GeoJSON, GeoPackage, shapefile), or a table or list of sites. With a buffer also points and
        lines, and tables of places that are no sites; the distance is true on the Earth, over the date line too.
    sites, layout
        Of the record.
    notes : list of str
        What was done with the content is added here.

    Raises
    ------
    DataError
        If the file cannot be read, or the zone holds no site.
    """
    path = Path(named.file).expanduser()
    listed = path.suffix.lower() in {*SUFFIXES, *_LISTS}
    if not named.buffer:
        return _standing(path, sites, layout, notes) if listed else read_area(path, sites, notes)
    reach = _reach(path, named, sites)
    around = _around_places(path, sites, layout, reach, notes) if listed else _around_shapes(path, sites, reach, notes)
    mask, gap = around
    if not mask.any():
        unit = "" if sites.distance_unit == "1" else f" {sites.distance_unit}"
        raise DataError(
            f"{path.name}: no site lies within {reach:g}{unit} of what it holds; the nearest is some {gap:.3g}{unit} "
            "away. Give a larger buffer, or leave the file out."
        )
    return mask


def _reach(path: Path, named: RuleFile, sites: Sites) -> float:
    """The buffer in the `distance_unit` of the sites; a number without a unit is km, or the unit of a plane."""
    if sites.frame is Frame.SCHEMATIC or named.reach is None:
        raise DataError(f"{path.name}: nobody knows where the sites are, so nothing is near one. Leave out buffer.")
    try:
        return length_on(sites, named.reach, bare="km" if sites.distance_unit == "km" else sites.unit)
    except ConfigError as error:
        raise DataError(f"{path.name}: buffer: {error}") from error


def _standing(path: Path, sites: Sites, layout: Layout, notes: list[str]) -> Bool[ndarray, " n"]:
    """Sites that a table or a list names."""
    found = stations_on(sites, layout, path)
    notes += found.notes
    mask = np.zeros(len(sites), bool)
    mask[found.selected] = True
    return mask


def _around_places(
    path: Path, sites: Sites, layout: Layout, reach: float, notes: list[str]
) -> tuple[Bool[ndarray, " n"], float]:
    """Sites near the places of a table or near the sites of a list, and the way to the nearest."""
    given = read_given(path, sites.name)
    if not given.placed:
        near, _ = KDTree(sites.points[_standing(path, sites, layout, notes)]).query(sites.points)
        return sites.distance(near) <= reach, 0.0
    space, places = space_of(given, sites)
    there = np.isfinite(places).all(axis=1)
    if not there.any():
        raise DataError(f"{path.name}: none of its places has a position. Give longitude and latitude.")
    chord, _ = KDTree(space.points_of(places[there])).query(space.points)
    way = _arc(np.asarray(chord)) if space.earth else sites.distance(np.asarray(chord))
    return way <= reach, float(way.min())


def _around_shapes(path: Path, sites: Sites, reach: float, notes: list[str]) -> tuple[Bool[ndarray, " n"], float]:
    """Sites in the shapes of a file or near them, and roughly the way to the nearest."""
    frame = read_layer(path, notes, _SHAPES)
    if frame is None:
        raise DataError(f"{path.name}: it holds no shape. Give points, lines or polygons.")
    found = placed(path, frame[frame.geometry.notna() & ~frame.geometry.is_empty], sites, notes)
    chord: Chord = _same
    points, far = np.stack([sites.x, sites.y], axis=-1), sites.chord(reach)
    if sites.longitude is not None and sites.latitude is not None:
        points, chord = unit_vectors(sites.longitude, sites.latitude), _sphere_of(found)
        far = float(2 * np.sin(min(reach / EARTH_RADIUS_KM, np.pi) / 2))
    inside: ndarray = np.asarray(holding(found).any(axis=0))
    pieces = _pieces(found.shapes)
    tree = KDTree(points)
    outline = _along(pieces, tree, chord, far)
    if len(outline):
        near, _ = KDTree(outline).query(points, distance_upper_bound=far * (1 + 1e-9))
        return inside | np.isfinite(near), 0.0
    gap = np.asarray(tree.query(chord(pieces.reshape(-1, 2)))[0], float)
    way = sites.distance(gap) if sites.longitude is None else _arc(gap)
    return inside, float(way.min())


def _arc(chord: Float[ndarray, "*s"]) -> Float[ndarray, "*s"]:
    """Distance in km along the Earth, of a straight line between unit vectors."""
    return 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0.0, 1.0))


def _same(places: Float[ndarray, "k 2"]) -> Float[ndarray, "k d"]:
    return places


def _sphere_of(found: Placed) -> Chord:
    """From the coordinates of the shapes to unit vectors."""
    step = None if found.crs is None else pyproj.Transformer.from_crs(found.crs, "OGC:CRS84", always_xy=True)

    def vectors(places: Float[ndarray, "k 2"]) -> Float[ndarray, "k 3"]:
        lon, lat = (places[:, 0], places[:, 1]) if step is None else step.transform(places[:, 0], places[:, 1])
        return unit_vectors(np.asarray(lon), np.clip(np.asarray(lat), -90, 90))

    return vectors


def _pieces(shapes: ndarray) -> Float[ndarray, "k 2 2"]:
    """Both ends of each straight piece of the outlines; a point is a piece without length."""
    parts = shapely.get_parts(shapely.get_parts(shapes))
    areas = shapely.get_dimensions(parts) == 2
    lines = shapely.get_parts(np.where(areas, shapely.boundary(parts), parts))
    places, owner = shapely.get_coordinates(lines, return_index=True)
    same = np.flatnonzero(owner[1:] == owner[:-1])
    alone = np.bincount(owner)[owner] == 1
    pieces = np.stack([places[same], places[same + 1]], axis=1)
    return np.concatenate([pieces, np.repeat(places[alone][:, None], 2, axis=1)])


def _along(pieces: Float[ndarray, "k 2 2"], tree: KDTree, chord: Chord, far: float) -> Float[ndarray, "m d"]:
    """Points along the pieces, dense enough to measure from; without those from which no site is in reach.

    Pieces are halved until they are short. Those that no site is near to are dropped on the way, so that a long
    outline costs little where there are few sites.
    """
    found = [chord(np.zeros((0, 2)))]
    while len(pieces):
        middle = pieces.mean(axis=1)
        a, m, b = (chord(places) for places in (pieces[:, 0], middle, pieces[:, 1]))
        length = np.linalg.norm(m - a, axis=1) + np.linalg.norm(b - m, axis=1)
        gap, _ = tree.query(m)
        near = np.asarray(gap) <= far + _BENT * length / 2
        short = length <= far / _FINE
        found += [a[near & short], b[near & short]]
        long = near & ~short
        halves = (np.stack([pieces[long, 0], middle[long]], axis=1), np.stack([middle[long], pieces[long, 1]], axis=1))
        pieces = np.concatenate(halves)
    return np.concatenate(found)
