"""Laws of the refit: fresh, fair, and blind to what carries no sensor."""

import numpy as np
import pytest

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.errors import ConfigError
from dynst.evaluation import LinearJudge
from dynst.evaluation.refit import refit
from dynst.windows import Scaling, split_by_time

WINDOW = Window(2, 2)
SMALL = {"dim": 8, "depth": 2, "batch": 8}


def waves(steps=160, rows=4, columns=5, missing=0.0):
    rng = np.random.default_rng(0)
    n = rows * columns
    values = np.sin(np.arange(steps)[:, None, None] / 4 + 0.3 * np.arange(n)[:, None]) + 0.1 * rng.standard_normal(
        (steps, n, 1)
    )
    values[rng.random(values.shape) < missing] = np.nan
    return Field.of(values, Sites(np.arange(float(n)) / 2, np.zeros(n)), GridLayout((rows, columns), np.arange(n)))


def parts(field):
    split = split_by_time(field, WINDOW)
    return split, WINDOW, Scaling.fit(split.train)


def test_the_same_plan_and_seed_give_the_same_score_bit_for_bit():
    selected = np.array([3, 12])
    one, two, other = (refit(*parts(waves()), selected, steps=12, seed=seed, **SMALL) for seed in (0, 0, 1))
    assert (one.per_window == two.per_window).all()
    assert one.total != other.total


def test_a_refit_learns_to_forecast_and_needs_its_sensors():
    split, window, scaling = parts(waves(steps=240))
    score = refit(split, window, scaling, np.array([2, 9, 17]), steps=100, dim=16, depth=1, patch=1)
    assert score.total < 0.8 * LinearJudge(split, window).floor().total
    assert score.notes["valid_error"] > 0


def test_what_no_sensor_sees_changes_no_forecast():
    field = waves()
    split, window, scaling = parts(field)
    values = field.series.read(0, field.steps)
    start = split.train.steps + split.valid.steps + 2 * window.embargo
    unseen = np.ones(20, bool)
    unseen[[3, 12]] = False
    values[start:, unseen] += 1000.0  # only the truth there moves, not the forecast
    moved = split_by_time(Field.of(values, field.sites, field.layout), window)
    one, two = (refit(s, window, scaling, np.array([3, 12]), steps=6, **SMALL) for s in (split, moved))
    assert (one.at_sensors.square == two.at_sensors.square).all()
    assert two.away.square.sum() > 100 * one.away.square.sum()


def test_missing_values_leave_every_figure_finite():
    score = refit(*parts(waves(missing=0.2)), np.array([3, 12]), steps=6, **SMALL)
    assert np.isfinite(score.rmse).all()
    assert np.isfinite(score.per_window).all()


def test_no_sensor_is_the_floor_and_an_unknown_backbone_is_named():
    assert np.isfinite(refit(*parts(waves()), np.zeros(0, int), steps=4, **SMALL).total)
    with pytest.raises(ConfigError, match="stlite"):
        refit(*parts(waves()), np.array([1]), backbone="stlite")
