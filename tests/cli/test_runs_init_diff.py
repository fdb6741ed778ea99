"""`dynst runs`, `init` and `diff` on real runs: what they say is there; examples and completion name what exists."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import xarray as xr

from dynst import runs
from dynst.cli.app import app
from dynst.cli.examples import EXAMPLES
from dynst.config import Study
from dynst.export import EXPORTERS, load_plan, save_plan
from dynst.planners import PLANNERS
from dynst.runs import Run
from dynst.study.difference import difference

PLAIN = ("--compare", "none", "--no-stability", "-q")


@pytest.fixture(scope="module")
def place(process, waves, tmp_path_factory):
    """A folder with runs of 4 and 6 sensors, one of a changed record, and a stopped one."""
    cwd = tmp_path_factory.mktemp("runs")
    for sensors, out in ((4, "runs/four"), (6, "runs/six")):
        done = process("fit", "--data", waves, "--sensors", sensors, *PLAIN, "--out", out, cwd=cwd, text=True)
        assert done.returncode == 0, done.stderr
    with xr.open_dataset(waves) as data:
        (data + 0.5 * np.cos(np.arange(8))).isel(time=slice(20, None)).to_netcdf(cwd / "later.nc")
    done = process("fit", "--data", "later.nc", "--sensors", 4, *PLAIN, "--out", "runs/later", cwd=cwd, text=True)
    assert done.returncode == 0, done.stderr
    draft = runs.claim("stopped", out=cwd / "runs" / "half")
    draft.files.study.write_text((cwd / "runs" / "four" / "study.toml").read_text())
    draft.__exit__()
    return cwd


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.chdir(place)
    return place


def rows(dynst_main):
    code, out, err = dynst_main("runs", "--json")
    assert (code, err) == (0, "")
    return {row["name"]: row for row in json.loads(out)}


def test_runs_lists_finished_and_stopped_runs_with_the_figures_of_their_curves(here, dynst_main):
    found = rows(dynst_main)
    assert set(found) == {"four", "six", "later", "half"}
    run = Run(here / "runs" / "six")
    own = next(row for row in run.curve.table(6) if row.planner == run.plan.planner)
    assert (found["six"]["sensors"], found["six"]["error"], found["six"]["units"]) == (6, own.error, "K")
    assert [found[name]["state"] for name in ("four", "half")] == ["finished", "stopped"]
    code, out, _ = dynst_main("runs")
    assert code == 0
    assert all(name in out for name in found)
    assert f"{own.error:.4g} K" in out


def test_a_run_that_is_being_made_is_said_to_be(here, dynst_main):
    with runs.reopen("half"):
        assert rows(dynst_main)["half"]["state"] == "working"
    assert rows(dynst_main)["half"]["state"] == "stopped"


def test_a_damaged_run_is_a_row_with_its_reason_and_the_others_are_shown(here, dynst_main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "good").symlink_to(here / "runs" / "four")
    bad = tmp_path / "runs" / "bad"
    bad.mkdir()
    for file in (here / "runs" / "four").iterdir():
        (bad / file.name).symlink_to(file)
    (bad / "plan.nc").unlink()
    (bad / "plan.nc").write_text("no netCDF")
    found = rows(dynst_main)
    assert (found["good"]["state"], found["bad"]["state"]) == ("finished", "damaged")
    assert "not a plan that dynst wrote" in found["bad"]["problem"]
    assert "bad: " in dynst_main("runs")[1]


def test_where_there_is_no_run_it_says_how_to_make_one(dynst_main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = dynst_main("runs")
    assert (code, err) == (0, "")
    assert "dynst fit" in out
    assert json.loads(dynst_main("runs", "--json")[1]) == []


def test_init_writes_a_study_that_asks_for_what_fit_does_by_itself(here, dynst_main, waves, tmp_path, monkeypatch):
    folder = tmp_path / "study"
    folder.mkdir()
    data = os.path.relpath(waves, tmp_path)
    monkeypatch.chdir(tmp_path)
    code, out, err = dynst_main("init", data, "--sensors", 4, "-o", "study/mine.toml")
    assert (code, err) == (0, "")
    assert "dynst fit study/mine.toml" in out
    text = (folder / "mine.toml").read_text()
    study = Study.load(folder / "mine.toml")
    kept = Study.load(here / "runs" / "four" / "study.toml")
    for name in ("observe", "predict", "history", "horizon", "climatology", "sensors", "planner"):
        assert getattr(study, name) == getattr(kept, name), name
    assert waves.samefile(study.data)
    assert all(f"[{table}]" in text for table in ("data", "window", "budget", "rules", "planner", "judge", "run"))
    assert "6 x 8 grid" in text
    assert dynst_main("fit", folder / "mine.toml", *PLAIN, "--out", "again")[0] == 0
    again = Run(tmp_path / "again").plan
    assert again.selected.tolist() == Run(here / "runs" / "four").plan.selected.tolist()


def test_each_line_of_a_study_that_is_off_is_right_when_it_is_on(dynst_main, waves, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert dynst_main("init", waves)[0] == 0
    lines = (tmp_path / "study.toml").read_text().splitlines()
    off = [i for i, line in enumerate(lines) if re.match(r"# [a-z_]+ = ", line)]
    assert len(off) > 12
    for i in off:
        on = [*lines[:i], lines[i][2:], *lines[i + 1 :]]
        key = lines[i][2:].split(" = ")[0]
        if key in {"sparsity", "new"}:
            on = [line for line in on if not line.startswith("sensors = ")]
        if key == "valid_until":
            on = [line[2:] if line.startswith("# train_until") else line for line in on]
        (tmp_path / "on.toml").write_text("\n".join(on))
        assert getattr(Study.load(tmp_path / "on.toml"), key) not in (None, ())


def test_init_overwrites_nothing_and_writes_nothing_that_would_not_run(dynst_main, waves, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text("mine")
    for arguments, says in (
        ((waves,), "study.toml exists already"),
        ((waves, "-o", "no/where.toml"), "no is no folder"),
        (("absent.nc", "-o", "a.toml"), "absent.nc"),
        ((waves, "-o", "a.toml", "--sensors", 1000), "1000"),
    ):
        code, out, err = dynst_main("init", *arguments)
        assert (code, out) == (2, "")
        assert says in err
        assert len(err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["study.toml"]
    assert (tmp_path / "study.toml").read_text() == "mine"


def test_hostile_names_stay_text_in_a_study(dynst_main, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = 'a "b" ] # c'
    values = np.random.default_rng(0).standard_normal((120, 4, 5)).cumsum(axis=0).astype(np.float32)
    axes = {"time": np.datetime64("2020-01-01", "ns") + np.arange(120) * np.timedelta64(1, "D")}
    axes |= {"lat": np.linspace(50, 40, 4), "lon": np.linspace(0, 9, 5)}
    xr.Dataset({"t": (("time", "lat", "lon"), values, {"units": "K\n[run]"})}, axes).to_netcdf(tmp_path / f"{name}.nc")
    assert dynst_main("init", f"{name}.nc")[0] == 0
    assert Study.load(tmp_path / "study.toml").data == f"{tmp_path / name}.nc"
    tables = tomllib.loads((tmp_path / "study.toml").read_text())
    assert list(tables) == ["data", "window", "budget", "rules", "planner", "judge", "run"]


def test_diff_counts_sensors_and_says_the_errors_of_the_same_test_time(here, dynst_main):
    code, out, err = dynst_main("diff", "four", "six", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    four, six = (Run(here / "runs" / name) for name in ("four", "six"))
    common = set(four.plan.selected.tolist()) & set(six.plan.selected.tolist())
    assert len(found["kept"]) + len(found["moved"]) + len(found["gone"]) == 4
    assert len(found["kept"]) + len(found["moved"]) + len(found["new"]) == 6
    assert set(found["kept"]) <= {four.plan.sites.name[site] for site in common}
    assert found["errors"] == pytest.approx(
        [
            next(r.error for r in run.curve.table(run.plan.budget) if r.planner == run.plan.planner)
            for run in (four, six)
        ]
    )
    assert found["options"] == {"sensors": [4, 6]}
    assert found["data"] == {}
    text = dynst_main("diff", "four", "six")[1]
    assert "Forecast error on the same test time" in text
    assert "4 -> 6" in text


def test_diff_says_that_another_record_cannot_be_compared(here, dynst_main):
    text = dynst_main("diff", "four", "later")[1]
    assert "cannot be compared: the runs were judged on another record" in text
    assert "160 -> 140" in text
    found = json.loads(dynst_main("diff", "four", "later", "--json")[1])
    assert found["errors"] is None
    assert "fingerprint" in found["data"]


def test_a_run_differs_in_nothing_from_itself(here, dynst_main):
    found = json.loads(dynst_main("diff", "four", "four", "--json")[1])
    assert (len(found["kept"]), found["moved"], found["gone"], found["new"]) == (4, [], [], [])
    assert (found["options"], found["data"]) == ({}, {})
    assert found["errors"][0] == found["errors"][1]


def test_the_radius_decides_what_has_moved(here, tmp_path):
    """A plan whose one sensor is put a cell further: moved within the radius, gone and new beyond it."""
    four = Run(here / "runs" / "four")
    plan, layout = load_plan(four.files.plan)
    copy = tmp_path / "moved"
    copy.mkdir()
    for file in four.path.iterdir():
        (copy / file.name).symlink_to(file)
    order = plan.order.copy()
    beside = next(site for site in plan.sites.nearest(4)[order[0]].tolist() if site not in set(order[:4].tolist()))
    order[order == beside], order[0] = order[0], beside
    (copy / "plan.nc").unlink()
    save_plan(type(plan)(order, plan.importance, 4, plan.sites, plan.planner), layout, copy / "plan.nc")
    far, near = difference(four, Run(copy), radius=5000.0), difference(four, Run(copy), radius=1.0)
    assert (len(far.kept), len(far.moved), far.gone, far.new) == (3, 1, (), ())
    chord = np.linalg.norm(plan.sites.points[[beside]] - plan.sites.points[plan.order[:1]], axis=1)
    assert far.moved[0].by == pytest.approx(float(plan.sites.distance(chord)[0]))
    assert (len(near.kept), near.moved, len(near.gone), len(near.new)) == (3, (), 1, 1)


def test_a_radius_that_makes_no_sense_is_one_line(here, dynst_main):
    code, out, err = dynst_main("diff", "four", "six", "--radius", "-1")
    assert (code, out) == (2, "")
    assert "radius -1 came" in err
    assert len(err.strip().splitlines()) == 1


def test_a_run_in_a_notebook_is_a_card(here):
    html = Run(here / "runs" / "four")._repr_html_()
    assert "waves.nc" in html
    assert html.count('r="3.2"') == 4


COMMANDS = [command.name for command in app.registered_commands]


@pytest.mark.parametrize("command", EXAMPLES)
def test_each_example_in_the_help_is_shown_and_has_options_that_exist(dynst_main, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = dynst_main(command, "--help")
    assert len(EXAMPLES[command]) == 2
    for example in EXAMPLES[command]:
        assert f"$ {example}" in out
        program, name, *rest = shlex.split(example)
        assert (program, name) == ("dynst", command)
        assert all(re.search(rf"{part}\b", out.split("Examples")[0]) for part in rest if part[0] == "-"), example


def test_every_command_has_examples():
    assert set(EXAMPLES) == set(COMMANDS)


def test_the_shell_completes_runs_planners_and_formats(place, environment):
    def tab(*words):
        line = ("dynst", *words)
        asked = {"_DYNST_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(line), "COMP_CWORD": str(len(line) - 1)}
        command = [sys.executable, "-m", "dynst"]
        done = subprocess.run(
            command, cwd=place, env=environment | asked, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout.split()

    assert tab("report", "") == ["latest", "four", "later", "six"]
    assert tab("diff", "four", "s") == ["six"]
    assert tab("fit", "--planner", "dyn") == [name for name in PLANNERS if name.startswith("dyn")]
    assert tab("export-map", "--format", "geo") == [name for name in EXPORTERS if name.startswith("geo")]
