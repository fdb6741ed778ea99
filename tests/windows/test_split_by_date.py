"""A split by date: training holds all up to its date, the embargo is taken from what follows."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.domain.dates import Until
from dynst.domain.split import before_test
from dynst.errors import ConfigError, DataError
from dynst.readers.times import decode_times
from dynst.windows import split_by_date, split_record, window_starts

WINDOW = Window(3, 2)


def field_at(time, **options):
    """A field whose values are the numbers of its steps."""
    values = np.repeat(np.arange(len(time), dtype=float), 2).reshape(-1, 2, 1)
    layout = GridLayout((1, 2), np.arange(2))
    return Field.of(values, Sites(np.arange(2.0), np.zeros(2)), layout, time=np.asarray(time), **options)


def days(first, after, unit="D"):
    return np.arange(first, after, dtype=f"datetime64[{unit}]").astype("datetime64[ns]")


def steps_in(block):
    return block.series.read(0, block.steps)[:, 0, 0].astype(int).tolist()


@pytest.mark.parametrize(
    ("train", "valid", "last", "then"),
    [
        ("2015", "2016", "2015-12-31T18", "2016-12-31T18"),
        ("2015-11", "2016-02", "2015-11-30T18", "2016-02-29T18"),
        ("2015-11-07", "2016-02-28", "2015-11-07T18", "2016-02-28T18"),
        ("2015-11-07T12:00", "2016-02-28T05", "2015-11-07T12", "2016-02-28T00"),
        ("2015-11-07T11:59", "2016-02-28T06", "2015-11-07T06", "2016-02-28T06"),
    ],
)
def test_each_part_holds_all_up_to_its_date_and_the_embargo_begins_the_next(train, valid, last, then):
    field = field_at(days("2015-10-01", "2017-02-01", "h")[::6])
    split = split_by_date(field, WINDOW, Until.parse(train, valid))
    parts = [steps_in(part) for part in (split.train, split.valid, split.test)]
    assert str(split.train.time[-1])[:13] == last
    assert str(split.valid.time[-1])[:13] == then
    assert (parts[0][0], parts[2][-1]) == (0, field.steps - 1)
    assert parts[1][0] - parts[0][-1] == parts[2][0] - parts[1][-1] == WINDOW.embargo + 1
    assert steps_in(before_test(field, WINDOW, split)) == list(range(parts[1][-1] + 1))
    assert split.kind == "time"


def test_without_a_second_date_what_is_left_is_shared():
    field = field_at(days("2015-01-01", "2016-01-01"))
    split = split_by_date(field, WINDOW, Until.parse("2015-06"))
    left = 184 - 2 * WINDOW.embargo
    assert split.train.steps == 181
    assert (split.valid.steps, split.test.steps) == (round(left * 17 / 35), left - round(left * 17 / 35))
    assert split.how == "by date: training until 2015-06-30, then validation and test by share"


def test_a_date_in_a_gap_ends_at_the_gap_and_windows_stay_within_runs():
    time = np.concatenate([days("2015-01-01", "2015-03-01"), days("2015-05-01", "2015-07-01")])
    field = field_at(time, run=np.repeat([0, 1], [59, 61]))
    split = split_by_date(field, WINDOW, Until.parse("2015-02-09", "2015-05-20"))
    assert str(split.valid.time[-1])[:10] == "2015-05-20"
    assert all(len(set(split.valid.run[s : s + WINDOW.length])) == 1 for s in window_starts(split.valid, WINDOW))
    assert str(split_by_date(field, WINDOW, Until.parse("2015-04", "2015-05")).train.time[-1])[:10] == "2015-02-28"
    with pytest.raises(DataError, match="validation holds 0 steps; at least 9 are needed, a window of 5 after an"):
        split_by_date(field, WINDOW, Until.parse("2015-03", "2015-04"))
    ragged = field_at(days("2015-01-01", "2015-04-11"), run=np.repeat([0, 1, 2, 3], [50, 2, 28, 20]))
    with pytest.raises(DataError, match="the validation block of 4 steps in 2 run"):
        split_by_date(ragged, Window(2, 1), Until.parse("2015-02-17", "2015-02-23"), shares=(0.5, 0.3, 0.2))


@pytest.mark.parametrize(("calendar", "last"), [("noleap", 31), ("360_day", 30), ("all_leap", 31)])
def test_the_calendar_of_a_model_is_kept_to(calendar, last):
    attrs = {"units": "days since 1998-01-01", "calendar": calendar}
    times = decode_times(np.arange(1500.0), attrs, where="x.nc")
    run = np.zeros(1500, np.int64)
    field = replace(field_at(times.values), clock=times.clock(run))
    length = field.clock.year_days
    split = split_by_date(field, WINDOW, Until.parse("1999", "2000"))
    assert split.train.steps == 2 * length
    assert steps_in(split.valid) == list(range(2 * length + WINDOW.embargo, 3 * length))
    assert split.how == f"by date: training until 1999-12-{last}, validation until 2000-12-{last}"
    with pytest.raises(DataError, match=r"the record goes from 1998-01-01 00:00 to 2002-0\d-\d\d 00:00"):
        split_by_date(field, WINDOW, Until.parse("1997"))


def test_months_are_dates_too():
    months = np.arange("1990-01", "2000-01", dtype="datetime64[M]").astype("datetime64[ns]")
    split = split_by_date(field_at(months), WINDOW, Until.parse("1995", "1997-06"))
    assert (split.train.steps, split.valid.steps, split.test.steps) == (72, 14, 26)


@pytest.mark.parametrize(
    ("train", "valid", "says"),
    [
        ("2014", "2015", "train_until 2014 ends before the first step: .* from 2015-01-01 00:00 to 2015-12-31 00:00"),
        ("2015", None, "train_until 2015 leaves no step after it: the record goes from 2015-01-01 00:00 to"),
        ("2015-06", "2017", "valid_until 2017 leaves no step after it"),
        ("2015-01-03", "2015-06", "training holds 3 steps; at least 5 are needed, a window of 5. Move"),
        (
            "2015-06",
            "2015-07-08",
            "validation holds 8 steps; at least 9 are needed, a window of 5 after an embargo of 4",
        ),
        ("2015-06", "2015-12-25", "test holds 6 steps; at least 9 are needed"),
        ("2015-12-15", None, r"validation holds \d+ steps; at least 9 are needed"),
        ("2015-02-29", None, "month 2 of 2015 has 28 days"),
    ],
)
def test_dates_that_make_no_split_are_one_line(train, valid, says):
    with pytest.raises(DataError, match=says) as told:
        split_by_date(field_at(days("2015-01-01", "2016-01-01")), WINDOW, Until.parse(train, valid))
    assert "\n" not in str(told.value)


def test_records_that_no_date_divides_are_refused():
    until = Until.parse("2015-06")
    with pytest.raises(DataError, match="has no dates: its steps go from 0 to 99"):
        split_record(field_at(np.arange(100)), WINDOW, until=until)
    cases = field_at(days("2015-01-01", "2015-12-27"), run=np.repeat(np.arange(3), 120), cases=("a", "b", "c"))
    for by in ("auto", "time"):
        with pytest.raises(DataError, match="made of 3 experiments"):
            split_record(cases, WINDOW, by=by, until=until)
    with pytest.raises(ConfigError, match="keeps whole runs and takes no date"):
        split_record(cases, WINDOW, by="run", until=until)
    back = field_at(days("2015-01-01", "2016-01-01")[::-1])
    with pytest.raises(DataError, match="not in order"):
        split_record(back, WINDOW, until=until)
