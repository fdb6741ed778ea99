"""Values of sites as a picture of their cells, in one small PNG instead of thousands of marks."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from scipy.spatial import KDTree

from dynst.reports.view import View

__all__ = ["BOTH_WAYS", "COLOURS", "UNRANKED", "png_url", "site_of_pixel", "usual_gap"]

COLOURS = ("#ffffd9", "#edf8b1", "#c7e9b4", "#7fcdbb", "#41b6c4", "#1d91c0", "#225ea8", "#253494", "#081d58")
"""Light to dark in even steps of lightness, safe for all kinds of colour vision (ColorBrewer, YlGnBu)."""

BOTH_WAYS = ("#2166ac", "#4393c3", "#92c5de", "#d1e5f0", "#f7f7f7", "#fddbc7", "#f4a582", "#d6604d", "#b2182b")
"""From below zero over zero to above, safe for all kinds of colour vision (ColorBrewer, RdBu)."""

UNRANKED = "#d5d2cc"
"""Shade of a site that a plan does not rank."""

_STRIPE, _STRIPES = "#8d8880", 10  # colour of stripes, and pixels from one to the next

_EDGE = 0.51  # a cell reaches half-way to its neighbour; a little more closes the cracks of curved grids
_CANDIDATES = 6  # cells asked whether a pixel is theirs: the nearest centre is not always that of its cell
_PATCH = 1.5  # sites on no grid and no mesh are drawn as patches of so many usual distances between neighbours; chosen


def site_of_pixel(
    view: View, triangles: Int[ndarray, "f 3"] | None = None, *, scale: float = 2.0
) -> Int[ndarray, "rows columns"]:
    """Index of the site in whose cell each pixel lies, -1 where there is none; rows run from north to south.

    Of a mesh, a node's cell is what of its `triangles` is nearer to it than to the other corners.
    """
    columns, rows = round(view.width * scale), round(view.height * scale)
    if triangles is not None:
        return _meshed(view.pixels * scale, triangles, np.full((rows, columns), -1))
    if view.corners is not None and _upright(view.corners):
        return _painted(view, view.corners, np.full((rows, columns), -1))
    x = view.west + (np.arange(columns) + 0.5) * (view.east - view.west) / columns
    y = view.north - (np.arange(rows) + 0.5) * (view.north - view.south) / rows
    points = np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1).reshape(-1, 2)
    return _owners(view, points).reshape(rows, columns)


def png_url(
    levels: Float[ndarray, " n"],
    pixels: Int[ndarray, "rows columns"],
    *,
    unranked: str = UNRANKED,
    hatched: Bool[ndarray, " n"] | None = None,
    colours: Sequence[str] = COLOURS,
) -> str:
    """A ``data:`` URL of a PNG that shows `levels` (0 to 1, NaN for none) by `colours`, clear outside all cells.

    Sites that are `hatched` get dark stripes.

    Examples
    --------
    >>> png_url(np.array([0.0, 1.0]), np.array([[0, 1], [-1, 1]]))[:30]
    'data:image/png;base64,iVBORw0K'
    """
    palette = np.concatenate([[[0, 0, 0]], [_rgb(unranked)], [_rgb(_STRIPE)], _ramp(253, colours)]).astype(np.uint8)
    entry = np.where(np.isnan(levels), 1, 3 + np.round(np.nan_to_num(np.clip(levels, 0.0, 1.0)) * 252)).astype(np.uint8)
    picture = np.where(pixels < 0, 0, entry[pixels]).astype(np.uint8)
    if hatched is not None:
        rows, columns = np.indices(picture.shape)
        stripe = (rows + columns) % _STRIPES < 2
        picture[stripe & (pixels >= 0) & hatched[pixels]] = 2
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


def _meshed(
    nodes: Float[ndarray, "n 2"], triangles: Int[ndarray, "f 3"], picture: Int[ndarray, "rows columns"]
) -> Int[ndarray, "rows columns"]:
    """The picture with every triangle filled: each pixel whose middle lies inside, by the nearest of its corners."""
    place = nodes[triangles] - 0.5  # pixels count from their middles
    low, high = np.ceil(place.min(axis=1)).astype(int), np.floor(place.max(axis=1)).astype(int) + 1
    area = _cross(place[:, 1] - place[:, 0], place[:, 2] - place[:, 0])
    for face in np.flatnonzero((high > low).all(axis=1) & (area != 0)).tolist():
        (left, top), (right, bottom), corners = low[face].tolist(), high[face].tolist(), place[face]
        x, y = np.arange(left, right), np.arange(top, bottom)[:, None]
        away = [(x - a, y - b) for a, b in corners.tolist()]
        turn = [away[i][0] * away[i - 1][1] - away[i][1] * away[i - 1][0] for i in range(3)]
        inside = np.minimum.reduce(turn) >= 0 if area[face] < 0 else np.maximum.reduce(turn) <= 0
        nearest = np.argmin([dx**2 + dy**2 for dx, dy in away], axis=0)
        picture[top:bottom, left:right][inside] = triangles[face][nearest[inside]]
    return picture


def _cross(a: Float[ndarray, "f 2"], b: Float[ndarray, "f 2"]) -> Float[ndarray, " f"]:
    product: ndarray = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    return product


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
        for nearest in near.reshape(len(open_), candidates).T:  # also where no pixel is left open
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
    pixel = np.array([(view.east - view.west) / view.width, (view.north - view.south) / view.height])
    points, side = np.stack([view.x, view.y], axis=-1), _PATCH * usual_gap(view) * pixel
    return points, np.tile([side[0], 0.0], (len(points), 1)), np.tile([0.0, side[1]], (len(points), 1))


def usual_gap(view: View) -> float:
    """Pixels from a site to its nearest neighbour, in the middle case; the height of the map for a single site."""
    places = np.unique(view.pixels.round(1), axis=0)
    if len(places) < 2:
        return float(view.height)
    return float(np.median(KDTree(places).query(places, k=2)[0][:, 1]))


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _ramp(steps: int, colours: Sequence[str]) -> Float[ndarray, "steps 3"]:
    stops = np.array([_rgb(colour) for colour in colours], float)
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
