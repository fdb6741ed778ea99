"""The study: what is asked for, from a TOML file, from flags or from Python; the only place that knows all names."""

from __future__ import annotations

import datetime as dt
import difflib
import inspect
import json
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from dynst.backbones import BACKBONES, SHAPES, check_shape
from dynst.domain import Field as Record
from dynst.domain import Sites, Window
from dynst.domain.calendar import Calendar
from dynst.domain.dates import Date, Until
from dynst.domain.distances import Length
from dynst.domain.durations import is_duration, steps_of
from dynst.domain.split import Split, split_record
from dynst.errors import ConfigError, OptionError, unknown_name
from dynst.planners import DEFAULT, NETWORK, PLANNERS, all_options, takers
from dynst.readers import DEFAULT_SAMPLE, Hints
from dynst.readers.rule_files import RuleFile

__all__ = ["FROM_PYTHON", "Study", "is_path"]

FROM_PYTHON = "python:"
"""How the data of a study are named that no file holds: a `Field` made in Python."""

_DEFAULT_SENSORS = 20
# Chosen: beyond some 20 sensors the choice of places hardly matters on smooth fields; below, it does.

_LINEAR = "linear"  # the backbone in closed form

_NETWORK = ("backbone", "dim", "depth", "patch", "steps", "batch")
"""Fields of the network: each planner that trains one is told them, and the judge that trains networks afresh."""

_SHARED = (*_NETWORK, "device", "precision")
"""Fields that a planner is told if it has an option of that name."""

_BUDGETS = ("sparsity", "sensors", "new")
"""Options that say how many sensors: at most one of them is given."""

_FILES = ("existing", "allow", "forbid")
"""Rules that files give."""

_TABLES: dict[str, dict[str, str]] = {
    "data": {
        "path": "data",
        **{key: key for key in ("observe", "predict", "stations", "graph", "layout", "sites", "spacing", "split")},
        **{key: key for key in ("train_until", "valid_until", "keep_values")},
    },
    "window": {key: key for key in ("history", "horizon", "stride", "climatology", "cycle")},
    "budget": {"sparsity": "sparsity", "sensors": "sensors", "new": "new"},
    "rules": {key: key for key in ("existing", "allow", "forbid", "min_distance")},
    "planner": {
        "name": "planner",
        **{key: key for key in _NETWORK},
    },
    "judge": {key: key for key in ("compare", "ladder", "seeds", "regions", "stability", "tolerance")},
    "run": {key: key for key in ("seed", "device", "precision", "workers", "refit_all", "out")},
}
"""Tables of a study file: key in the file -> field of `Study`. ``[planner]`` takes the planner's own options too."""

_KEYS = _TABLES | {"sample": {key: name for keys in _TABLES.values() for key, name in keys.items() if key != "name"}}
"""The same with the table ``[sample]``, which takes the keys of all the others."""

_WITH_OPTIONS = ("planner", "sample")
"""Tables that take the options of planners."""


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


def _files(value: object) -> object:
    """Files of a rule: one, or a list; an empty text takes back what a file says."""
    parts = value if isinstance(value, list | tuple) else [value]
    try:
        return tuple(RuleFile.parse(part) for part in parts if part not in ("", None))
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None


def _length(value: object) -> object:
    if value in ("", None):
        return None
    try:
        return str(Length.parse(value))
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None


Files = Annotated[tuple[RuleFile, ...], BeforeValidator(_files)]
Steps = Annotated[Annotated[int, Field(ge=1)] | str, BeforeValidator(_steps_or_time)]
Said = Annotated[str | None, BeforeValidator(lambda value: None if value == "" else value)]  # "" takes it back
IsoDate = Annotated[str | None, BeforeValidator(_date)]


def _known_backbone(value: object) -> object:
    names = ("auto", *BACKBONES, _LINEAR)
    if not isinstance(value, str) or value in names:
        return value
    raise ValueError(unknown_name("backbone", value, names).rstrip("."))


class Study(BaseModel):
    """What is asked for: data, window, budget, rules, planner, comparison, run.

    A field that is left out, or None, is chosen from the data, and the run says what was chosen. Values are those of
    a study file (`load`, `toml`), where each paragraph below is a table.

    Parameters
    ----------
    data, stations, graph, layout, sites, spacing, split, train_until, valid_until, keep_values
        ``[data]``: path (or URL, ``sample:NAME``; ``python:NAME`` stands for a `Field` made in Python), files of
        positions and links, axes of frames, number of reference sites, metres between cells; split by ``time`` or
        whole ``run``, or dates that end training and validation; whether codes for missing values, spikes and sensors
        that stand still stay as they are.
    observe, predict : sequence of str
        Channels that a sensor measures, and that are forecast; all if empty.
    history, horizon, stride, climatology, cycle
        ``[window]``: steps read and forecast (or times such as ``"12h"``), steps between windows; what is usual, such
        as ``"year+day"``, and the steps of a cycle.
    sparsity, sensors, new
        ``[budget]``: share of the sites without a sensor, number of sensors, or of new ones; one of them.
    existing, allow, forbid, min_distance
        ``[rules]``: files of stations that stay, and of where alone, or not at all, a new sensor may stand;
        the distance that sensors keep, such as ``"30km"``.
    planner, options
        ``[planner]``: a name in `PLANNERS`, and its own options by name (``PLANNERS[name].options`` documents them);
        an option may also be given as a keyword: ``Study(planner="forward", penalty=0.1)``.
    backbone, dim, depth, patch, steps, batch
        ``[planner]``: network and its training, for each planner that trains one and for networks that judge.
    compare, ladder, seeds, regions, stability, tolerance
        ``[judge]``: ``quick``, ``full`` or ``none``; further sparsities; plans of a planner that draws lots; file of
        regions; whether to plan again on parts of the record; percent within which a smaller plan is enough.
    seed, device, precision, workers, refit_all, out
        ``[run]``: seed of all that is random, where and how networks compute, processes, whether to keep a second
        forecaster that is fitted to all data, folder of the run.

    Raises
    ------
    pydantic.ValidationError
        If a value makes no sense; `load` and `of` raise one line instead, a `ConfigError`.

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
    >>> Study(planner="forward", penalty=0.1).options
    {'penalty': 0.1}
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
    keep_values: bool = False

    history: Steps | None = None
    horizon: Steps | None = None
    stride: Count = 1
    climatology: Annotated[str, BeforeValidator(_terms)] = "auto"
    cycle: Annotated[int, Field(ge=2), BeforeValidator(_no_switch)] | None = None

    sparsity: Share | None = None
    sensors: Count | None = None
    new: Count | None = None

    existing: Files = ()
    allow: Files = ()
    forbid: Files = ()
    min_distance: Annotated[str | None, BeforeValidator(_length)] = None

    planner: str = "auto"
    options: dict[str, Any] = {}
    backbone: Annotated[str, BeforeValidator(_known_backbone)] = "auto"
    dim: Count | None = None
    depth: Count | None = None
    patch: Count | None = None
    steps: Count | None = None
    batch: Count | None = None

    compare: Literal["quick", "full", "none"] = "quick"
    ladder: Annotated[tuple[Share, ...] | None, BeforeValidator(_listed)] = None
    seeds: Count = 3
    regions: Said = None
    stability: bool | None = None
    tolerance: Annotated[float, Field(gt=0, allow_inf_nan=False), BeforeValidator(_no_switch)] = 5.0

    seed: Annotated[int, Field(ge=0), BeforeValidator(_no_switch)] = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Annotated[str, BeforeValidator(str)] = "32"
    workers: Count | None = None
    refit_all: bool = False
    out: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _options_apart(cls, given: object) -> object:
        """Options of planners given as keywords go to `options`; fields given as options go to their field."""
        if not isinstance(given, Mapping) or not isinstance(given.get("options", {}), Mapping):
            return given
        flat = {**given, **given.get("options", {})}
        flat.pop("options", None)
        fields = {name: value for name, value in flat.items() if name in cls.model_fields}
        rest = {name: value for name, value in flat.items() if name not in fields}
        options = {name: value for name, value in rest.items() if value is not None and takers(name)}
        unknown = {name: value for name, value in rest.items() if not takers(name)}
        return fields | unknown | {"options": options}

    @model_validator(mode="after")
    def _no_contradiction(self) -> Study:
        asked = [name for name in _BUDGETS if getattr(self, name) is not None]
        if len(asked) > 1:
            raise ValueError(f"{' and '.join(asked)} exclude each other: give one of them")
        if any(one.buffer for one in self.existing):
            raise ValueError("existing stations take no buffer: to keep others away from them give min_distance")
        if self.valid_until is not None and self.train_until is None:
            raise ValueError("valid_until needs train_until: give both, or train_until alone")
        if self.until is not None and self.split == "run":
            raise ValueError("a split by run keeps whole runs and takes no date: leave out split, or train_until")
        if "cycle" in self.climatology.split("+") and self.cycle is None:
            raise ValueError("climatology cycle has no length: give --cycle STEPS")
        self._check_backbone()
        self._check_options()
        return self

    def _check_backbone(self) -> None:
        if self.planner == NETWORK and self.backbone == _LINEAR:
            raise ValueError(f"planner {NETWORK} trains a network: for the linear backbone choose planner {DEFAULT}")
        if self.planner == DEFAULT and self.backbone in BACKBONES:
            raise ValueError(
                f"planner {DEFAULT} trains no network: for the backbone {self.backbone} choose planner {NETWORK}"
            )
        if self.backbone != "auto":
            check_shape(self.backbone, self.shape)

    def _check_options(self) -> None:
        planner, _ = self.chosen_planner()
        if planner not in PLANNERS or not self._given:
            return
        own = PLANNERS[planner].options
        for name in self._given:
            if name not in own.names():
                raise OptionError(
                    name,
                    f"belongs to planner {' or '.join(takers(name))}; planner {planner} does not take it: "
                    f"leave one of them out",
                )
        own.of(self.planner_options(planner))

    @property
    def _given(self) -> list[str]:
        """Options given that a planner must have, as they would do nothing otherwise."""
        default = type(self).model_fields["precision"].default
        return [*self.options, *(["precision"] if self.precision != default else [])]

    @property
    def shape(self) -> dict[str, int]:
        """Options of the network's shape that are given: those that differ between backbones."""
        named = {name: getattr(self, name) for name in SHAPES}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        flags: Mapping[str, object] | None = None,
        *,
        settings: Mapping[str, object] | None = None,
        sample: bool = False,
    ) -> Study:
        """A study from a TOML file (or the defaults), with flags and settings on top.

        Parameters
        ----------
        path : Path or None
            The file.
        flags : mapping or None
            Fields of the study and options of planners; those that are None say nothing.
        settings : mapping or None
            Keys of the table ``[planner]``.
        sample : bool
            Whether what the file's table ``[sample]`` says replaces the rest of the file: the same study on small
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
        for key, value in (settings or {}).items():
            field = _field_of("planner", key, "--set")
            fields[field], origin[field] = value, f"--set {key}"
        if path and fields.get("data") == "":
            hint = ", or try the study with --sample" if "sample" in _parsed(path) else ""
            raise ConfigError(f"{path}: name the data with --data PATH (the file says where to get them){hint}.")
        return cls._valid(fields, origin, str(path or ""))

    def but(self, **fields: object) -> Study:
        """The same study with other fields and options; a budget replaces a budget, in whichever form it comes.

        Raises
        ------
        ConfigError
            As of `of`.

        Examples
        --------
        >>> Study(sparsity=0.5, planner="forward", penalty=0.1).but(sensors=9)
        Study(sensors=9, planner='forward', options={'penalty': 0.1})
        """
        named = {name: getattr(self, name) for name in self.model_fields_set if name != "options"}
        return type(self).of(**_over(named | self.options, fields))

    def __repr__(self) -> str:
        """What is not left to its default."""
        named = [(name, getattr(self, name)) for name in type(self).model_fields]
        said = [f"{name}={value!r}" for name, value in named if value != type(self).model_fields[name].default]
        return f"Study({', '.join(said)})"

    @classmethod
    def of(cls, **fields: object) -> Study:
        """A study from fields and options by name, as `Study` itself, but what is wrong is a `ConfigError`.

        Raises
        ------
        ConfigError
            One line with the field and, for an unknown name, the nearest known one.

        Examples
        --------
        >>> Study.of(sensors=0)
        Traceback (most recent call last):
        ...
        dynst.errors.ConfigError: sensors: 0 came; at least 1 is expected.
        """
        return cls._valid(fields, {}, "")

    @classmethod
    def _valid(cls, fields: Mapping[str, object], origin: Mapping[str, str], whole: str) -> Study:
        try:
            study = cls.model_validate(fields)
        except ValidationError as error:
            raise ConfigError(_one_line(error, origin, whole)) from error
        if study.planner not in {"auto", *PLANNERS}:
            where = origin.get("planner", "planner")
            raise ConfigError(f"{where}: {unknown_name('planner', study.planner, PLANNERS)}")
        return study

    @property
    def until(self) -> Until | None:
        """Dates that end training and validation, if the study names any."""
        return None if self.train_until is None else Until.parse(self.train_until, self.valid_until)

    @property
    def rules(self) -> dict[str, tuple[RuleFile, ...]]:
        """Files of each rule of deployment that files give; empty where there is none."""
        return {rule: getattr(self, rule) for rule in _FILES}

    @property
    def from_python(self) -> bool:
        """Whether no file holds the data, so that no other process can read them."""
        return self.data.startswith(FROM_PYTHON)

    @property
    def hints(self) -> Hints:
        """What the reader is told besides the path."""
        return Hints(
            stations=self.stations,
            graph=self.graph,
            layout=self.layout,
            sites=self.sites,
            spacing=self.spacing,
            keep_values=self.keep_values,
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
        if self.new is not None:
            return len(sites.fixed) + self.new
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
        if self.backbone == _LINEAR:
            return DEFAULT, f"as asked by the {_LINEAR} backbone"
        given = self._given
        if given and set(given) <= set(PLANNERS[NETWORK].options.names()):
            return NETWORK, f"as asked by {given[0]}"
        if self.backbone != "auto":
            return NETWORK, f"as asked by the {self.backbone} backbone"
        return DEFAULT, "the default"

    def network(self) -> dict[str, Any]:
        """Options of a network that judges; one that is left out has its own default.

        Examples
        --------
        >>> Study(steps=50, polish=False).network()
        {'steps': 50, 'device': 'auto'}
        """
        named = {name: getattr(self, name) for name in (*_NETWORK, "device")}
        if self.backbone not in BACKBONES:
            del named["backbone"]
        return {name: value for name, value in named.items() if value is not None}

    def planner_options(self, planner: str) -> dict[str, Any]:
        """What a planner is told: of the network what it takes, and the study's own options if they are for it.

        Examples
        --------
        >>> study = Study(steps=500, polish=False)
        >>> study.planner_options("one_shot")
        {'steps': 150, 'device': 'auto'}
        >>> study.planner_options("dynst")
        {'steps': 500, 'device': 'auto', 'precision': '32', 'polish': False}
        >>> study.planner_options("coverage")
        {}
        """
        row, (chosen, _) = PLANNERS[planner], self.chosen_planner()
        taken = row.options.names()
        shared = self.network() | {"precision": self.precision}
        options = {name: value for name, value in shared.items() if name in taken}
        if planner == chosen:
            return options | self.options
        if row.most_steps is not None:
            options["steps"] = min(options.get("steps", row.most_steps), row.most_steps)
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
            if table == "planner":
                lines += [f"{name} = {_toml(value)}" for name, value in self.options.items()]
            if lines:
                tables.append("\n".join([f"[{table}]", *lines]))
        return "\n\n".join(tables)


def _signature() -> inspect.Signature:
    """Fields and defaults alone: pydantic's own holds a validator's address for each of them."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    fields = [inspect.Parameter(name, keyword, default=field.default) for name, field in Study.model_fields.items()]
    return inspect.Signature([*fields, inspect.Parameter("planner_options", inspect.Parameter.VAR_KEYWORD)])


Study.__signature__ = _signature()


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
    return "://" not in data and not data.startswith(("sample:", "synthetic:", FROM_PYTHON))


def _over(fields: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """The fields with `given` ones in their place; a budget replaces a budget, in whichever form it comes."""
    dropped = set(_BUDGETS) if given.keys() & set(_BUDGETS) else set()
    return {name: value for name, value in fields.items() if name not in dropped} | dict(given)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file() and not path.is_dir():  # to read a pipe would wait for ever
            raise ConfigError(f"{path}: a device, a pipe or a socket, and no study file.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such study file.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as a study file ({error}).") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}.") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: not valid TOML: its brackets are nested too deep.") from error
    except ConfigError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError(f"{path}: not valid TOML: {error}.") from error


def _read(path: Path, *, sample: bool) -> tuple[dict[str, object], dict[str, str]]:
    """Fields of a study file, and where in the file each came from."""
    tables = _parsed(path)
    if sample and "sample" not in tables:
        raise ConfigError(f"{path}: the study has no small form: it holds no table [sample].")
    parts: dict[bool, dict[str, object]] = {False: {}, True: {}}  # of the study, and of its small form
    origin: dict[str, str] = {}
    for table, content in tables.items():
        if table not in _KEYS:
            raise ConfigError(f"{path}: {_unknown_table(table, content)}")
        if not isinstance(content, dict):
            raise ConfigError(f"{path}: {table} is a table: write [{table}] and its keys below it.")
        for key, value in content.items():
            field = _field_of(table, key, f"{path}, [{table}]")
            parts[table == "sample"][field] = value
            if table != "sample" or sample:
                origin[field] = f"{path}, [{table}] {key}"
    fields = _over(parts[False], parts[True]) if sample else parts[False]
    for name in ("data", "stations", "graph", "regions", *_FILES):
        if name in fields:
            fields[name] = _all_beside(path, fields[name])
    return fields, origin


def _field_of(table: str, key: str, where: str) -> str:
    """Field of `Study`, or option of a planner, that a key of a table stands for."""
    known = _KEYS[table]
    if key in known:
        return known[key]
    options = all_options() if table in _WITH_OPTIONS else ()
    if key in options:
        return key
    raise ConfigError(f"{where} {unknown_name('key', key, {*known, *options})}")


def _unknown_table(table: str, content: object) -> str:
    homes = [name for name, keys in _TABLES.items() if table in keys]
    if homes and not isinstance(content, dict):
        return f'key "{table}" stands outside a table: move it under [{homes[0]}].'
    return unknown_name("table", table, _TABLES)


def _all_beside(path: Path, value: object) -> object:
    """One path or a list of them, each maybe a table with the key ``file``; see `_beside`."""
    if isinstance(value, list):
        return [_all_beside(path, part) for part in value]
    if isinstance(value, dict) and "file" in value:
        return value | {"file": _all_beside(path, value["file"])}
    return _beside(path, value) if isinstance(value, str) and value else value


def _beside(path: Path, data: str) -> str:
    """Relative data paths of a study file are relative to that file."""
    return str(path.parent / data) if is_path(data) and not data.startswith("~") else data


def _one_line(error: ValidationError, origin: Mapping[str, str], whole: str) -> str:
    first = error.errors()[0]
    wrong = first.get("ctx", {}).get("error")
    if isinstance(wrong, OptionError):
        return f"{origin.get(wrong.option, wrong.option)}: {wrong.fault}."
    name = str(first["loc"][0]) if first["loc"] else ""
    where = origin.get(name, name or whole)
    text = _MENDED.get(first["type"], _as_said)(dict(first))
    return f"{where}: {text}." if where else f"{text}."


def _as_said(error: dict[str, Any]) -> str:
    return str(error["msg"]).removeprefix("Value error, ").rstrip(".")


def _literal(error: dict[str, Any]) -> str:
    known = [part.strip(" '") for part in error["ctx"]["expected"].replace(" or ", ",").split(",")]
    near = difflib.get_close_matches(str(error["input"]), known, n=1)
    hint = f'. Did you mean "{near[0]}"' if near else ""
    return f'"{error["input"]}" is unknown{hint}{"?" if near else "."} Known: {", ".join(known)}'


def _unknown_field(name: str) -> str:
    return unknown_name("option", name, {*Study.model_fields, *all_options()}).rstrip(".")


def _json(value: object) -> str:
    """As it stands in a study file; a date as its digits."""
    return json.dumps(value, default=str)


_MENDED: dict[str, Callable[[dict[str, Any]], str]] = {
    "literal_error": _literal,
    "greater_than_equal": lambda e: f"{e['input']} came; at least {e['ctx']['ge']} is expected",
    "greater_than": lambda e: f"{e['input']} came; more than {e['ctx']['gt']} is expected",
    "less_than": lambda e: f"{e['input']} came; less than {e['ctx']['lt']} is expected",
    "less_than_equal": lambda e: f"{e['input']} came; at most {e['ctx']['le']} is expected",
    "finite_number": lambda e: f"{e['input']} came; a finite number is expected",
    "bool_parsing": lambda e: f"{_json(e['input'])} came; true or false is expected",
    "bool_type": lambda e: f"{_json(e['input'])} came; true or false is expected",
    "string_type": lambda e: f"{_json(e['input'])} came; text in quotes is expected",
    "tuple_type": lambda e: f"{_json(e['input'])} came; a list in brackets is expected",
    "int_parsing": lambda e: f'"{e["input"]}" is no whole number',
    "int_type": lambda e: f"{_json(e['input'])} is no whole number",
    "int_from_float": lambda e: f"{e['input']} is no whole number",
    "float_parsing": lambda e: f'"{e["input"]}" is no number',
    "extra_forbidden": lambda e: _unknown_field(str(e["loc"][0])),
}
"""Pydantic's kinds of error that a user meets, in our words."""


def _toml(value: object) -> str:
    if isinstance(value, RuleFile):
        return f"{{file = {_toml(value.file)}, buffer = {_toml(value.buffer)}}}" if value.buffer else _toml(value.file)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(part) for part in value)}]"
    return json.dumps(value, ensure_ascii=False)  # JSON's strings, numbers and booleans are TOML's
