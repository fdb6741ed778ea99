"""ErrorSums: weighted sums of errors per lead time and channel that can be added in any order."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

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
    product, truth : Float[ndarray, "p c"]
        Sums of weight times forecast times truth, and of weight times squared truth, both as anomalies from the
        climatology of each site: with `square` they give the anomaly correlation. NaN where the truth was not given.

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
    product: Float[ndarray, "p c"] = field(default_factory=lambda: np.zeros((0, 0)))
    truth: Float[ndarray, "p c"] = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        for name in ("product", "truth"):
            if not getattr(self, name).size:
                object.__setattr__(self, name, np.full(self.square.shape, np.nan))

    @classmethod
    def zero(cls, p: int, c: int) -> ErrorSums:
        """No error seen yet."""
        return cls(*(np.zeros((p, c)) for _ in fields(cls)))

    @classmethod
    def of(
        cls,
        error: Float[ndarray, "b p n c"],
        weight: Float[ndarray, " n"],
        observed: ndarray | None = None,
        *,
        truth: Float[ndarray, "b p n c"] | None = None,
    ) -> ErrorSums:
        """Sums over some windows; a target that is not `observed` (bool, like `error`) does not count.

        `truth` are anomalies from the climatology of each site; without them there is no anomaly correlation.
        """
        if observed is None:
            count = np.full(error.shape[1::2], len(error) * float(weight.sum()))
        else:
            error = np.where(observed, error, 0.0)
            count = np.einsum("bpnc,n->pc", observed, weight)
        anomaly = []
        if truth is not None:
            known = truth if observed is None else np.where(observed, truth, 0.0)
            anomaly = [
                np.einsum("bpnc,bpnc,n->pc", other, known, weight, optimize=True) for other in (error + known, known)
            ]
        return cls(
            np.einsum("bpnc,bpnc,n->pc", error, error, weight, optimize=True),
            np.einsum("bpnc,n->pc", np.abs(error), weight, optimize=True),
            np.einsum("bpnc,n->pc", error, weight, optimize=True),
            count,
            *anomaly,
        )

    def __add__(self, other: ErrorSums) -> ErrorSums:
        return ErrorSums(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    def __repr__(self) -> str:
        p, c = self.square.shape
        return f"ErrorSums({p} lead times x {c} channels, weight {self.weight.sum():g})"

    def scaled(self, factor: Float[ndarray, " c"]) -> ErrorSums:
        """The sums of errors that are `factor` times as large, per channel: a change of unit."""
        square = factor**2
        return ErrorSums(
            self.square * square,
            self.absolute * np.abs(factor),
            self.signed * factor,
            self.weight,
            self.product * square,
            self.truth * square,
        )

    def without(self, part: ErrorSums, weight: Float[ndarray, "p c"]) -> ErrorSums:
        """What is left without a part; its weight is given, as a difference would leave rounding where 0 is meant."""
        left = (
            np.where(weight > 0, getattr(self, name) - getattr(part, name), 0.0)
            for name in ("square", "absolute", "signed", "product", "truth")
        )
        square, absolute, signed, product, truth = left
        return ErrorSums(np.maximum(square, 0.0), absolute, signed, weight, product, truth)

    def over_leads(self) -> ErrorSums:
        """The sums of all lead times together, as one."""
        return ErrorSums(*(getattr(self, part.name).sum(axis=0, keepdims=True) for part in fields(self)))

    def to_arrays(self) -> dict[str, ndarray]:
        """The sums by name, from which ``ErrorSums(**arrays)`` makes them again."""
        return {part.name: getattr(self, part.name) for part in fields(self)}
