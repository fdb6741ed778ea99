"""Laws of the intervals: they hold the truth as often as they claim, agree with `arch`, are wider on slow errors."""

import numpy as np
import pytest
from arch.bootstrap import StationaryBootstrap, optimal_block_length
from scipy.signal import lfilter
from scipy.stats import t as student

from dynst.evaluation import verdict
from dynst.evaluation.bootstrap import (
    block_length,
    bounds,
    influence,
    layout_doubt,
    resampled_variance,
    together,
    window_doubt,
)


def ar1(phi, shape, rng):
    shocks = rng.standard_normal(shape)
    shocks[..., 0] /= np.sqrt(1 - phi**2)
    return lfilter([1], [1, -phi], shocks, axis=-1)


def covered(estimate, doubt, truth=0.0):
    """Share of the intervals that hold the truth."""
    half = student.ppf(0.975, doubt[1]) * np.sqrt(doubt[0])
    return (np.abs(estimate - truth) <= half).mean()


@pytest.mark.parametrize("m", [100, 200, 500])
@pytest.mark.parametrize("phi", [0.0, 0.3, 0.5, 0.8])
def test_intervals_hold_the_truth_in_93_to_97_per_cent_on_autoregressive_errors(phi, m):
    # 3000 trials: standard error 0.4 %; the true coverage is 94.7 to 95.7 % (docs/method.md)
    differences = 0.05 * ar1(phi, (3000, m), np.random.default_rng(m))
    assert 0.93 <= covered(differences.mean(axis=1), window_doubt(differences)) <= 0.97


@pytest.mark.parametrize(("phi", "m"), [(0.0, 100), (0.3, 200), (0.5, 200), (0.8, 500)])
def test_intervals_of_squared_errors_that_two_plans_share_hold_the_truth_as_often(phi, m):
    # Window errors are positive and skewed: means of 8 squares, of which both plans have a part in common.
    rng, trials, memory = np.random.default_rng(m), 2000, np.sqrt(phi)  # squares forget twice as fast
    shared = ar1(memory, (8, trials, m), rng)
    levels, moved = [], []
    for _ in range(2):
        errors = np.square(shared + 0.7 * ar1(memory, (8, trials, m), rng)).mean(axis=0)
        mean = errors.mean(axis=1, keepdims=True)
        levels.append(0.5 * np.log(mean[:, 0]))
        moved.append((errors - mean) / (2 * mean))
    assert 0.93 <= covered(levels[0] - levels[1], window_doubt(moved[0] - moved[1])) <= 0.97


@pytest.mark.parametrize(("runs", "windows"), [(2, 60), (5, 24), (20, 12)])
@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_intervals_over_whole_runs_hold_the_truth_however_few_and_however_unlike(runs, windows, effect):
    rng = np.random.default_rng(runs)
    within = ar1(0.7, (3000, runs, windows), rng) * np.sqrt(1 - 0.49)
    series = (0.03 * (within + effect * rng.standard_normal((3000, runs, 1)))).reshape(3000, -1)
    doubt = window_doubt(series, run=np.repeat(np.arange(runs), windows))
    assert 0.93 <= covered(series.mean(axis=1), doubt) <= 0.97
    if effect and runs == 2:  # taken as one record: what differs from run to run is missed
        assert covered(series.mean(axis=1), window_doubt(series)) < 0.93


def test_independent_resampling_is_far_from_what_it_claims():
    differences = ar1(0.8, (1000, 200), np.random.default_rng(0))
    assert covered(differences.mean(axis=1), window_doubt(differences, block=1.0)) > 0.9  # mended by the memory
    plain = resampled_variance(differences, np.ones(1000))
    assert covered(differences.mean(axis=1), (plain, np.full(1000, 199.0))) < 0.6


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_block_lengths_are_those_of_arch(phi):
    # arch looks for quiet lags from the lag itself on, the paper from the next one: mostly one lag more in its window,
    # which is nothing on noise, and most where few lags matter.
    ratios = []
    for seed in range(20):
        series = ar1(phi, (300,), np.random.default_rng(seed))
        ratios.append(block_length(series) / max(float(optimal_block_length(series)["stationary"].iloc[0]), 1.0))
    assert 0.85 < np.median(ratios) < 1.15
    assert phi > 0 or np.allclose(ratios, 1)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_the_closed_form_is_what_many_resamples_of_arch_tend_to(phi):
    series = ar1(phi, (200,), np.random.default_rng(3))
    block = max(1, round(block_length(series)))
    resamples = StationaryBootstrap(block, series, seed=np.random.default_rng(0))
    deviation = np.sqrt(resampled_variance(series[None], np.array([float(block)])))[0]
    low, high = (float(bound[0]) for bound in resamples.conf_int(np.mean, reps=4000, method="norm"))
    # the deviation of 4000 resamples is known to 1.1 %: three times that
    np.testing.assert_allclose((high - low) / 2, 1.959964 * deviation, rtol=0.034)
    np.testing.assert_allclose((high + low) / 2, series.mean(), atol=1e-9)
    low, high = (float(bound[0]) for bound in resamples.conf_int(np.mean, reps=4000, method="percentile"))
    # an end of 4000 percentiles is known to 4 % of the deviation; a mean of 200 is nearly normal
    np.testing.assert_allclose([low, high], series.mean() + np.array([-1.96, 1.96]) * deviation, atol=0.15 * deviation)


def test_the_block_length_grows_with_the_memory_of_the_errors():
    rng = np.random.default_rng(0)
    lengths = [np.mean([block_length(ar1(phi, (400,), rng)) for _ in range(20)]) for phi in (0.0, 0.5, 0.9)]
    assert lengths[0] < lengths[1] < lengths[2]
    assert lengths[0] < 4
    assert block_length(np.ones(50)) == 1.0


def test_block_intervals_are_wider_than_independent_ones_on_slow_errors():
    rng = np.random.default_rng(0)
    slow = 20 + ar1(0.8, (2, 300), rng)
    widths = [interval.high - interval.low for _, interval in (verdict(*slow), verdict(*rng.permutation(slow.T).T))]
    assert widths[0] > 1.5 * widths[1]


def test_a_clear_difference_is_found_and_has_the_right_sign():
    rng = np.random.default_rng(0)
    base = rng.uniform(1, 2, 200)
    word, interval = verdict(base * 0.81, base)
    assert word == "better"
    np.testing.assert_allclose(interval.estimate, -10)
    assert verdict(base, base * 0.81)[0] == "worse"
    assert verdict(base * rng.uniform(0.9, 1.1, 200), base)[0] == "tie"


def test_what_float32_makes_of_equal_plans_is_a_tie():
    base = np.random.default_rng(0).uniform(1, 2, 200)
    assert verdict(base * (1 + 1e-6), base)[0] == "tie"


def test_the_probability_is_below_5_per_cent_where_the_interval_leaves_zero_out():
    rng = np.random.default_rng(0)
    difference, doubt = rng.normal(0, 0.03, 500), (rng.uniform(1e-5, 1e-3, 500), rng.uniform(1, 30, 500))
    p, low, high = bounds(difference, doubt)
    assert ((p < 0.05) == ~((low <= 0) & (high >= 0))).all()
    assert 50 < (p < 0.05).sum() < 450
    assert (low > -100).all()  # an error falls by less than all of it


def test_several_opponents_count_by_the_mean_of_their_errors():
    base = np.random.default_rng(0).uniform(1, 2, 100)
    _, interval = verdict(base, np.stack([base, 4 * base]))
    np.testing.assert_allclose(interval.estimate, 100 * (1 / 1.5 - 1))


def test_influence_is_the_derivative_of_the_log_of_the_mean_rmse(rng):
    errors, step = rng.uniform(1, 2, (3, 40)), 1e-6
    level, moved = influence(errors)
    for window in (0, 17):
        changed = errors.copy()
        changed[:, window] += step
        # weight 1/m of one window more is (1/m) (e - mean) more of the mean, for each forecaster
        slope = (influence(changed)[0] - level) / step
        roots = np.sqrt(errors.mean(axis=1))
        np.testing.assert_allclose(slope, (1 / (2 * 40 * roots)).sum() / roots.sum(), rtol=1e-4)
    np.testing.assert_allclose(moved.mean(), 0, atol=1e-12)


def test_the_luck_of_the_draw_is_that_of_one_more_draw():
    # of draws with RMSE N(1, 0.04), one more lies outside its 95 % interval in 5 % of cases (2000: se 0.5 %)
    rng, outside = np.random.default_rng(0), 0
    for _ in range(2000):
        roots = 1 + 0.04 * rng.standard_normal(21)
        variance, freedom = layout_doubt(np.square(roots[:20, None]) * np.ones(4))
        outside += abs(roots[20] / roots[:20].mean() - 1) > student.ppf(0.975, freedom) * np.sqrt(variance)
    assert 0.035 <= outside / 2000 <= 0.065


def test_a_single_draw_shows_no_spread_and_decides_nothing():
    base = np.random.default_rng(0).uniform(1, 2, 50)
    word, interval = verdict(0.5 * base, base, drawn=True)
    assert (word, interval.low, interval.high) == ("tie", -100.0, np.inf)


def test_the_surer_of_two_sources_lends_its_degrees_of_freedom():
    variance, freedom = together((np.array([1.0, 1e-9]), np.array([5.0, 5.0])), (1e-9, 100.0))
    np.testing.assert_allclose(variance, [1.0, 2e-9])
    np.testing.assert_allclose(freedom, [5.0, 1 / (0.25 / 5 + 0.25 / 100)], rtol=1e-6)


def test_windows_without_a_target_are_left_out_on_both_sides():
    base = np.random.default_rng(0).uniform(1, 2, 100)
    a, b = base * 0.81, base.copy()
    a[:5], b[90:] = np.nan, np.nan
    np.testing.assert_allclose(verdict(a, b)[1].estimate, -10)


def test_two_windows_tell_nothing():
    assert verdict(np.array([1.0, 2.0]), np.array([10.0, 20.0]))[0] == "tie"


def test_one_run_is_judged_as_the_one_record_that_it_is():
    rng = np.random.default_rng(0)
    a, b = 20 + ar1(0.5, (2, 100), rng)
    assert verdict(a, b, run=np.full(100, 4)) == verdict(a, b)


def test_runs_without_a_target_are_no_runs():
    rng = np.random.default_rng(0)
    a, b, run = rng.uniform(1, 2, 90), rng.uniform(1, 2, 90), np.repeat([0, 1, 2], 30)
    a[:30] = np.nan
    assert verdict(a, b, run=run) == verdict(a[30:], b[30:], run=run[30:])
