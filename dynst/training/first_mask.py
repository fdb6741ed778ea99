"""The mask that a training begins with: all legal sites, under the rules of the sites."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy import ndarray
from torch import Tensor

from dynst.domain import Sites
from dynst.domain.room import Room, in_turn
from dynst.sparsity import MaskState
from dynst.sparsity.state import Turn

__all__ = ["RoomRules", "dense_mask"]


@dataclass(frozen=True, eq=False)
class RoomRules:
    """The distance that sensors keep, as a mask asks for it: `dynst.sparsity.SupportRules`.

    Parameters
    ----------
    sites : Sites
        With a spacing.
    """

    sites: Sites

    def begin(self, fixed: Int[ndarray, " j"], n_active: int) -> Turn | None:
        """A turn that leaves room for so many sensors in all; None if so many were not found to fit."""
        if len(self.sites.packing(n_active)) < n_active:
            return None
        room = Room(self.sites, fixed.tolist(), budget=n_active)
        return lambda order, count: in_turn(order, room, count)

    def closed(self, active: Bool[ndarray, " n"]) -> Bool[ndarray, " n"]:
        """Sites that may not join these sensors."""
        closed: ndarray = ~Room(self.sites, np.flatnonzero(active).tolist()).open
        return closed


def dense_mask(sites: Sites, *, generator: torch.Generator) -> MaskState:
    """Every legal site active, with scores that differ by noise, under the rules of the sites."""
    fixed = _mask(len(sites), sites.fixed)
    forbidden = ~_mask(len(sites), sites.legal)
    rules = None if sites.spacing is None else RoomRules(sites)
    return MaskState.dense(fixed, forbidden, generator=generator, rules=rules)


def _mask(size: int, sites: Int[ndarray, " k"]) -> Bool[Tensor, " n"]:
    mask = torch.zeros(size, dtype=torch.bool)
    mask[torch.from_numpy(sites)] = True
    return mask
