"""Drop and regrow: the one update of a mask. Pruning alone is an update with no swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from dynst.errors import BudgetError, DataError
from dynst.sparsity.state import MaskState, Turn

__all__ = ["drop_regrow", "regrown"]

Saliences = Float[Tensor, " n"] | Sequence[float | int]


def drop_regrow(state: MaskState, *, drop_by: Saliences, grow_by: Saliences, n_active: int, n_swap: int) -> MaskState:
    """Mask after dropping the least and regrowing the most salient sites.

    First all but ``n_active - n_swap`` active sites are dropped, the least salient by `drop_by`; then the most
    salient by `grow_by` among *all* legal sites that were not kept come in, so a site that was just dropped may
    return (RigL, arXiv 1911.11134, algorithm 1). If the fixed sites leave no room for `n_swap` swaps, fewer happen.

    Parameters
    ----------
    state : MaskState
        Mask over `n` sites before the update.
    drop_by, grow_by : Float[Tensor, "n"] or sequence of float, dimensionless
        Saliency of each site. Only the order matters: any increasing transform gives the same result.
    n_active, n_swap : int
        Sites active afterwards, and how many of them are regrown; ``n_swap <= n_active <= n``.

    Returns
    -------
    MaskState
        Exactly `n_active` sites active. Fixed sites stay, forbidden sites never appear, ties go to the lower index.
        The score of a regrown site is the median score of the sites that were active; a score of zero would be
        dropped at once when scores decide. If the state has rules, the sensors obey them as soon as `n_active` sensors
        can.

    Raises
    ------
    BudgetError
        If fewer than `n_active` sites may be active, or more are fixed.
    DataError
        If a saliency is NaN.

    Examples
    --------
    >>> state = MaskState.of("1100")
    >>> drop_regrow(state, drop_by=[9, 1, 0, 0], grow_by=[0, 0, 5, 2], n_active=2, n_swap=1)
    MaskState(1010, step=1)
    """
    _check_counts(state, n_active, n_swap)
    turn = None if state.rules is None else state.rules.begin(_places(state.fixed), n_active)
    n_kept = _n_kept(state, n_active, n_swap)
    kept = state.fixed | _most(_saliency(drop_by), state.active & ~state.fixed, n_kept, turn)
    grown = _most(_saliency(grow_by), ~kept & ~state.forbidden, n_active - int(kept.sum()), turn)
    score = torch.where(grown, _median_active(state), state.score)
    return replace(state, active=kept | grown, score=score, step=state.step + 1)


def regrown(before: MaskState, after: MaskState) -> Bool[Tensor, " n"]:
    """Sites that an update brought in or brought back, and whose optimiser moments must start anew.

    Examples
    --------
    >>> before = MaskState.of("1100")
    >>> after = drop_regrow(before, drop_by=[9, 1, 0, 0], grow_by=[0, 0, 5, 2], n_active=2, n_swap=1)
    >>> regrown(before, after).tolist()
    [False, False, True, False]
    """
    return after.active & (~before.active | (after.score != before.score))


def _check_counts(state: MaskState, n_active: int, n_swap: int) -> None:
    n_fixed = int(state.fixed.sum())
    if n_active > state.n_legal:
        raise BudgetError(
            f"{n_active} active sites are impossible: {state.n_legal} of {len(state)} sites are not forbidden."
        )
    if n_active < n_fixed:
        raise BudgetError(f"{n_active} active sites are too few: {n_fixed} sites are fixed.")
    if not 0 <= n_swap <= n_active:
        raise BudgetError(f"{n_swap} swaps among {n_active} active sites are impossible.")


def _saliency(values: Saliences) -> Float[Tensor, " n"]:
    saliency = values if isinstance(values, Tensor) else torch.as_tensor(values, dtype=torch.float64)
    if bool(saliency.isnan().any()):
        raise DataError(f"the saliency of {int(saliency.isnan().sum())} sites is NaN; the training has diverged.")
    return saliency


def _n_kept(state: MaskState, n_active: int, n_swap: int) -> int:
    """Active sites to keep beside the fixed ones, which are kept without being counted against anyone."""
    n_fixed = int(state.fixed.sum())
    return min(max(n_active - n_swap - n_fixed, 0), state.n_active - n_fixed)


def _most(
    saliency: Float[Tensor, " n"], among: Bool[Tensor, " n"], count: int, turn: Turn | None
) -> Bool[Tensor, " n"]:
    """The `count` most salient sites among some that have their turn; a stable sort gives ties to the lower index."""
    candidates = among.nonzero().squeeze(-1)
    order = candidates[saliency[candidates].sort(descending=True, stable=True).indices]
    chosen = torch.zeros_like(among)
    chosen[order[:count] if turn is None else torch.from_numpy(turn(order.numpy(), count))] = True
    return chosen


def _places(mask: Bool[Tensor, " n"]) -> Int[ndarray, " k"]:
    return np.asarray(mask.nonzero().squeeze(-1).numpy())


def _median_active(state: MaskState) -> Float[Tensor, ""]:
    return state.score[state.active].median() if state.n_active else state.score.new_ones(())
