"""Files to fields: everything odd about a format ends here."""

from dynst.readers.base import Reader, sniff
from dynst.readers.door import READERS, read, resolve
from dynst.readers.inspection import Inspection, inspect
from dynst.readers.samples import DEFAULT_SAMPLE, list_samples, sample_path

__all__ = [
    "DEFAULT_SAMPLE",
    "READERS",
    "Inspection",
    "Reader",
    "inspect",
    "list_samples",
    "read",
    "resolve",
    "sample_path",
    "sniff",
]
