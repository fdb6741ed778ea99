"""A forecaster on disk: one safetensors file whose head is JSON. It holds no data, and reading it runs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from dynst.backbones.kept import KeptForecaster
from dynst.domain import Channel, Layout, Plan
from dynst.domain.calendar import Calendar
from dynst.domain.timeline import Timeline
from dynst.errors import CheckpointError
from dynst.export.base import replace_whole
from dynst.forecasting.forecaster import Forecaster
from dynst.windows.climatology import Climatology, Wave
from dynst.windows.scaling import Scaling

__all__ = ["load_forecaster", "save_forecaster"]

_FORMAT = "dynst forecaster 1"


def save_forecaster(forecaster: Forecaster, path: Path) -> None:
    """Write a forecaster, whole or not at all; its sites and its layout stand in the plan of the run."""
    scaling = forecaster.scaling
    arrays: dict[str, Any] = {f"kept.{name}": value for name, value in forecaster.kept.to_arrays().items()}
    arrays |= {
        "mean": scaling.climatology.mean,
        "amplitude": scaling.climatology.amplitude,
        "std": scaling.std,
        "learnt": forecaster.learnt,
        "targets": forecaster.targets,
        "selected": forecaster.selected,
    }
    timeline = forecaster.timeline
    head = {
        "format": _FORMAT,
        "sites": forecaster.sites.fingerprint,
        "waves": [list(wave) for wave in scaling.climatology.waves],
        "calendar": {"terms": list(scaling.calendar.terms), "cycle": scaling.calendar.cycle},
        "channels": [vars(channel) for channel in forecaster.channels],
        "first": str(timeline.first) if timeline.dated else timeline.first,
        "cadence": timeline.cadence,
        "year_days": timeline.year_days,
        "began": timeline.began,
        "anew": timeline.anew,
        "history": forecaster.history,
        "made_of": forecaster.made_of,
    }
    tensors = {name: np.asarray(value, order="C") for name, value in arrays.items()}
    replace_whole(path, save(tensors, metadata={"dynst": json.dumps(head, sort_keys=True)}))


def load_forecaster(path: Path, plan: Plan, layout: Layout | None) -> Forecaster:
    """The forecaster that `save_forecaster` wrote.

    Parameters
    ----------
    path : Path
        The file.
    plan, layout : Plan, Layout or None
        Of the run: they hold the sites.

    Raises
    ------
    CheckpointError
        If there is none, it is damaged, or it belongs to other sites.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no forecaster. Make the run again with this version of dynst.")
    try:
        with safe_open(path, framework="numpy") as file:
            head = json.loads(file.metadata()["dynst"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        if head["format"] != _FORMAT:
            raise CheckpointError(f"{path}: it is of the format {head['format']}, expected {_FORMAT}.")
        if head["sites"] != plan.sites.fingerprint:
            raise CheckpointError(f"{path}: it belongs to other sites than the plan. Make the run again.")
        return _made(head, arrays, plan, layout)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{path} is no forecaster that dynst wrote ({error}). Make the run again.") from error


def _made(head: dict[str, Any], arrays: dict[str, Any], plan: Plan, layout: Layout | None) -> Forecaster:
    kept = KeptForecaster.from_arrays(
        {name.removeprefix("kept."): value for name, value in arrays.items() if name.startswith("kept.")}
    )
    mean = arrays["mean"]
    waves = tuple(Wave(unit, float(frequency), bool(sine)) for unit, frequency, sine in head["waves"])
    usual = Climatology(mean, waves, arrays["amplitude"])
    calendar = Calendar(tuple(head["calendar"]["terms"]), head["calendar"]["cycle"])
    whole = np.ones_like(mean)
    first = head["first"]
    started = np.datetime64(first, "ns") if isinstance(first, str) else int(first)
    return Forecaster(
        kept=kept,
        scaling=Scaling(usual, arrays["std"], whole, whole, calendar),
        learnt=arrays["learnt"],
        targets=arrays["targets"],
        sites=plan.sites,
        layout=layout,
        selected=arrays["selected"],
        channels=tuple(Channel(**channel) for channel in head["channels"]),
        timeline=Timeline(started, str(head["cadence"]), head["year_days"], head["began"], bool(head["anew"])),
        history=int(head["history"]),
        made_of=dict(head["made_of"]),
    )
