"""Durations such as ``12h`` and ``2 days`` as steps of a record, and steps as durations."""

from __future__ import annotations

import re
from fractions import Fraction

from dynst.errors import ConfigError

__all__ = ["is_duration", "length_of", "said_span", "steps_of", "window_words"]

_SECONDS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "week": 604_800}
_MONTHS = {"month": 1, "year": 12}
_OTHER_NAMES = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("minute", "minutes", "mins"), "min"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("d", "days"), "day"),
    **dict.fromkeys(("w", "weeks"), "week"),
    **dict.fromkeys(("mo", "months"), "month"),
    **dict.fromkeys(("y", "yr", "years"), "year"),
}
_COUNTED = ("day", "month", "year")  # units that are words and have a plural
_SHAPE = re.compile(r"(\d+(?:\.\d+)?|\d+/\d+)\s*([a-z]+)")


def is_duration(text: str) -> bool:
    """Whether a text is a number with a unit of time.

    Examples
    --------
    >>> [is_duration(text) for text in ("12h", "2 days", "0.5 d", "12", "soon")]
    [True, True, True, False, False]
    """
    return length_of(text) is not None


def steps_of(duration: str, cadence: str, *, option: str = "horizon") -> int:
    """How many steps of the cadence a duration is.

    Raises
    ------
    ConfigError
        If it is no whole number of steps, or the steps have no length in time.

    Examples
    --------
    >>> steps_of("2d", "6 h"), steps_of("1 year", "1 month")
    (8, 12)
    """
    asked, step = length_of(duration), length_of(cadence)
    if asked is None:
        raise ConfigError(f'{option}: "{duration}" came; a number of steps or a time like 12h or 2d is expected.')
    if step is None or step[1] != asked[1]:
        raise ConfigError(f"{option}: {duration} cannot be counted in steps of {cadence}. Give a number of steps.")
    steps = asked[0] / step[0]
    if steps.denominator != 1 or steps < 1:
        raise ConfigError(
            f"{option}: {duration} is no whole number of steps of {cadence}. Give a multiple of {cadence}."
        )
    return int(steps)


def said_span(steps: int, cadence: str) -> str:
    """So many steps as a duration, in the largest unit that fits; nothing where a step has no length in time.

    Examples
    --------
    >>> said_span(4, "6 h"), said_span(6, "6 h"), said_span(12, "1 month"), said_span(4, "1 step")
    ('1 day', '36 h', '1 year', '')
    """
    step = length_of(cadence)
    if step is None:
        return ""
    length, table = step[0] * steps, _MONTHS if step[1] else _SECONDS
    fitting = [unit for unit, size in table.items() if unit != "week" and (length / size).denominator == 1]
    if not fitting:
        return f"{float(length):.3g} s"
    unit = fitting[-1]
    count = int(length / table[unit])
    many = "s" if count > 1 and unit in _COUNTED else ""
    return f"{count} {unit}{many}"


def length_of(text: str) -> tuple[Fraction, bool] | None:
    """Length in seconds, or in months, and whether it is in months; None of what is no duration.

    Examples
    --------
    >>> length_of("6 h"), length_of("1 year")
    ((Fraction(21600, 1), False), (Fraction(12, 1), True))
    """
    found = _SHAPE.fullmatch(text.strip().lower())
    if found is None:
        return None
    unit = _OTHER_NAMES.get(found[2], found[2])
    table = _MONTHS if unit in _MONTHS else _SECONDS
    return (Fraction(found[1]) * table[unit], unit in _MONTHS) if unit in table else None


def window_words(history: int, horizon: int, cadence: str) -> str:
    """Steps that are read and forecast, and how long they are.

    Examples
    --------
    >>> window_words(4, 2, "6 h"), window_words(4, 2, "1 step")
    ('4 steps read (1 day), 2 forecast (12 h)', '4 steps read, 2 forecast')
    """
    read, ahead = (said_span(steps, cadence) for steps in (history, horizon))
    if not read or not ahead:
        return f"{history} steps read, {horizon} forecast"
    return f"{history} steps read ({read}), {horizon} forecast ({ahead})"
