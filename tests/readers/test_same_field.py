"""The same physical data give the same field, however they are written."""

import numpy as np
import pytest
import xarray as xr

from dynst.readers import read


def assert_same(one, other, *, atol=0.0):
    assert [(c.name, c.units) for c in one.channels] == [(c.name, c.units) for c in other.channels]
    np.testing.assert_array_equal(one.sites.x, other.sites.x)
    np.testing.assert_array_equal(one.sites.y, other.sites.y)
    np.testing.assert_array_equal(one.sites.area, other.sites.area)
    assert one.sites.fingerprint == other.sites.fingerprint
    assert one.sites.name == other.sites.name
    assert (one.layout.shape, one.layout.periodic) == (other.layout.shape, other.layout.periodic)
    np.testing.assert_array_equal(one.layout.cell, other.layout.cell)
    np.testing.assert_array_equal(one.time, other.time)
    np.testing.assert_array_equal(one.run, other.run)
    assert one.cadence == other.cadence
    mine, theirs = (field.series.read(0, field.steps) for field in (one, other))
    if atol:
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=atol)
    else:
        np.testing.assert_array_equal(mine, theirs)


@pytest.fixture
def reference(weather, tmp_path):
    weather.to_netcdf(tmp_path / "reference.nc")
    return read(str(tmp_path / "reference.nc"))


def test_the_reference_is_right(reference, weather):
    assert [channel.name for channel in reference.channels] == ["t2m", "z500", "z850"]
    assert [channel.units for channel in reference.channels] == ["K", "m2 s-2", "m2 s-2"]
    assert reference.layout.periodic
    assert reference.sites.y[0] == 78.75
    assert reference.sites.x[0] == -180.0
    one = weather.sel(lat=33.75, lon=330.0)
    site = np.flatnonzero((reference.sites.y == 33.75) & (reference.sites.x == -30.0)).item()
    np.testing.assert_array_equal(reference.series.read(0, 60)[:, site, 0], one.t2m.values)
    np.testing.assert_array_equal(reference.series.read(0, 60)[:, site, 2], one.z.sel(level=850).values)


def wb1(weather, root):
    """One folder a variable, one file a year, constants beside them."""
    for folder, variable in (("2m_temperature", "t2m"), ("geopotential", "z")):
        (root / folder).mkdir(parents=True)
        for year, part in weather[[variable]].groupby("time.year"):
            part.to_netcdf(root / folder / f"{folder}_{year}_5.625deg.nc")
    (root / "constants").mkdir()
    xr.Dataset({"orography": (("lat", "lon"), np.zeros((8, 12)))}).to_netcdf(
        root / "constants" / "constants_5.625deg.nc"
    )


def test_weatherbench_1_tree(reference, weather, tmp_path):
    wb1(weather, tmp_path / "wb1")
    assert_same(reference, read(str(tmp_path / "wb1")))


def test_weatherbench_1_one_folder_and_a_pattern(weather, tmp_path):
    wb1(weather, tmp_path / "wb1")
    folder = read(str(tmp_path / "wb1" / "2m_temperature"))
    assert_same(folder, read(str(tmp_path / "wb1" / "2m_temperature" / "*.nc")))
    assert (folder.steps, len(folder.runs)) == (60, 1)


def test_weatherbench_1_pre_cut_level_is_known_by_its_folder(weather, tmp_path):
    folder = tmp_path / "geopotential_500"
    folder.mkdir()
    cut = weather[["z"]].sel(level=500).drop_vars("level")
    cut.to_netcdf(folder / "geopotential_500hPa_2016_5.625deg.nc")
    assert [channel.name for channel in read(str(folder)).channels] == ["z500"]


def test_a_scalar_level_names_the_channel(weather, tmp_path):
    weather[["z"]].sel(level=500).to_netcdf(tmp_path / "cut.nc")
    assert [channel.name for channel in read(str(tmp_path / "cut.nc")).channels] == ["z500"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_weatherbench_2_store_with_longitude_first(reference, weather, tmp_path, zarr_format):
    store = weather.rename({"t2m": "2m_temperature", "z": "geopotential", "lat": "latitude", "lon": "longitude"})
    store = store.transpose("time", "level", "longitude", "latitude")
    encoding = {"time": {"units": "hours since 1959-01-01", "dtype": "int64"}}
    path = str(tmp_path / "wb2.zarr")
    store.to_zarr(path, zarr_format=zarr_format, consolidated=zarr_format == 2, encoding=encoding)
    assert_same(reference, read(path))


def flipped(data):
    return data.isel(lat=slice(None, None, -1))


def east_and_west(data):
    lon = (data.lon.values + 180) % 360 - 180
    return data.assign_coords(lon=("lon", lon, data.lon.attrs)).sortby("lon")


def any_order(data):
    return data.transpose("lon", "time", "lat", "level")


def levels_downwards(data):
    return data.isel(level=slice(None, None, -1))


def pascals(data):
    return data.assign_coords(level=("level", data.level.values * 100.0, {"units": "Pa"}))


def short_floats(data):
    return data.assign_coords(
        lon=("lon", data.lon.values.astype("f4"), data.lon.attrs), lat=("lat", data.lat.values.astype("f4"))
    )


@pytest.mark.parametrize("change", [flipped, east_and_west, any_order, levels_downwards, pascals, short_floats])
def test_another_layout_of_the_axes(reference, weather, tmp_path, change):
    change(weather).to_netcdf(tmp_path / "other.nc")
    assert_same(reference, read(str(tmp_path / "other.nc")))


@pytest.mark.parametrize("kind", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4"])
def test_another_netcdf(reference, weather, tmp_path, kind):
    weather.to_netcdf(tmp_path / "other.nc", format=kind)
    assert_same(reference, read(str(tmp_path / "other.nc")))


def test_packed_integers(reference, weather, tmp_path):
    scale = {"t2m": 0.001, "z": 0.1}
    packing = {
        name: {"dtype": "int16", "scale_factor": step, "add_offset": mean, "_FillValue": -32767}
        for (name, step), mean in zip(scale.items(), (280.0, 5000.0), strict=True)
    }
    weather.to_netcdf(tmp_path / "packed.nc", encoding=packing)
    packed = read(str(tmp_path / "packed.nc"))
    assert_same(reference, packed, atol=0.5 * max(scale.values()) + 1e-3)
    t2m = [field.series.read(0, 60)[..., 0] for field in (reference, packed)]
    # half a packing step, and float32's own step at 280 K
    np.testing.assert_allclose(*t2m, rtol=0, atol=0.5 * scale["t2m"] + 3.1e-5)


def test_both_conventions_of_a_region_across_greenwich_agree_to_the_last_digit(grid_file):
    east = np.array([359.6, 359.7, 359.8, 359.9, 0.0, 0.1])
    west = np.array([-0.4, -0.3, -0.2, -0.1, 0.0, 0.1])
    values = np.random.default_rng(0).standard_normal((40, 3, 6)).astype("f4")
    one = read(grid_file("one.nc", lon=east, values=values))
    assert_same(one, read(grid_file("other.nc", lon=west, values=values)))
    assert_same(one, read(grid_file("short.nc", lon=east.astype("f4"), values=values)))
    np.testing.assert_array_equal(one.sites.x[:6], west)
    assert not one.layout.periodic


def test_a_region_across_the_date_line_keeps_its_columns_side_by_side(grid_file):
    field = read(grid_file(lon=np.array([-178.0, -176.0, 176.0, 178.0, 180.0])))
    assert field.sites.x[:5].tolist() == [176.0, 178.0, -180.0, -178.0, -176.0]


@pytest.mark.parametrize("scheme", ["memory", "file"])
def test_urls(reference, weather, tmp_path, scheme):
    import fsspec

    if scheme == "file":
        weather.to_zarr(tmp_path / "store.zarr", zarr_format=2, consolidated=True)
        urls = [f"file://{tmp_path}/store.zarr", f"file://{tmp_path}/reference.nc"]
    else:
        fs = fsspec.filesystem("memory")
        weather.to_zarr("memory://url-test/store.zarr", zarr_format=2, consolidated=True)
        fs.put_file(str(tmp_path / "reference.nc"), "/url-test/reference.nc")
        urls = ["memory://url-test/store.zarr", "memory://url-test/reference.nc"]
    for url in urls:
        field = read(url, cache_dir=tmp_path / "cache")
        assert_same(reference, field)
        assert field.origin.path == url


def test_the_fingerprint_sees_content_and_not_the_clock(weather, tmp_path):
    import os

    path = tmp_path / "a.nc"
    weather.to_netcdf(path, format="NETCDF3_64BIT")  # its last bytes are plain values
    before = read(str(path)).origin.fingerprint
    os.utime(path, (1, 1))
    assert read(str(path)).origin.fingerprint == before
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert read(str(path)).origin.fingerprint != before
