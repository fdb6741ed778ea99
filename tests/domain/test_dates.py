"""A date means all of what it names, in the calendar of the record."""

import cftime
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynst.domain.dates import Date, Until, said_moment
from dynst.errors import ConfigError, DataError

CALENDARS = {"noleap": 365, "all_leap": 366, "360_day": 360}


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("2015", "2016-01-01"),
        ("2015-12", "2016-01-01"),
        ("2016-02", "2016-03-01"),
        ("1900-02", "1900-03-01"),
        ("2015-12-31", "2016-01-01"),
        ("2015-12-31T18", "2015-12-31T19"),
        ("2015-12-31T18:00", "2015-12-31T18:01"),
        ("2015-12-31 18:00:59", "2015-12-31T18:01"),
        ("1850", "1851-01-01"),
        ("9999", "10000-01-01"),
    ],
)
def test_a_date_ends_where_what_follows_it_begins(text, after):
    seconds = np.datetime64(after, "s").astype(np.int64)
    assert Date.parse(text).end() == pytest.approx(seconds / 86_400, abs=1e-9)


@pytest.mark.parametrize("calendar", CALENDARS)
@given(month=st.integers(1, 12), year=st.integers(1, 3000))
def test_a_month_of_a_model_ends_where_its_calendar_begins_the_next(calendar, month, year):
    after = cftime.datetime(year + month // 12, month % 12 + 1, 1, calendar=calendar)
    days = cftime.date2num(after, "days since 0001-01-01", calendar)
    assert Date((year, month)).end(CALENDARS[calendar]) == days
    assert said_moment(days + 0.5, CALENDARS[calendar]) == f"{year + month // 12:04d}-{month % 12 + 1:02d}-01 12:00"


def test_a_day_is_one_in_some_calendars_and_not_in_others():
    assert Date.parse("2015-02-30").words(360) == "2015-02-30"
    for calendar in (None, 365):
        with pytest.raises(DataError, match="month 2 of 2015 has 28 days"):
            Date.parse("2015-02-30").end(calendar)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "15",
        "2015-13",
        "2015-00",
        "2015-1-1",
        "2015-12-32",
        "2015-12-31T24",
        "2015Z",
        "0000",
        "²015",
        "-2015",
    ],
)
def test_what_is_no_date_is_told_what_one_is(text):
    with pytest.raises(ConfigError, match="came; a date such as 2015, 2015-12, 2015-12-31 or 2015-12-31T18:00 is"):
        Date.parse(text)


@pytest.mark.parametrize(("train", "valid"), [("2016", "2015"), ("2015", "2015"), ("2015", "2015-12-31")])
def test_validation_ends_after_training(train, valid):
    with pytest.raises(ConfigError, match=f"valid_until {valid} does not end after train_until {train}"):
        Until.parse(train, valid)


def test_within_one_year_validation_may_end_with_it():
    assert Until.parse("2015-06-30", "2015").words() == (
        "by date: training until 2015-06-30, validation until 2015-12-31"
    )
