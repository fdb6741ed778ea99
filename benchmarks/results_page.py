"""The results page, from the JSON files of `results.py` alone: the same files, the same page, without clock or date."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from dynst.domain import RANDOM
from dynst.evaluation.bootstrap import LEVEL
from dynst.evaluation.comparison import holm

__all__ = ["BASELINES", "OURS", "PLANNED", "Cell", "Meeting", "cells_of", "meetings", "page", "record_mean", "write"]

OURS = "dynst_linear"
BASELINES = ("a_optimal", "forward", "pivoted_qr", "mutual_information", "coverage")
"""Of these, validation picks one in each cell."""

PLANNED = (OURS, *BASELINES, "variance", RANDOM)
GOOD = (OURS, *BASELINES[:4])
"""Regret is taken to the best of these in each cell."""

NAMES = {
    "a_optimal": "A-optimal",
    "forward": "forward",
    "pivoted_qr": "QR",
    "mutual_information": "MI",
    "coverage": "coverage",
    "variance": "variance",
    RANDOM: "random",
    OURS: "`dynst_linear`",
}
TARGETS = {"a_optimal": -0.7, "forward": -1.0, "pivoted_qr": -2.0, RANDOM: -5.0}
"""Mean difference in % that the study asks for, at most."""

REGRET, WORSE = 1.5, 20  # regret in % at most, and cells of which one may be significantly worse
FEW, SOLVED = 20, 0.05  # test windows, and error to that of the climatology, below which a record tells little
JUDGES = {"linear": "default judge `linear`", "ridge": "second judge `ridge`"}
WORDS = ("is_worse", "is_better", "seems_worse", "seems_better")
RUNS = "runs"  # origin of a record of experiments, which are kept apart whole
PICTURE = "results.svg"


@dataclass(frozen=True)
class Cell:
    """All plans of one budget, on one record and origin, under one judge.

    Attributes
    ----------
    windows, climatology : int, float
        Number of test windows, and RMSE on them with no sensor.
    errors : dict of str to float
        RMSE on test windows of each planner; of random plans the mean of their RMSE.
    valid : dict of str to float
        RMSE on validation windows of each baseline, planned on training time alone.
    against : dict of str to dict of str to float
        Comparison of the default planner with each other one, by itself: ``difference``, ``low``, ``high`` in %, ``p``.
    """

    record: str
    origin: str
    judge: str
    budget: int
    windows: int
    climatology: float
    errors: dict[str, float]
    valid: dict[str, float]
    against: dict[str, dict[str, float]]

    def change(self, other: str) -> float:
        """Error of the default planner to that of another: 100 times the log of the ratio, about %."""
        return 100 * math.log(self.errors[OURS] / self.errors[other])

    @property
    def picked(self) -> str:
        """The baseline of least validation error; of equal ones the first."""
        return min(self.valid, key=self.valid.__getitem__)

    def regret(self, planner: str) -> float:
        """Error of a planner to that of the best of the good ones, likewise."""
        best = min(self.errors[name] for name in GOOD if name in self.errors)
        return 100 * math.log(self.errors[planner] / best)


@dataclass(frozen=True)
class Meeting:
    """The default planner against the baseline that validation picks; `p` as it is, `corrected` after Holm."""

    cell: Cell
    p: float
    corrected: float

    @property
    def change(self) -> float:
        return self.cell.change(self.cell.picked)

    @property
    def is_worse(self) -> bool:
        """Significantly, after Holm's correction over all cells of the judge."""
        return self.corrected < 1 - LEVEL and self.change > 0

    @property
    def is_better(self) -> bool:
        return self.corrected < 1 - LEVEL and self.change < 0

    @property
    def seems_worse(self) -> bool:
        """By itself, without a correction."""
        return self.p < 1 - LEVEL and self.change > 0

    @property
    def seems_better(self) -> bool:
        return self.p < 1 - LEVEL and self.change < 0

    @property
    def words(self) -> str:
        cell = self.cell
        found = cell.against[cell.picked]
        where = f"{cell.record}, origin {cell.origin}, {cell.budget} sensors, `{cell.judge}`"
        width = f"({found['low']:+.1f} to {found['high']:+.1f})"
        return f"{where}: {found['difference']:+.1f} % {width} to {NAMES[cell.picked]}"


def files(folder: Path) -> Iterator[dict[str, Any]]:
    """What the study wrote, by name of the record."""
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem.lower()):
        yield json.loads(path.read_text(encoding="utf-8"))


def cells_of(found: Iterable[dict[str, Any]]) -> list[Cell]:
    """The cells of the closed-form planners."""
    return [_cell(one, cell) for one in found for cell in one["cells"] if "against" in cell]


def _cell(one: dict[str, Any], cell: dict[str, Any]) -> Cell:
    errors = {planner: float(np.mean(values)) for planner, values in cell["errors"].items()}
    place = (one["record"], one["origin"], cell["judge"], cell["budget"], cell["windows"], cell["climatology"])
    return Cell(*place, errors=errors, valid=cell["valid"], against=cell["against"])


def by_record(cells: Iterable[Cell], of: Callable[[Cell], float]) -> list[float]:
    """Mean over the cells of each record."""
    values: dict[str, list[float]] = defaultdict(list)
    for cell in cells:
        values[cell.record].append(of(cell))
    return [float(np.mean(some)) for some in values.values()]


def record_mean(cells: Iterable[Cell], of: Callable[[Cell], float]) -> tuple[float, float, int]:
    """Mean in which each record counts once, its standard error over records, and the number of records."""
    means = by_record(cells, of)
    error = float(np.std(means, ddof=1)) / math.sqrt(len(means)) if len(means) > 1 else math.nan
    return float(np.mean(means)), error, len(means)


def meetings(cells: Sequence[Cell]) -> list[Meeting]:
    """Each cell of one judge against the baseline of least validation error there."""
    p = np.array([cell.against[cell.picked]["p"] for cell in cells])
    return [Meeting(*one) for one in zip(cells, p.tolist(), holm(p).tolist(), strict=True)]


def page(found: Sequence[dict[str, Any]]) -> str:
    """The page."""
    cells = cells_of(found)
    by_judge = {judge: [cell for cell in cells if cell.judge == judge] for judge in JUDGES}
    parts = [
        _head(cells),
        _losses(by_judge),
        _summary(by_judge),
        _missing(cells),
        _how(),
        _networks(found, cells),
        _records(found, cells),
    ]
    return "\n".join(line for part in parts for line in part)


def _head(cells: Sequence[Cell]) -> list[str]:
    records = len({cell.record for cell in cells})
    count = len({(cell.record, cell.origin, cell.budget) for cell in cells})
    return [
        "# Results on real records",
        "",
        f"![Mean difference of dynst_linear to each baseline on each record]({PICTURE})",
        "",
        "Difference of the test error of `dynst_linear`, the default planner, to each baseline, in %.",
        "Left of zero `dynst_linear` is better. A dot is the mean of a record over origins and budgets;",
        "its bar is the standard deviation of these cells. In the row *all records* the bar is the",
        "standard error over records. What lies beyond the frame is drawn at its edge.",
        "",
        f"{records} records, {count} cells (record, origin of the test time, number of sensors), two judges.",
        "No planner saw the test time.",
        "",
    ]


def _losses(by_judge: dict[str, list[Cell]]) -> list[str]:
    met = {judge: meetings(cells) for judge, cells in by_judge.items()}
    lines = ["## Losses", "", "Targets that are missed:", ""]
    lines += _bullets(f"{JUDGES[judge]}: {text}" for judge, cells in by_judge.items() for text in _missed(cells))
    lines += ["", "Significantly worse than the baseline that validation picks (Holm over the cells of a judge):", ""]
    lines += _bullets(one.words for found in met.values() for one in found if one.is_worse)
    lines += ["", "Worse at the 95 % level by itself, but not after Holm's correction:", ""]
    lines += _bullets(one.words for found in met.values() for one in found if one.seems_worse and not one.is_worse)
    lines += ["", "Records on which `dynst_linear` is on the mean above a baseline, in %:", ""]
    lines += _table(["record", "judge", *(NAMES[name] for name in PLANNED[1:])], _behind(by_judge))
    lines += ["", "Cells in which the plan of `dynst_linear` forecasts worse than no sensor at all:", ""]
    return [*lines, *_bullets(_useless(by_judge)), ""]


def _useless(by_judge: dict[str, list[Cell]]) -> Iterator[str]:
    """Records with cells where the climatology is better; there is then little to choose between plans."""
    for judge, cells in by_judge.items():
        for record in _names(cells):
            above = [cell.errors[OURS] > cell.climatology for cell in cells if cell.record == record]
            if any(above):
                yield f"{record}, `{judge}`: {sum(above)} of {len(above)}"


def _missed(cells: Sequence[Cell]) -> Iterator[str]:
    """Targets that the cells of a judge miss."""
    for name, target in TARGETS.items():
        mean = record_mean(cells, lambda cell, name=name: cell.change(name))[0]
        if mean > target:
            yield f"{NAMES[name]}: {mean:+.1f} %; asked for {target:+.1f} % at most."
    regrets = {name: _regret(cells, name) for name in GOOD}
    if regrets[OURS] > REGRET:
        yield f"regret of {regrets[OURS]:.1f} %; asked for {REGRET} % at most."
    for name in GOOD[1:]:
        if regrets[name] <= regrets[OURS]:
            yield f"regret of {regrets[OURS]:.1f} %; that of {NAMES[name]} is {regrets[name]:.1f} %."
    worse = sum(one.is_worse for one in meetings(cells))
    if worse * WORSE > len(cells):
        yield f"{worse} of {len(cells)} cells significantly worse; asked for 1 of {WORSE} at most."


def _regret(cells: Sequence[Cell], name: str, middle: Callable[[list[float]], Any] = np.mean) -> float:
    return float(middle(by_record([cell for cell in cells if name in cell.errors], lambda cell: cell.regret(name))))


def _behind(by_judge: dict[str, list[Cell]]) -> Iterator[list[str]]:
    """One row for each record and judge with a baseline that is better on the mean; others are left blank."""
    for record in _names(cell for cells in by_judge.values() for cell in cells):
        for judge, cells in by_judge.items():
            here = [cell for cell in cells if cell.record == record]
            means = [_mean(here, name) for name in PLANNED[1:]]
            if any(mean > 0 for mean in means):
                yield [record, judge, *(f"{mean:+.1f}" if mean > 0 else "" for mean in means)]


def _summary(by_judge: dict[str, list[Cell]]) -> list[str]:
    lines = ["## Over all records", ""]
    for judge, cells in by_judge.items():
        met = meetings(cells)
        counts = [sum(getattr(one, word) for one in met) for word in WORDS]
        lines += [f"### {JUDGES[judge].capitalize()}", ""]
        lines += _table(
            ["`dynst_linear` minus", "mean, %", "target", "median", "cells better", "regret, %", "its median"],
            _rows(cells),
        )
        lines += [
            "",
            *_plain(cells),
            "",
            "Against the baseline that validation picks: "
            f"{_text(record_mean(cells, lambda cell: cell.change(cell.picked)))} %.",
            f"Significantly worse in {counts[0]} of {len(met)} cells, better in {counts[1]} (Holm);",
            f"without a correction worse in {counts[2]}, better in {counts[3]}.",
            f"Target: worse in 1 of {WORSE} cells at most.",
            "",
        ]
    return lines


def _rows(cells: Sequence[Cell]) -> Iterator[list[str]]:
    for name in PLANNED[1:]:
        known = [cell for cell in cells if name in cell.errors]
        better = sum(cell.change(name) < 0 for cell in known)
        target = f"{TARGETS[name]:+.1f}" if name in TARGETS else ""
        middle = f"{np.median(by_record(known, lambda cell, name=name: cell.change(name))):+.1f}"
        mean = _text(record_mean(known, lambda cell, name=name: cell.change(name)))
        yield [NAMES[name], mean, target, middle, f"{better} of {len(known)}", *_regrets(known, name)]
    yield [f"*{NAMES[OURS]} itself*", "", "", "", "", *_regrets(cells, OURS)]


def _regrets(cells: Sequence[Cell], name: str) -> list[str]:
    return [f"{_regret(cells, name, middle):.1f}" for middle in (np.mean, np.median)]


def _plain(cells: Sequence[Cell]) -> list[str]:
    """The same means without the records that tell little."""
    odd = [record for record in _names(cells) if _tells_little([cell for cell in cells if cell.record == record])]
    rest = [cell for cell in cells if cell.record not in odd]
    if not odd or not rest:
        return []
    names = (*GOOD[1:4], RANDOM)
    means = (f"{NAMES[name]} {record_mean(rest, lambda cell, name=name: cell.change(name))[0]:+.1f}" for name in names)
    regrets = (f"{NAMES[name]} {_regret(rest, name):.1f}" for name in GOOD[:4])
    return [
        f"Without the records that tell little ({', '.join(odd)}):",
        f"{', '.join(means)} %.",
        f"Regret: {', '.join(regrets)} %.",
    ]


def _tells_little(cells: Sequence[Cell]) -> bool:
    """Whether a record has few test windows, or whether hardly an error is left to win."""
    left = np.median([cell.errors[OURS] / cell.climatology for cell in cells])
    return min(cell.windows for cell in cells) < FEW or bool(left < SOLVED)


def _text(mean: tuple[float, float, int]) -> str:
    return f"{mean[0]:+.1f}" + ("" if math.isnan(mean[1]) else f" +- {mean[1]:.1f}")


def _missing(cells: Sequence[Cell]) -> list[str]:
    """Origins and planners that other records have and a record has not."""
    origins = {cell.origin for cell in cells if cell.origin != RUNS}
    texts = []
    for record in _names(cells):
        here = [cell for cell in cells if cell.record == record]
        absent = origins - {cell.origin for cell in here}
        gaps = [f"no origin {origin}" for origin in sorted(absent) if here[0].origin != RUNS]
        gaps += [f"no plan of {NAMES[name]}" for name in PLANNED if any(name not in cell.errors for cell in here)]
        texts += [f"{record}: {', '.join(gaps)}"] if gaps else []
    why = "An origin is missing where the record is too short for it."
    return ["## What is missing", "", *_bullets(texts), "", why, ""]


_HOW = """\
## How

- **Make it again:** `DYNST_TEST_DATA=FOLDER python benchmarks/results.py --out results --networks`.
  The data are not part of dynst. The page is made of the JSON files below `--out` alone (`--page`).
- **Origins:** training time ends after 50, 65 or 80 % of the record. Validation and test are the
  next 8 % each. Where runs are experiments, whole runs are kept apart, once.
- **Plans** are made on training and validation time together, as a fit makes them, and with the
  calendar climatology that this time chooses. History and horizon are the defaults of the record,
  chosen on its first 82 %, and the same for all planners and origins.
- **Budgets:** 5, 10 and 20 sensors, 50 where there are more than 500 sites; at most half of the
  sites. MI (mutual information) stops at 4000 sites.
- **QR** is pivoted QR.
- **Random:** the mean error of 6 plans.
- **Judges:** `linear` and `ridge` are solved anew for every plan, on training time.
- **Difference:** 100 times the logarithm of the error ratio, about %. Below zero is better.
  Each record counts once, by the mean of its cells; +- is the standard error over records.
- **Median:** of the records. One record whose errors are near zero moves the mean, but not it.
- **Regret:** the difference to the best of five planners in each cell: `dynst_linear`, A-optimal,
  forward, QR, MI. The best is known only afterwards. Target: 1.5 % at most, and less than theirs.
- **Records that tell little** have fewer than 20 test windows, or errors below 5 % of that of the
  climatology. This rule was made after the figures were seen. All targets count all records.
- **The baseline that validation picks:** A-optimal, forward, QR, MI and coverage
  plan on training time alone. The one of least error on validation time is picked.
- **Significance** is that of the paired errors of test windows ([evidence.md](evidence.md)).
  Cells of one record share data, so they are not independent.
"""


def _how() -> list[str]:
    return _HOW.split("\n")


def _networks(found: Sequence[dict[str, Any]], cells: Sequence[Cell]) -> list[str]:
    """Plans of the planner that trains a network, beside those of the same cell."""
    places = {(cell.record, cell.origin, cell.judge, cell.budget): cell for cell in cells}
    rows = []
    for one in found:
        for cell in one["cells"]:
            place = places.get((one["record"], one["origin"], cell["judge"], cell["budget"]))
            if "against" not in cell and place is not None:
                rows.append([one["record"], cell["judge"], *_to(cell["errors"], place)])
    if not rows:
        return ["## Networks", "", "Plans of `dynst` are not part of this page yet.", ""]
    head = ["record", "judge", "plan / `dynst_linear`", "mask / `dynst_linear`", "plan / random", "mask / random"]
    return [
        "## Networks",
        "",
        "`dynst` trains a network (200 steps), then improves the mask by exact swaps. Difference in % at 10",
        "sensors, origin 0.65, mean of the errors of three seeds: its plan, and its mask as training left it.",
        "",
        *_table(head, rows),
        "",
    ]


def _to(errors: dict[str, list[float]], cell: Cell) -> list[str]:
    made = [float(np.mean(errors[name])) for name in ("dynst", "as trained")]
    return [f"{100 * math.log(error / cell.errors[other]):+.1f}" for other in (OURS, RANDOM) for error in made]


def _records(found: Sequence[dict[str, Any]], cells: Sequence[Cell]) -> list[str]:
    lines = [
        "## Record by record",
        "",
        "Error of `dynst_linear`, in standard deviations of training time; error with no sensor, which is",
        "that of the climatology; difference of `dynst_linear` to each planner in %. Means over origins.",
        "",
    ]
    for record in _names(cells):
        here = [cell for cell in cells if cell.record == record]
        lines += [f"### {record}", "", *_facts([one for one in found if one["record"] == record]), ""]
        head = ["judge", "sensors", "error", "none", *(NAMES[name] for name in PLANNED[1:])]
        lines += [*_table(head, _record_rows(here)), ""]
    return lines


def _facts(found: Sequence[dict[str, Any]]) -> list[str]:
    main = [one for one in found if any("against" in cell for cell in one["cells"])]
    history, horizon = main[0]["window"]
    calendars = ", ".join(dict.fromkeys(one["calendar"] for one in main))
    origins = ", ".join(f"{one['origin']} ({one['cells'][0]['windows']})" for one in main)
    return [
        f"{main[0]['sites']} sites; {history} steps of history, {horizon} of forecast; climatology: {calendars};",
        f"origins (test windows): {origins}.",
    ]


def _record_rows(cells: Sequence[Cell]) -> Iterator[list[str]]:
    for judge in JUDGES:
        for budget in sorted({cell.budget for cell in cells}):
            here = [cell for cell in cells if (cell.judge, cell.budget) == (judge, budget)]
            errors = [np.mean([cell.errors[OURS] for cell in here]), np.mean([cell.climatology for cell in here])]
            changes = [_mean(here, name) for name in PLANNED[1:]]
            shown = ["-" if math.isnan(change) else f"{change:+.1f}" for change in changes]
            yield [judge, str(budget), *(f"{error:.3f}" for error in errors), *shown]


def _mean(cells: Sequence[Cell], name: str) -> float:
    """Mean difference of the default planner to another; NaN where that one has no plan."""
    changes = [cell.change(name) for cell in cells if name in cell.errors]
    return float(np.mean(changes)) if changes else math.nan


def _names(cells: Iterable[Cell]) -> list[str]:
    return list(dict.fromkeys(cell.record for cell in cells))


def _bullets(texts: Iterable[str]) -> list[str]:
    return [f"- {text}" for text in texts] or ["- none"]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    def line(texts: Sequence[str]) -> str:
        return f"| {' | '.join(texts)} |"

    return [line(head), "|" + "---|" * len(head), *map(line, rows)]


def picture(cells: Sequence[Cell]) -> str:
    """The picture on top of the page, as SVG."""
    shown = ("a_optimal", "forward", "pivoted_qr", "mutual_information", RANDOM)
    rows = [row for name in shown for row in _dots(cells, name)]
    names = [NAMES[name] for name in shown]
    judge = alt.Color("judge:N", scale=alt.Scale(range=["#0072b2", "#d55e00"]), legend=alt.Legend(orient="top"))
    y = alt.Y("record:N", sort=[*_names(cells), "all records"], title=None)
    base = alt.Chart().encode(y=y, yOffset="judge:N", color=judge)
    across = alt.Scale(domain=[-20, 10], clamp=True)
    dots = base.mark_point(filled=True, size=45, opacity=1).encode(x=alt.X("mean:Q", title="%", scale=across))
    bars = base.mark_rule(strokeWidth=1.5).encode(x=alt.X("low:Q", scale=across), x2="high:Q")
    zero = alt.Chart().mark_rule(color="#ccc").encode(x=alt.datum(0))
    layers = alt.layer(zero, bars, dots, data=alt.InlineData(values=rows)).properties(width=130, height=alt.Step(14))
    chart = layers.facet(column=alt.Column("baseline:N", sort=names, title="dynst_linear minus"))
    drawn: str = vl_convert.vegalite_to_svg(chart.to_json(), allowed_base_urls=[])
    return drawn


def _dots(cells: Sequence[Cell], name: str) -> Iterator[dict[str, Any]]:
    known = [cell for cell in cells if name in cell.errors]
    for judge in JUDGES:
        here = [cell for cell in known if cell.judge == judge]
        for record in _names(here):
            changes = [cell.change(name) for cell in here if cell.record == record]
            yield _dot(name, record, judge, float(np.mean(changes)), float(np.std(changes)))
        mean, error, _ = record_mean(here, lambda cell: cell.change(name))
        yield _dot(name, "all records", judge, mean, 0.0 if math.isnan(error) else error)


def _dot(name: str, record: str, judge: str, mean: float, spread: float) -> dict[str, Any]:
    bar = {"mean": round(mean, 2), "low": round(mean - spread, 2), "high": round(mean + spread, 2)}
    return {"baseline": NAMES[name], "record": record, "judge": judge, **bar}


def write(folder: Path, to: Path) -> None:
    """The page and its picture beside it."""
    found = list(files(folder))
    to.with_name(PICTURE).write_text(picture(cells_of(found)), encoding="utf-8")
    to.write_text(page(found), encoding="utf-8")
    print(to)
