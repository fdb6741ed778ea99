"""Rules of deployment from files: existing stations, zones where new sensors may or may not stand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from dynst.config import Study
from dynst.domain import Field, Role, Rules, Sites, Stations
from dynst.domain.distances import Length, spacing_on
from dynst.errors import ConfigError, DataError
from dynst.readers.rule_files import RuleFile

__all__ = ["Ruled", "roles_of", "rules_of"]

_SHOWN = 5  # names in a note


@dataclass(frozen=True, eq=False)
class Ruled:
    """Rules of a study, as read from its files.

    Parameters
    ----------
    rules : Rules
        What a plan may do with each site.
    facts : dict
        Files, counts, words and notes, as JSON types; empty without rules.
    sites : Sites or None
        The sites of the record under the rules; None without rules.
    """

    rules: Rules = Rules()  # noqa: RUF009 - frozen
    facts: Mapping[str, object] = field(default_factory=dict)
    sites: Sites | None = None


def rules_of(study: Study, record: Field, made: Rules | None = None) -> Ruled:
    """The rules that a study names, on the sites of a record.

    Parameters
    ----------
    study, record : Study, Field
        Who names the rules, and where they hold.
    made : Rules or None
        Rules made in Python; a file takes the place of the same rule.

    Raises
    ------
    DataError, ConfigError
        If a file cannot be read, a zone holds no site, a station stands on no site, or the sites have no such
        distance; the rule is named.
    """
    files = {rule: named for rule, named in study.rules.items() if named}
    made = made or Rules()
    _check_size(made, record.sites)
    if not files and study.min_distance is None and not made.given:
        return Ruled()
    notes: list[str] = []
    named = _of_files(files, record, notes)
    rules = replace(made, **{rule: value for rule, value in vars(named).items() if value is not None})
    if study.min_distance is not None:
        with _named("min_distance"):
            spacing = spacing_on(record.sites, record.layout, Length.parse(study.min_distance))
            rules = replace(rules, min_distance=spacing)
    sites = rules.on(record.sites)
    notes += _overruled(rules, sites)
    notes += _crowded(rules, sites)
    return Ruled(rules, _facts(files, rules, sites) | {"notes": notes}, sites)


def _check_size(rules: Rules, sites: Sites) -> None:
    """Refuse masks that are of other sites."""
    for rule in ("existing", "allow", "forbid"):
        mask = getattr(rules, rule)
        if mask is not None and len(mask) != len(sites):
            raise ConfigError(f"rule {rule}: a mask of {len(mask)} sites came; the record has {len(sites)}.")


def roles_of(facts: object) -> object:
    """Digits of the roles that rules gave, from what a run knows; None without rules."""
    rules = facts.get("rules") if isinstance(facts, dict) else None
    return rules.get("roles") if isinstance(rules, dict) else None


@contextmanager
def _named(rule: str) -> Iterator[None]:
    """Says in an error which rule it is about."""
    try:
        yield
    except (DataError, ConfigError) as error:
        raise type(error)(f"rule {rule}: {error}") from error


def _of_files(files: Mapping[str, Sequence[RuleFile]], record: Field, notes: list[str]) -> Rules:
    """Rules that files give."""
    # half a second of imports that a study without rules does not need
    from dynst.readers.siting import stations_on  # noqa: PLC0415
    from dynst.readers.zones import read_zone  # noqa: PLC0415

    sites, layout = record.sites, record.layout
    zones: dict[str, ndarray] = {}
    for rule in [rule for rule in ("allow", "forbid") if rule in files]:
        with _named(rule):
            zones[rule] = np.any([read_zone(named, sites, layout, notes) for named in files[rule]], axis=0)
    rules = Rules(allow=zones.get("allow"), forbid=zones.get("forbid"))
    if "existing" not in files:
        return rules
    found: list[Stations] = []
    with _named("existing"):
        for named in files["existing"]:
            siting = stations_on(sites, layout, Path(named.file).expanduser())
            notes += siting.notes
            found += [] if siting.stations is None else [siting.stations]
    stations = Stations.joined(found)
    return replace(rules, existing=np.isin(np.arange(len(sites)), stations.site), stations=stations)


def _overruled(rules: Rules, sites: Sites) -> list[str]:
    """A note on stations that stand where a zone lets no new sensor stand."""
    at = rules.overruled(sites).tolist()
    own = {} if rules.stations is None else dict(zip(rules.stations.site.tolist(), rules.stations.name, strict=True))
    kept = [own.get(site, sites.name[site]) for site in at]
    if not kept:
        return []
    who = f"{len(kept)} existing station{'s' * (len(kept) > 1)}"
    named = ", ".join(kept[:_SHOWN]) + (f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else "")
    return [f"the zones let no new sensor stand at {who}, which stay{'s' * (len(kept) == 1)}: {named}"]


def _crowded(rules: Rules, sites: Sites) -> list[str]:
    """A note on existing stations that are nearer to each other than sensors may be."""
    if rules.min_distance is None:
        return []
    fixed = sites.role == Role.FIXED
    close = sum(int(fixed[sites.near(site)].sum()) > 1 for site in sites.fixed.tolist())
    if not close:
        return []
    return [f"{close} existing stations stand nearer to another than {rules.min_distance.words}, and stay"]


def _facts(files: Mapping[str, Sequence[RuleFile]], rules: Rules, sites: Sites) -> dict[str, object]:
    """Files and counts, words, and digits that change when a role or a station does; the sites are under the rules."""
    role = sites.role
    told: dict[str, object] = {
        rule: {"files": [str(named) for named in files.get(rule, ())], "sites": int(getattr(rules, rule).sum())}
        for rule in ("existing", "allow", "forbid")
        if getattr(rules, rule) is not None
    }
    if rules.min_distance is not None:
        room = sites.packing(0)
        told["min_distance"] = {"least": rules.min_distance.least, "unit": rules.min_distance.unit}
        told["room"] = {"sensors": len(room), "exact": room.exact}
    stations = "" if rules.stations is None else rules.stations.fingerprint
    return told | {
        "words": rules.words(sites),
        "fixed": int((role == Role.FIXED).sum()),
        "free": int((role == Role.CANDIDATE).sum()),
        "roles": hashlib.sha256(role.tobytes() + stations.encode()).hexdigest()[:16],
    }
