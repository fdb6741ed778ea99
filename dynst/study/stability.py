"""Plans of the same planner with other seeds and from parts of the training record: what stays of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dynst.domain import Field, Plan
from dynst.domain.matching import usual_radius
from dynst.domain.stability import Stability, Variant
from dynst.errors import BudgetError, DataError
from dynst.export import load_plan, save_plan
from dynst.planners import find_planner, row_of
from dynst.planners.base import PlannerSkipped, Task
from dynst.run_layout import RunLayout
from dynst.runs import whole
from dynst.study.event import Event, Listener, nobody
from dynst.study.prepare import Prepared
from dynst.windows.time_modes import LONG

__all__ = ["stability_of", "worthwhile"]

_BOUND = 1e6
# Sites x sensors x squared numbers of a history up to which the six plans take some seconds and not minutes. Measured
# on one core for one plan: 2.8e5 (864 sites) 0.2 s, 6e5 (207 sites, 12 steps) 0.5 s, 3.4e6 (10 512 sites) 4 s.

_Part = Callable[[], Field]


def worthwhile(prepared: Prepared) -> bool:
    """Whether stability costs little enough to be found without being asked for: no network, and a small task.

    Counts operations, never seconds, so that the same study always does the same.
    """
    if row_of(prepared.planner).trains:
        return False
    train = prepared.split.train
    history = len(train.observed) * min(prepared.window.history, LONG)
    return len(train.sites) * prepared.budget * history**2 <= _BOUND


def stability_of(
    prepared: Prepared,
    task: Task,
    plan: Plan,
    *,
    seeds: int,
    options: Mapping[str, Any],
    known: Mapping[Variant, Plan] | None = None,
    keep: RunLayout | None = None,
    listen: Listener = nobody,
) -> Stability:
    """What stays of a plan when its planner starts from other seeds, or sees a part of the training record.

    The parts are the two halves and, for planners without a network, the record without each of its quarters; whole
    runs where runs are experiments. Scaling and all else are fitted anew on each part; the validation block stays, and
    the test block is not touched. A variant that cannot be planned, as its part is too short, is left out and named.

    Parameters
    ----------
    prepared : Prepared
        The study. Of it only the planner's name and the climatology are used: the data come with the task.
    task : Task
        What was planned.
    plan : Plan
        The plan that it gave.
    seeds : int
        How many seeds to compare, that of the plan included; only where the planner depends on the seed.
    options : mapping
        Those that the planner was called with.
    known : mapping of Variant to Plan, or None
        Plans made already.
    keep : RunLayout or None
        The run that keeps the plans of the variants: those found in it are not made again.
    listen : callable
        Called with an `Event` of stage ``stability`` before each variant.

    Returns
    -------
    Stability
        Without variants if none could be planned; `Stability.left_out` has the reasons.
    """
    variants = dict(_variants(prepared.planner, task, plan, seeds))
    chosen: dict[Variant, Plan] = {}
    left_out: list[tuple[str, str]] = []
    for done, (variant, (part, seed)) in enumerate(variants.items()):
        listen(Event("stability", variant.name, done, len(variants)))
        path = keep.variant(variant.name) if keep is not None else None
        try:
            if known and variant in known:
                chosen[variant] = _fitting(known[variant], plan)
            elif path is not None and path.is_file():
                chosen[variant] = _fitting(load_plan(path)[0], plan)
            else:
                chosen[variant] = _planned(prepared, task, part(), seed, options)
                if path is not None:
                    with whole(path) as draft:
                        save_plan(chosen[variant], task.train.layout, draft)
        except (DataError, BudgetError, PlannerSkipped) as reason:
            left_out.append((variant.name, str(reason)))
            listen(Event("stability", note=f"stability without variant {variant.name}: {reason}"))
    listen(Event("stability", "", len(variants), len(variants)))
    others = np.array([made.active for made in chosen.values()], bool).reshape(-1, len(plan.sites))
    radius = usual_radius(plan.sites, plan.budget)
    return Stability(plan.planner, plan.sites, plan.selected, tuple(chosen), others, radius, tuple(left_out))


def _planned(prepared: Prepared, task: Task, part: Field, seed: int, options: Mapping[str, Any]) -> Plan:
    own = task
    if part is not task.train:
        own = Task.make(part, task.valid, task.window, task.budget, prepared.climatology.calendar)
    return find_planner(prepared.planner).plan(own, seed=seed, **options)


def _fitting(made: Plan, plan: Plan) -> Plan:
    """A plan made before, if it is one of the same size on the same sites by the same planner."""
    plan.overlap(made)  # raises on other sites
    if (made.planner, made.budget) != (plan.planner, plan.budget):
        raise DataError(
            f"a plan of {plan.budget} sensors by {plan.planner} is wanted; {made!r} was kept. Remove it and try again."
        )
    return made


def _variants(name: str, task: Task, plan: Plan, seeds: int) -> Iterator[tuple[Variant, tuple[_Part, int]]]:
    """Each variant, and its training field and seed."""
    first, train, row = _seed(plan), task.train, row_of(name)
    if row.seeded:
        for more in range(1, seeds):
            yield Variant.seed(first + more), (lambda: train, first + more)
    if row.seeded and not row.reads_record:  # parts of the record would give the same plan, and lots look stable
        return
    yield Variant.half(1), (partial(_part, train, 2, (0,)), first)
    yield Variant.half(2), (partial(_part, train, 2, (1,)), first)
    if row.trains or 0 < len(train.cases) < 4:
        return
    for left in range(4):
        rest = tuple(number for number in range(4) if number != left)
        yield Variant.without_quarter(left + 1), (partial(_part, train, 4, rest), first)


def _seed(plan: Plan) -> int:
    seed = plan.provenance.get("seed", 0)
    return seed if isinstance(seed, int) else 0


def _part(train: Field, pieces: int, kept: tuple[int, ...]) -> Field:
    """Some of so many equal pieces of the training field: whole runs if they are experiments, else stretches of time.

    No window runs across a piece that is missing.
    """
    if train.cases:
        numbers = np.array_split(np.arange(len(train.runs)), pieces)
        return train.pick([int(number) for piece in kept for number in numbers[piece]])
    piece = np.arange(train.steps) * pieces // max(1, train.steps)
    cut = np.r_[0, np.cumsum((np.diff(train.run) > 0) | (np.diff(piece) > 0))]
    at = replace(train, run=cut)
    keep = [number for number, (start, _) in enumerate(at.runs) if piece[start] in kept]
    return at.pick(keep)
