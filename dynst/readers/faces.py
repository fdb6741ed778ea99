"""Faces of a mesh: read from a table of their corners, cut into triangles, joined over shared sides."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.triangles import triangle_areas

__all__ = ["adjacent", "centres", "face_areas", "faces_of", "in_triangles"]


def faces_of(array: xr.DataArray, n: int, where: str, *, transposed: bool) -> tuple[Int[ndarray, "f k"], str]:
    """Nodes of each face, -1 where a face has fewer than others, and the dimension of the faces.

    Raises
    ------
    DataError
        If the table is none, or names a node that is not there.
    """
    name = array.name
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise DataError(f"{where}: {name} has shape {array.shape} ({array.dtype}); expected faces x nodes of a face.")
    raw = array.values.astype(float)
    if transposed or array.shape[0] <= 4 < array.shape[1]:
        array, raw = array.transpose(), raw.T
    filled = ~np.isfinite(raw) | (raw < 0)
    if "_FillValue" in array.attrs:
        filled |= raw == float(array.attrs["_FillValue"])
    start = int(array.attrs.get("start_index", 0))
    faces = np.where(filled, -1, np.where(filled, 0, raw) - start).astype(np.int64)
    if (faces[~filled] < 0).any() or (faces >= n).any():
        worst = int(faces[~filled].min()) if (faces[~filled] < 0).any() else int(faces.max())
        raise DataError(
            f"{where}: {name} names node {worst}, but nodes count from 0 to {n - 1} (start_index {start}). "
            "Is start_index right?"
        )
    faces = np.take_along_axis(faces, np.argsort(filled, axis=1, kind="stable"), axis=1)
    short = np.flatnonzero((~filled).sum(1) < 3)
    if len(short):
        raise DataError(f"{where}: {name} gives face {short[0]} fewer than 3 nodes ({len(short)} such). Drop them.")
    return faces, str(array.dims[0])


def in_triangles(faces: Int[ndarray, "f k"]) -> Int[ndarray, "g 3"]:
    """Each face as a fan of triangles around its first node, face by face."""
    fans = np.stack(
        [np.stack([faces[:, 0], faces[:, i], faces[:, i + 1]], -1) for i in range(1, faces.shape[1] - 1)], 1
    )
    return fans[(fans >= 0).all(-1)]


def centres(nodes: Float[ndarray, "n 2"], faces: Int[ndarray, "f k"]) -> Float[ndarray, "f 2"]:
    """The mean of the corners of each face."""
    there = (faces >= 0)[:, :, None]
    centre: ndarray = (nodes[faces] * there).sum(1) / there.sum(1)
    return centre


def adjacent(faces: Int[ndarray, "f k"]) -> Int[ndarray, "2 e"]:
    """Pairs of faces that share a side, each once."""
    last = np.where(faces >= 0, np.arange(faces.shape[1]), -1).max(1)
    after = np.where(np.arange(faces.shape[1]) == last[:, None], faces[:, :1], np.roll(faces, -1, 1))
    there = faces >= 0
    side = np.sort(np.stack([faces[there], after[there]], -1), axis=1)
    owner = np.broadcast_to(np.arange(len(faces))[:, None], faces.shape)[there]
    order = np.lexsort((owner, side[:, 1], side[:, 0]))
    side, owner = side[order], owner[order]
    same = (side[1:] == side[:-1]).all(axis=1) & (owner[1:] != owner[:-1])
    pairs = np.unique(np.sort(np.stack([owner[:-1][same], owner[1:][same]], -1), axis=1), axis=0)
    return pairs.T


def face_areas(nodes: Float[ndarray, "n 2"], faces: Int[ndarray, "f k"]) -> Float[ndarray, " f"]:
    """Area of each face."""
    owner = np.repeat(np.arange(len(faces)), (faces >= 0).sum(1) - 2)
    area: ndarray = np.bincount(owner, triangle_areas(nodes, in_triangles(faces)), minlength=len(faces))
    return area
