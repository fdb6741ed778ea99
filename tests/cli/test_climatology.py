"""Commands choose a climatology, show it, take another that is asked for, and refuse what the times do not allow."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from dynst import runs
from dynst.config import Study
from dynst.study import prepare


@pytest.fixture
def daily(tmp_path):
    """Twenty days of hours with a day in them, on a small grid."""
    rng, hours = np.random.default_rng(0), np.arange(480)
    latitude, longitude = np.linspace(55, 50, 4), np.linspace(0, 5, 5)
    wave = 5 * np.cos(2 * np.pi * hours / 24)[:, None, None] + np.sin(hours / 17)[:, None, None]
    values = 280 + wave + rng.standard_normal((480, 4, 5))
    time = np.datetime64("2020-01-01", "ns") + hours * np.timedelta64(1, "h")
    coords = {"time": time, "latitude": latitude, "longitude": longitude}
    field = xr.Dataset({"t2m": (("time", "latitude", "longitude"), values, {"units": "K"})}, coords=coords)
    path = tmp_path / "daily.nc"
    field.to_netcdf(path)
    return path


def test_inspect_shows_the_choice_and_its_evidence(daily, dynst_main):
    code, out, _ = dynst_main("inspect", daily)
    assert code == 0
    assert "day (error " in out
    assert "on three folds" in out
    code, out, _ = dynst_main("inspect", daily, "--climatology", "mean", "--json")
    found = json.loads(out)["climatology"]
    assert (code, found["terms"], found["error"]) == (0, "mean", {})


def test_fit_takes_anomalies_from_it_and_keeps_it_with_the_run(daily, dynst_main, tmp_path):
    out = tmp_path / "run"
    options = ("--planner", "variance", "--sensors", 3, "--horizon", "6h", "--history", 4, "--compare", "none")
    code, _, err = dynst_main("fit", "-q", "--data", daily, *options, "--ladder", "", "--out", out)
    assert code == 0, err
    run = runs.find(str(out))
    facts = run.provenance["facts"]["climatology"]
    assert facts["terms"] == "day"
    assert facts["error"]["day"] < 0.5 * facts["error"]["mean"]
    study = Study.load(out / "study.toml")
    assert (study.climatology, study.horizon) == ("day", 6)
    assert run.curve.climatology == "day"
    errors = {row.planner: row.error for row in run.curve.table(3)}
    assert errors["climatology"] < 1.6  # noise and a slow wave; from the mean alone it is 3.8
    assert "climatology (day)" in (out / "report.md").read_text(encoding="utf-8")
    again = prepare(study)
    assert again.climatology.calendar.terms == ("day",)
    code, text, err = dynst_main("score", out, "--climatology", "mean", "--json")
    assert code == 0, err
    assert json.loads(text)["floor"] > 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--climatology", "yer"), 'Did you mean "year"?'),
        (("--climatology", "year"), "holds 0.044 full years; at least 3 are needed"),
        (("--cycle", 200), "more than a third of the"),
        (("--climatology", "cycle"), "give --cycle STEPS"),
    ],
)
@pytest.mark.parametrize("command", ["inspect", "fit", "score"])
def test_what_cannot_be_is_one_line(command, options, says, daily, dynst_main):
    data = ("--data", daily) if command == "fit" else (daily,)
    code, out, err = dynst_main(command, *data, *options, *(() if command == "inspect" else ("-q",)))
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_a_horizon_of_no_whole_number_of_steps_is_one_line(daily, dynst_main):
    code, out, err = dynst_main("fit", "-q", "--data", daily, "--horizon", "90min")
    assert (code, out) == (2, "")
    assert "horizon: 90min is no whole number of steps of 1 h" in err
    assert not Path("runs").exists()
