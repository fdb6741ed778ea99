"""Farthest point by the plain quadratic loop."""

import numpy as np


def farthest(points, legal, taken, count, first):
    """The next `count` of `legal`, each farthest from those before it; `first` where nothing is taken."""
    taken, picks = list(taken), []
    for _ in range(count):
        left = [s for s in legal if s not in set(taken)]
        if taken:
            away = [min(((points[s] - points[t]) ** 2).sum() for t in taken) for s in left]
            pick = left[int(np.argmax(away))]
        else:
            pick = first
        taken.append(pick)
        picks.append(pick)
    return picks
