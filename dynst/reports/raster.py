"""Values of sites as a picture of their cells, in one small PNG instead of thousands of marks."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.reports.view import View

__all__ = ["COLOURS", "png_url", "site_of_pixel"]

COLOURS = ("#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58")
"""Light to dark in even steps of lightness, safe for all kinds of colour vision (ColorBrewer, YlGnBu)."""

_EDGE = 0.51  # a cell reaches half-way to its neighbour; a little more closes the cracks of curved grids
_CANDIDATES = 6  # cells asked whether a pixel is theirs: the nearest centre is not always that of its cell
_DOT = 0.55  # sites on no grid are drawn as squares of this share of the usual distance between neighbours


def site_of_pixel(view: View, *, scale: float = 2.0) -> Int[ndarray, "rows columns"]:
    """Index of the site in whose cell each pixel lies, -1 where there is none; rows run from north to south."""
    columns, rows = round(view.width * scale), round(view.height * scale)
    if view.corners is not None and _upright(view.corners):
        return _painted(view, view.corners, np.full((rows, columns), -1))
    x = view.west + (np.arange(columns) + 0.5) * (view.east - view.west) / columns
    y = view.north - (np.arange(rows) + 0.5) * (view.north - view.south) / rows
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2)
    return _owners(view, points).reshape(rows, columns)


def png_url(levels: Float[ndarray, " n"], pixels: Int[ndarray, "rows columns"], *, unranked: str = "#d5d2cc") -> str:
    """A ``data:`` URL of a PNG that shows `levels` (0 to 1, NaN for none) by `COLOURS`, clear outside all cells.

    Examples
    --------
    >>> png_url(np.array([0.0, 1.0]), np.array([[0, 1], [-1, 1]]))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    palette = np.concatenate([[[0, 0, 0]], [_rgb(unranked)], _ramp(254)]).astype(np.uint8)
    entry = np.where(np.isnan(levels), 1, 2 + np.round(np.nan_to_num(np.clip(levels, 0.0, 1.0)) * 253)).astype(np.uint8)
    picture = np.where(pixels < 0, 0, entry[pixels]).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(_png(picture, palette)).decode()


def _upright(corners: Float[ndarray, "n 4 2"]) -> bool:
    """Whether all cells are rectangles along the axes."""
    low, high = corners.min(axis=1, keepdims=True), corners.max(axis=1, keepdims=True)
    off = np.minimum(np.abs(corners - low), np.abs(corners - high))
    return bool((off <= 1e-3 * (high - low)).all())


def _painted(
    view: View, corners: Float[ndarray, "n 4 2"], picture: Int[ndarray, "rows columns"]
) -> Int[ndarray, "rows columns"]:
    """The picture with every rectangle filled by its site: each pixel whose middle lies inside."""
    rows, columns = picture.shape
    size = np.array([columns / (view.east - view.west), -rows / (view.north - view.south)])
    pixels = np.ceil((corners - [view.west, view.north]) * size - 0.5).astype(int)
    low, high = pixels.min(axis=1), pixels.max(axis=1)
    for shift in (0, columns, -columns) if view.turn else (0,):  # a cell on the border shows on the other side too
        begin, end = (
            np.maximum(low + np.array([shift, 0]), 0).tolist(),
            np.maximum(high + np.array([shift, 0]), 0).tolist(),
        )
        for site, ((left, top), (right, bottom)) in enumerate(zip(begin, end, strict=True)):
            picture[top:bottom, left:right] = site
    return picture


def _owners(view: View, points: Float[ndarray, "q 2"]) -> Int[ndarray, " q"]:
    centres, across, along = _parallelograms(view)
    unit = np.array([np.median(np.hypot(*across.T)), np.median(np.hypot(*along.T))])  # near in cells, not in degrees
    site, turned = np.arange(len(centres)), centres
    if view.turn:
        site = np.tile(site, 3)
        turned = np.concatenate([centres + np.array([turn, 0.0]) for turn in (0.0, -360.0, 360.0)])
    tree, owner = KDTree(turned / unit), np.full(len(points), -1)
    for candidates in (1, min(_CANDIDATES, len(turned))):
        open_ = np.flatnonzero(owner < 0)
        _, near = tree.query(points[open_] / unit, k=candidates, distance_upper_bound=3.0)
        for nearest in near.reshape(len(open_), -1).T:
            asked = np.flatnonzero((owner[open_] < 0) & (nearest < len(turned)))
            place, chosen = nearest[asked], site[nearest[asked]]
            offset, e, f = points[open_[asked]] - turned[place], across[chosen], along[chosen]
            area = e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]
            u = (offset[:, 0] * f[:, 1] - offset[:, 1] * f[:, 0]) / area
            v = (e[:, 0] * offset[:, 1] - e[:, 1] * offset[:, 0]) / area
            inside = (np.abs(u) <= _EDGE) & (np.abs(v) <= _EDGE)
            owner[open_[asked[inside]]] = chosen[inside]
    return owner


def _parallelograms(view: View) -> tuple[Float[ndarray, "n 2"], Float[ndarray, "n 2"], Float[ndarray, "n 2"]]:
    """Middle of each cell, and the ways from side to side along its row and along its column."""
    if view.corners is not None:
        a, b, c, d = np.moveaxis(view.corners, 1, 0)
        return (a + b + c + d) / 4, (b + c - a - d) / 2, (c + d - a - b) / 2
    n = len(view.x)
    points = np.stack([view.x, view.y], axis=-1)
    usual = 1.0
    if n > 1:
        apart, _ = KDTree(points).query(points, k=2)
        usual = float(np.median(apart[:, 1])) or 1.0
    shape = (view.east - view.west) / view.width * view.height / (view.north - view.south)
    return points, np.tile([_DOT * usual * shape, 0.0], (n, 1)), np.tile([0.0, _DOT * usual], (n, 1))


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _ramp(steps: int) -> Float[ndarray, "steps 3"]:
    stops = np.array([_rgb(colour) for colour in COLOURS], float)
    at = np.linspace(0, len(stops) - 1, steps)
    return np.stack([np.interp(at, np.arange(len(stops)), stops[:, k]) for k in range(3)], axis=-1).round()


def _png(picture: UInt8[ndarray, "rows columns"], palette: UInt8[ndarray, "colours 3"]) -> bytes:
    """An indexed PNG whose colour 0 is clear (W3C Portable Network Graphics, section 11)."""
    rows, columns = picture.shape
    lines = np.concatenate([np.zeros((rows, 1), np.uint8), picture], axis=1)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0))
        + chunk(b"PLTE", palette.tobytes())
        + chunk(b"tRNS", b"\x00")
        + chunk(b"IDAT", zlib.compress(lines.tobytes(), 9))
        + chunk(b"IEND", b"")
    )
