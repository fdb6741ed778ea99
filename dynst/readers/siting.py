"""Which sites a network stands on: stations that a user already has, found by name, else by the nearest place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyproj
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.domain import Frame, GraphLayout, GridLayout, Layout, Sites, Stations
from dynst.domain.plain import plain
from dynst.domain.space import EARTH_RADIUS_KM, unit_vectors, wrap_longitude
from dynst.errors import DataError, unknown_name
from dynst.readers.siting_files import Given, read_given
from dynst.readers.tables import some

__all__ = ["Siting", "Space", "space_of", "stations_on"]

_ROUND = 1.001  # positions in files are rounded: a station on the corner of its cell is still on it
_MESH = 0.6  # of the longest edge at a node: in a triangle of equal sides the middle is 0.577 of a side away


@dataclass(frozen=True, eq=False)
class Siting:
    """A network on the sites of a record.

    Parameters
    ----------
    selected : Int[ndarray, "k"]
        Site of each station, in the order of the file, each once.
    names : tuple of str
        What each station is called: as the record calls it where it was found by name, else as the file does.
    notes : tuple of str
        What was done, in words.
    stations : Stations or None
        All of them at their own places with their own names, also those that share a site; None where no file gave
        them. A station that was found by name stands on its site.
    """

    selected: Int[ndarray, " k"]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()
    stations: Stations | None = None

    def __repr__(self) -> str:
        return f"Siting({len(self.selected)} stations)"


def stations_on(sites: Sites, layout: Layout, path: Path) -> Siting:
    r"""The sites on which the stations of a file stand.

    By name, if at least half of the names in a column of the file are names of sites; else each on the nearest site,
    if that is near enough: on a grid within half the diagonal of its cell, on a mesh within 0.6 of the longest edge at
    the node, among stations within half the way from the site to the one nearest to it.

    Parameters
    ----------
    sites, layout
        Of the record.
    path : Path
        GeoJSON points, a table (CSV, TSV, Parquet) with columns such as name, lon, lat or x, y, a GeoPackage or
        shapefile of points in any known reference system, or a list of names of sites, one a line.

    Raises
    ------
    DataError
        If the file cannot be read, a name is unknown, a station stands on no site, or latitude and longitude are
        swapped; the message names the stations and says what to do.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "network.csv"
    >>> _ = file.write_text("name,lon,lat\nhill,9.9,50.1\nhilltop,10.2,50.0\n")
    >>> sites = Sites(np.array([0.0, 10.0]), np.array([50.0, 50.0]))
    >>> found = stations_on(sites, GridLayout((1, 2), np.arange(2)), file)
    >>> found.selected.tolist(), found.names, found.notes[-1]
    ([1], ('hill',), '1 station shares its site with another and is counted once: hilltop (with hill)')
    """
    given = read_given(path, sites.name)
    called, row = _by_name(given.called, sites.name)
    notes = list(given.notes)
    if given.placed and 2 * int((row >= 0).sum()) < len(given):
        called, row = given.names, np.full(len(given), -1)
    elif (row >= 0).any() and len(given.called) > 1:
        notes.append(f"stations of {given.where} are found by name")
    missing = np.flatnonzero(row < 0)
    if not len(missing):
        return _once(given.where, sites, row, called, placed=missing, notes=notes, stations=_on(sites, row, called))
    found = _by_place(given, called, missing, sites, layout)
    row = row.copy()
    row[missing] = found.row
    called = tuple(name or given.names[i] for i, name in enumerate(called))
    notes.append(found.words(given.where))
    stations = _moved(_on(sites, row, called), sites, missing, found)
    return _once(given.where, sites, row, called, placed=missing, notes=notes, stations=stations)


def _on(sites: Sites, row: Int[ndarray, " k"], called: Sequence[str]) -> Stations:
    """Stations that stand on their sites."""
    degrees = sites.longitude is not None and sites.latitude is not None
    return Stations(
        row,
        tuple(map(plain, called)),
        sites.x[row],
        sites.y[row],
        np.zeros(len(row)),
        longitude=sites.longitude[row] if degrees and sites.longitude is not None else None,
        latitude=sites.latitude[row] if degrees and sites.latitude is not None else None,
    )


def _moved(stations: Stations, sites: Sites, some: Int[ndarray, " j"], found: _Found) -> Stations:
    """The same, but `some` of them at the places where they were found.

    Where a plane and the Earth cannot be brought together, the place of the site stands in on the other of the two.
    """
    x, y, away = stations.x.copy(), stations.y.copy(), stations.away.copy()
    lon, lat = (None if part is None else part.copy() for part in (stations.longitude, stations.latitude))
    away[some] = found.away
    flat = found.places if not found.earth else _between(_degrees_of(sites), sites.crs, found.places)
    degrees = found.places if found.earth else _between(sites.crs, _degrees_of(sites), found.places)
    if degrees is not None:
        east = degrees[:, 0]
        east = np.where((east >= -180) & (east < 180), east, wrap_longitude(east))  # as given, to the last digit
        degrees = np.stack([east, degrees[:, 1]], axis=-1)
    if sites.frame is Frame.GEOGRAPHIC:
        flat = degrees
    if flat is not None:
        x[some], y[some] = flat[:, 0], flat[:, 1]
    if degrees is not None and lon is not None and lat is not None:
        lon[some], lat[some] = degrees[:, 0], degrees[:, 1]
    return replace(stations, x=x, y=y, away=away, longitude=lon, latitude=lat)


def _degrees_of(sites: Sites) -> pyproj.CRS | None:
    """Longitude and latitude as the reference system of the sites counts them, on its own sphere or ellipsoid."""
    return None if sites.crs is None else pyproj.CRS.from_user_input(sites.crs).geodetic_crs


def _between(
    source: pyproj.CRS | str | None, target: pyproj.CRS | str | None, places: Float[ndarray, "k 2"]
) -> Float[ndarray, "k 2"] | None:
    """Places in another reference system; None where one of the two is unknown."""
    if source is None or target is None:
        return None
    step = pyproj.Transformer.from_crs(source, target, always_xy=True)
    moved = np.stack(step.transform(places[:, 0], places[:, 1]), axis=-1)
    return moved if np.isfinite(moved).all() else None


def _by_name(called: Mapping[str, Sequence[str]], names: Sequence[str]) -> tuple[tuple[str, ...], Int[ndarray, " k"]]:
    """Names of the column that fits best, and the site of each; -1 where no site has that name."""
    exact = {plain(name): i for i, name in enumerate(names)}
    folded: dict[str, int] = {}
    for name, i in exact.items():
        folded[name.casefold()] = -1 if name.casefold() in folded else i  # two that differ by case alone: neither
    best: tuple[tuple[str, ...], Int[ndarray, " k"]] = ((), np.zeros(0, np.int64))
    hits = -1
    for column in called.values():
        row = np.array([exact.get(name, folded.get(name.casefold(), -1)) for name in column], np.int64)
        if int((row >= 0).sum()) > hits:
            best, hits = (tuple(column), row), int((row >= 0).sum())
    return best


def _by_place(given: Given, called: Sequence[str], missing: Int[ndarray, " j"], sites: Sites, layout: Layout) -> _Found:
    """Nearest sites of the stations that no name places."""
    if not given.placed:
        raise DataError(_unknown(given.where, [called[i] for i in missing], sites))
    if sites.frame is Frame.SCHEMATIC:
        raise DataError(
            f"{given.where}: nobody knows where the sites of the record are, so stations are found by name, and no "
            f"site is called {some([called[i] for i in missing], 3)}. Name them as the record does: {some(sites.name)}."
        )
    space, places = space_of(given, sites)
    places = places[missing]
    nowhere = [called[i] for i, there in zip(missing, np.isfinite(places).all(axis=1), strict=True) if not there]
    if nowhere:
        raise DataError(
            f"{given.where}: {len(nowhere)} of {len(given)} stations have no position and no name of a site "
            f"({some(nowhere, 3)}). Give each a position, or take it out."
        )
    reach = space.reach(layout)
    row, gap, on = space.nearest(places, reach)
    if not on.all():
        _, _, swapped = space.nearest(places[:, ::-1], reach)
        if swapped.all() or (swapped.sum() > max(on.sum(), len(on) // 2)):
            raise DataError(_swapped(given.where, space, int(on.sum()), int(swapped.sum()), len(on)))
        raise DataError(_off(given.where, space, [called[i] for i in missing], places=places, gap=gap, on=on))
    kind = "cell" if isinstance(layout, GridLayout) else "site"
    return _Found(row, gap, places, space.earth, kind, space.unit)


@dataclass(frozen=True, eq=False)
class _Found:
    """Stations on the nearest sites: those sites, how far away, and the places, in degrees or in the plane."""

    row: Int[ndarray, " j"]
    away: Float[ndarray, " j"]
    places: Float[ndarray, "j 2"]
    earth: bool
    kind: str
    unit: str

    def words(self, where: str) -> str:
        one = len(self.row) == 1
        return (
            f"{len(self.row)} station{'' if one else 's'} of {where} stand{'s' if one else ''} on the nearest "
            f"{self.kind} of the record, at most {self.away.max():.3g} {self.unit} from its middle"
        )


@dataclass(frozen=True, eq=False)
class Space:
    """Where sites and stations can be compared: on the Earth, or in the plane of the record."""

    points: Float[ndarray, "n d"]
    sites: Sites
    earth: bool

    @property
    def unit(self) -> str:
        """Unit of distances here."""
        return "km" if self.earth else self.sites.distance_unit

    def points_of(self, places: Float[ndarray, "k 2"]) -> Float[ndarray, "k d"]:
        """Places among the `points`."""
        return unit_vectors(places[:, 0], np.clip(places[:, 1], -90, 90)) if self.earth else places

    def nearest(
        self, places: Float[ndarray, "k 2"], reach: Float[ndarray, " n"]
    ) -> tuple[Int[ndarray, " k"], Float[ndarray, " k"], Bool[ndarray, " k"]]:
        """Nearest site of each place, its distance in `unit` (infinite off the globe), whether it is near enough."""
        possible = np.ones(len(places), bool)
        if self.earth:
            possible = (np.abs(places[:, 1]) <= 90) & (places[:, 0] >= -360) & (places[:, 0] <= 360)
        chord, row = KDTree(self.points).query(self.points_of(places))
        chord, row = np.asarray(chord, float), np.asarray(row, np.int64)
        way = 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0, 1)) if self.earth else self.sites.distance(chord)
        return row, np.where(possible, way, np.inf), possible & (chord <= _ROUND * reach[row] + 1e-9)

    def reach(self, layout: Layout) -> Float[ndarray, " n"]:
        """How far from each site a station still stands on it, as a straight line between `points`."""
        if isinstance(layout, GridLayout):
            return _half_diagonal(self.points, layout)
        if isinstance(layout, GraphLayout) and layout.triangles is not None:
            longest = np.zeros(len(self.points))
            edges = np.concatenate([layout.triangles[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
            length = np.linalg.norm(self.points[edges[:, 0]] - self.points[edges[:, 1]], axis=1)
            for end in (0, 1):
                np.maximum.at(longest, edges[:, end], length)
            return _MESH * longest
        chord, _ = KDTree(self.points).query(self.points, k=2)
        half: ndarray = np.asarray(chord)[:, 1] / 2
        return half


def _half_diagonal(points: Float[ndarray, "n d"], layout: GridLayout) -> Float[ndarray, " n"]:
    """Half the diagonal of each cell, from the way to its neighbours; where it has none, that of a middling cell."""
    grid = np.moveaxis(layout.fold(points.T.astype(float)), 0, -1)
    steps = []
    for axis in (0, 1):
        after = np.linalg.norm(np.roll(grid, -1, axis=axis) - grid, axis=-1)
        if not (axis == 1 and layout.periodic):
            after[(-1,) if axis == 0 else (slice(None), -1)] = np.nan
        both = np.fmax(after, np.roll(after, 1, axis=axis))
        side = layout.unfold(both)
        known = np.isfinite(side)
        steps.append(np.where(known, side, np.median(side[known]) if known.any() else 0.0))
    half: ndarray = np.hypot(*steps) / 2
    return half


def space_of(given: Given, sites: Sites) -> tuple[Space, Float[ndarray, "k 2"]]:
    """Where to compare, and the places of the stations there."""
    on_earth = sites.longitude is not None and sites.latitude is not None and np.isfinite(sites.longitude).all()
    loose = given.loose
    if on_earth:
        assert sites.longitude is not None
        assert sites.latitude is not None
        earth = Space(unit_vectors(sites.longitude, sites.latitude), sites, True)
        if given.lonlat is not None:
            return earth, given.lonlat
        if loose is not None and np.nanmax(np.abs(loose)) <= 360:
            return earth, loose
        if sites.frame is Frame.GEOGRAPHIC:
            raise DataError(
                f"{given.where}: its positions are no degrees, and the sites of the record are. Give longitude and "
                "latitude, or a GeoPackage that names its reference system."
            )
    flat = given.plane if given.plane is not None else loose
    if flat is None:
        raise DataError(
            f"{given.where}: its positions are longitudes and latitudes, but those of the record are x and y in "
            f"{_unit(sites)}, and nobody knows where that plane lies. Give x and y, or the names of sites."
        )
    scale = 1000.0 if given.unit == "km" and sites.unit == "m" else 1.0
    return Space(np.stack([sites.x, sites.y], axis=-1), sites, False), flat * scale


def _unit(sites: Sites) -> str:
    return {"m": "metres", "1": "lengths without dimension"}.get(sites.unit, sites.unit)


def _unknown(where: str, lost: Sequence[str], sites: Sites) -> str:
    first = unknown_name("site", lost[0], sites.name) if len(sites) <= 40 else f'site "{lost[0]}" is unknown.'
    more = f" ({len(lost)} such names: {some(lost, 3)})" if len(lost) > 1 else ""
    known = "" if len(sites) <= 40 else f" The record's sites are called {some(sites.name, 3)}."
    return f"{where}: {first}{known}{more} Name stations as the record does, or give their positions in a table."


def _swapped(where: str, space: Space, on: int, swapped: int, total: int) -> str:
    what = "latitude and longitude" if space.earth else "x and y"
    order = " (in GeoJSON: longitude first)" if where.lower().endswith("json") and space.earth else ""
    return (
        f"{where}: {what} are swapped: as they stand {on} of {total} stations lie on the record, swapped {swapped} "
        f"of {total} do. Exchange them{order}."
    )


def _off(
    where: str,
    space: Space,
    called: Sequence[str],
    *,
    places: Float[ndarray, "k 2"],
    gap: Float[ndarray, " k"],
    on: Bool[ndarray, " k"],
) -> str:
    off = np.flatnonzero(~on)
    said = []
    for i in off[:3].tolist():
        x, y = places[i].tolist()
        far = f"{gap[i]:.4g} {space.unit} from the nearest site" if np.isfinite(gap[i]) else "not on the globe"
        said.append(f"{called[i]} at {_at(x, y, space)}, {far}")
    more = f"; and {len(off) - 3} more" if len(off) > 3 else ""
    who = "all" if len(off) == len(on) else f"{len(off)} of {len(on)}"
    lie, them, their = ("lies", "it", "its") if len(off) == 1 else ("lie", "them", "their")
    does = (
        f"Take {them} out, correct {their} positions"
        if len(off) != len(on)
        else ("The file and the record are of different places: correct the positions")
    )
    return (
        f"{where}: {who} stations {lie} off the record ({'; '.join(said)}{more}). {does}, or score {them} on a record "
        f"that covers {them}."
    )


def _at(x: float, y: float, space: Space) -> str:
    return f"longitude {x:g}, latitude {y:g}" if space.earth else f"x {x:g}, y {y:g}"


def _once(
    where: str,
    sites: Sites,
    row: Int[ndarray, " k"],
    called: Sequence[str],
    *,
    placed: Int[ndarray, " j"],
    notes: list[str],
    stations: Stations,
) -> Siting:
    """Each site once, and who was merged; names that would be alike are told apart by those of their sites."""
    by_place = set(placed.tolist())
    name = [called[i] if i in by_place else sites.name[site] for i, site in enumerate(row.tolist())]
    first: dict[int, int] = {}
    merged = []
    for i, site in enumerate(row.tolist()):
        if site in first:
            merged.append(f"{name[i]} (with {name[first[site]]})" if name[i] != name[first[site]] else name[i])
        else:
            first[site] = i
    if merged:
        count = f"{len(merged)} station{'s' * (len(merged) > 1)}"
        verb, it = ("share", "are") if len(merged) > 1 else ("shares", "is")
        whose = "their" if len(merged) > 1 else "its"
        with_whom = "others" if len(merged) > 1 else "another"
        notes.append(f"{count} {verb} {whose} site with {with_whom} and {it} counted once: {some(merged, 8)}")
    kept = list(first.values())
    alike = {name[i] for i in kept if [name[j] for j in kept].count(name[i]) > 1}
    if alike:
        notes.append(f"stations of {where} at different places share a name, all are counted: {some(sorted(alike))}")
    names = tuple(f"{name[i]} ({plain(sites.name[row[i]])})" if name[i] in alike else plain(name[i]) for i in kept)
    return Siting(np.array(list(first), np.int64), names, tuple(notes), stations)
