"""One run on the ERA5 sample, whose data are gone for whoever forecasts from it, and readings of its sensors."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dynst
from dynst.readers.samples import sample_path


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The ERA5 sample, copied."""
    return shutil.copy(sample_path("era5_natl_msl"), tmp_path_factory.mktemp("data") / "era5.nc")


@pytest.fixture(scope="session")
def field(data):
    return dynst.read(str(data))


@pytest.fixture(scope="session")
def run(data, tmp_path_factory):
    """A plan of 20 sensors; the file that it was made of is no longer where it was."""
    there = tmp_path_factory.mktemp("gone") / "era5_natl_msl.nc"
    shutil.copy(data, there)
    made = dynst.fit(str(there), sensors=20, compare="none", out=str(there.parent / "run"))
    there.unlink()
    moved = tmp_path_factory.mktemp("elsewhere") / "moved"
    shutil.move(made.path, moved)
    return dynst.find(str(moved))


@pytest.fixture(scope="session")
def wide(run, field):
    """Readings of the sensors as a frame: a column a station, indexed by time."""
    values = field.series.read(0, field.steps)[:, run.plan.selected, 0].astype(float)
    return pd.DataFrame(values, index=pd.Index(field.time, name="time"), columns=list(run.forecaster.sensors))


@pytest.fixture
def long(wide):
    """The same as a row a station and time, with a unit and positions."""
    rows = wide.stack().rename("msl (Pa)").reset_index().rename(columns={"level_1": "station"})
    degrees = rows["station"].str.extract(r"([\d.]+)([NS]) ([\d.]+)([EW])")
    rows["lat"] = degrees[0].astype(float) * np.where(degrees[1] == "S", -1, 1)
    rows["lon"] = degrees[2].astype(float) * np.where(degrees[3] == "W", -1, 1)
    return rows


def same(one: xr.Dataset, other: xr.Dataset, share: float = 1e-4) -> None:
    """Two forecasts are the same to a small share of the deviation of their error: 1e5 Pa in float32 have 0.008 Pa."""
    assert (one["time"].values == other["time"].values).all()
    for name in ("msl", "msl_sd", "msl_low", "msl_high"):
        off = np.abs(one[name].values - other[name].values)
        assert np.nanmax(off / other["msl_sd"].values) < share, name
