"""Which form of the space-time covariance suits a record and a budget: rolling folds, random plans, mean log error."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.covariance import Anomalies, Sensors
from dynst.backbones.dense_sensors import Misfit
from dynst.backbones.error_bar import ErrorBar
from dynst.backbones.spacetime import Form, SpaceTimeForecaster
from dynst.domain import Field, Frame, Window
from dynst.domain.split import Split, rolling_folds, thin, window_starts
from dynst.errors import DataError
from dynst.evaluation.judge_data import ScoredWindows
from dynst.planners.anomalies import training_anomalies
from dynst.windows.gaps import GapModel
from dynst.windows.scaling import Scaling

__all__ = ["SHAPES", "Fold", "FormChoice", "choose_form", "error_bar", "folds", "rmse"]

_PLANS = 3
_TARGETS = 200  # sites whose errors are compared, at most
_WINDOWS = 100  # of a fold
_LARGE = 100  # sensors above which one plan a fold is enough
_CLEARLY = 0.005  # by which a part of the forecast must beat the mean of both, in mean log error
_NOISES, _MORE_NOISES = (1e-6, 0.01, 1.0), (1e-8, 1e-4, 0.1, 10.0)  # for all mixtures; for the best of them
_REFINED = 2
_KEPT = 6  # forms that were best under one plan of each fold, which are tried under all
_LEAST = 1e-12  # sum of squared errors that has a logarithm
SHAPES = (
    Form(memory=0.5),
    Form(memory=0.0),
    Form(memory=0.5, taper=4.0),
    Form(memory=0.5, taper=2.0),
    Form(memory=0.5, kernel=0.25, taper=4.0),
    Form(memory=0.25, kernel=0.5),
    Form(memory=0.0, kernel=0.5),
)
"""Mixtures that were best on some record and budget of the study (docs/method.md)."""


@dataclass(frozen=True, eq=False)
class FormChoice:
    """A form, how it was found, and the calibration of its error bars.

    Parameters
    ----------
    form : Form
        The form of least error over the folds.
    bar : ErrorBar
        Of this form, from the errors of the folds.
    sensors : int
        Sensors of the random plans.
    error : float
        Geometric mean over folds and plans of the RMSE relative to the climatology.
    tried : dict of Form to float
        The same for every form.
    misfit : Float[ndarray, "p two"] or None
        What plans of very many sensors carry on (`DenseForecaster`).
    """

    form: Form
    bar: ErrorBar
    sensors: int
    error: float
    tried: dict[Form, float]
    misfit: Misfit | None = None

    def facts(self) -> dict[str, object]:
        """What provenance keeps, as JSON types."""
        form = {name: _plain(value) for name, value in vars(self.form).items()}
        bar = {"scale": self.bar.scale.tolist(), "reach": self.bar.reach.tolist()}
        return {"sensors": self.sensors, "form": form, "error_to_climatology": self.error, "error_bar": bar}


@dataclass(frozen=True, eq=False)
class _Case:
    """One fold under one random plan: what every form is tried on."""

    sensors: Sensors
    readings: Float[ndarray, "b t k ci"]
    truth: Float[ndarray, "b p n co"]

    @property
    def weight(self) -> Float[ndarray, " n"]:
        return self.sensors.record.weight

    @cached_property
    def root(self) -> Float[ndarray, "b p n co"]:
        """Roots of the weights of future targets, 0 where one is missing; memory goes by lead first, as of errors."""
        known = np.isfinite(np.moveaxis(self.truth[:, 1:], 1, 0))
        return np.moveaxis((known * np.sqrt(self.weight)[:, None]).astype(self.truth.dtype), 0, 1)

    @cached_property
    def scaled(self) -> Float[ndarray, "b p n co"]:
        """The future targets times these roots."""
        return np.asarray(np.nan_to_num(self.truth[:, 1:]) * self.root)

    @cached_property
    def ridge(self) -> tuple[Float[ndarray, "b F"], Float[ndarray, "p b N"]] | None:
        """The ridge beside persistence; None where it depends on the form, which fills gaps."""
        return self.forecaster(Form()).ridge(self.readings) if np.isfinite(self.readings).all() else None

    @cached_property
    def usual(self) -> float:
        """Sum of the squared errors of the climatology."""
        return max(float(np.square(self.scaled, dtype=float).sum()), _LEAST)

    def products(self, forecasts: Sequence[Float[ndarray, "b p n co"]]) -> Float[ndarray, "f f"]:
        """Sums of the products of the errors of any two forecasts, after the present."""
        errors = np.stack([(forecast[:, 1:] * self.root - self.scaled).ravel() for forecast in forecasts])
        return np.asarray(errors @ errors.T, float)

    def forecaster(self, form: Form) -> SpaceTimeForecaster:
        return SpaceTimeForecaster(self.sensors, form)


def rmse(
    forecast: Float[ndarray, "b p n co"], truth: Float[ndarray, "b p n co"], weight: Float[ndarray, " n"]
) -> float:
    """Area-weighted RMSE over all windows, channels and leads after the present; a missing truth is NaN."""
    known = np.isfinite(truth[:, 1:])
    square = np.square(np.where(known, forecast[:, 1:] - truth[:, 1:], 0.0))
    total = float((known * weight[:, None]).sum())
    return float(np.sqrt((square * weight[:, None]).sum() / total)) if total else np.nan


def choose_form(
    split: Split,
    scaling: Scaling,
    window: Window,
    budget: int,
    *,
    seed: int = 0,
    filters: Float[ndarray, "t f"] | None = None,
    shapes: Sequence[Form] = SHAPES,
    among: Sequence[Fold] | None = None,
) -> FormChoice:
    """The form with the least error of random plans of so many sensors, on folds inside training and validation time.

    The mean of both forecasts stays unless one of them alone is better by half a per cent.

    Parameters
    ----------
    split : Split
        Its test block is not looked at.
    scaling : Scaling
        Says which calendar the climatology follows; each fold fits it anew on its own part.
    window : Window
        History and prediction.
    budget : int
        Sensors of a random plan.
    seed : int
        Of plans, targets and windows.
    filters : Float[ndarray, "t f"] or None
        Patterns in time for a long history.
    shapes : sequence of Form
        Mixtures to try, each with every noise; those with distances only where these are known.
    among : sequence of Fold or None
        The folds, if they are at hand.
    """
    known = folds(split, scaling, window, seed) if among is None else among
    cases = list(_cases(known, split.train.sites.legal, budget, seed=seed, filters=filters))
    placed = split.train.sites.frame is not Frame.SCHEMATIC
    each = len(cases) // len(known)
    first, others = cases[::each], [case for i, case in enumerate(cases) if i % each]  # of each fold one plan, the rest
    screened = _screened(first, [shape for shape in shapes if placed or not shape.local])
    tried = _over_all(screened, len(first), _tried(others, _leading(screened, _KEPT)), len(others))
    form = _best(tried)
    error = float(np.exp(tried[form]))
    return FormChoice(form, _calibrated(cases, form), len(cases[0].sensors.sites), error, screened | tried)


def _over_all(some: dict[Form, float], few: int, others: dict[Form, float], more: int) -> dict[Form, float]:
    """Means over all cases from those over two parts of them, for the forms that both have tried."""
    if not others:
        return some
    return {form: (few * some[form] + more * error) / (few + more) for form, error in others.items()}


def _screened(cases: Sequence[_Case], shapes: Sequence[Form]) -> dict[Form, float]:
    """Errors of every shape with a few noises, and of the best shapes with more of them."""
    tried = _tried(cases, [replace(shape, noise=noise) for shape, noise in product(shapes, _NOISES)])
    best = list(dict.fromkeys(replace(form, noise=0.0) for form in _leading(tried, len(tried))))[:_REFINED]
    return tried | _tried(cases, [replace(shape, noise=noise) for shape, noise in product(best, _MORE_NOISES)])


def _leading(tried: dict[Form, float], count: int) -> list[Form]:
    """The best forms, however they use the present field."""
    ranked = sorted(tried, key=lambda form: tried[form])
    return list(dict.fromkeys(replace(form, persistence=0.5, damped=True) for form in ranked))[:count]


def _tried(cases: Sequence[_Case], forms: Sequence[Form]) -> dict[Form, float]:
    """Mean log error relative to the climatology, of each form and each way to use the present field."""
    sums: dict[Form, list[float]] = {}
    for case in cases:
        for form in forms:
            for way, error in _errors(case, form):
                sums.setdefault(way, []).append(error)
    return {form: float(np.nanmean(errors)) for form, errors in sums.items()}


def _errors(case: _Case, form: Form) -> Iterator[tuple[Form, float]]:
    """Log error relative to the climatology, of all ways to use the present field, from one solution."""
    parts = case.forecaster(replace(form, persistence=0.5)).parts(case.readings, case.ridge)
    products = case.products(parts)
    for share, is_damped in ((0.0, True), (0.5, True), (1.0, True), (0.5, False), (1.0, False)):
        mix = np.array([1 - share, share * is_damped, share * (not is_damped)])
        square = max(float(mix @ products @ mix), _LEAST)
        yield replace(form, persistence=share, damped=is_damped), float(np.log(square / case.usual) / 2)


def _best(tried: dict[Form, float]) -> Form:
    """The best mean of both, unless a part alone is clearly better."""
    mean = min((form for form in tried if form.persistence == 0.5 and form.damped), key=lambda form: tried[form])
    best = min(tried, key=lambda form: tried[form])
    return best if tried[best] < tried[mean] - _CLEARLY else mean


def _calibrated(cases: Sequence[_Case], form: Form) -> ErrorBar:
    """Factors of the error bars from the errors of all folds."""
    forecasters = [case.forecaster(form) for case in cases]
    ratios = [
        (forecaster.forecast(case.readings) - case.truth) / forecaster.deviation()
        for case, forecaster in zip(cases, forecasters, strict=True)
    ]
    return error_bar(ratios, [case.weight for case in cases])


def error_bar(ratios: Sequence[Float[ndarray, "_ p n co"]], weights: Sequence[Float[ndarray, " n"]]) -> ErrorBar:
    """Factors from errors divided by their expected deviation, over several folds."""
    flat = [ratio.transpose(0, 2, 1, 3).reshape(-1, *ratio.shape[1::2]) for ratio in ratios]
    heavy = [np.tile(weight, len(ratio)) for ratio, weight in zip(ratios, weights, strict=True)]
    return ErrorBar.fit(np.concatenate(flat), np.concatenate(heavy))


def _cases(
    known: Sequence[Fold],
    legal: Int[ndarray, " m"],
    budget: int,
    *,
    seed: int,
    filters: Float[ndarray, "t f"] | None,
) -> Iterator[_Case]:
    rng = np.random.default_rng(seed)
    for fold in known:
        window, targets = fold.windows.window, fold.targets
        for plan in _random_plans(legal, budget, rng):
            used = np.union1d(plan, targets)
            record = fold.record(used)
            places = np.searchsorted(used, plan)
            sensors = Sensors.of(record, places, history=window.history, leads=window.prediction, filters=filters)
            onto = sensors.onto(np.searchsorted(used, targets))
            readings = fold.windows.readings(plan, fold.part.observed)
            yield _Case(onto, _without_gaps(onto, readings), fold.truth)


def _without_gaps(sensors: Sensors, readings: Float[ndarray, "b t k ci"]) -> Float[ndarray, "b t k ci"]:
    """Readings with gaps filled once for all forms: each would fill them a little differently, at a high price."""
    if sensors.filters.shape[1] < sensors.history or np.isfinite(readings).all():
        return readings
    inputs, _ = SpaceTimeForecaster(sensors, Form()).inputs(readings)
    return inputs.reshape(readings.shape)


@dataclass(frozen=True, eq=False)
class Fold:
    """A part of the record to fit, and windows of the part after it to score, at some of the sites."""

    part: Field
    scaling: Scaling
    windows: ScoredWindows
    targets: Int[ndarray, " s"]
    gaps: GapModel | None

    @property
    def truth(self) -> Float[ndarray, "b p s co"]:
        """The present and the future of the targets; a missing value is NaN."""
        return self.windows.present_and_future(self.targets, self.part.predicted)

    def record(self, sites: Int[ndarray, " k"] | None = None) -> Anomalies:
        """Anomalies of the part to fit."""
        return training_anomalies(self.part, self.scaling, self.windows.window, sites=sites, gaps=self.gaps)


def folds(split: Split, scaling: Scaling, window: Window, seed: int) -> list[Fold]:
    """The rolling folds that hold windows; each fits its own climatology, of the kind of `scaling`.

    Training time scored on validation time where a record is too short for others.

    Raises
    ------
    DataError
        If validation time holds no value either.
    """
    n = len(split.train.sites)
    targets = np.sort(np.random.default_rng(seed).choice(n, min(n, _TARGETS), replace=False))
    rolling = _usable(rolling_folds(split), scaling, window, targets, seed=seed)
    if rolling:
        return rolling
    found = _usable([(split.train, split.valid)], scaling, window, targets, seed=seed)
    if not found:
        raise DataError("validation time holds no value to compare forms of the forecaster on. Give a longer record.")
    return found


def _usable(
    pairs: Iterable[tuple[Field, Field]],
    scaling: Scaling,
    window: Window,
    targets: Int[ndarray, " s"],
    *,
    seed: int,
) -> list[Fold]:
    made = [_fold(part, score, scaling, window, targets, seed=seed) for part, score in pairs]
    return [fold for fold in made if fold is not None]


def _fold(
    part: Field, score: Field, scaling: Scaling, window: Window, targets: Int[ndarray, " s"], *, seed: int
) -> Fold | None:
    """A fold; None where a part holds no window or no value to compare."""
    starts = thin(window_starts(score, window), _WINDOWS, seed=seed)
    if not len(starts) or not len(window_starts(part, window)):
        return None
    try:
        own = scaling.refitted(part)
    except DataError:  # a channel is silent or still for so long
        return None
    gaps = GapModel.fit(part, own, seed=seed) if part.has_missing else None
    fold = Fold(part, own, ScoredWindows.read(score, own, window, starts), targets, gaps)
    return fold if np.isfinite(fold.truth[:, 1:]).any() else None


def _random_plans(legal: Int[ndarray, " m"], budget: int, rng: np.random.Generator) -> Iterator[Int[ndarray, " k"]]:
    """Three random plans; one where plans are large, as they then differ little."""
    count = _PLANS if budget <= _LARGE else 1
    for _ in range(count):
        yield np.sort(rng.choice(legal, min(budget, len(legal)), replace=False))


def _plain(value: float | bool) -> float | bool | None:
    return value if np.isfinite(value) else None
