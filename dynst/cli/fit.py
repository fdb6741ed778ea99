"""``dynst fit``: from a file to a run folder with a plan and a table."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dynst.cli.console import Watcher
    from dynst.runs import Run

__all__ = ["fit"]

_data = partial(typer.Option, rich_help_panel="Data")
_budget = partial(typer.Option, rich_help_panel="Budget")
_rules = partial(typer.Option, rich_help_panel="Rules")
_method = partial(typer.Option, rich_help_panel="Method")
_judge = partial(typer.Option, rich_help_panel="Comparison")
_run = partial(typer.Option, rich_help_panel="Run")


def fit(  # noqa: PLR0917  # typer makes an option of each parameter; all are passed by name
    study: Annotated[Path | None, typer.Argument(metavar="STUDY.toml", help="A study file; flags override it.")] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="The study's small form: minutes, on data that ship with dynst.")
    ] = False,
    data: Annotated[
        str | None,
        _data(metavar="DATA", help="File, glob, folder, URL, or sample:NAME. Default: a sample that ships with dynst."),
    ] = None,
    observe: Annotated[str | None, _data(metavar="A,B", help="What a sensor measures. Default: all.")] = None,
    predict: Annotated[str | None, _data(metavar="A,B", help="What is forecast. Default: all.")] = None,
    stations: Annotated[
        str | None, _data(metavar="FILE", help="Positions of stations: a table of names, longitudes, latitudes.")
    ] = None,
    graph: Annotated[
        str | None, _data(metavar="FILE", help="Edges between stations: a list from,to[,weight], or a weight matrix.")
    ] = None,
    layout: Annotated[
        str | None, _data(metavar="LETTERS", help="Axes of a stack of frames: e event, t time, c channel, h, w.")
    ] = None,
    sites: Annotated[int | None, _data(help="Reference sites of meshes that move or differ. Default: 2000.")] = None,
    spacing: Annotated[float | None, _data(metavar="M", help="Metres between the cells of a stack of frames.")] = None,
    split: Annotated[
        str | None,
        _data(metavar="NAME", help="run: whole experiments. time: blocks. Default: run if there are 3."),
    ] = None,
    train_until: Annotated[
        str | None,
        _data(metavar="DATE", help="End of training, all of it included: 2015, 2015-12, 2015-12-31T18:00."),
    ] = None,
    valid_until: Annotated[
        str | None,
        _data(metavar="DATE", help="End of validation; test follows. Default: what is left, by shares."),
    ] = None,
    history: Annotated[
        str | None, _data(metavar="STEPS", help="Steps read, or a time: 2d. Default: from the record's length.")
    ] = None,
    horizon: Annotated[
        str | None, _data(metavar="STEPS", help="Steps forecast, or a time: 12h. Default: from the record's length.")
    ] = None,
    stride: Annotated[int | None, _data(help="Steps between windows. Default: 1.")] = None,
    climatology: Annotated[
        str | None,
        _data(metavar="A+B", help="What is usual: mean, day, week, year, cycle. Default: by the record's own error."),
    ] = None,
    cycle: Annotated[int | None, _data(metavar="STEPS", help="Steps of a cycle, for records without dates.")] = None,
    sparsity: Annotated[float | None, _budget(help="Share of the sites without a sensor, from 0 to below 1.")] = None,
    sensors: Annotated[
        int | None, _budget(help="The same budget as a count. Default: 20, at most a tenth of the sites.")
    ] = None,
    existing: Annotated[
        str | None, _rules(metavar="FILE", help="Stations that stand and stay: a table, points or names; they count.")
    ] = None,
    allow: Annotated[
        str | None, _rules(metavar="FILE", help="Polygons, or a list of sites, where alone a new sensor may stand.")
    ] = None,
    forbid: Annotated[
        str | None, _rules(metavar="FILE", help="Polygons, or a list of sites, where no new sensor may stand.")
    ] = None,
    planner: Annotated[
        str | None,
        _method(metavar="NAME", help="dynst_linear, dynst (a network) or a baseline. Default: dynst_linear."),
    ] = None,
    backbone: Annotated[
        str | None, _method(metavar="NAME", help="Forecaster behind the mask: auto, stlight (grids), gnn or linear.")
    ] = None,
    dim: Annotated[int | None, _method(help="Width of the network.")] = None,
    depth: Annotated[int | None, _method(help="Blocks of the network.")] = None,
    patch: Annotated[int | None, _method(help="Cells per side of a patch (stlight).")] = None,
    steps: Annotated[int | None, _method(help="Training steps.")] = None,
    batch: Annotated[int | None, _method(help="Windows per training step.")] = None,
    evidence: Annotated[
        str | None,
        _method(metavar="NAME", help="What a site's worth is: magnitude, gradient, benefit, exact or random."),
    ] = None,
    drop_by: Annotated[str | None, _method(metavar="NAME", help="Another worth for what to drop.")] = None,
    schedule: Annotated[str | None, _method(metavar="NAME", help="How the mask shrinks: geometric or cubic.")] = None,
    interval: Annotated[int | None, _method(help="Training steps between two updates of the mask.")] = None,
    alpha: Annotated[float | None, _method(help="How much is swapped at an update; 0.3 as in RigL.")] = None,
    rate: Annotated[str | None, _method(metavar="NAME", help="Learning rate over time: one_cycle or cosine.")] = None,
    prune: Annotated[bool | None, _method(help="Shrink the mask from all sites; without, begin at random.")] = None,
    regrow: Annotated[bool | None, _method(help="Swap sites at the budget while training.")] = None,
    rewind: Annotated[bool | None, _method(help="Rewind the weights after each round of pruning.")] = None,
    l1: Annotated[float | None, _method(help="Weight of the L1 term on the scores.")] = None,
    polish: Annotated[bool | None, _method(help="Improve the trained plan by exact swaps.")] = None,
    compare: Annotated[
        str | None,
        _judge(
            metavar="NAME",
            help="quick: baselines that train no network. full: networks and seeds too; slow. none: the plan alone.",
        ),
    ] = None,
    ladder: Annotated[str | None, _judge(metavar="S,S,...", help="Sparsities to compare at, besides the own.")] = None,
    seeds: Annotated[
        int | None,
        _judge(help="Plans of a planner that draws lots, and networks per plan. Default: 3."),
    ] = None,
    regions: Annotated[
        str | None, _judge(metavar="FILE", help="Polygons to report errors for. Default: bands of latitude.")
    ] = None,
    stability: Annotated[
        bool | None,
        _judge(help="What stays of the plan with other seeds and parts of the record. Default: if cheap."),
    ] = None,
    tolerance: Annotated[
        float | None,
        _judge(
            metavar="%", help="Enough sensors win all but so much of what one at every site wins over none. Default: 5."
        ),
    ] = None,
    seed: Annotated[int | None, _run(help="Same seed, same plan.")] = None,
    device: Annotated[str | None, _run(metavar="NAME", help="auto, cpu or cuda.")] = None,
    precision: Annotated[str | None, _run(metavar="NAME", help="Arithmetic of the network: 32 or bf16.")] = None,
    workers: Annotated[int | None, _run(help="Processes that judge at a time. Default: one a core.")] = None,
    out: Annotated[
        str | None, _run(metavar="FOLDER", help="Run folder. Default: runs/<data>-<planner>-s<sparsity>-<n>.")
    ] = None,
    resume: Annotated[str | None, _run(metavar="RUN", help="Continue a stopped run: name, folder or latest.")] = None,
    quiet: Annotated[bool, _run("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: Annotated[bool, _run("--json", help="One JSON document instead of tables.")] = False,
) -> None:
    """Choose the sensors, judge the plan beside every baseline, say how it compares, write a run folder with a report.

    With no option at all it runs on a real sample that ships with dynst.
    """
    asked = {
        name: value for name, value in locals().items() if name not in {"study", "sample", "resume", "quiet", "as_json"}
    }
    given = {name: value for name, value in asked.items() if value is not None}
    from dynst.cli.console import Watcher, told_how_to_go_on

    with Watcher(quiet=quiet or as_json) as watcher, told_how_to_go_on(watcher, lambda: _again(watcher)):
        run = _work(study, given, resume, watcher, sample=sample)
    from dynst.cli.results import show_results

    show_results(run, as_json=as_json)


def _again(watcher: Watcher) -> str:
    return f" Continue with: dynst fit --resume {watcher.resumable}" if watcher.resumable else ""


def _work(study: Path | None, given: dict[str, object], resume: str | None, watcher: Watcher, *, sample: bool) -> Run:
    from dynst import study as library
    from dynst.config import Study
    from dynst.errors import ConfigError

    if resume is not None:
        if given or study is not None or sample:
            raise ConfigError("--resume continues a run as it was asked for: give it no study and no other option.")
        return library.resume(resume, listen=watcher)
    if study is not None and study.suffix != ".toml":
        raise ConfigError(f"{study} is no study file (.toml). To plan on data, write: dynst fit --data {study}")
    return library.fit(Study.load(study, given, sample=sample), listen=watcher)
