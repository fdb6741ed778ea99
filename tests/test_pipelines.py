"""The studies that ship: each is valid, asks for its data in one line, and has a small form that runs whole."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dynst
from dynst.cli.app import app
from dynst.readers import list_samples

FOLDER = Path(__file__).parents[1] / "pipelines"
STUDIES = sorted(FOLDER.glob("*.toml"))
README = (FOLDER / "README.md").read_text(encoding="utf-8")
TINY = ("--steps", "12", "--batch", "4", "--dim", "8", "--depth", "1", "--ladder", "0.5")

each_study = pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)


def dynst_command(*arguments, cwd):
    """The installed command, or the package itself where it is not installed."""
    script = Path(sys.executable).with_name("dynst")
    command = [str(script)] if script.is_file() else [sys.executable, "-m", "dynst"]
    path = os.pathsep.join([str(Path(dynst.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [*command, *map(str, arguments)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_three_studies_are_there():
    assert [path.stem for path in STUDIES] == ["eagle", "fit", "weatherbench"]


@each_study
def test_a_study_is_valid_in_both_forms_and_its_sample_ships(path):
    named = dynst.Study.load(path, {"data": "somewhere.nc"})
    small = dynst.Study.load(path, sample=True)
    assert named.data == "somewhere.nc"
    assert small.data.removeprefix("sample:") in list_samples()
    assert (small.history, small.horizon) <= (named.history, named.horizon)
    assert small.steps <= 300


@pytest.mark.parametrize(
    ("name", "history", "horizon", "observe"),
    [
        ("weatherbench", 12, 12, ("t2m",)),
        ("fit", 50, 50, ("temperature", "visibility")),
        ("eagle", 1, 5, ("VX", "VY", "PS")),
    ],
)
def test_a_study_has_the_published_settings(name, history, horizon, observe):
    study = dynst.Study.load(FOLDER / f"{name}.toml", {"data": "somewhere"})
    assert (study.history, study.horizon, study.observe, study.predict) == (history, horizon, observe, observe)


@each_study
def test_a_study_says_where_its_data_are_and_how_it_is_called(path):
    head = "".join(line for line in path.read_text(encoding="utf-8").splitlines(True) if line.startswith("#"))
    assert f"dynst fit pipelines/{path.name} --data PATH" in head
    assert f"dynst fit pipelines/{path.name} --sample" in head
    assert "# The data: " in head
    assert "https://" in head
    assert list(tomllib.loads(path.read_text(encoding="utf-8")))[-1] == "sample"


@each_study
def test_a_study_without_data_asks_for_them_in_one_line(path, tmp_path):
    done = dynst_command("fit", path, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert "--data PATH" in line
    assert "--sample" in line
    assert list(tmp_path.iterdir()) == []


@each_study
def test_the_small_form_of_a_study_makes_a_complete_run(path, tmp_path):
    out = tmp_path / "run"
    done = dynst_command("fit", path, "--sample", *TINY, "--out", out, "--quiet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    run, study = dynst.find(str(out)), dynst.Study.load(path, sample=True)
    assert run.plan.budget == study.budget(run.plan.sites)
    assert {"coverage", "uniform_random", "pivoted_qr"} < set(run.curve.planners)
    exported = dynst_command("export-map", out, "--format", "csv", "-o", tmp_path / "plan.csv", cwd=tmp_path)
    assert exported.returncode == 0, exported.stderr
    assert len((tmp_path / "plan.csv").read_text(encoding="utf-8").splitlines()) == run.plan.budget + 1


def test_commands_and_options_that_the_readme_names_exist():
    from typer.main import get_command

    commands = get_command(app).commands
    named = re.findall(
        r"dynst ([a-z-]+)((?: [^`#\n]*)?)", " ".join(re.findall(r"`[^`]+`|```bash.*?```", README, re.DOTALL))
    )
    assert {name for name, _ in named} == {"inspect", "fit", "export-map"}
    options = {name: {o for p in commands[name].params for o in p.opts + p.secondary_opts} for name in commands}
    for name, rest in named:
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= options[name], rest
    for option in re.findall(r"`(--[a-z-]+)", README):
        assert option in options["fit"], option
    for name in re.findall(r"`([a-z]+\.toml)`|pipelines/([a-z]+\.toml)", README):
        assert (FOLDER / "".join(name)).is_file()
