"""Laws of a timeline: times and steps go into each other, on any calendar, beyond the end of the record too."""

import numpy as np
import pytest

from dynst.domain import Clock, Field, GridLayout, Sites
from dynst.domain.timeline import Timeline

CADENCES = ["5 min", "1 h", "6 h", "1 day", "7 days", "1 month", "3 months", "1 year", "0.5 s"]


@pytest.mark.parametrize("cadence", CADENCES)
@pytest.mark.parametrize("first", ["2025-12-01", "1999-01-15T06:30"])
def test_the_time_of_a_step_is_on_that_step(cadence, first):
    line = Timeline(np.datetime64(first, "ns"), cadence)
    steps = np.arange(-30, 200)
    times = line.times(steps)
    found, off = line.steps(times)
    np.testing.assert_array_equal(found, steps)
    assert off.max() < 1e-6
    assert (np.diff(times) > np.timedelta64(0)).all()
    assert times[30] == np.datetime64(first, "ns")


@pytest.mark.parametrize("cadence", CADENCES)
def test_a_tenth_of_a_step_away_is_a_tenth(cadence):
    line = Timeline(np.datetime64("2025-12-01", "ns"), cadence)
    step = line.times(np.array([5, 6]))
    between = step[:1] + (np.diff(step).astype(np.int64) * 0.1).astype("timedelta64[ns]")
    found, off = line.steps(between)
    assert found[0] == 5
    assert off[0] == pytest.approx(0.1, rel=0.12)  # months and years have no one length


def record(time, *, cadence, clock=None, cases=(), run=None):
    sites = Sites(np.arange(2.0), np.zeros(2))
    series = Field.of(np.zeros((len(time), 2, 1)), sites, GridLayout((1, 2), np.arange(2)), time=time, run=run)
    return Field(
        series.series, time, series.run, sites, series.layout, series.channels,
        cadence=cadence, clock=clock or Clock(), cases=cases,
    )  # fmt: skip


def test_its_clock_is_that_of_the_record_and_goes_on():
    time = np.datetime64("2025-12-01", "ns") + np.arange(60) * np.timedelta64(6, "h")
    whole = record(time, cadence="6 h")
    line = Timeline.of(record(time[:20], cadence="6 h"))
    clock = line.clock(np.arange(60))
    for unit in ("days", "years", "steps"):
        np.testing.assert_allclose(clock.gone(unit), whole.clock.gone(unit), rtol=0, atol=1e-9)


def test_the_clock_of_a_model_calendar_goes_on_in_it():
    days = 719_000 + np.arange(40) * 0.25
    clock = Clock(days=days, years=1 + days / 360, year_days=360)
    whole = record(np.arange(40), cadence="6 hour", clock=clock)
    line = Timeline.of(whole)
    found = line.clock(np.arange(60))
    np.testing.assert_allclose(found.days[:40], days)
    np.testing.assert_allclose(found.years[:40], 1 + days / 360)
    assert found.year_days == 360
    steps, off = line.steps_of_days(days + 0.025)
    np.testing.assert_array_equal(steps, np.arange(40))
    np.testing.assert_allclose(off, 0.1)
    assert not line.dated


def test_without_dates_steps_are_counted_and_experiments_begin_anew():
    runs = record(np.arange(40), cadence="1 step", cases=("a", "b"), run=np.repeat([0, 1], 20))
    line = Timeline.of(runs)
    assert line.anew
    assert not Timeline.of(record(np.arange(40), cadence="1 step")).anew
    clock = line.clock(np.arange(5))
    assert clock.days is None
    assert clock.steps.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(line.times(np.array([3, 50])), [3, 50])
