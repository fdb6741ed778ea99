"""Windows of a field as standardised arrays, read from memory or disk through one buffer."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray

from dynst.domain import Field, Window
from dynst.windows.scaling import Scaling

__all__ = ["WindowReader", "forecast_origin_times"]


class WindowReader:
    """Reads one window after the other through one buffer, and standardises it while it is in the cache.

    A reader belongs to one thread: its buffer is overwritten by the next window.
    """

    def __init__(self, field: Field, window: Window, scaling: Scaling) -> None:
        self.field, self.window, self.scaling = field, window, scaling
        n, c = field.series.shape[1:]
        self._buffer = np.empty((window.length, n, c), np.float32)
        self._parts = tuple(
            (_whole(channels, c), scaling.select(channels), times)
            for channels, times in (
                (field.observed, slice(0, window.history)),
                (field.predicted, slice(window.history, window.length)),
            )
        )
        self._inverse = tuple(np.float32(1) / part.std for _, part, _ in self._parts)
        self._learnt = tuple(part.share > 0 for _, part, _ in self._parts)
        self._calendar = scaling.climatology if scaling.climatology.waves else None

    @property
    def future(self) -> Float[ndarray, "p n c"]:
        """All channels after the history of the window read last, standardised; a missing value is NaN."""
        anomalies: ndarray = (self._buffer[self.window.history :] - self.scaling.mean) / self.scaling.std
        return anomalies

    def read(
        self,
        start: int,
        inputs: Float[ndarray, "t n c_in"],
        targets: Float[ndarray, "p n c_out"],
        inputs_observed: Bool[ndarray, "t n c_in"] | None = None,
        targets_observed: Bool[ndarray, "p n c_out"] | None = None,
    ) -> None:
        """Fill the arrays with the window that starts at step `start`; missing values become 0 and False."""
        self.field.series.read_into(start, self._buffer)
        if self._calendar is not None:
            self._buffer -= self._calendar.beyond_mean(self.field.clock.at(slice(start, start + len(self._buffer))))
        outs, masks = (inputs, targets), (inputs_observed, targets_observed)
        parts = zip(self._parts, self._inverse, self._learnt, outs, masks, strict=True)
        for (channels, scaling, times), inverse, learnt, out, mask in parts:
            np.subtract(self._buffer[times, :, channels], scaling.mean, out=out)
            np.multiply(out, inverse, out=out)
            if self.field.has_missing:
                known = np.isfinite(out) if mask is None else np.isfinite(out, out=mask)
                known &= learnt
                np.copyto(out, 0.0, where=~known)


def forecast_origin_times(field: Field, window: Window, starts: Int[ndarray, " m"]) -> Shaped[ndarray, " m"]:
    """Time of the last history step of each window."""
    times: ndarray = field.time[starts + window.history - 1]
    return times


def _whole(channels: Int[ndarray, " c_in"], count: int) -> slice | Int[ndarray, " c_in"]:
    """All channels as a slice: a view, where an index array would copy."""
    return slice(None) if len(channels) == count else channels
