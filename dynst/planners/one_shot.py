"""One shot: a dense network is trained briefly, and the sites are ranked once by their accumulated saliency.

The counterpart of SNIP (Lee et al., arXiv 1810.02340) for sensors: what DynST is without the dynamic part.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from dynst.domain import Plan
from dynst.planners.base import Task, finish_plan, ranking_in_turn
from dynst.planners.options import Count, NetworkOptions, SaliencyName

__all__ = ["Options", "plan"]


@dataclass(frozen=True)
class Options(NetworkOptions):
    """Options of `plan`, besides those of every network (`NetworkOptions`).

    Parameters
    ----------
    steps : int
        Training steps, at least 1 (150, chosen: the loss of the dense network has levelled by then).
    evidence : str
        The saliency; ``gradient`` sums the sizes of the gate gradients over the second half of the training.
    """

    steps: Count = 150
    evidence: SaliencyName = "gradient"


def plan(task: Task, *, seed: int, options: Options = Options()) -> Plan:
    """Sites in the order of their saliency for a network that saw all of them.

    Parameters
    ----------
    task : Task
        What to plan for.
    seed : int
        Of weights and order of windows.
    options : Options
        Network, training and saliency.

    Raises
    ------
    DataError
        If training diverges.
    """
    from dynst.sparsity import SALIENCIES, Schedule  # noqa: PLC0415  # load torch: options must not
    from dynst.training import Recipe, TrainingState, build_forecaster, dense_mask, seeded, train  # noqa: PLC0415
    from dynst.windows.dataset import WindowDataset  # noqa: PLC0415

    steps, evidence = options.steps, options.evidence
    recipe = Recipe(batch=options.batch, drop_by=evidence, grow_by=evidence, conditioned=False, device=options.device)
    mask = dense_mask(task.sites, generator=seeded(seed, 3))
    forecaster = build_forecaster(
        task.learning,
        task.window,
        mask,
        seed=seed,
        backbone=options.backbone,
        scaling=task.scaling,
        dim=options.dim,
        depth=options.depth,
        patch=options.patch,
    )
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
        provenance={"options": asdict(options) | {"device": recipe.device}},
    )
