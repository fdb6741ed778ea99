"""Reading random windows against xarray with dask, one window at a time; and what waiting for data costs a step.

Writes its own netCDF (hourly, 32 x 64, one file a year, uncompressed) to a temporary folder and reads it both ways in
one process with one thread, in turns. Page cache warm for both.

Run: python benchmarks/window_reading.py [years, default 4]
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import gc
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from timing import Row, interleaved, show

sys.path.insert(0, str(Path(__file__).parents[1]))

from dynst.backbones.stlight import STLight  # the checkout, not an installed dynst
from dynst.domain import Field, Window
from dynst.readers import read
from dynst.windows import Scaling
from dynst.windows.dataset import WindowBatch, WindowDataset

WINDOW, BATCH, HOURS = Window(12, 12), 16, 8760


def write(folder: Path, years: int) -> list[Path]:
    rng, paths = np.random.default_rng(0), []
    latitude, longitude = np.linspace(-87.1875, 87.1875, 32), np.arange(0, 360, 5.625)
    for year in range(years):
        path = folder / f"t2m_{2000 + year}.nc"
        values = 280 + 10 * rng.standard_normal((HOURS, 32, 64), np.float32)
        time_axis = np.datetime64("2000-01-01", "h") + np.arange(year * HOURS, (year + 1) * HOURS)
        xr.Dataset(
            {"t2m": (("time", "latitude", "longitude"), values, {"units": "K"})},
            coords={
                "time": time_axis.astype("datetime64[ns]"),
                "latitude": ("latitude", latitude, {"units": "degrees_north"}),
                "longitude": ("longitude", longitude, {"units": "degrees_east"}),
            },
        ).to_netcdf(path)
        paths.append(path)
    return paths


def peer_windows(paths: list[Path], starts: np.ndarray):
    """xarray + dask: one lazy data set over all files, one window computed at a time."""
    data = xr.open_mfdataset(paths)["t2m"]

    def one_batch(number: int) -> torch.Tensor:
        chosen = starts[number * BATCH : (number + 1) * BATCH]
        return torch.from_numpy(np.stack([data[s : s + WINDOW.length].values for s in chosen]))

    return one_batch


def training_step(field: Field):
    """A step of STLight d 64, depth 6, p 2: the smallest case of the training benchmark."""
    f = WINDOW.history
    net = STLight(field.layout, features_in=f, features_out=WINDOW.prediction, dim=64, depth=6)
    optimiser = torch.optim.AdamW(net.parameters(), fused=True)

    def step(batch: WindowBatch) -> None:
        stream = batch.inputs.permute(0, 2, 1, 3).flatten(2)
        truth = batch.targets.permute(0, 2, 1, 3).flatten(2)
        optimiser.zero_grad(set_to_none=True)
        (net(stream) - truth).square().mean().backward()
        optimiser.step()

    return step


def waiting(data: WindowDataset, field: Field, *, steps: int = 24) -> tuple[float, float]:
    """Seconds of a training step, and of those the seconds spent waiting for its batch, prefetched."""
    step, waited, total = training_step(field), [], []
    stream = data.stream(BATCH, generator=torch.Generator().manual_seed(0))
    for number in range(steps):
        begin = time.perf_counter()
        batch = next(stream)
        ready = time.perf_counter()
        step(batch)
        if number >= 4:
            waited.append(ready - begin)
            total.append(time.perf_counter() - begin)
    stream.close()
    return float(np.median(total)), float(np.median(waited))


def main(years: int = 4) -> int:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write(folder, years)
        field = read(str(folder / "*.nc"), cache_dir=folder / "cache")
        data = WindowDataset(field, WINDOW, Scaling.fit(field.between(0, HOURS)))
        rng = np.random.default_rng(0)
        peer = peer_windows(paths, rng.integers(0, field.steps - WINDOW.length, 10_000))
        turn = iter(range(10_000))
        batches = data.stream(BATCH, generator=torch.Generator().manual_seed(0), prefetch=False)

        def fifty() -> None:  # each batch is let go before the next, as in training
            for _ in range(50):
                next(batches)

        theirs, ours = interleaved(lambda: peer(next(turn)), fifty, repeats=9)
        ours /= 50
        rate, peer_rate = BATCH / ours, BATCH / theirs
        step, waited = waiting(data, field)
        plain = f"{1000 * ours:.2f} ms unhidden, step {1000 * step:.0f} ms"
        rows = [
            Row(
                "windows/s, dynst / xarray + dask",
                f"{rate:.0f} / {peer_rate:.0f} ({type(field.series).__name__}, {years} files)",
                rate / peer_rate,
                200,
            ),
            Row("waiting for data, % of a training step", plain, 100 * waited / step, 1, at_most=True),
        ]
        del peer
        gc.collect()
        return show(f"Windows of {WINDOW.length} steps x {len(field.sites)} sites, batches of {BATCH}", rows)


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
