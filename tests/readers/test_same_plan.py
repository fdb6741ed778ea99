"""A real record, however it is written, leads to the same sensors."""

import numpy as np
import pytest
import xarray as xr

from dynst.domain import Window
from dynst.planners import PLANNERS
from dynst.planners.base import Task
from dynst.readers import read, sample_path
from dynst.windows import split_by_time


def plan_of(data):
    field = read(str(data))
    window = Window.for_record(field.steps)
    split = split_by_time(field, window)
    return PLANNERS["dynst_linear"].plan(Task.make(split.train, split.valid, window, 6), seed=0)


@pytest.fixture(scope="module")
def record():
    data = xr.load_dataset(sample_path("era5_natl_msl"))
    (name,) = data.data_vars
    data = data[[name]].rename({name: "msl"}).drop_encoding()
    return data.rename({dim: {"la": "lat", "lo": "lon"}.get(dim[:2], "time") for dim in data.dims})


@pytest.fixture(scope="module")
def expected(record, tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "plain.nc"
    record.to_netcdf(path)
    return plan_of(path)


def as_weatherbench_1(data, root):
    (root / "msl").mkdir()
    for year, part in data.groupby("time.year"):
        part.sortby("lat").to_netcdf(root / "msl" / f"msl_{year}_2.5deg.nc")
    return root


def as_weatherbench_2(data, root):
    store = data.rename({"msl": "mean_sea_level_pressure", "lat": "latitude", "lon": "longitude"})
    store.transpose("time", "longitude", "latitude").to_zarr(root / "wb2.zarr", zarr_format=2)
    return root / "wb2.zarr"


def flipped(data, root):
    data.isel(lat=slice(None, None, -1)).to_netcdf(root / "flipped.nc")
    return root / "flipped.nc"


def from_0_to_360(data, root):
    data.assign_coords(lon=("lon", data.lon.values % 360, data.lon.attrs)).sortby("lon").to_netcdf(root / "turn.nc")
    return root / "turn.nc"


def from_minus_180(data, root):
    lon = (data.lon.values + 180) % 360 - 180
    data.assign_coords(lon=("lon", lon, data.lon.attrs)).sortby("lon").to_netcdf(root / "half.nc")
    return root / "half.nc"


def packed(data, root):
    """With the packing that the record had, so that no digit changes: rounded anew, it would be other data."""
    with xr.open_dataset(sample_path("era5_natl_msl"), mask_and_scale=False) as raw:
        (name,) = raw.data_vars
        packing = {key: raw[name].attrs[key] for key in ("scale_factor", "add_offset")}
    data.to_netcdf(root / "packed.nc", encoding={"msl": {"dtype": "int16", "_FillValue": -32768, **packing}})
    return root / "packed.nc"


@pytest.mark.parametrize(
    "write", [as_weatherbench_1, as_weatherbench_2, flipped, from_0_to_360, from_minus_180, packed]
)
def test_the_same_sensors_however_the_record_is_written(record, expected, tmp_path, write):
    plan = plan_of(write(record, tmp_path))
    assert plan.sites.fingerprint == expected.sites.fingerprint
    np.testing.assert_array_equal(plan.selected, expected.selected)
