"""The training loop: forward, backward, update, record. It prints nothing and opens no file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn

from dynst.errors import DataError
from dynst.sparsity import SALIENCIES, Evidence, MaskState, Schedule, drop_regrow, other_layouts, regrown
from dynst.training.losses import weighted_mse
from dynst.training.recipe import Recipe
from dynst.training.state import TrainingState, seeded
from dynst.windows.dataset import WindowBatch, WindowDataset

__all__ = ["StepRecord", "Worth", "evaluate", "to_device", "train", "window_order"]

Worth = Callable[[MaskState, Evidence, int, int], Tensor]
"""``(mask, evidence, n_active, n_swap) -> (n,)``: measured worth of the sites that the next update is about."""


@dataclass(frozen=True)
class StepRecord:
    """What one training step did.

    Parameters
    ----------
    step, steps : int
        Number of the step, from 0, and of all steps.
    loss : float
        Standardised, area-weighted mean squared error of the batch.
    rate : float
        Learning rate of the network.
    phase : str
        ``warm-up``, ``pruning``, ``drop-regrow`` or ``frozen``.
    n_active, n_swap : int
        Sites active after the step, and how many of them its update asked to regrow.
    births, deaths : tuple of int
        Sites that entered and left the support at the end of the step.
    valid_error : float or None
        Validation loss, where one was taken.
    best : bool
        Whether that was the lowest under the final support.
    """

    step: int
    steps: int
    loss: float
    rate: float
    phase: str
    n_active: int
    n_swap: int = 0
    births: tuple[int, ...] = ()
    deaths: tuple[int, ...] = ()
    valid_error: float | None = None
    best: bool = False


def train(
    state: TrainingState,
    data: WindowDataset,
    *,
    schedule: Schedule,
    recipe: Recipe,
    weight: Float[ndarray, " n"],
    valid: WindowDataset | None = None,
    worth: Worth | None = None,
) -> Iterator[StepRecord]:
    """Train from ``state.step`` to the end of the schedule, one step for each record.

    Between two records `state` is whole: it may be saved, and a run resumed from it goes on bit for bit as if it
    had not been stopped.

    Parameters
    ----------
    state : TrainingState
        Changed in place.
    data, valid : WindowDataset
        Windows to learn from, and to choose the best weights on once the support is final. None keeps the last.
    schedule : Schedule
        When the mask changes.
    recipe : Recipe
        How to train.
    weight : Float[ndarray, "n"]
        Area weight of each site.
    worth : Worth or None
        Measures what-ifs; needed by the saliency ``exact`` only.

    Raises
    ------
    DataError
        If the loss or a gradient is not finite; the message names the windows of the batch.
    """
    area = torch.as_tensor(weight, dtype=torch.float32, device=recipe.device)
    for indices, batch in _batches(data, recipe, seed=state.seed, skip=state.step, until=schedule.steps):
        loss = _forward(state, batch, schedule, recipe, area)
        gradient = _backward(state, loss, recipe, indices)
        record = replace(_update(state, gradient, schedule, recipe, worth), loss=float(loss.detach()))
        if valid is not None and _is_due(state, schedule, recipe):
            error = evaluate(state, valid, recipe=recipe, weight=area)
            record = replace(record, valid_error=error, best=state.keep_best(error))
        yield record


def window_order(count: int, size: int, *, seed: int) -> Iterator[Int[ndarray, " b"]]:
    """Numbers of the windows of each batch, without end: one random order after another, no window left out for long.

    Examples
    --------
    >>> first, second = islice(window_order(4, 2, seed=0), 2)
    >>> sorted([*first.tolist(), *second.tolist()])
    [0, 1, 2, 3]
    """
    generator, size = seeded(seed, 0), min(size, count)
    while True:
        order = torch.randperm(count, generator=generator).numpy()
        for i in range(0, count - size + 1, size):
            yield order[i : i + size]


@torch.no_grad()
def evaluate(state: TrainingState, data: WindowDataset, *, recipe: Recipe, weight: Float[Tensor, " n"]) -> float:
    """Loss over all windows of `data` in evaluation mode, under the current support."""
    forecaster = state.forecaster.eval()
    total, count = 0.0, 0
    for batch in data.batches(max(recipe.batch, 32), prefetch=False):
        moved = to_device(batch, recipe.device)
        with _autocast(recipe):
            prediction = forecaster(moved.inputs, None, moved.inputs_observed)
        total += float(weighted_mse(prediction.float(), moved.targets, moved.targets_observed, weight)) * len(batch)
        count += len(batch)
    return total / count


def _batches(
    data: WindowDataset, recipe: Recipe, *, seed: int, skip: int, until: int
) -> Iterator[tuple[Int[ndarray, " b"], WindowBatch]]:
    """Batches of the steps from `skip` to `until`, the next one read while this one is computed."""
    orders = islice(window_order(len(data), recipe.batch, seed=seed), skip, until)
    with ThreadPoolExecutor(1, thread_name_prefix="windows") as thread:
        coming = None
        for indices in orders:
            ready, coming = coming, (indices, thread.submit(data.batch, indices))
            if ready is not None:
                yield ready[0], to_device(ready[1].result(), recipe.device)
        if coming is not None:
            yield coming[0], to_device(coming[1].result(), recipe.device)


def _forward(
    state: TrainingState, batch: WindowBatch, schedule: Schedule, recipe: Recipe, weight: Float[Tensor, " n"]
) -> Float[Tensor, ""]:
    forecaster = state.forecaster.train()
    others = None
    if recipe.conditioned and len(batch) > 1:
        mask = forecaster.mask.state.cpu()
        others = other_layouts(mask, len(batch) // 2, around=schedule.target, generator=state.generator)
        others = others.to(recipe.device)
    with _autocast(recipe):
        prediction = forecaster(batch.inputs, others, batch.inputs_observed)
    return weighted_mse(prediction.float(), batch.targets, batch.targets_observed, weight)


def _backward(
    state: TrainingState, loss: Float[Tensor, ""], recipe: Recipe, indices: Int[ndarray, " b"]
) -> Float[Tensor, " n"]:
    """Gate gradient of the batch, on the CPU; gradients of the network are clipped and in place."""
    state.optimiser.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    score = state.forecaster.mask.score
    norm = nn.utils.clip_grad_norm_(state.forecaster.backbone.parameters(), recipe.clip)
    assert score.grad is not None
    gradient = score.grad.detach().clone().cpu()
    if not (math.isfinite(float(loss.detach())) and math.isfinite(float(norm)) and bool(gradient.isfinite().all())):
        raise DataError(
            f"training step {state.step}: the loss is {float(loss.detach()):g} and its gradient {float(norm):g} on the "
            f"batch of windows {', '.join(map(str, indices.tolist()))}. Look for extreme values in these windows, "
            "or lower the learning rate."
        )
    if recipe.l1:
        score.grad.add_(score.detach().sign(), alpha=recipe.l1)
    return gradient


def _update(
    state: TrainingState, gradient: Float[Tensor, " n"], schedule: Schedule, recipe: Recipe, worth: Worth | None
) -> StepRecord:
    """One step of the optimiser and, where the schedule says so, of the mask."""
    step = state.step
    share = recipe.share_at(step, schedule.steps)
    network, scores = state.optimiser.param_groups
    network["lr"], scores["lr"] = recipe.learning_rate * share, recipe.mask_rate * share
    state.optimiser.step()
    state.evidence = state.evidence.add(gradient)
    state.step = step + 1
    births, deaths = _change_mask(state, step, schedule, recipe, worth) if schedule.is_update(step) else ((), ())
    return StepRecord(
        step=step,
        steps=schedule.steps,
        loss=math.nan,
        rate=network["lr"],
        phase=str(schedule.phase(step)),
        n_active=schedule.n_active(step),
        n_swap=schedule.n_swap(step),
        births=births,
        deaths=deaths,
    )


def _change_mask(
    state: TrainingState, step: int, schedule: Schedule, recipe: Recipe, worth: Worth | None
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    mask = state.forecaster.mask
    before = mask.state.cpu()
    n_active, n_swap = schedule.n_active(step), schedule.n_swap(step)
    evidence, names = state.evidence, {recipe.drop_by, recipe.grow_by}
    if "random" in names:
        evidence = evidence.with_noise(state.generator)
    if "exact" in names and worth is not None:
        evidence = evidence.with_what_if(worth(before, evidence, n_active, n_swap))
    after = drop_regrow(
        before,
        drop_by=SALIENCIES[recipe.drop_by](before, evidence),
        grow_by=SALIENCIES[recipe.grow_by](before, evidence),
        n_active=n_active,
        n_swap=n_swap,
    )
    if recipe.rewind and n_active < before.n_active:
        state.rewind()
    mask.load(after)
    state.forget(regrown(before, after).to(mask.score.device))
    state.evidence = state.evidence.renew()
    births = (after.active & ~before.active).nonzero().squeeze(-1).tolist()
    deaths = (before.active & ~after.active).nonzero().squeeze(-1).tolist()
    state.history.append((step, births, deaths))
    return tuple(births), tuple(deaths)


def _is_due(state: TrainingState, schedule: Schedule, recipe: Recipe) -> bool:
    """Whether to validate now: at the target count only, and only once the support stays."""
    regular = state.step % recipe.evaluate_every == 0 or state.step == schedule.steps
    return regular and schedule.n_active(state.step - 1) == schedule.target and schedule.is_final(state.step)


def _autocast(recipe: Recipe) -> torch.autocast:
    return torch.autocast(torch.device(recipe.device).type, torch.bfloat16, enabled=recipe.precision == "bf16")


def to_device(batch: WindowBatch, device: str) -> WindowBatch:
    """The batch on a device."""
    if device == "cpu":
        return batch
    inputs, targets = batch.inputs_observed, batch.targets_observed
    return WindowBatch(
        batch.inputs.to(device),
        batch.targets.to(device),
        None if inputs is None else inputs.to(device),
        None if targets is None else targets.to(device),
    )
