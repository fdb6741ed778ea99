"""Every plan against every other on the same test windows: difference, interval, and better, tie or worse.

Many comparisons find differences by chance, so verdicts are corrected for their number after Holm 1979 (Scand. J. Stat.
6). A *family* is what one reads as one question:

- "is this plan better than random?": the one planner and budget that the study was made for stand before any figure is
  seen, so this comparison with ``uniform_random`` is a family of its own; `alone` gives its word for any planner that
  is asked about by name, here and in the answer of a run;
- "who else is?": all other planners against ``uniform_random`` at one budget, a family for each budget;
- "is this planner better than the others?": one planner against all others at one budget, a family for each.

Frames (floor, ceiling, persistence, climatology) are no rivals: comparisons with them are in no family, uncorrected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from dynst.domain import FRAMES, RANDOM
from dynst.evaluation.bootstrap import LEVEL, bounds, influence, layout_doubt, seed_doubt, together, window_doubt
from dynst.evaluation.score import Score

__all__ = ["MIN_RANDOM_DRAWS", "alone", "compared", "holm"]

MIN_RANDOM_DRAWS = 3
"""Random plans below which nothing is said about them: their spread is part of every verdict, and two show none."""


def compared(
    names: Sequence[str],
    budgets: Sequence[int],
    scores: Mapping[tuple[str, int], Sequence[Score]],
    *,
    question: tuple[str, int] | None = None,
) -> dict[str, ndarray]:
    """Each planner against each other: RMSE difference in %, its interval, probability, and the word for it.

    Several scores of one planner count by the mean of their RMSE, and the doubt holds that other seeds could have come:
    networks trained twice on one plan differ, too. One score shows nothing of that. Against ``uniform_random`` the
    doubt holds the luck of the windows *and* that of the draw: a plan is better if it is better than one more random
    plan would be. `question` is the planner and budget that the study was made for.

    Returns
    -------
    dict of str to array over (planner, against, budget)
        ``difference``, and ``low``, ``high``: its 95 % interval, for that one comparison. ``p``: probability of such a
        difference between equals, after Holm's correction within the family of `planner`. ``verdict``: ``better`` or
        ``worse`` where ``p < 0.05``, else ``tie``; empty where nothing was compared.
    """
    shape = (len(names), len(names), len(budgets))
    found: dict[str, ndarray] = {name: np.full(shape, np.nan) for name in ("difference", "low", "high", "p")}
    for j, k in enumerate(budgets):
        known = [i for i, name in enumerate(names) if _comparable(name, scores.get((name, k), ()))]
        errors = {i: np.stack([score.per_window for score in scores[names[i], k]]) for i in known}
        if len(known) > 1:
            _pairs(found, j, names, errors, scores[names[known[0]], k][0].run)
    asked = (names.index(question[0]), budgets.index(question[1])) if question is not None else None
    found["p"] = _corrected(names, found["p"], asked)
    found["verdict"] = _words(found["difference"], found["p"])
    return found


def alone(low: float, high: float) -> str:
    """The word for one comparison that is a family of its own, from its interval in %.

    Examples
    --------
    >>> alone(-17.9, -1.1), alone(-3.0, 2.0), alone(0.5, 4.0)
    ('better', 'tie', 'worse')
    """
    if high < 0:
        return "better"
    return "worse" if low > 0 else "tie"


def holm(p: Float[ndarray, " r"]) -> Float[ndarray, " r"]:
    """Probabilities such that below 0.05 all that are, are so by chance alone in 5 % of cases; NaN are no comparisons.

    Examples
    --------
    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).round(6).tolist()  # 3 x 0.01, then 2 x 0.03, then no less than that
    [0.03, 0.06, nan, 0.06]
    """
    there = np.flatnonzero(np.isfinite(p))
    order = there[np.argsort(p[there], kind="stable")]
    out = np.full(len(p), np.nan)
    out[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1.0)
    return out


def _comparable(name: str, scores: Sequence[Score]) -> bool:
    return len(scores) >= (MIN_RANDOM_DRAWS if name == RANDOM else 1)


def _pairs(
    found: dict[str, ndarray], j: int, names: Sequence[str], errors: Mapping[int, ndarray], run: ndarray | None
) -> None:
    """Fill in all pairs at budget `j`, both ways round; probabilities uncorrected."""
    finite = np.isfinite(np.concatenate(list(errors.values()))).all(axis=0)
    if not finite.any():
        return
    known = np.array(list(errors))
    moved = [influence(error[:, finite]) for error in errors.values()]
    level, shift = np.array([one for one, _ in moved]), np.stack([other for _, other in moved])
    a, b = np.triu_indices(len(known), 1)
    doubt = window_doubt(shift[a] - shift[b], run=None if run is None else run[finite])
    own = [(layout_doubt if names[i] == RANDOM else seed_doubt)(error[:, finite]) for i, error in errors.items()]
    variance, freedom = np.array(own).T
    for side in (a, b):
        doubt = together(doubt, (variance[side], freedom[side]))
    for one, other, difference in ((a, b, level[a] - level[b]), (b, a, level[b] - level[a])):
        place = known[one], known[other], j
        found["difference"][place] = 100.0 * np.expm1(difference)
        found["p"][place], found["low"][place], found["high"][place] = bounds(difference, doubt)


def _corrected(
    names: Sequence[str], p: Float[ndarray, "n n k"], asked: tuple[int, int] | None
) -> Float[ndarray, "n n k"]:
    """Holm's correction within each family of the module's docstring; `asked` is the place of the question."""
    out = p.copy()
    plans = [i for i, name in enumerate(names) if name not in FRAMES and name != RANDOM]
    for j in range(p.shape[2]):
        for i in plans:
            out[i, plans, j] = holm(p[i, plans, j])
        if RANDOM in names:
            random, rest = names.index(RANDOM), [i for i in plans if (i, j) != asked]
            out[rest, random, j] = out[random, rest, j] = holm(p[rest, random, j])
    return out


def _words(difference: ndarray, p: ndarray) -> ndarray:
    sure = np.where(difference < 0, "better", "worse")
    return np.where(np.isfinite(p), np.where(p < 1 - LEVEL, sure, "tie"), "").astype(object)
