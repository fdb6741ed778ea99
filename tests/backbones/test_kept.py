"""Laws of a kept forecaster: as arrays it forecasts what the forecaster of a plan does, whatever is missing."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.backbones import dense_sensors
from dynst.backbones.dense_sensors import DenseForecaster
from dynst.backbones.error_bar import ErrorBar
from dynst.backbones.kept import KeptForecaster, Product
from dynst.errors import CheckpointError
from tests.backbones import test_dense_sensors as dense
from tests.backbones import test_spacetime as few

SINGLE = 1e-4  # products are kept in float32, of readings beyond all that was seen


def bar_of(leads, channels, seed=5):
    rng = np.random.default_rng(seed)
    return ErrorBar(rng.uniform(0.5, 2, (leads + 1, channels)), rng.uniform(1.2, 2, (leads + 1, channels)))


def kept_of(forecaster, channels):
    return KeptForecaster.of(forecaster, bar_of(few.LEADS, channels))


def assert_close(found, expected, tolerance=SINGLE):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("form", few.FORMS.values(), ids=few.FORMS)
@pytest.mark.parametrize("case", few.CASES)
def test_it_forecasts_what_the_forecaster_does(case, form):
    forecaster, _ = few.both(case, form)
    record = forecaster.sensors.record
    found = kept_of(forecaster, len(record.predicted))
    for silent in (0.0, 0.3, 1.0):
        readings = few.readings_of(record, missing=silent)
        expected = forecaster.forecast(readings)
        if silent == 1.0:
            assert not expected.any()
        assert_close(found.forecast(readings), expected.reshape(found.forecast(readings).shape))


@pytest.mark.parametrize("form", few.FORMS.values(), ids=few.FORMS)
@pytest.mark.parametrize("case", ["two channels", "gaps in the record", "patterns in time"])
def test_its_error_bars_are_those_of_the_forecaster_under_its_calibration(case, form):
    forecaster, _ = few.both(case, form)
    record = forecaster.sensors.record
    bar = bar_of(few.LEADS, len(record.predicted))
    found = KeptForecaster.of(forecaster, bar)
    for share in (0.0, 0.4, 1.0):
        missing = np.isnan(few.readings_of(record, missing=share)[0])
        expected = forecaster.deviation(missing)
        expected = expected.reshape(few.LEADS + 1, -1, len(record.predicted))
        assert_close(found.deviation(missing), bar.deviation(expected), 1e-3)
        assert_close(found.half_width(missing), bar.half_width(expected), 1e-3)
    assert_close(found.deviation(), found.deviation(np.zeros_like(missing)))


@pytest.mark.parametrize("persistence", [0.0, 0.7])
@pytest.mark.parametrize("share", [None, 0.6])
@pytest.mark.parametrize("kind", dense.KINDS.values(), ids=dense.KINDS)
def test_that_of_very_many_sensors_too(kind, share, persistence):
    record = dense.record_of(**kind)
    form = replace(dense.FORMS["with a kernel"], persistence=persistence)
    misfit = None if share is None else np.full((dense.LEADS + 1, 2), share)
    solved = DenseForecaster(record, dense.PLAN, form, history=2, leads=dense.LEADS, misfit=misfit)
    found = KeptForecaster.of(solved, bar_of(dense.LEADS, len(record.predicted)))
    readings = dense.readings_of(record)
    expected = solved.forecast(readings)
    assert_close(found.forecast(readings), expected.reshape(found.forecast(readings).shape))
    assert_close(found.bar.deviation(solved.deviation().reshape(found.deviation().shape)), found.deviation(), 1e-3)


def test_of_very_many_sensors_of_which_some_stand_for_all_too(monkeypatch):
    monkeypatch.setattr(dense_sensors, "MANY", 12)
    record = dense.record_of(n=30)
    solved = DenseForecaster(record, np.arange(30), dense.FORMS["sample and memory"], history=4, leads=dense.LEADS)
    found = KeptForecaster.of(solved, bar_of(dense.LEADS, len(record.predicted)))
    readings = dense.readings_of(record, history=4, sensors=30)
    assert_close(found.forecast(readings), solved.forecast(readings))


def test_a_longer_history_than_it_uses_changes_nothing():
    forecaster, _ = few.both("two channels", few.FORMS["the default"])
    record = forecaster.sensors.record
    found = kept_of(forecaster, 2)
    readings = few.readings_of(record)
    longer = np.concatenate([np.full((len(readings), 2, *readings.shape[2:]), 9.0), readings], axis=1)
    assert_close(found.forecast(longer), found.forecast(readings), 0)


def test_it_comes_back_from_its_arrays_bit_by_bit():
    for name in ("the default", "the hybrid alone"):
        forecaster, _ = few.both("two channels", few.FORMS[name])
        found = kept_of(forecaster, 2)
        arrays = found.to_arrays()
        back = KeptForecaster.from_arrays(arrays)
        readings = few.readings_of(forecaster.sensors.record, missing=0.3)
        np.testing.assert_array_equal(back.forecast(readings), found.forecast(readings))
        np.testing.assert_array_equal(back.half_width(), found.half_width())
        assert (back.mixed is back.hybrid) == (name == "the hybrid alone")
        arrays.pop("doubt")
        with pytest.raises(CheckpointError, match="doubt"):
            KeptForecaster.from_arrays(arrays)


def test_a_large_product_is_kept_as_factors_that_lose_nothing_where_few_suffice():
    rng = np.random.default_rng(0)
    whole = (rng.standard_normal((12, 4)) @ rng.standard_normal((3, 4, 200))).astype(np.float32)
    inputs = rng.standard_normal((5, 12)).astype(np.float32)
    assert Product.of(whole, largest=whole.nbytes).left is None
    factors = Product.of(whole, largest=whole.nbytes - 1)
    assert factors.left.shape == (12, 4)
    assert factors.left.nbytes + factors.right.nbytes < whole.nbytes / 2
    for lead in range(3):
        assert_close(factors.rows(lead), whole[lead])
        assert_close(factors.at(lead, inputs), inputs @ whole[lead])


def test_where_the_room_is_small_factors_are_the_best_of_their_number():
    rng = np.random.default_rng(0)
    whole = rng.standard_normal((3, 12, 200)).astype(np.float32)
    tight = Product.of(whole, largest=4 * 3 * 200 * 2)
    assert tight.left.shape == (12, 2)
    joint = np.concatenate(list(whole), axis=1)
    values = np.linalg.svd(joint, compute_uv=False)
    lost = np.linalg.norm(np.concatenate([tight.rows(lead) for lead in range(3)], axis=1) - joint)
    np.testing.assert_allclose(lost, np.sqrt((values[2:] ** 2).sum()), rtol=1e-4)


def test_factors_forecast_too_and_come_back_from_arrays():
    forecaster, _ = few.both("two channels", few.FORMS["the default"])
    found = kept_of(forecaster, 2)
    parts = {name: Product.of(getattr(found, name).right, largest=400) for name in ("hybrid", "mixed")}
    factored = replace(found, **parts)
    assert factored.hybrid.left is not None
    readings = few.readings_of(forecaster.sensors.record, missing=0.3)
    whole = replace(
        found, **{name: Product(None, np.stack([p.rows(i) for i in range(3)])) for name, p in parts.items()}
    )
    assert_close(factored.forecast(readings), whole.forecast(readings))
    assert_close(factored.deviation(), whole.deviation())
    back = KeptForecaster.from_arrays(factored.to_arrays())
    np.testing.assert_array_equal(back.forecast(readings), factored.forecast(readings))
