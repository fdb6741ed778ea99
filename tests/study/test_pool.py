"""Processes that die cost one cell; memory bounds their number; nothing is left behind when they are stopped."""

import functools
import multiprocessing
from pathlib import Path

import pytest

from dynst.run_layout import RunLayout
from dynst.study.cell import Cell, Gap
from dynst.study.cells import Matrix
from dynst.study.memory import affordable
from dynst.study.pool import Job, work

ERRAND = """
import functools, os, signal
from pathlib import Path

def make(folder, cell):
    mark = Path(folder) / f"{cell.planner}-{cell.budget}"
    if cell.planner == "fatal" or (cell.planner == "fragile" and not mark.with_suffix(".tried").exists()):
        mark.with_suffix(".tried").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    mark.write_text(os.environ["OMP_NUM_THREADS"])

def errand(folder):
    return functools.partial(make, folder)
"""


@pytest.fixture
def errand(tmp_path, monkeypatch):
    """Makes a file for each cell, unless the process that should make it dies."""
    (tmp_path / "errands_of_a_test.py").write_text(ERRAND)
    monkeypatch.syspath_prepend(tmp_path)
    import errands_of_a_test

    return functools.partial(errands_of_a_test.errand, str(tmp_path))


def cells(planner, *budgets):
    return tuple(Cell(planner, budget, 0) for budget in budgets)


def test_a_process_that_dies_costs_one_cell_and_only_if_it_dies_again(errand, tmp_path):
    heard, lost = {}, {}
    jobs = [Job(cells("sound", 1, 2)), Job((*cells("sound", 3), *cells("fatal", 4), *cells("sound", 5)))]
    jobs += [Job(cells("fragile", 6)), Job(cells("sound", 7), frozenset(cells("fatal", 4)), 1)]
    work(
        jobs,
        errand,
        workers=2,
        heard=heard.__setitem__,
        settled=lambda cell: (tmp_path / f"{cell.planner}-{cell.budget}").exists(),
        lost=lost.__setitem__,
    )
    assert set(lost) == set(cells("fatal", 4))
    assert "ended by the system" in next(iter(lost.values())).reason
    assert {cell for cell, gap in heard.items() if gap is None} == {cell for job in jobs for cell in job.cells} - set(
        lost
    )
    made = {path.name: path.read_text() for path in tmp_path.glob("*-[0-9]")}
    assert made == dict.fromkeys(("sound-1", "sound-2", "sound-3", "sound-5", "fragile-6", "sound-7"), "1")


def test_nothing_is_left_running_when_it_is_stopped(errand):
    def stop(cell, gap):
        raise KeyboardInterrupt

    before = set(multiprocessing.active_children())
    with pytest.raises(KeyboardInterrupt):
        work([Job(cells("sound", 1)), Job(cells("sound", 2))], errand, workers=2, heard=stop, settled=bool, lost=print)
    assert set(multiprocessing.active_children()) == before


def test_in_one_process_jobs_come_in_the_order_of_their_rank():
    order = []
    jobs = [Job(cells("b", 1, 2), frozenset(cells("a", 1)), rank=1), Job(cells("a", 1), rank=0)]
    work(
        jobs,
        lambda: lambda cell: order.append(cell.planner),
        workers=1,
        heard=lambda cell, gap: None,
        settled=bool,
        lost=print,
    )
    assert order == ["a", "b", "b"]


def test_memory_bounds_the_processes_and_says_so():
    record = (1000, 1000, 250)  # 1 GB in float32, so about 2.5 GB with matrices and libraries
    assert affordable(8, record, 100, free=64 << 30) == (8, "")
    count, note = affordable(8, record, 100, free=8 << 30)
    assert count == 2
    assert note == "Memory allows 2 processes at a time instead of 8."
    assert affordable(8, record, 100, free=1 << 20)[0] == 1
    assert affordable(8, record, 3, free=64 << 30) == (3, "")


def test_a_matrix_counts_random_plans_and_networks():
    matrix = Matrix(("uniform_random", "forward"), (2, 4), ("linear", "network"), seeds=2, first=5)
    assert len(matrix.scores("linear")) == 2 * 20 + 2
    assert len(matrix.scores("network")) == 2 * 3 + 2 * 2  # at least three random plans
    assert {cell.seed for cell in matrix.scores("network") if cell.planner == "forward"} == {5, 6}
    assert {matrix.plan_of(cell) for cell in matrix.scores("network") if cell.planner == "forward"} == {
        Cell("forward", 2, 5),
        Cell("forward", 4, 5),
    }
    assert len(set(matrix.all())) == len(list(matrix.all()))


def test_a_gap_is_a_reason():
    assert Gap("too many sites", final=True).reason == "too many sites"
    assert RunLayout(Path()).comparison.score("network", "floor", 0, 1) == Path("compare/cells/network/floor-k0-s1.npz")
