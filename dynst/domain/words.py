"""Figures in words, the same everywhere: intervals, distances, lead times."""

from __future__ import annotations

import re

__all__ = ["UNCLEAR", "VISIBLE", "distance", "drawn_runs", "duration", "span", "step_of", "vague"]

UNCLEAR = "cannot be judged"
"""The word for a difference whose interval says nothing."""

VISIBLE = 1.005
"""A ratio of errors that shows in three digits; chosen: less is as good."""

_WIDEST = 200.0  # %, chosen: from -200 to +200 % no reader can tell anything from anything

_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0, "days": 86400.0}
_LARGER = (("day", 86400.0), ("h", 3600.0), ("min", 60.0))


def vague(low: float, high: float) -> bool:
    """Whether an interval in % is too wide to be judged by: one that goes beyond +-200 %, or is as wide.

    Examples
    --------
    >>> vague(-77.9, 301.7), vague(-17.9, -1.1), vague(-100.0, float("inf"))
    (True, False, True)
    >>> vague(230.0, 260.0)  # large, but known
    False
    """
    beyond = low < 0 < high and high > _WIDEST
    return beyond or not high - low <= 2 * _WIDEST


def span(low: float, high: float, *, digits: int = 1, unit: str = " %") -> str:
    """An interval in %; without `unit` where a heading has it.

    Examples
    --------
    >>> span(-3.0, 1.25), span(-98.8, 9477.5)
    ('-3.0 to +1.2 %', 'cannot be judged')
    """
    return UNCLEAR if vague(low, high) else f"{low:+.{digits}f} to {high:+.{digits}f}{unit}"


def drawn_runs(runs: int) -> str:
    """What intervals speak of, where the test windows are of so many experiments.

    Examples
    --------
    >>> drawn_runs(1), drawn_runs(3)
    ('one test run: for that run alone', '3 test runs, drawn whole: for other runs like these')
    """
    if runs == 1:
        return "one test run: for that run alone"
    return f"{runs} test runs, drawn whole: for other runs like these"


def distance(length: float, unit: str) -> str:
    """A length with its unit; less than a kilometre in metres.

    Examples
    --------
    >>> distance(0.0019, "km"), distance(155.2, "km"), distance(3.0, "m")
    ('1.9 m', '155.2 km', '3 m')
    """
    if unit == "km" and length < 1:
        return f"{1000 * length:.3g} m"
    if unit in ("", "1"):
        return f"{length:,.4g}"
    return f"{length:,.4g} {unit}"


def duration(steps: int, cadence: str = "") -> str:
    """So many steps as a time; in steps where the cadence is no fixed time.

    Examples
    --------
    >>> duration(4, "6 h"), duration(6, "10 min"), duration(3, "1 month"), duration(2)
    ('1 day', '1 h', '3 months', '2 steps')
    >>> duration(3, "6 h"), duration(12, "1 day"), duration(2, "1/30 s"), duration(1, "1 step")
    ('18 h', '12 days', '2 steps', '1 step')
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", cadence)
    if match is None:
        return _counted(float(steps), "step")
    number, unit = steps * float(match[1]), match[2]
    if unit not in _SECONDS:
        return _counted(number, unit.removesuffix("s"))
    seconds = number * _SECONDS[unit]
    for name, size in _LARGER:
        if seconds >= size and seconds % size == 0:
            return _counted(seconds / size, name)
    return _counted(number, unit.removesuffix("s") or unit)


def step_of(cadence: str) -> tuple[float, str]:
    """How much of which unit a step is; one step where the cadence is no fixed time.

    Examples
    --------
    >>> step_of("6 h"), step_of("1 day"), step_of("1/30 s"), step_of("")
    ((6.0, 'h'), (1.0, 'days'), (1.0, 'steps'), (1.0, 'steps'))
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]+)", cadence)
    if match is None:
        return 1.0, "steps"
    unit = match[2]
    return float(match[1]), unit if unit in ("s", "min", "h") else f"{unit.removesuffix('s')}s"


def _counted(number: float, unit: str) -> str:
    """A number with its unit, in the plural where that has one."""
    plural = "s" if number != 1 and unit not in ("s", "min", "h") else ""
    return f"{number:g} {unit}{plural}"
