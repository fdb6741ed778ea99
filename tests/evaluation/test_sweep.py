"""Laws of the sweep: every planner at every budget or a reason, and no winner on white noise."""

import csv
import io

import numpy as np
import pytest
import xarray as xr

from dynst.domain import Channel, Curve, Field, GridLayout, Plan, Sites, Window
from dynst.errors import ConfigError, DataError
from dynst.evaluation import LinearJudge, judge_ladder, ladder, summary, verdict
from dynst.windows import split_by_run, split_by_time

WINDOW = Window(2, 2)


def field_of(values):
    n = values.shape[1]
    return Field.of(values, Sites(np.arange(float(n)) / 2, np.zeros(n)), GridLayout((1, n), np.arange(n)))


def waves(n=20, c=1, noise=0.5):
    rng = np.random.default_rng(0)
    t = np.arange(300)[:, None, None]
    values = np.sin(t / 4 + 0.2 * np.arange(n)[:, None] + np.arange(c)) + noise * rng.standard_normal((300, n, c))
    return field_of(values)


def plan(order, sites, name="made", budget=2):
    return Plan(np.asarray(order), np.arange(len(order), 0.0, -1.0), budget, sites, name)


def draws(sites, count=12, seed=0):
    rng = np.random.default_rng(seed)
    return [plan(rng.permutation(len(sites)), sites, "uniform_random") for _ in range(count)]


@pytest.fixture(scope="module")
def judged():
    field = waves(c=2)
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    plans = {"uniform_random": draws(field.sites), "coverage": [plan(np.arange(20), field.sites)]}
    plans["short"] = [plan(np.arange(3), field.sites)]
    said = []
    curve = judge_ladder(
        plans, judge, [2, 5, 10], gaps={"mutual_information": "too many sites"}, progress=lambda *a: said.append(a)
    )
    return judge, plans, curve, said


def test_every_error_of_the_curve_is_that_of_the_judge(judged):
    judge, plans, curve, _ = judged
    for name in ("uniform_random", "coverage"):
        for seed, made in enumerate(plans[name]):
            score = judge.score(made.order[:5])
            got = curve.at(5).sel(planner=name, seed=seed)
            for metric in ("rmse", "mae", "bias"):
                assert (got[metric].values == getattr(score, metric)).all()
            assert got["total"].item() == score.total
    for frame in ("floor", "ceiling", "persistence", "climatology"):
        assert (curve.at(10).sel(planner=frame, seed=0)["rmse"].values == getattr(judge, frame)().rmse).all()


def test_what_cannot_be_judged_is_a_marked_gap(judged):
    *_, curve, _ = judged
    rows = {row.planner: row for row in curve.table(5)}
    assert np.isnan(rows["short"].error)
    assert rows["short"].reason == "the plan ranks 3 sites only"
    assert rows["mutual_information"].reason == "too many sites"
    assert np.isfinite(next(row.error for row in curve.table(2) if row.planner == "short"))
    assert [row.planner for row in curve.table(5)][-2:] == ["short", "mutual_information"]


def test_a_planner_that_fails_while_judged_does_not_stop_the_others():
    field = waves()
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)

    class Moody(LinearJudge):
        def score(self, selected, *, on="test"):
            if selected[0] == 7:
                raise DataError("site 7 is out of order")
            return super().score(selected, on=on)

    moody = Moody(judge.split, WINDOW)
    plans = {"bad": [plan([7, 1, 2], field.sites)], "good": [plan([1, 2, 7], field.sites)]}
    rows = {row.planner: row for row in judge_ladder(plans, moody, [2]).table(2)}
    assert rows["bad"].reason == "site 7 is out of order"
    assert np.isfinite(rows["good"].error)


def test_progress_is_told_before_each_score(judged):
    *_, said = judged
    assert [done for _, done, _ in said] == list(range(len(said)))
    assert {total for *_, total in said} == {len(said)}


def test_rows_are_sorted_by_error_and_compared_to_the_mean_of_the_random_plans(judged):
    _, _, curve, _ = judged
    rows = curve.table(10)
    errors = [row.error for row in rows if np.isfinite(row.error)]
    assert errors == sorted(errors)
    by_name = {row.planner: row for row in rows}
    random, cover = by_name["uniform_random"], by_name["coverage"]
    assert random.seeds == 12
    assert random.spread > 0
    # without gaps the mean over windows is the total, to float32
    np.testing.assert_allclose(cover.vs_random[0], 100 * (cover.error / random.error - 1), atol=0.01)
    assert cover.vs_random[1] <= cover.vs_random[0] <= cover.vs_random[2]
    assert by_name["floor"].verdict == "worse"
    assert by_name["floor"].is_frame


def test_differences_are_opposite_when_the_sides_are_exchanged(judged):
    data = judged[2].at(5)
    one = data["difference"].sel(planner="coverage", against="floor").item()
    two = data["difference"].sel(planner="floor", against="coverage").item()
    np.testing.assert_allclose((1 + one / 100) * (1 + two / 100), 1)


@pytest.mark.parametrize(("cases", "words"), [(12, "2 test runs, drawn whole"), (4, "one test run")])
def test_windows_of_experiments_are_drawn_by_whole_runs_and_the_curve_says_so(cases, words):
    rng = np.random.default_rng(0)
    names, run = tuple(f"case {i}" for i in range(cases)), np.repeat(np.arange(cases), 25)
    plain = field_of(rng.standard_normal((25 * cases, 6, 1)).cumsum(axis=0) % 7)
    field = Field.of(plain.series.read(0, 25 * cases), plain.sites, plain.layout, run=run, cases=names)
    judge = LinearJudge(split_by_run(field, WINDOW), WINDOW)
    plans = {"one": [plan(np.arange(6), field.sites)], "other": [plan(np.arange(6)[::-1], field.sites)]}
    scores = [judge.score(made[0].order[:2]) for made in plans.values()]
    assert len(np.unique(scores[0].run)) == len(judge.split.test.cases)
    curve = judge_ladder(plans, judge, [2])
    assert curve.data.attrs["intervals"].startswith(words)
    word, interval = verdict(*(score.per_window for score in scores), run=scores[0].run)
    data = curve.at(2).sel(planner="one", against="other")
    if len(judge.split.test.cases) > 1:  # blocks play no part
        assert data["verdict"] == word
        np.testing.assert_allclose((data["low"], data["high"]), (interval.low, interval.high))


def test_a_record_cut_by_gaps_is_one_record():
    plain = waves()
    field = Field.of(plain.series.read(0, 300), plain.sites, plain.layout, run=np.repeat(np.arange(3), 100))
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    assert judge.score(np.arange(3)).run is None
    assert "intervals" not in judge_ladder({"one": [plan(np.arange(20), field.sites)]}, judge, [2]).data.attrs


def test_too_few_random_plans_are_no_yardstick():
    field = waves()
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    plans = {"uniform_random": draws(field.sites, 2), "coverage": [plan(np.arange(20), field.sites)]}
    row = next(row for row in judge_ladder(plans, judge, [2]).table(2) if row.planner == "coverage")
    assert row.vs_random is None
    assert row.verdict == ""


def test_on_white_noise_nothing_is_better_than_random():
    better = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        field = field_of(rng.standard_normal((300, 15, 1)))
        judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
        plans = {"uniform_random": draws(field.sites, seed=seed)}
        plans |= {f"other{i}": [plan(rng.permutation(15), field.sites)] for i in range(4)}
        rows = judge_ladder(plans, judge, [3]).table(3)
        # what a forecaster gains from noise is rounding: a hundredth of a per cent is no discovery either
        better += sum(
            row.verdict == "better" and row.vs_random[2] < -0.01 for row in rows if row.planner.startswith("other")
        )
    assert better <= 1  # 20 comparisons at the 95 % level, one-sided


def test_a_curve_survives_netcdf_and_is_written_as_csv(judged, tmp_path):
    curve = judged[2]
    curve.to_dataset().to_netcdf(tmp_path / "curve.nc")
    again = Curve.from_dataset(xr.load_dataset(tmp_path / "curve.nc"))
    assert repr(again) == repr(curve)
    assert again.to_csv() == curve.to_csv()
    assert [row.verdict for row in again.table(5)] == [row.verdict for row in curve.table(5)]
    lines = list(csv.DictReader(io.StringIO(curve.to_csv())))
    values = [line for line in lines if line["rmse"]]
    assert len(values) == int(np.isfinite(curve.data["rmse"]).sum())
    gaps = [line for line in lines if not line["rmse"]]
    assert {line["planner"] for line in gaps} == {"short", "mutual_information"}
    assert all(line["reason"] for line in gaps)


def test_a_summary_has_one_line_per_planner_with_each_channel_in_its_unit(judged):
    lines = summary(judged[2], 5)
    assert len(lines) == len(judged[2].planners)
    assert {"channel0 [1]", "channel1 [1]", "vs_random", "verdict"} <= set(lines[0])
    assert lines[0]["units"] == "standard deviations"


def test_a_budget_that_was_not_judged_is_refused(judged):
    with pytest.raises(DataError, match="no budget 4"):
        judged[2].table(4)


def test_nothing_to_judge_is_refused(judged):
    with pytest.raises(ConfigError, match="nothing to judge"):
        judge_ladder({}, judged[0], [2])


def test_a_ladder_respects_roles_and_holds_each_budget_once():
    role = np.zeros(50, int)
    role[:5], role[40:] = 1, 2
    sites = Sites(np.arange(50.0), np.zeros(50), role=role)
    assert ladder(sites, budget=6) == (5, 6, 10, 15, 25, 35)
    assert ladder(Sites(np.arange(3.0), np.zeros(3))) == (1, 2)


def test_the_csv_of_a_curve_holds_no_formula(rng):
    field = Field.of(
        rng.standard_normal((120, 4, 1)),
        Sites(np.arange(4.0), np.zeros(4)),
        GridLayout((1, 4), np.arange(4)),
        channels=(Channel("=cmd|A1", "@sum"),),
    )
    judge = LinearJudge(split_by_time(field, Window(1, 1)), Window(1, 1))
    plan = Plan(np.arange(4), np.ones(4), 2, field.sites, "hand")
    text = judge_ladder({"hand": [plan]}, judge, [2]).to_csv()
    assert ",'=cmd|A1,'@sum," in text
    assert ",=" not in text
