"""A study file to start from: what a fit would choose from the data, written out, and what else could be said."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dynst.config import Study, is_path
from dynst.errors import ConfigError
from dynst.planners import PLANNERS
from dynst.study.facts import fact_rows
from dynst.study.prepare import Prepared

__all__ = ["check_free", "study_text", "write_study"]


@dataclass(frozen=True)
class _Key:
    """A key that is off, as an example of what could be said."""

    example: str
    words: str


_OFF: Mapping[str, Mapping[str, _Key]] = {
    "data": {
        "train_until": _Key('"2015-12-31"', "end of training, all included; with valid_until, test follows that"),
        "valid_until": _Key('"2016-12-31"', "end of validation; needs train_until"),
        "stations": _Key('"stations.csv"', "positions of stations: a table, or points in GeoJSON and alike"),
    },
    "window": {"stride": _Key("2", "steps between windows")},
    "budget": {
        "sensors": _Key("20", "so many places"),
        "sparsity": _Key("0.98", "instead: share of the sites without a sensor"),
        "new": _Key("5", "instead: so many sensors besides the existing ones"),
    },
    "rules": {
        "existing": _Key('["stations.geojson"]', "stations that stand and stay: tables, points or names"),
        "allow": _Key('["land.gpkg"]', "polygons for new sensors alone"),
        "forbid": _Key('[{file = "airports.geojson", buffer = 5}]', "where no new sensor may stand; buffer in km"),
        "min_distance": _Key('"30km"', "sensors keep this distance"),
    },
    "planner": {},
    "judge": {
        "compare": _Key('"full"', "quick: no networks. full: networks and seeds too; slow. none"),
        "regions": _Key('"regions.geojson"', "polygons to report errors for"),
        "stability": _Key("true", "plan again on parts of the record: what stays?"),
        "tolerance": _Key("5.0", "enough sensors win all but so much % of what one at every site wins"),
    },
    "run": {
        "seed": _Key("0", "same seed, same plan"),
        "out": _Key('"runs/mine"', "folder of the run"),
    },
}
"""Tables and keys that are shown but off, with a line on each; `Study` documents all of them."""

_HEADS = {
    "data": "What is measured and forecast.",
    "window": 'Chosen from the record; delete a line, and it is chosen again. A time such as "12h" will do, too.',
    "budget": "How many sensors; one of the three.",
    "rules": "Where sensors may stand. Take the sign away from a line to use it.",
    "planner": f"Who plans: {', '.join(PLANNERS)}.",
    "judge": "What the plan is compared with.",
    "run": "The run itself.",
}


def check_free(path: Path) -> None:
    """Make sure that nothing is overwritten, before any work is done.

    Raises
    ------
    ConfigError
        If something of that name exists, or its folder does not.
    """
    if os.path.lexists(path):
        raise ConfigError(f"{path} exists already, and a study is not overwritten. Give -o another name, or remove it.")
    if not path.parent.is_dir():
        raise ConfigError(f"{path.parent} is no folder. Give -o a file in a folder that exists.")


def write_study(prepared: Prepared, path: Path) -> None:
    """Write `study_text` to a file that did not exist.

    Raises
    ------
    ConfigError
        If the file exists, or cannot be written.
    """
    check_free(path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(study_text(prepared, path))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}). Give -o a place that is yours.") from error


def study_text(prepared: Prepared, path: Path) -> str:
    """A commented study file for `path`: it asks for what a fit of the same data would do.

    Parameters
    ----------
    prepared : Prepared
        The data, and what was decided from them.
    path : Path
        Where the file will be: paths of data are written from there.
    """
    chosen = _tables(prepared.resolved())
    chosen.setdefault("data", {})["path"] = json.dumps(_from(path, prepared.study.data), ensure_ascii=False)
    facts = [f"# {name}: {' '.join(text.split())}" for name, text in fact_rows({"data": prepared.facts()["data"]})]
    parts = ["# A study of dynst. A line that begins with # is off. When it is as you want it: dynst fit FILE"]
    for table, off in _OFF.items():
        on = {"path": chosen[table].pop("path")} | chosen[table] if table == "data" else chosen.get(table, {})
        lines = [f"[{table}]", f"# {_HEADS[table]}", *(facts if table == "data" else ())]
        lines += [f"{key} = {value}" for key, value in on.items()]
        lines += [f"# {key} = {one.example}  # {one.words}" for key, one in off.items() if key not in on]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _tables(study: Study) -> dict[str, dict[str, str]]:
    """Tables, keys and values of the study file, each value as it is written."""
    tables: dict[str, dict[str, str]] = {}
    for block in study.toml().split("\n\n"):
        head, *lines = block.splitlines()
        tables[head.strip("[]")] = dict(line.split(" = ", 1) for line in lines)
    return tables


def _from(path: Path, data: str) -> str:
    """The data as the study file names them: beside it if that is where they are."""
    if not is_path(data) or Path(data).is_absolute() or data[:1] == "~":
        return data
    return Path(os.path.relpath(data, path.parent)).as_posix()
