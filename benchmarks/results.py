"""Plans of every planner without a network on real records, judged on time that no planner saw: docs/results.md.

    DYNST_TEST_DATA=FOLDER python benchmarks/results.py --out results [--records NAME ...] [--networks] [--page]

Each record and origin is one JSON file below ``--out`` and is not computed again: a study that was stopped goes on with
the same command, and several processes may share the records. The page is made of these files alone; ``--page`` makes
it without computing anything.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from forecaster import RECORDS, splits
from results_page import BASELINES, OURS, PLANNED, write

from dynst.config import Study
from dynst.domain import RANDOM, Field, Window
from dynst.domain.calendar import Calendar
from dynst.domain.split import Split, before_test
from dynst.evaluation import LinearJudge, RidgeJudge, Score
from dynst.evaluation.comparison import compared
from dynst.planners import PLANNERS
from dynst.planners.base import PlannerSkipped, Task
from dynst.readers import read
from dynst.study.prepare import choose
from dynst.windows import Scaling
from dynst.windows.choice import choose_climatology

BUDGETS, MANY_SITES, MANY = (5, 10, 20), 500, 50  # a fourth budget where the record has more sites than that
DRAWS = 6
JUDGES = {"linear": LinearJudge, "ridge": RidgeJudge}
NETWORK_RECORDS, NETWORK_ORIGIN, NETWORK_BUDGET = ("ERA5 sample", "Los Angeles", "AROME wind"), "0.65", 10
NETWORK_STEPS, NETWORK_SEEDS = 200, 3

Plans = dict[tuple[str, int], list[np.ndarray]]
"""Sensors of each planner and budget: one plan, or the draws of random plans."""


@dataclass(frozen=True)
class Case:
    """A record at one origin, and what every plan and judge of it shares."""

    field: Field
    window: Window
    split: Split
    cycle: int | None

    @cached_property
    def known(self) -> Field:
        """Training and validation time; later time than the test block is no part of it."""
        if self.split.kind == "run":
            return before_test(self.field, self.window, self.split)
        parts = (self.split.train, self.split.valid, self.split.test)
        end = sum(part.steps for part in parts) + 2 * self.window.embargo
        return before_test(self.field.between(0, end), self.window, self.split)

    @cached_property
    def calendar(self) -> Calendar:
        return choose_climatology(self.known, cycle=self.cycle).calendar

    @cached_property
    def task(self) -> Task:
        """Planning on training and validation time, as `dynst.study.prepare.Prepared.task` has it."""
        scaling = Scaling.fit(self.known, self.calendar)
        return Task(self.known, self.split.valid, self.window, scaling, 1, learning=self.split.train)

    @cached_property
    def early(self) -> Task:
        """Planning on training time alone, so that validation time can pick a planner."""
        return Task.make(self.split.train, self.split.valid, self.window, 1, self.calendar)

    @property
    def budgets(self) -> list[int]:
        sites = len(self.field.sites.legal)
        asked = (*BUDGETS, MANY) if sites > MANY_SITES else BUDGETS
        return [budget for budget in asked if 2 * budget <= sites]


def plans_of(task: Task, planners: Sequence[str], budgets: Sequence[int]) -> Plans:
    """The plans of some planners; a planner that cannot run on the record has none."""
    found: Plans = {}
    for name in planners:
        begun = time.process_time()
        for budget in budgets:
            seeds = range(DRAWS if name == RANDOM else 1)
            try:
                drawn = [PLANNERS[name].plan(task.with_budget(budget), seed=seed) for seed in seeds]
            except PlannerSkipped as reason:
                print(f"    {reason}", flush=True)
                break
            found[name, budget] = [plan.selected for plan in drawn]
        print(f"    {name}: {time.process_time() - begun:.1f} s", flush=True)
    return found


def judged(judge: Any, plans: Plans, *, on: str) -> dict[tuple[str, int], list[Score]]:
    """The scores of all plans; what they share is computed once."""
    every = judge.scores([sites for drawn in plans.values() for sites in drawn], on=on)
    return {place: [next(every) for _ in drawn] for place, drawn in plans.items()}


def cells(case: Case) -> Iterator[dict[str, Any]]:
    """Errors of every plan at each budget under each judge, and how the default planner compares."""
    plans = plans_of(case.task, PLANNED, case.budgets)
    early = plans_of(case.early, BASELINES, case.budgets)
    for name, kind in JUDGES.items():
        begun = time.process_time()
        judge = kind(case.split, case.window, scaling=Scaling.fit(case.split.train, case.calendar))
        test, valid = judged(judge, plans, on="test"), judged(judge, early, on="valid")
        usual = judge.climatology()
        print(f"    judge {name}: {time.process_time() - begun:.1f} s", flush=True)
        for budget in case.budgets:
            at = {planner: scores for (planner, k), scores in test.items() if k == budget}
            yield {
                "judge": name,
                "budget": budget,
                "windows": len(usual.per_window),
                "climatology": usual.total,
                "errors": {planner: [score.total for score in scores] for planner, scores in at.items()},
                "valid": {planner: scores[0].total for (planner, k), scores in valid.items() if k == budget},
                "against": {planner: against(at, planner, budget) for planner in at if planner != OURS},
            }


def against(scores: dict[str, list[Score]], other: str, budget: int) -> dict[str, float]:
    """The default planner against another on the same windows, a comparison by itself."""
    pair = {(name, budget): scores[name] for name in (OURS, other)}
    found = compared((OURS, other), (budget,), pair)
    return {name: float(found[name][0, 1, 0]) for name in ("difference", "low", "high", "p")}


def networks(case: Case) -> Iterator[dict[str, Any]]:
    """Errors of the planner that trains a network: its plan, and the mask as training left it."""
    task = case.task.with_budget(NETWORK_BUDGET)
    made = [PLANNERS["dynst"].plan(task, seed=seed, steps=NETWORK_STEPS) for seed in range(NETWORK_SEEDS)]
    plans = {
        ("dynst", NETWORK_BUDGET): [plan.selected for plan in made],
        ("as trained", NETWORK_BUDGET): [np.array(plan.provenance["as_trained"]) for plan in made],
    }
    for name, kind in JUDGES.items():
        judge = kind(case.split, case.window, scaling=Scaling.fit(case.split.train, case.calendar))
        scores = judged(judge, plans, on="test")
        errors = {planner: [score.total for score in found] for (planner, _), found in scores.items()}
        yield {"judge": name, "budget": NETWORK_BUDGET, "errors": errors}


def work(name: str, out: Path, *, with_networks: bool) -> None:
    """Compute what is missing of one record."""
    path, options, cycle = RECORDS[name]
    field = read(str(path), **options)
    window = choose(Study(cycle=cycle), field).window
    for origin, split in splits(field, window).items():
        case = Case(field, window, split, cycle)
        once(out / f"{name}-{origin}.json", case, name, origin, cells)
        if with_networks and name in NETWORK_RECORDS and origin == NETWORK_ORIGIN:
            once(out / f"{name}-{origin}-networks.json", case, name, origin, networks)


def once(path: Path, case: Case, name: str, origin: str, make: Any) -> None:
    """Write a file that is not there."""
    if path.exists():
        return
    print(f"{path.stem}", flush=True)
    begun = time.process_time()
    facts = {
        "record": name,
        "origin": origin,
        "sites": len(case.field.sites),
        "window": [case.window.history, case.window.prediction],
        "calendar": str(case.calendar),
    }
    done = facts | {"cells": list(make(case)), "seconds": time.process_time() - begun}
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(done, indent=1), encoding="utf-8")
    partial.replace(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder of the JSON files")
    parser.add_argument("--records", nargs="*", default=None, help="names; default all that are there")
    parser.add_argument("--networks", action="store_true", help="plans of `dynst` too, on three small records")
    parser.add_argument("--page", action="store_true", help="only write the page, from the files that are there")
    parser.add_argument("--page-to", type=Path, default=Path(__file__).parents[1] / "docs" / "results.md")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    there = [name for name, (path, _, _) in RECORDS.items() if str(path).startswith("sample:") or Path(path).exists()]
    for name in [] if args.page else args.records or there:
        work(name, args.out, with_networks=args.networks)
    write(args.out, args.page_to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
