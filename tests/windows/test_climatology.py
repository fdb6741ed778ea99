from dataclasses import replace

import numpy as np
import pytest

from dynst.domain import Channel, Clock, Field, GridLayout, Sites, Window
from dynst.domain.calendar import MEAN, Calendar
from dynst.domain.split import before_test, split_record
from dynst.errors import ConfigError, DataError
from dynst.readers import read
from dynst.readers.times import decode_times
from dynst.windows import Scaling, snapshots
from dynst.windows.choice import choose_climatology, climatology_words
from dynst.windows.climatology import fit_climatology, waves_of
from dynst.windows.dataset import WindowDataset

HOURS = np.arange("2003-12-01", "2004-04-01", dtype="datetime64[h]").astype("datetime64[ns]")  # with a leap day
DAYS = np.arange("1999-01-01", "2005-01-01", dtype="datetime64[D]").astype("datetime64[ns]")


def field_of(values, *, time, channels=1, **options):
    n = values.shape[1]
    sites = Sites(np.arange(n) / 10, np.zeros(n))
    names = tuple(Channel(f"c{i}", "K") for i in range(channels))
    return Field.of(values, sites, GridLayout((1, n), np.arange(n)), channels=names, time=time, **options)


def of_the_day(time):
    return (time - time.astype("datetime64[D]")) / np.timedelta64(1, "D")


def of_the_year(time):
    return Clock.of(time).years % 1


def planted(time, phase, *, sites=4, noise=0.0, seed=0):
    """A mean of its own and two waves at each site, in Pa: 1e5 and more."""
    rng = np.random.default_rng(seed)
    mean, first, second = 1e5 + 1e3 * rng.standard_normal((3, sites)) * np.array([[1.0], [0.1], [0.05]])
    first, second = first - 1e5, second - 1e5
    angle = 2 * np.pi * phase(time)[:, None]
    usual = mean + first * np.cos(angle) + second * np.sin(2 * angle)
    return (usual + noise * rng.standard_normal(usual.shape))[:, :, None]


def error(scaling, field, truth):
    return np.abs(scaling.expected(field, 0, field.steps) - truth).max()


@pytest.mark.parametrize(("time", "phase", "terms"), [(HOURS, of_the_day, "day"), (DAYS, of_the_year, "year")])
def test_planted_waves_are_found_around_gaps_in_time_and_at_sites(time, phase, terms, rng):
    truth = planted(time, phase)
    keep = np.r_[: len(time) // 3, len(time) // 2 : len(time)]  # a gap that cuts the record into two runs
    time, truth = time[keep], truth[keep]
    run = (np.diff(keep, prepend=keep[0]) > 1).cumsum()
    values = truth + 1e-3 * rng.standard_normal(truth.shape)
    values[rng.random(values.shape) < 0.3] = np.nan
    field = field_of(values, time=time, run=run)
    scaling = Scaling.fit(field, Calendar.parse(terms))
    assert error(scaling, field, truth) < 0.5 < np.std(truth[:, 0])  # of some 100 Pa
    assert error(Scaling.fit(field), field, truth) > 50


def test_what_no_value_misses_is_found_as_well():
    truth = planted(HOURS, of_the_day)
    field = field_of(truth + 1e-3 * np.sin(np.arange(len(HOURS)))[:, None, None], time=HOURS)
    assert error(Scaling.fit(field, Calendar.parse("day")), field, truth) < 0.5


@pytest.mark.parametrize("gaps", [False, True])
def test_blocks_of_time_give_what_one_block_gives(gaps, rng):
    values = planted(HOURS, of_the_day, noise=300.0)
    if gaps:
        values[rng.random(values.shape) < 0.2] = np.nan
        values[:500, 1] = np.nan
    field = field_of(values, time=HOURS)
    calendar = Calendar.parse("week+day")
    whole, pieces = (fit_climatology(field, calendar, block_bytes=size) for size in (1 << 30, 5000))
    np.testing.assert_allclose(pieces.climatology.mean, whole.climatology.mean, rtol=1e-10)
    np.testing.assert_allclose(pieces.climatology.amplitude, whole.climatology.amplitude, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(pieces.square, whole.square, rtol=1e-8)
    left = values - (whole.climatology.mean + whole.climatology.beyond_mean(field.clock))
    np.testing.assert_allclose(whole.square, np.nansum(left**2, axis=0), rtol=1e-4)


def test_the_mean_alone_is_what_it_always_was(rng):
    values = planted(HOURS, of_the_day, noise=10.0)
    values[rng.random(values.shape) < 0.1] = np.nan
    field = field_of(values, time=HOURS)
    plain, named = Scaling.fit(field), Scaling.fit(field, MEAN)
    np.testing.assert_array_equal(plain.mean, named.mean)
    np.testing.assert_allclose(plain.mean, np.nanmean(values, axis=0), rtol=1e-6)
    assert plain.climatology.waves == ()


def test_deviations_are_those_from_the_climatology(rng):
    values = planted(HOURS, of_the_day, noise=7.0)
    scaling = Scaling.fit(field_of(values, time=HOURS), Calendar.parse("day"))
    assert scaling.std[0] == pytest.approx(7.0, rel=0.03)
    np.testing.assert_allclose(scaling.site_std, 7.0, rtol=0.05)


@pytest.mark.parametrize(("calendar", "length"), [("noleap", 365), ("360_day", 360)])
def test_the_year_of_a_model_is_followed_in_its_own_calendar(calendar, length, rng):
    attrs = {"units": "days since 1850-01-01", "calendar": calendar}
    times = decode_times(np.arange(0.0, 8 * length), attrs, where="x.nc")
    truth = 10 * np.sin(2 * np.pi * np.arange(8 * length) / length)[:, None, None] * np.ones((1, 3, 1))
    run = np.zeros(len(truth), np.int64)
    field = field_of(truth + 0.1 * rng.standard_normal(truth.shape), time=np.arange(len(truth)))
    field = replace(field, clock=times.clock(run))
    train, test = field.between(0, 5 * length), field.between(6 * length, 8 * length)
    scaling = Scaling.fit(train, Calendar.parse("year"))
    assert np.abs(scaling.expected(test, 0, test.steps) - truth[6 * length :]).max() < 0.05


def test_a_station_of_a_few_values_has_the_season_of_the_others(rng):
    truth = 20 + 10 * np.cos(2 * np.pi * of_the_year(DAYS))[:, None, None] * np.ones((1, 6, 1))
    values = truth + rng.standard_normal(truth.shape)
    values[:, 0] = np.nan
    values[:4, 0] = truth[:4, 0]  # four days of January
    values[:, 1] = np.nan  # a station that never reports
    field = field_of(values, time=DAYS)
    scaling = Scaling.fit(field, Calendar.parse("year"))
    usual = scaling.expected(field, 0, field.steps)
    assert np.abs(usual[:, 0] - truth[:, 0]).max() < 5  # the mean of these days alone would be 20 off in July
    assert (scaling.share[1] == 0).all()
    assert np.ptp(usual[:, 1]) == 0


def test_several_channels_have_waves_of_their_own(rng):
    warm, wind = planted(HOURS, of_the_day, sites=3, noise=1.0), planted(HOURS, of_the_day, sites=3, seed=9, noise=1.0)
    both = np.concatenate([warm, wind], axis=2)
    both[rng.random(both.shape) < 0.2] = np.nan
    scaling = Scaling.fit(field_of(both, time=HOURS, channels=2), Calendar.parse("day"))
    for channel, alone in enumerate((warm, wind)):
        one = field_of(np.where(np.isnan(both[..., channel : channel + 1]), np.nan, alone), time=HOURS)
        expected = Scaling.fit(one, Calendar.parse("day")).expected(one, 0, 48)
        part = scaling.select(np.array([channel]))
        np.testing.assert_allclose(part.expected(one, 0, 48), expected, rtol=1e-6)


def test_everybody_reads_the_same_anomalies(rng):
    values = planted(HOURS, of_the_day, noise=5.0)
    values[rng.random(values.shape) < 0.1] = np.nan
    field = field_of(values, time=HOURS)
    scaling = Scaling.fit(field, Calendar.parse("day"))
    anomalies = scaling.anomalies(field, 0, field.steps)
    assert anomalies.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(anomalies), np.isnan(values))
    by_hand = (values - scaling.expected(field, 0, field.steps)) / scaling.std
    np.testing.assert_allclose(anomalies, by_hand, atol=0.01)
    np.testing.assert_allclose(scaling.apply(values, field.clock), by_hand, atol=1e-6)
    np.testing.assert_allclose(scaling.undo(by_hand, field.clock), values, rtol=1e-7)
    with pytest.raises(ValueError, match="needs the times"):
        scaling.apply(values)
    np.testing.assert_array_equal(snapshots(field, scaling, limit=field.steps), anomalies)
    later = field.between(500, 900)
    batch = WindowDataset(later, Window(3, 2), scaling).batch(np.array([7]))
    np.testing.assert_allclose(batch.inputs[0], np.nan_to_num(anomalies[507:510]), atol=1e-4)
    np.testing.assert_allclose(batch.targets[0], np.nan_to_num(anomalies[510:512]), atol=1e-4)


def test_what_steps_cannot_tell_apart_is_left_out():
    every_6_h = Clock.of(HOURS[::6])
    day = waves_of(every_6_h, Calendar.parse("day"))
    assert [(wave.frequency, wave.sine) for wave in day] == [(1.0, False), (1.0, True), (2.0, False)]
    assert waves_of(Clock.of(DAYS), Calendar.parse("day")) == ()
    assert len(waves_of(Clock.of(DAYS), Calendar.parse("week"))) == 6
    months = np.arange("1990-01", "2000-01", dtype="datetime64[M]").astype("datetime64[ns]")
    assert len(waves_of(Clock.of(months), Calendar.parse("year"))) == 4


def test_week_and_day_tell_hours_of_a_sunday_from_those_of_a_monday(rng):
    weekend = np.isin((HOURS.astype("datetime64[D]").astype(int) + 4) % 7, (0, 6))
    rush = np.where(weekend, 0.0, np.exp(-(((of_the_day(HOURS) * 24) - 8) ** 2) / 8))
    field = field_of(rush[:, None, None] + 0.05 * rng.standard_normal((len(HOURS), 3, 1)), time=HOURS)
    left = {terms: Scaling.fit(field, Calendar.parse(terms)).std[0] for terms in ("mean", "day", "week", "week+day")}
    assert left["week+day"] < 0.6 * min(left["day"], left["week"])


def test_noise_follows_no_calendar(rng):
    for seed in range(5):
        noise = np.random.default_rng(seed).standard_normal((len(HOURS), 20, 1))
        assert choose_climatology(field_of(noise, time=HOURS)).calendar == MEAN


def test_a_planted_day_is_found_and_weeks_are_not_added(rng):
    values = planted(HOURS, of_the_day, sites=20, noise=100.0)
    found = choose_climatology(field_of(values, time=HOURS))
    assert str(found.calendar) == "day"
    assert set(found.evidence) == {"mean", "week", "day", "week+day"}
    assert climatology_words(found.facts()).startswith("day (error ")


def test_a_planted_cycle_is_found_where_there_are_no_dates_but_never_guessed(rng):
    wave = np.cos(2 * np.pi * np.arange(600) / 20)[:, None, None]
    field = field_of(wave + rng.standard_normal((600, 10, 1)), time=np.arange(600))
    assert choose_climatology(field).calendar == MEAN
    assert choose_climatology(field, cycle=20).calendar == Calendar(("cycle",), 20)
    assert choose_climatology(field, cycle=23).calendar.terms == ()


def test_experiments_are_left_out_by_run_and_follow_a_cycle_only_if_asked(rng):
    wave = np.tile(np.cos(2 * np.pi * np.arange(60) / 12), 6)[:, None, None]
    names = tuple("abcdef")
    values = wave + rng.standard_normal((360, 5, 1))
    field = field_of(values, time=np.arange(360), run=np.repeat(np.arange(6), 60), cases=names)
    assert choose_climatology(field).evidence == {}
    found = choose_climatology(field, cycle=12)
    assert found.calendar.terms == ("cycle",)
    assert len(found.evidence["mean"]) == 3


def test_the_choice_does_not_see_the_test(rng):
    values = planted(HOURS, of_the_day, sites=5, noise=50.0)
    window = Window(4, 4)
    field = field_of(values, time=HOURS)
    split = split_record(field, window)
    known = before_test(field, window, split)
    other = values.copy()
    other[-split.test.steps :] = 1e9
    changed = field_of(other, time=HOURS)
    assert known.steps == field.steps - split.test.steps - window.embargo
    again = before_test(changed, window, split_record(changed, window))
    assert choose_climatology(known).evidence == choose_climatology(again).evidence
    one, two = (Scaling.fit(split_record(f, window).train, Calendar.parse("day")) for f in (field, changed))
    np.testing.assert_array_equal(one.climatology.amplitude, two.climatology.amplitude)


class Counting:
    """A record too long to read for a choice, that counts what is read of it."""

    shape, read_steps = (200_000, 600, 1), 0

    def read(self, start, stop):
        out = np.empty((stop - start, *self.shape[1:]), np.float32)
        self.read_into(start, out)
        return out

    def read_into(self, start, out):
        self.read_steps += len(out)
        step = np.arange(start, start + len(out))[:, None, None]
        out[...] = np.cos(2 * np.pi * step / 24) + np.sin(7.3 * step**1.5 + np.arange(600)[:, None])


def test_a_long_record_is_looked_at_in_few_steps():
    series, time = Counting(), np.arange(200_000).astype("datetime64[h]").astype("datetime64[ns]")
    small = field_of(np.zeros((2, 600, 1)), time=time[:2])
    field = replace(small, series=series, time=time, run=np.zeros(len(time), int), clock=Clock())
    assert str(choose_climatology(field).calendar) == "day"
    assert series.read_steps <= 4000


@pytest.mark.parametrize(
    ("wanted", "cycle", "time", "message"),
    [
        ("week", None, "months", "too long to see a week"),
        ("day", None, "numbers", "has no dates"),
        ("year", None, "hours", r"holds 0\.33 full years; at least 3"),
        ("cycle", None, "numbers", "has no length"),
        ("auto", 70, "numbers", "more than a third of the 200"),
        ("auto", 1, "numbers", "at least 2"),
        ("moon", None, "hours", 'word "moon" is unknown'),
    ],
)
def test_what_the_times_do_not_allow_is_refused_in_one_line(wanted, cycle, time, message):
    months = np.arange("1990-01", "2000-01", dtype="datetime64[M]").astype("datetime64[ns]")
    at = {"months": months, "numbers": np.arange(200), "hours": HOURS}[time]
    field = field_of(np.zeros((len(at), 2, 1)), time=at, cadence="1 month" if time == "months" else "1 h")
    with pytest.raises(ConfigError, match=message) as caught:
        choose_climatology(field, wanted=wanted, cycle=cycle)
    assert "\n" not in str(caught.value)


def test_weeks_are_no_part_of_a_model_calendar():
    times = decode_times(np.arange(100), {"units": "days since 1850-01-01", "calendar": "360_day"}, where="x.nc")
    field = replace(field_of(np.zeros((100, 2, 1)), time=np.arange(100)), clock=times.clock(np.zeros(100, np.int64)))
    with pytest.raises(ConfigError, match="no weeks"):
        choose_climatology(field, wanted="week")


def test_a_channel_that_never_varies_is_named_under_a_calendar_too():
    with pytest.raises(DataError, match='"c0" never varies'):
        Scaling.fit(field_of(np.full((len(HOURS), 2, 1), 5.0), time=HOURS), Calendar.parse("day"))


@pytest.mark.parametrize(
    ("path", "channel", "cycle", "chosen", "fall"),
    [
        ("era5_uk_t2m/*.nc", None, None, "day", 0.10),
        ("montevideo_bus/montevideo_bus.json", None, 24, "cycle", 0.20),
        ("colorado_climate/*.nc", ("tmax",), None, "year", 0.70),
        ("pacific_sst/pacific_sst_anomaly_1970_2003.nc", None, None, "mean", None),
    ],
)
def test_real_records_follow_the_calendar_that_they_have(shared_data, path, channel, cycle, chosen, fall):  # noqa: PLR0917
    field = read(str(next(shared_data.glob(path))), observe=channel, predict=channel)
    window = Window.for_record(field.steps)
    split = split_record(field, window)
    found = choose_climatology(before_test(field, window, split), cycle=cycle)
    assert str(found.calendar) == chosen
    if fall is not None:
        mean, calendar = (_test_error(split, calendar) for calendar in (MEAN, found.calendar))
        assert 1 - calendar / mean >= fall


def _test_error(split, calendar):
    scaling, test = Scaling.fit(split.train, calendar), split.test
    left = (test.series.read(0, test.steps) - scaling.expected(test, 0, test.steps)).astype(float)
    square = np.where(scaling.share > 0, left**2, np.nan)
    weight = np.where(np.isnan(square), 0.0, test.sites.weight[:, None])
    return np.sqrt(np.nansum(square * weight) / weight.sum())
