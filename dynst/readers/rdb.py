"""RDB text of the U.S. Geological Survey: names, a row of formats, rows; a block of its own for each site or series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Rdb", "holds_rdb", "rdb_of"]

_FORMAT = re.compile(r"\d+[sdnSDN]")
_SERIES = re.compile(r"[1-9]\d*_(\d{5}(?:_\d{5})?(?:_cd)?)")  # number of a series before parameter and statistic
_STATISTIC = re.compile(r"\d{5}_000(0\d|11)(_cd)?")  # a parameter and what is taken of it: 00003 is the mean of a day
_TOLD = re.compile(r"#\s+(?:\d+\s+)?(\d{5})(?:\s+(\d{5}))?\s+[A-Z](.*), ([a-z].*)")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Rdb:
    """All blocks of a file as one table.

    Parameters
    ----------
    text : str
        Tab-separated, one line of names.
    words : tuple of str
        Columns whose format is text.
    measured : dict
        Units of columns that the comments tell.
    notes : tuple of str
        What was done.
    """

    text: str
    words: tuple[str, ...]
    measured: Mapping[str, str]
    notes: tuple[str, ...]


def holds_rdb(start: str) -> bool:
    r"""Whether a text is RDB: under the first line of names stands a row of formats.

    Examples
    --------
    >>> holds_rdb("# USGS\nsite_no\tdatetime\n15s\t20d\n"), holds_rdb("a\tb\n1\t2\n")
    (True, False)
    """
    lines = [line for line in start.splitlines()[:4000] if line.strip() and not line.startswith("#")]
    return len(lines) > 1 and "\t" in lines[0] and _is_formats(lines[1])


def rdb_of(text: str) -> Rdb:
    r"""The table in RDB text; of a column of numbers, cells that say why there is none (``Ice``, ``Eqp``) are empty.

    Examples
    --------
    >>> rdb_of("site_no\t7_00060\n15s\t14n\n01\t3.5\n01\tIce\n").text
    'site_no\t00060\n01\t3.5\n01\t\n'
    """
    lines = [line for line in text.splitlines() if "\t" in line and not line.startswith("#")]
    starts = [i for i in range(len(lines) - 1) if _is_formats(lines[i + 1])]
    rows: list[dict[str, str]] = []
    columns: dict[str, str] = {}
    emptied = 0
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        formats = [cell.strip()[-1].lower() for cell in lines[start + 1].split("\t")]
        names = [_bare(name) for name in _alike(lines[start].split("\t"))]
        for name, kind in zip(names, formats, strict=False):
            columns.setdefault(name, kind)
        for line in lines[start + 2 : stop]:
            cells = [cell.strip() for cell in line.split("\t")]
            odd = [cell and kind == "n" and not _NUMBER.fullmatch(cell) for cell, kind in zip(cells, formats)]  # noqa: B905
            emptied += sum(map(bool, odd))
            rows.append({name: "" if bad else cell for name, cell, bad in zip(names, cells, odd)})  # noqa: B905
    body = ["\t".join(row.get(name, "") for name in columns) for row in rows]
    notes = [f"a row of formats under the names of columns was skipped ({len(starts)} block{'s' * (len(starts) > 1)})"]
    if emptied:
        notes.append(f"cells of columns of numbers that hold a remark instead are read as missing: {emptied}")
    words = tuple(name for name, kind in columns.items() if kind == "s")
    return Rdb("\n".join(["\t".join(columns), *body]) + "\n", words, _units(text), tuple(notes))


def _units(text: str) -> dict[str, str]:
    """Units by columns, from comments like ``69928  00060  00003  Discharge, cubic feet per second (Mean)``."""
    told = filter(None, (_TOLD.match(line) for line in text.splitlines() if line.startswith("#")))
    return {"_".join(filter(None, line.groups()[:2])): re.sub(r"\s*\(.*\)$", "", line[4]).strip() for line in told}


def _is_formats(line: str) -> bool:
    cells = line.split("\t")
    return len(cells) > 1 and all(_FORMAT.fullmatch(cell.strip()) for cell in cells)


def _alike(names: list[str]) -> list[str]:
    """Names of a block as they are, if two of its series would be called the same without their numbers."""
    bare = [_bare(name) for name in names]
    return [name if bare.count(short) == 1 else f" {name}" for name, short in zip(names, bare, strict=True)]


def _bare(name: str) -> str:
    found = None if _STATISTIC.fullmatch(name) else _SERIES.fullmatch(name)
    return found[1] if found else name.strip()
