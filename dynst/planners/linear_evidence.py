"""What each sensor is worth to a linear forecaster whose weights are solved anew for every set of sensors.

With the histories ``X_s`` of site s (f numbers in each of m windows), the targets ``Y`` and a ridge penalty, the
error left after solving for the weights is a function of the set of sensors alone::

    K = sum over sensors of X_s X_s'      H = (K + penalty m I)^-1      J = penalty tr(Y' H Y)
    B_s = X_s' H Y                        D_s = X_s' H X_s
    gate gradient                - dJ/dq_s = penalty |B_s|^2
    exact gain of adding s       = penalty tr(B_s' (I + D_s)^-1 B_s)
    exact loss of dropping s     = penalty tr(B_s' (I - D_s)^-1 B_s)

so every site can be tried without a refit (docs/method.md). The score of a set of sensors is the mean of log J over
a few terms: the training windows with half-whitened targets, and the training windows with synthetic ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.planners.base import Task
from dynst.planners.prior import fit_prior, synthetic_windows

__all__ = [
    "LinearEvidence",
    "Solved",
    "Term",
    "change",
    "forecast_evidence",
    "linear_evidence",
    "marginal_values",
    "share",
]

_ENTRIES = 24_000_000  # numbers in the float64 matrix of histories (192 MB); more windows than fit are thinned away
_BLOCK = 1 << 21  # numbers in a work block


@dataclass(frozen=True, eq=False)
class Term:
    """One ridge problem: the first `rows` windows, their targets, and the penalty times the number of windows."""

    rows: int
    targets: Float[ndarray, "rows r"]
    ridge: float


@dataclass(frozen=True, eq=False)
class Solved:
    """One term with its weights solved out for a set of sensors.

    Parameters
    ----------
    inverse : Float[ndarray, "rows rows"]
        ``H = (K + ridge I)^-1``.
    answer : Float[ndarray, "rows r"]
        ``H Y``.
    error : float
        ``tr(Y' H Y)``: J up to the constant penalty, which no comparison needs.
    """

    inverse: Float[ndarray, "rows rows"]
    answer: Float[ndarray, "rows r"]
    error: float


def share(change: Float[ndarray, "*s"]) -> Float[ndarray, "*s"]:
    """A change of the score (a mean of logarithms) as a share of the error, from 0 to 1."""
    part: ndarray = -np.expm1(-np.asarray(change))
    return part


@dataclass(frozen=True, eq=False)
class LinearEvidence:
    """Exact scores of sites under the solved-weights ridge.

    Parameters
    ----------
    histories : Float[ndarray, "n f m"]
        The history of each site in each window, float64; weighted windows are scaled by the root of their weight.
    terms : tuple of Term
        Ridge problems whose mean log error is the score.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((5, 2, 30))
    >>> evidence = LinearEvidence(x, (Term(30, x[3].T.copy(), 3.0),))  # site 3 is the whole truth
    >>> int(np.argmax(evidence.gains(np.array([0]))))
    3
    """

    histories: Float[ndarray, "n f m"]
    terms: tuple[Term, ...]
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sites, numbers per site, windows."""
        n, f, m = self.histories.shape
        return n, f, m

    def solve(self, support: Int[ndarray, " k"]) -> list[Solved]:
        """All terms with the sensors at `support`."""
        _, _, m = self.shape
        gram = np.zeros((m, m))
        for _, x in self._blocks(support):
            flat = x.reshape(-1, m)
            gram += flat.T @ flat
        solved = []
        for term in self.terms:
            system = gram[: term.rows, : term.rows] + term.ridge * np.eye(term.rows)
            inverse = np.linalg.inv(system)
            inverse = (inverse + inverse.T) / 2
            answer = inverse @ term.targets
            solved.append(Solved(inverse, answer, float(np.einsum("mr,mr->", term.targets, answer))))
        return solved

    def score(self, support: Int[ndarray, " k"]) -> float:
        """Mean log error with the sensors at `support`; lower is better."""
        return self.score_of(self.solve(support))

    @staticmethod
    def score_of(solved: list[Solved]) -> float:
        """Mean log error of solved terms."""
        return float(np.mean([np.log(state.error) for state in solved]))

    def gains(self, support: Int[ndarray, " k"], sites: Int[ndarray, " s"] | None = None) -> Float[ndarray, " s"]:
        """Fall of the score when each of `sites` (all if left out) is added to `support`, exactly."""
        return self._exact(support, sites, sign=1.0)

    def losses(self, support: Int[ndarray, " k"], sites: Int[ndarray, " s"] | None = None) -> Float[ndarray, " s"]:
        """Rise of the score when each of `sites` (all of `support` if left out) is taken from it, exactly."""
        return self._exact(support, support if sites is None else sites, sign=-1.0)

    def gradient(self, support: Int[ndarray, " k"], sites: Int[ndarray, " s"] | None = None) -> Float[ndarray, " s"]:
        """First-order fall of the score along the gate of each of `sites` (all if left out)."""
        sites = np.arange(self.shape[0]) if sites is None else sites
        solved, value = self.solve(support), np.zeros(len(sites))
        for place, x in self._blocks(sites):
            for term, state in zip(self.terms, solved, strict=True):
                b = x[:, :, : term.rows] @ state.answer
                value[place] += np.einsum("sfr,sfr->s", b, b) / state.error
        return value / len(self.terms)

    def moments(
        self, solved: list[Solved], sites: Int[ndarray, " s"]
    ) -> list[tuple[Float[ndarray, "s f f"], Float[ndarray, "s f f"]]]:
        """``D_s`` and ``B_s B_s'`` of each of `sites`, for every term."""
        f = self.shape[1]
        moments = [(np.empty((len(sites), f, f)), np.empty((len(sites), f, f))) for _ in self.terms]
        for place, x in self._blocks(sites):
            for term, state, (d, c) in zip(self.terms, solved, moments, strict=True):
                flat = x.reshape(-1, x.shape[2])[:, : term.rows]
                u = (flat @ state.inverse).reshape(len(x), f, term.rows)
                b = (flat @ state.answer).reshape(len(x), f, -1)
                d[place] = x[:, :, : term.rows] @ u.transpose(0, 2, 1)
                c[place] = b @ b.transpose(0, 2, 1)
        return moments

    def _exact(self, support: Int[ndarray, " k"], sites: Int[ndarray, " s"] | None, *, sign: float) -> ndarray:
        sites = np.arange(self.shape[0]) if sites is None else sites
        return self.change_of(self.solve(support), sites, sign)

    def change_of(self, solved: list[Solved], sites: Int[ndarray, " s"], sign: float) -> Float[ndarray, " s"]:
        """Fall of the score by adding (`sign` 1) or rise by dropping (-1) each of `sites`; no large matrix is kept."""
        errors, value = [state.error for state in solved], np.empty(len(sites))
        size = max(1, _BLOCK // self.shape[1] ** 2)
        for start in range(0, len(sites), size):
            place = slice(start, start + size)
            value[place] = change(self.moments(solved, sites[place]), errors, sign)
        return value

    def _blocks(self, sites: Int[ndarray, " s"]) -> Iterator[tuple[slice, Float[ndarray, "b f m"]]]:
        n, f, m = self.shape
        size = max(1, _BLOCK // (f * m))
        everything = len(sites) == n and bool((sites == np.arange(n)).all())
        for start in range(0, len(sites), size):
            place = slice(start, min(start + size, len(sites)))
            yield place, self.histories[place] if everything else self.histories[sites[place]]


def change(
    moments: list[tuple[Float[ndarray, "s f f"], Float[ndarray, "s f f"]]], errors: list[float], sign: float
) -> Float[ndarray, " s"]:
    """Fall of the score by adding (`sign` 1) or rise by dropping (`sign` -1) each site, from its moments."""
    total: ndarray = np.zeros(len(moments[0][0]))
    for (d, c), error in zip(moments, errors, strict=True):
        part = np.trace(np.linalg.solve(np.eye(d.shape[1]) + sign * d, c), axis1=1, axis2=2) / error
        total += -sign * np.log1p(-sign * np.minimum(part, 1.0 - 1e-15) if sign > 0 else part)
    return total / len(moments)


def linear_evidence(
    task: Task,
    *,
    data_penalty: float = 0.3,
    prior_penalty: float = 0.1,
    prior_windows: int = 100,
    prior_weight: float = 0.3,
    components: int = 150,
) -> LinearEvidence:
    """The evidence of a task, made once and shared by all planners and budgets.

    Parameters
    ----------
    task : Task
        Whose training windows and sites to use.
    data_penalty, prior_penalty : float
        Ridge penalties of the term of data alone (half-whitened targets) and of the term with synthetic windows.
    prior_windows, prior_weight
        Number of synthetic windows, and their total weight relative to the data. Chosen in the study of
        docs/method.md: large gains on short records, none lost on long ones.
    components : int
        Principal components of the targets kept, at most; they hold 99.5 % of the energy or fewer are kept.
    """
    options = (data_penalty, prior_penalty, prior_windows, prior_weight, components)

    def make() -> LinearEvidence:
        design = task.design
        n, f = design.inputs.shape[1:]
        room = max(8, _ENTRIES // (n * f))  # windows are thinned, sites never
        extra = min(prior_windows, room * 2 // 7) if prior_weight > 0 else 0
        rows = _spread(len(design), min(len(design), room - extra))
        m = len(rows)
        history = np.empty((n, f, m + extra))
        history[:, :, :m] = design.inputs[rows].transpose(1, 2, 0)
        futures = [_now_and_future(task, rows)]
        if extra:
            made, future = synthetic_windows(task, fit_prior(task), extra)
            if design.inputs_observed is not None:  # a site is silent there as often as in the record
                made *= design.inputs_observed[rows[np.arange(extra) % m]]
            scale = np.sqrt(prior_weight * m / extra)
            history[:, :, m:] = made.transpose(1, 2, 0) * scale
            futures.append(future * np.float32(scale))
        gram = _gram(task, futures)
        terms = [Term(m, _factor(gram[:m, :m], 0.25, components), data_penalty * m)]
        if extra:
            terms.append(Term(m + extra, _factor(gram, 0.5, components), prior_penalty * m * (1 + prior_weight)))
        return LinearEvidence(history, tuple(terms), {"windows": m, "synthetic_windows": extra} | _note(task, f))

    return task.once(f"linear_evidence {options}", make)


def forecast_evidence(task: Task, *, penalty: float, components: int = 150) -> LinearEvidence:
    """One term: the training windows as they are, the future field as target; what plain forward selection reads."""

    def make() -> LinearEvidence:
        design = task.design
        n, f = design.inputs.shape[1:]
        rows = _spread(len(design), min(len(design), max(8, _ENTRIES // (n * f))))
        history = np.ascontiguousarray(design.inputs[rows].transpose(1, 2, 0), float)
        gram = _gram(task, [design.targets[rows]])
        term = Term(len(rows), _factor(gram, 0.5, components), penalty * len(rows))
        return LinearEvidence(history, (term,), {"windows": len(rows)} | _note(task, f))

    return task.once(f"forecast_evidence {(penalty, components)}", make)


def _note(task: Task, numbers: int) -> dict[str, object]:
    return {} if task.time_modes is None else {"numbers_per_history": numbers}


def _spread(total: int, count: int) -> Int[ndarray, " k"]:
    """`count` of `total` rows; the rows are randomly placed windows, so an even choice of them does not alias."""
    rows: ndarray = np.unique(np.linspace(0, total - 1, max(1, count)).round().astype(np.int64))
    return rows


def _now_and_future(task: Task, rows: Int[ndarray, " m"]) -> Float[ndarray, "m q n c"]:
    design, observed, predicted = task.design, task.train.observed, task.train.predicted
    future: ndarray = design.targets[rows]
    if not np.isin(predicted, observed).all():
        return future  # the present of an unobserved channel is not in the design
    now = design.inputs[rows][:, :, -len(observed) :][:, :, np.searchsorted(observed, predicted)]
    return np.concatenate([now[:, None], future], axis=1)


def _gram(task: Task, futures: list[Float[ndarray, "_m _q n c"]]) -> Float[ndarray, "w w"]:
    """Products of all pairs of windows, summed over steps, sites (area-weighted) and channels."""
    m = sum(len(future) for future in futures)
    steps = min(future.shape[1] for future in futures)
    gram, root = np.zeros((m, m)), np.sqrt(task.weight)
    size = max(1, _BLOCK // (m * futures[0].shape[3]))
    for step in range(-steps, 0):
        for start in range(0, len(root), size):
            place = slice(start, start + size)
            parts = [(future[:, step, place] * root[place, None]).reshape(len(future), -1) for future in futures]
            rows = np.concatenate(parts).astype(float)
            gram += rows @ rows.T
    return gram


def _factor(gram: Float[ndarray, "m m"], power: float, components: int) -> Float[ndarray, "m r"]:
    """Scores of the windows on their principal components, singular value sigma scaled to sigma^(2 power).

    With power 1/2 these are the targets themselves up to a rotation; with 1/4 they are half-whitened.
    """
    value, vector = np.linalg.eigh((gram + gram.T) / 2)
    value, vector = np.maximum(value[::-1], 0.0), vector[:, ::-1]
    energy = np.cumsum(value) / max(float(value.sum()), 1e-300)
    keep = min(components, int(np.searchsorted(energy, 0.995)) + 1)
    factor: ndarray = vector[:, :keep] * value[:keep] ** power
    return factor


def marginal_values(task: Task, selected: Int[ndarray, " k"]) -> Float[ndarray, " n"]:
    """Share of the error that a selected site takes away, or that another one would take away.

    Parameters
    ----------
    task : Task
        Whose training windows and sites to use.
    selected : Int[ndarray, "k"]
        The sensors of a plan.

    Returns
    -------
    Float[ndarray, "n"]
        From 0 (worth nothing) to 1, for every site.
    """
    evidence = linear_evidence(task)
    solved = evidence.solve(selected)
    sites = np.arange(evidence.shape[0])
    others = np.setdiff1d(sites, selected)
    value = np.zeros(len(sites))
    value[selected] = evidence.change_of(solved, selected, -1.0)
    value[others] = evidence.change_of(solved, others, 1.0)
    return share(value)
