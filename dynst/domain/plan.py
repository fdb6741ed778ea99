"""Plan: sites ranked by importance, and how many of them are sensors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain.cards import card, sketch, table
from dynst.domain.cf import LATITUDE, LONGITUDE, axis_attributes
from dynst.domain.layout import Layout
from dynst.domain.sites import Frame, Role, Sites, Stations
from dynst.domain.spacing import Spacing
from dynst.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Plan"]

_ROLES = {
    "long_name": "what a plan may do with the site: an existing station stays, a forbidden site holds no new sensor",
    "flag_values": np.array([role.value for role in Role], np.int8),
    "flag_meanings": "candidate existing forbidden",
}
_LISTED = 10  # sensors on a card; chosen

_AXES = ("x", "y", "away", "longitude", "latitude")
"""What the file holds of each existing station besides its name and its site, see `Stations`."""


@dataclass(frozen=True, eq=False)
class Plan:
    """Sites in the order in which a planner would equip them; the first `budget` are the sensors.

    Parameters
    ----------
    order : Int[ndarray, "m"]
        Site indices, first sensor first; fixed sites first of all, no forbidden site, no repeats. ``m >= budget``.
        The first `budget` are what the planner chose; a prefix is its plan for a smaller budget, the rest the
        order in which it would extend the plan.
    importance : Float[ndarray, "m"]
        Value of each ranked site, in the order of `order`; what it measures is said in `importance_is`.
    budget : int
        Number of sensors.
    sites : Sites
        The places.
    planner : str
        Name of the planner.
    importance_is : str
        What `importance` measures, with its unit.
    worth : Float[ndarray, "n"] or None
        Value of every site, where a distance between sensors keeps some of them out of the ranking; NaN at forbidden
        sites.
    provenance : dict
        How the plan came to be: seed, options, timings. JSON types only.
    valued_at : int or None
        With how many sensors the sites were valued one by one: `importance` is then the loss if one of these first
        sensors goes, and at every other site the gain of a further sensor. None: it is something else, such as a
        distance, an amplitude or a place in a random order.

    Examples
    --------
    >>> plan = Plan(np.array([2, 0, 1]), np.array([3.0, 2.0, 1.0]), 2, Sites(np.arange(3.0), np.zeros(3)), "by_hand")
    >>> plan
    Plan(budget 2 of 3 sites, by by_hand)
    >>> plan.selected.tolist(), plan.sparsity
    ([2, 0], 0.33333333333333337)
    """

    order: Int[ndarray, " m"]
    importance: Float[ndarray, " m"]
    budget: int
    sites: Sites
    planner: str
    importance_is: str = "rank"
    provenance: dict[str, object] = field(default_factory=dict)
    worth: Float[ndarray, " n"] | None = None
    valued_at: int | None = None

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "order", np.ascontiguousarray(self.order, np.int64))
        put(self, "importance", np.ascontiguousarray(self.importance, float))
        self.sites.check_budget(self.budget)
        n = len(self.sites)
        if len(self.importance) != len(self.order) or not np.isfinite(self.importance).all():
            raise DataError("a plan needs one finite importance for each ranked site.")
        if len(self.order) < self.budget or (self.order < 0).any() or (self.order >= n).any():
            raise DataError(f"a plan of {self.budget} sensors needs as many ranked sites, each an index below {n}.")
        if len(np.unique(self.order)) != len(self.order):
            raise DataError("a site is ranked twice in a plan.")
        fixed = self.sites.fixed
        if not np.isin(self.order, self.sites.legal).all():
            raise DataError("a plan ranks a forbidden site.")
        if not np.isin(self.order[: len(fixed)], fixed).all():
            raise DataError("fixed sites must come first in a plan.")
        if self.valued_at is not None and not 1 <= self.valued_at <= len(self.order):
            raise DataError(f"a plan is valued at 1 to {len(self.order)} sensors, not at {self.valued_at}.")
        if self.sites.spacing is not None:
            self._check_distances(self.sites.spacing)

    def _check_distances(self, spacing: Spacing) -> None:
        """Existing stations may stand close to each other; all other ranked sites keep the distance."""
        too_near = np.zeros(len(self.sites), bool)
        for site in self.order.tolist():
            if too_near[site] and self.sites.role[site] != Role.FIXED:
                raise DataError(f"a plan ranks sites less than {spacing.words} apart.")
            too_near[self.sites.near(site)] = True

    def __repr__(self) -> str:
        seed = f", seed {self.provenance['seed']}" if "seed" in self.provenance else ""
        return f"Plan(budget {self.budget} of {len(self.sites)} sites, by {self.planner}{seed})"

    @property
    def selected(self) -> Int[ndarray, " budget"]:
        """Indices of the chosen sites, first sensor first."""
        return self.order[: self.budget]

    @property
    def sparsity(self) -> float:
        """Share of the sites that are not measured."""
        return 1.0 - self.budget / len(self.sites)

    @cached_property
    def active(self) -> Bool[ndarray, " n"]:
        """Whether each site carries a sensor."""
        active = np.zeros(len(self.sites), bool)
        active[self.selected] = True
        return active

    @cached_property
    def importance_map(self) -> Float[ndarray, " n"]:
        """Importance of each site in the order of the sites; NaN where it is not known."""
        values = np.full(len(self.sites), np.nan) if self.worth is None else self.worth.copy()
        values[self.order] = self.importance
        return values

    @cached_property
    def losses(self) -> Float[ndarray, " n"]:
        """What is lost if the sensor at a site goes; NaN where none stands and where that is not known.

        Examples
        --------
        >>> sites = Sites(np.arange(3.0), np.zeros(3))
        >>> plan = Plan(np.array([2, 0, 1]), np.array([0.3, 0.2, 0.1]), 2, sites, "by_hand", valued_at=2)
        >>> plan.losses.tolist(), plan.gains.tolist()
        ([0.2, nan, 0.3], [nan, 0.1, nan])
        """
        return np.where(self._valued, self.importance_map, np.nan)

    @cached_property
    def gains(self) -> Float[ndarray, " n"]:
        """What a further sensor at a site would win; NaN where a sensor stands and where that is not known."""
        known = self.valued_at is not None
        return np.where(known & ~self._valued, self.importance_map, np.nan)

    @cached_property
    def _valued(self) -> Bool[ndarray, " n"]:
        """The sensors whose importance is a loss."""
        valued = np.zeros(len(self.sites), bool)
        valued[self.order[: self.valued_at or 0]] = True
        return valued

    def top(self, budget: int) -> Plan:
        """The same ranking with another budget, at most the number of ranked sites."""
        return replace(self, budget=budget)

    def overlap(self, other: Plan) -> float:
        """Share of common sensors: Jaccard index of the two selections, from 0 to 1."""
        if self.sites.fingerprint != other.sites.fingerprint:
            raise DataError(
                f"plans on different sites cannot be compared ({self.sites.fingerprint} and {other.sites.fingerprint})."
            )
        common = int((self.active & other.active).sum())
        return common / (self.budget + other.budget - common)

    def _repr_html_(self) -> str:
        """What a notebook shows: the facts, a drawing of the places, and the first sensors."""
        sites = self.sites
        facts: list[tuple[str, object]] = [("planner", self.planner), ("importance", self.importance_is)]
        facts += [("seed", self.provenance["seed"])] if "seed" in self.provenance else []
        from dynst.domain.listing import listing  # noqa: PLC0415  # stands on plans

        rows = [
            (one.rank, one.name, one.role, float(self.importance[one.rank - 1]))
            for one in listing(self, self.selected[:_LISTED])
        ]
        title = f"Plan: {self.budget:,} of {len(sites):,} sites carry a sensor"
        listed = table(("rank", "name", "role", "importance"), rows)
        return card(title, facts, sketch(sites.x, sites.y, self.active), listed)

    def plot(self, layout: Layout | None = None, *, title: str = "Sensor plan", top: int | None = None) -> Any:
        """The map of the plan, an Altair chart: ``dynst.importance_map(plan, layout)``.

        Parameters
        ----------
        layout : Layout or None
            The grid or the graph of the sites (``run.layout``); without it there are only dots.
        title : str
            First line above the map.
        top : int or None
            Draw only so many sensors; the plan's budget if None.
        """
        import dynst  # noqa: PLC0415  # the public names: charts stand on a higher floor

        return dynst.importance_map(self, layout, title=title, top=top)

    def to_geodataframe(self, layout: Layout | None = None, *, top: int | None = None) -> Any:
        """The sensors as points with name, role and importance, in WGS 84 wherever the Earth is known.

        Parameters
        ----------
        layout : Layout or None
            The grid of the sites (``run.layout``), for the borders of their cells.
        top : int or None
            So many sensors; the plan's budget if None.

        Returns
        -------
        geopandas.GeoDataFrame
            See ``dynst.to_geodataframe``.

        Raises
        ------
        ConfigError
            If nobody knows where the sites are.
        BudgetError
            If `top` is more than the plan ranks.
        """
        import dynst  # noqa: PLC0415  # as above

        return dynst.to_geodataframe(self, layout, top=top)

    def to_dataset(self) -> xr.Dataset:
        """The plan as a labelled dataset, from which `from_dataset` makes the same plan again.

        Its coordinates are the ranks, and the names and positions of the sites, with the attributes of CF: ``x`` and
        ``y`` in the frame of the data, and ``longitude`` and ``latitude`` beside them where that is a projection.
        """
        sites = self.sites
        places: dict[str, object] = {
            "x": ("site", sites.x, axis_attributes(sites, "x")),
            "y": ("site", sites.y, axis_attributes(sites, "y")),
            "site_name": ("site", np.array(sites.name, dtype=object), {"long_name": "name of the site"}),
        }
        if sites.longitude is not None and sites.frame is not Frame.GEOGRAPHIC:
            places["longitude"] = ("site", sites.longitude, LONGITUDE)
            places["latitude"] = ("site", sites.latitude, LATITUDE)
        data: dict[str, object] = {
            "order": ("rank", self.order, {"long_name": "site index, first sensor first"}),
            "importance": ("rank", self.importance, {"long_name": self.importance_is}),
            "role": ("site", np.asarray(sites.role, np.int8), _ROLES),
            "area": ("site", sites.area),
        }
        if self.worth is not None:
            data["worth"] = ("site", self.worth, {"long_name": f"{self.importance_is}, also of sites not ranked"})
        if sites.stations is not None:
            data |= _stations_out(sites.stations)
        attributes = {
            "title": "dynst sensor plan",
            "planner": self.planner,
            "budget": self.budget,
            "frame": str(sites.frame),
            "unit": sites.unit,
            "crs": sites.crs or "",
            "fingerprint": sites.fingerprint,
            "importance_is": self.importance_is,
            "provenance": json.dumps(self.provenance, sort_keys=True),
        }
        if self.valued_at is not None:
            attributes["valued_at"] = self.valued_at
        import xarray as xr  # noqa: PLC0415  # with pandas 0.6 s: only what is written or read needs it

        return xr.Dataset(data, places, attrs=attributes)

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> Plan:
        """The plan that `to_dataset` described."""
        sites = Sites(
            x=data["x"].values,
            y=data["y"].values,
            frame=Frame(data.attrs["frame"]),
            name=tuple(str(name) for name in data["site_name"].values),
            role=data["role"].values,
            area=data["area"].values,
            crs=data.attrs["crs"] or None,
            longitude=data["longitude"].values if "longitude" in data else None,
            latitude=data["latitude"].values if "latitude" in data else None,
            unit=str(data.attrs.get("unit", "")),
            stations=_stations_in(data) if "station_site" in data else None,
        )
        if sites.fingerprint != data.attrs["fingerprint"]:
            raise DataError(
                "the positions in the plan do not match its fingerprint: the file was changed after it was written."
            )
        provenance = json.loads(data.attrs["provenance"])
        if not isinstance(provenance, dict):
            raise TypeError(f"its provenance is {type(provenance).__name__}, and no table")
        return cls(
            order=data["order"].values,
            importance=data["importance"].values,
            budget=int(data.attrs["budget"]),
            sites=sites,
            planner=data.attrs["planner"],
            importance_is=data.attrs["importance_is"],
            provenance=provenance,
            worth=data["worth"].values if "worth" in data else None,
            valued_at=int(data.attrs["valued_at"]) if "valued_at" in data.attrs else None,
        )


def _stations_out(stations: Stations) -> dict[str, object]:
    """Variables that describe the existing stations."""
    data: dict[str, object] = {
        "station_site": (
            "station",
            np.asarray(stations.site, np.int64),
            {"long_name": "site of each existing station"},
        ),
        "station_name": ("station", np.array(stations.name, dtype=object)),
    }
    values = {axis: getattr(stations, axis) for axis in _AXES}
    return data | {f"station_{axis}": ("station", there) for axis, there in values.items() if there is not None}


def _stations_in(data: xr.Dataset) -> Stations:
    """The existing stations that `_stations_out` described."""
    axes = {axis: data[f"station_{axis}"].values for axis in _AXES if f"station_{axis}" in data}
    return Stations(data["station_site"].values, tuple(str(name) for name in data["station_name"].values), **axes)
