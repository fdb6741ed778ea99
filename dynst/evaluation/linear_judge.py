"""The closed-form judge: a ridge forecaster refitted for every plan in milliseconds, the same way for all planners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.linear import LinearForecaster, fit_ridge, fit_ridge_dual
from dynst.backbones.persistence import persistence
from dynst.domain import Channel, Field, Sites, Window
from dynst.errors import ConfigError, DataError
from dynst.evaluation.leave_one_out import Left, Whole
from dynst.evaluation.modes import Basis, Grams, features
from dynst.evaluation.score import ErrorTally, Score
from dynst.evaluation.shared import AtSites, Forms, Linear, Pool
from dynst.evaluation.sums import ErrorSums
from dynst.windows import Design, GapModel, Scaling, Split, TimeModes, design, fit_starts, window_starts
from dynst.windows.time_modes import LONG

__all__ = ["LinearJudge"]

_VALID_LIMIT, _TEST_LIMIT = 300, 500  # windows; chosen: neighbouring ones overlap, so more say little
_CHUNK_BYTES = 16 << 20
_POOL_BYTES, _FORM_BYTES = 256 << 20, 128 << 20  # what many plans may share
_EASY = 4  # how much faster one large product is than many small ones with their gathering of features
_GROUP = 32  # sites whose inner products are added at a time
_COMPLETED = 16_000  # inputs of all sites up to which gaps are filled plan by plan: plans then share no inner products

Block = Literal["valid", "test"]


class LinearJudge:
    """Errors of a linear forecaster that reads only the chosen sites and forecasts all of them.

    Training windows are projected on the leading modes of the future field; ridge regression from the histories of
    the chosen sites to these modes is solved in float64, its penalty chosen on validation windows; errors are taken
    against the full field, so what lies outside the modes counts as error. The test block is read at the first score
    on it and chooses nothing.

    Where a history of more than 12 steps would not leave room for all training windows, it is read as what it holds of
    a few patterns in time, and forecasts are made of such patterns, the same ones for all plans (`TimeModes`); errors
    are taken against the full field all the same.

    Where the record has gaps: a missing target never counts in an error; for training it is what `GapModel` expects
    of it. A sensor that is silent reads what the model expects from the other sensors of the plan at that step; on
    fields of more than 16 000 inputs (sites times channels times steps) it reads 0, what is usual there. What a site
    never measured in the training block is neither input nor target.

    Parameters
    ----------
    split : Split
        Training, validation and test blocks.
    window : Window
        History and prediction.
    scaling : Scaling or None
        Fitted on the training block; fitted here if left out.
    seed : int
        Seed of the thinning of windows.
    limit, max_bytes : int
        Training windows at most, and memory for them; validation takes a third of it, test two thirds.
    regions : mapping of str to Bool[ndarray, "n"], or None
        Sites of each region, for errors told apart (`Score.regions`).

    Examples
    --------
    >>> from dynst.domain import Field, GridLayout, Sites
    >>> from dynst.windows import split_by_time
    >>> wave = np.sin(np.arange(200)[:, None, None] / 3 + np.arange(3.0)[:, None])
    >>> field = Field.of(wave, Sites(np.arange(3.0), np.zeros(3)), GridLayout((1, 3), np.arange(3)))
    >>> judge = LinearJudge(split_by_time(field, Window(2, 2)), Window(2, 2))
    >>> judge.score(np.array([1])).total < 0.1 < judge.floor().total  # two steps at one site tell the phase
    True
    """

    def __init__(
        self,
        split: Split,
        window: Window,
        *,
        scaling: Scaling | None = None,
        seed: int = 0,
        limit: int = 1000,
        max_bytes: int = 150 << 20,
        regions: Mapping[str, Bool[ndarray, " n"]] | None = None,
    ) -> None:
        self.split, self.window, self.seed = split, window, seed
        self.scaling = Scaling.fit(split.train) if scaling is None else scaling
        self._limit, self._max_bytes, self._regions = limit, max_bytes, dict(regions or {})
        self._grams: dict[bytes, Grams] = {}
        self._forms: dict[Block, Forms | None] = {}
        self._at_sites: dict[Block, AtSites] = {}
        self._pools: dict[Block, Pool] = {}

    def __repr__(self) -> str:
        return f"LinearJudge({self.split!r}, {self.window.history} -> {self.window.prediction})"

    @property
    def sites(self) -> Sites:
        """The places that may carry sensors, all of which are forecast."""
        return self.split.train.sites

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels that are forecast."""
        return tuple(self.split.train.channels[i] for i in self.split.train.predicted)

    def score(self, selected: Int[ndarray, " k"], *, on: Block = "test") -> Score:
        """Errors when only the `selected` sites are measured; the order of the sites does not matter.

        Plans that grow by appending sites - the budgets of one ranking, smallest first - share most of their work.
        """
        selected = self._checked(selected)
        block = self._read(on)
        fit, coefficients = self._fit(selected, on)
        forecasts = (self._fields(coefficients[rows].astype(np.float32)) for rows in self._chunks(block))
        return self._tally(forecasts, block, self._run(on), selected, self._notes(fit))

    def scores(self, plans: Sequence[Int[ndarray, " _"]], *, on: Block = "test") -> Iterator[Score]:
        """Errors of many plans, in their order: those of `score` but for rounding, at a fraction of its cost.

        Plans share the inner products of their features, and errors come from those of modes and truth in place of a
        pass over the field; so mean absolute errors over all sites are NaN. A plan of more features than training
        windows shares no features. Where test windows have gaps, or a plan fills its own, this is `score`.
        """
        checked = [self._checked(selected) for selected in plans]
        forms = self._forms_of(on)
        if forms is None:
            yield from (self.score(selected, on=on) for selected in checked)
            return
        m, f = self._train.inputs.shape[::2]
        pool = self._pool([selected for selected in checked if len(selected) * f <= m], on)
        for selected in checked:
            if pool is not None and len(selected) * f <= m:
                fit, forecast = pool.fit(selected)
            else:
                fit, coefficients = self._fit(selected, on)
                forecast = Linear.plain(coefficients)
            yield self._from_forms(forms, fit, forecast, selected, on)

    def without(self, selected: Int[ndarray, " k"], *, on: Block = "test") -> Iterator[Score]:
        """Errors when each of the `selected` sites in turn is left out, of two or more: those of `scores`.

        All refits share one decomposition. Where gaps are filled plan by plan, or sites are too many, this is `scores`.
        """
        selected = self._checked(selected)
        plans = [np.delete(selected, i) for i in range(len(selected))]
        whole = self._whole(selected, on) if len(plans) > 1 else None
        if whole is None:
            yield from self.scores(plans, on=on)
            return
        f = self._train.inputs.shape[2]
        for i, plan in enumerate(plans):
            yield self._of_left(whole.without(np.arange(i * f, i * f + f)), plan, on)

    def with_each(
        self, selected: Int[ndarray, " k"], others: Int[ndarray, " j"], *, on: Block = "test"
    ) -> Iterator[Score]:
        """Errors when each of the `others` in turn joins the `selected` sites: those of `scores`.

        All refits share one decomposition where the sites have more features than there are training windows.
        """
        selected = self._checked(selected)
        plans = [self._checked(np.append(selected, site)) for site in others]
        m, f = self._train.inputs.shape[::2]
        whole = self._whole(selected, on) if len(selected) * f >= m and len(plans) > 1 else None
        if whole is None:
            yield from self.scores(plans, on=on)
            return
        parts = (self._train, self._valid, self._read(on))
        for plan in plans:
            x, xv, xb = (features(part.inputs, plan[-1:]) for part in parts)
            yield self._of_left(whole.plus((x, xv, xb)), plan, on)

    def _whole(self, selected: Int[ndarray, " k"], on: Block) -> Whole | None:
        """What refits with a site less or more share; None where gaps are filled plan by plan, or memory is short."""
        parts, f = (self._train, self._valid, self._read(on)), self._train.inputs.shape[2]
        if self._completes or 3 * 8 * len(selected) * f * sum(map(len, parts)) > _POOL_BYTES:
            return None
        x, xv, xb = (features(part.inputs, selected) for part in parts)
        return Whole.of((x, xv, xb), self._basis.coefficients, self._basis.valid)

    def _of_left(self, left: Left | None, plan: Int[ndarray, " k"], on: Block) -> Score:
        """Errors of such a refit, or of one from the data where that was not exact."""
        if left is None:
            return next(self.scores([plan], on=on))
        forms, block = self._forms_of(on), self._read(on)
        if forms is not None:
            return self._from_forms(forms, left, Linear.plain(left.coefficients), plan, on)
        made = (self._fields(left.coefficients[rows].astype(np.float32)) for rows in self._chunks(block))
        return self._tally(made, block, self._run(on), plan, self._notes(left))

    def silenced(
        self, selected: Int[ndarray, " k"], failures: Iterable[Int[ndarray, " _"]], *, on: Block = "test"
    ) -> Iterator[Score]:
        """Errors while some of the sensors are silent, for each set of failed sites; the forecaster is not made anew.

        It was made for all of `selected`; a silent sensor reads 0, the climatology of its site.
        """
        selected = self._checked(selected)
        basis, block = self._basis, self._read(on)
        fit = fit_ridge(
            self._features(self._train, selected),
            basis.coefficients,
            valid_inputs=self._features(self._valid, selected),
            valid_targets=basis.valid,
        )
        heard = self._features(block, selected)
        for silent in failures:
            alive = np.repeat(~np.isin(selected, silent), heard.shape[1] // len(selected))
            coefficients = fit.predict(heard * alive).astype(np.float32)
            forecasts = (self._fields(coefficients[rows]) for rows in self._chunks(block))
            yield self._tally(forecasts, block, self._run(on), selected, {"silent": len(silent)})

    def _fields(self, coefficients: Float[ndarray, "b r"]) -> Float[ndarray, "b D"]:
        """Forecasts in all their steps, flat."""
        flat: ndarray = coefficients @ self._basis.fields
        if self._modes is None:
            return flat
        patterns = flat.reshape(len(flat), -1, len(self.sites), len(self.channels))
        return self._modes.steps(patterns).reshape(len(flat), -1)

    def floor(self, *, on: Block = "test") -> Score:
        """Errors of the forecaster with no sensor: for a linear one without intercept, the climatology."""
        return self.climatology(on=on)

    def ceiling(self, *, on: Block = "test") -> Score:
        """Errors of the forecaster with a sensor at every site, legal or not."""
        return self.score(np.arange(len(self.sites)), on=on)

    def climatology(self, *, on: Block = "test") -> Score:
        """Errors of forecasting each site's climatology."""
        block = self._read(on)
        size = block.targets[0].size
        nothing = (np.zeros((len(block.targets[rows]), size), np.float32) for rows in self._chunks(block))
        error = float(np.mean(self._basis.valid**2))
        return self._tally(
            nothing, block, self._run(on), np.zeros(0, np.int64), {"valid_error": self._valid_error(error)}
        )

    def persistence(self, *, on: Block = "test") -> Score:
        """Errors of forecasting the last known anomaly of each site, measured by a sensor or not."""
        block, field = self._read(on), self._field(on)
        p, n, c = block.targets.shape[1:]
        t = self.window.history

        def last() -> Iterator[Float[ndarray, "b r"]]:
            for rows in self._chunks(block):
                past = np.stack([self.scaling.anomalies(field, s, s + t) for s in block.starts[rows].tolist()])
                anomaly = past[..., field.predicted]
                known = np.isfinite(anomaly) if field.has_missing else None
                yield persistence(anomaly, steps=p, observed=known).reshape(len(past), p * n * c)

        return self._tally(last(), block, self._run(on), np.arange(n), {})

    def _tally(
        self,
        forecasts: Iterator[Float[ndarray, "b r"]],
        block: Design,
        run: Int[ndarray, " m"] | None,
        selected: Int[ndarray, " k"],
        notes: dict[str, object],
    ) -> Score:
        std = self.scaling.std[self.split.train.predicted].astype(float)
        tally = ErrorTally(self.sites.weight, selected, std, self.window.prediction, regions=self._regions)
        for rows, forecast in zip(self._chunks(block), forecasts, strict=True):
            truth = block.targets[rows]
            error = forecast.reshape(truth.shape) - truth
            tally.add(error, None if block.observed is None else block.observed[rows], truth=truth)
        return tally.score(notes, run=run)

    def _fit(self, selected: Int[ndarray, " k"], on: Block) -> tuple[LinearForecaster, Float[ndarray, "b r"]]:
        """The forecaster of a plan, and what it forecasts of each mode."""
        basis, block = self._basis, self._read(on)
        m, f = len(basis.coefficients), self._train.inputs.shape[2]
        if len(selected) * f <= m or self._completes:
            fit = fit_ridge(
                self._features(self._train, selected),
                basis.coefficients,
                valid_inputs=self._features(self._valid, selected),
                valid_targets=basis.valid,
            )
            return fit, fit.predict(self._features(block, selected))
        grams = self._inner(selected, on)
        fit = fit_ridge_dual(
            grams.train, basis.coefficients, valid_gram=grams.valid, valid_targets=basis.valid, shared=basis.shared
        )
        return fit, fit.predict(grams.block)

    def _notes(self, fit: LinearForecaster | Left) -> dict[str, object]:
        error = self._valid_error(fit.error)
        return {"penalty": fit.penalty, "penalty_at_grid_end": fit.at_grid_end, "valid_error": error}

    def _pool(self, plans: Sequence[Int[ndarray, " _"]], on: Block) -> Pool | None:
        """What the plans share, kept for the next ones on the same block; None where that is too much memory."""
        if not plans:
            return None
        used, f, known = np.unique(np.concatenate(plans)), self._train.inputs.shape[2], self._pools.get(on)
        shared = _EASY * sum(float(len(plan) * f) ** 2 for plan in plans)  # numbers in the products of each by itself
        parts = (self._train.inputs, self._valid.inputs, self._read(on).inputs)

        room = _POOL_BYTES // (4 * f * sum(map(len, parts)))  # sites
        if len(used) > room:
            return None
        if known is not None and len(grown := np.union1d(used, known.used)) <= room:
            used = grown
        q = len(used) * f
        whole = q * q < shared and 2 * 8 * q * q <= _POOL_BYTES
        if known is None or not known.has(used) or (whole and known.grams is None):
            known = Pool.of(used, parts, self._basis.coefficients, self._basis.valid, whole=whole)
            self._pools = {on: known} if known.nbytes <= _POOL_BYTES // 2 else {}  # one at a time: memory
        return known

    def _forms_of(self, on: Block) -> Forms | None:
        """Errors as forms of the modes; None where the windows have gaps, or that is too much memory."""
        if on not in self._forms:
            self._forms[on] = self._new_forms(on)
        return self._forms[on]

    def _new_forms(self, on: Block) -> Forms | None:
        block, basis = self._read(on), self._basis
        (b, p, n, c), r = block.targets.shape, len(basis.fields)
        if block.observed is not None or self._completes:
            return None
        if Forms.nbytes(1 + len(self._regions), p * c, b, r) > _FORM_BYTES:
            return None
        future = None if self._modes is None else self._modes.future
        fields = basis.fields.reshape(r, -1, n, c)
        return Forms.of(fields, future, block.targets, self.sites.weight, self._regions)

    def _from_forms(
        self,
        forms: Forms,
        fit: LinearForecaster | Left,
        forecast: Linear,
        selected: Int[ndarray, " k"],
        on: Block,
    ) -> Score:
        std, weight = self.scaling.std[self.split.train.predicted].astype(float), self.sites.weight
        whole, *regions = (sums.scaled(std) for sums in forms.sums(forecast))
        at = self._at_sensors(forecast, selected, on, std)
        rest = np.setdiff1d(np.arange(len(weight)), selected)
        if 0 < len(rest) < len(selected):  # the small part of a large sum would lose its digits in a difference
            away = self._at_sensors(forecast, rest, on, std)
        else:
            away = whole.without(at, np.full(at.weight.shape, len(forecast.inputs) * float(weight[rest].sum())))
        named = dict(zip(self._regions, regions, strict=True))
        windows = forms.per_window(forecast)
        return Score(whole, at, away, std, windows, self._notes(fit), self._run(on), named)

    def _at_sensors(
        self, forecast: Linear, selected: Int[ndarray, " k"], on: Block, std: Float[ndarray, " c"]
    ) -> ErrorSums:
        """Errors at the sensors alone, or at some other few sites, site by site."""
        block, r, k = self._read(on), len(self._basis.fields), len(selected)
        n, c = block.targets.shape[2:]
        coefficients = forecast.coefficients
        if self._modes is None and self._basis.fields.nbytes + block.targets.nbytes <= _FORM_BYTES:
            if on not in self._at_sites:
                self._at_sites[on] = AtSites.of(self._basis.fields.reshape(r, -1, n, c), block.targets)
            return self._at_sites[on].sums(coefficients, selected, self.sites.weight[selected]).scaled(std)
        some = self._basis.fields.reshape(r, -1, n, c)[:, :, selected]
        tally = ErrorTally(self.sites.weight[selected], np.arange(k), std, self.window.prediction)
        for rows in self._chunks(block):
            made = (coefficients[rows].astype(np.float32) @ some.reshape(r, -1)).reshape(-1, *some.shape[1:])
            truth = block.targets[rows][:, :, selected]
            tally.add((made if self._modes is None else self._modes.steps(made)) - truth, truth=truth)
        return tally.score().at_sensors

    def _valid_error(self, error: float) -> float:
        """RMSE in training standard deviations over whole validation fields, from the mean squared error of the modes.

        Missing targets count as filled, and of long futures that which their patterns in time hold.
        """
        basis = self._basis
        values = self.window.prediction * len(self.channels) * float(self.sites.weight.sum())
        return float(np.sqrt((error * basis.valid.shape[1] + basis.outside) / values))

    def _checked(self, selected: Int[ndarray, " k"]) -> Int[ndarray, " k"]:
        selected = np.asarray(selected, np.int64)
        if not len(selected) or len(np.unique(selected)) != len(selected):
            raise ConfigError(f"a plan of {len(selected)} sites that are not all different cannot be judged.")
        return selected

    def _chunks(self, block: Design) -> Iterator[slice]:
        size = max(1, _CHUNK_BYTES // block.targets[0].nbytes)
        return (slice(i, i + size) for i in range(0, len(block), size))

    def _run(self, on: Block) -> Int[ndarray, " m"] | None:
        """Experiment of each window; None for windows of one record, whatever gaps cut it into runs."""
        field = self._field(on)
        return field.run[self._read(on).starts] if field.cases else None

    def _field(self, on: Block) -> Field:
        return self.split.test if on == "test" else self.split.valid

    def _read(self, on: Block) -> Design:
        """Windows to be scored, their targets in full."""
        return self._test if on == "test" else self._whole_valid

    def _design(
        self, field: Field, limit: int, max_bytes: int, *, gaps: GapModel | None = None, whole_targets: bool = False
    ) -> Design:
        modes, whole, starts = self._modes, whole_targets, window_starts(field, self.window)
        room = {"limit": limit, "max_bytes": max_bytes, "seed": self.seed}
        starts = fit_starts(starts, field, self.window, modes=modes, whole_targets=whole, **room)
        block = design(field, self.window, self.scaling, starts, gaps=gaps, modes=modes, whole_targets=whole)
        if block.observed is not None and not block.observed.any():
            raise DataError(
                "training, validation or test time holds no value of the forecast channels: nothing can be judged. "
                "Forecast a channel that is observed until the end (--predict), or cut the record."
            )
        return block

    @cached_property
    def _gaps(self) -> GapModel | None:
        return GapModel.fit(self.split.train, self.scaling, seed=self.seed) if self.split.train.has_missing else None

    @property
    def _completes(self) -> bool:
        numbers = len(self.sites) * self.window.history * len(self.split.train.observed)
        return self._gaps is not None and numbers <= _COMPLETED

    @cached_property
    def _modes(self) -> TimeModes | None:
        """Patterns in time; None where histories are short, completed step by step, or all of them fit into memory."""
        train, (limit, max_bytes) = self.split.train, (self._limit, self._max_bytes)
        starts = window_starts(train, self.window)
        fitting = fit_starts(starts, train, self.window, limit=limit, max_bytes=max_bytes)
        if self.window.history <= LONG or len(fitting) == min(limit, len(starts)) or self._completes:
            return None
        return TimeModes.fit(train, self.window, self.scaling, starts)

    def _features(self, block: Design, selected: Int[ndarray, " k"]) -> Float[ndarray, "m q"]:
        if not self._completes or self._gaps is None or block.inputs_observed is None:
            return features(block.inputs, selected)
        inputs, known = block.inputs[:, selected], block.inputs_observed[:, selected]
        filled = self._gaps.completed(inputs, known, selected, self.split.train.observed)
        return features(filled, np.arange(len(selected)))

    @cached_property
    def _fitted(self) -> tuple[Design, Basis]:
        """Training windows without their targets, and the modes of these, whose full fields are not kept."""
        train = self._design(self.split.train, self._limit, self._max_bytes, gaps=self._gaps)
        basis = Basis.of(train.targets, self._valid.targets, self.sites.weight)
        return replace(train, targets=train.targets[:, :0].copy(), observed=None), basis

    @property
    def _train(self) -> Design:
        return self._fitted[0]

    @property
    def _basis(self) -> Basis:
        return self._fitted[1]

    @cached_property
    def _valid(self) -> Design:
        return self._design(self.split.valid, _VALID_LIMIT, self._max_bytes // 3, gaps=self._gaps)

    @cached_property
    def _whole_valid(self) -> Design:
        if self._modes is None:
            return self._valid
        return self._design(self.split.valid, _VALID_LIMIT, self._max_bytes // 3, gaps=self._gaps, whole_targets=True)

    @cached_property
    def _test(self) -> Design:
        return self._design(self.split.test, _TEST_LIMIT, self._max_bytes * 2 // 3, whole_targets=True)

    def _inner(self, selected: Int[ndarray, " k"], on: Block) -> Grams:
        """Inner products over the selected sites, continued from those of a shorter ranking if one was just judged.

        Only whole groups of sites are kept, so a plan has the same sums to the last bit whatever was judged before.
        """
        whole = len(selected) // _GROUP * _GROUP
        inputs = (self._train.inputs, self._valid.inputs, self._read(on).inputs)
        done, grams = 0, Grams.zero(*map(len, inputs))
        for length in range(whole, 0, -_GROUP):
            known = self._grams.get(on.encode() + selected[:length].tobytes())
            if known is not None:
                done, grams = length, known
                break
        for start in range(done, whole, _GROUP):
            grams = grams.plus(*(features(x, selected[start : start + _GROUP]) for x in inputs))
        if whole:
            self._grams = {on.encode() + selected[:whole].tobytes(): grams}  # one at a time: memory
        rest = selected[whole:]
        return grams.plus(*(features(x, rest) for x in inputs)) if len(rest) else grams
