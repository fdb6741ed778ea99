"""What every exporter does, and what all of them share: which sensors, which words, which way to the disk."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jaxtyping import Int
from numpy import ndarray

from dynst.domain import Plan
from dynst.domain.listing import Listed, listing
from dynst.errors import BudgetError, ConfigError

__all__ = ["listed", "made_by", "ranked", "replace_whole"]


def ranked(plan: Plan, top: int | None) -> Int[ndarray, " k"]:
    """Indices of the sites to export, best first."""
    if top is None:
        return plan.selected
    if not 1 <= top <= len(plan.order):
        raise BudgetError(f"top {top} is impossible: the plan ranks {len(plan.order)} sites. Choose from 1 to that.")
    return plan.order[:top]


def listed(plan: Plan, top: int | None) -> list[Listed]:
    """The sensors to export, best first; on a site with several stations each of them."""
    return listing(plan, ranked(plan, top))


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


def replace_whole(path: str | os.PathLike[str], content: bytes, *, follow: bool = True) -> None:
    """Put `content` under `path` in one step, so that nobody ever reads half a file.

    A link is followed and a pipe or a device is written to, not replaced; without `follow` they are replaced.

    Raises
    ------
    ConfigError
        If the folder is missing or cannot be written to.
    OSError
        If the disk is full or broken.
    """
    if follow and _exists(Path(path)) and not Path(path).is_file() and not Path(path).is_dir():
        Path(path).write_bytes(content)
        return
    target = Path(path).resolve() if follow else Path(path).parent.resolve() / Path(path).name
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
