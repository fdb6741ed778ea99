"""What the ridge judge keeps of its windows: the leading modes of the targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

__all__ = ["Basis"]

_ENERGY, _MODES = 1 - 1e-6, 150  # chosen: 0.995 as in planning would hide the skill on nearly deterministic fields
_CHUNK_BYTES = 16 << 20


@dataclass(frozen=True, eq=False)
class Basis:
    """Leading modes of the training targets, orthonormal under the area weights."""

    fields: Float[ndarray, "r D"]  # float32: what one unit of each mode looks like, in standardised units
    coefficients: Float[ndarray, "m r"]  # of the training windows
    valid: Float[ndarray, "v r"]  # of the validation windows

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
        return cls(modes, coefficients, projected)
