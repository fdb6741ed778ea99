"""What the linear judge keeps of its windows: modes of the targets, and inner products that plans share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.backbones.linear import TargetGrams

__all__ = ["Basis", "Grams", "features"]

_ENERGY, _MODES = 1 - 1e-6, 150  # chosen: 0.995 as in planning would hide the skill on nearly deterministic fields
_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class Basis:
    """Leading modes of the training targets, orthonormal under the area weights."""

    fields: Float[ndarray, "r D"]  # float32: what one unit of each mode looks like, in standardised units
    coefficients: Float[ndarray, "m r"]  # of the training windows
    valid: Float[ndarray, "v r"]  # of the validation windows
    shared: TargetGrams
    outside: float = 0.0  # mean over validation windows of the weighted squares that no mode holds

    @classmethod
    def of(
        cls,
        train: Float[ndarray, "m p n c"],
        valid: Float[ndarray, "v p n c"],
        weight: Float[ndarray, " n"],
    ) -> Basis:
        """The modes of the training targets, and what the windows hold of each."""
        root = np.sqrt(weight).astype(np.float32)[:, None]
        m = len(train)
        flat = train.reshape(m, -1)
        scale = np.broadcast_to(root, train.shape[1:]).reshape(-1)
        columns = max(1, _CHUNK_BYTES // (8 * m))
        gram = np.zeros((m, m))
        for i in range(0, flat.shape[1], columns):
            part = (flat[:, i : i + columns] * scale[i : i + columns]).astype(np.float64)
            gram += part @ part.T
        value, vectors = np.linalg.eigh(gram)
        value, vectors = np.maximum(value[::-1], 0.0), vectors[:, ::-1]
        enough = int(np.searchsorted(np.cumsum(value), _ENERGY * value.sum())) + 1
        r = min(enough, _MODES, int((value > 1e-10 * value[0]).sum()))
        sigma = np.sqrt(value[:r])
        modes = np.empty((r, flat.shape[1]), np.float32)  # of the weighted targets
        for i in range(0, flat.shape[1], columns):
            part = flat[:, i : i + columns] * scale[i : i + columns]
            modes[:, i : i + columns] = (vectors[:, :r] / sigma).T @ part
        flat_valid = valid.reshape(len(valid), -1)
        projected = flat_valid @ (modes * scale).T
        coefficients, projected = vectors[:, :r] * sigma, projected.astype(np.float64)
        np.divide(modes, scale, out=modes, where=scale > 0)  # a site of no area counts in no error
        square = sum(float((np.square(row) @ np.square(scale)).astype(float)) for row in flat_valid)
        outside = max(0.0, square - float(np.vdot(projected, projected))) / len(valid)
        return cls(modes, coefficients, projected, TargetGrams.of(coefficients, projected), outside)


@dataclass(frozen=True, eq=False)
class Grams:
    """Inner products of the training windows with themselves, the validation windows and those to be scored."""

    train: Float[ndarray, "m m"]
    valid: Float[ndarray, "v m"]
    block: Float[ndarray, "b m"]

    @classmethod
    def zero(cls, m: int, v: int, b: int) -> Grams:
        """No site seen yet, for so many windows of each kind."""
        return cls(np.zeros((m, m)), np.zeros((v, m)), np.zeros((b, m)))

    def plus(self, train: Float[ndarray, "m q"], valid: Float[ndarray, "v q"], block: Float[ndarray, "b q"]) -> Grams:
        """With the features of some more sites."""
        return Grams(self.train + train @ train.T, self.valid + valid @ train.T, self.block + block @ train.T)


def features(inputs: Float[ndarray, "m n f"], selected: Int[ndarray, " k"]) -> Float[ndarray, "m q"]:
    """Histories of the selected sites side by side, in float64."""
    return inputs[:, selected].reshape(len(inputs), -1).astype(np.float64)
