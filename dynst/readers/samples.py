"""The small real records that ship with the package."""

from __future__ import annotations

from pathlib import Path

from dynst.errors import ConfigError, DataError, unknown_name

__all__ = ["DEFAULT_SAMPLE", "list_samples", "sample_path"]

DEFAULT_SAMPLE = "era5_natl_msl"
"""What `dynst fit` runs on when no data are named."""


def list_samples() -> dict[str, str]:
    """Names of the samples, each with the first line of its card.

    Examples
    --------
    >>> "era5_natl_msl" in list_samples()
    True
    """
    cards = {path.stem: path for path in sorted(_folder().glob("*.md"))}
    return {
        path.stem: cards[path.stem].read_text(encoding="utf-8").splitlines()[0].lstrip("# ").strip()
        for path in sorted(_folder().glob("*.nc"))
        if path.stem in cards
    }


def sample_path(name: str) -> Path:
    """File of a sample.

    Raises
    ------
    ConfigError
        If there is no sample of this name.
    """
    known = list_samples()
    if name not in known:
        raise ConfigError(unknown_name("sample", name, known))
    return _folder() / f"{name}.nc"


def _folder() -> Path:
    """Inside an installed package, or the `data` folder of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "samples", package.parent / "data"):
        if (folder / f"{DEFAULT_SAMPLE}.nc").is_file():
            return folder
    raise DataError(f"the samples are missing from this installation ({package / 'samples'}). Install dynst again.")
