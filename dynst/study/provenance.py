"""What one needs to know to make a run again."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["provenance", "versions"]

_LIBRARIES = ("numpy", "scipy", "torch", "xarray", "zarr", "netCDF4")


def provenance(*, seed: int, device: str, data: Mapping[str, object]) -> dict[str, object]:
    """What one needs to know to make the run again, as JSON types."""
    return versions() | {
        "platform": platform.platform(),
        "processor": platform.machine(),
        "threads": os.environ.get("OMP_NUM_THREADS", str(os.cpu_count())),
        "command": " ".join(["dynst", *sys.argv[1:]]),
        "seed": seed,
        "device": device,
        "data": dict(data),
    }


def versions() -> dict[str, object]:
    """Of dynst, Python and the libraries that compute; a plan is the same bit for bit only while they are."""
    return {
        "dynst": _version("dynst"),
        "commit": _commit(),
        "python": platform.python_version(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _commit() -> str | None:
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        answer = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()
