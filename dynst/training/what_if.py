"""What-ifs: the loss of a trained network under layouts it is asked about, in evaluation mode, on the same windows."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from dynst.sparsity import Evidence, MaskState
from dynst.training.forecaster import MaskedForecaster
from dynst.training.loop import to_device
from dynst.training.losses import sample_mse, weighted_mse
from dynst.windows.dataset import WindowBatch

__all__ = ["WhatIf"]

_VALUES = 400_000  # sites times windows forecast at once: the activations stay near the cache
_DOUBT = 16  # sites tried on either side of a border of an update


class WhatIf:
    """Losses of layouts under a frozen network.

    Only layouts with the *same number* of sensors may be compared: normalisation statistics and the support
    channel make different counts incomparable (docs/method.md).

    Parameters
    ----------
    forecaster : MaskedForecaster
        Used in evaluation mode, and left in the mode it was in.
    batch : WindowBatch
        Windows on which every layout is scored.
    weight : Float[Tensor, "n"]
        Area weight of each site.
    """

    def __init__(self, forecaster: MaskedForecaster, batch: WindowBatch, weight: Float[Tensor, " n"]) -> None:
        self.forecaster, self.weight = forecaster, weight
        self.batch = to_device(batch, str(weight.device))
        self.forecasts = 0  # windows forecast so far: the measure of cost

    def thinned(self, every: int) -> WhatIf:
        """The same network, asked about every so many-th of the windows."""
        return WhatIf(self.forecaster, _cut(self.batch, slice(None, None, every)), self.weight)

    def losses(self, layouts: Bool[Tensor, "l n"]) -> Float[Tensor, " l"]:
        """Loss of each layout over all windows."""
        assert len(set(layouts.sum(1).tolist())) <= 1, "what-ifs are only comparable at one count"
        return torch.stack([self._loss(layout) for layout in layouts]) if len(layouts) else self.weight.new_zeros(0)

    def gradient(self, layout: Bool[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Gate gradient of the loss over all windows: the first-order change when a site is switched on."""
        mask, training = self.forecaster.mask, self.forecaster.training
        before = mask.state
        self.forecaster.eval()
        with torch.no_grad():
            mask.support.copy_(layout)
        total = torch.zeros_like(self.weight)
        for part in _parts(self.batch):
            prediction = self.forecaster(part.inputs, None, part.inputs_observed)
            loss = weighted_mse(prediction, part.targets, part.targets_observed, self.weight)
            (grad,) = torch.autograd.grad(loss, [mask.score])
            total += grad * (len(part) / len(self.batch))
        mask.load(before)
        self.forecaster.train(training)
        self.forecasts += 3 * len(self.batch)  # a backward pass costs about two forward passes
        return total

    def worth(self, mask: MaskState, evidence: Evidence, n_active: int, n_swap: int) -> Float[Tensor, " n"]:
        """Measured worth for an update: a `Worth` for the training loop.

        Tried are the sites near the two borders of the update, as their gradients order them: up to 16 on either
        side of the border between leaving and staying, and of the one between coming and not. Each is tried alone
        on the support without those who might leave, so all are compared at one count, with one another.
        """
        benefit = -evidence.average
        leave, come = max(0, mask.n_active - (n_active - n_swap)), n_swap
        weakest = _ordered(-benefit, mask.active & ~mask.fixed)
        strongest = _ordered(benefit, ~mask.active & ~mask.forbidden)
        leaving, waiting = _border(weakest, leave), _border(strongest, come)
        tried = torch.cat([leaving, waiting])
        base = mask.active.clone()
        base[leaving] = False
        worth = torch.full_like(benefit, -math.inf)
        worth[mask.fixed] = math.inf
        worth[weakest[leave + min(leave, _DOUBT) :]] = math.inf
        worth[strongest[: max(0, come - _DOUBT)]] = math.inf
        worth[tried] = -self.losses(_with_each(base, tried)).cpu()
        return worth

    @torch.no_grad()
    def _loss(self, layout: Bool[Tensor, " n"]) -> Float[Tensor, ""]:
        training = self.forecaster.training
        self.forecaster.eval()
        total = self.weight.new_zeros(())
        for part in _parts(self.batch):
            everywhere = layout.to(self.weight.device).expand(len(part), -1)
            prediction = self.forecaster(part.inputs, everywhere, part.inputs_observed)
            total += sample_mse(prediction, part.targets, part.targets_observed, self.weight).sum()
        self.forecaster.train(training)
        self.forecasts += len(self.batch)
        return total / len(self.batch)


def _parts(batch: WindowBatch) -> list[WindowBatch]:
    size = max(1, min(len(batch), _VALUES // batch.inputs.shape[2]))
    return [_cut(batch, slice(i, i + size)) for i in range(0, len(batch), size)]


def _cut(batch: WindowBatch, rows: slice) -> WindowBatch:
    inputs, targets = batch.inputs_observed, batch.targets_observed
    return WindowBatch(
        batch.inputs[rows],
        batch.targets[rows],
        None if inputs is None else inputs[rows],
        None if targets is None else targets[rows],
    )


def _ordered(values: Float[Tensor, " n"], among: Bool[Tensor, " n"]) -> Tensor:
    sites = among.nonzero().squeeze(-1)
    return sites[values[sites].sort(descending=True, stable=True).indices]


def _border(ordered: Tensor, count: int) -> Tensor:
    """Those around place `count` of an order: as many before it as after it."""
    doubt = min(count, _DOUBT)
    return ordered[count - doubt : count + doubt]


def _with_each(base: Bool[Tensor, " n"], sites: Tensor) -> Bool[Tensor, "l n"]:
    """One layout per site: the base and that site."""
    layouts = base.repeat(len(sites), 1)
    layouts[torch.arange(len(sites)), sites] = True
    return layouts
