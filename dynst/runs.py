"""The run folder: claimed, filled out of sight, and shown whole or not at all; found again later."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dynst.domain import Curve, Layout, Plan
from dynst.domain.caches import is_alive
from dynst.domain.cards import card
from dynst.domain.judges import DEFAULT, JUDGES
from dynst.domain.price import PriceOfRules
from dynst.domain.stability import Stability
from dynst.errors import CheckpointError, ConfigError, unknown_name
from dynst.export import load_plan
from dynst.run_layout import ComparisonLayout, RunLayout

try:
    import fcntl
except ImportError:  # Windows has no flock; there the folder's name alone keeps two runs apart
    fcntl = None  # type: ignore[assignment]  # a platform without the module

if TYPE_CHECKING:
    import xarray as xr

    from dynst.forecasting.forecaster import Forecaster

__all__ = [
    "RUNS",
    "Draft",
    "Run",
    "check_out",
    "claim",
    "drafts",
    "find",
    "finished",
    "held",
    "is_stopped",
    "provenance_of",
    "reopen",
    "whole",
]

_T = TypeVar("_T")

RUNS = Path("runs")
"""Where runs go and are looked for unless said otherwise."""


@dataclass(frozen=True)
class Run:
    """A complete run folder.

    Attributes
    ----------
    path : Path
        Its files are named by `RunLayout`.
    """

    path: Path

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: where the run is, what it was made of, and its plan."""
        known = self.provenance
        data = known.get("data")
        named = data.get("path", "") if isinstance(data, dict) else ""
        facts = [("folder", self.path), ("data", named), ("finished", known.get("finished", ""))]
        return card(f"Run {self.name}", facts, self.plan._repr_html_())

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def files(self) -> RunLayout:
        """Where the files of the run are."""
        return RunLayout(self.path)

    @property
    def plan(self) -> Plan:
        """The plan that the run was made for."""
        return self._own[0]

    @property
    def layout(self) -> Layout | None:
        """The grid or the graph of the plan's sites."""
        return self._own[1]

    @cached_property
    def _own(self) -> tuple[Plan, Layout | None]:
        """Read once: a report asks for it a dozen times, and the plan of a complete run does not change."""
        return load_plan(self.files.plan)

    @property
    def planners(self) -> tuple[str, ...]:
        """Who has a plan at the run's budget: the planner that it was made for first, then the others by name."""
        own = self.plan
        return own.planner, *sorted(set(self._files(own.budget)) - {own.planner})

    def plan_by(self, planner: str) -> Plan:
        """The plan of any planner of the run, at the run's budget.

        Raises
        ------
        ConfigError
            If that planner made none; the message offers the nearest name.
        """
        own = self.plan
        if planner == own.planner:
            return own
        files = self._files(own.budget)
        if planner not in files:
            raise ConfigError(unknown_name("planner", planner, self.planners))
        return load_plan(files[planner])[0]

    def _files(self, budget: int) -> dict[str, Path]:
        """The plan of each planner: the one that the run was judged with, else the comparison's, of its first seed."""
        compared = [kept for kept in self.files.comparison.plans() if kept.budget == budget]
        return {kept.planner: kept.path for kept in reversed(compared)} | self.files.plans()

    @property
    def curve(self) -> Curve:
        """Error of every planner over the ladder of budgets, under the judge of a fit."""
        return _curve(self.files.curve(JUDGES[DEFAULT]))

    @property
    def curves(self) -> dict[str, Curve]:
        """The curve of each judge of the fit, by its name in `JUDGES`; the judge that the answer rests on first."""
        return _curves(self.files)

    @property
    def comparison(self) -> Curve | None:
        """Error of every planner, each planning anew for each budget, under the judge of a fit, if that was made."""
        return self.comparisons.get(DEFAULT)

    @property
    def comparisons(self) -> dict[str, Curve]:
        """The same for each judge of the comparison, by its name."""
        return _curves(self.files.comparison)

    @property
    def stability(self) -> Stability | None:
        """How firm the choice of each site is, if that was looked at."""
        path = self.files.stability
        return _loaded(path, "stability", Stability.from_dataset) if path.is_file() else None

    @property
    def forecaster(self) -> Forecaster:
        """The forecaster of the plan, as it was judged; one fitted to all data where the study asked for that.

        Raises
        ------
        CheckpointError
            If the run keeps none, as those of older versions do.
        """
        from dynst.forecasting.store import load_forecaster  # noqa: PLC0415  # only who forecasts needs it

        path = self.files.refitted if self.files.refitted.is_file() else self.files.forecaster
        return load_forecaster(path, self.plan, self.layout)

    @property
    def price(self) -> PriceOfRules | None:
        """What each rule costs in forecast error, if there are rules and plans were compared."""
        path = self.files.price
        if not path.is_file():
            return None
        try:
            return PriceOfRules.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"{path} is no price of rules that dynst wrote ({error}). Make the run again."
            ) from error

    @property
    def provenance(self) -> dict[str, object]:
        """Versions, seed, fingerprint of the data, device, command, and what was said on the way."""
        return provenance_of(self.path)


@dataclass
class Draft:
    """A run folder in the making: hidden, locked by the process that fills it, resumable when that process dies.

    Use it as a context manager: leaving it unfinished releases the lock and keeps the folder.
    """

    path: Path
    final: Path
    _lock: int = field(repr=False, default=-1)

    @property
    def files(self) -> RunLayout:
        """Where the files of the run are."""
        return RunLayout(self.path)

    @property
    def name(self) -> str:
        """Name of the run that this becomes, or its path if it is not where runs are; ``--resume`` understands it."""
        return self.final.name if self.final.parent in {RUNS, Path()} else str(self.final)

    @property
    def busy(self) -> bool:
        """Whether a process is filling it."""
        if fcntl is None or not self.files.lock.is_file():
            return False
        try:
            os.close(_locked(self.path, self.name))
        except CheckpointError:
            return True
        return False

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def finish(self) -> Run:
        """Show the folder under its final name, in one step."""
        self.files.lock.unlink(missing_ok=True)
        _flush(self.path)
        try:
            self.path.rename(self.final)
        except OSError as error:
            raise CheckpointError(
                f"{self.final} exists: it came while this run was being made. Move it away, then "
                f"`dynst fit --resume {self.name}` puts this one in its place."
            ) from error
        _flush(self.final.parent)
        return Run(self.final)

    def discard(self) -> None:
        """Remove the folder: nothing in it is worth resuming."""
        self.__exit__()
        shutil.rmtree(self.path, ignore_errors=True)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on success it takes the name, on failure it vanishes.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with whole(target) as part:
    ...     _ = part.write_text("all of it")
    ...     target.exists()
    False
    >>> target.read_text()
    'all of it'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(path)
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        _flush(part)
        part.replace(path)
        _flush(path.parent)
    finally:
        part.unlink(missing_ok=True)


def _clear_leftovers(path: Path) -> None:
    """Remove what killed processes had written of that file."""
    for left in path.parent.glob(f".{glob.escape(path.stem)}.*.part{path.suffix}"):
        number = left.name.split(".")[-3 if path.suffix else -2]
        if number.isdigit() and not is_alive(int(number)):
            left.unlink(missing_ok=True)


def claim(base: str, *, out: Path | None = None) -> Draft:
    """A new, locked draft: ``runs/<base>-<n>`` with the first free n, or exactly `out`.

    Raises
    ------
    ConfigError
        If `out` exists, finished or as a stopped run.
    """
    if out is not None:
        check_out(out)
        draft = _create(out)
        if draft is None:
            raise ConfigError(_taken(out))
        return draft
    number = 1
    while (draft := _create(RUNS / f"{base}-{number}")) is None:
        number += 1
    return draft


def check_out(out: Path) -> None:
    """Make sure that a run folder can probably be made there, before any work is done for it.

    Raises
    ------
    ConfigError
        If something of that name exists, or no folder can be made there.
    """
    try:
        if not out.name:
            raise ConfigError(f'"{out}" names no run folder. Give --out a name.')
        if os.path.lexists(out):
            raise ConfigError(f"{out} exists already. Give --out another name, or remove it first.")
        if _hidden(out).is_dir():
            raise ConfigError(_taken(out))
        above = next(folder for folder in out.absolute().parents if folder.exists())
        possible = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    except OSError:  # a name too long, a folder that one may not look into
        possible = False
    if not possible:
        raise ConfigError(f'no run folder can be made at "{out}". Give --out a new name in a folder that is yours.')


def _taken(out: Path) -> str:
    return (
        f"a stopped or still working run is named {out} already. Continue it with `dynst fit --resume {out}`, "
        f"or remove {_hidden(out)}."
    )


def reopen(name: str) -> Draft | Run:
    """The stopped run of that name or path (``latest``: the newest one), locked again; or the `Run` if it is complete.

    Raises
    ------
    CheckpointError
        If there is no such run, or another process is working on it.
    """
    if name == "latest":
        waiting = drafts()
        if not waiting:
            raise CheckpointError(f"no stopped run waits in {RUNS}/. Start one with `dynst fit`.")
        return _lock(waiting[-1])
    for final in _candidates(_shown(name)):
        hidden = _hidden(final)
        if hidden.is_dir():
            return _lock(Draft(hidden, final))
        if RunLayout(final).complete:
            return Run(final)
    waiting_names = [draft.name for draft in drafts()]
    known = unknown_name("stopped run", name, waiting_names) if waiting_names else f'no stopped run "{name}" waits.'
    raise CheckpointError(f"{known} Looked in {RUNS}/ and the current folder.")


def find(name: str = "latest") -> Run:
    """The complete run of that name or path; ``latest`` is the one finished last in ``runs/``.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    if name == "latest":
        runs = finished()
        if not runs:
            raise CheckpointError(f"no finished run in {RUNS}/. Make one with `dynst fit`.")
        return max(runs, key=lambda run: (str(run.provenance.get("finished", "")), run.name))
    for path in _candidates(name):
        if RunLayout(path).complete:
            return Run(path)
        if _hidden(path).is_dir():
            raise CheckpointError(f"run {name} is not finished. Continue it with `dynst fit --resume {name}`.")
    known = [run.name for run in finished()]
    if known:
        raise CheckpointError(unknown_name("run", name, known))
    raise CheckpointError(f'run "{name}" is unknown, and {RUNS}/ holds no finished run. Make one with `dynst fit`.')


def finished() -> list[Run]:
    """Complete runs in ``runs/``, by name."""
    paths = sorted(RUNS.glob("*")) if RUNS.is_dir() else []
    return [Run(path) for path in paths if RunLayout(path).complete]


def is_stopped(name: str) -> bool:
    """Whether a stopped run of that name or path waits; never for ``latest``."""
    return name != "latest" and any(_hidden(final).is_dir() for final in _candidates(_shown(name)))


def drafts() -> list[Draft]:
    """Stopped runs in ``runs/``, the one touched last at the end; none of them locked."""
    folders = [path for path in RUNS.glob(".*.partial") if path.is_dir()] if RUNS.is_dir() else []
    folders.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    return [Draft(path, path.with_name(_shown(path.name))) for path in folders]


def _create(final: Path) -> Draft | None:
    if not final.name:
        raise ConfigError(f'"{final}" names no run folder. Give --out a name.')
    hidden = _hidden(final)
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            return None
        hidden.mkdir()
    except OSError as error:
        if hidden.is_dir():
            return None
        raise ConfigError(
            f"the run folder {final} cannot be made ({error.strerror}). Give --out a place that is yours to write to."
        ) from error
    if final.exists():  # another process finished the run of this name in between
        hidden.rmdir()
        return None
    return _lock(Draft(hidden, final))


def _lock(draft: Draft) -> Draft:
    return draft if fcntl is None else Draft(draft.path, draft.final, _locked(draft.path, draft.name))


@contextmanager
def held(folder: Path, name: str) -> Iterator[None]:
    """Keep other processes out of a folder that is made if need be; `name` is how it is called in the refusal.

    Raises
    ------
    CheckpointError
        If another process is in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise CheckpointError(f"{folder} is a file where dynst has a folder. Move it away.") from error
    handle = -1 if fcntl is None else _locked(folder, name)
    try:
        yield
    finally:
        if handle >= 0:
            os.close(handle)


def _locked(folder: Path, name: str) -> int:
    lock = RunLayout(folder).lock
    if lock.is_dir():
        raise CheckpointError(f"{lock} is a folder where dynst has a file. Remove it.")
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise CheckpointError(f"run {name} is being worked on by another process. Wait for it or stop it.") from error
    return handle


def _curve(path: Path) -> Curve:
    return _loaded(path, "curve", Curve.from_dataset)


def _curves(files: RunLayout | ComparisonLayout) -> dict[str, Curve]:
    """The curves that a folder holds, by judge."""
    paths = {name: files.curve(judge) for name, judge in JUDGES.items()}
    return {name: _curve(path) for name, path in paths.items() if path.is_file()}


def _loaded(path: Path, what: str, make: Callable[[xr.Dataset], _T]) -> _T:
    import xarray as xr  # noqa: PLC0415  # with pandas 0.6 s: only what is written or read needs it

    try:
        return make(xr.load_dataset(path))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} is no {what} that dynst wrote ({error}). Make the run again.") from error


def _hidden(final: Path) -> Path:
    return final.with_name(f".{final.name}.partial")


def _shown(name: str) -> str:
    path = Path(name)
    match = re.fullmatch(r"\.(.+)\.partial", path.name)
    return str(path.with_name(match[1])) if match else str(path)


def _candidates(name: str) -> list[Path]:
    path = Path(name)
    if not path.name:  # "", "." and "/" name no run
        return []
    return [place for place in ([path] if path.is_absolute() else [RUNS / path, path]) if _possible(place)]


def _possible(final: Path) -> bool:
    """Whether there can be a run of that name: one that is too long has none."""
    try:
        _hidden(final).is_dir()
    except (OSError, ValueError):
        return False
    return True


def provenance_of(folder: Path) -> dict[str, Any]:
    """The provenance that a run folder holds.

    Raises
    ------
    CheckpointError
        If it is missing or damaged.
    """
    path = RunLayout(folder).provenance
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}). Make the run again.") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} is not what dynst wrote. Make the run again.")
    return content


def _flush(path: Path) -> None:
    """Wait until what was written to a file or a folder is on the disk."""
    with suppress(OSError):  # some file systems cannot flush a folder; the rename is still atomic
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
