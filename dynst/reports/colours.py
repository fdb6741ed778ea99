"""The one table of colours: each planner has the same colour in every chart of every run."""

from __future__ import annotations

import zlib
from types import MappingProxyType

__all__ = ["PLANNER_COLOURS", "planner_colour"]

PLANNER_COLOURS = MappingProxyType(
    {
        "dynst": "#d55e00",
        "dynst_linear": "#0072b2",
        "uniform_random": "#444444",
        "coverage": "#cc79a7",
        "variance": "#b8860b",
        "pivoted_qr": "#8c6d46",
        "a_optimal": "#009e73",
        "mutual_information": "#56b4e9",
        "forward": "#e69f00",
        "one_shot": "#7a5195",
    }
)
"""The palette of Okabe and Ito (2008) without its yellow, which a white page swallows, and four more."""

_FURTHER = ("#882255", "#117733", "#999933", "#332288", "#aa4466", "#5f7f8f")
"""For names that no table holds; chosen."""


def planner_colour(name: str) -> str:
    """The colour of a planner, whatever else is drawn beside it.

    Examples
    --------
    >>> planner_colour("dynst"), planner_colour("by_hand") == planner_colour("by_hand")
    ('#d55e00', True)
    """
    return PLANNER_COLOURS.get(name) or _FURTHER[zlib.crc32(name.encode()) % len(_FURTHER)]
