"""The search of dynst_linear: what it starts from, what it ends in, what fools it not."""

import itertools

import numpy as np
import pytest

from dynst.domain import Field, Window
from dynst.domain.room import Room
from dynst.errors import ConfigError
from dynst.planners import PLANNERS, dynst_linear
from dynst.planners.base import Task
from dynst.planners.bench import Bench
from dynst.planners.dynst_linear import Options
from dynst.planners.exchange import affordable, building_order, swap, without_weakest
from dynst.planners.farthest import farthest_point
from dynst.readers.synthetic import planted
from dynst.windows import split_by_time


def test_sites_beyond_the_plan_follow_by_farthest_point_whatever_the_search_did_to_them(make_task, waves):
    role = np.zeros(30, np.int8)
    role[4], role[[9, 13]] = 1, 2
    task = make_task(waves(noise=0.5, seed=2), 8, role=role)
    plan = dynst_linear.plan(task, seed=0)
    head = plan.order[:8]
    assert 4 in head
    assert not {9, 13} & set(plan.order.tolist())
    assert plan.order[8:].tolist() == farthest_point(task.sites, head, len(task.sites.legal) - 8).tolist()
    assert plan.provenance["ranked_by_method"] == 8


def test_the_plan_is_a_local_optimum_in_the_order_of_building(make_task, waves):
    task = make_task(waves(), 4)
    plan = dynst_linear.plan(task, seed=0, options=Options(sweeps=9))
    error = task.expected_error
    assert plan.selected.tolist() == building_order(error, task.sites, plan.selected).tolist()
    bench = Bench.of(error, plan.selected)
    assert swap(bench, Room(task.sites, bench.support), sweeps=1)["swaps"] == 0
    assert bench.support.tolist() == sorted(plan.selected.tolist())


def test_small_plans_are_close_to_the_best_of_all(make_task, waves):
    task = make_task(waves(noise=0.5, rows=3, columns=4), 3, rows=3, columns=4)
    error = task.expected_error
    best = max(error.gain(np.array(sites)) for sites in itertools.combinations(range(12), 3))
    assert error.gain(np.sort(dynst_linear.plan(task, seed=0).selected)) > 0.99 * best


@pytest.mark.parametrize("seed", range(3))
def test_pruning_a_dense_support_ends_near_the_greedy_start(make_task, waves, seed):
    task = make_task(waves(noise=0.5, seed=seed), 6)
    gains = {
        start: task.expected_error.gain(np.sort(dynst_linear.plan(task, seed=0, options=Options(start=start)).selected))
        for start in ("greedy", "dense")
    }
    assert gains["greedy"] >= 0.99 * gains["dense"]
    assert gains["dense"] >= 0.97 * gains["greedy"]


def test_an_unknown_start_is_refused():
    with pytest.raises(ConfigError, match="greedy, dense"):
        Options.of({"start": "hot"})


def test_the_weakest_sensor_leaves_and_a_fixed_one_stays(make_task, waves):
    role = np.zeros(30, np.int8)
    role[4] = 1
    task = make_task(waves(), 4, role=role)
    bench = Bench.of(task.expected_error, np.array([4, 5, 11, 20]))
    losses = dict(zip(bench.support.tolist(), bench.losses().tolist(), strict=True))
    losses.pop(4)
    without_weakest(bench, Room(task.sites, bench.support), 1)
    gone = ({4, 5, 11, 20} - set(bench.support.tolist())).pop()
    assert gone == min(losses, key=losses.get)


def test_swaps_raise_the_gain_and_keep_fixed_and_forbidden(make_task, waves):
    role = np.zeros(30, np.int8)
    role[4], role[[9, 13]] = 1, 2
    task = make_task(waves(noise=0.5), 5, role=role)
    bench = Bench.of(task.expected_error, np.array([0, 1, 2, 3, 4]))
    before = bench.gained
    assert swap(bench, Room(task.sites, bench.support), sweeps=3)["swaps"] > 0
    assert bench.gained > before
    assert 4 in bench.support
    assert not {9, 13} & set(bench.support.tolist())


def test_operations_are_counted_not_clocked(make_task, waves):
    error = make_task(waves(), 4).expected_error
    assert affordable(error, 30, most=7) == 7
    assert affordable(error, 10**11, most=7) == 0


def test_where_not_all_picks_can_be_paid_the_rest_follows_by_farthest_point(make_task, waves, monkeypatch):
    monkeypatch.setattr("dynst.planners.exchange.PICKS", 3)
    task = make_task(waves(), 9)
    plan = dynst_linear.plan(task, seed=0)
    assert plan.provenance["picks"] == 3
    assert plan.order[3:].tolist() == farthest_point(task.sites, plan.order[:3], 27).tolist()


def test_importance_is_the_share_of_the_expected_error(make_task, waves):
    task = make_task(waves(), 4)
    plan = dynst_linear.plan(task, seed=0)
    error, selected = task.expected_error, np.sort(plan.selected)
    value = plan.importance[np.argsort(plan.order)]
    left = error.total - error.gain(selected)
    site = int(np.setdiff1d(np.arange(30), selected)[7])
    added = error.gain(np.sort(np.append(selected, site))) - error.gain(selected)
    assert value[site] == pytest.approx(added / left, rel=1e-3)
    without = error.total - error.gain(selected[1:])
    assert value[selected[0]] == pytest.approx((without - left) / without, rel=1e-3)
    assert ((value >= 0) & (value < 1)).all()
    assert plan.losses[selected[0]] == value[selected[0]], "of a sensor: what is lost if it goes"
    assert plan.gains[site] == value[site], "of another site: what a further sensor would win"


def test_too_many_sites_for_memory_are_thinned_and_all_get_their_importance(make_task, waves, monkeypatch):
    task = make_task(waves(), 4)
    full = dynst_linear.plan(task, seed=0)
    error = task.expected_error
    of_a_site = error.inputs * (error.targets + 4 * error.inputs)
    monkeypatch.setattr("dynst.planners.dynst_linear._NUMBERS", 10 * of_a_site)
    monkeypatch.setattr("dynst.planners.dynst_linear._BLOCK", 7 * of_a_site)
    thinned = dynst_linear.plan(task, seed=0)
    gain = error.gain(np.sort(thinned.selected))
    assert gain > 0.9 * error.gain(np.sort(full.selected))
    value = dynst_linear.marginal_values(error, np.sort(thinned.selected))
    monkeypatch.undo()
    np.testing.assert_allclose(value, dynst_linear.marginal_values(error, np.sort(thinned.selected)), rtol=1e-3)


def three_of(field):
    """The task to plan three sensors."""
    window = Window(4, 4)
    split = split_by_time(field, window)
    return Task.make(split.train, split.valid, window, 3)


@pytest.mark.parametrize("seed", range(5))
def test_planted_sites_are_found(seed):
    field, sources = planted(seed=seed)
    plan = dynst_linear.plan(three_of(field), seed=0)
    assert sorted(plan.selected.tolist()) == sources.tolist()


def broken(values, how, victim, source):
    """The same record with one sensor that something is wrong with."""
    values = values.copy()
    if how == "dead":
        values[:, victim] = 3.0
    if how == "stuck half of the time":
        values[: len(values) // 2, victim] = values[0, victim]
    if how == "spike":
        values[100, victim] = 65535.0
    if how == "copy of a neighbour":
        values[:, victim] = values[:, source]
    if how == "loud noise":
        values[:, victim] = 5 * np.random.default_rng(1).standard_normal((len(values), 1))
    if how == "reports half of the time":
        values[::2, victim] = np.nan
    return values


@pytest.mark.parametrize(
    "how",
    ["dead", "stuck half of the time", "spike", "copy of a neighbour", "loud noise", "reports half of the time"],
)
def test_a_broken_sensor_does_not_fool_the_planner(how):
    field, sources = planted(seed=3)
    source, victim = int(sources[0]), int(np.setdiff1d(np.arange(80), sources)[40])
    values = broken(field.series.read(0, field.steps), how, victim, source)
    task = three_of(Field.of(values, field.sites, field.layout, channels=field.channels))
    chosen = set(dynst_linear.plan(task, seed=0).selected.tolist())
    if how == "copy of a neighbour":
        assert len(chosen & {source, victim}) == 1
        chosen = (chosen - {victim}) | {source}
    assert sorted(chosen) == sources.tolist()


def test_a_source_that_reports_half_of_the_time_is_left_for_a_copy_that_always_does():
    field, sources = planted(seed=3)
    source, twin = int(sources[0]), int(np.setdiff1d(np.arange(80), sources)[40])
    values = broken(field.series.read(0, field.steps), "copy of a neighbour", twin, source)
    values = broken(values, "reports half of the time", source, source)
    task = three_of(Field.of(values, field.sites, field.layout, channels=field.channels))
    chosen = dynst_linear.plan(task, seed=0).selected
    assert twin in chosen
    assert source not in chosen


def test_the_plan_hangs_on_no_seed(make_task, waves):
    task = make_task(waves(noise=0.5), 5)
    one, two = (PLANNERS["dynst_linear"].plan(task, seed=seed) for seed in (0, 9))
    assert one.order.tolist() == two.order.tolist()
    assert one.provenance["form"] == {"memory": pytest.approx(0.25 * 48 / 160), "kernel": 0.25, "noise": 0.1}
