"""What the user can mend is one line on stderr and exit code 2; there is never a traceback and never a run folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr


def is_one_line(code, out, err, *, says):
    assert code == 2, err
    assert out == ""
    assert says in err
    assert len(err.strip().splitlines()) == 1, err
    assert "Traceback" not in err


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    left = [path.name for path in (tmp_path / "runs").glob("*")] if (tmp_path / "runs").is_dir() else []
    assert left == [], "a refused request leaves no run behind"


def test_a_file_that_is_not_there(dynst_main):
    is_one_line(*dynst_main("fit", "--quiet", "--data", "none.nc"), says="none.nc")


def test_a_text_file_with_the_name_of_data(dynst_main, here):
    (here / "notes.nc").write_text("bring milk")
    is_one_line(*dynst_main("inspect", "notes.nc"), says="notes.nc")


def test_more_sensors_than_sites(dynst_main, waves):
    is_one_line(*dynst_main("fit", "-q", "--data", waves, "--sensors", 49), says="choose from 1 to 48 sensors")


def test_two_budgets(dynst_main, waves):
    arguments = ("fit", "--data", waves, "--sensors", 4, "--sparsity", 0.5)
    is_one_line(*dynst_main(*arguments), says="exclude each other")


def test_a_planner_with_a_typing_error(dynst_main, waves):
    says = '--planner: planner "dinst" is unknown. Did you mean "dynst"?'
    is_one_line(*dynst_main("fit", "--data", waves, "--planner", "dinst"), says=says)


def test_a_variable_that_the_file_does_not_have(dynst_main, waves):
    is_one_line(*dynst_main("fit", "-q", "--data", waves, "--observe", "t2n"), says="t2m")


def test_data_given_as_if_they_were_a_study(dynst_main):
    is_one_line(*dynst_main("fit", "waves.nc"), says="dynst fit --data waves.nc")


def test_a_study_file_with_an_unknown_key(dynst_main, here):
    (here / "study.toml").write_text("[planner]\nnmae = 'dynst'\n")
    is_one_line(*dynst_main("fit", "study.toml"), says="study.toml, [planner]")


def test_a_record_that_is_too_short(dynst_main, here):
    data = xr.Dataset(
        {"t": (("time", "lat", "lon"), np.random.default_rng(0).normal(size=(12, 3, 4)))},
        coords={"time": np.arange(12), "lat": [10.0, 20.0, 30.0], "lon": [0.0, 10.0, 20.0, 30.0]},
    )
    data.to_netcdf(here / "year.nc")
    is_one_line(*dynst_main("fit", "-q", "--data", "year.nc"), says="DataError: year: 12 time steps are too few")


def test_a_planner_that_cannot_run_here_and_was_asked_for(dynst_main, waves, monkeypatch):
    monkeypatch.setattr("dynst.planners.mutual_information._LIMIT", 40)
    arguments = ("fit", "-q", "--data", waves, "--planner", "mutual_information", "--sensors", 3)
    is_one_line(*dynst_main(*arguments), says="mutual_information keeps the covariance of all pairs")


def test_resuming_with_other_options(dynst_main):
    is_one_line(*dynst_main("fit", "--resume", "latest", "--seed", 1), says="no other option")


def test_resuming_and_exporting_where_there_is_no_run(dynst_main):
    is_one_line(*dynst_main("fit", "--resume", "latest"), says="no stopped run waits")
    is_one_line(*dynst_main("export-map"), says="Make one with `dynst fit`")


def test_an_option_that_does_not_exist(dynst_main):
    is_one_line(*dynst_main("fit", "--sensor", 3), says="--sensors")
    is_one_line(*dynst_main("fit", "--sensors", "many"), says="'--sensors'")
    is_one_line(*dynst_main("fix"), says="dynst --help")


@pytest.mark.parametrize("name", ["", ".", "/"])
@pytest.mark.parametrize("command", [("export-map",), ("fit", "--resume")])
def test_a_name_that_is_none(dynst_main, command, name):
    is_one_line(*dynst_main(*command, name), says="run")


@pytest.mark.parametrize("out", ["/proc/x", "file/sub", "."])
def test_an_output_folder_that_cannot_be_made(dynst_main, waves, here, out):
    (here / "file").write_text("in the way")
    is_one_line(*dynst_main("fit", "-q", "--data", waves, "--planner", "coverage", "--out", out), says="--out")


def test_a_gpu_that_is_not_there(dynst_main, waves, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ("fit", "-q", "--data", waves, "--sensors", 4, "--planner", "dynst", "--device", "cuda")
    is_one_line(*dynst_main(*arguments), says="Choose cpu or auto")


def test_a_switch_of_the_network_for_another_planner(dynst_main, waves):
    arguments = ("fit", "-q", "--data", waves, "--planner", "coverage", "--rewind")
    is_one_line(*dynst_main(*arguments), says="--rewind: belongs to planner dynst; planner coverage does not take it")


def test_a_full_disk_is_no_bug_of_ours(dynst_main, monkeypatch):
    import errno

    import dynst.study

    def full(*_, listen):
        listen(dynst.study.Event("plan", run="a-1"))
        raise OSError(errno.ENOSPC, "No space left on device", "runs/a")

    monkeypatch.setattr(dynst.study, "fit", full)
    is_one_line(*dynst_main("fit", "-q"), says="Continue with: dynst fit --resume a-1")


def test_a_disk_that_fills_while_a_plan_is_saved_leaves_a_run_to_resume(dynst_main, waves, here, monkeypatch):
    import xarray as xr

    def full(*_, **__):
        raise RuntimeError("NetCDF: HDF error")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    arguments = ("fit", "-q", "--data", waves, "--planner", "coverage", "--compare", "none", "--out", "mine")
    is_one_line(*dynst_main(*arguments), says="Continue with: dynst fit --resume mine")
    assert (here / ".mine.partial").is_dir()


@pytest.mark.parametrize("out", ["taken", "file/sub", "", ".", "/", "a" * 300])
def test_an_odd_output_folder_is_refused_before_any_data_are_read(dynst_main, here, out):
    (here / "file").write_text("in the way")
    (here / "taken").symlink_to("nowhere")
    is_one_line(*dynst_main("fit", "-q", "--data", "not-even-there.nc", "--out", out), says="--out")


def test_a_gpu_that_is_not_there_is_refused_for_every_planner_before_data_are_read(dynst_main, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    arguments = ("fit", "-q", "--data", "not-even-there.nc", "--planner", "coverage", "--device", "cuda")
    is_one_line(*dynst_main(*arguments), says="Choose cpu or auto")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_stdout_that_takes_nothing_is_one_line(environment, here):
    command = [sys.executable, "-m", "dynst", "inspect", "sample:"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    is_one_line(done.returncode, "", done.stderr, says="No space left")


def test_a_reader_that_stops_early_hears_no_complaint(environment, here):
    command = [sys.executable, "-m", "dynst", "inspect", "sample:"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, env=environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")
