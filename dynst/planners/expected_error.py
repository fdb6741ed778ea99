"""Expected error of the forecast from a set of sensors, before any reading: what plans are made on.

With the covariance that forecasts are made with (`SpaceTimeForecaster`), the histories `x` of the sensors `S` and all
fields `y`, the present one and those at each lead, the error of the best linear forecast is known before any reading::

    error(S) = tr W (C_yy - C_yx (C_xx + N)^-1 C_xy)        gain(S) = tr W C_yx (C_xx + N)^-1 C_xy

`W` holds the area weights, `N` the noise of the sensors. Given `S`, with `C_sy|S` what is left of a covariance::

    adding s         gain rises by   tr (C_ss|S + N_s)^-1 C_sy|S C_ys|S
    taking p away    gain falls by   tr A Q Q',   A = ((C_xx + N)^-1)_pp^-1,   Q = ((C_xx + N)^-1 C_xy)_p
    gate w_s         noise N_s / w_s; its slope at an absent site is   tr C_ys|S C_sy|S / N_s

so every site can be tried without a refit. A gate is the relative precision of a sensor: at 0 there is none, at 1 it
is one like others, and the slope at 0 is finite.

Fields are seen through their leading modes. Covariances do not fade with distance here: a taper is no product of
factors, and the study found no plan that gains by one (docs/method.md).

Sources: Gandin 1963 and Cressie and Wikle 2011, chapter 6 (the forecast); Chaloner and Verdinelli 1995 (A-optimal
design).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.covariance import STILL, Anomalies, distances_between, history_inputs, noise_of
from dynst.backbones.spacetime import Form
from dynst.domain.modes import leading_modes

__all__ = ["ExpectedError"]

_MODES = 80  # leading modes of the field that stand for it
_STEPS = 1000  # that the modes are made of, about
_LEADS = 6  # lead times among the targets, the present included: neighbouring ones hardly differ
_NUMBERS = 1 << 24  # of a work block
_KERNEL_SITES = 3000  # that the kernel of distance is summed over, at most


@dataclass(frozen=True, eq=False)
class ExpectedError:
    """The covariances that the expected error of a set of sensors is made of.

    A sensor has `f` inputs: its channels at each step of a history, or at each pattern in time, pattern-major.
    There are `R` targets: the leading modes of the field at each lead.

    Parameters
    ----------
    record : Anomalies
        Time to plan on.
    form : Form
        Of the covariance; its taper and its persistence have no part.
    history, horizon : int
        Steps of a history, and the longest lead.
    filters : Float[ndarray, "t f"] or None
        Patterns in time for a long history; its steps as they are if left out.
    reporting : Float[ndarray, "n"] or None
        Share of the time that a sensor of each site reports; always, if left out. A sensor that reports a share `q`
        of the time has the noise that leaves it the share `q` of its worth.
    present : bool
        Whether the present field is among the targets.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> values = rng.standard_normal((200, 3, 1)).astype(np.float32)
    >>> values[1:, 2] = values[:-1, 0]  # site 0 knows what site 2 will be
    >>> one = np.array([0])
    >>> record = Anomalies(values, np.zeros(200, int), one, one, np.ones(3))
    >>> error = ExpectedError(record, Form(memory=0.0), history=1, horizon=1, present=False)
    >>> int(np.argmax([error.gain(np.array([site])) for site in range(3)]))
    0
    """

    record: Anomalies
    form: Form
    history: int
    horizon: int
    filters: Float[ndarray, "t f"] | None = None
    reporting: Float[ndarray, " n"] | None = None
    present: bool = True

    @property
    def sites(self) -> int:
        """Number of sites."""
        return len(self.record.weight)

    @property
    def inputs(self) -> int:
        """Numbers that a sensor reads."""
        return int(self._patterns.shape[1] * len(self.record.observed))

    @property
    def targets(self) -> int:
        """Numbers that stand for all fields that are forecast."""
        return int(len(self.leads) * self._scores.shape[1])

    @cached_property
    def leads(self) -> Int[ndarray, " l"]:
        """Lead times among the targets, evenly spread; 0 is the present."""
        first = 0 if self.present else 1
        count = min(_LEADS, self.horizon + 1 - first)
        return np.unique(np.linspace(first, self.horizon, count).round().astype(int))

    @cached_property
    def total(self) -> float:
        """Expected error without any sensor: weighted variance of all targets at all leads."""
        return float(len(self.leads) * (self.record.target_weight @ self.record.variance))

    @cached_property
    def noise(self) -> Float[ndarray, "n f"]:
        """Variance of the noise of each input."""
        variance = self._variance.ravel()
        noise = noise_of(variance).reshape(self.sites, -1)
        share = self.form.noise * np.ones(self.sites)
        if self.reporting is not None:
            share = (1 + self.form.noise) / np.maximum(self.reporting, 1e-6) - 1
        return np.tile(noise * share[:, None], (1, self._patterns.shape[1]))

    def gain(self, support: Int[ndarray, " k"]) -> float:
        """How much less than `total` the expected error is with sensors at `support`."""
        if not len(support):
            return 0.0
        out = self.with_targets(support).reshape(-1, self.targets).astype(float)
        return float(np.sum(out * np.linalg.solve(self.system(support), out)))

    def system(self, support: Int[ndarray, " k"]) -> Float[ndarray, "F F"]:
        """Covariance of all inputs of the sensors, noise included."""
        own = self.with_sensors(support, support).reshape(len(support) * self.inputs, -1).astype(float)
        return np.asarray((own + own.T) / 2 + np.diag(self.noise[support].ravel()))

    def with_targets(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "s f R"]:
        """Covariance of the inputs of some sites with all targets."""
        first = self._starts + self.history - 1
        targets = np.concatenate([self._scores[first + lead] for lead in self.leads], axis=1)
        made = self._lagged(sites, targets, self.form.sample)
        still = self.form.memory * self._still(sites, self._scores)
        if self.form.kernel > 0:
            still += self.form.kernel * self._kernel_with_targets(sites)
        shape = (len(sites), self._patterns.shape[1], still.shape[1], len(self.leads), still.shape[2])
        view = made.reshape(shape)
        for number in range(len(self.leads)):
            view[:, :, :, number] += self._ahead[number][:, None, None] * still[:, None]
        return made

    def with_sensors(self, sites: Int[ndarray, " s"], support: Int[ndarray, " k"]) -> Float[ndarray, "s f F"]:
        """Covariance of the inputs of some sites with those of the sensors."""
        made = self._lagged(sites, self._histories(support), self.form.sample)
        still = self.form.memory * self._still(sites, self.record.readings(support))
        if self.form.kernel > 0:
            still += self.form.kernel * self._kernel(sites, support)
        (t, c), k = (self._patterns.shape[1], still.shape[1]), len(support)
        view = made.reshape(len(sites), t, c, k, t, c)
        view += np.einsum("ab,sikj->saikbj", self._memory, still.reshape(len(sites), c, k, c))
        return made

    def of_each(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "s f f"]:
        """Covariance of the inputs of each of some sites with themselves, without noise."""
        t, c = self._patterns.shape[1], len(self.record.observed)
        made = np.empty((len(sites), t * c, t * c))
        size = max(1, _NUMBERS // (t * c * len(self._starts)))
        for start in range(0, len(sites), size):
            some = sites[start : start + size]
            histories = self._histories(some).reshape(-1, len(some), t * c).transpose(1, 2, 0)
            own = self.form.sample / len(self._starts) * (histories @ histories.transpose(0, 2, 1))
            series = self.record.readings(some).reshape(-1, len(some), c).transpose(1, 2, 0)
            still = self.form.memory / len(self.record.values) * (series @ series.transpose(0, 2, 1))
            if self.form.kernel > 0:
                square = np.square(self._deviation(self._variance[some]))
                still = still + self.form.kernel * square[:, :, None] * np.eye(c)
            common = np.einsum("ab,sij->saibj", self._memory, still)
            made[start : start + size] = own + common.reshape(own.shape)
        return made

    @cached_property
    def _patterns(self) -> Float[ndarray, "t f"]:
        filters = np.eye(self.history) if self.filters is None else self.filters
        return np.asarray(filters.astype(self._type))

    @property
    def _type(self) -> np.dtype[np.floating]:
        return self.record.values.dtype

    @cached_property
    def _starts(self) -> Int[ndarray, " w"]:
        return self.record.windows(self.history + self.horizon)

    @cached_property
    def _scores(self) -> Float[ndarray, "m r"]:
        """Each step on the leading modes of the area-weighted field."""
        scores: ndarray = (self.record.targets * self._root) @ self._modes
        return scores

    @cached_property
    def _modes(self) -> Float[ndarray, "N r"]:
        every = max(1, len(self.record.targets) // _STEPS)
        modes = leading_modes(self.record.targets[::every] * self._root, _MODES)
        return np.asarray(modes.patterns.astype(self._type))

    @cached_property
    def _root(self) -> Float[ndarray, " N"]:
        root: ndarray = np.sqrt(self.record.target_weight).astype(self._type)
        return root

    @cached_property
    def _variance(self) -> Float[ndarray, "n c"]:
        """Mean square of each observed series."""
        square = np.einsum("mnc,mnc->nc", self.record.values, self.record.values, dtype=float)
        return np.asarray(square[:, self.record.observed] / len(self.record.values))

    @cached_property
    def _autocorrelation(self) -> Float[ndarray, " l"]:
        return self.record.autocorrelation(self.history + self.horizon)

    @cached_property
    def _memory(self) -> Float[ndarray, "f f"]:
        """Common autocorrelation between the patterns of a history."""
        lag = np.abs(np.subtract.outer(np.arange(self.history), np.arange(self.history)))
        return np.asarray(self._patterns.T @ self._autocorrelation[lag] @ self._patterns).astype(self._type)

    @cached_property
    def _ahead(self) -> Float[ndarray, "l f"]:
        """Common autocorrelation between the patterns of a history and each lead."""
        steps = self._autocorrelation
        rows = [self._patterns.T @ steps[lead:][: self.history][::-1] for lead in self.leads]
        return np.stack(rows).astype(self._type)

    def _histories(self, support: Int[ndarray, " k"]) -> Float[ndarray, "w F"]:
        """What the sensors read in each window; site-major."""
        series = self.record.readings(support)
        steps = series[self._starts[:, None] + np.arange(self.history)]
        t, k = self._patterns.shape[1], len(support)
        read = history_inputs(steps, self._patterns).reshape(len(steps), t, k, -1)
        return np.asarray(read.transpose(0, 2, 1, 3).reshape(len(steps), -1))

    def _lagged(self, sites: Int[ndarray, " s"], columns: Float[ndarray, "w q"], share: float) -> ndarray:
        """Share of the mean product, over the windows, of the inputs of some sites with something of each window."""
        t, c, q = self._patterns.shape[1], len(self.record.observed), columns.shape[1]
        made = np.zeros((len(sites), t, c, q), self._type)
        if share > 0:
            spread = self._spread(columns * self._type.type(share / len(columns)))
            for rows, series in self._series(sites, spread.shape[1]):
                product = (series.T @ spread).reshape(-1, c, t, q)
                made[rows] = product.transpose(0, 2, 1, 3)
        return made.reshape(len(sites), t * c, q)

    def _spread(self, columns: Float[ndarray, "w q"]) -> Float[ndarray, "m tq"]:
        """What a step is multiplied with, so that its products sum to those of the windows' patterns."""
        t = self._patterns.shape[1]
        made = np.zeros((len(self.record.values), t, columns.shape[1]), self._type)
        for step in range(self.history):
            for pattern in np.flatnonzero(self._patterns[step]):
                made[self._starts + step, pattern] += self._patterns[step, pattern] * columns
        return made.reshape(len(made), -1)

    def _still(self, sites: Int[ndarray, " s"], columns: Float[ndarray, "m q"]) -> Float[ndarray, "s c q"]:
        """Mean product of the channels of some sites with something of the same step."""
        c, mean = len(self.record.observed), columns / self._type.type(len(columns))
        made = np.empty((len(sites), c, columns.shape[1]), self._type)
        if self.form.memory > 0:
            for rows, series in self._series(sites, columns.shape[1]):
                made[rows] = (series.T @ mean).reshape(-1, c, columns.shape[1])
        else:
            made[:] = 0
        return made

    def _series(self, sites: Int[ndarray, " s"], width: int) -> Iterator[tuple[slice, Float[ndarray, "m q"]]]:
        """The readings of some sites, in blocks of bounded size."""
        c = len(self.record.observed)
        size = max(1, _NUMBERS // (c * max(width, len(self.record.values))))
        everything = len(sites) == self.sites and bool((np.diff(sites) == 1).all())
        plain = everything and c == self.record.values.shape[2]
        flat = self.record.values.reshape(len(self.record.values), -1)
        for start in range(0, len(sites), size):
            rows = slice(start, min(start + size, len(sites)))
            series = flat[:, rows.start * c : rows.stop * c] if plain else self.record.readings(sites[rows])
            yield rows, series

    def _deviation(self, variance: ndarray) -> ndarray:
        return np.asarray(np.sqrt(np.where(variance > STILL, variance, 0.0)))

    def _distance(self, sites: Int[ndarray, " s"], others: Int[ndarray, " k"]) -> Float[ndarray, "s k"]:
        points = self.record.points
        assert points is not None, "a form with a kernel is offered only where places are known"
        return distances_between(points[sites], points[others])

    def _kernel(self, sites: Int[ndarray, " s"], support: Int[ndarray, " k"]) -> Float[ndarray, "s c F"]:
        """Covariance that falls exponentially with distance, none between channels."""
        near = np.exp(-self._distance(sites, support) / self.record.length)
        deviation = self._deviation(self._variance)
        c = deviation.shape[1]
        made = np.zeros((len(sites), c, len(support), c))
        for channel in range(c):
            here = np.multiply.outer(deviation[sites, channel], deviation[support, channel])
            made[:, channel, :, channel] = near * here
        return made.reshape(len(sites), c, -1).astype(self._type)

    def _kernel_with_targets(self, sites: Int[ndarray, " s"]) -> Float[ndarray, "s c r"]:
        """The same of each site with the leading modes, summed over some of the sites where there are many."""
        record, n = self.record, self.sites
        some = np.unique(np.linspace(0, n - 1, min(n, _KERNEL_SITES)).round().astype(int))
        width = len(record.predicted)
        heavy = (np.sqrt(record.variance) * self._root).reshape(n, width)[some] * (n / len(some))
        modes = self._modes.reshape(n, width, -1)[some] * heavy[:, :, None]
        deviation = self._deviation(self._variance)[sites]
        made = np.zeros((len(sites), len(record.observed), modes.shape[2]), self._type)
        size = max(1, _NUMBERS // len(some))
        for start in range(0, len(sites), size):
            rows = slice(start, start + size)
            near = np.exp(-self._distance(sites[rows], some) / record.length)
            for i, j in zip(*np.nonzero(record.observed[:, None] == record.predicted), strict=True):
                made[rows, i] = (near @ modes[:, j]) * deviation[rows, i, None]
        return made
