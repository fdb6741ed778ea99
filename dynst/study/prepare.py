"""Everything that is decided before the first computation: the record, how it is cut, the budget, the planner."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from dynst.backbones import BACKBONES, backbone_for, check_shape
from dynst.config import Study, is_path
from dynst.domain import Field, GridLayout, Rules, Sites, Window
from dynst.domain.calendar import MEAN
from dynst.domain.split import Split, before_test, window_starts
from dynst.errors import ConfigError, DataError
from dynst.evaluation.window_choice import WindowChoice, choose_window
from dynst.planners import find_planner
from dynst.planners.base import Task
from dynst.readers.rule_files import RuleFile
from dynst.study.event import Event, Listener, nobody
from dynst.study.given import made_in_python
from dynst.study.rules import Ruled, rules_of
from dynst.windows.choice import ClimatologyChoice, choose_climatology
from dynst.windows.scaling import Scaling

__all__ = ["PLANNED_ON", "Choices", "Prepared", "choose", "describe", "prepare"]


PLANNED_ON = "training and validation time"
"""What plans are made on, in words (`Prepared.task`)."""


@dataclass(frozen=True, eq=False)
class Choices:
    """How a record is cut, and what its anomalies are taken from.

    Attributes
    ----------
    window, split : Window, Split
        History and horizon; training, validation and test.
    climatology : ClimatologyChoice
        What anomalies are taken from, and the errors by which it was chosen.
    reach : WindowChoice or None
        What sensors win at each lead time, if the window was chosen by that.
    """

    window: Window
    split: Split
    climatology: ClimatologyChoice
    reach: WindowChoice | None = None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A study with its data.

    Attributes
    ----------
    study : Study
        What was asked for.
    field, window, split : Field, Window, Split
        The record, and how it is cut.
    budget : int
        Number of sensors.
    planner, why : str
        Who plans, and why.
    climatology : ClimatologyChoice
        What anomalies are taken from, and the errors by which it was chosen.
    reach : WindowChoice or None
        What sensors win at each lead time, if the window was chosen by that.
    ruled : Ruled
        The rules of deployment; the sites of `field` have the roles that these give.
    bare_sites : Sites or None
        The sites before these rules; those of `field` if left out.
    """

    study: Study
    field: Field
    window: Window
    split: Split
    budget: int
    planner: str
    why: str
    climatology: ClimatologyChoice = ClimatologyChoice(MEAN, {})  # noqa: RUF009 - never changed
    reach: WindowChoice | None = None
    ruled: Ruled = Ruled()  # noqa: RUF009 - frozen
    bare_sites: Sites | None = None

    @property
    def bare(self) -> Sites:
        """The sites of the record before any rule of the study."""
        return self.field.sites if self.bare_sites is None else self.bare_sites

    def task(self, budget: int | None = None) -> Task:
        """What the planners are given; a budget other than the study's, if one is named.

        All choices are made: plans are made on training and validation time together.
        """
        past = before_test(self.field, self.window, self.split)
        scaling = Scaling.fit(past, self.climatology.calendar)
        known = (past, self.split.valid, self.window, scaling, budget or self.budget)
        return Task(*known, learn_on=self.split.train)

    @property
    def fingerprint(self) -> str:
        """Changes when the data do."""
        return self.field.origin.fingerprint

    @property
    def backbone(self) -> str:
        """Name of the network behind the mask."""
        return _backbone(self.study, self.field)

    @property
    def question(self) -> tuple[str, int]:
        """Planner and budget: what is asked of a comparison before any figure of it is seen."""
        return self.planner, self.budget

    @property
    def base(self) -> str:
        """Name of the run, but for its number."""
        sparsity = f"{1 - self.budget / len(self.field.sites):.3f}".rstrip("0").rstrip(".")
        name = re.sub(r"[^A-Za-z0-9_.]+", "-", self.field.name).strip("-.") or "data"
        return f"{name}-{self.planner}-s{sparsity}"

    def resolved(self) -> Study:
        """The study with every choice written out, as it stands in the run folder."""
        return self.study.model_copy(
            update={
                "data": _absolute(self.study.data),
                "stations": self.study.stations and _absolute(self.study.stations),
                "graph": self.study.graph and _absolute(self.study.graph),
                "regions": self.study.regions and _absolute(self.study.regions),
                **{rule: tuple(map(_absolute_file, files)) for rule, files in self.study.rules.items()},
                "observe": tuple(channel.name for channel in self.field.channels if channel.observe),
                "predict": tuple(channel.name for channel in self.field.channels if channel.predict),
                "history": self.window.history,
                "horizon": self.window.prediction,
                "climatology": str(self.climatology.calendar),
                "sensors": self.budget if self.study.sparsity is None and self.study.new is None else None,
                "planner": self.planner,
                "out": None,
            }
        )

    def facts(self) -> dict[str, object]:
        """What was found in the data and decided from it, as JSON types."""
        window, split = self.window, self.split
        fixed = len(self.field.sites.fixed)
        blocks = {"train": split.train, "validation": split.valid, "test": split.test}
        return {
            "data": describe(self.field),
            "window": {"history": window.history, "horizon": window.prediction, "stride": window.stride}
            | ({} if self.reach is None else self.reach.facts()),
            "climatology": self.climatology.facts(),
            "split": {
                name: {"steps": block.steps, "windows": len(window_starts(block, window))}
                for name, block in blocks.items()
            }
            | {"how": split.how, "kind": split.kind},
            "budget": {"sensors": self.budget, "sparsity": 1 - self.budget / len(self.field.sites)}
            | ({"existing": fixed, "new": self.budget - fixed} if fixed else {}),
            "planner": {"name": self.planner, "why": self.why, "backbone": self.backbone},
        } | ({"rules": dict(self.ruled.facts)} if self.ruled.facts else {})


def prepare(
    study: Study, record: Field | None = None, *, rules: Rules | None = None, listen: Listener = nobody
) -> Prepared:
    """Read the data and decide what is to be decided; nothing is computed or written yet.

    Parameters
    ----------
    study : Study
        What is asked for.
    record : Field or None
        The data, where they were made in Python and the study names no file.
    rules : Rules or None
        Rules made in Python, beside those that the study names.
    listen : callable
        Called with every `Event`.

    Raises
    ------
    DataError, ConfigError, BudgetError
        One line each: the data cannot be used, a name is unknown, or the budget is impossible.
    """
    if study.planner != "auto":
        find_planner(study.planner)
    listen(Event("read", study.data))
    field = _read(study) if record is None else made_in_python(study, record)
    ruled, bare = rules_of(study, field, rules), field.sites
    field = replace(field, sites=bare if ruled.sites is None else ruled.sites)
    ruled.rules.check_budget(study.wanted(field.sites), field.sites)
    try:
        found = choose(study, field)
    except DataError as error:
        raise DataError(f"{field.name}: {error}") from error
    _check_backbone(study, field)
    planner, why = study.chosen_planner()
    budget = study.budget(field.sites)
    cut = (found.window, found.split)
    prepared = Prepared(study, field, *cut, budget, planner, why, found.climatology, found.reach, ruled, bare)
    listen(Event("read", field.name, facts=prepared.facts()))
    return prepared


def _read(study: Study) -> Field:
    from dynst.readers import read  # noqa: PLC0415  # loads the libraries of all formats

    if study.from_python:
        raise ConfigError(
            f"{study.data} was made in Python, and no file holds it: what reads the data again can only be done there. "
            f"Plan again with dynst.fit(field, ...), or write the record to a file and name that."
        )
    return read(study.data, observe=study.observe or None, predict=study.predict or None, hints=study.hints)


def _backbone(study: Study, field: Field) -> str:
    return study.backbone if study.backbone in BACKBONES else backbone_for(field.layout)


def _check_backbone(study: Study, field: Field) -> None:
    """Make sure that the network asked for, or the one that suits the layout, can be trained on it as asked."""
    backbone = _backbone(study, field)
    if BACKBONES[backbone].grid_only and not isinstance(field.layout, GridLayout):
        raise ConfigError(
            f"backbone {backbone} needs a grid; the sites of {field.name} form a graph ({field.layout.words}): "
            f"leave it out."
        )
    check_shape(backbone, study.shape)


def choose(study: Study, field: Field) -> Choices:
    """How a study cuts a record and what its anomalies are taken from; the test block has no part in it.

    Where the study gives neither history nor horizon, lead times are kept at which sensors win something.
    """
    window, split = study.cut(field)
    known = before_test(field, window, split)
    climatology = choose_climatology(known, wanted=study.climatology, cycle=study.cycle)
    if study.history is not None or study.horizon is not None:
        return Choices(window, split, climatology)
    reach = choose_window(split, Scaling.fit(split.train, climatology.calendar), window)
    if reach.window != window:
        split = study.parts(field, reach.window)
    return Choices(reach.window, split, climatology, reach)


def describe(field: Field) -> dict[str, object]:
    """A field in figures and words, as JSON types."""
    steps, n, c = field.series.shape
    return {
        "name": field.name,
        "sites": n,
        "layout": field.layout.words,
        "on_grid": isinstance(field.layout, GridLayout),
        "covariates": [covariate.name for covariate in field.covariates],
        "frame": str(field.sites.frame),
        "steps": steps,
        "runs": len(field.runs),
        "cases": list(field.cases),
        "cadence": field.cadence,
        "first": _instant(field, 0),
        "last": _instant(field, -1),
        "has_missing": field.has_missing,
        "missing_share": _missing_share(field),
        "megabytes": round(4 * steps * n * c / 1e6, 1),
        "channels": [asdict(channel) for channel in field.channels],
        "notes": list(field.origin.notes),
        "caveats": list(field.origin.caveats),
        "fingerprint": field.origin.fingerprint,
    }


def _missing_share(field: Field) -> float:
    """Share of the values that nobody measured."""
    if not field.has_missing:
        return 0.0
    return sum(int(np.isnan(block).sum()) for block in field.blocks()) / math.prod(field.series.shape)


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().resolve()) if is_path(path) else path


def _absolute_file(named: RuleFile) -> RuleFile:
    return replace(named, file=_absolute(named.file))


def _instant(field: Field, step: int) -> str:
    return field.moment(step).replace("T", " ")
