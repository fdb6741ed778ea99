"""Recipe: how a forecaster is trained, apart from when its mask changes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from dynst.errors import ConfigError, unknown_name
from dynst.sparsity import SALIENCIES

__all__ = ["PRECISIONS", "Recipe"]

PRECISIONS = ("32", "bf16")
"""Arithmetic of the forward pass: float32, or bfloat16 by autocast."""

_RATES = ("cosine", "one_cycle")


@dataclass(frozen=True)
class Recipe:
    """Options of a training run.

    Parameters
    ----------
    batch : int
        Windows in a batch.
    learning_rate, weight_decay : float
        Of AdamW, for the network (3e-3 and 3e-2: the study's values, docs/method.md).
    mask_rate : float
        Learning rate of the scores, which have no weight decay (1e-2, as in UGS).
    rate : str
        ``one_cycle`` (rise over 30 % of the steps, then a cosine down; Smith & Topin, arXiv 1708.07120) or ``cosine``.
    clip : float
        Largest norm of the network's gradient.
    l1 : float
        Weight of the sum of ``|score|`` in the loss; its gradient never enters the evidence.
    drop_by, grow_by : str
        Saliencies, names in `SALIENCIES`.
    conditioned : bool
        Whether the second half of each batch carries other layouts, so that the network stays honest about them.
    rewind : bool
        Whether each pruning puts the network's first weights back (UGS, lottery tickets).
    precision : str
        ``32`` or ``bf16``.
    device : str
        Where to compute, as torch names it, or ``auto``: the GPU if there is one.
    evaluate_every : int
        Steps between two validations.

    Raises
    ------
    ConfigError
        If a name is unknown or a number makes no sense.

    Examples
    --------
    >>> recipe = Recipe(learning_rate=1.0)
    >>> [round(recipe.rate_at(step, 100), 3) for step in (0, 30, 100)]
    [0.04, 1.0, 0.0]
    """

    batch: int = 16
    learning_rate: float = 3e-3
    weight_decay: float = 3e-2
    mask_rate: float = 1e-2
    rate: str = "one_cycle"
    clip: float = 1.0
    l1: float = 0.0
    drop_by: str = "benefit"
    grow_by: str = "benefit"
    conditioned: bool = True
    rewind: bool = False
    precision: str = "32"
    device: str = "cpu"
    evaluate_every: int = 50

    def __post_init__(self) -> None:
        if self.device == "auto":
            object.__setattr__(self, "device", "cuda" if torch.cuda.is_available() else "cpu")
        if self.device.startswith("cuda") and not torch.cuda.is_available():
            raise ConfigError("device cuda came, but torch finds no GPU here. Choose cpu or auto.")
        for name in (self.drop_by, self.grow_by):
            if name not in SALIENCIES:
                raise ConfigError(unknown_name("saliency", name, SALIENCIES))
        if self.rate not in _RATES:
            raise ConfigError(unknown_name("learning rate schedule", self.rate, _RATES))
        if self.precision not in PRECISIONS:
            raise ConfigError(unknown_name("precision", self.precision, PRECISIONS))
        if self.batch < 1 or self.evaluate_every < 1:
            raise ConfigError(
                f"batch and evaluate_every must be at least 1; {self.batch} and {self.evaluate_every} came."
            )
        if min(self.learning_rate, self.mask_rate, self.clip) <= 0 or min(self.weight_decay, self.l1) < 0:
            raise ConfigError("learning rates and clip must be positive, weight decay and l1 not negative.")

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of the network at a step."""
        return self.learning_rate * self.share_at(step, steps)

    def share_at(self, step: int, steps: int) -> float:
        """Share of the full learning rate at a step, for the network and the scores alike."""
        if self.rate == "cosine":
            return _cosine(1.0, 0.0, step / steps)
        peak = 0.3 * steps
        if step < peak:
            return _cosine(1 / 25, 1.0, step / peak)
        return _cosine(1.0, 1 / 25e4, (step - peak) / (steps - peak))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(share, 1.0)))
