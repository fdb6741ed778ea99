"""A forecast from a run is the judge's: the same field, the same errors, and intervals that hold what they say."""

import os

import netCDF4
import numpy as np
import pytest
import xarray as xr

import dynst
from dynst.config import Study
from dynst.domain.split import window_starts
from dynst.errors import CheckpointError, ConfigError, DataError
from dynst.study.prepare import prepare
from dynst.study.refits import closed_judge

from .conftest import same


@pytest.fixture(scope="module")
def judged(run, data):
    """The judge of the run, made again from the data."""
    study = Study.load(run.files.study).model_copy(update={"data": str(data)})
    prepared = prepare(study)
    return prepared, closed_judge("linear", prepared, {})


@pytest.fixture(scope="module")
def starts(judged, field):
    """Steps at which the histories of the test windows end."""
    prepared, _ = judged
    test, window = prepared.split.test, prepared.window
    first = int(np.flatnonzero(field.time == test.time[0])[0])
    return first + window_starts(test, window) + window.history - 1


def test_it_is_the_forecast_of_the_judge(run, field, judged, starts):
    prepared, judge = judged
    solved, std = judge.forecaster(run.plan.selected), judge.scaling.std[0]
    for step in starts[[0, 7, -1]].tolist():
        history = judge.scaling.anomalies(field, step + 1 - prepared.window.history, step + 1)
        made = solved.forecast(history[None, :, run.plan.selected])[0]
        expected = judge.scaling.expected(field, step, step + 1) + made * std
        found = run.forecast(field, field.time[step])
        assert found.sizes == {"time": 1, "lead": run.forecaster.leads + 1, "lat": 24, "lon": 36}
        off = found["msl"].values.reshape(made.shape[0], -1) - expected[..., 0]
        assert np.abs(off).max() < 1e-4 * std  # a value of float32 alone is 1e-5 of a deviation off


def test_its_errors_over_the_test_are_those_of_the_curve(run, data, starts, field):
    since, until = (str(field.time[step])[:16] for step in starts[[0, -1]])
    found = dynst.forecast(run, str(data), since=since, until=until, truth=str(data))
    assert (found.starts, found.compared) == (len(starts), len(starts))
    curve = run.curve.at(run.plan.budget)["rmse"].sel(planner=run.plan.planner, channel="msl")
    errors = [score.error for score in found.scores if score.lead]
    np.testing.assert_allclose(errors, curve.values.ravel()[: len(errors)], rtol=1e-4)
    usual = run.curve.at(run.plan.budget)["rmse"].sel(planner="climatology", channel="msl").values.ravel()
    np.testing.assert_allclose([s.climatology for s in found.scores if s.lead], usual[: len(errors)], rtol=1e-4)
    still = run.curve.at(run.plan.budget)["rmse"].sel(planner="persistence", channel="msl").values.ravel()
    assert all(s.unchanged <= 1.0001 * error for s, error in zip(found.scores[1:], still, strict=False))


def test_intervals_hold_nine_of_ten_values_and_the_crps_is_below_that_of_the_climatology(run, data, starts, field):
    since = str(field.time[starts[0]])[:16]
    found = dynst.forecast(run, str(data), since=since, truth=str(data))
    assert 0.86 < np.mean([score.coverage for score in found.scores]) < 0.94
    assert all(score.crps < score.usual_crps for score in found.scores)


def test_scores_on_the_time_that_it_was_made_on_are_marked(run, data):
    early = dynst.forecast(run, str(data), since="2025-12-05", until="2025-12-06", truth=str(data))
    assert any("made on" in note for note in early.notes)
    late = dynst.forecast(run, str(data), since="2026-02-27", truth=str(data))
    assert not any("made on" in note for note in late.notes)


def test_no_sensor_gives_the_climatology_with_its_spread(run, data, field, tmp_path):
    found = dynst.forecast(run, str(data), tmp_path / "usual.nc", sensors=["none"])
    assert (found.sensors, len(found.silent)) == ((), 20)
    with xr.open_dataset(tmp_path / "usual.nc") as made:
        usual = run.forecaster.climatology(np.array([field.steps - 1]))[0, :, 0]
        np.testing.assert_allclose(made["msl"][0, 0].values.ravel(), usual, rtol=1e-6)
        spread = made["msl_sd"].values
        deviation = field.series.read(0, field.steps)[..., 0].std(axis=0).reshape(24, 36)
        assert 0.6 < np.median(spread[0, 1] / deviation) < 1.6


def test_fewer_sensors_doubt_more(run, field):
    whole = run.forecast(field)
    some = np.array(run.forecaster.sensors)[:4].tolist()
    few = dynst.forecast(run, field, None, sensors=some)
    assert few.sensors == tuple(some)
    assert (run.forecast(field.between(0, 200))["msl_sd"] == whole["msl_sd"].values).all()


def test_any_gap_in_the_history_is_filled_in(run, wide):
    holes = wide.copy()
    holes.iloc[-2, 3:9] = np.nan
    holes = holes.drop(index=holes.index[-3])
    whole, found = run.forecast(wide), run.forecast(holes)
    assert np.isfinite(found["msl"]).all()
    assert (found["msl_sd"] >= whole["msl_sd"] - 1e-2).all()
    assert float(np.abs(found["msl"] - whole["msl"]).max()) > 1


def test_a_reconstruction_is_lead_0_of_each_time(run, wide):
    found = run.reconstruct(wide.iloc[:12])
    assert found.sizes["time"] == 12
    assert found["lead"].values.tolist() == [0.0]
    for time in (4, 11):
        alone = run.forecast(wide.iloc[:12], wide.index[time])
        same(found.isel(time=[time]), alone.isel(lead=[0]))


def test_a_file_says_what_it_holds(run, data, tmp_path):
    dynst.forecast(run, str(data), tmp_path / "field.nc", since="2026-02-20", until="2026-02-21")
    with xr.open_dataset(tmp_path / "field.nc") as made:
        assert made["msl"].dims == ("time", "lead", "lat", "lon")
        assert made.sizes["time"] == 8
        assert made["lead"].attrs["units"] == "h"
        assert made["lead"].values.tolist() == [0, 6, 12, 18, 24]
        assert made["msl"].attrs["units"] == "Pa"
        assert made["msl_sd"].attrs["cell_methods"] == "realization: standard_deviation"
        assert made["valid_time"].values[2, 4] == made["time"].values[2] + np.timedelta64(1, "D")
        assert "dynst_linear" in made.attrs["source"]
        assert made.attrs["data_fingerprint"] == run.forecaster.made_of["fingerprint"]
        middle = (made["msl_low"] + made["msl_high"]) / 2
        assert float(np.abs(middle - made["msl"]).max()) < 0.1
        again = run.forecast(str(data), made["time"].values[3])
        same(made.isel(time=[3]), again)


def test_zarr_holds_what_netcdf_does_and_many_blocks_are_one(run, data, tmp_path, monkeypatch):
    from dynst.forecasting import fields

    options = {"since": "2026-02-20", "until": "2026-02-21"}
    dynst.forecast(run, str(data), tmp_path / "one.nc", **options)
    monkeypatch.setattr(fields, "_BLOCK", 3 * 4 * 5 * 864)  # three starts at a time
    dynst.forecast(run, str(data), tmp_path / "three.nc", **options)
    dynst.forecast(run, str(data), tmp_path / "three.zarr", **options)
    with xr.open_dataset(tmp_path / "one.nc") as one:
        for other in (xr.open_dataset(tmp_path / "three.nc"), xr.open_zarr(tmp_path / "three.zarr")):
            with other:
                assert other.sizes == one.sizes
                same(other, one)
                assert (other["valid_time"].values == one["valid_time"].values).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.nc", "three.nc", "three.zarr"]
    with netCDF4.Dataset(tmp_path / "three.nc") as file:
        assert file.dimensions["time"].isunlimited()


@pytest.mark.parametrize(("calendar", "days"), [("noleap", 365), ("360_day", 360)])
def test_the_calendar_of_a_model_is_kept(calendar, days, tmp_path):
    """Six years of a season that follows the model's own year, read again from its last twenty days."""
    time = np.arange(6 * days)
    season = 10 * np.sin(2 * np.pi * time / days)[:, None, None] + np.arange(6)[:, None] + np.arange(7)
    noise = np.random.default_rng(0).standard_normal((len(time), 6, 7))
    units = {"units": "days since 1850-01-01", "calendar": calendar}
    data = xr.Dataset(
        {"tas": (("time", "lat", "lon"), (season + noise + 280).astype(np.float32), {"units": "K"})},
        coords={
            "time": ("time", time, units),
            "lat": ("lat", np.linspace(50, 40, 6), {"units": "degrees_north"}),
            "lon": ("lon", np.linspace(0, 12, 7), {"units": "degrees_east"}),
        },
    )
    data.to_netcdf(tmp_path / "model.nc")
    data.isel(time=slice(-20, None)).to_netcdf(tmp_path / "newest.nc")
    options = {"history": 2, "horizon": 2, "climatology": "year", "compare": "none"}
    run = dynst.fit(str(tmp_path / "model.nc"), sensors=4, out=str(tmp_path / "run"), **options)
    found = dynst.forecast(run, str(tmp_path / "newest.nc"), tmp_path / "field.nc")
    with xr.open_dataset(tmp_path / "field.nc", decode_times=xr.coders.CFDatetimeCoder(use_cftime=True)) as made:
        start = made["time"].values[0]
        assert (start.year, start.calendar) == (1855, calendar)
        assert (made["valid_time"].values[0, 1] - start).days == 1
        expected = season[-1] + 280
        np.testing.assert_allclose(made["tas"].values[0, 0], expected, atol=2.5)
    since = f"1855-12-{28 if days == 360 else 29}"
    many = dynst.forecast(run, str(tmp_path / "newest.nc"), since=since, truth=str(tmp_path / "model.nc"))
    assert many.starts == 3
    assert found.starts == 1


@pytest.mark.parametrize("start", ["2026-02-20T03:00", "soon", 5.5])
def test_a_start_that_is_no_step_is_refused(run, field, start):
    with pytest.raises((ConfigError, DataError), match="start"):
        run.forecast(field, start)


def test_a_run_without_a_forecaster_says_so(run, field, tmp_path):
    for file in run.path.iterdir():
        if file.is_file() and file != run.files.forecaster:
            os.link(file, tmp_path / file.name)
    with pytest.raises(CheckpointError, match="no forecaster"):
        dynst.find(str(tmp_path)).forecast(field)
