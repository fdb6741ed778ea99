"""A network and its sensor mask are trained together: what planner `dynst` does, apart from its options."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from dynst.planners.dynst import Options

__all__ = ["trained_plan"]

_POLISH_WINDOWS = 96  # training windows of a what-if (docs/method.md)
_POLISH_BYTES = 128 << 20  # fewer windows where they would take more
_VALID_WINDOWS = 96  # validation windows on which the best weights are chosen: enough to tell weights apart


def trained_plan(
    task: Task,
    *,
    planner: str,
    seed: int,
    options: Options,
    start: Int[ndarray, " k"] | None,
    listen: Callable[[StepRecord], None] | None,
    checkpoint: Path | None,
    checkpoint_every: int,
) -> Plan:
    """Train a network with its mask, try what-ifs, sweep; see `dynst.planners.dynst.plan` for all but `planner`.

    Parameters
    ----------
    task, seed, options, start, listen, checkpoint, checkpoint_every
        As there.
    planner : str
        Whose name plan and checkpoint bear.
    """
    recipe = _recipe(options)
    told = asdict(options) | {"device": recipe.device, "exact_sweep": options.sweeps}
    mask = _first_mask(task, seed, start, prune=options.prune)
    timing = _schedule(task, mask, options)
    state = TrainingState.start(
        build_forecaster(
            task.learning,
            task.window,
            mask,
            seed=seed,
            backbone=options.backbone,
            scaling=task.scaling,
            dim=options.dim,
            depth=options.depth,
            patch=options.patch,
        ),
        recipe,
        seed=seed,
    )
    saver = Saver(checkpoint, every=checkpoint_every, study=_study(task, seed, mask, told, planner=planner))
    what_if = _train(task, state, timing, recipe, saver=saver, listen=listen)
    trained = state.forecaster.mask.state.cpu()
    mask, notes = refine(
        what_if,
        trained,
        nearest=task.sites.nearest(6),
        # in window forecasts; a backward pass costs about two forward passes
        training_cost=3 * options.steps * options.batch,
        seed=seed,
        wanted=options.polish,
    )
    del what_if  # its windows are not needed beside the covariances
    notes["as_trained"] = _sites(trained).tolist()
    return _ranked(task, state, mask, told=told, notes=notes, planner=planner)


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


def _recipe(options: Options) -> Recipe:
    """How the network is trained; magnitude drops by size and regrows by gradient, as published."""
    evidence = options.evidence
    return Recipe(
        batch=options.batch,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        rate=options.rate,
        l1=options.l1,
        drop_by=options.drop_by or evidence,
        grow_by="gradient" if evidence == "magnitude" else evidence,
        conditioned=options.conditioned,
        rewind=options.rewind,
        precision=options.precision,
        device=options.device,
        evaluate_every=max(10, options.steps // 12),
    )


def _schedule(task: Task, mask: MaskState, options: Options) -> Schedule:
    # Without pruning the swaps are all there is, and the cosine alone gives a small budget none.
    shares: dict[str, Any] = {} if mask.n_active > task.budget else {"prune_until": 0.20, "least_swap": 1}
    return Schedule(
        steps=options.steps,
        start=mask.n_active,
        target=task.budget,
        interval=options.interval or min(max(15, options.steps // 25), 100),
        alpha=options.alpha if options.regrow else 0.0,
        curve=options.schedule,
        **shares,
    )


def _study(task: Task, seed: int, mask: MaskState, told: dict[str, Any], *, planner: str) -> dict[str, object]:
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
        "planner": planner,
        "sites": task.sites.fingerprint,
        "data": content.hexdigest()[:16],
        "lengths": [task.learning.steps, task.valid.steps, window.history, window.prediction, window.stride],
        "budget": task.budget,
        "seed": seed,
        "options": told,
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
    told: dict[str, Any],
    notes: dict[str, object],
    planner: str,
) -> Plan:
    """The plan after the exact sweep, its sensors in the order of largest gain in expected error."""
    selected, error = _sites(mask), task.expected_error
    notes = notes | {"exact_sweep": {"skipped": "not asked for"}}
    if told["exact_sweep"]:
        bench = Bench.of(error, selected)
        swept = swap(bench, Room(task.sites, selected), sweeps=1)
        selected = bench.support
        notes["exact_sweep"] = swept if swept["sweeps"] else {"skipped": "too dear, or nothing to swap"}
    return finish_plan(
        task,
        building_order(error, task.sites, selected),
        marginal_values(error, selected),
        planner=planner,
        importance_is=IMPORTANCE_IS,
        seed=state.seed,
        provenance={
            "options": told,
            "updates": [[step, births, deaths] for step, births, deaths in state.history],
            "valid_error": state.best_error if np.isfinite(state.best_error) else None,
            **notes,
        },
        valued=True,
    )
