"""When the mask changes, and by how much: pure functions of the step."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dynst.errors import ConfigError, unknown_name

__all__ = ["SCHEDULES", "Phase", "Schedule", "cubic", "geometric"]


class Phase(enum.StrEnum):
    """What a training step does to the mask."""

    WARM_UP = "warm-up"
    PRUNING = "pruning"
    DROP_REGROW = "drop-regrow"
    FROZEN = "frozen"


def geometric(start: int, target: int, share: float) -> int:
    """Active sites after a `share` of the pruning, when each update keeps the same share of the survivors (UGS, GST).

    Examples
    --------
    >>> [geometric(64, 4, share) for share in (0.0, 0.25, 0.5, 1.0)]
    [64, 32, 16, 4]
    """
    return round(start * math.pow(target / start, share))


def cubic(start: int, target: int, share: float) -> int:
    """Active sites after a `share` of the pruning by the cubic rule (Zhu & Gupta, arXiv 1710.01878, equation 1).

    Examples
    --------
    >>> [cubic(80, 16, share) for share in (0.0, 0.5, 1.0)]
    [80, 24, 16]
    """
    return round(target + (start - target) * math.pow(1 - share, 3))


SCHEDULES: Mapping[str, Callable[[int, int, float], int]] = MappingProxyType({"cubic": cubic, "geometric": geometric})
"""How the number of active sites falls while pruning, by name: ``(start, target, share) -> count``."""


@dataclass(frozen=True)
class Schedule:
    """Four phases of a training run: warm-up, pruning, drop-regrow, frozen.

    An update happens at the end of a step. `n_active` of a step is the count once that step is over.

    Parameters
    ----------
    steps : int
        Training steps, numbered from 0.
    start, target : int
        Active sites at first and in the end. Equal ones give a run without pruning.
    interval : int
        Steps between updates. The last step of the pruning is always an update.
    warm_up, prune_until, swap_until : float
        Shares of the steps at which the warm-up, the pruning and the drop-regrow end
        (0.2, 0.55, 0.85: the study's values, docs/method.md). Equal ones skip a phase.
    alpha : float
        Twice the mean share of sensors swapped at an update; RigL's 0.3.
    least_swap : int
        Sites swapped at every update at least. With 0, as in RigL, a budget of up to three sensors is never swapped.
    curve : str
        How the count falls while pruning, a name in `SCHEDULES`.

    Raises
    ------
    ConfigError
        If the numbers do not make a schedule.

    Examples
    --------
    >>> schedule = Schedule(steps=100, start=64, target=8, interval=5)
    >>> [str(schedule.phase(step)) for step in (0, 20, 55, 85)]
    ['warm-up', 'pruning', 'drop-regrow', 'frozen']
    >>> [schedule.n_active(step) for step in (19, 30, 54, 99)]
    [64, 35, 8, 8]
    >>> [schedule.n_swap(step) for step in (54, 59, 69, 84)]
    [0, 2, 1, 0]
    """

    steps: int
    start: int
    target: int
    interval: int = 100
    warm_up: float = 0.20
    prune_until: float = 0.55
    swap_until: float = 0.85
    alpha: float = 0.3
    least_swap: int = 0
    curve: str = "geometric"

    def __post_init__(self) -> None:
        if self.curve not in SCHEDULES:
            raise ConfigError(unknown_name("schedule", self.curve, SCHEDULES))
        if self.steps < 1 or self.interval < 1:
            raise ConfigError(f"steps and interval must be at least 1; {self.steps} and {self.interval} came.")
        if not 1 <= self.target <= self.start:
            raise ConfigError(f"a schedule runs from start down to target; {self.start} and {self.target} came.")
        if not 0 <= self.warm_up <= self.prune_until <= self.swap_until <= 1:
            raise ConfigError(
                "the shares warm_up, prune_until and swap_until must rise within [0, 1]; "
                f"{self.warm_up:g}, {self.prune_until:g} and {self.swap_until:g} came."
            )
        if not 0 <= self.alpha <= 1 or not 0 <= self.least_swap <= self.target:
            raise ConfigError(
                f"alpha must be within [0, 1] and least_swap between 0 and the target of {self.target}; "
                f"{self.alpha:g} and {self.least_swap} came."
            )
        if self.start > self.target and not self._prune_updates:
            raise ConfigError("a schedule that prunes needs at least one step between warm_up and prune_until.")

    @classmethod
    def constant(cls, steps: int, count: int) -> Schedule:
        """A run under a fixed support: no phase but the frozen one."""
        return cls(steps=steps, start=count, target=count, warm_up=0.0, prune_until=0.0, swap_until=0.0)

    def phase(self, step: int) -> Phase:
        """Phase of a step."""
        if step >= self._swap_end:
            return Phase.FROZEN
        if step >= self._prune_end:
            return Phase.DROP_REGROW
        return Phase.PRUNING if step >= self._warm_end else Phase.WARM_UP

    def is_update(self, step: int) -> bool:
        """Whether the mask changes at the end of a step."""
        if self._warm_end <= step < self._prune_end:
            return self.start > self.target and (self._prune_end - 1 - step) % self.interval == 0
        return self._swap_update(step) is not None and self.alpha > 0

    def n_active(self, step: int) -> int:
        """Active sites once a step is over."""
        if step < self._warm_end or self.start == self.target:
            return self.start
        done = self._prune_updates - max(0, -(-(self._prune_end - 1 - step) // self.interval))
        share = min(max(done, 0) / self._prune_updates, 1.0)
        count = SCHEDULES[self.curve](self.start, self.target, share)
        return min(max(count, self.target), self.start)

    def n_swap(self, step: int) -> int:
        """Sites regrown after a step: ``floor(alpha / 2 * (1 + cos(pi * u / u_end)) * target)``, or `least_swap`."""
        update = self._swap_update(step)
        if update is None or not self.alpha:
            return 0
        cosine = 1 + math.cos(math.pi * update / self._swap_updates)
        return max(math.floor(self.alpha / 2 * cosine * self.target), self.least_swap)

    def is_final(self, step: int) -> bool:
        """Whether the support that step `step` is computed with stays to the end."""
        last_prune = self._prune_end if self.start > self.target else 0
        last_swap = self._prune_end + self.interval * self._swap_updates if self.alpha and self._swap_updates else 0
        return step >= max(last_prune, last_swap)

    @property
    def _warm_end(self) -> int:
        return round(self.warm_up * self.steps)

    @property
    def _prune_end(self) -> int:
        return round(self.prune_until * self.steps)

    @property
    def _swap_end(self) -> int:
        return round(self.swap_until * self.steps)

    @property
    def _prune_updates(self) -> int:
        return -(-(self._prune_end - self._warm_end) // self.interval)

    @property
    def _swap_updates(self) -> int:
        return (self._swap_end - self._prune_end) // self.interval

    def _swap_update(self, step: int) -> int | None:
        """Number of the drop-regrow update at the end of a step, from 0; None where there is none."""
        since = step - self._prune_end + 1
        if since < 1 or step >= self._swap_end or since % self.interval:
            return None
        return since // self.interval - 1
