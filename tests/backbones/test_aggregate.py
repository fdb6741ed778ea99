"""Laws of the neighbourhood sum: equal to PyG's, differentiable in both arguments, right where nobody is heard."""

import pytest
import torch
from torch_geometric.nn import MessagePassing

from dynst.backbones.aggregate import Neighbourhood


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def edges(n=30, count=150, senders=None, seed=0):
    """Random edges, sorted by receiver; the last three nodes hear nobody and the first two are heard by nobody."""
    draw = generator(seed)
    sender = torch.randint(2, senders or n, (count,), generator=draw)
    receiver = torch.randint(0, n - 3, (count,), generator=draw).sort().values
    return torch.stack([sender, receiver])


class Weighted(MessagePassing):
    """The same sum as PyG writes it, on ``(b, n, f)``."""

    def forward(self, x, edge_index, weight):
        return self.propagate(edge_index, x=x, weight=weight)

    def message(self, x_j, weight):
        return weight[:, None] * x_j


def both(x, weight, edge_index):
    """Sum and gradients on ``(b, n, f)``, ours and PyG's."""
    b, n, f = x.shape
    heard = Neighbourhood(edge_index, senders=n, receivers=n)
    results = []
    for sum_up in (
        lambda x, w: heard(x.transpose(0, 1).reshape(n, b * f), w).view(n, b, f).transpose(0, 1),
        lambda x, w: Weighted(aggr="sum")(x, edge_index, w),
    ):
        leaf, strength = x.clone().requires_grad_(), weight.clone().requires_grad_()
        out = sum_up(leaf, strength)
        (out * torch.randn(out.shape, generator=generator(9), dtype=out.dtype)).sum().backward()
        results.append((out.detach(), leaf.grad, strength.grad))
    return results


@pytest.mark.parametrize("shape", [(4, 30, 6), (1, 30, 1), (3, 30, 64)])
def test_equals_the_propagation_of_pyg_forward_and_backward(shape):
    edge_index = edges()
    x, weight = torch.randn(shape, generator=generator(1)), torch.rand(150, generator=generator(2))
    for mine, theirs in zip(*both(x, weight, edge_index), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_gradients_equal_finite_differences_in_double():
    heard = Neighbourhood(edges(8, 20), senders=8, receivers=8)
    x = torch.randn(8, 3, generator=generator(), dtype=torch.float64, requires_grad=True)
    weight = torch.rand(20, generator=generator(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(heard, (x, weight))


def test_between_two_sets_of_nodes_it_is_a_matrix():
    edge_index = edges(n=7, count=20, senders=4)
    weight, x = torch.rand(20, generator=generator()), torch.randn(4, 5, generator=generator())
    matrix = torch.zeros(7, 4)
    for sender, receiver, w in zip(*edge_index.tolist(), weight.tolist(), strict=True):
        matrix[receiver, sender] += w
    torch.testing.assert_close(Neighbourhood(edge_index, senders=4, receivers=7)(x, weight), matrix @ x)


def test_who_hears_nobody_gets_zero_and_who_is_not_heard_gets_no_gradient():
    heard = Neighbourhood(edges(), senders=30, receivers=30)
    x = torch.randn(30, 4, generator=generator(), requires_grad=True)
    out = heard(x, torch.ones(150))
    out.sum().backward()
    assert (out[-3:] == 0).all()
    assert (x.grad[:2] == 0).all()
    assert (x.grad[heard.senders] != 0).all()


def test_no_edge_at_all_gives_zeros_with_zero_gradients():
    heard = Neighbourhood(torch.zeros(2, 0, dtype=torch.long), senders=3, receivers=4)
    x, weight = torch.randn(3, 2, requires_grad=True), torch.zeros(0, requires_grad=True)
    out = heard(x, weight)
    out.sum().backward()
    assert out.tolist() == [[0.0, 0.0]] * 4
    assert (x.grad == 0).all()
    assert weight.grad.shape == (0,)


def test_rows_that_do_not_lie_one_after_the_other_in_memory_give_the_same():
    heard = Neighbourhood(edges(), senders=30, receivers=30)
    weight, wide = torch.rand(150, generator=generator()), torch.randn(8, 30, generator=generator())
    upstream = torch.randn(8, 30, generator=generator(3)).T
    results = []
    for layout in (lambda x: x.T, lambda x: x.T.contiguous()):
        leaf = wide.clone().requires_grad_()
        out = heard(layout(leaf), weight)
        out.backward(upstream)
        results.append((out, leaf.grad))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_edges_in_another_order_are_refused():
    with pytest.raises(ValueError, match="sorted by receiver"):
        Neighbourhood(torch.tensor([[0, 1], [1, 0]]), senders=2, receivers=2)
