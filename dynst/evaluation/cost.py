"""What a forecast costs at each sparsity: dense, with absent sites masked, and with absent sites removed.

Nothing here decides anything: seconds depend on the machine and its load, so no plan, mask or verdict may read them.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray

from dynst.backbones import BACKBONES, backbone_for
from dynst.domain import Field, Window
from dynst.errors import ConfigError, unknown_name
from dynst.sparsity import MaskState
from dynst.training import MaskedForecaster, build_forecaster
from dynst.windows import Scaling, window_starts
from dynst.windows.dataset import WindowDataset

__all__ = ["Form", "forecast_cost"]

Form = Literal["dense", "masked", "removed"]

_BATCH, _REPEATS = 16, 5  # windows in a pass, as many as training takes; passes of which the median counts


def forecast_cost(
    field: Field,
    window: Window,
    budgets: Sequence[int],
    backbone: str | None = None,
    *,
    batch: int = _BATCH,
    repeats: int = _REPEATS,
    grown: Callable[[Callable[[], object]], float] | None = None,
) -> list[dict[str, Any]]:
    """Seconds of a forecast by each form of the network, in one thread.

    *dense* has a sensor at every site. *masked* has `budget` sensors and computes every site, those without a sensor
    reading zero: a zero costs as much as a number, so this saves nothing. *removed* computes inputs at the sensors
    alone and forecasts all sites as before; only a backbone that claims ``sensors_only`` can.

    Cost depends neither on the weights, which are untrained, nor on which sites they are: evenly spaced legal ones.

    Parameters
    ----------
    field : Field
        The record; its last windows are forecast.
    window : Window
        History and prediction.
    budgets : sequence of int
        Numbers of sensors.
    backbone : str or None
        Name in `BACKBONES`; the one that suits the layout if left out.
    batch, repeats : int
        Windows in one pass, and passes; the median of their seconds counts.
    grown : callable or None
        Megabytes by which the process grows at most during a call, where one can tell.

    Returns
    -------
    list of dict
        JSON types: ``backbone``, ``form``, ``sensors``, ``sites``, ``sparsity``, ``seconds`` (a pass of ``windows``
        windows), ``times_dense`` (seconds of the dense pass / seconds of this one), ``parameters`` (numbers in the
        network), ``passes`` (forward passes that a forecast takes), ``peak_mb`` (None where not known), ``note``.

    Raises
    ------
    ConfigError
        If the backbone is unknown.
    BudgetError
        If a budget is impossible.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.arange(4.0), np.zeros(4))
    >>> field = Field.of(np.random.default_rng(0).random((9, 4, 1)), sites, GridLayout((1, 4), np.arange(4)))
    >>> [(row["form"], row["sensors"], row["sparsity"]) for row in forecast_cost(field, Window(2, 1), [1], repeats=1)]
    [('dense', 4, 0.0), ('masked', 1, 0.75)]
    """
    name = backbone or backbone_for(field.layout)
    if name not in BACKBONES:
        raise ConfigError(unknown_name("backbone", name, BACKBONES))
    for budget in budgets:
        field.sites.check_budget(budget)
    sparse: tuple[Form, ...] = ("masked", "removed") if BACKBONES[name].load().sensors_only else ("masked",)
    n, scaling = len(field.sites), Scaling.fit(field)
    starts = window_starts(field, window)[-batch:]
    inputs = next(iter(WindowDataset(field, window, scaling, starts).batches(batch))).inputs
    cases: list[tuple[Form, int]] = [("dense", n)]
    cases += [(form, budget) for budget in sorted(set(budgets), reverse=True) for form in sparse]
    rows: list[dict[str, Any]] = []
    with _one_thread():
        for form, budget in cases:
            sensors = np.arange(n) if form == "dense" else _spaced(field, budget)
            forecaster = _forecaster(field, window, scaling, name, sensors, only=form == "removed")
            seconds, peak = _measured(lambda f=forecaster: f(inputs), repeats, grown)  # type: ignore[misc]  # a default binds it now
            rows.append({
                "backbone": name,
                "form": form,
                "sensors": budget,
                "sites": n,
                "sparsity": 1 - budget / n,
                "windows": len(starts),
                "seconds": seconds,
                "times_dense": rows[0]["seconds"] / seconds if rows else 1.0,
                "parameters": sum(parameter.numel() for parameter in forecaster.backbone.parameters()),
                "passes": 1,
                "peak_mb": peak,
                "note": _note(form, name, sparse),
            })  # fmt: skip
    return rows


def _forecaster(
    field: Field, window: Window, scaling: Scaling, backbone: str, selected: Int[ndarray, " k"], *, only: bool
) -> MaskedForecaster:
    active, none = torch.zeros(len(field.sites), dtype=torch.bool), torch.zeros(len(field.sites), dtype=torch.bool)
    active[torch.from_numpy(selected)] = True
    mask = MaskState(active, torch.ones(len(field.sites)), none, none, 0)
    sensors = selected if only else None
    return build_forecaster(field, window, mask, seed=0, backbone=backbone, sensors=sensors, scaling=scaling).eval()


def _spaced(field: Field, budget: int) -> Int[ndarray, " k"]:
    legal = field.sites.legal
    return legal[np.arange(budget) * len(legal) // budget]


@torch.no_grad()
def _measured(
    forecast: Callable[[], object], repeats: int, grown: Callable[[Callable[[], object]], float] | None
) -> tuple[float, float | None]:
    """Median seconds of a forecast, and how far memory rose in one more; the first one, which sets things up, apart."""
    forecast()
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        forecast()
        seconds.append(time.perf_counter() - begin)
    peak = grown(forecast) if grown is not None else math.nan
    return statistics.median(seconds), peak if math.isfinite(peak) else None


def _note(form: Form, backbone: str, sparse: Sequence[Form]) -> str:
    if form == "masked" and "removed" not in sparse:
        return f"{backbone} computes every cell of the grid: a mask on its inputs saves no time."
    if form == "masked":
        return "Every site is computed; those without a sensor read zero, which saves no time."
    if form == "removed":
        return "Inputs are computed at the sensors alone; every site is forecast all the same."
    return ""


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
