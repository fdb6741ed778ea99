"""Laws of the gate."""

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

from dynst.errors import BudgetError, ConfigError
from dynst.sparsity import SALIENCIES, Evidence, MaskState, SensorMask, drop_regrow

_PATH = Path(__file__).parents[1] / "reference" / "drop_regrow.py"
_SPEC = importlib.util.spec_from_file_location("reference_gate", _PATH)
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


def test_sparsity_zero_is_the_dense_stream_bit_for_bit(generator):
    stream = torch.randn(3, 6, 4, generator=generator)
    dense = MaskState.dense(torch.zeros(6, dtype=torch.bool), torch.zeros(6, dtype=torch.bool), generator=generator)
    assert torch.equal(SensorMask(dense)(stream), stream)


def test_sparsity_zero_trains_like_the_dense_run_bit_for_bit(generator):
    stream, target = torch.randn(5, 6, 4, generator=generator), torch.randn(5, 6, 2, generator=generator)
    start = torch.randn(2, 4, generator=generator)

    def losses(gate):
        net = nn.Linear(4, 2, bias=False)
        net.weight.data.copy_(start)
        optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
        trace = []
        for _ in range(5):
            optimiser.zero_grad()
            loss = ((net(gate(stream)) - target) ** 2).mean()
            loss.backward()
            optimiser.step()
            trace.append(loss.item())
        return trace

    assert losses(SensorMask(MaskState.of("111111"))) == losses(lambda x: x)


@pytest.mark.parametrize("flag", [False, True])
def test_pitfall_1_an_inactive_site_has_no_influence_yet_its_score_receives_a_gradient(generator, flag):
    mask = SensorMask(MaskState.of("1100"), flag=flag)
    net = nn.Sequential(nn.Linear(4 * (3 + flag), 8), nn.GELU(), nn.Linear(8, 1))
    stream = torch.randn(5, 4, 3, generator=generator)
    noisy = stream.clone()
    noisy[:, 2:] = 1e3 * torch.randn(5, 2, 3, generator=generator)
    assert torch.equal(net(mask(stream).flatten(1)), net(mask(noisy).flatten(1)))
    net(mask(stream).flatten(1)).square().sum().backward()
    assert (mask.score.grad != 0).all()


def test_the_gate_gradient_is_the_sum_over_batch_and_features(generator):
    stream = torch.randn(3, 4, 2, generator=generator)
    upstream = torch.randn(3, 4, 2, generator=generator)
    mask = SensorMask(MaskState.of("1010"))
    gated = mask(stream)
    gated.backward(upstream)
    assert gated.tolist() == reference.gate_by_hand(stream.tolist(), mask.state.active.tolist())
    expected = torch.tensor(reference.gate_gradient_by_hand(stream.tolist(), upstream.tolist()))
    torch.testing.assert_close(mask.score.grad, expected)


def test_gradcheck_of_the_stream_and_of_the_soft_gate_at_the_support(generator):
    stream = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    state = MaskState.of("1F0x")
    mask = SensorMask(state.with_score(state.score.double()), flag=True)
    assert torch.autograd.gradcheck(mask, (stream,))
    # Straight through: the analytic gradient of the hard gate is the numerical one of a soft gate g at g = support.
    weight = torch.randn(2, 4, 4, generator=generator, dtype=torch.float64)

    def soft(gate):
        flagged = torch.cat([stream.detach(), torch.ones(2, 4, 1, dtype=torch.float64)], -1)
        return (torch.tanh(flagged * gate[:, None]) * weight).sum()

    gate = mask.support.clone().requires_grad_()
    assert torch.autograd.gradcheck(soft, (gate,))
    soft(gate).backward()
    (torch.tanh(mask(stream.detach())) * weight).sum().backward()
    torch.testing.assert_close(mask.score.grad, gate.grad)


def test_other_supports_ride_in_the_last_samples_and_give_no_gradient(generator):
    stream = torch.randn(4, 3, 2, generator=generator)
    mask, others = SensorMask(MaskState.of("110")), torch.tensor([[False, True, True], [True, False, False]])
    gated = mask(stream, others)
    assert torch.equal(gated[:2], mask(stream[:2]))
    assert torch.equal(gated[2:], stream[2:] * others[:, :, None])
    gated[2:].sum().backward(retain_graph=True)
    assert (mask.score.grad == 0).all()
    mask.score.grad = None
    gated[:2].sum().backward()
    torch.testing.assert_close(mask.score.grad, stream[:2].sum((0, 2)))


def test_the_flag_of_an_active_site_is_the_share_of_its_values_that_were_observed():
    mask = SensorMask(MaskState.of("110"), flag=True)
    presence = torch.tensor([[1.0, 0.25, 0.5]])
    assert mask(torch.zeros(1, 3, 2), None, presence)[0, :, -1].tolist() == [1.0, 0.25, 0.0]


def test_a_mask_takes_over_a_state_whole():
    mask = SensorMask(MaskState.of("F100x"))
    after = drop_regrow(mask.state, drop_by=[0] * 5, grow_by=[0, 0, 1, 2, 3], n_active=2, n_swap=1)
    mask.load(after)
    assert repr(mask.state) == "MaskState(F001x, step=1)"
    assert torch.equal(mask.state.score, after.score)


@pytest.mark.parametrize("active", [[False, True], [True, True]])
def test_a_state_that_breaks_its_roles_is_refused(active):
    fixed, forbidden = torch.tensor([True, False]), torch.tensor([False, True])
    with pytest.raises(BudgetError, match="breaks its roles"):
        MaskState(torch.tensor(active), torch.ones(2), fixed, forbidden)


def test_saliencies_read_their_part_of_the_evidence(generator):
    state = MaskState.of("110").with_score(torch.tensor([-3.0, 2.0, 1.0]))
    evidence = Evidence.empty(3).add(torch.tensor([1.0, -4.0, 2.0])).add(torch.tensor([-1.0, -4.0, 2.0]))
    assert SALIENCIES["magnitude"](state, evidence).tolist() == [3.0, 2.0, 1.0]
    assert SALIENCIES["gradient"](state, evidence).tolist() == [2.0, 8.0, 4.0]
    # average: 0.9 * 0.1 * g1 + 0.1 * g2
    torch.testing.assert_close(SALIENCIES["benefit"](state, evidence), torch.tensor([0.01, 0.76, -0.38]))
    worth = torch.tensor([5.0, 6.0, 7.0])
    assert torch.equal(SALIENCIES["exact"](state, evidence.with_what_if(worth)), worth)
    noisy = evidence.with_noise(generator)
    assert len(set(SALIENCIES["random"](state, noisy).tolist())) == 3
    for name in ("exact", "random"):
        with pytest.raises(ConfigError, match=name):
            SALIENCIES[name](state, evidence)


def test_the_average_survives_an_update_and_the_sums_do_not():
    evidence = Evidence.empty(1).add(torch.tensor([2.0])).renew()
    assert (evidence.signed.item(), evidence.absolute.item(), evidence.batches) == (0.0, 0.0, 0)
    assert evidence.average.item() == pytest.approx(0.2)


def test_pitfall_3_a_site_whose_inclusion_raises_the_loss_is_not_regrown_by_benefit_but_would_be_by_size():
    """Site 2 is loud and harmful (large positive gradient), site 3 quietly useful."""
    state, evidence = MaskState.of("1100"), Evidence.empty(4)
    for _ in range(5):
        evidence = evidence.add(torch.tensor([-3.0, -0.1, 9.0, -1.0]))
    by_benefit = SALIENCIES["benefit"](state, evidence)
    after = drop_regrow(state, drop_by=by_benefit, grow_by=by_benefit, n_active=2, n_swap=1)
    assert repr(after) == "MaskState(1001, step=1)"
    by_size = SALIENCIES["gradient"](state, evidence)
    after = drop_regrow(state, drop_by=by_size, grow_by=by_size, n_active=2, n_swap=1)
    assert repr(after) == "MaskState(1010, step=1)"
