"""From a table of stations, or a graph without positions, to a plan and a file for other tools, in a few seconds."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest

from dynst import Study
from dynst.study.prepare import prepare

QUICK = ("--planner", "dynst_linear", "--compare", "none", "--ladder", "0.5", "--sensors", 2, "--out", "run", "-q")


@pytest.fixture
def network(tmp_path, monkeypatch):
    """Twelve stations around a pond whose waves travel, their positions, and their links."""
    monkeypatch.chdir(tmp_path)
    rng, n, days = np.random.default_rng(0), 12, np.datetime64("2001-01-01") + np.arange(150)
    angle = 2 * np.pi * np.arange(n) / n
    values = np.sin(np.arange(150)[:, None] / 3 + angle) + 0.1 * rng.normal(size=(150, n))
    names = [f"st{i}" for i in range(n)]
    rows = [f"{day},{','.join(f'{v:.4f}' for v in row)}" for day, row in zip(days, values, strict=True)]
    (tmp_path / "level.csv").write_text("\n".join([f"time,{','.join(names)}", *rows]))
    places = [f"{name},{10 + np.cos(a):.4f},{50 + np.sin(a):.4f}" for name, a in zip(names, angle, strict=True)]
    (tmp_path / "places.csv").write_text("\n".join(["station,longitude,latitude", *places]))
    links = [f"{names[i]},{names[(i + 1) % n]}" for i in range(n)]
    (tmp_path / "links.csv").write_text("\n".join(["from,to", *links]))
    return tmp_path


def test_stations_with_positions_end_as_named_points(network, dynst_main):
    code, out, err = dynst_main("fit", "--data", "level.csv", "--stations", "places.csv", *QUICK, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["positions_are"] == "geographic, degrees"
    assert dynst_main("export-map", "run", "-f", "geojson", "-o", "map.geojson")[0] == 0
    text = json.loads((network / "map.geojson").read_text())
    assert [f["properties"]["name"] for f in text["features"]] == [sensor["name"] for sensor in found["sensors"]]
    assert all(9 <= f["geometry"]["coordinates"][0] <= 11 for f in text["features"])
    assert dynst_main("export-map", "run", "-f", "html", "-o", "map.html")[0] == 0
    assert "nearest neighbours" in (network / "map.html").read_text()


def test_a_graph_without_positions_ends_as_names_alone(network, dynst_main):
    code, out, _ = dynst_main("fit", "--data", "level.csv", "--graph", "links.csv", *QUICK)
    assert code == 0
    assert "12 sites from 2 sensors" in out
    code, out, _ = dynst_main("export-map", "run", "-f", "csv", "-o", "-")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["rank"] for row in rows] == ["1", "2"]
    assert not {"x", "x_m", "longitude"} & set(rows[0])
    assert dynst_main("export-map", "run", "-f", "png", "-o", "map.png")[0] == 0
    assert (network / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "options",
    [
        ("--split", "rum"),
        ("--sites", 0),
        ("--sites", "many"),
        ("--spacing", -1),
        ("--spacing", "nan"),
        ("--stations", "nowhere.csv"),
        ("--graph", "nowhere.csv"),
        ("--layout", "thw"),
        ("--split", "run"),
    ],
)
def test_a_silly_option_is_one_line(network, dynst_main, options):
    code, out, err = dynst_main("fit", "--data", "level.csv", "--graph", "links.csv", "-q", *options)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_a_run_remembers_its_files_from_wherever_it_is_resumed(network, monkeypatch):
    monkeypatch.setenv("HOME", str(network))
    (network / "level.csv").rename(network / "level:1.csv")
    study = Study(data="level:1.csv", stations="~/places.csv", graph="links.csv")
    found = prepare(study).resolved()
    assert [found.data, found.stations, found.graph] == [
        str(network / name) for name in ("level:1.csv", "places.csv", "links.csv")
    ]


def test_a_study_on_a_grid_never_loads_the_graph_library(waves, environment, tmp_path):
    code = (
        "import sys\nfrom dynst import Study, fit\n"
        f"data, small = {str(waves)!r}, dict(steps=16, dim=8, depth=1, sensors=4, ladder=[])\n"
        "fit(Study(data=data, planner='dynst', compare='none', **small))\n"
        "assert not [name for name in sys.modules if name.startswith('torch_geometric')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
