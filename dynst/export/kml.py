"""KML 2.2: a pin a sensor, for Google Earth, phones and car navigation."""

from __future__ import annotations

from xml.sax.saxutils import escape

from dynst.domain import Layout, Plan
from dynst.domain.listing import EXISTING, Listed
from dynst.domain.plain import visible
from dynst.export.base import made_by
from dynst.export.places import Places, places_of
from dynst.export.rows import sensor_rows

__all__ = ["render"]

_NEW, _STANDING = "ff005ed5", "ff000000"
"""Colours of the pins as KML counts them (alpha, blue, green, red): those of the maps."""


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A document with a placemark for each sensor; its columns are data that a click shows."""
    places = places_of(plan, layout)
    marks = [_placemark(one, row, places) for one, row in sensor_rows(plan, places, top)]
    about = f"{made_by(plan)}. Importance: {plan.importance_is}"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<kml xmlns="http://www.opengis.net/kml/2.2">',
        "<Document>",
        f"<name>{_text(title or 'dynst sensor plan')}</name>",
        f"<description>{_text(about)}</description>",
        _style("new", _NEW),
        _style(EXISTING, _STANDING),
        _style("candidate", _NEW),
        *marks,
        "</Document>",
        "</kml>",
    ]
    return "\n".join([*lines, ""]).encode()


def _style(role: str, colour: str) -> str:
    return f'<Style id="{role}"><IconStyle><color>{colour}</color></IconStyle></Style>'


def _placemark(one: Listed, row: dict[str, object], places: Places) -> str:
    longitude, latitude = places.position(one)
    data = "".join(
        f'<Data name="{key}"><value>{_text(str(value))}</value></Data>' for key, value in row.items() if key != "name"
    )
    return (
        f"<Placemark><name>{_text(f'{one.rank} {one.name}')}</name><styleUrl>#{one.role}</styleUrl>"
        f'<ExtendedData>{data}<Data name="name"><value>{_text(one.name)}</value></Data></ExtendedData>'
        f"<Point><coordinates>{longitude},{latitude}</coordinates></Point></Placemark>"
    )


def _text(text: str) -> str:
    return escape(visible(text))
