"""Stability: how much of a plan stays when the seed or the record changes, and what could stand in for what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain.sites import Sites

__all__ = ["GRADES", "Stability"]

GRADES = ("always", "usually", "interchangeable")
"""A sensor chosen, at its place or within the radius, in nearly all variants, in most, or in fewer."""


@dataclass(frozen=True, eq=False)
class Stability:
    """A plan beside the plans that the same planner makes with other seeds and from parts of the training record.

    Parameters
    ----------
    planner : str
        Who planned.
    sites : Sites
        The places.
    selected : Int[ndarray, "k"]
        Sensors of the plan, first sensor first.
    variants : tuple of str
        What was changed for each further plan: ``seed 1``, ``first half``, ``without quarter 2`` ...
    others : Bool[ndarray, "v n"]
        Sites that each of these plans chose.
    radius : float
        Distance within which two sites count as the same place, in `Sites.distance_unit`.

    Examples
    --------
    >>> sites = Sites(np.arange(4.0), np.zeros(4))
    >>> others = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)
    >>> Stability("by_hand", sites, np.array([0, 1]), ("seed 1", "seed 2"), others, 0.0).frequency.tolist()
    [1.0, 0.6666666666666666, 0.3333333333333333, 0.0]
    """

    planner: str
    sites: Sites
    selected: Int[ndarray, " k"]
    variants: tuple[str, ...]
    others: Bool[ndarray, "v n"]
    radius: float

    @property
    def frequency(self) -> Float[ndarray, " n"]:
        """Share of all plans, the plan itself included, that chose each site."""
        active = np.zeros(len(self.sites), bool)
        active[self.selected] = True
        share: ndarray = np.concatenate([active[None], self.others]).mean(axis=0)
        return share
