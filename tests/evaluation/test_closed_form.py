"""Laws of every closed-form judge: blind to the test block until the end, honest about what it cannot see."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.domain import ArraySeries, Channel, Window
from dynst.domain.calendar import Calendar
from dynst.errors import ConfigError, DataError
from dynst.evaluation import form_choice
from dynst.evaluation.closed_form import ClosedFormJudge, PlanForecaster
from dynst.evaluation.metrics import mse
from dynst.windows import Scaling, design, split_by_time, window_starts
from tests.evaluation.judge_maker import (
    JUDGES,
    WINDOW,
    assert_same,
    field_of,
    first_of_test,
    judge_of,
    judge_of_case,
    waves,
)

pytestmark = pytest.mark.parametrize("kind", JUDGES)


@pytest.fixture(autouse=True)
def few_forms(monkeypatch):
    """These laws hold for any form: a few are quicker to choose from."""
    monkeypatch.setattr(form_choice, "_NOISES", (0.01, 0.3))
    monkeypatch.setattr(form_choice, "_PLANS", 1)


CASES = {
    "one channel": {},
    "channels": {"c": 3},
    "runs": {"runs": 12},
    "gaps": {"missing": 0.2},
    "long windows": {"steps": 400, "window": Window(30, 20)},
}


def test_a_judge_is_a_closed_form_and_its_forecaster_is_one_of_a_plan(kind):
    judge = judge_of(waves(), judge=kind)
    assert isinstance(judge, ClosedFormJudge)
    assert isinstance(judge.fit(np.array([1])), PlanForecaster)
    assert repr(judge) == f"{type(judge).__name__}({judge.split!r}, 2 -> 3)"


def test_test_values_change_nothing_but_the_test_score(kind):
    values = waves()
    other = values.copy()
    judge = judge_of(values, judge=kind)
    start = first_of_test(judge)
    other[start:] = 1e3 * np.random.default_rng(1).standard_normal(other[start:].shape)
    changed = judge_of(other, judge=kind)
    selected = np.array([2, 5])
    assert changed.score(selected).notes == judge.score(selected).notes
    assert changed.score(selected, on="valid").total == judge.score(selected, on="valid").total
    assert changed.score(selected).total != judge.score(selected).total
    assert changed.persistence().notes == judge.persistence().notes


def test_the_test_block_is_not_read_before_it_is_scored(kind):
    class Sealed(ArraySeries):
        def read(self, start, stop):
            raise AssertionError("the test block was read")

        read_into = read

    judge = judge_of(waves(), judge=kind)
    test = judge.split.test
    sealed = replace(test, series=Sealed(np.zeros(test.series.shape)))
    judge = JUDGES[kind](replace(judge.split, test=sealed), WINDOW)
    judge.score(np.array([1]), on="valid")
    list(judge.scores([np.array([1]), np.array([2])], on="valid"))
    judge.persistence(on="valid")
    with pytest.raises(AssertionError, match="was read"):
        judge.score(np.array([1]))


def test_a_score_does_not_depend_on_what_was_judged_before(kind):
    values = waves(steps=120, n=40, noise=1.0)
    order = np.random.default_rng(0).permutation(40)
    fresh = [judge_of(values, judge=kind).score(order[:k]) for k in (3, 20, 35)]
    used = judge_of(values, judge=kind)
    for k, expected in zip((3, 20, 35), fresh, strict=True):
        assert (used.score(order[:k]).per_window == expected.per_window).all()
    assert (used.score(order[:20]).per_window == fresh[1].per_window).all()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_plans_judged_together_have_the_errors_of_plans_judged_alone(kind, case):
    """Also where each site leaves or joins in turn; whatever was shared before."""
    judge, alone = judge_of_case(kind, **case), judge_of_case(kind, **case)
    rng = np.random.default_rng(3)
    plans = [rng.permutation(24)[:k] for k in (1, 5, 5, 8)]
    network, others = plans[1], np.setdiff1d(np.arange(24), plans[1])[:3]
    for on in ("test", "valid"):
        for together, plan in zip(judge.scores(plans, on=on), plans, strict=True):
            assert_same(together, alone.score(plan, on=on))
        for place, score in enumerate(judge.without(network, on=on)):
            assert_same(score, alone.score(np.delete(network, place), on=on))
        for other, score in zip(others, judge.with_each(network, others, on=on), strict=True):
            assert_same(score, alone.score(np.append(network, other), on=on))


def test_errors_add_up_over_sensors_the_rest_and_regions(kind):
    judge = judge_of_case(kind, c=2)
    score = judge.score(np.arange(5))
    np.testing.assert_allclose(score.at_sensors.square + score.away.square, score.sums.square)
    assert score.regions
    everywhere = judge.ceiling()
    assert (everywhere.away.weight == 0).all()
    assert (everywhere.away.square == 0).all()
    runs = judge_of_case(kind, runs=12)
    assert len(np.unique(runs.score(np.arange(3)).run)) == len(runs.split.test.cases)


def test_more_sensors_at_the_right_place_lie_between_floor_and_ceiling(kind):
    rng = np.random.default_rng(0)
    signal = np.zeros((600, 1))
    for i in range(1, 600):
        signal[i] = 0.95 * signal[i - 1] + rng.standard_normal()
    values = rng.standard_normal((600, 6, 1))
    values[:, 2] += 5 * signal
    values[:, 4] += 5 * np.roll(signal, -1, axis=0)  # knows the next step of site 2
    judge = judge_of(values, Window(1, 1), kind)
    floor, ceiling = judge.floor().total, judge.ceiling().total
    blind, planted = judge.score(np.array([0])).total, judge.score(np.array([4])).total
    assert ceiling < 1.02 * planted
    assert planted < 0.8 * blind
    np.testing.assert_allclose(blind, floor, rtol=0.02)  # a site of white noise is worth nothing


@pytest.mark.parametrize("phi", [0.5, 0.9])
def test_persistence_and_climatology_of_an_ar1_have_their_known_errors(kind, phi):
    rng = np.random.default_rng(1)
    steps, n = 4000, 12
    values = np.zeros((steps, n, 1))
    shocks = rng.standard_normal((steps, n, 1)) * np.sqrt(1 - phi**2)
    for i in range(1, steps):
        values[i] = phi * values[i - 1] + shocks[i]
    judge = judge_of(values, Window(2, 4), kind)
    lead = np.arange(1, 5)
    # 12 sites x 720 test steps: sampling error of a variance about 4 % at phi 0.9
    np.testing.assert_allclose(mse(judge.persistence().sums)[:, 0], 2 * (1 - phi**lead), rtol=0.12)
    np.testing.assert_allclose(mse(judge.climatology().sums)[:, 0], 1.0, rtol=0.12)
    assert judge.floor().total == judge.climatology().total


def test_persistence_needs_no_sensor_for_what_it_forecasts(kind):
    channels = (Channel("in", predict=False), Channel("out", observe=False))
    field = field_of(waves(c=2), channels=channels)
    judge = JUDGES[kind](split_by_time(field, WINDOW), WINDOW)
    test = judge.split.test
    values = test.series.read(0, test.steps)[..., 1]
    starts = window_starts(test, WINDOW)
    error = np.stack([values[s + 2 : s + 5] - values[s + 1] for s in starts])
    weight = judge.sites.weight
    expected = np.sqrt((error**2 * weight).mean(axis=(0, 2)))
    np.testing.assert_allclose(judge.persistence().rmse[:, 0], expected, rtol=1e-5)


def season(*, stops, steps=480, n=6, cycle=12):
    """A season with noise that lasts a few steps; it may stop at the end of training time."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((steps, n, 1))
    for step in range(1, steps):
        noise[step] += 0.8 * noise[step - 1]
    wave = 4 * np.sin(2 * np.pi * np.arange(steps) / cycle)
    wave[stops:] = 0.0
    return noise + wave[:, None, None]


@pytest.mark.parametrize(("stops", "better"), [(480, "anomaly"), (300, "value")])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_persistence_is_that_of_the_value_or_of_the_anomaly_whichever_validation_time_prefers(
    kind, stops, better, missing
):
    values = season(stops=stops)
    values[np.random.default_rng(2).random(values.shape) < missing] = np.nan
    split = split_by_time(field_of(values), WINDOW)
    scaling = Scaling.fit(split.train, Calendar(("cycle",), 12))
    judge = JUDGES[kind](split, WINDOW, scaling=scaling)
    score = judge.persistence()
    assert score.notes["of"] == better
    test = split.test
    values = test.series.read(0, test.steps)[..., 0]
    usual = scaling.expected(test, 0, test.steps)[..., 0]
    square, count = np.zeros(3), np.zeros(3)
    for start in window_starts(test, WINDOW):
        for site in range(6):
            past = values[start : start + 2, site] - (usual[start : start + 2, site] if better == "anomaly" else 0)
            known = past[np.isfinite(past)]
            for lead in range(3):
                step = start + 2 + lead
                base = usual[step, site] if better == "anomaly" or not len(known) else 0.0
                error = base + (known[-1] if len(known) else 0.0) - values[step, site]
                if np.isfinite(error):
                    square[lead] += judge.sites.weight[site] * error**2
                    count[lead] += judge.sites.weight[site]
    np.testing.assert_allclose(score.rmse[:, 0], np.sqrt(square / count), rtol=1e-4)


def test_under_a_mean_both_persistences_are_one(kind):
    judge = judge_of(waves(), judge=kind)
    one, two = (judge._no_change("test", of, {}) for of in ("value", "anomaly"))
    np.testing.assert_allclose(one.rmse, two.rmse, rtol=1e-5)


def test_missing_targets_do_not_count(kind):
    values = waves(noise=0.1)
    gaps = np.random.default_rng(0).random(values.shape) < 0.2
    judge = judge_of(np.where(gaps, np.nan, values), judge=kind)
    score = judge.score(np.arange(8))
    assert np.isfinite(score.rmse).all()
    assert score.total < 0.5 * judge.floor().total
    field, start = judge.split.test, first_of_test(judge)
    counted = design(field, WINDOW, judge.scaling, window_starts(field, WINDOW)).observed
    assert (counted[0, 0, :, 0] == ~gaps[start + 2, :, 0]).all()
    np.testing.assert_allclose(score.sums.weight, np.einsum("bpnc,n->pc", counted, judge.sites.weight), rtol=1e-6)


@pytest.mark.parametrize("gaps", ["at random", "whole years"])
def test_missing_targets_do_not_draw_the_forecast_to_the_mean(kind, gaps):
    values = waves(n=30)
    sensors = np.array([0, 3])
    rng = np.random.default_rng(0)
    share = rng.random(values.shape) if gaps == "at random" else np.repeat(rng.random((10, 30, 1)), 30, axis=0)
    holed = np.where(share < 0.5, np.nan, values)
    holed[:, sensors] = values[:, sensors]
    complete = judge_of(values, judge=kind).score(sensors).total
    assert judge_of(holed, judge=kind).score(sensors).total == pytest.approx(complete, rel=0.2)


def test_a_silent_sensor_is_told_by_the_other_sensors_and_not_by_the_rest_of_the_field(kind):
    values = waves(n=12, noise=0.1)
    values[np.random.default_rng(0).random(values.shape) < 0.3] = np.nan
    other = values.copy()
    plan, rest = np.array([2, 7]), np.setdiff1d(np.arange(12), [2, 7])
    one = judge_of(values, judge=kind)
    other[first_of_test(one) :, rest] += 5.0  # what no sensor reports may change the errors, never the forecast
    two = judge_of(other, judge=kind)
    forecasts = [
        judge.fit(plan).forecast(judge.data.windows("test").readings(plan, judge.data.observed)) for judge in (one, two)
    ]
    assert (forecasts[0] == forecasts[1]).all()
    assert one.score(plan).total != two.score(plan).total


def test_a_silent_sensor_has_an_error_and_no_sensor_is_the_floor(kind):
    judge = judge_of(waves(n=12, noise=1.0), judge=kind)
    plan = np.array([2, 7, 9])
    none, one, all_of_them = judge.silenced(plan, [np.zeros(0, int), plan[:1], plan])
    assert none.total == pytest.approx(judge.score(plan).total, rel=1e-6)
    assert none.total < one.total < all_of_them.total
    assert all_of_them.total == pytest.approx(judge.floor().total, rel=1e-6)
    assert [score.notes["silent"] for score in (none, one, all_of_them)] == [0, 1, 3]


def test_a_test_block_without_any_truth_is_an_error_and_no_score(kind):
    values = waves(c=2)
    values[first_of_test(judge_of(values)) :, :, 1] = np.nan
    field = field_of(values, channels=(Channel("in", predict=False), Channel("out", observe=False)))
    judge = JUDGES[kind](split_by_time(field, WINDOW), WINDOW)
    assert np.isfinite(judge.score(np.array([1]), on="valid").total)
    with pytest.raises(DataError, match="holds no value of the forecast channels"):
        judge.score(np.array([1]))


def test_several_channels_keep_their_own_units(kind):
    values = waves(c=2)
    values[..., 1] *= 1000
    score = judge_of(values, judge=kind).score(np.array([0, 4]))
    ratio = score.rmse[:, 1] / score.rmse[:, 0]
    assert ((ratio > 300) & (ratio < 3000)).all()
    assert score.total < 1.1


def test_a_plan_that_repeats_a_site_or_has_none_is_refused(kind):
    judge = judge_of(waves(), judge=kind)
    for refused, words in (([1, 1], "not all different"), ([], "of 0 sites")):
        with pytest.raises(ConfigError, match=words):
            judge.score(np.array(refused, int))
        with pytest.raises(ConfigError, match=words):
            list(judge.scores([np.array(refused, int)]))
    with pytest.raises(ConfigError, match="of 0 sites"):
        list(judge.without(np.array([3])))
    with pytest.raises(ConfigError, match="not all different"):
        list(judge.with_each(np.array([3]), np.array([3])))


def test_windows_are_thinned_to_what_fits_into_memory(kind):
    whole, few = (judge_of(waves(steps=900), judge=kind, **options) for options in ({}, {"limit": 40}))
    assert len(few.data.windows("train")) == len(few.data.windows("valid")) == 40
    assert few.floor().total == pytest.approx(whole.floor().total, rel=0.1)
    assert few.score(np.array([1, 4])).total < 0.5 * few.floor().total
