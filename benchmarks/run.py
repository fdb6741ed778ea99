"""Every benchmark, each in a process of its own, one table after the other.

Run: python benchmarks/run.py [name ...]
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS = ("startup", "stlight", "gnn", "mask", "window_reading", "planners", "judge", "cost", "sweep")
# evidence.py, forecaster.py and results.py are studies on data that do not ship, no benchmarks.


def main(*names: str) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}. Known: {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    missed, start = [], time.perf_counter()
    for name in names or BENCHMARKS:
        began = time.perf_counter()
        code = subprocess.run([sys.executable, str(FOLDER / f"{name}.py")], check=False).returncode
        print(f"  {name}: {time.perf_counter() - began:.0f} s", flush=True)
        if code:
            missed.append(name)
    print(f"\n{time.perf_counter() - start:.0f} s; " + (f"MISSED in {', '.join(missed)}" if missed else "all reached"))
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
