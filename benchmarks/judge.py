"""Space-time forecasts of many plans: shared products against each plan by itself. One thread, one table.

Both sides solve the same systems and count the same errors; they differ in how the products of sensors and targets
are made. What plans share is made anew, and counted, in each repeat. The form is chosen before, once for both.

python benchmarks/judge.py [--sites 2048] [--steps 2600] [--plans 200]
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from planners import field_of
from timing import Row, interleaved, show

from dynst.domain import Window
from dynst.evaluation import LinearJudge
from dynst.windows import split_by_time

SIZES = (10, 20, 50, 100)  # budgets at which the choice of sites still matters
COMPARED = 8  # plans whose errors are compared
TARGET = 6.0  # least ratio of 200 plans on a record without gaps
EQUAL = 1e-3  # largest relative difference of errors: float32 products, and a system with a millionth of noise


def alone(judge, plans):
    """Each plan by itself."""
    for plan in plans:
        forget(judge)
        yield judge.score(plan)


def shared(judge, plans):
    """All plans together; nothing is kept from an earlier call."""
    forget(judge)
    return judge.scores(plans)


def forget(judge):
    """No products of sensors are known any more."""
    judge.__dict__.pop("_products", None)


def difference(judge, plans):
    """Largest difference of errors at sensors, away from them, and of windows, relative to their mean."""
    worst = 0.0
    together = list(shared(judge, plans))[:COMPARED]
    for one, many in zip(alone(judge, plans[:COMPARED]), together, strict=True):
        pairs = [(one.at_sensors.square, many.at_sensors.square), (one.away.square, many.away.square)]
        for mine, other in [*pairs, (one.per_window, many.per_window)]:
            worst = max(worst, float(np.abs(mine - other).max() / other.mean()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--plans", type=int, default=200)
    given = parser.parse_args()
    field, rng, rows = field_of(given.steps, given.sites), np.random.default_rng(0), []
    window = Window(4, 4)
    judge = LinearJudge(split_by_time(field, window), window)
    plans = [rng.permutation(given.sites)[: SIZES[i % len(SIZES)]] for i in range(given.plans)]
    start = time.process_time()
    for size in SIZES:
        judge.score(np.arange(size))  # reads the data and chooses the forms, which both sides need
    before = time.process_time() - start
    plain, fast = interleaved(
        lambda: list(alone(judge, plans)),
        lambda: list(shared(judge, plans)),
        repeats=1,
        warm_up=0,
        clock=time.process_time,
    )
    each = f"{plain / len(plans) * 1e3:.0f} / {fast / len(plans) * 1e3:.0f} ms a plan"
    rows.append(Row(f"{len(plans)} plans, one by one / shared", each, plain / fast, TARGET))
    rows.append(Row("  largest relative difference of errors", "", difference(judge, plans), EQUAL, at_most=True))
    windows = f"{len(judge.data.anomalies.values)} training steps and {len(judge.data.windows('test'))} test windows"
    title = f"{given.sites} sites, {windows}, plans of {SIZES} sites; {before:.0f} s to choose forms"
    return show(title, rows)


if __name__ == "__main__":
    sys.exit(main())
