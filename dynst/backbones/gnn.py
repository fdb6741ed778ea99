"""A graph network on sites, in PyTorch Geometric: near sites by learned kernels of the edges, far ones through slots.

Inside, everything is node-major, ``(n, b, d)``: a whole batch of a site's features is one row, on which sums over
neighbours are fast (`dynst.backbones.aggregate`), and what belongs to edges or sites alone is worked out once, not
once a sample.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric import EdgeIndex
from torch_geometric.nn import MessagePassing

from dynst.backbones.aggregate import Neighbourhood
from dynst.backbones.base import AbstractBackbone
from dynst.backbones.links import Links, links_among, links_of, links_to, place_features
from dynst.domain import Layout, Sites
from dynst.errors import ConfigError

__all__ = ["GNN"]

_OPENING = (
    4.0  # log odds with which a site that is measured opens to the slots at first, and one that is not stays shut
)
_HIDDEN = 16  # width of the network that makes kernels of edge features
_CACHED = 1 << 17  # numbers that stay in the cache
_FIXED = 1e-6  # kept from a division by nothing where no site opens


@final
class GNN(AbstractBackbone):
    """Encoder, message passing blocks, decoder, on any layout; a grid is taken as a graph of nearest neighbours.

    A block adds to each site what it makes of itself, of its neighbours - a mean under several kernels that are learnt
    functions of the edge: its length, direction or given weight - and of a few slots that every site writes to and
    reads from, by learnt functions of what is known of the site. Without slots a sensor would be heard `depth` links
    far only.

    With `sensors`, encoder and blocks run on these sites alone, on a graph of their own; the forecast of all sites
    is one weighted mean of the nearest sensors, plus the slots, plus what is known of the site. Sites without a sensor
    then cost a decoder only.

    Parameters
    ----------
    sites, layout : Sites, Layout
        Where the sites are and how they neighbour each other. Positions and directions are used where they are known.
    features_in, features_out : int
        Width of the stream of a site, before and after. The last feature that comes is the flag of the support.
    dim, depth : int
        Width, and number of blocks.
    heads : int
        Kernels of a block, each for its share of the width.
    slots : int
        0 for none.
    neighbours, nearest : int
        Neighbours on a grid or among sensors, and sensors that a site is interpolated from.
    edge_mlp : bool
        Whether messages are full networks of sender, receiver and edge, rather than sums under kernels: several times
        slower.
    sensors : Int[ndarray, "k"] or None
        The only sites that are ever measured; none is allowed. None means that any may be.
    static : Float[Tensor, "n q"] or None
        What is known of each site beforehand, of order one.
    generator : torch.Generator or None
        Source of the initial weights.

    Examples
    --------
    >>> sites = Sites(np.arange(6.0), np.zeros(6))
    >>> from dynst.domain.graphs import nearest_neighbours
    >>> shape = {"features_in": 3, "features_out": 2, "dim": 8}
    >>> GNN(sites, nearest_neighbours(sites, 2), **shape)(torch.zeros(4, 6, 3)).shape
    torch.Size([4, 6, 2])
    >>> lean = GNN(sites, nearest_neighbours(sites, 2), sensors=np.array([1, 4]), **shape)
    >>> lean.forward_sensors(torch.zeros(4, 2, 3)).shape
    torch.Size([4, 6, 2])
    """

    permutation_equivariant: ClassVar[bool] = True
    sensors_only: ClassVar[bool] = True
    takes_static: ClassVar[bool] = True

    known: Tensor
    sensors: Tensor | None

    def __init__(
        self,
        sites: Sites,
        layout: Layout,
        *,
        features_in: int,
        features_out: int,
        dim: int = 32,
        depth: int = 2,
        heads: int = 4,
        slots: int = 16,
        neighbours: int = 8,
        nearest: int = 6,
        edge_mlp: bool = False,
        sensors: Int[ndarray, " k"] | None = None,
        static: Float[Tensor, "n q"] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        _check(dim=dim, depth=depth, heads=heads, slots=slots, neighbours=neighbours, nearest=nearest)
        self.features_in, self.features_out = features_in, features_out
        chosen = None if sensors is None else _checked_sensors(sensors, len(sites))
        places = torch.from_numpy(place_features(sites).astype(np.float32))
        known = places if static is None else torch.cat([places, static.to(places)], dim=1)
        self.register_buffer("known", known, persistent=False)
        self.register_buffer("sensors", None if chosen is None else torch.from_numpy(chosen), persistent=False)

        near = links_of(sites, layout, neighbours) if chosen is None else links_among(sites, layout, chosen, neighbours)
        self.encoder = _Encoder(features_in, known.shape[1], dim)
        self.kernels = _Kernels(near, depth * (dim if edge_mlp else heads), mean=not edge_mlp)
        self.membership = _membership(known.shape[1], dim, slots)
        self.blocks = nn.ModuleList(_Block(dim, slots=slots > 0, edge_mlp=edge_mlp) for _ in range(depth))
        self.spread = None if chosen is None else _Kernels(links_to(sites, layout, chosen, nearest), heads, mean=False)
        self.decoder = _Decoder(dim, known.shape[1], features_out, slots=slots > 0)
        _initialise(self, generator)

    @classmethod
    def on(
        cls,
        sites: Sites,
        layout: Layout,
        *,
        features_in: int,
        features_out: int,
        generator: torch.Generator | None = None,
        **shape: Any,
    ) -> GNN:
        """The network for these sites; `shape` as for the constructor.

        Raises
        ------
        ConfigError
            If an option makes no sense, or a sensor is no site.
        """
        return cls(sites, layout, features_in=features_in, features_out=features_out, generator=generator, **shape)

    def forward(self, stream: Float[Tensor, "b n f"]) -> Float[Tensor, "b n g"]:
        """Forecast stream of a stream; built for `sensors`, it reads only their rows."""
        return self.forward_sensors(stream if self.sensors is None else stream.index_select(1, self.sensors))

    def forward_sensors(self, stream: Float[Tensor, "b k f"]) -> Float[Tensor, "b n g"]:
        """The same from the rows of the sensors alone, in their order."""
        stream = stream.transpose(0, 1)
        flag = stream[..., -1:]
        member = self.known.new_ones(len(self.known), 1) if self.membership is None else self.membership(self.known)
        known, own = (x if self.sensors is None else x.index_select(0, self.sensors) for x in (self.known, member))
        h = self.encoder(stream, known)
        for block, kernel in zip(self.blocks, self.kernels().chunk(len(self.blocks), dim=1), strict=True):
            h = block(h, flag, kernel, own, self.kernels)
        out: Tensor = self.decoder(h, flag, self.spread, self.known, own, member)
        return out.transpose(0, 1)


class _Encoder(nn.Module):
    """What a site makes of its stream and of what is known of it."""

    def __init__(self, features: int, known: int, dim: int) -> None:
        super().__init__()
        self.stream = _linear(features, dim)
        self.known = _linear(known, dim, bias=False) if known else None
        self.out = _linear(dim, dim)

    def forward(self, stream: Float[Tensor, "n b f"], known: Float[Tensor, "n q"]) -> Float[Tensor, "n b d"]:
        h = self.stream(stream)
        if self.known is not None:
            h = h + self.known(known).unsqueeze(1)
        out: Tensor = self.out(F.gelu(h))
        return out


class _Decoder(nn.Module):
    """From the blocks to the forecast, spread from the sensors to all sites if there are links to spread along."""

    def __init__(self, dim: int, known: int, features: int, *, slots: bool) -> None:
        super().__init__()
        self.own = _linear(dim, dim)
        self.far = _Slots(dim) if slots else None
        self.known = _linear(known, dim, bias=False) if known else None
        self.out = _linear(dim, features)

    def forward(  # noqa: PLR0917 # a network takes its inputs by place
        self,
        h: Float[Tensor, "k b d"],
        flag: Float[Tensor, "k b 1"],
        spread: _Kernels | None,
        known: Float[Tensor, "n q"],
        own: Float[Tensor, "k s"],
        member: Float[Tensor, "n s"],
    ) -> Float[Tensor, "n b g"]:
        b, d = h.shape[1:]
        u = self.own(h)
        if spread is not None:
            u = spread.sum(u, spread.softmax())
        slots = None if self.far is None else self.far(h, h, flag, own)
        place = None if self.known is None else self.known(known)

        def at(some: slice) -> Tensor:
            v = u[some] if slots is None else _plus(u[some], member[some], slots)
            if place is not None:
                v = v + place[some].unsqueeze(1)
            out: Tensor = self.out(F.gelu(v))
            return out

        # Without a backward pass nothing need be kept: some sites at a time, in the cache, from here to the forecast.
        size = len(u) if torch.is_grad_enabled() else max(1, _CACHED // max(1, b * d))
        return torch.cat([at(slice(i, i + size)) for i in range(0, len(u), size)])


class _Block(nn.Module):
    """Itself, its neighbours, the slots: added up, mixed, added to what was there."""

    def __init__(self, dim: int, *, slots: bool, edge_mlp: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.own = _linear(dim, dim)
        self.value = _linear(dim, dim)
        self.receive = _linear(dim, dim, bias=False) if edge_mlp else None
        self.messages = _EdgeNetwork() if edge_mlp else None
        self.far = _Slots(dim) if slots else None
        self.out = _linear(dim, dim)

    def forward(
        self,
        h: Float[Tensor, "n b d"],
        flag: Float[Tensor, "n b 1"],
        kernel: Float[Tensor, "e h"],
        member: Float[Tensor, "n s"],
        links: _Kernels,
    ) -> Float[Tensor, "n b d"]:
        y = self.norm(h)
        value = self.value(y)
        u = self.own(y)
        if self.messages is None or self.receive is None:
            u = u + links.sum(value, kernel)
        else:
            u = u + self.messages(self.receive(y), value, kernel, links.share, links.edges)
        if self.far is not None:
            u = _plus(u, member, self.far(value, y, flag, member))
        mixed: Tensor = self.out(F.gelu(u))
        return h + mixed


class _Slots(nn.Module):
    """A few means over all sites that are open, for any site to read: the way from any site to any other.

    Sites belong to slots by signed shares that follow from what is known of them, as a field belongs to its modes.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = _linear(dim, 1)
        self.mix = _linear(dim, dim, bias=False)

    def forward(
        self,
        value: Float[Tensor, "k b d"],
        state: Float[Tensor, "k b d"],
        flag: Float[Tensor, "k b 1"],
        member: Float[Tensor, "k s"],
    ) -> Float[Tensor, "s b d"]:
        b, d = value.shape[1:]
        # Open at first where there is a sensor, so that some among thousands of sites are not drowned by the others.
        gate = (self.gate(state) + _OPENING * (2 * flag - 1)).sigmoid()
        mean = member.T @ (value * gate).reshape(len(value), b * d)
        slots: Tensor = self.mix(mean.view(-1, b, d) / (gate.sum(0) + _FIXED))
        return slots


class _Kernels(nn.Module):
    """Links, and weights for them that are a learnt function of their features."""

    features: Tensor
    share: Tensor
    edge_index: Tensor

    def __init__(self, links: Links, count: int, *, mean: bool) -> None:
        super().__init__()
        self.mean = mean
        self.hidden = _linear(links.features.shape[1], _HIDDEN)
        self.out = _linear(_HIDDEN, count)
        self.neighbours = _Neighbours(links)
        edge_index = torch.from_numpy(links.edge_index)
        degree = torch.bincount(edge_index[1], minlength=links.receivers).clamp(min=1)
        self.register_buffer("features", torch.from_numpy(links.features.astype(np.float32)), persistent=False)
        self.register_buffer("share", 1 / degree[edge_index[1]].float(), persistent=False)
        self.width = int(degree[0]) if len(edge_index[0]) and len(edge_index[0]) == len(degree) * degree.max() else 0
        self.register_buffer("edge_index", edge_index, persistent=False)
        self.size = links.senders, links.receivers

    @property
    def edges(self) -> EdgeIndex:
        """The links as PyG knows them, sorted; made anew, as one that is kept cannot be read in inference mode."""
        return EdgeIndex(self.edge_index, sparse_size=self.size, sort_order="col")

    def forward(self) -> Float[Tensor, "e c"]:
        """Weights of each edge: near those of a mean over neighbours at first, if it is a mean that is wanted."""
        made: Tensor = self.out(F.gelu(self.hidden(self.features)))
        if self.mean:
            made = (1 + made) * self.share[:, None]
        return made

    def softmax(self) -> Float[Tensor, "e c"]:
        """The same as positive weights that add up to 1 for each receiver."""
        logits: Tensor = self().to(self.share.dtype)
        if self.width:
            return logits.view(-1, self.width, logits.shape[1]).softmax(1).flatten(0, 1)
        receivers, shape = self.edge_index[1], (self.size[1], logits.shape[1])
        largest = logits.new_zeros(shape).scatter_reduce(
            0, receivers[:, None].expand_as(logits), logits.detach(), "amax", include_self=False
        )
        weight = (logits - largest.index_select(0, receivers)).exp()
        return weight / logits.new_zeros(shape).index_add(0, receivers, weight).index_select(0, receivers)

    def sum(self, x: Float[Tensor, "k b d"], weight: Float[Tensor, "e h"]) -> Float[Tensor, "n b d"]:
        """Weighted sum over the senders of each receiver, the width shared out among the weights of an edge."""
        out: Tensor = self.neighbours(x, weight, self.edges)
        return out


class _Messages(MessagePassing):  # type: ignore[misc] # PyG has no types
    """PyG's message passing on ``(n, b, d)``."""

    def __init__(self) -> None:
        super().__init__(aggr="sum", node_dim=0)

    def _set_jittable_templates(self, raise_on_error: bool = False) -> None:
        """Not made: PyG would write a Python file into the temporary folder and leave it there."""


class _Neighbours(_Messages):
    """Sum over neighbours under several weights an edge, each for its share of the width.

    PyG takes the fused way, which is ours, as it knows the edges to be sorted. Its explainers take the other one.
    """

    SUPPORTS_FUSED_EDGE_INDEX = True

    def __init__(self, links: Links) -> None:
        super().__init__()
        edge_index = torch.from_numpy(links.edge_index)
        self.heard = Neighbourhood(edge_index, senders=links.senders, receivers=links.receivers)

    def forward(self, x: Tensor, weight: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.propagate(edge_index, x=x, weight=weight)
        return out

    def message(self, x_j: Tensor, weight: Tensor) -> Tensor:
        e, b, d = x_j.shape
        heads = weight.shape[1]
        weighted: Tensor = x_j.view(e, b, heads, d // heads) * weight[:, None, :, None]
        return weighted.reshape(e, b, d)

    def message_and_aggregate(self, edge_index: Tensor, x: Tensor, weight: Tensor) -> Tensor:
        (k, b, d), heads = x.shape, weight.shape[1]
        apart = x.view(k, b, heads, d // heads).permute(2, 0, 1, 3).reshape(heads, k, b * d // heads)
        sums = [self.heard(row, w) for row, w in zip(apart, weight.T.contiguous(), strict=True)]
        return torch.stack([part.view(-1, b, d // heads) for part in sums], dim=2).view(-1, b, d)


class _EdgeNetwork(_Messages):
    """Mean over neighbours of a network of receiver, sender and edge.

    Its first layer is split: two of its three products run on sites, not on edges, and are equal to the product of all
    three in a row. Its last layer is that of the block, which may as well follow the mean.
    """

    def forward(self, to: Tensor, x: Tensor, edge: Tensor, share: Tensor, edge_index: Tensor) -> Tensor:
        out: Tensor = self.propagate(edge_index, to=to, x=x, edge=edge, share=share)
        return out

    def message(self, to_i: Tensor, x_j: Tensor, edge: Tensor, share: Tensor) -> Tensor:
        return F.gelu(to_i + x_j + edge[:, None]) * share[:, None, None]


def _plus(
    u: Float[Tensor, "n b d"], member: Float[Tensor, "n s"], slots: Float[Tensor, "s b d"]
) -> Float[Tensor, "n b d"]:
    """What sites read from the slots, added in the same pass."""
    return torch.addmm(u.flatten(1), member, slots.flatten(1)).view_as(u)


def _membership(known: int, dim: int, slots: int) -> nn.Sequential | None:
    """Network of the shares that a site has in the slots; None if nothing is known that could tell sites apart."""
    return nn.Sequential(_linear(known, dim), nn.GELU(), _linear(dim, slots)) if known and slots else None


def _linear(features_in: int, features_out: int, *, bias: bool = True) -> nn.Linear:
    """A linear layer whose weights are not drawn yet: torch would draw them from the global generator."""
    return nn.Linear(features_in, features_out, bias=bias, device="meta").to_empty(device=torch.get_default_device())


def _initialise(network: GNN, generator: torch.Generator | None) -> None:
    """The customary uniform draw of linear layers."""
    for module in network.modules():
        if isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            if module.bias is not None:
                nn.init.uniform_(module.bias, -bound, bound, generator=generator)


def _check(*, dim: int, depth: int, heads: int, slots: int, neighbours: int, nearest: int) -> None:
    if min(dim, depth, heads, neighbours, nearest) < 1 or slots < 0:
        raise ConfigError(
            f"a GNN needs dim, depth, heads, neighbours and nearest of at least 1 and slots of at least 0; {dim}, "
            f"{depth}, {heads}, {neighbours}, {nearest} and {slots} came."
        )
    if dim % heads:
        raise ConfigError(f"a GNN of {heads} heads needs a dim that is a multiple of it; {dim} came.")


def _checked_sensors(sensors: Int[ndarray, " k"], n: int) -> Int[ndarray, " k"]:
    sensors = np.ascontiguousarray(sensors, np.int64)
    if len(sensors) and not (sensors.min() >= 0 and sensors.max() < n and len(np.unique(sensors)) == len(sensors)):
        raise ConfigError(
            f"the sensors of a GNN must be different sites from 0 to {n - 1}; {len(sensors)} others came."
        )
    return sensors
