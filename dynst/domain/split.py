"""Train, validation and test: by whole runs where they are experiments, else by blocks of time with an embargo.

The blocks have given shares of the record, or end at given dates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Literal

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain.dates import Date, Until, said_moment
from dynst.domain.field import Field, join_blocks
from dynst.domain.window import Window
from dynst.errors import ConfigError, DataError, unknown_name

__all__ = [
    "SPLITS",
    "Split",
    "SplitKind",
    "before_test",
    "rolling_folds",
    "rolling_origins",
    "split_by_date",
    "split_by_run",
    "split_by_time",
    "split_record",
    "thin",
    "window_starts",
]

SPLITS = ("auto", "run", "time")
"""Ways to split; ``auto`` is by run where there are at least three cases."""

SplitKind = Literal["time", "run"]
"""Whether the parts of a split are blocks of time or whole runs."""

_LEAST_CASES = 3
_FOLDS = 3
_FOLD_ENDS = (0.55, 0.70, 0.85, 1.0)


@dataclass(frozen=True, eq=False)
class Split:
    """Three parts of one record; no window of one touches a step of another.

    `how` says it in words, `kind` whether the parts are whole runs or blocks of time.
    """

    train: Field
    valid: Field
    test: Field
    how: str = "in time order"
    kind: SplitKind = "time"

    def __repr__(self) -> str:
        return f"Split({self.train.steps} / {self.valid.steps} / {self.test.steps} steps)"


def split_record(
    field: Field,
    window: Window,
    *,
    by: str = "auto",
    shares: tuple[float, float, float] = (0.65, 0.17, 0.18),
    until: Until | None = None,
) -> Split:
    """The split that suits the record: `split_by_run` if it holds at least three cases, else `split_by_time`.

    With dates, `split_by_date`.

    Parameters
    ----------
    field, window, shares
        As for both.
    by : str
        ``auto``, ``run`` or ``time``.
    until : Until or None
        Dates that end training and validation.

    Raises
    ------
    ConfigError, DataError
        As all; or if runs are asked for that are not there.
    """
    if by not in SPLITS:
        raise ConfigError(unknown_name("split", by, SPLITS))
    if until is not None and by == "run":
        raise ConfigError("a split by run keeps whole runs and takes no date: leave out train_until, or split by time.")
    if until is not None:
        return split_by_date(field, window, until, shares=shares)
    if by == "run" and len(field.cases) < _LEAST_CASES:
        raise DataError(
            f"a split by run needs at least {_LEAST_CASES} runs that are experiments of their own; "
            f"{len(field.cases)} came. Split by time."
        )
    if by != "time" and len(field.cases) >= _LEAST_CASES:
        return split_by_run(field, window, shares=shares)
    return split_by_time(field, window, shares=shares)


def before_test(field: Field, window: Window, split: Split) -> Field:
    """Training and validation time of a record, with the embargo between them: what every choice is made on.

    Parameters
    ----------
    field, window, split
        A record, and what `split_record` made of it with the window.
    """
    if split.kind == "run":
        held = set(split.test.cases)
        return field.pick([number for number, name in enumerate(field.cases) if name not in held])
    return field.between(0, field.steps - split.test.steps - window.embargo)


def split_by_run(field: Field, window: Window, *, shares: tuple[float, float, float] = (0.65, 0.17, 0.18)) -> Split:
    """Whole runs for training, validation and test: what is learnt in some experiments is judged in others.

    Where the reader found a list of the makers (`Origin.makers_split`), it holds. Else validation and test runs are
    spread evenly over the order of the runs, as neighbours in a listing are often alike.

    Raises
    ------
    ConfigError
        If the shares are not positive or do not add up to 1.
    DataError
        If a part holds no window: runs are too short or too few.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites, run = Sites(np.array([0.0, 1.0]), np.zeros(2)), np.repeat(np.arange(5), 10)
    >>> values, names = np.zeros((50, 2, 1)), ("a", "b", "c", "d", "e")
    >>> field = Field.of(values, sites, GridLayout((1, 2), np.arange(2)), run=run, cases=names)
    >>> split = split_by_run(field, Window(2, 2))
    >>> split.train.cases, split.valid.cases, split.test.cases
    (('a', 'b', 'd'), ('c',), ('e',))
    """
    _check_shares(shares)
    parts = _given_parts(field) or _spread_parts(len(field.cases), shares)
    train, valid, test = (field.pick(part) for part in parts)
    names = f"{len(train.cases)} / {len(valid.cases)} / {len(test.cases)}"
    left = len(field.cases) - sum(map(len, parts))
    given = ", as its makers list them" if _given_parts(field) else ""
    given += f", {left} in no list left out" if left else ""
    alone = "; with one test run, intervals speak of that run alone" if len(test.cases) == 1 else ""
    return _checked(Split(train, valid, test, f"by run ({names} runs{given}{alone})", kind="run"), field, window)


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
    _check_shares(shares)
    train, valid, test = _lengths(field.steps, window, shares)
    if min(train, valid, test) < window.length:
        raise DataError(
            f"history {window.history} + horizon {window.prediction} needs a record of at least "
            f"{_least_steps(window, shares)} steps for training, validation and test blocks; {field.steps} are there. "
            "Choose shorter ones."
        )
    return _blocks(field, window, train, valid, test)


def split_by_date(
    field: Field, window: Window, until: Until, *, shares: tuple[float, float, float] = (0.65, 0.17, 0.18)
) -> Split:
    """Three blocks that end at dates. The embargo is taken from the start of validation and of test.

    Training so holds every step up to its date. Without a date for validation, what follows training is divided
    between validation and test in the ratio of their shares.

    Parameters
    ----------
    field, window, shares
        As for `split_by_time`.
    until : Until
        Where training and validation end, in the calendar of the record.

    Raises
    ------
    ConfigError
        If the shares are not positive or do not add up to 1.
    DataError
        If the record has no dates or is made of experiments, a date lies outside of it, or a part holds no window.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> days = np.arange("2015-11-01", "2016-03-01", dtype="datetime64[D]").astype("datetime64[ns]")
    >>> field = Field.of(np.zeros((121, 2, 1)), sites, GridLayout((1, 2), np.arange(2)), time=days)
    >>> split = split_by_date(field, Window(2, 2), Until.parse("2015", "2016-01"))
    >>> split, str(split.train.time[-1])[:10], str(split.valid.time[0])[:10]
    (Split(61 / 28 / 26 steps), '2015-12-31', '2016-01-04')
    """
    _check_shares(shares)
    _check_dates(field, until)
    first = _steps_until(field, "train_until", until.train)
    shared = round(shares[1] / (shares[1] + shares[2]) * max(0, field.steps - first - 2 * window.embargo))
    second = min(field.steps, first + window.embargo + shared)
    if until.valid is not None:
        second = _steps_until(field, "valid_until", until.valid)
    held = (first, second - first, field.steps - second)
    for name, steps, free in zip(("training", "validation", "test"), held, (0, *[window.embargo] * 2), strict=True):
        if steps < free + window.length:
            kept = f" after an embargo of {free}" if free else ""
            raise DataError(
                f"{until.words(field.clock.year_days)}: {name} holds {max(0, steps)} steps; at least "
                f"{free + window.length} are needed, a window of {window.length}{kept}. "
                "Move the dates, or shorten history and horizon."
            )
    split = _blocks(field, window, first, held[1] - window.embargo, held[2] - window.embargo)
    return replace(split, how=until.words(field.clock.year_days))


def _check_dates(field: Field, until: Until) -> None:
    """Refuses records that a date does not divide."""
    asked = f"train_until {until.train} came, but"
    if len(field.cases) > 1:
        raise DataError(
            f"{asked} the record is made of {len(field.cases)} experiments, which no date divides. Leave it out."
        )
    if field.clock.days is None:
        raise DataError(
            f"{asked} the record has no dates: its steps go from {field.time[0]} to {field.time[-1]}. "
            "Leave it out to split by shares."
        )
    if (np.diff(field.clock.days) < 0).any():
        raise DataError(f"{asked} the times of the record are not in order. Sort them first.")


def _steps_until(field: Field, option: str, date: Date) -> int:
    """How many steps there are up to the end of a date; some, and not all."""
    days, calendar = field.clock.gone("days"), field.clock.year_days
    count = int(np.count_nonzero(days < date.end(calendar)))
    if 0 < count < field.steps:
        return count
    wrong = "leaves no step after it" if count else "ends before the first step"
    span = f"{said_moment(days[0], calendar)} to {said_moment(days[-1], calendar)}"
    raise DataError(f"{option} {date} {wrong}: the record goes from {span}. Name a date in between.")


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


def rolling_folds(split: Split) -> tuple[tuple[Field, Field], ...]:
    """Pairs of a part to fit and a part to score, inside training and validation time: all choices are made on them.

    Fit to 55, 70 and 85 % of the steps, score the next 15 %. Where runs are experiments, each third of them is scored
    once and the others are fitted. The test block is no part of any fold.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> field = Field.of(np.zeros((106, 2, 1)), sites, GridLayout((1, 2), np.arange(2)))
    >>> [(fit.steps, score.steps) for fit, score in rolling_folds(split_by_time(field, Window(2, 2)))]
    [(45, 12), (57, 13), (70, 12)]
    """
    known = join_blocks(split.train, split.valid)
    if known.cases:
        parts = np.array_split(np.arange(len(known.cases)), min(_FOLDS, len(known.cases)))
        return tuple((known.pick(_others(known, part)), known.pick(part.tolist())) for part in parts)
    ends = [round(share * known.steps) for share in _FOLD_ENDS]
    return tuple((known.between(0, end), known.between(end, after)) for end, after in pairwise(ends))


def _others(field: Field, part: Int[ndarray, " r"]) -> list[int]:
    return [number for number in range(len(field.cases)) if number not in part]


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


def _check_shares(shares: tuple[float, float, float]) -> None:
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ConfigError(f"the shares of a split must be positive and add up to 1; {shares} came.")


def _given_parts(field: Field) -> tuple[list[int], list[int], list[int]] | None:
    """Numbers of the runs of each part, if the reader found a list that names some run in each."""
    given = field.origin.makers_split
    if given is None:
        return None
    number = {name: i for i, name in enumerate(field.cases)}
    keys = ("train", "valid", "test")
    parts = [
        sorted({number[name] for name in names if name in number}) for names in (given.train, given.valid, given.test)
    ]
    for one, other in combinations(range(3), 2):
        for shared in set(parts[one]) & set(parts[other]):
            raise DataError(
                f'the given split names run "{field.cases[shared]}" under {keys[one]} and under {keys[other]}: what is '
                "learnt would be judged on itself. Name each run once."
            )
    return (parts[0], parts[1], parts[2]) if all(parts) else None


def _spread_parts(count: int, shares: tuple[float, float, float]) -> tuple[list[int], list[int], list[int]]:
    most = max(1, (count - 1) // 2)
    valid, test = (min(max(1, round(share * count)), most) for share in shares[1:])
    held = np.linspace(count - 1, count / (valid + test) - 1, valid + test).round().astype(int).tolist()
    testing = held[::2][:test] + held[1::2][valid:]
    validating = [i for i in held if i not in testing]
    return [i for i in range(count) if i not in held], validating, testing


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
    return _checked(split, field, window)


def _checked(split: Split, field: Field, window: Window) -> Split:
    for name, block in (("training", split.train), ("validation", split.valid), ("test", split.test)):
        if not len(window_starts(block, window)):
            raise DataError(
                f"the {name} block of {block.steps} steps in {len(block.runs)} run(s) holds no window of "
                f"{window.length} steps (record: {field.steps} steps). Shorten history and prediction, or give a "
                f"longer record."
            )
    return split
