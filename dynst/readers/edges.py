"""Graph files: lists of edges, dense matrices of weights, and links that the data carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain import Frame, GraphLayout, Sites
from dynst.domain.graphs import of_edges
from dynst.errors import DataError
from dynst.readers.tables import BINARY, Table, columns_of, read_table, some, words_of

__all__ = ["Links", "holds_links", "read_links"]

_SENDERS = {"from", "source", "src", "sender", "start", "i", "u", "tail"}
_RECEIVERS = {"to", "target", "dst", "dest", "destination", "receiver", "end", "j", "v", "head"}
_DISTANCES = {"distance", "distances", "dist", "cost", "length", "metres", "meters", "km", "m", "miles"}
_WEIGHTS = {"weight", "weights", "w", "strength", "value", "similarity", "correlation"}
_FAINTEST = 1e-6  # weight of the longest links: a link that is given is not lost to rounding


@dataclass(frozen=True, eq=False)
class Links:
    """Links between the stations of a record, by their numbers there.

    Parameters
    ----------
    where : str
        The file, for messages.
    senders, receivers : Int[ndarray, "e"]
        Ends of each link.
    weight : Float[ndarray, "e"] or None
        Strength of each link, or its length.
    far : bool or None
        Whether larger means farther; None if only the positions can tell.
    both_ways : bool
        Whether a link that is given in one direction stands for both.
    notes : tuple of str
        What was done with the file.
    strange : int
        Links of the file that end at other stations, and are left out.
    """

    where: str
    senders: Int[ndarray, " e"]
    receivers: Int[ndarray, " e"]
    weight: Float[ndarray, " e"] | None = None
    far: bool | None = None
    both_ways: bool = True
    notes: tuple[str, ...] = ()
    strange: int = 0

    def layout(self, keep: Int[ndarray, " n"], sites: Sites | None) -> tuple[GraphLayout, tuple[str, ...]]:
        """The graph between the stations that became sites, and notes.

        Parameters
        ----------
        keep : Int[ndarray, "n"]
            Numbers of those stations.
        sites : Sites or None
            Where they stand, if anybody knows.

        Raises
        ------
        DataError
            If no link is left, or a weight cannot be one.
        """
        size = int(max(keep.max(), self.senders.max(initial=0), self.receivers.max(initial=0))) + 1
        number = np.full(size, -1)
        number[keep] = np.arange(len(keep))
        ends = np.stack([number[self.senders], number[self.receivers]])
        both = (ends >= 0).all(axis=0)
        notes = list(self.notes)
        if not both.all():
            notes.append(f"links of {self.where} that end at stations that are no sites: {int((~both).sum())}")
        ends, weight = ends[:, both], None if self.weight is None else self.weight[both]
        if (
            weight is not None
            and weight.size
            and (self.far or (self.far is None and _are_lengths(ends, weight, sites)))
        ):
            weight, said = _nearness(weight, self.where)
            notes.append(said)
        try:
            layout, mended = of_edges(len(keep), ends[0], ends[1], weight, both_ways=self.both_ways)
        except DataError as err:
            raise DataError(f"{self.where}: {err}") from err
        return layout, (*notes, *mended)


def holds_links(path: Path) -> bool:
    """Whether a text table is a list of edges by the names of its columns, or a square of bare numbers."""
    words = {word for column in columns_of(path)[:3] for word in words_of(column)}
    if words & {"from", "source", "src", "sender"} and words & {"to", "target", "dst", "receiver"}:
        return True
    bare = None if words or path.suffix.lower() in BINARY else _bare(path)
    return bare is not None and bare.frame.shape[0] == bare.frame.shape[1]


def read_links(path: Path, names: Sequence[str]) -> Links:
    """The links in a file: a list ``from, to[, weight]`` by name or number, or a dense matrix of weights.

    Raises
    ------
    DataError
        If the file is neither, or does not fit the stations.
    """
    if path.suffix.lower() == ".npy":
        return _matrix(path.name, _load(path), names)
    if path.suffix.lower() in {".npz", ".pkl", ".pickle", ".h5", ".json"}:
        raise DataError(f"{path.name}: not read as a graph. Give a CSV from,to[,weight] or a weight matrix (CSV, npy).")
    bare = None if path.suffix.lower() in BINARY else _bare(path)
    if bare is not None:
        width = bare.frame.shape[1]
        if width not in {2, 3} or (width == len(names) == len(bare.frame)):
            return _matrix(path.name, np.stack([bare.numbers(name) for name in bare.columns], axis=1), names)
        return _list(bare, bare.columns, names)
    table = read_table(path, text=None)
    inside = [column for column in table.columns if column in set(names)]
    if len(inside) >= max(2, len(table.columns) - 1):
        return _named_matrix(table, inside, names)
    words = {column: set(words_of(column)) for column in table.columns}
    senders = next((c for c in table.columns if words[c] & _SENDERS), None)
    receivers = next((c for c in table.columns if words[c] & _RECEIVERS and c != senders), None)
    if senders is not None and receivers is not None and len(table.columns) <= max(8, len(names) // 2):
        rest = [c for c in table.columns if c not in {senders, receivers}]
        valued = next((c for kind in (_DISTANCES, _WEIGHTS) for c in rest if words[c] & kind), None)
        return _list(table, [senders, receivers, *([valued] if valued else [])], names)
    if len(table.columns) in {2, 3}:
        return _list(table, table.columns, names)
    raise DataError(
        f"{path.name}: neither a list of edges nor a matrix of weights: it has the columns {some(table.columns)}. "
        f"Expected from,to[,weight], or {len(names)} x {len(names)} weights without a header."
    )


def _bare(path: Path) -> Table | None:
    """The table, if it has no header: all of its cells are numbers, and the first line holds no two names alike."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as stream:
            first = stream.readline()
    except OSError as err:
        raise DataError(f"{path}: the file cannot be opened ({err.strerror}). Check the path.") from err
    cells = first.replace(";", ",").replace("\t", ",").strip().split(",")
    try:
        cells = cells if len(cells) > 1 else first.split()
        values = [float(cell) for cell in cells]
    except ValueError:
        return None
    if len(values) > 3 and len(set(values)) == len(values) and all(value == int(value) for value in values):
        return None  # whole numbers, all different: names of sensors
    return read_table(path, header=False) if values else None


def _load(path: Path) -> Float[ndarray, "a b"]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as err:
        raise DataError(
            f"{path.name}: cannot be read as npy: {str(err).splitlines()[0]}. Write plain numbers."
        ) from err
    if array.ndim != 2 or array.dtype.kind not in "iufb":
        raise DataError(f"{path.name}: an array {array.shape} of {array.dtype} came. Expected a matrix of weights.")
    return np.asarray(array, float)


def _matrix(where: str, weights: Float[ndarray, "a b"], names: Sequence[str]) -> Links:
    n = len(names)
    if weights.shape != (n, n):
        raise DataError(
            f"{where}: a matrix of {weights.shape[0]} x {weights.shape[1]} weights came for {n} stations. "
            f"Expected {n} x {n}, in the order of the data, without a header."
        )
    weights = np.where(np.isnan(weights), 0.0, weights)
    np.fill_diagonal(weights, 0.0)
    senders, receivers = np.nonzero(weights)
    return Links(where, senders, receivers, weights[senders, receivers], both_ways=False)


def _named_matrix(table: Table, inside: list[str], names: Sequence[str]) -> Links:
    lacking = sorted(set(names) - set(inside))
    if lacking or len(table.frame) != len(inside):
        raise DataError(
            f"{table.path.name}: a matrix of {len(table.frame)} x {len(inside)} weights came for {len(names)} stations"
            f"{f'; it lacks {some(lacking)}' if lacking else ''}. Expected a row and a column for each."
        )
    rows = inside
    if len(table.columns) > len(inside):
        label = next(column for column in table.columns if column not in inside)
        rows = table.text(label)
        if sorted(rows) != sorted(inside):
            raise DataError(f"{table.path.name}: rows and columns have other names. Give both the names of stations.")
    values = np.stack([table.numbers(column) for column in inside], axis=1)
    order = [rows.index(name) for name in names], [inside.index(name) for name in names]
    return _matrix(table.path.name, values[np.ix_(*order)], names)


def _list(table: Table, columns: Sequence[str], names: Sequence[str]) -> Links:
    ends = [table.text(columns[0]), table.text(columns[1])]
    weight = table.numbers(columns[2]) if len(columns) > 2 else None
    words = set(words_of(columns[2])) if len(columns) > 2 else set()
    far = True if words & _DISTANCES else None
    where, notes = table.path.name, list[str]()
    number = {name: i for i, name in enumerate(names)}
    flat = [*ends[0], *ends[1]]
    if not any(name in number for name in flat):
        flat, said = _counted(where, flat, len(names), names)
        number = {str(i): i for i in range(len(names))}
        notes.append(said)
    at = np.array([number.get(name, -1) for name in flat]).reshape(2, -1)
    known = (at >= 0).all(axis=0)
    if not known.all():
        strangers = sorted({name for name in flat if name not in number})
        notes.append(f"links of {where} that end at stations without data ({some(strangers)}): {int((~known).sum())}")
    if weight is not None and np.isnan(weight[known]).any():
        row = int(np.flatnonzero(known & np.isnan(weight))[0])
        raise DataError(f'{where}: column "{columns[2]}", row {row + 1} is empty. Give every link a weight, or none.')
    kept, strange = None if weight is None else weight[known], int((~known).sum())
    return Links(where, at[0, known], at[1, known], kept, far, notes=tuple(notes), strange=strange)


def _counted(where: str, ends: list[str], n: int, names: Sequence[str]) -> tuple[list[str], str]:
    """Ends given as numbers of stations, from 0, or from 1 if only that fits."""
    try:
        numbers = np.array([int(end) for end in ends])
    except ValueError:
        numbers = np.array([-1])
    if not numbers.size or numbers.min() < 0 or numbers.max() > n or (numbers.max() == n and numbers.min() == 0):
        raise DataError(
            f"{where}: its links end at {some(list(dict.fromkeys(ends)), 3)}, but the data have the {n} stations "
            f"{some(names, 3)}. Give links by those names, or by numbers from 0 to {n - 1}."
        )
    first = int(numbers.max() == n)
    return [str(number - first) for number in numbers], f"links of {where} count the stations from {first}"


def _are_lengths(ends: Int[ndarray, "2 e"], weight: Float[ndarray, " e"], sites: Sites | None) -> bool:
    """Whether weights grow with the distance between the sites, so that they are lengths of links."""
    if sites is None or sites.frame is Frame.SCHEMATIC:
        return False
    apart = np.linalg.norm(sites.points[ends[0]] - sites.points[ends[1]], axis=1)
    use = (apart > 0) & (weight > 0) & np.isfinite(weight)
    if use.sum() < 5 or np.ptp(apart[use]) == 0 or np.ptp(weight[use]) == 0:
        return False
    return bool(np.corrcoef(np.log(apart[use]), np.log(weight[use]))[0, 1] > 0.7)


def _nearness(length: Float[ndarray, " e"], where: str) -> tuple[Float[ndarray, " e"], str]:
    if (length < 0).any() or not np.isfinite(length).all():
        raise DataError(f"{where}: a link has length {length.min():g}. Lengths are not negative.")
    scale = float(length.std()) or float(length.mean()) or 1.0
    said = f"the lengths of the links of {where} become weights exp(-(length / {scale:.4g})^2)"
    return np.maximum(np.exp(-((length / scale) ** 2)), _FAINTEST), said
