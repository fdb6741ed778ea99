"""An export format by name, and how one is chosen; light, so that the command line can name the formats in its help."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dynst.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from dynst.domain import Layout, Plan

__all__ = ["ANYWHERE", "EARTH", "POSITIONS", "Exporter", "Render", "choose"]

ANYWHERE, POSITIONS, EARTH = 0, 1, 2
"""What a format must know of the places: nothing; where they are, in a plane at least; longitude and latitude."""


@runtime_checkable
class Render(Protocol):
    """A plan as the bytes of a file."""

    def __call__(self, plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
        """Bytes of the file; see `Exporter.render`."""


@dataclass(frozen=True)
class Exporter:
    """One file format for plans.

    Parameters
    ----------
    format : str
        Its name.
    suffix : str
        Ending of its files, with the dot.
    summary : str
        What it is good for, in half a line.
    module, function : str
        Place of the `Render` inside this folder; imported at first use, as charts and polygons take long to load.
    text : bool
        Whether the bytes are UTF-8 text that a terminal can show.
    magic : bytes
        How each of its files begins.
    needs : int
        `ANYWHERE`, `POSITIONS` or `EARTH`: a plan of sites without is refused.
    """

    format: str
    suffix: str
    summary: str
    module: str
    function: str
    text: bool
    magic: bytes
    needs: int = ANYWHERE

    def render(
        self, plan: Plan, *, layout: Layout | None = None, top: int | None = None, title: str | None = None
    ) -> bytes:
        """The plan as the bytes of a file: same plan, same bytes (of a PDF: same page).

        Parameters
        ----------
        plan : Plan
            The ranked sites.
        layout : Layout or None
            The grid of the sites, for their cells, or their graph; without it there are only points.
        top : int or None
            So many sensors of best rank; the plan's budget if left out. More than the budget extends the plan.
        title : str or None
            For formats that carry one.

        Raises
        ------
        BudgetError
            If `top` is more than the plan ranks.
        ConfigError
            If nobody knows the positions that the format is made of.
        """
        from dynst.export.base import ranked  # noqa: PLC0415

        ranked(plan, top)
        if self.needs > ANYWHERE:
            from dynst.export.places import check_places  # noqa: PLC0415  # brings shapely

            check_places(plan, self.needs, self.format)
        make: Render = getattr(import_module(f"dynst.export.{self.module}"), self.function)
        return make(plan, layout=layout, top=top, title=title)

    def write(
        self,
        plan: Plan,
        path: str | os.PathLike[str],
        *,
        layout: Layout | None = None,
        top: int | None = None,
        title: str | None = None,
    ) -> None:
        """Write the file whole or not at all; what stood under its name is replaced. See `render`."""
        from dynst.export.base import replace_whole  # noqa: PLC0415

        replace_whole(path, self.render(plan, layout=layout, top=top, title=title))


def choose(
    exporters: Mapping[str, Exporter], *, format: str | None, path: str | os.PathLike[str] | None = None
) -> Exporter:
    """The exporter by name or, if no name is given, by the ending of `path`.

    Raises
    ------
    ConfigError
        If there is none.
    """
    endings = {ending: exporter for exporter in exporters.values() for ending in _endings(exporter)}
    ending = Path(path or "").suffix.lower()
    if format is not None:
        if format not in exporters:
            raise ConfigError(unknown_name("export format", format, exporters))
        if endings.get(ending, exporters[format]) is not exporters[format]:
            raise ConfigError(f"{path} is named like {endings[ending].format}, but {format} was asked for. Choose one.")
        return exporters[format]
    if ending not in endings:
        raise ConfigError(
            f'the ending "{ending}" of {path or "an unnamed file"} names no export format. '
            f"Give --format, or one of {', '.join(sorted(endings))}."
        )
    return endings[ending]


def _endings(exporter: Exporter) -> tuple[str, ...]:
    return (exporter.suffix, f".{exporter.format}")
