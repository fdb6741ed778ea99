"""Values in another unit, where nobody can doubt how to get there."""

from __future__ import annotations

from dynst.readers.names import clean_units

__all__ = ["conversion", "known"]

_KINDS: dict[str, tuple[str, float, float]] = {
    "K": ("temperature", 1.0, 0.0),
    "degC": ("temperature", 1.0, 273.15),
    "degF": ("temperature", 5 / 9, 459.67 * 5 / 9),
    "Pa": ("pressure", 1.0, 0.0),
    "hPa": ("pressure", 100.0, 0.0),
    "kPa": ("pressure", 1000.0, 0.0),
    "bar": ("pressure", 1e5, 0.0),
    "m s-1": ("speed", 1.0, 0.0),
    "km h-1": ("speed", 1 / 3.6, 0.0),
    "knot": ("speed", 1852 / 3600, 0.0),
    "mph": ("speed", 0.44704, 0.0),
    "m": ("length", 1.0, 0.0),
    "cm": ("length", 0.01, 0.0),
    "mm": ("length", 0.001, 0.0),
    "km": ("length", 1000.0, 0.0),
}
_OTHER = {
    "C": "degC",
    "°C": "degC",
    "F": "degF",
    "°F": "degF",
    "km/h": "km h-1",
    "kn": "knot",
    "kt": "knot",
    "knots": "knot",
    "kts": "knot",
    "mi/h": "mph",
}


def known(units: str) -> bool:
    """Whether anybody said what the unit is.

    Examples
    --------
    >>> known("Pa"), known(""), known("1")
    (True, False, False)
    """
    return _plain(units) != "1"


def conversion(given: str, wanted: str) -> tuple[float, float] | None:
    """Factor and summand from one unit to another; None where there are none, or nobody knows them.

    Examples
    --------
    >>> conversion("hPa", "Pa"), conversion("degC", "K"), conversion("m", "K")
    ((100.0, 0.0), (1.0, 273.15), None)
    """
    given, wanted = _plain(given), _plain(wanted)
    if given == wanted:
        return 1.0, 0.0
    if given not in _KINDS or wanted not in _KINDS:
        return None
    (kind, factor, zero), (other, divisor, origin) = _KINDS[given], _KINDS[wanted]
    return (factor / divisor, (zero - origin) / divisor) if kind == other else None


def _plain(units: str) -> str:
    units = clean_units(units)
    return _OTHER.get(units, units)
