"""DynST on the closed-form forecaster: drop and regrow, and swap, by the exact expected error of the forecast."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Plan, Sites
from dynst.domain.room import Room, in_turn
from dynst.planners.base import Task, finish_plan
from dynst.planners.bench import Bench
from dynst.planners.exchange import PICKS, add_best, become, building_order, exact_picks, swap, without_weakest
from dynst.planners.expected_error import ExpectedError
from dynst.planners.farthest import farthest_point
from dynst.planners.options import PlannerOptions, Range, Share

__all__ = ["IMPORTANCE_IS", "Options", "marginal_values", "plan"]

IMPORTANCE_IS = "share of the expected forecast error that the sensor takes away, or would take away"

_NUMBERS = 150_000_000  # that the covariances of the candidates may hold (600 MB)
_BLOCK = 32_000_000  # the same, for sites whose worth is found after the search
_INPUTS = 1500  # of a dense start
_ONE_BY_ONE = 64  # at most so many sensors: regrow one at a time by exact gain, so that twins never come together
_ROOMY = 1.5  # times as many sensors fit as are wanted: from there on one start is enough
_STARTS = 5  # random ones, where fewer fit
_RATIO = 0.75  # of the sensors that a round of pruning leaves


@dataclass(frozen=True)
class Options(PlannerOptions):
    """Options of `plan`.

    Parameters
    ----------
    start : str
        ``greedy``: sensors are added one by one; or ``dense``: the published loop, which prunes a dense support by
        what the forecast loses without each sensor.
    alpha : float
        Share of the sensors exchanged in a round at the start, from 0 to 1; it falls to none along a half cosine.
    rounds : int
        Rounds of drop and regrow at the budget, at least 0.
    sweeps : int
        Passes of exact swaps at the end, at most; at least 0.
    """

    start: Literal["greedy", "dense"] = "greedy"
    alpha: Share = 0.3
    rounds: Annotated[int, Range(least=0.0)] = 4
    sweeps: Annotated[int, Range(least=0.0)] = 3


def plan(task: Task, *, seed: int, options: Options = Options()) -> Plan:
    """Sensors of least expected forecast error: present field and all lead times, before any reading.

    The loop of DynST with exact scores: rounds of drop and regrow at the budget, then exact swaps. The sensors that
    it begins with are added one by one, which ends no worse than pruning a dense support (docs/method.md).

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    options : Options
        Start, rounds and swaps.

    Source
    ------
    Wu et al., arXiv 2403.02914 (the loop); docs/method.md (the objective, the constants).
    """
    error, sites, wanted = task.expected_error, task.sites, task.budget - len(task.sites.fixed)
    bench = Bench.of(error, sites.fixed, _candidates(error, sites, task.budget))
    room = Room(sites, sites.fixed, budget=task.budget)
    picks = exact_picks(error, len(bench.sites), most=wanted)
    if picks < wanted:
        order = np.concatenate([sites.fixed, add_best(bench, room, picks)]).astype(np.int64)
        return _finished(task, order, _found(error, bench), room, seed=seed, notes={"picks": picks})
    notes: dict[str, object] = {"start": options.start}
    if options.start == "dense":
        become(bench, room, _pruned(error, sites, task.budget, alpha=options.alpha))
    else:
        add_best(bench, room, wanted)
    _drop_and_regrow(bench, room, _exchanges(wanted, options.rounds, options.alpha))
    notes |= swap(bench, room, sweeps=options.sweeps)
    if _crowded(sites, task.budget):
        notes["other_starts"] = _from_other_starts(bench, room, task.budget, sweeps=options.sweeps)
    order, found = building_order(error, sites, bench.support), _found(error, bench)
    del bench  # its memory is needed
    return _finished(task, order, found, room, seed=seed, notes=notes)


def marginal_values(
    error: ExpectedError, selected: Int[ndarray, " k"], bench: Bench | None = None
) -> Float[ndarray, " n"]:
    """Share of the expected error that a selected site takes away, or that another one would take away.

    Parameters
    ----------
    error : ExpectedError
        Of the task.
    selected : Int[ndarray, "k"]
        The sensors of a plan.
    bench : Bench or None
        One with these sensors, if it is at hand.
    """
    value = np.empty(error.sites)
    sites = np.zeros(0, np.int64)
    if bench is not None:
        sites = bench.sites
        value[sites], losses, left = bench.gains(), bench.losses(), bench.remaining
    rest = np.setdiff1d(np.arange(error.sites), sites)
    size = max(1, _BLOCK // (error.inputs * (error.targets + error.inputs * len(selected))))
    for start in range(0, len(rest), size):
        some = Bench.of(error, selected, np.union1d(rest[start : start + size], selected))
        value[some.sites], losses, left = some.gains(), some.losses(), some.remaining
    value /= left
    value[np.sort(selected)] = losses / (left + losses)
    return value


def _found(error: ExpectedError, bench: Bench) -> tuple[Float[ndarray, " n"], float]:
    """The worth of every site, and the expected error as a share of the climatology's."""
    return marginal_values(error, bench.support, bench), math.sqrt(bench.remaining / error.total)


def _finished(
    task: Task,
    order: Int[ndarray, " k"],
    found: tuple[Float[ndarray, " n"], float],
    room: Room,
    *,
    seed: int,
    notes: dict[str, object],
) -> Plan:
    value, share = found
    form = task.expected_error.form
    parts = {"memory": form.memory, "kernel": form.kernel, "noise": form.noise}
    return finish_plan(
        task,
        order,
        value,
        planner="dynst_linear",
        importance_is=IMPORTANCE_IS,
        seed=seed,
        provenance={"expected_error_to_climatology": share, "form": parts, **notes},
        room=room,
        valued=True,
    )


def _candidates(error: ExpectedError, sites: Sites, budget: int) -> Int[ndarray, " s"]:
    """Sites that are tried: all, or so many of them, evenly spread, that their covariances fit into memory."""
    most = max(1, _NUMBERS // (error.inputs * (error.targets + error.inputs * min(budget, PICKS))))
    if error.sites <= most:
        return np.arange(error.sites)
    some = np.linspace(0, len(sites.legal) - 1, min(most, len(sites.legal))).round().astype(int)
    kept = sites.fixed if sites.spacing is None else sites.packing(budget).sites  # a plan must fit among them
    return np.union1d(sites.legal[some], kept)


def _exchanges(movable: int, rounds: int, alpha: float) -> list[int]:
    """Sensors exchanged in each round: a share that falls along a half cosine, at least one."""
    shares = [alpha / 2 * (1 + math.cos(math.pi * number / (rounds + 1))) for number in range(1, rounds + 1)]
    return [min(max(1, round(share * movable)), movable - 1) for share in shares]


def _drop_and_regrow(bench: Bench, room: Room, exchanges: list[int]) -> None:
    """Rounds of drop and regrow; the best sensors on the way stay."""
    lowest, best = bench.remaining, bench.support
    for count in exchanges:
        without_weakest(bench, room, count)
        add_best(bench, room, count)
        if bench.remaining < lowest:
            lowest, best = bench.remaining, bench.support
    become(bench, room, best)


def _crowded(sites: Sites, budget: int) -> bool:
    """Whether hardly more sensors fit than are wanted: single swaps then lead nowhere from a poor start."""
    return sites.spacing is not None and len(sites.packing(0)) < _ROOMY * budget


def _from_other_starts(bench: Bench, room: Room, budget: int, *, sweeps: int) -> int:
    """Swaps from other sets that keep the distance; the sensors of least error stay. How many sets were better."""
    sites = room.sites
    lowest, best, better = bench.remaining, bench.support, 0
    rng = np.random.default_rng(0)
    for number in range(_STARTS + 1):
        become(bench, room, sites.fixed)
        packed = Room(sites, sites.fixed, budget=budget)
        order = sites.packing(0).sites if number == 0 else rng.permutation(sites.legal)
        among = order[np.isin(order, bench.sites)]
        become(bench, room, np.union1d(sites.fixed, in_turn(among, packed, budget - len(sites.fixed))))
        if len(bench.support) < budget:  # the bench holds too few of the sites
            continue
        swap(bench, room, sweeps=sweeps)
        if bench.remaining < lowest:
            lowest, best, better = bench.remaining, bench.support, better + 1
    become(bench, room, best)
    return better


def _pruned(error: ExpectedError, sites: Sites, budget: int, *, alpha: float) -> Int[ndarray, " k"]:
    """Sensors left of a dense support, pruned by exact loss, with drop and regrow on the way."""
    legal = sites.legal
    count = min(len(legal), max(2 * budget, _INPUTS // error.inputs))
    dense = legal if count == len(legal) else np.union1d(farthest_point(sites, sites.fixed, count), sites.fixed)
    if sites.spacing is not None:
        dense = np.union1d(dense, sites.packing(budget).sites)
    support, targets = dense, _targets(len(dense), budget)
    for number, target in enumerate(targets, start=1):
        wanted = round(alpha / 2 * (1 + math.cos(math.pi * number / len(targets))) * target)
        regrown = max(0, min(wanted, target - len(sites.fixed), len(dense) - target))
        support = _round(error, sites, dense, support, keep=target - regrown, regrow=regrown)
    return support


def _targets(dense: int, budget: int) -> list[int]:
    targets = [dense]
    while targets[-1] > budget:
        targets.append(max(budget, math.floor(_RATIO * targets[-1])))
    return targets[1:]


def _round(
    error: ExpectedError,
    sites: Sites,
    dense: Int[ndarray, " d"],
    support: Int[ndarray, " j"],
    *,
    keep: int,
    regrow: int,
) -> Int[ndarray, " k"]:
    """The sensors of largest loss stay, and some come back: by exact gain where they are few, else by their slope.

    Sensors keep their distance from the round on after which so many can.
    """
    total = keep + regrow
    ruled = sites if len(sites.packing(total)) >= total else replace(sites, spacing=None)
    room = Room(ruled, sites.fixed, budget=total)
    losses = Bench.of(error, support, support).losses()
    losses[np.isin(support, sites.fixed)] = np.inf
    strongest = support[np.argsort(-losses, kind="stable")]
    stays = in_turn(strongest, room, keep - len(sites.fixed))
    kept = np.union1d(stays, sites.fixed)
    missing = total - len(kept)
    if not missing:
        return kept
    bench = Bench.of(error, kept, dense)
    if total <= _ONE_BY_ONE:
        add_best(bench, room, missing)
        return bench.support
    best = dense[np.argsort(-bench.slopes(), kind="stable")]
    return np.union1d(kept, in_turn(best, room, missing))
