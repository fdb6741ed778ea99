"""The expected error of a forecast, from whole covariances: every window, every site, no modes, no updates."""

import numpy as np


def covariance(record, form, *, history, horizon, first, second):
    """Of two lists of (step in the window, site, channel), by the equations of the hybrid covariance."""
    values, starts = record.values.astype(float), record.windows(history + horizon)
    memory = record.autocorrelation(history + horizon)
    variance = np.square(values).mean(axis=0)
    made = np.empty((len(first), len(second)))
    for row, (a, i, c) in enumerate(first):
        for column, (b, j, d) in enumerate(second):
            sample = np.mean(values[starts + a, i, c] * values[starts + b, j, d])
            now = np.mean(values[:, i, c] * values[:, j, d])
            kernel = 0.0
            if form.kernel > 0 and c == d:
                distance = np.linalg.norm(record.points[i] - record.points[j])
                kernel = np.sqrt(variance[i, c] * variance[j, d]) * np.exp(-distance / record.length)
            still = form.memory * now + form.kernel * kernel
            made[row, column] = form.sample * sample + memory[abs(a - b)] * still
    return made


def gain(record, form, support, *, history, horizon, leads, noise):
    """Weighted variance of the fields at all leads that sensors at `support` explain."""
    inputs = [(a, i, c) for i in support for a in range(history) for c in record.observed]
    lengths = {"history": history, "horizon": horizon}
    own = covariance(record, form, **lengths, first=inputs, second=inputs) + np.diag(np.ravel(noise[support]))
    total = 0.0
    for lead in leads:
        step = history - 1 + lead
        targets = [(step, i, c) for i in range(len(record.weight)) for c in record.predicted]
        out = covariance(record, form, **lengths, first=inputs, second=targets)
        total += record.target_weight @ np.sum(out * np.linalg.solve(own, out), axis=0)
    return total
