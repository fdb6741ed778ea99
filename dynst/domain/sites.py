"""Sites: the places where a sensor could stand."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.domain.space import EARTH_RADIUS_KM, unit_vectors
from dynst.domain.spacing import Packing, Spacing, pack, pack_exactly, pack_quickly
from dynst.errors import BudgetError, DataError

__all__ = ["Frame", "Role", "Sites", "Stations"]

_ROUNDING = 1 - 1e-9  # two sites at exactly the minimum distance are not too near


class Frame(enum.StrEnum):
    """What `x` and `y` of sites mean."""

    GEOGRAPHIC = "geographic"  # degrees east in [-180, 180) and degrees north, WGS 84
    PROJECTED = "projected"  # metres in a known coordinate reference system
    PLANAR = "planar"  # a local plane, in metres or in the unit that `Sites.unit` names
    SCHEMATIC = "schematic"  # nobody knows where: a drawing of the graph, an edge about one unit long


_UNITS = {Frame.GEOGRAPHIC: "degrees", Frame.PROJECTED: "m", Frame.PLANAR: "m", Frame.SCHEMATIC: "edges"}


class Role(enum.IntEnum):
    """What a plan may do with a site."""

    CANDIDATE = 0
    FIXED = 1  # a sensor stands here already: always in the plan
    FORBIDDEN = 2  # never in a plan


@dataclass(frozen=True, eq=False)
class Stations:
    """Stations that stand already, at their own places: these need not be the sites that they count as.

    Parameters
    ----------
    site : Int[ndarray, "k"]
        Index of the site that each counts as. Several may share one.
    name : tuple of str
        What each is called.
    x, y : Float[ndarray, "k"]
        Own places, in the frame of the sites.
    away : Float[ndarray, "k"]
        Distance to the site, in the `distance_unit` of the sites.
    longitude, latitude : Float[ndarray, "k"] or None
        Own places in degrees, where the sites have such.
    """

    site: Int[ndarray, " k"]
    name: tuple[str, ...]
    x: Float[ndarray, " k"]
    y: Float[ndarray, " k"]
    away: Float[ndarray, " k"]
    longitude: Float[ndarray, " k"] | None = None
    latitude: Float[ndarray, " k"] | None = None

    def __len__(self) -> int:
        return len(self.site)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when a station, its name or its place (to 1e-5) does."""
        digest = hashlib.sha256("\n".join(self.name).encode())
        digest.update(np.asarray(self.site, np.int64).tobytes())
        for axis in (self.x, self.y):
            digest.update((np.round(axis, 5) + 0.0).tobytes())
        return digest.hexdigest()[:16]

    @staticmethod
    def joined(parts: Sequence[Stations]) -> Stations:
        """The stations of all parts, in their order; degrees only where all parts have them."""
        degrees = bool(parts) and all(part.longitude is not None and part.latitude is not None for part in parts)
        axes: dict[str, ndarray] = {
            axis: np.concatenate([np.zeros(0), *(getattr(part, axis) for part in parts)])
            for axis in ("x", "y", "away", *(("longitude", "latitude") if degrees else ()))
        }
        site = np.concatenate([np.zeros(0, np.int64), *(part.site for part in parts)])
        return Stations(site, tuple(name for part in parts for name in part.name), **axes)


@dataclass(frozen=True, eq=False)
class Sites:
    """Places where a sensor could stand; checked once, then trusted.

    Parameters
    ----------
    x, y : Float[ndarray, "n"]
        Degrees east in [-180, 180) and degrees north for a geographic frame, else lengths.
    frame : Frame
        What `x` and `y` mean.
    name : tuple of str
        Unique names; made from the position if left out.
    role : Int[ndarray, "n"]
        A `Role` per site; all candidates if left out.
    area : Float[ndarray, "n"]
        Weight of a site in every error, proportional to the area it stands for (km2 on the Earth); ones if left out.
    crs : str or None
        Coordinate reference system of a projected frame, in any form that pyproj reads.
    longitude, latitude : Float[ndarray, "n"] or None
        Position on the Earth of the sites of a projected frame, if known. A geographic frame has them in `x`, `y`.
    unit : str
        Unit of `x` and `y`; a planar frame may have another than metres, such as ``1`` for a flow without dimensions.
    spacing : Spacing or None
        The distance that any two sensors of a plan keep at least.
    stations : Stations or None
        Existing stations at their own places; their sites are fixed.

    Raises
    ------
    DataError
        If a position is missing or out of range, or two sites share a name.

    Examples
    --------
    >>> sites = Sites(np.array([0.0, 10.0]), np.array([50.0, 51.0]))
    >>> sites
    Sites(2, geographic)
    >>> sites.name
    ('50.000N 0.000E', '51.000N 10.000E')
    """

    x: Float[ndarray, " n"]
    y: Float[ndarray, " n"]
    frame: Frame = Frame.GEOGRAPHIC
    name: tuple[str, ...] = ()
    role: Int[ndarray, " n"] = field(default_factory=lambda: np.zeros(0, np.int8))
    area: Float[ndarray, " n"] = field(default_factory=lambda: np.zeros(0))
    crs: str | None = None
    longitude: Float[ndarray, " n"] | None = None
    latitude: Float[ndarray, " n"] | None = None
    unit: str = ""
    spacing: Spacing | None = None
    stations: Stations | None = None

    def __post_init__(self) -> None:
        n = len(self.x)
        if n == 0:
            raise DataError("no site: the data hold no place with a valid value. Check the variable and its mask.")
        put = object.__setattr__
        put(self, "x", np.ascontiguousarray(self.x, float))
        put(self, "y", np.ascontiguousarray(self.y, float))
        put(self, "frame", Frame(self.frame))
        if self.frame is not Frame.PLANAR or not self.unit:
            put(self, "unit", _UNITS[self.frame])
        if not len(self.role):
            put(self, "role", np.zeros(n, np.int8))
        if not len(self.area):
            put(self, "area", np.ones(n))
        if self.frame is Frame.GEOGRAPHIC:
            put(self, "longitude", self.x)
            put(self, "latitude", self.y)
        if not self.name:
            put(self, "name", _names(self))
        self._check()

    def _check(self) -> None:
        if not (np.isfinite(self.x).all() and np.isfinite(self.y).all()):
            raise DataError(
                "a site has no position: a coordinate is NaN or infinite. Give every site a finite position."
            )
        if self.latitude is not None and (np.abs(self.latitude) > 90).any():
            worst = float(self.latitude[np.abs(self.latitude).argmax()])
            raise DataError(
                f"latitude {worst:g} is outside [-90, 90] degrees north. Are longitude and latitude swapped?"
            )
        if self.frame is Frame.GEOGRAPHIC and ((self.x < -180) | (self.x >= 180)).any():
            raise DataError("longitudes must lie in [-180, 180) degrees east. Wrap them before making Sites.")
        if len(set(self.name)) != len(self.name):
            raise DataError("two sites share a name. Give every site a name of its own.")
        if not {len(self.y), len(self.name), len(self.role), len(self.area)} == {len(self.x)}:
            raise DataError("x, y, name, role and area of sites differ in length.")
        if not (np.isfinite(self.area).all() and (self.area >= 0).all() and self.area.sum() > 0):
            raise DataError("the areas of sites must be finite, not negative, and not all zero.")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Sites({len(self)}, {self.frame})"

    @property
    def fixed(self) -> Int[ndarray, " k"]:
        """Indices of the sites that every plan holds."""
        return np.flatnonzero(self.role == Role.FIXED)

    @property
    def legal(self) -> Int[ndarray, " m"]:
        """Indices of the sites that a plan may hold: candidates and fixed ones."""
        return np.flatnonzero(self.role != Role.FORBIDDEN)

    @property
    def weight(self) -> Float[ndarray, " n"]:
        """Area weights with mean 1."""
        weight: ndarray = self.area / self.area.mean()
        return weight

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change when a position or the frame does (positions to 1e-5)."""
        digest = hashlib.sha256(f"{self.frame}|{len(self)}|".encode())
        for axis in (self.x, self.y):
            digest.update((np.round(axis, 5) + 0.0).tobytes())  # + 0.0 turns -0.0 into 0.0
        return digest.hexdigest()[:16]

    @cached_property
    def points(self) -> Float[ndarray, "n d"]:
        """Points whose straight-line distance orders like true distance: unit vectors on the Earth, else metres."""
        if self.frame is Frame.GEOGRAPHIC:
            return unit_vectors(self.x, self.y)
        return np.stack([self.x, self.y], axis=-1)

    @property
    def distance_unit(self) -> str:
        """Unit of `distance`: ``km`` where positions are degrees or metres, else that of the positions."""
        return "km" if self.unit in ("degrees", "m") else self.unit

    def distance(self, chord: Float[ndarray, "*s"]) -> Float[ndarray, "*s"]:
        """Distance in `distance_unit` of what is straight-line distance between `points`."""
        if self.frame is Frame.GEOGRAPHIC:
            return 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(np.asarray(chord) / 2, 0.0, 1.0))
        return np.asarray(chord) / (1000.0 if self.unit == "m" else 1.0)

    def chord(self, distance: float) -> float:
        """Straight-line distance between `points` of a distance in `distance_unit`; the inverse of `distance`."""
        if self.frame is Frame.GEOGRAPHIC:
            return float(2 * np.sin(min(distance / EARTH_RADIUS_KM, np.pi) / 2))
        return distance * (1000.0 if self.unit == "m" else 1.0)

    @cached_property
    def tree(self) -> KDTree:
        """KD-tree over `points`."""
        return KDTree(self.points)

    def nearest(self, k: int) -> Int[ndarray, "n k"]:
        """The `k` nearest other sites of each site, nearest first (fewer columns if there are fewer sites)."""
        count = min(k + 1, len(self))
        _, index = self.tree.query(self.points, k=count)
        index = np.asarray(index).reshape(len(self), count)
        itself = index == np.arange(len(self))[:, None]
        itself[~itself.any(axis=1), -1] = True  # two sites at one place may crowd a site out of its own list
        others: ndarray = index[~itself].reshape(len(self), count - 1)
        return others

    def near(self, site: int) -> Int[ndarray, " k"]:
        """Sites too near to a sensor at `site`, itself among them; only itself where no distance is asked for.

        A station that exists keeps others off its own place.
        """
        if self.spacing is None:
            return np.array([site])
        if self.spacing.by_hops:
            return self.spacing.within_hops(site)
        reach = self.chord(self.spacing.least) * _ROUNDING
        found = self.tree.query_ball_point(self._places_of(site), reach)
        return np.unique(np.concatenate([np.array([site]), *map(np.asarray, found)]).astype(np.int64))

    def _places_of(self, site: int) -> Float[ndarray, "k d"]:
        """Points of the sensors at a site."""
        if self.stations is None or not (self.stations.site == site).any():
            return self.points[[site]]
        mine = self.stations.site == site
        x, y = self.stations.x[mine], self.stations.y[mine]
        return unit_vectors(x, y) if self.frame is Frame.GEOGRAPHIC else np.stack([x, y], axis=-1)

    def packing(self, wanted: int) -> Packing:
        """Sites of a plan with as many sensors as were found to fit.

        Parameters
        ----------
        wanted : int
            A quick search is enough if it finds twice as many; then several searches follow; and if even these find
            fewer than wanted, the largest set is searched for exactly where the sites are few.
        """
        if self.spacing is None:
            return Packing(self.legal, exact=True)
        if 0 < 2 * wanted <= len(self._quick_packing):
            return self._quick_packing
        return self._best_packing if len(self._best_packing) >= wanted else self._exact_packing

    @cached_property
    def _quick_packing(self) -> Packing:
        return Packing(np.concatenate([self.fixed, pack_quickly(self.near, self._far_from_fixed)]))

    @cached_property
    def _best_packing(self) -> Packing:
        return Packing(np.concatenate([self.fixed, pack(self.near, self._far_from_fixed, self.points)]))

    @cached_property
    def _exact_packing(self) -> Packing:
        found = pack_exactly(self.near, self._far_from_fixed)
        if found is None:
            return self._best_packing
        return Packing(np.concatenate([self.fixed, found]), exact=True)

    @property
    def _far_from_fixed(self) -> Bool[ndarray, " n"]:
        """Candidates that no existing station keeps off."""
        free: ndarray = self.role == Role.CANDIDATE
        free = free.copy()
        for site in self.fixed.tolist():
            free[self.near(site)] = False
        return free

    def check_budget(self, budget: int) -> None:
        """Raise `BudgetError` unless a plan of `budget` sensors exists, or, with a distance, was found."""
        legal, fixed = len(self.legal), len(self.fixed)
        if not 1 <= budget <= legal:
            raise BudgetError(
                f"budget {budget} is impossible: choose from 1 to {legal} sensors "
                f"({len(self)} sites, {len(self) - legal} forbidden)."
            )
        if budget < fixed:
            raise BudgetError(
                f"budget {budget} is below the {fixed} fixed sites. Raise the budget or free some of them."
            )
        if self.spacing is not None and budget > fixed:
            self._check_room(budget, self.spacing)

    def _check_room(self, budget: int, spacing: Spacing) -> None:
        room = self.packing(budget)
        if len(room) < budget:
            most = "at most" if room.exact else "room was found for"
            raise BudgetError(
                f"{budget} sensors at least {spacing.words} apart are impossible: {most} {len(room)} sensors. "
                "Ask for fewer, or for a shorter distance."
            )

    def with_role(self, role: Int[ndarray, " n"]) -> Sites:
        """The same sites with other roles."""
        return replace(self, role=np.asarray(role, np.int8))


def _names(sites: Sites) -> tuple[str, ...]:
    if sites.longitude is not None and sites.latitude is not None:
        names = tuple(
            f"{abs(lat):.3f}{'N' if lat >= 0 else 'S'} {abs(lon):.3f}{'E' if lon >= 0 else 'W'}"
            for lon, lat in zip(sites.longitude.tolist(), sites.latitude.tolist(), strict=True)
        )
    else:
        for decimals in (1, 2, 3, 4):
            names = tuple(
                f"x{x:.{decimals}f} y{y:.{decimals}f}" for x, y in zip(sites.x.tolist(), sites.y.tolist(), strict=True)
            )
            if len(set(names)) == len(names):
                break
    if len(set(names)) == len(names):
        return names
    return tuple(f"{name} #{i}" for i, name in enumerate(names))
