"""Splits, scaling, windows as arrays; `dynst.windows.dataset` alone makes tensors of them, for who trains."""

from dynst.domain.split import (
    SPLITS,
    Split,
    rolling_origins,
    split_by_date,
    split_by_run,
    split_by_time,
    split_record,
    thin,
    window_starts,
)
from dynst.windows.design import Design, design, fit_starts, snapshots
from dynst.windows.gaps import GapModel
from dynst.windows.reader import forecast_origin_times
from dynst.windows.scaling import Scaling
from dynst.windows.time_modes import TimeModes

__all__ = [
    "SPLITS",
    "Design",
    "GapModel",
    "Scaling",
    "Split",
    "TimeModes",
    "design",
    "fit_starts",
    "forecast_origin_times",
    "rolling_origins",
    "snapshots",
    "split_by_date",
    "split_by_run",
    "split_by_time",
    "split_record",
    "thin",
    "window_starts",
]
