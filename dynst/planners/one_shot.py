"""One shot: a dense network is trained briefly, and the sites are ranked once by their accumulated saliency.

The counterpart of SNIP (Lee et al., arXiv 1810.02340) for sensors: what DynST is without the dynamic part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan, ranking_in_turn
from dynst.sparsity import SALIENCIES, Schedule
from dynst.training import Recipe, TrainingState, build_forecaster, dense_mask, seeded, train
from dynst.windows.dataset import WindowDataset

__all__ = ["plan"]


def plan(
    task: Task,
    *,
    seed: int,
    steps: int = 150,
    batch: int = 16,
    backbone: str | None = None,
    dim: int | None = None,
    depth: int | None = None,
    patch: int | None = None,
    evidence: str = "gradient",
    device: str = "cpu",
) -> Plan:
    """Sites in the order of their saliency for a network that saw all of them.

    Parameters
    ----------
    task : Task
        What to plan for.
    seed : int
        Of weights and order of windows.
    steps, batch, device
        Length of the training (150 steps, chosen: the loss of the dense network has levelled by then), see `Recipe`.
    backbone, dim, depth, patch
        The network and its shape, as for `dynst.planners.dynst.plan`.
    evidence : str
        The saliency; ``gradient`` sums the sizes of the gate gradients over the second half of the training.

    Raises
    ------
    DataError
        If training diverges.
    """
    recipe = Recipe(batch=batch, drop_by=evidence, grow_by=evidence, conditioned=False, device=device)
    mask = dense_mask(task.sites, generator=seeded(seed, 3))
    shape: dict[str, Any] = {"backbone": backbone, "dim": dim, "depth": depth, "patch": patch}
    forecaster = build_forecaster(task.learning, task.window, mask, seed=seed, scaling=task.scaling, **shape)
    state = TrainingState.start(forecaster, recipe, seed=seed)
    data = WindowDataset(task.learning, task.window, task.scaling)
    for record in train(
        state, data, schedule=Schedule.constant(steps, mask.n_active), recipe=recipe, weight=task.weight
    ):
        if record.step == steps // 2:
            state.evidence = state.evidence.renew()  # what an untrained network finds important says little
    saliency = SALIENCIES[evidence](state.forecaster.mask.state.cpu(), state.evidence).double().numpy()
    legal = task.sites.legal
    order = legal[np.argsort(-saliency[legal], kind="stable")]
    size = np.abs(saliency[legal]).sum()
    return finish_plan(
        task,
        ranking_in_turn(task, order),
        saliency / size if size > 0 else saliency,
        planner="one_shot",
        importance_is=f"saliency ({evidence}) in the dense network, as a share of the sum over all sites",
        seed=seed,
        provenance={"options": {"steps": steps, "batch": batch, "evidence": evidence, **shape}},
    )
