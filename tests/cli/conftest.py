"""One small data file, one finished run, and two ways to call the command line: as a process, and in this one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import dynst.cli

SMALL = ("--planner", "dynst", "--steps", "24", "--batch", "4", "--dim", "8", "--depth", "1", "--ladder", "0.5,0.9")


@pytest.fixture(scope="session")
def environment():
    """Of a process that finds this package, installed or not."""
    path = os.pathsep.join([str(Path(dynst.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def process(environment):
    """`dynst ARGUMENTS` in a process of its own."""

    def call(*arguments, cwd, **options):
        command = [sys.executable, "-m", "dynst", *map(str, arguments)]
        return subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, timeout=300, check=False, **options
        )

    return call


@pytest.fixture(scope="session")
def small():
    """Options of a network so small that a run takes a second or two."""
    return SMALL


@pytest.fixture(scope="session")
def waves(tmp_path_factory):
    """A netCDF file of travelling waves: 6 x 8 cells, 160 steps of 6 h."""
    latitude, longitude = np.linspace(60, 45, 6), np.linspace(-10, 11, 8)
    time = np.arange(160)[:, None, None]
    east, north = longitude[None, None, :], latitude[None, :, None]
    noise = 0.1 * np.random.default_rng(0).standard_normal((160, 6, 8))
    values = np.sin(time / 5 + east / 6) + np.cos(time / 9 - north / 4) + 280 + noise
    stamps = np.datetime64("2020-01-01", "ns") + np.arange(160) * np.timedelta64(6, "h")
    data = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), values.astype(np.float32), {"units": "K"})},
        coords={
            "time": stamps,
            "latitude": ("latitude", latitude, {"units": "degrees_north"}),
            "longitude": ("longitude", longitude, {"units": "degrees_east"}),
        },
    )
    path = tmp_path_factory.mktemp("data") / "waves.nc"
    data.to_netcdf(path)
    return path


@pytest.fixture(scope="session")
def finished(waves, process, tmp_path_factory):
    """Where one run was made, and what the process said."""
    cwd = tmp_path_factory.mktemp("work")
    return cwd, process("fit", "--data", waves, "--sensors", 4, *SMALL, cwd=cwd, text=True)


@pytest.fixture
def dynst_main(monkeypatch, capsys):
    """`dynst ARGUMENTS` in this process: exit code, stdout, stderr."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["dynst", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            dynst.cli.main()
        out, err = capsys.readouterr()
        return stop.value.code or 0, out, err

    return call
