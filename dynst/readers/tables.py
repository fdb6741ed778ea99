"""Tables as people write them: text with any delimiter, decimal comma, comments and unit rows; Parquet."""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain.plain import plain as one_line
from dynst.errors import DataError
from dynst.readers import rdb, sheets

__all__ = ["BINARY", "SUFFIXES", "Table", "columns_of", "one_line", "quantity_of", "read_table", "some", "words_of"]

BINARY = (".parquet", *sheets.SUFFIXES)
"""Names of files that are tables and no text."""

SUFFIXES = (".csv", ".tsv", ".txt", ".tab", ".dat", ".rdb", *BINARY)
"""Names of files that are tables."""

_MISSING = ["", "-", "--", "---", "?", ".", "*", "NA", "N/A", "#N/A", "n/a", "na", "NaN", "nan", "NAN"]
_MISSING += ["null", "NULL", "None", "none", "missing"]
_DURATIONS = {"s", "sec", "second", "seconds", "min", "minute", "minutes", "h", "hr", "hour", "hours", "day", "days"}
_QUANTITIES = {"C": "temperature", "K": "temperature", "m/s": "velocity", "Pa": "pressure", "kW/m2": "heat_flux"}
_QUANTITIES |= {"degC": "temperature", "kg/m3": "density", "1/m": "extinction", "kW": "heat_release", "m": "distance"}
_LOOK = 1 << 16  # bytes that tell how a text file is written
_COMMENT = "#%!"  # signs with which a line of comment begins
_UNIT_OF_DATES = {"yr", "year", "utc", "yyyy", "ts"}  # first of a row of units under names of dates
_YEAR = re.compile(r"(1[6-9]|20|21)\d\d")
_LEAST_ROWS = 8  # lines that tell titles from rows
_CODE = re.compile(r"0\d+")  # a code whose zeros in front belong to it


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one file, as numbers where all of a column are numbers, else as text; a missing cell is NaN.

    Parameters
    ----------
    path : Path
        The file.
    frame : pandas.DataFrame
        Columns by their names in the file, made text and stripped.
    units : tuple of str
        A unit per column, if the file has a row of units under or over the names; else empty.
    comma : bool
        Whether numbers have a decimal comma.
    measured : dict
        Unit of a column, where something other than its name says so.
    notes : tuple of str
        What was done to make a table of the file.
    """

    path: Path
    frame: pd.DataFrame
    units: tuple[str, ...] = ()
    comma: bool = False
    measured: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def noted(self, frame: pd.DataFrame, *notes: str) -> Table:
        """The table with other columns, and notes that say why."""
        return replace(self, frame=frame, notes=(*self.notes, *notes))

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return [str(name) for name in self.frame.columns]

    def text(self, column: str) -> list[str]:
        """Cells as text without blanks around, whole numbers without a point; a missing one is empty."""
        cells = self.frame[column]
        if cells.dtype.kind in "iub":
            return [str(cell) for cell in cells.tolist()]
        if cells.dtype.kind == "f":
            return ["" if math.isnan(cell) else f"{cell:.0f}" if cell % 1 == 0 else f"{cell}" for cell in cells]
        number, kinds = pd.factorize(cells, use_na_sentinel=True)  # names repeat, so each is cleaned once
        called = [*map(one_line, kinds), ""]
        return [called[i] for i in number.tolist()]

    def numbers(self, column: str) -> Float[ndarray, " rows"]:
        """Cells as numbers; a missing one is NaN.

        Raises
        ------
        DataError
            If a cell holds text; the message names column, row and cell.
        """
        cells = self.frame[column]
        if cells.dtype.kind in "iufb":
            return cells.to_numpy(float)
        text = cells.astype("str").str.strip()
        text = text.where(cells.notna() & ~text.isin(_MISSING))
        values = pd.to_numeric(text.str.replace(",", ".") if self.comma else text, errors="coerce")
        bad = np.flatnonzero((values.isna() & text.notna()).to_numpy())
        if len(bad):
            raise DataError(
                f'{self.path.name}: column "{column}", row {bad[0] + 1} holds "{one_line(text.iloc[bad[0]])[:40]}" '
                f"where a number was expected ({len(bad)} such cells in the column). Correct it, or leave it empty."
            )
        return values.to_numpy(float)

    def whole(self, column: str) -> Int[ndarray, " rows"] | None:
        """Cells as whole numbers, those too that were kept as text; None if any is something else."""
        cells = self.frame[column]
        if cells.dtype.kind in "iu":
            return cells.to_numpy(np.int64)
        if cells.dtype.kind in "fbmM" or not cells.head(3).astype("str").str.fullmatch(r"-?\d{1,18}").all():
            return None
        text = cells.astype("str")
        return text.to_numpy().astype(np.int64) if text.str.fullmatch(r"-?\d{1,18}").all() else None

    def is_numeric(self, column: str) -> bool:
        """Whether at least half of the cells that hold anything are numbers."""
        cells = self.frame[column]
        if cells.dtype.kind in "iufb":
            return True
        if cells.dtype.kind == "M":
            return False
        text = cells.dropna().astype("str").str.strip()
        text = text[~text.isin(_MISSING)]
        values = pd.to_numeric(text.str.replace(",", ".") if self.comma else text, errors="coerce")
        return len(text) > 0 and bool(values.notna().mean() >= 0.5)


@dataclass(frozen=True)
class _Style:
    """How a text file is written."""

    encoding: str
    delimiter: str
    comma: bool
    skip: int  # lines above the first row of cells
    rows: list[list[str]]  # cells of the first lines
    above: list[list[str]]  # cells of the lines of comment right above


@dataclass(frozen=True)
class _Head:
    """Names of columns, and what stands beside them."""

    names: list[str]
    units: tuple[str, ...] = ()  # of the devices of a fire
    lines: int = 1  # lines below the comments that this takes
    measured: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Content:
    """Text of a file that has to be turned into a table first; `raw` is None where the file is one."""

    raw: bytes | None = None
    words: tuple[str, ...] = ()  # columns that are text
    measured: Mapping[str, str] = field(default_factory=dict)  # units of columns
    notes: tuple[str, ...] = ()


def read_table(path: Path, *, text: Sequence[str] | None = (), header: bool = True) -> Table:
    """The table in a file; nothing is taken for granted but one row a line.

    Parameters
    ----------
    path : Path
        Text, or Parquet if it is called so.
    text : sequence of str or None
        Columns (lower case) whose cells stay text, as names of stations must (``007``, ``NA``); None for all columns.
    header : bool
        Whether the first line holds names.

    Raises
    ------
    DataError
        If the file is no table, or two columns share a name.
    """
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    content = _content(path)
    style = _style(path, content)
    head = _header(path, style) if header else _Head([f"column {i}" for i in range(_width(style))], (), 0)
    names = head.names
    coded = {*content.words, *_codes(style, head)}
    keep = names if text is None else [name for name in names if name.lower() in text or name in coded]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{path.name}: {len(twice)} column names come more than once ({some(twice)}). "
            "Give every column a name of its own."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # cells beyond the last name
            frame = pd.read_csv(
                path if content.raw is None else io.BytesIO(content.raw),
                sep=r"\s+" if style.delimiter == " " else style.delimiter,
                decimal="," if style.comma else ".",
                header=None,
                names=names,
                skiprows=style.skip + head.lines,
                index_col=False,
                dtype=dict.fromkeys(keep, "str"),
                keep_default_na=False,
                na_values={name: [""] if name in keep else _MISSING for name in names},
                encoding=style.encoding,
                encoding_errors="replace",
                skipinitialspace=True,
                low_memory=False,
            )
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as err:
        first = str(err).strip().splitlines()[0].removeprefix("Error tokenizing data. ").removeprefix("C error: ")
        raise DataError(f"{path.name}: not a table: {first} ({len(names)} columns are named). Mend that line.") from err
    frame, blank = _filled(frame)
    if not len(frame):
        raise DataError(f"{path.name}: there is no row below the names of the columns ({some(names)}).")
    notes = (f"rows of {path.name} without any cell are skipped: {blank}",) if blank else ()
    return Table(path, frame, head.units, style.comma, {**content.measured, **head.measured}, (*content.notes, *notes))


def _content(path: Path) -> _Content:
    """What has to be made text, or another text, before it can be read as a table."""
    if path.suffix.lower() in sheets.SUFFIXES:
        text, notes = sheets.sheet_text(path)
        return _Content(text.encode(), notes=notes)
    if not rdb.holds_rdb(_start(path).decode("latin-1")):
        return _Content()
    found = rdb.rdb_of(path.read_text(encoding="utf-8", errors="replace"))
    return _Content(found.text.encode(), found.words, found.measured, found.notes)


def _filled(frame: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """The rows that hold a cell, and how many do not: spreadsheets leave rows of bare delimiters behind."""
    unsure = np.flatnonzero(frame.iloc[:, 0].isna().to_numpy())
    if not len(unsure):
        return frame, 0
    blank = unsure[frame.iloc[unsure].isna().all(axis=1).to_numpy()]
    return frame.drop(index=frame.index[blank]).reset_index(drop=True), len(blank)


def _codes(style: _Style, head: _Head) -> list[str]:
    """Columns of numbers of one length, some with zeros in front: codes, not amounts."""
    found = []
    rows = [row for row in style.rows[head.lines :] if len(row) >= len(head.names)]
    for i, name in enumerate(head.names):
        cells = [row[i] for row in rows if row[i]]
        whole = all(cell.isdigit() for cell in cells) and len({len(cell) for cell in cells}) == 1
        if whole and any(map(_CODE.fullmatch, cells)):
            found.append(name)
    return found


def columns_of(path: Path) -> list[str]:
    """Names of the columns of a text table; none if it has no line of names, or is no table."""
    try:
        return [] if path.suffix.lower() == ".parquet" else _header(path, _style(path, _content(path))).names
    except DataError:
        return []


def some(names: Sequence[object], limit: int = 5) -> str:
    """The first few of many names.

    Examples
    --------
    >>> some(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    shown = ", ".join(one_line(name) for name in names[:limit])
    return f"{shown} and {len(names) - limit} more" if len(names) > limit else shown


def quantity_of(unit: str) -> str:
    """What a device with a unit measures; the unit itself if it says nothing.

    Examples
    --------
    >>> quantity_of("C"), quantity_of("mol/mol")
    ('temperature', 'mol/mol')
    """
    return _QUANTITIES.get(unit, unit)


def words_of(column: str) -> list[str]:
    """The words of a column's name, lower case, without a unit in brackets.

    Examples
    --------
    >>> words_of("Station ID"), words_of("geoLat (deg)"), words_of("x_m")
    (['station', 'id'], ['geo', 'lat'], ['x', 'm'])
    """
    bare = re.sub(r"[\[(].*?[\])]", " ", column)
    bare = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", bare)
    return [word for word in re.split(r"[^a-z0-9]+", bare.lower()) if word]


def _parquet(path: Path) -> Table:
    try:
        frame = pd.read_parquet(path)
    except ImportError as err:
        raise DataError(f"{path.name}: reading Parquet needs the package pyarrow: pip install pyarrow") from err
    except Exception as err:  # the library below raises many kinds
        first = str(err).strip().splitlines()[0] if str(err).strip() else type(err).__name__
        raise DataError(f"{path.name}: cannot be read as Parquet: {first}. Is the file whole? Get it again.") from err
    if frame.index.name is not None or frame.index.dtype.kind == "M":
        frame = frame.rename_axis(str(frame.index.name or "time")).reset_index()
    return Table(path, frame.set_axis([str(name).strip() for name in frame.columns], axis=1))


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(_LOOK)
    except OSError as err:
        raise DataError(f"{path}: the file cannot be opened ({err.strerror}). Check the path.") from err


def _style(path: Path, content: _Content) -> _Style:
    start = _start(path) if content.raw is None else content.raw[:_LOOK]
    if not start.strip():
        raise DataError(f"{path.name}: the file is empty. Get it again.")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in start:
        raise DataError(f"{path.name}: not a text table: it holds zero bytes. Write it as CSV with a header line.")
    else:
        try:
            start[: start.rfind(b"\n") + 1 or None].decode("utf-8")
            encoding = "utf-8-sig"
        except UnicodeDecodeError:
            encoding = "cp1252"
    whole = start if len(start) < _LOOK else start[: start.rfind(b"\n") + 1 or None]
    lines = whole.decode(encoding, errors="replace").splitlines()
    skip = next(
        (i for i, line in enumerate(lines) if line.strip(" \t,;|") and line.strip()[0] not in _COMMENT), len(lines)
    )
    comments = [line for line in lines[max(0, skip - 3) : skip] if line.strip(" \t,;|")]
    titles = _titles(lines[skip : skip + 60])
    skip += titles
    lines = lines[skip : skip + 40]
    if not lines:
        raise DataError(f"{path.name}: it holds comments only, and no table.")
    quoted = [re.sub(r'"[^"]*"', "", line) for line in lines]
    delimiter = max(";\t|,", key=quoted[0].count)
    if not quoted[0].count(delimiter):
        delimiter = " " if len(lines[0].split()) > 1 and len({len(line.split()) for line in lines}) == 1 else ","
    elif delimiter == "," and quoted[-1].count(";") > quoted[-1].count(","):
        delimiter = ";"
    comma = delimiter != "," and any(re.search(r"(^|[^\w.,])-?\d+,\d+($|[^\w.,])", line) for line in quoted[1:])
    told = _cells([comment.lstrip(_COMMENT) for comment in comments], delimiter)
    above = [row[1:] if not row[0] else row for row in told if any(row)]
    return _Style(encoding, delimiter, comma, skip, _cells(lines, delimiter), above)


def _titles(lines: list[str]) -> int:
    """Lines above the names of columns that are titles: they have fewer cells than the names and the rows."""
    quoted = [re.sub(r'"[^"]*"', "", line) for line in lines]
    if len(lines) < _LEAST_ROWS:
        return 0
    body = quoted[len(quoted) // 2 :]
    delimiter = max(";\t|,", key=lambda mark: min(line.count(mark) for line in body if line.strip()))
    count = min(line.count(delimiter) for line in body if line.strip())
    first = next((i for i, line in enumerate(quoted) if line.count(delimiter) >= count), 0)
    if not first or count < 2 or max(line.count(delimiter) for line in quoted[:first]) > count // 2:
        return 0
    names = _cells([lines[first]], delimiter)[0]
    return first if all(not _is_number(name) or _YEAR.fullmatch(name) for name in names) else 0


def _cells(lines: list[str], delimiter: str) -> list[list[str]]:
    rows = [line.split() for line in lines] if delimiter == " " else list(csv.reader(lines, delimiter=delimiter))
    return [[one_line(cell) for cell in row] for row in rows if row]


def _header(path: Path, style: _Style) -> _Head:
    """Names of the columns, their units if a row gives them, and the lines that both take."""
    names, below = style.rows[0], style.rows[1] if len(style.rows) > 1 else []
    behind = _behind_comments(style)
    if behind is not None:
        return behind
    if names[0].upper() == "TOA5" and len(style.rows) > 4:  # loggers write station, names, units and processing
        return _Head(_apart(style.rows[1]), (), 4, _measured(style.rows[1], style.rows[2]))
    names = _apart(names)
    if names and _is_number(names[-1]) and not all(re.fullmatch(r"-?\d+", name) for name in names if _is_number(name)):
        raise DataError(
            f"{path.name}: the first line holds numbers ({some(names, 3)}) where names of columns were expected. "
            "Write the names of the stations above them."
        )
    if len(below) == len(names) + 1:  # R writes the names of rows without a name of their own
        names = ["", *names]
    above_units = names[0].lower() in _DURATIONS and not any(map(_is_number, [*names, *below]))
    below_units = bool(below) and below[0].lower() in _DURATIONS and not any(map(_is_number, below))
    if above_units and len(below) == len(names):  # the Fire Dynamics Simulator puts the units above the names
        return _Head(below, tuple(names), 2)
    if below_units and len(below) == len(names):
        return _Head(names, tuple(below), 2)
    if len(names) < 2:
        raise DataError(
            f'{path.name}: not a table: the first line, "{names[0][:40]}", names one column. Expected columns '
            "separated by comma, semicolon or tab under a line of names."
        )
    return _Head(names)


def _behind_comments(style: _Style) -> _Head | None:
    """The names that stand behind a sign of comment, right above the first row of values; and the units below them."""
    first = next((cell for cell in style.rows[0] if cell), "")
    fits = [row for row in style.above if len(row) == len(style.rows[0]) > 1 and len(set(row)) == len(row)]
    named = [row for row in fits if sum(map(_is_number, row)) * 2 < len(row)]
    if not named or not (_is_number(first) or re.match(r"\d", first)):
        return None
    last = style.above[-1]
    if (
        last[0].lower() in _UNIT_OF_DATES | _DURATIONS
        and style.above[-2:-1] == [row for row in fits if row is not last][-1:]
    ):
        return _Head(style.above[-2], (), 0, _measured(style.above[-2], last))
    return _Head(named[-1], (), 0)


def _measured(names: Sequence[str], units: Sequence[str]) -> dict[str, str]:
    """Units by the columns that have one."""
    return {
        name: unit for name, unit in zip(names, units, strict=False) if unit and unit not in {"-", "none", "TS", "RN"}
    }


def _apart(names: list[str]) -> list[str]:
    """Names where a column after the first may have none: spreadsheets end lines with bare delimiters."""
    return [name or f"Unnamed: {i}" if i else name for i, name in enumerate(names)]


def _width(style: _Style) -> int:
    return max(len(row) for row in style.rows)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return cell.lower() not in {"nan", "inf", "infinity"}
