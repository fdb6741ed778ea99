"""What the CF conventions say of positions: attributes that other programs know coordinates by."""

from __future__ import annotations

from dynst.domain.sites import Frame, Sites

__all__ = ["LATITUDE", "LONGITUDE", "axis_attributes"]

LONGITUDE = {"standard_name": "longitude", "units": "degrees_east"}
LATITUDE = {"standard_name": "latitude", "units": "degrees_north"}


def axis_attributes(sites: Sites, axis: str) -> dict[str, str]:
    """What ``x`` or ``y`` of the sites is.

    Examples
    --------
    >>> import numpy as np
    >>> axis_attributes(Sites(np.zeros(1), np.zeros(1)), "y")
    {'standard_name': 'latitude', 'units': 'degrees_north'}
    """
    if sites.frame is Frame.GEOGRAPHIC:
        return LONGITUDE if axis == "x" else LATITUDE
    if sites.frame is Frame.SCHEMATIC:
        return {"long_name": "drawing of the graph; the position is unknown", "units": "1"}
    standard = {"standard_name": f"projection_{axis}_coordinate"} if sites.frame is Frame.PROJECTED else {}
    return {"long_name": f"{axis} in the plane of the data", "units": sites.unit} | standard
