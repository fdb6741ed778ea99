"""Every exception that dynst raises on purpose, split by what the user can do.

::

    DynstError
    ├── DataError        (ValueError)  the file or its content: mend or choose the data
    ├── ConfigError      (ValueError)  a name, an option, a study file: mend the request
    │   └── OptionError                an option of a planner: mend or leave it out
    ├── BudgetError      (ValueError)  more sensors asked for than the sites and roles allow
    ├── CheckpointError  (OSError)     a run folder or checkpoint that cannot be used
    └── PlannerSkipped                 a planner that cannot run on these data: choose another

A message says what was wrong, what came, what was expected, and what to do. The command line prints it as
one line and ends with exit code 2; anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "BudgetError",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DynstError",
    "OptionError",
    "PlannerSkipped",
    "unknown_name",
]


class DynstError(Exception):
    """Base of all errors that a user can mend."""


class DataError(DynstError, ValueError):
    """The data cannot be used as they are."""


class ConfigError(DynstError, ValueError):
    """The request cannot be understood or contradicts itself."""


class OptionError(ConfigError):
    """An option of a planner is unknown, or its value makes no sense.

    Attributes
    ----------
    option : str
        Its name.
    fault : str
        What is wrong with it, without the name and the full stop.
    """

    def __init__(self, option: str, fault: str) -> None:
        super().__init__(f"{option}: {fault}.")
        self.option, self.fault = option, fault


class BudgetError(DynstError, ValueError):
    """The number of sensors asked for is impossible with these sites and roles."""


class CheckpointError(DynstError, OSError):
    """A run folder or a checkpoint is missing, foreign or damaged."""


class PlannerSkipped(DynstError):  # noqa: N818 - no mistake of anyone
    """A planner that cannot run on this task, with the reason; a sweep reports it and goes on."""


def unknown_name(what: str, name: str, known: Iterable[str]) -> str:
    """One line for an unknown name, with the nearest known one.

    Examples
    --------
    >>> unknown_name("planner", "dinst", ["dynst", "coverage"])
    'planner "dinst" is unknown. Did you mean "dynst"? Known: coverage, dynst.'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f' Did you mean "{near[0]}"?' if near else ""
    return f'{what} "{name}" is unknown.{hint} Known: {", ".join(names)}.'
