"""How sites neighbour each other: the rows and columns of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int, Shaped
from numpy import ndarray

from dynst.errors import DataError

__all__ = ["GridLayout"]


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
