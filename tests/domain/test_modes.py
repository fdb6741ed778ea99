"""Randomized modes equal the exact ones where the spectrum lets them."""

import numpy as np
import pytest

from dynst.domain.modes import leading_modes


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_leading_modes_equal_a_full_decomposition(dtype):
    rng = np.random.default_rng(0)
    left, _ = np.linalg.qr(rng.standard_normal((120, 40)))
    right, _ = np.linalg.qr(rng.standard_normal((300, 40)))
    data = ((left * 0.8 ** np.arange(40)) @ right.T).astype(dtype)
    modes = leading_modes(data, 10)
    _, value, vector = np.linalg.svd(data.astype(float), full_matrices=False)
    np.testing.assert_allclose(modes.amplitude, value[:10] / np.sqrt(120), rtol=1e-4)
    np.testing.assert_allclose(np.abs((modes.patterns * vector[:10].T).sum(axis=0)), 1.0, atol=1e-4)
    np.testing.assert_allclose(modes.patterns.T @ modes.patterns, np.eye(10), atol=1e-8)


def test_a_poor_field_has_as_many_modes_as_it_has():
    data = np.outer(np.arange(6.0), np.ones(4))
    assert leading_modes(data, 3).rank == 1
    assert leading_modes(np.zeros((5, 4)), 3).rank == 0


def test_the_same_seed_gives_the_same_bits():
    data = np.random.default_rng(0).standard_normal((50, 60)).astype(np.float32)
    one, two = leading_modes(data, 5, seed=2), leading_modes(data, 5, seed=2)
    assert (one.patterns == two.patterns).all()
