"""What is found out about a network that somebody has: figures, and the same in plain sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from dynst.domain import Frame, Layout, Sites
from dynst.domain.change import Change

__all__ = ["Change", "Failure", "NetworkReview", "Rival", "Station", "Step"]


@dataclass(frozen=True)
class Station:
    """A station of the network.

    Attributes
    ----------
    site : int
        Where it stands.
    name : str
        What it is called.
    without : Change
        The network without it, fitted anew, against the whole: its leave-one-out value.
    redundancy : int or None
        1 for the station that is missed least, 2 for the next once that one is gone, and so on; None if not reached.
    """

    site: int
    name: str
    without: Change
    redundancy: int | None


@dataclass(frozen=True)
class Step:
    """A station taken out or put up, after those before it; `change` is that of all so far against the network."""

    site: int
    name: str
    change: Change


@dataclass(frozen=True)
class Rival:
    """Another network of the same size; `change` is that of the reviewed network against it, `error` its own."""

    name: str
    networks: int
    error: float
    change: Change


@dataclass(frozen=True)
class Failure:
    """The error when stations fall silent.

    Attributes
    ----------
    failing, cases : int
        Stations that fail at a time, and in how many ways that was tried.
    exact : bool
        Whether these are all ways; else they were drawn at random.
    silent_mean, silent_worst : float
        Mean over the cases, and what 19 of 20 do not exceed, while the forecaster runs on as it was made and a
        silent station reads its mean.
    refitted_mean, refitted_worst : float
        The same once the forecaster was fitted anew to the stations that are left.
    """

    failing: int
    cases: int
    exact: bool
    silent_mean: float
    silent_worst: float
    refitted_mean: float
    refitted_worst: float


@dataclass(frozen=True)
class NetworkReview:
    """How good a network is, what each station is worth, and what to change: chosen on validation, measured on test.

    Attributes
    ----------
    data : str
        Name of the record.
    sites, layout : Sites, Layout
        Of the record.
    stations : tuple of Station
        The network, in the order of its file.
    units : str
        Unit of all errors.
    network : Change
        Error of the network, against that of forecasting each site's climatology with no station.
    floor, ceiling : float
        Error with no station, and with one at every site.
    rivals : tuple of Rival
        Random networks and plans of the same size; empty if every site is a station.
    removed, added : tuple of Step
        Stations in the order in which they are missed least, and the best next ones.
    failure : Failure
        What a tenth of the stations falling silent does, at least one.
    windows : int
        Test windows behind all figures.
    notes : tuple of str
        What was done, and what could not be said.
    """

    data: str
    sites: Sites = field(repr=False)
    layout: Layout = field(repr=False)
    stations: tuple[Station, ...]
    units: str
    network: Change
    floor: float
    ceiling: float
    rivals: tuple[Rival, ...]
    removed: tuple[Step, ...]
    added: tuple[Step, ...]
    failure: Failure
    windows: int
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"NetworkReview({len(self.stations)} stations on {self.data}, {self.said(self.network.error)})"

    @property
    def everywhere(self) -> bool:
        """Whether every site that may carry a station has one."""
        return bool(np.isin(self.sites.legal, [station.site for station in self.stations]).all())

    def said(self, error: float) -> str:
        """An error with its unit."""
        return f"{error:.4g}" if self.units in {"", "1"} else f"{error:.4g} {self.units}"

    def position(self, site: int) -> dict[str, float]:
        """Where a site is: longitude and latitude if they are known, x and y if not, nothing if nobody knows."""
        sites = self.sites
        if sites.frame is Frame.SCHEMATIC:
            return {}
        if sites.longitude is not None and sites.latitude is not None and np.isfinite(sites.longitude[site]):
            return {"longitude": float(sites.longitude[site]), "latitude": float(sites.latitude[site])}
        return {"x": float(sites.x[site]), "y": float(sites.y[site])}

    @property
    def sentences(self) -> tuple[str, ...]:
        """The findings in plain words, the most important first."""
        said = [self._error(), *self._rivals(), self._value(), self._redundant(), self._next(), self._failure()]
        measured = f"Choices were made on validation time; all figures are of {self.windows} test windows."
        return (*(sentence for sentence in said if sentence), measured)

    def to_json(self) -> dict[str, object]:
        """The review as JSON types; what could not be had is null."""
        document = {
            "data": self.data,
            "units": self.units,
            "error": self.network.error,
            "floor": self.floor,
            "ceiling": self.ceiling,
            "against_no_station": _plain(self.network),
            "stations": [{**_plain(part), **self.position(part.site)} for part in self.stations],
            "rivals": [_plain(part) for part in self.rivals],
            "removed": [{**_plain(part), **self.position(part.site)} for part in self.removed],
            "added": [{**_plain(part), **self.position(part.site)} for part in self.added],
            "failure": asdict(self.failure),
            "test_windows": self.windows,
            "sentences": list(self.sentences),
            "notes": list(self.notes),
        }
        return {key: _finite(part) for key, part in document.items()}

    def _error(self) -> str:
        k, n = len(self.stations), len(self.sites)
        who = "Your station forecasts" if k == 1 else f"Your {k} stations forecast"
        frame = f"with no station it would be {self.said(self.floor)}"
        if not self.everywhere:
            frame += f", with one at each of the {n} sites {self.said(self.ceiling)}"
        skill = {
            "better": "",
            "tie": " These test windows cannot tell that from forecasting each site's climatology.",
            "worse": " That is worse than forecasting each site's climatology.",
        }[self.network.verdict]
        return f"{who} the field with an error of {self.said(self.network.error)}; {frame}.{skill}"

    def _rivals(self) -> list[str]:
        if self.everywhere:
            return [
                "Every site of the record has a station: a comparison with other networks of this size, and the "
                "question where to put the next one, make no sense here."
            ]
        return [self._rival(rival) for rival in self.rivals]

    def _rival(self, rival: Rival) -> str:
        k, change, many = len(self.stations), rival.change, rival.networks > 1
        who = f"{rival.networks} {rival.name} of {k}" if many else f"{rival.name} with {k}"
        who += " station" if k == 1 else " stations"
        error = self.said(rival.error)
        has = f"have an error of {error} on average" if many else f"has an error of {error}"
        tie = "yours cannot be told from one more of them" if many else "these test windows tell no difference"
        word = tie if change.verdict == "tie" else f"yours is {change.verdict}"
        return f"{who[0].upper()}{who[1:]} {has}: {word}, {change}."

    def _value(self) -> str:
        ranked = sorted(self.stations, key=lambda station: -station.without.percent)
        if len(ranked) < 2:
            return ""
        missed = [station for station in ranked if station.without.verdict == "worse"]
        if not missed:
            return (
                f"No single station is clearly missed: without {ranked[0].name}, the one that counts most, the error "
                f"changes by {ranked[0].without}, which these test windows cannot tell from none."
            )
        said = f"Without {missed[0].name} the error rises by {missed[0].without}"
        rest = len(ranked) - len(missed)
        others = "the other one" if rest == 1 else f"{rest} of the {len(ranked)} stations"
        return f"{said}; for {others} these test windows show no such rise." if rest else f"{said}; each is missed."

    def _redundant(self) -> str:
        if len(self.removed) < 2:
            return ""
        names = _listed([step.name for step in self.removed[:2]])
        half = self.removed[max(1, len(self.stations) // 2 - 1) :][:1]
        said = f"{names} are the most redundant: without both the error changes by {self.removed[1].change}"
        if len(self.stations) >= 6 and half:
            said += f"; with half of the stations gone, {half[0].change}"
        return f"{said}."

    def _next(self) -> str:
        if not self.added:
            return ""
        names, last = _listed([step.name for step in self.added]), self.added[-1].change
        which = "it" if len(self.added) == 1 else f"all {len(self.added)}"
        return f"Best next: {names}; with {which} the error changes by {last}, to {self.said(last.error)}."

    def _failure(self) -> str:
        found = self.failure
        who = "one station falls" if found.failing == 1 else f"{found.failing} stations fall"
        return (
            f"If {who} silent, the error is {self.said(found.silent_mean)} on average and at most "
            f"{self.said(found.silent_worst)} in 19 of 20 cases; with the forecaster fitted anew to the others, "
            f"{self.said(found.refitted_mean)} and {self.said(found.refitted_worst)}."
        )


def _plain(part: Change | Station | Step | Rival) -> dict[str, object]:
    """As JSON types, with the verdict beside each change."""
    plain = {key: _plain(value) if isinstance(value, Change) else value for key, value in vars(part).items()}
    return plain | ({"verdict": part.verdict} if isinstance(part, Change) else {})


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _finite(value: object) -> object:
    """JSON has no NaN: a value that could not be had is null."""
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
