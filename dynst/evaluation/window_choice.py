"""History and horizon where nobody gives them: lead times at which sensors still win something over the climatology."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.backbones.covariance import Sensors
from dynst.backbones.dense_sensors import DenseForecaster, are_many
from dynst.backbones.spacetime import Form, SpaceTimeForecaster
from dynst.domain import Frame, Window
from dynst.domain.split import Split
from dynst.evaluation.form_choice import folds
from dynst.windows.scaling import Scaling

__all__ = ["WindowChoice", "choose_window"]

_WORTH = 0.10  # mean share of the climatology's error that sensors must win over the lead times of a horizon
_ALIKE = 0.005  # mean log error that a longer history must win
_HISTORIES = (2, 4)
_LOCAL = Form(memory=0.25, kernel=0.5)  # near the best on every record of the study that has positions
_LOOSE = Form()


@dataclass(frozen=True)
class WindowChoice:
    """A window, and what sensors win at each lead time.

    Parameters
    ----------
    window : Window
        History and prediction.
    gain : tuple of float
        Share of the climatology's error that a sensor at every site wins at each lead time, from 1 step on.
    """

    window: Window
    gain: tuple[float, ...]

    def facts(self) -> dict[str, object]:
        """The same as JSON types."""
        return {"gain_by_lead": list(self.gain)}


def choose_window(split: Split, scaling: Scaling, window: Window, *, seed: int = 0) -> WindowChoice:
    """The longest horizon of at most `window` over whose lead times sensors win a tenth of the climatology's error.

    With a sensor at every site, on the folds of the choice of forms, by a fixed form of the covariance. At least one
    step. Then the shortest history that forecasts so far as well as the longer ones.

    Parameters
    ----------
    split : Split
        Its test block is not looked at.
    scaling : Scaling
        What anomalies are taken from.
    window : Window
        The longest history and horizon that suit the record.
    seed : int
        Of the thinning of windows and targets.
    """
    gain = 1.0 - np.exp(_log_errors(split, scaling, window, seed))
    mean = np.cumsum(gain) / np.arange(1, len(gain) + 1)
    worth = np.flatnonzero(mean >= _WORTH)
    horizon = int(worth[-1]) + 1 if len(worth) else 1
    chosen = window
    if horizon < window.prediction:
        histories = sorted({*(steps for steps in _HISTORIES if steps < window.history), window.history})
        chosen = _shortest(split, scaling, [replace(window, history=t, prediction=horizon) for t in histories], seed)
    return WindowChoice(chosen, tuple(gain.tolist()))


def _shortest(split: Split, scaling: Scaling, windows: list[Window], seed: int) -> Window:
    """The first of windows of rising history whose error is close to the least."""
    errors = [float(_log_errors(split, scaling, window, seed).mean()) for window in windows]
    return next(window for window, error in zip(windows, errors, strict=True) if error <= min(errors) + _ALIKE)


def _log_errors(split: Split, scaling: Scaling, window: Window, seed: int) -> Float[ndarray, " p"]:
    """Mean log of the error at each lead time relative to the climatology's."""
    return np.asarray(np.nanmean(list(_fold_errors(split, scaling, window, seed)), axis=0))


def _fold_errors(split: Split, scaling: Scaling, window: Window, seed: int) -> Iterator[Float[ndarray, " p"]]:
    train = split.train
    every = np.arange(len(train.sites))
    history, leads = window.history, window.prediction
    form = _LOOSE if train.sites.frame is Frame.SCHEMATIC else _LOCAL
    for fold in folds(split, scaling, window, seed):
        record, readings = fold.record(), fold.windows.readings(every, train.observed)
        if are_many(len(every), len(train.observed), window.history):
            dense = DenseForecaster(record, every, form, history=history, leads=leads, targets=fold.targets)
            forecast = dense.forecast(readings)
        else:
            sensors = Sensors.of(record, every, history=history, leads=leads).onto(fold.targets)
            forecast = SpaceTimeForecaster(sensors, form).forecast(readings)
        weight = train.sites.weight[fold.targets][:, None]
        yield np.log(_by_lead(forecast - fold.truth, weight) / _by_lead(fold.truth, weight))[1:]


def _by_lead(values: Float[ndarray, "b p s co"], weight: Float[ndarray, "s one"]) -> Float[ndarray, " p"]:
    """Root mean square at each lead; a missing value does not count."""
    known = np.isfinite(values)
    total = np.maximum((known * weight).sum(axis=(0, 2, 3)), 1e-9)
    square: ndarray = (np.square(np.where(known, values, 0.0)) * weight).sum(axis=(0, 2, 3))
    return np.asarray(np.sqrt(np.maximum(square / total, 1e-12)))
