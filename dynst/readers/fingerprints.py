"""Fingerprints of files: every byte is looked at once, and again only when a file changed."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from dynst.domain.caches import cache_folder

__all__ = ["Marks", "marks_of"]

_SMALL = 16 << 20  # bytes of all files together that are hashed at each start: 0.01 s; larger ones are remembered
_SETTLED = 2.0  # seconds; a file that changed later than that may change again within one tick of its clock

_WHOLE, _SAMPLES, _SAMPLE, _MEMBERS = 16 << 20, 16, 65536, 64  # the rule of `Marks.sampled`


@dataclass(frozen=True)
class Marks:
    """What tells one state of files from another; 16 hexadecimal digits each.

    Parameters
    ----------
    fingerprint : str
        From names, sizes and every byte, whatever the time of last change.
    version : str
        As `fingerprint`, and changes with the time of last change too: what a cache entry stands for.
    sampled : str
        The fingerprint by the rule of older runs, which saw all of small files and 16 blocks of large ones.
    """

    fingerprint: str
    version: str
    sampled: str


def marks_of(members: Sequence[Path], root: Path | None = None, *, cache_dir: Path | None = None) -> Marks:
    """Marks of files, with their names below `root`.

    Of large files they are kept in the cache folder, and hold as long as size and times of change of each file do.
    """
    stats = [member.stat() for member in members]
    places = [member.relative_to(root).as_posix() if root else member.name for member in members]
    if sum(stat.st_size for stat in stats) <= _SMALL:
        return _hashed(members, places, stats)
    paths = "|".join(str(member.absolute()) for member in members)
    kept = cache_folder(cache_dir) / "fingerprints" / f"{_digits(f'{root}|{paths}')}.json"
    state = _digits("|".join(f"{s.st_size} {s.st_mtime_ns} {s.st_ctime_ns} {s.st_ino}" for s in stats))
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(kept.read_text(encoding="utf-8"))
        if known.pop("state") == state:
            return Marks(**known)
    marks = _hashed(members, places, stats)
    if time.time() - max(max(stat.st_mtime, stat.st_ctime) for stat in stats) > _SETTLED:
        _keep(kept, {"state": state, **asdict(marks)})
    return marks


def _hashed(members: Sequence[Path], places: Sequence[str], stats: Sequence[os.stat_result]) -> Marks:
    every, changed, sampled = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
    spread = max(1, len(members) // _MEMBERS)
    for i, (member, place, stat) in enumerate(zip(members, places, stats, strict=True)):
        head = f"{place}|{stat.st_size}|".encode()
        every.update(head)
        sampled.update(head)
        changed.update(f"{stat.st_mtime_ns}|".encode())
        with member.open("rb") as stream:
            while block := stream.read(1 << 20):
                every.update(block)
        if i % spread == 0 or member.name.startswith((".z", "zarr.json")):
            _sample(member, stat.st_size, sampled)
    fingerprint = every.hexdigest()[:16]
    changed.update(fingerprint.encode())
    return Marks(fingerprint, changed.hexdigest()[:16], sampled.hexdigest()[:16])


def _sample(file: Path, size: int, digest: hashlib._Hash) -> None:
    with file.open("rb") as stream:
        if size <= _WHOLE:
            while block := stream.read(1 << 20):
                digest.update(block)
            return
        for i in range(_SAMPLES):
            stream.seek(i * (size - _SAMPLE) // (_SAMPLES - 1))
            digest.update(stream.read(_SAMPLE))


def _keep(path: Path, known: dict[str, str]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with suppress(OSError):  # a cache that cannot be written costs time, no more
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(known), encoding="utf-8")
        part.replace(path)


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:20]
