"""What files hold must not steer a terminal, turn a line round, or end a chart: it is not shown, anywhere."""

import csv
import datetime
import errno
import json
import re

import numpy as np
import pytest
import xarray as xr

HOSTILE = "A\x1b[31m\x1b]0;owned\x07\x9b2J\x1a\x7f\u202eB\u2066"
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def stations(tmp_path_factory):
    """A record of ten stations, one of them with a hostile name and unit."""
    folder = tmp_path_factory.mktemp("hostile")
    names = [HOSTILE, *(f"s{i}" for i in range(9))]
    values = np.random.default_rng(0).standard_normal((120, 10)).cumsum(0)
    days = [datetime.datetime(2020, 1, 1) + datetime.timedelta(hours=i) for i in range(120)]
    with (folder / "values.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["time", *names], *([day, *row] for day, row in zip(days, values, strict=True))])
    with (folder / "places.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [(name, i, 40 + i * i % 7) for i, name in enumerate(names)]
        csv.writer(file).writerows([("name", "lon", "lat"), *rows])
    return folder


@pytest.fixture(scope="module")
def grid(tmp_path_factory):
    """A grid whose unit and long name are hostile."""
    values = np.random.default_rng(0).standard_normal((120, 4, 5)).cumsum(0)
    attrs = {"units": f"K{HOSTILE}", "long_name": HOSTILE}
    data = xr.Dataset(
        {"t": (("time", "lat", "lon"), values, attrs)},
        {"time": np.datetime64("2020") + np.arange(120), "lat": np.arange(4.0), "lon": np.arange(5.0)},
    )
    path = tmp_path_factory.mktemp("grid") / "grid.nc"
    data.to_netcdf(path)
    return path


def is_clean(text):
    assert not UNSEEN.search(text), repr(text[max(0, UNSEEN.search(text).start() - 30) :][:90])


def test_no_command_shows_them_and_no_file_holds_them(dynst_main, stations, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = ("--data", stations / "values.csv", "--stations", stations / "places.csv", "--sensors", 9)
    commands = [
        ("fit", *given, "--planner", "coverage", "--no-stability", "--out", "run"),
        ("score", "run", "--add", 0),
        ("export-map", "run", "-f", "png", "-o", "map.png"),
        *(("export-map", "run", "-f", form, "-o", f"map.{form}") for form in ("csv", "html", "geojson")),
        ("report", "run"),
    ]
    for command in commands:
        code, out, err = dynst_main(*command)
        assert code == 0, err
        is_clean(out + err)
    assert (tmp_path / "map.png").stat().st_size > 10_000
    ours = re.compile(r"<script>.*?</script>", re.DOTALL)  # Vega's own code holds marks of direction
    for name in ("map.csv", "map.geojson", "map.html", "run/report.html", "run/report.md", "run/curve.csv"):
        text = ours.sub("", (tmp_path / name).read_text(encoding="utf-8"))
        is_clean(text)
        assert "owned" in text or "curve" in name


def test_a_unit_steers_no_terminal_and_json_keeps_it(dynst_main, grid, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = dynst_main("inspect", grid)
    assert (code, err) == (0, "")
    is_clean(out)
    code, out, err = dynst_main("inspect", grid, "--json")
    is_clean(out)
    assert [variable["units"] for variable in json.loads(out)["variables"]] == [f"K{HOSTILE}"]
    arguments = ("--sensors", 3, "--planner", "coverage", "--no-stability", "--out", "run")
    for command in (("fit", "--data", grid, *arguments), ("export-map", "run", "-f", "png", "-o", "map.png")):
        code, out, err = dynst_main(*command)
        assert code == 0, err
        is_clean(out + err)


def test_an_error_shows_none(dynst_main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for command in (("inspect", f"{HOSTILE}.nc"), ("fit", "--planner", HOSTILE), ("report", HOSTILE)):
        code, out, err = dynst_main(*command)
        assert (code, out) == (2, "")
        assert len(err.splitlines()) == 1
        is_clean(err)


def test_a_cache_that_is_full_is_no_damaged_archive(dynst_main, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNST_CACHE", str(tmp_path / "cache"))
    np.savez_compressed("frames.npz", a=np.random.default_rng(0).random((200, 8, 10)))
    real = tempfile.NamedTemporaryFile

    def full(*arguments, **options):
        file = real(*arguments, **options)

        def write(_):
            raise OSError(errno.ENOSPC, "No space left on device")

        file.write = write
        return file

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    code, out, err = dynst_main("inspect", "frames.npz")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "No space left on device" in err
    assert "DYNST_CACHE" in err
    assert "damaged" not in err
    assert list((tmp_path / "cache").iterdir()) == []
