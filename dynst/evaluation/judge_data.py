"""What closed-form judges read, once for all plans: training anomalies, and windows of the other two blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.covariance import Anomalies
from dynst.domain import Field, Window
from dynst.domain.split import Split, thin, window_starts
from dynst.errors import DataError
from dynst.planners.anomalies import learnt, training_anomalies
from dynst.windows.gaps import GapModel
from dynst.windows.scaling import Scaling
from dynst.windows.time_modes import LONG, TimeModes

__all__ = ["Block", "JudgeData", "ScoredWindows", "long_filters"]

Block = Literal["train", "valid", "test"]

_LIMITS = {"train": 1000, "valid": 300, "test": 500}
# Windows, chosen: neighbouring ones overlap, so more say little.
_SHARES = {"train": 1.0, "valid": 1 / 3, "test": 2 / 3}  # of the memory that the training windows may take
_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class ScoredWindows:
    """Windows over one copy of the steps that they touch.

    Parameters
    ----------
    values : Float[ndarray, "s n c"]
        Standardised anomalies, float32; a missing value is NaN.
    steps : Int[ndarray, "b l"]
        Row of `values` of each step of each window: its history, then its future.
    starts : Int[ndarray, "b"]
        First step of each window in its block.
    window : Window
        History and prediction.
    has_missing : bool
        Whether any value may be NaN.
    learnt : Bool[ndarray, "n c"]
        What training time holds enough values of. The rest is no reading: its anomalies mean nothing.
    """

    values: Float[ndarray, "s n c"]
    steps: Int[ndarray, "b l"]
    starts: Int[ndarray, " b"]
    window: Window
    has_missing: bool
    learnt: Bool[ndarray, "n c"]

    @classmethod
    def read(cls, field: Field, scaling: Scaling, window: Window, starts: Int[ndarray, " b"]) -> ScoredWindows:
        """The windows that start at these steps of a block."""
        wanted = starts[:, None] + np.arange(window.length)
        needed = np.unique(wanted)
        values = np.empty((len(needed), *field.series.shape[1:]), np.float32)
        done = 0
        for start, stop in _spans(needed):
            values[done : done + stop - start] = scaling.anomalies(field, start, stop)
            done += stop - start
        if field.has_missing:
            values[:, scaling.share == 0] = np.nan
        steps = np.searchsorted(needed, wanted)
        return cls(values, steps, starts, window, field.has_missing, learnt(scaling))

    def __len__(self) -> int:
        return len(self.starts)

    def readings(self, sites: Int[ndarray, " k"], channels: Int[ndarray, " ci"]) -> Float[ndarray, "b t k ci"]:
        """The histories of some sites; a missing value is NaN."""
        some = self.values[:, sites][:, :, channels]
        if self.has_missing:
            some[:, ~self.learnt[sites][:, channels]] = np.nan
        return np.asarray(some[self.steps[:, : self.window.history]])

    def truth(self, rows: slice, channels: Int[ndarray, " co"]) -> Float[ndarray, "b p n co"]:
        """The futures of some windows; a missing value is NaN. Its memory goes by lead time first."""
        steps = self.steps[rows, self.window.history :].T
        whole = len(channels) == self.values.shape[2]
        return np.moveaxis(self.values[steps] if whole else self.values[steps][..., channels], 0, 1)

    def present_and_future(
        self, sites: Int[ndarray, " k"], channels: Int[ndarray, " co"]
    ) -> Float[ndarray, "b l k co"]:
        """The last step of the history and the future of some sites; a missing value is NaN."""
        some = self.values[:, sites][:, :, channels]
        return np.asarray(some[self.steps[:, self.window.history - 1 :]])

    def chunks(self, channels: int) -> Iterator[slice]:
        """Parts of the windows whose futures fit into a little memory."""
        size = 4 * self.window.prediction * self.values.shape[1] * channels
        count = max(1, _CHUNK_BYTES // size)
        return (slice(start, start + count) for start in range(0, len(self), count))


class JudgeData:
    """The record as closed-form judges see it: read when needed, and kept.

    Parameters
    ----------
    split : Split
        Training, validation and test blocks.
    window : Window
        History and prediction.
    scaling : Scaling
        Fitted on the training block.
    seed : int
        Of the thinning of windows.
    limit, max_bytes : int
        Training windows at most, and memory for them; validation takes a third of it, test two thirds.
    regions : mapping of str to Bool[ndarray, "n"]
        Sites of each region, for errors told apart.
    """

    def __init__(
        self,
        split: Split,
        window: Window,
        scaling: Scaling,
        *,
        seed: int,
        limit: int,
        max_bytes: int,
        regions: Mapping[str, Bool[ndarray, " n"]],
    ) -> None:
        self.split, self.window, self.scaling, self.seed = split, window, scaling, seed
        self.regions = dict(regions)
        self._limit, self._max_bytes = limit, max_bytes
        self._windows: dict[Block, ScoredWindows] = {}

    @property
    def observed(self) -> Int[ndarray, " ci"]:
        """Channels that sensors measure."""
        return self.split.train.observed

    @property
    def predicted(self) -> Int[ndarray, " co"]:
        """Channels that are forecast."""
        return self.split.train.predicted

    @property
    def std(self) -> Float[ndarray, " co"]:
        """Training standard deviation of each forecast channel, in its unit."""
        return np.asarray(self.scaling.std[self.predicted].astype(float))

    @cached_property
    def anomalies(self) -> Anomalies:
        """Training time, for covariances."""
        return training_anomalies(self.split.train, self.scaling, self.window, gaps=self.gaps)

    @cached_property
    def gaps(self) -> GapModel | None:
        """What missing values of training time probably were; None where the record misses none."""
        train = self.split.train
        return GapModel.fit(train, self.scaling, seed=self.seed) if train.has_missing else None

    def block(self, on: Block) -> Field:
        """A block of the record."""
        return {"train": self.split.train, "valid": self.split.valid, "test": self.split.test}[on]

    def run(self, on: Block) -> Int[ndarray, " b"] | None:
        """Experiment of each window; None for windows of one record, whatever gaps cut it."""
        field = self.block(on)
        return field.run[self.windows(on).starts] if field.cases else None

    def windows(self, on: Block) -> ScoredWindows:
        """Windows of a block, thinned at random to fit into memory.

        Raises
        ------
        DataError
            If none of them holds a value of the forecast channels.
        """
        if on not in self._windows:
            self._windows[on] = self._read(on)
        return self._windows[on]

    def _read(self, on: Block) -> ScoredWindows:
        field, starts = self.block(on), window_starts(self.block(on), self.window)
        n, c = field.series.shape[1:]
        room = int(self._max_bytes * _SHARES[on]) // (4 * n * c * self.window.length)
        limit = max(1, min(_LIMITS[on], self._limit, room))
        windows = ScoredWindows.read(field, self.scaling, self.window, thin(starts, limit, seed=self.seed))
        if windows.has_missing and not np.isfinite(windows.values[..., self.predicted]).any():
            raise DataError(
                "training, validation or test time holds no value of the forecast channels: nothing can be judged. "
                "Forecast a channel that is observed until the end (--predict), or cut the record."
            )
        return windows


def long_filters(data: JudgeData) -> Float[ndarray, "t f"] | None:
    """Patterns in time by which a history of more than 12 steps is read; None for a shorter one."""
    if data.window.history <= LONG:
        return None
    train = data.split.train
    return TimeModes.fit(train, data.window, data.scaling, window_starts(train, data.window)).history


def _spans(steps: Int[ndarray, " s"]) -> Iterator[tuple[int, int]]:
    """First and one-past-last of each stretch of consecutive steps."""
    cuts = np.flatnonzero(np.diff(steps) > 1) + 1
    for part in np.split(steps, cuts):
        if len(part):
            yield int(part[0]), int(part[-1]) + 1
