"""What rules of deployment cost in time: plans with all rules and without any, on the same record, in turns.

python benchmarks/rules.py [--sites 10000] [--budget 20] [--repeats 3]

One thread, processor time.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from timing import Row, interleaved, show

from dynst.domain import Field, GridLayout, Rules, Sites, Spacing, Window
from dynst.planners import PLANNERS
from dynst.planners.base import PlannerSkipped, Task

MOST = 1.5  # times as long as without rules
_SHORT = 0.5  # seconds below which a ratio says nothing


def record(n, *, steps=400, seed=0):
    """Travelling waves with noise on a grid of about `n` cells."""
    rows = round(np.sqrt(n / 2))
    columns = round(n / rows)
    latitude, longitude = np.meshgrid(np.linspace(60, 30, rows), np.linspace(-30, 30, columns), indexing="ij")
    sites = Sites(longitude.ravel(), latitude.ravel(), area=np.cos(np.radians(latitude.ravel())))
    rng = np.random.default_rng(seed)
    patterns = rng.standard_normal((60, len(sites))).astype(np.float32)
    decay = 1.0 / np.arange(1, 61)
    states = np.sin(np.arange(steps)[:, None] * rng.uniform(0.02, 0.5, 60) + rng.uniform(0, 6, 60)) * decay
    values = (states.astype(np.float32) @ patterns)[:, :, None]
    values += 0.05 * rng.standard_normal(values.shape).astype(np.float32)
    return Field.of(values, sites, GridLayout((rows, columns), np.arange(len(sites))))


def task_of(field, budget):
    cut = int(0.75 * field.steps)
    return Task.make(field.between(0, cut), field.between(cut, field.steps), Window(2, 2), budget)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sites", type=int, default=10_000)
    parser.add_argument("--budget", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    field = record(asked.sites)
    sites, rng = field.sites, np.random.default_rng(1)
    existing = np.zeros(len(sites), bool)
    existing[rng.choice(len(sites), 5, replace=False)] = True
    zone = (sites.x > 0) & (sites.y > 45)
    rules = Rules(existing=existing, allow=sites.x > -25, forbid=zone, min_distance=Spacing(300.0, "km"))
    rows = []
    for name, row in PLANNERS.items():
        if row.trains:
            continue

        def plan(under, row=row):  # sites are made anew, as they keep what they once computed
            return row.plan(task_of(replace(field, sites=under.on(sites)), asked.budget), seed=0)

        sides = (lambda plan=plan: plan(Rules()), lambda plan=plan: plan(rules))
        try:
            bare, ruled = interleaved(*sides, repeats=asked.repeats, clock=time.process_time)
        except PlannerSkipped as reason:
            print(f"{name}: {reason}")
            continue
        most = MOST if bare > _SHORT else float("inf")
        rows.append(Row(name, f"{bare:.2f} and {ruled:.2f} s", ruled / bare, most, at_most=True))
    return show(f"Plans of {asked.budget} among {len(sites)} sites with all rules / without, processor time", rows)


if __name__ == "__main__":
    sys.exit(main())
