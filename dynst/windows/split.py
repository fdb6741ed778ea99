"""The split, which moved to `dynst.domain.split`, where readers may use it too."""

from dynst.domain.split import (
    SPLITS,
    Split,
    rolling_origins,
    split_by_run,
    split_by_time,
    split_record,
    thin,
    window_starts,
)

__all__ = [
    "SPLITS",
    "Split",
    "rolling_origins",
    "split_by_run",
    "split_by_time",
    "split_record",
    "thin",
    "window_starts",
]
