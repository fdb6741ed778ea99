"""SensorMask: the gate between the data and the network."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from dynst.sparsity.state import MaskState

__all__ = ["SensorMask"]

_CACHED = 1 << 16  # numbers of a product that stays in the cache


class SensorMask(nn.Module):
    """Gate of every site: the support decides what passes, the score of every site receives the gradient.

    Forward, a stream is multiplied by the support alone, so the values of an inactive site have no influence.
    Backward, the gate is straight through: ``dL/dscore_s = sum over b, f of x[b,s,f] * dL/dx_eff[b,s,f]``, for
    active and inactive sites alike. Since scaling comes first, zero means *the climatology of the site*.

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
        self.rules = state.rules
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
        gated: Tensor = _Gate.apply(  # type: ignore[no-untyped-call]  # torch does not annotate apply
            stream, self.score, self.support, others, presence, self.flag
        )
        return gated

    @property
    def state(self) -> MaskState:
        """The mask as a value, detached from the training."""
        score = self.score.detach().clone()
        return MaskState(self.support > 0, score, self.fixed, self.forbidden, self.step, self.rules)

    @torch.no_grad()
    def load(self, state: MaskState) -> None:
        """Take over the support, the scores and the step of a state on the same sites."""
        self.support.copy_(state.active)
        self.score.copy_(state.score)
        self.step = state.step


class _Gate(torch.autograd.Function):
    """Times the support forward, straight through to the score backward, in one pass over the stream each."""

    @staticmethod
    def forward(  # noqa: PLR0917 - an autograd function takes no keywords
        ctx: Any,
        stream: Float[Tensor, "b n f"],
        score: Float[Tensor, " n"],
        support: Float[Tensor, " n"],
        others: Bool[Tensor, "o n"] | None,
        presence: Float[Tensor, "b n"] | None,
        flag: bool,
    ) -> Float[Tensor, "b n g"]:
        b, n, f = stream.shape
        own = b if others is None else b - len(others)
        gate = support.to(stream.dtype).expand(b, n)
        if others is not None:
            gate = torch.cat([gate[:own], others.to(stream.dtype)])
        gated = stream.new_empty(b, n, f + flag)
        torch.mul(stream, gate.unsqueeze(-1), out=gated[..., :f])
        if flag:
            gated[..., f] = gate if presence is None else gate * presence
        ctx.save_for_backward(stream, gate, presence)
        ctx.own, ctx.flag = own, flag
        return gated

    @staticmethod
    def backward(ctx: Any, grad: Float[Tensor, "b n g"]) -> tuple[Tensor | None, Tensor | None, None, None, None, None]:
        stream, gate, presence = ctx.saved_tensors
        f, own = stream.shape[2], ctx.own
        to_stream = grad[..., :f] * gate.unsqueeze(-1) if ctx.needs_input_grad[0] else None
        if not ctx.needs_input_grad[1]:
            return to_stream, None, None, None, None, None
        # A few samples at a time, so that their product stays in the cache.
        size = max(1, _CACHED // (stream.shape[1] * f))
        products = stream.new_zeros(stream.shape[1:])
        for i in range(0, own, size):
            some = slice(i, min(i + size, own))
            products += (stream[some] * grad[some, :, :f]).sum(0)
        to_score = products.sum(-1)
        if ctx.flag:
            flags = grad[:own, :, f]
            to_score = to_score + (flags if presence is None else flags * presence[:own]).sum(0)
        return to_stream, to_score, None, None, None, None
