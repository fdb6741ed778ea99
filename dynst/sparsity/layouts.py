"""Other layouts: supports that a mask-conditioned network meets in training, so that it stays honest about them."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from dynst.sparsity.state import MaskState

__all__ = ["moved_layouts", "other_layouts", "random_layouts"]


def moved_layouts(
    state: MaskState, count: int, *, generator: torch.Generator, least: float = 0.01, most: float = 0.30
) -> Bool[Tensor, "count n"]:
    """The support with a random share of its sensors, between `least` and `most`, moved to other legal sites.

    At least one sensor moves wherever one can. Fixed sensors stay.

    Examples
    --------
    >>> moved = moved_layouts(MaskState.of("F100x"), 3, generator=torch.Generator().manual_seed(0))
    >>> moved.sum(1).tolist(), moved[:, 0].all().item(), moved[:, 1].any().item(), moved[:, 4].any().item()
    ([2, 2, 2], True, False, False)
    """
    free = (state.active & ~state.fixed).nonzero().squeeze(-1)
    room = (~state.active & ~state.forbidden).nonzero().squeeze(-1)
    ceiling = min(len(free), len(room))
    share = least + (most - least) * torch.rand(count, generator=generator)
    moves = (share * state.n_active).round().clamp(min(1, ceiling), ceiling).long()
    layouts = state.active.repeat(count, 1)
    for layout, some in zip(layouts, moves.tolist(), strict=True):
        layout.index_fill_(0, _some(free, some, generator), False)
        layout.index_fill_(0, _some(room, some, generator), True)
    return layouts


def random_layouts(state: MaskState, count: int, *, around: int, generator: torch.Generator) -> Bool[Tensor, "count n"]:
    """Random legal supports with the fixed sites, log-uniform in size from half to four times `around`.

    Examples
    --------
    >>> layouts = random_layouts(MaskState.of("F1000x"), 4, around=2, generator=torch.Generator().manual_seed(0))
    >>> layouts[:, 0].all().item(), layouts[:, 5].any().item()
    (True, False)
    """
    free = (~state.fixed & ~state.forbidden).nonzero().squeeze(-1)
    n_fixed = state.n_legal - len(free)
    low, high = math.log(max(around / 2, 1.0)), math.log(4 * around)
    size = torch.exp(low + (high - low) * torch.rand(count, generator=generator)).round().long()
    size = size.clamp(max(n_fixed, 1), state.n_legal) - n_fixed
    layouts = state.fixed.repeat(count, 1)
    for layout, some in zip(layouts, size.tolist(), strict=True):
        layout.index_fill_(0, _some(free, some, generator), True)
    return layouts


def other_layouts(state: MaskState, count: int, *, around: int, generator: torch.Generator) -> Bool[Tensor, "count n"]:
    """Half of `count` layouts near the support, the others random ones (docs/method.md, mask-conditioned training)."""
    near = count // 2
    return torch.cat(
        [
            moved_layouts(state, near, generator=generator),
            random_layouts(state, count - near, around=around, generator=generator),
        ]
    )


def _some(sites: Int[Tensor, " m"], count: int, generator: torch.Generator) -> Int[Tensor, " count"]:
    """`count` of the sites; a permutation of all of them is faster than choosing the largest of random numbers."""
    return sites[torch.randperm(len(sites), generator=generator)[:count]]
