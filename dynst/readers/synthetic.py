"""Records whose best sites are known: the simplest true readers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Channel, Field, GridLayout, Origin, Sites
from dynst.errors import ConfigError, unknown_name
from dynst.readers.base import Hints

__all__ = ["planted", "read", "recognises", "white_noise"]


def recognises(path: str, hints: Hints) -> bool:  # the signature is the same for all readers
    """Whether a path names a made record."""
    return path.startswith("synthetic:")


def planted(
    *,
    j: int = 3,
    shape: tuple[int, int] = (8, 10),
    steps: int = 800,
    lag: int = 4,
    noise: float = 0.3,
    memory: float = 0.0,
    seed: int = 0,
) -> tuple[Field, Int[ndarray, " j"]]:
    """A record in which `j` sites know the future of all others, and nobody else knows anything.

    At the `j` source sites a process ``s_k(t)`` is seen as it happens. Every other site `i` shows
    ``sum_k a_ik s_k(t - lag) + noise * e_i(t)`` with ``sum_k a_ik^2 = 1``: what it shows now, the sources showed `lag`
    steps ago. With `memory` 0 the sources are white noise, so whatever is known about ``t + 1 ... t + lag`` at time
    `t` is known at the sources only, and a forecast from them has an error variance of exactly ``noise^2`` at the
    other sites.

    Parameters
    ----------
    j : int
        Number of source sites.
    shape : tuple of int
        Rows and columns of the grid.
    steps : int
        Length of the record.
    lag : int
        Delay in steps: choose history and prediction not longer than that.
    noise : float
        Standard deviation of what nobody can forecast.
    memory : float
        Coefficient in [0, 1) of the AR(1) sources, of variance 1. Above 0 the other sites know a little, too.
    seed : int
        Chooses places, weights and noise.

    Returns
    -------
    Field, Int[ndarray, "j"]
        The record, and the indices of the sources, ascending.

    Examples
    --------
    >>> field, sources = planted(j=2, seed=1)
    >>> field, len(sources)
    (Field(800 steps x 80 sites x 1 channels, 1 run), 2)
    """
    rng = np.random.default_rng(seed)
    n = shape[0] * shape[1]
    if not 1 <= j < n or not 0 <= memory < 1 or lag < 1:
        raise ConfigError(
            f"a planted field needs 1 <= j < {n}, 0 <= memory < 1 and lag >= 1; {j}, {memory}, {lag} came."
        )
    sources = np.sort(rng.choice(n, j, replace=False))
    shocks = rng.standard_normal((steps + lag, j))
    signal = np.empty_like(shocks)
    signal[0] = shocks[0]
    for t in range(1, steps + lag):
        signal[t] = memory * signal[t - 1] + np.sqrt(1 - memory**2) * shocks[t]
    weights = rng.standard_normal((n, j))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    values = signal[:steps] @ weights.T + noise * rng.standard_normal((steps, n))
    values[:, sources] = signal[lag:]
    return _regional(values, shape, "planted", seed), sources


def white_noise(*, shape: tuple[int, int] = (6, 8), steps: int = 400, seed: int = 0) -> Field:
    """A record that nothing can forecast: no site is better than another.

    Examples
    --------
    >>> white_noise(steps=50)
    Field(50 steps x 48 sites x 1 channels, 1 run)
    """
    values = np.random.default_rng(seed).standard_normal((steps, shape[0] * shape[1]))
    return _regional(values, shape, "white_noise", seed)


def read(
    path: str,
    *,
    observe: Sequence[str] | None = None,
    predict: Sequence[str] | None = None,
    cache_dir: Path | None = None,
    hints: Hints = Hints(),  # noqa: B008 - frozen
) -> Field:
    """A made record by its name: ``synthetic:planted`` or ``synthetic:white_noise``.

    A seed may follow, as in ``synthetic:planted:7``.

    Raises
    ------
    ConfigError
        If there is no such record, the seed is no number, or another channel than ``signal`` is asked for.

    Examples
    --------
    >>> read("synthetic:planted:7").name
    'planted-7'
    """
    hints.check("synthetic")
    kind, _, seed = path.removeprefix("synthetic:").partition(":")
    if kind not in ("planted", "white_noise"):
        raise ConfigError(unknown_name("synthetic record", kind, ["planted", "white_noise"]))
    if seed and not seed.isdecimal():
        raise ConfigError(f'{path}: the seed must be a whole number; "{seed}" came.')
    for name in (*(observe or ()), *(predict or ())):
        if name != "signal":
            raise ConfigError(unknown_name("channel", name, ["signal"]))
    number = int(seed or 0)
    return planted(seed=number)[0] if kind == "planted" else white_noise(seed=number)


def _regional(values: ndarray, shape: tuple[int, int], kind: str, seed: int) -> Field:
    latitude, longitude = np.meshgrid(
        np.linspace(60.0, 45.0, shape[0]), np.linspace(-10.0, 10.0, shape[1]), indexing="ij"
    )
    sites = Sites(longitude.ravel(), latitude.ravel(), area=np.cos(np.radians(latitude.ravel())))
    field = Field.of(
        values[:, :, None].astype(np.float32),
        sites,
        GridLayout(shape, np.arange(len(sites))),
        channels=(Channel("signal", "1", "made by a known process"),),
        name=f"{kind}-{seed}",
    )
    digest = hashlib.sha256(values.astype(np.float32).tobytes()).hexdigest()[:16]
    origin = Origin(f"synthetic:{kind}:{seed}", "synthetic", digest, ("made, not measured",))
    return replace(field, origin=origin)
