"""What `dynst fit` shows at the end: the table at the budget, the curve, the answer, where things are, what is next."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynst.cli.console import console, say, show_json, show_table

if TYPE_CHECKING:
    from dynst.domain import Curve, Plan
    from dynst.domain.curve import CurveRow
    from dynst.domain.stability import Stability
    from dynst.evaluation.verdict import Answer
    from dynst.runs import Run

__all__ = ["finite", "short_path", "show_answer", "show_results"]

_CHANNELS = 2  # with more of them their columns no longer fit beside the rest

_NETWORK_JUDGE = "a network trained afresh for each plan"
_FOOTNOTE = (
    "95 %: interval of this one difference; against random plans it holds luck of the\n"
    "draw, too. better, worse, tie: after correction for their number (Holm)."
)

_FRAMES = {
    "floor": "floor (no sensor)",
    "ceiling": "ceiling (every site)",
    "persistence": "persistence",
    "climatology": "climatology",
}


def show_results(run: Run, *, as_json: bool = False) -> None:
    """Tables and the next command, or one JSON document, on stdout."""
    plan, curve = run.plan, run.curve
    if as_json:
        show_json(_document(run, plan, curve))
        return
    _budget_table(plan, curve, judge="linear judge")
    if run.refit is not None:
        _budget_table(plan, run.refit, judge=_NETWORK_JUDGE)
    if len(curve.budgets) > 1:
        _curve_table(plan, curve)
    show_answer(_answer(run, plan, curve), stays="" if run.stability is None else run.stability.words())
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
    rows = curve.table(plan.budget)
    shown = curve.channels if 1 < len(curve.channels) <= _CHANNELS else ()
    units = dict(zip(curve.channels, curve.units, strict=True))
    overall = "error\n(sd)" if len(curve.channels) > 1 else "error" + _unit(rows[0].units, before="\n")
    plans, frames = ([row for row in rows if row.is_frame is frame] for frame in (False, True))
    show_table(
        f"Error of the forecast of all {len(plan.sites)} sites from {plan.budget} sensors, test period, {judge}",
        [
            "planner",
            overall,
            *(name + _unit(units[name], before="\n") for name in shown),
            "vs\nrandom",
            "plan\nvs it",
            "95 %",
            "",
        ],
        [_cells(row, plan, curve, shown) for row in [*plans, *frames]],
        bold=plan.planner,
        rule=len(plans),
    )
    if len(curve.channels) > 1:
        say("error (sd): all channels together, in their training standard deviations; each channel is in curve.csv")
    if any(cell is not None for cell in (_compared(row.planner, plan, curve, plan.budget) for row in plans)):
        say(_FOOTNOTE)


def _answer(run: Run, plan: Plan, curve: Curve) -> Answer:
    """The findings about the plan, with the second judge's where there is one."""
    from dynst.config import Study
    from dynst.evaluation.verdict import answer

    second = None if run.refit is None else (_NETWORK_JUDGE, run.refit)
    study = Path(run.path) / "study.toml"
    tolerance = Study.load(study).tolerance if study.is_file() else Study().tolerance
    return answer(curve, plan.planner, plan.budget, second=second, tolerance=tolerance)


def show_answer(found: Answer, *, stays: str = "") -> None:
    """Headline and sentences, wrapped; below them what stays of the plan, if that was looked at."""
    from rich.text import Text

    target = console(stderr=False)
    target.print(Text(found.headline, style="bold"))
    for sentence in (*found.sentences, *filter(None, [stays])):
        for number, line in enumerate(Text(sentence).wrap(target, max(target.width - 2, 20))):
            target.print(Text("  " if number else "- ") + line)


def _unit(unit: str, *, before: str = " ") -> str:
    """The unit in parentheses; nothing for what has none."""
    return "" if unit == "1" else f"{before}({unit})"


def _cells(row: CurveRow, plan: Plan, curve: Curve, shown: Sequence[str]) -> list[str]:
    cells = [_name(row), _number(row.error), *(_number(row.per_channel[name]) for name in shown)]
    if row.is_frame:
        return [*cells, "", "", "", ""]
    if row.planner == "uniform_random" and row.seeds > 1:
        versus = f"+- {100 * row.spread / row.error:.1f} %"
    else:
        versus = f"{row.vs_random[0]:+.1f} %" if row.vs_random else ""
    return [*cells, versus, *(_against(row.planner, plan, curve) if math.isfinite(row.error) else ("", "", "skipped"))]


def _name(row: CurveRow) -> str:
    several = f" x {row.seeds}" if row.seeds > 1 else ""
    return f"{_FRAMES.get(row.planner, row.planner)}{several}"


def _against(name: str, plan: Plan, curve: Curve) -> tuple[str, str, str]:
    """How much better or worse the plan does than `name`, the interval, and the word for it."""
    from dynst.reports.evidence_tables import interval

    found = _compared(name, plan, curve, plan.budget)
    if found is None:
        return "", "", ""
    return f"{found['percent']:+.1f} %", interval(found["low"], found["high"]), found["verdict"]


def _compared(name: str, plan: Plan, curve: Curve, budget: int) -> dict[str, Any] | None:
    """The plan against `name`: difference of the error in %, its 95 % interval, and the verdict on the plan."""
    if name == plan.planner or "difference" not in curve.data or name not in curve.data["against"].values:
        return None
    cell = curve.at(budget).sel(planner=plan.planner, against=name)
    change, low, high = (float(cell[key]) for key in ("difference", "low", "high"))
    if not math.isfinite(change):
        return None
    return {"percent": change, "low": low, "high": high, "verdict": str(cell["verdict"].item())}


def _curve_table(plan: Plan, curve: Curve) -> None:
    """One line per budget: the plan, the mean random plan, the best of the others, and its name."""
    lines, marked = [], ""
    for budget in sorted(curve.budgets, reverse=True):
        table = {row.planner: row for row in curve.table(budget)}
        others = [r for r in table.values() if not r.is_frame and r.planner != plan.planner and math.isfinite(r.error)]
        best = min(others, key=lambda row: row.error, default=None)
        random = table.get("uniform_random")
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


def _document(run: Run, plan: Plan, curve: Curve) -> dict[str, Any]:
    import dataclasses

    axes = {"geographic": ("longitude", "latitude"), "schematic": ()}.get(plan.sites.frame, ("x", "y"))
    tables = {"table": curve, "refit": run.refit}
    rows = {
        key: [
            {
                ("verdict_vs_random" if name == "verdict" else name): finite(value)
                for name, value in dataclasses.asdict(row).items()
            }
            | {"is_frame": row.is_frame, "plan_vs": finite(_compared(row.planner, plan, judged, budget))}
            for budget in judged.budgets
            for row in judged.table(budget)
        ]
        for key, judged in tables.items()
        if judged is not None
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
        "answer": finite(dataclasses.asdict(_answer(run, plan, curve))),
        **rows,
        "stability": _stays(run.stability),
        "facts": run.provenance.get("facts", {}),
        "skipped": _skipped(run),
        "report": None if (report := _report(run)) is None else str(report),
    }


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
    page = Path(run.path) / "report.html"
    return page if page.is_file() else None


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
