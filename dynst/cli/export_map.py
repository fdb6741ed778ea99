"""``dynst export-map``: the plan of a run as a file for other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dynst.cli.completion import format_names, planner_names, run_names
from dynst.export import DEFAULT, EXPORTERS, choose

__all__ = ["export_map"]


def export_map(
    run: Annotated[
        str, typer.Argument(metavar="RUN", help="Name or folder of a run.", autocompletion=run_names)
    ] = "latest",
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help=f"One of {', '.join(EXPORTERS)}. Default: as -o ends.",
            autocompletion=format_names,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="File to write; - is stdout. Default: RUN.geojson, RUN.png ..."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="K", help="So many sensors of best rank. Default: the plan's budget.")
    ] = None,
    planner: Annotated[
        str | None,
        typer.Option(
            "--planner",
            metavar="NAME",
            help="Another plan of the run, as in its report. Default: its own.",
            autocompletion=planner_names,
        ),
    ] = None,
) -> None:
    """Write the plan of a run for a GIS, a spreadsheet, a script or a slide."""
    from dynst.cli.console import say
    from dynst.errors import ConfigError
    from dynst.runs import find

    if out is not None and not out.strip():
        raise ConfigError("-o names no file. Give a name, - for stdout, or leave it out.")
    path = None if out in (None, "-") else out
    exporter = choose(EXPORTERS, format=format_ or (None if path else DEFAULT), path=path)
    if out == "-" and not exporter.text and sys.stdout.isatty():
        raise ConfigError(f"{exporter.format} is no text for a terminal. Give -o FILE, or send stdout to a file.")
    source = find(run)
    plan, layout = source.plan if planner is None else source.plan_by(planner), source.layout
    name = source.name if planner is None else f"{source.name}-{planner}"
    title = source.name if planner is None else f"{source.name}, plan by {planner}"
    if out == "-":
        sys.stdout.buffer.write(exporter.render(plan, layout=layout, top=top, title=title))
        sys.stdout.buffer.flush()
        return
    target = Path(path or f"{name}{exporter.suffix}")
    exporter.write(plan, target, layout=layout, top=top, title=title)
    say(f"{target}: {top or plan.budget} sensors of {title}, {exporter.summary}")
