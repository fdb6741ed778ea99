"""The penalised training loss of a ridge, by minimising it: no dual form, no updates, no shared products."""

import numpy as np


def objective(histories, support, targets, penalty, windows):
    """min over W of |Y - X W|^2 / windows + penalty |W|^2, from the normal equations in feature space."""
    m = targets.shape[0]
    x = histories[support][:, :, :m].reshape(-1, m).T
    weights = np.linalg.solve(x.T @ x + penalty * windows * np.eye(x.shape[1]), x.T @ targets)
    return (((targets - x @ weights) ** 2).sum() / windows) + penalty * (weights**2).sum()


def score(evidence, support):
    """Mean log objective over the terms of the evidence, in units of each term's penalty."""
    return np.mean(
        [np.log(objective(evidence.histories, support, t.targets, t.ridge, 1.0) / t.ridge) for t in evidence.terms]
    )
