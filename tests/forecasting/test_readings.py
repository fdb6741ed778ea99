"""Readings in every form give the same forecast; what cannot be used is refused in one line."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynst.domain import Stations
from dynst.errors import DataError
from dynst.forecasting.readings import read_readings

from .conftest import same


@pytest.fixture
def forecaster(run):
    return run.forecaster


@pytest.fixture
def expected(run, field):
    """The forecast from the gridded record."""
    return run.forecast(field)


@pytest.fixture
def in_form(wide, long, tmp_path, data):
    """The readings in one of the forms that networks keep them in."""
    return lambda form: made_in(form, wide, long, tmp_path, data)


def made_in(form, wide, long, folder, data):
    """A file of this form, or an object of Python."""
    stations = xr.Dataset(
        {"msl": (("time", "station"), wide.to_numpy(np.float32), {"units": "Pa"})},
        coords={"time": wide.index.to_numpy(), "station": list(wide.columns)},
    )
    made = {
        "wide frame": lambda: wide,
        "wide csv": lambda: wide.to_csv(folder / "wide.csv"),
        "long frame": lambda: long,
        "long csv": lambda: long.to_csv(folder / "long.csv", index=False),
        "long csv, shuffled": lambda: long.sample(frac=1, random_state=0).to_csv(folder / "mixed.csv", index=False),
        "series by time and station": lambda: long.set_index(["time", "station"])["msl (Pa)"],
        "stations": lambda: stations,
        "an array of stations": lambda: stations["msl"],
        "stations in a file": lambda: stations.to_netcdf(folder / "stations.nc"),
        "grid": lambda: str(data),
        "grid in memory": lambda: xr.load_dataset(data),
        "zarr": lambda: xr.load_dataset(data).drop_encoding().to_zarr(folder / "grid.zarr", zarr_format=2),
        "newest steps of the grid": lambda: xr.load_dataset(data).isel(time=slice(-6, None)),
        "zones": lambda: wide.tz_localize("UTC").tz_convert("America/New_York"),
        "hectopascals": lambda: long.assign(**{"msl (hPa)": long["msl (Pa)"] / 100}).drop(columns="msl (Pa)"),
        "positions": lambda: long.assign(station=["x" + name for name in long["station"]]),
    }[form]()
    written = sorted(folder.iterdir())
    return str(written[0]) if written else made


FORMS = [
    "wide frame",
    "wide csv",
    "long frame",
    "long csv",
    "long csv, shuffled",
    "series by time and station",
    "stations",
    "an array of stations",
    "stations in a file",
    "grid",
    "grid in memory",
    "zarr",
    "newest steps of the grid",
    "zones",
    "hectopascals",
    "positions",
]


@pytest.mark.parametrize("form", FORMS)
def test_readings_in_every_form_give_the_same_forecast(form, run, expected, in_form):
    found = run.forecast(in_form(form))
    same(found, expected, 2e-4)  # hPa in float32, and text with its digits


def test_silent_and_unknown_stations_are_told_apart(forecaster, wide):
    mixed = wide.iloc[-8:].drop(columns=wide.columns[0]).assign(stranger=1.0)
    mixed[wide.columns[3]] = np.nan
    found = read_readings(mixed, forecaster)
    assert found.unknown == ("stranger",)
    assert np.flatnonzero(~found.heard).tolist() == [0, 3]
    assert np.flatnonzero(~found.found).tolist() == [0]


def test_a_record_on_another_grid_is_read_where_the_sensors_stand(run, data, expected):
    fine = xr.load_dataset(data).isel(time=slice(-8, None))
    fine = fine.interp(latitude=np.arange(80, 22, -0.5), longitude=np.arange(-70, 18, 0.5))
    found = read_readings(fine, run.forecaster)
    assert found.heard.all()
    assert "found by their place" in found.notes[0]
    off = (run.forecast(fine)["msl"] - expected["msl"]) / expected["msl_sd"]
    assert float(np.abs(off).max()) < 0.05


def test_times_near_their_step_are_taken_there_and_it_is_said(run, wide, expected):
    late = wide.set_axis(wide.index + pd.Timedelta("20min"))
    found = read_readings(late, run.forecaster)
    assert "at most 20 min away" in found.notes[0]
    same(run.forecast(late), expected)


def test_finer_readings_are_used_at_the_steps(run, wide, expected):
    hourly = wide.iloc[-10:].resample("1h").interpolate()
    found = read_readings(hourly, run.forecaster)
    assert "left aside" in found.notes[0]
    same(run.forecast(hourly), expected)


def test_two_files_of_a_folder_are_read_together(run, wide, tmp_path, expected):
    wide.iloc[:, :12].to_csv(tmp_path / "north.csv")
    wide.iloc[:, 12:].to_csv(tmp_path / "south.csv")
    same(run.forecast(tmp_path), expected)
    wide.iloc[:, 11:].to_csv(tmp_path / "south.csv")
    with pytest.raises(DataError, match="another file"):
        run.forecast(tmp_path)


def test_a_file_of_other_stations_beside_the_readings_is_left_aside(run, wide, tmp_path, expected):
    wide.to_csv(tmp_path / "ours.csv")
    wide.set_axis([f"stranger {i}" for i in range(20)], axis=1).to_csv(tmp_path / "another.csv")
    found = read_readings(tmp_path, run.forecaster)
    assert any("another.csv is left aside" in note for note in found.notes)
    same(run.forecast(tmp_path), expected)


def test_existing_stations_are_known_by_their_own_names(run, wide, forecaster):
    site = forecaster.selected[[2]]
    sites, here = forecaster.sites, forecaster.sites
    own = Stations(
        site, ("Reykjavik",), here.x[site] + 0.3, here.y[site], np.zeros(1), here.x[site] + 0.3, here.y[site]
    )
    named = dataclasses.replace(forecaster, sites=dataclasses.replace(sites, stations=own))
    assert named.sensors[2] == "Reykjavik"
    found = read_readings(wide.iloc[-6:].rename(columns={wide.columns[2]: "REYKJAVIK"}), named)
    assert found.heard.all()
    assert not found.unknown


WRONG = {  # what is wrong with the readings -> how, and what the one line says
    "another unit": (lambda w, u: u.rename(columns={"msl (Pa)": "msl (m)"}), "msl is in m"),
    "another unit, unsaid": (lambda w, u: w / 100, "another unit"),
    "off the cadence": (lambda w, u: w.set_axis(w.index + pd.Timedelta("90min")), "off the steps"),
    "one time off": (lambda w, u: w.set_axis([*w.index[:-1], w.index[-1] + pd.Timedelta("2h")]), "1 of 360 times"),
    "unknown stations": (lambda w, u: w.add_prefix("x"), "none of its stations"),
    "another network": (lambda w, u: u.assign(lat=u["lat"] - 60, station="s" + u["station"]), "none of its stations"),
    "all missing": (lambda w, u: w * np.nan, "all missing"),
    "future": (lambda w, u: w.set_axis(w.index + pd.Timedelta(days=365 * 120)), "100 years"),
    "no row": (lambda w, u: w.iloc[:0], "empty"),
    "no dates": (lambda w, u: w.reset_index(drop=True).rename_axis("step"), "no dates"),
    "another quantity": (lambda w, u: u.rename(columns={"msl (Pa)": "t2m (K)"}), "msl is in|t2m is in"),
    "a row twice": (lambda w, u: pd.concat([u, u.iloc[:1].assign(**{"msl (Pa)": 1e5})]), "more than one row"),
    "one site twice": (lambda w, u: w.assign(**{w.columns[0].lower(): 1e5}), "both readings of one"),
}


@pytest.mark.parametrize("case", WRONG)
def test_readings_that_cannot_be_used_are_refused_in_one_line(case, run, wide, long):
    spoil, said = WRONG[case]
    with pytest.raises(DataError, match=said) as refused:
        run.forecast(spoil(wide, long))
    assert "\n" not in str(refused.value)
