"""Train, validation and test by blocks of time, with an embargo between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Field, Window
from dynst.errors import ConfigError, DataError

__all__ = ["Split", "rolling_origins", "split_by_time", "thin", "window_starts"]


@dataclass(frozen=True, eq=False)
class Split:
    """Three blocks of one record, in order of time; no window of one touches a step of another."""

    train: Field
    valid: Field
    test: Field

    def __repr__(self) -> str:
        return f"Split({self.train.steps} / {self.valid.steps} / {self.test.steps} steps)"


def split_by_time(field: Field, window: Window, *, shares: tuple[float, float, float] = (0.65, 0.17, 0.18)) -> Split:
    """Three blocks of consecutive steps, with `window.embargo` steps left out between neighbours.

    Windows that start in one block end in it, so without an embargo no step would be shared either; the embargo
    keeps the last truth of one block and the first history of the next a whole window apart, as neighbouring
    steps are nearly copies of each other.

    Parameters
    ----------
    field : Field
        The record.
    window : Window
        Sets the embargo and what counts as long enough.
    shares : tuple of float
        Parts of the steps that remain after the embargoes; they add up to 1. The default is the one under which
        the planners were studied (docs/method.md).

    Raises
    ------
    ConfigError
        If the shares are not positive or do not add up to 1.
    DataError
        If a block holds no window: the record is too short, or its runs are.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> field = Field.of(np.zeros((106, 2, 1)), sites, GridLayout((1, 2), np.arange(2)))
    >>> split_by_time(field, Window(2, 2))
    Split(65 / 17 / 18 steps)
    """
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(f"the shares of a split must be positive and add up to 1; {shares} came.")
    train, valid, test = _lengths(field.steps, window, shares)
    if min(train, valid, test) < window.length:
        raise DataError(
            f"history {window.history} + horizon {window.prediction} needs a record of at least "
            f"{_least_steps(window, shares)} steps for training, validation and test blocks; {field.steps} are there. "
            "Choose shorter ones."
        )
    return _blocks(field, window, train, valid, test)


def rolling_origins(
    field: Field,
    window: Window,
    *,
    origins: Sequence[float] = (0.40, 0.50, 0.62),
    valid: float = 0.10,
    test: float = 0.10,
) -> list[Split]:
    """One split per origin: train up to it, validate on the block after it, test on the block after that.

    One test block is one sample of the weather; several origins show whether a ranking of planners lasts.

    Parameters
    ----------
    field : Field
        The record.
    window : Window
        Sets the embargo between the blocks.
    origins : sequence of float
        End of the training block, as a share of the record.
    valid, test : float
        Length of the other two blocks, as a share of the record.

    Raises
    ------
    DataError
        If a block holds no window, or the last block would end after the record.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> field = Field.of(np.zeros((100, 2, 1)), sites, GridLayout((1, 2), np.arange(2)))
    >>> rolling_origins(field, Window(2, 2))
    [Split(40 / 10 / 10 steps), Split(50 / 10 / 10 steps), Split(62 / 10 / 10 steps)]
    """
    lengths = (round(valid * field.steps), round(test * field.steps))
    return [_blocks(field, window, round(origin * field.steps), *lengths) for origin in origins]


def window_starts(field: Field, window: Window) -> Int[ndarray, " m"]:
    """First step of every window that lies inside one run, `window.stride` steps apart within a run.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> run = np.array([0, 0, 0, 1, 1, 1, 1])
    >>> field = Field.of(np.zeros((7, 2, 1)), sites, GridLayout((1, 2), np.arange(2)), run=run)
    >>> window_starts(field, Window(2, 1)).tolist()
    [0, 3, 4]
    """
    pieces = [np.arange(start, stop - window.length + 1, window.stride) for start, stop in field.runs]
    return np.concatenate([np.zeros(0, np.int64), *pieces])


def thin(starts: Int[ndarray, " m"], limit: int, *, seed: int = 0) -> Int[ndarray, " k"]:
    """At most `limit` of the `starts`, sorted: one drawn from each of `limit` equal bins.

    Even strides would alias with the daily cycle: every 24th hourly window begins at the same hour.

    Examples
    --------
    >>> thin(np.arange(5), 9).tolist()
    [0, 1, 2, 3, 4]
    >>> len(thin(np.arange(1000), 50, seed=1))
    50
    """
    if limit < 1:
        raise ConfigError(f"at least one window must be kept; limit {limit} came.")
    if len(starts) <= limit:
        return starts.copy()
    edges = np.linspace(0, len(starts), limit + 1)
    low, high = np.ceil(edges[:-1] - 1e-9).astype(int), np.ceil(edges[1:] - 1e-9).astype(int)
    chosen: ndarray = starts[np.random.default_rng(seed).integers(low, high)]
    return chosen


def _lengths(steps: int, window: Window, shares: tuple[float, float, float]) -> tuple[int, int, int]:
    usable = max(0, steps - 2 * window.embargo)
    first = round(shares[0] * usable)
    second = round((shares[0] + shares[1]) * usable)
    return first, second - first, usable - second


def _least_steps(window: Window, shares: tuple[float, float, float]) -> int:
    """The shortest record of one run each of whose blocks holds a window."""
    steps = 2 * window.embargo + int((window.length - 1) / min(shares))  # a step or two short, because of rounding
    while min(_lengths(steps, window, shares)) < window.length:
        steps += 1
    return steps


def _blocks(field: Field, window: Window, train: int, valid: int, test: int) -> Split:
    second = train + window.embargo
    third = second + valid + window.embargo
    if third + test > field.steps:
        raise DataError(
            f"{field.steps} steps are too few for blocks of {train}, {valid} and {test} steps with an embargo of "
            f"{window.embargo} between them. Give a longer record, or shorten history and prediction."
        )
    split = Split(field.between(0, train), field.between(second, second + valid), field.between(third, third + test))
    for name, block in (("training", split.train), ("validation", split.valid), ("test", split.test)):
        if not len(window_starts(block, window)):
            raise DataError(
                f"the {name} block of {block.steps} steps in {len(block.runs)} run(s) holds no window of "
                f"{window.length} steps (record: {field.steps} steps). Shorten history and prediction, or give a "
                f"longer record."
            )
    return split
