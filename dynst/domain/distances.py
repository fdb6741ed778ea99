"""A distance as a user types it: 30km, 500 m, 3 hops, or a number in the unit of the plane."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from dynst.domain.layout import GraphLayout, Layout
from dynst.domain.sites import Frame, Sites
from dynst.domain.spacing import HOPS, Spacing
from dynst.errors import ConfigError

__all__ = ["Length", "length_on", "spacing_on"]

_METRES = {"m": 1.0, "km": 1000.0}
_OTHER_NAMES = {"hop": HOPS}
_SHAPE = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-z]*)")


@dataclass(frozen=True)
class Length:
    """A number with the unit that a user gave it.

    Parameters
    ----------
    value : float
        More than 0.
    unit : str
        In lower case; empty where none was given.

    Examples
    --------
    >>> Length.parse("30 km"), str(Length.parse("0.50")), str(Length.parse("1 hop"))
    (Length(value=30.0, unit='km'), '0.5', '1hops')
    """

    value: float
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.value:.12g}{self.unit}"

    @classmethod
    def parse(cls, said: object) -> Length:
        """The length that a text or a number says.

        Raises
        ------
        ConfigError
            If it is no number with a unit, or not more than 0.
        """
        found = None if isinstance(said, bool) else _SHAPE.fullmatch(str(said).strip().lower())
        if found is None:
            raise ConfigError(f'"{said}" came; a distance like 30km, 500m or 3hops is expected.')
        value = float(found[1])
        if not 0 < value < math.inf:
            raise ConfigError(f'"{said}" came; a distance of more than 0 is expected, like 30km.')
        return cls(value, _OTHER_NAMES.get(found[2], found[2]))


def spacing_on(sites: Sites, layout: Layout, asked: Length) -> Spacing:
    """A minimum distance between the sensors on these sites.

    Parameters
    ----------
    sites, layout
        Of the record.
    asked : Length
        In hops on a graph; in m or km where positions are degrees or metres; in the unit of the plane.

    Raises
    ------
    ConfigError
        If the sites have no such distance.

    Examples
    --------
    >>> import numpy as np
    >>> plane = Sites(np.arange(3.0), np.zeros(3), frame=Frame.PLANAR)
    >>> spacing_on(plane, GraphLayout(3, np.zeros((2, 0), int)), Length.parse("500")).words
    '0.5 km'
    """
    unknown = sites.frame is Frame.SCHEMATIC
    if asked.unit == HOPS or (unknown and not asked.unit):
        return _in_hops(layout, asked)
    if unknown:
        raise ConfigError(f"{asked} came, but nobody knows where the sites are. Count edges: 3hops.")
    return Spacing(length_on(sites, asked, bare=sites.unit), sites.distance_unit)


def _in_hops(layout: Layout, asked: Length) -> Spacing:
    if not isinstance(layout, GraphLayout):
        raise ConfigError(f"{asked} came, but the sites form a grid, which has no edges. Give a distance like 30km.")
    if asked.value != int(asked.value):
        raise ConfigError(f"{asked} came; a whole number of hops is expected.")
    return Spacing(asked.value, HOPS, layout.edge_index)


def length_on(sites: Sites, asked: Length, *, bare: str) -> float:
    """A length in the `distance_unit` of the sites; `bare` is the unit of a number without one.

    Raises
    ------
    ConfigError
        If nobody knows how long the unit is on these sites.

    Examples
    --------
    >>> import numpy as np
    >>> length_on(Sites(np.zeros(1), np.zeros(1)), Length(500.0, "m"), bare="km")
    0.5
    """
    unit = asked.unit or bare
    if unit == sites.unit and unit not in (*_METRES, "degrees"):
        return asked.value
    if sites.distance_unit == "km" and unit in _METRES:
        return asked.value * _METRES[unit] / 1000.0
    if unit == "degrees":
        raise ConfigError(f"{asked} has no unit. Positions are degrees, so write {asked}km.")
    if sites.distance_unit == "km":
        raise ConfigError(f'{asked} came, and the unit "{unit}" is unknown here. Give km or m, like 30km.')
    own = "have no dimension" if sites.unit == "1" else f"are in {sites.unit}"
    raise ConfigError(f"{asked} came, but the positions of the sites {own}. Give a number in their own unit.")
