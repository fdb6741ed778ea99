"""Depthwise dilated convolution on a CPU, as fast as an undilated one.

The CPU library behind torch has fast depthwise kernels for undilated convolutions only. A dilated one falls into a
general kernel that uses one channel in sixteen, its weight gradient into something slower still. So the grid is
cut into the `dilation ** 2` interleaved sub-grids on which the convolution is undilated, and each of the three passes
becomes a plain *forward* depthwise convolution:

- the forecast: the kernel over each sub-grid;
- the gradient of the input: the flipped kernel over each sub-grid of the output's gradient;
- the gradient of the kernel: sample and channel together are the channels, and the output's gradient is the kernel.

Same parameters, same function as `torch.nn.Conv2d(d, d, kernel, padding="same", dilation=dilation, groups=d)`.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["DilatedDepthwise", "wrap_columns"]

_CHUNK = 1 << 18  # bytes of input per call of the weight gradient; measured: it then stays in the cache of one core


def wrap_columns(x: Float[Tensor, "b d h w"], columns: int) -> Float[Tensor, "b d h v"]:
    """The grid with `columns` more columns on either side, as if the last column neighboured the first.

    Examples
    --------
    >>> wrap_columns(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 1).tolist()
    [[[[3.0, 1.0, 2.0, 3.0, 1.0]]]]
    """
    width = x.shape[3]
    if columns <= width:
        return torch.cat([x[..., width - columns :], x, x[..., :columns]], dim=3)
    around = torch.arange(-columns, width + columns, device=x.device) % width
    return x.index_select(3, around)


class DilatedDepthwise(nn.Module):
    """Depthwise "same" convolution with dilation; parameters named and shaped as in `torch.nn.Conv2d`.

    Parameters
    ----------
    dim : int
        Channels.
    kernel, dilation : int
        Odd kernel size and distance between its taps, in cells.
    periodic : bool
        Whether the last column neighbours the first. Rows are padded with zeros always.
    """

    def __init__(self, dim: int, *, kernel: int, dilation: int, periodic: bool = False) -> None:
        super().__init__()
        self.dilation = dilation
        self.periodic = periodic
        self.weight = nn.Parameter(torch.empty(dim, 1, kernel, kernel))
        self.bias = nn.Parameter(torch.empty(dim))

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        """The convolved grid, of the same size."""
        reach = self.dilation * (self.weight.shape[-1] // 2)
        padding = (reach, 0 if self.periodic else reach)
        if self.periodic:
            x = wrap_columns(x, reach)
        if x.device.type != "cpu" or self.dilation == 1:
            return F.conv2d(x, self.weight, self.bias, padding=padding, dilation=self.dilation, groups=len(self.weight))
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight, bias = x.to(dtype), weight.to(dtype), bias.to(dtype)
        out: Tensor = _SpaceToBatch.apply(x, weight, bias, self.dilation)  # type: ignore[no-untyped-call] # torch's own
        return out[..., reach : out.shape[3] - reach] if self.periodic else out


class _SpaceToBatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.dilation, ctx.size = dilation, (x.shape[2], x.shape[3])
        parts = _split(x, dilation)
        ctx.save_for_backward(parts, weight)
        half = weight.shape[-1] // 2
        out = F.conv2d(parts, weight, bias, padding=half, groups=len(weight))
        return _join(out, dilation, ctx.size)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        parts, weight = ctx.saved_tensors
        slopes = _split(grad, ctx.dilation)
        to_input = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            back = F.conv2d(slopes, weight.flip(2, 3), padding=weight.shape[-1] // 2, groups=len(weight))
            to_input = _join(back, ctx.dilation, ctx.size)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(parts, slopes, weight.shape[-1]).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            to_bias = grad.sum((0, 2, 3))
        return to_input, to_weight, to_bias, None


def _split(x: Float[Tensor, "b d h w"], by: int) -> Float[Tensor, "s d y x"]:
    """The interleaved sub-grids, each a sample, padded with zeros to one size; channels last."""
    b, d, h, w = x.shape
    if h % by or w % by:
        x = F.pad(x, (0, -w % by, 0, -h % by))
    h, w = x.shape[2] // by, x.shape[3] // by
    grid = x.permute(0, 2, 3, 1).reshape(b, h, by, w, by, d)
    return grid.permute(0, 2, 4, 1, 3, 5).reshape(b * by * by, h, w, d).permute(0, 3, 1, 2)


def _join(parts: Float[Tensor, "s d y x"], by: int, size: tuple[int, int]) -> Float[Tensor, "b d h w"]:
    """The grid of `size` whose interleaved sub-grids these are; the inverse of `_split`."""
    s, d, h, w = parts.shape
    grid = parts.permute(0, 2, 3, 1).reshape(s // by**2, by, by, h, w, d)
    whole = grid.permute(0, 3, 1, 4, 2, 5).reshape(s // by**2, h * by, w * by, d).permute(0, 3, 1, 2)
    return whole[:, :, : size[0], : size[1]]


def _weight_gradient(x: Float[Tensor, "s d y x"], slopes: Float[Tensor, "s d y x"], kernel: int) -> Tensor:
    """Gradient ``(d, 1, kernel, kernel)`` of the kernel of a "same" depthwise convolution."""
    s, d, h, w = x.shape
    half = kernel // 2
    each = max(1, _CHUNK // (d * (h + 2 * half) * (w + 2 * half) * x.element_size()))
    total = torch.zeros(d, kernel, kernel, dtype=torch.promote_types(x.dtype, torch.float32))
    for start in range(0, s, each):
        part = x[start : start + each]
        n = part.shape[0] * d
        maps = part.reshape(1, n, h, w).contiguous(memory_format=torch.channels_last)
        taps = slopes[start : start + each].reshape(n, 1, h, w)
        total += F.conv2d(maps, taps, padding=half, groups=n).view(-1, d, kernel, kernel).sum(0, dtype=total.dtype)
    return total[:, None]
