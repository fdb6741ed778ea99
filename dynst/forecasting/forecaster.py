"""The forecaster of a plan in physical units: readings of its sensors in, the whole field out. No data are needed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.backbones.kept import KeptForecaster
from dynst.domain import Channel, Layout, Sites
from dynst.domain.timeline import Timeline
from dynst.windows.climatology import Climatology
from dynst.windows.scaling import Scaling

__all__ = ["Block", "Forecaster"]


@dataclass(frozen=True, eq=False)
class Block:
    """Forecasts from some starts, in physical units.

    Parameters
    ----------
    mean : Float[ndarray, "b p n co"]
        The present field, then the field at each lead.
    deviation, half_width : Float[ndarray, "q p n co"]
        Standard deviation of the error, and half of the interval that holds 90 % of the values, for each pattern of
        readings that came.
    pattern : Int[ndarray, "b"]
        Pattern of each start.
    """

    mean: Float[ndarray, "b p n co"]
    deviation: Float[ndarray, "q p n co"]
    half_width: Float[ndarray, "q p n co"]
    pattern: Int[ndarray, " b"]


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Forecasts of all sites from the sensors of one plan, with error bars.

    Parameters
    ----------
    kept : KeptForecaster
        In standardised anomalies.
    scaling : Scaling
        What anomalies are taken from, for all channels of the record.
    learnt : Bool[ndarray, "k ci"]
        Which channels of which sensors training time holds enough values of; others are no readings.
    targets : Bool[ndarray, "n co"]
        What was ever measured in training time; nothing can be forecast of the rest, which is NaN.
    sites, layout : Sites, Layout or None
        Where the field is forecast.
    selected : Int[ndarray, "k"]
        Site of each sensor.
    channels : tuple of Channel
        Of the record.
    timeline : Timeline
        Its steps.
    history : int
        Steps that are read.
    made_of : dict
        Data, fingerprint, planner, time that it was made on: JSON types.
    """

    kept: KeptForecaster
    scaling: Scaling
    learnt: Bool[ndarray, "k ci"]
    targets: Bool[ndarray, "n co"]
    sites: Sites
    layout: Layout | None
    selected: Int[ndarray, " k"]
    channels: tuple[Channel, ...]
    timeline: Timeline
    history: int
    made_of: dict[str, object]

    def __repr__(self) -> str:
        return f"Forecaster({len(self.selected)} sensors, {len(self.sites)} sites, {self.leads} leads)"

    @property
    def leads(self) -> int:
        """Leads after the present."""
        return self.kept.leads

    @property
    def observed(self) -> tuple[Channel, ...]:
        """What its sensors measure."""
        return tuple(channel for channel in self.channels if channel.observe)

    @property
    def predicted(self) -> tuple[Channel, ...]:
        """What it forecasts."""
        return tuple(channel for channel in self.channels if channel.predict)

    @property
    def sensors(self) -> tuple[str, ...]:
        """Names of the sensors: of existing stations their own."""
        names = {site: self.sites.name[site] for site in self.selected.tolist()}
        if self.sites.stations is not None:
            own = zip(self.sites.stations.site.tolist(), self.sites.stations.name, strict=True)
            names |= {site: name for site, name in own if site in names}
        return tuple(names.values())

    def forecast(self, readings: Float[ndarray, "b t k ci"], present: Int[ndarray, " b"]) -> Block:
        """Forecasts from histories that end at the step `present` of each.

        Parameters
        ----------
        readings : Float[ndarray, "b t k ci"]
            Values of the observed channels at the sensors, in their units; NaN where a reading did not come.
        present : Int[ndarray, "b"]
            Step of the timeline at which each history ends.
        """
        anomalies = self.anomalies(readings, present)
        missing = ~np.isfinite(anomalies)
        shapes, pattern = _patterns(missing)
        made = self.kept.forecast(anomalies)
        deviation = np.stack([self.kept.deviation(shape) for shape in shapes])
        half_width = np.stack([self.kept.half_width(shape) for shape in shapes])
        std = np.where(self.targets, self.std, np.nan).astype(np.float32)
        mean = (made * std + self._usual(present)).astype(np.float32)
        return Block(mean, (deviation * std).astype(np.float32), (half_width * std).astype(np.float32), pattern)

    def climatology(self, steps: Int[ndarray, " s"]) -> Float[ndarray, "s n co"]:
        """What is usual at some steps of the timeline, in physical units."""
        scaling = self.scaling.select(self._predicted)
        nothing = np.zeros((len(steps), *scaling.mean.shape), np.float32)
        return scaling.undo(nothing, self.timeline.clock(steps))

    def spread(self) -> Float[ndarray, "n co"]:
        """Standard deviation of the error of the climatology, in physical units."""
        silent = np.ones((self.history, len(self.selected), len(self.observed)), bool)
        return np.asarray(self.kept.deviation(silent)[-1] * self.std)

    def anomalies(self, readings: Float[ndarray, "b t k ci"], present: Int[ndarray, " b"]) -> Float[ndarray, "b t k c"]:
        """Standardised anomalies of readings; what was never learnt is missing."""
        steps = present[:, None] + np.arange(1 - readings.shape[1], 1)
        known, place = np.unique(steps, return_inverse=True)
        scaling, nothing = self._at_sensors, np.zeros((len(known), *self._at_sensors.mean.shape), np.float32)
        usual = scaling.undo(nothing, self.timeline.clock(known))[place.reshape(steps.shape)]
        anomalies: ndarray = ((readings - usual) / scaling.std).astype(np.float32)
        anomalies[:, :, ~self.learnt] = np.nan
        return anomalies

    def _usual(self, present: Int[ndarray, " b"]) -> Float[ndarray, "b p n co"]:
        """Climatology of all sites at the present and each lead."""
        steps = present[:, None] + np.arange(self.leads + 1)
        known, place = np.unique(steps, return_inverse=True)
        return self.climatology(known)[place.reshape(steps.shape)]

    @property
    def usual_at_sensors(self) -> Float[ndarray, "k ci"]:
        """Mean of each observed channel at each sensor, in physical units."""
        return self._at_sensors.mean

    @property
    def std(self) -> Float[ndarray, " co"]:
        """Standard deviation of each forecast channel on training time."""
        return np.asarray(self.scaling.std[self._predicted])

    @property
    def _predicted(self) -> Int[ndarray, " co"]:
        return np.flatnonzero([channel.predict for channel in self.channels])

    @cached_property
    def _at_sensors(self) -> Scaling:
        """The scaling of the observed channels at the sensors."""
        usual = self.scaling.climatology
        here = Climatology(usual.mean[self.selected], usual.waves, usual.amplitude[:, self.selected])
        scaling = Scaling(
            here,
            self.scaling.std,
            self.scaling.site_std[self.selected],
            self.scaling.share[self.selected],
            self.scaling.calendar,
            self.scaling.steps,
        )
        return scaling.select(np.flatnonzero([channel.observe for channel in self.channels]))


def _patterns(missing: Bool[ndarray, "b t k ci"]) -> tuple[Bool[ndarray, "q t k ci"], Int[ndarray, " b"]]:
    """The different patterns of missing readings, and which one each start has."""
    packed = np.packbits(missing.reshape(len(missing), -1), axis=1)
    _, first, pattern = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return missing[first], pattern.reshape(-1)
