"""MaskState: which sites are read, how they are scored, and which of them no update may touch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from dynst.errors import BudgetError

__all__ = ["MaskState", "SupportRules", "Turn"]

Turn = Callable[[Int[ndarray, " m"], int], Int[ndarray, " k"]]
"""Takes sites of an order, each in its turn, at most so many; it remembers those that it took."""

_LETTERS_SHOWN = 64


@runtime_checkable
class SupportRules(Protocol):
    """What sensors are to one another in a support, such as a distance that they keep."""

    def begin(self, fixed: Int[ndarray, " j"], n_active: int) -> Turn | None:
        """A turn that lets in sites beside the fixed ones and leaves room for `n_active` of them in all.

        None if so many cannot obey: a support that is still dense is not asked to.
        """

    def closed(self, active: Bool[ndarray, " n"]) -> Bool[ndarray, " n"]:
        """Sites that may not join a support."""


@dataclass(frozen=True, eq=False)
class MaskState:
    """Mask over `n` sites at one moment; every update returns another one.

    Parameters
    ----------
    active : Bool[Tensor, "n"]
        The hard support: sites whose values reach the network.
    score : Float[Tensor, "n"]
        The soft, trained score of each site, dimensionless.
    fixed, forbidden : Bool[Tensor, "n"]
        Sites that are always, respectively never, active.
    step : int
        Number of updates so far.
    rules : SupportRules or None
        What sensors are to one another; None where any of them may stand together.

    Raises
    ------
    BudgetError
        If a fixed site is inactive, a forbidden one active, or a site both.

    Examples
    --------
    >>> MaskState.of("1F0x")  # active, fixed, inactive, forbidden
    MaskState(1F0x, step=0)
    >>> MaskState.of("1F0x").n_active
    2
    """

    active: Bool[Tensor, " n"]
    score: Float[Tensor, " n"]
    fixed: Bool[Tensor, " n"]
    forbidden: Bool[Tensor, " n"]
    step: int = field(default=0)
    rules: SupportRules | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if bool((self.fixed & ~self.active).any() | (self.forbidden & self.active).any()):
            raise BudgetError(
                "a mask breaks its roles: fixed sites must be active and forbidden ones inactive. "
                "Check the roles and the support it was made from."
            )

    @classmethod
    def of(cls, pattern: str) -> MaskState:
        """A mask from letters: ``1`` active, ``0`` inactive, ``F`` fixed, ``x`` forbidden; all scores are one."""
        if not set(pattern) <= set("10Fx"):
            raise ValueError(f'a mask pattern is made of "1", "0", "F" and "x"; "{pattern}" came.')
        return cls(
            active=torch.tensor([letter in "1F" for letter in pattern], dtype=torch.bool),
            score=torch.ones(len(pattern)),
            fixed=torch.tensor([letter == "F" for letter in pattern], dtype=torch.bool),
            forbidden=torch.tensor([letter == "x" for letter in pattern], dtype=torch.bool),
        )

    @classmethod
    def dense(
        cls,
        fixed: Bool[Tensor, " n"],
        forbidden: Bool[Tensor, " n"],
        *,
        generator: torch.Generator | None = None,
        rules: SupportRules | None = None,
    ) -> MaskState:
        """Every legal site active; scores 1, with noise of 1e-5 against ties if there is a generator (as in UGS)."""
        score = torch.ones(len(fixed))
        if generator is not None:
            score = score * (1 + 1e-5 * (2 * torch.rand(len(fixed), generator=generator) - 1))
        return cls(active=~forbidden, score=score, fixed=fixed, forbidden=forbidden, rules=rules)

    def with_active(self, active: Bool[Tensor, " n"]) -> MaskState:
        """The same scores and roles under another support."""
        return replace(self, active=active)

    def with_score(self, score: Float[Tensor, " n"]) -> MaskState:
        """The same support and roles with other scores."""
        return replace(self, score=score)

    def cpu(self) -> MaskState:
        """The same mask in main memory; itself if it is there."""
        if self.active.device.type == "cpu":
            return self
        tensors = (self.active.cpu(), self.score.cpu(), self.fixed.cpu(), self.forbidden.cpu())
        return MaskState(*tensors, self.step, self.rules)

    def __len__(self) -> int:
        return len(self.active)

    def __repr__(self) -> str:
        if len(self) > _LETTERS_SHOWN:
            return f"MaskState({self.n_active} of {len(self)} active, step={self.step})"
        rows = zip(self.active.tolist(), self.fixed.tolist(), self.forbidden.tolist(), strict=True)
        letters = "".join("F" if fixed else "x" if forbidden else str(int(on)) for on, fixed, forbidden in rows)
        return f"MaskState({letters}, step={self.step})"

    @property
    def n_active(self) -> int:
        """Number of active sites."""
        return int(self.active.sum())

    @property
    def n_legal(self) -> int:
        """Number of sites that may be active."""
        return int((~self.forbidden).sum())
