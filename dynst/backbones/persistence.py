"""Tomorrow is as today, and tomorrow is as usual: the yardsticks that need no fit.

On a stationary AR(1) with variance s2 and coefficient phi their mean squared errors at lead h are
``2 s2 (1 - phi^h)`` and ``s2``.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

__all__ = ["climatology", "persistence"]


def persistence(
    history: Float[ndarray, "m t n c"],
    *,
    steps: int,
    observed: Bool[ndarray, "m t n c"] | None = None,
) -> Float[ndarray, "m p n c"]:
    """The last measured value of each site and channel, for each of `steps` lead times (a read-only view).

    Parameters
    ----------
    history : Float[ndarray, "m t n c"]
        Standardised anomalies of the channels that are forecast; a missing value is 0.
    steps : int
        Lead times.
    observed : Bool[ndarray, "m t n c"] or None
        Which values are measured. The last measured one persists; where there is none, the climatology (0).

    Examples
    --------
    >>> persistence(np.array([[[[1.0]], [[2.0]]]]), steps=3).ravel().tolist()
    [2.0, 2.0, 2.0]
    """
    m, t, n, c = history.shape
    if observed is None:
        last = history[:, -1]
    else:
        back = observed[:, ::-1].argmax(axis=1)[:, None]  # steps back to the newest measured value
        last = np.take_along_axis(np.where(observed, history, 0), t - 1 - back, axis=1)[:, 0]
    return np.broadcast_to(last[:, None], (m, steps, n, c))


def climatology(history: Float[ndarray, "m t n c"], *, steps: int) -> Float[ndarray, "m p n c"]:
    """The climatology of each site, which is 0 for standardised anomalies, for each of `steps` lead times.

    Examples
    --------
    >>> climatology(np.ones((1, 4, 2, 1)), steps=2).shape
    (1, 2, 2, 1)
    """
    m, _, n, c = history.shape
    return np.broadcast_to(np.zeros((), history.dtype), (m, steps, n, c))
