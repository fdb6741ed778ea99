"""Planners: a task in, a ranked plan out. `PLANNERS` is the whole table; a module loads when its planner is used."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from dynst.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from dynst.domain import Plan
    from dynst.planners.base import Planner, Task

__all__ = ["PLANNERS", "SEEDED", "TRAINED", "LazyPlanner", "find_planner"]


@dataclass(frozen=True)
class LazyPlanner:
    """A planner by name; its module is imported at first use, so that naming planners costs nothing.

    Examples
    --------
    >>> PLANNERS["coverage"]
    LazyPlanner('coverage')
    """

    name: str

    def __repr__(self) -> str:
        return f"LazyPlanner({self.name!r})"

    def load(self) -> Planner:
        """The module that holds the function `plan`."""
        return cast("Planner", import_module(f"dynst.planners.{self.name}"))

    def plan(self, task: Task, *, seed: int, **options: Any) -> Plan:
        """Plan with the named planner; see `dynst.planners.base.Planner`. `options` go to it as they are."""
        return self.load().plan(task, seed=seed, **options)


PLANNERS: dict[str, LazyPlanner] = {
    name: LazyPlanner(name)
    for name in (
        "dynst",
        "dynst_linear",
        "uniform_random",
        "coverage",
        "variance",
        "pivoted_qr",
        "a_optimal",
        "mutual_information",
        "forward",
        "one_shot",
    )
}

SEEDED = frozenset({"dynst", "uniform_random", "one_shot"})
"""Planners that draw lots: another seed, another plan. All others plan the same whatever the seed."""


TRAINED = frozenset({"dynst", "one_shot"})
"""Planners that train a network: minutes a plan, and they alone load torch. All others solve in closed form."""


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
