"""STLight (arXiv 2411.10198): patches, depthwise and pointwise convolutions, patch shuffle. Grids only.

The network is the paper's; the layout in memory is ours. Everything runs channels-last, which for a stream of sites
needs no rearrangement at all, and the dilated convolution is `dynst.backbones.depthwise`.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from dynst.backbones.base import AbstractBackbone
from dynst.backbones.depthwise import DilatedDepthwise, crop
from dynst.domain import GridLayout, Layout, Sites
from dynst.errors import ConfigError

__all__ = ["STLight", "STLightCore"]


@final
class STLight(AbstractBackbone):
    """STLight on the sites of a grid; cells without a site read 0 and are not returned.

    Parameters
    ----------
    layout : GridLayout
        Where the sites stand. On a periodic layout every convolution reaches around the Earth in longitude.
    features_in, features_out : int
        Width of the stream of a site, before and after.
    dim, depth, patch, overlap, kernel, dilation
        As for `STLightCore`. 32 and 3 suit records of some hundred windows; the paper has 800 to 1400 and 16.
    generator : torch.Generator or None
        Source of the initial weights.

    Examples
    --------
    >>> import numpy as np
    >>> layout = GridLayout((4, 5), np.arange(20))
    >>> STLight(layout, features_in=3, features_out=2, dim=8)(torch.zeros(1, 20, 3)).shape
    torch.Size([1, 20, 2])
    """

    periodic_equivariant: ClassVar[bool] = True

    def __init__(
        self,
        layout: GridLayout,
        *,
        features_in: int,
        features_out: int,
        dim: int = 32,
        depth: int = 3,
        patch: int = 2,
        overlap: int = 0,
        kernel: tuple[int, int] = (3, 7),
        dilation: int = 3,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.features_in, self.features_out = features_in, features_out
        self.shape, self.full, self.patch = layout.shape, layout.full, patch
        self.register_buffer("cell", torch.from_numpy(layout.cell.copy()), persistent=False)
        self.core = STLightCore(
            features_in,
            features_out,
            dim=dim,
            depth=depth,
            patch=patch,
            overlap=overlap,
            kernel=kernel,
            dilation=dilation,
            periodic=layout.periodic,
            generator=generator,
        )

    cell: Tensor

    @classmethod
    def on(
        cls,
        sites: Sites,
        layout: Layout,
        *,
        features_in: int,
        features_out: int,
        generator: torch.Generator | None = None,
        **shape: Any,
    ) -> STLight:
        """STLight for these sites; `shape` as for the constructor.

        Raises
        ------
        ConfigError
            If the sites do not form a grid, or an option makes no sense.
        """
        if not isinstance(layout, GridLayout):
            raise ConfigError(f"backbone stlight needs a grid; these sites form a graph ({layout.words}). Choose gnn.")
        return cls(layout, features_in=features_in, features_out=features_out, generator=generator, **shape)

    def forward(self, stream: Float[Tensor, "b n f"]) -> Float[Tensor, "b n g"]:
        """Forecast stream of a stream."""
        b, _, f = stream.shape
        h, w = self.shape
        if not self.full:
            stream = stream.new_zeros(b, h * w, f).index_copy(1, self.cell, stream)
        grid = stream.view(b, h, w, f) if stream.is_contiguous() else stream.reshape(b, h, w, f)
        out = self.core(grid.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).reshape(b, h * w, self.features_out)
        sites: Tensor = out if self.full else out.index_select(1, self.cell)
        return sites


@final
class STLightCore(nn.Module):
    """STLight as published: ``(B, T * C, H, W)`` in, ``(B, T' * C', H, W)`` out, for any H and W.

    Parameters
    ----------
    channels_in, channels_out : int
        T * C and T' * C'.
    dim, depth : int
        Width, and number of mixer blocks.
    patch, overlap : int
        Side of a patch in cells; 0 for patches side by side, 2 for patches that overlap by half.
    kernel : tuple of int
        Sizes of the two depthwise convolutions, odd.
    dilation : int
        Of the second one.
    periodic : bool
        Whether the last column neighbours the first (ours; the paper pads with zeros). Exact if W is a multiple of
        `patch`.
    generator : torch.Generator or None
        Source of the initial weights; the global one if left out.

    Examples
    --------
    >>> with torch.device("meta"):
    ...     core = STLightCore(10, 10, dim=800, depth=16)
    >>> round(sum(weight.numel() for weight in core.parameters()) / 1e6, 1)
    11.1
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        dim: int,
        depth: int,
        patch: int = 2,
        overlap: int = 0,
        kernel: tuple[int, int] = (3, 7),
        dilation: int = 3,
        periodic: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check(dim=dim, depth=depth, patch=patch, overlap=overlap, kernel=kernel, dilation=dilation)
        self.encoder = _PatchEncoder(channels_in, dim, patch=patch, overlap=overlap, periodic=periodic)
        self.mixers = nn.ModuleList(
            _Mixer(dim, kernel=kernel, dilation=dilation, periodic=periodic) for _ in range(depth)
        )
        self.skip = depth // 3, 2 * depth // 3
        self.shuffle = nn.PixelShuffle(patch)
        self.decoder = _conv(dim // patch**2, channels_out, 1)
        _initialise(self, generator)

    def forward(self, x: Float[Tensor, "b f h w"]) -> Float[Tensor, "b g h w"]:
        """Future frames of past frames."""
        h, w = x.shape[2:]
        x = self.encoder(x.contiguous(memory_format=torch.channels_last))
        first, second = self.skip
        kept = x
        for i, mixer in enumerate(self.mixers):
            if i == first:
                kept = x
            if i == second and second > first:
                x = x + kept
            x = mixer(x)
        return crop(self.decoder(self.shuffle(x)), h, w)


class _PatchEncoder(nn.Module):
    """Convolution over patches, batch norm, GELU."""

    def __init__(self, channels: int, dim: int, *, patch: int, overlap: int, periodic: bool) -> None:
        super().__init__()
        self.patch, self.periodic = patch, periodic
        self.kernel = patch * max(1, overlap)
        self.before = max(0, overlap - 1) * patch // 2
        self.conv = _conv(channels, dim, self.kernel, stride=patch)
        self.norm = nn.BatchNorm2d(dim)

    def forward(self, x: Float[Tensor, "b f h w"]) -> Float[Tensor, "b d y x"]:
        # As the paper pads, and as much more at the end as the last patch of an odd grid needs.
        top, left = self._padding(x.shape[2]), self._padding(x.shape[3])
        if self.periodic and any(left):
            around = torch.arange(-left[0], x.shape[3] + left[1], device=x.device) % x.shape[3]
            x, left = x.index_select(3, around), (0, 0)
        if any(top) or any(left):
            x = F.pad(x, (*left, *top))
        out: Tensor = F.gelu(self.norm(self.conv(x)))
        return out

    def _padding(self, size: int) -> tuple[int, int]:
        patches = -(-size // self.patch)
        return self.before, max(0, (patches - 1) * self.patch + self.kernel - size - self.before)


class _Mixer(nn.Module):
    """Residual depthwise pair (near, then far), then a pointwise convolution."""

    def __init__(self, dim: int, *, kernel: tuple[int, int], dilation: int, periodic: bool) -> None:
        super().__init__()
        near, far = kernel
        self.near = DilatedDepthwise(dim, kernel=near, dilation=1, periodic=periodic)
        self.far = DilatedDepthwise(dim, kernel=far, dilation=dilation, periodic=periodic)
        self.space_norm = nn.BatchNorm2d(dim)
        self.point = _conv(dim, dim, 1)
        self.point_norm = nn.BatchNorm2d(dim)

    def forward(self, x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
        x = x + self.space_norm(F.gelu(self.far(self.near(x))))
        out: Tensor = self.point_norm(F.gelu(self.point(x)))
        return out


def _conv(channels_in: int, channels_out: int, kernel: int, *, stride: int = 1) -> nn.Conv2d:
    """A convolution whose weights are not drawn yet: torch would draw them from the global generator."""
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride=stride, device="meta")
    return conv.to_empty(device=torch.get_default_device())


def _initialise(core: STLightCore, generator: torch.Generator | None) -> None:
    """Kaiming normal by fan-out and zero bias, but the customary uniform draw for the last convolution."""
    for module in core.modules():
        if isinstance(module, nn.Conv2d | DilatedDepthwise) and module is not core.decoder:
            nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    nn.init.kaiming_uniform_(core.decoder.weight, a=5**0.5, generator=generator)
    bound = core.decoder.in_channels**-0.5
    if core.decoder.bias is not None:
        nn.init.uniform_(core.decoder.bias, -bound, bound, generator=generator)


def _check(*, dim: int, depth: int, patch: int, overlap: int, kernel: tuple[int, int], dilation: int) -> None:
    if min(dim, depth, patch, dilation) < 1 or overlap < 0:
        raise ConfigError(
            f"STLight needs dim, depth, patch and dilation of at least 1 and overlap of at least 0; {dim}, {depth}, "
            f"{patch}, {dilation} and {overlap} came."
        )
    if dim % patch**2:
        raise ConfigError(f"STLight with patch {patch} needs a dim that is a multiple of {patch**2}; {dim} came.")
    if any(size < 1 or size % 2 == 0 for size in kernel):
        raise ConfigError(f"the kernels of STLight must be odd; {kernel} came.")
