"""What the mask costs: its share of a training step, with updates spread over the steps between them.

Counted to the mask: drawing other layouts, gating with the flag, the gate gradient, the evidence, the mask's own
optimiser, and drop-regrow. The step is ours as the planner runs it, forward, backward and fused AdamW.

Run: python benchmarks/mask.py [repeats]
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
from pathlib import Path

import numpy as np
import torch
from timing import Row, interleaved, show

sys.path.insert(0, str(Path(__file__).parents[1]))

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.sparsity import SALIENCIES, Evidence, MaskState, Schedule, SensorMask, drop_regrow, morph, other_layouts
from dynst.training import Recipe, TrainingState, build_forecaster, train
from dynst.windows import Scaling
from dynst.windows.dataset import WindowDataset

INTERVAL = 15  # steps between updates in a short run
CASES = [  # rows, columns, batch, budget, width, depth
    (24, 36, 16, 20, 32, 3),
    (32, 64, 16, 200, 64, 6),
    (73, 144, 16, 20, 32, 3),
    (73, 144, 16, 5256, 32, 3),
]


def record(rows: int, columns: int) -> Field:
    n = rows * columns
    sites = Sites(np.arange(n, dtype=float) * 1e-3, np.zeros(n))
    values = np.random.default_rng(0).standard_normal((60, n, 1)).astype(np.float32)
    return Field.of(values, sites, GridLayout((rows, columns), np.arange(n)))


def measure(case: tuple[int, int, int, int, int, int], repeats: int) -> list[Row]:
    rows, columns, batch, budget, dim, depth = case
    field, window = record(rows, columns), Window(4, 4)
    n = len(field.sites)
    active = torch.zeros(n, dtype=torch.bool)
    active[torch.randperm(n, generator=torch.Generator().manual_seed(0))[:budget]] = True
    none = torch.zeros(n, dtype=torch.bool)
    state = MaskState(active, torch.ones(n), none, none)
    data, recipe = WindowDataset(field, window, Scaling.fit(field)), Recipe(batch=batch)

    run = TrainingState.start(build_forecaster(field, window, state, seed=0, dim=dim, depth=depth), recipe, seed=0)
    steps = train(run, data, schedule=Schedule.constant(10**9, budget), recipe=recipe, weight=field.sites.weight)

    mask, generator = SensorMask(state, flag=True), torch.Generator().manual_seed(0)
    other = torch.nn.Parameter(torch.zeros(1))  # stands for the network: its optimiser runs with or without a mask
    alone = torch.optim.AdamW([other], fused=True)
    optimiser = torch.optim.AdamW([{"params": [other]}, {"params": [mask.score], "weight_decay": 0.0}], fused=True)
    inputs = data.batch(np.arange(batch)).inputs
    upstream = torch.randn(batch, n, 5)
    evidence = Evidence.empty(n)

    def machinery() -> None:
        nonlocal evidence
        optimiser.zero_grad(set_to_none=True)
        other.grad = torch.zeros(1)
        others = other_layouts(mask.state, batch // 2, around=budget, generator=generator)
        mask(morph(inputs), others).backward(upstream)
        assert mask.score.grad is not None
        evidence = evidence.add(mask.score.grad.detach().clone())
        optimiser.step()

    def update() -> None:
        saliency = SALIENCIES["benefit"](state, evidence)
        drop_regrow(state, drop_by=saliency, grow_by=saliency, n_active=budget, n_swap=budget // 7)

    def ordinary() -> None:
        """What a run without a mask would do in its place: the morph, and the optimiser without the scores."""
        alone.zero_grad(set_to_none=True)
        other.grad = torch.zeros(1)
        morph(inputs)
        alone.step()

    step, gate, plain, change = interleaved(
        lambda: next(steps), machinery, ordinary, update, repeats=repeats, warm_up=2
    )
    steps.close()
    cost, name = gate - plain, f"{rows}x{columns}, k {budget}, d {dim}, depth {depth}"
    return [
        Row(f"mask / step, {name}", f"{cost * 1e3:6.2f} of {step * 1e3:6.1f} ms", cost / step, 0.03, at_most=True),
        Row(
            f"drop-regrow / {INTERVAL} steps, {name}",
            f"{change * 1e3:6.2f} of {INTERVAL * step * 1e3:6.0f} ms",
            change / step / INTERVAL,
            0.001,
            at_most=True,
        ),
    ]


def main(repeats: int = 15) -> int:
    torch.set_num_threads(1)
    rows = [row for case in CASES for row in measure(case, repeats)]
    return show("Mask machinery, share of a training step", sorted(rows, key=lambda row: row.what, reverse=True))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
