"""Figures equal those of the package `scores`; the conventions that are ours hold by construction."""

import numpy as np
import pytest
import scores.continuous as reference
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.evaluation import ErrorSums, ErrorTally, Score
from dynst.evaluation.figures import figures, regions_in
from dynst.evaluation.metrics import acc, bias, mae, rmse, skill

DIMS = ("window", "lead", "site", "channel")


@pytest.fixture
def drawn(rng):
    truth = rng.standard_normal((7, 2, 6, 3))
    forecast = 0.5 * truth + rng.standard_normal(truth.shape)
    return forecast, truth, rng.uniform(0.2, 2, 6)


def sums_of(forecast, truth, weight, observed=None):
    return ErrorSums.of(forecast - truth, weight, observed, truth=truth)


def tallied(forecast, truth, weight, **options):
    tally = ErrorTally(weight, np.array([0, 3]), np.ones(truth.shape[3]), truth.shape[1], **options)
    for rows in (slice(0, 3), slice(3, None)):
        tally.add((forecast - truth)[rows].astype(np.float32), truth=truth[rows].astype(np.float32))
    return tally.score({"valid_error": 0.5, "penalty": np.float64(2.0)})


@pytest.mark.parametrize("missing", [False, True])
def test_errors_are_those_of_scores(drawn, rng, missing):
    forecast, truth, weight = drawn
    observed = rng.random(truth.shape) < 0.7 if missing else None
    mine = sums_of(forecast, truth, weight, observed)
    known = truth if observed is None else np.where(observed, truth, np.nan)
    options = {"reduce_dims": ["window", "site"], "weights": xr.DataArray(weight, dims="site")}
    arrays = xr.DataArray(forecast, dims=DIMS), xr.DataArray(known, dims=DIMS)
    for ours, theirs in ((rmse, reference.rmse), (mae, reference.mae), (bias, reference.additive_bias)):
        np.testing.assert_allclose(ours(mine), theirs(*arrays, **options).values, rtol=1e-12)


def test_the_anomaly_correlation_is_pearsons_where_the_means_are_zero(drawn):
    forecast, truth, _ = drawn
    forecast, truth = (a - a.mean(axis=(0, 2), keepdims=True) for a in (forecast, truth))
    mine = acc(sums_of(forecast, truth, np.ones(6)))
    arrays = xr.DataArray(forecast, dims=DIMS), xr.DataArray(truth, dims=DIMS)
    theirs = reference.correlation.pearsonr(*arrays, reduce_dims=["window", "site"])
    np.testing.assert_allclose(mine, theirs.values, rtol=1e-12)


def test_the_anomaly_correlation_is_uncentred_and_weighted_by_area(drawn):
    forecast, truth, weight = drawn
    moments = [
        np.einsum("bpnc,bpnc,n->pc", *pair, weight) for pair in ((forecast, truth), (forecast,) * 2, (truth,) * 2)
    ]
    expected = moments[0] / np.sqrt(moments[1] * moments[2])
    np.testing.assert_allclose(acc(sums_of(forecast, truth, weight)), expected, rtol=1e-12)
    # float32 in the tally
    np.testing.assert_allclose(tallied(forecast, truth, weight).acc, expected, rtol=1e-5)


def test_the_anomaly_correlation_of_a_perfect_forecast_is_1_and_of_the_climatology_0(drawn):
    _, truth, weight = drawn
    np.testing.assert_allclose(acc(sums_of(truth, truth, weight)), 1)
    np.testing.assert_allclose(acc(sums_of(-truth, truth, weight)), -1)
    assert (acc(sums_of(0 * truth, truth, weight)) == 0).all()
    assert (tallied(0 * truth, truth, weight).acc == 0).all()
    assert np.isnan(acc(sums_of(truth, 0 * truth, weight))).all()
    assert np.isnan(acc(ErrorSums.of(truth, weight))).all()  # the truth was not given


def test_the_anomaly_correlation_of_an_unrelated_forecast_is_about_0(rng):
    truth, forecast = rng.standard_normal((2, 500, 1, 20, 1))
    assert abs(acc(sums_of(forecast, truth, np.ones(20))).item()) < 0.04  # 10 000 values: four standard errors


@given(unit=st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_the_anomaly_correlation_and_the_skill_do_not_depend_on_the_unit(unit):
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((5, 2, 4, 1))
    sums = sums_of(0.5 * truth + rng.standard_normal(truth.shape), truth, np.ones(4))
    other = sums_of(0 * truth, truth, np.ones(4))
    factor = np.array([unit])
    np.testing.assert_allclose(acc(sums.scaled(factor)), acc(sums), rtol=1e-9)
    np.testing.assert_allclose(skill(sums.scaled(factor), other.scaled(factor)), skill(sums, other), rtol=1e-9)


def test_skill_of_the_climatology_is_0_and_of_half_the_anomaly_three_quarters(drawn):
    _, truth, weight = drawn
    climatology = sums_of(0 * truth, truth, weight)
    np.testing.assert_allclose(skill(climatology, climatology), 0)
    np.testing.assert_allclose(skill(sums_of(0.5 * truth, truth, weight), climatology), 0.75)


def test_the_squares_of_regions_that_part_the_sites_sum_to_the_whole(drawn):
    forecast, truth, weight = drawn
    west = np.arange(6) < 2
    score = tallied(forecast, truth, weight, regions={"west": west, "east": ~west})
    for part in ("square", "absolute", "signed", "weight", "product", "truth"):
        parts = sum(getattr(sums, part) for sums in score.regions.values())
        np.testing.assert_allclose(parts, getattr(score.sums, part), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        score.regions["west"].square, sums_of(forecast[:, :, :2], truth[:, :, :2], weight[:2]).square, rtol=1e-5
    )


@pytest.mark.parametrize("run", [None, np.arange(7)])
def test_a_score_comes_back_from_a_file_as_it_was(drawn, tmp_path, run):
    names = {"<script>alert(1)</script>": np.arange(6) < 3, "sums": np.arange(6) > 2}
    score = tallied(*drawn, regions=names)
    score = Score(**{**vars(score), "run": run})
    np.savez(tmp_path / "score.npz", **score.to_arrays())
    with np.load(tmp_path / "score.npz", allow_pickle=False) as file:
        again = Score.from_arrays(dict(file))
    for name in ("sums", "at_sensors", "away"):
        for mine, other in zip(vars(getattr(again, name)).values(), vars(getattr(score, name)).values(), strict=True):
            np.testing.assert_array_equal(mine, other)
    assert list(again.regions) == list(names)
    np.testing.assert_array_equal(again.regions["sums"].square, score.regions["sums"].square)
    assert again.notes == score.notes
    np.testing.assert_array_equal(again.per_window, score.per_window)
    assert again.run is None if run is None else (again.run == run).all()


def test_a_channel_without_any_truth_is_left_out_of_the_total_and_named(drawn):
    forecast, truth, weight = drawn
    tally = ErrorTally(weight, np.array([0]), np.ones(3), 2)
    seen = np.ones(truth.shape, bool)
    seen[..., 1] = False
    tally.add((forecast - truth).astype(np.float32), seen)
    score = tally.score()
    assert score.unobserved == (1,)
    np.testing.assert_allclose(score.total, np.sqrt((score.rmse[:, [0, 2]] ** 2).mean()), rtol=1e-6)


def test_the_arrays_of_a_curve_hold_what_its_scores_hold(drawn):
    score = tallied(*drawn, regions={"west": np.arange(6) < 2})
    scores = {("one", 2): [score, score]}
    errors, extra = figures(["one"], [2], scores)
    assert regions_in(scores) == ("west",)
    np.testing.assert_array_equal(errors["rmse"][0, 0, ..., 1], score.rmse)
    np.testing.assert_array_equal(extra["acc"][1][0, 0, ..., 0], score.acc)
    np.testing.assert_array_equal(extra["rmse_at_sensors"][1][0, 0, ..., 0], rmse(score.at_sensors))
    np.testing.assert_array_equal(extra["rmse_away"][1][0, 0, ..., 0], rmse(score.away))
    np.testing.assert_array_equal(extra["valid_total"][1], [[[0.5, 0.5]]])
    region = score.regions["west"]
    expected = np.sqrt(region.square.sum(axis=0) / region.weight.sum(axis=0))
    np.testing.assert_allclose(extra["rmse_region"][1][0, 0, 0, :, 0], expected)


@given(seed=st.integers(0, 50), cut=st.integers(0, 7))
@settings(max_examples=20, deadline=None)
def test_the_anomaly_correlation_of_merged_sums_is_that_of_one_pass(seed, cut):
    rng = np.random.default_rng(seed)
    forecast, truth = rng.standard_normal((2, 7, 2, 3, 1))
    weight = np.array([1.0, 2.0, 0.5])
    parts = [sums_of(forecast[rows], truth[rows], weight) for rows in (slice(cut, None), slice(0, cut))]
    whole = acc(sums_of(forecast, truth, weight))
    np.testing.assert_allclose(acc(parts[0] + parts[1]), whole, rtol=1e-10)
    np.testing.assert_allclose(acc(ErrorSums.zero(2, 1) + parts[1] + parts[0]), whole, rtol=1e-10)
