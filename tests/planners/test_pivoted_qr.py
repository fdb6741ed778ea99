"""Pivoting equals LAPACK's, in blocks too, and ends where nothing is left to see."""

import numpy as np
import pytest
import scipy.linalg

from dynst.domain.modes import leading_modes
from dynst.planners import pivoted_qr
from dynst.planners.modal import modal_field
from dynst.planners.pivoted_qr import pivots


@pytest.mark.parametrize("seed", range(5))
def test_pivots_equal_lapack(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((12, 80)) * np.logspace(0, -4, 12)[:, None] * rng.uniform(0.2, 2, 80)
    expected = scipy.linalg.qr(matrix, pivoting=True, mode="r")[1][:12]
    picks, norm = pivots(matrix.T[:, None, :].copy(), np.ones(80, bool), 12)
    assert picks.tolist() == expected.tolist()
    assert (np.diff(norm) <= 1e-12).all()


def test_pivots_on_orthonormal_modes_equal_lapack():
    rng = np.random.default_rng(3)
    modes = leading_modes(rng.standard_normal((60, 200)) @ np.diag(rng.uniform(0.1, 3, 200)), 20)
    expected = scipy.linalg.qr(modes.patterns.T, pivoting=True, mode="r")[1][:20]
    assert pivots(modes.patterns[:, None, :].copy(), np.ones(200, bool), 20)[0].tolist() == expected.tolist()


def test_ties_go_to_the_lower_index():
    blocks = np.repeat(np.eye(3), 2, axis=0)[:, None, :]
    assert pivots(blocks, np.ones(6, bool), 6)[0].tolist() == [0, 2, 4]


def test_a_block_counts_with_all_its_channels():
    blocks = np.zeros((3, 2, 4))
    blocks[0, 0, 0] = 1.2
    blocks[1, 0, 1] = blocks[1, 1, 2] = 1.0
    blocks[2, 0, 0] = 0.5
    picks, norm = pivots(blocks, np.ones(3, bool), 3)
    assert picks.tolist() == [1, 0]  # 2 sees nothing that 0 does not
    assert norm == pytest.approx([np.sqrt(2), 1.2])


def test_fixed_sites_are_conditioned_upon():
    blocks = np.array([[[1.0, 0.0]], [[0.9, 0.1]], [[0.0, 0.5]]])
    assert pivots(blocks, np.array([False, True, True]), 2, start=np.array([0]))[0].tolist() == [2]


def test_a_field_of_few_modes_is_still_ranked_wholly(make_task, waves):
    task = make_task(waves(noise=0.0), 3)
    plan = pivoted_qr.plan(task, seed=0)
    assert modal_field(task).rank < 6
    assert sorted(plan.order.tolist()) == list(range(30))


def test_a_prefix_of_the_ranking_is_the_plan_for_a_smaller_budget(make_task, waves):
    task = make_task(waves(), 12)
    more, fewer = (pivoted_qr.plan(task.with_budget(k), seed=0) for k in (12, 4))
    assert more.order.tolist() == fewer.order.tolist()


def test_the_published_form_pivots_on_as_many_modes_as_sensors(make_task, waves):
    task = make_task(waves(), 4)
    plan = pivoted_qr.plan(task, seed=0, rank=4, scaled=False)
    field = modal_field(task, rank=4)
    expected = scipy.linalg.qr((field.view[:, 0] / field.amplitude).T, pivoting=True, mode="r")[1][:4]
    assert plan.selected.tolist() == expected.tolist()
