"""DynST: a network and its sensor mask are trained together; sites are pruned, dropped and regrown as it learns.

Wu et al., arXiv 2403.02914, in the form that docs/method.md found to work: a network that knows its support and is
kept honest about others, expected benefit as the evidence, what-ifs on the frozen network, and one sweep of exact
swaps on the expected error. The switches of `plan` lead back to the published forms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.room import Room, in_turn
from dynst.planners.base import Task, finish_plan
from dynst.planners.bench import Bench
from dynst.planners.dynst_linear import IMPORTANCE_IS, marginal_values
from dynst.planners.exchange import building_order, swap
from dynst.sparsity import MaskState, Schedule
from dynst.training import (
    Recipe,
    Saver,
    StepRecord,
    TrainingState,
    WhatIf,
    build_forecaster,
    dense_mask,
    refine,
    seeded,
    train,
)
from dynst.windows import fit_starts, thin
from dynst.windows.dataset import WindowDataset

__all__ = ["IMPORTANCE_IS", "plan"]

_POLISH_WINDOWS = 96  # training windows of a what-if (docs/method.md)
_POLISH_BYTES = 128 << 20  # fewer windows where they would take more
_VALID_WINDOWS = 96  # validation windows on which the best weights are chosen: enough to tell weights apart


def plan(
    task: Task,
    *,
    seed: int,
    backbone: str | None = None,
    steps: int = 400,
    batch: int = 16,
    dim: int | None = None,
    depth: int | None = None,
    patch: int | None = None,
    learning_rate: float = 3e-3,
    weight_decay: float = 3e-2,
    rate: str = "one_cycle",
    evidence: str = "benefit",
    drop_by: str | None = None,
    schedule: str = "geometric",
    interval: int | None = None,
    alpha: float = 0.3,
    prune: bool = True,
    regrow: bool = True,
    start: Int[ndarray, " k"] | None = None,
    rewind: bool = False,
    l1: float = 0.0,
    conditioned: bool = True,
    polish: bool = True,
    exact_sweep: bool = True,
    precision: str = "32",
    device: str = "cpu",
    listen: Callable[[StepRecord], None] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every: int = 50,
) -> Plan:
    """Sensors that a network keeps while it learns to forecast from fewer and fewer of them.

    Parameters
    ----------
    task : Task
        What to plan for.
    seed : int
        Of weights, order of windows and other layouts: the same task, seed and options give the same plan, bit for
        bit on a CPU (a GPU may add in another order).
    backbone : str or None
        Network to train, a name in `dynst.backbones.BACKBONES`; the one that suits the layout if left out.
    steps, batch, learning_rate, weight_decay, rate, l1, rewind, precision, device
        See `dynst.training.Recipe`.
    dim, depth, patch : int or None
        Shape of the network, see `dynst.backbones.STLight` and `dynst.backbones.gnn.GNN`; None is its own default.
    evidence : str
        Saliency that decides: ``benefit``, ``gradient``, ``exact``, ``random`` or ``magnitude``. With ``magnitude``
        sites are dropped by the size of their score and regrown by the size of their gradient, as published.
    drop_by : str or None
        Another saliency for what to drop.
    schedule : str
        How the count falls, a name in `dynst.sparsity.SCHEDULES`.
    interval : int or None
        Steps between updates; by default 15 for a short run up to 100 for a long one.
    alpha : float
        Twice the mean share of the sensors swapped at an update.
    prune, regrow : bool
        Iterative pruning from the dense support, and drop-regrow at the budget; either works alone. Without
        pruning the support begins at `start`, or at random.
    start : Int[ndarray, "k"] or None
        Sensors to begin with, when nothing is pruned.
    conditioned : bool
        Whether half of each batch carries other layouts.
    polish, exact_sweep : bool
        What-ifs on the frozen network, and one sweep of exact swaps on the expected error, after training.
    listen : callable or None
        Called with the record of each training step.
    checkpoint : Path or None
        Folder, or file with suffix ``.safetensors``, to save the training in; if it holds one of the same study, the
        plan goes on from there and is the same as without the interruption.
    checkpoint_every : int
        Steps between two savings.

    Raises
    ------
    ConfigError
        If an option is unknown or makes no sense.
    CheckpointError
        If the checkpoint is damaged or of another study.
    DataError
        If training diverges; the message names the windows.
    """
    options = {
        name: value
        for name, value in locals().items()
        if name not in ("task", "seed", "start", "listen", "checkpoint", "checkpoint_every")
    }
    recipe = Recipe(
        batch=batch,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        rate=rate,
        l1=l1,
        drop_by=drop_by or evidence,
        grow_by="gradient" if evidence == "magnitude" else evidence,
        conditioned=conditioned,
        rewind=rewind,
        precision=precision,
        device=device,
        evaluate_every=max(10, steps // 12),
    )
    options["device"] = recipe.device
    mask = _first_mask(task, seed, start, prune=prune)
    timing = _schedule(task, mask, steps, curve=schedule, interval=interval, alpha=alpha if regrow else 0.0)
    state = TrainingState.start(
        build_forecaster(
            task.learning,
            task.window,
            mask,
            seed=seed,
            backbone=backbone,
            scaling=task.scaling,
            dim=dim,
            depth=depth,
            patch=patch,
        ),
        recipe,
        seed=seed,
    )
    saver = Saver(checkpoint, every=checkpoint_every, study=_study(task, seed, mask, options))
    what_if = _train(task, state, timing, recipe, saver=saver, listen=listen)
    trained = state.forecaster.mask.state.cpu()
    mask, notes = refine(
        what_if,
        trained,
        nearest=task.sites.nearest(6),
        training_cost=3 * steps * batch,  # window forecasts; a backward pass costs about two forward passes
        seed=seed,
        wanted=polish,
    )
    del what_if  # its windows are not needed beside the covariances
    notes["as_trained"] = _sites(trained).tolist()
    return _ranked(task, state, mask, options=options, notes=notes, exact_sweep=exact_sweep)


def _first_mask(task: Task, seed: int, start: Int[ndarray, " k"] | None, *, prune: bool) -> MaskState:
    """The dense support, or one of the budget's size: the given one or a random one."""
    dense = dense_mask(task.sites, generator=seeded(seed, 3))
    if prune:
        return dense
    active = dense.fixed.clone()
    if start is None:
        free = (~dense.fixed & ~dense.forbidden).nonzero().squeeze(-1)
        drawn = free[torch.randperm(len(free), generator=seeded(seed, 4))].numpy()
        room = Room(task.sites, task.sites.fixed, budget=task.budget)
        start = in_turn(drawn, room, task.budget - len(task.sites.fixed))
    active[torch.from_numpy(np.asarray(start, np.int64))] = True
    return dense.with_active(active)


def _schedule(task: Task, mask: MaskState, steps: int, *, curve: str, interval: int | None, alpha: float) -> Schedule:
    # Without pruning the swaps are all there is, and the cosine alone gives a small budget none.
    shares: dict[str, Any] = {} if mask.n_active > task.budget else {"prune_until": 0.20, "least_swap": 1}
    return Schedule(
        steps=steps,
        start=mask.n_active,
        target=task.budget,
        interval=interval or min(max(15, steps // 25), 100),
        alpha=alpha,
        curve=curve,
        **shares,
    )


def _study(task: Task, seed: int, mask: MaskState, options: dict[str, Any]) -> dict[str, object]:
    """What must agree for a checkpoint to be of this study, in JSON types."""
    content = hashlib.sha256()
    for array in (
        task.scaling.mean,
        task.scaling.climatology.amplitude,
        task.scaling.std,
        task.sites.role,
        mask.active.numpy(),
    ):
        content.update(np.ascontiguousarray(array).tobytes())
    window = task.window
    return {
        "planner": "dynst",
        "sites": task.sites.fingerprint,
        "data": content.hexdigest()[:16],
        "lengths": [task.learning.steps, task.valid.steps, window.history, window.prediction, window.stride],
        "budget": task.budget,
        "seed": seed,
        "options": options,
    }


def _train(
    task: Task,
    state: TrainingState,
    schedule: Schedule,
    recipe: Recipe,
    *,
    saver: Saver,
    listen: Callable[[StepRecord], None] | None,
) -> WhatIf:
    """Train to the end, put the best weights in place, and make ready to ask them what-ifs."""
    data = WindowDataset(task.learning, task.window, task.scaling)
    valid = WindowDataset(task.valid, task.window, task.scaling)
    valid = WindowDataset(task.valid, task.window, task.scaling, thin(valid.starts, _VALID_WINDOWS))
    fitting = fit_starts(data.starts, task.learning, task.window, limit=_POLISH_WINDOWS, max_bytes=_POLISH_BYTES)
    windows = data.batch(thin(np.arange(len(data)), max(3, len(fitting))))
    area = torch.as_tensor(task.weight, dtype=torch.float32, device=recipe.device)
    what_if = WhatIf(state.forecaster, windows, area)
    saver.restore(state)
    records = train(state, data, schedule=schedule, recipe=recipe, weight=task.weight, valid=valid, worth=what_if.worth)
    for record in records:
        saver.save(state, steps=schedule.steps)
        if listen is not None:
            listen(record)
    state.use_best()
    return what_if


def _sites(mask: MaskState) -> Int[ndarray, " k"]:
    """The sensors of a mask."""
    return np.asarray(mask.active.nonzero().squeeze(-1).numpy())


def _ranked(
    task: Task,
    state: TrainingState,
    mask: MaskState,
    *,
    options: dict[str, Any],
    notes: dict[str, object],
    exact_sweep: bool,
) -> Plan:
    """The plan after the exact sweep, its sensors in the order of largest gain in expected error."""
    selected, error = _sites(mask), task.expected_error
    notes = notes | {"exact_sweep": {"skipped": "not asked for"}}
    if exact_sweep:
        bench = Bench.of(error, selected)
        swept = swap(bench, Room(task.sites, selected), sweeps=1)
        selected = bench.support
        notes["exact_sweep"] = swept if swept["sweeps"] else {"skipped": "too dear, or nothing to swap"}
    return finish_plan(
        task,
        building_order(error, task.sites, selected),
        marginal_values(error, selected),
        planner="dynst",
        importance_is=IMPORTANCE_IS,
        seed=state.seed,
        provenance={
            "options": options,
            "updates": [[step, births, deaths] for step, births, deaths in state.history],
            "valid_error": state.best_error if np.isfinite(state.best_error) else None,
            **notes,
        },
    )
