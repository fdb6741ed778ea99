"""The form of the space-time covariance for plans of very many sensors, and what they carry on of a misfit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.dense_sensors import DenseForecaster, Misfit, Nearest, at_targets, carried, persisting
from dynst.backbones.spacetime import Form
from dynst.domain import Frame, Window
from dynst.domain.split import Split
from dynst.evaluation.form_choice import Fold, FormChoice, error_bar, folds, rmse
from dynst.windows.scaling import Scaling

__all__ = ["choose_dense_form"]

_SHAPES = (Form(memory=0.25, kernel=0.5), Form(memory=0.0, kernel=0.5), Form(memory=0.5), Form(memory=0.0))
_NOISES = (1e-6, 0.01, 0.1, 1.0, 10.0)
_PERSISTENCE = (0.0, 0.5, 1.0)
_KEPT = 5  # of the forms, those that are best on the last fold, which are tried on all


@dataclass(frozen=True, eq=False)
class _Trial:
    """One form on one fold: its forecast, and the misfit that it could carry to each target."""

    nearest: Nearest
    fields: Float[ndarray, "b p s co"]
    misfit: Float[ndarray, "b k co"]
    truth: Float[ndarray, "b p s co"]
    weight: Float[ndarray, " s"]

    @cached_property
    def at_targets(self) -> Float[ndarray, "b s co"]:
        """The misfit that each target could take over."""
        return at_targets(self.misfit, self.nearest)

    def forecast(self, share: Misfit, persistence: float) -> Float[ndarray, "b p s co"]:
        """With such shares of the misfit and so much of the present field."""
        fields = carried(self.fields, self.misfit, self.nearest, share)
        return persisting(fields, persistence)


@dataclass(frozen=True, eq=False)
class _Case:
    """One fold under the random plan: what every form is tried on."""

    fold: Fold
    forecaster: DenseForecaster
    readings: Float[ndarray, "b t k ci"]

    def trial(self, form: Form) -> _Trial:
        fields, misfit = self.forecaster.of_form(form).both(self.readings)
        weight = self.fold.part.sites.weight[self.fold.targets]
        return _Trial(self.forecaster.nearest, fields, misfit, self.fold.truth, weight)


def choose_dense_form(
    split: Split,
    scaling: Scaling,
    window: Window,
    budget: int,
    *,
    seed: int = 0,
    among: Sequence[Fold] | None = None,
) -> FormChoice:
    """The form with the least error on the folds of `choose_form`, under one random plan of so many sensors."""
    rng = np.random.default_rng(seed)
    placed = split.train.sites.frame is not Frame.SCHEMATIC
    forms = [replace(shape, noise=noise, persistence=0.0, damped=False) for shape, noise in product(_SHAPES, _NOISES)]
    forms = [form for form in forms if placed or not form.local]
    legal = split.train.sites.legal
    known = folds(split, scaling, window, seed) if among is None else among
    plan = np.sort(rng.choice(legal, min(budget, len(legal)), replace=False))
    cases = [_case(fold, plan) for fold in known]
    last_trials = {form: cases[-1].trial(form) for form in forms}
    last = _tried({form: [trial] for form, trial in last_trials.items()})
    ranked = sorted(last, key=lambda form: last[form])
    kept = list(dict.fromkeys(replace(form, persistence=0.0) for form in ranked))[:_KEPT]
    trials = {form: [*(case.trial(form) for case in cases[:-1]), last_trials[form]] for form in kept}
    tried = _tried(trials)
    best = min(tried, key=lambda form: tried[form])
    made = trials[replace(best, persistence=0.0)]
    share = _shares(made)
    ratios = [
        (trial.forecast(share, best.persistence) - trial.truth) / case.forecaster.of_form(best).deviation()
        for case, trial in zip(cases, made, strict=True)
    ]
    bar = error_bar(ratios, [trial.weight for trial in made])
    return FormChoice(best, bar, len(plan), float(np.exp(tried[best])), tried, share)


def _tried(trials: dict[Form, list[_Trial]]) -> dict[Form, float]:
    """Mean log error of each form, with each share of the present field."""
    shares = {form: _shares(made) for form, made in trials.items()}
    return {
        replace(form, persistence=weight): _error(trials[form], shares[form], weight)
        for form, weight in product(trials, _PERSISTENCE)
    }


def _case(fold: Fold, plan: Int[ndarray, " k"]) -> _Case:
    window = fold.windows.window
    history, leads, targets = window.history, window.prediction, fold.targets
    forecaster = DenseForecaster(fold.record(), plan, _SHAPES[-1], history=history, leads=leads, targets=targets)
    return _Case(fold, forecaster, fold.windows.readings(plan, fold.part.observed))


def _shares(trials: list[_Trial]) -> Misfit:
    """Regression of the error at each lead on the misfit now, at sites with a sensor and at the others."""
    leads = trials[0].fields.shape[1]
    made = np.zeros((leads, 2))
    for place in range(2):
        product_sum, square = np.zeros(leads), 0.0
        for trial in trials:
            own = trial.nearest[1]
            at = own if place == 0 else ~own
            error = np.nan_to_num(trial.truth - trial.fields)[:, :, at]
            misfit = trial.at_targets[:, at]
            product_sum += np.einsum("bpsc,bsc->p", error, misfit)
            square += float(np.square(misfit).sum())
        made[:, place] = np.clip(product_sum / max(square, 1e-9), 0.0, 1.0)
    return made


def _error(trials: list[_Trial], share: Misfit, persistence: float) -> float:
    """Mean log error relative to the climatology."""
    logs = [
        np.log(
            rmse(trial.forecast(share, persistence), trial.truth, trial.weight)
            / rmse(np.zeros_like(trial.truth), trial.truth, trial.weight)
        )
        for trial in trials
    ]
    return float(np.nanmean(logs))
