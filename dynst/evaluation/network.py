"""Judges a network that somebody has: each station's worth, what is redundant, what to add, what failures cost.

Every choice - who leaves next, where the next station stands - is made on validation windows, every figure is of the
test windows, and every network is fitted anew by the linear judge. So a leave-one-out value is exact: the difference
of two scores, not an estimate of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import RANDOM
from dynst.domain.change import Change
from dynst.domain.room import Room
from dynst.domain.split import window_starts
from dynst.errors import ConfigError
from dynst.evaluation.changes import change_between, corrected, shown_error, shown_units
from dynst.evaluation.linear_judge import LinearJudge
from dynst.evaluation.review import Failure, NetworkReview, Rival, Station, Step
from dynst.evaluation.score import Score
from dynst.planners import PLANNERS
from dynst.planners.base import Task
from dynst.planners.bench import Bench

__all__ = ["review_network"]

_CASES, _FEWEST_CASES = 100, 20  # sets of failing stations; with fewer than 20 nothing is exceeded in 1 of 20
_TENTH = 0.1  # of the stations fail
_TRIED = (
    60  # candidates for the next station that are judged, if there are more: those of largest exact gain in training
)
_LARGE = 60  # stations above which only the first half of the order of redundancy is found
_OPERATIONS = 5e11  # multiplications that the order of redundancy may cost: less than a minute on one core

_T = TypeVar("_T")
Progress = Callable[[str, int, int], None]


def review_network(
    judge: LinearJudge,
    network: Int[ndarray, " k"],
    *,
    names: Sequence[str] = (),
    rivals: Mapping[str, Int[ndarray, " k"]] = {},
    add: int = 5,
    seed: int = 0,
    data: str = "the record",
    notes: Sequence[str] = (),
    progress: Progress = lambda what, done, total: None,
) -> NetworkReview:
    """The review of a network.

    Parameters
    ----------
    judge : LinearJudge
        Over the record on which the network is judged.
    network : Int[ndarray, "k"]
        Sites with a station, all different.
    names : sequence of str
        What the stations are called; as their sites if left out.
    rivals : mapping of str to Int[ndarray, "k"]
        Other networks of the same size to compare with, by what they are called.
    add : int
        How many best next stations to find.
    seed : int
        Of random networks and random failures.
    data, notes
        What the review says of the record and of what was done before.
    progress : callable
        Told what is done, how many parts of it, and of how many.

    Raises
    ------
    ConfigError
        If the network is empty or holds a site twice, or `add` is negative.

    Examples
    --------
    >>> from dynst.domain import Field, GridLayout, Sites, Window
    >>> from dynst.windows import split_by_time
    >>> rng = np.random.default_rng(0)
    >>> values = rng.standard_normal((300, 4, 1))
    >>> values[1:, 3] = values[:-1, 0]  # site 0 knows the next value of site 3, sites 1 and 2 are noise
    >>> field = Field.of(values, Sites(np.arange(4.0), np.zeros(4)), GridLayout((1, 4), np.arange(4)))
    >>> judge = LinearJudge(split_by_time(field, Window(1, 1)), Window(1, 1))
    >>> found = review_network(judge, np.array([1, 2]), names=["hill", "dale"], add=1)
    >>> found.added[0].site, found.added[0].change.verdict
    (0, 'better')
    """
    network = np.asarray(network, np.int64)
    if add < 0:
        raise ConfigError(f"{add} stations cannot be added. Give --add 0 or more.")
    work = _Work(judge, network, tuple(names) or tuple(judge.sites.name[i] for i in network), seed, progress)
    base = work.test(network)
    removed, said = work.removed()
    rank = {step.site: i for i, step in enumerate(removed, start=1)}
    if len(rank) == len(network) - 1:  # who is left goes last
        rank[int(np.setdiff1d(network, list(rank))[0])] = len(network)
    alone = [work.against(score, base) for score in work.counted("leave one out", work.alone(), len(network))]
    stations = map(Station, network.tolist(), work.names, corrected(alone), [rank.get(i) for i in network.tolist()])
    everywhere = bool(np.isin(judge.sites.legal, network).all())
    compared = work.comparable and not everywhere
    if not work.comparable:
        said.append(f"the rules allow no other network of {len(network)} stations: there are none to compare with")
    return NetworkReview(
        data=data,
        sites=judge.sites,
        layout=judge.split.train.layout,
        stations=tuple(stations),
        units=work.units,
        network=work.against(base, judge.floor()),
        floor=work.error(judge.floor()),
        ceiling=work.error(judge.ceiling()),
        rivals=work.rivals(rivals) if compared else (),
        removed=removed,
        added=() if everywhere else work.added(add),
        failure=work.failure(),
        windows=len(base.per_window),
        notes=(*notes, *said),
    )


class _Work:
    """One network under the judge; a network that was scored once is not scored again."""

    def __init__(
        self, judge: LinearJudge, network: Int[ndarray, " k"], names: tuple[str, ...], seed: int, progress: Progress
    ) -> None:
        self.judge, self.network, self.names = judge, network, names
        self.seed, self.progress = seed, progress
        self._scores: dict[bytes, Score] = {}

    @property
    def units(self) -> str:
        """Of all errors."""
        return shown_units(self.judge.channels)

    @cached_property
    def task(self) -> Task:
        """The record as planners see it: no test block. Its expected gains screen, they do not decide."""
        split = self.judge.split
        known = (split.train, split.valid, self.judge.window, self.judge.scaling)
        budget = len(self.network) if self.comparable else max(1, len(self.judge.sites.fixed))
        return Task(*known, budget)

    @property
    def comparable(self) -> bool:
        """Whether the rules allow another network of this size."""
        k, sites = len(self.network), self.judge.sites
        return len(sites.fixed) <= k <= len(sites.packing(k))

    def counted(self, what: str, parts: Iterable[_T], total: int) -> Iterator[_T]:
        """The parts, each reported when it is done."""
        for done, part in enumerate(parts, start=1):
            yield part
            self.progress(what, done, total)

    def without(self, sites: Sequence[int]) -> Int[ndarray, " j"]:
        """The network without some of its sites."""
        return self.network[~np.isin(self.network, sites)]

    def test(self, selected: Int[ndarray, " j"]) -> Score:
        """Score on the test windows, fitted anew."""
        key = np.sort(selected).tobytes()
        if key not in self._scores:
            self._scores[key] = self.judge.score(selected) if len(selected) else self.judge.floor()
        return self._scores[key]

    def tests(self, plans: Sequence[Int[ndarray, " j"]]) -> Iterator[Score]:
        """The same for several, which share work."""
        keys = [np.sort(selected).tobytes() for selected in plans]
        new = [i for i, selected in enumerate(plans) if len(selected) and keys[i] not in self._scores]
        made = self.judge.scores([plans[i] for i in new])
        for i, selected in enumerate(plans):
            if i in new:
                self._scores[keys[i]] = next(made)
            yield self.test(selected)

    def alone(self) -> Iterator[Score]:
        """Scores on the test windows without each station in turn."""
        if len(self.network) == 1:
            yield self.test(self.network[:0])
            return
        for site, score in zip(self.network.tolist(), self.judge.without(self.network), strict=True):
            yield self._scores.setdefault(np.sort(self.without([site])).tobytes(), score)

    def best(self, plans: Sequence[Int[ndarray, " j"]]) -> int:
        """Which of the networks has the least error on validation windows, on which all choices are made."""
        if len(plans) == 1:
            return 0
        return int(np.argmin([score.total for score in self.judge.scores(plans, on="valid")]))

    def least_missed(self, among: Int[ndarray, " j"]) -> int:
        """Which station the rest does best without, on validation windows."""
        return int(among[np.argmin([score.total for score in self.judge.without(among, on="valid")])])

    def error(self, score: Score) -> float:
        """RMSE over lead times, in `units`."""
        return shown_error(score)

    def against(self, score: Score, other: Score) -> Change:
        """How a score compares with another."""
        return change_between(self.error(score), score, other)

    def removed(self) -> tuple[tuple[Step, ...], list[str]]:
        """Stations by backward elimination: each time the one without which the validation error is least."""
        rounds, tried = self._affordable()
        left, gone, steps = self.network, list[int](), list[Step]()
        for _ in self.counted("redundancy", range(rounds), rounds):
            if tried < len(left):
                among = np.sort(left)[
                    np.argsort(Bench.of(self.task.expected_error, left, left).losses(), kind="stable")[:tried]
                ]
                worst = int(among[self.best([left[left != site] for site in among])])
            else:
                worst = self.least_missed(left)
            left = left[left != worst]
            gone.append(worst)
            change = self.against(self.test(left), self.test(self.network))
            steps.append(Step(worst, self.names[int(np.flatnonzero(self.network == worst)[0])], change))
        return tuple(steps), _said(len(self.network), rounds, tried)

    def _affordable(self) -> tuple[int, int]:
        """Stations to take out, and how many to try for each of them."""
        k = len(self.network)
        rounds = k - 1 if k <= _LARGE else k - k // 2
        fits = int(_OPERATIONS // self._operations)
        rounds = min(rounds, max(1, fits))
        return rounds, max(1, min(k, fits // max(1, rounds)))

    @property
    def _operations(self) -> float:
        """Multiplications that one fit and its forecasts cost: a clock would give another answer each time."""
        split, window = self.judge.split, self.judge.window
        m = min(1000, len(window_starts(split.train, window)))
        numbers = len(self.network) * min(window.history, 12) * len(split.train.observed)
        q, n = min(m, numbers), len(self.judge.sites)
        forecasts = 20.0 * n * window.prediction * len(self.judge.channels) * min(300, split.valid.steps)
        return 10.0 * q**3 + 2.0 * m * numbers * q + forecasts

    def added(self, count: int) -> tuple[Step, ...]:
        """The best next stations, one by one: each time the site with which the validation error is least."""
        now, steps = self.network, list[Step]()
        room = Room(self.judge.sites, now)
        for _ in self.counted("best next", range(count), count):
            free = np.flatnonzero(room.open)
            if not len(free):
                break
            if len(free) > _TRIED:
                gains = Bench.of(self.task.expected_error, now).gains()[free]
                free = np.sort(free[np.argsort(-gains, kind="stable")[:_TRIED]])
            best = int(free[np.argmin([score.total for score in self.judge.with_each(now, free, on="valid")])])
            now = np.append(now, best)
            room.add(best)
            steps.append(Step(best, self.judge.sites.name[best], self.against(self.test(now), self.test(self.network))))
        return tuple(steps)

    def rivals(self, named: Mapping[str, Int[ndarray, " k"]]) -> tuple[Rival, ...]:
        """Random networks of the same size, then the named ones."""
        base = self.test(self.network)
        random = PLANNERS[RANDOM]
        seeds = range(self.seed, self.seed + random.draws)
        plans = [random.plan(self.task, seed=seed).selected for seed in seeds]
        drawn = list(self.counted("random networks", self.tests(plans), random.draws))
        means = [float(np.mean([self.error(score) for score in drawn]))]
        changes = [change_between(self.error(base), base, *drawn)]
        for selected in named.values():
            means.append(self.error(self.test(selected)))
            changes.append(self.against(base, self.test(selected)))
        many, who = [random.draws] + [1] * len(named), ["random networks", *named]
        return tuple(map(Rival, who, many, means, corrected(changes)))

    def failure(self) -> Failure:
        """What silent stations cost: all sets of them if there are few, else some drawn at random."""
        k = len(self.network)
        failing = max(1, round(_TENTH * k))
        exact = math.comb(k, failing) <= _CASES
        if exact:
            sets = [np.array(part) for part in combinations(self.network.tolist(), failing)]
        else:
            rng = np.random.default_rng(self.seed)
            cases = min(_CASES, max(_FEWEST_CASES, int(_OPERATIONS // (10 * self._operations))))
            sets = [rng.choice(self.network, failing, replace=False) for _ in range(cases)]
        silent = [
            self.error(score) for score in self.counted("failures", self.judge.silenced(self.network, sets), len(sets))
        ]
        refitted = [
            self.error(score)
            for score in self.counted(
                "failures, fitted anew", self.tests([self.without(part.tolist()) for part in sets]), len(sets)
            )
        ]
        return Failure(failing, len(sets), exact, *_mean_and_worst(silent), *_mean_and_worst(refitted))


def _mean_and_worst(errors: Sequence[float]) -> tuple[float, float]:
    """Mean, and the smallest error that 19 of 20 cases do not exceed."""
    values: Float[ndarray, " r"] = np.array(errors)
    return float(values.mean()), float(np.quantile(values, 0.95, method="inverted_cdf"))


def _said(k: int, rounds: int, tried: int) -> list[str]:
    """What was left out of the order of redundancy."""
    said = []
    if rounds < k - 1:
        said.append(f"the order of redundancy names the first {rounds} of {k} stations: more would take long")
    if rounds and tried < k:
        said.append(f"for each of them, the {tried} of least loss in training time were tried on validation time")
    return said
