"""Laws of the ridge judge: ridge regression written out, on modes whose rest stays in the error, with filled gaps."""

import numpy as np
import pytest

from dynst.domain import Window
from dynst.evaluation import RidgeJudge, modes, ridge_judge
from dynst.readers import read
from dynst.windows import design, split_record, window_starts
from tests.evaluation.judge_maker import WINDOW, waves
from tests.evaluation.judge_maker import judge_of as judge_of_kind


def judge_of(values, window=WINDOW, **options):
    return judge_of_kind(values, window, "ridge", **options)


@pytest.mark.parametrize("selected", [[3], [6, 1, 4]])
def test_a_score_is_that_of_ridge_regression_written_out(selected):
    judge = judge_of(waves(steps=200))
    score = judge.score(np.array(selected))
    split, weight = judge.split, judge.sites.weight
    train, test = (
        design(block, WINDOW, judge.scaling, window_starts(block, WINDOW)) for block in (split.train, split.test)
    )
    x, xt = (d.inputs[:, selected].reshape(len(d), -1).astype(float) for d in (train, test))
    y, yt = (d.targets.reshape(len(d), -1).astype(float) for d in (train, test))
    penalty = score.notes["penalty"]
    solved = np.linalg.solve(x.T @ x / len(x) + penalty * np.eye(x.shape[1]), x.T @ y / len(x))
    error = (xt @ solved - yt).reshape(len(test), 3, 8, 1)
    expected = np.sqrt(np.einsum("bpnc,n->pc", error**2, weight) / (len(test) * weight.sum()))
    # the judge forecasts all modes but a millionth of the energy, in float32
    np.testing.assert_allclose(score.rmse / judge.scaling.std, expected, rtol=2e-3)


def test_more_features_than_windows_are_solved_like_few():
    """Two features a site: just below and just above the number of windows, the same regression written out."""
    judge = judge_of(waves(steps=80, n=30, noise=1.0))
    m = len(judge.data.windows("train"))
    few, many = np.arange(m // 2), np.arange(m // 2 + 1)
    assert len(few) * 2 <= m < len(many) * 2
    for selected in (few, many):
        fit = judge.fit(selected)
        readings = [judge.data.windows(on).readings(selected, judge.data.observed) for on in ("train", "test")]
        x, xt = (judge.features(each, selected).astype(float) for each in readings)
        penalty = fit.notes["penalty"]
        solved = np.linalg.solve(x.T @ x / m + penalty * np.eye(x.shape[1]), x.T @ judge.basis.coefficients / m)
        expected = (xt @ solved @ judge.basis.fields).reshape(-1, 3, 30, 1)
        np.testing.assert_allclose(fit.forecast(readings[1]), expected, atol=1e-4 * np.abs(expected).max())


def test_errors_outside_the_modes_stay_in_the_error(monkeypatch):
    values = waves(noise=2.0)
    selected = np.array([0, 3])
    full = judge_of(values).score(selected).total
    monkeypatch.setattr(modes, "_MODES", 1)
    cut = judge_of(values)
    assert len(cut.basis.fields) == 1
    # one mode of noisy waves forecasts less; were the rest of the field forgotten, the error would shrink
    assert cut.score(selected).total > full
    np.testing.assert_allclose(cut.floor().total, judge_of(values).floor().total)


def test_the_penalty_does_not_stand_at_the_end_of_its_grid():
    judge = judge_of(waves(noise=2.0, n=20))
    for k in (1, 5, 20):
        assert not judge.score(np.arange(k)).notes["penalty_at_grid_end"]


@pytest.mark.parametrize("gaps", ["at random", "whole years"])
def test_missing_targets_left_at_zero_would_draw_the_forecast_to_the_mean(monkeypatch, gaps):
    values = waves(n=30)
    sensors = np.array([0, 3])
    rng = np.random.default_rng(0)
    share = rng.random(values.shape) if gaps == "at random" else np.repeat(rng.random((10, 30, 1)), 30, axis=0)
    holed = np.where(share < 0.5, np.nan, values)
    holed[:, sensors] = values[:, sensors]
    complete, filled = judge_of(values).score(sensors).total, judge_of(holed).score(sensors).total
    assert filled == pytest.approx(complete, rel=0.2)
    monkeypatch.setattr(ridge_judge.GapModel, "expected", lambda self, anomalies: np.zeros_like(anomalies))
    assert judge_of(holed).score(sensors).total > 1.5 * complete  # a gap reads 0: half the amplitude, were it left so


def test_with_whole_years_absent_at_half_of_the_stations_both_fillings_pay(shared_data, monkeypatch):
    """Measured dust at 70 stations; on validation time, so that the test time stays unseen."""
    field = read(str(shared_data / "germany_pm10" / "germany_pm10_daily_1998_2009.nc"))
    split, window = split_record(field, Window(4, 4)), Window(4, 4)
    plans = [np.random.default_rng(seed).permutation(70)[:20] for seed in range(2)]

    def error():
        judge = RidgeJudge(split, window)
        return np.mean([judge.score(plan, on="valid").total for plan in plans]) / judge.floor(on="valid").total

    both = error()
    monkeypatch.setattr(ridge_judge.GapModel, "completed", lambda self, values, known, selected, channels: values)
    silent_is_mean = error()
    monkeypatch.setattr(ridge_judge.GapModel, "expected", lambda self, anomalies: np.zeros_like(anomalies))
    missing_is_mean = error()
    assert both < 0.995 * silent_is_mean
    assert silent_is_mean < 0.995 * missing_is_mean
    assert missing_is_mean < 0.95


def test_a_silent_sensor_reads_what_the_other_sensors_of_the_plan_tell():
    values = waves(n=12, noise=0.1)
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    other = values.copy()
    plan, rest = np.array([2, 7]), np.setdiff1d(np.arange(12), [2, 7])
    one = judge_of(values)
    start = one.split.train.steps + one.split.valid.steps + 2 * WINDOW.embargo
    other[start:, rest] += 5.0
    two = judge_of(other)
    readings = [judge.data.windows("test").readings(plan, judge.data.observed) for judge in (one, two)]
    np.testing.assert_array_equal(readings[0], readings[1])
    assert np.isnan(readings[0]).any()
    features = [judge.features(each, plan) for judge, each in zip((one, two), readings, strict=True)]
    assert (features[0] == features[1]).all()
    gone = np.isnan(readings[0]).reshape(features[0].shape)
    assert (features[0][gone] != 0).any()
    assert not (one.data.windows("test").values == two.data.windows("test").values).all()
