"""What planners and judge make of gaps: a site is worth what it really reports, and nothing is made of nothing."""

import numpy as np
import pytest

from dynst.domain import Channel, Field, Sites, Window
from dynst.domain.graphs import nearest_neighbours
from dynst.errors import DataError
from dynst.evaluation import LinearJudge
from dynst.planners import PLANNERS
from dynst.planners.base import Task
from dynst.planners.mutual_information import mutual_information_order
from dynst.windows import split_by_time

LOOKS_AT_DATA = ("dynst_linear", "forward", "a_optimal", "pivoted_qr", "variance")
WINDOW = Window(2, 2)


def stations(values, **options):
    """Values at scattered places, joined to their neighbours."""
    rng = np.random.default_rng(7)
    n = values.shape[1]
    sites = Sites(rng.uniform(5, 15, n), rng.uniform(47, 54, n))
    return Field.of(values.astype(np.float32), sites, nearest_neighbours(sites, 3), **options)


def split_task(values, budget, **options):
    split = split_by_time(stations(values, **options), WINDOW)
    return split, Task.make(split.train, split.valid, WINDOW, budget)


def driven(*, steps=400, n=20, c=1, noise=0.5, seed=0):
    """A slow signal that site 0 shows clearly, and the others later and with noise."""
    rng = np.random.default_rng(seed)
    signal = np.zeros(steps)
    for step in range(1, steps):
        signal[step] = 0.9 * signal[step - 1] + rng.standard_normal()
    values = noise * 2 * rng.standard_normal((steps, n, c))
    for site in range(1, n):
        values[2:, site] += np.outer(signal[:-2], np.ones(c))
    values[:, 0] = 1.5 * signal[:, None]
    return values


def rank(plan, site):
    return int(np.flatnonzero(plan.order == site)[0])


@pytest.mark.parametrize("gaps", ["at random", "opened late"])
@pytest.mark.parametrize("name", LOOKS_AT_DATA)
def test_a_copy_that_reports_a_tenth_of_the_time_ranks_after_the_site_it_copies(name, gaps):
    values = driven()
    values[:, 13] = values[:, 0]
    silent = np.random.default_rng(1).random(400) < 0.9 if gaps == "at random" else np.arange(400) < 235
    values[silent, 13] = np.nan
    _, task = split_task(values, 3)
    plan = PLANNERS[name].plan(task, seed=0)
    assert task.reporting[13] < 0.15
    assert rank(plan, 0) < rank(plan, 13)
    assert rank(plan, 0) < 3


def test_of_two_equal_sites_mutual_information_takes_the_one_that_reports_more(room_of):
    covariance = 0.8 + 0.2 * np.eye(6)
    share = np.array([0.3, 0.1, 1.0, 0.6, 0.3, 0.1])
    order, _ = mutual_information_order(covariance, room_of(6), 6, share=share)
    assert order[:2].tolist() == [2, 3]


@pytest.mark.parametrize("name", [*LOOKS_AT_DATA, "mutual_information"])
def test_a_site_that_opens_after_the_training_time_may_be_planned_but_is_worth_nothing(name):
    values = driven()
    values[:300, 13] = np.nan
    _, task = split_task(values, 3)
    plan = PLANNERS[name].plan(task, seed=0)
    assert rank(plan, 13) >= 3
    assert plan.provenance["sites_silent_in_training"] == 1
    assert plan.importance[rank(plan, 13)] == pytest.approx(0, abs=1e-6)


def test_what_a_site_never_measured_in_training_counts_in_no_error_and_tells_nothing():
    values = driven()
    values[:300, 13] = np.nan
    loud = values.copy()
    loud[300:, 13] = 1e4
    one, two = (LinearJudge(split_task(v, 3)[0], WINDOW) for v in (values, loud))
    for plan in (np.array([0, 13]), np.array([13])):
        assert one.score(plan).total == two.score(plan).total
    assert one.floor().total == two.floor().total == pytest.approx(one.score(np.array([13])).total)


def one_channel_each(seed=0):
    """Temperature at the first 12 sites, velocity at the last 8, as on the walls of a tunnel; never both."""
    values = driven(c=2, seed=seed)
    values[..., 1] = 5 + 3 * values[..., 1]
    values[:, :12, 1] = np.nan
    values[:, 12:, 0] = np.nan
    values[:, 12] = [np.nan, 4.0]  # a velocity probe that is stuck
    return values, (Channel("temperature", "degC"), Channel("velocity", "m/s"))


@pytest.mark.parametrize("name", sorted(name for name, row in PLANNERS.items() if not row.trains))
def test_sites_that_measure_one_of_two_channels_are_planned_like_any(name):
    values, channels = one_channel_each()
    split, task = split_task(values, 4, channels=channels)
    plan = PLANNERS[name].plan(task, seed=0)
    assert np.isfinite(plan.importance).all()
    assert sorted(plan.order.tolist()) == list(range(20))
    if name in LOOKS_AT_DATA and name != "variance":
        assert 0 in plan.selected
        assert 12 not in plan.selected
        judge = LinearJudge(split, WINDOW, scaling=task.scaling)
        assert judge.score(plan.selected).total < 0.97 * judge.floor().total


def test_a_channel_counts_at_the_sites_that_measure_it_and_nowhere_else():
    values, channels = one_channel_each()
    judge = LinearJudge(split_task(values, 4, channels=channels)[0], WINDOW)
    weight = judge.climatology().sums.weight
    np.testing.assert_allclose(weight[:, 0] / weight[:, 1], 12 / 8)
    assert np.isfinite(judge.persistence().rmse).all()


def test_a_channel_that_falls_silent_before_the_test_time_is_a_gap_in_its_figures_alone():
    values = driven(c=2)
    values[320:, :, 1] = np.nan
    score = LinearJudge(split_task(values, 4)[0], WINDOW).score(np.array([0]))
    assert np.isfinite(score.rmse[:, 0]).all()
    assert np.isnan(score.rmse[:, 1]).all()
    assert np.isfinite(score.total)


def test_sites_that_fall_silent_before_the_test_time_and_steps_without_any_value_do_no_harm():
    values = driven()
    complete = LinearJudge(split_task(values, 4)[0], WINDOW).score(np.array([0, 5])).total
    values[260:, 3:6] = np.nan  # never report in validation or test time
    values[100:150] = np.nan  # a failure of the whole network
    split, task = split_task(values, 4)
    assert LinearJudge(split, WINDOW).score(np.array([0, 5])).total == pytest.approx(complete, rel=0.1)
    for name in ("dynst_linear", "a_optimal"):
        assert np.isfinite(PLANNERS[name].plan(task, seed=0).importance).all()


@pytest.mark.parametrize("name", ["dynst_linear", "forward"])
def test_training_time_without_any_target_is_refused_in_words(name):
    values = driven(c=2)
    values[np.arange(400) % 5 > 0, :, 1] = np.nan
    channels = (Channel("in", predict=False), Channel("out", observe=False))
    field = stations(values, channels=channels, run=np.arange(400) // 5)
    window = Window(3, 2)
    task = Task.make(field.between(0, 300), field.between(300, 400), window, 3)
    with pytest.raises(DataError, match="holds a value of the forecast channels"):
        PLANNERS[name].plan(task, seed=0)
