"""``dynst score``: how good is the network that stands, and what to change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dynst.cli.completion import run_names

if TYPE_CHECKING:
    from dynst.evaluation.review import Change, NetworkReview

__all__ = ["score"]


def score(  # noqa: PLR0917  # typer makes an option of each parameter; all are passed by name
    source: Annotated[
        str,
        typer.Argument(metavar="RUN | DATA", help="A run, data, or a STUDY.toml.", autocompletion=run_names),
    ] = "latest",
    stations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The network: GeoJSON, a table, GeoPackage, shapefile or names of sites."),
    ] = None,
    add: Annotated[int, typer.Option(metavar="N", help="How many best next stations to find.")] = 5,
    climatology: Annotated[
        str | None,
        typer.Option(metavar="A+B", help="What is usual: mean, day, week, year, cycle. Default: as the run has it."),
    ] = None,
    cycle: Annotated[
        int | None, typer.Option(metavar="STEPS", help="Steps of a cycle, for records without dates.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Write it also: .json, .csv or .geojson.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Judge the network you have: what each station is worth, which are redundant, where the next ones belong.

    Without --stations: the plan of the run, or all stations of a record of stations.
    """
    from dynst.cli.console import Watcher, show_json
    from dynst.errors import ConfigError
    from dynst.study.score import FORMATS, write_review
    from dynst.study.score import score as judged

    if out is not None and out.suffix.lower() not in FORMATS:
        raise ConfigError(f"{out} ends in no known format. Give -o a file that ends in {', '.join(FORMATS)}.")
    with Watcher(quiet=quiet or as_json) as watcher:
        review = judged(source, stations, add=add, climatology=climatology, cycle=cycle, listen=watcher)
    if out is not None:
        write_review(review, out)
    if as_json:
        show_json(review.to_json())
    else:
        _show(review)


def _show(review: NetworkReview) -> None:
    from dynst.cli.console import console, show_table

    unit = "" if review.units in {"", "1"} else f" ({review.units})"
    ranked = sorted(review.stations, key=lambda station: -station.without.percent)
    show_table(
        f"Each station: the error without it, against {review.said(review.network.error)} with all",
        ("station", f"error without{unit}", "rise %", "95 %", "redundant"),
        [
            (part.name, *_cells(part.without), "" if part.redundancy is None else f"{part.redundancy}")
            for part in ranked
        ],
    )
    if review.removed:
        show_table(
            "Taken out one by one, the least missed first: chosen on validation, measured on test",
            ("taken out", f"error{unit}", "change %", "95 %"),
            [(part.name, *_cells(part.change)) for part in review.removed],
        )
    if review.added:
        show_table(
            "Best next stations, one by one: chosen on validation, measured on test",
            ("station", "position", f"error with all so far{unit}", "change %", "95 %"),
            [(part.name, _place(review.position(part.site)), *_cells(part.change)) for part in review.added],
            left=2,
        )
    failure = review.failure
    ways = f"all {failure.cases} ways" if failure.exact else f"{failure.cases} random ways"
    show_table(
        f"{failure.failing} of {len(ranked)} station{'s' * (len(ranked) > 1)} silent, {ways}",
        ("forecaster", f"mean error{unit}", "19 of 20 below"),
        [
            ("as it was", f"{failure.silent_mean:.4g}", f"{failure.silent_worst:.4g}"),
            ("fitted anew", f"{failure.refitted_mean:.4g}", f"{failure.refitted_worst:.4g}"),
        ],
    )
    target = console(stderr=False)
    for sentence in review.sentences:
        target.print(sentence, markup=False)
    for note in review.notes:
        target.print(f"Note: {note}", style="dim", markup=False)


def _cells(change: Change) -> tuple[str, str, str]:
    from dynst.domain.words import span, vague

    if vague(change.low, change.high):
        return f"{change.error:.4g}", "", span(change.low, change.high)
    interval = span(change.low, change.high, digits=2, unit="")
    return f"{change.error:.4g}", f"{change.percent:+.2f}", interval


def _place(position: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in position.items())
