"""One look at the values: codes, spikes, sensors that stand still, directions; and what is left as it is."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import dynst
from dynst.domain import ArraySeries, Channel
from dynst.domain.sites import Role
from dynst.readers import Hints, inspect, mesh_records, read, station_files
from dynst.readers.values import look

STEPS, SITES = 300, 30
HOURS = pd.date_range("2021-01-01", periods=STEPS, freq="h")
HOLES = np.random.default_rng(3).random((STEPS, SITES)) < 0.03
LAND = np.arange(SITES) < 4  # hold the code always


def weather(seed=0, mean=10.0, spread=3.0):
    """Readings `(time, site)` that remember the last step, as float32."""
    rng = np.random.default_rng(seed)
    values = np.zeros((STEPS, SITES))
    values[0] = rng.standard_normal(SITES)
    for step in range(1, STEPS):
        values[step] = 0.9 * values[step - 1] + 0.44 * rng.standard_normal(SITES)
    return (mean + spread * values).astype("f4")


def as_grid(folder, values, name="t", attrs=None, zarr=False):
    grid = values.reshape(STEPS, 5, 6)
    lat = ("lat", np.linspace(50, 46, 5), {"units": "degrees_north"})
    lon = ("lon", np.linspace(0, 5, 6), {"units": "degrees_east"})
    data = xr.Dataset({name: (("time", "lat", "lon"), grid, {"units": "K"} | (attrs or {}))}, {"lat": lat, "lon": lon})
    data["time"] = ("time", np.arange(STEPS) * 1.0, {"units": "hours since 2021-01-01"})
    path = folder / ("grid.zarr" if zarr else "grid.nc")
    if zarr:
        data.to_zarr(path, encoding={name: {"_FillValue": None}}, consolidated=False)
    else:
        data.to_netcdf(path, encoding={name: {"_FillValue": None}})
    return str(path), Hints()


def as_zarr(folder, values):
    return as_grid(folder, values, zarr=True)


def positions():
    rng = np.random.default_rng(9)
    return rng.uniform(0, 10, SITES).round(4), rng.uniform(45, 50, SITES).round(4)


def as_stations(folder, values):
    lon, lat = positions()
    data = xr.Dataset(
        {"t": (("station", "time"), values.T, {"units": "K"})},
        {
            "time": ("time", np.arange(STEPS) * 1.0, {"units": "hours since 2021-01-01"}),
            "lat": ("station", lat, {"units": "degrees_north"}),
            "lon": ("station", lon, {"units": "degrees_east"}),
        },
    )
    data["name"] = ("station", np.array([f"S{i:02d}" for i in range(SITES)]), {"cf_role": "timeseries_id"})
    data.to_netcdf(folder / "stations.nc", encoding={"t": {"_FillValue": None}})
    return str(folder / "stations.nc"), Hints()


def as_table(folder, values):
    lon, lat = positions()
    names = [f"S{i:02d}" for i in range(SITES)]
    frame = pd.DataFrame(values.astype(float).round(4), columns=names, index=pd.Index(HOURS, name="time"))
    frame.to_csv(folder / "table.csv")
    pd.DataFrame({"station": names, "lat": lat, "lon": lon}).to_csv(folder / "places.csv", index=False)
    return str(folder / "table.csv"), Hints(stations=str(folder / "places.csv"))


def as_long_table(folder, values):
    path, hints = as_table(folder, values)
    wide = pd.read_csv(path)
    wide.melt("time", var_name="station", value_name="t").to_csv(folder / "long.csv", index=False)
    return str(folder / "long.csv"), hints


def as_mesh(folder, values):
    lon, lat = positions()
    np.savez(folder / "cloud.npz", points=np.stack([lon, lat], -1), t=np.arange(STEPS) * 1.0, u=values)
    return str(folder / "cloud.npz"), Hints()


def as_ugrid(folder, values):
    column, row = np.meshgrid(np.arange(6.0), np.arange(5.0))
    corner = np.array([[6 * r + c for r in range(4) for c in range(5)]]).T
    faces = np.concatenate([corner + np.array([0, 1, 6]), corner + np.array([1, 7, 6])])
    data = xr.Dataset(
        {
            "mesh": ((), 0, {"cf_role": "mesh_topology", "topology_dimension": 2, "node_coordinates": "nx ny"}),
            "nx": ("node", column.ravel(), {"standard_name": "projection_x_coordinate", "units": "m"}),
            "ny": ("node", row.ravel(), {"standard_name": "projection_y_coordinate", "units": "m"}),
            "faces": (("face", "corner"), faces.astype("i4"), {"start_index": 0}),
            "u": (("time", "node"), values, {"units": "m"}),
        },
        {"time": ("time", np.arange(STEPS) * 1.0, {"units": "hours since 2021-01-01"})},
    )
    data["mesh"].attrs["face_node_connectivity"] = "faces"
    data.to_netcdf(folder / "mesh.nc", encoding={"u": {"_FillValue": None}})
    return str(folder / "mesh.nc"), Hints()


def as_frames(folder, values):
    np.save(folder / "frames.npy", values.reshape(STEPS, 5, 6))
    return str(folder / "frames.npy"), Hints(layout="thw")


EVERY = [as_grid, as_zarr, as_stations, as_table, as_long_table, as_mesh, as_ugrid, as_frames]


def values_of(field):
    return field.series.read(0, field.steps)[:, :, 0]


def notes(field):
    return " | ".join(field.origin.notes)


@pytest.mark.parametrize("write", EVERY)
@pytest.mark.parametrize("code", [-9999.0, 65535.0, 1e20, -99.0])
def test_a_code_that_nobody_declared_is_missing_and_said(tmp_path, write, code):
    clean = weather()
    path, hints = write(tmp_path, np.where(HOLES | LAND, np.float32(code), clean))
    field = read(path, hints=hints)
    assert len(field.sites) == SITES - LAND.sum()
    found = np.sort(values_of(field)[~np.isnan(values_of(field))])
    truth = np.sort(clean[:, ~LAND][~HOLES[:, ~LAND]])
    np.testing.assert_allclose(found, truth, atol=1e-4)
    held = int((HOLES | LAND).sum())
    of = field.channels[0].name
    assert f"values of {code:g} are read as missing: {held} of {of}, at {SITES} sites, 4 of which" in notes(field)
    assert field.has_missing
    assert len(field.origin.caveats) == 1


@pytest.mark.parametrize("write", EVERY)
def test_values_are_kept_where_a_user_says_so(tmp_path, write):
    coded = np.where(HOLES, np.float32(-9999), weather())
    path, hints = write(tmp_path, coded)
    field = read(path, hints=Hints(stations=hints.stations, layout=hints.layout, keep_values=True))
    assert not field.has_missing
    assert np.isclose(np.sort(values_of(field).ravel()), np.sort(coded.ravel()), atol=1e-4).all()
    assert f"values of -9999 are kept, as asked: {HOLES.sum()}" in notes(field)


@pytest.mark.parametrize("write", EVERY)
def test_two_readings_of_an_error_code_are_missing_and_named(tmp_path, write):
    spoilt = weather()
    spoilt[100, 7] = spoilt[250, 11] = 65535
    path, hints = write(tmp_path, spoilt)
    field = read(path, hints=hints)
    step, site = np.nonzero(np.isnan(values_of(field)))
    assert sorted(step.tolist()) == [100, 250]
    for t, i in zip(step.tolist(), site.tolist(), strict=True):
        when = f"step {t}" if field.time.dtype.kind != "M" else str(field.time[t])[:16].replace("T", " ")
        assert f"{field.sites.name[i]}, {when}" in notes(field)


@pytest.mark.parametrize("write", [as_grid, as_stations, as_frames])
def test_one_impossible_reading_is_missing_but_an_event_that_lasts_is_only_named(tmp_path, write):
    spoilt = weather()
    spoilt[100, 7] = 4321.0
    (tmp_path / "one").mkdir()
    path, hints = write(tmp_path / "one", spoilt)
    field = read(path, hints=hints)
    assert np.isnan(values_of(field)).sum() == 1
    assert "single readings far outside all others are read as missing: 1 (4321 at " in notes(field)
    spoilt[101, 7] = 3210.0
    path, hints = write(tmp_path, spoilt)
    field = read(path, hints=hints)
    assert not field.has_missing
    assert "single readings far outside all others are kept: look at them: 2 (4321 at " in notes(field)
    assert field.origin.caveats


@pytest.mark.parametrize(
    ("code", "values"),
    [
        (-200, np.random.default_rng(6).gamma(3, 80, (STEPS, SITES)).round() + 2),  # nitrogen oxides, ppb
        (-200, np.random.default_rng(7).normal(1100, 170, (STEPS, SITES)).clip(647).round()),  # a sensor's response
        (999, np.random.default_rng(8).integers(0, 11, (STEPS, SITES))),  # a score of 0 to 10
        (np.inf, weather()),
        (-3.4e38, weather()),
    ],
)
def test_a_code_need_not_be_huge_nor_known(code, values):
    coded = np.where(HOLES, np.float32(code), values.astype("f4"))[:, :, None]
    found = look(ArraySeries(coded), [Channel("u")], 0.0)
    np.testing.assert_array_equal(np.isnan(found.series.read(0, STEPS)[:, :, 0]), HOLES)


def test_codes_on_both_sides_are_found_though_they_are_most_of_the_record():
    coded = weather()
    coded[:, :20] = -9999
    coded[::9, 20:] = 32767
    found = look(ArraySeries(coded[:, :, None]), [Channel("u")], 0.0)
    assert found.sites.tolist() == list(range(20, SITES))
    assert np.nanmax(found.series.read(0, STEPS)) < 50
    assert len(found.codes) == 2


@pytest.mark.parametrize("code", [-999.0, -9999.9, -99999.0])
def test_one_negative_code_is_found_in_a_record_that_reaches_far(code):
    flow = np.random.default_rng(3).lognormal(5, 0.8, (STEPS, SITES)).astype("f4")
    flow[100, 3] = code
    found = look(ArraySeries(flow[:, :, None]), [Channel("q")], 0.0)
    assert np.argwhere(np.isnan(found.series.read(0, STEPS)))[:, :2].tolist() == [[100, 3]]


def rain():
    rng = np.random.default_rng(1)
    return np.where(rng.random((STEPS, SITES)) < 0.7, 0, rng.exponential(4, (STEPS, SITES)))


LEGITIMATE = {
    "rain of mostly zeros": rain(),
    "rain in whole tenths": rain().round(1),
    "rain above a threshold": np.where(rain() < 1, 0, rain()),
    "humidity with saturation": np.minimum(weather(mean=88, spread=12), 100),
    "fraction clipped on both sides": np.clip(weather(mean=0.5, spread=0.6), 0, 1),
    "ice at its freezing point": np.maximum(weather(mean=-1, spread=1), np.float32(-1.8)),
    "traffic that stands at times": np.where(HOLES, 0, weather(mean=60, spread=3)),
    "heavy tail": np.random.default_rng(2).lognormal(0, 1.5, (STEPS, SITES)),
    "two states": (weather() > 10) * 1.0,
    "few classes": np.array([30, 50, 50, 130])[np.random.default_rng(4).integers(0, 4, (STEPS, SITES))],
    "counts": np.random.default_rng(5).poisson(2, (STEPS, SITES)),
    "a fire that begins late": np.where(np.arange(STEPS)[:, None] < 240, 20, weather(mean=300, spread=90)),
    "all but one site dry": np.where(np.arange(SITES) == 3, rain(), 0),
    "levels far apart": weather() + 500 * np.arange(SITES),
}


@pytest.mark.parametrize("name", LEGITIMATE)
def test_what_a_sensor_may_measure_stays(name):
    values = LEGITIMATE[name].astype("f4")[:, :, None]
    found = look(ArraySeries(values.copy()), [Channel("u")], 0.0)
    assert not found.changed
    np.testing.assert_array_equal(found.series.read(0, STEPS), values)


@pytest.mark.parametrize("write", [as_stations, as_table, as_long_table])
def test_a_sensor_that_stands_still_is_no_candidate_and_stays_a_target(tmp_path, write):
    values = weather()
    values[:, 4] = 7.25
    values[120:, 9] = values[120, 9]
    values[50:90, 20] = values[50, 20]  # long, but no large part
    path, hints = write(tmp_path, values)
    field = read(path, hints=hints)
    assert len(field.sites) == SITES
    assert [field.sites.name[i] for i in np.flatnonzero(field.sites.role == Role.FORBIDDEN)] == ["S04", "S09"]
    assert "S04 7.25 always" in notes(field)
    assert "from 2021-01-06 00:00 to 2021-01-13 11:00" in notes(field)
    assert "kept: look at them: 1 (S20" in notes(field)
    kept = read(path, hints=Hints(stations=hints.stations, keep_values=True))
    assert (kept.sites.role == Role.CANDIDATE).all()


@pytest.mark.parametrize(
    "values",
    [rain(), np.where(np.arange(STEPS)[:, None] < 240, np.arange(SITES) + 15, weather(mean=300, spread=90))],
    ids=["rain", "fire"],
)
def test_what_stands_still_at_many_places_is_no_broken_sensor(tmp_path, values):
    path, hints = as_table(tmp_path, values)
    assert not (read(path, hints=hints).sites.role == Role.FORBIDDEN).any()


def test_a_dead_pixel_is_no_candidate_but_a_boundary_and_a_pond_are(tmp_path):
    values = weather()
    values[:, 14] = 11.5  # row 2, column 2: its neighbours move
    path, hints = as_frames(tmp_path, values)
    field = read(path, hints=hints)
    assert np.flatnonzero(field.sites.role == Role.FORBIDDEN).tolist() == [14]
    values[:, 15] = 12.5
    path, hints = as_frames(tmp_path, values)
    assert not (read(path, hints=hints).sites.role == Role.FORBIDDEN).any()
    path, hints = as_ugrid(tmp_path, values)
    assert not (read(path, hints=hints).sites.role == Role.FORBIDDEN).any()


@pytest.mark.parametrize(
    ("name", "attrs"),
    [
        ("dd", {"units": "degrees", "standard_name": "wind_from_direction"}),
        ("wdir", {"units": "degree"}),
        ("mwd", {"units": "Degree true", "long_name": "Mean wave direction"}),
    ],
)
def test_a_direction_gets_its_remedy(tmp_path, name, attrs):
    angles = (weather(mean=0, spread=120) % 360).astype("f4")
    field = read(as_grid(tmp_path, angles, name, attrs)[0])
    assert f"{name} is a direction" in notes(field)
    assert "sine and cosine" in notes(field)
    plain = read(as_grid(tmp_path, angles, "t", {"units": "degrees", "long_name": "solar elevation"})[0])
    assert "direction" not in notes(plain)


def test_inspect_sees_what_a_fit_sees(tmp_path):
    path, hints = as_grid(tmp_path, np.where(HOLES | LAND, np.float32(9999), weather()))
    found = inspect(path, hints=hints)
    assert found.sites == SITES - LAND.sum()
    assert any("values of 9999 are read as missing" in note for note in found.notes)


def test_no_verdict_is_spoken_without_the_caveat(tmp_path):
    spoilt = weather()
    spoilt[100, 7] = spoilt[290, 11] = 65535
    path, hints = as_table(tmp_path, spoilt)
    run = dynst.fit(dynst.Study(data=path, stations=hints.stations, sensors=4, out=str(tmp_path / "run")))
    said = dynst.study.answers.answer_of(run)
    assert any(line.startswith("The data: values of 65535 are read as missing: 2") for line in said.sentences)
    assert "values of 65535 are read as missing" in (run.path / "report.html").read_text(encoding="utf-8")
    assert run.curve.table(4)[0].error < 4  # values of 10 +- 3; with both readings it is above 50


class Counted:
    """A series that counts what is read of it, and holds nothing."""

    def __init__(self, steps, n):
        self.shape, self.count = (steps, n, 1), 0
        self.rng = np.random.default_rng(0)

    def read(self, start, stop):
        out = np.empty((stop - start, *self.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start, out):
        self.count += out.size
        self.rng.standard_normal(dtype=np.float32, out=out)


@pytest.mark.parametrize(("steps", "n"), [(50, 200_000), (100_000, 200)])
def test_a_clean_record_is_read_little_more_than_once_in_little_memory(steps, n):
    series = Counted(steps, n)
    tracemalloc.start()
    found = look(series, [Channel("u")], 0.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not found.changed
    assert series.count <= 1.5 * steps * n
    assert peak < 40 << 20  # 40 and 80 MB of values


def test_a_large_file_of_stations_is_the_same_record_read_block_by_block(tmp_path, monkeypatch):
    spoilt = np.where(HOLES | LAND, np.float32(-9999), weather())
    spoilt[:, 20] = 7.5
    path, _ = as_stations(tmp_path, spoilt)
    whole = read(path)
    for module in (station_files, mesh_records):
        monkeypatch.setattr(module, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr(station_files, "_BLOCK", 5000)
    large = read(path, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(values_of(large), values_of(whole))
    assert large.sites.fingerprint == whole.sites.fingerprint
    assert large.origin.fingerprint == whole.origin.fingerprint
    assert large.origin.caveats == whole.origin.caveats
    assert (large.origin.stations, large.origin.reader) == (True, "stations")
    np.testing.assert_array_equal(large.sites.role, whole.sites.role)
    np.testing.assert_array_equal(large.layout.edge_index, whole.layout.edge_index)


CLEAN = {
    "arome_wind/arome_subset_16Nov2015.nc": {},
    "era5_winter/era5_msl_2025-2026_djf_2.5x2.5.zarr": {},
    "era5_winter/era5_vo850_2025-2026_djf_2.5x2.5.zarr": {},
    "era5_uk_t2m/era5-2mt-2019-03-uk.nc": {},
    "oisst_climatology/sst.oisst.mon.ltm.1991-2020.nc": {},
    "pacific_sst/pacific_sst_anomaly_1970_2003.nc": {},
    "coads_climatology/coads_climatology.cdf": {},
    "backstep_flow_mesh/backstep_flow.npz": {},
    "cylinder_wake/cylinder_nektar_wake.mat": {},
    "heat_mesh/unsteady_heat_10cases.npz": {},
    "sandiego_depth_mesh/ADH_SanDiego.nc": {},
    "germany_pm10/germany_pm10_daily_1998_2009.nc": {},
    "hungary_chickenpox/chickenpox.json": {},
    "montevideo_bus/montevideo_bus.json": {},
    "colorado_climate/colorado_monthly_1895_1997.nc": {},
    "ireland_wind": {},
    "metr_la_week": {},
}


@pytest.mark.parametrize("name", CLEAN)
def test_the_look_changes_nothing_on_clean_records(shared_data, name):
    looked = read(str(shared_data / name))
    plain = read(str(shared_data / name), hints=Hints(keep_values=True))
    assert looked.origin.fingerprint == plain.origin.fingerprint
    assert looked.sites.fingerprint == plain.sites.fingerprint
    assert looked.origin == plain.origin
    for mine, theirs in zip(looked.blocks(), plain.blocks(), strict=True):
        np.testing.assert_array_equal(mine, theirs)
