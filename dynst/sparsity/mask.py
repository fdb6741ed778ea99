"""SensorMask: the gate between the data and the network."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dynst.sparsity.state import MaskState

__all__ = ["SensorMask"]


class SensorMask(nn.Module):
    """Gate of every site: the support decides what passes, the score of every site receives the gradient.

    Forward, a stream is multiplied by the support alone, so the values of an inactive site have no influence.
    Backward, the gate is straight through: ``dL/dscore_s = sum over b, f of x[b,s,f] * dL/dx_eff[b,s,f]``, for
    active and inactive sites alike. Since scaling comes first, zero means *the mean of the site*.

    Parameters
    ----------
    state : MaskState
        Where to start.
    flag : bool
        Whether the gate itself is appended as one more feature, so that the network can tell *not observed* from
        *average*. Its gradient belongs to the gate as well.

    Examples
    --------
    >>> mask = SensorMask(MaskState.of("10"), flag=True)
    >>> mask(torch.tensor([[[5.0], [7.0]]])).tolist()
    [[[5.0, 1.0], [0.0, 0.0]]]
    """

    fixed: Tensor
    forbidden: Tensor
    support: Tensor

    def __init__(self, state: MaskState, *, flag: bool = False) -> None:
        super().__init__()
        self.flag = flag
        self.step = state.step
        self.score = nn.Parameter(state.score.clone())
        self.register_buffer("support", state.active.to(state.score.dtype))
        self.register_buffer("fixed", state.fixed.clone())
        self.register_buffer("forbidden", state.forbidden.clone())

    def forward(
        self,
        stream: Float[Tensor, "b n f"],
        others: Bool[Tensor, "o n"] | None = None,
        presence: Float[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n g"]:
        """The gated stream, with the flag as last feature if this mask appends one.

        Parameters
        ----------
        stream : Float[Tensor, "b n f"]
            Standardised features of each site.
        others : Bool[Tensor, "o n"] or None
            Other supports, carried by the last `o` samples in place of the mask's own; no gradient comes from them.
        presence : Float[Tensor, "b n"] or None
            What the flag of an active site says in place of one: the share of its values that were observed.
        """
        if self.flag:
            one = stream.new_ones(stream.shape[:2]) if presence is None else presence
            stream = torch.cat([stream, one.unsqueeze(-1)], dim=-1)
        if others is None:
            return stream * self.gate.unsqueeze(-1)
        own = len(stream) - len(others)
        gate = torch.cat([self.gate.expand(own, -1), others.to(stream.dtype)])
        return stream * gate.unsqueeze(-1)

    @property
    def gate(self) -> Float[Tensor, " n"]:
        """The support in value, the score in gradient."""
        return self.support + (self.score - self.score.detach())

    @property
    def state(self) -> MaskState:
        """The mask as a value, detached from the training."""
        return MaskState(self.support > 0, self.score.detach().clone(), self.fixed, self.forbidden, self.step)

    @torch.no_grad()
    def load(self, state: MaskState) -> None:
        """Take over the support, the scores and the step of a state on the same sites."""
        self.support.copy_(state.active)
        self.score.copy_(state.score)
        self.step = state.step
