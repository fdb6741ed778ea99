"""score: a network that somebody has, on a record: what each station is worth, what to drop, what to add."""

from __future__ import annotations

import glob
import json
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst import runs
from dynst.config import Study, is_path
from dynst.domain import Plan, Role
from dynst.errors import CheckpointError, ConfigError
from dynst.evaluation import LinearJudge
from dynst.evaluation.network import review_network
from dynst.evaluation.review import NetworkReview, Step
from dynst.export import EXPORTERS
from dynst.planners import DEFAULT, PLANNERS, row_of
from dynst.planners.base import PlannerSkipped
from dynst.readers.siting import Siting, stations_on
from dynst.reports.tables import csv_text
from dynst.runs import Run, whole
from dynst.study.event import Event, Listener, nobody
from dynst.study.facts import window_words
from dynst.study.prepare import Prepared, prepare
from dynst.study.record import check_record
from dynst.windows.choice import climatology_words
from dynst.windows.scaling import Scaling

__all__ = ["FORMATS", "score", "write_review"]


def score(
    source: str | Study,
    stations: Path | None = None,
    *,
    add: int = 5,
    climatology: str | None = None,
    cycle: int | None = None,
    listen: Listener = nobody,
) -> NetworkReview:
    """Judge a network that exists: error, leave-one-out values, redundancy, best next stations, failures.

    Parameters
    ----------
    source : str or Study
        Name or folder of a run, whose study says how the record is read and cut; or data as `dynst.fit` takes them; or
        a study (or its file).
    stations : Path or None
        The network, see `dynst.readers.siting.stations_on`. If left out: the sensors of the run's plan, or all
        stations of a record of stations.
    add : int
        Best next stations to find.
    climatology, cycle : str or None, int or None
        In place of what the study says, see `Study`.
    listen : callable
        Called with every `Event`.

    Raises
    ------
    DynstError
        One line on what the user can mend.
    """
    if add < 0:
        raise ConfigError(f"{add} stations cannot be added. Give --add 0 or more.")
    study, run = _source(source)
    given = {"climatology": climatology, "cycle": cycle}
    if any(value is not None for value in given.values()):
        study = Study.load(None, study.model_dump() | {key: value for key, value in given.items() if value is not None})
    if stations is not None:  # they are what exists; zones still say where the next ones may stand
        study = study.model_copy(update={"existing": (), "sensors": None, "sparsity": None, "new": None})
    prepared = prepare(study, listen=_on_data(listen))
    if run is not None:
        check_record(run.provenance.get("data"), prepared, run=run.name, instead=_instead(run), listen=listen)
    plan = None if run is None else _plan_of(run, prepared)
    siting = _network(prepared, plan, stations)
    window = window_words(prepared.window.history, prepared.window.prediction, prepared.field.cadence)
    span = f"{window}; {prepared.split.how}"
    usual = f"climatology: {climatology_words(prepared.climatology.facts())}"
    for note in (span, usual, *siting.notes):
        listen(Event("read", note=f"Note: {note}"))
    listen(Event("score", "fit the judge"))
    scaling = Scaling.fit(prepared.split.train, prepared.climatology.calendar)
    judge = LinearJudge(prepared.split, prepared.window, scaling=scaling, seed=study.seed)
    return review_network(
        judge,
        siting.selected,
        names=siting.names,
        rivals=_rivals(prepared, plan, siting, listen),
        add=add,
        seed=study.seed,
        data=prepared.field.name,
        notes=(*siting.notes, *prepared.field.origin.caveats),
        progress=lambda what, done, total: listen(Event("score", what, done, total)),
    )


def _instead(run: Run) -> str:
    """How the sensors of a run are judged on data that changed: its study, without the run."""
    folder, study = shlex.quote(str(run.path)), shlex.quote(str(run.files.study))
    return (
        f"judge its sensors on the new ones: `dynst export-map {folder} -o plan.csv`, then "
        f"`dynst score {study} --stations plan.csv`"
    )


def _on_data(listen: Listener) -> Listener:
    """Tells what the data are, and not what a fit would do with them."""

    def tell(event: Event) -> None:
        listen(replace(event, facts={"data": event.facts["data"]}) if event.facts else event)

    return tell


def _source(source: str | Study) -> tuple[Study, Run | None]:
    """What is to be read and how: of a run, a study file, or data alone."""
    if isinstance(source, Study):
        return source, None
    if source.endswith(".toml"):
        return Study.load(Path(source)), None
    try:
        run = runs.find(source)
    except CheckpointError as error:
        if is_path(source) and not _exists(source):
            raise ConfigError(f'"{source}" is no data either. As a run: {error}') from error
        return Study.load(None, {"data": source}), None
    return Study.load(run.files.study), run


def _exists(data: str) -> bool:
    try:
        return Path(data).expanduser().exists() or next(glob.iglob(data, recursive=True), None) is not None  # noqa: PTH207 - may be absolute
    except (OSError, RuntimeError, ValueError):
        return False


def _plan_of(run: Run, prepared: Prepared) -> Plan:
    plan = run.plan
    if plan.sites.fingerprint != prepared.field.sites.fingerprint:
        raise CheckpointError(
            f"the data of run {run.name} have other sites now than when it was made "
            f"({len(prepared.field.sites)} and {len(plan.sites)}). Put the old data back, or make the run again."
        )
    return plan


def _network(prepared: Prepared, plan: Plan | None, stations: Path | None) -> Siting:
    """The stations to be judged."""
    field = prepared.field
    if stations is not None:
        return stations_on(field.sites, field.layout, stations)
    if plan is not None:
        return _called(plan.selected, prepared, f"the network is the plan of the run, by {plan.planner}")
    if field.origin.stations:
        return _called(field.sites.legal, prepared, "the network is all stations of the record")
    raise ConfigError(
        f"{field.name} is no record of stations: which of its {len(field.sites)} sites have one? Give --stations FILE, "
        "or score a run."
    )


def _called(selected: Int[ndarray, " k"], prepared: Prepared, note: str) -> Siting:
    return Siting(selected, tuple(prepared.field.sites.name[i] for i in selected.tolist()), (note,))


def _rivals(
    prepared: Prepared, plan: Plan | None, siting: Siting, listen: Listener
) -> Mapping[str, Int[ndarray, " k"]]:
    """Plans of the same size: by the solved linear planner, by the run's if that is cheap, else the run's own plan."""
    sites, count = prepared.field.sites, len(siting.selected)
    if not len(sites.fixed) <= count < len(sites.legal) or len(sites.packing(count)) < count:
        return {}  # under the rules of the study there is no other plan of this size
    task = prepared.task(count)
    found: dict[str, ndarray] = {}
    trained = plan is not None and row_of(plan.planner).trains
    cheap = [DEFAULT] if plan is None or trained else list(dict.fromkeys([DEFAULT, plan.planner]))
    for name in cheap:
        listen(Event("score", f"plan with {name}"))
        try:
            found[f"a plan by {name}"] = PLANNERS[name].plan(task, seed=prepared.study.seed).selected
        except PlannerSkipped as reason:
            listen(Event("score", note=f"{name} was skipped: {reason}"))
    if plan is not None and trained and plan.budget == len(siting.selected):
        found[f"the run's plan by {plan.planner}"] = plan.selected
    return {name: selected for name, selected in found.items() if set(selected) != set(siting.selected)}


def _json_text(review: NetworkReview) -> str:
    return json.dumps(review.to_json(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _csv_text(review: NetworkReview) -> str:
    """A row a station, then a row for each best next one."""
    rows = [
        {
            "name": station.name,
            **review.position(station.site),
            "what": "station",
            "rise_without_percent": station.without.percent,
            "low": station.without.low,
            "high": station.without.high,
            "redundancy": station.redundancy,
            "next": None,
            "site": station.site,
        }
        for station in review.stations
    ]
    rows += [
        {"name": step.name, **review.position(step.site), "what": "next", "next": rank, "site": step.site}
        for rank, step in enumerate(review.added, start=1)
    ]
    return csv_text(rows)


def _geojson_text(review: NetworkReview) -> str:
    """As `dynst export-map` writes a plan; the best next stations are marked as not selected."""
    order = sorted(review.stations, key=lambda station: -station.without.percent)
    role = np.zeros(len(review.sites), np.int8)
    role[[station.site for station in order]] = Role.FIXED
    sites = replace(review.sites, role=role, spacing=None, stations=None)
    ranked = [station.site for station in order] + [step.site for step in review.added]
    worth = [station.without.percent for station in order] + [-gain for gain in _gains(review.added)]
    plan = Plan(
        np.array(ranked),
        np.array(worth),
        len(order),
        sites,
        "network",
        importance_is="rise of the error in % without the station, fall of the error with it if it is not yet there",
    )
    document = json.loads(EXPORTERS["geojson"].render(plan, layout=review.layout, top=len(ranked), title=review.data))
    for feature, station in zip(document["features"], order, strict=False):
        feature["properties"] |= {
            "name": station.name,
            "rise_without_percent": station.without.percent,
            "low": station.without.low,
            "high": station.without.high,
            "redundancy": station.redundancy,
        }
    for rank, feature in enumerate(document["features"][len(order) :], start=1):
        feature["properties"]["next"] = rank
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _gains(steps: tuple[Step, ...]) -> list[float]:
    """What each step changes after those before it, in points of %."""
    return [float(gain) for gain in np.diff([0.0, *(step.change.percent for step in steps)])]


FORMATS = {".json": _json_text, ".csv": _csv_text, ".geojson": _geojson_text}
"""How a review is written, by the ending of its file."""


def write_review(review: NetworkReview, path: Path) -> None:
    """Write a review whole or not at all, in the format that the ending of `path` names.

    Raises
    ------
    ConfigError
        If the ending names no format, or the file cannot be written.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"{path} ends in no known format. Give a file that ends in {', '.join(FORMATS)}.")
    text = FORMATS[path.suffix.lower()](review)
    try:
        with whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}). Give a file in a folder of yours.") from error
