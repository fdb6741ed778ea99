"""The graph network against PyTorch Geometric's own layers, and what absent sensors save, in one process, one thread.

Neighbour sums and layers are timed forward and backward on graphs of 8 nearest neighbours, width 64. Forecasts are
timed on 10 000 sites, from the sensors' rows to the forecast of all sites.

Run: python benchmarks/gnn.py [repeats]
     python benchmarks/gnn.py skill PATH [steps [seeds]]   the skill beside the speed, on a record of one's own
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timing import Row, interleaved, show
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parents[1]))

from torch_geometric.nn import GraphConv, MessagePassing, SAGEConv

from dynst.backbones.aggregate import Neighbourhood
from dynst.backbones.gnn import GNN
from dynst.domain import Frame, GraphLayout, Sites, Window
from dynst.domain.graphs import nearest_neighbours
from dynst.evaluation import LinearJudge
from dynst.evaluation.refit import refit
from dynst.readers import read
from dynst.windows import split_record

WIDTH = 64
SMALL, TINY = 1 << 21, 1 << 18  # numbers below which calls are repeated in a turn: few times, many times
GRAPHS = [(207, 16), (2048, 8), (3388, 8), (10000, 4)]  # sites, samples
SITES, SAMPLES, FEATURES = 10_000, 8, 12
NETWORKS: dict[str, dict[str, Any]] = {
    "networks on edges, width 64, depth 3": {"dim": 64, "depth": 3, "edge_mlp": True},
    "kernels, width 64, depth 3": {"dim": 64, "depth": 3},
    "kernels, width 32, depth 2 (default)": {},
}
HALF, TENTH = 1.7, 10.0  # least ratios of 0 % to 50 % and to 90 %


class Weighted(MessagePassing):
    """A weighted sum over neighbours, as PyG writes it."""

    def forward(self, x: Tensor, edge_index: Tensor, weight: Tensor) -> Tensor:
        return self.propagate(edge_index, x=x, weight=weight)

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        return weight[:, None] * x_j


class OurLayer(nn.Module):
    """Itself and the mean of its neighbours, each through a matrix, node-major."""

    def __init__(self, edge_index: Tensor, n: int) -> None:
        super().__init__()
        self.own, self.value = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.heard = Neighbourhood(edge_index, senders=n, receivers=n)
        self.share = 1 / torch.bincount(edge_index[1], minlength=n)[edge_index[1]].float()

    def forward(self, x: Tensor) -> Tensor:
        return self.own(x) + self.heard(self.value(x).flatten(1), self.share).view_as(x)


def plane(n: int) -> tuple[Sites, GraphLayout]:
    rng = np.random.default_rng(0)
    sites = Sites(100 * rng.random(n), 100 * rng.random(n), Frame.PLANAR)
    return sites, nearest_neighbours(sites)


def both_ways(layer: Callable[[Tensor], Tensor], x: Tensor, parameters: list[Tensor]) -> Callable[[], None]:
    """Forward and backward, to the input and to the parameters; small cases several times, as in training."""
    calls = max(1, SMALL // x.numel()) * (4 if x.numel() < TINY else 1)  # the first pay for what the other side left
    x = x.clone().requires_grad_()
    upstream = torch.randn(layer(x).shape, generator=torch.Generator().manual_seed(1))

    def run() -> None:
        for _ in range(calls):
            torch.autograd.grad(layer(x), [x, *parameters], upstream)

    return run


def sums(repeats: int) -> list[Row]:
    rows = []
    for n, b in GRAPHS:
        layout = plane(n)[1]
        edges = torch.from_numpy(layout.edge_index)
        weight, x = torch.rand(edges.shape[1]), torch.randn(b, n, WIDTH)
        heard, theirs = Neighbourhood(edges, senders=n, receivers=n), Weighted(aggr="sum")
        major = x.transpose(0, 1).reshape(n, -1)
        mine = heard(major, weight).view(n, b, WIDTH).transpose(0, 1)
        torch.testing.assert_close(mine, theirs(x, edges, weight), rtol=1e-5, atol=1e-5)
        before, after = interleaved(
            both_ways(lambda v, e=edges, w=weight, net=theirs: net(v, e, w), x, []),
            both_ways(lambda v, w=weight, net=heard: net(v, w), major, []),
            repeats=repeats,
            clock=time.process_time,
        )
        rows.append(Row(f"n {n:>5}, b {b:>2}", f"{before * 1e3:6.1f} -> {after * 1e3:5.2f} ms", before / after, 20))
    return rows


def layers(repeats: int) -> list[Row]:
    rows = []
    for n, b in GRAPHS:
        edges = torch.from_numpy(plane(n)[1].edge_index)
        shift = n * torch.arange(b).repeat_interleave(edges.shape[1])
        union, x = edges.repeat(1, b) + shift, torch.randn(b, n, WIDTH)
        ours = OurLayer(edges, n)
        sides = [both_ways(ours, x.transpose(0, 1).contiguous(), list(ours.parameters()))]
        names = []
        for kind in (SAGEConv, GraphConv):
            theirs = kind(WIDTH, WIDTH, aggr="mean")
            weights = list(theirs.parameters())
            sides.append(both_ways(lambda v, net=theirs, e=edges: net(v, e), x, weights))
            sides.append(both_ways(lambda v, net=theirs, e=union: net(v, e), x.flatten(0, 1), weights))
            names += [f"{kind.__name__}, one graph", f"{kind.__name__}, union"]
        after, *before = interleaved(*sides, repeats=repeats, clock=time.process_time)
        best = int(np.argmin(before))
        figures = f"{names[best]} {before[best] * 1e3:5.1f} -> {after * 1e3:4.1f} ms"
        rows.append(Row(f"n {n:>5}, b {b:>2}", figures, before[best] / after, 3.0 if n >= 2048 else 1.0))
    return rows


def forecasts(repeats: int) -> list[Row]:
    rows = []
    sites, layout = plane(SITES)
    static, stream = torch.randn(SITES, 16), torch.randn(SAMPLES, SITES, FEATURES + 1)
    for name, options in NETWORKS.items():
        shape = {"features_in": FEATURES + 1, "features_out": FEATURES, "static": static, **options}
        nets = [GNN(sites, layout, **shape).eval()]
        rowsets = [stream]
        for share in (1.0, 0.5, 0.1):
            chosen = np.sort(np.random.default_rng(1).choice(SITES, round(share * SITES), replace=False))
            nets.append(GNN(sites, layout, sensors=chosen, **shape).eval())
            rowsets.append(stream[:, chosen].contiguous())

        def forecast(net: GNN, x: Tensor) -> Callable[[], None]:
            def run() -> None:
                with torch.inference_mode():
                    net.forward_sensors(x)

            return run

        sides = [forecast(net, x) for net, x in zip(nets, rowsets, strict=True)]
        filled, dense, middle, sparse = interleaved(*sides, repeats=repeats, clock=time.process_time)
        for what, before, after, least in (
            ("0 % / 50 %", dense, middle, HALF),
            ("0 % / 90 %", dense, sparse, TENTH),
            ("zero filling / 90 %", filled, sparse, TENTH),
        ):
            rows.append(Row(f"{name}: {what}", f"{before * 1e3:5.0f} -> {after * 1e3:4.0f} ms", before / after, least))
    return rows


def skill(path: str, steps: int = 300, seeds: int = 1) -> int:
    """Test error of a fresh network under random plans, on the sensors alone and with all others filled with zeros."""
    field = read(path)
    window = Window.for_record(field.steps, longest=max(stop - start for start, stop in field.runs))
    split = split_record(field, window)
    judge, n = LinearJudge(split, window), len(field.sites)
    print(f"{field!r}, {window}, {steps} steps; total error (standardised), mean of {seeds} seed(s)")
    print(f"{'sparsity':>9} {'sensors':>8} {'linear':>8} {'sensors form':>13} {'zero filling':>13} {'difference':>11}")
    for sparsity in (0.0, 0.5, 0.9, 0.99):
        plan = np.sort(np.random.default_rng(0).choice(n, max(1, round((1 - sparsity) * n)), replace=False))
        errors, seconds = {}, {}
        for form in ("sensors", "field"):
            start = time.process_time()
            scores = [
                refit(split, window, judge.scaling, plan, backbone="gnn", form=form, steps=steps, seed=seed).total
                for seed in range(seeds)
            ]
            errors[form], seconds[form] = float(np.mean(scores)), time.process_time() - start
        print(
            f"{sparsity:9.0%} {len(plan):8} {judge.score(plan).total:8.4f} {errors['sensors']:13.4f} "
            f"{errors['field']:13.4f} {errors['sensors'] / errors['field'] - 1:+11.1%}  "
            f"{seconds['sensors']:.0f} s against {seconds['field']:.0f} s",
            flush=True,
        )
    return 0


def main(repeats: int = 5) -> int:
    torch.set_num_threads(1)
    missed = show("Neighbour sums forward and backward, PyG propagate / ours", sums(repeats))
    missed |= show("A whole layer forward and backward, PyG's best form / ours", layers(repeats))
    return missed | show(f"Forecast of {SITES} sites: what absent sensors save", forecasts(max(1, repeats // 2)))


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["skill"]:
        sys.exit(skill(sys.argv[2], *map(int, sys.argv[3:])))
    sys.exit(main(*map(int, sys.argv[1:])))
