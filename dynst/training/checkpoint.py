"""A training state on disk: one safetensors file, written whole or not at all, from which a run goes on bit for bit."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from dynst.errors import CheckpointError
from dynst.sparsity import Evidence
from dynst.training.state import TrainingState

__all__ = ["Saver", "restore_training", "save_training"]

_FORMAT = "dynst training 1"


def save_training(path: Path, state: TrainingState, *, study: Mapping[str, Any]) -> None:
    """Write everything a resume needs: weights, moments, mask, evidence, draws, best and first weights, position.

    Parameters
    ----------
    path : Path
        The file, with suffix ``.safetensors``. It holds either the former state or this one, never a part of one.
    state : TrainingState
        Between two steps.
    study : mapping
        What the run is about, in JSON types; `restore_training` refuses to resume another study.
    """
    head = {
        "format": _FORMAT,
        "study": study,
        "step": state.step,
        "mask_step": state.forecaster.mask.step,
        "batches": state.evidence.batches,
        "best_error": None if math.isinf(state.best_error) else state.best_error,
        "seed": state.seed,
        "history": state.history,
    }
    tensors = {name: value.detach().cpu().contiguous() for name, value in _tensors(state).items()}
    _write_whole(path, save(tensors, metadata={"dynst": json.dumps(head, sort_keys=True)}))


def restore_training(path: Path, state: TrainingState, *, study: Mapping[str, Any]) -> None:
    """Bring a freshly started `state` to where the file left off.

    Raises
    ------
    CheckpointError
        If the file is damaged, of another format, or about another study.
    """
    head, tensors = _read(path)
    _check_study(path, head["study"], study)
    state.forecaster.load_state_dict(_part(tensors, "forecaster"))
    state.forecaster.mask.step = head["mask_step"]
    for i, parameter in enumerate(_parameters(state)):
        moments = _part(tensors, f"optimiser.{i}")
        state.optimiser.state[parameter] = {name: _like(parameter, value) for name, value in moments.items()}
    evidence = _part(tensors, "evidence")
    state.evidence = Evidence(evidence["signed"], evidence["absolute"], evidence["average"], head["batches"])
    state.generator.set_state(tensors["generator"])
    state.step, state.seed = head["step"], head["seed"]
    state.best_error = math.inf if head["best_error"] is None else head["best_error"]
    state.history = [(step, births, deaths) for step, births, deaths in head["history"]]
    state.best, state.origin = _part(tensors, "best"), _part(tensors, "origin")


class Saver:
    """Saves a training now and then in one place, and brings it back.

    Parameters
    ----------
    place : Path or None
        Folder, or file with suffix ``.safetensors``. None saves nothing.
    every : int
        Steps between two savings.
    study : mapping
        What the training is about, in JSON types.
    """

    def __init__(self, place: Path | None, *, every: int, study: Mapping[str, Any]) -> None:
        self.path = place if place is None or place.suffix == ".safetensors" else place / "training.safetensors"
        self.every, self.study = every, study

    def restore(self, state: TrainingState) -> None:
        """Bring a fresh state to where the file left off, if there is one."""
        if self.path is not None and self.path.exists():
            restore_training(self.path, state, study=self.study)

    def save(self, state: TrainingState, *, steps: int) -> None:
        """Save the state if it is time, and always after the last of `steps`."""
        if self.path is not None and (state.step % self.every == 0 or state.step == steps):
            save_training(self.path, state, study=self.study)


def _tensors(state: TrainingState) -> dict[str, Tensor]:
    evidence = state.evidence
    tensors = {
        "evidence.signed": evidence.signed,
        "evidence.absolute": evidence.absolute,
        "evidence.average": evidence.average,
        "generator": state.generator.get_state(),
    }
    parts = {"forecaster": state.forecaster.state_dict(), "best": state.best, "origin": state.origin}
    for part, values in parts.items():
        tensors |= {f"{part}.{name}": value for name, value in values.items()}
    for i, parameter in enumerate(_parameters(state)):
        moments = state.optimiser.state.get(parameter, {})
        tensors |= {f"optimiser.{i}.{name}": torch.as_tensor(value) for name, value in moments.items()}
    return {name: value.clone() if name.startswith("evidence") else value for name, value in tensors.items()}


def _parameters(state: TrainingState) -> list[Tensor]:
    return [parameter for group in state.optimiser.param_groups for parameter in group["params"]]


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in tensors.items() if key.startswith(f"{name}.")}


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """The value on the parameter's device and in its memory layout; a step counter stays a number."""
    if value.shape != parameter.shape:
        return value.to(parameter.device)
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        with safe_open(path, framework="pt") as file:
            head = json.loads((file.metadata() or {}).get("dynst", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (OSError, SafetensorError, ValueError) as err:
        raise CheckpointError(f"{path}: not a readable checkpoint ({err}). Delete it to start anew.") from err
    if head.get("format") != _FORMAT:
        raise CheckpointError(
            f'{path}: format "{head.get("format")}" came, "{_FORMAT}" was expected. Delete it to start anew.'
        )
    return head, tensors


def _check_study(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))
    for key in sorted({*found, *wanted}):
        if found.get(key) != wanted.get(key):
            raise CheckpointError(
                f"{path}: the checkpoint is of another study: {key} is {found.get(key)} there and {wanted.get(key)} "
                "here. Delete it to start anew, or run the study it belongs to."
            )


def _write_whole(path: Path, content: bytes) -> None:
    """Write beside the file, reach the disk, then rename: a killed process leaves the former file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
