import numpy as np
import pytest

from dynst.backbones import climatology, persistence


@pytest.fixture(scope="module")
def windows():
    """Windows (m, t + p, 1, 1) of many independent stationary AR(1) series with variance 2 and coefficient 0.8."""
    rng, phi, variance = np.random.default_rng(0), 0.8, 2.0
    x = np.sqrt(variance) * rng.standard_normal(200_000)
    steps = [x]
    for _ in range(6):
        steps.append(phi * steps[-1] + np.sqrt(variance * (1 - phi**2)) * rng.standard_normal(len(x)))
    return np.stack(steps, axis=1)[:, :, None, None], phi, variance


def test_persistence_errs_by_twice_the_variance_that_is_forgotten(windows):
    values, phi, variance = windows
    error = ((persistence(values[:, :3], steps=4) - values[:, 3:]) ** 2).mean(axis=(0, 2, 3))
    lead = np.arange(1, 5)
    # The sample error of a mean of 200 000 squares is below 1 %.
    np.testing.assert_allclose(error, 2 * variance * (1 - phi**lead), rtol=0.015)


def test_climatology_errs_by_the_variance(windows):
    values, _, variance = windows
    error = ((climatology(values[:, :3], steps=4) - values[:, 3:]) ** 2).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(error, variance, rtol=0.015)


def test_the_last_measured_value_persists_and_the_mean_where_there_is_none():
    history = np.array([[1.0, 9.0, 9.0], [2.0, 3.0, 9.0], [4.0, 0.0, 0.0]])[None, :, :, None]
    observed = np.array([[True, True, False], [True, True, False], [True, False, False]])[None, :, :, None]
    forecast = persistence(history, steps=2, observed=observed)
    assert forecast.shape == (1, 2, 3, 1)
    assert forecast[0, :, :, 0].tolist() == [[4.0, 3.0, 0.0]] * 2
