"""Ridge refits of many plans: shared inner products against each plan from the data. One thread, one table.

Both sides choose the penalty in the same way and give the same errors: per lead time, at sensors and away, window by
window; neither counts absolute errors. What plans share is made anew, and counted, in each repeat.

python benchmarks/judge.py [--sites 2048] [--steps 2600]
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

from dynst.backbones.linear import fit_ridge
from dynst.domain import Window
from dynst.evaluation import LinearJudge
from dynst.windows import split_by_time

SIZES = (10, 20, 50, 100)  # budgets at which the choice of sites still matters
EQUAL = 2e-5  # largest relative difference of errors


def direct(judge, plans):
    """Each plan by itself: its features, the ridge, the forecast of the field, its errors."""
    train, valid, test, basis = judge._train, judge._valid, judge._test, judge._basis
    m, (b, p, n, c) = len(train), test.targets.shape
    v = len(valid)
    for plan in plans:
        fit = fit_ridge(
            train.inputs[:, plan].reshape(m, -1),
            basis.coefficients,
            valid_inputs=valid.inputs[:, plan].reshape(v, -1),
            valid_targets=basis.valid,
        )
        coefficients = fit.predict(test.inputs[:, plan].reshape(b, -1)).astype(np.float32)
        error = (coefficients @ basis.fields).reshape(b, p, n, c) - test.targets
        weight = np.zeros((2, n), np.float32)
        weight[0, plan] = judge.sites.weight[plan]
        weight[1] = judge.sites.weight - weight[0]
        signed = weight @ error  # b p 2 c
        square = weight @ np.square(error, out=error)
        window = square.sum(axis=(1, 2, 3)) / (p * c * weight.sum())
        yield square.sum(axis=0), signed.sum(axis=0), window


def shared(judge, plans):
    """All plans together; nothing is kept from an earlier call."""
    for kept in (judge._forms, judge._at_sites, judge._pools):
        kept.clear()
    return judge.scores(plans)


def difference(judge, plans):
    """Largest relative difference of total, errors at sensors and away, and errors of windows."""
    worst = 0.0
    for (square, _, window), score in zip(direct(judge, plans), shared(judge, plans), strict=True):
        unit = judge.scaling.std**2
        pairs = [(score.at_sensors.square, square[:, 0] * unit), (score.away.square, square[:, 1] * unit)]
        for mine, other in [*pairs, (score.per_window, window)]:
            worst = max(worst, float(np.abs(mine / other - 1).max()))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sites", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=2600)
    given = parser.parse_args()
    field, rng, rows = field_of(given.steps, given.sites), np.random.default_rng(0), []
    for count, steps, target in ((24, 4, 2.0), (200, 4, 6.0), (200, 1, 2.0)):
        window = Window(1, steps)
        judge = LinearJudge(split_by_time(field, window), window)
        judge.score(np.arange(2))  # reads the data and finds the modes, which both sides need
        plans = [rng.permutation(given.sites)[: SIZES[i % len(SIZES)]] for i in range(count)]
        plain, fast = interleaved(
            lambda judge=judge, plans=plans: list(direct(judge, plans)),
            lambda judge=judge, plans=plans: list(shared(judge, plans)),
            repeats=3,
            clock=time.process_time,
        )
        what = f"{count} refits, {steps} step{'s' * (steps > 1)} ahead, direct / shared"
        rows.append(Row(what, f"{plain * 1e3:.0f} / {fast * 1e3:.0f} ms", plain / fast, target))
        worst = difference(judge, plans[:24])
        rows.append(Row("  largest relative difference of errors", "", worst, EQUAL, at_most=True))
    m, b, r = len(judge._train), len(judge._test), len(judge._basis.fields)
    title = f"{given.sites} sites, {m} training and {b} test windows, {r} modes, plans of {SIZES} sites"
    return show(title, rows)


if __name__ == "__main__":
    sys.exit(main())
