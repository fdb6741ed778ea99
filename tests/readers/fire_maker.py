"""Format-true stacks of frames: tunnel fires cut into overlapping events, taxi flow and its repackagings."""

import h5py
import numpy as np


def fire_run(steps=40, rows=8, columns=24, *, seed=0):
    """A hot plume that spreads below the ceiling (the last row) and is carried along: `(steps, 2, rows, columns)`."""
    rng = np.random.default_rng(seed)
    source, wind, power = rng.uniform(0.2, 0.6), rng.uniform(0.002, 0.01), rng.uniform(200, 500)
    time = np.arange(1, steps + 1)[:, None, None]
    height = np.linspace(0, 1, rows)[None, :, None]
    along = np.linspace(0, 1, columns)[None, None, :]
    reach = 0.05 + 0.01 * np.sqrt(time)
    plume = np.exp(-(((along - source - wind * time) / reach) ** 2)) * np.exp(-(((1 - height) / 0.4) ** 2))
    flicker = 1 + 0.1 * np.sin(time * (1 + seed % 3) / 3 + 9 * along)
    temperature = 20 + power * plume * flicker * (1 - np.exp(-time / 10))
    visibility = 30 / (1 + (temperature - 20) / 40)
    return np.stack([temperature, visibility], axis=1).astype(np.float32)


def cut(run, length=10, stride=1):
    """The windows of a run, as events: `(events, length, ...)`."""
    return np.stack([run[start : start + length] for start in range(0, len(run) - length + 1, stride)])


def write_fires(folder, scenarios=4, *, stride=1, length=10, **shape):
    """Scenarios ``a<k>_fds.npy``; the runs behind them."""
    runs = [fire_run(seed=k, **shape) for k in range(scenarios)]
    for k, run in enumerate(runs):
        np.save(folder / f"a{k + 1}_fds.npy", cut(run, length, stride))
    return runs


def write_taxi(path, dates, values):
    """``BJ<yy>_M32x32_T30_InOut.h5``: dates as fixed texts, data `(slots, 2, rows, columns)`."""
    with h5py.File(path, "w") as file:
        file["date"] = np.array(dates, "S10")
        file["data"] = values
