"""A comparison from its cells: those that are missing are made, on all cores, and all of them make a curve."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dynst import runs
from dynst.domain import FRAMES, Curve
from dynst.domain.judges import DEFAULT, JUDGES
from dynst.errors import CheckpointError, DataError
from dynst.evaluation import Score
from dynst.evaluation.sweep import Judge, curve_of
from dynst.export import write_netcdf
from dynst.planners import row_of
from dynst.run_layout import NAMES, ComparisonLayout, RunLayout
from dynst.runs import held, whole
from dynst.study.cell import Cell, Gap
from dynst.study.cells import Matrix, Store
from dynst.study.desk import Desk, Errand
from dynst.study.event import Event, Listener, nobody
from dynst.study.measure import Cost
from dynst.study.memory import affordable
from dynst.study.pool import Job, work
from dynst.study.prepare import PLANNED_ON, Prepared
from dynst.study.record import check_record, is_of

__all__ = ["judged", "save_curve"]

_COSTS = ("plan_seconds", "judge_seconds", "plan_peak_mb")

_FREE = {"sparsity", "sensors", "compare", "ladder", "seeds", "stability", "tolerance", "workers", "refit_all", "out"}
# Options that change which cells there are, or what is said of them, but no cell.


def judged(
    prepared: Prepared, folder: Path, matrix: Matrix, *, workers: int | None, name: str, listen: Listener = nobody
) -> dict[str, Curve]:
    """The curve of each judge, from the cells in a run folder; those that are missing are made.

    Parameters
    ----------
    prepared : Prepared
        The study with its data.
    folder : Path
        Of the run, finished or not.
    matrix : Matrix
        Which cells.
    workers : int or None
        Processes at a time.
    name : str
        What the run is called in messages.
    listen : callable
        Called with every `Event`.
    """
    store = Store(RunLayout(folder).comparison, prepared.field.layout)
    with held(store.files.path, name):
        _check_record(prepared, folder, name, listen)
        desk = Desk(prepared, folder, matrix)
        _make(prepared, folder, desk, store, matrix, workers=workers, name=name, listen=listen)
        about = desk.closed(DEFAULT)
        return {judge: _curve(about, store, matrix, judge, prepared) for judge in matrix.judges}


def save_curve(curve: Curve, files: RunLayout | ComparisonLayout, judge: str) -> None:
    """Write the curve of a judge, and its table, into a run folder or a comparison."""
    with whole(files.curve_table(JUDGES[judge])) as part:
        part.write_text(curve.to_csv(), encoding="utf-8")
    with whole(files.curve(JUDGES[judge])) as part:
        write_netcdf(curve.to_dataset(), part)


def _check_record(prepared: Prepared, folder: Path, name: str, listen: Listener) -> None:
    """Make sure that all cells in the folder are of this record and these options.

    Raises
    ------
    CheckpointError
        If the data or the study changed since.
    """
    again = "make a new run with `dynst fit`"
    check_record(runs.provenance_of(folder).get("data"), prepared, run=name, instead=again, listen=listen)
    dump = prepared.resolved().model_dump(mode="json")
    options = {key: value for key, value in (dump | dump.pop("options")).items() if key not in _FREE}
    files = RunLayout(folder)
    path = files.comparison.made_of
    known = _made_of(path)
    if known is None:
        with whole(path) as part:
            part.write_text(json.dumps({"fingerprint": prepared.fingerprint, "options": options}) + "\n")
        return
    changed = [key for key in known["options"] | options if known["options"].get(key) != options.get(key)]
    if changed or not is_of(known["fingerprint"], prepared.field.origin):
        what = ", ".join(changed) or "data"
        raise CheckpointError(
            f"the comparison of run {name} was begun with other options ({what}). Put them back in its "
            f"{NAMES.study}, or remove {files.comparison.path} to begin again."
        )


def _made_of(path: Path) -> dict[str, Any] | None:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        return {"fingerprint": str(known["fingerprint"]), "options": dict(known["options"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _make(
    prepared: Prepared,
    folder: Path,
    desk: Desk,
    store: Store,
    matrix: Matrix,
    *,
    workers: int | None,
    name: str,
    listen: Listener,
) -> None:
    """Make the cells that are missing, in as many processes as pay."""
    cells = list(matrix.all())
    missing = [cell for cell in cells if not store.known(cell)]
    for cell in missing:
        store.forget(cell)
    done = len(cells) - len(missing)

    def heard(cell: Cell, gap: Gap | None) -> None:
        nonlocal done
        done += 1
        if gap is not None and not (cell.judge and _without_plan(store, matrix, cell)):
            listen(Event("compare", note=f"{cell.words}: {gap.reason}", run=name))
        if cell in left:
            left.remove(cell)
        listen(Event("compare", cell.words, done, len(cells), run=name, board=_board(matrix, left)))

    left = set(missing)
    listen(Event("compare", "", done, len(cells), run=name, board=_board(matrix, left)))
    jobs = _jobs(missing, matrix)
    count, note = affordable(1 if prepared.study.from_python else workers, prepared.field.series.shape, len(jobs))
    if note:
        listen(Event("compare", note=note, run=name))
    errand = Errand(prepared.resolved(), folder, matrix) if count > 1 else lambda: desk.make
    work(jobs, errand, workers=count, heard=heard, settled=store.settled, lost=store.put_gap)


def _board(matrix: Matrix, left: set[Cell]) -> dict[tuple[str, int], dict[str, tuple[int, int]]]:
    """How many scores are done, and how many there are, by planner and budget for each judge."""
    board: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
    for judge in matrix.judges:
        for cell in matrix.scores(judge):
            row = board.setdefault((cell.planner, cell.budget), {})
            done, all_of_it = row.get(judge, (0, 0))
            row[judge] = done + (cell not in left), all_of_it + 1
    return board


def _without_plan(store: Store, matrix: Matrix, cell: Cell) -> bool:
    return cell.planner not in FRAMES and not isinstance(store.plan(matrix.plan_of(cell)), tuple)


def _jobs(missing: Sequence[Cell], matrix: Matrix) -> list[Job]:
    """What one process does in a row: all budgets of a planner or of a ranking, but one network at a time.

    Plans come before scores and one judge before the next, so that no process goes back and forth between their
    matrices; what takes longest comes first among the plans.
    """
    groups: dict[tuple[int, tuple[object, ...]], list[Cell]] = {}
    for cell in missing:
        alone: tuple[object, ...] = (cell.judge, cell.planner in FRAMES or (cell.planner, cell.seed))
        if _trains(cell):
            alone = (cell,)
        groups.setdefault((_rank(cell), alone), []).append(cell)
    plans = {cell for cell in missing if not cell.judge}
    jobs = []
    for (rank, _), cells in groups.items():
        needs = {matrix.plan_of(cell) for cell in cells if cell.judge and cell.planner not in FRAMES}
        jobs.append(Job(tuple(cells), frozenset(needs & plans), rank))
    return jobs


def _trains(cell: Cell) -> bool:
    """Whether a network is trained for this cell."""
    if cell.judge:
        return not JUDGES[cell.judge].closed_form
    return row_of(cell.planner).trains


def _rank(cell: Cell) -> int:
    """Cells of a lower rank come first: plans, then judge by judge its frames and its scores."""
    if not cell.judge:
        return 0 if _trains(cell) else 1
    after = 2 + 2 * list(JUDGES).index(cell.judge)
    return after if cell.planner in FRAMES else after + 1


def _curve(about: Judge, store: Store, matrix: Matrix, judge: str, prepared: Prepared) -> Curve:
    """The curve of one judge, from what its cells hold."""
    scores: dict[tuple[str, int], list[Score]] = {}
    reasons: dict[tuple[str, int], list[str]] = {}
    costs: dict[str, dict[tuple[str, int], list[float]]] = {what: {} for what in _COSTS}
    for cell in [*matrix.scores(judge), *matrix.frames(judge)]:
        frame = cell.planner in FRAMES
        found = store.score(cell)
        plan = None if frame else store.plan(matrix.plan_of(cell))
        for budget in matrix.budgets if frame else (cell.budget,):
            place = cell.planner, budget
            if isinstance(found, tuple):
                scores.setdefault(place, []).append(found[0])
                spent = plan[1] if isinstance(plan, tuple) else Cost()
                for what, value in zip(_COSTS, (spent.seconds, found[1].seconds, spent.peak_mb), strict=True):
                    costs[what].setdefault(place, []).append(value)
            else:
                gap = found or (plan if isinstance(plan, Gap) else None)
                reasons.setdefault(place, []).append(gap.reason if gap else "this cell was not made")
    if not scores:
        raise DataError(f"nothing could be judged: {next(iter(reasons.values()))[0]}.")
    _drop_other_windows(scores, reasons)
    said = {place: several[0] for place, several in reasons.items() if place not in scores}
    names = [*matrix.planners, *FRAMES]
    usual, question = prepared.climatology.calendar.words, prepared.question
    time = {"climatology": usual, "planned_on": PLANNED_ON}
    return curve_of(about, names, matrix.budgets, scores, said, costs=costs, question=question, **time)


def _drop_other_windows(scores: dict[tuple[str, int], list[Score]], reasons: dict[tuple[str, int], list[str]]) -> None:
    """Leave out frames that were judged on other windows than the plans, as happens where memory is little."""
    plans = [several[0] for (name, _), several in scores.items() if name not in FRAMES]
    for place in [place for place in scores if place[0] in FRAMES and plans]:
        if len(scores[place][0].per_window) != len(plans[0].per_window):
            del scores[place]
            reasons.setdefault(place, []).append("it was judged on other test windows than the plans")
