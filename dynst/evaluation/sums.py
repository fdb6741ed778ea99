"""ErrorSums: weighted sums of errors per lead time and channel that can be added in any order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

__all__ = ["ErrorSums"]


@dataclass(frozen=True, eq=False)
class ErrorSums:
    """Weighted sums over windows and sites of ``forecast - truth``; every metric is computed once, from these.

    A monoid: `zero` is its unit and ``+`` its sum, so errors may be gathered in any order and grouping, from any
    number of processes, and give the metrics of one pass.

    Parameters
    ----------
    square, absolute, signed : Float[ndarray, "p c"]
        Sums of weight times squared, absolute and signed error, per lead time and channel.
    weight : Float[ndarray, "p c"]
        Sum of the weights of the observed targets.

    Examples
    --------
    >>> error = np.array([[[[1.0], [-3.0]]]])  # one window, one lead time, two sites, one channel
    >>> sums = ErrorSums.of(error, np.array([3.0, 1.0]))
    >>> sums.square.item(), sums.absolute.item(), sums.signed.item(), sums.weight.item()
    (12.0, 6.0, 0.0, 4.0)
    >>> (sums + ErrorSums.zero(1, 1)).square.item()
    12.0
    """

    square: Float[ndarray, "p c"]
    absolute: Float[ndarray, "p c"]
    signed: Float[ndarray, "p c"]
    weight: Float[ndarray, "p c"]

    @classmethod
    def zero(cls, p: int, c: int) -> ErrorSums:
        """No error seen yet."""
        return cls(*(np.zeros((p, c)) for _ in range(4)))

    @classmethod
    def of(
        cls, error: Float[ndarray, "b p n c"], weight: Float[ndarray, " n"], observed: ndarray | None = None
    ) -> ErrorSums:
        """Sums over some windows; a target that is not `observed` (bool, like `error`) does not count."""
        if observed is None:
            count = np.full(error.shape[1::2], len(error) * float(weight.sum()))
        else:
            error = np.where(observed, error, 0.0)
            count = np.einsum("bpnc,n->pc", observed, weight)
        return cls(
            np.einsum("bpnc,bpnc,n->pc", error, error, weight, optimize=True),
            np.einsum("bpnc,n->pc", np.abs(error), weight, optimize=True),
            np.einsum("bpnc,n->pc", error, weight, optimize=True),
            count,
        )

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(
            self.square + other.square,
            self.absolute + other.absolute,
            self.signed + other.signed,
            self.weight + other.weight,
        )

    def __repr__(self) -> str:
        p, c = self.square.shape
        return f"ErrorSums({p} lead times x {c} channels, weight {self.weight.sum():g})"

    def scaled(self, factor: Float[ndarray, " c"]) -> ErrorSums:
        """The sums of errors that are `factor` times as large, per channel: a change of unit."""
        return ErrorSums(self.square * factor**2, self.absolute * factor, self.signed * factor, self.weight)
