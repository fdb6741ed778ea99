"""Laws of the loss."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.training import sample_mse, weighted_mse

LAW = settings(max_examples=30, deadline=None)
SHAPES = st.tuples(*[st.integers(1, 4)] * 4)


@LAW
@given(SHAPES, st.floats(-5, 5), st.integers(0, 99))
def test_a_constant_error_gives_its_square_under_any_weights_and_any_gaps(shape, error, seed):
    generator = torch.Generator().manual_seed(seed)
    weight = torch.rand(shape[2], generator=generator) + 0.1
    target = torch.randn(shape, generator=generator, dtype=torch.float64)
    observed = torch.rand(shape, generator=generator) < 0.7
    observed[0, 0, 0, 0] = True
    for known in (None, observed):
        loss = weighted_mse(target + error, target, known, weight.double())
        assert loss.item() == pytest.approx(error**2, rel=1e-9, abs=1e-12)


@LAW
@given(SHAPES, st.integers(0, 99))
def test_missing_targets_never_count(shape, seed):
    generator = torch.Generator().manual_seed(seed)
    observed = torch.rand(shape, generator=generator) < 0.5
    prediction, target = torch.randn(2, *shape, generator=generator)
    weight = torch.rand(shape[2], generator=generator)
    noisy = torch.where(observed, target, torch.full_like(target, 1e6))
    assert torch.equal(
        weighted_mse(prediction, target, observed, weight), weighted_mse(prediction, noisy, observed, weight)
    )


def test_a_batch_without_any_target_costs_nothing():
    zero = torch.zeros(1, 1, 2, 1)
    assert weighted_mse(zero + 1, zero, torch.zeros(1, 1, 2, 1, dtype=torch.bool), torch.ones(2)).item() == 0.0


def test_the_loss_of_a_batch_is_the_mean_of_its_samples_when_nothing_is_missing():
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, 5, 3, 4, 2, generator=generator)
    weight = torch.rand(4, generator=generator)
    each = sample_mse(prediction, target, None, weight)
    torch.testing.assert_close(each.mean(), weighted_mse(prediction, target, None, weight))
    torch.testing.assert_close(each[2], weighted_mse(prediction[2:3], target[2:3], None, weight))
