"""``dynst fit``: from a file to a run folder with a plan and a table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynst.cli.flags import FLAGS, filled_by, settings

if TYPE_CHECKING:
    from dynst.cli.console import Watcher
    from dynst.runs import Run

__all__ = ["fit"]


@filled_by(FLAGS)
def fit(
    study: Annotated[Path | None, typer.Argument(metavar="STUDY.toml", help="A study file; flags override it.")] = None,
    *,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample", help="The study's small form: minutes, on data that ship with dynst.", rich_help_panel="Data"
        ),
    ] = False,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="An option of the planner, such as penalty=0.1; repeatable.",
            rich_help_panel="Method",
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Continue a stopped run: name, folder or latest.", rich_help_panel="Run"),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No progress, only the result.", rich_help_panel="Run")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document instead of tables.", rich_help_panel="Run")
    ] = False,
    **asked: Any,
) -> None:
    """Choose the sensors, judge the plan beside every baseline, say how it compares, write a run folder with a report.

    With no option at all it runs on a real sample that ships with dynst.
    """
    given = {name: value for name, value in asked.items() if value not in (None, [])}
    from dynst.cli.console import Watcher, told_how_to_go_on

    with Watcher(quiet=quiet or as_json) as watcher, told_how_to_go_on(watcher, lambda: _again(watcher, resume)):
        run = _work(study, given, settings(option or ()), resume, watcher, sample=sample)
    from dynst.cli.results import show_results

    show_results(run, as_json=as_json)


def _again(watcher: Watcher, resume: str | None) -> str:
    name = watcher.resumable or resume
    return f" Continue with: dynst fit --resume {shlex.quote(name)}" if name else ""


def _work(
    study: Path | None,
    given: dict[str, object],
    options: dict[str, object],
    resume: str | None,
    watcher: Watcher,
    *,
    sample: bool,
) -> Run:
    from dynst import study as library
    from dynst.config import Study
    from dynst.errors import ConfigError

    if resume is not None:
        if given or options or study is not None or sample:
            raise ConfigError("--resume continues a run as it was asked for: give it no study and no other option.")
        return library.resume(resume, listen=watcher)
    if study is not None and study.suffix != ".toml":
        raise ConfigError(f"{study} is no study file (.toml). To plan on data, write: dynst fit --data {study}")
    return library.fit(Study.load(study, given, settings=options, sample=sample), listen=watcher)
