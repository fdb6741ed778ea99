"""`dynst export-map` writes the latest plan, or a named one, in every format, to a file or to stdout."""

import json

import pytest

NAME = "waves-dynst-s0.917-1"


@pytest.fixture
def there(finished, monkeypatch, tmp_path):
    """An empty folder from which the run is the latest one."""
    cwd, _ = finished
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").symlink_to(cwd / "runs")
    return tmp_path


@pytest.mark.parametrize(
    ("form", "suffix", "begins"),
    [
        ("geojson", ".geojson", b"{"),
        ("csv", ".csv", b"rank"),
        ("netcdf", ".nc", b"\x89HDF"),
        ("png", ".png", b"\x89PNG"),
        ("html", ".html", b"<!DOCTYPE html>"),
        ("geopackage", ".gpkg", b"SQLite"),
        ("kml", ".kml", b"<?xml"),
        ("xlsx", ".xlsx", b"PK"),
        ("svg", ".svg", b"<svg"),
        ("pdf", ".pdf", b"%PDF"),
    ],
)
def test_each_format_is_written_beside_the_caller_under_the_name_of_the_run(there, dynst_main, form, suffix, begins):
    code, out, err = dynst_main("export-map", "--format", form)
    assert (code, err) == (0, "")
    assert f"{NAME}{suffix}: 4 sensors" in out
    assert (there / f"{NAME}{suffix}").read_bytes()[: len(begins)].lower() == begins.lower()


def test_the_ending_of_the_file_chooses_the_format(there, dynst_main):
    assert dynst_main("export-map", NAME, "-o", "sensors.csv")[0] == 0
    assert len((there / "sensors.csv").read_text().splitlines()) == 5


def test_more_or_fewer_sensors_than_the_budget(there, dynst_main):
    assert dynst_main("export-map", f"runs/{NAME}", "--top", 7, "-o", "sensors.csv")[0] == 0
    assert len((there / "sensors.csv").read_text().splitlines()) == 8


def test_stdout_gets_the_file_and_nothing_else(finished, process):
    cwd, _ = finished
    done = process("export-map", "-o", "-", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(json.loads(done.stdout)["features"]) == 4


def test_an_unknown_format_is_one_line_with_the_known_ones(there, dynst_main):
    code, _, err = dynst_main("export-map", "--format", "geojsn")
    assert code == 2
    assert 'Did you mean "geojson"?' in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-o", ""), "names no file"),
        (("-f", "csv", "-o", "/"), "is a folder"),
        (("-f", "csv", "-o", "."), "is a folder"),
        (("--format", "png", "-o", "map.csv"), "Choose one"),
    ],
)
def test_an_odd_output_is_refused_in_one_line(there, dynst_main, arguments, says):
    code, out, err = dynst_main("export-map", NAME, *arguments)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_link_is_followed_and_a_pipe_is_written_to(there, dynst_main):
    import os
    import threading

    (there / "real.csv").write_text("old")
    (there / "link.csv").symlink_to(there / "real.csv")
    assert dynst_main("export-map", NAME, "-o", "link.csv")[0] == 0
    assert (there / "link.csv").is_symlink()
    assert (there / "real.csv").read_text().startswith("rank")
    os.mkfifo(there / "pipe.csv")
    got = []
    reader = threading.Thread(target=lambda: got.append((there / "pipe.csv").read_text()))
    reader.start()
    assert dynst_main("export-map", NAME, "-o", "pipe.csv")[0] == 0
    reader.join(timeout=20)
    assert got == [(there / "real.csv").read_text()]
    assert (there / "pipe.csv").is_fifo()


def test_a_foreign_plan_and_a_damaged_provenance_are_told(there, dynst_main, waves):
    import shutil

    for name, file, content in (("foreign", "plan.nc", waves.read_bytes()), ("damaged", "provenance.json", b"{")):
        shutil.copytree(there / "runs" / NAME, there / "runs" / name)
        (there / "runs" / name / file).write_bytes(content)
        command = ("export-map", name, "-f", "csv", "-o", "-") if name == "foreign" else ("fit", "--resume", name)
        code, _, err = dynst_main(*command)
        shutil.rmtree(there / "runs" / name)
        assert code == 2
        assert len(err.strip().splitlines()) == 1, err
