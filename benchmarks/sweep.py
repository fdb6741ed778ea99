"""How fast a comparison is: two worker processes against one, and all of one budget on the default sample.

Run alone on a quiet machine of at least two cores: python benchmarks/sweep.py [--small]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from dynst import Study
from dynst.study import compare, fit

TARGET, SECONDS = 1.6, 60.0
REFITS = {"planners": ("coverage", "variance", "uniform_random"), "judges": ("network",)}


def run_of(folder: Path, name: str, **options: object) -> Path:
    """A run on the default sample whose plan costs next to nothing."""
    study = Study(planner="coverage", compare="none", stability=False, out=str(folder / name), **options)  # type: ignore[arg-type]
    return fit(study).path


def seconds(run: Path, folder: Path, *, workers: int, **options: object) -> float:
    """Of a comparison from nothing, in a copy of the run; each worker starts afresh and reads the record itself."""
    copy = Path(shutil.copytree(run, folder / f"{run.name}-{workers}-{time.monotonic_ns()}"))
    begin = time.perf_counter()
    compare(str(copy), workers=workers, **options)  # type: ignore[arg-type]
    return time.perf_counter() - begin


def main(*, small: bool) -> int:
    """Print a line for each figure; 1 if a target was missed."""
    missed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        run = run_of(folder, "refits", **({"steps": 20, "dim": 8} if small else {}))
        several = {"budgets": (10,), "seeds": 1 if small else 3}
        one = seconds(run, folder, workers=1, **REFITS, **several)
        two = seconds(run, folder, workers=2, **REFITS, **several)
        missed |= one / two < TARGET
        print(f"refit sweep, 1 process {one:.1f} s, 2 processes {two:.1f} s: {one / two:.2f}x (target {TARGET}x)")
        begin = time.perf_counter()
        fit(Study(out=str(folder / "default"), ladder=(), stability=False))
        took = time.perf_counter() - begin
        missed |= took > SECONDS
        print(f"default comparison of one budget, default sample: {took:.1f} s (target {SECONDS:.0f} s)")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(small="--small" in sys.argv[1:]))
