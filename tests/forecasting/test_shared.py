"""Forecasts from real networks: stations, roads without dates, a fire test, experiments; intervals hold."""

import numpy as np
import pandas as pd
import pytest

import dynst
from dynst.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def ireland(shared_data, tmp_path_factory):
    """Daily wind at twelve stations: the run, and its readings."""
    folder = shared_data / "ireland_wind"
    data = folder / "daily_wind_knots_1961_1978.csv"
    out = tmp_path_factory.mktemp("ireland") / "run"
    options = {"stations": str(folder / "stations.csv"), "sensors": 6, "compare": "none"}
    return dynst.fit(str(data), out=str(out), **options), data


@pytest.fixture(scope="module")
def traffic(shared_data, tmp_path_factory):
    """Speeds on roads, counted by step, from 20 of 207 detectors."""
    folder = shared_data / "metr_la_week"
    data = folder / "los_speed.csv"
    out = tmp_path_factory.mktemp("traffic") / "run"
    options = {"stations": str(folder / "graph_sensor_locations.csv"), "sensors": 20, "compare": "none"}
    return dynst.fit(str(data), out=str(out), **options), data


@pytest.fixture(scope="module")
def fire(shared_data, tmp_path_factory):
    """A fire test: two quantities, loggers that keep no time."""
    data = shared_data / "tunnel_fire"
    out = tmp_path_factory.mktemp("fire") / "run"
    files = {"data": str(data / "TP501.csv"), "stations": str(data / "sensor_positions.csv")}
    return dynst.fit(dynst.Study(**files, sensors=10, compare="none", out=str(out))), data / "TP501.csv"


def test_a_network_forecasts_with_intervals_that_hold(ireland):
    run, data = ireland
    found = dynst.forecast(run, data, since="1976", truth=data)
    assert found.sensors
    assert not found.unknown
    ahead = [score for score in found.scores if score.lead]
    assert all(score.error < score.climatology and score.error < score.unchanged for score in ahead)
    assert all(score.crps < score.usual_crps for score in found.scores)
    assert all(0.84 < score.coverage < 0.95 for score in found.scores)


def test_a_csv_with_two_sensors_silent_and_one_unknown_name(ireland, tmp_path):
    run, data = ireland
    table = pd.read_csv(data).tail(10)
    sensors = list(run.forecaster.sensors)
    kept = table[["date", *sensors[:4]]].assign(ELSEWHERE=9.0)
    kept.to_csv(tmp_path / "newest.csv", index=False)
    found = dynst.forecast(run, tmp_path / "newest.csv", tmp_path / "field.nc")
    assert found.sensors == tuple(sensors[:4])
    assert found.silent == tuple(sensors[4:])
    assert found.unknown == ("ELSEWHERE",)
    whole = run.forecast(data)
    some = run.forecast(tmp_path / "newest.csv")
    assert (some["value_sd"] >= whole["value_sd"] - 1e-4).all()
    assert (some["time"].values == whole["time"].values).all()


def test_a_record_without_dates_counts_steps(traffic, tmp_path):
    run, data = traffic
    found = dynst.forecast(run, data, since="1700", truth=data)
    assert (found.first, found.last) == ("1700", "2015")
    late = [score for score in found.scores if score.lead == 12]
    assert late[0].error < min(late[0].unchanged, late[0].climatology)
    assert 0.8 < np.mean([score.coverage for score in found.scores]) < 0.95
    made = run.forecast(data, 2000)
    assert made["time"].values.tolist() == [2000]
    assert made["valid_time"].values[0, -1] == 2012
    with pytest.raises(ConfigError, match="counts steps"):
        dynst.forecast(run, data, since="2012-03")
    dated = pd.read_csv(data).tail(12)
    dated.insert(0, "time", pd.date_range("2012-03-01", periods=12, freq="5min"))
    dated.to_csv(tmp_path / "dated.csv", index=False)
    with pytest.raises(DataError, match="its times are dates"):
        run.forecast(tmp_path / "dated.csv")


def test_steps_of_a_table_may_be_named(traffic, tmp_path):
    run, data = traffic
    values = pd.read_csv(data)
    table = pd.concat([pd.Series(np.arange(len(values)), name="step"), values], axis=1)
    table.tail(12).to_csv(tmp_path / "newest.csv", index=False)
    newest, whole = run.forecast(tmp_path / "newest.csv"), run.forecast(data)
    assert newest["time"].values.tolist() == [len(table) - 1]
    np.testing.assert_allclose(newest["value"].values, whole["value"].values, rtol=1e-5)


def test_loggers_of_a_fire_that_keep_no_time_are_read_as_by_the_fit(fire):
    run, data = fire
    found = dynst.forecast(run, data, since="0", truth=data)
    assert len(found.sensors) == 10
    assert all(score.error < score.climatology for score in found.scores)
    made = run.forecast(data)
    assert made["lead"].attrs["units"] in {"s", "min"}
    assert {"temperature", "temperature_sd"} <= set(made.data_vars)


def test_a_new_experiment_counts_steps_from_its_beginning(shared_data, tmp_path):
    data = str(shared_data / "heat_mesh" / "unsteady_heat_10cases.npz")
    run = dynst.fit(data, sensors=8, compare="none", out=str(tmp_path / "run"))
    field = dynst.read(data)
    first, last = field.runs[-1]
    found = dynst.forecast(run, data, since="5", truth=data)
    assert found.last == str(last - first - 1)
    assert all(score.error < 0.2 * score.climatology for score in found.scores)
    made = run.forecast(field.pick([9]))
    np.testing.assert_array_equal(made[next(iter(made))].values, run.forecast(data)[next(iter(made))].values)
