"""Pivoting equals LAPACK's, in blocks and on real records too, and ends where nothing is left to see."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg

from dynst.domain import Window
from dynst.domain.modes import leading_modes
from dynst.planners import modal, pivoted_qr
from dynst.planners.base import Task, complete_ranking
from dynst.planners.modal import modal_field, useful_picks
from dynst.planners.pivoted_qr import pivots
from dynst.readers import read


@pytest.mark.parametrize("seed", range(5))
def test_pivots_equal_lapack(seed, room_of):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((12, 80)) * np.logspace(0, -4, 12)[:, None] * rng.uniform(0.2, 2, 80)
    expected = scipy.linalg.qr(matrix, pivoting=True, mode="r")[1][:12]
    picks, norm = pivots(matrix.T[:, None, :].copy(), room_of(80), 12)
    assert picks.tolist() == expected.tolist()
    assert (np.diff(norm) <= 1e-12).all()


def test_pivots_on_orthonormal_modes_equal_lapack(room_of):
    rng = np.random.default_rng(3)
    modes = leading_modes(rng.standard_normal((60, 200)) @ np.diag(rng.uniform(0.1, 3, 200)), 20)
    expected = scipy.linalg.qr(modes.patterns.T, pivoting=True, mode="r")[1][:20]
    assert pivots(modes.patterns[:, None, :].copy(), room_of(200), 20)[0].tolist() == expected.tolist()


def test_ties_go_to_the_lower_index(room_of):
    blocks = np.repeat(np.eye(3), 2, axis=0)[:, None, :]
    assert pivots(blocks, room_of(6), 6)[0].tolist() == [0, 2, 4]


def test_a_block_counts_with_all_its_channels(room_of):
    blocks = np.zeros((3, 2, 4))
    blocks[0, 0, 0] = 1.2
    blocks[1, 0, 1] = blocks[1, 1, 2] = 1.0
    blocks[2, 0, 0] = 0.5
    picks, norm = pivots(blocks, room_of(3), 3)
    assert picks.tolist() == [1, 0]  # 2 sees nothing that 0 does not
    assert norm == pytest.approx([np.sqrt(2), 1.2])


def test_fixed_sites_are_conditioned_upon(room_of):
    blocks = np.array([[[1.0, 0.0]], [[0.9, 0.1]], [[0.0, 0.5]]])
    assert pivots(blocks, room_of(3), 3, first=np.array([0]))[0].tolist() == [0, 2]


def test_a_field_of_few_modes_is_still_ranked_wholly(make_task, waves):
    task = make_task(waves(noise=0.0), 3)
    plan = pivoted_qr.plan(task, seed=0)
    assert modal_field(task).rank < 6
    assert sorted(plan.order.tolist()) == list(range(30))


def test_rounding_of_updates_misleads_no_pick(room_of):
    rng = np.random.default_rng(5)
    matrix = rng.standard_normal((30, 200)) * np.logspace(0, -9, 30)[:, None]
    expected = scipy.linalg.qr(matrix, pivoting=True, mode="r")[1][:30]
    assert pivots(matrix.T[:, None, :].copy(), room_of(200), 30)[0].tolist() == expected.tolist()


def test_fixed_sites_that_use_up_the_modes_leave_the_picks_to_the_others(make_task, waves):
    role = np.zeros(30, np.int8)
    role[:12] = 1
    task = make_task(waves(noise=0.0), 14, role=role)
    plan = pivoted_qr.plan(task, seed=0)
    assert plan.provenance["modes"] < 12
    assert 0 < plan.provenance["ranked_by_method"] <= plan.provenance["modes"]
    assert sorted(plan.order[:12].tolist()) == list(range(12))


def test_picks_that_nobody_asked_for_are_made_while_they_are_cheap(make_task, waves, monkeypatch):
    task = make_task(waves(noise=0.0), 4)
    field = modal_field(task)
    assert useful_picks(task, field) == min(30, 5 * field.rank)
    monkeypatch.setattr(modal, "_OPERATIONS", 7 * 30 * field.rank)
    assert useful_picks(task, field) == 7
    monkeypatch.setattr(modal, "_OPERATIONS", 0)
    assert useful_picks(task, field) == 4


def test_there_are_as_many_modes_as_sensors_and_the_rest_is_spread_out(make_task, waves):
    task = make_task(waves(), 12)
    for budget in (4, 12):
        plan = pivoted_qr.plan(task.with_budget(budget), seed=0)
        field = modal_field(task, rank=budget)
        expected = scipy.linalg.qr(field.view[:, 0].T, pivoting=True, mode="r")[1][:budget]
        assert plan.provenance["modes"] == plan.provenance["ranked_by_method"] == budget
        assert plan.order.tolist() == complete_ranking(task.sites, expected).tolist()


def test_sensors_of_two_channels_get_a_mode_for_each_value(make_task, waves):
    plan = pivoted_qr.plan(make_task(waves(channels=2), 5), seed=0)
    assert plan.provenance["modes"] == 10


def test_no_seed_changes_a_plan(make_task, waves):
    one, two = (pivoted_qr.plan(make_task(waves(), 6), seed=seed) for seed in (0, 7))
    assert one.order.tolist() == two.order.tolist()
    assert (one.importance == two.importance).all()


@pytest.mark.parametrize("budget", [20, 100])
@pytest.mark.parametrize("record", ["era5_natl_msl", "arome_wind", "pacific_sst"])
def test_the_published_form_picks_the_sites_of_lapack_on_exact_modes(record, budget, request):
    """As PySensors' QR on the same modes: those of a whole singular value decomposition, without area weights."""
    data = f"sample:{record}" if record != "pacific_sst" else str(request.getfixturevalue("shared_data") / record)
    channel = read(data).channels[0].name
    whole = read(data, observe=[channel], predict=[channel])
    field = replace(whole, sites=replace(whole.sites, area=np.ones(len(whole.sites))))
    cut = int(0.6 * field.steps)
    task = Task.make(field.between(0, cut), field.between(cut, field.steps), Window(1, 1), budget)
    _, value, vector = np.linalg.svd(task.train_snapshots[:, :, 0].astype(float), full_matrices=False)
    rank = min(budget, int((value > 1e-4 * value[0]).sum()))
    expected = scipy.linalg.qr(vector[:rank], pivoting=True, mode="r")[1][:rank]
    plan = pivoted_qr.plan(task, seed=0, options=pivoted_qr.Options(rank=budget, scaled=False))
    assert plan.provenance["modes"] == rank
    assert plan.order[:rank].tolist() == expected.tolist()


def test_the_published_form_pivots_on_as_many_modes_as_sensors(make_task, waves):
    task = make_task(waves(), 4)
    plan = pivoted_qr.plan(task, seed=0, options=pivoted_qr.Options(rank=4, scaled=False))
    field = modal_field(task, rank=4)
    expected = scipy.linalg.qr((field.view[:, 0] / field.amplitude).T, pivoting=True, mode="r")[1][:4]
    assert plan.selected.tolist() == expected.tolist()
