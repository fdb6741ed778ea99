"""Shared fixtures: one thread, seeded generators, small fields, the optional folder of larger real data."""

import os
import shutil
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from jaxtyping import install_import_hook

install_import_hook("dynst", "beartype.beartype")  # shape annotations are checked while the tests run

import numpy as np
import pytest

from dynst.domain import Channel, Field, GridLayout, Sites


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Two torch threads beside any other busy process can be 50 times slower than one."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of larger real data files that do not ship with the project; tests that need it are skipped without it."""
    folder = os.environ.get("DYNST_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("set DYNST_TEST_DATA to the folder of larger real data sets")
    return Path(folder)


def wave_field(*, rows=6, columns=8, steps=160, noise=0.1, seed=0, channels=1):
    """A small regional field of travelling waves with noise: forecastable, and cheap."""
    rng = np.random.default_rng(seed)
    latitude, longitude = np.meshgrid(np.linspace(60, 45, rows), np.linspace(-10, 10, columns), indexing="ij")
    time = np.arange(steps)[:, None, None]
    phase = rng.uniform(0, 6, channels)
    values = np.stack(
        [
            np.sin(time / 5 + longitude / 6 + phase[i]) + np.cos(time / 9 - latitude / 4 + phase[i]) + 280
            for i in range(channels)
        ],
        axis=-1,
    ).reshape(steps, rows * columns, channels)
    values = values + noise * rng.standard_normal(values.shape)
    sites = Sites(longitude.ravel(), latitude.ravel(), area=np.cos(np.radians(latitude.ravel())))
    layout = GridLayout((rows, columns), np.arange(rows * columns))
    names = tuple(Channel(f"t{i}", "K") for i in range(channels))
    return Field.of(values, sites, layout, channels=names, name="waves", cadence="6 h")


@pytest.fixture
def tiny_grid():
    return wave_field()


@pytest.fixture(scope="module")
def browser():
    """Chromium with the network off; tests that need it are skipped where there is none."""
    chromium = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("needs chromium and chromedriver (Debian: chromium, chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (
        "--headless=new",
        "--no-sandbox",  # a container has no rights to make one
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--proxy-server=127.0.0.1:9",  # the discard port: nobody listens
        "--proxy-bypass-list=<-loopback>",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver, env=environment))
    try:
        yield window
    finally:
        window.quit()
