"""What to drop and what to grow: saliencies, functions of a mask and of the evidence gathered about it.

A saliency is large where a site is worth having. Evidence is gathered batch by batch between two updates of the
mask; all functions here are pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from dynst.errors import ConfigError
from dynst.sparsity.state import MaskState

__all__ = ["SALIENCIES", "Evidence", "Saliency", "benefit", "exact", "gradient", "magnitude", "random"]

DECAY = 0.9
"""Weight of the past in the moving average of the gradient; the study's value (docs/method.md)."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known about the sites of a mask between two updates.

    Parameters
    ----------
    signed, absolute : Float[Tensor, "n"]
        Sums of the gate gradients, and of their absolute values, over the batches since the last update.
    average : Float[Tensor, "n"]
        Exponentially weighted gate gradient; it survives updates.
    batches : int
        Batches since the last update.
    what_if : Float[Tensor, "n"] or None
        Measured worth of each site, from trying it; minus or plus infinity where a site was beyond doubt.
    noise : Float[Tensor, "n"] or None
        A random number per site, for random regrowth.

    Examples
    --------
    >>> evidence = Evidence.empty(2).add(torch.tensor([1.0, -2.0])).add(torch.tensor([-1.0, -2.0]))
    >>> evidence.signed.tolist(), evidence.absolute.tolist(), evidence.batches
    ([0.0, -4.0], [2.0, 4.0], 2)
    >>> evidence.renew().absolute.tolist()
    [0.0, 0.0]
    """

    signed: Float[Tensor, " n"]
    absolute: Float[Tensor, " n"]
    average: Float[Tensor, " n"]
    batches: int = 0
    what_if: Float[Tensor, " n"] | None = None
    noise: Float[Tensor, " n"] | None = None

    @classmethod
    def empty(cls, n: int) -> Evidence:
        """No evidence yet about `n` sites."""
        return cls(torch.zeros(n), torch.zeros(n), torch.zeros(n))

    def add(self, gradient: Float[Tensor, " n"], *, decay: float = DECAY) -> Evidence:
        """Evidence with one more batch, whose gate gradient is `gradient`."""
        return replace(
            self,
            signed=self.signed + gradient,
            absolute=self.absolute + gradient.abs(),
            average=torch.lerp(gradient, self.average, decay),
            batches=self.batches + 1,
        )

    def renew(self) -> Evidence:
        """Evidence after an update: the sums start anew, the moving average goes on."""
        zero = torch.zeros_like(self.signed)
        return Evidence(zero, zero, self.average)

    def with_noise(self, generator: torch.Generator) -> Evidence:
        """The same evidence with a fresh random number per site."""
        return replace(self, noise=torch.rand(len(self.signed), generator=generator))

    def with_what_if(self, what_if: Float[Tensor, " n"]) -> Evidence:
        """The same evidence with measured worths."""
        return replace(self, what_if=what_if)


Saliency = Callable[[MaskState, Evidence], Tensor]
"""``(state, evidence) -> (n,)``; larger is more worth having."""


def magnitude(state: MaskState, evidence: Evidence) -> Float[Tensor, " n"]:
    """Size of the trained score, as in UGS and in DynST as published."""
    return state.score.abs()


def gradient(state: MaskState, evidence: Evidence) -> Float[Tensor, " n"]:
    """Accumulated size of the gate gradient (GST). It has no sign: a harmful site ranks as high as a useful one."""
    return evidence.absolute


def benefit(state: MaskState, evidence: Evidence) -> Float[Tensor, " n"]:
    """Expected benefit: the first-order fall of the loss when the site is switched on, minus the mean gate gradient."""
    return -evidence.average


def exact(state: MaskState, evidence: Evidence) -> Float[Tensor, " n"]:
    """Worth found by trying sites out.

    Raises
    ------
    ConfigError
        If nothing was tried.
    """
    if evidence.what_if is None:
        raise ConfigError("the saliency exact needs measured what-ifs, and none were taken.")
    return evidence.what_if


def random(state: MaskState, evidence: Evidence) -> Float[Tensor, " n"]:
    """Chance, as in SET.

    Raises
    ------
    ConfigError
        If the evidence carries no random numbers.
    """
    if evidence.noise is None:
        raise ConfigError("the saliency random needs random numbers in the evidence, and none came.")
    return evidence.noise


SALIENCIES: Mapping[str, Saliency] = MappingProxyType(
    {"benefit": benefit, "exact": exact, "gradient": gradient, "magnitude": magnitude, "random": random}
)
"""Saliencies by name."""
