"""A map that the pointer moves and zooms: the same chart, with axes that follow."""

from __future__ import annotations

import altair as alt

__all__ = ["VIEW", "movable"]

VIEW = "view"
"""Name of the part of the map that is seen, for scripts: its signals are ``view_x`` and ``view_y``."""


def movable(chart: alt.LayerChart) -> alt.LayerChart:
    """The map with its scales bound to the pointer: drag moves, the wheel zooms, a double click shows all again.

    What stands at a place of the map is cut at its border, and the axes find ticks of their own.
    """
    moved: alt.LayerChart = chart.copy(deep=True)
    for layer in moved.layer:
        if isinstance(layer, alt.Chart) and isinstance(layer.encoding.x, alt.X):
            layer.mark.clip = True
            _free(layer)
    seen = alt.selection_interval(name=VIEW, bind="scales", encodings=["x", "y"])
    moved.layer[0] = moved.layer[0].add_params(seen)
    return moved


def _free(layer: alt.Chart) -> None:
    """Leave the ticks to the axes: those that were chosen for the whole map are few on a part of it."""
    for channel in (layer.encoding.x, layer.encoding.y):
        if isinstance(channel.axis, alt.Axis):
            channel.axis["values"] = alt.Undefined
