"""The results page: curves of several records to Markdown. No clock, no date: the same runs, the same page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from dynst.config import Study
from dynst.domain import FRAMES, Curve
from dynst.domain.curve import CurveRow
from dynst.domain.words import UNCLEAR, vague
from dynst.evaluation.findings import Cell, Findings, one_line
from dynst.export import load_plan
from dynst.planners import PLANNERS, SEEDED
from dynst.runs import Run

__all__ = ["DEFAULT_BUDGETS", "Meeting", "Picks", "default_planner", "meetings", "page", "picks", "record_means"]

DEFAULT_BUDGETS = (5, 10, 20)
SMALL = 10  # sensors up to which the choice of sites is hard, and a plan should beat random ones
FEW = 20  # test windows below which verdicts are chance more often than they say (docs/method.md, 7.2)
RANDOM = "uniform_random"
OURS = ("dynst", "dynst_linear")
BASELINES = tuple(name for name in PLANNERS if name not in (*OURS, RANDOM))
ORDER = ("worse", "tie", "better")  # losses first; what cannot be judged is none of them
COMMAND = "python benchmarks/results.py --data FOLDER --out results"


@dataclass(frozen=True)
class Picks:
    """What one would take at one budget without looking at the test block.

    Attributes
    ----------
    baseline : str
        The baseline with the least validation error.
    of_all : str
        The planner with the least, dynst and dynst_linear among them.
    """

    baseline: str
    of_all: str


@dataclass(frozen=True)
class Meeting:
    """One planner against one rival at one budget of one record, on test data."""

    record: str
    budget: int
    who: str
    planner: str
    rival: str
    change: float
    low: float
    high: float
    word: str


def picks(curve: Curve, budget: int) -> Picks | None:
    """The planners with the least validation error, means over seeds; None where no judge gave any.

    Uniform random is none of them: its figure is a mean over draws and no plan that one could take. A tie goes to the
    planner that stands first in the curve.
    """
    if "valid_total" not in curve.data:
        return None
    here = curve.at(budget)["valid_total"]
    means: dict[str, float] = {}
    for name in curve.planners:
        values = here.sel(planner=name).values
        if name in (*OURS, *BASELINES) and np.isfinite(values).any():
            means[name] = float(values[np.isfinite(values)].mean())
    baselines = [name for name in means if name in BASELINES]
    if not baselines:
        return None
    return Picks(min(baselines, key=means.__getitem__), min(means, key=means.__getitem__))


def default_planner() -> str:
    """Who plans where nobody asks for anybody: the same on every record."""
    return Study().chosen_planner()[0]


def facts(run: Run) -> dict[str, Any]:
    """What was found in the data and decided from it."""
    said = run.provenance["facts"]
    assert isinstance(said, dict)
    return said


def meetings(record: str, run: Run, curve: Curve) -> Iterator[Meeting]:
    """Every planner against the random plans; ours, the default and the one picked of all against the picked baseline.

    A planner that is itself the picked baseline has nobody to meet: it counts as a tie with no difference.
    """
    default = default_planner()
    for budget in curve.budgets:
        for name in curve.planners:
            if name not in (*FRAMES, RANDOM) and (cell := Findings(curve, name, budget).found.get(RANDOM)):
                yield Meeting(record, budget, name, name, RANDOM, *cell)
        pick = picks(curve, budget)
        if pick is None:
            continue
        who = {name: name for name in OURS} | {"default": default, "picked of all": pick.of_all}
        for label, name in who.items():
            cell = _against(curve, name, pick.baseline, budget)
            if cell is not None:
                yield Meeting(record, budget, label, name, pick.baseline, *cell)
        for label in ("default", "picked of all"):
            if who[label] in curve.planners and (cell := _against(curve, who[label], RANDOM, budget)):
                yield Meeting(record, budget, label, who[label], RANDOM, *cell)


def _against(curve: Curve, name: str, rival: str, budget: int) -> Cell | None:
    if name not in curve.planners:
        return None
    return (0.0, 0.0, 0.0, "tie") if name == rival else Findings(curve, name, budget).of(name, rival)


def record_means(found: Iterable[Meeting]) -> tuple[float, float, int]:
    """Mean of 100 times the logarithm of the error ratio, its standard error, and the number of records.

    About per cent while small, and one record where errors differ tenfold does not outweigh all others. The budgets of
    one record share its windows and its test block: they are one witness. So each record counts by the mean of its
    cells, and the error is that of a mean of so many records (NaN for fewer than two).

    Examples
    --------
    >>> cells = [Meeting("a", k, "x", "x", "y", change, 0.0, 0.0, "tie") for k, change in ((5, -50.0), (10, 0.0))]
    >>> mean, error, records = record_means([*cells, Meeting("b", 5, "x", "x", "y", 100.0, 0.0, 0.0, "tie")])
    >>> round(mean, 2), round(error, 2), records  # a: half of 100 ln 1/2; b: 100 ln 2
    (17.33, 51.99, 2)
    """
    by_record: dict[str, list[float]] = {}
    for one in found:
        by_record.setdefault(one.record, []).append(100 * math.log1p(one.change / 100))
    means = [float(np.mean(changes)) for changes in by_record.values()]
    if not means:
        return math.nan, math.nan, 0
    error = float(np.std(means, ddof=1) / math.sqrt(len(means))) if len(means) > 1 else math.nan
    return float(np.mean(means)), error, len(means)


def page(found: Mapping[str, Run], licences: Mapping[str, str]) -> str:
    """The whole page."""
    curves = {name: curve for name, run in found.items() if (curve := run.comparison) is not None}
    met = [one for name, curve in curves.items() for one in meetings(name, found[name], curve)]
    lines = [*_head(curves), *_summary(met)]
    for name, curve in curves.items():
        lines += _record(name, found[name], curve, licences.get(name, ""))
    return "\n".join([*lines, *_origin(found)]) + "\n"


_HEAD = """\
# Results on real records

Plans of every planner on {count} records, judged on time that no planner saw. How, and what each figure means, is in
[evidence.md](evidence.md). All of this page is written by one command:

```bash
{command}
```

*Better* and *worse* are at the 95 % level. Against random plans a word is the one that `dynst fit --planner NAME
--sensors K` gives: one question, so no correction for many, and of twenty such words on equal plans one is chance.
Against other planners it is after Holm's correction. Everything else is a tie, and an interval wider than +-200 %
*cannot be judged*. Differences are of the test error in %, below zero is better; an interval is for its one
comparison, so against a planner one that leaves out zero may still be a tie. The *picked baseline* is the one with
the least validation error: what a careful user without dynst would have taken. *picked of all* lets validation
choose among dynst's planners too, and *default* is the planner that `dynst fit` takes on that record by itself.
Validation error is partly what plans were chosen by, so a planner that searches there may look better than it is;
the test error does not forgive that."""


def _head(curves: Mapping[str, Curve]) -> list[str]:
    missing = {name: [p for p in PLANNERS if p not in curve.planners] for name, curve in curves.items()}
    trial = [f"{name}: {', '.join(left)}" for name, left in missing.items() if left]
    note = ["**A trial, made with `--planners`.** Left out: " + "; ".join(trial) + ".", ""] if trial else []
    seeds = max((_seeds(curve) for curve in curves.values()), default=1)
    command = f"{COMMAND} --seeds {seeds} \\\n    --records {','.join(curves)}"
    return [_HEAD.format(count=len(curves), command=command), "", *note]


def _seeds(curve: Curve) -> int:
    """How many plans were made of a planner that draws lots."""
    drawn = [name for name in OURS if name in curve.planners]
    totals = curve.data["total"].sel(planner=drawn)
    return int(np.isfinite(totals).sum("seed").max()) if drawn else 1


def _summary(met: Sequence[Meeting]) -> list[str]:
    small = [one for one in met if one.budget <= SMALL]
    lines = ["## Over all records", "", "### Losses", ""]
    ours = {*OURS, "default", "picked of all"}
    lost = [one for one in met if one.word == "worse" and one.who in ours]
    lines += _sentences(lost) or ["None: no plan of dynst was significantly worse than its rivals here."]
    weak = [one for one in small if one.who in ours and one.rival == RANDOM and one.word == "tie"]
    lines += ["", f"Not shown to be better than random plans at {SMALL} sensors or fewer:", ""]
    lines += _sentences(weak) or ["None."]
    for title, random in (("Against random plans", True), ("Against the picked baseline", False)):
        lines += ["", f"### {title}", "", *_counts([one for one in met if (one.rival == RANDOM) == random])]
    return [
        *lines,
        "",
        "Counts are of cells (record and budget). A mean is of 100 times the logarithm of the error ratio (about per",
        "cent), each record once by the mean over its budgets; +- is the standard error over records, which are few",
        "and no random sample of the world's records.",
        "",
    ]


def _sentences(met: Sequence[Meeting]) -> list[str]:
    """One line for each meeting of two plans, with all the roles that the planner has in it."""
    roles: dict[tuple[str, int, str, str], list[Meeting]] = {}
    for one in met:
        roles.setdefault((one.record, one.budget, one.planner, one.rival), []).append(one)
    lines = []
    for several in roles.values():
        one = several[0]
        also = [other.who for other in several if other.who != one.planner]
        who = f"{one.planner} ({', '.join(also)})" if also else one.planner
        rival = "random plans" if one.rival == RANDOM else f"{one.rival}, the picked baseline"
        lines.append(f"- {one.record}, {one.budget} sensors: {who} against {rival}: {_change(one)}, {one.word}")
    return lines


def _counts(met: Sequence[Meeting]) -> list[str]:
    names = list(dict.fromkeys(one.who for one in met))
    names.sort(key=lambda name: (name not in OURS, name not in ("default", "picked of all"), name))
    blocks = (f"<= {SMALL} sensors", "all")
    head = [f"{what}, {block}" for block in blocks for what in ("worse / tie / better", "mean")]
    rows = []
    for name in names:
        row = [name]
        for most in (SMALL, math.inf):
            here = [one for one in met if one.who == name and one.budget <= most]
            words = [one.word for one in here]
            mean, error, number = record_means(here)
            row.append(" / ".join(str(words.count(word)) for word in ORDER))
            row.append("-" if not number else f"{mean:+.1f}" + ("" if math.isnan(error) else f" +- {error:.1f}"))
        rows.append(row)
    return _table(["planner", *head], rows)


def _record(name: str, run: Run, curve: Curve, licence: str) -> list[str]:
    lines = [f"## {name}", "", _data(run, curve, licence), ""]
    tables = {budget: {row.planner: row for row in curve.table(budget)} for budget in curve.budgets}
    order = [row.planner for row in curve.table(curve.budgets[0])]
    plans, frames = ([p for p in order if (p in FRAMES) == framed] for framed in (False, True))
    first = tables[curve.budgets[0]][order[0]]
    lines += [f"Test error in {_unit(first)}, mean over seeds, at so many sensors:", ""]
    heads = [str(budget) for budget in curve.budgets]
    lines += _table(
        ["planner", *heads], [[p, *(_error(tables[k][p]) for k in curve.budgets)] for p in (*plans, *frames)]
    )
    lines += ["", "Difference to the mean random plan in %, with its 95 % interval and the verdict:", ""]
    lines += _table(
        ["planner", *heads],
        [[p, *(_versus(Findings(curve, p, k).of(p, RANDOM)) for k in curve.budgets)] for p in plans if p != RANDOM],
    )
    lines += _choice(name, run, curve)
    lines += _gaps(curve) + _network(run) + _stability(run, curve) + _seconds(curve, plans)
    return [*lines, ""]


def _data(run: Run, curve: Curve, licence: str) -> str:
    found = facts(run)
    data, split, window = found["data"], found["split"], found["window"]
    windows = " / ".join(str(split[block]["windows"]) for block in ("train", "validation", "test"))
    missing = float(data.get("missing_share", 0.0))
    channels = ", ".join(f"{one_line(c)} [{one_line(u)}]" for c, u in zip(curve.channels, curve.units, strict=True))
    name, layout, cadence = (one_line(str(data[key])) for key in ("name", "layout", "cadence"))
    holes = f"{100 * missing:.0f} % missing" if missing else "nothing missing"
    few = split["test"]["windows"] < FEW
    caution = " So few test windows hardly show how alike their errors are: a word here may be chance." if few else ""
    return (
        f"`{name}`: {data['sites']} sites ({layout}), {data['steps']} steps of {cadence}, {holes}; {channels}. "
        f"{window['history']} steps of history, {window['horizon']} of forecast; {windows} windows for training, "
        f"validation and test. Default planner here: {default_planner()}. Licence: {licence or 'see its card'}."
        f"{caution}"
    )


def _unit(row: CurveRow) -> str:
    return "training standard deviations" if row.units == "standard deviations" else one_line(row.units)


def _error(row: CurveRow) -> str:
    return "-" if math.isnan(row.error) else f"{row.error:.4g}"


def _versus(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    change, low, high, word = cell
    if vague(low, high):
        return UNCLEAR
    return f"{change:+.1f} ({low:+.1f} to {high:+.1f}) {word}"


def _choice(name: str, run: Run, curve: Curve) -> list[str]:
    met = [one for one in meetings(name, run, curve) if one.rival != RANDOM]
    if not met:
        return ["", "No validation errors are known: nothing can be said about a choice without the test block."]
    labels = list(dict.fromkeys(one.who for one in met))
    rows = []
    for budget in curve.budgets:
        here = {one.who: one for one in met if one.budget == budget}
        if here:
            rival = next(iter(here.values())).rival
            rows.append([str(budget), rival, *(_met(here.get(label)) for label in labels)])
    return [
        "",
        "Against the baseline that validation picks:",
        "",
        *_table(["sensors", "picked baseline", *labels], rows),
    ]


def _met(one: Meeting | None) -> str:
    if one is None:
        return "-"
    if one.planner == one.rival:
        return "the same planner"
    who = "" if one.who == one.planner else f"{one.planner} "
    return f"{who}{_change(one)} {one.word}"


def _change(one: Meeting) -> str:
    if one.planner == one.rival:
        return "the same plan"
    if vague(one.low, one.high):
        return "an interval wider than +-200 %"
    return f"{one.change:+.1f} % ({one.low:+.1f} to {one.high:+.1f})"


def _gaps(curve: Curve) -> list[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for budget in curve.budgets:
        for row in curve.table(budget):
            if row.reason:
                reasons.setdefault((row.planner, one_line(row.reason)), []).append(str(budget))
    return [f"\nNot judged: {who} at {', '.join(at)} sensors: {why}" for (who, why), at in sorted(reasons.items())]


def _network(run: Run) -> list[str]:
    curve = run.comparisons.get("network")
    if curve is None:
        return []
    lines: list[str] = []
    for budget in curve.budgets:
        rows = []
        for row in curve.table(budget):
            versus = Findings(curve, row.planner, budget).of(row.planner, RANDOM)
            rows.append([row.planner, _error(row), "" if row.is_frame or row.planner == RANDOM else _versus(versus)])
        lines += ["", f"Judged by networks trained afresh, {budget} sensors:", ""]
        lines += _table(["planner", "error", "difference to random plans in %"], rows)
    return lines


def _stability(run: Run, curve: Curve) -> list[str]:
    """Share of sensors in common between the plans of several seeds, mean over pairs; 1 of 1 seed is not shown."""
    parts = []
    for planner in sorted((SEEDED - {RANDOM}) & set(curve.planners)):
        for budget in curve.budgets:
            paths = sorted((run.path / "compare" / "plans").glob(f"{planner}-k{budget}-s*.nc"))
            chosen = [set(load_plan(path)[0].selected.tolist()) for path in paths]
            common = [len(a & b) / budget for a, b in combinations(chosen, 2)]
            if common:
                parts.append(f"{planner} {100 * np.mean(common):.0f} % at {budget}")
    return ["", f"Sensors in common between plans of different seeds: {', '.join(parts)}."] if parts else []


def _seconds(curve: Curve, plans: Sequence[str]) -> list[str]:
    if "plan_seconds" not in curve.data:
        return []
    parts = []
    for planner in plans:
        values = curve.data["plan_seconds"].sel(planner=planner).values
        if np.isfinite(values).any():
            parts.append(f"{planner} {np.median(values[np.isfinite(values)]):.3g}")
    return ["", f"Seconds to make a plan (median, on a busy machine): {', '.join(parts)}."] if parts else []


def _origin(found: Mapping[str, Run]) -> list[str]:
    versions = sorted({_versions(run) for run in found.values()})
    return ["## Versions", "", *(f"- {line}" for line in versions)]


def _versions(run: Run) -> str:
    said = run.provenance
    libraries = said.get("libraries")
    names = ", ".join(f"{k} {v}" for k, v in libraries.items()) if isinstance(libraries, dict) else ""
    return f"dynst {said.get('dynst')}, Python {said.get('python')}, {names}; seeds from {said.get('seed')}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"

    return [line(head), "|" + "---|" * len(head), *map(line, rows)]
