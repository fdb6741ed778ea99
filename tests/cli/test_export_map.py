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
