"""Events cut from one run with overlap: found by their content, and put together again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import UInt64
from numpy import ndarray

__all__ = ["Rebuilt", "rebuild"]

_LOOKED_UP = 32  # places of one frame that are tried as its predecessor; a quiet frame may be everywhere


@dataclass(frozen=True)
class Rebuilt:
    """Runs as spans ``(event, first frame, one past the last)``, and what was found.

    `strides` counts the joints by stride; 0 is an event that repeats another. `ordered` says whether each event
    follows the one before it in the file.
    """

    runs: tuple[tuple[tuple[int, int, int], ...], ...]
    strides: dict[int, int]
    ordered: bool = True


def rebuild(
    frames: UInt64[ndarray, "event frame"], same: Callable[[int, int, int], bool] = lambda a, b, stride: True
) -> Rebuilt:
    """The runs behind events: event `b` follows event `a` if frame ``j + stride`` of `a` is frame `j` of `b`.

    Frames that nothing moves in are no evidence, unless the stride is that of most events.

    Parameters
    ----------
    frames : UInt64[ndarray, "event frame"]
        A digest of each frame; equal for equal frames.
    same : callable
        Told two events and a stride, looks closer whether they do overlap.

    Examples
    --------
    >>> run = np.arange(6, dtype=np.uint64)
    >>> rebuild(np.stack([run[0:4], run[1:5], run[2:6], run[0:4] + np.uint64(90)])).runs
    (((0, 0, 4), (1, 3, 4), (2, 3, 4)), ((3, 0, 4),))
    """
    length = frames.shape[1]
    kept = _distinct(frames)
    pairs = list(pairwise(kept))
    usual = Counter(stride for a, b in pairs for stride in _strides(frames, a, b)[:1])
    common = usual.most_common(1)[0][0] if usual else 0
    follows: dict[int, tuple[int, int]] = {}  # event: the one before it, and the stride
    taken: set[int] = set()

    def link(a: int, b: int, stride: int) -> bool:
        if b in follows or a in taken or _reaches(follows, a, b) or not same(a, b, stride):
            return False
        follows[b] = (a, stride)
        taken.add(a)
        return True

    # the usual stride first, and neighbours first: shuffled events overlap at other strides, too
    for a, b in pairs if common else ():
        if (frames[a, common:] == frames[b, : length - common]).all():
            link(a, b, common)
    strays = [link(*found) for b in kept if b not in follows for found in _before(frames, b, kept, common)]
    for a, b in pairs:
        for stride in _strides(frames, a, b)[:1]:
            link(a, b, stride)
    strays += [link(*found) for b in kept if b not in follows for found in _before(frames, b, kept, None)]
    after = {a: (b, stride) for b, (a, stride) in follows.items()}
    runs = []
    for event in (event for event in kept if event not in follows):
        spans, at = [(event, 0, length)], event
        while at in after:
            at, stride = after[at]
            spans.append((at, length - stride, length))
        runs.append(tuple(spans))
    strides = Counter(stride for _, stride in follows.values()) + Counter({0: len(frames) - len(kept)})
    return Rebuilt(tuple(runs), dict(strides), not any(strays))


def _distinct(frames: ndarray) -> list[int]:
    """Events without those that repeat another, unless nothing moves in it: a quiet stretch of a run is longer."""
    seen: set[bytes] = set()
    kept = []
    for event, row in enumerate(frames):
        content = row.tobytes()
        if content not in seen or not (row != row[0]).any():
            kept.append(event)
        seen.add(content)
    return kept


def _strides(frames: ndarray, a: int, b: int) -> list[int]:
    """Strides at which two events overlap in frames that change, smallest first."""
    length = frames.shape[1]
    return [
        stride
        for stride in np.flatnonzero(frames[a] == frames[b, 0]).tolist()
        if stride
        and (frames[a, stride:] == frames[b, : length - stride]).all()
        and (frames[a, min(stride, length - 2) :] != frames[a, -1]).any()
    ]


def _before(frames: ndarray, event: int, kept: list[int], stride: int | None) -> list[tuple[int, int, int]]:
    """Other events that this one overlaps with, at a stride or at any, as `(before, event, stride)`."""
    if stride == 0:
        return []
    hit = frames[:, 1:] == frames[event, 0] if stride is None else frames[:, stride : stride + 1] == frames[event, 0]
    events = [a for a in np.flatnonzero(hit.any(axis=1)).tolist() if a != event and a in set(kept)][:_LOOKED_UP]
    found = [(a, event, s) for a in events for s in _strides(frames, a, event) if stride in (None, s)]
    return sorted(found, key=lambda item: item[2])


def _reaches(follows: dict[int, tuple[int, int]], start: int, goal: int) -> bool:
    """Whether going back from `start` one comes to `goal`."""
    while start in follows:
        start = follows[start][0]
        if start == goal:
            return True
    return start == goal
