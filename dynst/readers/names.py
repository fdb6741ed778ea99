"""What coordinates, quantities and units are called in the wild, and what they are called here."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Mapping

__all__ = [
    "CANONICAL",
    "Role",
    "channel_name",
    "clean_units",
    "degrees_in",
    "is_mask",
    "is_sea_quantity",
    "is_static",
    "long_name",
    "role_of",
]


class Role(enum.StrEnum):
    """What a dimension or coordinate stands for."""

    TIME = "time"
    LATITUDE = "latitude"
    LONGITUDE = "longitude"
    LEVEL = "level"
    Y = "projected y"
    X = "projected x"
    NODE = "node"


_BY_STANDARD_NAME = {
    "time": Role.TIME,
    "latitude": Role.LATITUDE,
    "longitude": Role.LONGITUDE,
    "projection_y_coordinate": Role.Y,
    "projection_x_coordinate": Role.X,
    "grid_latitude": Role.Y,
    "grid_longitude": Role.X,
    "air_pressure": Role.LEVEL,
    "height": Role.LEVEL,
    "altitude": Role.LEVEL,
    "depth": Role.LEVEL,
    "model_level_number": Role.LEVEL,
    "atmosphere_hybrid_sigma_pressure_coordinate": Role.LEVEL,
    "atmosphere_sigma_coordinate": Role.LEVEL,
    "ocean_sigma_coordinate": Role.LEVEL,
}

_BY_UNITS = {
    Role.LATITUDE: {"degrees_north", "degree_north", "degrees_n", "degree_n", "degreesn", "degreen"},
    Role.LONGITUDE: {"degrees_east", "degree_east", "degrees_e", "degree_e", "degreese", "degreee"},
    Role.LEVEL: {"hpa", "millibar", "millibars", "mbar", "mb", "pa", "level", "levels", "sigma_level"},
}

_BY_AXIS = {"T": Role.TIME, "Z": Role.LEVEL, "Y": Role.Y, "X": Role.X}

_BY_NAME = {
    Role.TIME: {"time", "valid_time", "times", "t", "date", "datetime", "month", "year", "day", "time_counter"},
    Role.LATITUDE: {
        "lat",
        "latitude",
        "lats",
        "nav_lat",
        "xlat",
        "lat_rho",
        "tlat",
        "geolat",
        "coadsy",
        "clat",
        "latcell",
        "latc",
    },
    Role.LONGITUDE: {
        "lon",
        "longitude",
        "lons",
        "long",
        "nav_lon",
        "xlong",
        "lon_rho",
        "tlong",
        "geolon",
        "coadsx",
        "clon",
        "loncell",
        "lonc",
    },
    Role.LEVEL: {"level", "lev", "levels", "plev", "pressure", "pressure_level", "isobaricinhpa", "depth", "deptht"}
    | {"bottom_top", "bottom_top_stag", "soil_layers_stag", "nvertlevels", "nvertlevelsp1", "siglay", "siglev"}
    | {"height", "height_2", "nz", "ilev", "olevel", "depthu", "depthv", "hybrid"},
    Role.Y: {"y", "yc", "projection_y", "rlat", "south_north", "nj", "j", "nlat", "eta_rho", "northing", "yh"},
    Role.X: {"x", "xc", "projection_x", "rlon", "west_east", "ni", "i", "nlon", "xi_rho", "easting", "xh"},
    Role.NODE: {"node", "station", "location", "cell", "ncells", "site", "point", "values", "face", "stations"}
    | {"ncells", "ncol", "nele", "nod2", "ncolumns", "nmesh2d_face", "nmesh2d_node"},
}

CANONICAL = {
    "2m_temperature": "t2m",
    "2m_dewpoint_temperature": "d2m",
    "10m_u_component_of_wind": "u10",
    "10m_v_component_of_wind": "v10",
    "10m_wind_speed": "si10",
    "mean_sea_level_pressure": "msl",
    "surface_pressure": "sp",
    "sea_surface_temperature": "sst",
    "total_precipitation": "tp",
    "total_precipitation_6hr": "tp6h",
    "total_precipitation_24hr": "tp24h",
    "total_cloud_cover": "tcc",
    "total_column_water_vapour": "tcwv",
    "toa_incident_solar_radiation": "tisr",
    "geopotential": "z",
    "temperature": "t",
    "specific_humidity": "q",
    "relative_humidity": "r",
    "u_component_of_wind": "u",
    "v_component_of_wind": "v",
    "vertical_velocity": "w",
    "wind_speed": "ws",
    "vorticity": "vo",
    "potential_vorticity": "pv",
}
"""Long names of the WeatherBench stores to the short names of ERA5, which WeatherBench 1 files carry inside."""

_UNITS = {
    "": "1",
    "none": "1",
    "dimensionless": "1",
    "~": "1",
    "(0 - 1)": "1",
    "kelvin": "K",
    "degk": "K",
    "deg k": "K",
    "k": "K",
    "celsius": "degC",
    "deg c": "degC",
    "degc": "degC",
    "degree_celsius": "degC",
    "degrees_celsius": "degC",
    "degree c": "degC",
    "degrees c": "degC",
    "m/s": "m s-1",
    "m s-1": "m s-1",
    "meters/second": "m s-1",
    "g/kg": "g kg-1",
    "kg/kg": "kg kg-1",
    "mb": "hPa",
    "mbar": "hPa",
    "millibar": "hPa",
    "millibars": "hPa",
    "hpa": "hPa",
    "pa": "Pa",
    "pascals": "Pa",
    "meters": "m",
    "metres": "m",
    "meter": "m",
    "metre": "m",
}


def role_of(name: str, attrs: Mapping[str, object]) -> Role | None:
    """The role of a coordinate: by its CF standard name, its units, its axis, then by the table of names.

    Examples
    --------
    >>> role_of("COADSY", {"units": "degrees_north"})
    <Role.LATITUDE: 'latitude'>
    >>> role_of("valid_time", {}), role_of("banana", {})
    (<Role.TIME: 'time'>, None)
    """
    standard = str(attrs.get("standard_name", "")).lower()
    if standard in _BY_STANDARD_NAME:
        return _BY_STANDARD_NAME[standard]
    units = str(attrs.get("units", "")).strip().lower()
    if re.match(r"\w+ since ", units):
        return Role.TIME
    for role, spellings in _BY_UNITS.items():
        if units in spellings and (role is not Role.LEVEL or _by_name(name) in (None, role)):
            return role
    by_name = _by_name(name)
    if by_name is None and str(attrs.get("axis", "")) in _BY_AXIS:
        return _BY_AXIS[str(attrs["axis"])]
    return by_name


def _by_name(name: str) -> Role | None:
    lower = name.lower()
    return next((role for role, names in _BY_NAME.items() if lower in names), None)


def clean_units(units: str) -> str:
    """One spelling for each unit; the numbers are never converted.

    Examples
    --------
    >>> clean_units("m**2 s**-2"), clean_units("Deg C"), clean_units("MB"), clean_units("ug m-3")
    ('m2 s-2', 'degC', 'hPa', 'ug m-3')
    """
    units = units.strip().replace("**", "")
    return _UNITS.get(units.lower(), units)


def channel_name(name: str, level: float | None = None) -> str:
    """Name of a channel: the quantity, and its level.

    Examples
    --------
    >>> channel_name("z", 500.0), channel_name("u10", 500.0), channel_name("t2m")
    ('z500', 'u10_500', 't2m')
    """
    if level is None:
        return name
    return f"{name}{'_' if name[-1:].isdigit() else ''}{level:g}"


def degrees_in(units: str) -> float:
    """Degrees in one unit of a coordinate of the Earth: 57.3 in a radian, else 1.

    Examples
    --------
    >>> round(degrees_in("radian"), 3), degrees_in("degrees_north")
    (57.296, 1.0)
    """
    return math.degrees(1) if units.strip().lower() in {"radian", "radians", "rad"} else 1.0


def is_static(name: str, attrs: Mapping[str, object]) -> bool:
    """Whether a quantity is one of the ground, which models write again at each step.

    Examples
    --------
    >>> is_static("HGT", {}), is_static("z0", {"standard_name": "surface_altitude"}), is_static("T2", {})
    (True, True, False)
    """
    described = str(attrs.get("description", attrs.get("long_name", "")))
    return bool(
        re.fullmatch(_GROUND, name.lower())
        or re.fullmatch(r"surface_altitude|land_(binary_mask|area_fraction)|sea_floor_.*", _standard(attrs))
        or re.search(r"terrain height|land.?(sea )?mask|orography|bathymetry|map scale|coriolis", described.lower())
    )


_GROUND = (
    r"hgt(_m)?|topo|orog|zsurf|sftlf|lsm|landmask|landfrac|xland|lu_index|isltyp|ivgtyp|f|e|(sin|cos)alpha|mapfac_.*|h|"
    r"bathymetry|mask_rho|fr_land|hsurf|topography_c"
)


def is_mask(name: str, attrs: Mapping[str, object]) -> bool:
    """Whether a variable of whole numbers says where something is, such as water: it is no quantity.

    Examples
    --------
    >>> is_mask("wet_cells", {}), is_mask("ISWATER", {"long_name": "Wet_Nodes"}), is_mask("wetness", {})
    (True, True, False)
    """
    said = f"{name} {attrs.get('long_name', '')}".lower()
    return bool(re.search(r"(^|[_ ])(wet|dry|wetdry|mask|iswet\w*)([_ ]|$)", said)) and "scale_factor" not in attrs


def _standard(attrs: Mapping[str, object]) -> str:
    return str(attrs.get("standard_name", "")).lower()


def long_name(attrs: Mapping[str, object]) -> str:
    """What a quantity is, in words; its standard name where the file has no others.

    Examples
    --------
    >>> long_name({"standard_name": "wind_from_direction"})
    'wind from direction'
    """
    words = str(attrs.get("long_name", attrs.get("description", ""))).strip()
    return words or str(attrs.get("standard_name", "")).strip().replace("_", " ")


def is_sea_quantity(name: str, attrs: Mapping[str, object]) -> bool:
    """Whether a quantity exists at sea only, so that a land mask applies to it.

    Examples
    --------
    >>> is_sea_quantity("sst_anomaly", {}), is_sea_quantity("msl", {"long_name": "Mean sea level pressure"})
    (True, False)
    """
    standard = str(attrs.get("standard_name", "")).lower()
    long_name = str(attrs.get("long_name", "")).lower()
    return bool(
        set(re.split(r"[^a-z]+", name.lower())) & {"sst", "tos", "sos", "zos", "ssh", "sla", "sss", "thetao"}
        or re.match(r"sea_(?!level_pressure)", standard)
        or "sea_water" in standard
        or re.search(r"sea surface|sea water|sea ice|ocean", long_name)
    )
