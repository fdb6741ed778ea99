"""The graph network with loops and dense matrices, in double precision; nothing is shared with it but its weights."""

import numpy as np
from scipy.special import erf


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def places(x, y):
    """Waves over the extent of sites in the plane."""
    axes = np.stack([x - x.mean(), y - y.mean()], axis=1)
    axes = axes / np.abs(axes).max()
    waves = [wave(np.pi / 2 * k * axes) for k in (1, 2, 4) for wave in (np.sin, np.cos)]
    return np.concatenate([axes, *waves], axis=1)


def bounded_log(size, middle):
    return np.clip(np.log(max(size, 1e-300) / middle), -4, 4)


def link_features(pairs, senders, receivers, weight=None):
    """Features of each link (sender, receiver): crowds, weight, distance, direction; positions are rows (x, y)."""
    incoming = {i: sum(r == i for _, r in pairs) for _, i in pairs}
    outgoing = {j: sum(s == j for s, _ in pairs) for j, _ in pairs}
    step = {(j, i): senders[j] - receivers[i] for j, i in pairs}
    length = {pair: np.hypot(*d) for pair, d in step.items()}
    middle = np.median([r for r in length.values() if r > 0]) if any(length.values()) else 1.0
    rows = {}
    for j, i in pairs:
        row = [np.log1p(incoming[i]), np.log1p(outgoing[j])]
        if weight is not None:
            row.append(bounded_log(weight[j, i], np.median(list(weight.values()))))
        row.append(bounded_log(length[j, i], middle))
        row += list(step[j, i] / length[j, i]) if length[j, i] > 0 else [0.0, 0.0]
        rows[j, i] = np.array(row)
    return rows


class DenseGNN:
    """Forecast of one batch from the state of a `GNN`; `near` and `spread` map (sender, receiver) to link features."""

    def __init__(self, state, *, depth, heads, known, near, nodes, spread=None, sensors=None):
        self.state = {name: value.double().numpy() for name, value in state.items()}
        self.depth, self.heads, self.known, self.near, self.nodes = depth, heads, known, near, nodes
        self.spread, self.sensors = spread, np.arange(len(known)) if sensors is None else sensors

    def linear(self, name, x):
        return x @ self.state[f"{name}.weight"].T + self.state.get(f"{name}.bias", 0.0)

    def made(self, name, features):
        return self.linear(f"{name}.out", gelu(self.linear(f"{name}.hidden", features)))

    def matrices(self, made, count, senders, *, of):
        """One dense matrix a head, from the weight vectors of each link."""
        out = np.zeros((of, count, senders))
        for (j, i), row in made.items():
            out[:, i, j] = row
        return out

    def heard(self, x, matrices):
        """Every head's share of the width through its own matrix; x is (b, n, d)."""
        width = x.shape[-1] // len(matrices)
        parts = [m @ x[..., h * width : (h + 1) * width] for h, m in enumerate(matrices)]
        return np.concatenate(parts, axis=-1)

    def slots(self, name, value, state, flag, writes, reads):  # noqa: PLR0917 # as the network's own
        gate = sigmoid(self.linear(f"{name}.gate", state) + 4 * (2 * flag - 1))
        out = []
        for v, g in zip(value, gate, strict=True):
            mean = sum(np.outer(writes[i], v[i] * g[i]) for i in range(len(v))) / (g.sum() + 1e-6)
            out.append(reads @ (mean @ self.state[f"{name}.mix.weight"].T))
        return np.array(out)

    def norm(self, name, x):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return (x - mean) / np.sqrt(var + 1e-5) * self.state[f"{name}.weight"] + self.state[f"{name}.bias"]

    def __call__(self, stream):
        x = stream[:, self.sensors]
        flag, known = x[..., -1:], self.known[self.sensors]
        member = self.linear("membership.2", gelu(self.linear("membership.0", self.known)))
        own = member[self.sensors]
        h = self.linear("encoder.stream", x) + self.linear("encoder.known", known)
        h = self.linear("encoder.out", gelu(h))
        degree = {i: sum(r == i for _, r in self.near) for _, i in self.near}
        made = {pair: (1 + self.made("kernels", row)) / degree[pair[1]] for pair, row in self.near.items()}
        for block in range(self.depth):
            name = f"blocks.{block}"
            some = {pair: row[block * self.heads : (block + 1) * self.heads] for pair, row in made.items()}
            matrices = self.matrices(some, self.nodes, self.nodes, of=self.heads)
            y = self.norm(f"{name}.norm", h)
            value = self.linear(f"{name}.value", y)
            u = self.linear(f"{name}.own", y) + self.heard(value, matrices)
            u = u + self.slots(f"{name}.far", value, y, flag, own, own)
            h = h + self.linear(f"{name}.out", gelu(u))
        u = self.linear("decoder.own", h)
        if self.spread is not None:
            made = {pair: np.exp(self.made("spread", row)) for pair, row in self.spread.items()}
            total = {i: sum(row for (_, r), row in made.items() if r == i) for _, i in made}
            made = {(j, i): row / total[i] for (j, i), row in made.items()}
            u = self.heard(u, self.matrices(made, len(self.known), self.nodes, of=self.heads))
        u = u + self.slots("decoder.far", h, h, flag, own, member) + self.linear("decoder.known", self.known)
        return self.linear("decoder.out", gelu(u))
