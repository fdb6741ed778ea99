"""How soon `dynst --help` answers and `dynst.fit` begins to read, in fresh processes, and what they load.

Run: python benchmarks/startup.py [repeats]
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

from timing import Row, interleaved, show

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "xarray", "pandas", "geopandas", "altair", "scipy", "matplotlib", "pyproj", "zarr", "netCDF4")
LOADED = f"""
import contextlib, io, sys
sys.argv = ["dynst", "--help"]
from dynst.__main__ import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main()
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


FIT = f"""
import sys
from dynst import fit
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


def python(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


def processor_seconds() -> float:
    """User and system time of all finished child processes: what they cost, whoever else is at work."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(repeats: int = 9) -> int:
    bare, answer, fit = interleaved(
        lambda: python("-c", "pass"),
        lambda: python("-m", "dynst", "--help"),
        lambda: python("-c", FIT),
        repeats=repeats,
        warm_up=2,
        clock=processor_seconds,
    )
    loaded = python("-c", LOADED).split()
    before_reading = python("-c", FIT).split()
    rows = [
        Row("dynst --help, seconds", f"bare interpreter {bare * 1e3:.0f} ms", answer, 0.3, at_most=True),
        Row("heavy modules it loads", ", ".join(loaded) or "none", len(loaded), 0, at_most=True),
        Row("dynst.fit before it reads, seconds", ", ".join(before_reading) or "nothing heavy", fit, 1.2, at_most=True),
    ]
    return show("Start-up", rows)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
