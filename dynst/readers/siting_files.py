"""What a file says of stations that a user has: GeoJSON, a table, a GeoPackage or shapefile, a list of names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import geopandas
import numpy as np
import pyproj
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain.plain import plain
from dynst.errors import DataError
from dynst.readers.station_tables import NO_PLACE, Places, find_roles, place, read_places
from dynst.readers.tables import BINARY, SUFFIXES, Table, read_table, some, words_of

__all__ = ["Given", "read_given", "read_positions"]

_GEOMETRY = (".gpkg", ".shp", ".fgb")
_JSON = (".geojson", ".json")
_NAMES = ("name", "station", "sensor", "site", "id", "code", "label", "title", "stop", "device", "node", "wmo")
_LONGEST = 60  # characters of a reference system that a message shows


@dataclass(frozen=True, eq=False)
class Given:
    """Stations as a file gives them.

    Parameters
    ----------
    where : str
        The file, for messages.
    called : dict
        For each column that could hold names: the names; the likeliest column first.
    lonlat : Float[ndarray, "k 2"] or None
        Degrees east and north, NaN where unknown.
    plane : Float[ndarray, "k 2"] or None
        Lengths in a plane of which the file says that it is one.
    loose : Float[ndarray, "k 2"] or None
        Two numbers of which the file does not say whether they are degrees or lengths.
    unit : str
        ``km`` if `loose` or `plane` are kilometres, else empty.
    notes : tuple of str
        What was done with the content.
    """

    where: str
    called: Mapping[str, tuple[str, ...]]
    lonlat: Float[ndarray, "k 2"] | None = None
    plane: Float[ndarray, "k 2"] | None = None
    loose: Float[ndarray, "k 2"] | None = None
    unit: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @property
    def placed(self) -> bool:
        """Whether there are positions."""
        return any(part is not None for part in (self.lonlat, self.plane, self.loose))

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each station; its number where the file gives none."""
        if self.called:
            first = next(iter(self.called.values()))
            return tuple(name or f"station {i}" for i, name in enumerate(first, start=1))
        places = next(part for part in (self.lonlat, self.plane, self.loose) if part is not None)
        return tuple(f"station {i}" for i in range(1, len(places) + 1))


def read_given(path: Path, known: Sequence[str] = (), *, every: bool = False) -> Given:
    """The stations that a file names or places; `known` are names by which a plain list is recognised.

    With `every`, any property of points may hold the names, whatever it is called.

    Raises
    ------
    DataError
        If there is no such file, or it holds no stations; the message says what it holds and what was expected.
    """
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no such file"
            raise DataError(f"{path}: {what}. Give a file with the stations of the network (here: {Path.cwd()}).")
        with path.open("rb") as stream:
            start = stream.read(1 << 16)
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be opened ({reason}). Check the path and its permissions.") from error
    if not start.strip():
        raise DataError(f"{path.name}: the file is empty. Give the stations of the network, one a line or feature.")
    suffix = path.suffix.lower()
    if suffix in _GEOMETRY:
        return _from_layer(path, every=every)
    if suffix in _JSON or (suffix not in SUFFIXES and start.lstrip()[:1] == b"{"):
        return _from_geojson(path, every=every)
    if suffix in SUFFIXES or suffix in {"", ".list"}:
        if suffix not in BINARY and b"\0" in start and start[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path.name}: not a text: it holds zero bytes. Write a table as CSV, or names one a line.")
        return _from_text(path, known)
    expected = ", ".join([*_JSON, *SUFFIXES, *_GEOMETRY])
    raise DataError(f"{path.name}: no file of stations by its name. Expected one of {expected}.")


def read_positions(path: Path) -> Places:
    """Where the stations of a record stand: by a table, or by the points of any file that `read_given` reads.

    Raises
    ------
    DataError
        If the file cannot be read, or gives no positions.
    """
    if path.suffix.lower() not in (*_GEOMETRY, *_JSON):
        return read_places(path)
    given = read_given(path, every=True)
    there = given.lonlat if given.lonlat is not None else given.loose
    if there is None and given.plane is None:
        raise DataError(f"{path.name}: its features have no positions. Give points.")
    if there is not None:
        columns = {"lon": there[:, 0], "lat": there[:, 1]}
    else:
        assert given.plane is not None
        columns = {"x": given.plane[:, 0], "y": given.plane[:, 1]}
    found = place(given.where, given.called, columns, {"x": "m", "y": "m"})
    return replace(found, notes=(*given.notes, *found.notes))


def _from_text(path: Path, known: Sequence[str]) -> Given:
    """A table with positions or names, or a list of names."""
    if path.suffix.lower() not in BINARY:
        lines = _lines(path)
        if not lines:
            raise DataError(f"{path.name}: it holds no station. Write a name a line, or a table with lon and lat.")
        hits = len(set(known).intersection(lines))
        if 2 * hits >= len(lines) or not _is_table(lines[0]):
            head = words_of(lines[0])
            named = lines[0] not in known and bool(head) and head[0] in _NAMES and len(lines) > 1
            return Given(path.name, {"name": _shown(lines[1:] if named else lines)})
    return _from_table(path, read_table(path, text=None))


def _lines(path: Path) -> list[str]:
    text = path.read_bytes()
    try:
        content = text.decode("utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        content = text.decode("cp1252", errors="replace")
    lines = [line.strip() for line in content.splitlines()]
    bare = [line[1:-1].replace('""', '"') if len(line) > 1 and line[0] == line[-1] == '"' else line for line in lines]
    return [line for line in bare if line and not line.startswith("#")]


def _is_table(line: str) -> bool:
    """Whether a first line has columns: a delimiter, or words that are positions or numbers."""
    words = line.split()
    return any(mark in line for mark in ",;\t|") or bool(find_roles(words)) or all(map(_number, words))


def _number(word: str) -> bool:
    return re.fullmatch(r"[-+]?\d+(\.\d*)?", word) is not None


def _from_table(path: Path, table: Table) -> Given:
    roles = find_roles(table.columns)
    rows = _selected([table.text(name) for name in table.columns if name.lower() == "selected"])
    keep = np.ones(len(table.frame), bool) if rows is None else rows
    free = [name for name in table.columns if name not in roles.values() and name.lower() != "selected"]
    free.sort(key=lambda name: min([_NAMES.index(word) for word in words_of(name) if word in _NAMES] or [99]))
    called = {name: _shown(np.array(table.text(name), object)[keep].tolist()) for name in free}
    lonlat = _pair(table, roles, ("lon", "lat"))
    plane = next((found for pair in (("x", "y"), ("x", "z"), ("y", "z")) if (found := _pair(table, roles, pair))), None)
    loose, unit = (None, "") if plane is None else plane
    if lonlat is None and loose is None and not called:
        raise DataError(f"{path.name}: neither names nor positions. Expected columns name, lon and lat (or x and y).")
    places = None if lonlat is None else np.where(np.isin(lonlat[0], NO_PLACE), np.nan, lonlat[0])
    there = np.zeros((0, 2)) if places is None else places[np.isfinite(places).all(axis=1)]
    if len(there) and (np.abs(there).max(axis=1) > 360).all():
        places, loose, unit = None, places, ""  # lengths that are called lon and lat
    given = Given(path.name, called, places if places is None else places[keep], unit=unit)
    return _left_out(replace(given, loose=None if loose is None else loose[keep]), keep)


def _pair(table: Table, roles: Mapping[str, str], pair: tuple[str, str]) -> tuple[Float[ndarray, "k 2"], str] | None:
    if not set(pair) <= roles.keys():
        return None
    kilo = all("km" in re.split(r"[^a-z]+", roles[key].lower()) for key in pair)
    return np.stack([table.numbers(roles[key]) for key in pair], axis=-1), "km" if kilo else ""


def _selected(columns: Sequence[Sequence[object]]) -> Bool[ndarray, " k"] | None:
    """Which rows of a plan that dynst wrote are sensors, and not only its ranking beyond the budget."""
    if not columns:
        return None
    marks = np.array([str(cell).strip().lower() not in {"0", "false", "no"} for cell in columns[0]])
    return marks if marks.any() else None


def _left_out(given: Given, keep: Bool[ndarray, " k"]) -> Given:
    if keep.all():
        return given
    said = f"{int((~keep).sum())} of the {len(keep)} rows of {given.where} are marked as not selected: left out"
    return replace(given, notes=(*given.notes, said))


def _from_geojson(path: Path, *, every: bool) -> Given:
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path.name}: not JSON ({str(error).splitlines()[0]}). Expected GeoJSON points.") from error
    features = _features(path, content)
    if not features:
        raise DataError(f"{path.name}: it holds no feature. Expected a point for each station.")
    places = np.full((len(features), 2), np.nan)
    for i, feature in enumerate(features):
        geometry = feature.get("geometry")
        if geometry is not None:
            places[i] = _point(path, geometry, i)
    properties = [part if isinstance(part := feature.get("properties"), dict) else {} for feature in features]
    if all("id" in feature for feature in features):  # beside the properties
        properties = [{"id": feature["id"]} | part for feature, part in zip(features, properties, strict=True)]
    keep = _selected([[part.get("selected", True) for part in properties]])
    keep = np.ones(len(features), bool) if keep is None else keep
    order = _naming(list(dict.fromkeys(str(key) for part in properties for key in part)), every=every)
    kept = [part for part, there in zip(properties, keep.tolist(), strict=True) if there]
    called = {str(key): _shown([part.get(key, "") for part in kept]) for key in order}
    if not np.isfinite(places).any():
        if not called:
            raise DataError(f"{path.name}: its features have neither a position nor a name. Give points.")
        return _left_out(Given(path.name, called), keep)
    return _left_out(_on_earth(Given(path.name, called), places[keep], _crs_of(content)), keep)


def _naming(columns: Sequence[str], *, every: bool) -> list[str]:
    """Properties that may hold names, the likeliest first: those called so, then the others if all may."""
    called = sorted((c for c in columns if c.lower() in _NAMES), key=lambda column: _NAMES.index(column.lower()))
    return [*called, *(column for column in columns if every and column not in called)]


def _features(path: Path, content: object) -> list[Mapping[str, object]]:
    kind = content.get("type") if isinstance(content, dict) else None
    if isinstance(content, dict) and kind == "FeatureCollection" and isinstance(content.get("features"), list):
        features = [feature for feature in content["features"] if isinstance(feature, dict)]
    elif isinstance(content, dict) and kind == "Feature":
        features = [content]
    elif isinstance(content, dict) and kind in {"Point", "MultiPoint"}:
        features = [{"geometry": content}]
    else:
        raise DataError(
            f'{path.name}: JSON, but no GeoJSON: expected {{"type": "FeatureCollection", "features": ...}}.'
        )
    found: list[Mapping[str, object]] = []
    for feature in features:
        geometry = feature.get("geometry")
        points = geometry.get("coordinates") if isinstance(geometry, dict) else None
        if isinstance(geometry, dict) and geometry.get("type") == "MultiPoint" and isinstance(points, list):
            found += [{**feature, "geometry": {"type": "Point", "coordinates": point}} for point in points]
        else:
            found.append(feature)
    return found


def _point(path: Path, geometry: object, number: int) -> tuple[float, float]:
    kind = geometry.get("type") if isinstance(geometry, dict) else type(geometry).__name__
    if not isinstance(geometry, dict) or kind != "Point":
        raise DataError(
            f"{path.name}: feature {number + 1} is a {plain(kind)}; a station is a Point. "
            "Give points, such as the centroids."
        )
    point = geometry.get("coordinates")
    if (
        not isinstance(point, list)
        or len(point) < 2
        or not all(isinstance(value, int | float) and not isinstance(value, bool) for value in point[:2])
    ):
        raise DataError(f"{path.name}: feature {number + 1} has no coordinates [longitude, latitude]. Mend it.")
    return float(point[0]), float(point[1])


def _crs_of(content: Mapping[str, object]) -> str | None:
    """The reference system that a collection names; None for that of RFC 7946, degrees."""
    crs = content.get("crs")
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    return str(name) if name else None


def _on_earth(given: Given, places: Float[ndarray, "k 2"], crs: object) -> Given:
    """Positions as degrees if their reference system says how, as lengths in a plane if it is a local one."""
    if crs is None:
        return replace(given, loose=places)
    try:
        system = pyproj.CRS.from_user_input(crs)
        if system.is_engineering or (not system.is_geographic and system.geodetic_crs is None):
            return replace(given, plane=places)
        step = pyproj.Transformer.from_crs(system, "OGC:CRS84", always_xy=True)
        lon, lat = step.transform(places[:, 0], places[:, 1])
    except pyproj.exceptions.ProjError as error:
        said = plain(crs)[:_LONGEST]
        raise DataError(f'{given.where}: its reference system "{said}" is unknown. Write it in WGS 84.') from error
    degrees = np.stack([lon, lat], axis=-1)
    return replace(given, lonlat=np.where(np.isfinite(degrees), degrees, np.nan))


def _from_layer(path: Path, *, every: bool) -> Given:
    """Points of a GeoPackage, shapefile or FlatGeobuf."""
    try:
        layers = geopandas.list_layers(path)
        points = [str(name) for name, kind in zip(layers["name"], layers["geometry_type"], strict=True) if kind]
        if not points:
            raise DataError(f"{path.name}: no layer has a geometry. Expected a layer of points.")
        frame = geopandas.read_file(path, layer=points[0])
    except DataError:
        raise
    except Exception as error:  # the library below raises many kinds
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise DataError(f"{path.name}: cannot be read: {first}. Is the file whole?") from error
    kinds = sorted({str(kind) for kind in frame.geometry.geom_type.dropna().unique()} - {"Point"})
    if kinds:
        raise DataError(f"{path.name}: layer {points[0]} holds {some(kinds)}; a station is a Point. Give points.")
    frame = frame[~frame.geometry.isna()]
    if not len(frame):
        raise DataError(f"{path.name}: layer {points[0]} holds no point. Expected a point for each station.")
    places = np.stack([frame.geometry.x.to_numpy(float), frame.geometry.y.to_numpy(float)], axis=-1)
    columns = _naming([str(name) for name in frame.columns if name != frame.geometry.name], every=every)
    called = {name: _shown(frame[name].tolist()) for name in columns}
    spare = f"layers {some(points[1:])} of {path.name} are not read" if len(points) > 1 else ""
    return _on_earth(Given(path.name, called, notes=(spare,) if spare else ()), places, frame.crs)


def _shown(names: Sequence[object]) -> tuple[str, ...]:
    return tuple("" if name is None else plain(name) for name in names)
