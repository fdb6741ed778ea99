"""The studies that ship: each is valid, asks for its data in one line, and has a small form that runs whole."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import dynst
from dynst.cli.app import app
from dynst.readers import list_samples
from dynst.windows import window_starts
from tests.readers.eagle_maker import write_run
from tests.readers.fire_maker import write_fires

FOLDER = Path(__file__).parents[1] / "pipelines"
STUDIES = sorted(FOLDER.glob("*.toml"))
README = (FOLDER / "README.md").read_text(encoding="utf-8")
TINY = ("--steps", "12", "--batch", "4", "--dim", "8", "--depth", "1", "--ladder", "0.95")

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
        timeout=300,
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
        ("eagle", 1, 5, ("vx", "vy", "ps")),
    ],
)
def test_a_study_has_the_published_settings(name, history, horizon, observe):
    study = dynst.Study.load(FOLDER / f"{name}.toml", {"data": "somewhere"})
    assert (study.history, study.horizon, study.observe, study.predict) == (history, horizon, observe, observe)


def write_weather(folder):
    hours = np.arange("2015-12-20", "2017-01-10", dtype="datetime64[h]").astype("datetime64[ns]")
    values = np.random.default_rng(0).normal(280, 5, (len(hours), 4, 8)).astype(np.float32)
    coordinates = {"time": hours, "lat": np.linspace(-67.5, 67.5, 4), "lon": np.arange(8) * 45.0}
    data = xr.Dataset({"t2m": (("time", "lat", "lon"), values, {"units": "K"})}, coordinates)
    data.to_netcdf(folder / "2m_temperature_2015-2017_5.625deg.nc")


def write_flows(folder):
    for scene in range(1, 5):
        (run := folder / "Cre" / str(scene) / "1").mkdir(parents=True)
        write_run(run, nodes=150, steps=12, seed=scene)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("weatherbench", write_weather),
        ("fit", lambda folder: write_fires(folder, 4, steps=110, rows=4, columns=8, length=100)),
        ("eagle", write_flows),
    ],
)
def test_a_study_finds_its_channels_and_windows_in_data_of_its_format(name, write, tmp_path):
    write(tmp_path)
    study = dynst.Study.load(FOLDER / f"{name}.toml", {"data": str(tmp_path)})
    field = dynst.read(
        study.data, observe=study.observe, predict=study.predict, cache_dir=tmp_path / "cache", hints=study.hints
    )
    assert tuple(channel.name for channel in field.channels) == study.observe
    window, split = study.cut(field)
    assert all(len(window_starts(part, window)) > 0 for part in (split.train, split.valid, split.test))


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
    assert {name for name, _ in named} == {"inspect", "fit", "compare", "score", "export-map", "forecast"}
    options = {name: {o for p in commands[name].params for o in p.opts + p.secondary_opts} for name in commands}
    for name, rest in named:
        assert set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest)) <= options[name], rest
    for option in re.findall(r"`(--[a-z-]+)", README):
        assert option in options["fit"], option
    for name in re.findall(r"`([a-z]+\.toml)`|pipelines/([a-z]+\.toml)", README):
        assert (FOLDER / "".join(name)).is_file()


def test_weatherbench_is_cut_at_the_published_years(tmp_path):
    write_weather(tmp_path)
    study = dynst.Study.load(FOLDER / "weatherbench.toml", {"data": str(tmp_path)})
    window, split = study.cut(dynst.read(study.data, cache_dir=tmp_path / "cache"))
    ends = [str(part.time[i])[:13] for part in (split.train, split.valid, split.test) for i in (0, -1)]
    assert ends == [
        "2015-12-20T00",
        "2015-12-31T23",
        "2016-01-01T23",
        "2016-12-31T23",
        "2017-01-01T23",
        "2017-01-09T23",
    ]
    assert window.embargo == 23
    assert split.how == "by date: training until 2015-12-31, validation until 2016-12-31"
    assert dynst.Study.load(FOLDER / "weatherbench.toml", sample=True).until is None
