"""The time axis of one quantity over all its files: in order, and each time once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.pieces import Oddities, Piece
from dynst.readers.quantities import Quantity
from dynst.readers.repeats import differences, settle
from dynst.readers.sources import Handles
from dynst.readers.times import Times

__all__ = ["Axis", "axis_of"]

_BATCH_BYTES = 4 << 20


@dataclass(frozen=True, eq=False)
class Axis:
    """Times in order, the file and the step of each, whether steps within a file had to be sorted, and notes."""

    times: Times
    piece: Int[ndarray, " t"]
    step: Int[ndarray, " t"]
    mixed: bool
    notes: tuple[str, ...] = ()


def axis_of(quantity: Quantity, handles: Handles) -> Axis:
    """The axis of a quantity. Values are read only where a time comes twice.

    Raises
    ------
    DataError
        If the files count time in different units, or a time comes twice and nothing says which step counts.
    """
    each = [piece.times for piece in quantity.pieces]
    if len({(axis.decoded, axis.unit, axis.calendar) for axis in each}) > 1:
        raise DataError(f"{quantity.variable}: the files count time in different units. Give all of them one calendar.")
    whole = replace(each[0], values=np.concatenate([axis.values for axis in each]))
    piece = np.repeat(np.arange(len(each)), [len(axis.values) for axis in each])
    step = np.concatenate([np.arange(len(axis.values)) for axis in each])

    def apart(first: Int[ndarray, " p"], second: Int[ndarray, " p"]) -> Float[ndarray, " p"]:
        out = np.zeros(len(first))
        pairs = piece[first] * len(each) + piece[second]
        for pair in np.unique(pairs).tolist():
            a, b = (quantity.pieces[number] for number in divmod(pair, len(each)))
            here = np.flatnonzero(pairs == pair)
            out[here] = _apart(quantity, handles, (a, step[first[here]]), (b, step[second[here]]))
        return out

    files = [Path(piece.file.rstrip("/")).name for piece in quantity.pieces]
    kept, notes = settle(whole, piece, files, apart, what=quantity.variable)
    # Files in another order than their times are common and harmless; steps out of order within one are worth a note.
    mixed = any(len(axis.values) > 1 and bool((axis.values[1:] < axis.values[:-1]).any()) for axis in each)
    return Axis(replace(whole, values=whole.values[kept]), piece[kept], step[kept], mixed, notes)


def _apart(
    quantity: Quantity,
    handles: Handles,
    first: tuple[Piece, Int[ndarray, " p"]],
    second: tuple[Piece, Int[ndarray, " p"]],
) -> Float[ndarray, " p"]:
    """Largest difference between steps of two files, over all levels and cells; infinite where one lacks a value."""
    height, width = first[0].grid.shape
    size = max(1, _BATCH_BYTES // (4 * height * width * len(quantity.level_order)))
    out = np.zeros(len(first[1]))
    for start in range(0, len(out), size):
        batch = slice(start, start + size)
        one, other = (
            piece.read(handles, steps[batch], quantity.level_order, (0, height), Oddities())
            for piece, steps in (first, second)
        )
        out[batch] = differences(one, other)
    return out
