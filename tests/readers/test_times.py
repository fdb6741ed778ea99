"""Time axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.errors import DataError
from dynst.readers.times import Times, decode_times, find_runs, join

HOUR = np.timedelta64(1, "h")


def dates(hours):
    return Times((np.datetime64("2020-01-01", "ns") + np.asarray(hours) * HOUR).astype("datetime64[ns]"))


@pytest.mark.parametrize(
    ("values", "units", "first"),
    [
        ([0, 6], "hours since 1959-01-01", "1959-01-01T00"),
        ([0.0, 0.25], "days since 1800-01-01 00:00:0.0", "1800-01-01T00"),
        ([0, 3600], "seconds since 1970-01-01 00:00:00 +00:00", "1970-01-01T00"),
        ([17522904, 17522910], "hours since 1-1-1 00:00:0.0", "2000-01-01T00"),
        ([0.5, 1.5], "months since 1960-01-01", "1960-01-01T00"),
    ],
)
def test_dates_of_the_usual_units(values, units, first):
    times = decode_times(np.array(values), {"units": units}, where="x.nc")
    assert times.decoded
    assert times.values[0] == np.datetime64(first)


def test_a_missing_time_is_one_clear_line():
    with pytest.raises(DataError, match=r"x.nc: 1 of 3 times are missing \(first at step 1\)"):
        decode_times(np.array([0.0, np.nan, 2.0]), {"units": "days since 2000-01-01"}, where="x.nc")


@pytest.mark.parametrize(
    ("axis", "cadence"),
    [
        (np.arange("1970-01", "2003-04", dtype="datetime64[M]"), "1 month"),
        (np.arange("1990-01-15", "1999-01-15", dtype="datetime64[D]")[:: 365 // 12], "30 days"),
        (np.arange("1970", "2003", dtype="datetime64[Y]"), "1 year"),
        (np.arange("1970-01", "2003-01", 3, dtype="datetime64[M]"), "3 months"),
        (np.arange("2000-01-01", "2000-03-01", dtype="datetime64[D]"), "1 day"),
        (np.arange("2000-01-01", "2000-03-01", 28, dtype="datetime64[D]"), "28 days"),
        (np.arange("2000-01-01T00:00", "2000-01-01T12:00", 30, dtype="datetime64[m]"), "30 min"),
    ],
)
def test_cadence_in_words(axis, cadence):
    runs = find_runs(Times(axis.astype("datetime64[ns]")), where="x.nc")
    assert (runs.cadence, runs.run.max()) == (cadence, 0)


@pytest.mark.parametrize(
    ("unit", "step", "cadence"),
    [
        ("hour", 730.485, "730.485 h"),
        ("Hours", 6.0, "6 h"),
        ("days", 1.0, "1 day"),
        ("d", 2.0, "2 days"),
        ("minutes", 30.0, "30 min"),
        ("months", 3.0, "3 months"),
        ("step", 1.0, "1 step"),
    ],
)
def test_cadence_without_dates_uses_the_same_words(unit, step, cadence):
    assert find_runs(Times(np.arange(12) * step, unit), where="x.nc").cadence == cadence


def test_middles_of_months_are_even_steps():
    start = np.arange("2000-01", "2004-01", dtype="datetime64[M]")
    middle = start.astype("datetime64[h]") + ((start + 1).astype("datetime64[h]") - start.astype("datetime64[h]")) // 2
    runs = find_runs(Times(middle.astype("datetime64[ns]")), where="x.nc")
    assert (runs.cadence, runs.run.max()) == ("1 month", 0)


def test_a_lost_month_starts_a_new_run():
    axis = np.delete(np.arange("2000-01", "2004-01", dtype="datetime64[M]"), 20)
    runs = find_runs(Times(axis.astype("datetime64[ns]")), where="x.nc")
    assert np.flatnonzero(np.diff(runs.run)).tolist() == [19]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(7, 15), min_size=1, max_size=5), st.integers(2, 50), st.sampled_from([1, 3, 6, 24]))
def test_runs_are_the_stretches_between_gaps(lengths, gap, step):
    hours, expected, at = [], [], 0
    for number, length in enumerate(lengths):
        hours += [at + step * i for i in range(length)]
        expected += [number] * length
        at = hours[-1] + step * gap
    runs = find_runs(dates(hours), where="x.nc")
    assert runs.run.tolist() == expected
    assert len(runs.gaps) == len(lengths) - 1


def test_times_kept_as_float_days_are_even():
    times = decode_times(np.arange(50) / 24.0, {"units": "days since 2000-01-01"}, where="x.nc")
    assert find_runs(times, where="x.nc").cadence == "1 h"


def test_uneven_times_are_refused_with_the_steps_seen():
    with pytest.raises(DataError, match=r"uneven: steps of .*h .*Resample"):
        find_runs(dates(np.cumsum([1, 2, 5, 3, 1, 7, 2, 4, 9, 1, 6, 3])), where="x.nc")


def test_axes_without_a_shared_time_are_refused():
    with pytest.raises(DataError, match="share no time"):
        join([dates([0, 1]), dates([5, 6])], where="x")
