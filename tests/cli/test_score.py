"""`dynst score` judges the network that stands: tables, sentences, files; what is wrong is one line and exit code 2."""

import csv
import json

import numpy as np
import pytest

from dynst.study.score import score

CELLS = [(-10.0, 60.0), (-1.0, 54.0), (8.0, 48.0), (11.0, 45.0)]  # of `waves`: 3 degrees apart


def network(path, rows):
    """A GeoJSON of named points."""
    features = [
        {"type": "Feature", "properties": {"name": n}, "geometry": {"type": "Point", "coordinates": [x, y]}}
        for n, x, y in rows
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture
def four(tmp_path):
    return network(tmp_path / "four.geojson", [(f"N{i}", x + 0.4, y - 0.3) for i, (x, y) in enumerate(CELLS)])


@pytest.fixture
def wind(tmp_path):
    """A record of four stations with positions beside it: what one shows, the next shows a day later."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((260, 4))
    for site in (1, 2, 3):
        values[1:, site] += values[:-1, site - 1]
    folder = tmp_path / "wind"
    folder.mkdir()
    days = np.datetime64("2020-01-01") + np.arange(260)
    names = ["DUB", "<script>alert(1)</script>", '=HYPERLINK("x")', "CLO"]
    with (folder / "values.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["date", *names], *([day, *row] for day, row in zip(days, values, strict=True))])
    with (folder / "places.csv").open("w", newline="") as file:
        rows = [(name, 50 + i, -7 + i) for i, name in enumerate(names)]
        csv.writer(file).writerows([("station", "lat", "lon"), *rows])
    return folder


def is_one_line(code, out, err, *, says):
    assert (code, out) == (2, ""), err
    assert says in err
    assert len(err.strip().splitlines()) == 1, err


def test_the_network_of_a_file_on_data_without_a_run(dynst_main, waves, four, tmp_path):
    code, out, err = dynst_main("score", waves, "--stations", four, "--add", 2, "-q", "-o", tmp_path / "new.geojson")
    assert (code, err) == (0, "")
    for said in ("N0", "Best next: ", "20 random networks of 4", "If one station falls silent", "Taken out one by one"):
        assert said in out
    left = json.loads((tmp_path / "new.geojson").read_text())["features"]
    assert [feature["properties"]["selected"] for feature in left] == [True] * 4 + [False] * 2
    assert {feature["properties"].get("redundancy") for feature in left[:4]} == {1, 2, 3, 4}
    again = json.loads(dynst_main("score", waves, "--stations", tmp_path / "new.geojson", "--add", 0, "--json")[1])
    assert {station["name"] for station in again["stations"]} == {"N0", "N1", "N2", "N3"}, "our own file is read again"


def test_json_is_one_document_of_plain_types(dynst_main, waves, four):
    code, out, err = dynst_main("score", waves, "--stations", four, "--add", 1, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["units"] == "K"
    assert [station["name"] for station in found["stations"]] == ["N0", "N1", "N2", "N3"]
    assert [station["longitude"] for station in found["stations"]] == [x for x, _ in CELLS]
    assert len(found["added"]) == 1
    assert {"ceiling", "floor", "failure", "rivals", "sentences"} <= found.keys()


def test_the_plan_of_a_run_is_a_network(finished, dynst_main, monkeypatch):
    monkeypatch.chdir(finished[0])
    found = json.loads(dynst_main("score", "--add", 0, "--json")[1])
    assert len(found["stations"]) == 4
    assert found["rivals"][0]["name"] == "random networks"
    assert any("the network is the plan of the run, by dynst" in note for note in found["notes"])
    assert sorted(path.name for path in finished[0].iterdir()) == ["runs"], "nothing is written unless asked for"


def test_all_stations_of_a_record_are_a_network(dynst_main, wind, tmp_path):
    code, out, err = dynst_main("score", wind, "-o", tmp_path / "network.csv")
    assert code == 0, err
    assert "make no sense here" in out
    assert "the network is all stations of the record" in err
    assert "planner" not in err, "nothing is planned here"
    with (tmp_path / "network.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["name"] for row in rows} == {"DUB", "<script>alert(1)</script>", '\'=HYPERLINK("x")', "CLO"}
    assert not [cell for row in rows for cell in row.values() if cell.startswith("=")]


def test_sites_named_in_a_list_are_scored_from_python(wind, tmp_path):
    (tmp_path / "list.txt").write_text("CLO\nDUB\n")
    review = score(str(wind), tmp_path / "list.txt", add=1)
    assert [station.name for station in review.stations] == ["CLO", "DUB"]
    assert len(review.added) == 1


def test_duplicates_are_no_error(dynst_main, waves, tmp_path):
    twice = network(tmp_path / "twice.geojson", [("A", -10.0, 60.0), ("B", -9.9, 60.1), ("C", 8.0, 48.0)])
    code, out, err = dynst_main("score", waves, "--stations", twice, "--add", 0)
    assert code == 0
    assert "counted once: B (with A)" in " ".join(out.split())
    assert "counted once: B (with A)" in " ".join(err.split())


def test_silly_requests_are_one_line(dynst_main, waves, four, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ask = ("score", waves, "-q", "--stations")
    far = network(tmp_path / "far.geojson", [("Paris", 2.35, 48.86), ("Cairo", 31.2, 30.0)])
    swapped = network(tmp_path / "swapped.geojson", [(f"N{i}", y, x) for i, (x, y) in enumerate(CELLS)])
    is_one_line(*dynst_main(*ask, far), says="Cairo at longitude 31.2, latitude 30")
    is_one_line(*dynst_main(*ask, swapped), says="latitude and longitude are swapped")
    is_one_line(*dynst_main(*ask, "none.csv"), says="no such file")
    is_one_line(*dynst_main(*ask, four, "--add", -1), says="-1 stations cannot be added")
    is_one_line(*dynst_main(*ask, four, "-o", "review.pdf"), says=".json, .csv, .geojson")
    is_one_line(*dynst_main("score", waves, "-q"), says="which of its 48 sites have one? Give --stations FILE")
    is_one_line(*dynst_main("score", "-q"), says="no finished run")
    is_one_line(*dynst_main("score", "wavse.nc", "-q"), says='"wavse.nc" is no data either')
    is_one_line(*dynst_main("score", "study.toml", "-q"), says="no such study file")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".geojson"] * 3, "nothing half written"
