"""Every trap of a gridded file: names, masks, missing values, levels, projections, choice of channels."""

import numpy as np
import pyproj
import pytest
import xarray as xr

from dynst.domain import Frame
from dynst.domain.space import EARTH_RADIUS_KM
from dynst.errors import ConfigError, DataError
from dynst.readers import read


def values_of(field):
    return field.series.read(0, field.steps)


@pytest.mark.parametrize(
    ("dims", "attrs"),
    [
        (("TIME", "COADSY", "COADSX"), [{}, {"units": "degrees_north"}, {"units": "degrees_east"}]),
        (("valid_time", "latitude", "longitude"), [{}, {}, {}]),
        (("a", "b", "c"), [{"standard_name": "time"}, {"standard_name": "latitude"}, {"standard_name": "longitude"}]),
        (("month", "nav_lat", "nav_lon"), [{}, {}, {}]),
    ],
)
def test_dimensions_are_found_by_role(tmp_path, dims, attrs):
    coords = dict(zip(dims, (np.arange(12), [10.0, 20.0], [1.0, 2.0, 3.0]), strict=True))
    data = xr.Dataset(
        {"v": (dims, np.random.default_rng(0).random((12, 2, 3), dtype="f4"))},
        {dim: (dim, coords[dim], attr) for dim, attr in zip(dims, attrs, strict=True)},
    )
    data.to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"))
    assert (field.steps, field.layout.shape) == (12, (2, 3))
    assert field.sites.y.tolist() == [20.0] * 3 + [10.0] * 3


def test_areas_of_a_global_grid_with_pole_rows_add_up_to_the_sphere(grid_file):
    field = read(grid_file(lat=np.linspace(-90, 90, 7), lon=np.arange(0, 360, 45.0)))
    assert field.layout.periodic
    assert field.sites.area.sum() == pytest.approx(4 * np.pi * EARTH_RADIUS_KM**2)
    assert len(set(field.sites.name)) == 56


def test_never_valid_cells_are_no_sites_and_gaps_stay_nan(grid_file):
    values = np.ones((40, 3, 4), "f4")
    values[:, 0, 0] = np.nan
    values[7, 1, 1] = np.nan
    field = read(grid_file(values=values))
    assert len(field.sites) == 11
    assert field.has_missing
    assert np.isnan(values_of(field)).sum() == 1
    assert any("1 of 12 cells never hold a value" in note for note in field.origin.notes)


def test_two_declared_fill_values_are_both_missing(tmp_path):
    import netCDF4

    with netCDF4.Dataset(tmp_path / "x.nc", "w") as data:
        for dim, size in (("time", 30), ("lat", 2), ("lon", 2)):
            data.createDimension(dim, size)
            data.createVariable(dim, "f8", (dim,))[:] = np.arange(size)
        v = data.createVariable("v", "f4", ("time", "lat", "lon"), fill_value=-1e34)
        v.missing_value = np.float32(-999)
        v.set_auto_mask(False)
        v[...] = 1.0
        v[3, 0, 0], v[4, 0, 0] = -999, -1e34
    assert np.flatnonzero(np.isnan(values_of(read(str(tmp_path / "x.nc")))[:, 2, 0])).tolist() == [3, 4]


def test_infinite_and_huge_values_are_missing_and_noted(grid_file):
    values = np.ones((40, 3, 4), "f4")
    values[0, 0, 0], values[1, 0, 0], values[2, 0, 0] = np.inf, -np.inf, 9.96921e36
    field = read(grid_file(values=values))
    assert np.isnan(values_of(field)).sum() == 3
    notes = " ".join(field.origin.notes)
    assert "2 infinite values" in notes
    assert "1 values beyond 1e+30" in notes


def test_unsigned_bytes_are_unpacked(grid_file):
    raw = np.full((40, 3, 4), -1, "i1")
    path = grid_file(values=raw, attrs={"_Unsigned": "true", "scale_factor": 0.5})
    np.testing.assert_array_equal(values_of(read(path)), 127.5)


MASK = np.array([[0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ("name", "mask", "attrs"),
    [
        ("land_mask", MASK.astype("i1"), {"flag_values": np.array([0, 1], "i1"), "flag_meanings": "sea land"}),
        ("lsm", MASK.astype("f4"), {"standard_name": "land_binary_mask"}),
        ("mask", (1 - MASK).astype("i4"), {"flag_values": np.array([0, 1], "i4"), "flag_meanings": "land sea"}),
        ("ocean_mask", (1 - MASK).astype("f8"), {}),
    ],
)
def test_a_land_mask_removes_land_from_a_sea_quantity(grid_file, name, mask, attrs):
    field = read(grid_file(var="sst", extra={name: (("lat", "lon"), mask, attrs)}))
    assert len(field.sites) == 10
    assert not any(
        (lon, lat) in {(5.0, 50.0), (7.0, 51.0)} for lon, lat in zip(field.sites.x, field.sites.y, strict=True)
    )
    assert any("land by" in note for note in field.origin.notes)


def test_a_land_mask_leaves_the_air_alone(grid_file):
    field = read(grid_file(var="t2m", extra={"lsm": (("lat", "lon"), MASK.astype("f4"))}))
    assert len(field.sites) == 12
    assert any("lsm is not applied" in note for note in field.origin.notes)


def test_sea_and_air_in_one_file_are_masked_apart(grid_file):
    sst = (("time", "lat", "lon"), np.ones((40, 3, 4), "f4"), {"units": "degC"})
    field = read(grid_file(var="t2m", extra={"sst": sst, "lsm": (("lat", "lon"), MASK.astype("f4"))}))
    assert len(field.sites) == 12
    assert np.isnan(values_of(field)).any(axis=0).sum(axis=0).tolist() == [2, 0]  # sst, t2m


def test_static_and_descriptive_variables_are_left_aside_and_named(grid_file):
    count = (("time", "lat", "lon"), np.ones((40, 3, 4), "i2"), {"long_name": "count of observations"})
    flag = (("time", "lat", "lon"), np.ones((40, 3, 4), "i2"), {"flag_values": np.array([0, 1], "i2")})
    path = grid_file(extra={"orog": (("lat", "lon"), np.ones((3, 4))), "nobs": count, "quality": flag})
    field = read(path)
    assert [channel.name for channel in field.channels] == ["t"]
    notes = " ".join(field.origin.notes)
    assert all(name in notes for name in ("orog is not used", "nobs is not used", "quality is not used"))
    with pytest.raises(ConfigError, match="orog cannot be used: it is static"):
        read(path, observe=["orog"])


def test_a_dimension_of_length_one_is_no_obstacle(grid_file, tmp_path):
    data = xr.open_dataset(grid_file()).load().expand_dims(number=[0], axis=1)
    data.to_netcdf(tmp_path / "member.nc")
    assert read(str(tmp_path / "member.nc")).layout.shape == (3, 4)


def test_an_ensemble_must_be_narrowed_first(grid_file, tmp_path):
    data = xr.concat([xr.open_dataset(grid_file()).load()] * 2, "number")
    data.to_netcdf(tmp_path / "members.nc")
    with pytest.raises(DataError, match="dimension number of 2; select one"):
        read(str(tmp_path / "members.nc"))


def test_observe_and_predict(weather, tmp_path):
    weather.to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"), observe=["t2m"], predict=["z"])
    assert [c.name for c in field.channels] == ["t2m", "z500", "z850"]
    assert (field.observed.tolist(), field.predicted.tolist()) == ([0], [1, 2])
    only = read(str(tmp_path / "x.nc"), observe=["z850"], predict=["z850"])
    np.testing.assert_array_equal(values_of(only)[..., 0], values_of(field)[..., 2])


def test_an_unknown_channel_names_the_nearest(weather, tmp_path):
    weather.to_netcdf(tmp_path / "x.nc")
    with pytest.raises(ConfigError, match=r'channel "z50" is unknown. Did you mean "z850"'):
        read(str(tmp_path / "x.nc"), observe=["z50"])


def test_more_than_eight_channels_must_be_named(weather, tmp_path):
    many = weather.z.isel(level=[0] * 9).assign_coords(level=np.arange(100, 1000, 100)).to_dataset()
    many.to_netcdf(tmp_path / "x.nc")
    with pytest.raises(ConfigError, match=r"offers 9 channels: z100, .*--observe"):
        read(str(tmp_path / "x.nc"))
    field = read(str(tmp_path / "x.nc"), observe=["z900", "z200"], predict=["z200"])
    assert [c.name for c in field.channels] == ["z200", "z900"]


def test_variables_are_joined_on_the_times_they_share(weather, tmp_path):
    weather[["t2m"]].isel(time=slice(0, 50)).to_netcdf(tmp_path / "a.nc")
    weather[["z"]].isel(time=slice(10, 60)).to_netcdf(tmp_path / "b.nc")
    field = read(str(tmp_path / "*.nc"))
    np.testing.assert_array_equal(field.time, weather.time.values[10:50])
    assert any("10 of 50 steps of t2m are left out" in note for note in field.origin.notes)


def test_files_in_any_order_and_flipped_apart_give_one_record(weather, tmp_path):
    t2m = weather[["t2m"]]
    t2m.isel(time=slice(30, 60)).to_netcdf(tmp_path / "a.nc")
    t2m.isel(time=slice(0, 30), lat=slice(None, None, -1)).to_netcdf(tmp_path / "b.nc")
    t2m.to_netcdf(tmp_path / "whole.nc")
    parts = read(str(tmp_path / "[ab].nc"))
    np.testing.assert_array_equal(values_of(parts), values_of(read(str(tmp_path / "whole.nc"))))
    assert len(parts.runs) == 1


def test_unsorted_times_are_sorted_with_their_values(grid_file):
    time = np.datetime64("2020-01-01", "ns") + np.arange(40) * np.timedelta64(1, "h")
    values = np.random.default_rng(2).random((40, 3, 4), dtype="f4")
    order = np.random.default_rng(3).permutation(40)
    field = read(grid_file("mixed.nc", time=time[order], values=values[order]))
    np.testing.assert_array_equal(values_of(field), values_of(read(grid_file("plain.nc", time=time, values=values))))
    assert "the times were not in order and were sorted" in field.origin.notes
    backwards = read(grid_file("back.nc", time=time[::-1], values=values[::-1]))
    np.testing.assert_array_equal(values_of(field), values_of(backwards))


def test_a_gap_in_time_cuts_the_record_into_runs(grid_file):
    time = np.datetime64("2020-01-01", "ns") + np.r_[0:20, 25:45] * np.timedelta64(1, "h")
    field = read(grid_file(time=time))
    assert field.runs == [(0, 20), (20, 40)]
    assert field.cadence == "1 h"
    assert any("1 gap in time cut the record into 2 runs" in note for note in field.origin.notes)


def test_curvilinear_cells_keep_their_neighbours(tmp_path):
    j, i = np.meshgrid(np.arange(6), np.arange(5), indexing="ij")
    lat, lon = 60 + 0.1 * j + 0.02 * i, 5 + 0.2 * i - 0.05 * j
    values = np.random.default_rng(0).random((30, 6, 5), dtype="f4")
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(30) * np.timedelta64(1, "h"),
        "nav_lat": (("j", "i"), lat, {"units": "degrees_north"}),
        "nav_lon": (("j", "i"), lon % 360, {"units": "degrees_east"}),
    }
    xr.Dataset({"v": (("time", "j", "i"), values)}, coords).to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"))
    assert field.layout.shape == (6, 5)
    np.testing.assert_allclose(field.layout.fold(field.sites.y), lat[::-1], atol=1e-6)
    np.testing.assert_allclose(field.layout.fold(field.sites.x), lon[::-1], atol=1e-6)
    np.testing.assert_array_equal(values_of(field)[..., 0].reshape(30, 6, 5), values[:, ::-1])
    turned = xr.open_dataset(tmp_path / "x.nc").load().transpose("i", "time", "j").isel(i=slice(None, None, -1))
    turned.to_netcdf(tmp_path / "turned.nc")
    np.testing.assert_array_equal(values_of(read(str(tmp_path / "turned.nc"))), values_of(field))
    # one cell of 0.1 x 0.2 degrees, sheared
    expected = EARTH_RADIUS_KM**2 * np.radians(1) ** 2 * abs(0.1 * 0.2 + 0.05 * 0.02) * np.cos(np.radians(60.3))
    assert field.sites.area.mean() == pytest.approx(expected, rel=0.01)


def projected(tmp_path, mapping, *, units="m", scale=1.0):
    x, y = np.arange(0, 50_000, 10_000.0), np.arange(7_000_000, 7_030_000, 10_000.0)
    data = xr.Dataset(
        {"v": (("time", "y", "x"), np.random.default_rng(0).random((30, 3, 5), dtype="f4"), {"grid_mapping": "crs"})},
        {
            "time": np.datetime64("2020-01-01", "ns") + np.arange(30) * np.timedelta64(1, "h"),
            "x": ("x", (500_000 + x) * scale, {"units": units, "standard_name": "projection_x_coordinate"}),
            "y": ("y", y * scale, {"units": units, "standard_name": "projection_y_coordinate"}),
        },
    )
    if mapping is not None:
        data["crs"] = ((), 0, mapping)
    else:
        del data.v.attrs["grid_mapping"]
    data.to_netcdf(tmp_path / "x.nc")
    return read(str(tmp_path / "x.nc"))


@pytest.mark.parametrize(("units", "scale"), [("m", 1.0), ("km", 0.001)])
def test_projected_grids_keep_metres_and_know_their_place_on_the_earth(tmp_path, units, scale):
    field = projected(tmp_path, pyproj.CRS.from_epsg(32632).to_cf(), units=units, scale=scale)
    assert field.sites.frame is Frame.PROJECTED
    assert pyproj.CRS.from_user_input(field.sites.crs).to_epsg() == 32632
    assert field.sites.y[0] == 7_020_000.0
    np.testing.assert_allclose(field.sites.area, 100.0)  # 10 km x 10 km
    assert field.sites.longitude[0] == pytest.approx(9.0, abs=1e-6)  # the zone's central meridian is x = 500 km
    assert 63 < field.sites.latitude[0] < 64


def test_a_grid_in_metres_without_a_projection_is_planar(tmp_path):
    field = projected(tmp_path, None)
    assert field.sites.frame is Frame.PLANAR
    assert field.sites.longitude is None
    assert any("no map projection" in note for note in field.origin.notes)


def test_a_projection_that_nobody_knows_is_one_clear_line(tmp_path):
    with pytest.raises(DataError, match="projection crs cannot be understood"):
        projected(tmp_path, {"grid_mapping_name": "dream_of_mercator"})


def test_a_rotated_pole_is_turned_back(tmp_path):
    crs = pyproj.CRS.from_cf(
        {
            "grid_mapping_name": "rotated_latitude_longitude",
            "grid_north_pole_latitude": 39.25,
            "grid_north_pole_longitude": -162.0,
        }
    )
    data = xr.Dataset(
        {"v": (("time", "rlat", "rlon"), np.ones((30, 3, 3), "f4"), {"grid_mapping": "pole"})},
        {
            "time": np.arange(30),
            "rlat": ("rlat", [-1.0, 0.0, 1.0], {"units": "degrees", "standard_name": "grid_latitude"}),
            "rlon": ("rlon", [-1.0, 0.0, 1.0], {"units": "degrees", "standard_name": "grid_longitude"}),
        },
    )
    data["pole"] = ((), 0, crs.to_cf())
    data.to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"))
    assert field.sites.frame is Frame.GEOGRAPHIC
    # the centre of a rotated grid lies 90 degrees south of its pole, beyond the true pole
    assert (field.sites.x[4], field.sites.y[4]) == (pytest.approx(18.0, abs=1e-4), pytest.approx(50.75, abs=1e-4))


def test_a_calendar_without_civil_dates_counts_steps(grid_file):
    time = ("time", np.arange(40) + 0.5, {"units": "days since 2000-01-01", "calendar": "360_day"})
    field = read(grid_file(time=time))
    np.testing.assert_array_equal(field.time, np.arange(40))
    assert field.cadence == "1 day"
    assert any("360_day" in note for note in field.origin.notes)
