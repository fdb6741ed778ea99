"""Long windows in few numbers: the step next to the forecast, and the leading components in time of all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Field, Window
from dynst.domain.split import thin
from dynst.windows.reader import WindowReader
from dynst.windows.scaling import Scaling

__all__ = ["LONG", "TimeModes", "known_share"]

LONG = 12
"""Steps up to which a history or a prediction is kept as it is."""

_HISTORY, _FUTURE = (0.99, 6), (0.999, 12)  # share of the energy to keep, and numbers of a channel at most
_WINDOWS = 24  # the components are those of so many windows: neighbours say the same


@dataclass(frozen=True, eq=False)
class TimeModes:
    """Orthonormal patterns in time, the same for all sites and channels.

    Parameters
    ----------
    history : Float[ndarray, "t q"]
        Components of the steps before the last, then the last step itself.
    future : Float[ndarray, "p s"]
        The first step itself, then components of the steps after it.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> wave = np.sin(np.arange(200)[:, None, None] / 20 + np.arange(3.0)[:, None])
    >>> field = Field.of(wave, Sites(np.arange(3.0), np.zeros(3)), GridLayout((1, 3), np.arange(3)))
    >>> modes = TimeModes.fit(field, Window(30, 8), Scaling.fit(field), np.arange(100))
    >>> modes.history.shape, modes.future.shape  # sine and cosine beside the last step; 8 steps are few
    ((30, 3), (8, 8))
    """

    history: Float[ndarray, "t q"]
    future: Float[ndarray, "p s"]

    @classmethod
    def fit(cls, field: Field, window: Window, scaling: Scaling, starts: Int[ndarray, " m"]) -> TimeModes:
        """The components of the standardised windows of a training field; missing values are 0."""
        t, p, n = window.history, window.prediction, field.series.shape[1]
        history = np.empty((t, n, len(field.observed)), np.float32)
        future = np.empty((p, n, len(field.predicted)), np.float32)
        reader = WindowReader(field, window, scaling)
        past, ahead = np.zeros((t, t)), np.zeros((p, p))
        for start in thin(starts, _WINDOWS).tolist():
            reader.read(start, history, future)
            past += _gram(history)
            ahead += _gram(future)
        backwards = _patterns(past[::-1, ::-1], *_HISTORY)
        return cls(np.ascontiguousarray(backwards[::-1, ::-1]), _patterns(ahead, *_FUTURE))

    def of_history(self, values: Float[ndarray, "t n c"]) -> Float[ndarray, "q n c"]:
        """What a history holds of each pattern, float32."""
        return _coordinates(self.history, values)

    def of_future(self, values: Float[ndarray, "p n c"]) -> Float[ndarray, "s n c"]:
        """What a future holds of each pattern, float32."""
        return _coordinates(self.future, values)

    def steps(self, coordinates: Float[ndarray, "b s n c"]) -> Float[ndarray, "b p n c"]:
        """Futures from what they hold of each pattern."""
        b, s, n, c = coordinates.shape
        made = self.future.astype(np.float32) @ coordinates.reshape(b, s, n * c)
        return np.asarray(made.reshape(b, -1, n, c))


def known_share(patterns: Float[ndarray, "t q"], known: Bool[ndarray, "t n c"]) -> Bool[ndarray, "q n c"]:
    """Whether at least half of what a pattern reads is measured."""
    half: ndarray = _coordinates(patterns**2, known.astype(np.float32)) >= 0.5
    return half


def _gram(values: Float[ndarray, "t n c"]) -> Float[ndarray, "t t"]:
    flat = values.reshape(len(values), -1)
    return np.asarray(flat @ flat.T)


def _coordinates(patterns: Float[ndarray, "t q"], values: Float[ndarray, "t n c"]) -> Float[ndarray, "q n c"]:
    flat = patterns.T.astype(np.float32) @ values.reshape(len(values), -1)
    return np.asarray(flat.reshape(-1, *values.shape[1:]))


def _patterns(gram: Float[ndarray, "t t"], energy: float, most: int) -> Float[ndarray, "t q"]:
    """The first step, and the leading components of those after it; all steps as they are where they are few."""
    if len(gram) <= LONG:
        return np.eye(len(gram))
    value, vectors = np.linalg.eigh(gram[1:, 1:])
    value, vectors = np.maximum(value[::-1], 0.0), vectors[:, ::-1]
    held = np.cumsum(value) / max(float(value.sum()), 1e-300)
    count = min(most - 1, int(np.searchsorted(held, energy)) + 1)
    patterns = np.zeros((len(gram), 1 + count))
    patterns[0, 0] = 1.0
    patterns[1:, 1:] = vectors[:, :count] * np.where(vectors[:, :count].sum(axis=0) < 0, -1.0, 1.0)
    return patterns
