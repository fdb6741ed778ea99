"""What many plans share: inner products of features, and errors as quadratic forms of the modes.

A ridge refit then costs what its own sites cost: its own inner products, one small eigen-decomposition, and a
product of small matrices in place of a pass over the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.linear import LinearForecaster
from dynst.backbones.penalty import best_penalty
from dynst.evaluation.sums import ErrorSums

__all__ = ["AtSites", "Forms", "Linear", "Pool"]

_TILE, _ROWS = 64, 512  # columns transposed, and rows in float64, at a time


@dataclass(frozen=True, eq=False)
class Pool:
    """Inner products of the features of all sites that any plan uses.

    Parameters
    ----------
    place : Int[ndarray, "n"]
        Position of each site in the pool; -1 where no plan uses it.
    width : int
        Features of a site.
    train, valid, block : Float[ndarray, "q w"]
        Features of the training, validation and scored windows, a row for each feature; float32.
    cross, valid_cross : Float[ndarray, "q r"]
        Of the features with the targets, mean over training windows and sum over validation windows.
    grams : tuple of Float[ndarray, "q q"], or None
        Of the features with each other, likewise; None where each plan makes its own, which is less work as long as
        few pairs of sites are in several plans.
    level : float
        Sum of the squares of the validation targets.
    count : int
        Their number.
    """

    place: Int[ndarray, " n"]
    width: int
    train: Float[ndarray, "q m"]
    valid: Float[ndarray, "q v"]
    block: Float[ndarray, "q b"]
    cross: Float[ndarray, "q r"]
    valid_cross: Float[ndarray, "q r"]
    grams: tuple[Float[ndarray, "q q"], Float[ndarray, "q q"]] | None
    level: float
    count: int

    @classmethod
    def of(
        cls,
        used: Int[ndarray, " u"],
        inputs: tuple[Float[ndarray, "m n f"], Float[ndarray, "v n f"], Float[ndarray, "b n f"]],
        targets: Float[ndarray, "m r"],
        valid_targets: Float[ndarray, "v r"],
        *,
        whole: bool,
    ) -> Pool:
        """Of the sites `used`; with all their inner products if `whole`."""
        n, f = inputs[0].shape[1:]
        place = np.full(n, -1)
        place[used] = np.arange(len(used))
        x, xv, xt = (_by_feature(part, used) for part in inputs)
        m, rows = len(targets), range(0, len(x), _ROWS)
        cross = np.concatenate([x[i : i + _ROWS].astype(float) @ targets for i in rows]) / m
        valid_cross = np.concatenate([xv[i : i + _ROWS].astype(float) @ valid_targets for i in rows])
        grams = (_gram(x) / m, _gram(xv)) if whole else None
        level, count = float(np.vdot(valid_targets, valid_targets)), valid_targets.size
        return cls(place, f, x, xv, xt, cross, valid_cross, grams, level, count)

    def columns(self, selected: Int[ndarray, " k"]) -> Int[ndarray, " s"]:
        """Where the features of these sites stand."""
        found: ndarray = (self.place[selected][:, None] * self.width + np.arange(self.width)).ravel()
        return found

    @property
    def nbytes(self) -> int:
        """Memory."""
        return sum(a.nbytes for a in (self.train, self.valid, self.block, self.cross, *(self.grams or ())))

    @property
    def used(self) -> Int[ndarray, " u"]:
        """Sites that it holds, increasing."""
        return np.flatnonzero(self.place >= 0)

    def has(self, sites: Int[ndarray, " _"]) -> bool:
        """Whether it holds them all."""
        return bool((self.place[sites] >= 0).all())

    def fit(self, selected: Int[ndarray, " k"]) -> tuple[LinearForecaster, Linear]:
        """The forecaster of `fit_ridge`, and what it forecasts of the scored windows."""
        columns = self.columns(selected)
        gram, valid_gram = self._grams_of(columns)
        value, vectors = np.linalg.eigh(gram)
        value = np.maximum(value, 0.0)
        loads = vectors.T @ self.cross[columns]
        linear = np.einsum("sr,sr->s", vectors.T @ self.valid_cross[columns], loads)
        quadratic = (vectors.T @ valid_gram @ vectors) * (loads @ loads.T)

        def error(penalty: float) -> float:
            d = 1.0 / (value + penalty)
            return max(0.0, float(self.level - 2 * linear @ d + d @ quadratic @ d)) / self.count

        scale = float(value.mean()) if value.sum() > 0 else 1.0
        penalty, at_end = best_penalty(error, scale, None)
        fit = LinearForecaster(vectors / (value + penalty), loads, penalty, at_end, error(penalty))
        return fit, Linear(self.block[columns].astype(float).T, fit.left @ fit.right)

    def _grams_of(self, columns: Int[ndarray, " s"]) -> tuple[Float[ndarray, "s s"], Float[ndarray, "s s"]]:
        if self.grams is None:
            return _gram(self.train[columns]) / self.train.shape[1], _gram(self.valid[columns])
        inner = np.ix_(columns, columns)
        return self.grams[0][inner], self.grams[1][inner]


def _by_feature(inputs: Float[ndarray, "w n f"], used: Int[ndarray, " u"]) -> Float[ndarray, "q w"]:
    """Histories with a row for each feature, some sites at a time: a whole transpose would miss every cache."""
    w, _, f = inputs.shape
    made, size = np.empty((len(used) * f, w), np.float32), max(1, _TILE // f)
    for i in range(0, len(used), size):
        some = inputs[:, used[i : i + size]].reshape(w, -1)
        made[i * f : i * f + some.shape[1]] = some.T
    return made


def _gram(rows: Float[ndarray, "q w"]) -> Float[ndarray, "q q"]:
    """Inner products of the rows in float64."""
    exact = rows.astype(float)
    made: ndarray = exact @ exact.T
    return made


@dataclass(frozen=True, eq=False)
class Linear:
    """Forecasts ``inputs @ map`` of the coefficients of modes."""

    inputs: Float[ndarray, "b s"]
    map: Float[ndarray, "s r"]

    @classmethod
    def plain(cls, coefficients: Float[ndarray, "b r"]) -> Linear:
        """Coefficients that are at hand."""
        return cls(coefficients, np.eye(coefficients.shape[1]))

    @cached_property
    def coefficients(self) -> Float[ndarray, "b r"]:
        """The forecast itself."""
        made: ndarray = self.inputs @ self.map
        return made

    @cached_property
    def moment(self) -> Float[ndarray, "r r"]:
        """Inner products of the coefficients, by the narrower way."""
        (b, s), r = self.inputs.shape, self.map.shape[1]
        made: ndarray
        if s * (s * b / 2 + s * r + r * r) < r * r * b / 2:
            made = self.map.T @ (self.inputs.T @ self.inputs @ self.map)
        else:
            made = self.coefficients.T @ self.coefficients
        return made

    def form(self, matrix: Float[ndarray, "r r"]) -> Float[ndarray, " b"]:
        """``a @ matrix @ a`` for the coefficients a of each window, by the narrower way."""
        inner = self.map @ matrix @ self.map.T
        made: ndarray = np.einsum("bs,bs->b", self.inputs @ inner, self.inputs)
        return made


@dataclass(frozen=True, eq=False)
class Forms:
    """Errors of forecasts that are made of modes, from their coefficients alone; for windows without a gap.

    With modes F, truth T and weights W the squared error of coefficients a is ``a F W F' a' - 2 a F W T' + T W T'``.

    Parameters
    ----------
    names : tuple of str
        Regions, after all sites together: the groups g.
    modes : Float[ndarray, "g p c r r"]
        ``F W F'`` for each group, lead time and channel.
    truth : Float[ndarray, "g p c b r"]
        ``T W F'``.
    level : Float[ndarray, "g p c r"]
        ``F W 1``.
    square, signed, weight : Float[ndarray, "g p c"]
        ``T W T'``, ``T W 1`` and the weights, summed over windows.
    windows : Float[ndarray, "b"]
        ``T W T'`` of each window over all sites, lead times and channels.
    """

    names: tuple[str, ...]
    modes: Float[ndarray, "g p c r r"]
    truth: Float[ndarray, "g p c b r"]
    level: Float[ndarray, "g p c r"]
    square: Float[ndarray, "g p c"]
    signed: Float[ndarray, "g p c"]
    weight: Float[ndarray, "g p c"]
    windows: Float[ndarray, " b"]

    @staticmethod
    def nbytes(groups: int, values: int, b: int, r: int) -> int:
        """Memory for so many groups, `values` of a window at a site, windows and modes."""
        return 8 * groups * values * r * (b + r)

    @classmethod
    def of(
        cls,
        fields: Float[ndarray, "r s n c"],
        future: Float[ndarray, "p s"] | None,
        targets: Float[ndarray, "b p n c"],
        weight: Float[ndarray, " n"],
        regions: Mapping[str, Bool[ndarray, " n"]],
    ) -> Forms:
        """The forms of `fields`, whose steps are patterns in time if `future` says which, against `targets`."""
        (b, p, _, c), r, groups = targets.shape, len(fields), [np.ones(len(weight), bool), *regions.values()]
        made = cls(
            ("", *regions),
            np.empty((len(groups), p, c, r, r)),
            np.empty((len(groups), p, c, b, r)),
            np.empty((len(groups), p, c, r)),
            square=np.empty((len(groups), p, c)),
            signed=np.empty((len(groups), p, c)),
            weight=np.empty((len(groups), p, c)),
            windows=np.zeros(b),
        )
        for lead in range(p):
            step = fields[:, lead] if future is None else np.tensordot(fields, future[lead].astype(np.float32), (1, 0))
            for channel in range(c):
                mode, true = step[..., channel].astype(float), targets[:, lead, :, channel].astype(float)
                squares = true**2
                made.windows[:] += squares @ weight
                means = squares.sum(axis=0), true.sum(axis=0)
                for g, group in enumerate(groups):
                    place, each = (g, lead, channel), weight[group]
                    inside = slice(None) if g == 0 else group
                    part = mode[:, inside]
                    weighted = part * each
                    made.modes[place], made.truth[place] = weighted @ part.T, true[:, inside] @ weighted.T
                    made.level[place] = weighted.sum(axis=1)
                    made.square[place], made.signed[place] = (mean[inside] @ each for mean in means)
                    made.weight[place] = b * each.sum()
        return made

    def sums(self, forecast: Linear) -> list[ErrorSums]:
        """Sums over all sites, then over each region, in standardised units; absolute errors are NaN."""
        coefficients = forecast.coefficients
        product = _paired(self.truth, coefficients)
        square = np.maximum(_paired(self.modes, forecast.moment) - 2 * product + self.square, 0.0)
        signed = self.level @ coefficients.sum(axis=0) - self.signed
        unknown = np.full(square.shape[1:], np.nan)
        return [
            ErrorSums(square[g], unknown, signed[g], self.weight[g], product[g], self.square[g])
            for g in range(len(self.names))
        ]

    def per_window(self, forecast: Linear) -> Float[ndarray, " b"]:
        """Mean squared error of each window over all sites, lead times and channels."""
        modes, truth = self._all
        square = forecast.form(modes) - 2 * np.einsum("br,br->b", truth, forecast.coefficients) + self.windows
        total = self.weight[0].sum() / len(self.windows)
        mean: ndarray = np.maximum(square, 0.0) / total
        return mean

    @cached_property
    def _all(self) -> tuple[Float[ndarray, "r r"], Float[ndarray, "b r"]]:
        return self.modes[0].sum(axis=(0, 1)), self.truth[0].sum(axis=(0, 1))


@dataclass(frozen=True, eq=False)
class AtSites:
    """Modes and truth site by site, so that errors at a few sites read a few contiguous blocks.

    Parameters
    ----------
    modes : Float[ndarray, "p n c r"]
        float32.
    truth : Float[ndarray, "p n c b"]
        float32.
    square : Float[ndarray, "p n c"]
        Sum over windows of the squared truth.
    """

    modes: Float[ndarray, "p n c r"]
    truth: Float[ndarray, "p n c b"]
    square: Float[ndarray, "p n c"]

    @classmethod
    def of(cls, fields: Float[ndarray, "r p n c"], targets: Float[ndarray, "b p n c"]) -> AtSites:
        """The same arrays, windows and modes last."""
        modes, truth = _last(fields), _last(targets)
        return cls(modes, truth, np.einsum("pncb,pncb->pnc", truth, truth))

    def sums(
        self, coefficients: Float[ndarray, "b r"], selected: Int[ndarray, " k"], weight: Float[ndarray, " k"]
    ) -> ErrorSums:
        """Errors at these sites, absolute ones too, in standardised units."""
        modes, truth, known = self.modes[:, selected], self.truth[:, selected], self.square[:, selected]
        b, r = coefficients.shape
        error = (modes.reshape(-1, r) @ coefficients.astype(np.float32).T).reshape(truth.shape)
        error -= truth
        one = np.ones((b, 1), np.float32)
        square, product = (np.einsum("pkcb,pkcb->pkc", error, other) for other in (error, truth))
        signed = (error @ one)[..., 0]
        absolute = (np.abs(error, out=error) @ one)[..., 0]
        parts = np.stack([square, absolute, signed, product + known, known]).astype(float)
        total = np.einsum("ipkc,k->ipc", parts, weight)
        count = np.full(total.shape[1:], b * float(weight.sum()))
        return ErrorSums(total[0], total[1], total[2], count, total[3], total[4])


def _last(values: Float[ndarray, "b p n c"]) -> Float[ndarray, "p n c b"]:
    """The first axis last, some columns at a time: a whole transpose would miss every cache."""
    flat = values.reshape(len(values), -1)
    made = np.empty(flat.shape[::-1], flat.dtype)
    for i in range(0, len(made), _TILE):
        made[i : i + _TILE] = flat[:, i : i + _TILE].T
    return made.reshape(*values.shape[1:], -1)


def _paired(stacks: Float[ndarray, "g p c b r"], other: Float[ndarray, "b r"]) -> Float[ndarray, "g p c"]:
    """Sums of the products of the entries: a matrix-vector product, as all is contiguous."""
    flat = stacks.reshape(*stacks.shape[:3], -1)
    made: ndarray = flat @ np.ascontiguousarray(other).ravel()
    return made
