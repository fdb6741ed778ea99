"""What every trainable backbone is: stream in, stream out, and what it claims about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dynst.domain import Layout, Sites

__all__ = ["AbstractBackbone"]


class AbstractBackbone(nn.Module, ABC):
    """A forecaster on sites: the history of each site in one row, the future of each site in one row.

    A subclass is final. What it claims, the contract tests hold it to.

    Attributes
    ----------
    features_in, features_out : int
        Width of the stream that comes (including a support channel, if the caller appends one) and that goes.
    periodic_equivariant : bool
        A shift in longitude by a multiple of the patch shifts the forecast, on a full grid that closes around the
        Earth.
    permutation_equivariant : bool
        Relabelling the sites relabels the forecast.
    sensors_only : bool
        Can be built for a fixed set of sensors (option ``sensors`` of `on`), so that absent sensors cost no time.
    takes_static : bool
        Takes what is known of each site (option ``static`` of `on`) when it is built, rather than in every stream.
    """

    periodic_equivariant: ClassVar[bool] = False
    permutation_equivariant: ClassVar[bool] = False
    sensors_only: ClassVar[bool] = False
    takes_static: ClassVar[bool] = False

    features_in: int
    features_out: int

    @classmethod
    @abstractmethod
    def on(
        cls,
        sites: Sites,
        layout: Layout,
        *,
        features_in: int,
        features_out: int,
        generator: torch.Generator | None = None,
        **shape: Any,
    ) -> AbstractBackbone:
        """The backbone for these sites; `shape` are its own options, such as its width.

        Raises
        ------
        ConfigError
            If the layout does not suit the backbone, or an option makes no sense.
        """

    @abstractmethod
    def forward(self, stream: Float[Tensor, "b n f"]) -> Float[Tensor, "b n g"]:
        """Forecast stream ``(b, n, features_out)`` of the stream ``(b, n, features_in)``."""
