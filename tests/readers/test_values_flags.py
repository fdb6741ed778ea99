"""Quality flags, valid ranges and default fills: applied or said to be ignored, and never forecast."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynst.readers import Hints, read

STEPS, SITES = 60, 12
BAD = np.random.default_rng(3).random((STEPS, SITES)) < 0.05
VALUES = np.random.default_rng(0).normal(10, 2, (STEPS, SITES)).astype("f4")
WILD = np.where(BAD, VALUES + 15, VALUES).astype("f4")
MEANINGS = "no_qc good probably_good probably_bad bad missing"
OCEAN_SITES = {"flag_values": np.array([0, 1, 2, 3, 4, 9], "i1"), "flag_meanings": MEANINGS}
HOURS = ("time", np.arange(STEPS) * 1.0, {"units": "hours since 2021-01-01"})
NAMES = [f"S{i:02d}" for i in range(SITES)]


def values_of(field):
    return field.series.read(0, field.steps)[:, :, 0]


def notes(field):
    return " | ".join(field.origin.notes)


def stations(path, flag, attrs=None, name="TEMP_QC", of=None):
    of = of or {"ancillary_variables": name}
    rng = np.random.default_rng(1)
    xr.Dataset(
        {
            "TEMP": (("time", "station"), WILD, {"units": "degC", "standard_name": "sea_water_temperature", **of}),
            name: (("time", "station"), flag, attrs or {}),
            "id": ("station", np.array(NAMES), {"cf_role": "timeseries_id"}),
        },
        {
            "time": HOURS,
            "lat": ("station", rng.uniform(40, 50, SITES), {"units": "degrees_north"}),
            "lon": ("station", rng.uniform(0, 10, SITES), {"units": "degrees_east"}),
        },
    ).to_netcdf(path)
    return read(str(path))


def grid(path, flag, attrs=None, *, name="sst_flags", of=None, values=WILD, zarr=False):
    shaped = [np.asarray(array).reshape(STEPS, 3, 4) for array in (values, flag)]
    data = xr.Dataset(
        {
            "sst": (
                ("time", "lat", "lon"),
                shaped[0],
                {"units": "K", **({"ancillary_variables": name} if of is None else of)},
            ),
            name: (("time", "lat", "lon"), shaped[1], attrs or {}),
        },
        {
            "time": HOURS,
            "lat": ("lat", np.linspace(50, 48, 3), {"units": "degrees_north"}),
            "lon": ("lon", np.linspace(0, 3, 4), {"units": "degrees_east"}),
        },
    )
    data.to_zarr(path, consolidated=False) if zarr else data.to_netcdf(path)
    return read(str(path))


def applied(field, channel):
    assert [c.name for c in field.channels] == [channel]
    found = values_of(field)
    np.testing.assert_array_equal(np.isnan(found), BAD)
    np.testing.assert_allclose(found[~BAD], VALUES[~BAD], atol=1e-4)
    assert f"{BAD.sum()} values that quality flags call bad or missing are read as missing" in notes(field)
    assert f"which are applied to {channel}" in notes(field)


def test_flags_of_stations_by_their_meanings(tmp_path):
    attrs = OCEAN_SITES | {"standard_name": "sea_water_temperature status_flag"}
    applied(stations(tmp_path / "buoys.nc", np.where(BAD, 4, 1).astype("i1"), attrs), "TEMP")


@pytest.mark.parametrize("of", [{"ancillary_variables": "TEMP_QC"}, {"comment": "no link but the name"}])
def test_flags_of_stations_without_meanings_count_as_oceansites_does(tmp_path, of):
    applied(stations(tmp_path / "buoys.nc", np.where(BAD, 9, 1).astype("i1"), of=of), "TEMP")


def test_flags_as_characters(tmp_path):
    applied(stations(tmp_path / "argo.nc", np.where(BAD, b"3", b"2")), "TEMP")


def test_flags_that_nobody_can_read_are_said_to_be_ignored(tmp_path):
    field = stations(tmp_path / "buoys.nc", np.where(BAD, 77, 50).astype("i2"))
    assert [c.name for c in field.channels] == ["TEMP"]
    assert not field.has_missing
    assert "TEMP_QC is not used: it holds flags, which are not applied" in notes(field)


def test_masks_of_a_grid(tmp_path):
    attrs = {"flag_masks": np.array([1, 2, 4], "i1"), "flag_meanings": "ice sensor_failed near_coast"}
    rng = np.random.default_rng(5)
    flag = (np.where(BAD, 2, 0) + rng.integers(0, 2, BAD.shape) + 4 * rng.integers(0, 2, BAD.shape)).astype("i1")
    applied(grid(tmp_path / "sst.nc", flag, attrs), "sst")


def test_quality_levels_of_a_satellite_in_zarr(tmp_path):
    words = "no_data bad_data worst_quality low_quality acceptable_quality best_quality"
    attrs = {"flag_values": np.arange(6, dtype="i1"), "flag_meanings": words}
    applied(
        grid(tmp_path / "sst.zarr", np.where(BAD, 1, 5).astype("i1"), attrs, name="quality_level", zarr=True), "sst"
    )


def test_flags_of_another_kind_mask_nothing(tmp_path):
    attrs = {"flag_values": np.array([0, 1], "i1"), "flag_meanings": "open_sea ice"}
    field = grid(tmp_path / "sst.nc", BAD.astype("i1"), attrs)
    assert [c.name for c in field.channels] == ["sst"]
    assert not field.has_missing


def test_flags_of_a_mesh(tmp_path):
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0))
    corner = np.array([[4 * r + c for r in range(2) for c in range(3)]]).T
    faces = np.concatenate([corner + np.array([0, 1, 4]), corner + np.array([1, 5, 4])])
    mesh = {"cf_role": "mesh_topology", "node_coordinates": "nx ny", "face_node_connectivity": "faces"}
    qartod = {
        "flag_values": np.array([1, 2, 3, 4, 9], "i1"),
        "flag_meanings": "pass not_evaluated suspect fail missing",
    }
    xr.Dataset(
        {
            "mesh": ((), 0, mesh),
            "nx": ("node", x.ravel(), {"standard_name": "projection_x_coordinate", "units": "m"}),
            "ny": ("node", y.ravel(), {"standard_name": "projection_y_coordinate", "units": "m"}),
            "faces": (("face", "corner"), faces.astype("i4"), {"start_index": 0}),
            "zeta": (("time", "node"), WILD, {"units": "m", "ancillary_variables": "zeta_qartod"}),
            "zeta_qartod": (("time", "node"), np.where(BAD, 4, 1).astype("i1"), qartod),
        },
        {"time": HOURS},
    ).to_netcdf(tmp_path / "mesh.nc")
    field = read(str(tmp_path / "mesh.nc"))
    assert [c.name for c in field.channels] == ["zeta"]
    np.testing.assert_array_equal(np.isnan(values_of(field)), BAD)
    assert "zeta_qartod is not used: it holds quality flags, which are applied to zeta" in notes(field)


def places(folder):
    rng = np.random.default_rng(2)
    lat, lon = rng.uniform(40, 50, SITES), rng.uniform(0, 10, SITES)
    pd.DataFrame({"station": NAMES, "lat": lat, "lon": lon}).to_csv(folder / "places.csv", index=False)
    return Hints(stations=str(folder / "places.csv"))


@pytest.mark.parametrize("column", ["temp_qc", "QC_temp", "temp flag", "quality_flag"])
def test_a_column_of_flags_in_a_long_table(tmp_path, column):
    step, site = np.divmod(np.arange(STEPS * SITES), SITES)
    when = pd.date_range("2021-01-01", periods=STEPS, freq="h")
    frame = pd.DataFrame({"time": when[step], "station": np.array(NAMES)[site], "temp": WILD.ravel()})
    frame[column] = np.where(BAD, 4, 1).ravel()
    frame.to_csv(tmp_path / "long.csv", index=False)
    field = read(str(tmp_path / "long.csv"), hints=places(tmp_path))
    assert [c.name for c in field.channels] == ["temp"]
    np.testing.assert_array_equal(np.isnan(values_of(field)), BAD)
    assert f"{BAD.sum()} values that quality flags call bad or missing are read as missing" in notes(field)


def test_columns_of_flags_in_a_wide_table(tmp_path):
    frame = pd.DataFrame(WILD, columns=NAMES, index=pd.date_range("2021-01-01", periods=STEPS, freq="h", name="time"))
    for i, name in enumerate(NAMES):
        frame[f"{name}_QC"] = np.where(BAD[:, i], 3, 2)
    frame.to_csv(tmp_path / "wide.csv")
    field = read(str(tmp_path / "wide.csv"), hints=places(tmp_path))
    assert list(field.sites.name) == NAMES
    np.testing.assert_array_equal(np.isnan(values_of(field)), BAD)


def test_a_station_that_is_called_like_a_flag_stays(tmp_path):
    names = ["ON", "QC", *NAMES[2:]]
    index = pd.date_range("2021-01-01", periods=STEPS, freq="h", name="time")
    pd.DataFrame(VALUES, columns=names, index=index).to_csv(tmp_path / "wide.csv")
    hints = places(tmp_path)
    text = (tmp_path / "places.csv").read_text().replace("S00", "ON").replace("S01", "QC")
    (tmp_path / "places.csv").write_text(text)
    assert "QC" in read(str(tmp_path / "wide.csv"), hints=hints).sites.name


@pytest.mark.parametrize("attrs", [{"valid_range": np.float32([0, 19])}, {"valid_min": 0.0, "valid_max": 19.0}])
@pytest.mark.parametrize("write", ["grid", "stations"])
def test_values_outside_the_valid_range_are_missing(tmp_path, attrs, write):
    extra = np.ones_like(BAD).astype("i1")
    if write == "grid":
        field = grid(tmp_path / "a.nc", extra, name="sst_qc", of=attrs)
    else:
        field = stations(tmp_path / "a.nc", extra, of=attrs)
    np.testing.assert_array_equal(np.isnan(values_of(field)), WILD > 19)
    assert f"{(WILD > 19).sum()} values outside the valid range" in notes(field)


def test_a_valid_range_of_packed_values_speaks_of_what_is_stored(tmp_path):
    packed = np.round(WILD * 100).astype("i2")
    attrs = {"scale_factor": 0.01, "valid_range": np.array([0, 1900], "i2")}
    field = grid(tmp_path / "a.nc", np.ones_like(packed), name="sst_qc", of=attrs, values=packed)
    np.testing.assert_array_equal(np.isnan(values_of(field)), packed > 1900)


@pytest.mark.parametrize(("kind", "fill"), [("i2", -32767), ("i4", -2147483647), ("u2", 65535)])
@pytest.mark.parametrize("write", ["grid", "stations"])
def test_the_default_fill_of_whole_numbers_is_missing(tmp_path, kind, fill, write):
    packed = np.where(BAD, fill, np.round(VALUES * 100)).astype(kind)
    if write == "grid":
        field = grid(tmp_path / "a.nc", np.ones((STEPS, SITES), "i1"), name="sst_qc", of={}, values=packed)
    else:
        stations(tmp_path / "a.nc", np.ones((STEPS, SITES), "i1"))
        with xr.open_dataset(tmp_path / "a.nc", decode_cf=False) as data:
            whole = data.load().assign(TEMP=(("time", "station"), packed, {"units": "degC"}))
        whole.to_netcdf(tmp_path / "b.nc")
        field = read(str(tmp_path / "b.nc"))
    np.testing.assert_array_equal(np.isnan(values_of(field)), BAD)
    np.testing.assert_allclose(values_of(field)[~BAD], packed[~BAD])
