"""What-if polish: swaps of single sensors, each tried on the frozen network before it is made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.stats import rankdata
from torch import Tensor

from dynst.sparsity import MaskState
from dynst.training.what_if import WhatIf

__all__ = ["Polish", "agreement", "polish", "polish_cost"]

_SHORT_LIST = 10  # candidates by gate gradient; the figures of this module are the study's (docs/method.md)
_NEIGHBOURS = 3  # candidates among the nearest sites
_LEAST_GAIN = 1e-3  # share by which the loss must fall


@dataclass(frozen=True)
class Polish:
    """What a polish did.

    Parameters
    ----------
    visited, movable : int
        Sensors that were tried out of their places, and how many there were.
    swaps : tuple of (int, int)
        Sites that left and sites that came in their stead.
    before, after : float
        Loss on the polishing windows, standardised.
    """

    visited: int
    movable: int
    swaps: tuple[tuple[int, int], ...]
    before: float
    after: float


def polish_cost(windows: int) -> int:
    """Window forecasts that one visited sensor costs.

    Examples
    --------
    >>> polish_cost(96)  # 13 candidates, and a gradient worth 3 forecasts
    1536
    """
    return (_SHORT_LIST + _NEIGHBOURS + 3) * windows


def polish(what_if: WhatIf, mask: MaskState, *, nearest: Int[ndarray, "n j"], visits: int) -> tuple[MaskState, Polish]:
    """One sweep of swaps at a constant count.

    Each sensor in turn, the least beneficial by gate gradient first, is taken out. Candidates for its place are the
    10 sites with the best gate gradient, and 3 of its nearest sites, again the best by gradient. The best candidate
    comes in if the loss falls by more than 0.1 %.

    Parameters
    ----------
    what_if : WhatIf
        The frozen network and its windows.
    mask : MaskState
        The support to polish. Fixed sensors stay, forbidden sites never come.
    nearest : Int[ndarray, "n j"]
        The nearest other sites of each site.
    visits : int
        Sensors to try, at most.
    """
    movable = (mask.active & ~mask.fixed).nonzero().squeeze(-1)
    gradient = what_if.gradient(mask.active).cpu()
    order = movable[gradient[movable].sort(descending=True, stable=True).indices]
    before = loss = float(what_if.losses(mask.active[None])[0])
    active, swaps = mask.active, []
    for site in order[:visits].tolist():
        without = active.clone()
        without[site] = False
        candidates = _candidates(-what_if.gradient(without).cpu(), without | mask.forbidden, site, nearest)
        if not len(candidates):
            break
        losses = what_if.losses(_with_each(without, candidates)).cpu()
        best = int(losses.argmin())
        if float(losses[best]) < loss * (1 - _LEAST_GAIN):
            loss, active = float(losses[best]), without
            active[candidates[best]] = True
            swaps.append((site, int(candidates[best])))
    done = Polish(min(visits, len(order)), len(order), tuple(swaps), before, loss)
    return mask.with_active(active), done


def agreement(what_if: WhatIf, mask: MaskState, *, swaps: int, generator: torch.Generator) -> float | None:
    """Rank correlation between the first-order and the measured change of the loss over random swaps.

    Returns
    -------
    float or None
        Spearman's coefficient in [-1, 1]; None if fewer than four different swaps exist.
    """
    out = (mask.active & ~mask.fixed).nonzero().squeeze(-1)
    into = (~mask.active & ~mask.forbidden).nonzero().squeeze(-1)
    count = min(swaps, len(out) * len(into))
    if count < 4:
        return None
    pairs = torch.randperm(len(out) * len(into), generator=generator)[:count]
    leaving, coming = out[pairs // len(into)], into[pairs % len(into)]
    layouts = mask.active.repeat(count, 1)
    rows = torch.arange(count)
    layouts[rows, leaving] = False
    layouts[rows, coming] = True
    gradient = what_if.gradient(mask.active).cpu()
    return _spearman(gradient[coming] - gradient[leaving], what_if.losses(layouts).cpu())


def _candidates(
    benefit: Float[Tensor, " n"], taken: Bool[Tensor, " n"], site: int, nearest: Int[ndarray, "n j"]
) -> Int[Tensor, " c"]:
    """The most beneficial free sites, and the most beneficial of the nearest; `site` itself is none."""
    free = ~taken
    free[site] = False
    listed = free.nonzero().squeeze(-1)
    listed = listed[benefit[listed].sort(descending=True, stable=True).indices[:_SHORT_LIST]]
    free[listed] = False
    near = torch.from_numpy(nearest[site])
    near = near[free[near]]
    return torch.cat([listed, near[benefit[near].sort(descending=True, stable=True).indices[:_NEIGHBOURS]]])


def _with_each(base: Bool[Tensor, " n"], sites: Int[Tensor, " c"]) -> Bool[Tensor, "c n"]:
    layouts = base.repeat(len(sites), 1)
    layouts[torch.arange(len(sites)), sites] = True
    return layouts


def _spearman(a: Float[Tensor, " m"], b: Float[Tensor, " m"]) -> float | None:
    ranks = [rankdata(values.double().numpy()) for values in (a, b)]
    if min(float(np.ptp(rank)) for rank in ranks) == 0:
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
