"""The results page says what the curves say, picks on validation alone, and counts records, not cells."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from dynst.config import Study
from dynst.domain import Curve
from dynst.domain.words import UNCLEAR, vague
from dynst.evaluation.comparison import RANDOM
from dynst.evaluation.verdict import answer
from dynst.study.compare import compare


@pytest.fixture(scope="module")
def pages():
    path = Path(__file__).parents[1] / "benchmarks" / "results_page.py"
    spec = importlib.util.spec_from_file_location("results_page", path)
    sys.modules["results_page"] = module = importlib.util.module_from_spec(spec)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Waves over 12 stations, planned and judged by the real functions."""
    folder = tmp_path_factory.mktemp("waves")
    t, x = np.arange(160), np.arange(12)
    wave = np.sin(t[:, None] / 3 + x) + np.random.default_rng(0).normal(0, 0.3, (160, 12))
    stations = "station,lat,lon\n" + "".join(f"s{i},{50 + i % 3},{i // 3}\n" for i in x)
    (folder / "places.csv").write_text(stations)
    days = np.datetime64("2001-01-01") + t
    rows = "".join(f"{day}," + ",".join(f"{v:.4f}" for v in row) + "\n" for day, row in zip(days, wave, strict=True))
    (folder / "wave.csv").write_text("time," + ",".join(f"s{i}" for i in x) + "\n" + rows)
    study = Study(
        data=str(folder / "wave.csv"),
        stations=str(folder / "places.csv"),
        planner="coverage",
        sensors=2,
        compare="none",
        stability=False,
        out=str(folder / "run"),
    )
    names = ("coverage", "variance", "uniform_random")
    return compare(study, budgets=(2, 4), planners=names, seeds=1, judges=("linear",), workers=1)


def curve_with(valid):
    """A curve whose planners have these validation errors."""
    shape = (len(valid), 1, 1, 1, 1)
    ones = np.ones(shape)
    figures = np.array(list(valid.values()), float)[:, None, :]
    return Curve.of(
        {"rmse": ones, "mae": ones, "bias": ones},
        planners=list(valid),
        budgets=[5],
        n=50,
        channels=["t"],
        units=["K"],
        total=np.ones((*shape[:2], 1)),
        extra={"valid_total": (("planner", "sparsity", "draw"), figures)},
    )


def test_the_numbers_of_the_page_are_those_of_the_curve(pages, run):
    text, curve = pages.page({"waves": run}, {"waves": "made"}), run.comparison
    for name in ("coverage", "variance", "uniform_random", "floor", "ceiling"):
        cells = [next(row for row in curve.table(k) if row.planner == name).error for k in (2, 4)]
        assert f"| {name} | {cells[0]:.4g} | {cells[1]:.4g} |" in text
    for k in (2, 4):
        cell = curve.at(k).sel(planner="variance", against="uniform_random")
        low, high = float(cell["low"]), float(cell["high"])
        shown = UNCLEAR if vague(low, high) else f"{float(cell['difference']):+.1f} ({low:+.1f} to"
        assert shown in text
    assert "12 sites" in text
    assert "Licence: made." in text
    assert "**A trial" in text  # most planners were left out


def test_the_same_runs_give_the_same_page(pages, run):
    assert pages.page({"waves": run}, {}) == pages.page({"waves": run}, {})


def test_the_counts_are_those_of_the_verdicts_that_a_fit_of_that_planner_gives(pages, run):
    met = [one for one in pages.meetings("waves", run, run.comparison) if one.who == "variance"]
    assert [one.word for one in met] == [answer(run.comparison, "variance", k).against[RANDOM] for k in (2, 4)]
    words = " / ".join(str(sum(one.word == word for one in met)) for word in ("worse", "tie", "better"))
    assert f"| variance | {words} |" in pages.page({"waves": run}, {})


def test_the_pick_is_the_least_mean_validation_error_and_never_a_random_plan(pages):
    valid = {
        "dynst": [0.4, 0.2],  # mean 0.3
        "uniform_random": [0.1, 0.1],
        "coverage": [0.5, 0.5],
        "forward": [0.2, 0.6],  # least single value of the baselines, and least mean 0.4
        "floor": [0.0, 0.0],
        "variance": [np.nan, np.nan],
    }
    assert pages.picks(curve_with(valid), 5) == pages.Picks("forward", "dynst")


def test_a_seed_that_failed_is_left_out_of_the_mean_and_a_tie_goes_to_the_first(pages):
    valid = {"forward": [0.3, np.nan], "coverage": [0.3, 0.3], "dynst": [0.9, 0.9]}
    assert pages.picks(curve_with(valid), 5) == pages.Picks("forward", "forward")


def test_nothing_is_picked_where_no_baseline_has_a_validation_error(pages):
    assert pages.picks(curve_with({"dynst": [0.1], "coverage": [np.nan]}), 5) is None


def test_records_are_the_units_of_a_mean(pages):
    def cell(record, budget, change):
        return pages.Meeting(record, budget, "x", "x", "y", change, 0.0, 0.0, "tie")

    many = [cell("a", k, -50.0) for k in range(10)]
    mean, error, number = pages.record_means([*many, cell("b", 5, 100.0)])  # half the error, and twice the error
    assert (mean, number) == (pytest.approx(0.0), 2)
    assert error == pytest.approx(100 * np.log(2))  # sd sqrt(2) 100 ln 2 over sqrt 2, not over sqrt 11
    mean, error, number = pages.record_means(many)
    assert (mean, number) == (pytest.approx(-100 * np.log(2)), 1)
    assert np.isnan(error)  # one record shows no spread of records
