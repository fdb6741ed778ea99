"""GeoJSON (RFC 7946): one feature a sensor, in longitude and latitude wherever those are known."""

from __future__ import annotations

import json
import math

from dynst.domain import Layout, Plan
from dynst.domain.listing import Listed
from dynst.domain.plain import escaped
from dynst.export.base import listed, made_by
from dynst.export.places import Places, places_of

__all__ = ["render"]


def render(plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
    """A feature collection, in longitude and latitude wherever those are known."""
    places = places_of(plan, layout)
    line = made_by(plan)
    features = [_feature(plan, places, one, line) | {"id": i} for i, one in enumerate(listed(plan, top))]
    collection: dict[str, object] = {"type": "FeatureCollection", "name": title or "dynst sensor plan"}
    if not places.geographic:
        collection["crs"] = _named(places.local_crs) if places.known else None
        collection["coordinates_are"] = _coordinates(plan, places)
    collection["dynst"] = {
        "plan": line,
        "planner": plan.planner,
        "budget": plan.budget,
        "sites": len(plan.sites),
        "fingerprint": plan.sites.fingerprint,
        "importance_is": plan.importance_is,
        "provenance": _strict(plan.provenance),
    }
    head = escaped(json.dumps(collection, ensure_ascii=False, allow_nan=False, indent=1))[:-2]
    body = ",\n".join(escaped(json.dumps(feature, ensure_ascii=False, allow_nan=False)) for feature in features)
    return f'{head},\n "features": [\n{body}\n]}}\n'.encode()  # a line per sensor: readable, and good to compare


def _named(crs: str) -> dict[str, object]:
    """RFC 7946 has no word for a plane; GDAL reads that of the GeoJSON before it."""
    return {"type": "name", "properties": {"name": crs}}


def _coordinates(plan: Plan, places: Places) -> str:
    """What stands where a GIS expects longitudes and latitudes."""
    if not places.known:
        return "unknown: the sites are nodes of a graph without positions"
    unit = {"m": "metres", "1": "lengths without dimension"}.get(places.unit, places.unit)
    return f"{unit} in {plan.sites.crs or 'a local plane'}"


def _feature(plan: Plan, places: Places, one: Listed, line: str) -> dict[str, object]:
    properties: dict[str, object] = {
        "rank": one.rank,
        "name": one.name,
        "importance": float(plan.importance[one.rank - 1]),
        "selected": one.rank <= plan.budget,
        "role": one.role,
        "site": one.site,
        **places.snapped(one),
    }
    plane = places.on_plane(one)
    if plane is not None:
        decimals = 3 if places.unit == "m" else 6
        properties |= {"x": round(plane[0], decimals), "y": round(plane[1], decimals), "xy_crs": plan.sites.crs}
        properties |= {} if places.unit == "m" else {"xy_unit": places.unit}
    if places.corners is not None:
        properties |= {"cell": places.cell(one.site), "cell_bounds": places.bounds(one.site)}
    properties["provenance"] = line
    point = {"type": "Point", "coordinates": places.position(one)} if places.known else None
    return {"type": "Feature", "geometry": point, "properties": properties}


def _strict(value: object) -> object:
    """The same without NaN and infinity, for which JSON has no word."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
