"""Stops at random moments: are resumed plans identical? Not a benchmark of speed; minutes.

``python benchmarks/kills.py [times [seed]]`` makes each study once without any stop, then again `times` times (20),
stopped once or more by SIGKILL, SIGTERM or SIGHUP at random moments of ``dynst fit``, ``dynst compare`` or
``dynst report``, and continued with the command that dynst itself names. The exit code is 1 if a plan, a curve or a
comparison differs, if an exit code is not the signal's, or if a file of a dead process is left.
"""

from __future__ import annotations

import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

RUN = Path("runs/r")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
COMPARE = ("--judges", "linear", "--seeds", "1", "--workers", "2")
NETWORK = ("--planner", "dynst", "--steps", "60", "--dim", "8", "--depth", "1", "--no-stability")
CLOCKS = {"plan_seconds", "judge_seconds", "plan_peak_mb"}  # of a curve: what the work cost, never twice the same


@dataclass(frozen=True)
class Case:
    """A study, and what is stopped of it."""

    name: str
    options: tuple[str, ...]


@dataclass
class Made:
    """A study made to its end: its folder, the commands for it, and how long each took."""

    folder: Path
    commands: dict[str, tuple[str, ...]]
    seconds: dict[str, float]

    @property
    def run(self) -> Path:
        return self.folder / RUN


def dynst(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dynst", *arguments]


def commands(case: Case) -> dict[str, tuple[str, ...]]:
    return {
        "fit": ("fit", *case.options, "--out", str(RUN), "-q"),
        "compare": ("compare", RUN.name, *COMPARE, "-q"),
        "report": ("report", RUN.name),
    }


def whole(case: Case, folder: Path) -> Made:
    """All three commands, undisturbed."""
    folder.mkdir()
    seconds = {}
    for name, arguments in commands(case).items():
        start = time.perf_counter()
        subprocess.run(dynst(*arguments), cwd=folder, check=True, capture_output=True)
        seconds[name] = time.perf_counter() - start
    return Made(folder, commands(case), seconds)


def begun(made: Made, folder: Path, which: str) -> None:
    """A folder in which that command is the next."""
    folder.mkdir()
    if which == "fit":
        return
    left_out = {"compare": ("compare",), "report": ("report.*",)}[which]
    shutil.copytree(made.run, folder / RUN, ignore=shutil.ignore_patterns(*left_out))


def stopped(made: Made, folder: Path, which: str, number: signal.Signals, *, lots: random.Random) -> list[str]:
    """What went wrong when a command was stopped once or twice at random moments and then went on to its end."""
    begun(made, folder, which)
    wrong: list[str] = []
    again = made.commands[which]
    for _ in range(lots.choice((1, 2))):
        again = one_stop(folder, again, lots.uniform(0.02, 1.0) * made.seconds[which], number, wrong)
    done = subprocess.run(dynst(*again), cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        return [*wrong, f"it did not go on: {done.stderr.strip()[-200:]}"]
    return wrong + differences(made.run, folder / RUN, which)


def one_stop(
    folder: Path, arguments: tuple[str, ...], after: float, number: signal.Signals, wrong: list[str]
) -> tuple[str, ...]:
    """Stop a command after so many seconds; the command that goes on."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(dynst(*arguments), cwd=folder, **pipes)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
    _, said = process.communicate()
    fair = {0, -number} | (set() if number == signal.SIGKILL else {128 + number})
    if process.returncode not in fair:
        wrong.append(f"exit code {process.returncode} after {number.name}: {said.strip()[-200:]}")
    if "Continue with: dynst " in said:
        return tuple(shlex.split(said.split("Continue with: dynst ", 1)[1]))
    if arguments[0] != "fit":
        return arguments
    draft = folder / RUN.with_name(f".{RUN.name}.partial")
    if (folder / RUN).is_dir() or (draft / "study.toml").is_file():
        return ("fit", "--resume", RUN.name, "-q")
    shutil.rmtree(draft, ignore_errors=True)  # stopped before it began
    return arguments


def differences(one: Path, other: Path, which: str) -> list[str]:
    """Files of the first run that are missing or differ in the second, and files of dead processes."""
    wrong = [f"left behind: {path.relative_to(other)}" for path in other.rglob(".*.part*")]
    files = [path.relative_to(one) for path in sorted(one.rglob("*.nc"))]
    for file in files:
        if which == "fit" and file.parts[0] == "compare":
            continue
        if not (other / file).is_file():
            wrong.append(f"{file} is missing")
        elif not alike(one / file, other / file):
            wrong.append(f"{file} differs")
    return wrong + [f"{name} is missing" for name in ("report.html", "report.md") if not (other / name).is_file()]


def alike(one: Path, other: Path) -> bool:
    """Whether two files hold the same: plans to the last bit, errors of judges to the tenth digit."""
    a, b = (xr.load_dataset(path) for path in (one, other))
    names = set(a.variables) - CLOCKS
    if names != set(b.variables) - CLOCKS:
        return False
    exact = "order" in a.variables
    return all(equal(a[name].values, b[name].values, exact=exact) for name in names)


def equal(a: np.ndarray, b: np.ndarray, *, exact: bool) -> bool:
    if a.shape != b.shape or a.dtype.kind != "f":
        return bool(a.shape == b.shape and (a == b).all())
    return bool(np.allclose(a, b, rtol=0 if exact else 1e-10, atol=0, equal_nan=True))


def rules(folder: Path) -> tuple[str, ...]:
    """Files of a rule each, made from a plan without rules: two stations that stand, two places that are forbidden."""
    plain = ("fit", "--data", "sample:heat_mesh", "--sensors", "6", "--compare", "none", "--no-stability", "-q")
    subprocess.run(dynst(*plain, "--out", "p"), cwd=folder, check=True, capture_output=True)
    subprocess.run(dynst("export-map", "p", "-o", "p.csv"), cwd=folder, check=True, capture_output=True)
    names = [line.split(",")[1] for line in (folder / "p.csv").read_text().splitlines()[1:]]
    for file, some in (("existing.txt", names[2:4]), ("forbid.txt", names[:2])):
        (folder / file).write_text("\n".join(some) + "\n")
    return ("--existing", str(folder / "existing.txt"), "--forbid", str(folder / "forbid.txt"))


def main() -> int:
    times, seed = (*map(int, sys.argv[1:]), *(20, 0)[len(sys.argv) - 1 :])[:2]
    lots = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases = [
            Case("default", ("--data", "synthetic:planted:3", "--sensors", "6")),
            Case("network", ("--data", "synthetic:planted:3", "--sensors", "6", *NETWORK)),
            Case("rules", ("--data", "sample:heat_mesh", "--sensors", "6", *rules(folder))),
        ]
        made = {case.name: whole(case, folder / case.name) for case in cases}
        for case in cases:
            spent = ", ".join(f"{what} {spent:.1f} s" for what, spent in made[case.name].seconds.items())
            print(f"{case.name}: {spent}", flush=True)
        good = 0
        for trial in range(times):
            case, number = cases[trial % len(cases)], SIGNALS[trial // len(cases) % len(SIGNALS)]
            which = lots.choices(("fit", "compare", "report"), (3, 2, 1))[0]
            wrong = stopped(made[case.name], folder / f"t{trial}", which, number, lots=lots)
            good += not wrong
            print(
                f"{trial + 1:3} {case.name:8} {which:8} {number.name:8} {'; '.join(wrong) or 'identical'}", flush=True
            )
            shutil.rmtree(folder / f"t{trial}", ignore_errors=True)
        print(f"{good} of {times} identical")
        return int(good < times)


if __name__ == "__main__":
    sys.exit(main())
