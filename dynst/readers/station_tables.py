"""Where stations stand: from a table of stations, or from what the data carry beside their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Frame
from dynst.errors import DataError
from dynst.readers.tables import BINARY, Table, columns_of, quantity_of, read_table, some, words_of

__all__ = ["NO_PLACE", "Places", "find_roles", "holds_places", "place", "read_places"]

_LATITUDE = {"lat", "lats", "latitude", "latitudes"}
_LONGITUDE = {"lon", "lons", "long", "lng", "longitude", "longitudes"}
_HEIGHT = {"height", "elevation", "elev", "altitude", "alt"}
_NAMES = (
    "station",
    "sensor",
    "site",
    "stop",
    "name",
    "id",
    "code",
    "column",
    "device",
    "node",
    "index",
    "wmo",
    "location",
)
NO_PLACE = (-999.0, -9999.0, -99999.0)  # written where a position is unknown,
_LEVEL = ("lon", "lat", "height")  # in these columns; in a plane it may be one


@dataclass(frozen=True, eq=False)
class Places:
    """Positions of stations, and by what they may be called.

    Parameters
    ----------
    where : str
        The file, for messages.
    called : dict
        For each column that could hold the names: the names, as text.
    x, y : Float[ndarray, "n"]
        As in `Sites`; NaN where unknown.
    frame, unit : Frame, str
        As in `Sites`.
    height, height_unit : Float[ndarray, "n"] or None, str
        Height, if known.
    notes : tuple of str
        What was done with the columns.
    by : str
        The column whose names the data use; empty before `match`.
    """

    where: str
    called: Mapping[str, Sequence[str]]
    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
    frame: Frame
    unit: str = "m"
    height: Float[ndarray, " n"] | None = None
    height_unit: str = "m"
    notes: tuple[str, ...] = ()
    by: str = ""

    def match(self, names: Sequence[str], short: Sequence[str] = ()) -> tuple[Places, Int[ndarray, " m"]]:
        """Who is who: for each name its row here, or -1; by whichever column fits the names best.

        Parameters
        ----------
        names, short : sequence of str
            Names of the stations, and what else they may be called.

        Raises
        ------
        DataError
            If no column holds any of the names, or a name comes twice.
        """
        hits = {
            (column, i): len(set(known).intersection(called))
            for i, known in enumerate((names, short))
            for column, called in self.called.items()
        }
        best, which = max(hits, key=lambda key: hits[key], default=("", 0))
        if not best or not hits[best, which]:
            offered = "; ".join(f"{column}: {some(called, 3)}" for column, called in list(self.called.items())[:4])
            raise DataError(
                f"{self.where}: no column holds the names that the data use ({some(names, 3)}); it holds "
                f"{offered or 'no names'}. Give the table that belongs to these data."
            )
        names = short if which else names
        rivals = [
            column
            for column, called in self.called.items()
            if column != best
            and hits[column, which] == hits[best, which]
            and not _alike(called, self.called[best], names)
        ]
        wanted, row = set(names), dict[str, int]()
        for i, name in enumerate(self.called[best]):
            if name in row and name in wanted:
                raise DataError(
                    f'{self.where}: station "{name}" comes more than once in column {best} '
                    f"(rows {row[name] + 1} and {i + 1}). Give every station one row."
                )
            row.setdefault(name, i)
        said = (
            f"{some(rivals)} of {self.where} would name other rows than its column {best}, by which stations are found"
        )
        notes = (*self.notes, said) if rivals else self.notes
        return replace(self, by=best, notes=notes), np.array([row.get(name, -1) for name in names], np.int64)


def _alike(one: Sequence[str], other: Sequence[str], names: Sequence[str]) -> bool:
    """Whether two columns hold the names in the same rows."""
    wanted = set(names)
    return all(a == b or not {a, b} & wanted for a, b in zip(one, other, strict=True))


def find_roles(columns: Sequence[str]) -> dict[str, str]:
    """Columns by what they mean: ``lat lon x y z height``.

    Examples
    --------
    >>> find_roles(["code", "Latitude (deg)", "lon", "elevation_m", "cost"])
    {'lat': 'Latitude (deg)', 'lon': 'lon', 'height': 'elevation_m'}
    """
    roles: dict[str, str] = {}
    for column in columns:
        words = words_of(column)
        if not words:
            continue
        kind = "lat" if set(words) & _LATITUDE else "lon" if set(words) & _LONGITUDE else ""
        if kind and words[0] == "dec":  # beside degrees, minutes and seconds in one number
            roles[kind] = column
        elif set(words) & _LATITUDE:
            roles.setdefault("lat", column)
        elif set(words) & _LONGITUDE:
            roles.setdefault("lon", column)
        elif set(words) & _HEIGHT:
            roles.setdefault("height", column)
        elif words[0] in {"x", "easting"}:
            roles.setdefault("x", column)
        elif words[0] in {"y", "northing"}:
            roles.setdefault("y", column)
        elif words[0] == "z":
            roles.setdefault("z", column)
    return roles


def holds_places(path: Path) -> bool:
    """Whether a table gives positions and no times."""
    columns = columns_of(path)
    roles = set(find_roles(columns))
    timed = any({"time", "date", "datetime", "timestamp"} & set(words_of(column)) for column in columns)
    return not timed and ({"lat", "lon"} <= roles or len({"x", "y", "z"} & roles) > 1)


def read_places(path: Path) -> Places:
    """Positions from a table of stations; its columns are found by what they are called.

    Raises
    ------
    DataError
        If there is no pair of columns that gives positions, or they cannot be positions.
    """
    table = _headless(path) or read_table(path, text=None)
    roles = find_roles(table.columns)
    columns = {role: table.numbers(column) for role, column in roles.items()}
    called = {name: table.text(name) for name in table.columns if name not in roles.values()}
    first = sorted(called, key=lambda name: min([_NAMES.index(w) for w in words_of(name) if w in _NAMES] or [99]))
    for name in [name for name in called if name.lower() in {"quantity", "unit", "units"}]:  # one name, many devices
        kind = [quantity_of(cell) if name.lower() != "quantity" else cell.lower() for cell in called.pop(name)]
        for other in first[:3]:
            if other in called and other != name:
                called[f"{other}, {name}"] = [f"{a} {b}" for a, b in zip(called[other], kind, strict=True)]
    order = [*(name for name in called if ", " in name), *(name for name in first if name in called)]
    found = place(path.name, {name: called[name] for name in order}, columns, _units(table, roles))
    found = replace(found, notes=(*table.notes, *found.notes))
    numeric = [
        name
        for name in called
        if name in table.columns and table.is_numeric(name) and not set(words_of(name)) & set(_NAMES)
    ]
    if numeric:
        said = f"columns of {path.name} that are no positions are not used: {some(numeric)}"
        return replace(found, notes=(*found.notes, said))
    return found


def _headless(path: Path) -> Table | None:
    """A table of name, latitude and longitude without a line of names; None if it has one, or the two look alike."""
    if path.suffix.lower() in BINARY or columns_of(path):
        return None
    table = read_table(path, text=None, header=False)
    if len(table.columns) != 3 or not all(map(table.is_numeric, table.columns[1:])):
        return None
    one, two = (np.abs(table.numbers(column)).max() for column in table.columns[1:])
    if (one > 90) == (two > 90):
        return None
    names = ["station", "lon", "lat"] if one > 90 else ["station", "lat", "lon"]
    note = f"{path.name} has no line of names: its columns are taken for {', '.join(names)}"
    return table.noted(table.frame.set_axis(names, axis=1), note)


def place(
    where: str,
    called: Mapping[str, Sequence[str]],
    columns: Mapping[str, Float[ndarray, " n"]],
    units: Mapping[str, str] = {},
) -> Places:
    """Positions from columns by role (`find_roles`).

    Degrees if they can be degrees, else metres in the plane.

    Raises
    ------
    DataError
        If they are incomplete, or cannot be positions.

    Examples
    --------
    >>> found = place("bus.json", {"stop": ["A"]}, {"lon": np.array([589196.0]), "lat": np.array([6151987.0])})
    >>> found.frame, found.notes
    (<Frame.PLANAR: 'planar'>, ('lon and lat of bus.json are no degrees and are taken as metres in a plane',))
    """
    columns = {k: np.where(np.isin(v, NO_PLACE), np.nan, v) if k in _LEVEL else v for k, v in columns.items()}
    height, high, notes = columns.get("height"), units.get("height") or "m", list[str]()
    if "lat" in columns and "lon" in columns:
        lon, lat = columns["lon"], columns["lat"]
        name = next(iter(called.values()), [str(i) for i in range(len(lon))])
        if _degrees(where, lon, lat, name):
            lon = np.where(lon >= 180, lon - 360, lon)
            return Places(where, called, lon, lat, Frame.GEOGRAPHIC, "degrees", height, high)
        said = f"lon and lat of {where} are no degrees and are taken as metres in a plane"
        return Places(where, called, lon, lat, Frame.PLANAR, "m", height, high, (said,))
    across = next(
        (pair for pair in (("x", "y"), ("x", "z"), ("y", "z")) if pair[0] in columns and pair[1] in columns), None
    )
    if across is None:
        raise DataError(
            f"{where}: no positions: expected columns called lat and lon, or x and y (or z) in metres; found "
            f"{some([*called, *columns], 8)}. Rename the columns."
        )
    if across[1] == "z":
        notes.append(f"the plane of the sites is upright: {across[0]} along, z up")
    elif "z" in columns and height is None:
        height, high = columns["z"], units.get("z") or "m"
    scale = []
    for key in across:
        unit = units.get(key, "")
        if unit not in {"", "m", "km"}:
            raise DataError(f"{where}: {key} is in {unit}. Give positions in m or km.")
        scale.append(1000.0 if unit == "km" else 1.0)
        if not unit:
            notes.append(f"{key} of {where} has no unit and is taken as metres")
    x, y = (columns[key] * factor for key, factor in zip(across, scale, strict=True))
    return Places(where, called, x, y, Frame.PLANAR, "m", height, high, tuple(notes))


def _units(table: Table, roles: Mapping[str, str]) -> dict[str, str]:
    """Units that the names of columns give: ``x_m``, ``y (km)``."""
    known = {"m", "km", "cm", "mm", "ft", "mi"}
    found = {}
    for role, column in roles.items():
        words = column.lower().replace("[", " ").replace("]", " ").replace("(", " ").replace(")", " ").replace("_", " ")
        found[role] = next((word for word in words.split()[1:] if word in known), "")
    return found


def _degrees(where: str, lon: Float[ndarray, " n"], lat: Float[ndarray, " n"], name: Sequence[str]) -> bool:
    """Whether positions are degrees rather than metres."""
    there = np.isfinite(lon) & np.isfinite(lat)
    odd = there & ((np.abs(lat) > 90) | (lon < -180) | (lon > 360))
    if not odd.any():
        return True
    if (np.maximum(np.abs(lat), np.abs(lon))[there] > 360).all():
        return False
    worst = int(np.flatnonzero(odd)[0])
    if (np.abs(lat[there]) <= 360).all() and (np.abs(lon[there]) <= 90).all():
        raise DataError(
            f"{where}: latitude {lat[worst]:g} of station {name[worst]} is outside [-90, 90], while all longitudes are "
            "inside: latitude and longitude are swapped. Exchange the names of the two columns."
        )
    raise DataError(
        f"{where}: station {name[worst]} stands at latitude {lat[worst]:g}, longitude {lon[worst]:g} "
        f"({int(odd.sum())} of {len(lat)} stations are off the globe). Correct the positions, or leave them empty."
    )
