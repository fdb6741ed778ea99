"""Files to fields: everything odd about a format ends here."""

from dynst.readers.base import Hints, Reader
from dynst.readers.door import READERS, read, resolve, sniff
from dynst.readers.inspection import Inspection, inspect
from dynst.readers.samples import DEFAULT_SAMPLE, list_samples, sample_path

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
