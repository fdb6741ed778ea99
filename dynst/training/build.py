"""From a field to a network that is ready to be trained on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynst.backbones import BACKBONES, backbone_for
from dynst.domain import Field, Sites, Window
from dynst.errors import ConfigError, unknown_name
from dynst.sparsity import MaskState, SensorMask
from dynst.training.forecaster import MaskedForecaster
from dynst.training.state import seeded

__all__ = ["build_forecaster", "roles"]


def build_forecaster(
    field: Field, window: Window, mask: MaskState, *, seed: int, backbone: str | None = None, **shape: Any
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
    backbone : str or None
        A name in `BACKBONES`; the one that suits the layout if left out.
    shape
        Options of the backbone, such as its width; None stands for its own default.

    Raises
    ------
    ConfigError
        If the backbone is unknown, or does not suit the layout.
    """
    backbone = backbone or backbone_for(field.layout)
    if backbone not in BACKBONES:
        raise ConfigError(unknown_name("backbone", backbone, BACKBONES))
    covariates = _standardised(field)
    network = (
        BACKBONES[backbone]
        .load()
        .on(
            field.sites,
            field.layout,
            features_in=window.history * len(field.observed) + 1 + covariates.shape[1],
            features_out=window.prediction * len(field.predicted),
            generator=seeded(seed, 2),
            **{name: value for name, value in shape.items() if value is not None},
        )
    )
    return MaskedForecaster(
        network, SensorMask(mask, flag=True), channels_out=len(field.predicted), covariates=covariates
    )


def _standardised(field: Field) -> Float[Tensor, "n k"]:
    """The covariates that vary, with mean 0 and deviation 1."""
    values = np.array([covariate.values for covariate in field.covariates]).reshape(-1, len(field.sites))
    values = values - values.mean(axis=1, keepdims=True)
    deviation = values.std(axis=1, keepdims=True)
    varying = deviation[:, 0] > 0
    return torch.from_numpy((values[varying] / deviation[varying]).T.astype(np.float32))


def roles(sites: Sites) -> tuple[Bool[Tensor, " n"], Bool[Tensor, " n"]]:
    """Which sites are fixed, and which forbidden."""
    fixed, forbidden = torch.zeros(len(sites), dtype=torch.bool), torch.ones(len(sites), dtype=torch.bool)
    fixed[torch.from_numpy(sites.fixed)] = True
    forbidden[torch.from_numpy(sites.legal)] = False
    return fixed, forbidden
