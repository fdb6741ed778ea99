"""Each malformed file gives its own line: what was wrong, what came, what to do."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dynst.errors import ConfigError, DataError
from dynst.readers import inspect, read
from dynst.readers.netcdf3 import expected_size

HERE = Path(__file__).parent
HOURS = np.datetime64("2020-01-01", "ns") + np.arange(30) * np.timedelta64(1, "h")


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("empty.nc", r"empty.nc: the file is empty \(0 bytes\)"),
        ("text_renamed.nc", r"text_renamed.nc: not a netCDF file: it starts with 'station,lat,lon' \(text\)"),
        ("cut_off_netcdf3.nc", r"cut_off_netcdf3.nc: the header is damaged: the file is not whole \(6 bytes\)"),
        ("cut_off_netcdf4.nc", r"cut_off_netcdf4.nc: cannot be opened as netcdf: .*Is the file whole"),
        (
            "forecast.grib",
            r"forecast.grib: (reading GRIB needs the package cfgrib: pip install dynst\[grib\]|cannot be opened)",
        ),
        ("no_such_file.nc", r"no_such_file.nc: no such file, folder or pattern"),
        ("*.zip", r"no such file, folder or pattern"),
        ("", r"the folder holds no"),
    ],
)
def test_files_that_are_no_grid(file, message, tmp_path):
    path = HERE / file if file else tmp_path
    with pytest.raises(DataError, match=message) as caught:
        read(str(path))
    assert "\n" not in str(caught.value)


def dataset(time=HOURS, lat=(50.0, 51.0, 52.0), lon=(4.0, 5.0, 6.0), values=None):
    shape = (len(time), len(lat), len(lon))
    return xr.Dataset(
        {"t": (("time", "lat", "lon"), np.ones(shape, "f4") if values is None else values)},
        {"time": ("time", time), "lat": ("lat", np.asarray(lat)), "lon": ("lon", np.asarray(lon))},
    )


def repeated_meridian():
    return dataset(lon=np.linspace(0, 360, 13))


def repeated_columns():
    return dataset(lon=(0.0, 90.0, 180.0, 270.0, 360.0, 450.0))


def repeated_parallel():
    return dataset(lat=(50.0, 51.0, 51.0))


def all_missing():
    return dataset(values=np.full((30, 3, 3), np.nan, "f4"))


def static():
    return dataset().isel(time=0, drop=True)


def single_date():
    return dataset().isel(time=0)


def repeated_times():
    return numbered(time=np.r_[HOURS[:20], HOURS[5:15]])


def numbered(**parts):
    """Values that differ at each step."""
    data = dataset(**parts)
    return data + xr.DataArray(np.arange(data.sizes["time"]), dims="time")


def uneven():
    return dataset(time=HOURS[0] + np.cumsum(np.random.default_rng(0).integers(1, 50, 30)) * np.timedelta64(1, "h"))


def swapped():
    return dataset(lat=(120.0, 121.0, 122.0))


def lost_coordinate():
    return dataset(lat=(50.0, np.nan, 52.0))


def nameless_dimensions():
    return xr.Dataset({"t": (("time", "p", "q"), np.ones((30, 3, 3)))}, {"time": HOURS})


def stations():
    return xr.Dataset(
        {"t": (("time", "station"), np.ones((30, 3)))},
        {"time": HOURS, "lat": ("station", [1.0, 2.0, 3.0]), "lon": ("station", [1.0, 2.0, 3.0])},
    )


def mesh():
    data = xr.Dataset({"t": (("time", "node"), np.ones((30, 3)))}, {"time": HOURS})
    return data.assign(mesh2d=((), 0, {"cf_role": "mesh_topology"}))


def no_steps():
    return dataset(time=HOURS[:0])


def nothing():
    return xr.Dataset()


def repeated_ocean_columns():
    lat, lon = np.meshgrid(np.linspace(-60, 60, 4), np.arange(10) * 45.0, indexing="ij")  # the last two come again
    coords = {"time": HOURS, "nav_lat": (("y", "x"), lat), "nav_lon": (("y", "x"), lon)}
    return xr.Dataset({"t": (("time", "y", "x"), np.ones((30, 4, 10), "f4"))}, coords)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            repeated_meridian,
            r"x.nc: longitude repeats: 0 and 360 are the same meridian \(12 distinct of 13 values\). "
            r"Drop the last column before reading.",
        ),
        (repeated_columns, r"longitude repeats: .* \(4 distinct of 6 values\). Drop the repeated columns"),
        (repeated_parallel, r"latitude repeats: 51 comes more than once"),
        (repeated_ocean_columns, r"longitude repeats: .*\(8 distinct of 10 columns\). Drop the last 2 columns"),
        (all_missing, r"x: t has no value at any time and place"),
        (static, r"x.nc: no variable varies in time: t \(3 x 3\) is static"),
        (single_date, r"x.nc: no variable varies in time: t \(3 x 3\) is static"),
        (
            repeated_times,
            r"x.nc and x.nc from step 20 on: time repeats: 2020-01-01T05:00 .* hold the same period \(10 such steps\)",
        ),
        (uneven, r"x: the times are uneven: steps of .* Resample to an even step"),
        (swapped, r"latitude 122 is outside \[-90, 90\]"),
        (lost_coordinate, r"coordinate lat has 1 values that are no number"),
        (nameless_dimensions, r"no variable with a time dimension and a grid .*\(time, p, q\)"),
        (mesh, r"x.nc: holds a mesh, but mesh2d names no two node_coordinates that are there \(none\)"),
        (no_steps, r"dimension time has length 0"),
        (nothing, r"seen: nothing"),
    ],
)
def test_grids_that_cannot_be_used(make, message, tmp_path):
    make().to_netcdf(tmp_path / "x.nc")
    with pytest.raises(DataError, match=message) as caught:
        read(str(tmp_path / "x.nc"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message", "url"),
    [
        (stations, r"x.nc: holds a series at 3 stations .* Give that one", "{}"),
        (mesh, "x.nc: holds a mesh, .* Give that one", "file://{}/x.nc"),
    ],
)
def test_stations_and_meshes_among_grids_are_to_be_given_by_themselves(make, message, url, tmp_path):
    make().to_netcdf(tmp_path / "x.nc")
    with pytest.raises(DataError, match=f"{message} file itself, not its folder"):
        read(url.format(tmp_path))


def test_files_of_one_period_with_other_values_are_both_named(tmp_path):
    dataset(time=HOURS[:20]).to_netcdf(tmp_path / "a.nc")
    (dataset(time=HOURS[:20]) + 1).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(DataError, match=r"a.nc and b.nc: time repeats: 2020-01-01T00:00 .* look like members"):
        read(str(tmp_path / "*.nc"))


def test_variables_of_two_periods_share_no_time(tmp_path):
    dataset(time=HOURS[:15]).to_netcdf(tmp_path / "a.nc")
    dataset(time=HOURS[15:]).rename(t="u").to_netcdf(tmp_path / "b.nc")
    with pytest.raises(DataError, match="share no time"):
        read(str(tmp_path / "*.nc"))


def test_an_unreachable_url_is_one_clear_line(tmp_path):
    with pytest.raises(DataError, match=r"memory://nowhere/x.nc: nothing is there"):
        read("memory://nowhere/x.nc", cache_dir=tmp_path)
    with pytest.raises(DataError, match=r'nosuchprotocol://x: the protocol "nosuchprotocol://" is unknown'):
        read("nosuchprotocol://x", cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("url", "module", "package"),
    [("https://x.org/x.nc", "fsspec.implementations.http", "aiohttp"), ("s3://bucket/x.nc", "s3fs", "s3fs")],
)
def test_a_url_whose_package_is_missing_names_the_package(url, module, package, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["fsspec.registry"], "_registry", {})  # as in a fresh process
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"needs the package {package}: pip install {package}$") as caught:
        read(url, cache_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_one_clear_line_and_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    for path in ("/dev/null", str(tmp_path / "pipe.nc"), str(tmp_path / "*.nc")):
        with pytest.raises(DataError, match=r"^[^ ]+: neither a file nor a folder, [^:]*$"):
            read(path)
        with pytest.raises(DataError, match=r"^[^ ]+: neither a file nor a folder, [^:]*$"):
            inspect(path)
    with pytest.raises(DataError, match=r"cannot be looked at: File name too long"):
        read("x" * 5000)


@pytest.mark.parametrize("data", ["", "  "])
def test_no_data_is_said_so(data):
    with pytest.raises(ConfigError, match="no data are named"):
        read(data)
    with pytest.raises(ConfigError, match="no data are named"):
        inspect(data)


def test_a_damaged_chunk_in_the_middle_names_the_file_and_the_variable(tmp_path):
    whole = dataset(values=np.random.default_rng(0).standard_normal((30, 3, 3)).astype("f4"))
    whole.to_zarr(tmp_path / "x.zarr", zarr_format=2, consolidated=True, encoding={"t": {"chunks": (10, 3, 3)}})
    (tmp_path / "x.zarr" / "t" / "1.0.0").write_bytes(b"no chunk")
    with pytest.raises(DataError, match=r"x.zarr: t cannot be read from step .*The file is damaged"):
        read(str(tmp_path / "x.zarr"))


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT"])
@pytest.mark.parametrize("unlimited", [False, True])
def test_a_whole_netcdf3_file_has_the_size_that_its_header_promises(tmp_path, kind, unlimited):
    data = dataset().assign(u=dataset().t.astype("i2"))
    data.to_netcdf(tmp_path / "x.nc", format=kind, unlimited_dims=["time"] if unlimited else [])
    size = (tmp_path / "x.nc").stat().st_size
    assert size - 3 <= expected_size(tmp_path / "x.nc") <= size  # but for padding


def test_a_cut_off_netcdf3_file_is_never_read_as_if_whole(tmp_path):
    dataset().to_netcdf(tmp_path / "x.nc", format="NETCDF3_64BIT")
    content = (tmp_path / "x.nc").read_bytes()
    (tmp_path / "x.nc").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"x.nc: the file is not whole: \d+ of \d+ bytes"):
        read(str(tmp_path / "x.nc"))
