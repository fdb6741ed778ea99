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
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="run: whole experiments. time: blocks. Default: run if there are 3."),
    ] = None,
    train_until: Annotated[
        str | None, typer.Option(metavar="DATE", help="End of training, all included: 2015, 2015-12, 2015-12-31T18:00.")
    ] = None,
    valid_until: Annotated[
        str | None, typer.Option(metavar="DATE", help="End of validation; test follows. Default: by shares.")
    ] = None,
    existing: Annotated[str | None, typer.Option(metavar="FILE", help="Stations that stand and stay.")] = None,
    allow: Annotated[str | None, typer.Option(metavar="FILE", help="Where alone a new sensor may stand.")] = None,
    forbid: Annotated[str | None, typer.Option(metavar="FILE", help="Where no new sensor may stand.")] = None,
    climatology: Annotated[
        str | None,
        typer.Option(metavar="A+B", help="What is usual: mean, day, week, year, cycle. Default: by its own error."),
    ] = None,
    cycle: Annotated[
        int | None, typer.Option(metavar="STEPS", help="Steps of a cycle, for records without dates.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of a table.")] = False,
) -> None:
    """Show what is in the data: variables, units, sites, graph, cadence, gaps, missing values; what fit would do."""
    from dynst.cli.console import show_facts, show_json

    if data == "sample:":
        _samples(as_json=as_json)
        return
    from dynst.config import Study
    from dynst.readers import inspect as look
    from dynst.study.facts import rule_rows
    from dynst.windows.choice import climatology_words

    told = {"stations": stations, "graph": graph, "layout": layout, "sites": sites, "spacing": spacing, "split": split}
    told |= {"climatology": climatology, "cycle": cycle, "train_until": train_until, "valid_until": valid_until}
    told |= {"existing": existing, "allow": allow, "forbid": forbid}
    study = Study.load(None, {"data": data, "observe": observe, "predict": predict, **told})
    found = look(
        data,
        observe=study.observe or None,
        predict=study.predict or None,
        hints=study.hints,
        split=study.split,
        until=study.until,
    )
    usual, rules = None, {}
    if found.record is not None:
        from dynst.study.prepare import choose
        from dynst.study.rules import rules_of

        rules = dict(rules_of(study, found.record).facts)
        choices = choose(study, found.record)
        found, usual = found.cut(found.record, choices.window, choices.split), choices.climatology.facts()
    planner, why, backbone = _planner(study, found)
    if as_json:
        named = None if planner is None else f"{planner} ({why})"
        show_json(
            found.as_dict() | {"planner": named, "backbone": backbone, "climatology": usual, "rules": rules or None}
        )
        return
    rows = found.rows() + rule_rows(rules)
    if planner is not None:
        words = climatology_words(usual) if usual else "fit chooses: the record is too large to read for a look"
        rows.append(("climatology", words))
        rows.append(("fit planner", f"{planner} ({why}){f', backbone {backbone}' if backbone else ''}"))
    show_facts(found.name, rows)


def _planner(study: Study, found: Inspection) -> tuple[str | None, str, str | None]:
    """Who would plan, why, and the network that it would train; no name where a fit would stop."""
    from dynst.planners import row_of

    if found.problem:
        return None, "", None
    name, why = study.chosen_planner()
    return name, why, ("stlight" if found.graph is None else "gnn") if row_of(name).switches else None


def _samples(*, as_json: bool) -> None:
    from dynst.cli.console import show_facts, show_json
    from dynst.readers import DEFAULT_SAMPLE, list_samples

    samples = {f"sample:{name}": about for name, about in list_samples().items()}
    if as_json:
        show_json(samples)
    else:
        show_facts("Samples that ship with dynst", samples.items())
        show_facts("", [("default", f"sample:{DEFAULT_SAMPLE}")])
