"""Planners: a task in, a ranked plan out. `PLANNERS` is the whole table; a module loads when its planner is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from dynst.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from dynst.domain import Plan
    from dynst.planners.base import Planner, Task
    from dynst.planners.options import PlannerOptions

__all__ = ["DEFAULT", "NETWORK", "PLANNERS", "LazyPlanner", "all_options", "find_planner", "row_of", "takers"]


@dataclass(frozen=True)
class LazyPlanner:
    """A planner by name, and the facts that others treat it by.

    Its module is imported at first use, so that naming planners and asking for facts costs nothing. The module holds
    `plan` and, if the planner has options, their class `Options` (see `dynst.planners.options`); a planner that trains
    imports the libraries of networks inside `plan`.

    Attributes
    ----------
    name : str
        As one types it, and the name of the module.
    trains : bool
        Whether it trains a network: minutes a plan, and torch is loaded. All others solve in closed form.
    seeded : bool
        Whether it draws lots: another seed, another plan. All others plan the same whatever the seed.
    reads_record : bool
        Whether it looks at the values measured. The others know the sites alone.
    resumable : bool
        Whether it takes so long that it reports its steps, keeps a checkpoint, and plans only where it was asked to.
    draws : int
        Plans of it, at least, that a plan is compared with under a judge in closed form; see `docs/method.md`.
    most_steps : int or None
        Training steps, at most, where it is a baseline of another planner: by then its loss has levelled, and more
        would cost hours and tell no more.

    Examples
    --------
    >>> PLANNERS["coverage"]
    LazyPlanner('coverage')
    >>> PLANNERS["coverage"].reads_record, PLANNERS["coverage"].trains
    (False, False)
    """

    name: str
    trains: bool = False
    seeded: bool = False
    reads_record: bool = True
    resumable: bool = False
    draws: int = 1
    most_steps: int | None = None

    def __repr__(self) -> str:
        return f"LazyPlanner({self.name!r})"

    def load(self) -> Planner:
        """The module that holds the function `plan`."""
        return cast("Planner", import_module(f"dynst.planners.{self.name}"))

    @property
    def options(self) -> type[PlannerOptions]:
        """The class of the planner's options; without fields where it has none. Loads no library of networks.

        Examples
        --------
        >>> PLANNERS["forward"].options.names(), PLANNERS["coverage"].options.names()
        (('penalty',), ())
        """
        from dynst.planners.options import PlannerOptions  # noqa: PLC0415

        return cast("type[PlannerOptions]", getattr(self.load(), "Options", PlannerOptions))

    def plan(self, task: Task, *, seed: int, live: Mapping[str, Any] = MappingProxyType({}), **options: Any) -> Plan:
        """Plan with the named planner.

        Parameters
        ----------
        task, seed
            See `dynst.planners.base.Planner`.
        live : mapping
            What a resumable planner is told besides its options: ``listen``, ``checkpoint``, ...
        options
            Fields of its `options`.

        Raises
        ------
        OptionError
            If it has no such option, or the value makes no sense.
        """
        chosen = self.options.of(options)
        told = {"options": chosen} if chosen.names() else {}
        return self.load().plan(task, seed=seed, **told, **live)


_ROWS = (
    LazyPlanner("dynst", trains=True, seeded=True, resumable=True),
    LazyPlanner("dynst_linear"),
    LazyPlanner("uniform_random", seeded=True, reads_record=False, draws=20),
    LazyPlanner("coverage", reads_record=False),
    LazyPlanner("variance"),
    LazyPlanner("pivoted_qr"),
    LazyPlanner("a_optimal"),
    LazyPlanner("mutual_information"),
    LazyPlanner("forward"),
    LazyPlanner("one_shot", trains=True, seeded=True, most_steps=150),
)

PLANNERS = {row.name: row for row in _ROWS}
"""All planners by name, in the order in which they plan."""

DEFAULT, NETWORK = "dynst_linear", "dynst"
"""Who plans where nothing (or the linear backbone) is asked for, and where a backbone or switch of a network is."""


def find_planner(name: str) -> LazyPlanner:
    """The planner of this name.

    Raises
    ------
    ConfigError
        If there is none; the message offers the nearest name.

    Examples
    --------
    >>> find_planner("coverage").name
    'coverage'
    """
    if name not in PLANNERS:
        raise ConfigError(unknown_name("planner", name, PLANNERS))
    return PLANNERS[name]


def row_of(name: str) -> LazyPlanner:
    """The row of a name in a curve or a comparison; what is no planner there (a frame, a judge) has the usual facts.

    Examples
    --------
    >>> row_of("one_shot").trains, row_of("ceiling").trains
    (True, False)
    """
    return PLANNERS.get(name, LazyPlanner(name))


def takers(option: str) -> tuple[str, ...]:
    """Planners that have an option of this name.

    Examples
    --------
    >>> takers("alpha"), takers("penalty"), takers("colour")
    (('dynst', 'dynst_linear'), ('forward',), ())
    """
    return tuple(name for name, row in PLANNERS.items() if option in row.options.names())


def all_options() -> tuple[str, ...]:
    """Names of the options of all planners, each once."""
    return tuple(dict.fromkeys(option for row in PLANNERS.values() for option in row.options.names()))
