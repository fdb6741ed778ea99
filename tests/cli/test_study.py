"""fit leaves a complete run; killed at any moment, it resumes to the identical one."""

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from dynst import Study
from dynst.errors import CheckpointError
from dynst.study import fit, resume
from dynst.study.provenance import provenance

SMALL = {"sensors": 4, "planner": "dynst", "steps": 24, "batch": 4, "dim": 8, "depth": 1, "ladder": [0.5, 0.9]}

KILLER = """
import json, os, signal, sys
from dynst import Study
from dynst.study import fit

def killed_at(moment, out):
    def listen(event):
        if eval(moment):
            os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if not child:
        try:
            fit(Study(**study, out=out), listen=listen)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

study, moments = json.load(sys.stdin)
print(json.dumps([killed_at(moment, out) for out, moment in moments.items()]))
"""

MOMENTS = {
    "training": "event.stage == 'plan' and event.done == 13",
    "baselines": "event.stage == 'baselines' and event.text == 'pivoted_qr'",
    "writing": "event.stage == 'write'",
}


@pytest.fixture(scope="module")
def work(waves, environment, tmp_path_factory):
    """A folder with one uninterrupted run and three killed ones."""
    folder = tmp_path_factory.mktemp("study")
    study = SMALL | {"data": str(waves)}
    done = subprocess.run(
        [sys.executable, "-c", KILLER],
        cwd=folder,
        env=environment,
        input=json.dumps([study, MOMENTS]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [-signal.SIGKILL] * 3, done.stderr
    events = []
    run = fit(Study(**study, out=str(folder / "whole")), listen=events.append)
    return folder, run, events


@pytest.fixture(scope="module", params=MOMENTS)
def resumed(request, work, tmp_path_factory):
    """A copy of a killed run, made to its end; the draft that it was; and what was heard meanwhile."""
    folder, _, _ = work
    place, events = tmp_path_factory.mktemp("resumed"), []
    draft = place / f".{request.param}.partial"
    shutil.copytree(folder / draft.name, draft)
    assert not list(draft.rglob("*.part*"))
    return resume(str(place / request.param), listen=events.append), draft, events


def test_a_run_folder_holds_all_of_its_parts(work):
    _, run, _ = work
    parts = {"study.toml", "plan.nc", "plans", "curve.nc", "curve.csv", "log.jsonl", "provenance.json", "checkpoint"}
    parts |= {
        "report.html",
        "report.md",
        "forecaster.safetensors",
        "curve_made.json",
        "curve_ridge.nc",
        "curve_ridge.csv",
    }
    assert {path.name for path in run.path.iterdir()} == parts
    assert run.plan.budget == 4
    assert run.plan.planner == "dynst"
    assert run.curve.budgets == (4, 5, 24)
    assert {"dynst", "coverage", "uniform_random", "floor", "ceiling"} <= set(run.curve.planners)
    log = [json.loads(line) for line in (run.path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log if "step" in line] == list(range(24))
    assert {line["planner"] for line in log if "planner" in line} == {
        path.stem for path in (run.path / "plans").iterdir()
    }


def test_a_killed_process_leaves_no_run_under_a_final_name(work):
    folder, _, _ = work
    assert {path.name for path in folder.iterdir()} == {"whole", *(f".{moment}.partial" for moment in MOMENTS)}


def test_killed_at_any_moment_a_run_resumes_to_the_identical_one(work, resumed):
    (_, whole, _), (run, draft, _) = work, resumed
    assert not draft.exists()
    assert run.plan.order.tolist() == whole.plan.order.tolist()
    # Another process sums from other places in memory: the last digit of a sum may differ, the order of sites may not.
    np.testing.assert_allclose(run.plan.importance, whole.plan.importance, rtol=1e-9)
    curves = (pd.read_csv(folder.path / "curve.csv") for folder in (run, whole))
    pd.testing.assert_frame_equal(*curves, rtol=1e-6)
    steps = [
        [line for line in (path / "log.jsonl").read_text().splitlines() if '"step"' in line]
        for path in (run.path, whole.path)
    ]
    assert steps[0] == steps[1]
    assert resume(str(run.path)) == run


def test_a_finished_stage_is_not_done_again(resumed):
    run, _, events = resumed
    trained = [event for event in events if event.stage == "plan" and event.loss is not None]
    assert bool(trained) == (run.name == "training"), "only training that was stopped goes on"


def test_a_run_repeats_from_its_own_study_file(work, tmp_path):
    _, whole, _ = work
    study = Study.load(whole.path / "study.toml", {"out": str(tmp_path / "again"), "compare": "none"})
    assert fit(study).plan.order.tolist() == whole.plan.order.tolist()


def test_the_listener_hears_every_step_with_its_loss_sparsity_and_swaps(work):
    _, _, events = work
    steps = [event for event in events if event.stage == "plan" and event.loss is not None]
    assert [event.done for event in steps] == list(range(1, 25))
    assert steps[0].sparsity == 0
    assert steps[-1].sparsity == pytest.approx(44 / 48)
    assert all(event.total == 24 and event.swaps >= 0 for event in steps)
    assert [event.stage for event in events if event.facts] == ["read"]


def test_other_versions_are_said_when_a_run_is_resumed(work, tmp_path):
    folder, _, _ = work
    draft = tmp_path / ".older.partial"
    shutil.copytree(folder / ".writing.partial", draft)
    known = json.loads((draft / "provenance.json").read_text())
    (draft / "provenance.json").write_text(json.dumps(known | {"python": "3.0"}))
    events = []
    resume(str(tmp_path / "older"), listen=events.append)
    assert [event for event in events if "other versions" in event.note]


def test_data_that_changed_meanwhile_are_refused(work, waves, tmp_path):
    folder, _, _ = work
    draft = tmp_path / ".changed.partial"
    shutil.copytree(folder / ".baselines.partial", draft)
    text = (draft / "provenance.json").read_text()
    known = json.loads(text)["data"]["fingerprint"]
    assert known
    (draft / "provenance.json").write_text(text.replace(known, "of another file"))
    with pytest.raises(CheckpointError, match=r"waves.nc changed since run .*changed was begun"):
        resume(str(tmp_path / "changed"))


def test_provenance_is_json_and_names_what_a_repetition_needs():
    known = json.loads(json.dumps(provenance(seed=3, device="cpu", data={"fingerprint": "f"})))
    assert known["seed"] == 3
    assert known["data"]["fingerprint"] == "f"
    assert {"dynst", "commit", "python", "platform", "threads", "libraries", "command", "device"} <= known.keys()
    assert {"numpy", "torch"} <= known["libraries"].keys()
