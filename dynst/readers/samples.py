"""The records that need no file of the user's: small real ones that ship with the package, and made ones."""

from __future__ import annotations

from pathlib import Path

from dynst.errors import ConfigError, DataError, unknown_name

__all__ = ["DEFAULT_SAMPLE", "list_samples", "sample_path"]

DEFAULT_SAMPLE = "era5_natl_msl"
"""What `dynst fit` runs on when no data are named."""


_MADE = {
    "planted": "Made, not measured: some sites know the others' future; with a seed, synthetic:planted[:SEED]",
    "white_noise": "Made, not measured: nothing can be forecast; with a seed, synthetic:white_noise[:SEED]",
}


def list_samples() -> dict[str, str]:
    """Names of the samples, each with the first line of its card, and of the made records.

    Examples
    --------
    >>> "era5_natl_msl" in list_samples(), "planted" in list_samples()
    (True, True)
    """
    return {
        card.stem: card.read_text(encoding="utf-8").splitlines()[0].lstrip("# ").strip()
        for card in sorted(_folder().glob("*.md"))
        if _data(card.stem)
    } | _MADE


def sample_path(name: str) -> str:
    """File or folder of a sample; of a made record, what `read` knows it by.

    Raises
    ------
    ConfigError
        If there is no sample of this name.

    Examples
    --------
    >>> sample_path("planted:7")
    'synthetic:planted:7'
    """
    known = list_samples()
    if name.partition(":")[0] in _MADE:
        return f"synthetic:{name}"
    if name not in known:
        raise ConfigError(unknown_name("sample", name, known))
    return str(_data(name))


def _data(name: str) -> Path | None:
    """The file or folder beside a card."""
    beside = (path for path in sorted(_folder().glob(f"{name}*")) if path.stem == name and path.suffix != ".md")
    return next(beside, None)


def _folder() -> Path:
    """Inside an installed package, or the `data` folder of a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "samples", package.parent / "data"):
        if (folder / f"{DEFAULT_SAMPLE}.nc").is_file():
            return folder
    raise DataError(f"the samples are missing from this installation ({package / 'samples'}). Install dynst again.")
