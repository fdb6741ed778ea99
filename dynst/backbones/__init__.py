"""Forecasters of streams, and closed-form ones. `BACKBONES` is the table of those that are trained."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, cast

from dynst.backbones.linear import LinearForecaster, TargetGrams, fit_ridge, fit_ridge_dual
from dynst.backbones.persistence import climatology, persistence
from dynst.domain import GridLayout, Layout

if TYPE_CHECKING:
    from dynst.backbones.base import AbstractBackbone

__all__ = [
    "BACKBONES",
    "LazyBackbone",
    "LinearForecaster",
    "TargetGrams",
    "backbone_for",
    "climatology",
    "fit_ridge",
    "fit_ridge_dual",
    "persistence",
]


@dataclass(frozen=True)
class LazyBackbone:
    """A backbone by the place of its class; imported at first use, as torch takes seconds to load."""

    module: str
    name: str

    def load(self) -> type[AbstractBackbone]:
        """The class."""
        return cast("type[AbstractBackbone]", getattr(import_module(self.module), self.name))


BACKBONES: dict[str, LazyBackbone] = {
    "stlight": LazyBackbone("dynst.backbones.stlight", "STLight"),
    "gnn": LazyBackbone("dynst.backbones.gnn", "GNN"),
}


def backbone_for(layout: Layout) -> str:
    """The backbone that suits a layout: ``stlight`` on grids, ``gnn`` elsewhere."""
    return "stlight" if isinstance(layout, GridLayout) else "gnn"
