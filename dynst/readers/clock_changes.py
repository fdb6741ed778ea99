"""Local times whose clocks are changed twice a year: the hour that comes twice, and the one that is lacking."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Shaped
from numpy import ndarray

from dynst.readers.times import Times

__all__ = ["standard_time", "without_clock_changes"]

_HOUR = 3_600_000_000_000
_BACK, _FORTH = (9, 10, 11, 2, 3, 4), (3, 4, 5, 8, 9, 10)  # months: north of the equator, then south of it
_NIGHT = 4  # clocks are changed before this hour


def standard_time(stamps: Shaped[ndarray, " t"]) -> tuple[Shaped[ndarray, " t"], str]:
    """Times in the order of the file without summer time, and a note; as they are where no clock was changed.

    A clock that is set back makes an hour come twice, and one that is set forth makes one lack. Where both are found
    in turn, times in summer are put back by an hour. Where only an hour is lacking, that is said.

    Examples
    --------
    >>> night = np.datetime64("2020-10-25T00", "ns") + np.array([0, 1, 2, 2, 3]) * np.timedelta64(1, "h")
    >>> even, note = standard_time(night)
    >>> [str(stamp)[11:13] for stamp in even], note
    (['23', '00', '01', '02', '03'], 'the clock was set back on 2020-10-25: times are turned to standard time')
    """
    ticks = stamps.astype("datetime64[ns]").astype(np.int64)
    delta = np.diff(ticks)
    forward = delta[delta > 0]
    if not len(forward):
        return stamps, ""
    kinds, counts = np.unique(forward, return_counts=True)
    step = int(kinds[counts.argmax()])
    if step > _HOUR:
        return stamps, ""
    back = (delta == step - _HOUR) & _at_night(stamps, _BACK)
    forth = (delta == step + _HOUR) & _at_night(stamps, _FORTH)
    if not back.any():
        days = sorted({str(stamps[i])[:10] for i in np.flatnonzero(forth)})
        return stamps, _lacking(days, bool((delta != step).sum() == forth.sum())) if days else ""
    events = np.flatnonzero(back | forth)
    turns = back[events].astype(int)
    if (np.diff(turns) == 0).any() or ((delta < 0) & ~back).any():
        return stamps, ""
    change = np.where(back, -1, forth.astype(int))
    summer = np.cumsum(np.concatenate([[turns[0]], change]))
    even = (ticks - summer * _HOUR).astype("datetime64[ns]")
    said = ", ".join(f"{'back' if back[i] else 'forth'} on {str(stamps[i])[:10]}" for i in events[:4])
    more = f" and {len(events) - 4} more times" if len(events) > 4 else ""
    return even, f"the clock was set {said}{more}: times are turned to standard time"


def without_clock_changes(times: Times, station: Int[ndarray, " t"]) -> Times:
    """Times of the rows of several stations without summer time, where an hour comes twice at any of them."""
    rows = pd.DataFrame({"time": times.values, "station": station})
    if not times.decoded or not rows.duplicated().any():
        return times
    values, notes = times.values.copy(), list[str]()
    for at in rows.groupby("station").indices.values():
        values[at], note = standard_time(times.values[at])
        notes.append(note)
    said = next(filter(None, notes), "")
    return replace(times, values=values, note="; ".join(filter(None, (times.note, said))))


def _at_night(stamps: Shaped[ndarray, " t"], months: tuple[int, ...]) -> Bool[ndarray, " s"]:
    """Whether each step but the last stands in the small hours of one of the months."""
    before = stamps[:-1].astype("datetime64[ns]")
    month: Int[ndarray, " s"] = before.astype("datetime64[M]").astype(np.int64) % 12 + 1
    hour: Int[ndarray, " s"] = before.astype("datetime64[h]").astype(np.int64) % 24
    late: ndarray = np.isin(month, months) & ((hour < _NIGHT) | (hour == 23))
    return late


def _lacking(days: list[str], only: bool) -> str:
    shown = ", ".join(days[:3]) + (f" and {len(days) - 3} more" if len(days) > 3 else "")
    if not only:
        return ""
    return f"an hour is lacking in the night of {shown}: clocks are set forth then; times in UTC would have no gap"
