"""Synthetic windows have the statistics they were asked for."""

import numpy as np
import pytest

from dynst.domain import Window
from dynst.planners.prior import Prior, fit_prior, synthetic_windows


def test_draws_have_the_covariance_persistence_and_deviation_of_the_prior(make_task, waves):
    task = make_task(waves(channels=2), 4, window=Window(3, 2))
    deviation = np.linspace(0.5, 2.0, 60).reshape(30, 2)
    mixing = np.linalg.cholesky(np.array([[1.0, 0.6], [0.6, 1.0]]))
    history, future = synthetic_windows(task, Prior(0.1, 0.7, mixing, deviation), 1500)
    assert history.shape == (1500, 30, 6)
    assert future.shape == (1500, 3, 30, 2)
    np.testing.assert_array_equal(history[:, :, 4:], future[:, 0])  # "now" is the last step of the history
    normal = future / deviation
    assert normal.std(axis=0) == pytest.approx(np.ones((3, 30, 2)), abs=0.15)
    points = task.sites.points
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    covariance = np.einsum("mnc,mkc->nk", normal[:, 0], normal[:, 0]) / 3000
    np.testing.assert_allclose(covariance, np.exp(-distance / 0.1), atol=0.17)
    assert (normal[:, 0] * normal[:, 1]).mean() == pytest.approx(0.7, abs=0.05)
    assert (normal[:, 0, :, 0] * normal[:, 0, :, 1]).mean() == pytest.approx(0.6, abs=0.05)


def test_the_fit_recovers_what_was_drawn(make_task, waves):
    task = make_task(waves(), 4, window=Window(2, 2))
    drawn = synthetic_windows(task, Prior(0.12, 0.8, np.eye(1), np.ones((30, 1))), 1)[1]
    rng = np.random.default_rng(0)
    points = task.sites.points
    root = np.linalg.cholesky(np.exp(-np.linalg.norm(points[:, None] - points[None], axis=2) / 0.12))
    values = np.zeros((1200, 30, 1))
    for step in range(1, 1200):
        values[step, :, 0] = 0.8 * values[step - 1, :, 0] + 0.6 * root @ rng.standard_normal(30)
    prior = fit_prior(make_task(values, 4))
    assert prior.length == pytest.approx(0.12, rel=0.25)
    assert prior.memory == pytest.approx(0.8, abs=0.06)
    assert drawn.shape == (1, 3, 30, 1)
