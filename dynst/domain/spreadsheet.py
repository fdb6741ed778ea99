"""Text from files made harmless for spreadsheets."""

from __future__ import annotations

from dynst.domain.plain import visible

__all__ = ["harmless"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What spreadsheets may run (OWASP, CSV injection); the last four are the full-width forms of the first."""


def harmless(text: str) -> str:
    """`text` as it may be shown, with an apostrophe in front if a spreadsheet would take it for a formula.

    Examples
    --------
    >>> harmless("@SUM(A1)"), harmless("52.5N 13.4E")
    ("'@SUM(A1)", '52.5N 13.4E')
    """
    text = visible(text)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) or text.startswith(_FORMULA) else text
