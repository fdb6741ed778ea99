"""Which climatology: the calendar that a record's own training and validation time says to follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import combinations
from operator import add
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Field
from dynst.domain.calendar import MEAN, TERMS, Calendar, Term
from dynst.domain.clock import Unit
from dynst.domain.split import thin
from dynst.errors import ConfigError
from dynst.windows.climatology import Wave, wave_values, waves_of, with_mean
from dynst.windows.normal import NormalSums, reference_of

__all__ = ["ClimatologyChoice", "choose_climatology", "climatology_words"]

_SHARES = (0.55, 0.70, 0.85, 1.0)  # of the time: each fold is fitted to one and scored up to the next
_GROUPS = 3  # of experiments, each left out once
_LENGTHS: dict[Term, tuple[Unit, float]] = {"year": ("years", 1.0), "week": ("days", 7.0), "day": ("days", 1.0)}
_CYCLES = 3  # full ones that a fit must see
_BETTER = 0.01  # mean log error that a richer climatology must win, over all folds
_SITES, _STEPS = 400, 4000
_GAPPY = 100  # sites where values are missing: each then has products of its own
_READ_BYTES = 256 << 20
_BLOCK = 500  # steps in memory at a time


class ClimatologyChoice(NamedTuple):
    """The calendar to follow, and the error of every candidate on every fold.

    Parameters
    ----------
    calendar : Calendar
        What was chosen, or asked for.
    evidence : dict of str to tuple of float
        Error of each candidate (``mean``, ``year+day``) on each fold, in standard deviations from the mean.
    """

    calendar: Calendar
    evidence: dict[str, tuple[float, ...]]

    def facts(self) -> dict[str, object]:
        """The same as JSON types; `error` is the mean over the folds."""
        return {
            "terms": str(self.calendar),
            "words": self.calendar.words,
            "cycle": self.calendar.cycle,
            "error": {name: math.exp(fmean(map(math.log, errors))) for name, errors in self.evidence.items()},
            "folds": {name: list(errors) for name, errors in self.evidence.items()},
        }


def climatology_words(facts: Mapping[str, Any]) -> str:
    """What anomalies are taken from and what it is worth, from `ClimatologyChoice.facts`.

    Examples
    --------
    >>> climatology_words({"terms": "year+day", "words": "year + day", "error": {"mean": 1.084, "year+day": 0.971}})
    'year + day (error 1.084 -> 0.971 sd on three folds)'
    >>> climatology_words({"terms": "mean", "words": "mean", "error": {"mean": 1.0, "day": 0.999}})
    'mean of each site (error on three folds: mean 1.000, day 0.999 sd)'
    """
    error = facts["error"]
    if facts["terms"] != "mean":
        return f"{facts['words']} (error {error['mean']:.3f} -> {error[facts['terms']]:.3f} sd on three folds)"
    if len(error) < 2:
        return "mean of each site"
    listed = ", ".join(f"{name} {value:.3f}" for name, value in error.items())
    return f"mean of each site (error on three folds: {listed} sd)"


def choose_climatology(field: Field, *, wanted: str = "auto", cycle: int | None = None) -> ClimatologyChoice:
    """The climatology of a record, by its own error on three rolling folds.

    A climatology is fitted to the first 55, 70 and 85 % of the time and scored on the 15 % that follow; where runs are
    experiments, each third of them is scored by a fit to the others. A richer one is taken where its mean log error
    over the folds is at least 1 % lower than that of all that are simpler, and no fold but one says otherwise.
    At most 400 sites and 4000 steps are looked at.

    Parameters
    ----------
    field : Field
        Training and validation time; never the test.
    wanted : str
        ``auto``, or what to follow: ``mean``, ``day``, ``week``, ``year`` and ``cycle``, joined by plus signs.
    cycle : int or None
        Steps of a cycle that the record may follow, for records without dates.

    Raises
    ------
    ConfigError
        If a word is unknown, or the times of the record do not allow what is wanted.
    """
    if cycle is not None and (reason := _refusal(field, "cycle", cycle, share=1.0)):
        raise ConfigError(f"cycle: {reason}")
    if wanted != "auto":
        calendar = Calendar.parse(wanted, cycle=cycle)
        if "cycle" in calendar.terms and cycle is None:
            raise ConfigError("climatology cycle has no length. Give --cycle STEPS.")
        for term in calendar.terms:
            if reason := _refusal(field, term, cycle, share=1.0):
                raise ConfigError(f"climatology {term}: {reason}")
        return ClimatologyChoice(calendar, _errors(field, list(dict.fromkeys((MEAN, calendar)))))
    candidates = list(_candidates(field, cycle))
    evidence = _errors(field, candidates)
    return ClimatologyChoice(_winner(candidates, evidence), evidence)


def _candidates(field: Field, cycle: int | None) -> Iterator[Calendar]:
    """The mean, and all sums of the terms that the folds can tell of, the simplest first."""
    share = 1.0 if field.cases else _SHARES[0]
    offered: list[Term] = [] if field.cases else ["year", "week", "day"]
    if cycle is not None:
        offered.append("cycle")
    allowed = [term for term in TERMS if term in offered and not _refusal(field, term, cycle, share=share)]
    for size in range(len(allowed) + 1):
        for terms in combinations(allowed, size):
            yield Calendar(terms, cycle)


def _winner(candidates: list[Calendar], evidence: dict[str, tuple[float, ...]]) -> Calendar:
    best = candidates[0]
    for richer in candidates[1:]:
        gain = np.log(evidence[str(best)]) - np.log(evidence[str(richer)])
        if gain.mean() > _BETTER and (gain > 0).sum() >= len(gain) - 1:
            best = richer
    return best


def _refusal(field: Field, term: Term, cycle: int | None, *, share: float) -> str:
    """Why the times of a record do not allow a term, if so, when a fit sees the first `share` of them."""
    if term == "cycle":
        return _cycle_refusal(field, cycle or 0, share)
    unit, length = _LENGTHS[term]
    clock = field.clock
    if not clock.has(unit):
        return f"{field.name} has no dates, so it cannot follow a {term}. Give --cycle STEPS."
    if term == "week" and not clock.weeks:
        return f"the calendar of {field.name} is a model's and has no weeks. Leave week out."
    if clock.stride(unit) > length / 2 + 1e-6:
        return f"steps of {field.cadence} are too long to see a {term}: at least two in each are needed. Leave it out."
    seen = float(np.ptp(clock.gone(unit))) * share / length
    if seen < _CYCLES - 0.01:
        return (
            f"training and validation time holds {seen:.2g} full {term}s; at least {_CYCLES} are needed. "
            f"Leave {term} out, or give a longer record."
        )
    return ""


def _cycle_refusal(field: Field, cycle: int, share: float) -> str:
    if cycle < 2:
        return f"{cycle} step{'' if cycle == 1 else 's'} came; a cycle has at least 2."
    longest = max(stop - start for start, stop in field.runs) if field.cases else field.steps
    if cycle * _CYCLES > longest * share and not field.cases:
        return f"{cycle} steps are more than a third of the {longest} of training and validation time. Give fewer."
    if cycle > longest:
        return f"{cycle} steps are more than the longest run has ({longest}). Give fewer."
    return ""


def _errors(field: Field, candidates: list[Calendar]) -> dict[str, tuple[float, ...]]:
    """Error of each candidate on each fold; nothing where there is no choice."""
    if len(candidates) < 2:
        return {}
    waves = [waves_of(field.clock, calendar) for calendar in candidates]
    every = list(dict.fromkeys(wave for some in waves for wave in some))
    place = {wave: column for column, wave in enumerate(every, start=1)}
    sample = _Sample.of(field)
    folds = list(sample.folds(every))
    used = [np.array([0, *(place[wave] for wave in some)]) for some in waves]
    return {
        str(calendar): tuple(_error(sample, fitted, held, columns) for fitted, held in folds)
        for calendar, columns in zip(candidates, used, strict=True)
    }


class _Sample(NamedTuple):
    """Some sites and steps of a record that are enough to choose by."""

    field: Field
    sites: Int[ndarray, " k"]
    steps: Int[ndarray, " s"]

    @classmethod
    def of(cls, field: Field) -> _Sample:
        _, n, c = field.series.shape
        few = _GAPPY if field.has_missing else _SITES
        sites = np.sort(np.random.default_rng(0).permutation(n)[:few])
        most = max(200, min(_STEPS, _READ_BYTES // (4 * n * c)))
        return cls(field, sites, thin(np.arange(field.steps), most))

    @property
    def weight(self) -> Float[ndarray, " q"]:
        """Area weight of each column (a channel at a site)."""
        area: ndarray = np.repeat(self.field.sites.weight[self.sites], len(self.field.predicted))
        return area

    def folds(self, waves: list[Wave]) -> Iterator[tuple[NormalSums, NormalSums]]:
        """Sums of the steps that each fold is fitted to, and of those it is scored on."""
        parts = self._sums(waves)
        if self._by_run:
            for held in range(len(parts)):
                yield reduce(add, [part for i, part in enumerate(parts) if i != held]), parts[held]
        else:
            for held in range(1, len(parts)):
                yield reduce(add, parts[:held]), parts[held]

    def _sums(self, waves: list[Wave]) -> list[NormalSums]:
        """Sums of each part of the record."""
        part = self._part
        reference: ndarray | None = None
        sums: list[NormalSums | None] = [None] * (int(part.max()) + 1)
        for number in np.unique(part).tolist():
            inside = self.steps[part == number]
            for start in range(0, len(inside), _BLOCK):
                steps = inside[start : start + _BLOCK]
                values = self._read(steps)
                if reference is None:
                    reference = reference_of(values)
                basis = with_mean(wave_values(waves, self.field.clock.at(steps)))
                more = NormalSums.of(basis, values - reference)
                known = sums[number]
                sums[number] = more if known is None else known + more
        return [one for one in sums if one is not None]

    @property
    def _by_run(self) -> bool:
        return len(self.field.cases) > 1

    @property
    def _part(self) -> Int[ndarray, " s"]:
        """Number of the part of each step: of time, or of every third run where runs are experiments."""
        if self._by_run:
            number = np.unique(self.field.run, return_inverse=True)[1]
            return np.asarray(number[self.steps] % min(_GROUPS, len(self.field.cases)))
        return np.searchsorted(np.array(_SHARES[:-1]) * self.field.steps, self.steps, side="right")

    def _read(self, steps: Int[ndarray, " s"]) -> Float[ndarray, "s q"]:
        values = np.empty((len(steps), *self.field.series.shape[1:]), np.float32)
        for row, step in enumerate(steps.tolist()):
            self.field.series.read_into(step, values[row : row + 1])
        chosen = values[:, self.sites][:, :, self.field.predicted]
        return chosen.reshape(len(steps), -1).astype(np.float64)


def _error(sample: _Sample, fitted: NormalSums, held: NormalSums, columns: Int[ndarray, " g"]) -> float:
    """Root mean squared error on the held part, in standard deviations from the mean of the fitted part."""
    mean = np.zeros(1, np.int64)
    spread = fitted.on(mean).departures(fitted.on(mean).solve())
    left = held.on(columns).departures(fitted.on(columns).solve(len(sample.field.predicted)))
    learnt = fitted.count > 0
    weight = sample.weight * learnt
    c = len(sample.field.predicted)
    known = (weight * held.count).reshape(-1, c).sum(axis=0)
    square = (weight * left).reshape(-1, c).sum(axis=0) / np.maximum(known, 1e-300)
    seen = (weight * fitted.count).reshape(-1, c).sum(axis=0)
    variance = (weight * spread).reshape(-1, c).sum(axis=0) / np.maximum(seen, 1e-300)
    told = (known > 0) & (variance > 0)
    return math.sqrt(float(np.mean(square[told] / variance[told]))) if told.any() else 1.0
