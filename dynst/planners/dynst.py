"""DynST: a network and its sensor mask are trained together; sites are pruned, dropped and regrown as it learns.

Wu et al., arXiv 2403.02914, in the form that docs/method.md found to work: a network that knows its support and is
kept honest about others, expected benefit as the evidence, what-ifs on the frozen network, and one sweep of exact
swaps on the expected error. The switches of `Options` lead back to the published forms.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.planners.base import Task
from dynst.planners.options import Count, NetworkOptions, Positive, SaliencyName, Share, Weight

if TYPE_CHECKING:
    from dynst.training import StepRecord

__all__ = ["Options", "plan"]


@dataclass(frozen=True)
class Options(NetworkOptions):
    """Options of `plan`, besides those of every network (`NetworkOptions`).

    Parameters
    ----------
    learning_rate, weight_decay : float
        Of AdamW, see `dynst.training.Recipe`; more than 0, and at least 0.
    rate : str
        Learning rate over time: ``one_cycle`` or ``cosine``.
    evidence : str
        Saliency that decides: ``benefit``, ``gradient``, ``exact``, ``random`` or ``magnitude``. With ``magnitude``
        sites are dropped by the size of their score and regrown by the size of their gradient, as published.
    drop_by : str or None
        Another saliency for what to drop.
    schedule : str
        How the count falls, a name in `dynst.sparsity.SCHEDULES`.
    interval : int or None
        Steps between updates, at least 1; 15 for a short run up to 100 for a long one if None.
    alpha : float
        Twice the mean share of the sensors swapped at an update, from 0 to 1; 0.3 as in RigL.
    prune, regrow : bool
        Iterative pruning from the dense support, and drop-regrow at the budget; either works alone. Without
        pruning the support begins at random.
    rewind : bool
        Whether the weights are rewound after each round of pruning.
    l1 : float
        Weight of the L1 term on the scores, at least 0.
    conditioned : bool
        Whether half of each batch carries other layouts.
    polish : bool
        What-ifs on the frozen network after training.
    exact_sweep : bool or None
        One sweep of exact swaps on the expected error, after that; as `polish` if None.
    precision : str
        Arithmetic of the network: ``32`` or ``bf16``.
    """

    learning_rate: Positive = 3e-3
    weight_decay: Weight = 3e-2
    rate: Literal["one_cycle", "cosine"] = "one_cycle"
    evidence: SaliencyName = "benefit"
    drop_by: SaliencyName | None = None
    schedule: Literal["geometric", "cubic"] = "geometric"
    interval: Count | None = None
    alpha: Share = 0.3
    prune: bool = True
    regrow: bool = True
    rewind: bool = False
    l1: Weight = 0.0
    conditioned: bool = True
    polish: bool = True
    exact_sweep: bool | None = None
    precision: Literal["32", "bf16"] = "32"

    @property
    def sweeps(self) -> bool:
        """Whether exact swaps follow; without `polish` neither kind of swap does, unless it is asked for."""
        return self.polish if self.exact_sweep is None else self.exact_sweep


def plan(
    task: Task,
    *,
    seed: int,
    options: Options = Options(),
    start: Int[ndarray, " k"] | None = None,
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
    options : Options
        Network, mask and schedule.
    start : Int[ndarray, "k"] or None
        Sensors to begin with, when nothing is pruned.
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
    from dynst.planners.mask_training import trained_plan  # noqa: PLC0415  # loads torch: options must not

    return trained_plan(
        task,
        planner="dynst",
        seed=seed,
        options=options,
        start=start,
        listen=listen,
        checkpoint=checkpoint,
        checkpoint_every=checkpoint_every,
    )
