r"""Text from files as it may be shown: nothing in it steers a terminal, turns round the line, or breaks XML.

What goes: control characters (C0, DEL, C1), the marks that turn the direction of text (overrides, embeddings,
isolates), separators of lines and paragraphs, tags, halves of pairs and what is no character at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["escaped", "plain", "visible", "visible_parts"]

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff"
    "\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    r"""`text` without what is not to be seen; its tabs and ends of lines stay.

    Examples
    --------
    >>> visible("Dublin\x1b[2J\nCork\r\u202e"), visible("\u00b0C, a\xa0b")
    ('Dublin[2J\nCork ', '°C, a\xa0b')
    """
    return _UNSEEN.sub(lambda match: " " if match[0].isspace() else "", text)


def plain(text: object) -> str:
    r"""`text` as it may be shown within a line: without what is not to be seen, and single spaces.

    Examples
    --------
    >>> plain(" Dublin\x1b[2J\n A"), plain(3)
    ('Dublin[2J A', '3')
    """
    return " ".join(visible(str(text)).split())


def visible_parts(part: Any) -> Any:
    r"""JSON types with every text in them as `visible` has it, keys too.

    Examples
    --------
    >>> visible_parts({"a\x1b": ["b\x07", 1.5, None]})
    {'a': ['b', 1.5, None]}
    """
    if isinstance(part, str):
        return visible(part)
    if isinstance(part, Mapping):
        return {visible(str(key)): visible_parts(value) for key, value in part.items()}
    return [visible_parts(item) for item in part] if isinstance(part, list | tuple) else part


def escaped(json_text: str) -> str:
    r"""A JSON document that means the same, with what is not to be seen written as ``\u`` and digits.

    Examples
    --------
    >>> escaped('["a\x9b\u202e\U000e0001"]')
    '["a\\u009b\\u202e\\udb40\\udc01"]'
    """
    return _UNSEEN.sub(_digits, json_text)


def _digits(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
