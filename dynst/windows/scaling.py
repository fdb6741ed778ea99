"""Mean per site and deviation per channel, fitted on the training block in one streaming pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from dynst.domain import Field
from dynst.errors import DataError

__all__ = ["Scaling"]

_BLOCK_BYTES = 16 << 20  # the float64 work copy of a block doubles this: memory stays below 60 MB for any record
_NOTHING = 1e-12  # deviation / magnitude below which a channel of float32 values cannot be said to vary


@dataclass(frozen=True, eq=False)
class Scaling:
    """Anomalies from each site's own mean, in units of the channel's standard deviation.

    The mean is taken per site, so that 0 - what an unobserved site reads - is the local climate and not, say,
    the mean of the globe. The deviation is one per channel, so that a standardised error is proportional to the
    physical one at every site.

    Parameters
    ----------
    mean : Float[ndarray, "n c"]
        Mean of each site and channel, in the channel's unit. A site without any training value has the channel's mean.
    std : Float[ndarray, "c"]
        Root mean square of the anomalies over all sites, in the channel's unit.
    site_std : Float[ndarray, "n c"]
        The same per site; 0 where a site does not vary or has no value.
    share : Float[ndarray, "n c"]
        Share of the training steps at which each site reports each channel. Where it is 0 nothing can be learnt:
        such a value is no input and no target, whatever comes later.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> field = Field.of(np.array([[[1.0], [5.0]], [[3.0], [9.0]]]), sites, GridLayout((1, 2), np.arange(2)))
    >>> scaling = Scaling.fit(field)
    >>> scaling.mean.ravel().tolist(), scaling.site_std.ravel().tolist()
    ([2.0, 7.0], [1.0, 2.0])
    >>> scaling.undo(scaling.apply(np.array([[4.0], [4.0]]))).ravel().tolist()
    [4.0, 4.0]
    """

    mean: Float[ndarray, "n c"]
    std: Float[ndarray, " c"]
    site_std: Float[ndarray, "n c"]
    share: Float[ndarray, "n c"]

    @classmethod
    def fit(cls, field: Field) -> Scaling:
        """Statistics of all steps of `field`, a block in memory at a time; missing values do not count.

        Raises
        ------
        DataError
            If a channel has no value at all, or never varies at any site.
        """
        moments = _Moments(np.zeros(field.series.shape[1:]))
        for block in field.blocks(_BLOCK_BYTES):
            moments.add(block, np.isfinite(block) if field.has_missing else None)
        count = moments.count.sum(axis=0)
        for channel, values in zip(field.channels, count, strict=True):
            if not values:
                raise DataError(f'channel "{channel.name}" has no value in the training block of {field.steps} steps.')
        with np.errstate(invalid="ignore"):
            site_std = np.sqrt(np.where(moments.count > 0, moments.square / moments.count, 0.0))
        overall = (moments.mean * moments.count).sum(axis=0) / count
        mean = np.where(moments.count > 0, moments.mean, overall)
        std = np.sqrt(moments.square.sum(axis=0) / count)
        for channel, deviation, magnitude in zip(field.channels, std, np.abs(mean).max(axis=0), strict=True):
            if not deviation > _NOTHING * magnitude:
                raise DataError(
                    f'channel "{channel.name}" never varies in the training block of {field.steps} steps: there is '
                    f"nothing to forecast. Leave it out, or give a longer record."
                )
        share = (moments.count / field.steps).astype(np.float32)
        return cls(mean.astype(np.float32), std.astype(np.float32), site_std.astype(np.float32), share)

    def apply(self, values: Float[ndarray, "*s n c"]) -> Float[ndarray, "*s n c"]:
        """Standardised anomalies of physical values; missing stays NaN."""
        anomalies: ndarray = (values - self.mean) / self.std
        return anomalies

    def undo(self, values: Float[ndarray, "*s n c"]) -> Float[ndarray, "*s n c"]:
        """Physical values of standardised anomalies."""
        physical: ndarray = values * self.std + self.mean
        return physical

    def anomalies(self, field: Field, start: int, stop: int) -> Float[ndarray, "steps n c"]:
        """Standardised anomalies of some steps of a field; missing stays NaN."""
        return self.apply(field.series.read(start, stop))

    def expected(self, field: Field, start: int, stop: int) -> Float[ndarray, "steps n c"]:
        """Climatology at some steps of a field, in the channels' units."""
        return np.broadcast_to(self.mean, (stop - start, *self.mean.shape))

    def refitted(self, field: Field) -> Scaling:
        """The same kind of climatology fitted on another block."""
        return Scaling.fit(field)

    def select(self, channels: ndarray) -> Scaling:
        """The same for some of the channels, by index."""
        return Scaling(self.mean[:, channels], self.std[channels], self.site_std[:, channels], self.share[:, channels])


class _Moments:
    """Count, mean and sum of squared deviations per site and channel, merged block by block in float64.

    Chan, Golub & LeVeque 1979: merging deviations is stable where a sum of squares minus a squared sum is not
    (pressure: mean 1e5 Pa, deviation 1e3 Pa).
    """

    def __init__(self, zeros: Float[ndarray, "n c"]) -> None:
        self.count, self.mean, self.square = zeros.copy(), zeros.copy(), zeros.copy()

    def add(self, block: Float[ndarray, "time n c"], valid: Bool[ndarray, "time n c"] | None) -> None:
        if valid is None:
            count = np.full(self.count.shape, float(len(block)))
            mean = block.mean(axis=0, dtype=np.float64)
            deviation = block - mean
        else:
            count = valid.sum(axis=0, dtype=np.float64)
            mean = np.where(valid, block, 0.0).sum(axis=0, dtype=np.float64) / np.maximum(count, 1.0)
            deviation = np.where(valid, block - mean, 0.0)
        square = np.einsum("tnc,tnc->nc", deviation, deviation)
        total = np.maximum(self.count + count, 1.0)
        step = mean - self.mean
        self.square += square + step**2 * self.count * count / total
        self.mean += step * count / total
        self.count += count
