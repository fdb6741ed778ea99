"""The length that a netCDF 3 file must have: its library silently reads zeros beyond the end of a cut-off file."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["expected_size"]

_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
_STREAMING = {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF}  # the writer did not know the number of records


class _Header:
    """Reads the numbers and lists of a header, in their widths for CDF-1, CDF-2 and CDF-5."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.version = stream.read(4)[3]

    def number(self, wide: bool) -> int:
        """One big-endian number of 8 bytes, or of 4."""
        size = 8 if wide else 4
        content = self._stream.read(size)
        if len(content) < size:
            raise EOFError
        return int(struct.unpack(">Q" if wide else ">I", content)[0])

    def count(self) -> int:
        """A length: 8 bytes in CDF-5."""
        return self.number(self.version == 5)

    def offset(self) -> int:
        """A place in the file: 4 bytes in CDF-1."""
        return self.number(self.version != 1)

    def items(self) -> int:
        """Number of items of the list that begins here."""
        self.number(wide=False)  # tag
        return self.count()

    def skip(self, size: int) -> None:
        """Pass over so many bytes and their padding."""
        self._stream.seek(-(-size // 4) * 4, 1)

    def skip_attributes(self) -> None:
        """Pass over a list of attributes."""
        for _ in range(self.items()):
            self.skip(self.count())
            kind = self.number(wide=False)
            self.skip(self.count() * _TYPE_BYTES[kind])


def expected_size(path: Path) -> int | None:
    """Bytes that a netCDF 3 file must have at least, by its header; None if the header does not say.

    Raises
    ------
    EOFError
        If the file ends within its header.

    Notes
    -----
    The layout is that of the "NetCDF Classic Format Specification" (Unidata), with the wider numbers of CDF-5.
    """
    with path.open("rb") as stream:
        header = _Header(stream)
        records = header.count()
        lengths = []
        for _ in range(header.items()):
            header.skip(header.count())
            lengths.append(header.count())
        header.skip_attributes()
        fixed: list[tuple[int, int]] = []
        recorded: list[tuple[int, int]] = []
        for _ in range(header.items()):
            header.skip(header.count())
            shape = [lengths[header.count()] for _ in range(header.count())]
            header.skip_attributes()
            size = _TYPE_BYTES[header.number(wide=False)] * math.prod(shape[1:] if shape[:1] == [0] else shape)
            header.count()  # the stored size is capped for large variables
            (recorded if shape[:1] == [0] else fixed).append((header.offset(), size))
    ends = [begin + size for begin, size in fixed]
    if recorded and records in _STREAMING:
        return None
    if recorded and records:
        step = recorded[0][1] if len(recorded) == 1 else sum(-(-size // 4) * 4 for _, size in recorded)
        ends += [begin + (records - 1) * step + size for begin, size in recorded]
    return max(ends, default=0)
