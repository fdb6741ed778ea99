"""Where a field came from, as its reader found it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MakersSplit", "Origin"]


@dataclass(frozen=True)
class MakersSplit:
    """Names of the cases of each part, as the makers of the data list them."""

    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Origin:
    """What a field knows of its source; all of it is optional, as a field may be made in Python.

    Parameters
    ----------
    path : str
        What the user typed.
    reader : str
        Name of the reader.
    fingerprint : str
        Changes when the data do.
    notes : tuple of str
        What the reader assumed, left out or mended, in words.
    grid : str
        Kind and shape of the grid in the file, in words.
    stations : bool
        Whether the sites are stations that stand: all of them together are a network.
    caveats : tuple of str
        What was wrong with the values themselves, and what was done: no verdict on the record is spoken without it.
    makers_split : MakersSplit or None
        Cases for training, validation and test, if the makers list them.
    sampled : str
        The fingerprint by the rule of older runs, which saw parts of large files; by it they are known again.

    Examples
    --------
    >>> Origin(path="lake.nc", notes=("made, not measured",)).fingerprint
    ''
    """

    path: str = ""
    reader: str = ""
    fingerprint: str = ""
    notes: tuple[str, ...] = ()
    grid: str = ""
    stations: bool = False
    makers_split: MakersSplit | None = None
    caveats: tuple[str, ...] = ()
    sampled: str = ""
