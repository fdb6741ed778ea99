"""Every planner on real records: rolling origins, the linear judge and fresh networks at several budgets.

Each judged plan is one line of a JSONL file, so a stopped study goes on where it was, and several processes may share
the work (one record each). The report is made from that file alone.

    python benchmarks/evidence.py --out evidence.jsonl --report evidence.md sst=PATH uk=PATH winter=PATH@2

``@2`` keeps every second row and column; hints of the reader follow after commas, as in
``la=los_speed.csv,stations=places.csv,graph=los_adj.csv``. A planner ``dynst:gnn`` or ``one_shot:stlight`` is that
planner with another network than the one that suits the layout; ``--networks stlight,gnn`` judges by both, so that
masks learnt with one network are judged by the other. Records of several experiments are split by run, once.

Figures are ``100 * ln(RMSE / mean RMSE of the random plans)``, about %.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from dynst.backbones import backbone_for
from dynst.domain import Field, GridLayout, Sites, Window  # the checkout, not an installed dynst
from dynst.errors import DynstError
from dynst.evaluation import LinearJudge, Score, verdict
from dynst.evaluation.refit import refit
from dynst.planners import PLANNERS
from dynst.planners.base import Task
from dynst.readers import Hints, read
from dynst.windows import Split, rolling_origins, split_record

RANDOM, OURS = "uniform_random", ("dynst", "dynst_linear")
RIVALS = ("coverage", "pivoted_qr", "forward", "a_optimal")


@dataclass(frozen=True)
class Settings:
    budgets: tuple[int, ...]
    planners: tuple[str, ...]
    draws: int
    origins: tuple[float, ...]
    stride: int
    history: int | None
    networks: tuple[str, ...]
    refit_budgets: tuple[int, ...]
    refit_steps: int
    refit_seeds: int
    plan_seeds: int
    dynst_steps: int


class Log:
    """Lines already there are never computed again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.known = {self.key(line): line for line in self.lines}

    @staticmethod
    def key(line: dict[str, Any]) -> tuple[Any, ...]:
        return tuple(line[name] for name in ("data", "origin", "judge", "planner", "budget", "seed"))

    def once(self, place: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        key = self.key(place)
        if key not in self.known:
            begin = time.perf_counter()
            try:
                line = place | make()
            except DynstError as reason:
                line = place | {"error": None, "reason": str(reason)}
            line["seconds"] = round(time.perf_counter() - begin, 2)
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            self.known[key] = line
            self.lines.append(line)
            print("  ".join(map(str, key)), line["error"], f"{line['seconds']} s", file=sys.stderr, flush=True)
        return self.known[key]


def load(source: str) -> Field:
    place, *hints = source.split(",")
    path, _, every = place.partition("@")
    field = read(path, hints=Hints(**dict(hint.split("=", 1) for hint in hints)))
    return coarsened(field, int(every)) if every else field


def coarsened(field: Field, every: int) -> Field:
    """Every so many rows and columns, whole record in memory."""
    assert isinstance(field.layout, GridLayout), "only grids are made coarser"
    h, w = field.layout.shape
    row, column = np.divmod(field.layout.cell, w)
    keep = np.flatnonzero((row % every == 0) & (column % every == 0))
    shape = (-(-h // every), -(-w // every))
    layout = GridLayout(shape, row[keep] // every * shape[1] + column[keep] // every, field.layout.periodic)
    old = field.sites
    sites = Sites(
        old.x[keep],
        old.y[keep],
        old.frame,
        area=old.area[keep],
        crs=old.crs,
        longitude=None if old.longitude is None else old.longitude[keep],
        latitude=None if old.latitude is None else old.latitude[keep],
    )
    values = field.series.read(0, field.steps)[:, keep]
    return Field.of(
        values, sites, layout, channels=field.channels, time=field.time, run=field.run, name=field.name,
        cadence=field.cadence,
    )  # fmt: skip


def study(name: str, source: str, settings: Settings, log: Log) -> None:
    field = load(source)
    window = Window.for_record(
        field.steps,
        history=settings.history,
        prediction=settings.history,
        stride=settings.stride,
        longest=max(stop - start for start, stop in field.runs),
    )
    print(f"{name}: {field!r}, {window}", file=sys.stderr)
    origins = settings.origins
    splits = rolling_origins(field, window, origins=origins) if len(field.cases) < 3 else []
    for origin, split in zip(origins, splits, strict=True) if splits else [(0.0, split_record(field, window))]:
        place = {"data": name, "origin": origin}
        judged_plans(place, split, window, settings, log)


def judged_plans(place: dict[str, Any], split: Split, window: Window, settings: Settings, log: Log) -> None:
    judge = LinearJudge(split, window)
    task = Task(split.train, split.valid, window, judge.scaling, min(settings.budgets))
    frames = {"floor": judge.floor, "ceiling": judge.ceiling, "persistence": judge.persistence}
    for frame, make in frames.items():
        where = place | {"judge": "linear", "planner": frame, "budget": 0, "seed": 0}
        log.once(where, lambda make=make: figures(make()))
    for budget in settings.budgets:
        for planner, seed in who(settings):

            def plan_and_judge(planner: str = planner, seed: int = seed, budget: int = budget) -> dict[str, Any]:
                known, _, backbone = planner.partition(":")
                options: dict[str, Any] = {"steps": settings.dynst_steps} if known == "dynst" else {}
                options |= {"backbone": backbone} if backbone else {}
                plan = PLANNERS[known].plan(task.with_budget(budget), seed=seed, **options)
                return figures(judge.score(plan.selected)) | {"selected": plan.selected.tolist()}

            where = place | {"judge": "linear", "planner": planner, "budget": budget, "seed": seed}
            line = log.once(where, plan_and_judge)
            if budget in settings.refit_budgets and line["error"] is not None:
                for network in settings.networks or (backbone_for(split.train.layout),):
                    refitted(place, judge, line, settings, log, network=network)


def refitted(
    place: dict[str, Any], judge: LinearJudge, line: dict[str, Any], settings: Settings, log: Log, *, network: str
) -> None:
    """Several seeds of the net for a plan; where a planner has several plans, each has one: layouts vary as well."""
    selected = np.array(line["selected"])
    several = line["planner"] in varied(settings)
    for net_seed in [line["seed"] % settings.refit_seeds] if several else range(settings.refit_seeds):
        where = place | {"judge": network, "planner": line["planner"], "budget": line["budget"]}
        where["seed"] = line["seed"] if several else net_seed

        def make(net_seed: int = net_seed) -> dict[str, Any]:
            score = refit(
                judge.split,
                judge.window,
                judge.scaling,
                selected,
                backbone=network,
                steps=settings.refit_steps,
                seed=net_seed,
            )
            return figures(score)

        log.once(where, make)


def varied(settings: Settings) -> set[str]:
    """Planners whose plan depends on the seed enough to make several."""
    trained = {name for name in settings.planners if name.partition(":")[0] in ("dynst", "one_shot")}
    return {RANDOM} | (trained if settings.plan_seeds > 1 else set())


def who(settings: Settings) -> Iterator[tuple[str, int]]:
    for planner in settings.planners:
        several = settings.draws if planner == RANDOM else settings.plan_seeds if planner in varied(settings) else 1
        for seed in range(several):
            yield planner, seed


def figures(score: Score) -> dict[str, Any]:
    line = {"error": score.total, "per_window": [round(float(value), 7) for value in score.per_window]}
    return line if score.run is None else line | {"run": score.run.tolist()}


# report


Cell = tuple[str, float, int]  # data, origin, budget


def report(lines: Sequence[dict[str, Any]], settings: Settings) -> str:
    text = ["# Evidence\n", "`100 ln(RMSE / mean RMSE of the random plans)`: about per cent; below zero is better.\n"]
    for judge in ("linear", "stlight", "gnn"):
        cells = relative([line for line in lines if line["judge"] == judge])
        if cells:
            text += section(judge, cells, lines, settings)
    gaps = sorted({(line["data"], line["planner"], line["reason"]) for line in lines if line.get("reason")})
    text += [f"Not judged: {data}, {planner}: {reason}" for data, planner, reason in gaps]
    return "\n".join(text) + "\n"


def relative(lines: Iterable[dict[str, Any]]) -> dict[Cell, dict[str, float]]:
    """Per cell and planner: the figure, from the mean over seeds; cells without random plans are left out."""
    errors: dict[Cell, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        if line["error"] is not None and line["budget"]:
            errors[line["data"], line["origin"], line["budget"]][line["planner"]].append(line["error"])
    return {
        cell: {name: 100 * float(np.log(np.mean(e) / np.mean(found[RANDOM]))) for name, e in found.items()}
        for cell, found in sorted(errors.items())
        if RANDOM in found
    }


def section(
    judge: str, cells: dict[Cell, dict[str, float]], lines: Sequence[dict[str, Any]], settings: Settings
) -> list[str]:
    planners = [name for name in settings.planners if name != RANDOM and any(name in found for found in cells.values())]
    data, budgets = sorted({cell[0] for cell in cells}), sorted({cell[2] for cell in cells})
    origins = len({cell[1] for cell in cells})
    heads = [f"{name} {k}" for name in data for k in budgets]
    text = [f"\n## {judge} judge, mean over {origins} origins\n"]
    text += table(
        ["planner", *heads, "mean"],
        [
            [name, *(mean(cells, name, lambda c, d=d, k=k: c[0] == d and c[2] == k) for d in data for k in budgets),
             mean(cells, name, lambda c: True)]
            for name in planners
        ],
    )  # fmt: skip
    text.append(f"\n### Over all {len(cells)} cells\n")
    best = {cell: min(value for name, value in found.items() if name != RANDOM) for cell, found in cells.items()}
    rows = []
    for name in planners:
        regret = [found[name] - best[cell] for cell, found in cells.items() if name in found]
        small = mean(cells, name, lambda c: c[2] <= 10)
        words = counts(judge, name, lines)
        rows.append([name, mean(cells, name, lambda c: True), small, np.mean(regret), np.quantile(regret, 0.9), words])
    text += table(["planner", "mean", "mean k <= 10", "regret", "regret 90 %", "better/tie/worse than random"], rows)
    text.append("\n### Paired differences (naive standard error over correlated cells)\n")
    rows = []
    mine = [name for name in settings.planners if name.partition(":")[0] in OURS]
    for ours in mine:
        for rival in [name for name in (*RIVALS, *mine) if name != ours]:
            both = [found[ours] - found[rival] for found in cells.values() if ours in found and rival in found]
            if len(both) > 1:
                wins = f"{sum(value < 0 for value in both)} of {len(both)}"
                rows.append([ours, rival, np.mean(both), np.std(both, ddof=1) / np.sqrt(len(both)), wins])
    return text + (table(["planner", "minus", "mean", "+-", "cells better"], rows) if rows else ["no pairs"])


def mean(cells: dict[Cell, dict[str, float]], name: str, where: Callable[[Cell], bool]) -> float:
    values = [found[name] for cell, found in cells.items() if where(cell) and name in found]
    return float(np.mean(values)) if values else float("nan")


def counts(judge: str, name: str, lines: Sequence[dict[str, Any]]) -> str:
    """Verdicts of one planner against the random plans by block bootstrap, cell by cell."""
    errors: dict[Cell, dict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    runs: dict[Cell, np.ndarray] = {}
    for line in lines:
        if line["judge"] == judge and line["planner"] in (name, RANDOM) and line["error"] is not None:
            cell = line["data"], line["origin"], line["budget"]
            errors[cell][line["planner"]].append(line["per_window"])
            if "run" in line:
                runs[cell] = np.array(line["run"])
    words = [
        verdict(np.mean(found[name], axis=0), np.array(found[RANDOM]), run=runs.get(cell))[0]
        for cell, found in errors.items()
        if len(found[RANDOM]) >= 10 and name in found
    ]
    return " / ".join(str(words.count(word)) for word in ("better", "tie", "worse"))


def table(head: Sequence[str], rows: Iterable[Sequence[str | float]]) -> list[str]:
    def cell(value: str | float) -> str:
        return value if isinstance(value, str) else "-" if np.isnan(value) else f"{value:+.1f}"

    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return lines + [f"| {' | '.join(map(cell, row))} |" for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", help="name=path or name=path@N")
    parser.add_argument("--out", type=Path, default=Path("evidence.jsonl"))
    parser.add_argument("--report", type=Path, help="where to write the tables; else to the screen")
    parser.add_argument("--planners", default=",".join(PLANNERS))
    parser.add_argument("--budgets", default="5,10,20,50")
    parser.add_argument("--origins", default="0.40,0.50,0.62")
    parser.add_argument("--draws", type=int, default=10, help="random plans")
    parser.add_argument("--stride", type=int, default=1, help="steps between windows")
    parser.add_argument(
        "--history", type=int, help="steps of history and of prediction; chosen from the record if left out"
    )
    parser.add_argument("--networks", default="", help="judges besides the linear one; default: as suits the layout")
    parser.add_argument("--refit-budgets", default="10", help="budgets at which networks judge; 0: none")
    parser.add_argument("--plan-seeds", type=int, default=1, help="plans of each trained planner")
    parser.add_argument("--refit-steps", type=int, default=200)
    parser.add_argument("--refit-seeds", type=int, default=3)
    parser.add_argument("--dynst-steps", type=int, default=400)
    given = parser.parse_args()
    torch.set_num_threads(1)
    settings = Settings(
        budgets=tuple(map(int, given.budgets.split(","))),
        planners=tuple(given.planners.split(",")),
        draws=given.draws,
        origins=tuple(map(float, given.origins.split(","))),
        stride=given.stride,
        history=given.history,
        networks=tuple(filter(None, given.networks.split(","))),
        refit_budgets=tuple(map(int, given.refit_budgets.split(","))),
        plan_seeds=given.plan_seeds,
        refit_steps=given.refit_steps,
        refit_seeds=given.refit_seeds,
        dynst_steps=given.dynst_steps,
    )
    log = Log(given.out)
    for entry in given.data:
        name, _, source = entry.partition("=")
        study(name, source, settings, log)
    text = report(log.lines, settings)
    if given.report:
        given.report.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
