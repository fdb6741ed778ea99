"""Files to fields: everything odd about a format ends here. Loaded when first used: a format needs its libraries."""

from importlib import import_module
from typing import TYPE_CHECKING

from dynst.readers.base import Hints, Reader
from dynst.readers.samples import DEFAULT_SAMPLE, list_samples, sample_path

if TYPE_CHECKING:
    from dynst.readers.door import READERS, read, resolve, sniff
    from dynst.readers.inspection import Inspection, inspect

__all__ = [
    "DEFAULT_SAMPLE",
    "READERS",
    "Hints",
    "Inspection",
    "Reader",
    "inspect",
    "list_samples",
    "read",
    "resolve",
    "sample_path",
    "sniff",
]

_HOMES = {
    "dynst.readers.door": ("READERS", "read", "resolve", "sniff"),
    "dynst.readers.inspection": ("Inspection", "inspect"),
}


def __getattr__(name: str) -> object:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'dynst.readers' has no attribute {name!r}")
