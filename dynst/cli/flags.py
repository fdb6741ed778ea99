"""The flags that fill a study: one row each, from which every command that reads data makes its own."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer

from dynst.cli.completion import planner_names
from dynst.errors import ConfigError
from dynst.planners import PLANNERS

__all__ = ["FLAGS", "READING", "Flag", "filled_by", "settings"]

_RARE = "Rarely needed"
_RESEARCH = "Research switches of the mask"

_Command = TypeVar("_Command", bound=Callable[..., None])


@dataclass(frozen=True)
class Flag:
    """A flag of a command, and the field of `Study`, or option of a planner, that it fills.

    Attributes
    ----------
    name : str
        Of the field; the flag is the same with dashes, and ``--no-...`` besides for a switch.
    kind : type
        Of the value.
    panel : str
        Under which heading the help shows it.
    help : str
        One line.
    metavar : str or None
        What stands for the value in the help; the type's own word if None.
    repeats : bool
        Whether it may be given several times.
    offered : callable or None
        What the shell offers after a Tab.
    """

    name: str
    kind: type
    panel: str
    help: str
    metavar: str | None = None
    repeats: bool = False
    offered: Callable[[str], list[str]] | None = None

    @property
    def parameter(self) -> inspect.Parameter:
        """The flag as typer reads it: a keyword that is None where nobody gave it."""
        option = typer.Option(
            metavar=self.metavar, help=self.help, rich_help_panel=self.panel, autocompletion=self.offered
        )
        value: Any = list[self.kind] if self.repeats else self.kind  # type: ignore[name-defined]  # made while running
        kind = Annotated[value | None, option]
        return inspect.Parameter(self.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


READING = (
    Flag("observe", str, "Data", "What a sensor measures. Default: all.", "A,B"),
    Flag("predict", str, "Data", "What is forecast. Default: all.", "A,B"),
    Flag("stations", str, "Data", "Positions of stations: a table, or points in GeoJSON and alike.", "FILE"),
    Flag("graph", str, "Data", "Edges between stations: a list from,to[,weight], or a weight matrix.", "FILE"),
    Flag("train_until", str, "Data", "End of training, all included: 2015, 2015-12, 2015-12-31T18:00.", "DATE"),
    Flag("valid_until", str, "Data", "End of validation; test follows. Default: what is left, by shares.", "DATE"),
    Flag("existing", str, "Rules", "Stations that stand and stay: a table, points or names; repeatable.", "FILE", True),
    Flag("allow", str, "Rules", 'Polygons, or sites, for new sensors alone; "FILE buffer=5" adds 5 km.', "FILE", True),
    Flag("forbid", str, "Rules", "The same, where no new sensor may stand. Both are repeatable.", "FILE", True),
    Flag("min_distance", str, "Rules", "Sensors keep this distance: km, m, the plane's unit, 3hops.", "30km"),
    Flag("layout", str, _RARE, "Axes of an array: t time, c channel, h, w of frames, p places, e event.", "LETTERS"),
    Flag("sites", int, _RARE, "Reference sites of meshes that move or differ. Default: 2000."),
    Flag("spacing", float, _RARE, "Metres between the cells of a stack of frames.", "M"),
    Flag("keep_values", bool, _RARE, "Take all values as they are: codes like -9999, spikes, stuck sensors."),
    Flag("split", str, _RARE, "run: whole experiments. time: blocks. Default: run if there are 3.", "NAME"),
    Flag("climatology", str, _RARE, "What is usual: mean, day, week, year, cycle. Default: by its own error.", "A+B"),
    Flag("cycle", int, _RARE, "Steps of a cycle, for records without dates.", "STEPS"),
)
"""Flags that say how a record is read and split, and where sensors may stand: of `fit` and `inspect`."""

_PLANNING = (
    Flag("data", str, "Data", "File, glob, folder, URL, or sample:NAME. Default: a sample of dynst's own.", "DATA"),
    Flag("history", str, "Data", "Steps read, or a time: 2d. Default: from the record's length.", "STEPS"),
    Flag("horizon", str, "Data", "Steps forecast, or a time: 12h. Default: from the record's length.", "STEPS"),
    Flag("sparsity", float, "Budget", "Share of the sites without a sensor, from 0 to below 1."),
    Flag("sensors", int, "Budget", "The same budget as a count. Default: 20, at most a tenth of the sites."),
    Flag("new", int, "Budget", "So many new sensors besides the existing ones."),
    Flag(
        "planner",
        str,
        "Method",
        f"One of {', '.join(PLANNERS)}. Default: by the other options.",
        "NAME",
        offered=planner_names,
    ),
    Flag("backbone", str, "Method", "Network to train, or linear for none. Default: by the layout.", "NAME"),
    Flag("steps", int, _RESEARCH, "Training steps."),
    Flag("compare", str, "Comparison", "quick: no networks. full: networks and seeds too; slow. none.", "NAME"),
    Flag("seeds", int, _RARE, "Plans of a planner that draws lots, and networks per plan. Default: 3."),
    Flag("regions", str, "Comparison", "Polygons to report errors for. Default: bands of latitude.", "FILE"),
    Flag("stability", bool, "Comparison", "What stays with other seeds and parts of the record. Default: if cheap."),
    Flag("seed", int, "Run", "Same seed, same plan."),
    Flag("device", str, "Run", "auto, cpu or cuda.", "NAME"),
    Flag("out", str, "Run", "Run folder. Default: runs/<data>-<planner>-s<sparsity>-<n>.", "FOLDER"),
    Flag("stride", int, _RARE, "Steps between windows. Default: 1."),
    Flag("ladder", str, _RARE, "Sparsities to compare, in addition to the chosen one.", "S,S,..."),
    Flag("tolerance", float, _RARE, "Enough sensors win all but so much of what one at every site wins.", "%"),
    Flag("refit_all", bool, _RARE, "Keep a second forecaster, fitted to all data, for `dynst forecast`."),
    Flag("workers", int, _RARE, "Processes that judge at a time. Default: one a core."),
    Flag("dim", int, _RESEARCH, "Width of the network."),
    Flag("depth", int, _RESEARCH, "Blocks of the network."),
    Flag("patch", int, _RESEARCH, "Cells per side of a patch, for a network on grids."),
    Flag("batch", int, _RESEARCH, "Windows per training step."),
    Flag("evidence", str, _RESEARCH, "A site's worth: magnitude, gradient, benefit, exact or random.", "NAME"),
    Flag("drop_by", str, _RESEARCH, "Another worth for what to drop.", "NAME"),
    Flag("schedule", str, _RESEARCH, "How the mask shrinks: geometric or cubic.", "NAME"),
    Flag("interval", int, _RESEARCH, "Training steps between two updates of the mask."),
    Flag("alpha", float, _RESEARCH, "How much is swapped at an update; 0.3 as in RigL."),
    Flag("rate", str, _RESEARCH, "Learning rate over time: one_cycle or cosine.", "NAME"),
    Flag("prune", bool, _RESEARCH, "Shrink the mask from all sites; without, begin at random."),
    Flag("regrow", bool, _RESEARCH, "Swap sites at the budget while training."),
    Flag("rewind", bool, _RESEARCH, "Rewind the weights after each round of pruning."),
    Flag("l1", float, _RESEARCH, "Weight of the L1 term on the scores."),
    Flag("polish", bool, _RESEARCH, "Improve the trained plan by exact swaps."),
    Flag("precision", str, _RESEARCH, "Arithmetic of the network: 32 or bf16.", "NAME"),
)

_PANELS = ("Data", "Budget", "Rules", "Method", "Comparison", "Run", _RARE, _RESEARCH)


def _place(flag: Flag) -> tuple[int, bool]:
    """Panel by panel, the data first."""
    return _PANELS.index(flag.panel), flag.name != "data"


FLAGS = tuple(sorted((*READING, *_PLANNING), key=_place))
"""All flags of `fit` that fill a study, panel by panel."""


def filled_by(flags: Iterable[Flag]) -> Callable[[_Command], _Command]:
    """Give a command these flags; its parameter ``**asked`` gets their values, None where nobody gave one."""

    def with_flags(command: _Command) -> _Command:
        signature = inspect.signature(command, eval_str=True)
        own = [part for part in signature.parameters.values() if part.kind is not inspect.Parameter.VAR_KEYWORD]
        first = [part for part in own if part.kind is not inspect.Parameter.KEYWORD_ONLY]
        last = [part for part in own if part.kind is inspect.Parameter.KEYWORD_ONLY]
        parameters = [*first, *(flag.parameter for flag in flags), *last]
        command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return command

    return with_flags


def settings(pairs: Iterable[str]) -> dict[str, object]:
    """Keys and values of ``--set KEY=VALUE``: a value as in a study file, and text that is none as it stands.

    Raises
    ------
    ConfigError
        If a pair has no key or no equals sign.

    Examples
    --------
    >>> settings(["alpha=0.2", "evidence=magnitude", "scaled=false"])
    {'alpha': 0.2, 'evidence': 'magnitude', 'scaled': False}
    """
    found = {}
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not (key.strip() and sign):
            raise ConfigError(f'--set: "{pair}" came; KEY=VALUE is expected, such as alpha=0.2.')
        found[key.strip()] = _value(text.strip())
    return found


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
