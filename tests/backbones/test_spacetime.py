"""Laws of the space-time forecaster: it is the conditional Gaussian of its covariance, whatever is missing."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from dynst.backbones.covariance import Anomalies, Lagged, Sensors, history_inputs
from dynst.backbones.error_bar import ErrorBar
from dynst.backbones.spacetime import Form, SpaceTimeForecaster
from dynst.errors import DataError
from dynst.evaluation.form_choice import SHAPES
from tests.reference import spacetime_dense as dense

HISTORY, LEADS = 3, 2
SIZE = {"history": HISTORY, "leads": LEADS}
PLAN = np.array([4, 1, 2])
CASES = {
    "one channel": {"c": 1},
    "two channels": {},
    "observe one, predict the other": {"observed": (0,), "predicted": (1,)},
    "observe one, predict both": {"observed": (1,)},
    "on a sphere": {"sphere": True},
    "experiments": {"stretches": 4},
    "gaps in the record": {"missing": 0.3},
    "patterns in time": {"filters": 2},
}


def record_of(*, steps=60, n=5, c=2, seed=0, stretches=1, sphere=False, missing=0.0, **channels):
    """Correlated anomalies in float64 at random places, with unequal areas."""
    rng = np.random.default_rng(seed)
    drive = rng.standard_normal((steps, n * c))
    for step in range(1, steps):
        drive[step] += 0.7 * drive[step - 1]
    values = (drive @ (np.eye(n * c) + 0.4 * rng.standard_normal((n * c, n * c)))).reshape(steps, n, c)
    known = rng.random(values.shape) >= missing
    values = np.where(known, values, 0.0) / np.sqrt(known.mean(axis=0))  # as `training_anomalies` does
    points = rng.standard_normal((n, 3 if sphere else 2))
    if sphere:
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    stretch = np.arange(steps) * stretches // steps
    every = tuple(range(c))
    observed, predicted = (np.array(channels.get(name, every)) for name in ("observed", "predicted"))
    return Anomalies(values, stretch, observed, predicted, rng.uniform(0.5, 2, n), points)


def readings_of(record, *, windows=4, missing=0.0, seed=1, history=HISTORY):
    rng = np.random.default_rng(seed)
    readings = rng.standard_normal((windows, history, len(PLAN), len(record.observed)))
    readings[rng.random(readings.shape) < missing] = np.nan
    return readings


@cache
def both(name, form):
    """The forecaster, and the same from its definition."""
    case = dict(CASES[name])
    filters = case.pop("filters", None)
    if filters is not None:
        filters = np.linalg.qr(np.random.default_rng(3).standard_normal((HISTORY, filters)))[0]
    record = record_of(**case)
    forecaster = SpaceTimeForecaster(Sensors.of(record, PLAN, **SIZE, filters=filters), form)
    return forecaster, dense.Reference(record, PLAN, form, **SIZE, filters=filters)


def assert_close(found, expected, tolerance=1e-8):
    expected = np.reshape(expected, found.shape)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


FORMS = {
    "the default": Form(),
    "the hybrid alone": Form(persistence=0.0),
    "damped persistence alone": Form(persistence=1.0, noise=0.01),
    "persistence as it is": Form(persistence=0.5, damped=False),
    "a kernel and a taper": Form(memory=0.4, kernel=0.25, taper=2.0, noise=0.3),
    "a kernel alone": Form(memory=0.0, kernel=1.0),
    "little noise": Form(memory=0.0, noise=1e-5),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("case", CASES)
def test_a_forecast_is_the_conditional_mean_of_its_definition(case, form):
    forecaster, reference = both(case, form)
    for silent in (0.0, 0.3):
        readings = readings_of(forecaster.sensors.record, missing=silent)
        found = forecaster.forecast(readings)
        assert_close(found, np.stack([reference.forecast(window) for window in readings]))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("case", CASES)
def test_a_deviation_is_that_of_the_conditional_gaussian(case, form):
    forecaster, reference = both(case, form)
    for share in (0.0, 0.4):
        missing = np.isnan(readings_of(forecaster.sensors.record, missing=share)[0])
        assert_close(forecaster.deviation(missing), reference.deviation(missing))
    assert_close(forecaster.deviation(), reference.deviation(np.zeros_like(missing)))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_single_precision_changes_forecasts_by_its_rounding_only(form):
    record = record_of()
    single = replace(record, values=record.values.astype(np.float32))
    readings = readings_of(record, missing=0.2)
    one, two = (
        SpaceTimeForecaster(Sensors.of(each, PLAN, **SIZE), form).forecast(readings) for each in (record, single)
    )
    assert two.dtype == np.float32
    # 1e-7 of products, times the condition of the system: up to 1e4 where noise is least
    assert_close(two, one, 1e-5 if form.noise >= 0.01 else 1e-3)


@pytest.mark.parametrize("sphere", [False, True], ids=["plane", "sphere"])
@pytest.mark.parametrize("c", [1, 2])
@pytest.mark.parametrize("shape", [*SHAPES, Form(memory=0.3, kernel=0.7, taper=0.5)], ids=str)
def test_the_covariance_of_every_form_is_positive_semidefinite(shape, c, sphere):
    """Readings of all sites, and targets at all leads, together: twelve steps of training time tell only twelve."""
    for stretches, missing in ((1, 0.0), (3, 0.4)):
        record = record_of(steps=24, n=9, c=c, sphere=sphere, stretches=stretches, missing=missing)
        form, every = replace(shape, noise=0.0), np.arange(9)
        reference = dense.Reference(record, every, form, **SIZE)
        scale = np.diagonal(reference.joint).max()
        assert np.linalg.eigvalsh(reference.joint)[0] >= -1e-10 * scale
        # and it is this covariance that the forecaster has
        forecaster = SpaceTimeForecaster(Sensors.of(record, every, **SIZE), replace(shape, noise=1e-6, persistence=0.0))
        noise = 1e-6 * np.diag(np.tile(reference.noise, HISTORY))
        assert_close(forecaster.system - noise, reference.own)
        for lead, cross in enumerate(reference.cross):
            assert_close(forecaster._cross(lead), cross)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_relabelled_sites_have_the_same_forecasts(form):
    record, readings = record_of(n=12), readings_of(record_of())
    order = np.random.default_rng(5).permutation(12)
    place = np.argsort(order)
    points, weight = record.points[order], record.weight[order]
    moved = replace(record, values=record.values[:, order], points=points, weight=weight)
    one = SpaceTimeForecaster(Sensors.of(record, PLAN, **SIZE), form)
    two = SpaceTimeForecaster(Sensors.of(moved, place[PLAN], **SIZE), form)
    assert_close(two.forecast(readings), one.forecast(readings)[:, :, order])
    assert_close(two.deviation(), one.deviation()[:, order])


@pytest.mark.parametrize("seed", [1, 7, 12])
def test_relabelled_sites_of_a_grid_have_the_same_length_of_correlation(seed):
    """Many pairs of a grid are equally far: bins of distance must not depend on which of them comes first."""
    rng = np.random.default_rng(seed)
    east, north = np.meshgrid(np.arange(6.0), np.arange(5.0))
    points = np.stack([east.ravel(), north.ravel()], axis=1)
    fall = np.exp(-np.linalg.norm(points[:, None] - points, axis=2) / 2)
    values = rng.standard_normal((80, 30)) @ np.linalg.cholesky(fall).T
    order, both = rng.permutation(30), np.array([0])
    lengths = [
        Anomalies(values[:, some, None], np.zeros(80, int), both, both, np.ones(30), points[some]).length
        for some in (np.arange(30), order)
    ]
    assert lengths[0] == pytest.approx(lengths[1], rel=1e-9)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_sensor_without_readings_is_a_plan_without_that_sensor(form):
    """For the hybrid, and for the present field of which persistence starts."""
    record = record_of()
    readings = readings_of(record)
    readings[:, :, 1] = np.nan
    whole, fewer = (Sensors.of(record, plan, **SIZE) for plan in (PLAN, PLAN[[0, 2]]))
    hybrid = replace(form, persistence=0.0)
    one = SpaceTimeForecaster(whole, hybrid).forecast(readings)
    two = SpaceTimeForecaster(fewer, hybrid).forecast(readings[:, :, [0, 2]])
    assert_close(one, two)
    silent = np.isnan(readings[0])
    expected = SpaceTimeForecaster(fewer, hybrid).deviation()
    assert_close(SpaceTimeForecaster(whole, hybrid).deviation(silent), expected)
    unchanged = replace(form, persistence=1.0, damped=False)
    one = SpaceTimeForecaster(whole, unchanged).forecast(readings)
    two = SpaceTimeForecaster(fewer, unchanged).forecast(readings[:, :, [0, 2]])
    assert_close(one, two)


def test_patterns_of_gaps_side_by_side_are_those_patterns_alone():
    record = record_of()
    forecaster = SpaceTimeForecaster(Sensors.of(record, PLAN, **SIZE), Form())
    readings = readings_of(record, windows=20, missing=0.5)
    readings[3:6] = np.where(np.isnan(readings[2]), np.nan, readings[3:6])  # four windows share one pattern
    assert len(np.unique(np.isnan(readings).reshape(20, -1), axis=0)) > 10
    alone = np.concatenate([forecaster.forecast(window[None]) for window in readings])
    assert_close(forecaster.forecast(readings), alone, 1e-12)


def test_who_hears_nothing_forecasts_the_climatology():
    record = record_of()
    nothing = np.full((1, HISTORY, len(PLAN), 2), np.nan)
    for form in FORMS.values():
        forecaster = SpaceTimeForecaster(Sensors.of(record, PLAN, **SIZE), form)
        assert not forecaster.forecast(nothing).any()
        deviation = np.sqrt(record.variance).reshape(1, 5, 2)
        assert_close(forecaster.deviation(np.isnan(nothing[0])), np.repeat(deviation, LEADS + 1, axis=0))


def test_no_lag_runs_from_one_stretch_to_the_next():
    """Experiments in another order are the same record; as one long record they are not."""
    record, readings = record_of(stretches=4), readings_of(record_of())
    values = record.values.reshape(4, 15, 5, 2)[[2, 0, 3, 1]].reshape(60, 5, 2)
    shuffled = replace(record, values=values)
    joined = replace(record, stretch=np.zeros(60, int))
    one, two, three = (
        SpaceTimeForecaster(Sensors.of(each, PLAN, **SIZE), Form()).forecast(readings)
        for each in (record, shuffled, joined)
    )
    assert_close(two, one)
    assert np.abs(three - one).max() > 1e-3 * np.abs(one).max()
    assert {int(s) % 15 for s in record.windows(HISTORY + LEADS)} == set(range(15 - HISTORY - LEADS + 1))
    with pytest.raises(DataError, match="no window of 16 steps"):
        record.windows(16)


def test_a_part_of_the_sensors_has_the_products_of_its_own():
    record = record_of(n=8)
    filters = np.linalg.qr(np.random.default_rng(3).standard_normal((HISTORY, 2)))[0]
    for patterns in (None, filters):
        pool = Sensors.of(record, np.arange(1, 8), **SIZE, filters=patterns)
        part, own = pool.part(PLAN - 1), Sensors.of(record, PLAN, **SIZE, filters=patterns)
        assert (part.sites == own.sites).all()
        for name in ("out", "own", "now_out", "now_own", "variance"):
            assert_close(getattr(part, name), getattr(own, name), 1e-12)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_some_of_the_sites_as_targets_have_the_forecasts_of_all(form):
    """Half of the sensors stand at no target. The weights of damped persistence are pooled over what is left."""
    record, readings = record_of(n=8), readings_of(record_of(), missing=0.2)
    targets = np.array([0, 2, 4, 7])
    whole = Sensors.of(record, PLAN, **SIZE)
    form = replace(form, persistence=0.5 if form.damped is False else 0.0)
    one = SpaceTimeForecaster(whole, form).forecast(readings)[:, :, targets]
    some = whole.onto(targets)
    assert_close(SpaceTimeForecaster(some, form).forecast(readings), one)
    assert_close(SpaceTimeForecaster(some, form).deviation(), SpaceTimeForecaster(whole, form).deviation()[:, targets])


def test_without_positions_forms_without_distances_work_and_others_are_refused_in_words():
    record = replace(record_of(), points=None)
    sensors, readings = Sensors.of(record, PLAN, **SIZE), readings_of(record)
    reference = dense.Reference(record, PLAN, Form(), **SIZE)
    found = SpaceTimeForecaster(sensors, Form()).forecast(readings)
    assert_close(found, np.stack([reference.forecast(window) for window in readings]))
    for form in (Form(kernel=0.2), Form(taper=2.0)):
        with pytest.raises(DataError, match="without positions"):
            SpaceTimeForecaster(sensors, form)


@pytest.mark.parametrize("sensors", [1, 5], ids=["one sensor", "a sensor everywhere"])
def test_one_sensor_and_a_sensor_everywhere(sensors):
    record, plan = record_of(), np.arange(5)[:sensors]
    forecaster = SpaceTimeForecaster(Sensors.of(record, plan, **SIZE), Form())
    reference = dense.Reference(record, plan, Form(), **SIZE)
    readings = np.random.default_rng(2).standard_normal((4, HISTORY, sensors, 2))
    assert_close(forecaster.forecast(readings), np.stack([reference.forecast(window) for window in readings]))


def test_a_series_that_is_constant_breaks_nothing():
    record = record_of()
    record.values[:, 1] = 0.0
    forecaster = SpaceTimeForecaster(Sensors.of(record, PLAN, **SIZE), Form(noise=1e-5))
    assert np.isfinite(forecaster.forecast(readings_of(record))).all()
    assert np.isfinite(forecaster.deviation()).all()


def test_intervals_of_gaussian_noise_hold_nine_of_ten_values_and_scale_with_it():
    rng = np.random.default_rng(0)
    expected = rng.uniform(0.5, 2, (1, 4, 1))
    noise = 1.7 * expected * rng.standard_normal((4000, 2, 4, 1))
    noise[rng.random(noise.shape) < 0.1] = np.nan  # a missing truth counts in nothing
    ratio = (noise / expected).transpose(0, 2, 1, 3).reshape(-1, 2, 1)
    bar = ErrorBar.fit(ratio[:8000], np.ones(8000))
    # 8000 values: 0.8 % of a deviation, 0.3 % of a coverage of 90 %
    np.testing.assert_allclose(bar.scale, 1.7, rtol=0.03)
    wide = np.broadcast_to(expected, (2, 4, 1))
    fresh = 1.7 * wide * rng.standard_normal((4000, 2, 4, 1))
    held = np.abs(fresh) <= bar.half_width(wide)
    np.testing.assert_allclose(held.mean(axis=(0, 2, 3)), 0.9, atol=0.015)


def test_intervals_hold_nine_of_ten_values_of_other_shapes_too():
    rng = np.random.default_rng(1)
    fat = rng.standard_t(3, (20_000, 1, 1))
    bar = ErrorBar.fit(fat, rng.uniform(0.5, 1.5, 20_000))
    fresh = rng.standard_t(3, 20_000)
    one = np.ones((1, 1, 1))
    assert np.mean(np.abs(fresh) <= bar.half_width(one)) == pytest.approx(0.9, abs=0.015)


def test_factors_are_weighted_by_area_and_stay_at_one_where_no_truth_is_known():
    ratio = np.concatenate([np.full((10, 1, 1), 3.0), np.full((90, 1, 1), 1.0)])
    heavy = np.concatenate([np.full(10, 9.0), np.ones(90)])
    assert ErrorBar.fit(ratio, heavy).scale.item() == 3.0  # half of the weight: beyond the 68 % of one deviation
    assert ErrorBar.fit(ratio, np.ones(100)).scale.item() == 1.0
    unknown = ErrorBar.fit(np.full((5, 2, 1), np.nan), np.ones(5))
    assert (unknown.scale == 1).all()
    np.testing.assert_allclose(unknown.half_width(np.ones((2, 3, 1))), 1.6448536)


@pytest.mark.parametrize("case", [{}, {"c": 1}, {"observed": (1,)}, {"stretches": 4}, {"steps": 7}], ids=str)
def test_products_are_the_means_over_all_windows_by_lag_or_not(case):
    record = record_of(**case)
    assert Lagged.suits(record, **SIZE) == (case.get("stretches", 1) == 1 and case.get("steps", 60) > 7)
    series, starts = record.readings(PLAN), record.windows(HISTORY + LEADS)
    inputs = history_inputs(series[starts[:, None] + np.arange(HISTORY)], np.eye(HISTORY))
    found = Sensors.of(record, PLAN, **SIZE)
    assert_close(found.own, inputs.T @ inputs / len(starts), 1e-12)
    for lead in range(LEADS + 1):
        assert_close(found.out[lead], inputs.T @ record.targets[starts + HISTORY - 1 + lead] / len(starts), 1e-12)


def test_products_of_more_sites_serve_those_of_a_plan_in_any_order():
    record = record_of()
    pool = Lagged.of(record, np.array([2, 0, 4, 1]), **SIZE)
    shared, alone = (Sensors.of(record, PLAN, **SIZE, lagged=each) for each in (pool, None))
    assert_close(shared.out, alone.out, 1e-12)
    assert (shared.own == alone.own).all()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_the_leads_after_the_present_are_those_of_the_whole_forecast(form):
    for missing in (0.0, 0.3):
        forecaster, _ = both("two channels", form)
        readings = readings_of(forecaster.sensors.record, missing=missing)
        assert_close(forecaster.later(readings), forecaster.forecast(readings)[:, 1:], 1e-12)


def test_a_reading_beyond_all_that_was_seen_persists_at_its_sensor_and_is_cut_for_others():
    forecaster, _ = both("one channel", FORMS["persistence as it is"])
    readings = readings_of(forecaster.sensors.record)
    wild, wilder = readings.copy(), readings.copy()
    wild[:, -1, 0], wilder[:, -1, 0] = 100.0, 200.0
    one, two = forecaster.later(wild), forecaster.later(wilder)
    elsewhere = np.delete(np.arange(5), PLAN[0])
    assert_close(two[:, :, elsewhere], one[:, :, elsewhere])
    assert_close(two[:, :, PLAN[0]] - one[:, :, PLAN[0]], np.full(one[:, :, 0].shape, 50.0))  # half of it persists


@pytest.mark.parametrize("form", [form for form in FORMS.values() if form.persistence > 0 and form.damped], ids=str)
def test_the_parts_of_a_forecast_give_it_back_and_share_their_ridge(form):
    forecaster, _ = both("two channels", form)
    readings = readings_of(forecaster.sensors.record)
    other, _ = both("two channels", FORMS["damped persistence alone"])
    hybrid, damped, _ = forecaster.parts(readings, other.ridge(readings))
    mixed = (1 - form.persistence) * hybrid + form.persistence * damped
    assert_close(mixed[:, 1:], forecaster.later(readings))
