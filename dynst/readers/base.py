"""What a reader promises, and what a user may tell it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from dynst.domain import Field
from dynst.errors import ConfigError

__all__ = ["Hints", "Reader"]


@dataclass(frozen=True)
class Hints:
    """What a user says of data that the files do not say themselves.

    Parameters
    ----------
    stations : str or None
        Positions of stations: a table, or points (GeoJSON, GeoPackage, shapefile).
    graph : str or None
        File with the edges between stations: a list ``from, to[, weight]`` or a dense matrix of weights.
    layout : str or None
        Axes of an array as letters, outermost first: ``e`` event, ``t`` time, ``c`` channel, ``h`` rows, ``w`` columns
        of a stack of frames; ``t``, ``c`` and ``p`` of values at places.
    sites : int or None
        Reference sites of meshes that move or differ between runs.
    spacing : float or None
        Distance between the cells of a stack of frames, in metres.
    keep_values : bool
        Whether every value is taken as it is: codes, spikes and sensors that stand still are told of, and stay.

    Examples
    --------
    >>> Hints(graph="roads.csv").check("gridded")
    Traceback (most recent call last):
    dynst.errors.ConfigError: graph is no option of gridded data: leave it out.
    """

    stations: str | None = None
    graph: str | None = None
    layout: str | None = None
    sites: int | None = None
    spacing: float | None = None
    keep_values: bool = False

    def check(self, reader: str, *known: str) -> None:
        """Refuse what a reader has no use for; `known` are the hints that it takes.

        Raises
        ------
        ConfigError
            If another hint is given.
        """
        for field in fields(self):
            if field.name not in {*known, "keep_values"} and getattr(self, field.name) is not None:
                raise ConfigError(f"{field.name} is no option of {reader} data: leave it out.")


class Reader(Protocol):
    """Turns a path into a `Field`: everything odd about a format ends here."""

    def __call__(
        self,
        path: str,
        *,
        observe: Sequence[str] | None = None,
        predict: Sequence[str] | None = None,
        cache_dir: Path | None = None,
        hints: Hints = Hints(),
    ) -> Field:
        """The record behind `path`.

        Parameters
        ----------
        path : str
            A path, a pattern, a folder or a URL.
        observe, predict : sequence of str, optional
            Channels that sensors measure, and that are forecast.
        cache_dir : Path, optional
            Where large records are kept once converted.
        hints : Hints
            What the user said besides; a hint that means nothing to a reader is refused.

        Raises
        ------
        DataError, ConfigError
            One clear line for whatever the user can mend.
        """
