"""What a step of a study costs: seconds, and how far the memory of the process rises above where it began."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

__all__ = ["Cost", "measured"]

_T = TypeVar("_T")
_SELF = Path("/proc/self")


@dataclass(frozen=True)
class Cost:
    """What something cost.

    Attributes
    ----------
    seconds : float
        Of the wall clock.
    peak_mb : float
        Megabytes by which the process grew at most; NaN where the system does not tell.
    """

    seconds: float = math.nan
    peak_mb: float = math.nan

    @classmethod
    def of(cls, said: Mapping[str, object]) -> Cost:
        """The cost that `to_dict` wrote, NaN for what is missing."""
        seconds, peak = (said.get(key) for key in ("seconds", "peak_mb"))
        return cls(*(float(value) if isinstance(value, int | float) else math.nan for value in (seconds, peak)))

    def to_dict(self) -> dict[str, float]:
        """As JSON types; what is not known is left out.

        Examples
        --------
        >>> Cost(1.5).to_dict()
        {'seconds': 1.5}
        """
        both = {"seconds": round(self.seconds, 3), "peak_mb": round(self.peak_mb, 1)}
        return {key: value for key, value in both.items() if math.isfinite(value)}


def measured(make: Callable[[], _T]) -> tuple[_T, Cost]:
    """The value of `make()`, and what it cost.

    Examples
    --------
    >>> value, cost = measured(lambda: 6 * 7)
    >>> value, cost.seconds < 1
    (42, True)
    """
    before = _reset()
    begin = time.perf_counter()
    value = make()
    seconds = time.perf_counter() - begin
    grown = _status("VmHWM") - before
    return value, Cost(seconds, 0.0 if grown < 0 else grown)


def _reset() -> float:
    """Let the kernel forget the highest memory so far; what is in use now, in MB."""
    with suppress(OSError):
        (_SELF / "clear_refs").write_text("5")
        return _status("VmRSS")
    return math.nan


def _status(key: str) -> float:
    with suppress(OSError, ValueError):
        for line in (_SELF / "status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{key}:"):
                return float(line.split()[1]) / 1024
    return math.nan
