"""Laws of the forecaster of very many sensors: where they are few enough it is exact, and a misfit is carried on."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.backbones import dense_sensors
from dynst.backbones.covariance import Anomalies, Sensors
from dynst.backbones.dense_sensors import DenseForecaster, are_many, carried, persisting
from dynst.backbones.spacetime import Form, SpaceTimeForecaster

LEADS = 2
PLAN = np.array([7, 1, 4, 5])
FORMS = {
    "sample and memory": Form(memory=0.5, persistence=0.0, damped=False),
    "the sample alone": Form(memory=0.0, noise=0.3, persistence=0.0, damped=False),
    "with a kernel": Form(memory=0.25, kernel=0.5, noise=0.01, persistence=0.0, damped=False),
}
KINDS = {
    "one channel": {"c": 1},
    "two channels": {},
    "observe one, predict the other": {"observed": (0,), "predicted": (1,)},
    "observe one, predict both": {"observed": (1,)},
    "experiments": {"stretches": 4},
}


def record_of(*, steps=60, n=9, c=2, seed=0, stretches=1, **channels):
    rng = np.random.default_rng(seed)
    drive = rng.standard_normal((steps, n * c))
    for step in range(1, steps):
        drive[step] += 0.7 * drive[step - 1]
    values = (drive @ (np.eye(n * c) + 0.4 * rng.standard_normal((n * c, n * c)))).reshape(steps, n, c)
    every = tuple(range(c))
    observed, predicted = (np.array(channels.get(name, every)) for name in ("observed", "predicted"))
    stretch = np.arange(steps) * stretches // steps
    return Anomalies(values, stretch, observed, predicted, np.ones(n), rng.standard_normal((n, 2)))


def readings_of(record, *, history=2, sensors=4, missing=0.2):
    rng = np.random.default_rng(1)
    readings = rng.standard_normal((8, history, sensors, len(record.observed)))
    readings[rng.random(readings.shape) < missing] = np.nan
    return readings


def assert_close(found, expected, tolerance=1e-8):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("history", [1, 2])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_few_sensors_have_the_exact_forecast_and_its_error(kind, form, history):
    record = record_of(**kind)
    readings = readings_of(record, history=history)
    exact = SpaceTimeForecaster(Sensors.of(record, PLAN, history=history, leads=LEADS), form)
    found = DenseForecaster(record, PLAN, form, history=history, leads=LEADS)
    assert_close(found.forecast(readings), exact.forecast(readings))
    assert_close(found.deviation(), exact.deviation())


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_persistence_of_the_present_is_that_of_the_exact_forecaster_once_the_misfit_is_carried(form):
    """With the whole misfit at sensors now, and none at other sites or later, the present field has the readings."""
    record = record_of()
    readings = readings_of(record)
    misfit = np.zeros((LEADS + 1, 2))
    misfit[0, 0] = 1.0
    form = replace(form, persistence=0.7)
    exact = SpaceTimeForecaster(Sensors.of(record, PLAN, history=2, leads=LEADS), form).forecast(readings)
    found = DenseForecaster(record, PLAN, form, history=2, leads=LEADS, misfit=misfit).forecast(readings)
    assert_close(found[:, 1:], exact[:, 1:])
    heard = np.where(np.isnan(readings[:, -1]), found[:, 0, PLAN], readings[:, -1])
    assert_close(found[:, 0, PLAN], heard)


def test_the_misfit_is_carried_to_its_own_site_and_from_the_nearest_sensor_to_others():
    record = record_of()
    readings = readings_of(record)
    form = FORMS["sample and memory"]
    share = np.random.default_rng(2).random((LEADS + 1, 2))
    plain, carrying = (
        DenseForecaster(record, PLAN, form, history=2, leads=LEADS, misfit=each) for each in (None, share)
    )
    fields = plain.forecast(readings)
    misfit = np.nan_to_num(readings[:, -1] - fields[:, 0, PLAN])
    assert_close(plain.misfits(readings), misfit)
    expected = fields.copy()
    for site in range(9):
        distance = np.linalg.norm(record.points[PLAN] - record.points[site], axis=1)
        for lead in range(LEADS + 1):
            part = share[lead, int(site not in PLAN)]
            expected[:, lead, site] += part * misfit[:, np.argmin(distance)]
    assert_close(carrying.forecast(readings), expected)


def test_without_positions_no_misfit_goes_to_sites_without_a_sensor():
    record = replace(record_of(), points=None)
    readings, share = readings_of(record), np.ones((LEADS + 1, 2))
    form = FORMS["sample and memory"]
    plain, carrying = (
        DenseForecaster(record, PLAN, form, history=2, leads=LEADS, misfit=each).forecast(readings)
        for each in (None, share)
    )
    rest = np.setdiff1d(np.arange(9), PLAN)
    assert_close(carrying[:, :, rest], plain[:, :, rest])
    assert np.abs(carrying[:, :, PLAN] - plain[:, :, PLAN]).max() > 0.1


def test_some_of_the_sites_as_targets_have_the_forecasts_of_all():
    record, targets = record_of(), np.array([0, 1, 5, 8])
    readings, share = readings_of(record), np.full((LEADS + 1, 2), 0.4)
    for form in FORMS.values():
        options = {"history": 2, "leads": LEADS, "misfit": share}
        whole = DenseForecaster(record, PLAN, form, **options)
        some = DenseForecaster(record, PLAN, form, **options, targets=targets)
        assert_close(some.forecast(readings), whole.forecast(readings)[:, :, targets])
        assert_close(some.deviation(), whole.deviation()[:, targets])


def test_relabelled_sites_have_the_same_forecasts(monkeypatch):
    """Where all sensors stand in the system; a part of them is drawn by number."""
    record = record_of()
    order = np.random.default_rng(5).permutation(9)
    moved = replace(record, values=record.values[:, order], points=record.points[order])
    readings, share = readings_of(record), np.full((LEADS + 1, 2), 0.4)
    for form in FORMS.values():
        options = {"history": 2, "leads": LEADS, "misfit": share}
        one = DenseForecaster(record, PLAN, form, **options).forecast(readings)
        two = DenseForecaster(moved, np.argsort(order)[PLAN], form, **options).forecast(readings)
        assert_close(two, one[:, :, order])


def test_of_very_many_sensors_some_stand_in_the_system_and_the_last_two_steps_of_a_history(monkeypatch):
    monkeypatch.setattr(dense_sensors, "MANY", 12)
    assert are_many(4, 2, 2)
    assert not are_many(3, 2, 2)
    record, form = record_of(), FORMS["with a kernel"]
    sensors = np.array([8, 2, 6, 0, 4, 3])
    found = DenseForecaster(record, sensors, form, history=4, leads=LEADS)
    used = np.array([8, 3, 0])  # three sensors of two channels and two steps: first, middle and last by number
    exact = SpaceTimeForecaster(Sensors.of(record, used, history=2, leads=LEADS), form)
    readings = readings_of(record, history=4, sensors=6, missing=0.0)
    place = [sensors.tolist().index(site) for site in used]
    assert_close(found.forecast(readings), exact.forecast(readings[:, -2:, place]))
    assert found.notes["sensors_in_the_system"] == 3


def test_a_record_in_single_precision_is_forecast_in_it():
    record = record_of()
    single = replace(record, values=record.values.astype(np.float32))
    for form in FORMS.values():
        one, two = (
            DenseForecaster(each, PLAN, form, history=2, leads=LEADS).forecast(readings_of(record))
            for each in (record, single)
        )
        assert two.dtype == np.float32
        assert_close(two, one, 1e-5)


def test_persisting_keeps_the_present_and_nothing_carried_is_nothing_changed():
    fields = np.random.default_rng(0).standard_normal((3, LEADS + 1, 4, 1))
    assert (persisting(fields, 0.0) == fields).all()
    assert_close(persisting(fields, 1.0), np.repeat(fields[:, :1], LEADS + 1, axis=1))
    nearest = np.zeros(4, int), np.array([True, False, False, False])
    assert (carried(fields, np.ones((3, 2, 1)), nearest, np.zeros((LEADS + 1, 2))) == fields).all()
