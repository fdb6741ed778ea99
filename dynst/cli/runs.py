"""``dynst runs``: what runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dynst.study.overview import RunRow

__all__ = ["runs"]


def runs(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """List the runs in runs/: data, sensors, planner, forecast error, against random plans, date, state."""
    from dynst.cli.console import say, show_json, show_table
    from dynst.runs import RUNS
    from dynst.study.overview import overview

    rows = overview()
    if as_json:
        show_json([row.to_json() for row in rows])
        return
    if not rows:
        say(f"No run in {RUNS}/. Make one with: dynst fit")
        return
    columns = ("run", "data", "planner", "against random", "sensors", "error", "date", "state")
    show_table("", columns, [_cells(row) for row in rows], left=4, folded=True)
    for row in rows:
        if row.problem:
            say(f"{row.name}: {row.problem}")


def _cells(row: RunRow) -> tuple[str, ...]:
    unit = "" if row.units in {"", "1"} else f" {row.units.replace('standard deviations', 'sd')}"
    error = "" if row.error is None else f"{row.error:.4g}{unit}"
    sensors = "" if row.sensors is None else f"{row.sensors}"
    return row.name, row.data, row.planner, row.against_random, sensors, error, row.date[:10], row.state
