"""``dynst inspect``: what is in the data, and what `dynst fit` would do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dynst.config import Study
    from dynst.readers import Inspection

__all__ = ["inspect"]


def inspect(  # noqa: PLR0917  # typer makes an option of each parameter; all are passed by name
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="File, glob, folder, URL, or sample:NAME. sample: alone lists them.")
    ],
    observe: Annotated[str | None, typer.Option(metavar="A,B", help="What a sensor measures. Default: all.")] = None,
    predict: Annotated[str | None, typer.Option(metavar="A,B", help="What is forecast. Default: all.")] = None,
    stations: Annotated[
        str | None, typer.Option(metavar="FILE", help="Positions of stations: names, longitudes, latitudes.")
    ] = None,
    graph: Annotated[str | None, typer.Option(metavar="FILE", help="Edges between stations: list or matrix.")] = None,
    layout: Annotated[
        str | None, typer.Option(metavar="LETTERS", help="Axes of a stack of frames: e event, t time, c channel, h, w.")
    ] = None,
    sites: Annotated[int | None, typer.Option(help="Reference sites of meshes that move. Default: 2000.")] = None,
    spacing: Annotated[
        float | None, typer.Option(metavar="M", help="Metres between the cells of a stack of frames.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Show what is in the data: variables, units, sites, cadence, gaps, missing values, and what fit would do."""
    from dynst.cli.console import show_facts, show_json

    if data == "sample:":
        _samples(as_json=as_json)
        return
    from dynst.config import Study
    from dynst.readers import inspect as look

    told = {"stations": stations, "graph": graph, "layout": layout, "sites": sites, "spacing": spacing}
    study = Study.load(None, {"data": data, "observe": observe, "predict": predict, **told})
    found = look(data, observe=study.observe or None, predict=study.predict or None, hints=study.hints)
    planner = None if found.problem else _planner(study, found)
    if as_json:
        show_json(found.as_dict() | {"planner": planner})
    else:
        show_facts(found.name, [*found.rows(), *([("fit planner", planner)] if planner else [])])


def _planner(study: Study, found: Inspection) -> str:
    """Who would plan, and why."""
    window = study.window(found.steps)
    name, why = study.chosen_planner(max(0, found.split[0] - window.length + 1))
    return f"{name} ({why})"


def _samples(*, as_json: bool) -> None:
    from dynst.cli.console import show_facts, show_json
    from dynst.readers import DEFAULT_SAMPLE, list_samples

    samples = {f"sample:{name}": about for name, about in list_samples().items()}
    if as_json:
        show_json(samples)
    else:
        show_facts("Samples that ship with dynst", samples.items())
        show_facts("", [("default", f"sample:{DEFAULT_SAMPLE}")])
