"""Depthwise dilated convolution on a CPU, as fast as an undilated one.

The CPU library behind torch has fast depthwise kernels, also for rows that lie apart, but not for columns that lie
apart: there it falls into a general kernel that uses one channel in sixteen, and its weight gradient into something
slower still. With channels last in memory, however, `dilation` neighbouring columns of `d` channels *are* one column of
``dilation * d`` channels, on which the taps are neighbours: a change of view, not a copy, on any grid whose width is
a multiple of the dilation. Each of the three passes then is a plain *forward* convolution:

- the forecast: the kernel over the folded grid;
- the gradient of the input: the flipped kernel over the folded gradient of the output;
- the gradient of the kernel: sample and channel together are the channels, and the output's gradient is the kernel.

Same parameters, same function as `torch.nn.Conv2d(d, d, kernel, padding="same", dilation=dilation, groups=d)`.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["DilatedDepthwise", "crop", "wrap_columns"]

_CHUNK = 1 << 19  # bytes of input per call of the weight gradient; measured: 1/4 to 1 MiB are equally good


def wrap_columns(x: Float[Tensor, "b d h w"], before: int, after: int) -> Float[Tensor, "b d h v"]:
    """The grid with more columns on either side, as if the last column neighboured the first.

    Examples
    --------
    >>> wrap_columns(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 1, 2).tolist()
    [[[[3.0, 1.0, 2.0, 3.0, 1.0, 2.0]]]]
    """
    rows, width = x.permute(0, 2, 3, 1), x.shape[3]  # channels last, so that the gradient of a slice is so, too
    if max(before, after) <= width:
        wide = torch.cat([rows[:, :, width - before :], rows, rows[:, :, :after]], dim=2)
    else:
        wide = rows.index_select(2, torch.arange(-before, width + after, device=x.device) % width)
    return wide.permute(0, 3, 1, 2)


def crop(x: Float[Tensor, "b d h w"], rows: int, columns: int) -> Float[Tensor, "b d y x"]:
    """The first rows and columns of a grid; its gradient is channels last, which that of a plain slice is not."""
    if x.shape[2:] == (rows, columns):
        return x
    return x.permute(0, 2, 3, 1)[:, :rows, :columns].permute(0, 3, 1, 2)


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
        width, reach = x.shape[3], self.dilation * (self.weight.shape[-1] // 2)
        if self.periodic:
            x = wrap_columns(x, reach, reach + -width % self.dilation)
        if self.dilation > 1 and x.device.type == "cpu":
            out = self._folded(x)
        else:
            padding = (reach, 0 if self.periodic else reach)
            out = F.conv2d(x, self.weight, self.bias, padding=padding, dilation=self.dilation, groups=len(self.bias))
        return crop(out, out.shape[2], width) if self.periodic else out

    def _folded(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h v"]:
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight, bias = x.to(dtype), weight.to(dtype), bias.to(dtype)
        out: Tensor = _Folded.apply(x, weight, bias, self.dilation, not self.periodic)  # type: ignore[no-untyped-call] # torch's own
        return out


class _Folded(torch.autograd.Function):
    """Convolution of the folded grid; `same` pads its columns with zeros, else only what needs none is returned."""

    @staticmethod
    def forward(  # noqa: PLR0917 # autograd functions take no keywords
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int, same: bool
    ) -> Tensor:
        half = weight.shape[-1] // 2
        ctx.dilation, ctx.padding, ctx.width = dilation, (dilation * half, half if same else 0), x.shape[3]
        folded = _fold(x, dilation)
        ctx.save_for_backward(folded, weight)
        out = _convolve(folded, weight, bias, dilation, ctx.padding)
        return _unfold(out, dilation, x.shape[3] if same else out.shape[3] * dilation)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        folded, weight = ctx.saved_tensors
        slopes = _fold(grad, ctx.dilation)
        to_input = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            padding = ctx.padding[0], weight.shape[-1] - 1 - ctx.padding[1]
            back = _convolve(slopes, weight.flip(2, 3), None, ctx.dilation, padding)
            to_input = _unfold(back, ctx.dilation, ctx.width)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(folded, slopes, ctx.dilation, weight.shape[-1], ctx.padding).to(weight.dtype)
        if ctx.needs_input_grad[2]:
            rows = slopes.permute(0, 2, 3, 1).reshape(-1, len(weight))
            to_bias = rows.new_ones(len(rows)) @ rows  # a sum over a cropped grid is slow
        return to_input, to_weight, to_bias, None, None


def _fold(x: Float[Tensor, "b d h w"], by: int) -> Float[Tensor, "b e h v"]:
    """`by` neighbouring columns as one of `by` times the channels; zeros where the width is no multiple of `by`."""
    b, d, h, w = x.shape
    rows, folds = x.permute(0, 2, 3, 1), -(-w // by)
    if w % by:
        wide = x.new_empty(b, h, folds * by, d)
        wide[:, :, :w], wide[:, :, w:] = rows, 0  # unlike a pad, this writes every number once
        rows = wide
    return rows.reshape(b, h, folds, by * d).permute(0, 3, 1, 2)


def _unfold(x: Float[Tensor, "b e h v"], by: int, width: int) -> Float[Tensor, "b d h w"]:
    """The first `width` columns of a folded grid; the inverse of `_fold`."""
    b, e, h, v = x.shape
    return x.permute(0, 2, 3, 1).reshape(b, h, v * by, e // by).permute(0, 3, 1, 2)[..., :width]


def _convolve(
    x: Float[Tensor, "b e h v"], weight: Tensor, bias: Tensor | None, dilation: int, padding: tuple[int, int]
) -> Float[Tensor, "b e h u"]:
    kernel, offset = weight.repeat(dilation, 1, 1, 1), None if bias is None else bias.repeat(dilation)
    return F.conv2d(x, kernel, offset, padding=padding, dilation=(dilation, 1), groups=x.shape[1])


def _weight_gradient(
    x: Float[Tensor, "b e h v"],
    slopes: Float[Tensor, "b e h u"],
    dilation: int,
    kernel: int,
    padding: tuple[int, int],
) -> Float[Tensor, "d 1 k k"]:
    """Gradient of the kernel: each sample and channel of `x` convolved with its own `slopes`, summed over samples."""
    b, e, h, v = x.shape
    u, dim = slopes.shape[3], e // dilation
    each = max(1, _CHUNK // (e * (h + 2 * padding[0]) * (v + 2 * padding[1]) * x.element_size()))
    maps, taps = x.permute(2, 3, 0, 1), slopes.permute(2, 3, 0, 1)  # channels last, and samples just before them
    total = torch.zeros(kernel**2, dim, dtype=torch.promote_types(x.dtype, torch.float32))
    for start in range(0, b, each):
        n = min(each, b - start) * e
        some = maps[:, :, start : start + each].reshape(1, h, v, n).permute(0, 3, 1, 2)
        # A transposition in two dimensions is much faster than the same in four.
        kernels = taps[:, :, start : start + each].reshape(h * u, n).t().contiguous().view(n, 1, h, u)
        products = F.conv2d(some, kernels, padding=padding, stride=(dilation, 1), groups=n)
        total += products.permute(0, 2, 3, 1).reshape(kernel**2, -1, dim).sum(1, dtype=total.dtype)
    return total.t().reshape(dim, 1, kernel, kernel)
