"""Laws of patterns in time: what is next to the forecast stays as it is, the rest in few numbers, errors in full."""

import numpy as np
import pytest

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.evaluation import LinearJudge, RidgeJudge
from dynst.planners.base import Task
from dynst.planners.bench import Bench
from dynst.windows import Scaling, TimeModes, design, fit_starts, split_by_time, window_starts

WINDOW = Window(24, 20)


def field_of(steps=400, n=6, c=2, *, missing=0.0, seed=0):
    rng = np.random.default_rng(seed)
    values = np.sin(np.arange(steps)[:, None, None] / 9 + np.arange(n)[:, None] + 2 * np.arange(c))
    values = values + 0.05 * rng.standard_normal(values.shape)
    values[rng.random(values.shape) < missing] = np.nan
    return Field.of(values, Sites(np.arange(float(n)), np.zeros(n)), GridLayout((1, n), np.arange(n)))


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_patterns_are_orthonormal_and_keep_the_steps_next_to_the_forecast(missing):
    field = field_of(missing=missing)
    scaling, starts = Scaling.fit(field), window_starts(field, WINDOW)
    modes = TimeModes.fit(field, WINDOW, scaling, starts)
    for patterns in (modes.history, modes.future):
        np.testing.assert_allclose(patterns.T @ patterns, np.eye(patterns.shape[1]), atol=1e-12)
    whole = design(field, WINDOW, scaling, starts[:40])
    few = design(field, WINDOW, scaling, starts[:40], modes=modes)
    assert few.inputs.shape[2] <= 6 * 2 < whole.inputs.shape[2]
    np.testing.assert_array_equal(few.inputs[:, :, -2:], whole.inputs[:, :, -2:])
    np.testing.assert_array_equal(few.targets[:, 0], whole.targets[:, 0])
    again = modes.steps(few.targets)
    if missing:
        np.testing.assert_array_equal(few.inputs_observed[:, :, -2:], whole.inputs_observed[:, :, -2:])
        np.testing.assert_array_equal(few.observed[:, 0], whole.observed[:, 0])
    else:  # patterns of 99.9 % of the energy
        assert ((again - whole.targets) ** 2).mean() < 0.01 * (whole.targets**2).mean()


def test_short_windows_are_kept_as_they_are():
    field, window = field_of(), Window(12, 12)
    scaling, starts = Scaling.fit(field), np.arange(20)
    modes = TimeModes.fit(field, window, scaling, starts)
    whole, few = (design(field, window, scaling, starts, modes=m) for m in (None, modes))
    np.testing.assert_array_equal(whole.inputs, few.inputs)
    np.testing.assert_array_equal(whole.targets, few.targets)


def test_more_windows_fit_into_the_same_memory():
    field, window = field_of(), WINDOW
    starts = window_starts(field, window)
    modes = TimeModes.fit(field, window, Scaling.fit(field), starts)
    room = {"limit": 250, "max_bytes": 20_000}
    assert len(fit_starts(starts, field, window, modes=modes, **room)) > 2 * len(
        fit_starts(starts, field, window, **room)
    )


def test_planners_read_patterns_of_histories_longer_than_twelve_steps():
    split = split_by_time(field_of(), WINDOW)
    task = Task.make(split.train, split.valid, WINDOW, 2)
    patterns = task.time_modes.history
    assert patterns.shape == (24, task.expected_error.inputs // 2)
    assert task.expected_error.inputs <= 12
    short = Task.make(split.train, split.valid, Window(12, 4), 2)
    assert short.time_modes is None
    assert short.expected_error.inputs == 24


@pytest.mark.parametrize("kind", [LinearJudge, RidgeJudge])
def test_records_with_gaps_are_planned_and_judged_in_patterns(kind):
    split = split_by_time(field_of(missing=0.3), WINDOW)
    bench = Bench.of(Task.make(split.train, split.valid, WINDOW, 2).expected_error, np.array([0]))
    assert np.isfinite(bench.gains()[1:]).all()
    judge = kind(split, WINDOW)
    assert judge.score(np.array([1, 4])).total < judge.floor().total


@pytest.mark.parametrize("on", ["valid", "test"])
@pytest.mark.parametrize("kind", [LinearJudge, RidgeJudge])
def test_a_judge_reads_histories_in_patterns_and_counts_errors_against_the_full_field(kind, on):
    """Only histories are shortened now; so nothing of the future is lost that would have to be added to the error."""
    judge, plan = kind(split_by_time(field_of(), WINDOW), WINDOW), np.array([1, 4])
    patterns = judge._filters.shape
    assert patterns[0] == 24
    assert patterns[1] <= 6
    forecaster, windows = judge.fit(plan), judge.data.windows(on)
    forecast = forecaster.forecast(windows.readings(plan, judge.data.observed))
    field = judge.split.valid if on == "valid" else judge.split.test
    truth = design(field, WINDOW, judge.scaling, windows.starts).targets
    assert forecast.shape == truth.shape == (len(windows), 20, 6, 2)
    expected = np.sqrt(np.mean((forecast - truth) ** 2, axis=(0, 2)))
    score = judge.score(plan, on=on)
    np.testing.assert_allclose(score.rmse / judge.scaling.std, expected, rtol=1e-4)
    assert score.total < 0.3 * judge.floor(on=on).total
