"""Text that XML can hold."""

from __future__ import annotations

import re

__all__ = ["xml_text"]

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    r"""`text`, with a sign in place of what XML 1.0 has no way to write (section 2.2).

    Examples
    --------
    >>> xml_text("bell\x07")
    'bell\ufffd'
    """
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
