"""What a reader promises, and which reader a path asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from dynst.domain import Field

__all__ = ["Reader", "sniff"]


class Reader(Protocol):
    """Turns a path into a `Field`: everything odd about a format ends here."""

    def __call__(
        self,
        path: str,
        *,
        observe: Sequence[str] | None = None,
        predict: Sequence[str] | None = None,
        cache_dir: Path | None = None,
    ) -> Field:
        """The record behind `path`.

        Parameters
        ----------
        path : str
            A path, a pattern, a folder or a URL.
        observe, predict : sequence of str, optional
            Channels that sensors measure, and that are forecast.
        cache_dir : Path, optional
            Where large records are kept once converted.

        Raises
        ------
        DataError, ConfigError
            One clear line for whatever the user can mend.
        """


def sniff(path: str) -> str:
    """Name of the reader for a path, as in the table `READERS`.

    Examples
    --------
    >>> sniff("synthetic:planted"), sniff("era5.nc")
    ('synthetic', 'gridded')
    """
    return "synthetic" if path.startswith("synthetic:") else "gridded"
