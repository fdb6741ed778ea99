"""Weighted sums over neighbourhoods, fast on a CPU forward and backward.

Stored node by node, a whole batch of features is one long row of a table, and a weighted sum over neighbours is a
weighted bag of rows: one call of `embedding_bag`. Its gradient with respect to the rows is the same sum over the
reversed edges - one more call, on lists that are made once - where torch's own would sort the edges at every step.
"""

from __future__ import annotations

from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

__all__ = ["Neighbourhood"]


@final
class Neighbourhood(nn.Module):
    """Which senders each receiver hears: edges, and the same edges reversed.

    Parameters
    ----------
    edge_index : Int[Tensor, "2 e"]
        Sender and receiver of each edge, sorted by receiver.
    senders, receivers : int
        How many there are of both; the same nodes in a graph, different ones between two sets of nodes.

    Raises
    ------
    ValueError
        If the edges are not sorted by receiver.

    Examples
    --------
    >>> heard = Neighbourhood(torch.tensor([[1, 2, 0], [0, 0, 2]]), senders=3, receivers=3)  # node 1 hears nobody
    >>> heard(torch.tensor([[1.0], [10.0], [100.0]]), torch.tensor([0.5, 1.0, 2.0])).tolist()
    [[105.0], [0.0], [2.0]]
    """

    senders: Tensor
    receivers: Tensor
    offsets: Tensor
    back_receivers: Tensor
    back_offsets: Tensor
    back_order: Tensor

    def __init__(self, edge_index: Int[Tensor, "2 e"], *, senders: int, receivers: int) -> None:
        super().__init__()
        sender, receiver = edge_index
        if (receiver.diff() < 0).any():
            raise ValueError("the edges of a neighbourhood must be sorted by receiver.")
        order = sender.argsort(stable=True)
        lists = {
            "senders": sender,
            "receivers": receiver,
            "offsets": _offsets(receiver, receivers),
            "back_receivers": receiver[order],
            "back_offsets": _offsets(sender, senders),
            "back_order": order,
        }
        for name, value in lists.items():
            self.register_buffer(name, value.contiguous(), persistent=False)

    def __len__(self) -> int:
        return len(self.senders)

    def forward(self, x: Float[Tensor, "m d"], weight: Float[Tensor, " e"]) -> Float[Tensor, "n d"]:
        """Weighted sum over the senders of each receiver; 0 where there are none.

        Parameters
        ----------
        x : Float[Tensor, "m d"]
            A row per sender: node-major, with batch and features in one row.
        weight : Float[Tensor, "e"]
            Of each edge. Both arguments receive gradients.
        """
        out: Tensor = _Aggregate.apply(x.to(weight.dtype), weight, self)  # type: ignore[no-untyped-call] # torch's own
        return out


class _Aggregate(torch.autograd.Function):
    """Bags of rows forward; backward bags of the reversed edges for the rows, inner products for the weights."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, heard: Neighbourhood) -> Tensor:
        x = x.contiguous()
        ctx.save_for_backward(x, weight)
        ctx.heard = heard
        return _bags(x.detach(), heard.senders, heard.offsets, weight.detach())  # so that torch prepares no backward

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        heard, grad = ctx.heard, grad.contiguous()
        to_x = to_weight = None
        if ctx.needs_input_grad[0]:
            to_x = _bags(grad, heard.back_receivers, heard.back_offsets, weight[heard.back_order])
        if ctx.needs_input_grad[1] and not len(heard):
            to_weight = torch.zeros_like(weight)
        elif ctx.needs_input_grad[1]:  # torch has the inner products; asked for alone, they come without its slow part
            with torch.enable_grad():
                alone = weight.detach().requires_grad_()
                (to_weight,) = torch.autograd.grad(_bags(x, heard.senders, heard.offsets, alone), alone, grad)
        return to_x, to_weight, None


def _bags(x: Tensor, rows: Tensor, offsets: Tensor, weight: Tensor) -> Tensor:
    if not len(rows) or not x.numel():
        return x.new_zeros(len(offsets) - 1, x.shape[1])
    return F.embedding_bag(rows, x, offsets, mode="sum", per_sample_weights=weight, include_last_offset=True)


def _offsets(ends: Tensor, count: int) -> Tensor:
    """Where the bag of each node begins, and one more for the end of the last."""
    return torch.cat([ends.new_zeros(1), torch.bincount(ends, minlength=count).cumsum(0)])
