"""How sites neighbour each other: the rows and columns of a grid, or the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, Shaped
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dynst.errors import DataError

__all__ = ["GraphLayout", "GridLayout", "Layout"]


@dataclass(frozen=True, eq=False)
class GridLayout:
    """Sites as cells of a grid of `h` rows and `w` columns; cells without a site are allowed.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    cell : Int[ndarray, "n"]
        Row-major position of each site, strictly increasing.
    periodic : bool
        Whether the last column neighbours the first (a full turn of longitude).

    Examples
    --------
    >>> layout = GridLayout((2, 2), np.array([0, 1, 3]))  # the third cell is land, say
    >>> layout.fold(np.array([1.0, 2.0, 3.0])).tolist()
    [[1.0, 2.0], [nan, 3.0]]
    >>> layout.unfold(layout.fold(np.array([1.0, 2.0, 3.0]))).tolist()
    [1.0, 2.0, 3.0]
    """

    shape: tuple[int, int]
    cell: Int[ndarray, " n"]
    periodic: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "cell", np.ascontiguousarray(self.cell, np.int64))
        h, w = self.shape
        if not (len(self.cell) and (np.diff(self.cell) > 0).all() and self.cell[0] >= 0 and self.cell[-1] < h * w):
            raise DataError(f"cells of a grid layout must increase strictly from 0 to below {h * w}.")

    def __len__(self) -> int:
        return len(self.cell)

    def __repr__(self) -> str:
        turn = ", periodic" if self.periodic else ""
        return f"GridLayout({self.shape[0]} x {self.shape[1]}, {len(self)} sites{turn})"

    @property
    def words(self) -> str:
        """The layout as a user reads it."""
        h, w = self.shape
        cells = f"{len(self)}" if self.full else f"{len(self)} of the {h * w} cells"
        return f"{cells} of a {h} x {w} grid"

    @property
    def full(self) -> bool:
        """Whether every cell is a site."""
        return len(self.cell) == self.shape[0] * self.shape[1]

    def fold(self, values: Shaped[ndarray, "*s n"], fill: float = np.nan) -> Shaped[ndarray, "*s h w"]:
        """Values of the sites on the grid, the last axis becoming rows and columns; `fill` where there is no site."""
        h, w = self.shape
        values = np.asarray(values)
        grid = np.full((*values.shape[:-1], h * w), fill, np.result_type(values.dtype, np.float32))
        grid[..., self.cell] = values
        return grid.reshape(*values.shape[:-1], h, w)

    def unfold(self, grid: Shaped[ndarray, "*s h w"]) -> Shaped[ndarray, "*s n"]:
        """Values at the sites, from rows and columns; the inverse of `fold`."""
        h, w = self.shape
        return np.asarray(grid).reshape(*grid.shape[:-2], h * w)[..., self.cell]


@dataclass(frozen=True, eq=False)
class GraphLayout:
    """Sites as nodes of a graph without self loops, each edge once; made by the functions of `dynst.domain.graphs`.

    Parameters
    ----------
    size : int
        Number of sites.
    edge_index : Int[ndarray, "2 e"]
        Sender and receiver of each edge, sorted by receiver, then by sender. A neighbourhood without direction has
        both directions.
    edge_weight : Float[ndarray, "e"]
        Strength of each edge, positive; ones if left out.
    triangles : Int[ndarray, "f 3"] or None
        The mesh that the edges come from, for maps and exports.
    words : str
        What kind of graph, as a user reads it: ``8 nearest neighbours``, ``edges of 800 triangles``, ``given graph``.
    weighted : bool
        Whether the weights were given (a road distance, a similarity) rather than made from the positions.

    Raises
    ------
    DataError
        If an edge names a site that is not there, is a self loop or comes twice, or a weight is not positive.

    Examples
    --------
    >>> layout = GraphLayout(3, np.array([[1, 0], [0, 1]]))
    >>> layout, layout.parts
    (GraphLayout(3 sites, 2 edges), 2)
    """

    size: int
    edge_index: Int[ndarray, "2 e"]
    edge_weight: Float[ndarray, " e"] | None = None
    triangles: Int[ndarray, "f 3"] | None = None
    words: str = "given graph"
    weighted: bool = False

    def __post_init__(self) -> None:
        edges = np.ascontiguousarray(self.edge_index, np.int64).reshape(2, -1)
        count = edges.shape[1]
        weight = np.ones(count) if self.edge_weight is None else np.ascontiguousarray(self.edge_weight, float)
        if len(weight) != count:
            raise DataError(f"a graph of {count} edges needs as many weights; {len(weight)} came.")
        if count and not (edges.min() >= 0 and edges.max() < self.size):
            worst = int(edges.min() if edges.min() < 0 else edges.max())
            raise DataError(f"an edge names site {worst}, but sites count from 0 to {self.size - 1}.")
        if (edges[0] == edges[1]).any():
            raise DataError("a graph layout holds no self loop: a site always knows itself. Drop them.")
        if not (np.isfinite(weight).all() and (weight > 0).all()):
            raise DataError("the weights of edges must be positive and finite. Drop edges of no weight.")
        order = np.lexsort((edges[0], edges[1]))
        edges, weight = np.ascontiguousarray(edges[:, order]), weight[order]
        if count > 1 and (np.diff(edges[1] * self.size + edges[0]) == 0).any():
            raise DataError("an edge comes more than once. Give each pair of sites one edge in each direction.")
        for name, value in (("edge_index", edges), ("edge_weight", weight)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"GraphLayout({self.size} sites, {self.edge_index.shape[1]} edges)"

    @cached_property
    def part(self) -> Int[ndarray, " n"]:
        """Number of the connected part that each site belongs to, whatever the direction of the edges."""
        ones = np.ones(self.edge_index.shape[1])
        graph = coo_array((ones, (self.edge_index[0], self.edge_index[1])), shape=(self.size, self.size))
        labels: ndarray = connected_components(graph, directed=False)[1]
        return labels.astype(np.int64)

    @property
    def parts(self) -> int:
        """Number of connected parts; an isolated site is a part of its own."""
        return int(self.part.max()) + 1

    @property
    def isolated(self) -> Int[ndarray, " i"]:
        """Sites without any edge."""
        return np.setdiff1d(np.arange(self.size), self.edge_index)


Layout = GridLayout | GraphLayout
"""How sites neighbour each other."""
