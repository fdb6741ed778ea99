"""Files of rules as a study names them: ``zone.geojson``, or with a buffer ``airports.geojson buffer=5``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dynst.domain.distances import Length
from dynst.errors import ConfigError, unknown_name

__all__ = ["RuleFile"]

_BUFFERED = re.compile(r"(.*\S)\s+buffer\s*=\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class RuleFile:
    """A file of stations or of a zone.

    Parameters
    ----------
    file : str
        Its path.
    buffer : str
        So far around what the file holds the zone reaches, as a `Length`; empty without one.

    Examples
    --------
    >>> RuleFile.parse("airports.geojson buffer=5"), str(RuleFile.parse({"file": "a.gpkg", "buffer": "500m"}))
    (RuleFile(file='airports.geojson', buffer='5'), 'a.gpkg buffer=500m')
    """

    file: str
    buffer: str = ""

    def __str__(self) -> str:
        return f"{self.file} buffer={self.buffer}" if self.buffer else self.file

    @property
    def reach(self) -> Length | None:
        """The buffer; None without one."""
        return Length.parse(self.buffer) if self.buffer else None

    @classmethod
    def parse(cls, said: object) -> RuleFile:
        """The file that a text, or a table with the keys ``file`` and ``buffer``, names.

        Raises
        ------
        ConfigError
            If it is neither, or the buffer is no distance.
        """
        if isinstance(said, RuleFile):
            return said
        if isinstance(said, Mapping):
            return cls._of_table(said)
        if not isinstance(said, str) or not said.strip():
            raise ConfigError(f"{said!r} came; the name of a file is expected.")
        found = _BUFFERED.fullmatch(said)
        if found is None:
            return cls(said)
        return cls(found[1], _checked(found[2]))

    @classmethod
    def _of_table(cls, said: Mapping[str, object]) -> RuleFile:
        for key in said:
            if key not in {"file", "buffer"}:
                raise ConfigError(unknown_name("key", str(key), ("file", "buffer")))
        file, buffer = said.get("file"), said.get("buffer", "")
        if not isinstance(file, str) or not file.strip():
            raise ConfigError('a zone needs a file: {file = "airports.geojson", buffer = 5}.')
        return cls(file, "" if buffer == "" else _checked(buffer))


def _checked(buffer: object) -> str:
    try:
        return str(Length.parse(buffer))
    except ConfigError as error:
        raise ConfigError(f"buffer: {error}") from error
