"""Laws of the sums: any order and grouping gives the metrics of one pass; missing targets never count."""

from functools import reduce
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.evaluation import ErrorSums, ErrorTally
from dynst.evaluation.metrics import bias, mae, rmse, skill


def add(a, b):
    return a + b


@settings(max_examples=30, deadline=None)
@given(
    m=st.integers(1, 12),
    cuts=st.lists(st.integers(0, 12), max_size=4),
    missing=st.booleans(),
    seed=st.integers(0, 99),
)
def test_sums_merged_in_any_order_and_grouping_give_the_metrics_of_one_pass(m, cuts, missing, seed):
    rng = np.random.default_rng(seed)
    error, weight = rng.standard_normal((m, 3, 5, 2)), rng.uniform(0.1, 2, 5)
    observed = rng.random(error.shape) < 0.6 if missing else None
    whole = ErrorSums.of(error, weight, observed)
    edges = [0, *sorted(min(cut, m) for cut in cuts), m]
    parts = [ErrorSums.of(error[a:b], weight, None if observed is None else observed[a:b]) for a, b in pairwise(edges)]
    rng.shuffle(parts)
    forward = reduce(add, parts, ErrorSums.zero(3, 2))
    half = len(parts) // 2
    grouped = reduce(add, parts[:half], ErrorSums.zero(3, 2)) + reduce(add, parts[half:], ErrorSums.zero(3, 2))
    for merged in (forward, grouped):
        for metric in (rmse, mae, bias):
            np.testing.assert_allclose(metric(merged), metric(whole), rtol=1e-12, atol=1e-14)


def test_metrics_equal_plain_loops(rng):
    error, weight = rng.standard_normal((4, 2, 3, 1)), np.array([1.0, 2.0, 0.5])
    observed = rng.random(error.shape) < 0.7
    sums = ErrorSums.of(error, weight, observed)
    for lead in range(2):
        square = total = signed = 0.0
        for window in range(4):
            for site in range(3):
                if observed[window, lead, site, 0]:
                    square += weight[site] * error[window, lead, site, 0] ** 2
                    signed += weight[site] * error[window, lead, site, 0]
                    total += weight[site]
        np.testing.assert_allclose(rmse(sums)[lead, 0], np.sqrt(square / total))
        np.testing.assert_allclose(bias(sums)[lead, 0], signed / total)


def test_where_nothing_was_observed_there_is_no_metric():
    sums = ErrorSums.of(
        np.ones((2, 2, 3, 1)), np.ones(3), np.array([True, False])[None, :, None, None] & np.ones((2, 2, 3, 1), bool)
    )
    assert rmse(sums).ravel().tolist()[0] == 1.0
    assert np.isnan(rmse(sums)[1, 0])


def test_skill_against_itself_is_zero_and_of_a_perfect_forecast_is_one(rng):
    reference = ErrorSums.of(rng.standard_normal((3, 2, 4, 1)), np.ones(4))
    perfect = ErrorSums.of(np.zeros((3, 2, 4, 1)), np.ones(4))
    np.testing.assert_allclose(skill(reference, reference), 0)
    np.testing.assert_allclose(skill(perfect, reference), 1)


def test_a_tally_in_chunks_equals_the_sums_in_one_pass_in_the_channels_units(rng):
    error, weight = rng.standard_normal((9, 2, 6, 2)), rng.uniform(0.2, 3, 6)
    observed, std = rng.random(error.shape) < 0.7, np.array([5.0, 0.1])
    tally = ErrorTally(weight, np.array([1, 4]), std, 2)
    for rows in (slice(0, 4), slice(4, 9)):
        tally.add(error[rows].astype(np.float32), observed[rows])
    score = tally.score()
    # float32 weights and errors: about 1e-6 relative
    np.testing.assert_allclose(score.rmse, rmse(ErrorSums.of(error * std, weight, observed)), rtol=1e-5)
    at = ErrorSums.of((error * std)[:, :, [1, 4]], weight[[1, 4]], observed[:, :, [1, 4]])
    np.testing.assert_allclose(rmse(score.at_sensors), rmse(at), rtol=1e-5)
    np.testing.assert_allclose((score.at_sensors + score.away).square, score.sums.square)
    weights = weight[:, None] * observed  # each lead time and channel counts alike, a window by what it observes
    window = ((weights * error**2)[3].sum(axis=1) / (weights.sum(axis=(0, 2)) / 9)).mean()
    np.testing.assert_allclose(score.per_window[3], window, rtol=1e-5)


def test_with_gaps_too_the_total_is_the_root_of_the_mean_over_windows_so_tables_and_verdicts_agree(rng):
    error = (
        rng.standard_normal((40, 2, 5, 2)).astype(np.float32)
        * np.linspace(0.5, 3, 40, dtype=np.float32)[:, None, None, None]
    )
    observed = rng.random(error.shape) < np.array([0.9, 0.2])  # the second channel is seldom measured
    observed[7], observed[20:, 1, :, 1] = False, False  # a window without any target; one that ends early
    tally = ErrorTally(rng.uniform(0.2, 3, 5), np.array([1]), np.array([5.0, 0.1]), 2)
    for rows in (slice(0, 15), slice(15, 40)):
        tally.add(error[rows].copy(), observed[rows])
    score = tally.score()
    assert np.isnan(score.per_window).nonzero()[0].tolist() == [7]
    np.testing.assert_allclose(np.sqrt(np.nanmean(score.per_window)), score.total, rtol=1e-6)


def test_without_gaps_the_total_is_the_root_of_the_mean_over_windows(rng):
    tally = ErrorTally(np.ones(4), np.array([0]), np.array([3.0, 7.0]), 2)
    tally.add(rng.standard_normal((6, 2, 4, 2)).astype(np.float32))
    score = tally.score()
    np.testing.assert_allclose(score.total, np.sqrt(score.per_window.mean()), rtol=1e-6)
