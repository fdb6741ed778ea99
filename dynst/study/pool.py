"""Jobs on the cores: processes that start afresh with one thread each; one that dies costs one cell and no more."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from dynst.study.cell import Cell, Gap

__all__ = ["Job", "work"]

Make = Callable[[Cell], Gap | None]
Heard = Callable[[Cell, Gap | None], None]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

_DIED = "the process that worked on it was ended by the system, twice: too little memory, most likely"


@dataclass(frozen=True)
class Job:
    """Cells that one process makes in a row.

    Attributes
    ----------
    cells : tuple of Cell
        In the order in which they share the most.
    needs : frozenset of Cell
        That must be settled before.
    rank : int
        Jobs of a lower rank are taken first.
    """

    cells: tuple[Cell, ...]
    needs: frozenset[Cell] = field(default_factory=frozenset)
    rank: int = 0


def work(
    jobs: Iterable[Job],
    errand: Callable[[], Make],
    *,
    workers: int,
    heard: Heard,
    settled: Callable[[Cell], bool],
    lost: Callable[[Cell, Gap], None],
) -> None:
    """Do all jobs.

    Parameters
    ----------
    jobs : iterable of Job
        What is to be made.
    errand : callable
        Called once in each process; what it returns makes one cell. It must be possible to pickle it.
    workers : int
        Processes at a time; with 1 all is done in this one.
    heard : callable
        Called in this process for every cell that is settled.
    settled : callable
        Whether a cell was made, or could not be; asked when a process died.
    lost : callable
        Told of a cell whose process died twice with nothing beside it.
    """
    queue = sorted(jobs, key=lambda job: job.rank)
    if workers > 1 and queue:
        _Crew(queue, errand, workers=workers, heard=heard, settled=settled, lost=lost).run()
        return
    make = errand() if queue else None
    for job in queue:
        for cell in job.cells:
            heard(cell, make(cell) if make is not None else None)


class _Crew:
    """Processes that take one job after the other; those that die are replaced, by half as many."""

    def __init__(
        self,
        queue: list[Job],
        errand: Callable[[], Make],
        *,
        workers: int,
        heard: Heard,
        settled: Callable[[Cell], bool],
        lost: Callable[[Cell, Gap], None],
    ) -> None:
        self._queue, self._errand, self._workers = queue, errand, workers
        self._heard, self._settled, self._lost = heard, settled, lost
        self._open = {cell for job in queue for cell in job.cells}

    def run(self) -> None:
        while self._queue:
            for job in self._session():
                self._mend(job)
                self._workers = max(1, self._workers // 2)

    def _session(self) -> list[Job]:
        """Work until nothing is left or a process dies; then what was being worked on."""
        flying: dict[Future[list[Gap | None]], Job] = {}
        with _pool(self._errand, self._workers) as pool:
            while self._queue or flying:
                while len(flying) < self._workers and (job := self._next()) is not None:
                    try:
                        flying[_submitted(pool, job.cells)] = job
                    except BrokenProcessPool:
                        return [*flying.values(), job]
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    with suppress(BrokenProcessPool):
                        self._close(flying[future], future.result())
                        del flying[future]
                if done & flying.keys():
                    return list(flying.values())
        return []

    def _next(self) -> Job | None:
        for number, job in enumerate(self._queue):
            if not job.needs & self._open:
                return self._queue.pop(number)
        return None

    def _close(self, job: Job, gaps: Sequence[Gap | None]) -> None:
        for cell, gap in zip(job.cells, gaps, strict=True):
            self._open.discard(cell)
            self._heard(cell, gap)

    def _mend(self, job: Job) -> None:
        """Of a job whose process may have died: count what is made, try the next cell alone, and queue the rest."""
        done = 0
        while done < len(job.cells) and self._settled(job.cells[done]):
            done += 1
        self._close(replace(job, cells=job.cells[:done]), [None] * done)
        rest = job.cells[done:]
        if not rest:
            return
        suspect = replace(job, cells=rest[:1])
        self._close(suspect, self._alone(suspect))
        if len(rest) > 1:
            self._queue.insert(0, replace(job, cells=rest[1:]))

    def _alone(self, job: Job) -> list[Gap | None]:
        """A job of one cell with nothing beside it; the process may have died for another's sake, so once more."""
        for _ in range(2):
            with suppress(BrokenProcessPool), _pool(self._errand, 1) as pool:
                return _submitted(pool, job.cells).result()
        gap = Gap(_DIED)
        self._lost(job.cells[0], gap)
        return [gap]


@contextmanager
def _pool(errand: Callable[[], Make], workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes, all gone at the end: in peace, or ended at once when something was raised."""
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(errand,))
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, cells: tuple[Cell, ...]) -> Future[list[Gap | None]]:
    """A job given to the pool, which may start a process for it."""
    with _quiet_start():
        return pool.submit(_do, cells)


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Processes started in here compute with one thread, ignore Ctrl-C, and do not run the user's script again.

    The script would be run because a fresh process imports the main module, which nothing of ours needs.
    """
    main = sys.modules["__main__"]
    names = vars(main)
    hidden: dict[str, Any] = {name: names.pop(name) for name in ("__file__", "__spec__") if name in names}
    threads = {name: os.environ.get(name) for name in _THREADS}
    os.environ |= dict.fromkeys(_THREADS, "1")
    ours = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if ours else None
    try:
        names["__spec__"] = None
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
        names.update(hidden)
        for name, value in threads.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_worker: dict[str, Callable[..., Any]] = {}  # of a worker: what it is for, and what makes its cells


def _begin(errand: Callable[[], Make]) -> None:
    """Of a worker: remember what it is for, and end when the process that started it does."""
    _worker["errand"] = errand
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do(cells: tuple[Cell, ...]) -> list[Gap | None]:
    """Of a worker: make the cells of one job; the record is read with the first one."""
    if "make" not in _worker:
        _worker["make"] = _worker["errand"]()
    return [_worker["make"](cell) for cell in cells]
