"""Laws of the default judge: it is the space-time forecaster of the form that was chosen, at shared cost."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.backbones import dense_sensors
from dynst.backbones.covariance import Sensors
from dynst.backbones.dense_sensors import DenseForecaster
from dynst.backbones.spacetime import SpaceTimeForecaster
from dynst.domain import Channel, Frame, Window
from dynst.evaluation import LinearJudge, form_choice, linear_judge
from dynst.planners.anomalies import training_anomalies
from dynst.windows import design, split_by_time, window_starts
from tests.evaluation.judge_maker import WINDOW, assert_same, field_of, judge_of, judge_of_case, waves

PLANS = [np.array([3]), np.array([6, 1, 4]), np.array([1, 4, 7])]


@pytest.fixture
def few_forms(monkeypatch):
    """For laws that hold for any form: a few are quicker to choose from."""
    monkeypatch.setattr(form_choice, "_NOISES", (0.01, 0.3))
    monkeypatch.setattr(form_choice, "_PLANS", 1)


@pytest.mark.parametrize("case", [{}, {"missing": 0.2}, {"c": 2}], ids=["complete", "gaps", "channels"])
def test_a_score_is_that_of_the_space_time_forecaster_written_out(few_forms, case):
    judge = judge_of_case(n=8, **case)
    split, weight, plan = judge.split, judge.sites.weight, np.array([6, 1, 4])
    score = judge.score(plan)
    record = training_anomalies(split.train, judge.scaling, WINDOW, gaps=judge.data.gaps)
    forecaster = SpaceTimeForecaster(Sensors.of(record, plan, history=2, leads=3), judge.choice(3).form)
    test = design(split.test, WINDOW, judge.scaling, window_starts(split.test, WINDOW))
    c, b = len(judge.channels), len(test)
    known = test.inputs_observed if judge.split.test.has_missing else np.ones_like(test.inputs, bool)
    inputs = np.where(known, test.inputs, np.nan)[:, plan].reshape(b, 3, 2, c).transpose(0, 2, 1, 3)
    there = test.observed if judge.split.test.has_missing else np.ones_like(test.targets, bool)
    error = np.where(there, forecaster.forecast(inputs)[:, 1:] - test.targets, 0.0)
    total = np.einsum("bpnc,n->pc", there, weight)
    expected = np.sqrt(np.einsum("bpnc,n->pc", error**2, weight) / total)
    np.testing.assert_allclose(score.rmse / judge.scaling.std, expected, rtol=1e-4)
    assert score.notes["noise"] == judge.choice(3).form.noise


def test_one_form_is_chosen_for_all_plans_of_a_size_and_sizes_take_that_of_the_nearest():
    judge = judge_of(waves(n=30))
    one = judge.choice(5)
    for plan in (np.arange(5), np.arange(20, 25)):
        assert judge.forecaster(plan).form is one.form
    assert judge.choice(1) is judge.choice(9) is one
    assert judge.choice(12) is judge.choice(20) is not one
    assert judge.choice(25) is judge.choice(30)
    assert (one.sensors, judge.choice(20).sensors, judge.choice(30).sensors) == (5, 20, 30)
    assert [made["sensors"] for made in judge.facts()["forms"]] == [5, 20, 30]


def test_the_products_of_sites_are_kept_and_made_anew_only_for_sites_that_are_not_there(few_forms):
    judge, rng = judge_of_case(), np.random.default_rng(4)
    alone = judge_of_case()
    few, same, more = np.arange(5), np.arange(1, 4), rng.permutation(24)[:6]
    for plans in ([few, few], [same, same], [more, few, more], [few]):
        for together, plan in zip(judge.scores(plans), plans, strict=True):
            assert_same(together, alone.score(plan))
    kept = judge._products._pool
    assert set(kept.sites) == {*few, *more}
    list(judge.scores([few, same]))
    assert judge._products._pool is kept, "nothing is made anew for sites that are there"
    list(judge.scores([np.arange(10, 13), np.arange(14, 17)]))
    assert judge._products._pool is kept, "sites that serve once are not shared"


def test_where_memory_is_short_nothing_is_shared_and_the_errors_are_the_same(few_forms, monkeypatch):
    alone, short = judge_of_case(), judge_of_case()
    monkeypatch.setattr(linear_judge, "_SHARED_BYTES", 0)
    for together, plan in zip(short.scores([*PLANS, *PLANS]), [*PLANS, *PLANS], strict=True):
        assert_same(together, alone.score(plan), rtol=0)
    assert short._products._pool is None


def test_very_many_sensors_are_judged_by_the_forecaster_of_many(few_forms, monkeypatch):
    monkeypatch.setattr(dense_sensors, "MANY", 20)
    judge = judge_of(waves(n=30, noise=1.0))
    few, many = judge.score(np.arange(5)).total, judge.score(np.arange(25)).total
    assert isinstance(judge.forecaster(np.arange(5)), SpaceTimeForecaster)
    assert isinstance(judge.forecaster(np.arange(25)), DenseForecaster)
    assert judge.choice(25).misfit.shape == (4, 2)
    assert judge.choice(25) is judge.choice(30)
    assert many < few < judge.floor().total
    assert judge.ceiling().total < 1.05 * many


@pytest.mark.parametrize("missing", [0.0, 0.05], ids=["complete", "gaps"])
def test_long_histories_are_judged_in_patterns(few_forms, missing):
    judge = judge_of_case(steps=500, n=8, window=Window(24, 10), missing=missing)
    score = judge.score(np.arange(4))
    sensors = judge.forecaster(np.arange(4)).sensors
    assert sensors.filters.shape[1] <= 7 < sensors.history == 24
    assert score.total < 0.2 * judge.floor().total


def test_graphs_without_positions_are_judged_by_forms_without_distances():
    plain = field_of(waves())
    placed = judge_of(waves())
    sites = replace(plain.sites, frame=Frame.SCHEMATIC)
    judge = LinearJudge(split_by_time(replace(plain, sites=sites), WINDOW), WINDOW)
    assert judge.data.anomalies.points is None
    assert not any(form.local for form in judge.choice(5).tried)
    assert any(form.local for form in placed.choice(5).tried)
    assert judge.score(np.arange(5)).total < 0.5 * judge.floor().total


def test_a_channel_that_no_sensor_measures_is_forecast_from_the_others(few_forms):
    channels = (Channel("in", predict=False), Channel("out", observe=False))
    field = field_of(waves(c=2), channels=channels)
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    score = judge.score(np.array([1, 4]))
    assert score.rmse.shape == (3, 1)
    assert score.total < 0.3 * judge.floor().total


@pytest.mark.parametrize("missing", [0.0, 0.2], ids=["complete", "gaps"])
def test_intervals_hold_nine_of_ten_values_of_test_time(missing):
    """A field driven by noise goes on as it was, so what the folds say of error bars holds in test time."""
    rng, n = np.random.default_rng(5), 12
    fall = np.exp(-np.abs(np.subtract.outer(np.arange(n), np.arange(n))) / 4)
    values = rng.standard_normal((900, n)) @ np.linalg.cholesky(fall).T
    for step in range(1, 900):
        values[step] += 0.8 * values[step - 1]
    values[rng.random(values.shape) < missing] = np.nan
    judge, plan = judge_of(values[:, :, None]), np.arange(0, 12, 3)
    windows, choice, forecaster = judge.data.windows("test"), judge.choice(4), judge.forecaster(plan)
    forecast = forecaster.forecast(windows.readings(plan, judge.data.observed))
    truth = windows.present_and_future(np.arange(n), judge.data.predicted)
    known = np.isfinite(truth)
    held = np.abs(forecast - np.nan_to_num(truth)) <= choice.bar.half_width(forecaster.deviation())
    # some 160 windows of 5 steps: a deviation of the share of about 2 %
    assert held[known].mean() == pytest.approx(0.9, abs=0.05)
