"""The loss: area-weighted mean squared error over the observed targets of all sites."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["sample_mse", "weighted_mse"]


def weighted_mse(
    prediction: Float[Tensor, "b p n c"],
    target: Float[Tensor, "b p n c"],
    observed: Bool[Tensor, "b p n c"] | None,
    weight: Float[Tensor, " n"],
) -> Float[Tensor, ""]:
    """Mean squared error of a batch, each site weighted by the area it stands for.

    Parameters
    ----------
    prediction, target : Float[Tensor, "b p n c"]
        Standardised forecast and truth.
    observed : Bool[Tensor, "b p n c"] or None
        Which targets were measured; the others never count. None means all.
    weight : Float[Tensor, "n"]
        Not negative; only the proportions matter.

    Examples
    --------
    >>> error = torch.full((1, 2, 3, 1), 3.0)
    >>> weighted_mse(error, torch.zeros_like(error), None, torch.tensor([1.0, 5.0, 2.0])).item()
    9.0
    """
    squares = (prediction - target).square()
    if observed is None:
        return torch.einsum("bpnc,n->", squares, weight) / (weight.sum() * (squares.numel() / squares.shape[2]))
    known = observed.to(squares.dtype)
    count = torch.einsum("bpnc,n->", known, weight)
    return torch.einsum("bpnc,bpnc,n->", squares, known, weight) / count.clamp_min(torch.finfo(count.dtype).tiny)


def sample_mse(
    prediction: Float[Tensor, "b p n c"],
    target: Float[Tensor, "b p n c"],
    observed: Bool[Tensor, "b p n c"] | None,
    weight: Float[Tensor, " n"],
) -> Float[Tensor, " b"]:
    """`weighted_mse` of each sample by itself; 0 where a sample has no observed target.

    Examples
    --------
    >>> error = torch.tensor([1.0, 2.0]).reshape(2, 1, 1, 1)
    >>> sample_mse(error, torch.zeros_like(error), None, torch.ones(1)).tolist()
    [1.0, 4.0]
    """
    squares = (prediction - target).square()
    known = torch.ones_like(squares) if observed is None else observed.to(squares.dtype)
    count = torch.einsum("bpnc,n->b", known, weight)
    return torch.einsum("bpnc,n->b", squares * known, weight) / count.clamp_min(torch.finfo(count.dtype).tiny)
