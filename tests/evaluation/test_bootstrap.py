"""Laws of the intervals: wider than independent ones on slow errors, ties on noise, blocks as long as asked."""

import numpy as np
import pytest

from dynst.evaluation import verdict
from dynst.evaluation.bootstrap import block_length, resampling_weights, run_weights


def ar1(phi, shape, rng):
    values = rng.standard_normal(shape)
    values[..., 0] /= np.sqrt(1 - phi**2)
    for i in range(1, shape[-1]):
        values[..., i] += phi * values[..., i - 1]
    return values


def covered(phi, m, trials, **options):
    """Share of trials whose interval holds the truth, zero."""
    hits = 0
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        a, b = 20 + ar1(phi, (m,), rng), 20 + ar1(phi, (m,), rng)
        _, interval = verdict(a, b, draws=200, seed=trial, **options)
        hits += interval.low <= 0 <= interval.high
    return hits / trials


def test_block_intervals_are_wider_than_independent_ones_on_slow_errors():
    rng = np.random.default_rng(0)
    a, b = 20 + ar1(0.8, (2, 300), rng)
    _, blocks = verdict(a, b)
    _, independent = verdict(a, b, block=1.0)
    assert blocks.high - blocks.low > 1.5 * (independent.high - independent.low)


def test_intervals_of_equal_forecasters_hold_zero_about_as_often_as_they_claim():
    # 150 trials: standard error 2-3 %. Honest to a few per cent at 200 windows; independent resampling is far off.
    assert covered(0.0, 200, 150) > 0.90
    assert covered(0.7, 200, 150) > 0.85
    assert covered(0.7, 200, 150, block=1.0) < 0.75


def test_a_clear_difference_is_found_and_has_the_right_sign():
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 2, 200)
    word, interval = verdict(base * 0.81, base)
    assert word == "better"
    np.testing.assert_allclose(interval.estimate, -10)
    assert verdict(base, base * 0.81)[0] == "worse"
    assert verdict(base * rng.uniform(0.9, 1.1, 200), base)[0] == "tie"


def test_several_opponents_count_by_the_mean_of_their_errors():
    base = np.random.default_rng(0).uniform(1, 2, 100)
    _, interval = verdict(base, np.stack([base, 4 * base]))
    np.testing.assert_allclose(interval.estimate, 100 * (1 / 1.5 - 1))


def test_windows_without_a_target_are_left_out_on_both_sides():
    base = np.random.default_rng(0).uniform(1, 2, 100)
    a, b = base * 0.81, base.copy()
    a[:5], b[90:] = np.nan, np.nan
    np.testing.assert_allclose(verdict(a, b)[1].estimate, -10)


@pytest.mark.parametrize("block", [1.0, 5.0, 20.0])
def test_resamples_have_m_windows_in_blocks_of_the_mean_length_asked_for(block):
    m = 400
    weights = resampling_weights(m, block, draws=200)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights[0] == 1 / m).all()
    # neighbours are drawn together with probability 1 - 1/block, so their counts correlate by about that much
    counts = weights[1:] * m - 1
    together = (counts * np.roll(counts, 1, axis=1)).mean() / (counts**2).mean()
    np.testing.assert_allclose(together, 1 - 1 / block, atol=0.05)


def test_the_block_length_grows_with_the_memory_of_the_errors():
    rng = np.random.default_rng(0)
    lengths = [np.mean([block_length(ar1(phi, (400,), rng)) for _ in range(20)]) for phi in (0.0, 0.5, 0.9)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[0] < 4
    assert block_length(np.ones(50)) == 1.0


def test_whole_runs_are_drawn_and_each_resample_weighs_one():
    run = np.repeat([3, 5, 9, 11], [10, 20, 5, 15])
    weights = run_weights(run, draws=50)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights[0] == 1 / 50).all()
    for number in (3, 5, 9, 11):
        together = weights[:, run == number]
        assert (together == together[:, :1]).all()
    assert (weights[1:] == 0).any()


@pytest.mark.parametrize(("runs", "windows"), [(2, 60), (5, 24), (10, 12)])
def test_intervals_over_runs_that_differ_hold_zero_about_as_often_as_they_claim(runs, windows):
    run, hits, blind = np.repeat(np.arange(runs), windows), 0, 0
    for trial in range(150):
        rng = np.random.default_rng(trial)
        a, b = (20 + ar1(0.7, (runs, windows), rng) + 1.5 * rng.standard_normal((runs, 1)) for _ in range(2))
        _, interval = verdict(a.ravel(), b.ravel(), draws=200, seed=trial, run=run)
        hits += interval.low <= 0 <= interval.high
        _, interval = verdict(a.ravel(), b.ravel(), draws=200, seed=trial)
        blind += interval.low <= 0 <= interval.high
    assert hits / 150 > 0.88  # windows taken as one record: far less where runs are few
    assert hits > blind


def test_one_run_is_judged_as_the_one_record_that_it_is():
    rng = np.random.default_rng(0)
    a, b = 20 + ar1(0.5, (2, 100), rng)
    assert verdict(a, b, run=np.full(100, 4)) == verdict(a, b)


def test_runs_without_a_target_are_no_runs():
    rng = np.random.default_rng(0)
    a, b, run = rng.uniform(1, 2, 90), rng.uniform(1, 2, 90), np.repeat([0, 1, 2], 30)
    a[:30] = np.nan
    assert verdict(a, b, run=run) == verdict(a[30:], b[30:], run=run[30:])
