"""Rows as Markdown and CSV text, safe to paste into a page or to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from dynst.domain.plain import plain
from dynst.domain.spreadsheet import harmless

__all__ = ["csv_text", "markdown", "markdown_text"]

_NONE = "\N{EN DASH}"
_MARKUP = re.compile(r"([\\|`*\[\]<>&~$^@]|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.)", re.IGNORECASE)
_BEGINS = re.compile(r"^(\d*)([#+=.)-])")  # what makes a heading, a rule or a list at the beginning of a line


def csv_text(rows: Iterable[Mapping[str, object]], *, columns: Sequence[str] | None = None) -> str:
    """Rows as CSV with a header, lines ended by a line feed; missing values are empty.

    Texts that a spreadsheet would run as a formula get a leading apostrophe.

    Parameters
    ----------
    rows : iterable of mappings
        Numbers keep all their digits.
    columns : sequence of str or None
        Columns and their order; those of the first row if left out.

    Examples
    --------
    >>> print(csv_text([{"rank": 1, "name": "=1+1", "error": float("nan")}]), end="")
    rank,name,error
    1,'=1+1,
    """
    rows = list(rows)
    columns = list(rows[0] if columns is None and rows else columns or ())
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([harmless(column) for column in columns])
    writer.writerows([[_plain(row.get(column)) for column in columns] for row in rows])
    return text.getvalue()


def markdown(rows: Iterable[Mapping[str, object]], *, columns: Sequence[str] | None = None, digits: int = 4) -> str:
    r"""Rows as a Markdown table: numbers to the right with `digits` significant digits, ``–`` where there is none.

    Examples
    --------
    >>> print(markdown([{"planner": "dynst", "error": 1.23456}, {"planner": "a|b", "error": None}]))
    | planner | error |
    | --- | ---: |
    | dynst | 1.235 |
    | a\|b | – |
    """
    rows = list(rows)
    columns = list(rows[0] if columns is None and rows else columns or ())
    right = [any(_is_number(row.get(column)) for row in rows) for column in columns]
    lines = [
        [_inline(column) for column in columns],
        ["---:" if number else "---" for number in right],
        *([_shown(row.get(column), digits) for column in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown_text(text: str) -> str:
    r"""`text` on one line that GitHub and Pandoc show as it stands: no markup, HTML, link, image, formula or citation.

    Examples
    --------
    >>> print(markdown_text("![x](http://a.b) <b>uniform_random</b>"))
    !\[x\](http\://a.b) \<b\>uniform_random\</b\>
    """
    return _BEGINS.sub(r"\1\\\2", _inline(text))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _plain(value: object) -> object:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return harmless(value) if isinstance(value, str) else value


def _shown(value: object, digits: int) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return _NONE
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return _inline(str(value))


def _inline(text: str) -> str:
    return _MARKUP.sub(r"\\\1", plain(text))
