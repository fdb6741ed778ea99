"""`dynst.fit` of xarray and pandas: the same field as from a file of the same content, and one line for bad objects."""

import gc
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dynst
from dynst.errors import ConfigError, DataError
from dynst.readers import resolve
from dynst.readers.python_data import read_data
from dynst.study.given import asked, made_in_python

QUICK = {"sensors": 3, "ladder": (0.5,), "compare": "none", "stability": False, "planner": "coverage"}
DAYS = pd.date_range("2020-01-01", periods=120, freq="D")


def grid():
    rng = np.random.default_rng(0)
    steps = np.arange(120)[:, None, None]
    lat, lon = np.linspace(60, 45, 4), np.linspace(-10, 10, 6)
    values = np.sin(steps / 5 + lat[:, None] / 9 + lon / 6) + 0.1 * rng.standard_normal((120, 4, 6))
    return xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), values.astype(np.float32), {"units": "K"})},
        {"time": DAYS, "latitude": lat, "longitude": lon},
    )


def network():
    """A wide table, its long form, and the positions."""
    rng = np.random.default_rng(1)
    names = [f"st{i:02d}" for i in range(8)]
    wide = pd.DataFrame(np.cumsum(rng.standard_normal((120, 8)), axis=0), index=DAYS, columns=names)
    wide.iloc[3, 2] = np.nan
    long = wide.rename_axis("time").reset_index().melt("time", var_name="station", value_name="flow")
    places = pd.DataFrame({"station": names, "lat": 46 + np.arange(8) / 10, "lon": 7 + np.arange(8) / 7})
    return wide, long, places


def values(field):
    return field.series.read(0, field.steps)


def same(one, other):
    np.testing.assert_array_equal(values(one), values(other))
    np.testing.assert_array_equal(one.time, other.time)
    assert one.sites.fingerprint == other.sites.fingerprint
    assert one.cadence == other.cadence
    assert [(c.name, c.units) for c in one.channels] == [(c.name, c.units) for c in other.channels]


@pytest.mark.parametrize("made", [lambda data: data, lambda data: data["t2m"], lambda data: data.chunk(time=30)])
def test_a_dataset_is_the_field_of_its_file(tmp_path, made):
    grid().to_netcdf(tmp_path / "t.nc")
    same(read_data(made(grid())), dynst.read(str(tmp_path / "t.nc")))


def test_a_dataset_opened_from_a_packed_file_is_the_field_of_that_file(tmp_path):
    packed = {"t2m": {"dtype": "int16", "scale_factor": 0.001, "add_offset": 0.0, "_FillValue": -32767}}
    grid().to_netcdf(tmp_path / "packed.nc", encoding=packed)
    with xr.open_dataset(tmp_path / "packed.nc") as opened:
        found = read_data(opened)
    same(found, dynst.read(str(tmp_path / "packed.nc")))
    assert found.name == "packed"


@pytest.mark.parametrize(("name", "decoded"), [("era5_natl_msl", True), ("coads_sst", False)])  # years before 1
def test_a_sample_is_the_same_field_through_xarray(name, decoded):
    """Real data: reading a file, and opening it in xarray first, come to the same."""
    path = resolve(f"sample:{name}")
    with xr.open_dataset(path, decode_times=decoded) as opened:
        same(read_data(opened), dynst.read(path))


def test_wide_and_long_tables_are_the_fields_of_their_files(tmp_path):
    wide, long, places = network()
    places.to_csv(tmp_path / "places.csv", index=False)
    hints = dynst.Hints(stations=str(tmp_path / "places.csv"))
    for frame, index in ((wide.rename_axis("time"), True), (long, False)):
        frame.to_csv(tmp_path / "table.csv", index=index)
        file = dynst.read(str(tmp_path / "table.csv"), hints=hints)
        same(read_data(frame, stations=places), file)
        same(read_data(frame, hints=hints), file)
    same(read_data(wide, stations=places.set_index("station")), read_data(wide, stations=places))
    same(read_data(wide.tz_localize("UTC"), stations=places), read_data(wide, stations=places))


def test_a_large_dataset_leaves_nothing_behind_when_nobody_holds_it(tmp_path, monkeypatch):
    monkeypatch.setattr("dynst.readers.gridded.IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = grid()
    field = read_data(data)
    flat = data["t2m"].values.reshape(120, 24)
    assert [path.name for path in tmp_path.glob("*/*")] == ["kept"]
    np.testing.assert_array_equal(field.series.read(100, 120)[..., 0], flat[100:])
    del field
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_positions_may_come_from_geopandas():
    import geopandas

    wide, _, places = network()
    points = geopandas.GeoDataFrame(
        places[["station"]], geometry=geopandas.points_from_xy(places["lon"], places["lat"]), crs="EPSG:4326"
    )
    found = read_data(wide, stations=points)
    np.testing.assert_allclose(found.sites.x, places["lon"], atol=1e-9)


def test_fit_takes_a_dataset_and_says_whence_the_data_came(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = dynst.fit(grid(), **QUICK, observe="t2m")
    assert run.plan.budget == 3
    known = json.loads((run.path / "provenance.json").read_text())["data"]
    assert known["path"] == "python:dataset"
    assert dynst.Study.load(run.path / "study.toml").data == "python:dataset"
    with pytest.raises(ConfigError, match="made in Python, and no file holds it"):
        dynst.score(str(run.path))


def test_fit_takes_a_table_with_its_positions(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wide, long, places = network()
    plans = [dynst.fit(frame, **QUICK, stations=places).plan for frame in (wide, long)]
    assert plans[0].selected.tolist() == plans[1].selected.tolist()
    assert set(plans[0].sites.name) == set(places["station"])


def test_channels_are_chosen_by_the_readers_own_names():
    data = grid()
    data["u10"] = data["t2m"] * 2
    study, field = asked(data, {"observe": "u10", "predict": ["t2m"], "sensors": 3})
    assert [(c.name, c.observe, c.predict) for c in made_in_python(study, field).channels] == [
        ("t2m", False, True),
        ("u10", True, False),
    ]


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ((np.zeros((3, 4)), {}), ConfigError, "an object of type ndarray came. Expected"),
        ((None, {}), ConfigError, "type NoneType came"),
        ((grid(), {"data": "x.nc"}), ConfigError, "no other data beside it"),
        ((grid(), {"stations": network()[2]}), DataError, "no series at stations"),
        ((grid(), {"observe": "wind"}), ConfigError, "wind"),
        ((grid(), {"sensor": 3}), ConfigError, 'Did you mean "sensors"'),
        ((network()[0], {}), DataError, "positions of its 8 stations are unknown"),
        ((network()[0], {"stations": 3}), ConfigError, "stations: an object of type int came"),
        ((pd.concat({"a": network()[0]}, axis=1), {}), DataError, "2 levels of column names"),
        ((grid().assign(bad=("x", np.array([object()]))), {}), DataError, "cannot be written as netCDF"),
    ],
)
def test_what_is_no_record_is_one_line_and_nothing_is_written(tmp_path, monkeypatch, given, error, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=says) as told:
        dynst.fit(given[0], **given[1])
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []
