"""Clocks as people write them: the dates of the file, in its own calendar, or one line that says why not."""

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynst.errors import DataError
from dynst.readers import Hints, inspect, read
from dynst.readers.times import decode_times, find_runs

HOUR = np.timedelta64(1, "h")
LAT, LON = ("lat", [50.0, 51.0, 52.0], {"units": "degrees_north"}), ("lon", [4.0, 5.0], {"units": "degrees_east"})


def values(steps, seed=0):
    return np.random.default_rng(seed).standard_normal((steps, 3, 2)).astype("f4")


def grid(path, time, *, steps=None, seed=0, **coords):
    """A grid whose clock is what the test is about."""
    steps = steps or len(time[1])
    data = xr.Dataset({"t": (("time", "lat", "lon"), values(steps, seed), {"units": "K"})}, {"lat": LAT, "lon": LON})
    data.assign_coords({} if time is None else {"time": time}).assign_coords(coords).to_netcdf(path)
    return str(path)


def stations(path, time, *, steps):
    data = xr.Dataset(
        {"pm": (("time", "station"), values(steps)[:, :, 0])},
        {"lat": ("station", [1.0, 2, 3]), "lon": ("station", [1.0, 2, 3]), "time": time},
    )
    data.to_netcdf(path)
    return str(path)


STAMPS = pd.date_range("2000-01-28", periods=120, freq="6h")


@pytest.mark.parametrize(
    ("written", "attrs"),
    [
        ([f"{s:%Y-%m-%dT%H:%M:%S}" for s in STAMPS], {}),
        ([f"{s:%Y-%m-%d %H:%M}" for s in STAMPS], {}),
        ([f"{s:%Y-%m-%d_%H:%M:%S}" for s in STAMPS], {}),
        ([f"{s:%Y%m%dT%H%M}Z" for s in STAMPS], {}),
        ([f"{s + 2 * HOUR:%Y-%m-%dT%H:%M:%S}+02:00" for s in STAMPS], {}),
        ([int(f"{s:%Y%m%d}") + s.hour / 24 for s in STAMPS], {"units": "day as %Y%m%d.%f"}),
        ([int(f"{s:%Y%m%d}") + s.hour / 24 for s in STAMPS], {"units": "YYYYMMDD.f"}),
    ],
)
@pytest.mark.parametrize("write", [grid, stations])
def test_every_spelling_of_six_hours_is_read_as_six_hours(written, attrs, write, tmp_path):
    path = write(tmp_path / "x.nc", ("time", np.array(written), attrs), steps=len(written))
    field = read(path)
    assert (field.cadence, len(field.runs)) == ("6 h", 1)
    np.testing.assert_array_equal(field.time, STAMPS.to_numpy())


@pytest.mark.parametrize(
    ("written", "attrs", "cadence", "first", "last"),
    [
        ([20000131, 20000201, 20000202], {}, "1 day", "2000-01-31T00:00", "2000-02-02T00:00"),
        ([20000131, 20000201, 20000202], {"units": "yyyymmdd"}, "1 day", "2000-01-31T00:00", "2000-02-02T00:00"),
        (
            [200012, 200101, 200102, 200103],
            {"units": "month as %Y%m"},
            "1 month",
            "2000-12-01T00:00",
            "2001-03-01T00:00",
        ),
        (
            [200001.5, 200002.5, 200003.5, 200004.5],
            {"units": "month as %Y%m.%f"},
            "1 month",
            "2000-01-16T12:00",
            "2000-04-16T00:00",
        ),
        ([2000.5, 2001.5, 2002.5], {"units": "year as %Y.%f"}, "1 year", "2000-07-02T00:00", "2002-07-02T12:00"),
    ],
)
def test_digits_of_days_months_and_years(written, attrs, cadence, first, last):
    times = decode_times(np.array(written), attrs, where="x.nc")
    assert (find_runs(times, where="x.nc").cadence, times.say(0), times.say(-1)) == (cadence, first, last)


def test_text_with_a_gap_of_sixty_days_is_two_runs(tmp_path):
    stamps = STAMPS.to_numpy().copy()
    stamps[60:] += np.timedelta64(60, "D")
    path = grid(tmp_path / "x.nc", ("time", np.array([str(stamp)[:19] for stamp in stamps])))
    assert read(path).runs == [(0, 60), (60, 120)]


def test_text_in_a_zarr_store_is_read_as_dates(tmp_path):
    data = xr.open_dataset(grid(tmp_path / "x.nc", ("time", STAMPS.strftime("%Y-%m-%dT%H:%M").to_numpy().astype("U"))))
    data.to_zarr(tmp_path / "x.zarr", zarr_format=2)
    np.testing.assert_array_equal(read(str(tmp_path / "x.zarr")).time, STAMPS.to_numpy())


def test_text_that_is_no_date_is_said_and_no_text_is_refused(tmp_path):
    said = inspect(grid(tmp_path / "x.nc", ("time", np.array([f"step {i}" for i in range(40)])))).notes
    assert any('text that is no date ("step 0")' in note and "no gap is seen" in note for note in said)
    with pytest.raises(DataError, match=r"1 of 3 times are missing \(first at step 1\)"):
        decode_times(np.array(["2000-01-01", "", "2000-01-03"]), {}, where="x.nc")


@pytest.mark.parametrize("minutes", [10, 20, 60, 180])
@pytest.mark.parametrize("since", ["1858-11-17", "1950-01-01", "2013-01-01"])
def test_days_in_single_precision_are_put_on_the_times_that_were_meant(minutes, since, tmp_path):
    meant = np.datetime64("2013-02-03", "ns") + np.arange(200) * np.timedelta64(minutes, "m")
    days = ((meant - np.datetime64(since)) / np.timedelta64(1, "D")).astype("f4")
    field = read(grid(tmp_path / "x.nc", ("time", days, {"units": f"days since {since}"})))
    np.testing.assert_array_equal(field.time, meant)
    assert len(field.runs) == 1


@pytest.mark.parametrize(
    ("calendar", "units", "written", "said"),
    [
        ("360_day", "days since 1850-01-01", np.arange(60) + 0.5, "1 day, 1850-01-01T12:00 to 1850-02-30T12:00"),
        ("360_day", "hours since 1970-01-01", np.arange(24) * 720.0, "1 month, 1970-01-01T00:00 to 1971-12-01T00:00"),
        ("360_day", "hours since 1970-01-01", np.arange(9) * 8640.0, "1 year, 1970-01-01T00:00 to 1978-01-01T00:00"),
        ("360_day", "months since 1970-01-01", np.arange(24), "1 month, 1970-01-01T00:00 to 1971-12-01T00:00"),
        ("noleap", "days since 2000-02-27", np.arange(4), "1 day, 2000-02-27T00:00 to 2000-03-02T00:00"),
        ("365_day", "days since 0001-01-01", np.arange(9) * 365, "1 year, 0001-01-01T00:00 to 0009-01-01T00:00"),
        ("all_leap", "days since 2001-02-28", np.arange(3), "1 day, 2001-02-28T00:00 to 2001-03-01T00:00"),
        ("julian", "days since 1899-12-31", np.arange(90), "1 day, 1900-01-12T00:00 to 1900-04-11T00:00"),
        ("julian", "days since 1950-02-28", np.arange(40), "1 day, 1950-02-28T00:00 to 1950-04-08T00:00"),
        ("proleptic_gregorian", "days since 0850-01-01", np.arange(90), "1 day, 0850-01-01T00:00 to 0850-03-31T00:00"),
    ],
)
def test_dates_are_those_of_the_files_own_calendar(calendar, units, written, said, tmp_path):
    path = grid(tmp_path / "x.nc", ("time", written, {"units": units, "calendar": calendar}))
    field = read(path)
    assert f"{field.cadence}, {field.moment(0)} to {field.moment(-1)}" == said
    assert len(field.runs) == 1


def test_middles_of_months_without_leap_days_are_months(tmp_path):
    length = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] * 3)
    middle = np.cumsum(length) - length / 2
    path = grid(tmp_path / "x.nc", ("time", middle, {"units": "days since 1850-01-01", "calendar": "noleap"}))
    assert (read(path).cadence, inspect(path).first) == ("1 month", "1850-01-16T12:00")


def test_files_of_a_model_that_count_from_other_days_are_one_record(tmp_path):
    for year in (1850, 1851):
        attrs = {"units": f"days since {year}-01-01", "calendar": "noleap"}
        grid(tmp_path / f"{year}.nc", ("time", np.arange(365.0), attrs))
    field = read(str(tmp_path / "*.nc"))
    assert (field.steps, field.runs, field.moment(-1)) == (730, [(0, 730)], "1851-12-31T00:00")


@pytest.mark.parametrize("calendar", ["noleap", "360_day"])
def test_stations_of_a_model_have_its_dates(calendar, tmp_path):
    attrs = {"units": "days since 1850-02-27", "calendar": calendar}
    field = read(stations(tmp_path / "x.nc", ("time", np.arange(40.0), attrs), steps=40))
    third = {"noleap": "1850-03-01T00:00", "360_day": "1850-02-29T00:00"}[calendar]
    assert (field.cadence, field.moment(2), len(field.runs)) == ("1 day", third, 1)


def test_a_missing_month_of_a_model_is_a_gap(tmp_path):
    months = np.delete(np.arange(40), 20) * 30.0
    path = grid(tmp_path / "x.nc", ("time", months, {"units": "days since 1850-01-01", "calendar": "360_day"}))
    assert read(path).runs == [(0, 20), (20, 39)]


@pytest.mark.parametrize(
    "clock",
    [
        {"time_centered": ("time", np.arange(8) + 0.5, {"units": "days since 2013-01-0{}", "standard_name": "time"})},
        {"valid": ("time", np.arange(8) + 0.5, {"units": "days since 2013-01-0{}"})},
        {"XTIME": ("time", np.arange(8) + 0.5, {"units": "", "description": "days since 2013-01-0{}"})},
    ],
)
def test_the_dates_of_another_coordinate_order_files_that_count_anew(clock, tmp_path):
    for day in (1, 9):
        told = {
            name: (dim, days + day - 1, {key: said.format(1) for key, said in attrs.items()})
            for name, (dim, days, attrs) in clock.items()
        }
        grid(tmp_path / f"{day:02d}.nc", ("time", np.arange(8.0), {"axis": "T"}), seed=day, **told)
    field = read(str(tmp_path / "*.nc"))
    assert (field.steps, len(field.runs), field.moment(0), field.moment(-1)) == (
        16,
        1,
        "2013-01-01T12:00",
        "2013-01-16T12:00",
    )
    assert any(next(iter(clock)) in note for note in field.origin.notes)


def test_characters_beside_the_axis_are_its_dates(tmp_path):
    grid(tmp_path / "x.nc", None, steps=120)
    with netCDF4.Dataset(tmp_path / "x.nc", "a") as file:
        file.createDimension("length", 64)
        text = np.zeros((120, 64), "S1")
        text[:, :19] = np.array([list(f"{stamp:%Y-%m-%d_%H:%M:%S}") for stamp in STAMPS], "S1")
        file.createVariable("xtime", "S1", ("time", "length"))[:] = text
    np.testing.assert_array_equal(read(str(tmp_path / "x.nc")).time, STAMPS.to_numpy())


def test_characters_of_a_model_calendar_are_dates_of_it(tmp_path):
    texts = np.array(["0001-02-28_00:00:00", "0001-03-01_00:00:00", "0001-03-02_00:00:00"])
    times = decode_times(texts, {"calendar": "gregorian_noleap"}, where="x.nc")
    assert (np.diff(times.values).tolist(), times.say(1)) == ([1.0, 1.0], "0001-03-01T00:00")


def test_files_that_count_anew_without_dates_are_refused_and_nothing_is_thrown_away(tmp_path):
    for part in (1, 2):
        grid(tmp_path / f"{part}.nc", ("time", np.arange(8.0)), seed=part)
    with pytest.raises(DataError, match=r"hold no dates, and each counts its steps from 0.* time coordinate") as caught:
        read(str(tmp_path / "*.nc"))
    assert "rop the" not in str(caught.value)


def write_restart(folder, kind, *, differ):
    """Two files that share steps 40 to 59, as grids, stations or tables."""
    whole = values(100)
    second = whole[40:].copy()
    second[:20] += 0.5 * differ
    for name, part, stamps in (("run_a", whole[:60], STAMPS[:60]), ("run_b", second, STAMPS[40:100])):
        columns = {"lat": [1.0, 2, 3], "lon": [1.0, 2, 3]}
        if kind == "grid":
            data = xr.Dataset({"t": (("time", "lat", "lon"), part)}, {"lat": LAT, "lon": LON, "time": stamps})
            data.to_netcdf(folder / f"{name}.nc")
        elif kind == "zarr-like chunks":
            data = xr.Dataset({"t": (("time", "lat", "lon"), part)}, {"lat": LAT, "lon": LON, "time": stamps})
            data.to_netcdf(folder / f"{name}.nc", encoding={"t": {"chunksizes": (7, 2, 2), "zlib": True}})
        else:
            frame = pd.DataFrame(part[:, :, 0], columns=list("ABC"))
            frame.insert(0, "date", stamps.strftime("%Y-%m-%d %H:%M"))
            frame.to_csv(folder / f"{name}.csv", index=False)
            pd.DataFrame({"station": list("ABC")} | columns).to_csv(folder / "places.csv", index=False)
    if kind == "table":
        return read(str(folder / "run_*.csv"), hints=Hints(stations=str(folder / "places.csv"))), whole[:, :, 0]
    return read(str(folder / "run_*.nc")), whole[:, ::-1].reshape(100, 6)


@pytest.mark.parametrize("kind", ["grid", "zarr-like chunks", "table"])
def test_steps_that_a_restarted_run_repeats_are_taken_once(kind, tmp_path):
    field, whole = write_restart(tmp_path, kind, differ=False)
    np.testing.assert_array_equal(field.time, STAMPS[:100].to_numpy())
    np.testing.assert_allclose(field.series.read(0, 100)[:, :, 0], whole, rtol=1e-6)
    assert any("share 20 steps" in note and "equal in both: taken once" in note for note in field.origin.notes)


@pytest.mark.parametrize("kind", ["grid", "zarr-like chunks", "table"])
def test_of_steps_that_differ_those_of_the_later_file_count(kind, tmp_path):
    field, whole = write_restart(tmp_path, kind, differ=True)
    whole[40:60] += 0.5
    np.testing.assert_allclose(field.series.read(0, 100)[:, :, 0], whole, rtol=1e-5)
    assert any("by up to 0.5" in note and "later" in note and "run_b" in note for note in field.origin.notes)


@pytest.mark.parametrize("differ", [0, 1])
def test_a_restart_that_was_appended_to_its_own_file_is_one_record(differ, tmp_path):
    whole = values(100)
    again = np.r_[0:60, 40:100]
    written = whole[again].copy()
    written[60:80] += 0.5 * differ
    whole[40:60] += 0.5 * differ
    coords = {"lat": LAT, "lon": LON, "time": STAMPS[:100].to_numpy()[again]}
    xr.Dataset({"t": (("time", "lat", "lon"), written)}, coords).to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"))
    np.testing.assert_array_equal(field.time, STAMPS[:100].to_numpy())
    np.testing.assert_allclose(field.series.read(0, 100)[:, :, 0], whole[:, ::-1].reshape(100, 6), rtol=1e-5)
    assert any("x.nc from step 60 on share 20 steps" in note for note in field.origin.notes)


@pytest.mark.parametrize(
    ("head", "written"),
    [
        ("time", [f"{stamp:%Y-%m-%d_%H:%M:%S}" for stamp in STAMPS]),
        ("date", [f"{int(f'{stamp:%Y%m%d}') + stamp.hour / 24:.4f}" for stamp in STAMPS]),
        ("time", [f"{stamp:%Y%m%d%H}" for stamp in STAMPS]),
    ],
)
def test_tables_with_the_dates_of_models_are_read_as_six_hours(head, written, tmp_path):
    frame = pd.DataFrame(values(len(STAMPS))[:, :, 0], columns=list("ABC"))
    frame.insert(0, head, written)
    frame.to_csv(tmp_path / "x.csv", index=False)
    (tmp_path / "places.csv").write_text("station,lat,lon\nA,1,1\nB,2,2\nC,3,3\n")
    field = read(str(tmp_path / "x.csv"), hints=Hints(stations=str(tmp_path / "places.csv")))
    assert (field.cadence, len(field.runs)) == ("6 h", 1)
    np.testing.assert_array_equal(field.time, STAMPS.to_numpy())


def test_decimal_years_of_a_table_are_months(tmp_path):
    months = np.arange("1990-01", "2000-01", dtype="datetime64[M]")
    frame = pd.DataFrame(values(len(months))[:, :, 0], columns=list("ABC"))
    frame.insert(0, "year (decimal)", 1990 + (np.arange(len(months)) + 0.5) / 12)
    frame.to_csv(tmp_path / "x.csv", index=False)
    (tmp_path / "places.csv").write_text("station,lat,lon\nA,1,1\nB,2,2\nC,3,3\n")
    field = read(str(tmp_path / "x.csv"), hints=Hints(stations=str(tmp_path / "places.csv")))
    assert (field.cadence, len(field.runs), field.moment(0)[:7]) == ("1 month", 1, "1990-01")


def local(zone, start, hours):
    return pd.date_range(start, periods=hours, freq="h", tz="UTC").tz_convert(zone).tz_localize(None)


@pytest.mark.parametrize(
    ("zone", "start"),
    [("Europe/Berlin", "2020-01-01"), ("America/New_York", "2020-06-01"), ("Australia/Sydney", "2020-01-01")],
)
def test_a_year_of_local_times_has_no_gap_and_no_hour_twice(zone, start, tmp_path):
    stamps = local(zone, start, 366 * 24)
    frame = pd.DataFrame(np.random.default_rng(0).standard_normal((len(stamps), 3)), columns=list("ABC"))
    frame.insert(0, "time", stamps.strftime("%Y-%m-%d %H:%M"))
    frame.to_csv(tmp_path / "x.csv", index=False)
    pd.DataFrame({"station": list("ABC"), "lat": [1.0, 2, 3], "lon": [1.0, 2, 3]}).to_csv(
        tmp_path / "places.csv", index=False
    )
    field = read(str(tmp_path / "x.csv"), hints=Hints(stations=str(tmp_path / "places.csv")))
    assert (field.steps, len(field.runs), field.cadence) == (366 * 24, 1, "1 h")
    assert any("turned to standard time" in note for note in field.origin.notes)


@pytest.mark.parametrize("by", ["station", "time"])
def test_a_long_table_of_local_times_has_no_hour_twice(by, tmp_path):
    stamps = local("Europe/Berlin", "2020-10-20", 12 * 24)
    names = [name for name in "ABC" for _ in stamps]
    frame = pd.DataFrame({"time": [*stamps] * 3, "order": [*range(len(stamps))] * 3, "station": names})
    frame["lat"], frame["lon"] = frame.station.map({"A": 1.0, "B": 2.0, "C": 3.0}), 5.0
    frame["pm"] = np.random.default_rng(0).standard_normal(len(frame))
    frame = frame.sort_values("order", kind="stable") if by == "time" else frame
    frame.drop(columns="order").to_csv(tmp_path / "x.csv", index=False)
    field = read(str(tmp_path / "x.csv"))
    assert (field.steps, len(field.runs), field.has_missing) == (12 * 24, 1, False)


def test_rows_of_a_long_table_that_repeat_others_are_taken_once(tmp_path):
    rows = [f"{stamp:%Y-%m-%dT%H},{name},{i},{i},{h}" for h, stamp in enumerate(STAMPS) for i, name in enumerate("ABC")]
    text = "\n".join(["time,station,lat,lon,pm", *rows, rows[7], rows[8]])
    (tmp_path / "x.csv").write_text(text)
    assert "rows that repeat another are taken once: 2" in read(str(tmp_path / "x.csv")).origin.notes
    (tmp_path / "x.csv").write_text(f"{text}\n{rows[9].rsplit(',', 1)[0]},-5")
    with pytest.raises(DataError, match=r"repeats it with other values; 1 such rows.*several instruments"):
        read(str(tmp_path / "x.csv"))


def test_a_spring_night_without_an_hour_is_explained(tmp_path):
    stamps = local("Europe/Berlin", "2020-03-01", 60 * 24)
    path = stations(tmp_path / "x.nc", ("time", stamps.to_numpy()), steps=len(stamps))
    assert any("2020-03-29" in note and "clocks are set forth" in note for note in read(path).origin.notes)
