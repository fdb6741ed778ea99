"""The cell that each site of a grid stands for, as four corners."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import GridLayout

__all__ = ["cell_corners"]

_EVEN = 1e-3  # rows and columns count as straight when positions on them agree to this share of a step; chosen


def cell_corners(
    x: Float[ndarray, " n"], y: Float[ndarray, " n"], layout: GridLayout, *, geographic: bool
) -> Float[ndarray, "n 4 2"]:
    """Corners of each site's cell, half-way to the neighbours, anticlockwise.

    Works for grids with straight rows and columns (there exact, for uneven steps too) and for curved ones. A
    border cell mirrors its inner half.

    Parameters
    ----------
    x, y : Float[ndarray, "n"]
        Positions: degrees east and north if `geographic`, else any length.
    layout : GridLayout
        Which sites are neighbours.
    geographic : bool
        Whether `x` turns after 360 and `y` ends at 90. Corners keep the turn of their site, so a cell
        on the date line has corners beyond 180; none lies beyond a pole.

    Examples
    --------
    >>> layout = GridLayout((2, 2), np.arange(4))
    >>> x, y = np.array([179.0, -179.0, 179.0, -179.0]), np.array([89.5, 89.5, 87.5, 87.5])
    >>> cell_corners(x, y, layout, geographic=True)[1].tolist()
    [[-180.0, 88.5], [-178.0, 88.5], [-178.0, 90.0], [-180.0, 90.0]]
    """
    centres = np.moveaxis(layout.fold(np.stack([x, y]).astype(float)), 0, -1)
    centres = _straightened(centres, layout.periodic, geographic)
    right, left = _halves(centres, 1, layout.periodic, geographic)
    down, up = _halves(centres, 0, False, geographic)
    right, left, down, up = (layout.unfold(np.moveaxis(half, -1, 0)).T for half in _known(right, left, down, up))
    corners = np.stack([-left - up, right - up, right + down, -left + down], axis=1)
    edge_x, edge_y = corners[..., 0], corners[..., 1]
    turning = edge_x * np.roll(edge_y, -1, axis=1) - np.roll(edge_x, -1, axis=1) * edge_y
    clockwise = turning.sum(axis=1) < 0
    corners[clockwise] = corners[clockwise][
        :, [3, 2, 1, 0]
    ]  # starts at the lower left whenever rows run north to south
    corners += np.stack([x, y], axis=-1)[:, None]
    if geographic:
        corners[..., 1] = np.clip(corners[..., 1], -90.0, 90.0)
    return corners


def _straightened(centres: Float[ndarray, "h w 2"], periodic: bool, geographic: bool) -> Float[ndarray, "h w 2"]:
    """Centres with the cells that hold no site filled in, if rows and columns are straight; else as they came."""
    first = centres[np.isfinite(centres[..., 0]).argmax(axis=0), np.arange(centres.shape[1]), 0]
    off = _short(centres[..., 0] - first, geographic)
    lowest = centres[np.arange(centres.shape[0]), np.isfinite(centres[..., 1]).argmax(axis=1), 1]
    rise = centres[..., 1] - lowest[:, None]
    if np.nanmax(np.abs(off)) > _EVEN * _step(first, geographic) or np.nanmax(np.abs(rise)) > _EVEN * _step(
        lowest, False
    ):
        return centres
    columns, rows = _without_gaps(first, 360.0 if geographic else None), _without_gaps(lowest, None)
    return np.stack(np.broadcast_arrays(columns[None, :], rows[:, None]), axis=-1).astype(float)


def _without_gaps(line: Float[ndarray, " m"], period: float | None) -> Float[ndarray, " m"]:
    known = np.flatnonzero(np.isfinite(line))
    values = np.unwrap(line[known], period=period) if period else line[known]
    return np.interp(np.arange(len(line)), known, values, left=np.nan, right=np.nan)  # beyond, nobody knows


def _step(line: Float[ndarray, " m"], geographic: bool) -> float:
    steps = np.abs(_short(np.diff(line), geographic))
    steps = steps[np.isfinite(steps) & (steps > 0)]
    return float(np.median(steps)) if len(steps) else 1.0


def _short(difference: Float[ndarray, "*s"], geographic: bool) -> Float[ndarray, "*s"]:
    """Difference of two longitudes the short way round."""
    return np.mod(difference + 180.0, 360.0) - 180.0 if geographic else difference


def _halves(
    centres: Float[ndarray, "h w 2"], axis: int, periodic: bool, geographic: bool
) -> tuple[Float[ndarray, "h w 2"], Float[ndarray, "h w 2"]]:
    """Half the way to the next and from the previous centre along `axis`; NaN where there is none."""
    ahead = np.roll(centres, -1, axis=axis) - centres
    ahead[..., 0] = _short(ahead[..., 0], geographic)
    if not periodic:
        ahead[(slice(None),) * axis + (-1,)] = np.nan
    ahead[np.isnan(ahead).any(axis=-1)] = np.nan  # half a way, as into a row that holds no site, is none
    behind = np.roll(ahead, 1, axis=axis)
    missing_ahead, missing_behind = np.isnan(ahead), np.isnan(behind)
    return np.where(missing_ahead, behind, ahead) / 2, np.where(missing_behind, ahead, behind) / 2


def _known(*halves: Float[ndarray, "h w 2"]) -> tuple[Float[ndarray, "h w 2"], ...]:
    """The halves with those of cells without any neighbour on that axis guessed: as elsewhere, or square."""
    right, left, down, up = (half.copy() for half in halves)
    for half in (right, left, down, up):
        usual = _median(half)
        if usual is not None:
            half[...] = np.where(np.isnan(half), usual, half)
    across, along = _square(_median(right), _median(down))
    fill = (across, across, along, along)
    return tuple(
        np.where(np.isnan(half), usual, half) for half, usual in zip((right, left, down, up), fill, strict=True)
    )


def _square(
    across: Float[ndarray, " 2"] | None, along: Float[ndarray, " 2"] | None
) -> tuple[Float[ndarray, " 2"], Float[ndarray, " 2"]]:
    """Both half sides of a cell; one that nobody knows (a grid of one row, of one column) as long as the other."""
    if across is None:
        across = np.array([0.5, 0.0]) if along is None else np.array([-along[1], along[0]])
    return across, np.array([across[1], -across[0]]) if along is None else along


def _median(half: Float[ndarray, "h w 2"]) -> Float[ndarray, " 2"] | None:
    known = half[np.isfinite(half[..., 0])]
    return np.median(known, axis=0) if len(known) else None
