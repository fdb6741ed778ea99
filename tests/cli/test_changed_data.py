"""Data that changed since a run was made are noticed by every command that reads them again."""

import json
import shutil

import numpy as np
import pytest
import xarray as xr

PLAIN = ("--sensors", 4, "--planner", "coverage", "--compare", "none", "--no-stability", "-q")


@pytest.fixture
def record(waves, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copy(waves, tmp_path / "record.nc")


def is_refused(code, out, err):
    assert (code, out) == (2, ""), err
    assert "record.nc changed since run" in err
    assert len(err.strip().splitlines()) == 1, err


def test_score_and_compare_refuse_data_that_changed(dynst_main, record):
    assert dynst_main("fit", "--data", record, *PLAIN, "--out", "runs/a")[0] == 0
    (xr.load_dataset(record) * 3).to_netcdf(record)
    is_refused(*dynst_main("compare", "a", "-q"))
    code, out, err = dynst_main("score", "a", "-q")
    is_refused(code, out, err)
    assert "export-map" in err

    assert dynst_main("export-map", "a", "-o", "plan.csv")[0] == 0
    code, out, err = dynst_main("score", "runs/a/study.toml", "--stations", "plan.csv", "-q")
    assert code == 0, f"the way out that was named works: {err}"


@pytest.fixture
def stopped(tmp_path, monkeypatch, dynst_main):
    """A run on a large record that ended before its plan was saved; and the record."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DYNST_CACHE", str(tmp_path / "cache"))
    values = np.random.default_rng(0).standard_normal((100, 200, 230)).astype(np.float32)
    data = xr.Dataset({"t": (("time", "y", "x"), values)}, {"time": np.arange(100), "y": np.arange(200.0)})
    path = tmp_path / "record.nc"
    data.assign_coords(x=np.arange(230.0)).to_netcdf(path, format="NETCDF3_64BIT")

    def full(*_, **__):
        raise OSError(28, "No space left on device", "here")

    with monkeypatch.context() as patch:
        patch.setattr("dynst.study.work.save_plan", full)
        code, _, err = dynst_main("fit", "--data", path, *PLAIN)
    assert code == 2, err
    assert "--resume" in err
    return path


def test_resume_refuses_a_large_record_that_changed_in_the_middle(dynst_main, stopped):
    with stopped.open("r+b") as file:
        file.seek(5 << 20)
        file.write(bytes(64 << 10))
    is_refused(*dynst_main("fit", "--resume", "latest", "-q"))


def test_a_run_of_an_older_version_goes_on_and_says_what_was_seen(dynst_main, stopped, tmp_path):
    from dynst.readers import read

    (provenance,) = tmp_path.glob("runs/.*/provenance.json")
    origin = read(str(stopped)).origin
    known = json.loads(provenance.read_text())
    assert known["data"]["fingerprint"] == origin.fingerprint != origin.sampled
    provenance.write_text(provenance.read_text().replace(origin.fingerprint, origin.sampled))
    code, _, err = dynst_main("fit", "--resume", "latest")
    assert code == 0, err
    assert "parts of large files only" in " ".join(err.split())
