"""The space-time forecaster by its definition: the covariance of every pair of values, one at a time, then inverted."""

import numpy as np

LEAST, QUIET, RIDGE, STEEPEST = 1e-6, 0.01, 3.0, 1.2


def windows(record, length):
    """First steps of the windows that lie in one stretch."""
    last = range(len(record.values) - length + 1)
    return [start for start in last if record.stretch[start] == record.stretch[start + length - 1]]


def memory(record, lag):
    """Correlation of all series with themselves `lag` steps later, inside stretches."""
    later, now = 0.0, 0.0
    for step in range(len(record.values)):
        now += np.sum(record.values[step] ** 2)
        if step + lag < len(record.values) and record.stretch[step] == record.stretch[step + lag]:
            later += np.sum(record.values[step] * record.values[step + lag])
    return later / now


def joint(record, form, steps):
    """Covariance of all values of a window of so many steps: by step, then site, then channel."""
    _, n, c = record.values.shape
    starts = windows(record, steps)
    sample = np.zeros((steps * n * c, steps * n * c))
    for start in starts:
        window = record.values[start : start + steps].ravel()
        sample += np.outer(window, window) / len(starts)
    still = np.zeros((n * c, n * c))
    for step in record.values:
        still += np.outer(step.ravel(), step.ravel()) / len(record.values)
    variance = np.maximum(np.diagonal(still), LEAST).reshape(n, c)
    made = np.zeros((steps, n, c, steps, n, c))
    correlation = [memory(record, lag) for lag in range(steps)]
    for i, one in np.ndindex(n, c):
        for j, two in np.ndindex(n, c):
            fade, near = 1.0, 0.0
            if form.local:
                distance = np.linalg.norm(record.points[i] - record.points[j])
                fade = np.exp(-((distance / (form.taper * record.length)) ** 2) / 2)
                near = np.exp(-distance / record.length) if one == two else 0.0
            kernel = near * np.sqrt(variance[i, one] * variance[j, two])
            now = form.memory * still[i * c + one, j * c + two] * fade + form.kernel * kernel
            for a, b in np.ndindex(steps, steps):
                lagged = sample[(a * n + i) * c + one, (b * n + j) * c + two]
                share = 1.0 - form.memory - form.kernel
                made[a, i, one, b, j, two] = share * lagged * fade + correlation[abs(a - b)] * now
    return made.reshape(steps * n * c, -1)


class Reference:
    """The forecaster of one plan; `filters` are patterns in time by which histories are read."""

    def __init__(self, record, sites, form, *, history, leads, filters=None):
        self.record, self.sites, self.form, self.history, self.leads = record, list(sites), form, history, leads
        _, self.n, self.c = record.values.shape
        self.filters = np.eye(history) if filters is None else filters
        whole = joint(record, form, history + leads)
        rows = [self._place(step, *reading) for step in range(history) for reading in self.readings]
        reader = np.kron(self.filters.T, np.eye(len(self.readings)))
        self.own = reader @ whole[np.ix_(rows, rows)] @ reader.T
        columns = [[self._place(history - 1 + lead, *target) for target in self.targets] for lead in range(leads + 1)]
        self.cross = [reader @ whole[np.ix_(rows, column)] for column in columns]
        everything = [*rows, *np.concatenate(columns)]
        self.joint = whole[np.ix_(everything, everything)]
        variance = np.mean(record.values**2, axis=0)
        own = np.array([variance[reading] for reading in self.readings])
        self.noise = np.maximum(own, max(QUIET * own.mean(), LEAST))
        self.variance = np.array([variance[target] for target in self.targets])
        self.system = self.own + form.noise * np.diag(np.tile(self.noise, self.filters.shape[1]))

    @property
    def readings(self):
        return [(site, channel) for site in self.sites for channel in self.record.observed]

    @property
    def targets(self):
        return [(site, channel) for site in range(self.n) for channel in self.record.predicted]

    def _place(self, step, site, channel):
        return (step * self.n + site) * self.c + channel

    def inputs(self, readings):
        """Patterns of one history, fitted to the steps that came; NaN where fewer than half did."""
        steps = readings.reshape(self.history, -1)
        width = self.filters.shape[1]
        if width == self.history:
            return steps.ravel()
        made = np.full((width, steps.shape[1]), np.nan)
        for q in range(steps.shape[1]):
            known = [t for t in range(self.history) if np.isfinite(steps[t, q])]
            if len(known) == self.history:
                made[:, q] = [sum(self.filters[t, f] * steps[t, q] for t in known) for f in range(width)]
            elif 2 * len(known) >= self.history:
                system, right = 0.01 * np.eye(width), np.zeros(width)
                for t in known:
                    system += np.outer(self.filters[t], self.filters[t])
                    right += self.filters[t] * steps[t, q]
                made[:, q] = np.linalg.solve(system, right)
        return made.ravel()

    def hybrid(self, readings):
        """The conditional mean of each lead, of the rows that came."""
        inputs = self.inputs(readings)
        known = np.flatnonzero(np.isfinite(inputs))
        system = self.system[np.ix_(known, known)]
        return np.array([cross[known].T @ np.linalg.solve(system, inputs[known]) for cross in self.cross])

    def deviation(self, missing):
        """Standard deviation around the conditional mean."""
        known = np.flatnonzero(np.isfinite(self.inputs(np.where(missing, np.nan, 0.0))))
        system = self.system[np.ix_(known, known)]
        made = []
        for cross in self.cross:
            told = np.diagonal(cross[known].T @ np.linalg.solve(system, cross[known]))
            doubt = np.maximum(self.variance, 0.02 * self.variance.mean())
            made.append(np.sqrt(np.maximum(doubt - told, 1e-4 * doubt + LEAST)))
        return np.array(made)

    def forecast(self, readings):
        """The mean of the hybrid and of persistence, damped with a ridge or as it is, at each lead."""
        made, share = self.hybrid(readings), self.form.persistence
        kept = self.damped(readings, made[0]) if self.form.damped else self.unchanged(readings, made[0])
        made[1:] = (1 - share) * made[1:] + share * kept
        return made

    def present(self, readings, field):
        """The reading at a sensor, the estimate elsewhere."""
        last = readings[-1].reshape(-1)
        made = field.copy()
        for place, target in enumerate(self.targets):
            if target in self.readings and np.isfinite(last[self.readings.index(target)]):
                made[place] = last[self.readings.index(target)]
        return made

    def unchanged(self, readings, field):
        return np.tile(self.present(readings, field), (self.leads, 1))

    def damped(self, readings, field):
        """Damped persistence of the present field, and a ridge of what it leaves on the inputs."""
        starts = windows(self.record, self.history + self.leads)
        values, inputs = self.record.values, self._filled(readings)
        future = np.array(
            [
                [
                    [values[start + self.history - 1 + lead][target] for target in self.targets]
                    for lead in range(self.leads + 1)
                ]
                for start in starts
            ]
        )
        past = np.array(
            [
                self.inputs(
                    np.array(
                        [[values[start + step][reading] for reading in self.readings] for step in range(self.history)]
                    )
                )
                for start in starts
            ]
        )
        estimate = past @ np.linalg.solve(self.system, self.cross[0])
        measured = [place for place, target in enumerate(self.targets) if target in self.readings]
        square = np.mean(estimate**2, axis=0)
        square[measured] = self.variance[measured]
        estimate[:, measured] = future[:, 0, measured]
        penalty = RIDGE * np.diag(np.tile(self.noise, self.filters.shape[1]))
        weight = np.repeat(self.record.weight, len(self.record.predicted))
        start, made = self.present(readings, field), []
        for lead in range(1, self.leads + 1):
            product = np.mean(estimate * future[:, lead], axis=0)
            for place in measured:
                product[place] = self._later(self.targets[place], lead)
            pooled = (product @ weight) / max(square @ weight, LEAST)
            factor = np.clip((product / np.maximum(square, LEAST) + pooled) / 2, -1, STEEPEST)
            left = future[:, lead] - factor * estimate
            ridge = np.linalg.solve(past.T @ past / len(past) + penalty, past.T @ left / len(past))
            made.append(factor * start + inputs @ ridge)
        return np.array(made)

    def _later(self, target, lead):
        starts = windows(self.record, lead + 1)
        return np.mean([self.record.values[s][target] * self.record.values[s + lead][target] for s in starts])

    def _filled(self, readings):
        """Inputs, with the conditional mean of those that did not come."""
        inputs = self.inputs(readings)
        known, gone = np.flatnonzero(np.isfinite(inputs)), np.flatnonzero(~np.isfinite(inputs))
        if len(gone):
            solved = np.linalg.solve(self.system[np.ix_(known, known)], inputs[known])
            inputs[gone] = self.system[np.ix_(gone, known)] @ solved
        return inputs
