"""Small fields with known structure, and the tasks made of them."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from dynst.domain import Channel, Field, GridLayout, Role, Sites, Window
from dynst.domain.room import Room
from dynst.planners.base import Task


def _reference(name):
    """A plain version from tests/reference."""
    path = Path(__file__).parents[1] / "reference" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"reference_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def reference():
    return _reference


def _field(values, *, rows, columns, role=None):
    latitude, longitude = np.meshgrid(np.linspace(60, 45, rows), np.linspace(-10, 10, columns), indexing="ij")
    sites = Sites(
        longitude.ravel(),
        latitude.ravel(),
        area=np.cos(np.radians(latitude.ravel())),
        role=np.zeros(rows * columns, np.int8) if role is None else np.asarray(role, np.int8),
    )
    channels = tuple(Channel(f"c{i}", "K") for i in range(values.shape[2]))
    return Field.of(values, sites, GridLayout((rows, columns), np.arange(rows * columns)), channels=channels)


def _task(values, budget, *, rows=5, columns=6, role=None, window=None, cut=None):
    field = _field(np.asarray(values, np.float32), rows=rows, columns=columns, role=role)
    cut = cut or int(0.75 * field.steps)
    return Task.make(field.between(0, cut), field.between(cut, field.steps), window or Window(2, 2), budget)


def _waves(*, rows=5, columns=6, steps=150, noise=0.2, seed=0, channels=1):
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    time = np.arange(steps)[:, None, None]
    values = np.stack(
        [np.sin(time / 5 + x / (2 + i)) + np.cos(time / 9 - y / (1.5 + i)) for i in range(channels)], axis=-1
    ).reshape(steps, rows * columns, channels)
    return values + noise * rng.standard_normal(values.shape) + 280


@pytest.fixture(scope="session")
def make_task():
    return _task


@pytest.fixture(scope="session")
def waves():
    return _waves


def _room(size, forbidden=()):
    role = np.zeros(size, np.int8)
    role[list(forbidden)] = Role.FORBIDDEN
    return Room(Sites(np.linspace(-170.0, 170.0, size), np.zeros(size), role=role))


@pytest.fixture(scope="session")
def room_of():
    """Room on a line of sites."""
    return _room
