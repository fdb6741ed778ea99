"""What a notebook shows of an object: a small card of plain HTML that asks for nothing, every text escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

__all__ = ["card", "sketch", "table"]

_SIDE = 220  # pixels of the longer side of a sketch; chosen
_DOTS = 400  # sites in a sketch; chosen: more only make it darker
_LEFT, _RIGHT = "text-align:left", "text-align:right"


def card(title: str, facts: Iterable[tuple[str, object]], *parts: str) -> str:
    """A heading, facts line by line, and parts that are HTML already.

    Examples
    --------
    >>> card("lake <b>", [("sensors", 3)])
    '<div><strong>lake &lt;b&gt;</strong><table><tr><th style="text-align:left">sensors</th>\
<td style="text-align:left">3</td></tr></table></div>'
    """
    rows = "".join(f"<tr>{_cell('th', name, _LEFT)}{_cell('td', value, _LEFT)}</tr>" for name, value in facts)
    return f"<div><strong>{escape(title)}</strong><table>{rows}</table>{''.join(parts)}</div>"


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows under their names: text to the left, numbers to the right with four digits."""
    head = "".join(_cell("th", name, _RIGHT if i else _LEFT) for i, name in enumerate(columns))
    body = ["".join(_cell("td", value, _LEFT if isinstance(value, str) else _RIGHT) for value in row) for row in rows]
    return f"<table><tr>{head}</tr>{''.join(f'<tr>{row}</tr>' for row in body)}</table>"


def _cell(tag: str, value: object, style: str) -> str:
    return f'<{tag} style="{style}">{escape(_text(value))}</{tag}>'


def _text(value: object) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4g}" if math.isfinite(value) else "\N{EN DASH}"


def sketch(x: Float[ndarray, " n"], y: Float[ndarray, " n"], sensor: Bool[ndarray, " n"]) -> str:
    """A drawing of the places: pale dots for sites, vermilion ones for sensors; no scale, no coast."""
    low, size = np.array([x.min(), y.min()]), max(float(np.ptp(x)), float(np.ptp(y))) or 1.0
    across, up = (x - low[0]) / size * _SIDE, (y - low[1]) / size * _SIDE
    width, height = float(np.ptp(across)) + 10, float(np.ptp(up)) + 10
    shown = np.flatnonzero(~sensor)
    shown = shown[:: max(1, math.ceil(len(shown) / _DOTS))]
    dots = [f'<circle cx="{across[i] + 5:.1f}" cy="{height - 5 - up[i]:.1f}" r="1.2"/>' for i in shown.tolist()]
    chosen = np.flatnonzero(sensor)
    marks = [f'<circle cx="{across[i] + 5:.1f}" cy="{height - 5 - up[i]:.1f}" r="3.2"/>' for i in chosen.tolist()]
    groups = f'<g fill="#b8bcc4">{"".join(dots)}</g><g fill="#d55e00">{"".join(marks)}</g>'
    return (
        f'<svg width="{width:.0f}" height="{height:.0f}" role="img" aria-label="places of the sensors">{groups}</svg>'
    )
