"""One small piece of weather, written in every way that people write it."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import xarray as xr


@dataclass
class Weather:
    """t2m and geopotential at two levels on a global grid; latitude ascends, longitude runs 0..360."""

    lat: np.ndarray = field(default_factory=lambda: np.linspace(-78.75, 78.75, 8))
    lon: np.ndarray = field(default_factory=lambda: np.arange(12) * 30.0)
    time: np.ndarray = field(
        default_factory=lambda: np.datetime64("2016-12-25", "ns") + np.arange(60) * np.timedelta64(6, "h")
    )
    level: np.ndarray = field(default_factory=lambda: np.array([500, 850]))

    def dataset(self):
        rng = np.random.default_rng(5)
        shape = (len(self.time), len(self.lat), len(self.lon))
        t2m = (280 + rng.standard_normal(shape)).astype(np.float32)
        z = (5000 + 100 * rng.standard_normal((shape[0], len(self.level), *shape[1:]))).astype(np.float32)
        return xr.Dataset(
            {
                "t2m": (("time", "lat", "lon"), t2m, {"units": "K", "long_name": "2 metre temperature"}),
                "z": (("time", "level", "lat", "lon"), z, {"units": "m**2 s**-2", "long_name": "Geopotential"}),
            },
            {
                "time": self.time,
                "level": ("level", self.level, {"units": "millibars"}),
                "lat": ("lat", self.lat, {"units": "degrees_north"}),
                "lon": ("lon", self.lon, {"units": "degrees_east"}),
            },
        )


@pytest.fixture
def weather():
    return Weather().dataset()


@pytest.fixture
def grid_file(tmp_path):
    """Write a small regional file `(time, lat, lon)`; keywords replace parts of it."""

    def write(
        name="grid.nc", *, values=None, time=None, lat=None, lon=None, var="t", attrs=None, extra=None, **options
    ):
        time = np.datetime64("2020-01-01", "ns") + np.arange(40) * np.timedelta64(1, "h") if time is None else time
        clock = time if isinstance(time, tuple) else ("time", time)
        lat = np.array([50.0, 51.0, 52.0]) if lat is None else lat
        lon = np.array([4.0, 5.0, 6.0, 7.0]) if lon is None else lon
        if values is None:
            values = np.random.default_rng(1).standard_normal((len(clock[1]), len(lat), len(lon))).astype(np.float32)
        data = xr.Dataset(
            {var: (("time", "lat", "lon"), values, {"units": "K"} | (attrs or {}))},
            {
                "lat": ("lat", lat, {"units": "degrees_north"}),
                "lon": ("lon", lon, {"units": "degrees_east"}),
            },
        )
        data["time"] = clock
        data = data.assign(extra or {})
        path = tmp_path / name
        data.to_netcdf(path, **options)
        return str(path)

    return write
