"""Where files are kept that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder", "is_alive"]


def cache_folder(cache_dir: Path | None = None) -> Path:
    """Folder for what costs much to make again: the one given, ``DYNST_CACHE``, or the platform's place for caches."""
    if cache_dir is not None:
        return cache_dir
    if os.environ.get("DYNST_CACHE"):
        return Path(os.environ["DYNST_CACHE"])
    home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".cache"
    return Path(home) / "dynst"


def is_alive(process: int) -> bool:
    """Whether a process of that number works on this machine; what a dead one left behind may go."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's
        return True
    return True
