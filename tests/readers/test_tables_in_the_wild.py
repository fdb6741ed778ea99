"""Tables as agencies, loggers and spreadsheets write them: what is a place, a time, a channel."""

import json

import geopandas
import numpy as np
import pandas as pd
import pytest

from dynst.errors import DataError
from dynst.readers import read
from dynst.readers.base import Hints

NAMES = ("P1", "P2", "P3")
HOURS = pd.date_range("2022-03-20", periods=72, freq="h")
VALUES = np.round(np.random.default_rng(5).normal(10, 3, (72, 3)), 2) + 0.005
PLACES = pd.DataFrame({"station": NAMES, "lat": [50.0, 51.0, 52.0], "lon": [4.0, 5.0, 6.0]})


@pytest.fixture
def put(tmp_path):
    def write(name, content, **how):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else content.to_csv(index=False, **how)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def places(put):
    return Hints(stations=put("places/places.csv", PLACES))


def long(values=VALUES, times=HOURS, names=NAMES, channel="value"):
    frame = pd.DataFrame(values, columns=list(names)).assign(time=times)
    return frame.melt("time", var_name="station", value_name=channel).sort_values(
        ["time", "station"], ignore_index=True
    )


def placed(frame):
    return frame.merge(PLACES, on="station")


def record(field):
    return field.series.read(0, field.steps)


def notes(field):
    return " | ".join(field.origin.notes)


def check(field, values=VALUES, times=HOURS, channels=("value",)):
    assert field.sites.name == NAMES
    assert np.array_equal(field.time, times.to_numpy("datetime64[ns]"))
    assert [channel.name for channel in field.channels] == list(channels)
    assert np.allclose(record(field)[:, :, 0], values, equal_nan=True)


# --- ids, counters, flags ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counter", ["id", "No", "row", "index", ""])
def test_a_column_that_never_repeats_is_no_station_and_no_channel(counter, put):
    frame = placed(long())
    frame.insert(0, counter, np.arange(len(frame)) + 1)
    field = read(put("export.csv", frame))
    check(field)
    assert len(field.sites) == 3


def test_a_counter_of_each_station_and_an_identifier_are_no_channels(put, places):
    frame = long()
    frame["No"] = frame.groupby("station").cumcount() + 1
    frame["sensors_id"] = frame["station"].str[1:].astype(int) * 7
    frame["flag"] = np.arange(len(frame)) % 2
    frame["area_code"] = frame["station"].str[1:].astype(int) * 100
    field = read(put("prsa.csv", frame), hints=places)
    check(field)
    said = notes(field)
    assert "No is not used: it counts the rows" in said
    assert "sensors_id is not used: it is an identifier" in said
    assert "flag is not used: it holds quality flags" in said
    assert "area_code is not used: it holds a whole number that never changes at a station" in said


def test_whoever_asks_for_a_column_of_whole_numbers_gets_it(put, places):
    frame = long().assign(load=4)
    assert [c.name for c in read(put("a.csv", frame), hints=places).channels] == ["value"]
    asked = read(put("a.csv", frame), hints=places, observe=["value"], predict=["load"])
    assert [c.name for c in asked.channels] == ["value", "load"]


def test_a_row_number_before_a_wide_table_is_no_station(put, places):
    frame = pd.DataFrame(VALUES, columns=list(NAMES))
    frame.insert(0, "time", HOURS)
    frame.insert(0, "id", np.arange(len(frame)) + 100)
    frame["weekday"] = HOURS.strftime("%A")
    field = read(put("wide.csv", frame), hints=places)
    check(field)
    assert "id is not used: it counts the rows" in notes(field)
    assert "weekday is not used: it holds text" in notes(field)


@pytest.mark.parametrize("name", ["Vlinder", "wo", "id"])
def test_the_station_column_is_the_one_whose_names_the_table_of_stations_knows(name, put):
    frame = long().rename(columns={"station": name}).assign(network="north", code="x")
    hints = Hints(stations=put("places.csv", PLACES.rename(columns={"station": "Kennung"})))
    check(read(put("long.csv", frame), hints=hints))


def test_whole_numbers_that_are_known_are_names(put):
    frame = long(names=("101", "102", "103")).rename(columns={"station": "meetpunt"})
    frame["extra"] = 1.5
    hints = Hints(stations=put("places.csv", PLACES.assign(station=[101, 102, 103])))
    field = read(put("long.csv", frame), hints=hints)
    assert field.sites.name == ("101", "102", "103")
    assert np.allclose(record(field)[:, :, 0], VALUES)


# --- tidy tables -----------------------------------------------------------------------------------------------------


def tidy(kind="parameter", value="value", unit="unit"):
    parts = [
        placed(long(VALUES * factor, channel=value)).assign(**{kind: name}, **({unit: of} if unit else {}))
        for name, factor, of in (("no2", 2, "ppb"), ("pm25", 1, "ug/m3"))
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("kind", "value", "unit"),
    [
        ("parameter", "value", "unit"),
        ("AirPollutant", "Concentration", "UnitOfMeasurement"),
        ("Parameter Name", "Sample Measurement", "Units of Measure"),
        ("_field", "_value", "units"),
        ("wat", "hoeveel", None),
    ],
)
def test_a_column_of_quantities_makes_channels_with_their_units(kind, value, unit, put):
    frame = tidy(kind, value, unit).sample(frac=1, random_state=0)
    field = read(put("air.csv", frame))
    check(field, VALUES * 2, channels=("no2", "pm25"))
    assert np.allclose(record(field)[:, :, 1], VALUES)
    assert [channel.units for channel in field.channels] == (["ppb", "ug/m3"] if unit else ["1", "1"])
    assert f"named by {kind}: no2, pm25" in notes(field)


def test_a_tidy_table_of_one_quantity_is_called_by_it(put):
    frame = tidy().query("parameter == 'pm25'").assign(sensors_id=lambda f: f["station"].str[1:].astype(int))
    check(read(put("air.csv", frame)), channels=("pm25",))


def test_a_quantity_in_two_units_and_a_row_that_repeats_are_refused(put):
    frame = tidy()
    frame.loc[frame.index[-1], "unit"] = "mg/m3"
    with pytest.raises(DataError, match=r"air.csv: pm25 comes in ug/m3 and in mg/m3. Convert one of them."):
        read(put("air.csv", frame))
    frame = pd.concat([tidy(), tidy().iloc[[5]]])
    with pytest.raises(DataError, match=r"row 433 repeats P3, .*, no2 \(1 such rows\). Keep one row a station, time"):
        read(put("air.csv", frame))


# --- date and time of day ------------------------------------------------------------------------------------------


def wide(**columns):
    frame = pd.DataFrame(VALUES, columns=list(NAMES))
    for at, (name, cells) in enumerate(columns.items()):
        frame.insert(at, name, cells)
    return frame


SPLIT = {
    "colons": (wide(Date=HOURS.strftime("%d/%m/%Y"), Time=HOURS.strftime("%H:%M:%S")), {}),
    "other words, time of day first": (wide(Uhrzeit=HOURS.strftime("%H:%M"), Datum=HOURS.strftime("%d.%m.%Y")), {}),
    "points, decimal comma": (
        wide(Date=HOURS.strftime("%d/%m/%Y"), Time=HOURS.strftime("%H.%M.%S")),
        {"sep": ";", "decimal": ","},
    ),
    "half days": (wide(date=HOURS.strftime("%Y-%m-%d"), tod=HOURS.strftime("%I:%M %p")), {}),
    "whole numbers": (wide(date=HOURS.strftime("%Y%m%d"), time=HOURS.strftime("%H%M").astype(int)), {}),
    "hours": (wide(date=HOURS.strftime("%Y-%m-%d"), hour=HOURS.hour), {}),
    "zeros in front": (wide(date=HOURS.strftime("%Y-%m-%d"), time=HOURS.strftime("%H%M")), {}),
    "parts of the buoys": (
        wide(YY=HOURS.year, MM=HOURS.month, DD=HOURS.day, hh=HOURS.hour, mm=HOURS.minute),
        {"sep": "\t"},
    ),
    "hours and minutes": (wide(Date=HOURS.strftime("%Y-%m-%d"), Hour=HOURS.hour, Minute=HOURS.minute), {}),
    "day of the year": (wide(YEAR=HOURS.year, DOY=HOURS.day_of_year, HRMIN=HOURS.strftime("%H%M").astype(int)), {}),
    "two clocks": (
        wide(
            **{
                "Date Local": (HOURS - pd.Timedelta("5h")).strftime("%Y-%m-%d"),
                "Time Local": (HOURS - pd.Timedelta("5h")).strftime("%H:%M"),
                "Date GMT": HOURS.strftime("%Y-%m-%d"),
                "Time GMT": HOURS.strftime("%H:%M"),
            }
        ),
        {},
    ),
    "a zone": (wide(datetime=(HOURS - pd.Timedelta("5h")).strftime("%Y-%m-%d %H:%M"), tz_cd="EST"), {}),
    "a named zone": (
        wide(datetime=(HOURS + pd.Timedelta("1h")).strftime("%Y-%m-%d %H:%M"), timezone="Europe/Paris"),
        {},
    ),
}


@pytest.mark.parametrize("how", SPLIT)
def test_dates_and_times_of_day_in_columns_of_their_own_are_joined(how, put, places):
    frame, style = SPLIT[how]
    if how == "two clocks":
        frame = frame.melt(list(frame.columns[:4]), var_name="station", value_name="value")
    check(read(put("logger.csv", frame, **style), hints=places))


def test_midnight_of_the_next_day_may_be_called_24(put, places):
    frame = wide(Date=(HOURS - pd.Timedelta("1h")).strftime("%Y-%m-%d"), Time=[f"{h.hour or 24:02d}:00" for h in HOURS])
    check(read(put("logger.csv", frame), hints=places))


def test_a_time_of_day_that_is_none_is_said(put, places):
    frame = wide(Date=HOURS.strftime("%Y-%m-%d"), Time=HOURS.strftime("%H:%M"))
    frame.loc[60, "Time"] = "noon"
    with pytest.raises(DataError, match=r'column "Time", row 61 holds "noon" where a time of day was expected'):
        read(put("logger.csv", frame), hints=places)


# --- tables on their side --------------------------------------------------------------------------------------------


def turned(columns, **left):
    frame = pd.DataFrame(VALUES[: len(columns)].T, columns=list(columns))
    for at, (name, cells) in enumerate({"station": NAMES, "Lat": PLACES["lat"], "Long": PLACES["lon"], **left}.items()):
        frame.insert(at, name, cells)
    return frame


DAYS = pd.date_range("2020-01-20", periods=60, freq="D")
YEARS = pd.date_range("1960", periods=30, freq="YS")
MONTHS = pd.date_range("2019-01-01", periods=36, freq="MS")
SIDEWAYS = {
    "days": (DAYS, DAYS.strftime("%Y-%m-%d")),
    "months first, short years": (DAYS, [f"{d.month}/{d.day}/{d:%y}" for d in DAYS]),
    "whole numbers": (DAYS, DAYS.strftime("%Y%m%d")),
    "made safe by R": (DAYS, DAYS.strftime("X%Y.%m.%d")),
    "years": (YEARS, YEARS.strftime("%Y")),
    "years of a databank": (YEARS, YEARS.strftime("%Y [YR%Y]")),
    "months": (MONTHS, MONTHS.strftime("%Y-%m")),
    "quarters": (MONTHS[::3], [f"{d.year}-Q{d.quarter}" for d in MONTHS[::3]]),
}


@pytest.mark.parametrize("how", SIDEWAYS)
def test_stations_in_rows_and_times_as_columns_are_turned(how, put):
    times, columns = SIDEWAYS[how]
    field = read(put("agency.csv", turned(columns)))
    check(field, VALUES[: len(times)], times)
    assert field.sites.y.tolist() == [50, 51, 52]
    assert f"stations stand in rows and {len(times)} times as columns: the table was turned" in notes(field)


def test_rows_that_no_column_tells_apart_are_called_by_several(put):
    frame = turned(DAYS.strftime("%Y-%m-%d")).rename(columns={"station": "Province/State"})
    frame["Province/State"] = ["North", "South", ""]
    frame.insert(1, "Country/Region", ["A", "A", "B"])
    field = read(put("cases.csv", frame))
    assert sorted(field.sites.name) == ["A, North", "A, South", "B"]


def test_rows_of_several_quantities_are_turned_into_channels(put):
    days = DAYS.strftime("%Y-%m-%d")
    both = pd.concat([turned(days, Indicator="births"), turned(days, Indicator="deaths")])
    field = read(put("agency.csv", both))
    check(field, VALUES[:60], DAYS, channels=("births", "deaths"))


def test_years_that_name_stations_stay_stations(put):
    frame = pd.DataFrame(VALUES, columns=["1901", "1902", "1903"]).assign(time=HOURS)
    hints = Hints(stations=put("places.csv", PLACES.assign(station=["1901", "1902", "1903"])))
    assert read(put("wide.csv", frame), hints=hints).sites.name == ("1901", "1902", "1903")


# --- text that is not quite a table --------------------------------------------------------------------------------


def rdb(sites, times, column, cell):
    rows = [f"USGS\t{site}\t{time}\t{cell(i, j)}\tA" for j, site in enumerate(sites) for i, time in enumerate(times)]
    head = [f"agency_cd\tsite_no\tdatetime\t{column}\t{column}_cd", "5s\t15s\t20d\t14n\t10s"]
    return "\n".join([*head, *rows]) + "\n"


SITES = ("01400001", "01400002", "01400003")
GAUGES = (
    "# sites\n"
    "agency_cd\tsite_no\tstation_nm\tlat_va\tdec_lat_va\tdec_long_va\talt_va\n5s\t15s\t50s\t16n\t16s\t16s\t8s\n"
    + "".join(f"USGS\t{site}\tCreek\t4{i}0101\t4{i}.0\t-7{i}.0\t{i}.5\n" for i, site in enumerate(SITES))
)


def test_rdb_keeps_leading_zeros_and_skips_the_row_of_formats(put):
    told = "# U.S. Geological Survey\n#  69928       00060     00003     Discharge, cubic feet per second (Mean)\n#\n"
    text = told + rdb(SITES, DAYS.strftime("%Y-%m-%d"), "69928_00060_00003", lambda i, j: VALUES[i, j])
    field = read(put("flow.txt", text), hints=Hints(stations=put("gauges.txt", GAUGES)))
    assert field.sites.name == SITES
    assert field.sites.y.tolist() == [40, 41, 42]
    assert [(c.name, c.units) for c in field.channels] == [("00060_00003", "cubic feet per second")]
    assert np.allclose(record(field)[:, :, 0], VALUES[:60])


def test_rdb_with_a_block_a_site_is_one_record(put):
    times = (HOURS - pd.Timedelta("5h")).strftime("%Y-%m-%d %H:%M")
    blocks = []
    for j, site in enumerate(SITES):
        rows = [f"USGS\t{site}\t{t}\tEST\t{VALUES[i, j] if i != 7 else 'Ice'}\tP" for i, t in enumerate(times)]
        head = [f"agency_cd\tsite_no\tdatetime\ttz_cd\t{70 + j}_00065\t{70 + j}_00065_cd", "5s\t15s\t20d\t6s\t14n\t10s"]
        blocks += ["#", f"# Data for {site}", *head, *rows]
    field = read(put("stage.rdb", "\n".join(blocks)), hints=Hints(stations=put("gauges.txt", GAUGES)))
    expected = VALUES.copy()
    expected[7] = np.nan
    assert field.sites.name == SITES
    assert np.allclose(record(field)[:, :, 0], expected, equal_nan=True)
    assert np.array_equal(field.time, HOURS.to_numpy("datetime64[ns]"))
    assert "that hold a remark instead are read as missing: 3" in notes(field)


def test_rdb_of_another_age_may_end_in_a_page_of_errors(put):
    text = "agency_cd\tsite_no\tdv_dt\tdv_va\tdv_cd\n5s\t15s\t10d\t12n\t3s\n"
    text += "".join(
        f"USGS\t{site}\t{day.date()}\t{VALUES[i, j]}\te\n" for j, site in enumerate(SITES) for i, day in enumerate(DAYS)
    )
    text += "<font face=\"Arial\" size=2>\n<p>error '800a01a8'</font>\n"
    field = read(put("old.txt", text), hints=Hints(stations=put("gauges.txt", GAUGES)))
    assert [channel.name for channel in field.channels] == ["dv_va"]
    assert np.allclose(record(field)[:, :, 0], VALUES[:60])


def test_a_weather_service_names_columns_behind_a_sign_and_counts_hours_to_24(put):
    before = HOURS - pd.Timedelta("1h")
    rows = [f"  {260 + j},{t:%Y%m%d},{t.hour + 1:5d},{VALUES[i, j]:8}" for j in range(3) for i, t in enumerate(before)]
    text = "\n".join(["# SOURCE: a weather service", "# STN,YYYYMMDD,   HH,    T", "# ", *rows]) + "\n"
    hints = Hints(stations=put("places.csv", PLACES.assign(station=[260, 261, 262])))
    field = read(put("hourly.txt", text), hints=hints)
    assert field.sites.name == ("260", "261", "262")
    assert np.array_equal(field.time, HOURS.to_numpy("datetime64[ns]"))
    assert np.allclose(record(field)[:, :, 0], VALUES)


def test_the_end_of_each_step_is_no_channel(put, places, tmp_path):
    for j, name in enumerate(NAMES):
        stamps = {"TIMESTAMP_START": HOURS, "TIMESTAMP_END": HOURS + pd.Timedelta("1h")}
        frame = pd.DataFrame({key: times.strftime("%Y%m%d%H%M") for key, times in stamps.items()})
        put(f"flux/FLX_{name}_hourly.csv", frame.assign(NEE=VALUES[:, j]))
    field = read(str(tmp_path / "flux"), hints=places)
    check(field, channels=("NEE",))
    assert "TIMESTAMP_END is not used: it holds times" in notes(field)


def test_titles_above_the_names_are_skipped(put, places):
    body = turned(YEARS.strftime("%Y"), **{"Indicator Name": "Births"}).drop(columns=["Lat", "Long"])
    body = pd.concat([body, body.assign(**{"Indicator Name": "Deaths"})]).rename(columns={"station": "Country Name"})
    text = '"Data Source","Some Bank",\n\n"Last Updated Date","2021-07-30",\n\n' + body.to_csv(index=False)
    field = read(put("bank.csv", text), hints=places)
    check(field, VALUES[:30], YEARS, channels=("Births", "Deaths"))
    text = "Wind at three places\nall in m/s\n" + wide(time=HOURS).to_csv(index=False, sep=";")
    check(read(put("titled.csv", text), hints=places))


def test_the_four_lines_above_the_values_of_a_logger(put, tmp_path):
    for j, name in enumerate(NAMES):
        rows = [f'"{t:%Y-%m-%d %H:%M:%S}",{i},{VALUES[i, j]},"{t:%Y-%m-%d %H:%M:%S}"' for i, t in enumerate(HOURS)]
        head = [f'"TOA5","{name}","CR1000","50133","CR1000.Std.25"', '"TIMESTAMP","RECORD","TA","TA_TMx"']
        put(f"loggers/{name}.dat", "\n".join([*head, '"TS","RN","Deg C",""', '"","","Avg","TMx"', *rows]))
    field = read(str(tmp_path / "loggers"), hints=Hints(stations=put("p.csv", PLACES)))
    check(field, channels=("TA",))
    assert field.channels[0].units == "degC"
    assert "RECORD is not used: it counts the rows" in notes(field)


def test_numbers_of_sites_that_hold_in_a_county_only_are_told_apart(put):
    frame = tidy("Parameter Name", "Sample Measurement", "Units of Measure")
    frame["Site Num"] = frame["station"].map({"P1": 1, "P2": 2, "P3": 1})
    frame["County"] = frame["station"].map({"P1": "north", "P2": "north", "P3": "south"})
    field = read(put("aqs.csv", frame.drop(columns="station")))
    assert field.sites.name == ("1 (50, 4)", "1 (52, 6)", "2 (51, 5)")
    assert np.allclose(record(field)[:, :, 1], VALUES[:, [0, 2, 1]])
    assert "stations of one name in Site Num stand at several places" in notes(field)


def test_a_table_of_stations_is_no_data(put):
    with pytest.raises(DataError, match=r"places.csv: it holds positions of stations and no times. Give it as"):
        read(put("places.csv", PLACES))
    with pytest.raises(DataError, match=r"it holds positions of stations and no times"):
        read(put("places.csv", PLACES.rename(columns={"station": "sensor_id"}).reset_index()))


def test_names_behind_a_sign_of_comment_are_names(put, places):
    body = wide(time=HOURS.strftime("%Y-%m-%dT%H:%M")).to_csv(index=False, header=False)
    for head in ("# made for a test\n#time,P1,P2,P3\n", "% time,P1,P2,P3\n", "#,time,P1,P2,P3\n"):
        check(read(put("a.csv", head + body), hints=places))


def test_the_text_of_a_buoy_has_names_and_units_behind_a_sign(put, tmp_path):
    parts = HOURS.strftime("%Y %m %d %H %M")
    for j, name in enumerate(NAMES):
        rows = [f"{part} {value} {value / 2:.3f}" for part, value in zip(parts, VALUES[:, j], strict=True)]
        head = ["#YY  MM DD hh mm WSPD WTMP", "#yr  mo dy hr mn m/s degC"]
        put(f"buoys/{name}.txt", "\n".join([*head, *rows]))
    field = read(str(tmp_path / "buoys" / "*.txt"), hints=Hints(stations=put("p.csv", PLACES)))
    check(field, channels=("WSPD", "WTMP"))
    assert [channel.units for channel in field.channels] == ["m s-1", "degC"]


def test_rows_and_columns_of_bare_delimiters_are_skipped(put, places):
    lines = wide(time=HOURS).to_csv(index=False).splitlines()
    text = "\n".join([",,,,,", *(f"{line},," for line in lines), *[",,,,,"] * 12]) + "\n"
    field = read(put("a.csv", text), hints=places)
    check(field)
    assert "rows of a.csv without any cell are skipped: 12" in notes(field)


# --- workbooks -----------------------------------------------------------------------------------------------------


def book(path, sheets):
    with pd.ExcelWriter(path) as writer:
        for name, (frame, row) in sheets.items():
            frame.to_excel(writer, sheet_name=name, index=False, startrow=row)


@pytest.mark.parametrize("form", ["wide", "long", "turned", "titled", "with notes first"])
def test_a_workbook_is_read_like_the_table_in_it(form, tmp_path, places):
    pytest.importorskip("openpyxl")
    few = pd.DataFrame({"read me": ["first"]})
    sheets = {
        "wide": {"Sheet1": (wide(time=HOURS), 0)},
        "long": {"Sheet1": (long(), 0)},
        "turned": {"Sheet1": (turned(DAYS), 0)},
        "titled": {"Sheet1": (wide(Date=HOURS.date, Time=HOURS.time), 3)},
        "with notes first": {"about": (few, 0), "data": (wide(time=HOURS), 0), "again": (wide(time=HOURS), 0)},
    }[form]
    book(tmp_path / "data.xlsx", sheets)
    field = read(str(tmp_path / "data.xlsx"), hints=places)
    check(field, *((VALUES[:60], DAYS) if form == "turned" else ()))
    assert ("the sheet data is read; left aside: again" in notes(field)) == (form == "with notes first")


def test_a_workbook_of_positions_is_read(tmp_path, put):
    pytest.importorskip("openpyxl")
    PLACES.to_excel(tmp_path / "places.xlsx", index=False)
    check(read(put("wide.csv", wide(time=HOURS)), hints=Hints(stations=str(tmp_path / "places.xlsx"))))


def test_a_workbook_without_its_package_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    (tmp_path / "data.xlsx").write_bytes(b"PK\x03\x04")
    expected = (
        r"data.xlsx: reading workbooks needs the package openpyxl: pip install 'dynst\[excel\]', or save the sheet"
    )
    with pytest.raises(DataError, match=expected):
        read(str(tmp_path / "data.xlsx"))


def test_a_damaged_workbook_is_one_line(tmp_path):
    pytest.importorskip("openpyxl")
    (tmp_path / "data.xlsx").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(DataError, match=r"^data.xlsx: cannot be read as a workbook: .*Save the sheet as CSV.$"):
        read(str(tmp_path / "data.xlsx"))


# --- one file a station --------------------------------------------------------------------------------------------


def one_a_file(put, called, start=(0, 0, 0), **more):
    for j, (name, at) in enumerate(zip(NAMES, start, strict=True)):
        frame = pd.DataFrame({"datetime": HOURS, "value": VALUES[:, j], "No": np.arange(72), "wd": "NNE"})[at:]
        put(called.format(name), frame.assign(**{key: cells[j] for key, cells in more.items()}))


@pytest.mark.parametrize("called", ["all/{}.csv", "all/Data_{}_2022-03-01.csv", "all/station-{}.txt"])
def test_files_named_by_stations_are_one_record(called, put, places, tmp_path):
    one_a_file(put, called)
    path = tmp_path / "all"
    field = read(str(path if called.endswith(".csv") else path / "*.txt"), hints=places)
    check(field)
    said = notes(field)
    assert "each file is of one station, called like the file" in said
    assert "No is not used: it counts the rows" in said
    assert "3 files of 3 stations are read together" in said


def test_stations_that_begin_later_are_missing_before(put, places, tmp_path):
    one_a_file(put, "all/{}.csv", start=(0, 10, 0))
    expected = VALUES.copy()
    expected[:10, 1] = np.nan
    check(read(str(tmp_path / "all"), hints=places), expected)


def test_the_station_of_a_file_may_stand_in_a_column(put, tmp_path):
    one_a_file(put, "all/part_{}.csv", station=NAMES, lat=PLACES["lat"], lon=PLACES["lon"])
    field = read(str(tmp_path / "all"))
    check(field)
    assert field.sites.y.tolist() == [50, 51, 52]


def test_files_that_keep_one_position_are_named_by_what_differs(put, tmp_path):
    one_a_file(put, "all/met_{}_hourly.csv", lat=PLACES["lat"], lon=PLACES["lon"])
    check(read(str(tmp_path / "all")))


def test_pieces_of_stations_are_put_together_whatever_their_number(put, places, tmp_path):
    one_a_file(put, "all/{}.csv")
    whole = pd.read_csv(tmp_path / "all/P2.csv")
    put("all/P2.csv", whole[:30])
    put("all/P2_later.csv", whole[30:])
    check(read(str(tmp_path / "all"), hints=places))


# --- where stations stand --------------------------------------------------------------------------------------------


def points(**properties):
    return geopandas.GeoDataFrame(properties, geometry=geopandas.points_from_xy(PLACES["lon"], PLACES["lat"]), crs=4326)


@pytest.mark.parametrize("ending", [".geojson", ".gpkg", ".shp", ".fgb"])
@pytest.mark.parametrize("named", ["station", "id", "Kennung"])
def test_points_of_any_file_place_the_stations_of_a_table(ending, named, put, tmp_path):
    points(**{"kind": ["met"] * 3, named: NAMES}).to_file(tmp_path / f"places{ending}")
    field = read(put("wide.csv", wide(time=HOURS)), hints=Hints(stations=str(tmp_path / f"places{ending}")))
    check(field)
    assert field.sites.x.tolist() == [4, 5, 6]


def test_points_may_have_their_names_beside_the_properties(put, tmp_path):
    features = [
        {"type": "Feature", "id": name, "properties": {}, "geometry": {"type": "Point", "coordinates": [lon, lat]}}
        for name, lat, lon in PLACES.itertuples(index=False)
    ]
    (tmp_path / "places.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    check(read(put("wide.csv", wide(time=HOURS)), hints=Hints(stations=str(tmp_path / "places.geojson"))))


def test_points_tell_which_column_of_a_long_table_names_the_stations(put, tmp_path):
    points(Kennung=NAMES).to_file(tmp_path / "places.geojson")
    frame = long().rename(columns={"station": "wo"}).assign(network="north", code="x")
    check(read(put("long.csv", frame), hints=Hints(stations=str(tmp_path / "places.geojson"))))


def test_positions_without_a_line_of_names_are_read(put):
    lines = "".join(f"{400000 + i},37.{i},-121.{i}\n" for i in range(3))
    data = put("wide.csv", wide(time=HOURS).set_axis(["time", "400000", "400001", "400002"], axis=1))
    field = read(data, hints=Hints(stations=put("bay.csv", lines)))
    assert field.sites.y.tolist() == [37.0, 37.1, 37.2]
    assert "bay.csv has no line of names: its columns are taken for station, lat, lon" in notes(field)


@pytest.mark.parametrize("ending", [".xls", ".ods"])
def test_workbooks_of_other_forms_are_one_line(ending, tmp_path):
    (tmp_path / f"data{ending}").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(DataError, match=r"of workbooks only .xlsx is read. Save the sheet as CSV.$"):
        read(str(tmp_path / f"data{ending}"))
