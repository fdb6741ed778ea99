"""Times that come twice: equal steps are taken once, and of a restarted run the later file counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.errors import DataError
from dynst.readers.times import Times

__all__ = ["Compare", "differences", "in_order", "settle"]

Compare = Callable[[Int[ndarray, " p"], Int[ndarray, " p"]], Float[ndarray, " p"]]
"""Told pairs of steps, gives the largest difference of their values: 0 for equal, infinite where one lacks a value."""


def differences(one: Float[ndarray, "p ..."], other: Float[ndarray, "p ..."]) -> Float[ndarray, " p"]:
    """The largest difference of each step, as `Compare` gives it.

    Examples
    --------
    >>> differences(np.array([[1.0, np.nan], [2.0, 0.0]]), np.array([[1.0, np.nan], [2.5, np.nan]])).tolist()
    [0.0, inf]
    """
    gap = np.where(np.isnan(one) & np.isnan(other), 0.0, np.abs(one.astype(float) - other))
    largest: ndarray = np.where(np.isnan(gap), np.inf, gap).max(axis=tuple(range(1, gap.ndim)))
    return largest


_LEAST = 6  # steps of a part of a file, below which steps are out of order rather than run again


def in_order(times: Times, owner: Int[ndarray, " t"]) -> Int[ndarray, " t"]:
    """The order of all steps by time; of equal times, that of the file which begins later comes last."""
    files = int(owner.max()) + 1 if len(owner) else 0
    begin = np.array([times.values[owner == file].min() for file in range(files)])
    rank = np.argsort(np.argsort(begin, kind="stable"), kind="stable")
    return np.lexsort((rank[owner] if files else owner, times.values))


def settle(
    times: Times, owner: Int[ndarray, " t"], files: Sequence[str], apart: Compare, *, what: str = ""
) -> tuple[Int[ndarray, " k"], tuple[str, ...]]:
    """Which steps to take, in order of time, and notes of what was taken once.

    Where a restarted run repeats some steps with other values, those of the file that begins later are taken: the
    run went on from there.

    Parameters
    ----------
    times : Times
        Of all files, one after the other.
    owner : Int[ndarray, "t"]
        Number of the file of each step.
    files : sequence of str
        Their names.
    apart : callable
        Compares steps by number.
    what : str
        The variable, for messages.

    Raises
    ------
    DataError
        If one file has a time twice with other values, files hold the same period with other values, or files without
        dates count anew.

    Examples
    --------
    >>> steps, notes = settle(Times(np.array([0, 1, 1, 2])), np.array([0, 0, 1, 1]), ["a", "b"], lambda i, j: 0.0 * i)
    >>> steps.tolist(), notes[0]
    ([0, 2, 3], 'a and b share 1 step (1), equal in both: taken once')
    """
    order = in_order(times, owner)
    second = np.flatnonzero(times.values[order[1:]] == times.values[order[:-1]]) + 1
    if not len(second):
        return order, ()
    _dated_or_counted_on(times, owner, files)
    owner, files = _restarts_within(times, owner, files)
    order = in_order(times, owner)
    first_of, second_of = order[second - 1], order[second]
    difference = apart(first_of, second_of)
    notes = []
    pairs = owner[first_of] * len(files) + owner[second_of]
    for pair in np.unique(pairs).tolist():
        here = pairs == pair
        a, b = divmod(pair, len(files))
        steps, differing = first_of[here], difference[here] > 0
        said = _said_span(times, steps)
        if not differing.any():
            names = f"{files[a]} and {files[b]} share" if a != b else f"{files[a]} repeats"
            notes.append(f"{names} {said}, equal in both: taken once")
            continue
        _restart(times, owner, files, steps[differing], (a, b))
        most = float(difference[here].max())
        by = f" by up to {most:.3g}" if np.isfinite(most) else ""
        notes.append(
            f"{files[a]} and {files[b]} share {said}, where {what or 'the values'} differ{'s' * bool(what)}{by}: "
            f"those of {files[b]} are taken, as it begins later"
        )
    last = np.ones(len(order), bool)
    last[second - 1] = False
    return order[last], tuple(notes)


def _restarts_within(
    times: Times, owner: Int[ndarray, " t"], files: Sequence[str]
) -> tuple[Int[ndarray, " t"], Sequence[str]]:
    """Files and their parts: where time goes back within a file, a restarted run was written behind the first."""
    begins = (np.diff(owner, prepend=-1) != 0) | (np.diff(times.values, prepend=times.values[:1]).astype(float) < 0)
    part = np.cumsum(begins) - 1
    starts = np.flatnonzero(begins)
    if len(starts) == len(files) or np.bincount(part).min() < _LEAST:
        return owner, files
    first = {file: int(np.flatnonzero(owner == file)[0]) for file in np.unique(owner).tolist()}
    return part, [_part_name(files[owner[at]], int(at) - first[int(owner[at])]) for at in starts.tolist()]


def _part_name(file: str, step: int) -> str:
    return f"{file} from step {step} on" if step else file


def _said_span(times: Times, steps: Int[ndarray, " s"]) -> str:
    first, last = times.say(int(steps[0])), times.say(int(steps[-1]))
    span = first if len(steps) == 1 else f"{first} to {last}"
    return f"{len(steps)} step{'s' * (len(steps) > 1)} ({span})"


def _dated_or_counted_on(times: Times, owner: Int[ndarray, " t"], files: Sequence[str]) -> None:
    """Refuse several files without dates that all count from the same number."""
    begin = [times.values[owner == file].min() for file in range(len(files))]
    if not times.dated and len(files) > 1 and len(set(begin)) < len(begin):
        raise DataError(
            f"{files[0]} and {files[1]}: time repeats: the {len(files)} files hold no dates, and each counts its steps "
            f"from {float(begin[0]):g}, so nothing says which follows which. Write a time coordinate with units like "
            '"days since 2000-01-01" into each file.'
        )


def _restart(
    times: Times, owner: Int[ndarray, " t"], files: Sequence[str], steps: Int[ndarray, " s"], pair: tuple[int, int]
) -> None:
    """Refuse repeated steps that are not the border of two files of one run."""
    a, b = pair
    shown = f"{times.say(int(steps[0]))} comes more than once with other values"
    if a == b:
        raise DataError(
            f"{files[a]}: time repeats: {shown} ({len(steps)} such steps). If these are members, lead times or an hour "
            "of local time that comes twice, write a file for each, or the times in UTC."
        )
    if len(steps) >= min(int((owner == a).sum()), int((owner == b).sum())):
        raise DataError(
            f"{files[a]} and {files[b]}: time repeats: {shown}: the files hold the same period ({len(steps)} such "
            "steps), so they look like members or versions and not like parts of one run. Give one of them."
        )
