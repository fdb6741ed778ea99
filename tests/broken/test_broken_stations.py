"""Each malformed table of stations gives its own line: what was wrong, what came, what to do."""

import json
import os

import numpy as np
import pytest
import xarray as xr

from dynst.errors import ConfigError, DataError
from dynst.readers import read
from dynst.readers.base import Hints

DAYS = np.datetime64("2020-01-01") + np.arange(14)
PLACES = "station,lat,lon\nA,50,4\nB,51,5\nC,52,6\n"


def wide(*, head="date,A,B,C", **put):
    """Days and three stations; `row5="..."` replaces the fifth row below the header."""
    rows = [f"{day},{i},{i + 1},{i + 2}" for i, day in enumerate(DAYS)]
    for key, row in put.items():
        rows[int(key.removeprefix("row")) - 1] = row
    return "\n".join([head, *rows]) + "\n"


def long(extra="", lat="1"):
    rows = [f"{day},{name},{lat},1,{i}" for i, day in enumerate(DAYS) for name in "AB"]
    return "time,station,lat,lon,v\n" + "\n".join(rows) + "\n" + extra


def fails(tmp_path, match, error=DataError, *, text=None, name="x.csv", stations=PLACES, graph=None, **asked):
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    told = {}
    for what, content in (("stations", stations), ("graph", graph)):
        if content is not None:
            told[what] = str(tmp_path / f"{what}.csv")
            (tmp_path / f"{what}.csv").write_text(content)
    with pytest.raises(error, match=match) as caught:
        read(str(tmp_path / name), hints=Hints(**told), **asked)
    assert "\n" not in str(caught.value)


DATA = {
    "empty": ("", r"x.csv: the file is empty. Get it again"),
    "comments only": ("# a\n# b\n", r"x.csv: it holds comments only"),
    "names only": ("date,A,B,C\n", r"x.csv: there is no row below the names of the columns \(date, A, B, C\)"),
    "prose": (
        "Dear colleague\nhere are data\n",
        r'x.csv: not a table: the first line, "Dear colleague", names one col',
    ),
    "binary": (bytes(range(256)) * 8, r"x.csv: not a text table: it holds zero bytes"),
    "no names": ("1.5,2.5\n1,2\n3,4\n", r"x.csv: the first line holds numbers \(1.5, 2.5\) where names of columns"),
    "names twice": (wide(head="date,A,A,C"), r"x.csv: 1 column names come more than once \(A\)"),
    "times only": ("date\tdate2\n", r"x.csv: there is no row below the names of the columns \(date, date2\)"),
    "too many cells": (wide(row5="2020-01-05,1,2,3,4,5"), r"x.csv: not a table: Expected 4 fields in line 6, saw 6"),
    "text in a number": (
        wide(row5="2020-01-05,1,calm,3"),
        r'x.csv: column "B", row 5 holds "calm" where a number was expected \(1 such cells',
    ),
    "line breaks in a cell": (
        wide(row5='2020-01-05,"calm\nor\nnot",2,3'),
        r'x.csv: column "A", row 5 holds "calm or not" where a number',
    ),
    "no date": (
        wide(row5="2020-02-31,1,2,3"),
        r'x.csv: column "date", row 5 holds "2020-02-31", which is no date \(1 of 14',
    ),
    "empty date": (wide(row5=",1,2,3"), r'x.csv: column "date", row 5 has no time'),
    "date twice": (
        wide(row5="2020-01-04,1,2,3"),
        r"x.csv: time repeats: 2020-01-04T00:00 comes more than once with other values .* column called station\.$",
    ),
    "two ways to read a date": (
        "date,A,B,C\n" + "".join(f"0{i}/03/2020,1,2,3\n" for i in range(1, 10)),
        r'x.csv: dates like "01/03/2020" in column "date" can be read in two ways. Write dates as 2020-12-31',
    ),
    "days first and months first": (
        "date,A,B,C\n13/03/2020,1,2,3\n03/14/2020,1,2,3\n",
        r"mixes days first and months first",
    ),
    "no month 13": (
        "year,month,A,B,C\n2020,12,1,2,3\n2020,13,1,2,3\n",
        r"x.csv: row 2 holds no date: year 2020, month 13",
    ),
    "uneven times": (
        "date,A,B,C\n"
        + "".join(f"2020-01-01T{h:02d}:{m:02d},1,2,3\n" for h, m in [(0, 0), (1, 7), (1, 50), (5, 3), (9, 9), (9, 20)]),
        r"x.csv: the times are uneven: steps of .* Resample to an even step",
    ),
    "nothing at all": (
        "date,A,B,C\n" + "".join(f"{day},,,\n" for day in DAYS),
        r"x.csv: value has no value at any time",
    ),
    "a row twice": (
        long(f"{DAYS[3]},B,1,1,9\n"),
        r"x.csv: station B has more than one row for 2020-01-04T00:00 \(row 29 re",
    ),
    "a row of nobody": (long(f"{DAYS[3]},,1,1,9\n"), r'x.csv: column "station", row 29 names no station'),
    "a ship": (long("2020-02-01,B,7,1,9\n"), r"x.csv: station B moves: its lat runs from 1 to 7 \(1 such stations\)"),
    "no quantity": (
        "time,station,flag\n2020-01-01,A,ok\n2020-01-02,A,ok\n",
        r"beside time and station no column holds",
    ),
    "a device file without times": (
        "s,C,C\nx,T1,T2\n1,2,3\n2,3,4\n",
        r'x.csv: the first column is "x", in s. Expected the times',
    ),
}


@pytest.mark.parametrize("kind", DATA)
def test_tables_that_cannot_be_used(kind, tmp_path):
    text, message = DATA[kind]
    fails(tmp_path, message, text=text)


STATIONS = {
    "swapped": (
        "station,lat,lon\nA,-118,34\nB,-117,34\nC,-118,35\n",
        r"stations.csv: latitude -118 of station A is outside \[-90, 90\], .* are swapped. Exchange the names",
    ),
    "off the globe": (
        "station,lat,lon\nA,95,34\nB,1,300\nC,2,3\n",
        r"station A stands at latitude 95, longitude 34 \(1 of 3",
    ),
    "no positions": (
        "station,town\nA,1\nB,2\n",
        r"stations.csv: no positions: expected columns called lat and lon, or x an",
    ),
    "other stations": (
        "station,lat,lon\nX,1,1\nY,2,2\n",
        r"no column holds the names that the data use \(A, B, C\); it ho",
    ),
    "a station twice": (
        PLACES + "B,9,9\n",
        r'stations.csv: station "B" comes more than once in column station \(rows 2 and',
    ),
    "degrees and minutes": (
        "station,lat,lon\nA,51N56,4\nB,51,5\n",
        r'column "lat", row 1 holds "51N56" where a number',
    ),
    "one placed": (
        "station,lat,lon\nA,1,1\nB,,1\n",
        r"x.csv: 1 station with values and a position came; a plan needs 2",
    ),
    "feet": ("station,x_ft,y_ft\nA,1,1\nB,2,1\n", r"stations.csv: x is in ft. Give positions in m or km"),
    "empty": ("", r"stations.csv: the file is empty"),
}


@pytest.mark.parametrize("kind", STATIONS)
def test_tables_of_stations_that_cannot_be_used(kind, tmp_path):
    stations, message = STATIONS[kind]
    fails(tmp_path, message, text=wide(), stations=stations)


GRAPHS = {
    "other stations": ("from,to\nP,Q\n", r"graph.csv: its links end at P, Q, but the data have the 3 stations A, B, C"),
    "too large numbers": ("from,to\n0,3\n1,2\n", r"by numbers from 0 to 2"),
    "negative": ("from,to,weight\nA,B,-1\n", r"graph.csv: an edge has weight -1"),
    "negative length": ("from,to,length\nA,B,-1\n", r"graph.csv: a link has length -1"),
    "no weight": ("from,to,weight\nA,B,1\nB,C,\n", r'graph.csv: column "weight", row 2 is empty'),
    "loops only": ("from,to\nA,A\n", r"graph.csv: the graph has no edge between two different sites"),
    "too small": ("0,1,0,0\n1,0,0,0\n0,0,0,1\n0,0,1,0\n", r"graph.csv: a matrix of 4 x 4 weights came for 3 stations"),
    "not square": ("0,1,0,2\n1,0,0,2\n", r"graph.csv: a matrix of 2 x 4 weights came for 3 stations"),
    "lacks a name": (",A,B\nA,0,1\nB,1,0\n", r"graph.csv: a matrix of 2 x 2 weights came for 3 stations; it lacks C"),
    "other rows": (",A,B,C\nA,0,1,0\nB,1,0,0\nQ,0,0,0\n", r"graph.csv: rows and columns have other names"),
    "neither": (
        "p,q,r,s\n1,2,3,x\n",
        r"graph.csv: neither a list of edges nor a matrix of weights: it has the columns p",
    ),
}


@pytest.mark.parametrize("kind", GRAPHS)
def test_graphs_that_cannot_be_used(kind, tmp_path):
    graph, message = GRAPHS[kind]
    fails(tmp_path, message, text=wide(), graph=graph)


def test_without_positions_and_links_the_line_says_what_to_give(tmp_path):
    fails(
        tmp_path,
        r"positions of its 3 stations are unknown. Give .* \(--stations FILE\), .* \(--graph FILE\)",
        text=wide(),
        stations=None,
    )


@pytest.mark.parametrize("kind", ["object.npy", "flat.npy", "text.npy", "graph.npz"])
def test_graphs_in_numpy_files_that_are_no_matrix(kind, tmp_path):
    (tmp_path / "x.csv").write_text(wide())
    path = tmp_path / kind
    if kind == "text.npy":
        path.write_text("0 1")
    else:
        np.save(path, np.array([{}], object) if kind == "object.npy" else np.ones(3), allow_pickle=True)
        if kind == "graph.npz":
            np.savez(path, np.ones((3, 3)))
    expected = {
        "object.npy": r"object.npy: cannot be read as npy: .* Write plain numbers",
        "flat.npy": r"flat.npy: an array \(3,\) of float64 came. Expected a matrix",
        "text.npy": r"text.npy: cannot be read as npy",
        "graph.npz": r"graph.npz: not read as a graph. Give a CSV",
    }
    with pytest.raises(DataError, match=expected[kind]) as caught:
        read(str(tmp_path / "x.csv"), hints=Hints(graph=str(path)))
    assert "\n" not in str(caught.value)


JSON = {
    "cut off": ("{", r"x.json: cannot be read as JSON"),
    "a list": (
        "[1, 2]",
        r"x.json: not a graph with series: expected nodes and links, or edges and FX; it holds a list",
    ),
    "other": ('{"type": "FeatureCollection"}', r"it holds type"),
    "plain nodes": ('{"nodes": [1, 2]}', r"x.json: its nodes are no objects"),
    "no series": ('{"nodes": [{"id": 1}, {"id": 2}]}', r"no list of numbers has one length at all nodes"),
    "uneven series": (
        '{"nodes": [{"y": [1, 2]}, {"y": [1, 2, 3]}]}',
        r"no list of numbers has one length at all nodes",
    ),
    "a stranger": (
        json.dumps(
            {"nodes": [{"id": "a", "y": [1, 2]}, {"id": "b", "y": [1, 2]}], "links": [{"source": "a", "target": "q"}]}
        ),
        r"x.json: a link ends at q, which is no node",
    ),
    "half a link": (
        json.dumps({"nodes": [{"id": "a", "y": [1, 2]}, {"id": "b", "y": [1, 2]}], "links": [{"source": "a"}]}),
        r"x.json: a link lacks 'target'",
    ),
    "ragged": ('{"edges": [[0, 1]], "FX": [[1, 2], [1]]}', r"x.json: FX is no table of numbers"),
    "flat": ('{"edges": [[0, 1]], "FX": [1, 2]}', r"x.json: FX of shape \(2,\) and edges of shape \(1, 2\) came"),
    "no such node": ('{"edges": [[0, 5]], "FX": [[1, 2], [1, 3]]}', r"an edge names node 5, but FX has 2 nodes"),
}


@pytest.mark.parametrize("kind", JSON)
def test_json_that_is_no_graph(kind, tmp_path):
    text, message = JSON[kind]
    fails(tmp_path, message, text=text, name="x.json", stations=None)


def station_file(**parts):
    coords = {"time": DAYS.astype("datetime64[ns]"), "lat": ("station", [1.0, 2, 3]), "lon": ("station", [1.0, 2, 3])}
    return xr.Dataset({"t": (("time", "station"), np.ones((14, 3)))}, coords).assign(parts)


def row_of_samples():
    return xr.Dataset(
        {
            "t": ("obs", np.arange(10.0)),
            "size": ("station", [5, 5], {"sample_dimension": "obs"}),
            "lat": ("station", [1.0, 2]),
            "lon": ("station", [1.0, 2]),
            "time": ("obs", np.arange(10.0), {"units": "days since 2000-01-01"}),
        }
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: station_file(t=(("time", "station"), np.full((14, 3), np.nan))),
            r"x.nc: t has no value at any time and",
        ),
        (
            lambda: station_file(t=(("time", "station"), np.arange(42.0).reshape(14, 3))).assign_coords(
                time=station_file().time.values[np.r_[0, 1, 1, 2:13]]
            ),
            r"x.nc: time repeats: 2020-01-02T00:00 .* write a file for each, or the times in UTC\.$",
        ),
        (lambda: station_file(lat=("station", [-118.0, -117, -116])), r"x.nc: latitude -118 of station 0 .* swapped"),
        (lambda: station_file().drop_vars("t"), r"x.nc: no variable has the dimensions time and station"),
        (row_of_samples, r"x.nc: no variable has the dimensions .* It keeps its samples in one long row"),
    ],
)
def test_netcdf_of_stations_that_cannot_be_used(make, message, tmp_path):
    make().to_netcdf(tmp_path / "x.nc")
    fails(tmp_path, message, name="x.nc", stations=None)


def test_a_grid_given_with_a_table_of_stations_is_said_to_be_none(tmp_path):
    grid = xr.Dataset(
        {"t": (("time", "lat", "lon"), np.ones((14, 2, 2)))}, {"time": DAYS, "lat": [1, 2], "lon": [1, 2]}
    )
    grid.to_netcdf(tmp_path / "x.nc")
    fails(
        tmp_path,
        r"x.nc: no series at stations: expected dimensions \(time, station\); seen: t\(time, lat, lon\)",
        name="x.nc",
    )
    (tmp_path / "x.bin").write_bytes(b"x")
    fails(tmp_path, r"x.bin: positions or links of stations were given, but the data are no station data", name="x.bin")


def test_hints_of_other_readers_and_unknown_channels_are_refused(tmp_path):
    fails(tmp_path, r'x.csv: channel "pm10" is unknown. Known: value', ConfigError, text=wide(), observe=["pm10"])
    with pytest.raises(ConfigError, match="spacing is no option of station data"):
        read(str(tmp_path / "x.csv"), hints=Hints(spacing=2.0))


def test_files_of_a_folder_that_do_not_belong_together(tmp_path):
    (tmp_path / "a.csv").write_text(wide())
    (tmp_path / "b.csv").write_text(wide(head="date,P,Q,R"))
    (tmp_path / "c.csv").write_text(wide(head="date,A,B,C"))
    with pytest.raises(
        DataError, match=r"the 3 files do not belong together: their stations differ \(a.csv: A, B, C; b.c"
    ):
        read(str(tmp_path))
    with pytest.raises(DataError, match=r"x: no such file, folder or pattern"):
        read(str(tmp_path / "x"), hints=Hints(graph=str(tmp_path / "a.csv")))
    with pytest.raises(DataError, match=r"a.csv: it holds positions or links only"):
        read(str(tmp_path / "a.csv"), hints=Hints(graph=str(tmp_path / "a.csv")))


@pytest.mark.parametrize("path", ["x" * 300 + ".csv", "~nobody-of-this-name/x.csv", "a\0b.csv"])
def test_paths_that_cannot_be_paths(path, tmp_path):
    (tmp_path / "x.csv").write_text(wide())
    for data, hints in ((path, Hints()), (str(tmp_path / "x.csv"), Hints(stations=path))):
        with pytest.raises(DataError, match=r"no such file|cannot be looked at") as caught:
            read(data, hints=hints)
        assert "\n" not in str(caught.value)


def test_a_pipe_is_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"x.csv: neither a file nor a folder of tables"):
        read(str(tmp_path / "x.csv"))


def damaged(rng, text):
    """A text with a few bytes lost, put in or repeated."""
    content = bytearray(text.encode())
    for _ in range(int(rng.integers(1, 4))):
        at, other = (int(i) for i in rng.integers(0, max(1, len(content)), 2))
        match int(rng.integers(0, 3)):
            case 0:
                del content[at : at + int(rng.choice([1, 5, 40]))]
            case 1:
                put = (b",", b"\n", b'"', b"1e999", b"-", b";", b"9" * 20, b"\xe4", b"NaN", b"\0")
                content[at:at] = put[int(rng.integers(len(put)))]
            case _:
                content[at : at + 9] = content[other : other + 9]
    return bytes(content) or b" "


@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_damage_the_answer_is_a_field_or_one_line(seed, tmp_path):
    rng = np.random.default_rng(seed)
    texts = {
        "x.csv": [wide(), long(), "s,C,C,m/s\nTime,A,B,C\n" + "".join(f"{i},1,2,{i}\n" for i in range(9))],
        "stations.csv": [PLACES, "name,x_km,z_m,elevation\nA,1,2,3\nB,2,3,4\nC,1,5,6\n"],
        "graph.csv": ["from,to,cost\nA,B,1\nB,C,2\n", "0,1,0\n1,0,.5\n0,.5,0\n", ",A,B,C\nA,0,1,0\nB,1,0,1\nC,0,1,0\n"],
    }
    fields, lines = [], []
    for _ in range(25):
        hit = str(rng.choice(list(texts)))
        for name, choices in texts.items():
            text = choices[int(rng.integers(len(choices)))]
            (tmp_path / name).write_bytes(damaged(rng, text) if name == hit else text.encode())
        told = Hints(stations=str(tmp_path / "stations.csv"), graph=str(tmp_path / "graph.csv"))
        try:
            fields.append(read(str(tmp_path / "x.csv"), hints=told))
        except (DataError, ConfigError) as err:
            lines.append(str(err))
    assert fields
    assert lines
    assert not any("\n" in line for line in lines)
