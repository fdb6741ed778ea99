"""Laws of the linear judge: closed form, blind to the test block until the end, honest about what it cannot see."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.domain import ArraySeries, Channel, Field, GridLayout, Sites, Window
from dynst.errors import ConfigError, DataError
from dynst.evaluation import LinearJudge, linear_judge, modes
from dynst.evaluation.metrics import mse
from dynst.readers import read
from dynst.windows import design, split_by_time, split_record, window_starts

WINDOW = Window(2, 3)


def field_of(values, **options):
    n = values.shape[1]
    area = np.linspace(1, 2, n)
    sites = Sites(np.arange(float(n)) / 2, np.zeros(n), area=area)
    return Field.of(values, sites, GridLayout((1, n), np.arange(n)), **options)


def waves(steps=300, n=8, c=1, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(steps)[:, None, None]
    phase = np.arange(n)[:, None] + 2 * np.arange(c)
    return 10 + 4 * np.sin(t / 4 + phase) + noise * rng.standard_normal((steps, n, c))


def judge_of(values, window=WINDOW, **options):
    return LinearJudge(split_by_time(field_of(values), window), window, **options)


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


def test_dual_and_primal_forms_agree_near_the_switch():
    values = waves(steps=80, n=30, noise=1.0)
    judge = judge_of(values)
    m = len(judge._train.inputs)
    few, many = np.arange(m // 2), np.arange(m // 2 + 1)  # two features a site: just below, just above
    assert len(few) * 2 <= m < len(many) * 2
    for selected in (few, many):
        dual = judge._inner(selected, "test")
        basis = judge._basis
        one = linear_judge.fit_ridge_dual(
            dual.train, basis.coefficients, valid_gram=dual.valid, valid_targets=basis.valid, penalties=np.array([0.1])
        ).predict(dual.block)
        x = [modes.features(v, selected) for v in (judge._train.inputs, judge._valid.inputs, judge._test.inputs)]
        fit = linear_judge.fit_ridge(
            x[0], basis.coefficients, valid_inputs=x[1], valid_targets=basis.valid, penalties=np.array([0.1])
        )
        np.testing.assert_allclose(one, fit.predict(x[2]), rtol=1e-6, atol=1e-6 * np.abs(one).max())


def test_errors_outside_the_modes_stay_in_the_error(monkeypatch):
    values = waves(noise=2.0)
    selected = np.array([0, 3])
    full = judge_of(values).score(selected).total
    monkeypatch.setattr(modes, "_MODES", 1)
    cut = judge_of(values)
    assert len(cut._basis.fields) == 1
    # one mode of noisy waves forecasts less; were the rest of the field forgotten, the error would shrink
    assert cut.score(selected).total > full
    np.testing.assert_allclose(cut.floor().total, judge_of(values).floor().total)


def test_test_values_change_nothing_but_the_test_score():
    values = waves()
    other = values.copy()
    judge = judge_of(values)
    start = judge.split.train.steps + judge.split.valid.steps + 2 * WINDOW.embargo
    other[start:] = 1e3 * np.random.default_rng(1).standard_normal(other[start:].shape)
    changed = judge_of(other)
    selected = np.array([2, 5])
    assert changed.score(selected).notes == judge.score(selected).notes
    assert changed.score(selected, on="valid").total == judge.score(selected, on="valid").total
    assert changed.score(selected).total != judge.score(selected).total


def test_the_penalty_does_not_stand_at_the_end_of_its_grid():
    judge = judge_of(waves(noise=2.0, n=20))
    for k in (1, 5, 20):
        assert not judge.score(np.arange(k)).notes["penalty_at_grid_end"]


def test_a_score_does_not_depend_on_what_was_judged_before():
    values = waves(steps=90, n=80, noise=1.0)  # 2 features a site and about 50 windows: dual from 26 sites on
    order = np.random.default_rng(0).permutation(80)
    fresh = [judge_of(values).score(order[:k]) for k in (30, 50, 70)]
    used = judge_of(values)
    for k, expected in zip((30, 50, 70), fresh, strict=True):
        assert (used.score(order[:k]).per_window == expected.per_window).all()
    assert (used.score(order[:50]).per_window == fresh[1].per_window).all()


def test_more_sensors_at_the_right_place_lie_between_floor_and_ceiling():
    rng = np.random.default_rng(0)
    signal = np.zeros((600, 1))
    for i in range(1, 600):
        signal[i] = 0.95 * signal[i - 1] + rng.standard_normal()
    values = rng.standard_normal((600, 6, 1))
    values[:, 2] += 5 * signal
    values[:, 4] += 5 * np.roll(signal, -1, axis=0)  # knows the next step of site 2
    judge = judge_of(values, Window(1, 1))
    floor, ceiling = judge.floor().total, judge.ceiling().total
    blind, planted = judge.score(np.array([0])).total, judge.score(np.array([4])).total
    assert ceiling < 1.02 * planted
    assert planted < 0.8 * blind
    np.testing.assert_allclose(blind, floor, rtol=0.02)  # a site of white noise is worth nothing


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_persistence_and_climatology_of_an_ar1_have_their_known_errors(phi):
    rng = np.random.default_rng(1)
    steps, n = 4000, 12
    values = np.zeros((steps, n, 1))
    shocks = rng.standard_normal((steps, n, 1)) * np.sqrt(1 - phi**2)
    for i in range(1, steps):
        values[i] = phi * values[i - 1] + shocks[i]
    judge = judge_of(values, Window(2, 4))
    lead = np.arange(1, 5)
    # 12 sites x 720 test steps: sampling error of a variance about 4 % at phi 0.9
    np.testing.assert_allclose(mse(judge.persistence().sums)[:, 0], 2 * (1 - phi**lead), rtol=0.12)
    np.testing.assert_allclose(mse(judge.climatology().sums)[:, 0], 1.0, rtol=0.12)


def test_persistence_needs_no_sensor_for_what_it_forecasts():
    channels = (Channel("in", predict=False), Channel("out", observe=False))
    field = field_of(waves(c=2), channels=channels)
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    test = judge.split.test
    values = test.series.read(0, test.steps)[..., 1]
    starts = window_starts(test, WINDOW)
    error = np.stack([values[s + 2 : s + 5] - values[s + 1] for s in starts])
    weight = judge.sites.weight
    expected = np.sqrt((error**2 * weight).mean(axis=(0, 2)))
    np.testing.assert_allclose(judge.persistence().rmse[:, 0], expected, rtol=1e-5)


def test_missing_targets_do_not_count_and_missing_inputs_are_the_mean():
    values = waves(noise=0.1)
    rng = np.random.default_rng(0)
    gaps = rng.random(values.shape) < 0.2
    holed = np.where(gaps, np.nan, values)
    judge = judge_of(holed)
    score = judge.score(np.arange(8))
    assert np.isfinite(score.rmse).all()
    assert score.total < 0.5 * judge.floor().total
    field = judge.split.test
    start = judge.split.train.steps + judge.split.valid.steps + 2 * WINDOW.embargo
    counted = design(field, WINDOW, judge.scaling, window_starts(field, WINDOW)).observed
    assert (counted[0, 0, :, 0] == ~gaps[start + 2, :, 0]).all()


@pytest.mark.parametrize("gaps", ["at random", "whole years"])
def test_missing_targets_do_not_draw_the_forecast_to_the_mean(monkeypatch, gaps):
    values = waves(n=30)
    sensors = np.array([0, 3])
    rng = np.random.default_rng(0)
    share = rng.random(values.shape) if gaps == "at random" else np.repeat(rng.random((10, 30, 1)), 30, axis=0)
    holed = np.where(share < 0.5, np.nan, values)
    holed[:, sensors] = values[:, sensors]
    complete, judge = judge_of(values).score(sensors).total, judge_of(holed)
    assert judge.score(sensors).total == pytest.approx(complete, rel=0.2)
    monkeypatch.setattr(linear_judge.GapModel, "expected", lambda self, anomalies: np.zeros_like(anomalies))
    assert judge_of(holed).score(sensors).total > 1.5 * complete  # a gap reads 0: half the amplitude, were it left so


def test_with_whole_years_absent_at_half_of_the_stations_both_fillings_pay(shared_data, monkeypatch):
    """Measured dust at 70 stations; on validation time, so that the test time stays unseen."""
    field = read(str(shared_data / "germany_pm10" / "germany_pm10_daily_1998_2009.nc"))
    split, window = split_record(field, Window(4, 4)), Window(4, 4)
    plans = [np.random.default_rng(seed).permutation(70)[:20] for seed in range(2)]

    def error():
        judge = LinearJudge(split, window)
        return np.mean([judge.score(plan, on="valid").total for plan in plans]) / judge.floor(on="valid").total

    both = error()
    monkeypatch.setattr(linear_judge, "_COMPLETED", 0)
    silent_is_mean = error()
    monkeypatch.setattr(linear_judge.GapModel, "expected", lambda self, anomalies: np.zeros_like(anomalies))
    missing_is_mean = error()
    assert both < 0.995 * silent_is_mean
    assert silent_is_mean < 0.995 * missing_is_mean
    assert missing_is_mean < 0.95


def test_a_silent_sensor_is_told_by_the_other_sensors_and_not_by_the_rest_of_the_field():
    values = waves(n=12, noise=0.1)
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    other = values.copy()
    plan, rest = np.array([2, 7]), np.setdiff1d(np.arange(12), [2, 7])
    start = judge_of(values).split.train.steps + judge_of(values).split.valid.steps + 2 * WINDOW.embargo
    other[start:, rest] += 5.0  # what no sensor reports may change the errors, never the forecast
    one, two = (judge_of(v) for v in (values, other))
    assert (one._features(one._test, plan) == two._features(two._test, plan)).all()
    assert not (one._test.inputs == two._test.inputs).all()


def test_a_test_block_without_any_truth_is_an_error_and_no_score():
    values = waves(c=2)
    start = judge_of(values).split.train.steps + judge_of(values).split.valid.steps + 2 * WINDOW.embargo
    values[start:, :, 1] = np.nan
    field = field_of(values, channels=(Channel("in", predict=False), Channel("out", observe=False)))
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    assert np.isfinite(judge.score(np.array([1]), on="valid").total)
    with pytest.raises(DataError, match="holds no value of the forecast channels"):
        judge.score(np.array([1]))


def test_the_test_block_is_not_read_before_it_is_scored():
    class Sealed(ArraySeries):
        def read(self, start, stop):
            raise AssertionError("the test block was read")

        read_into = read

    judge = judge_of(waves())
    judge.split = replace(
        judge.split,
        test=replace(judge.split.test, series=Sealed(np.zeros((53, 8, 1)))),
    )
    judge.score(np.array([1]), on="valid")


def test_several_channels_keep_their_own_units():
    values = waves(c=2)
    values[..., 1] *= 1000
    judge = judge_of(values)
    score = judge.score(np.array([0, 4]))
    ratio = score.rmse[:, 1] / score.rmse[:, 0]
    assert ((ratio > 300) & (ratio < 3000)).all()
    assert score.total < 1.1


def test_a_plan_that_repeats_a_site_is_refused():
    with pytest.raises(ConfigError, match="not all different"):
        judge_of(waves()).score(np.array([1, 1]))
    with pytest.raises(ConfigError, match="of 0 sites"):
        judge_of(waves()).score(np.zeros(0, int))
