"""What differs between two runs: sensors, forecast error, options, data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.config import Study
from dynst.domain import Frame, Plan, Sites
from dynst.domain.judges import DEFAULT
from dynst.domain.listing import Listed, listing
from dynst.domain.matching import matching, usual_radius
from dynst.domain.words import distance
from dynst.errors import ConfigError
from dynst.reports.view import lonlat
from dynst.runs import Run

__all__ = ["Difference", "Moved", "difference"]

_SAME = 1e-5  # of a degree or a unit of the plane, as in `Sites.fingerprint`


@dataclass(frozen=True)
class Moved:
    """A sensor that stands near its old place.

    Parameters
    ----------
    before, after : str
        Names of the two places.
    by : float
        Distance in the `unit` of the `Difference`.
    """

    before: str
    after: str
    by: float


@dataclass(frozen=True)
class Difference:
    """What a second run has otherwise than a first.

    Parameters
    ----------
    before, after : str
        Names of the runs.
    kept : tuple of str
        Sensors at the same place.
    moved : tuple of Moved
        Sensors within `radius` of their old place, one to one.
    gone, new : tuple of str
        Sensors of one run alone.
    radius, unit : float, str
        What counts as moved; 0 where positions are unknown and names were compared.
    errors : tuple of float, or None
        Forecast error of both plans, in `error_unit`, where both were judged on the same test time.
    why_not : str
        Why errors cannot be compared; empty if they can.
    options : dict
        Options that differ: before and after.
    data : dict
        Facts on the record that differ: before and after; empty if the record is the same.
    """

    before: str
    after: str
    kept: tuple[str, ...]
    moved: tuple[Moved, ...]
    gone: tuple[str, ...]
    new: tuple[str, ...]
    radius: float
    unit: str
    errors: tuple[float, float] | None
    error_unit: str
    why_not: str
    options: dict[str, tuple[object, object]]
    data: dict[str, tuple[object, object]]

    def to_json(self) -> dict[str, object]:
        """The same as JSON types."""
        return asdict(self)

    def words(self) -> str:
        """The sensors in one sentence."""
        counts = [f"{len(self.kept)} kept"]
        if self.radius:
            counts.append(f"{len(self.moved)} moved by up to {distance(self.radius, self.unit)}")
        counts += [f"{len(self.gone)} gone", f"{len(self.new)} new"]
        return f"Sensors from {self.before} to {self.after}: {', '.join(counts)}."

    def error_words(self) -> str:
        """The forecast errors in one sentence, or why they cannot be compared."""
        if self.errors is None:
            return f"The forecast errors cannot be compared: {self.why_not}."
        first, second = self.errors
        unit = "" if self.error_unit in {"", "1"} else f" {self.error_unit}"
        change = f" ({100 * (second / first - 1):+.1f} %)" if first > 0 else ""
        return f"Forecast error on the same test time: {first:.4g}{unit}, then {second:.4g}{unit}{change}."


def difference(before: Run, after: Run, *, radius: float | None = None) -> Difference:
    """Compare two runs, such as last year's and this year's.

    Parameters
    ----------
    before, after : Run
        Complete runs.
    radius : float or None
        Within it a sensor has moved, farther it is another; in km, or in the unit of the plane. Default: a quarter of
        the mean spacing of the sensors.

    Raises
    ------
    ConfigError
        If the radius is negative, or given where nobody knows positions.
    CheckpointError
        If a run is damaged.
    """
    one, other = before.plan, after.plan
    ours, theirs = listing(one, one.selected), listing(other, other.selected)
    sites = _together(one, ours, other, theirs)
    if radius is not None and (sites is None or not (np.isfinite(radius) and radius >= 0)):
        raise ConfigError(
            f"radius {radius:g} came; a length of 0 or more is expected, and positions that both runs know in the same "
            "way. Leave it out."
        )
    within = 0.0 if sites is None else usual_radius(one.sites, one.budget) if radius is None else radius
    partner = _by_name(ours, theirs) if sites is None else _by_place(sites, len(ours), within)
    apart = [0.0 if sites is None or j < 0 else _apart(sites, i, len(ours) + j) for i, j in enumerate(partner.tolist())]
    pairs = [(one, theirs[j], by) for one, j, by in zip(ours, partner.tolist(), apart, strict=True) if j >= 0]
    errors, unit, why_not = _errors(before, after)
    return Difference(
        before.name,
        after.name,
        kept=tuple(a.name for a, _, by in pairs if by == 0.0),
        moved=tuple(Moved(a.name, b.name, by) for a, b, by in pairs if by > 0.0),
        gone=tuple(one.name for one, j in zip(ours, partner.tolist(), strict=True) if j < 0),
        new=tuple(one.name for j, one in enumerate(theirs) if j not in set(partner.tolist())),
        radius=within,
        unit="" if sites is None else sites.distance_unit,
        errors=errors,
        error_unit=unit,
        why_not=why_not,
        options=_changed(_options(before), _options(after)),
        data=_changed(_record(before), _record(after)),
    )


def _together(one: Plan, ours: list[Listed], other: Plan, theirs: list[Listed]) -> Sites | None:
    """The sensors of both plans as sites of one frame, ours first; None where their places cannot be compared."""
    first, second = _places(one, ours), _places(other, theirs)
    degrees = first[0] is not None and second[0] is not None
    planes = one.sites.frame is other.sites.frame is Frame.PLANAR and one.sites.unit == other.sites.unit
    if not (degrees or planes):
        return None
    at = 0 if degrees else 1
    x, y = np.concatenate([np.asarray(first[at]), np.asarray(second[at])], axis=1)
    frame = Frame.GEOGRAPHIC if degrees else Frame.PLANAR
    return Sites(x, y, frame=frame, unit=one.sites.unit, name=tuple(map(str, range(len(x)))))


def _places(plan: Plan, sensors: list[Listed]) -> tuple[ndarray | None, ndarray]:
    """Degrees of the sensors, where known, and their places in the frame of the sites; stations at their own."""
    sites, known = plan.sites, lonlat(plan.sites)
    at = np.array([one.site for one in sensors])
    plane = np.stack([sites.x[at], sites.y[at]])
    degrees = None if known is None else np.stack([known[0][at], known[1][at]])
    own = sites.stations
    for i, one in enumerate(sensors if own is not None else []):
        if own is None or one.station is None:
            continue
        plane[:, i] = own.x[one.station], own.y[one.station]
        if degrees is not None and own.longitude is not None and own.latitude is not None:
            degrees[:, i] = own.longitude[one.station], own.latitude[one.station]
    return (plane if sites.frame is Frame.GEOGRAPHIC else degrees), plane


def _by_place(sites: Sites, count: int, radius: float) -> Int[ndarray, " k"]:
    """For each of the first `count` sites the one behind them that stands for it, -1 where none does."""
    ours, theirs = np.arange(count), np.arange(count, len(sites))
    found = matching(sites, ours, theirs, max(radius, float(sites.distance(np.full(1, _SAME))[0])))
    return np.where(found >= 0, found - count, -1)


def _by_name(ours: list[Listed], theirs: list[Listed]) -> Int[ndarray, " k"]:
    place = {one.name: j for j, one in enumerate(theirs)}
    return np.array([place.get(one.name, -1) for one in ours])


def _apart(sites: Sites, i: int, j: int) -> float:
    """How far two sites are from each other; 0 at the same place, to rounding."""
    if max(abs(sites.x[i] - sites.x[j]), abs(sites.y[i] - sites.y[j])) <= _SAME:
        return 0.0
    return float(sites.distance(np.linalg.norm(sites.points[[i]] - sites.points[[j]], axis=1))[0])


def _errors(before: Run, after: Run) -> tuple[tuple[float, float] | None, str, str]:
    """Both errors with their unit where they speak of the same test values, else the reason."""
    facts = [_facts(run) for run in (before, after)]
    for key, what in (("data", "record"), ("window", "window"), ("split", "split"), ("climatology", "climatology")):
        first, second = (_core(part, key) for part in facts)
        if first != second:
            return None, "", f"the runs were judged on another {what} ({_short(first)}, then {_short(second)})"
    rows = [_own_row(run) for run in (before, after)]
    if rows[0] is None or rows[1] is None:
        missing = before.name if rows[0] is None else after.name
        return None, "", f"{missing} has no error at its number of sensors"
    return (rows[0][0], rows[1][0]), rows[0][1], ""


def _core(facts: Mapping[str, Any], key: str) -> object:
    """What of a fact must agree for two errors to be of the same values."""
    kept = {"data": ("fingerprint",), "window": ("history", "horizon", "stride"), "climatology": ("terms",)}
    part = facts.get(key, {})
    if key == "data":
        channels = [(c["name"], c["predict"]) for c in part.get("channels", ())]
        return {"fingerprint": part.get("fingerprint"), "channels": channels}
    return {name: part.get(name) for name in kept[key]} if key in kept else part.get("test")


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items() if not isinstance(item, list))
    return str(value)


def _own_row(run: Run) -> tuple[float, str] | None:
    plan, curve = run.plan, run.curves.get(DEFAULT)
    if curve is None or plan.budget not in curve.budgets:
        return None
    row = next((row for row in curve.table(plan.budget) if row.planner == plan.planner), None)
    return None if row is None or row.reason else (row.error, row.units)


def _facts(run: Run) -> Mapping[str, Any]:
    facts = run.provenance.get("facts")
    return facts if isinstance(facts, Mapping) else {}


def _options(run: Run) -> dict[str, object]:
    """All options of the study that the run kept, those of the planner beside them; and dynst itself."""
    study = Study.load(run.files.study).model_dump(mode="json")
    own: dict[str, object] = study.pop("options")
    study.pop("out")
    return own | study | {"version": run.provenance.get("dynst")}


def _record(run: Run) -> dict[str, object]:
    """What is known of the record."""
    data = _facts(run).get("data", {})
    return {key: data.get(key) for key in ("fingerprint", "sites", "steps", "first", "last", "cadence")}


def _changed(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    keys = dict.fromkeys([*first, *second])
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}
