"""Modes are the exact ones where one side of the matrix is short; a sketch stands for them beyond."""

import numpy as np
import pytest

from dynst.domain import modes as module
from dynst.domain.modes import leading_modes


def spectrum(shape, rank, *, decay, seed=0):
    rng = np.random.default_rng(seed)
    left, _ = np.linalg.qr(rng.standard_normal((shape[0], rank)))
    right, _ = np.linalg.qr(rng.standard_normal((shape[1], rank)))
    return (left * decay ** np.arange(rank)) @ right.T


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(120, 300), (300, 120), (50, 50)])
def test_leading_modes_equal_a_full_decomposition(dtype, shape):
    data = spectrum(shape, 40, decay=0.8).astype(dtype)
    modes = leading_modes(data, 30)
    _, value, vector = np.linalg.svd(data.astype(float), full_matrices=False)
    np.testing.assert_allclose(modes.amplitude, value[:30] / np.sqrt(shape[0]), rtol=1e-9)
    np.testing.assert_allclose(np.abs((modes.patterns * vector[:30].T).sum(axis=0)), 1.0, atol=1e-9)
    np.testing.assert_allclose(modes.patterns.T @ modes.patterns, np.eye(30), atol=1e-8)
    largest = np.abs(modes.patterns).argmax(axis=0)
    assert (modes.patterns[largest, np.arange(30)] > 0).all()


def test_small_amplitudes_are_told_from_rounding():
    data = spectrum((80, 200), 6, decay=0.1)
    modes = leading_modes(data, 20)
    assert modes.rank == 6
    np.testing.assert_allclose(modes.amplitude * np.sqrt(80), 0.1 ** np.arange(6), rtol=1e-4)


@pytest.mark.parametrize("shape", [(120, 300), (300, 120)])
def test_a_weight_scales_the_values_first(shape):
    data = np.random.default_rng(1).standard_normal(shape)
    weight = np.random.default_rng(2).uniform(0.5, 2, shape[1])
    one, two = leading_modes(data, 7, weight=weight), leading_modes(data * weight, 7)
    np.testing.assert_allclose(one.amplitude, two.amplitude, rtol=1e-12)
    np.testing.assert_allclose(one.patterns, two.patterns, atol=1e-10)


@pytest.mark.parametrize("shape", [(120, 300), (300, 120)])
def test_blocks_change_nothing_but_rounding(monkeypatch, shape):
    data = np.random.default_rng(0).standard_normal(shape)
    whole = leading_modes(data, 9)
    monkeypatch.setattr(module, "_BLOCK", 700)
    np.testing.assert_allclose(leading_modes(data, 9).patterns, whole.patterns, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_sketch_is_near_the_exact_modes_and_the_same_each_time(monkeypatch, dtype):
    data = spectrum((120, 300), 40, decay=0.8).astype(dtype)
    exact = leading_modes(data, 10)
    monkeypatch.setattr(module, "_SHORT", 100)
    one, two = leading_modes(data, 10), leading_modes(data, 10)
    np.testing.assert_allclose(one.amplitude, exact.amplitude, rtol=1e-4)
    np.testing.assert_allclose((one.patterns * exact.patterns).sum(axis=0), 1.0, atol=1e-4)
    assert (one.patterns == two.patterns).all()
    assert (one.patterns != exact.patterns).any()


def test_a_poor_field_has_as_many_modes_as_it_has():
    data = np.outer(np.arange(6.0), np.ones(4))
    assert leading_modes(data, 3).rank == 1
    assert leading_modes(data.T, 3).rank == 1
    assert leading_modes(np.zeros((5, 4)), 3).rank == 0
