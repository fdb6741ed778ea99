"""TrainingState: everything that a training run changes, in one place, so that a run can be stopped and resumed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool
from torch import Tensor

from dynst.sparsity import Evidence
from dynst.training.forecaster import MaskedForecaster
from dynst.training.recipe import Recipe

__all__ = ["TrainingState", "seeded"]


@dataclass(eq=False)
class TrainingState:
    """What changes from step to step. The position in the data is `step`: the order of the windows follows from `seed`.

    Parameters
    ----------
    forecaster : MaskedForecaster
        Network and mask.
    optimiser : torch.optim.AdamW
        Its first group holds the network's parameters, its second the scores.
    evidence : Evidence
        What was learnt about the sites since the last update.
    generator : torch.Generator
        Draws other layouts and random saliencies.
    seed : int
        Of the order of the windows.
    step : int
        Steps done.
    best_error : float
        Lowest validation error under the final support; infinite before the first.
    best : dict
        Weights of the forecaster at that moment.
    origin : dict
        First weights of the network, kept for rewinding only.
    history : list
        The changes of the mask so far: step, births, deaths.
    """

    forecaster: MaskedForecaster
    optimiser: torch.optim.AdamW
    evidence: Evidence
    generator: torch.Generator
    seed: int
    step: int = 0
    best_error: float = math.inf
    best: dict[str, Tensor] = field(default_factory=dict)
    origin: dict[str, Tensor] = field(default_factory=dict)
    history: list[tuple[int, list[int], list[int]]] = field(default_factory=list)

    @classmethod
    def start(cls, forecaster: MaskedForecaster, recipe: Recipe, *, seed: int) -> TrainingState:
        """The state before the first step."""
        forecaster = forecaster.to(recipe.device)
        score = forecaster.mask.score
        optimiser = torch.optim.AdamW(
            [
                {"params": list(forecaster.backbone.parameters()), "weight_decay": recipe.weight_decay},
                {"params": [score], "weight_decay": 0.0},
            ],
            lr=recipe.learning_rate,
            fused=True,
        )
        return cls(
            forecaster=forecaster,
            optimiser=optimiser,
            evidence=Evidence.empty(len(score)),
            generator=seeded(seed, 1),
            seed=seed,
            origin=_copied(forecaster.backbone) if recipe.rewind else {},
        )

    def keep_best(self, error: float) -> bool:
        """Remember the weights if `error` is the lowest so far; whether it was."""
        if not error < self.best_error:  # NaN is never the best
            return False
        self.best_error, self.best = error, _copied(self.forecaster)
        return True

    def use_best(self) -> None:
        """Put the best weights in place, if there are any."""
        if self.best:
            self.forecaster.load_state_dict(self.best)

    def rewind(self) -> None:
        """Put the network's first weights back and forget its moments; the mask stays."""
        self.forecaster.backbone.load_state_dict(self.origin)
        for parameter in self.forecaster.backbone.parameters():
            self.optimiser.state.pop(parameter, None)

    def forget(self, sites: Bool[Tensor, " n"]) -> None:
        """Start the moments of these sites' scores anew."""
        moments = self.optimiser.state.get(self.forecaster.mask.score, {})
        for name in ("exp_avg", "exp_avg_sq"):
            if name in moments:
                moments[name][sites] = 0.0


def seeded(seed: int, use: int) -> torch.Generator:
    """A generator for one use of a seed; different uses give unrelated draws.

    Examples
    --------
    >>> a, b = (torch.rand(1, generator=seeded(0, use)).item() for use in (1, 2))
    >>> a != b
    True
    """
    return torch.Generator().manual_seed((seed * 1_000_003 + use) % 2**63)


def _copied(module: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
