"""`dynst fit` ends in a run folder, a table on stdout, and the next command to type."""

import json
from pathlib import Path

import pytest

from dynst.domain.stability import GRADES
from dynst.runs import Run
from dynst.study.answers import answer_of


def test_a_run_ends_with_a_table_a_folder_and_the_next_command(finished):
    cwd, done = finished
    assert done.returncode == 0, done.stderr
    (folder,) = (cwd / "runs").iterdir()
    assert folder.name == "waves-dynst-s0.917-1"
    assert f"Run folder: runs/{folder.name}" in done.stdout
    assert f"Report:     runs/{folder.name}/report.html (open it in a browser)" in done.stdout
    assert (folder / "report.html").is_file()
    assert f"dynst export-map runs/{folder.name} --format png" in done.stdout
    assert f"dynst compare runs/{folder.name}" in done.stdout
    for planner in ("dynst", "dynst_linear", "coverage", "uniform_random x 20", "floor (no sensor)", "persistence"):
        assert planner in done.stdout
    assert "(K)" in done.stdout


def test_progress_and_findings_go_to_stderr(finished):
    _, done = finished
    assert "48 of a 6 x 8 grid" in done.stderr
    assert "4 sensors (sparsity 0.9167)" in done.stderr
    assert "as asked" in done.stderr
    assert "plan 24/24 frozen  loss" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout, "no colour and no moving bar without a terminal"


def test_what_stays_of_the_plan_is_said_below_the_findings_and_in_the_document(
    waves, dynst_main, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    arguments = ("--planner", "pivoted_qr", "--compare", "none", "--sensors", 3, "--ladder", "0.5", "--stability")
    code, out, err = dynst_main("fit", "--data", waves, *arguments, "--quiet", "--out", "mine")
    assert (code, err) == (0, "")
    words = Run(tmp_path / "mine").stability.words()
    said = " ".join(out.split())
    assert f"- {words} Run folder: mine Report: mine/report.html" in said
    code, out, _ = dynst_main("fit", "--resume", "mine", "--json")
    assert code == 0
    found, plan = json.loads(out), Run(tmp_path / "mine").plan
    assert found["stability"]["words"] == words
    assert [sensor["site"] for sensor in found["stability"]["sensors"]] == plan.selected.tolist()
    assert {sensor["grade"] for sensor in found["stability"]["sensors"]} <= set(GRADES)
    assert found["report"] == str(Path("mine", "report.html"))


def test_the_table_is_as_wide_as_a_terminal_of_old(finished):
    cwd, done = finished
    run = Run(next((cwd / "runs").iterdir()))
    headline = answer_of(run).headline
    tables, text = done.stdout.split(headline[:40])
    wide = [line for line in tables.splitlines() if len(line.rstrip()) > 80]
    assert not wide
    assert "Next:" in text


def test_a_finished_run_is_shown_again_as_one_json_document(finished, dynst_main, monkeypatch):
    cwd, _ = finished
    monkeypatch.chdir(cwd)
    code, out, err = dynst_main("fit", "--resume", "waves-dynst-s0.917-1", "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert (found["planner"], found["budget"], found["sites"], len(found["sensors"])) == ("dynst", 4, 48, 4)
    here = [row for row in found["table"] if row["budget"] == 4]
    assert {"dynst", "coverage", "floor"} <= {row["planner"] for row in here}
    assert all(row["units"] == "K" and row["error"] > 0 for row in here)
    rows = {row["planner"]: row for row in here}
    assert rows["coverage"]["plan_vs"]["verdict"] in {"better", "tie", "worse"}
    assert (
        rows["coverage"]["plan_vs"]["low"]
        <= rows["coverage"]["plan_vs"]["percent"]
        <= rows["coverage"]["plan_vs"]["high"]
    )
    assert rows["dynst"]["plan_vs"] is None
    assert rows["floor"]["is_frame"]
    assert [sensor["rank"] for sensor in found["sensors"]] == [1, 2, 3, 4]
    assert {"site", "name", "longitude", "latitude", "importance"} <= found["sensors"][0].keys()
    assert found["stability"] is None, "a network is not planned again unless that is asked for"
    window = found["facts"]["window"]
    assert (window["history"], window["horizon"], window["stride"]) == (4, 4, 1)
    assert len(window["gain_by_lead"]) == 4


def test_quiet_says_nothing_but_the_result(waves, dynst_main, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    arguments = ("--planner", "coverage", "--compare", "none", "--sensors", 3, "--ladder", "0.5", "--quiet")
    code, out, err = dynst_main("fit", "--data", waves, *arguments)
    assert (code, err) == (0, "")
    assert "coverage" in out
    assert "variance" not in out


def test_a_study_file_is_a_run_and_flags_override_it(waves, dynst_main, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = f'[data]\npath = "{waves}"\n[planner]\nname = "variance"\n[judge]\ncompare = "none"\nladder = []\n'
    (tmp_path / "study.toml").write_text(text)
    code, out, _ = dynst_main("fit", "study.toml", "--planner", "coverage", "--out", "mine", "--json")
    assert code == 0
    assert json.loads(out)["planner"] == "coverage"
    assert (tmp_path / "mine" / "plan.nc").is_file()


def test_ctrl_c_says_how_to_go_on(waves, dynst_main, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dynst.study.work.judge_ladder", _stopped)
    arguments = ("fit", "-q", "--data", waves, "--planner", "coverage", "--compare", "none", "--sensors", 3)
    code, out, err = dynst_main(*arguments)
    assert (code, out) == (130, "")
    assert err.strip() == "Stopped. Continue with: dynst fit --resume waves-coverage-s0.938-1"
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)


def _stopped(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("data", ["sample:", "sample:nowhere"])
def test_a_sample_that_is_not_named_or_not_there_is_refused_with_the_names(dynst_main, data):
    code, _, err = dynst_main("fit", "-q", "--data", data)
    assert code == 2
    assert "era5_natl_msl" in err
