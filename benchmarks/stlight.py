"""STLight against its plain NCHW form, in one process with one thread: training step and inference.

Run: python benchmarks/stlight.py [repeats]
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from timing import Row, interleaved, show
from torch import Tensor, nn

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "reference")]

from stlight_plain import PlainSTLight  # noqa: E402 # the two paths above come first

from dynst.backbones.stlight import STLightCore  # noqa: E402

FEATURES = 12  # 12 steps of one channel, in and out
TRAIN = [  # samples, rows, columns, width, depth, patch
    (16, 32, 64, 64, 6, 2),
    (16, 32, 64, 128, 6, 2),
    (16, 32, 64, 256, 6, 2),
    (16, 32, 64, 64, 16, 2),
    (16, 32, 64, 128, 16, 2),
    (16, 32, 64, 64, 6, 1),
    (4, 32, 64, 64, 6, 1),
    (4, 32, 64, 128, 6, 1),
    (4, 32, 64, 256, 6, 1),
    (2, 73, 144, 64, 6, 1),
    (8, 72, 144, 64, 6, 2),
]
INFERENCE = [
    (16, 32, 64, 64, 6, 2),
    (16, 32, 64, 128, 6, 2),
    (16, 32, 64, 256, 6, 2),
    (16, 32, 64, 128, 16, 2),
    (16, 32, 64, 64, 6, 1),
    (2, 73, 144, 64, 6, 1),
]
Case = tuple[int, int, int, int, int, int]


def networks(case: Case) -> tuple[nn.Module, nn.Module, Tensor]:
    b, h, w, dim, depth, patch = case
    generator = torch.Generator().manual_seed(0)
    ours = STLightCore(FEATURES, FEATURES, dim=dim, depth=depth, patch=patch, generator=generator)
    plain = PlainSTLight(FEATURES, FEATURES, d=dim, depth=depth, p=patch).load_from(ours)
    return plain, ours, torch.randn(b, FEATURES, h, w, generator=generator)


def training_step(net: nn.Module, x: Tensor) -> Callable[[], None]:
    optimiser = torch.optim.AdamW(net.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        (net(x) - x).square().mean().backward()
        optimiser.step()

    return step


def forecast(net: nn.Module, x: Tensor) -> Callable[[], None]:
    net.eval()

    def run() -> None:
        with torch.inference_mode():
            net(x)

    return run


def measure(cases: list[Case], make: Callable[[nn.Module, Tensor], Callable[[], None]], repeats: int) -> list[Row]:
    rows = []
    for case in cases:
        plain, ours, x = networks(case)
        last = x.contiguous(memory_format=torch.channels_last)  # as a stream of sites comes
        before, after = interleaved(make(plain, x), make(ours, last), repeats=repeats, clock=time.process_time)
        b, h, w, dim, depth, patch = case
        name = f"{b:>2} x {h}x{w}, d {dim:>3}, depth {depth:>2}, p {patch}"
        rows.append(Row(name, f"{before * 1e3:5.0f} -> {after * 1e3:4.0f} ms", before / after, 2.5))
    return rows


def main(repeats: int = 3) -> int:
    torch.set_num_threads(1)
    training = measure(TRAIN, training_step, repeats)
    training.append(Row("median of the training steps", "", statistics.median(row.ratio for row in training), 3.4))
    missed = show("STLight training step, plain NCHW / ours", training)
    return missed | show("STLight inference, plain NCHW / ours", measure(INFERENCE, forecast, repeats))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
