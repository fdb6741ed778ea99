"""`inspect` says what is there and what a fit would do, and converts nothing."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from dynst.domain import Window
from dynst.errors import ConfigError
from dynst.readers import gridded, inspect, inspection, list_samples, read


@pytest.mark.parametrize("name", list_samples())
def test_samples_are_read_and_inspected(name):
    field, found = read(f"sample:{name}"), inspect(f"sample:{name}")
    assert (found.sites, found.steps, found.cadence) == (len(field.sites), field.steps, field.cadence)
    assert found.fingerprint == field.origin.fingerprint
    assert field.name in (name, f"{name}-0")  # made records are named with their seed
    json.dumps(found.as_dict())
    assert all(isinstance(text, str) for row in found.rows() for text in row)


def test_made_records_are_listed_under_the_name_that_takes_a_seed():
    for name in ("planted", "white_noise"):
        assert f"synthetic:{name}[:SEED]" in list_samples()[name]
    assert read("sample:planted:7").origin.fingerprint == read("synthetic:planted:7").origin.fingerprint


def test_the_default_sample_is_what_its_card_says():
    field = read("sample:era5_natl_msl")
    assert (field.steps, field.layout.shape, field.cadence) == (360, (24, 36), "6 h")
    assert (field.sites.x[0], field.sites.y[0]) == (-70.0, 80.0)
    assert (field.sites.x[-1], field.sites.y[-1]) == (17.5, 22.5)
    values = field.series.read(0, 360)
    assert 93_000 < values.min() < values.mean() < values.max() < 108_000


def test_what_a_fit_would_do_is_what_it_does():
    windows = pytest.importorskip("dynst.windows")
    field, found = read("sample:era5_natl_msl"), inspect("sample:era5_natl_msl")
    window = Window.for_record(field.steps)
    split = windows.split_by_time(field, window)
    assert found.split == (split.train.steps, split.valid.steps, split.test.steps)
    assert found.windows == len(windows.window_starts(field, window))


def test_a_record_too_short_is_a_problem_and_no_error():
    found = inspect("sample:coads_sst")
    assert "12 time steps are too few" in found.problem
    assert ("fit", f"would stop: {found.problem}") in found.rows()


def test_stations_with_many_channels_are_shown_with_what_stops_a_fit(shared_data):
    (path,) = (shared_data / "canada_cities").glob("*.nc")
    found = inspect(str(path))
    assert "offers 24 channels" in found.problem
    assert ("fit", f"would stop: {found.problem}") in found.rows()
    assert len(found.variables) == 24
    assert found.sites == 5
    assert "only evspsblpot is read for this look" in found.notes
    one = inspect(str(path), observe=["tas"])
    assert one.problem == found.problem
    assert one.observe == one.predict == ("tas",)
    assert not inspect(str(path), observe=["tas"], predict=["tas"]).problem
    with pytest.raises(ConfigError, match="tass"):
        inspect(str(path), observe=["tass"])


def test_a_stack_larger_than_memory_is_looked_at_in_blocks(tmp_path):
    path = tmp_path / "a1_fds.npy"
    stack = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(1, 800, 2, 256, 128))
    for step in range(800):
        stack[0, step] = step
    stack[0, ::8, 1, 3, 4] = np.nan
    stack.flush()
    del stack
    code = """if True:
        import resource, sys
        from dynst.readers import inspect
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        before = peak()
        found = inspect(sys.argv[1])
        print(peak() - before, found.memory_mb, found.missing_share * 800 * 2 * 256 * 128)
    """
    env = {**os.environ, "OMP_NUM_THREADS": "1", "DYNST_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code, str(path)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown, size, missing = map(float, done.stdout.split())
    assert size > 200
    assert missing == pytest.approx(100)
    assert grown < 120


def test_a_file_with_many_channels_lists_them_all(weather, tmp_path):
    many = weather.z.isel(level=[0] * 9).assign_coords(level=np.arange(100, 1000, 100)).to_dataset()
    many.to_netcdf(tmp_path / "x.nc")
    found = inspect(str(tmp_path / "x.nc"))
    assert "offers 9 channels" in found.problem
    assert len(found.variables[0].channels) == 9
    assert not inspect(str(tmp_path / "x.nc"), observe=["z100"], predict=["z100"]).problem


def test_a_large_record_is_looked_at_and_not_converted(weather, tmp_path, monkeypatch):
    t2m = weather[["t2m"]]
    t2m.t2m[:, 2, 3] = np.nan
    t2m.to_netcdf(tmp_path / "x.nc")
    monkeypatch.setenv("DYNST_CACHE", str(tmp_path / "cache"))
    for module in (gridded, inspection):
        monkeypatch.setattr(module, "IN_MEMORY_BYTES", 1 << 10)
    found = inspect(str(tmp_path / "x.nc"))
    assert not (tmp_path / "cache").exists()
    assert (found.sites, found.sites_are_counted, found.stays_in_memory) == (95, False, False)
    assert dict(found.rows())["sites"].startswith("about 95 of 96")


def test_variables_left_aside_are_shown_with_the_reason(grid_file):
    found = inspect(grid_file(extra={"orog": xr.DataArray(np.ones((3, 4)), dims=("lat", "lon"))}))
    assert dict(found.rows())["not used: orog"] == "it is static (no time dimension)"


def test_sample_names():
    with pytest.raises(ConfigError, match=r"which sample.*sample:arome_wind"):
        read("sample:")
    with pytest.raises(ConfigError, match='Did you mean "coads_sst"'):
        read("sample:coads")
