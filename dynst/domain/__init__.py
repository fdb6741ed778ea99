"""The nouns: labelled arrays and their rules. NumPy and xarray only; no torch, no files."""

from dynst.domain.curve import FRAMES, Curve, CurveRow
from dynst.domain.field import ArraySeries, Channel, Field, Series
from dynst.domain.layout import GridLayout
from dynst.domain.plan import Plan
from dynst.domain.sites import Frame, Role, Sites
from dynst.domain.window import Window

__all__ = [
    "FRAMES",
    "ArraySeries",
    "Channel",
    "Curve",
    "CurveRow",
    "Field",
    "Frame",
    "GridLayout",
    "Plan",
    "Role",
    "Series",
    "Sites",
    "Window",
]
