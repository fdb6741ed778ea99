"""compare: a file for each cell, so that nothing made is lost, nothing that fails stops the rest, and order is free."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

import dynst.planners.coverage
import dynst.study
from dynst import Study
from dynst.domain import FRAMES
from dynst.errors import CheckpointError, DataError
from dynst.planners.base import PlannerSkipped
from dynst.runs import Run
from dynst.study import compare, fit

TINY = {"sensors": 4, "dim": 8, "depth": 1, "steps": 6, "batch": 4, "compare": "none", "stability": False}
WIDE = {"budgets": (2, 4), "planners": ("forward", "uniform_random", "one_shot"), "seeds": 2, "workers": 1}
CELLS = 2 * (1 + 20 + 2) + 2 * (2 * (1 + 20 + 2) + 4) + 2 * (2 + 3 + 2) + 2 * 2 + 2
# plans, scores and frames of the two judges in closed form, scores and frames of networks
COSTS = ("plan_seconds", "judge_seconds", "plan_peak_mb")

KILLED = """
import os, signal, sys
from dynst.study import compare

def listen(event):
    if event.stage == "compare" and event.done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

compare(sys.argv[1], budgets=(2, 4), planners=("forward", "uniform_random", "one_shot"), seeds=2, workers=1,
        listen=listen)
"""


@pytest.fixture(scope="module")
def run(waves, tmp_path_factory):
    """A run to compare for; every test takes a copy."""
    folder = tmp_path_factory.mktemp("compare")
    return fit(Study(data=str(waves), planner="forward", out=str(folder / "run"), **TINY))


@pytest.fixture
def copy(run, tmp_path):
    return Run(shutil.copytree(run.path, tmp_path / "run"))


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory):
    """The comparison made without any interruption."""
    own = Run(shutil.copytree(run.path, tmp_path_factory.mktemp("whole") / "run"))
    events = []
    return compare(str(own.path), listen=events.append, **WIDE), events


def assert_same(one, other):
    """All of two curves but what they cost; rounding of sums differs by less than 1e-9."""
    for curve in (one, other):
        assert set(COSTS) <= set(curve.data)
    xr.testing.assert_allclose(one.data.drop_vars(COSTS), other.data.drop_vars(COSTS), rtol=1e-9)


def files(run):
    folder = run.path / "compare"
    return {path.relative_to(folder): path for path in folder.rglob("*-k*") if path.is_file()}


def test_every_combination_is_judged_beside_the_frames(whole):
    made, events = whole
    assert len(files(made)) == CELLS
    assert [event.done for event in events if event.stage == "compare"] == list(range(CELLS + 1))
    linear, network = made.comparison, made.comparisons["network"]
    assert linear.budgets == network.budgets == (2, 4)
    assert set(linear.planners) == {*WIDE["planners"], *FRAMES}
    seeds = [{row.planner: row.seeds for row in curve.table(4)} for curve in (linear, network)]
    assert seeds[0] == {"forward": 1, "uniform_random": 20, "one_shot": 2} | dict.fromkeys(FRAMES, 1)
    assert seeds[1] == {"forward": 2, "uniform_random": 3, "one_shot": 2, "floor": 2, "ceiling": 2} | {
        "persistence": 1,
        "climatology": 1,
    }
    assert np.isfinite(linear.data["plan_seconds"].sel(planner="forward").isel(seed=0)).all()
    assert not (linear.data["reason"] != "").any()


def test_killed_twice_and_resumed_it_is_the_same(whole, copy, environment):
    kept = {}
    for moment in (30, 95):
        command = [sys.executable, "-c", KILLED, str(copy.path), str(moment)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        now = files(copy)
        assert {name: now[name].stat().st_mtime_ns for name in kept} == kept  # nothing was made twice
        kept = {name: path.stat().st_mtime_ns for name, path in now.items()}
        assert 0 < len(kept) < CELLS
    assert not (copy.path / "compare" / "curve.nc").exists()
    compare(str(copy.path), **WIDE)
    assert_same(copy.comparison, whole[0].comparison)
    assert_same(copy.comparisons["network"], whole[0].comparisons["network"])
    first = (copy.path / "compare" / "curve.nc").read_bytes()
    compare(str(copy.path), **WIDE)
    assert (copy.path / "compare" / "curve.nc").read_bytes() == first


def test_two_processes_make_what_one_makes(whole, copy):
    compare(str(copy.path), **WIDE | {"workers": 2})
    assert_same(copy.comparison, whole[0].comparison)
    assert_same(copy.comparisons["network"], whole[0].comparisons["network"])


def test_a_planner_that_fails_is_a_gap_and_is_tried_again(copy, monkeypatch):
    plan = dynst.planners.coverage.plan

    def fails(task, *, seed):
        if task.budget == 4:
            raise DataError("this place is closed")
        return plan(task, seed=seed)

    monkeypatch.setattr(dynst.planners.coverage, "plan", fails)
    asked = {"budgets": (2, 4), "planners": ("forward", "coverage"), "judges": ("linear",), "workers": 1}
    notes = []
    compare(str(copy.path), listen=lambda event: notes.append(event.note), **asked)
    rows = {row.planner: row for row in copy.comparison.table(4)}
    assert rows["coverage"].reason == "this place is closed"
    assert np.isnan(rows["coverage"].error)
    assert np.isfinite(rows["forward"].error)
    assert np.isfinite({row.planner: row for row in copy.comparison.table(2)}["coverage"].error)
    assert [note for note in notes if note] == ["coverage, 4 sensors, seed 0: this place is closed"]

    monkeypatch.setattr(dynst.planners.coverage, "plan", plan)
    compare(str(copy.path), **asked)
    assert np.isfinite({row.planner: row for row in copy.comparison.table(4)}["coverage"].error)


def test_a_planner_that_cannot_run_is_not_asked_again(copy, monkeypatch):
    calls = []

    def skips(task, *, seed):
        calls.append(task.budget)
        raise PlannerSkipped("too many sites")

    monkeypatch.setattr(dynst.planners.coverage, "plan", skips)
    asked = {"budgets": (2,), "planners": ("forward", "coverage"), "judges": ("linear",), "workers": 1}
    for _ in range(2):
        compare(str(copy.path), **asked)
    assert calls == [2]
    assert {row.planner: row.reason for row in copy.comparison.table(2)}["coverage"] == "too many sites"


@pytest.mark.parametrize("name", ["plans/forward-k2-s0.nc", "cells/linear/forward-k2-s0.npz"])
@pytest.mark.parametrize("left", [0, 0.5])
def test_a_damaged_cell_is_made_anew(whole, tmp_path, name, left):
    own = Run(shutil.copytree(whole[0].path, tmp_path / "run"))
    cell = own.path / "compare" / name
    cell.write_bytes(cell.read_bytes()[: int(left * cell.stat().st_size)])
    compare(str(own.path), **WIDE)
    assert cell.stat().st_size > 100
    assert_same(own.comparison, whole[0].comparison)


def test_the_runs_own_plan_is_the_one_that_is_judged(whole):
    path = whole[0].path / "compare" / "plans" / "forward-k4-s0.nc"
    assert dynst.load_plan(path)[0].order.tolist() == whole[0].plan.order.tolist()


def test_other_options_are_refused(whole, tmp_path):
    own = Run(shutil.copytree(whole[0].path, tmp_path / "run"))
    study = own.path / "study.toml"
    study.write_text(study.read_text().replace("steps = 6", "steps = 7"))
    with pytest.raises(CheckpointError, match=r"begun with other options \(steps\)"):
        compare(str(own.path), **WIDE)


def test_another_option_of_the_planner_is_refused_by_its_name(whole, tmp_path):
    own = Run(shutil.copytree(whole[0].path, tmp_path / "run"))
    study = own.path / "study.toml"
    study.write_text(study.read_text().replace("[planner]\n", "[planner]\npenalty = 0.5\n"))
    with pytest.raises(CheckpointError, match=r"begun with other options \(penalty\)"):
        compare(str(own.path), **WIDE)


def test_a_comparison_begun_by_an_older_version_goes_on(whole, tmp_path):
    """It knew each switch of dynst by a field of its own, None where it was not given."""
    own = Run(shutil.copytree(whole[0].path, tmp_path / "run"))
    path = own.path / "compare" / "made_of.json"
    known = json.loads(path.read_text())
    known["options"] |= dict.fromkeys(("evidence", "drop_by", "schedule", "alpha", "prune", "l1", "polish"))
    path.write_text(json.dumps(known))
    compare(str(own.path), **WIDE)


def test_other_data_are_refused(copy, waves, tmp_path):
    other = tmp_path / "other.nc"
    with xr.open_dataset(waves) as data:
        (data + 1).to_netcdf(other)
    study = copy.path / "study.toml"
    study.write_text(study.read_text().replace(str(waves), str(other)))
    with pytest.raises(CheckpointError, match="changed since run run was begun"):
        compare(str(copy.path), **WIDE)


def test_a_study_is_fitted_first_and_full_judges_by_networks_too(waves, tmp_path):
    study = Study(data=str(waves), planner="forward", out=str(tmp_path / "full"), seeds=2, workers=1)
    made = fit(study.model_copy(update=TINY | {"compare": "full", "ladder": (0.5,)}))
    seeds = {row.planner: row.seeds for row in made.curves["network"].table(4)}
    assert (seeds["forward"], seeds["one_shot"], seeds["uniform_random"], seeds["floor"]) == (2, 2, 3, 2)
    assert np.isfinite(made.curve.at(4)["plan_seconds"].sel(planner=["forward", "coverage"]).isel(seed=0)).all()
    assert made.curve.data.sizes["region"] == 3
    assert (made.curve.budgets, made.curves["ridge"].budgets) == ((4, 24), (4,))
    assert list(made.curves) == ["linear", "ridge", "network"]
    assert (made.path / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--budgets", "0"), "budgets: 0 came; at least 1 is expected"),
        (("--budgets", "49"), "budget 49 is impossible: choose from 1 to 48 sensors"),
        (("--budgets", "five"), '--budgets: "five" came; whole numbers with commas are expected'),
        (("--planners", "covrage"), 'planner "covrage" is unknown. Did you mean "coverage"?'),
        (("--judges", "linea"), 'judge "linea" is unknown. Did you mean "linear"?'),
        (("--judges", ","), "no judge came"),
        (("--seeds", "0"), "seeds: 0 came; at least 1 is expected"),
        (("--workers", "0"), "workers: 0 came; at least 1 is expected"),
    ],
)
def test_a_wrong_request_gets_one_line(run, dynst_main, arguments, says):
    code, _, err = dynst_main("compare", run.path, *arguments, "--quiet")
    assert code == 2
    assert says in err
    assert err.count("\n") == 1
    assert not (run.path / "compare").exists()


def test_without_a_run_it_says_how_to_make_one(dynst_main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = dynst_main("compare")
    assert (code, err.count("\n")) == (2, 1)
    assert "Make one with `dynst fit`" in err


def test_the_tables_and_the_findings_are_shown(whole, dynst_main):
    asked = ("--budgets", "2,4", "--planners", "forward,uniform_random,one_shot", "--seeds", 2, "--workers", 1)
    code, out, _ = dynst_main("compare", whole[0].path, *asked, "--quiet")
    assert code == 0
    assert "judged by the space-time forecaster" in out
    assert "a network trained afresh" in out
    assert f"dynst report {whole[0].path}" in out
    _, out, _ = dynst_main("compare", whole[0].path, *asked, "--json")
    said = json.loads(out)
    assert set(said["judges"]) == {"linear", "ridge", "network"}
    best = min(row["error"] for row in said["judges"]["linear"] if row["planner"] == "forward")
    assert best == pytest.approx(
        min(row.error for k in (2, 4) for row in _rows(whole[0], k) if row.planner == "forward")
    )


def _rows(run, budget):
    return run.comparison.table(budget)


def test_ctrl_c_says_how_to_go_on(run, dynst_main, monkeypatch):
    def stopped(source, *, listen, **_):
        listen(dynst.study.Event("compare", run="run-1"))
        raise KeyboardInterrupt

    monkeypatch.setattr(dynst.study, "compare", stopped)
    code, _, err = dynst_main("compare", run.path, "--budgets", "2,4", "--quiet")
    assert code == 130
    assert "Continue with: dynst compare run-1 --budgets=2,4" in err


def test_another_process_is_kept_out(copy):
    from dynst.runs import held

    with held(copy.path / "compare", "run"), pytest.raises(CheckpointError, match="another process"):
        compare(str(copy.path), **WIDE)
