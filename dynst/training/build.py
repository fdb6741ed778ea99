"""From a field to a network that is ready to be trained on it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from dynst.backbones import BACKBONES
from dynst.domain import Field, Sites, Window
from dynst.errors import ConfigError, unknown_name
from dynst.sparsity import MaskState, SensorMask
from dynst.training.forecaster import MaskedForecaster
from dynst.training.state import seeded

__all__ = ["build_forecaster", "roles"]


def build_forecaster(
    field: Field, window: Window, mask: MaskState, *, seed: int, backbone: str = "stlight", **shape: Any
) -> MaskedForecaster:
    """A fresh forecaster of a field, behind a mask that appends its support as a feature.

    Parameters
    ----------
    field : Field
        Gives the layout, and the channels that are observed and predicted.
    window : Window
        Gives the lengths of history and prediction.
    mask : MaskState
        Where the mask starts.
    seed : int
        Of the first weights.
    backbone : str
        A name in `BACKBONES`.
    shape
        Options of the backbone, such as its width.

    Raises
    ------
    ConfigError
        If the backbone is unknown.
    """
    if backbone not in BACKBONES:
        raise ConfigError(unknown_name("backbone", backbone, BACKBONES))
    network = BACKBONES[backbone](
        field.layout,
        features_in=window.history * len(field.observed) + 1,
        features_out=window.prediction * len(field.predicted),
        generator=seeded(seed, 2),
        **shape,
    )
    return MaskedForecaster(network, SensorMask(mask, flag=True), channels_out=len(field.predicted))


def roles(sites: Sites) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Which sites are fixed, and which forbidden."""
    fixed, forbidden = torch.zeros(len(sites), dtype=torch.bool), torch.ones(len(sites), dtype=torch.bool)
    fixed[torch.from_numpy(sites.fixed)] = True
    forbidden[torch.from_numpy(sites.legal)] = False
    return fixed, forbidden
