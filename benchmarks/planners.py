"""How the time to plan grows with sites and with time steps, and what pivots and modes cost beside LAPACK's.

python benchmarks/planners.py [--sizes 2048 10000 65536] [--steps 500 2000 8000] [--budget 100] [--planner NAME ...]

One thread, processor time.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
from pathlib import Path

import numpy as np
import scipy.linalg

sys.path.insert(0, str(Path(__file__).parents[1]))  # the checkout, not an installed dynst

from timing import Row, interleaved, show

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.domain.modes import leading_modes
from dynst.domain.room import Room
from dynst.errors import DynstError
from dynst.planners import PLANNERS
from dynst.planners.base import PlannerSkipped, Task
from dynst.planners.pivoted_qr import pivots

MODES = 150
_WHOLE = 10000  # sites up to which a whole decomposition is worth waiting for
TARGET = 1.2  # largest exponent of growth, in sites and in time steps


class Modal:
    """A series of travelling modes made on reading, so that no size of record fills the memory."""

    def __init__(self, steps, n, *, seed=0):
        rng = np.random.default_rng(seed)
        self.patterns = rng.standard_normal((MODES, n)).astype(np.float32)
        decay = 1.0 / np.arange(1, MODES + 1)
        frequency, phase = rng.uniform(0.02, 0.5, MODES), rng.uniform(0, 6, MODES)
        self.states = (np.sin(np.arange(steps)[:, None] * frequency + phase) * decay).astype(np.float32)
        self.shape = (steps, n, 1)

    def read(self, start, stop):
        out = np.empty((stop - start, *self.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start, out):
        np.matmul(self.states[start : start + len(out)], self.patterns, out=out[:, :, 0])


def field_of(steps, n):
    rng = np.random.default_rng(0)
    rows = int(np.sqrt(n / 2))
    columns = -(-n // rows)
    cell = np.arange(n)
    latitude, longitude = 80 - cell // columns * (160 / rows), -180 + cell % columns * (360 / columns)
    sites = Sites(longitude + rng.uniform(0, 1e-3, n), latitude, area=np.cos(np.radians(latitude)))
    template = Field.of(np.zeros((1, n, 1)), sites, GridLayout((rows, columns), cell))
    return Field(
        Modal(steps, n), np.arange(steps), np.zeros(steps, np.int64), sites, template.layout, template.channels
    )


def seconds(field, budget, planner):
    """Processor time from the field to the plan; the scaling, which all share, is fitted before."""
    cut = int(0.8 * field.steps)
    task = Task.make(field.between(0, cut), field.between(cut, field.steps), Window(4, 4), budget)
    begin = time.process_time()
    PLANNERS[planner].plan(task, seed=0)
    return time.process_time() - begin


def growth(sizes, times):
    """Slope of log time against log size between the first and the last."""
    return float(np.log(max(times[-1], 1e-3) / max(times[0], 1e-3)) / np.log(sizes[-1] / sizes[0]))


def table(title, sizes, fields, budget, planners):
    print(f"\n{title}; budget {budget}; seconds of one core, design included")
    print(f"{'planner':20}" + "".join(f"{size:>10}" for size in sizes) + f"{'exponent':>10}  target <= {TARGET}")
    missed = 0
    for planner in planners:
        times = []
        for field in fields:
            try:
                times.append(seconds(field, budget, planner))
            except PlannerSkipped:
                break
            except DynstError as error:
                print(planner, error)
                break
        cells = "".join(f"{value:10.2f}" for value in times).ljust(10 * len(sizes))
        if len(times) < 2:
            print(f"{planner:20}{cells}{'-':>10}  skipped above its size guard")
            continue
        exponent = growth(sizes[: len(times)], times)
        small = times[-1] < 0.1  # too short to measure a slope
        verdict = "met" if exponent <= TARGET or small else "MISSED"
        missed += verdict == "MISSED"
        guard = "" if len(times) == len(sizes) else ", skipped above its size guard"
        print(f"{planner:20}{cells}{exponent:10.2f}  {verdict}{guard}")
    return missed


def pivoting(sizes, ranks, *, steps=1000):
    """Pivots of the same modes by us and by LAPACK (geqp3, as PySensors calls it), in turns; the sites must agree."""
    rows = []
    for n in sizes:
        series = Modal(steps, n).read(0, steps)[:, :, 0]
        series += 0.01 * np.random.default_rng(1).standard_normal(series.shape, np.float32)
        for rank in ranks:
            modes = leading_modes(series, rank).patterns
            blocks, sites = modes[:, None, :].copy(), Sites(np.arange(n, dtype=float), np.zeros(n), frame="planar")
            sides = (
                lambda blocks=blocks, sites=sites, rank=rank: pivots(blocks, Room(sites), rank)[0],
                lambda modes=modes, rank=rank: scipy.linalg.qr(modes.T, pivoting=True, mode="r")[1][:rank],
            )
            assert sides[0]().tolist() == sides[1]().tolist(), f"other sites than LAPACK's: {n} sites, {rank} modes"
            ours, theirs = interleaved(*sides, repeats=9, clock=time.process_time)
            figures = f"{1e3 * ours:.1f} and {1e3 * theirs:.1f} ms"
            rows.append(Row(f"{n} sites, {rank} pivots", figures, ours / theirs, 1.0, at_most=True))
    return show("Pivots of the same modes, dynst / LAPACK, processor time", rows)


def decomposition(sizes, ranks, *, steps=1000):
    """Modes beside a whole singular value decomposition by LAPACK, where that takes seconds and not minutes."""
    rows = []
    for n in sizes:
        series = Modal(steps, n).read(0, steps)[:, :, 0]
        for rank in ranks:
            sides = (
                lambda series=series, rank=rank: leading_modes(series, rank),
                lambda series=series: scipy.linalg.svd(series, full_matrices=False),
            )
            ours, theirs = interleaved(*sides, repeats=3, warm_up=0, clock=time.process_time)
            figures = f"{ours:.2f} and {theirs:.2f} s"
            rows.append(Row(f"{n} sites, {rank} modes", figures, ours / theirs, 1.0, at_most=True))
    return show(f"Exact modes of {steps} steps, dynst / LAPACK's singular values, processor time", rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[2048, 10000, 65536])
    parser.add_argument("--steps", type=int, nargs="+", default=[500, 2000, 8000])
    parser.add_argument("--budget", type=int, default=100)
    parser.add_argument("--planner", nargs="+", default=[name for name, row in PLANNERS.items() if not row.trains])
    options = parser.parse_args()
    by_size = [field_of(1000, n) for n in options.sizes]
    missed = table("1000 steps, by sites", options.sizes, by_size, options.budget, options.planner)
    by_steps = [field_of(steps, 2048) for steps in options.steps]
    missed += table("2048 sites, by time steps", options.steps, by_steps, options.budget, options.planner)
    missed += pivoting(options.sizes, (20, 100))
    missed += decomposition([n for n in options.sizes if n <= _WHOLE], (20, 100))
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
