"""A run folder is complete or absent, belongs to one process at a time, and is found again."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dynst import runs
from dynst.domain import Plan, Sites
from dynst.errors import CheckpointError, ConfigError
from dynst.export import save_plan


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finish(draft, finished):
    plan = Plan(np.array([1, 0]), np.ones(2), 1, Sites(np.array([0.0, 1.0]), np.zeros(2)), "coverage")
    save_plan(plan, None, draft.path / "plan.nc")
    (draft.path / "provenance.json").write_text(json.dumps({"finished": finished}))
    return draft.finish()


def test_a_run_appears_under_its_name_only_when_it_is_finished(here):
    with runs.claim("waves-coverage-s0.5") as draft:
        assert draft.name == "waves-coverage-s0.5-1"
        assert not (here / "runs" / draft.name).exists()
        run = finish(draft, "1")
    assert run.plan.selected.tolist() == [1]
    assert not list((here / "runs").glob(".*"))
    assert not (run.path / ".lock").exists()


def test_two_claims_never_share_a_number():
    with runs.claim("a") as first, runs.claim("a") as second:
        assert {first.name, second.name} == {"a-1", "a-2"}
        finish(first, "1")
        with runs.claim("a") as third:
            assert third.name == "a-3"


def test_claims_at_the_same_moment_get_different_runs():
    with ThreadPoolExecutor(8) as pool:
        drafts = list(pool.map(runs.claim, ["a"] * 8))
    assert sorted(draft.name for draft in drafts) == [f"a-{i}" for i in range(1, 9)]


def test_a_run_that_is_worked_on_cannot_be_resumed_by_another():
    with runs.claim("a"), pytest.raises(CheckpointError, match="a-1 is being worked on by another process"):
        runs.reopen("a-1")


@pytest.mark.parametrize("name", ["a-1", "runs/a-1", "runs/.a-1.partial", "latest"])
def test_a_stopped_run_is_reopened_by_name_by_folder_or_as_the_latest(name):
    runs.claim("a").__exit__()
    with runs.reopen(name) as draft:
        assert draft.name == "a-1"


def test_reopening_a_complete_run_gives_the_run():
    with runs.claim("a") as draft:
        finish(draft, "1")
    assert runs.reopen("a-1") == runs.find("a-1")


def test_an_unknown_stopped_run_is_one_line_with_the_nearest_name():
    runs.claim("waves").__exit__()
    with pytest.raises(CheckpointError, match='Did you mean "waves-1"'):
        runs.reopen("wave-1")


def test_the_latest_run_is_the_one_finished_last():
    for finished in ("2024-01-02", "2024-01-03", "2024-01-01"):
        with runs.claim("a") as draft:
            finish(draft, finished)
    runs.claim("a").__exit__()
    assert runs.find().name == "a-2"
    assert runs.find("a-3").name == "a-3"
    with pytest.raises(CheckpointError, match=r"a-4 is not finished. Continue it with `dynst fit --resume a-4`"):
        runs.find("a-4")
    with pytest.raises(CheckpointError, match=r'run "a-9" is unknown. Did you mean'):
        runs.find("a-9")


def test_without_any_run_one_is_told_to_make_one():
    with pytest.raises(CheckpointError, match=r"no finished run in runs/. Make one with `dynst fit`"):
        runs.find()
    with pytest.raises(CheckpointError, match=r"no stopped run waits in runs/"):
        runs.reopen("latest")


def test_a_folder_of_ones_own_is_never_overwritten(here):
    (here / "mine").mkdir()
    with pytest.raises(ConfigError, match="mine exists already"):
        runs.claim("a", out=here / "mine")
    runs.claim("a", out=here / "yours").__exit__()
    with pytest.raises(ConfigError, match="--resume"):
        runs.claim("a", out=here / "yours")


def test_a_draft_does_not_replace_a_run_of_its_name(here):
    with runs.claim("a") as draft:
        (here / "runs" / "a-1").mkdir()
        (here / "runs" / "a-1" / "precious").touch()
        with pytest.raises(CheckpointError, match="exists: it came while this run was being made"):
            finish(draft, "1")
    assert (here / "runs" / "a-1" / "precious").exists()


def test_a_file_is_written_whole_or_not_at_all(here):
    target = here / "file.txt"
    target.write_text("old")

    def stopped():
        with runs.whole(target) as part:
            part.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert target.read_text() == "old"
    assert [path.name for path in here.iterdir()] == ["file.txt"]


def test_the_name_of_a_draft_is_one_that_resume_finds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for out in (None, Path("mine"), Path("elsewhere/x"), tmp_path / "far" / "y"):
        draft = runs.claim("a", out=out)
        draft.__exit__()
        again = runs.reopen(draft.name)
        assert isinstance(again, runs.Draft)
        assert again.path.resolve() == draft.path.resolve()
        again.__exit__()
