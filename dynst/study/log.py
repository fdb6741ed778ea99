"""``log.jsonl``: one line per training step and per plan; a resumed run continues it as if it had never stopped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["Log", "read_log"]


class Log:
    """Appends lines; steps that a resumed run repeats replace those that a killed process had logged.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "log.jsonl"
    >>> with Log(path) as log:
    ...     for step in (0, 1, 2):
    ...         log.write({"step": step})
    >>> with Log(path) as log:  # the checkpoint was at step 1
    ...     log.write({"step": 1, "again": True})
    >>> path.read_text().splitlines()
    ['{"step": 0}', '{"step": 1, "again": true}']
    """

    def __init__(self, path: Path) -> None:
        self._before = read_log(path)
        self._file = path.open("w", encoding="utf-8")
        self._put(self._before)

    def write(self, line: dict[str, Any]) -> None:
        """Append one line, given as JSON types."""
        if "step" in line and self._before:
            keep = [old for old in self._before if old.get("step", -1) < line["step"]]
            if len(keep) < len(self._before):
                self._file.seek(0)
                self._file.truncate()
                self._put(keep)
            self._before = []
        self._put([line])

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _put(self, lines: list[dict[str, Any]]) -> None:
        for line in lines:
            self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def read_log(path: Path) -> list[dict[str, Any]]:
    """Lines that stand in the file, none if there is no file; the last may be half written and is then left out."""
    lines: list[dict[str, Any]] = []
    if path.is_file():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                break
            if not isinstance(line, dict):
                break
            lines.append(line)
    return lines
