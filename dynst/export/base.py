"""What every exporter does, and what all of them share: which sensors, which words, which way to the disk."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Layout, Plan
from dynst.errors import BudgetError, ConfigError, unknown_name

__all__ = ["Exporter", "Render", "choose", "made_by", "ranked", "replace_whole"]


@runtime_checkable
class Render(Protocol):
    """A plan as the bytes of a file."""

    def __call__(self, plan: Plan, *, layout: Layout | None, top: int | None, title: str | None) -> bytes:
        """Bytes of the file; see `Exporter.render`."""


@dataclass(frozen=True)
class Exporter:
    """One file format for plans.

    Parameters
    ----------
    format : str
        Its name.
    suffix : str
        Ending of its files, with the dot.
    summary : str
        What it is good for, in half a line.
    module, function : str
        Place of the `Render` inside this folder; imported at first use, as charts and polygons take long to load.
    text : bool
        Whether the bytes are UTF-8 text that a terminal can show.
    """

    format: str
    suffix: str
    summary: str
    module: str
    function: str
    text: bool

    def render(
        self, plan: Plan, *, layout: Layout | None = None, top: int | None = None, title: str | None = None
    ) -> bytes:
        """The plan as the bytes of a file: same plan, same bytes.

        Parameters
        ----------
        plan : Plan
            The ranked sites.
        layout : Layout or None
            The grid of the sites, for their cells, or their graph; without it there are only points.
        top : int or None
            So many sensors of best rank; the plan's budget if left out. More than the budget extends the plan.
        title : str or None
            For formats that carry one.

        Raises
        ------
        BudgetError
            If `top` is more than the plan ranks.
        """
        ranked(plan, top)
        make: Render = getattr(import_module(f"dynst.export.{self.module}"), self.function)
        return make(plan, layout=layout, top=top, title=title)

    def write(
        self,
        plan: Plan,
        path: str | os.PathLike[str],
        *,
        layout: Layout | None = None,
        top: int | None = None,
        title: str | None = None,
    ) -> None:
        """Write the file whole or not at all; what stood under its name is replaced. See `render`."""
        replace_whole(path, self.render(plan, layout=layout, top=top, title=title))


def choose(
    exporters: Mapping[str, Exporter], *, format: str | None, path: str | os.PathLike[str] | None = None
) -> Exporter:
    """The exporter by name or, if no name is given, by the ending of `path`.

    Raises
    ------
    ConfigError
        If there is none.
    """
    endings = {ending: exporter for exporter in exporters.values() for ending in _endings(exporter)}
    ending = Path(path or "").suffix.lower()
    if format is not None:
        if format not in exporters:
            raise ConfigError(unknown_name("export format", format, exporters))
        if endings.get(ending, exporters[format]) is not exporters[format]:
            raise ConfigError(f"{path} is named like {endings[ending].format}, but {format} was asked for. Choose one.")
        return exporters[format]
    if ending not in endings:
        raise ConfigError(
            f'the ending "{ending}" of {path or "an unnamed file"} names no export format. '
            f"Give --format, or one of {', '.join(sorted(endings))}."
        )
    return endings[ending]


def _endings(exporter: Exporter) -> tuple[str, ...]:
    return (exporter.suffix, f".{exporter.format}")


def ranked(plan: Plan, top: int | None) -> Int[ndarray, " k"]:
    """Indices of the sites to export, best first."""
    if top is None:
        return plan.selected
    if not 1 <= top <= len(plan.order):
        raise BudgetError(f"top {top} is impossible: the plan ranks {len(plan.order)} sites. Choose from 1 to that.")
    return plan.order[:top]


def made_by(plan: Plan) -> str:
    """One line that says how the plan came to be, for formats in which each row must speak for itself.

    Examples
    --------
    >>> import numpy as np
    >>> from dynst.domain import Sites
    >>> plan = Plan(np.array([0]), np.ones(1), 1, Sites(np.zeros(1), np.zeros(1)), "coverage", provenance={"seed": 3})
    >>> made_by(plan).split(", ", 1)[1]
    'planner coverage, seed 3, 1 of 1 sites 3de067cd4295940d'
    """
    seed = f", seed {plan.provenance['seed']}" if "seed" in plan.provenance else ""
    sites = f"{plan.budget} of {len(plan.sites)} sites {plan.sites.fingerprint}"
    return f"dynst {_version()}, planner {plan.planner}{seed}, {sites}"


def _version() -> str:
    try:
        return version("dynst")
    except PackageNotFoundError:  # a checkout that was never installed
        return "of a checkout"


def replace_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Put `content` under `path` in one step, so that nobody ever reads half a file.

    A link is followed; a pipe or a device is written to, not replaced.

    Raises
    ------
    ConfigError
        If the folder is missing or cannot be written to.
    OSError
        If the disk is full or broken.
    """
    if _exists(Path(path)) and not Path(path).is_file() and not Path(path).is_dir():
        Path(path).write_bytes(content)
        return
    target = Path(path).resolve()
    if not target.name or (_exists(target) and target.is_dir()):
        raise ConfigError(f"{path or 'an empty name'} is a folder. Give a file in it.")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        draft.write_bytes(content)
        os.replace(draft, target)  # noqa: PTH105  # Path.replace hides that this is the atomic one
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}:
            raise  # the request is right, the disk is not
        raise ConfigError(
            f"{target} cannot be written ({error.strerror}). Give a file in a folder that exists and is yours."
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def _exists(path: Path) -> bool:
    """Whether there is anything of that name; a name that is too long has nothing."""
    try:
        return path.exists()
    except OSError:
        return False
