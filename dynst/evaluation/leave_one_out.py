"""A ridge refit with a site less, or one more, from the one at hand: exact, by a correction of low rank.

With ``X`` the features of all sites, ``K = X X' / m``, ``H = (K + penalty)^-1`` and ``s`` the features that leave, the
identity of Woodbury gives the forecast of new windows ``v`` after the refit as::

    X_v X' H Y / m + (X_v X' H X_s / m - X_v,s) (I - X_s' H X_s / m)^-1 X_s' H Y / m

so one eigen-decomposition of K serves every site and every penalty; with a site more, two signs turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.penalty import best_penalty

__all__ = ["Left", "Whole"]

_WEAKEST = 1e-10  # penalty in units of the largest eigenvalue; below, the correction loses the digits that count


@dataclass(frozen=True, eq=False)
class Left:
    """A refit with other sites: its penalty, validation error, and the forecast of the scored windows."""

    penalty: float
    at_grid_end: bool
    error: float
    coefficients: Float[ndarray, "b r"]


@dataclass(frozen=True, eq=False)
class Whole:
    """A ridge problem from which some sites are then left out, or to which some are added.

    Parameters
    ----------
    value : Float[ndarray, "s"]
        Eigenvalues of the smaller Gram matrix.
    axes : Float[ndarray, "s q"]
        Training features along the eigenvectors of the training windows, over the root of their number.
    loads : Float[ndarray, "s r"]
        Training targets along the same.
    valid, block : Float[ndarray, "v q"], Float[ndarray, "b q"]
        Features of the validation windows and those to be scored, over the same root.
    targets : Float[ndarray, "v r"]
        Validation targets.
    m : int
        Number of training windows.
    vectors : Float[ndarray, "m m"] or None
        The eigenvectors of the training windows, where there are as many features as windows or more.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((40, 3)), rng.standard_normal((40, 2))
    >>> left = Whole.of((x[:30], x[30:], x[30:]), y[:30], y[30:]).without(np.array([1]))
    >>> rest = x[:, [0, 2]]
    >>> hand = np.linalg.solve(rest[:30].T @ rest[:30] / 30 + left.penalty * np.eye(2), rest[:30].T @ y[:30] / 30)
    >>> bool(np.allclose(left.coefficients, rest[30:] @ hand))
    True
    """

    value: Float[ndarray, " s"]
    axes: Float[ndarray, "s q"]
    loads: Float[ndarray, "s r"]
    valid: Float[ndarray, "v q"]
    block: Float[ndarray, "b q"]
    targets: Float[ndarray, "v r"]
    m: int
    vectors: Float[ndarray, "m m"] | None = None

    @classmethod
    def of(
        cls,
        features: tuple[Float[ndarray, "m q"], Float[ndarray, "v q"], Float[ndarray, "b q"]],
        targets: Float[ndarray, "m r"],
        valid_targets: Float[ndarray, "v r"],
    ) -> Whole:
        """From the features of training, validation and scored windows, float64."""
        m, q = features[0].shape
        x, xv, xb = (part / np.sqrt(m) for part in features)
        value, vectors = np.linalg.eigh(x.T @ x if q < m else x @ x.T)
        value = np.maximum(value, 0.0)
        if q < m:
            root = np.sqrt(value)
            axes, moved = root[:, None] * vectors.T, vectors.T @ (x.T @ targets)
            loads = np.divide(moved, root[:, None], out=np.zeros_like(moved), where=(value > 0)[:, None])
        else:
            axes, loads = vectors.T @ x, vectors.T @ targets
        return cls(value, axes, loads, xv, xb, valid_targets, m, None if q < m else vectors)

    def without(self, columns: Int[ndarray, " f"]) -> Left | None:
        """The refit without these features, its penalty chosen anew; None where that would not be exact enough."""
        return self._changed(self.axes[:, columns], self.valid[:, columns], self.block[:, columns], -1)

    def plus(self, features: tuple[Float[ndarray, "m f"], Float[ndarray, "v f"], Float[ndarray, "b f"]]) -> Left | None:
        """The refit with some more features of the training, validation and scored windows.

        Raises
        ------
        ValueError
            With fewer features than windows so far: they do not span what others may add.
        """
        if self.vectors is None:
            raise ValueError(f"{self.axes.shape[1]} features of {self.m} windows do not span those of other sites")
        x, xv, xb = (part / np.sqrt(self.m) for part in features)
        return self._changed(self.vectors.T @ x, xv, xb, 1)

    def _changed(
        self, u: Float[ndarray, "s f"], xs: Float[ndarray, "v f"], xb: Float[ndarray, "b f"], sign: int
    ) -> Left | None:
        level, linear, quadratic = self._whole_error
        rows, loads, one = self._valid_rows, self.loads, np.eye(u.shape[1])
        size, sum_of_values = self.axes.shape[1] + sign * u.shape[1], float(self.value.sum() + sign * np.vdot(u, u))
        scale = sum_of_values / min(self.m, size) if size > 0 and sum_of_values > 0 else 1.0

        def change(penalty: float) -> tuple[ndarray, ndarray, ndarray]:
            d = 1.0 / (self.value + penalty)
            scaled = d[:, None] * u
            return d, scaled, -sign * np.linalg.solve(one + sign * (u.T @ scaled), scaled.T @ loads)

        def error(penalty: float) -> float:
            d, scaled, answer = change(penalty)
            rest = rows @ scaled - xs
            along = rest.T @ self.targets - ((rest.T @ rows) * d) @ loads
            square = level - 2 * linear @ d + d @ quadratic @ d
            square += np.vdot(answer, rest.T @ rest @ answer) - 2 * np.vdot(along, answer)
            return max(0.0, float(square)) / self.targets.size

        try:
            penalty, at_end = best_penalty(error, scale, None)
        except np.linalg.LinAlgError:  # of a penalty too weak to tell
            return None
        if penalty < _WEAKEST * self.value[-1]:
            return None
        d, scaled, answer = change(penalty)
        made = (self._block_rows * d) @ loads + (self._block_rows @ scaled - xb) @ answer
        return Left(penalty, at_end, error(penalty), made)

    @cached_property
    def _valid_rows(self) -> Float[ndarray, "v s"]:
        rows: ndarray = self.valid @ self.axes.T
        return rows

    @cached_property
    def _block_rows(self) -> Float[ndarray, "b s"]:
        rows: ndarray = self.block @ self.axes.T
        return rows

    @cached_property
    def _whole_error(self) -> tuple[float, Float[ndarray, " s"], Float[ndarray, "s s"]]:
        """Squared validation error with all sites as a function of ``d = 1 / (value + penalty)``: three terms."""
        a, b = self._valid_rows, self.loads
        return (
            float(np.vdot(self.targets, self.targets)),
            np.einsum("vs,vs->s", a, self.targets @ b.T),
            (a.T @ a) * (b @ b.T),
        )
