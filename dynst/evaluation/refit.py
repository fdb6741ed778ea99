"""A fresh network under a fixed plan, so that no planner is judged by the training that made its plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy import ndarray

from dynst.domain import Window
from dynst.evaluation.score import ErrorTally, Score
from dynst.sparsity import MaskState, Schedule
from dynst.training import MaskedForecaster, Recipe, StepRecord, TrainingState, build_forecaster, train
from dynst.windows import Scaling, Split, thin, window_starts
from dynst.windows.dataset import WindowDataset

__all__ = ["Form", "refit"]

Form = Literal["sensors", "field"]

_VALID_LIMIT, _TEST_LIMIT = 200, 500  # windows; neighbouring ones overlap, so more say little


def refit(
    split: Split,
    window: Window,
    scaling: Scaling,
    selected: Int[ndarray, " k"],
    *,
    backbone: str | None = None,
    dim: int | None = None,
    depth: int | None = None,
    patch: int | None = None,
    form: Form = "sensors",
    steps: int = 400,
    batch: int = 16,
    seed: int = 0,
    recipe: Recipe | None = None,
    regions: Mapping[str, Bool[ndarray, " n"]] | None = None,
    listen: Callable[[StepRecord], None] | None = None,
) -> Score:
    """Errors on the test block of a network trained from scratch with sensors at `selected` alone.

    For one seed, every plan meets the same first weights and the same windows in the same order. The weights that
    are best on the validation block are kept; the test block is read once, at the end.

    Parameters
    ----------
    split, window, scaling : Split, Window, Scaling
        The data, as for every other judge.
    selected : Int[ndarray, "k"]
        The sites that are measured; none is allowed (the floor).
    backbone : str or None
        Name in `BACKBONES`; the one that suits the layout if left out.
    dim, depth, patch : int or None
        Its size; None is its own default.
    form : str
        ``sensors``: a backbone that can runs on the selected sites alone, so that a sparse plan is judged faster;
        ``field``: it runs on all sites, those without a sensor reading 0. The same for a backbone that knows one form.
    steps, batch, seed : int
        Training steps, windows in a batch, and the seed of the weights and of the data order.
    recipe : Recipe or None
        How to train; `batch` here wins, other layouts are never mixed in: the support is fixed.
    regions : mapping of str to Bool[ndarray, "n"], or None
        Sites of each region, for errors told apart (`Score.regions`).
    listen : callable or None
        Called with each training step.

    Raises
    ------
    ConfigError
        If the backbone is unknown.
    """
    recipe = recipe or Recipe()
    every = max(1, min(recipe.evaluate_every, steps // 8))
    recipe = replace(recipe, batch=batch, conditioned=False, rewind=False, l1=0.0, evaluate_every=every)
    field = split.train
    mask = _fixed_support(len(field.sites), selected)
    sensors = np.asarray(selected, np.int64) if form == "sensors" else None
    forecaster = build_forecaster(
        field,
        window,
        mask,
        seed=seed,
        backbone=backbone,
        sensors=sensors,
        scaling=scaling,
        dim=dim,
        depth=depth,
        patch=patch,
    )
    state = TrainingState.start(forecaster, recipe, seed=seed)
    data, valid, test = (
        WindowDataset(block, window, scaling, thin(window_starts(block, window), limit))
        for block, limit in ((split.train, 10**9), (split.valid, _VALID_LIMIT), (split.test, _TEST_LIMIT))
    )
    weight = field.sites.weight
    schedule = Schedule.constant(steps, max(1, len(selected)))
    for record in train(state, data, schedule=schedule, recipe=recipe, weight=weight, valid=valid):
        if listen is not None:
            listen(record)
    state.use_best()
    std = scaling.std[field.predicted].astype(float)
    tally = ErrorTally(weight, selected, std, window.prediction, regions=regions)
    _forecast(state.forecaster, test, recipe, tally)
    error = math.sqrt(state.best_error) if math.isfinite(state.best_error) else None
    notes: dict[str, object] = {"backbone": backbone, "steps": steps, "seed": seed, "valid_error": error}
    return tally.score(notes, run=split.test.run[test.starts] if split.test.cases else None)


def _fixed_support(n: int, selected: Int[ndarray, " k"]) -> MaskState:
    active = torch.zeros(n, dtype=torch.bool)
    active[torch.from_numpy(np.ascontiguousarray(selected))] = True
    none = torch.zeros(n, dtype=torch.bool)
    return MaskState(active, torch.ones(n), none, none, 0)


@torch.no_grad()
def _forecast(forecaster: MaskedForecaster, data: WindowDataset, recipe: Recipe, tally: ErrorTally) -> None:
    forecaster.eval()
    for batch in data.batches(max(recipe.batch, 32)):
        seen = None if batch.inputs_observed is None else batch.inputs_observed.to(recipe.device)
        prediction = forecaster(batch.inputs.to(recipe.device), None, seen).float().cpu()
        observed = None if batch.targets_observed is None else batch.targets_observed.numpy()
        tally.add((prediction - batch.targets).numpy(), observed, truth=batch.targets.numpy())
