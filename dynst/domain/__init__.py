"""The nouns: labelled arrays and their rules. NumPy and xarray only; no torch, no files."""

from dynst.domain.clock import Clock
from dynst.domain.curve import FRAMES, RANDOM, Curve, CurveRow
from dynst.domain.field import ArraySeries, Channel, Covariate, Field, Series
from dynst.domain.layout import GraphLayout, GridLayout, Layout
from dynst.domain.origin import MakersSplit, Origin
from dynst.domain.plan import Plan
from dynst.domain.rules import Rules
from dynst.domain.sites import Frame, Role, Sites, Stations
from dynst.domain.spacing import Spacing
from dynst.domain.window import Window

__all__ = [
    "FRAMES",
    "RANDOM",
    "ArraySeries",
    "Channel",
    "Clock",
    "Covariate",
    "Curve",
    "CurveRow",
    "Field",
    "Frame",
    "GraphLayout",
    "GridLayout",
    "Layout",
    "MakersSplit",
    "Origin",
    "Plan",
    "Role",
    "Rules",
    "Series",
    "Sites",
    "Spacing",
    "Stations",
    "Window",
]
