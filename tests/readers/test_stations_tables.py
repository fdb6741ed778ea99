"""Tables of stations as people write them: the same record however it is written."""

import json

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from dynst.domain import Frame
from dynst.errors import DataError
from dynst.readers import read
from dynst.readers.base import Hints
from dynst.readers.door import sniff

DAYS = np.datetime64("2020-01-20") + np.arange(30)
NAMES = ("A", "B", "C")
VALUES = np.round(np.random.default_rng(3).standard_normal((30, 3)), 3)
PLACES = "station,lat,lon\nA,50,4\nB,51,5\nC,52,6\n"


def wide(*, days=DAYS, names=NAMES, values=VALUES, sep=",", comma=False, head="date", put=None):
    cells = [[head, *names], *([str(day), *map(str, row)] for day, row in zip(days, values, strict=True))]
    for (row, column), text in (put or {}).items():
        cells[row][column] = text
    lines = [sep.join(row) for row in cells]
    return "\n".join([lines[0], *(line.replace(".", ",") if comma else line for line in lines[1:])]) + "\n"


@pytest.fixture
def write(tmp_path):
    def put(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding=encoding)
        return str(path)

    return put


@pytest.fixture
def hints(write):
    return Hints(stations=write("stations.csv", PLACES))


def record(field):
    return field.series.read(0, field.steps)


def notes(field):
    return " | ".join(field.origin.notes)


def long(values=VALUES, keep=None):
    rows = [
        f"{name},{day},{values[i, j]}"
        for i, day in enumerate(DAYS)
        for j, name in enumerate(NAMES)
        if keep is None or keep[i, j]
    ]
    return "station,time,value\n" + "\n".join(rows) + "\n"


STYLES = {
    "comma": (wide(), "utf-8"),
    "semicolon, decimal comma, byte order mark": (wide(sep=";", comma=True), "utf-8-sig"),
    "tab, comments": ("# made by hand\n% for a test\n" + wide(sep="\t"), "utf-8"),
    "bar, UTF-16": (wide(sep="|"), "utf-16"),
    "no name of the times": (wide(head=""), "utf-8"),
    "days first": (wide(days=[f"{d.day}.{d.month}.{d.year}" for d in DAYS.tolist()]), "utf-8"),
    "months first": (wide(days=[f"{d.month}/{d.day}/{d.year}" for d in DAYS.tolist()]), "utf-8"),
    "whole-number days": (wide(days=[str(day).replace("-", "") for day in DAYS]), "utf-8"),
    "with an offset": (wide(days=[f"{day}T02:00+02:00" for day in DAYS]), "utf-8"),
    "last day first": (wide(days=DAYS[::-1], values=VALUES[::-1]), "utf-8"),
    "year, month, day": (
        "year,month,day,A,B,C\n"
        + "\n".join(
            f"{d.year},{d.month},{d.day},{a},{b},{c}" for d, (a, b, c) in zip(DAYS.tolist(), VALUES, strict=True)
        ),
        "utf-8",
    ),
    "long": (long(), "utf-8"),
}


@pytest.mark.parametrize("style", STYLES)
def test_the_same_record_however_it_is_written(style, write, hints):
    field = read(write("wind.csv", *STYLES[style]), hints=hints)
    assert np.array_equal(field.time, DAYS.astype("datetime64[ns]"))
    assert np.array_equal(record(field)[:, :, 0], VALUES.astype("f4"))
    assert field.sites.name == NAMES
    assert field.sites.y.tolist() == [50, 51, 52]
    assert field.cadence == "1 day"
    assert (field.origin.reader, field.name) == ("stations", "wind")


def test_parquet_is_read_like_any_table(tmp_path, hints, monkeypatch):
    (tmp_path / "wind.parquet").write_bytes(b"PAR1")
    frame = pd.DataFrame(VALUES, columns=list(NAMES), index=pd.DatetimeIndex(DAYS))
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame)
    field = read(str(tmp_path / "wind.parquet"), hints=hints)
    assert np.array_equal(record(field)[:, :, 0], VALUES.astype("f4"))
    assert field.time[0] == DAYS[0]


def test_parquet_without_its_package_names_it(tmp_path, hints, monkeypatch):
    def lacking(path):
        raise ImportError("Unable to find a usable engine")

    (tmp_path / "wind.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(pd, "read_parquet", lacking)
    with pytest.raises(
        DataError, match=r"wind.parquet: reading Parquet needs the package pyarrow: pip install pyarrow$"
    ):
        read(str(tmp_path / "wind.parquet"), hints=hints)


def test_cells_that_mean_missing_are_missing(write, hints):
    put = {(2, 1): "NA", (3, 1): "-", (4, 2): "", (5, 2): "n/a", (6, 3): "-9999", (7, 3): "inf"}
    field = read(write("wind.csv", wide(put=put)), hints=hints)
    gaps = {(int(i) + 1, int(j) + 1) for i, j in np.argwhere(np.isnan(record(field)[:, :, 0]))}
    assert gaps == set(put)
    assert field.has_missing
    assert "values of -9999 are read as missing: 1" in notes(field)
    assert "values beyond 1e+30 are read as missing: 1" in notes(field)


def test_a_station_that_never_reports_is_no_site(write, hints):
    field = read(write("wind.csv", wide(put={(i, 2): "" for i in range(1, 31)})), hints=hints)
    assert field.sites.name == ("A", "C")
    assert not field.has_missing
    assert "stations that never report are no sites: 1 of 3 (B)" in notes(field)


def test_a_step_at_which_nobody_reports_stays_in_its_run(write, hints):
    field = read(write("wind.csv", wide(put={(9, j): "" for j in (1, 2, 3)})), hints=hints)
    assert len(field.runs) == 1
    assert np.isnan(record(field)[8]).all()
    keep = np.ones((30, 3), bool)
    keep[8] = False
    bare = read(write("long.csv", long(keep=keep)), hints=hints)
    assert np.array_equal(record(bare), record(field), equal_nan=True)
    assert "no station reported were added as missing: 1" in notes(bare)


def test_a_gap_in_time_cuts_runs(write, hints):
    keep = np.r_[0:12, 20:30]
    field = read(write("wind.csv", wide(days=DAYS[keep], values=VALUES[keep])), hints=hints)
    assert field.runs == [(0, 12), (12, 22)]
    assert not field.cases
    assert "1 gap in time cut the record into 2 runs" in notes(field)


def test_clocks_that_wander_are_put_on_even_times(write, hints):
    times = np.datetime64("2020-01-01T00:00:00") + np.arange(30) * 300
    wander = np.random.default_rng(1).integers(-9, 10, 30)
    field = read(write("wind.csv", wide(days=times + wander)), hints=hints)
    assert field.cadence == "5 min"
    assert len(field.runs) == 1
    assert np.abs((field.time - times.astype("datetime64[ns]")) / np.timedelta64(1, "s")).max() < 10
    assert "uneven times were put on even ones, 300 s apart" in notes(field)


def test_a_long_table_holds_quantities_units_and_what_is_no_quantity(write, hints):
    text = "time,station,PM10 (ug/m3),no2 [ppb],flag,lat,lon\n"
    text += "".join(f"{day},{name},{i},{j},ok,{j},{j}\n" for i, day in enumerate(DAYS) for j, name in enumerate(NAMES))
    field = read(write("air.csv", text), hints=hints)
    assert [(channel.name, channel.units) for channel in field.channels] == [("PM10", "ug/m3"), ("no2", "ppb")]
    assert record(field)[4, 2].tolist() == [4, 2]
    assert "flag is not used: it holds flags, which are not applied" in notes(field)
    assert field.sites.y.tolist() == [50, 51, 52]  # the table of stations decides
    assert read(write("air.csv", text)).sites.y.tolist() == [0, 1, 2]
    assert len(read(write("air.csv", text), observe=["no2"], predict=["no2"]).channels) == 1


def test_the_order_of_rows_of_a_long_table_means_nothing(write, hints):
    head, *rows = long().splitlines()
    np.random.default_rng(0).shuffle(rows)
    shuffled = read(write("b.csv", "\n".join([head, *rows])), hints=hints)
    assert np.array_equal(record(shuffled), record(read(write("a.csv", long()), hints=hints)))
    assert shuffled.sites.name == NAMES


def test_names_with_zeros_in_front_and_names_that_look_missing_are_names(write):
    text = "time,station,v\n" + "".join(f"{day},{name},1\n" for day in DAYS for name in ("007", "NA", "7"))
    stations = write("stations.csv", "id,lat,lon\nNA,1,1\n7,2,2\n007,3,3\n")
    field = read(write("a.csv", text), hints=Hints(stations=stations))
    assert dict(zip(field.sites.name, field.sites.y.tolist(), strict=True)) == {"007": 3, "7": 2, "NA": 1}


def test_stations_are_found_by_whichever_column_fits(write):
    stations = write(
        "stations.csv", "no;name;Latitude (deg);LON;Elevation_ft;cost\n1;B;51,5;5;10;7\n2;A;50;4;20;7\n3;Z;1;1;;7\n"
    )
    field = read(write("wind.csv", wide()), hints=Hints(stations=stations))
    assert field.sites.name == ("A", "B")
    assert field.sites.y.tolist() == [50, 51.5]
    assert [(c.name, c.values.tolist(), c.units) for c in field.covariates] == [("height", [20, 10], "ft")]
    said = notes(field)
    assert "stations without a position in stations.csv are no sites: 1 (C)" in said
    assert "stations of stations.csv without values: 1" in said
    assert "by its column name" in said
    assert "not used: no, cost" in said


@pytest.mark.parametrize(
    ("table", "x", "y"),
    [
        ("id,x_m,z_m\nA,0,1\nB,10,2\nC,20,3\n", [0, 10, 20], [1, 2, 3]),
        ("id,x_km,y_km\nA,0,1\nB,10,2\nC,20,3\n", [0, 10_000, 20_000], [1000, 2000, 3000]),
        ("id,Easting,Northing\nA,0,1\nB,10,2\nC,20,3\n", [0, 10, 20], [1, 2, 3]),
        ("id,lon,lat\nA,589196,6151987\nB,10,6151987\nC,20,6151987\n", [589196, 10, 20], [6151987] * 3),
    ],
)
def test_metres_are_a_plane(table, x, y, write):
    field = read(write("wind.csv", wide()), hints=Hints(stations=write("stations.csv", table)))
    assert field.sites.frame is Frame.PLANAR
    assert (field.sites.x.tolist(), field.sites.y.tolist(), field.sites.unit) == (x, y, "m")
    assert field.sites.longitude is None


def test_longitudes_of_a_full_turn_come_home(write):
    stations = write("stations.csv", "id,lat,lon\nA,1,350\nB,1,180\nC,1,10\n")
    field = read(write("wind.csv", wide()), hints=Hints(stations=stations))
    assert field.sites.x.tolist() == [-10, -180, 10]


GRAPHS = {
    "names": ("from,to,weight\nA,B,1\nB,C,0.5\n", {(0, 1): 1, (1, 2): 0.5}),
    "numbers": ("source;target\n0;1\n1;2\n", {(0, 1): 1, (1, 2): 1}),
    "numbers from one": ("i,to\n1,2\n2,3\n", None),
    "bare numbers": ("0 1\n1 2\n", {(0, 1): 1, (1, 2): 1}),
    "matrix": ("0,1,0\n1,0,0.5\n0,0.5,0\n", {(0, 1): 1, (1, 2): 0.5}),
    "matrix with names in another order": (",C,B,A\nC,0,0.5,0\nB,0.5,0,1\nA,0,1,0\n", {(0, 1): 1, (1, 2): 0.5}),
    "lengths": ("from,to,cost\nA,B,100\nB,C,300\n", {(0, 1): np.exp(-1), (1, 2): np.exp(-9)}),
}
GRAPHS["numbers from one"] = ("from,to\n1,2\n2,3\n", {(0, 1): 1, (1, 2): 1})


@pytest.mark.parametrize("kind", GRAPHS)
def test_the_same_graph_however_it_is_written(kind, write):
    text, expected = GRAPHS[kind]
    field = read(write("wind.csv", wide()), hints=Hints(graph=write("graph.csv", text)))
    edges = dict(zip(map(tuple, field.layout.edge_index.T.tolist()), field.layout.edge_weight.tolist(), strict=True))
    assert edges == pytest.approx(expected | {(j, i): w for (i, j), w in expected.items()})
    assert field.sites.frame is Frame.SCHEMATIC
    assert ("become weights" in notes(field)) == (kind == "lengths")


def test_a_matrix_of_npy_keeps_its_directions(write, tmp_path, hints):
    np.save(tmp_path / "graph.npy", np.array([[1.0, 0.5, 0], [0, 1, 0], [0.2, 0, 1]]))
    field = read(write("wind.csv", wide()), hints=Hints(stations=hints.stations, graph=str(tmp_path / "graph.npy")))
    assert field.layout.edge_index.T.tolist() == [[2, 0], [0, 1]]
    assert field.layout.edge_weight.tolist() == [0.2, 0.5]


def test_weights_that_grow_with_distance_are_lengths(write):
    places = "station,lat,lon\n" + "".join(f"{i},{50 + i * i / 10},4\n" for i in range(8))
    links = "from,to,weight\n" + "".join(f"{i},{i + 1},{1000 * (2 * i + 1)}\n" for i in range(7))
    nearness = "from,to,weight\n" + "".join(f"{i},{i + 1},{1 / (2 * i + 1)}\n" for i in range(7))
    data = write("wind.csv", wide(names=[str(i) for i in range(8)], values=np.ones((30, 8))))
    for text, lengths in ((links, True), (nearness, False)):
        told = Hints(stations=write("stations.csv", places), graph=write("links.csv", text))
        field = read(data, hints=told)
        assert ("become weights" in notes(field)) == lengths
        near = field.layout.edge_weight[(field.layout.edge_index.T == [1, 0]).all(axis=1)]
        assert near == field.layout.edge_weight.max()


def test_links_to_stations_without_data_are_left_out(write):
    graph = write("graph.csv", "from,to\nA,B\nB,C\nC,Q\n")
    field = read(write("wind.csv", wide(put={(i, 3): "" for i in range(1, 31)})), hints=Hints(graph=graph))
    assert field.layout.edge_index.T.tolist() == [[1, 0], [0, 1]]
    assert "that end at stations without data (Q): 1" in notes(field)
    assert "that end at stations that are no sites: 1" in notes(field)


def devices(shift, jitter=0.0, step=1.0):
    rows = [f"{i * step + jitter * (i % 2)},{i},{i + shift},{shift}" for i in range(20)]
    return 's,C,C,m/s\n"Time","T1","T2","V1"\n' + "\n".join(rows) + "\n"


def test_fires_of_a_folder_are_experiments(write, tmp_path):
    for name, shift in (("a", 1), ("b", 2)):
        write(f"fires/{name}_devc.csv", devices(shift, jitter=0.01))
    positions = write("devices.csv", "name,x_m,z_m\nT1,0,1\nT2,5,1\nV1,5,2\n")
    field = read(str(tmp_path / "fires"), hints=Hints(stations=positions))
    assert field.cases == ("a_devc", "b_devc")
    assert field.runs == [(0, 20), (20, 40)]
    assert field.cadence == "1 s"
    assert [(channel.name, channel.units) for channel in field.channels] == [
        ("temperature", "degC"),
        ("velocity", "m s-1"),
    ]
    assert field.sites.name == ("T1", "T2", "V1")
    assert record(field)[23, 1, 0] == 5
    assert np.isnan(record(field)[:, 2, 0]).all()
    write("fires/c_devc.csv", devices(3, step=2.0))
    with pytest.raises(DataError, match=r"the experiments have other steps: 1 s in b_devc, 2 s in c_devc"):
        read(str(tmp_path / "fires"), hints=Hints(stations=positions))


def test_files_with_later_dates_are_pieces_of_one_record(write, tmp_path, hints):
    write("years/first.csv", wide(days=DAYS[:12], values=VALUES[:12]))
    write("years/second.csv", wide(days=DAYS[12:], values=VALUES[12:, ::-1], names=NAMES[::-1]))
    field = read(str(tmp_path / "years"), hints=hints)
    assert np.array_equal(record(field)[:, :, 0], VALUES.astype("f4"))
    assert len(field.runs) == 1
    assert not field.cases


def test_files_with_the_same_dates_are_quantities(write, tmp_path, hints):
    write("both/tmin.csv", wide())
    write("both/tmax.csv", wide(values=VALUES + 5))
    field = read(str(tmp_path / "both"), hints=hints)
    assert [channel.name for channel in field.channels] == ["tmax", "tmin"]
    assert np.allclose(record(field)[:, :, 0], VALUES + 5)
    alone = read(str(tmp_path / "both" / "*.csv"), hints=hints, observe=["tmin"], predict=["tmin"])
    assert np.array_equal(record(alone)[:, :, 0], VALUES.astype("f4"))


def stations(**parts):
    data = xr.Dataset(
        {"t": (("time", "station"), VALUES, {"units": "K"})},
        {
            "time": DAYS.astype("datetime64[ns]"),
            "lat": ("station", [50.0, 51.0, 52.0]),
            "lon": ("station", [4.0, 5.0, 6.0]),
        },
    )
    return data.assign(parts)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data,
        lambda data: data.transpose("station", "time"),
        lambda data: data.rename(station="site", lat="latitude", lon="longitude"),
        lambda data: data.expand_dims(height=[2.0], axis=2),
        lambda data: data.assign(name=("station", np.array([b"A", b"B", b"C"]))),
    ],
)
def test_the_same_netcdf_however_it_is_laid_out(change, tmp_path):
    change(stations()).to_netcdf(tmp_path / "wind.nc")
    assert sniff(str(tmp_path / "wind.nc")) == "stations"
    field = read(str(tmp_path / "wind.nc"))
    assert np.array_equal(record(field)[:, :, 0], VALUES.astype("f4"))
    assert field.sites.x.tolist() == [4, 5, 6]
    assert field.sites.name in {("0", "1", "2"), NAMES}
    assert field.channels[0].units == "K"


def test_netcdf_without_positions_takes_those_of_a_table(tmp_path, hints):
    data = stations(station=("station", list(NAMES))).drop_vars(["lat", "lon"])
    data.to_netcdf(tmp_path / "wind.nc")
    assert read(str(tmp_path / "wind.nc"), hints=hints).sites.y.tolist() == [50, 51, 52]
    with pytest.raises(DataError, match=r"wind.nc: the positions of its 3 stations are unknown. Give a table"):
        read(str(tmp_path / "wind.nc"))


def test_identifiers_heights_and_forgotten_fill_values_of_netcdf(tmp_path):
    values = VALUES.copy()
    values[2, 1] = 9.96921e36
    data = stations(
        t=(("time", "station"), values),
        town=("station", ["a", "b", "c"]),
        code=("station", ["X", "Y", "Z"], {"cf_role": "timeseries_id"}),
        alt=("station", [5.0, np.nan, 9.0], {"units": "m"}),
        profile=(("time", "station", "level"), np.ones((30, 3, 2))),
    )
    data.to_netcdf(tmp_path / "wind.nc")
    field = read(str(tmp_path / "wind.nc"))
    assert field.sites.name == ("X", "Y", "Z")
    assert field.covariates[0].values.tolist() == [5, 7, 9]
    assert np.argwhere(np.isnan(record(field)[:, :, 0])).tolist() == [[2, 1]]
    assert "profile is not used: it has the dimensions (time, station, level)" in notes(field)


def test_the_fingerprint_is_of_the_content_of_all_files(write):
    data, places = write("wind.csv", wide()), write("stations.csv", PLACES)
    first = read(data, hints=Hints(stations=places)).origin.fingerprint
    assert read(data, hints=Hints(stations=places)).origin.fingerprint == first
    write("stations.csv", PLACES.replace("52", "53"))
    assert read(data, hints=Hints(stations=places)).origin.fingerprint != first


def test_a_json_graph_gives_its_nodes_names_places_and_links(write):
    nodes = [{"stop": name, "x": float(i), "y": 0.0, "load": [i, 2, 3]} for i, name in enumerate("abc")]
    links = [{"source": "a", "target": "b", "weight": 2.0}, {"source": "b", "target": "c", "weight": 1.0}]
    field = read(write("bus.json", json.dumps({"directed": True, "nodes": nodes, "links": links})))
    assert field.sites.name == ("a", "b", "c")
    assert field.sites.x.tolist() == [0, 1, 2]
    assert record(field)[0, :, 0].tolist() == [0, 1, 2]
    assert field.layout.edge_index.T.tolist() == [[1, 0], [0, 1], [2, 1], [1, 2]]
    assert "used both ways" in notes(field)


def test_files_of_other_stations_and_the_same_times_stand_side_by_side(write, tmp_path, hints):
    write("parts/east.csv", wide(names=("A",), values=VALUES[:, :1]))
    write("parts/west.csv", wide(names=("B", "C"), values=VALUES[:, 1:]))
    field = read(str(tmp_path / "parts"), hints=hints)
    assert np.array_equal(record(field)[:, :, 0], VALUES.astype("f4"))
    assert field.sites.name == NAMES
    assert "east.csv and west.csv are read side by side" in notes(field)


def test_texts_beside_tables_and_other_output_of_a_simulation_are_left_alone(write, tmp_path, hints):
    write("data/wind.csv", wide())
    write("data/README.txt", "Winds of three stations.")
    assert read(str(tmp_path / "data"), hints=hints).sites.name == NAMES
    write("fire/a_devc.csv", devices(1))
    write("fire/a_hrr.csv", "s,kW\nTime,HRR\n0,1\n1,2\n")
    write("fire/places.csv", "name,x_m,z_m\nT1,0,1\nT2,5,1\nV1,5,2\n")
    field = read(str(tmp_path / "fire"))
    assert field.sites.name == ("T1", "T2", "V1")
    assert "positions come from places.csv beside the data" in notes(field)


def test_a_folder_of_grids_with_a_table_beside_them_stays_a_grid(write, tmp_path):
    write("weather/about.csv", "name,unit\nt2m,K\n")
    (tmp_path / "weather" / "t2m").mkdir()
    (tmp_path / "weather" / "t2m" / "t2m_1979.nc").write_bytes(b"")
    assert sniff(str(tmp_path / "weather")) == "gridded"


@pytest.mark.parametrize("tick", [10**0, 10**3, 10**6, 10**9])
def test_times_since_1970_are_told_by_their_size(tick, write, hints):
    seconds = DAYS.astype("datetime64[s]").astype(np.int64)
    found = read(write("w.csv", wide(days=seconds * tick, head="timestamp")), hints=hints)
    assert (found.time == DAYS).all()


def test_days_first_are_no_offset_from_utc(write, hints):
    text = wide(days=[f"{d:%d-%m-%Y}" for d in DAYS.tolist()])
    found = read(write("w.csv", text), hints=hints)
    assert (found.time == DAYS).all()
    assert "UTC" not in notes(found)


def test_dates_in_columns_keep_their_minutes(write, hints):
    text = wide(head="year,month,day,hour,minute", days=[f"{d:%Y,%m,%d},6,30" for d in DAYS.tolist()])
    found = read(write("w.csv", text), hints=hints)
    assert (found.time == DAYS + np.timedelta64(390, "m")).all()


def test_a_height_that_nobody_knows_is_no_height(write):
    places = "station,lat,lon,elevation\nA,50,4,100\nB,51,5,-9999\nC,52,6,300\n"
    found = read(write("w.csv", wide()), hints=Hints(stations=write("p.csv", places)))
    assert found.covariates[0].values.tolist() == [100.0, 200.0, 300.0]


def test_what_a_station_measures_is_no_position(write, hints):
    cells = [(d, s, i) for i, d in enumerate(DAYS) for s in NAMES]
    rows = [f"{d},{s},{2 + np.sin(i):.3f},{np.cos(i):.3f},{i % 7}" for d, s, i in cells]
    text = "time,station,wave_height (m),x_velocity,period\n" + "\n".join(rows) + "\n"
    found = read(write("w.csv", text), hints=hints)
    assert [c.name for c in found.channels] == ["wave_height", "x_velocity", "period"]


def test_columns_that_differ_in_unit_alone_are_channels_of_their_own(write, hints):
    rows = [f"{d},{s},{i},{i / 2}" for i, d in enumerate(DAYS) for s in NAMES]
    text = "time,station,NO2 (ug/m3),NO2 (ppb)\n" + "\n".join(rows) + "\n"
    found = read(write("w.csv", text), hints=hints)
    assert [(c.name, c.units) for c in found.channels] == [("NO2_ug_m3", "ug/m3"), ("NO2_ppb", "ppb")]
    assert record(found)[9, 0].tolist() == [9.0, 4.5]


def test_two_columns_that_name_stations_otherwise_are_said(write):
    text = wide(names=("0", "1", "2"))
    places = "wmo,node,lat,lon\n0,2,50,4\n1,1,51,5\n2,0,52,6\n"
    found = read(write("w.csv", text), hints=Hints(stations=write("p.csv", places)))
    assert "wmo of p.csv would name other rows than its column node" in notes(found)


def test_kilometres_of_netcdf_are_no_metres(tmp_path):
    x, y = (("station", np.arange(3.0) * k, {"units": "km"}) for k in (1, 2))
    values = {"v": (("time", "station"), VALUES)}
    xr.Dataset(values, coords={"time": DAYS.astype("datetime64[ns]"), "x": x, "y": y}).to_netcdf(tmp_path / "s.nc")
    assert read(str(tmp_path / "s.nc")).sites.x.tolist() == [0.0, 1000.0, 2000.0]


def test_celsius_and_kelvin_never_make_one_channel(write, tmp_path):
    rows = "\n".join(f"{i},{20 + i},{21 + i}" for i in range(30))
    places = Hints(stations=write("p.csv", "device,x,y\nA,0,0\nB,1,0\nC,2,0\nD,3,0\n"))
    write("fire/1.csv", f"Time,A,B\ns,C,C\n{rows}\n")
    write("fire/2.csv", f"Time,C,D\ns,K,K\n{rows}\n")
    with pytest.raises(DataError, match="give temperature in degC and in K"):
        read(str(tmp_path / "fire"), hints=places)
    with pytest.raises(DataError, match="temperature comes in degC and in K"):
        read(write("one.csv", f"Time,A,B\ns,C,K\n{rows}\n"), hints=places)


def test_experiments_of_one_file_name_are_called_by_their_folders(write, tmp_path):
    for run in "abc":
        (tmp_path / run).mkdir()
        write(f"{run}/t_devc.csv", "s,C,C\nTime,A,B\n" + "\n".join(f"{i},{20 + i},{21 + i}" for i in range(30)))
    places = Hints(stations=write("p.csv", "device,x,y\nA,0,0\nB,1,0\n"))
    assert read(str(tmp_path / "*" / "t_devc.csv"), hints=places).cases == ("a_t_devc", "b_t_devc", "c_t_devc")


@pytest.mark.parametrize(("head", "form"), [("MESS_DATUM", "%Y%m%d%H"), ("time", "%Y%m%d%H%M"), ("t", "%Y%m%d%H%M%S")])
def test_dates_written_as_one_number_are_dates(head, form, write, hints):
    hours = [np.datetime64("2020-01-31T18") + np.timedelta64(i, "h") for i in range(30)]
    text = wide(head=head, days=[h.item().strftime(form) for h in hours])
    found = read(write("w.csv", text), hints=hints)
    assert (found.time == np.array(hours)).all()
    assert len(found.runs) == 1


def test_months_written_as_one_number_pass_the_end_of_the_year(write, hints):
    months = np.datetime64("2019-01") + np.arange(30)
    found = read(write("w.csv", wide(head="month", days=[str(m).replace("-", "") for m in months])), hints=hints)
    assert (found.time == months).all()
    assert len(found.runs) == 1


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp"])
def test_positions_are_read_from_points_in_any_reference_system(write, hints, tmp_path, suffix):
    where = geopandas.GeoDataFrame(
        {"name": ["A", "B", "C"]}, geometry=shapely.points([4, 5, 6], [50, 51, 52]), crs="EPSG:4326"
    )
    path = tmp_path / f"places{suffix}"
    (where if suffix == ".geojson" else where.to_crs("EPSG:3035")).to_file(path)
    found = read(write("w.csv", wide()), hints=Hints(stations=str(path)))
    table = read(write("w.csv", wide()), hints=hints)
    assert found.sites.name == table.sites.name
    np.testing.assert_allclose(found.sites.x, table.sites.x, atol=1e-6)
    np.testing.assert_allclose(found.sites.y, table.sites.y, atol=1e-6)


def test_features_without_places_give_no_positions(write):
    text = '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "A"}}]}'
    with pytest.raises(DataError, match="have no positions"):
        read(write("w.csv", wide()), hints=Hints(stations=write("places.geojson", text)))
