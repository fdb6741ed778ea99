"""Scores against scores: the difference in percent, its interval, and the error as it is shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dynst.domain import Channel
from dynst.domain.change import Change
from dynst.evaluation.bootstrap import bounds, influence, layout_doubt, together, window_doubt
from dynst.evaluation.comparison import holm
from dynst.evaluation.score import Score

__all__ = ["change_between", "corrected", "shown_error", "shown_units"]


def shown_units(channels: Sequence[Channel]) -> str:
    """Unit of `shown_error`."""
    return channels[0].units if len(channels) == 1 else "standard deviations"


def shown_error(score: Score) -> float:
    """RMSE over lead times: in the channel's unit if there is one channel, else in training standard deviations."""
    return float(np.sqrt(np.nanmean(score.rmse**2))) if len(score.std) == 1 else score.total


def change_between(error: float, score: Score, *others: Score) -> Change:
    """A score against another; against several, which are random draws, by the mean of their RMSE and its doubt."""
    theirs = np.stack([other.per_window for other in others])
    finite = np.isfinite(score.per_window) & np.isfinite(theirs).all(axis=0)
    (level, moved), (mean, moved_too) = influence(score.per_window[None, finite]), influence(theirs[:, finite])
    doubt = window_doubt((moved - moved_too)[None], run=None if score.run is None else score.run[finite])
    if len(others) > 1:
        doubt = together(doubt, layout_doubt(theirs[:, finite]))
    p, low, high = (float(part[0]) for part in bounds(np.array([level - mean]), doubt))
    return Change(error, 100.0 * math.expm1(level - mean), low, high, p)


def corrected(changes: Sequence[Change]) -> list[Change]:
    """The same with probabilities corrected for the number of comparisons."""
    p = holm(np.array([change.p for change in changes])).tolist()
    return [replace(change, p=value) for change, value in zip(changes, p, strict=True)]
