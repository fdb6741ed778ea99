"""The form of the space-time covariance for plans of very many sensors, and what they carry on of a misfit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.covariance import Anomalies
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


@dataclass(frozen=True, eq=False)
class _Trial:
    """One form on one fold: its forecast, and the misfit that it could carry to each target."""

    nearest: Nearest
    fields: Float[ndarray, "b p s co"]
    misfit: Float[ndarray, "b k co"]
    truth: Float[ndarray, "b p s co"]
    weight: Float[ndarray, " s"]

    @property
    def at_targets(self) -> Float[ndarray, "b s co"]:
        """The misfit that each target could take over."""
        return at_targets(self.misfit, self.nearest)

    def forecast(self, share: Misfit, persistence: float) -> Float[ndarray, "b p s co"]:
        """With such shares of the misfit and so much of the present field."""
        fields = carried(self.fields, self.misfit, self.nearest, share)
        return persisting(fields, persistence)


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
    trials: dict[Form, list[_Trial]] = {form: [] for form in forms}
    plan = np.sort(rng.choice(legal, min(budget, len(legal)), replace=False))
    known = folds(split, scaling, window, seed) if among is None else among
    for fold in known:
        record = fold.record()
        for form in forms:
            trials[form].append(_trial(fold, _forecaster(fold, record, plan, form), plan))
    shares = {form: _shares(trials[form]) for form in forms}
    tried = {
        replace(form, persistence=weight): _error(trials[form], shares[form], weight)
        for form, weight in product(forms, _PERSISTENCE)
    }
    best = min(tried, key=lambda form: tried[form])
    hybrid = replace(best, persistence=0.0)
    share, made = shares[hybrid], trials[hybrid]
    ratios = [
        (trial.forecast(share, best.persistence) - trial.truth)
        / _forecaster(fold, fold.record(), plan, hybrid).deviation()
        for fold, trial in zip(known, made, strict=True)
    ]
    bar = error_bar(ratios, [trial.weight for trial in made])
    return FormChoice(best, bar, len(plan), float(np.exp(tried[best])), tried, share)


def _forecaster(fold: Fold, record: Anomalies, plan: Int[ndarray, " k"], form: Form) -> DenseForecaster:
    window = fold.windows.window
    return DenseForecaster(record, plan, form, history=window.history, leads=window.prediction, targets=fold.targets)


def _trial(fold: Fold, forecaster: DenseForecaster, plan: Int[ndarray, " k"]) -> _Trial:
    readings = fold.windows.readings(plan, fold.part.observed)
    return _Trial(
        forecaster.nearest,
        forecaster.interpolated(readings),
        forecaster.misfits(readings),
        fold.truth,
        fold.part.sites.weight[fold.targets],
    )


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
