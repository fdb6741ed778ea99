"""Forecasters of streams, and closed-form ones. `BACKBONES` is the table of those that are trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from dynst.backbones.linear import LinearForecaster, TargetGrams, fit_ridge, fit_ridge_dual
from dynst.backbones.persistence import climatology, persistence
from dynst.domain import GridLayout, Layout
from dynst.errors import OptionError

if TYPE_CHECKING:
    from dynst.backbones.base import AbstractBackbone

__all__ = [
    "BACKBONES",
    "SHAPES",
    "LazyBackbone",
    "LinearForecaster",
    "TargetGrams",
    "backbone_for",
    "backbone_on",
    "check_shape",
    "climatology",
    "fit_ridge",
    "fit_ridge_dual",
    "persistence",
]


@dataclass(frozen=True)
class LazyBackbone:
    """A backbone by the place of its class, and the facts that others treat it by.

    The class is imported at first use, as torch takes seconds to load.

    Attributes
    ----------
    module, name : str
        Where the class is.
    shape : tuple of str
        The names in `SHAPES` that it takes.
    grid_only : bool
        Whether it needs a grid.
    """

    module: str
    name: str
    shape: tuple[str, ...]
    grid_only: bool = False

    def load(self) -> type[AbstractBackbone]:
        """The class."""
        return cast("type[AbstractBackbone]", getattr(import_module(self.module), self.name))


SHAPES = ("dim", "depth", "patch")
"""Options of the shape of a network: width, blocks, cells per side of a patch."""

BACKBONES: dict[str, LazyBackbone] = {
    "stlight": LazyBackbone("dynst.backbones.stlight", "STLight", shape=SHAPES, grid_only=True),
    "gnn": LazyBackbone("dynst.backbones.gnn", "GNN", shape=("dim", "depth")),
}
"""Networks by name, the preferred one first."""


def backbone_for(layout: Layout) -> str:
    """The backbone that suits a layout, see `backbone_on`."""
    return backbone_on(grid=isinstance(layout, GridLayout))


def backbone_on(*, grid: bool) -> str:
    """The first backbone that can be trained on a grid, or on sites that form none.

    Examples
    --------
    >>> backbone_on(grid=True), backbone_on(grid=False)
    ('stlight', 'gnn')
    """
    return next(name for name, row in BACKBONES.items() if grid or not row.grid_only)


def check_shape(backbone: str, shape: Mapping[str, object]) -> None:
    """Make sure that a backbone takes the options of a shape; one in closed form takes none but those all others do.

    Raises
    ------
    OptionError
        If one is an option of other backbones alone.

    Examples
    --------
    >>> check_shape("gnn", {"dim": 8, "patch": 2})
    Traceback (most recent call last):
    ...
    dynst.errors.OptionError: patch: belongs to the backbone stlight; gnn has none: leave it out.
    """
    common = tuple(option for option in SHAPES if all(option in row.shape for row in BACKBONES.values()))
    taken = BACKBONES[backbone].shape if backbone in BACKBONES else common
    for option in shape:
        if option not in taken:
            others = " or ".join(name for name, row in BACKBONES.items() if option in row.shape)
            raise OptionError(option, f"belongs to the backbone {others}; {backbone} has none: leave it out")
