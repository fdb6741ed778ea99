"""The study: what is asked for, from a TOML file, from flags or from Python; the only place that knows all names."""

from __future__ import annotations

import datetime as dt
import difflib
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dynst.domain import Field as Record
from dynst.domain import Sites, Window
from dynst.domain.calendar import Calendar
from dynst.domain.dates import Date, Until
from dynst.domain.durations import is_duration, steps_of
from dynst.domain.split import Split, split_record
from dynst.errors import ConfigError, unknown_name
from dynst.planners import DEFAULT, NETWORK, PLANNERS, row_of
from dynst.readers import DEFAULT_SAMPLE, Hints

__all__ = ["Study", "is_path"]

_DEFAULT_SENSORS = 20
# Chosen: beyond some 20 sensors the choice of places hardly matters on smooth fields; below, it does.

_SWITCHES = (
    "evidence",
    "drop_by",
    "schedule",
    "interval",
    "alpha",
    "rate",
    "prune",
    "regrow",
    "rewind",
    "l1",
    "polish",
    "precision",
)
"""Options that planner dynst alone understands."""

_TABLES: dict[str, dict[str, str]] = {
    "data": {
        "path": "data",
        **{key: key for key in ("observe", "predict", "stations", "graph", "layout", "sites", "spacing", "split")},
        **{key: key for key in ("train_until", "valid_until")},
    },
    "window": {key: key for key in ("history", "horizon", "stride", "climatology", "cycle")},
    "budget": {"sparsity": "sparsity", "sensors": "sensors"},
    "rules": {key: key for key in ("existing", "allow", "forbid")},
    "planner": {
        "name": "planner",
        **{key: key for key in ("backbone", "dim", "depth", "patch", "steps", "batch")},
        **{key: key for key in _SWITCHES if key != "precision"},
    },
    "judge": {key: key for key in ("compare", "ladder", "seeds", "regions", "stability", "tolerance")},
    "run": {key: key for key in ("seed", "device", "precision", "workers", "out")},
}
"""Tables of a study file: key in the file -> field of `Study`."""

_SAMPLE = {key: name for keys in _TABLES.values() for key, name in keys.items() if key != "name"}
"""Keys of the table ``[sample]``: those of all the other tables."""


def _listed(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _no_switch(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"{json.dumps(value)} is no number")  # Python counts True as 1
    return value


Count = Annotated[int, Field(ge=1), BeforeValidator(_no_switch)]
Share = Annotated[float, Field(ge=0, lt=1), BeforeValidator(_no_switch)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


def _steps_or_time(value: object) -> object:
    """A number of steps, or a duration as text."""
    if not isinstance(value, str):
        return _no_switch(value)
    if is_duration(value):
        return value
    try:
        return int(value)
    except ValueError:
        raise ValueError(f'"{value}" came; a number of steps or a time like 12h or 2d is expected') from None


def _terms(value: object) -> object:
    """``auto`` as it is; else words joined by plus signs, in one order."""
    if not isinstance(value, str) or value == "auto":
        return value
    try:
        return str(Calendar.parse(value))
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None


def _date(value: object) -> object:
    """ISO text; of a TOML date or a bare year too. Empty text takes back what a file says."""
    if value is None or value == "":
        return None
    said = value.isoformat() if isinstance(value, dt.date) else value
    if isinstance(said, int) and not isinstance(said, bool):
        said = str(said)  # train_until = 2015
    if not isinstance(said, str):
        return said
    try:
        return str(Date.parse(said))
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None


Steps = Annotated[Annotated[int, Field(ge=1)] | str, BeforeValidator(_steps_or_time)]
Said = Annotated[str | None, BeforeValidator(lambda value: None if value == "" else value)]  # "" takes it back
IsoDate = Annotated[str | None, BeforeValidator(_date)]


class Study(BaseModel):
    """One study: data, window, budget, rules, planner, comparison, run. ``None``: chosen from the data and said.

    Examples
    --------
    >>> study = Study(data="winter.zarr", sensors=20)
    >>> study.planner, study.seed
    ('auto', 0)
    >>> print(study.toml())
    [data]
    path = "winter.zarr"
    <BLANKLINE>
    [budget]
    sensors = 20
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str = f"sample:{DEFAULT_SAMPLE}"
    observe: Names = ()
    predict: Names = ()
    stations: Said = None
    graph: Said = None
    layout: Said = None
    sites: Count | None = None
    spacing: Annotated[float | None, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_switch)] = None
    split: Literal["auto", "run", "time"] = "auto"
    train_until: IsoDate = None
    valid_until: IsoDate = None

    history: Steps | None = None
    horizon: Steps | None = None
    stride: Count = 1
    climatology: Annotated[str, BeforeValidator(_terms)] = "auto"
    cycle: Annotated[int, Field(ge=2), BeforeValidator(_no_switch)] | None = None

    sparsity: Share | None = None
    sensors: Count | None = None

    existing: Said = None
    allow: Said = None
    forbid: Said = None

    planner: str = "auto"
    backbone: Literal["auto", "stlight", "gnn", "linear"] = "auto"
    dim: Count | None = None
    depth: Count | None = None
    patch: Count | None = None
    steps: Count | None = None
    batch: Count | None = None
    evidence: Literal["magnitude", "gradient", "benefit", "exact", "random"] | None = None
    drop_by: Literal["magnitude", "gradient", "benefit", "exact", "random"] | None = None
    schedule: Literal["geometric", "cubic"] | None = None
    interval: Count | None = None
    alpha: Annotated[float, Field(ge=0, le=1), BeforeValidator(_no_switch)] | None = None
    rate: Literal["one_cycle", "cosine"] | None = None
    prune: bool | None = None
    regrow: bool | None = None
    rewind: bool | None = None
    l1: Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_no_switch)] | None = None
    polish: bool | None = None

    compare: Literal["quick", "full", "none"] = "quick"
    ladder: Annotated[tuple[Share, ...] | None, BeforeValidator(_listed)] = None
    seeds: Count = 3
    regions: Said = None
    stability: bool | None = None
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_switch)] = 5.0

    seed: Annotated[int, Field(ge=0), BeforeValidator(_no_switch)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Annotated[Literal["32", "bf16"], BeforeValidator(str)] = "32"
    workers: Count | None = None
    out: str | None = None

    @model_validator(mode="after")
    def _no_contradiction(self) -> Study:
        if self.sparsity is not None and self.sensors is not None:
            raise ValueError("sparsity and sensors exclude each other: give one of them")
        if self.valid_until is not None and self.train_until is None:
            raise ValueError("valid_until needs train_until: give both, or train_until alone")
        if self.until is not None and self.split == "run":
            raise ValueError("a split by run keeps whole runs and takes no date: leave out split, or train_until")
        if self.planner == NETWORK and self.backbone == "linear":
            raise ValueError(f"planner {NETWORK} trains a network: for the linear backbone choose planner {DEFAULT}")
        if self.backbone in ("gnn", "linear") and self.patch is not None:
            raise ValueError(f"patch is an option of the backbone stlight; {self.backbone} has none: leave it out")
        if self.planner == DEFAULT and self.backbone in ("stlight", "gnn"):
            raise ValueError(
                f"planner {DEFAULT} trains no network: for the backbone {self.backbone} choose planner {NETWORK}"
            )
        if "cycle" in self.climatology.split("+") and self.cycle is None:
            raise ValueError("climatology cycle has no length: give --cycle STEPS")
        asked = self._switches
        takes_them = self.planner == "auto" or row_of(self.planner).switches
        if asked and (not takes_them or self.backbone == "linear"):
            other = f"planner {self.planner}" if self.planner != "auto" else "the linear backbone"
            raise ValueError(
                f"{asked[0]} is a switch of planner {NETWORK}; {other} does not take it: leave one of them out"
            )
        return self

    @property
    def _switches(self) -> list[str]:
        """Options given that planner dynst alone understands."""
        return [name for name in _SWITCHES if getattr(self, name) != type(self).model_fields[name].default]

    @classmethod
    def load(
        cls, path: Path | None = None, flags: Mapping[str, object] | None = None, *, sample: bool = False
    ) -> Study:
        """A study from a TOML file (or the defaults), with `flags` (fields that are not None) on top.

        With `sample`, what the file's table ``[sample]`` says replaces the rest of the file: the same study on small
        data that ship with dynst.

        Raises
        ------
        ConfigError
            One line with the file, the table, the key and, for an unknown name, the nearest known one.
        """
        given = {name: value for name, value in (flags or {}).items() if value is not None}
        fields, origin = _read(path, sample=sample) if path else ({}, {})
        if sample and path is None:
            raise ConfigError("--sample is the small form of a study file: name one, as in pipelines/.")
        fields = _over(fields, given)
        origin |= {name: f"--{name.replace('_', '-')}" for name in given}
        if path and fields.get("data") == "":
            hint = ", or try the study with --sample" if "sample" in _parsed(path) else ""
            raise ConfigError(f"{path}: name the data with --data PATH (the file says where to get them){hint}.")
        try:
            study = cls.model_validate(fields | given)
        except ValidationError as error:
            raise ConfigError(_one_line(error, origin, path)) from error
        if study.planner not in {"auto", *PLANNERS}:
            raise ConfigError(f"{origin['planner']}: {unknown_name('planner', study.planner, PLANNERS)}")
        return study

    @property
    def until(self) -> Until | None:
        """Dates that end training and validation, if the study names any."""
        return None if self.train_until is None else Until.parse(self.train_until, self.valid_until)

    @property
    def rules(self) -> dict[str, str | None]:
        """File of each rule of deployment; None where there is none."""
        return {rule: getattr(self, rule) for rule in _TABLES["rules"]}

    @property
    def hints(self) -> Hints:
        """What the reader is told besides the path."""
        return Hints(
            stations=self.stations, graph=self.graph, layout=self.layout, sites=self.sites, spacing=self.spacing
        )

    def window(self, steps: int, *, longest: int | None = None, cadence: str = "1 step") -> Window:
        """The window, chosen from the lengths of the record and of its longest run where it is not given.

        Parameters
        ----------
        steps, longest : int, int or None
            Steps of the record and of its longest run.
        cadence : str
            The step in words, for a history or horizon given as a time.

        Raises
        ------
        ConfigError
            If a time is no whole number of steps.

        Examples
        --------
        >>> Study(history="2d", horizon="12h").window(400, cadence="6 h")
        Window(history=8, prediction=2, stride=1)
        """
        history, horizon = (_in_steps(self, option, cadence) for option in ("history", "horizon"))
        return Window.for_record(steps, history=history, prediction=horizon, stride=self.stride, longest=longest)

    def cut(self, record: Record) -> tuple[Window, Split]:
        """The window, and training, validation and test of a record.

        Raises
        ------
        ConfigError, DataError
            If the record is too short, or cannot be split as asked.
        """
        longest = max(stop - start for start, stop in record.runs)
        window = self.window(record.steps, longest=longest, cadence=record.cadence)
        return window, self.parts(record, window)

    def parts(self, record: Record, window: Window) -> Split:
        """Training, validation and test of a record with a window.

        Raises
        ------
        ConfigError, DataError
            If it cannot be split as asked.
        """
        return split_record(record, window, by=self.split, until=self.until)

    def budget(self, sites: Sites) -> int:
        """How many sensors, see `wanted`.

        Raises
        ------
        BudgetError
            If no plan has so many.
        """
        budget = self.wanted(sites)
        sites.check_budget(budget)
        return budget

    def wanted(self, sites: Sites) -> int:
        """How many sensors: as asked, or 20 but at most a tenth of the sites; possible or not.

        Where the user says nothing, there is room for all fixed sites and one more, and for no forbidden one.
        """
        n = len(sites)
        if self.sensors is not None:
            return self.sensors
        if self.sparsity is not None:
            return max(1, round((1 - self.sparsity) * n))
        usual = max(min(_DEFAULT_SENSORS, n // 10), len(sites.fixed) + 1)
        return max(1, min(usual, len(sites.legal)))

    def chosen_planner(self) -> tuple[str, str]:
        """Name of the planner, and why it is that one.

        Examples
        --------
        >>> Study().chosen_planner()
        ('dynst_linear', 'the default')
        >>> Study(planner="dynst").chosen_planner()
        ('dynst', 'as asked')
        """
        if self.planner != "auto":
            return self.planner, "as asked"
        if self._switches:
            return NETWORK, f"as asked by {self._switches[0]}"
        if self.backbone == "linear":
            return DEFAULT, "as asked by the linear backbone"
        if self.backbone != "auto":
            return NETWORK, f"as asked by the {self.backbone} backbone"
        return DEFAULT, "the default"

    def network(self, planner: str = NETWORK) -> dict[str, Any]:
        """Options of a planner that trains a network; one that is left out has that planner's own default.

        Examples
        --------
        >>> Study(steps=50, polish=False).network("one_shot")
        {'steps': 50, 'device': 'auto'}
        """
        names: tuple[str, ...] = ("dim", "depth", "patch", "steps", "batch", "device")
        network = {"backbone": self.backbone} if self.backbone in ("stlight", "gnn") else {}
        row = row_of(planner)
        if row.switches:
            names += _SWITCHES
        options = network | {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if row.most_steps is not None and planner != self.planner:
            options["steps"] = min(options.get("steps", row.most_steps), row.most_steps)
        if options.get("polish") is False:
            options["exact_sweep"] = False  # "as published" means neither kind of swap after training
        return options

    def toml(self) -> str:
        """The study as a TOML file; what has its default value is left out."""
        tables = []
        for table, keys in _TABLES.items():
            lines = [
                f"{key} = {_toml(getattr(self, name))}"
                for key, name in keys.items()
                if getattr(self, name) is not None and getattr(self, name) != type(self).model_fields[name].default
            ]
            if lines:
                tables.append("\n".join([f"[{table}]", *lines]))
        return "\n\n".join(tables)


def _in_steps(study: Study, option: str, cadence: str) -> int | None:
    value: int | str | None = getattr(study, option)
    return steps_of(value, cadence, option=option) if isinstance(value, str) else value


def is_path(data: str) -> bool:
    """Whether data are named by a path, rather than by a URL or as a sample.

    Examples
    --------
    >>> is_path("run:3.csv"), is_path("sample:heat_mesh"), is_path("s3://era5.zarr")
    (True, False, False)
    """
    return "://" not in data and not data.startswith(("sample:", "synthetic:"))


def _over(fields: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """The fields with `given` ones in their place; a budget replaces a budget, in whichever form it comes."""
    budget = {"sparsity", "sensors"}
    dropped = budget if budget & given.keys() else set()
    return {name: value for name, value in fields.items() if name not in dropped} | dict(given)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such study file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a study file ({error}).") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from error


def _read(path: Path, *, sample: bool) -> tuple[dict[str, object], dict[str, str]]:
    """Fields of a study file, and where in the file each came from."""
    tables, known = _parsed(path), _TABLES | {"sample": _SAMPLE}
    if sample and "sample" not in tables:
        raise ConfigError(f"{path}: the study has no small form: it holds no table [sample].")
    parts: dict[bool, dict[str, object]] = {False: {}, True: {}}  # of the study, and of its small form
    origin: dict[str, str] = {}
    for table, content in tables.items():
        if table not in known:
            raise ConfigError(f"{path}: {_unknown_table(table, content)}")
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: {table} is a table: write [{table}] and its keys below it.")
        for key, value in content.items():
            if key not in known[table]:
                raise ConfigError(f"{path}, [{table}] {unknown_name('key', key, known[table])}")
            parts[table == "sample"][known[table][key]] = value
            if table != "sample" or sample:
                origin[known[table][key]] = f"{path}, [{table}] {key}"
    fields = _over(parts[False], parts[True]) if sample else parts[False]
    for name in ("data", "stations", "graph", "regions", *_TABLES["rules"]):
        if isinstance(place := fields.get(name), str) and place:
            fields[name] = _beside(path, place)
    return fields, origin


def _unknown_table(table: str, content: object) -> str:
    homes = [name for name, keys in _TABLES.items() if table in keys]
    if homes and not isinstance(content, dict):
        return f'key "{table}" stands outside a table: move it under [{homes[0]}].'
    return unknown_name("table", table, _TABLES)


def _beside(path: Path, data: str) -> str:
    """Relative data paths of a study file are relative to that file."""
    return str(path.parent / data) if is_path(data) and not data.startswith("~") else data


def _one_line(error: ValidationError, origin: Mapping[str, str], path: Path | None) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    where = origin.get(name, str(path) if path and not name else name)
    text = _MENDED.get(first["type"], _as_said)(dict(first))
    return f"{where}: {text}." if where else f"{text}."


def _as_said(error: dict[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ").rstrip(".")


def _literal(error: dict[str, Any]) -> str:
    known = [part.strip(" '") for part in error["ctx"]["expected"].replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(error["input"]), known, n=1)
    hint = f'. Did you mean "{near[0]}"' if near else ""
    return f'"{error["input"]}" is unknown{hint}{"?" if near else "."} Known: {", ".join(known)}'


_MENDED: dict[str, Callable[[dict[str, Any]], str]] = {
    "literal_error": _literal,
    "greater_than_equal": lambda e: f"{e['input']} came; at least {e['ctx']['ge']} is expected",
    "greater_than": lambda e: f"{e['input']} came; more than {e['ctx']['gt']} is expected",
    "less_than": lambda e: f"{e['input']} came; less than {e['ctx']['lt']} is expected",
    "less_than_equal": lambda e: f"{e['input']} came; at most {e['ctx']['le']} is expected",
    "finite_number": lambda e: f"{e['input']} came; a finite number is expected",
    "bool_parsing": lambda e: f"{json.dumps(e['input'])} came; true or false is expected",
    "bool_type": lambda e: f"{json.dumps(e['input'])} came; true or false is expected",
    "string_type": lambda e: f"{json.dumps(e['input'])} came; text in quotes is expected",
    "tuple_type": lambda e: f"{json.dumps(e['input'])} came; a list in brackets is expected",
    "int_parsing": lambda e: f'"{e["input"]}" is no whole number',
    "int_type": lambda e: f"{json.dumps(e['input'])} is no whole number",
    "int_from_float": lambda e: f"{e['input']} is no whole number",
    "float_parsing": lambda e: f'"{e["input"]}" is no number',
    "extra_forbidden": lambda e: unknown_name("option", str(e["loc"][0]), Study.model_fields).rstrip("."),
}
"""Pydantic's kinds of error that a user meets, in our words."""


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(value, ensure_ascii=False)  # JSON's strings, numbers and booleans are TOML's
