"""DynST on the closed-form forecaster: drop and regrow, and swap, by the exact expected error of the forecast."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Plan, Sites
from dynst.errors import ConfigError
from dynst.planners.base import Task, finish_plan
from dynst.planners.bench import Bench
from dynst.planners.expected_error import ExpectedError
from dynst.planners.farthest import farthest_point
from dynst.planners.greedy import add_best, affordable, become, building_order, swap, without_weakest

__all__ = ["IMPORTANCE_IS", "STARTS", "marginal_values", "plan"]

IMPORTANCE_IS = "share of the expected forecast error that the sensor takes away, or would take away"
STARTS = ("greedy", "dense")
"""From where the sensors come: added one by one, or left of many by pruning."""

_NUMBERS = 128_000_000  # that the covariances of the candidates with the targets may hold (512 MB)
_INPUTS = 1500  # of a dense start
_ONE_BY_ONE = 64  # at most so many sensors: regrow one at a time by exact gain, so that twins never come together
_PICKS = 500  # exact ones, at most; later gains are too small to tell sites apart
_RATIO = 0.75  # of the sensors that a round of pruning leaves


def plan(task: Task, *, seed: int, start: str = "greedy", alpha: float = 0.3, rounds: int = 4, sweeps: int = 3) -> Plan:
    """Sensors of least expected forecast error: present field and all lead times, before any reading.

    The loop of DynST with exact scores: rounds of drop and regrow at the budget, then exact swaps. The sensors that
    it begins with are added one by one, which ends no worse than pruning a dense support (docs/method.md).

    Parameters
    ----------
    task : Task
        What to plan.
    seed : int
        Noted, but nothing depends on it.
    start : str
        ``greedy``, or ``dense``: the published loop, which prunes a dense support by what the forecast loses without
        each sensor.
    alpha : float
        Share of the sensors exchanged in a round at the start; it falls to none along a half cosine.
    rounds : int
        Rounds of drop and regrow at the budget.
    sweeps : int
        Passes of exact swaps at the end, at most.

    Raises
    ------
    ConfigError
        If there is no such start.

    Source
    ------
    Wu et al., arXiv 2403.02914 (the loop); docs/method.md (the objective, the constants).
    """
    if start not in STARTS:
        raise ConfigError(f"no start is called {start!r}. Choose one of: {', '.join(STARTS)}.")
    error, sites, wanted = task.expected_error, task.sites, task.budget - len(task.sites.fixed)
    bench = Bench.of(error, sites.fixed, _candidates(error, sites))
    picks = affordable(error, len(bench.sites), most=min(wanted, _PICKS))
    if picks < wanted:
        order = np.concatenate([sites.fixed, add_best(bench, sites, picks)]).astype(np.int64)
        return _finished(task, bench, order, seed=seed, notes={"picks": picks})
    notes: dict[str, object] = {"start": start}
    if start == "dense":
        become(bench, _pruned(error, sites, task.budget, alpha=alpha))
    else:
        add_best(bench, sites, wanted)
    _drop_and_regrow(bench, sites, _exchanges(wanted, rounds, alpha))
    notes |= swap(bench, sites, sweeps=sweeps)
    return _finished(task, bench, building_order(error, sites, bench.support), seed=seed, notes=notes)


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
    if bench is None:
        first = min(error.sites, _block(error))
        bench = Bench.of(error, selected, np.union1d(np.arange(first), selected))
    value, known = np.zeros(error.sites), np.zeros(error.sites, bool)
    losses = bench.losses()
    while True:
        value[bench.sites], known[bench.sites] = bench.gains(), True
        rest = np.flatnonzero(~known)[: _block(error)]
        if not len(rest):
            break
        bench = Bench.of(error, selected, np.union1d(rest, selected))
    value /= bench.remaining
    value[np.sort(selected)] = losses / (bench.remaining + losses)
    return value


def _finished(task: Task, bench: Bench, order: Int[ndarray, " k"], *, seed: int, notes: dict[str, object]) -> Plan:
    error = task.expected_error
    form = {"memory": error.form.memory, "kernel": error.form.kernel, "noise": error.form.noise}
    share = bench.remaining / error.total
    return finish_plan(
        task,
        order,
        marginal_values(error, bench.support, bench),
        planner="dynst_linear",
        importance_is=IMPORTANCE_IS,
        seed=seed,
        provenance={"expected_error_to_climatology": math.sqrt(share), "form": form, **notes},
    )


def _candidates(error: ExpectedError, sites: Sites) -> Int[ndarray, " s"]:
    """Sites that are tried: all, or so many of them, evenly spread, that their covariances fit into memory."""
    most = _block(error)
    if error.sites <= most:
        return np.arange(error.sites)
    some = np.linspace(0, len(sites.legal) - 1, min(most, len(sites.legal))).round().astype(int)
    return np.union1d(sites.legal[some], sites.fixed)


def _block(error: ExpectedError) -> int:
    return max(1, _NUMBERS // (error.inputs * error.targets))


def _exchanges(movable: int, rounds: int, alpha: float) -> list[int]:
    """Sensors exchanged in each round: a share that falls along a half cosine, at least one."""
    shares = [alpha / 2 * (1 + math.cos(math.pi * number / (rounds + 1))) for number in range(1, rounds + 1)]
    return [min(max(1, round(share * movable)), movable - 1) for share in shares]


def _drop_and_regrow(bench: Bench, sites: Sites, exchanges: list[int]) -> None:
    """Rounds of drop and regrow; the best sensors on the way stay."""
    lowest, best = bench.remaining, bench.support
    for count in exchanges:
        without_weakest(bench, sites, count)
        add_best(bench, sites, count)
        if bench.remaining < lowest:
            lowest, best = bench.remaining, bench.support
    become(bench, best)


def _pruned(error: ExpectedError, sites: Sites, budget: int, *, alpha: float) -> Int[ndarray, " k"]:
    """Sensors left of a dense support, pruned by exact loss, with drop and regrow on the way."""
    legal = sites.legal
    count = min(len(legal), max(2 * budget, _INPUTS // error.inputs))
    dense = legal if count == len(legal) else np.union1d(farthest_point(sites, sites.fixed, count), sites.fixed)
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
    """The sensors of largest loss stay, and some come back: by exact gain where they are few, else by their slope."""
    losses = Bench.of(error, support, support).losses()
    losses[np.isin(support, sites.fixed)] = np.inf
    kept = np.sort(support[np.argsort(-losses, kind="stable")[:keep]])
    if not regrow:
        return kept
    bench = Bench.of(error, kept, dense)
    if keep + regrow <= _ONE_BY_ONE:
        add_best(bench, sites, regrow)
        return bench.support
    best = dense[np.argsort(-bench.slopes(), kind="stable")[:regrow]]
    return np.union1d(kept, best)
