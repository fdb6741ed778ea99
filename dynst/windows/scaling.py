"""Climatology per site and deviation per channel, fitted on the training block in one streaming pass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Clock, Field
from dynst.domain.calendar import MEAN, Calendar
from dynst.errors import DataError
from dynst.windows.climatology import Climatology, Fitted, fit_climatology

__all__ = ["Scaling"]

_BLOCK_BYTES = 16 << 20  # the float64 work copy of a block doubles this: memory stays below 60 MB for any record
_NOTHING = 1e-12  # deviation / magnitude below which a channel of float32 values cannot be said to vary


@dataclass(frozen=True, eq=False)
class Scaling:
    """Anomalies from each site's own climatology, in units of the channel's standard deviation.

    The climatology is taken per site, so that 0 - what an unobserved site reads - is the local climate and not, say,
    the mean of the globe. It is a mean, or a mean and waves of a `Calendar`. The deviation is one per channel, so that
    a standardised error is proportional to the physical one at every site.

    Parameters
    ----------
    climatology : Climatology
        Of each site and channel, in the channel's unit. A site without any training value has the channel's mean.
    std : Float[ndarray, "c"]
        Root mean square of the anomalies over all sites, in the channel's unit.
    site_std : Float[ndarray, "n c"]
        The same per site; 0 where a site does not vary or has no value.
    share : Float[ndarray, "n c"]
        Share of the training steps at which each site reports each channel. Where it is 0 nothing can be learnt:
        such a value is no input and no target, whatever comes later.
    calendar : Calendar
        What the climatology follows beside the mean.
    steps : int
        Training steps.

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

    climatology: Climatology
    std: Float[ndarray, " c"]
    site_std: Float[ndarray, "n c"]
    share: Float[ndarray, "n c"]
    calendar: Calendar = MEAN
    steps: int = 0

    @classmethod
    def fit(cls, field: Field, climatology: Calendar = MEAN) -> Scaling:
        """Statistics of all steps of `field`, a block in memory at a time; missing values do not count.

        Parameters
        ----------
        field : Field
            The training block.
        climatology : Calendar
            What the climatology follows beside the mean.

        Raises
        ------
        DataError
            If a channel has no value at all, or never varies at any site.
        """
        usual, square, count = fit_climatology(field, climatology) if climatology.terms else _means(field)
        values = count.sum(axis=0)
        for channel, known in zip(field.channels, values, strict=True):
            if not known:
                raise DataError(f'channel "{channel.name}" has no value in the training block of {field.steps} steps.')
        site_std = np.sqrt(square / np.maximum(count, 1.0))
        overall = (usual.mean * count).sum(axis=0) / values
        mean = np.where(count > 0, usual.mean, overall)
        std = np.sqrt(square.sum(axis=0) / values)
        for channel, deviation, magnitude in zip(field.channels, std, np.abs(mean).max(axis=0), strict=True):
            if not deviation > _NOTHING * magnitude:
                raise DataError(
                    f'channel "{channel.name}" never varies in the training block of {field.steps} steps: there is '
                    f"nothing to forecast. Leave it out, or give a longer record."
                )
        share = (count / field.steps).astype(np.float32)
        usual = Climatology(mean.astype(np.float32), usual.waves, usual.amplitude)
        return cls(usual, std.astype(np.float32), site_std.astype(np.float32), share, climatology, field.steps)

    @property
    def mean(self) -> Float[ndarray, "n c"]:
        """Mean of each site and channel, in the channel's unit."""
        mean: ndarray = self.climatology.mean
        return mean

    @property
    def count(self) -> Float[ndarray, "n c"]:
        """Training values of each site and channel."""
        return np.asarray(np.round(self.share.astype(float) * self.steps))

    def expected(self, field: Field, start: int, stop: int) -> Float[ndarray, "time n c"]:
        """The climatology at the steps ``start <= step < stop`` of a field, in physical units, float32."""
        usual = self._usual(field.clock.at(slice(start, stop)))
        return np.broadcast_to(usual, (stop - start, *self.mean.shape))

    def anomalies(self, field: Field, start: int, stop: int) -> Float[ndarray, "time n c"]:
        """Standardised anomalies at the steps ``start <= step < stop`` of a field, float32; missing stays NaN."""
        return self._standardised(field.series.read(start, stop), field.clock.at(slice(start, stop)))

    def anomalies_at(self, field: Field, steps: Int[ndarray, " k"]) -> Float[ndarray, "k n c"]:
        """Standardised anomalies at single steps of a field, float32; missing stays NaN."""
        values = np.empty((len(steps), *field.series.shape[1:]), np.float32)
        for row, step in enumerate(steps.tolist()):
            field.series.read_into(step, values[row : row + 1])
        return self._standardised(values, field.clock.at(steps))

    def apply(self, values: Float[ndarray, "*s n c"], clock: Clock | None = None) -> Float[ndarray, "*s n c"]:
        """Standardised anomalies of physical values; missing stays NaN.

        `clock` holds the times along the first axis; a climatology that is a mean alone needs none.
        """
        anomalies: ndarray = (values - self._usual(clock)) / self.std
        return anomalies

    def undo(self, values: Float[ndarray, "*s n c"], clock: Clock | None = None) -> Float[ndarray, "*s n c"]:
        """Physical values of standardised anomalies; `clock` as for `apply`."""
        physical: ndarray = values * self.std + self._usual(clock)
        return physical

    def refitted(self, field: Field) -> Scaling:
        """The same kind of climatology fitted on another block."""
        return Scaling.fit(field, self.calendar)

    def select(self, channels: ndarray) -> Scaling:
        """The same for some of the channels, by index."""
        usual = self.climatology.select(channels)
        return Scaling(
            usual, self.std[channels], self.site_std[:, channels], self.share[:, channels], self.calendar, self.steps
        )

    def _usual(self, clock: Clock | None) -> Float[ndarray, "*s n c"]:
        if not self.climatology.waves:
            return np.asarray(self.mean)
        if clock is None:
            raise ValueError("a climatology with a calendar needs the times of the values: give their clock")
        return np.asarray(self.climatology.beyond_mean(clock) + self.mean)

    def _standardised(self, values: Float[ndarray, "time n c"], clock: Clock) -> Float[ndarray, "time n c"]:
        """The same, in place."""
        if self.climatology.waves:
            values -= self.climatology.beyond_mean(clock)
        values -= self.mean
        values /= self.std
        return values


def _means(field: Field) -> Fitted:
    """The mean of each site and channel; a channel's own sum of squares stays exact beside a large mean."""
    moments = _Moments(np.zeros(field.series.shape[1:]))
    for block in field.blocks(_BLOCK_BYTES):
        moments.add(block, np.isfinite(block) if field.has_missing else None)
    nothing = np.zeros((0, *moments.mean.shape), np.float32)
    return Fitted(Climatology(moments.mean, (), nothing), moments.square, moments.count)


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
