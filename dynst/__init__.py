"""dynst: which places must be measured so that the forecast of the whole field stays good.

The public names, loaded when first used, so that ``import dynst`` and ``dynst --help`` cost nothing. Each stands once,
in ``__init__.pyi``, where type checkers read it too.
"""

import re
from importlib import import_module
from pathlib import Path


def _homes() -> dict[str, str]:
    """The module of each public name."""
    stub = Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    lines = re.findall(r"^from (\S+) import (\w+) as \2$", stub, re.MULTILINE)
    return {name: module for module, name in sorted(lines, key=_place)}


def _place(line: tuple[str, str]) -> tuple[bool, bool, str]:
    """Constants, then classes, then functions, each by name."""
    name = line[1]
    return not name.isupper(), name[0].islower(), name


_HOMES = _homes()

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'dynst' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
