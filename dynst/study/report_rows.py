"""Rows of a report that come from the files of a run folder: training, costs, and how to make the run again."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from dynst.domain import Curve, Plan
from dynst.domain.curve import FRAMES
from dynst.run_layout import NAMES

__all__ = ["cost_rows", "provenance_rows", "training_rows"]

_TRAINING = ("step", "steps", "phase", "loss", "valid_error", "n_active", "births", "deaths")
_MEASURED = {
    "plan_seconds": "planning (s)",
    "plan_peak_mb": "peak memory (MB)",
    "judge_seconds": "judging (s)",
}
"""Variables of a curve and what they are called in the table; seconds are of the machine that made the run."""

_LONG = 8  # entries of a list that a page shows


def training_rows(log: Iterable[Mapping[str, Any]]) -> tuple[dict[str, object], ...]:
    """One row per training step of the mask, from the lines of the log.

    Examples
    --------
    >>> training_rows([{"planner": "coverage", "seconds": 0.1}, {"step": 0, "steps": 1, "loss": 1.5, "rate": 0.1}])
    ({'step': 0, 'steps': 1, 'loss': 1.5},)
    """
    return tuple({key: line[key] for key in _TRAINING if key in line} for line in log if "step" in line)


def cost_rows(
    log: Iterable[Mapping[str, Any]], curves: Mapping[str, Curve], budget: int
) -> tuple[dict[str, object], ...]:
    """What each plan cost at the budget: time to plan and to judge, memory; columns that nobody measured are left out.

    Parameters
    ----------
    log : iterable of mapping
        Lines of the log; the time of a plan that no curve knows is taken from there.
    curves : mapping of str to Curve
        By judge; time and memory of planning come from the first that has them, time of judging from each.
    budget : int
        Number of sensors.
    """
    planned = {str(line["planner"]): float(line["seconds"]) for line in log if {"planner", "seconds"} <= line.keys()}
    cells: dict[str, dict[str, float]] = {name: {"planning (s)": value} for name, value in planned.items()}
    for judge, curve in reversed(list(curves.items())):  # what the first one says stays
        here = curve.at(budget)
        for variable, words in _MEASURED.items():
            column = f"{words}, {judge}" if variable == "judge_seconds" and len(curves) > 1 else words
            for name in curve.planners if variable in here else ():
                values = here[variable].sel(planner=name).values
                if np.isfinite(values).any():
                    cells.setdefault(name, {})[column] = float(np.nanmean(values))
    columns = list(dict.fromkeys(column for row in cells.values() for column in row))
    order = sorted(cells, key=lambda name: name in FRAMES)
    return tuple(
        {"planner": name} | {column: cells[name].get(column, math.nan) for column in columns} for name in order
    )


def provenance_rows(name: str, provenance: Mapping[str, Any], plan: Plan, study: str) -> tuple[tuple[str, str], ...]:
    """How the run was made and how to make it again; `study` is the text of its study file."""
    made = str(provenance.get("dynst", "unknown version"))
    commit, data = provenance.get("commit"), provenance.get("data")
    data = data if isinstance(data, dict) else {}
    libraries = provenance.get("libraries")
    rows = [
        ("run", name),
        ("dynst", f"{made}, commit {commit}" if commit else made),
        ("command", str(provenance.get("command", ""))),
        ("seed", str(provenance.get("seed", ""))),
        ("data", str(data.get("path", ""))),
        ("data fingerprint", str(data.get("fingerprint", ""))),
        ("sites fingerprint", plan.sites.fingerprint),
        ("device", _device(provenance)),
        ("python", str(provenance.get("python", ""))),
        ("libraries", _joined(libraries) if isinstance(libraries, dict) else ""),
        ("plan", json.dumps(_short(plan.provenance), sort_keys=True, ensure_ascii=False)),
        ("started", str(provenance.get("started", ""))),
        ("finished", str(provenance.get("finished", ""))),
        ("resumed", ", ".join(map(str, provenance.get("resumed") or ()))),
        (str(NAMES.study), study.strip()),
        ("to repeat", f"dynst fit {NAMES.study}, with the lines above in that file and the same data" if study else ""),
    ]
    return tuple((key, text) for key, text in rows if text)


def _short(value: Any) -> Any:
    """The same without long lists, such as every update of the mask: those are in the plan."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value] if len(value) <= _LONG else f"{len(value)} entries, in {NAMES.plan}"
    return value


def _device(provenance: Mapping[str, Any]) -> str:
    parts = [str(provenance[key]) for key in ("device", "platform", "processor") if provenance.get(key)]
    return ", ".join(parts + ([f"threads: {provenance['threads']}"] if provenance.get("threads") else []))


def _joined(libraries: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in libraries.items())
