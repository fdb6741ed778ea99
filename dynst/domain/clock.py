"""Where in day, week and year each step of a record stands: what a climatology with a calendar is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from dynst.errors import DataError

__all__ = ["Clock", "Unit"]

Unit = Literal["days", "years", "steps"]

_MONTH = 27.9  # days
_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")


@dataclass(frozen=True, eq=False)
class Clock:
    """Days, years and steps that have gone by at each step of a record.

    Parameters
    ----------
    days : Float[ndarray, "time"] or None
        Days since some midnight; None where the times are no dates.
    years : Float[ndarray, "time"] or None
        Years, the part of the year gone by as their fraction: 2001.5 is the middle of 2001 in every calendar.
    steps : Float[ndarray, "time"] or None
        Steps since the record began, those of gaps included; since its own run began where runs are experiments.
        None until a field has counted them.
    year_days : int or None
        Days of every year (360, 365, 366) in the calendar of a model, whose days are counted from the year 1; None in
        the civil calendar, whose days are counted from 1970.

    Examples
    --------
    >>> clock = Clock.of(np.array(["2000-02-29T12", "2001-07-02T12"], "datetime64[ns]"))
    >>> clock.years.round(3).tolist(), (clock.days % 1).tolist()
    ([2000.163, 2001.5], [0.5, 0.5])
    """

    days: Float[ndarray, " time"] | None = None
    years: Float[ndarray, " time"] | None = None
    steps: Float[ndarray, " time"] | None = None
    year_days: int | None = None

    @classmethod
    def of(cls, time: Shaped[ndarray, " time"]) -> Clock:
        """The clock of datetime64 values in the civil calendar; an empty one of bare numbers."""
        if time.dtype.kind != "M":
            return cls()
        stamps = time.astype("datetime64[ns]")
        first = stamps.astype("datetime64[Y]")
        began, ended = (year.astype("datetime64[ns]").astype(np.int64) for year in (first, first + 1))
        gone = (stamps.astype(np.int64) - began) / (ended - began)
        return cls(days=stamps.astype(np.int64) / _DAY, years=first.astype(np.int64) + 1970 + gone)

    def counted(self, time: Shaped[ndarray, " time"], run: Int[ndarray, " time"], *, anew: bool) -> Clock:
        """The same with its steps counted: one each within a run, and as many as fit into a gap.

        With `anew` each run is an experiment and begins at 0.
        """
        instants = self._instants(time)
        border = np.diff(run) != 0
        stride = np.diff(instants)
        even = stride[~border]
        usual = float(even.mean()) if len(even) else 1.0
        jump = np.ones(len(stride))
        if usual > 0:
            jump[border] = np.maximum(1, np.round(stride[border] / usual))
        steps = np.concatenate([np.zeros(min(1, len(time))), np.cumsum(jump)])
        if anew:
            first = np.flatnonzero(np.concatenate([[True], border]))
            steps = steps - np.repeat(steps[first], np.diff([*first.tolist(), len(time)])) if len(time) else steps
        return replace(self, steps=steps)

    def _instants(self, time: Shaped[ndarray, " time"]) -> Float[ndarray, " time"]:
        """Time as numbers that grow evenly: days if there are any, months where steps are as long."""
        if self.days is None:
            return time.astype(np.float64)
        if time.dtype.kind == "M" and self.stride("days") > _MONTH:
            return time.astype("datetime64[M]").astype(np.float64)
        return self.days

    @property
    def weeks(self) -> bool:
        """Whether seven days are a week: models whose years all have one length know none."""
        return self.year_days is None

    def __len__(self) -> int:
        return max(len(values) for values in (self.days, self.steps, ()) if values is not None)

    def has(self, unit: Unit) -> bool:
        """Whether the times say how many of the unit have gone by."""
        return getattr(self, unit) is not None

    def gone(self, unit: Unit) -> Float[ndarray, " time"]:
        """Days, years or steps that have gone by at each step.

        Raises
        ------
        DataError
            If the times are no dates.
        """
        values: ndarray | None = getattr(self, unit)
        if values is None:
            raise DataError(f"the record has no dates, so its {unit} cannot be counted. Give --cycle STEPS.")
        return values

    def stride(self, unit: Unit) -> float:
        """Days, years or steps from one step to the next."""
        values = self.gone(unit)
        return float(np.median(np.diff(values))) if len(values) > 1 else math.inf

    def then(self, other: Clock) -> Clock:
        """The clock of a block of the record followed by another block of it."""
        return Clock(
            _joined(self.days, other.days),
            _joined(self.years, other.years),
            _joined(self.steps, other.steps),
            self.year_days,
        )

    def at(self, which: slice | Int[ndarray, " k"] | Bool[ndarray, " time"]) -> Clock:
        """The clock of some of the steps."""
        take = _taker(which)
        return Clock(take(self.days), take(self.years), take(self.steps), self.year_days)


def _taker(which: slice | ndarray) -> Callable[[ndarray | None], ndarray | None]:
    return lambda values: None if values is None else values[which]


def _joined(first: ndarray | None, second: ndarray | None) -> ndarray | None:
    if first is None or second is None:
        return None
    return np.concatenate([first, second])
