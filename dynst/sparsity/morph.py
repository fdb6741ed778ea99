"""Stream morph: time and channels fold into the features of a site, so that one decision holds for every time step."""

from __future__ import annotations

from jaxtyping import Shaped
from torch import Tensor

__all__ = ["morph", "unmorph"]


def morph(frames: Shaped[Tensor, "b t n c"]) -> Shaped[Tensor, "b n f"]:
    """Stream of each site: its history of all channels in one row, time-major (``f = t * c``).

    Parameters
    ----------
    frames : Shaped[Tensor, "b t n c"]
        Values per time step, site and channel.

    Returns
    -------
    Shaped[Tensor, "b n f"]
        Feature ``t * channels + c`` of a site is channel `c` at step `t`.

    Examples
    --------
    >>> import torch
    >>> frames = torch.tensor([[[[1.0], [2.0]], [[3.0], [4.0]]]])  # two steps of two sites
    >>> morph(frames).tolist()
    [[[1.0, 3.0], [2.0, 4.0]]]
    """
    b, t, n, c = frames.shape
    return frames.transpose(1, 2).reshape(b, n, t * c)


def unmorph(stream: Shaped[Tensor, "b n f"], *, channels: int) -> Shaped[Tensor, "b t n c"]:
    """Frames of a stream with `channels` channels; the inverse of `morph`.

    Raises
    ------
    ValueError
        If the number of features is not a multiple of `channels`.

    Examples
    --------
    >>> import torch
    >>> unmorph(torch.tensor([[[1.0, 3.0], [2.0, 4.0]]]), channels=1).tolist()
    [[[[1.0], [2.0]], [[3.0], [4.0]]]]
    """
    b, n, f = stream.shape
    if channels < 1 or f % channels:
        raise ValueError(f"{f} features are not whole frames of {channels} channels.")
    return stream.reshape(b, n, f // channels, channels).transpose(1, 2)
