"""How many processes the memory of this machine allows."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["affordable", "available_bytes", "cores"]

_BASE = 450 << 20  # measured: a process that loaded PyTorch and xarray
_MATRICES, _TIMES = 1 << 30, 8  # what planners and the judge lay out at most, and in terms of the record
_SHARE = 0.8  # of the free memory; the rest is for what this process still needs, and for others


def affordable(asked: int | None, shape: tuple[int, ...], jobs: int, *, free: int | None = None) -> tuple[int, str]:
    """Processes to work with, and in words why they are fewer than asked for (or than there are cores).

    Parameters
    ----------
    asked : int or None
        At most so many; one a core if None.
    shape : tuple of int
        Of the record, which every process holds in float32.
    jobs : int
        No more processes than that are of use.
    free : int or None
        Bytes of free memory; looked up if None.

    Examples
    --------
    >>> affordable(4, (1000, 1000, 1), 9, free=64 << 30)
    (4, '')
    >>> affordable(4, (1000, 1000, 500), 9, free=10 << 30)
    (2, 'Memory allows 2 processes at a time instead of 4.')
    """
    wanted = asked or cores()
    record = 4 * math.prod(shape)
    each = _BASE + record + min(_MATRICES, _TIMES * record)
    free = available_bytes() if free is None else free
    fit = wanted if free is None else max(1, int(_SHARE * free) // each)
    count = max(1, min(wanted, fit, jobs))
    if fit >= wanted or count < fit:
        return count, ""
    return count, f"Memory allows {count} process{'es' if count > 1 else ''} at a time instead of {wanted}."


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_bytes() -> int | None:
    """Memory that is free, within the limit set for this process's group; None where the system does not tell."""
    known = [found for found in (_of_machine(), _of_group(Path("/sys/fs/cgroup"))) if found is not None]
    return min(known) if known else None


def _of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return None


def _of_group(folder: Path) -> int | None:
    """Of the group's limit, what is neither in use nor a cache that can be given up."""
    with suppress(OSError, ValueError):
        limit = int((folder / "memory.max").read_text(encoding="ascii"))  # "max" where there is none
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        stat = (folder / "memory.stat").read_text(encoding="ascii").split()
        return limit - used + int(stat[stat.index("inactive_file") + 1])
    return None
