"""``dynst compare``: every planner plans anew for every budget, and every plan is judged, cell by cell."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynst.cli.completion import run_names

if TYPE_CHECKING:
    from dynst.cli.console import Watcher
    from dynst.domain import Curve
    from dynst.domain.curve import CurveRow
    from dynst.runs import Run

__all__ = ["compare"]


def compare(  # noqa: PLR0917  # typer makes an option of each parameter; all are passed by name
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN | STUDY.toml", help="A run, or a study, which is fitted first.", autocompletion=run_names
        ),
    ] = "latest",
    budgets: Annotated[
        str | None, typer.Option(metavar="K,K,...", help="Numbers of sensors. Default: 1/4, 1/2, 1, 2, 4 of the run's.")
    ] = None,
    planners: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Who plans. Default: all; under --judges linear none that trains."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Plans of a planner that draws lots, networks per plan. Default: 3.")
    ] = None,
    judges: Annotated[str | None, typer.Option(metavar="A,B", help="Of linear, ridge, network. Default: all.")] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", help="Processes at a time. Default: one a core, if memory allows.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of tables.")] = False,
) -> None:
    """Compare all planners at several budgets, with several seeds, under all judges.

    What is made stays: stopped, it continues; asked for more, it reuses what is there.
    """
    asked: dict[str, Any] = {"seeds": seeds, "workers": workers, "budgets": budgets and _numbers(budgets)}
    asked |= {"planners": planners and _names(planners), "judges": judges and _names(judges)}
    given = {name: value for name, value in asked.items() if value is not None and value != ""}
    from dynst.cli.console import Watcher, told_how_to_go_on

    with (
        Watcher(quiet=quiet or as_json) as watcher,
        told_how_to_go_on(watcher, lambda: _again(source, given, watcher), stopped="Stopped; what is made stays."),
    ):
        run = _work(source, given, watcher)
    _show(run, given.get("judges"), as_json=as_json)


def _work(source: str, given: dict[str, Any], watcher: Watcher) -> Run:
    from dynst import study as library
    from dynst.config import Study
    from dynst.study.compare import check_names

    check_names(**given)  # before anything is fitted
    what = Study.load(Path(source)) if source.endswith(".toml") else source
    return library.compare(what, listen=watcher, **given)


def _numbers(text: str) -> tuple[int, ...]:
    from dynst.errors import ConfigError

    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ConfigError(f'--budgets: "{text}" came; whole numbers with commas are expected, like 5,10,20.') from error


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _again(source: str, given: dict[str, Any], watcher: Watcher) -> str:
    """The command that goes on; of the run that a study has become, if it has."""
    options = [
        f"--{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}" for name, value in given.items()
    ]
    return f" Continue with: {shlex.join(['dynst', 'compare', watcher.resumable or source, *options])}"


def _show(run: Run, judges: tuple[str, ...] | None, *, as_json: bool) -> None:
    """A table for each judge, the findings in words, where things are, and what is next."""
    from dynst.cli.console import say, show_json
    from dynst.cli.results import short_path, show_answer
    from dynst.domain.judges import DEFAULT, JUDGES
    from dynst.run_layout import RunLayout

    curves = {judge: curve for judge, curve in run.comparisons.items() if judges is None or judge in judges}
    if as_json:
        show_json(_document(run, curves))
        return
    for judge, curve in curves.items():
        _table(curve, JUDGES[judge].words, run.plan.planner)
    for answer in _answers(run, curves):
        show_answer(answer)
    folder = short_path(run.path)
    files, row = RunLayout(folder).comparison, JUDGES[DEFAULT]
    names = f"{files.curve_table(row).name}, {files.curve(row).name}"
    say(f"Files:      {files.path}: {names}; the cells they are made of below it")
    say(f"Next:       dynst report {shlex.quote(str(folder))}")


def _table(curve: Curve, judge: str, own: str) -> None:
    """Planner x budget: mean error, its spread over seeds, and better, worse or tie against random plans."""
    from dynst.cli.console import say, show_table

    tables = {budget: {row.planner: row for row in curve.table(budget)} for budget in curve.budgets}
    units = next(iter(tables[curve.budgets[0]].values())).units
    frames = [name for name, row in tables[curve.budgets[0]].items() if row.is_frame]
    plans = [name for name in curve.planners if name not in frames]
    middle = tables[_middle(curve)]
    plans.sort(key=lambda name: (math.isnan(middle[name].error), middle[name].error))
    rows = [[name, *(_cell(tables[budget][name]) for budget in curve.budgets)] for name in plans]
    rows += [[name, *(_cell(tables[budget][name]) for budget in curve.budgets)] for name in frames]
    unit = "" if units == "1" else f" ({units})"
    show_table(
        f"Error of the forecast of all sites{unit}, test period, judged by {judge}; "
        "each planned anew for so many sensors:",
        ["sensors", *map(str, curve.budgets)],
        rows,
        bold=own,
        rule=len(plans),
    )
    say(
        "+-: deviation over seeds or draws; against random plans after Holm: + better, - worse, = tie, "
        "? cannot be judged"
    )
    for line in _gaps(curve, tables):
        say(line)


def _middle(curve: Curve) -> int:
    """The budget in the middle of those compared: the run's own, unless others were asked for."""
    return curve.budgets[len(curve.budgets) // 2]


def _cell(row: CurveRow) -> str:
    if not math.isfinite(row.error):
        return "gap" if row.reason else "-"
    spread = f" +-{100 * row.spread / row.error:.1f}%" if row.seeds > 1 and row.error > 0 else ""
    return f"{row.error:.4g}{spread}{_mark(row)}"


def _mark(row: CurveRow) -> str:
    """Better, worse or tie against random plans; ``?`` where that cannot be judged."""
    from dynst.domain.words import vague

    if row.is_frame or row.vs_random is None:
        return "  "
    if vague(*row.vs_random[1:]):
        return " ?"
    return {"better": " +", "worse": " -", "tie": " ="}.get(row.verdict, "  ")


def _gaps(curve: Curve, tables: dict[int, dict[str, CurveRow]]) -> list[str]:
    """Why there is no error, each reason once with the budgets that it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    for budget, rows in tables.items():
        for row in rows.values():
            if row.reason:
                found.setdefault((row.planner, row.reason), []).append(str(budget))
    everywhere = len(curve.budgets)
    where = {place: "" if len(at) == everywhere else f" at {', '.join(at)} sensors" for place, at in found.items()}
    return [f"gap: {name}{where[name, reason]}: {reason}" for name, reason in found]


def _answers(run: Run, curves: dict[str, Curve]) -> list[Any]:
    """The findings about the run's plan, or about its planner at the middle budget if the run's was not compared."""
    from dynst.evaluation.verdict import answer
    from dynst.study.answers import tolerance_of

    if not curves:
        return []
    (judge, first), *others = curves.items()
    plan = run.plan
    if plan.planner not in first.planners:
        return []
    budget = plan.budget if plan.budget in first.budgets else _middle(first)
    tolerance = tolerance_of(run)
    return [answer(first, plan.planner, budget, others=dict(others), tolerance=tolerance, judge=judge)]


def _document(run: Run, curves: dict[str, Curve]) -> dict[str, Any]:
    from dataclasses import asdict

    from dynst.cli.results import finite

    answers = _answers(run, curves)
    return {
        "run": str(run.path),
        "judges": {
            judge: [finite(asdict(row)) for budget in curve.budgets for row in curve.table(budget)]
            for judge, curve in curves.items()
        },
        "answer": {"headline": answers[0].headline, "sentences": list(answers[0].sentences)} if answers else None,
    }
