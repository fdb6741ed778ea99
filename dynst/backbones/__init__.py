"""Forecasters of streams, and closed-form ones. `BACKBONES` is the table of those that are trained."""

from dynst.backbones.base import AbstractBackbone
from dynst.backbones.linear import LinearForecaster, TargetGrams, fit_ridge, fit_ridge_dual
from dynst.backbones.persistence import climatology, persistence
from dynst.backbones.stlight import STLight, STLightCore

__all__ = [
    "BACKBONES",
    "AbstractBackbone",
    "LinearForecaster",
    "STLight",
    "STLightCore",
    "TargetGrams",
    "climatology",
    "fit_ridge",
    "fit_ridge_dual",
    "persistence",
]

BACKBONES: dict[str, type[STLight]] = {"stlight": STLight}
