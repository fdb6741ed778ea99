"""What many plans share: inner products of features, and errors as quadratic forms of the modes.

A ridge refit then costs what its own sites cost: a slice of the inner products, one small eigen-decomposition, and a
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


@dataclass(frozen=True, eq=False)
class Pool:
    """Inner products of the features of all sites that any plan uses.

    Parameters
    ----------
    place : Int[ndarray, "n"]
        Position of each site in the pool; -1 where no plan uses it.
    width : int
        Features of a site.
    gram, valid_gram : Float[ndarray, "q q"]
        Of the features with each other, mean over training windows and sum over validation windows.
    cross, valid_cross : Float[ndarray, "q r"]
        Of the features with the targets, likewise.
    block : Float[ndarray, "b q"]
        Features of the windows to be scored.
    valid : float
        Sum of the squares of the validation targets.
    count : int
        Their number.
    """

    place: Int[ndarray, " n"]
    width: int
    gram: Float[ndarray, "q q"]
    cross: Float[ndarray, "q r"]
    valid_gram: Float[ndarray, "q q"]
    valid_cross: Float[ndarray, "q r"]
    block: Float[ndarray, "b q"]
    valid: float
    count: int

    @classmethod
    def of(
        cls,
        place: Int[ndarray, " n"],
        features: tuple[Float[ndarray, "m q"], Float[ndarray, "v q"], Float[ndarray, "b q"]],
        targets: Float[ndarray, "m r"],
        valid_targets: Float[ndarray, "v r"],
    ) -> Pool:
        """From the features of training, validation and scored windows, float64."""
        x, xv, xt = features
        m = len(x)
        width = x.shape[1] // int((place >= 0).sum())
        valid, count = float(np.vdot(valid_targets, valid_targets)), valid_targets.size
        return cls(place, width, x.T @ x / m, x.T @ targets / m, xv.T @ xv, xv.T @ valid_targets, xt, valid, count)

    @cached_property
    def block_gram(self) -> Float[ndarray, "q q"]:
        """Inner products of the features of the scored windows."""
        gram: ndarray = self.block.T @ self.block
        return gram

    def columns(self, selected: Int[ndarray, " k"]) -> Int[ndarray, " s"]:
        """Where the features of these sites stand."""
        found: ndarray = (self.place[selected][:, None] * self.width + np.arange(self.width)).ravel()
        return found

    def fit(self, selected: Int[ndarray, " k"]) -> tuple[LinearForecaster, Linear]:
        """The forecaster of `fit_ridge`, and what it forecasts of the scored windows."""
        columns = self.columns(selected)
        inner = np.ix_(columns, columns)
        value, vectors = np.linalg.eigh(self.gram[inner])
        value = np.maximum(value, 0.0)
        loads = vectors.T @ self.cross[columns]
        linear = np.einsum("sr,sr->s", vectors.T @ self.valid_cross[columns], loads)
        quadratic = (vectors.T @ self.valid_gram[inner] @ vectors) * (loads @ loads.T)

        def error(penalty: float) -> float:
            d = 1.0 / (value + penalty)
            return max(0.0, float(self.valid - 2 * linear @ d + d @ quadratic @ d)) / self.count

        scale = float(value.mean()) if value.sum() > 0 else 1.0
        penalty, at_end = best_penalty(error, scale, None)
        fit = LinearForecaster(vectors / (value + penalty), loads, penalty, at_end, error(penalty))
        return fit, Linear(np.ascontiguousarray(self.block[:, columns]), fit.left @ fit.right, self.block_gram[inner])


@dataclass(frozen=True, eq=False)
class Linear:
    """Forecasts ``inputs @ map`` of the coefficients of modes, with the inner products of the inputs."""

    inputs: Float[ndarray, "b s"]
    map: Float[ndarray, "s r"]
    gram: Float[ndarray, "s s"]

    @classmethod
    def plain(cls, coefficients: Float[ndarray, "b r"]) -> Linear:
        """Coefficients that are at hand."""
        return cls(coefficients, np.eye(coefficients.shape[1]), coefficients.T @ coefficients)

    @cached_property
    def coefficients(self) -> Float[ndarray, "b r"]:
        """The forecast itself."""
        made: ndarray = self.inputs @ self.map
        return made

    @cached_property
    def moment(self) -> Float[ndarray, "r r"]:
        """Inner products of the coefficients."""
        made: ndarray = self.map.T @ (self.gram @ self.map)
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
    modes : Float[ndarray, "n p c r"]
        float32.
    truth : Float[ndarray, "n p c b"]
        float32.
    """

    modes: Float[ndarray, "n p c r"]
    truth: Float[ndarray, "n p c b"]

    @classmethod
    def of(cls, fields: Float[ndarray, "r p n c"], targets: Float[ndarray, "b p n c"]) -> AtSites:
        """The same arrays in another order."""
        return cls(*(np.ascontiguousarray(part.transpose(2, 1, 3, 0)) for part in (fields, targets)))

    def sums(
        self, coefficients: Float[ndarray, "b r"], selected: Int[ndarray, " k"], weight: Float[ndarray, " k"]
    ) -> ErrorSums:
        """Errors at these sites, absolute ones too, in standardised units."""
        modes, truth = self.modes[selected], self.truth[selected]
        b, r = coefficients.shape
        made = modes.reshape(-1, r) @ coefficients.astype(np.float32).T
        error = made.reshape(truth.shape) - truth

        def over(values: Float[ndarray, "k p c"]) -> Float[ndarray, "p c"]:
            summed: ndarray = np.tensordot(weight, values.astype(float), 1)
            return summed

        known = over(np.einsum("kpcb,kpcb->kpc", truth, truth))
        product = over(np.einsum("kpcb,kpcb->kpc", error, truth)) + known
        square, signed = over(np.einsum("kpcb,kpcb->kpc", error, error)), over(error.sum(axis=3))
        count = np.full(square.shape, b * float(weight.sum()))
        return ErrorSums(square, over(np.abs(error, out=error).sum(axis=3)), signed, count, product, known)


def _paired(stacks: Float[ndarray, "g p c b r"], other: Float[ndarray, "b r"]) -> Float[ndarray, "g p c"]:
    """Sums of the products of the entries: a matrix-vector product, as all is contiguous."""
    flat = stacks.reshape(*stacks.shape[:3], -1)
    made: ndarray = flat @ np.ascontiguousarray(other).ravel()
    return made
