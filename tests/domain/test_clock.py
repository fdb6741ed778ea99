import numpy as np
import pytest

from dynst.domain import Clock, Field, GridLayout, Sites
from dynst.domain.durations import said_span, steps_of
from dynst.errors import ConfigError, DataError
from dynst.readers.times import decode_times

SITES, LAYOUT = Sites(np.arange(2.0), np.zeros(2)), GridLayout((1, 2), np.arange(2))


def field_at(time, **options):
    return Field.of(np.zeros((len(time), 2, 1)), SITES, LAYOUT, time=time, **options)


def test_a_leap_year_is_as_long_as_any_other():
    clock = Clock.of(np.array(["2000-12-31T12", "2001-01-01", "2004-07-02"], "datetime64[ns]"))
    np.testing.assert_allclose(clock.years, [2000 + 365.5 / 366, 2001, 2004.5])


@pytest.mark.parametrize(("calendar", "length"), [("noleap", 365), ("360_day", 360), ("all_leap", 366)])
def test_the_years_of_a_model_have_the_length_of_its_calendar(calendar, length):
    attrs = {"units": "days since 1850-01-01", "calendar": calendar}
    times = decode_times(np.arange(0.0, 10 * length, 5), attrs, where="x.nc")
    clock = times.clock(np.zeros(len(times.values), np.int64))
    assert not times.decoded
    assert not clock.weeks
    np.testing.assert_allclose(clock.years, 1850 + np.arange(0, 10 * length, 5) / length, atol=1e-9)
    np.testing.assert_allclose(clock.days % 1, 0, atol=1e-9)


def test_hours_of_a_model_that_begin_at_noon_begin_at_noon():
    attrs = {"units": "hours since 2000-02-28 12:00", "calendar": "noleap"}
    clock = decode_times(np.arange(0, 48, 6), attrs, where="x.nc").clock(np.zeros(8, np.int64))
    np.testing.assert_allclose(clock.days % 1, [0.5, 0.75, 0, 0.25] * 2, atol=1e-9)
    assert clock.years[2] == pytest.approx(2000 + 59 / 365)  # 1 March follows 28 February


def test_steps_go_on_through_a_gap_and_begin_anew_with_each_experiment():
    time = np.array([0, 1, 2, 10, 11, 12])
    gaps = field_at(time, run=np.array([0, 0, 0, 1, 1, 1]))
    assert gaps.clock.steps.tolist() == [0, 1, 2, 10, 11, 12]
    cases = field_at(time, run=np.array([0, 0, 0, 1, 1, 1]), cases=("a", "b"))
    assert cases.clock.steps.tolist() == [0, 1, 2, 0, 1, 2]


def test_months_count_one_each_even_through_a_gap():
    months = np.array(["1999-01", "1999-02", "1999-03", "2002-03", "2002-04"], "datetime64[M]").astype("datetime64[ns]")
    assert field_at(months, run=np.array([0, 0, 0, 1, 1])).clock.steps.tolist() == [0, 1, 2, 38, 39]


def test_parts_of_a_field_keep_its_clock():
    time = np.arange("2000-01-01", "2000-01-11", dtype="datetime64[D]").astype("datetime64[ns]")
    field = field_at(time, run=np.repeat([0, 1], 5))
    assert field.between(3, 7).clock.steps.tolist() == [3, 4, 5, 6]
    assert field.pick([1]).clock.days.tolist() == field.clock.days[5:].tolist()
    assert field.pick([1]).between(1, 2).clock.steps.tolist() == [6]


def test_numbers_have_no_days_and_say_so():
    with pytest.raises(DataError, match="no dates, so its days cannot be counted"):
        field_at(np.arange(3)).clock.gone("days")


@pytest.mark.parametrize(
    ("duration", "cadence", "steps"),
    [("12h", "1 h", 12), ("2d", "6 h", 8), ("0.5 d", "30 min", 24), ("1 week", "1 day", 7), ("1y", "3 months", 4)],
)
def test_a_time_is_so_many_steps(duration, cadence, steps):
    assert steps_of(duration, cadence) == steps


@pytest.mark.parametrize(
    ("duration", "cadence", "message"),
    [
        ("5h", "6 h", "no whole number of steps of 6 h"),
        ("7h", "6 h", "no whole number"),
        ("1 month", "1 day", "cannot be counted in steps of 1 day"),
        ("2d", "1 step", "Give a number of steps"),
        ("0h", "1 h", "no whole number"),
    ],
)
def test_a_time_that_is_no_number_of_steps_is_refused(duration, cadence, message):
    with pytest.raises(ConfigError, match=message):
        steps_of(duration, cadence)


def test_steps_are_said_in_the_largest_unit_that_fits():
    assert [said_span(k, "30 min") for k in (1, 2, 48, 3)] == ["30 min", "1 h", "1 day", "90 min"]
    assert [said_span(k, "1 month") for k in (4, 24)] == ["4 months", "2 years"]
