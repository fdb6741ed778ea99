"""What the shell offers after a Tab: names of runs, planners and formats."""

from __future__ import annotations

from collections.abc import Iterable

from dynst.export import EXPORTERS
from dynst.planners import PLANNERS

__all__ = ["format_names", "planner_names", "run_names"]


def run_names(incomplete: str) -> list[str]:
    """Names of the finished runs in ``runs/``, and ``latest``."""
    from dynst.runs import finished

    return _beginning(incomplete, ["latest", *(run.name for run in finished())])


def planner_names(incomplete: str) -> list[str]:
    """Names of planners."""
    return _beginning(incomplete, PLANNERS)


def format_names(incomplete: str) -> list[tuple[str, str]]:
    """Export formats, with what each is good for."""
    return [(name, EXPORTERS[name].summary) for name in _beginning(incomplete, EXPORTERS)]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name[: len(incomplete)] == incomplete]
