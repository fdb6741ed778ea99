"""Rules of deployment from files: existing stations, zones where new sensors may or may not stand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from dynst.config import Study
from dynst.domain import Field, Role, Sites
from dynst.domain.rules import Rules
from dynst.errors import DataError

__all__ = ["Ruled", "roles_of", "rules_of"]

_LISTS = ("", ".list")  # endings of lists of names, besides those of tables
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
    """

    rules: Rules = Rules()  # noqa: RUF009 - frozen
    facts: Mapping[str, object] = field(default_factory=dict)


def rules_of(study: Study, record: Field) -> Ruled:
    """The rules that a study names, on the sites of a record.

    Raises
    ------
    DataError
        If a file cannot be read, a zone holds no site, or a station stands on no site; the rule is named.
    """
    files = {rule: path for rule, path in study.rules.items() if path is not None}
    if not files:
        return Ruled()
    notes: list[str] = []
    masks = {rule: _mask(rule, Path(path).expanduser(), record, notes) for rule, path in files.items()}
    rules = Rules(existing=masks.get("existing"), allow=masks.get("allow"), forbid=masks.get("forbid"))
    notes += _overruled(rules, record.sites)
    return Ruled(rules, _facts(files, masks, rules, record.sites) | {"notes": notes})


def roles_of(facts: object) -> object:
    """Digits of the roles that rules gave, from what a run knows; None without rules."""
    rules = facts.get("rules") if isinstance(facts, dict) else None
    return rules.get("roles") if isinstance(rules, dict) else None


def _mask(rule: str, path: Path, record: Field, notes: list[str]) -> Bool[ndarray, " n"]:
    """Sites that the file of a rule names, or that its polygons hold."""
    # half a second of imports that a study without rules does not need
    from dynst.readers.regions import read_zone  # noqa: PLC0415
    from dynst.readers.siting import stations_on  # noqa: PLC0415
    from dynst.readers.tables import SUFFIXES  # noqa: PLC0415

    try:
        if rule != "existing" and path.suffix.lower() not in {*SUFFIXES, *_LISTS}:
            return read_zone(path, record.sites, notes)
        found = stations_on(record.sites, record.layout, path)
    except DataError as error:
        raise DataError(f"rule {rule}: {error}") from error
    notes += found.notes
    mask = np.zeros(len(record.sites), bool)
    mask[found.selected] = True
    return mask


def _overruled(rules: Rules, sites: Sites) -> list[str]:
    """A note on stations that stand where a zone lets no new sensor stand."""
    kept = [sites.name[site] for site in rules.overruled(sites).tolist()]
    if not kept:
        return []
    who = f"{len(kept)} existing station{'s' * (len(kept) > 1)}"
    named = ", ".join(kept[:_SHOWN]) + (f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else "")
    return [f"the zones let no new sensor stand at {who}, which stay{'s' * (len(kept) == 1)}: {named}"]


def _facts(
    files: Mapping[str, str], masks: Mapping[str, Bool[ndarray, " n"]], rules: Rules, sites: Sites
) -> dict[str, object]:
    """Files and counts, words, and digits that change when a role does."""
    role = rules.on(sites).role
    told = {rule: {"file": path, "sites": int(masks[rule].sum())} for rule, path in files.items()}
    return told | {
        "words": rules.words(sites),
        "fixed": int((role == Role.FIXED).sum()),
        "free": int((role == Role.CANDIDATE).sum()),
        "roles": hashlib.sha256(role.tobytes()).hexdigest()[:16],
    }
