"""What `dynst fit` shows at the end: the table at the budget, the curve, the answer, where things are, what is next."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynst.cli.console import console, say, show_json, show_table

if TYPE_CHECKING:
    from dynst.domain import Curve, Plan
    from dynst.domain.stability import Stability
    from dynst.evaluation.verdict import Answer
    from dynst.runs import Run

__all__ = ["finite", "short_path", "show_answer", "show_results"]

_CHANNELS = 2  # with more of them their columns no longer fit beside the rest

_FOOTNOTE = (
    "95 %: interval of this one difference; against random plans it holds luck of the\n"
    "draw, too. better, worse, tie: after correction for their number (Holm)."
)


def show_results(run: Run, *, as_json: bool = False) -> None:
    """Tables and the next command, or one JSON document, on stdout."""
    from dynst.domain.judges import JUDGES, SECOND
    from dynst.study.answers import answer_of

    plan, curve = run.plan, run.curve
    if as_json:
        show_json(_document(run, plan))
        return
    for name, judged in run.curves.items():
        if name != SECOND:  # what it thinks is said in one sentence
            _budget_table(plan, judged, judge=JUDGES[name].words)
    if len(curve.budgets) > 1:
        _curve_table(plan, curve)
    _price_table(run)
    found = answer_of(run)
    show_answer(found, stays="" if run.stability is None else run.stability.words())
    for name, reason in sorted(_skipped(run).items()):
        say(f"{name} was skipped: {reason}")
    folder = short_path(run.path)
    say(f"Run folder: {folder}")
    if (report := _report(run)) is not None:
        say(f"Report:     {short_path(report)} (open it in a browser)")
    typed = shlex.quote(str(folder))
    say(f"Next:       dynst export-map {typed} --format png -o map.png")
    say(f"            dynst compare {typed}")


def _budget_table(plan: Plan, curve: Curve, *, judge: str) -> None:
    """All plans, then what they are read against; how the plan does against each, with its interval."""
    from dynst.domain.judges import DEFAULT, JUDGES
    from dynst.reports.evidence_tables import budget_rows
    from dynst.run_layout import NAMES

    rows = budget_rows(curve, plan.planner, plan.budget, channels=_CHANNELS)
    columns = [name for name in rows[0] if name != "remark"]
    show_table(
        f"Error of the forecast of all {len(plan.sites)} sites from {plan.budget} sensors, test period,\n"
        f"judged by {judge}",
        [_heading(name) for name in columns],
        [[_text(row[name]) for name in columns] for row in rows],
        bold=plan.planner,
        rule=sum(not row.is_frame for row in curve.table(plan.budget)),
    )
    if len(curve.channels) > 1:
        table = NAMES.curve_table(JUDGES[DEFAULT])
        say(f"error (sd): all channels together, in their training standard deviations; each channel is in {table}")
    if any(row["verdict"] for row in rows):
        say(_FOOTNOTE)


def _price_table(run: Run) -> None:
    """What each rule costs; nothing without rules."""
    price = run.price
    if price is None:
        return
    rows = price.table()
    columns = list(rows[0])
    title = f"What the rules cost: plans of {price.budget} sensors by {price.planner}"
    show_table(title, [_heading(name) for name in columns], [[_text(row[name]) for name in columns] for row in rows])
    say(price.words())


def _heading(column: str) -> str:
    """A column's name on two lines where it is long; a verdict needs none."""
    short = {"verdict": "", "vs random": "vs\nrandom", "plan vs it": "plan\nvs it"}
    return short.get(column, column.replace(" (", "\n(").replace("standard deviations", "sd"))


def _text(value: object) -> str:
    """A cell of a table: figures in four digits, nothing where there is nothing."""
    if isinstance(value, float):
        return _number(value)
    return "" if value is None else str(value)


def show_answer(found: Answer | None, *, stays: str = "") -> None:
    """Headline and sentences, wrapped; below them what stays of the plan, if that was looked at."""
    from rich.text import Text

    target = console(stderr=False)
    if found is not None:
        target.print(Text(found.headline, style="bold"))
    sentences = () if found is None else found.sentences
    for sentence in (*sentences, *filter(None, [stays])):
        for number, line in enumerate(Text(sentence).wrap(target, max(target.width - 2, 20))):
            target.print(Text("  " if number else "- ") + line)


def _unit(unit: str, *, before: str = " ") -> str:
    """The unit in parentheses; nothing for what has none."""
    return "" if unit == "1" else f"{before}({unit})"


def _curve_table(plan: Plan, curve: Curve) -> None:
    """One line per budget: the plan, the mean random plan, the best of the others, and its name."""
    from dynst.domain import RANDOM

    lines, marked = [], ""
    for budget in sorted(curve.budgets, reverse=True):
        table = {row.planner: row for row in curve.table(budget)}
        others = [r for r in table.values() if not r.is_frame and r.planner != plan.planner and math.isfinite(r.error)]
        best = min(others, key=lambda row: row.error, default=None)
        random = table.get(RANDOM)
        marked = f"{budget}" if budget == plan.budget else marked
        lines.append(
            (
                f"{budget}",
                f"{1 - budget / len(plan.sites):.4g}",
                _number(table[plan.planner].error),
                _number(random.error) if random else "",
                _number(best.error) if best else "",
                best.planner if best else "",
            )
        )
    units = curve.table(plan.budget)[0].units
    columns = ("sensors", "sparsity", plan.planner, "random", "best other", "which")
    title = f"With more or fewer sensors{_unit(units)}: rankings cut or extended, not planned anew"
    show_table(title, columns, lines, bold=marked, left=0)


def _document(run: Run, plan: Plan) -> dict[str, Any]:
    import dataclasses

    from dynst.domain.judges import DEFAULT
    from dynst.study.answers import answer_of

    found = answer_of(run)
    axes = {"geographic": ("longitude", "latitude"), "schematic": ()}.get(plan.sites.frame, ("x", "y"))
    tables = {"table" if name == DEFAULT else name: judged for name, judged in run.curves.items()}
    rows = {
        key: [
            {
                ("verdict_vs_random" if name == "verdict" else name): finite(value)
                for name, value in dataclasses.asdict(row).items()
            }
            | {"is_frame": row.is_frame, "plan_vs": _against(plan, row.planner, judged, budget)}
            for budget in judged.budgets
            for row in judged.table(budget)
        ]
        for key, judged in tables.items()
    }
    return {
        "run": str(run.path),
        "planner": plan.planner,
        "budget": plan.budget,
        "sites": len(plan.sites),
        "sparsity": plan.sparsity,
        "sensors": [
            {
                "rank": rank,
                "site": site,
                "name": plan.sites.name[site],
                **dict(zip(axes, (float(plan.sites.x[site]), float(plan.sites.y[site])), strict=False)),
                "importance": float(plan.importance[rank - 1]),
            }
            for rank, site in enumerate(plan.selected.tolist(), start=1)
        ],
        "positions_are": "unknown" if not axes else f"{plan.sites.frame}, {plan.sites.unit}",
        "importance_is": plan.importance_is,
        "answer": None if found is None else finite(dataclasses.asdict(found)),
        **rows,
        "stability": _stays(run.stability),
        "price_of_rules": None if run.price is None else finite(run.price.to_json()),
        "facts": run.provenance.get("facts", {}),
        "skipped": _skipped(run),
        "report": None if (report := _report(run)) is None else str(report),
    }


def _against(plan: Plan, name: str, curve: Curve, budget: int) -> dict[str, Any] | None:
    """The plan against `name`: difference of the error in %, its 95 % interval, and the verdict on the plan."""
    cell = curve.compared(plan.planner, name, budget)
    if cell is None:
        return None
    found: dict[str, Any] = finite(dict(zip(("percent", "low", "high", "verdict"), cell, strict=True)))
    return found


def _stays(stability: Stability | None) -> dict[str, Any] | None:
    """What stays of the plan in words, and the grade of each sensor, first sensor first."""
    if stability is None:
        return None
    sensors = zip(stability.selected.tolist(), stability.grade, stability.near_frequency.tolist(), strict=True)
    return {
        "words": stability.words(),
        "radius": stability.radius,
        "radius_unit": stability.radius_unit,
        "sensors": [{"site": site, "grade": grade, "share": finite(share)} for site, grade, share in sensors],
    }


def _report(run: Run) -> Path | None:
    """The page of the run, if it could be written."""
    return run.files.page if run.files.page.is_file() else None


def finite(value: Any) -> Any:
    """JSON has no NaN: a value that could not be had is null.

    Examples
    --------
    >>> finite({"vs_random": (1.5, -100.0, math.inf)})
    {'vs_random': [1.5, -100.0, None]}
    """
    if isinstance(value, dict):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _skipped(run: Run) -> dict[str, str]:
    skipped = run.provenance.get("skipped", {})
    return {str(name): str(reason) for name, reason in skipped.items()} if isinstance(skipped, dict) else {}


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "-"


def short_path(path: Path) -> Path:
    """The path as one would type it from here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path
