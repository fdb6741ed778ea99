"""What-if polish: swaps of single sensors, each tried on the frozen network before it is made."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.stats import rankdata
from torch import Tensor

from dynst.sparsity import MaskState
from dynst.training.state import seeded
from dynst.training.what_if import WhatIf

__all__ = ["Polish", "agreement", "polish", "polish_cost", "refine"]

_SHORT_LIST = 10  # candidates by gate gradient; the figures of this module are the study's (docs/method.md)
_NEIGHBOURS = 3  # candidates among the nearest sites
_LEAST_GAIN = 1e-3  # share by which the loss must fall
_SHARE = 0.7
# A polish may cost so much of what the training costs, in window forecasts: 40 % of both together, which lets 10
# sensors through in full. Chosen: with more sensors the choice of single sites matters less (docs/method.md).
_LEAST_VISITED = 0.1  # a polish that could try a smaller share of the sensors is left out: it could not matter
_PROBES = 32  # random swaps on which first-order and measured changes are compared, on every third window
_FAITHFUL = 0.5  # rank correlation below which the first-order score is said to be unreliable


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


def refine(
    what_if: WhatIf, mask: MaskState, *, nearest: Int[ndarray, "n j"], training_cost: int, seed: int, wanted: bool
) -> tuple[MaskState, dict[str, object]]:
    """The support after a polish as long as the training pays for, and what the what-ifs showed.

    Parameters
    ----------
    what_if, mask, nearest
        See `polish`.
    training_cost : int
        Window forecasts that the training was worth. The polish is cut by counting forecasts, never by the clock.
    seed : int
        Of the probes.
    wanted : bool
        Whether to polish at all.

    Returns
    -------
    MaskState
        The support, of the same count.
    dict
        JSON types: `rank_correlation` of first-order and measured changes, `polish`, `warnings`.
    """
    correlation = agreement(what_if.thinned(3), mask, swaps=_PROBES, generator=seeded(seed, 5))
    notes: dict[str, object] = {"rank_correlation": correlation, "warnings": []}
    if correlation is not None and correlation < _FAITHFUL:
        notes["warnings"] = [
            f"the first-order benefit of a site agrees poorly with what trying it shows (rank correlation "
            f"{correlation:.2f} over {_PROBES} swaps): trust the swaps that were tried, not the order of the scores"
        ]
    visits = int(_SHARE * training_cost) // polish_cost(len(what_if.batch))
    movable = int((mask.active & ~mask.fixed).sum())
    if not wanted:
        return mask, notes | {"polish": {"skipped": "not asked for"}}
    if not movable or mask.n_active == mask.n_legal:
        return mask, notes | {"polish": {"skipped": "nothing to swap"}}
    if visits < _LEAST_VISITED * movable or not visits:
        too_dear = f"only {visits} of {movable} sensors could be tried at this cost"
        return mask, notes | {"polish": {"skipped": too_dear}}
    mask, done = polish(what_if, mask, nearest=nearest, visits=visits)
    return mask, notes | {"polish": asdict(done) | {"swaps": [list(swap) for swap in done.swaps]}}


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
        candidates = _candidates(-what_if.gradient(without).cpu(), _closed(mask, without), site, nearest)
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
    pairs = _some_of(len(out) * len(into), count, generator)
    count = len(pairs)
    leaving, coming = out[pairs // len(into)], into[pairs % len(into)]
    layouts = mask.active.repeat(count, 1)
    rows = torch.arange(count)
    layouts[rows, leaving] = False
    layouts[rows, coming] = True
    gradient = what_if.gradient(mask.active).cpu()
    return _spearman(gradient[coming] - gradient[leaving], what_if.losses(layouts).cpu())


def _some_of(total: int, count: int, generator: torch.Generator) -> Int[Tensor, " s"]:
    """About `count` different numbers below `total`, without listing all of them: pairs of sites are very many."""
    if total <= 1 << 16:
        return torch.randperm(total, generator=generator)[:count]
    drawn = torch.tensor(sorted(set(torch.randint(total, (4 * count,), generator=generator).tolist())))
    return drawn[torch.randperm(len(drawn), generator=generator)[:count]]


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


def _closed(mask: MaskState, active: Bool[Tensor, " n"]) -> Bool[Tensor, " n"]:
    """Sites that may not join these sensors."""
    closed = active | mask.forbidden
    return closed if mask.rules is None else closed | torch.from_numpy(mask.rules.closed(active.numpy()))


def _with_each(base: Bool[Tensor, " n"], sites: Int[Tensor, " c"]) -> Bool[Tensor, "c n"]:
    layouts = base.repeat(len(sites), 1)
    layouts[torch.arange(len(sites)), sites] = True
    return layouts


def _spearman(a: Float[Tensor, " m"], b: Float[Tensor, " m"]) -> float | None:
    ranks = [rankdata(values.double().numpy()) for values in (a, b)]
    if min(float(np.ptp(rank)) for rank in ranks) == 0:
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
