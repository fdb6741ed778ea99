"""compare: every planner plans anew for every budget, every plan is judged by every judge, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence

from dynst import runs
from dynst.config import Study
from dynst.domain.judges import JUDGES
from dynst.errors import CheckpointError, ConfigError, unknown_name
from dynst.planners import PLANNERS, find_planner
from dynst.runs import Run
from dynst.study.cells import Matrix
from dynst.study.event import Listener, nobody
from dynst.study.judged import judged, save_curve
from dynst.study.prepare import Prepared, prepare
from dynst.study.work import fit, resume

__all__ = ["check_names", "compare"]


def compare(
    source: Study | str,
    *,
    budgets: Sequence[int] | None = None,
    planners: Sequence[str] | None = None,
    seeds: int | None = None,
    judges: Sequence[str] = tuple(JUDGES),
    workers: int | None = None,
    listen: Listener = nobody,
) -> Run:
    """Plans of all planners at several budgets, with several seeds, under all judges, all on the same test windows.

    Every cell - a plan, or its score - is a file of its own in the run folder, so that a comparison
    that was stopped continues, and a wider one reuses what is there. A cell that failed is a gap with its reason; the
    next call tries it again, unless the planner said that it cannot run on these data.

    Parameters
    ----------
    source : Study or str
        A study, which is fitted first, or the name or path of a run (``latest``: the newest one). A stopped run is
        finished first.
    budgets : sequence of int, or None
        Numbers of sensors; a quarter, half, once, twice and four times the run's if left out.
    planners : sequence of str, or None
        Names in `PLANNERS`; if left out all, but with the linear judge alone none that trains a network besides the
        run's own.
    seeds : int or None
        Plans of a planner that draws lots, and networks for each plan; the study's (3) if left out. Random plans are 20
        under a judge in closed form and at least 3 under networks.
    judges : sequence of str
        Of ``linear``, ``ridge`` and ``network``; all if left out.
    workers : int or None
        Processes at a time; one a core, as far as memory allows, if left out. With 1 all is done in this process.
    listen : callable
        Called with every `Event`.

    Returns
    -------
    Run
        With the curve of each judge in `comparisons`.

    Raises
    ------
    ConfigError, BudgetError
        If a name is unknown or a budget impossible.
    CheckpointError
        If there is no such run, the data are not those of the run, or another process is comparing.
    """
    check_names(planners, judges, seeds, workers, budgets)
    run = _fitted(source, listen)
    study = Study.load(run.files.study)
    prepared = prepare(study, listen=listen)
    matrix = Matrix(
        planners=tuple(dict.fromkeys(planners or _planners(prepared.planner, judges))),
        budgets=_budgets(prepared, budgets),
        judges=tuple(name for name in JUDGES if name in judges),
        seeds=seeds or study.seeds,
        first=study.seed,
    )
    curves = judged(prepared, run.path, matrix, workers=workers or study.workers, name=run.name, listen=listen)
    for judge, curve in curves.items():
        save_curve(curve, run.files.comparison, judge)
    return run


def check_names(
    planners: Sequence[str] | None = None,
    judges: Sequence[str] = tuple(JUDGES),
    seeds: int | None = None,
    workers: int | None = None,
    budgets: Sequence[int] | None = None,
) -> None:
    """Refuse what cannot be compared before anything is done.

    Raises
    ------
    ConfigError
        If a name is unknown, nothing is named, or a number is below 1.
    """
    for planner in planners or ():
        find_planner(planner)
    for judge in judges:
        if judge not in JUDGES:
            raise ConfigError(unknown_name("judge", judge, tuple(JUDGES)))
    if not judges or (planners is not None and not planners):
        what, known = ("judge", tuple(JUDGES)) if not judges else ("planner", tuple(PLANNERS))
        raise ConfigError(f"no {what} came; name at least one of {', '.join(known)}.")
    if budgets is not None and not budgets:
        raise ConfigError("no budget came; give at least one number of sensors.")
    numbers = [("seeds", seeds), ("workers", workers), *(("budgets", budget) for budget in budgets or ())]
    for option, value in numbers:
        if value is not None and value < 1:
            raise ConfigError(f"{option}: {value} came; at least 1 is expected.")


def _fitted(source: Study | str, listen: Listener) -> Run:
    """The run to compare for, made or finished first if need be."""
    if isinstance(source, Study):
        return fit(source, listen=listen)
    try:
        return runs.find(source)
    except CheckpointError:
        if not runs.is_stopped(source):
            raise
        return resume(source, listen=listen)


def _planners(own: str, judges: Sequence[str]) -> tuple[str, ...]:
    """The run's planner and all others; without the network judge nobody else who trains a network."""
    networks = "network" in judges
    return own, *(name for name, row in PLANNERS.items() if name != own and (networks or not row.trains))


def _budgets(prepared: Prepared, asked: Sequence[int] | None) -> tuple[int, ...]:
    """As asked if all are possible; else a quarter to four times the run's budget as far as sites and roles allow."""
    sites, own = prepared.field.sites, prepared.budget
    if asked is not None:
        for budget in asked:
            prepared.ruled.rules.check_budget(budget, sites)
            sites.check_budget(budget)
        return tuple(sorted(set(asked)))
    low, high = max(1, len(sites.fixed)), len(sites.legal)
    steps = (round(own * factor) for factor in (0.25, 0.5, 1, 2, 4))
    return tuple(sorted({min(max(step, low), high) for step in steps}))
