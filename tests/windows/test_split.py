"""Laws of the split: nothing of one block reaches another, and no window crosses a run."""

import re
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import ArraySeries, Field, GridLayout, MakersSplit, Origin, Sites, Window
from dynst.errors import ConfigError, DataError
from dynst.windows import (
    forecast_origin_times,
    rolling_origins,
    split_by_run,
    split_by_time,
    split_record,
    thin,
    window_starts,
)


def counting_field(steps, run=None, **options):
    """A field whose value is the number of its step, so that any step can be told from its value."""
    values = np.repeat(np.arange(steps, dtype=float), 2).reshape(steps, 2, 1)
    sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    return Field.of(values, sites, GridLayout((1, 2), np.arange(2)), run=run, **options)


def cases_field(lengths, makers=None):
    """Runs of these lengths, each an experiment, named r0, r1, ..."""
    field = counting_field(
        sum(lengths), np.repeat(np.arange(len(lengths)), lengths), cases=tuple(f"r{i}" for i in range(len(lengths)))
    )
    return replace(field, origin=Origin(makers_split=makers))


def blocks_of(split):
    return split.train, split.valid, split.test


def steps_in(block):
    return set(block.series.read(0, block.steps)[:, 0, 0].astype(int).tolist())


def steps_of(block, window):
    """History and prediction steps that the windows of a block touch, told from the values."""
    values = block.series.read(0, block.steps)[:, 0, 0].astype(int)
    windows = [values[s : s + window.length] for s in window_starts(block, window)]
    return {i for w in windows for i in w[: window.history]}, {i for w in windows for i in w[window.history :]}


lengths = st.integers(1, 5)
runs = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None)
@given(
    steps=st.integers(100, 300), history=lengths, prediction=lengths, stride=st.integers(1, 3), rolling=st.booleans()
)
def test_no_target_step_of_one_split_is_an_input_step_of_another_and_the_embargo_is_kept(
    steps, history, prediction, stride, rolling
):
    window = Window(history, prediction, stride)
    field = counting_field(steps)
    for split in rolling_origins(field, window) if rolling else [split_by_time(field, window)]:
        touched = [steps_of(block, window) for block in (split.train, split.valid, split.test)]
        for i in range(3):
            for j in range(3):
                if i != j:
                    assert not touched[i][1] & touched[j][0]
        for (_, before), (after, _) in pairwise(touched):
            assert min(after) - max(before) > window.embargo  # so many steps lie unused in between


@settings(max_examples=30, deadline=None)
@given(lengths=runs, history=lengths, prediction=lengths, stride=st.integers(1, 3))
def test_no_window_crosses_a_run_and_none_is_forgotten(lengths, history, prediction, stride):
    run = np.repeat(np.arange(len(lengths)), lengths)
    window = Window(history, prediction, stride)
    starts = window_starts(counting_field(len(run), run), window)
    assert all(len(set(run[s : s + window.length])) == 1 and s + window.length <= len(run) for s in starts)
    first = np.searchsorted(run, np.arange(len(lengths)))
    expected = [
        f + i for f, length in zip(first, lengths, strict=True) for i in range(0, length - window.length + 1, stride)
    ]
    assert starts.tolist() == expected


def test_windows_of_a_block_never_cross_the_runs_it_was_cut_from():
    run = np.repeat(np.arange(10), 30)
    window = Window(3, 2)
    split = split_by_time(counting_field(300, run), window)
    for block in (split.train, split.valid, split.test):
        for start in window_starts(block, window):
            assert len(set(block.run[start : start + window.length])) == 1


@settings(max_examples=30, deadline=None)
@given(m=st.integers(1, 400), limit=st.integers(1, 100), seed=st.integers(0, 5))
def test_thinning_takes_one_window_from_each_of_equal_bins(m, limit, seed):
    chosen = thin(np.arange(m), limit, seed=seed)
    assert len(chosen) == min(m, limit)
    assert (np.diff(chosen) > 0).all()
    if m > limit:
        bins = (chosen * limit) // m
        assert bins.tolist() == list(range(limit))
    assert (chosen == thin(np.arange(m), limit, seed=seed)).all()


def test_thinned_windows_begin_at_every_hour_of_the_day():
    chosen = thin(np.arange(24 * 100), 100)
    assert len(set(chosen % 24)) > 18  # an even stride of 24 would give 1


def test_a_block_without_a_window_is_one_clear_error():
    with pytest.raises(
        DataError, match=r"history 4 \+ horizon 4 needs a record of at least \d+ steps .*; 12 are there"
    ):
        split_by_time(counting_field(12), Window(4, 4))
    with pytest.raises(DataError, match="holds no window"):
        split_by_time(counting_field(60, np.arange(60)), Window(1, 1))
    with pytest.raises(DataError, match="are too few for blocks"):
        rolling_origins(counting_field(40), Window(4, 4), origins=(0.8,))


@settings(max_examples=30, deadline=None)
@given(
    history=st.integers(1, 1200),
    prediction=lengths,
    shares=st.sampled_from([(0.65, 0.17, 0.18), (0.5, 0.3, 0.2), (0.98, 0.01, 0.01)]),
)
def test_the_length_said_to_be_needed_is_the_least_that_will_do(history, prediction, shares):
    window = Window(history, prediction)
    with pytest.raises(DataError, match="at least") as caught:
        split_by_time(counting_field(6), window, shares=shares)
    least = int(re.search(r"at least (\d+) steps", str(caught.value))[1])
    split = split_by_time(counting_field(least), window, shares=shares)
    assert min(len(window_starts(b, window)) for b in (split.train, split.valid, split.test))
    with pytest.raises(DataError, match="at least"):
        split_by_time(counting_field(least - 1), window, shares=shares)


def test_shares_that_do_not_add_up_are_refused():
    with pytest.raises(ConfigError, match="add up to 1"):
        split_by_time(counting_field(100), Window(1, 1), shares=(0.5, 0.2, 0.2))


def test_splitting_reads_nothing():
    class Unreadable(ArraySeries):
        def read(self, start, stop):
            raise AssertionError("read")

        read_into = read

    field = counting_field(100)
    unread = Field(Unreadable(field.series.values), field.time, field.run, field.sites, field.layout, field.channels)
    assert split_by_time(unread, Window(2, 2)).test.steps == 17


def test_the_origin_of_a_forecast_is_the_last_step_of_its_history():
    field = counting_field(10)
    assert forecast_origin_times(field, Window(3, 2), np.array([0, 4])).tolist() == [2, 6]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(4, 12), min_size=3, max_size=30),
    shares=st.sampled_from([(0.65, 0.17, 0.18), (0.1, 0.45, 0.45), (0.34, 0.33, 0.33), (0.9, 0.05, 0.05)]),
)
def test_by_run_every_run_is_whole_in_exactly_one_part_and_no_part_is_empty(lengths, shares):
    field, window = cases_field(lengths), Window(2, 2)
    split = split_by_run(field, window, shares=shares)
    parts = [set(block.cases) for block in blocks_of(split)]
    assert set.union(*parts) == set(field.cases)
    assert sum(map(len, parts)) == len(lengths)
    assert min(map(len, parts)) >= 1
    border = np.concatenate([[0], np.cumsum(lengths)])
    for block, names in zip(blocks_of(split), parts, strict=True):
        expected = {s for name in names for s in range(border[int(name[1:])], border[int(name[1:]) + 1])}
        assert steps_in(block) == expected
        values = block.series.read(0, block.steps)[:, 0, 0]
        for start in window_starts(block, window):
            assert (np.diff(values[start : start + window.length]) == 1).all()
            assert len(set(block.run[start : start + window.length])) == 1


@settings(max_examples=30, deadline=None)
@given(count=st.integers(12, 60))
def test_held_out_runs_are_spread_over_the_listing(count):
    split = split_by_run(cases_field([4] * count), Window(2, 2))
    for block in (split.valid, split.test):
        numbers = [int(name[1:]) for name in block.cases]
        assert np.diff([0, *numbers, count - 1]).max() <= 2.2 * count / len(numbers)
    assert abs(len(split.test.cases) - 0.18 * count) <= 1


def test_a_list_of_the_makers_holds_and_runs_it_does_not_name_are_left_out():
    given = MakersSplit(("r3", "r0", "gone"), ("r2",), ("r1",))
    split = split_by_run(cases_field([5] * 5, makers=given), Window(2, 2))
    assert [block.cases for block in blocks_of(split)] == [("r0", "r3"), ("r2",), ("r1",)]
    assert "as its makers list them, 1 in no list left out" in split.how


def test_a_list_that_judges_a_run_on_itself_is_refused():
    given = MakersSplit(("r0", "r3"), ("r2",), ("r3",))
    with pytest.raises(DataError, match='"r3" under train and under test'):
        split_by_run(cases_field([5] * 4, makers=given), Window(2, 2))


@pytest.mark.parametrize("given", [MakersSplit(("r0",), ("r1",), ()), MakersSplit((), (), ())])
def test_a_list_that_leaves_a_part_empty_is_no_list(given):
    split = split_by_run(cases_field([5] * 4, makers=given), Window(2, 2))
    assert "makers" not in split.how
    assert all(block.cases for block in blocks_of(split))


def test_the_record_says_how_it_is_split_unless_told():
    window = Window(2, 2)
    assert "by run" in split_record(cases_field([20] * 5), window).how
    assert "time" in split_record(cases_field([60] * 2), window).how
    assert "time" in split_record(counting_field(100, np.repeat(np.arange(5), 20)), window).how
    assert "time" in split_record(cases_field([20] * 5), window, by="time").how
    with pytest.raises(DataError, match=r"needs at least 3 runs.*2 came"):
        split_record(cases_field([60] * 2), window, by="run")
    with pytest.raises(ConfigError, match='Did you mean "run"'):
        split_record(cases_field([20] * 5), window, by="runs")
    with pytest.raises(DataError, match="holds no window"):
        split_record(cases_field([20, 3, 20, 3, 3]), window)


@settings(max_examples=40, deadline=None)
@given(steps=st.integers(20, 5000), longest=st.integers(1, 5000), history=st.none() | st.integers(1, 9))
def test_a_window_of_nobodys_choice_fits_twice_into_the_longest_run(steps, longest, history):
    window = Window.for_record(steps, history=history, longest=longest)
    assert history is None or window.history == history
    if history is None and longest >= 4:
        assert 2 * window.length <= longest
    assert window.prediction <= Window.for_record(steps).prediction
