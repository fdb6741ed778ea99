"""EAGLE: simulations of flow on moving meshes, put onto fixed places that all runs share."""

from __future__ import annotations

import glob
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain import Channel, MakersSplit
from dynst.domain.sites import Role
from dynst.errors import DataError
from dynst.readers.mesh_records import MeshRecord
from dynst.readers.records import Wanted
from dynst.readers.sources import source_of
from dynst.readers.triangles import Locator, check_triangles, thinned

__all__ = ["SITES", "read_eagle", "runs_in"]

SITES = 2000
"""Reference sites by default."""

_NAMES = {
    "VX": Channel("vx", "m s-1", "velocity along x"),
    "VY": Channel("vy", "m s-1", "velocity along y"),
    "PS": Channel("ps", "Pa", "pressure PS"),
    "PG": Channel("pg", "Pa", "pressure PG"),
}
_NORMAL, _DISABLED, _WALL = 0, 2, 6  # types of nodes; 4 is an inlet, 5 an outlet
_DAMAGE = (  # what zipfile and numpy raise over a damaged file
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TokenError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)
_BLOCK = 32  # frames read at once: some megabytes


def runs_in(place: Path) -> list[Path]:
    """Folders of runs in order: of a run, a tree of runs, or a pattern of runs and trees."""
    if place.name == "sim.npz" and place.is_file():
        return [place.parent]
    if place.is_dir():
        return sorted(file.parent for file in place.rglob("sim.npz"))
    if not glob.has_magic(str(place)):
        return []
    found = glob.glob(str(place), recursive=True)  # noqa: PTH207 - the pattern may be absolute
    return sorted({folder for match in found for folder in runs_in(Path(match))})


@dataclass(frozen=True, eq=False)
class _Run:
    """A run folder whose headers were looked at."""

    folder: Path
    name: str
    members: dict[str, tuple[tuple[int, ...], np.dtype]]

    @property
    def steps(self) -> int:
        return self.members["pointcloud"][0][0]

    @property
    def size(self) -> int:
        return self.members["pointcloud"][0][1]

    def triangles(self) -> ndarray:
        """Of each frame, or of all."""
        return np.load(self.folder / "triangles.npy", mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]

    def frames(self, names: tuple[str, ...]) -> Iterator[tuple[ndarray, ...]]:
        """Blocks of frames of some members side by side, each read once from begin to end."""
        where = f"{self.name}/sim.npz"
        try:
            with zipfile.ZipFile(self.folder / "sim.npz") as archive:
                streams = [archive.open(f"{name}.npy") for name in names]
                heads = [_header(stream, f"{where}: {name}") for stream, name in zip(streams, names, strict=True)]
                for start in range(0, self.steps, _BLOCK):
                    count = min(_BLOCK, self.steps - start)
                    out = []
                    for stream, (shape, dtype) in zip(streams, heads, strict=True):
                        size = count * int(np.prod(shape[1:], dtype=np.int64))
                        content = stream.read(size * dtype.itemsize)
                        if len(content) < size * dtype.itemsize:
                            raise DataError(f"{where}: the file ended early. Get it again.")
                        out.append(np.frombuffer(content, dtype).reshape(count, *shape[1:]))
                    yield tuple(out)
        except DataError:
            raise
        except _DAMAGE as err:
            raise DataError(f"{where}: the file is damaged ({err}). Get it again.") from err


def _header(stream: object, where: str) -> tuple[tuple[int, ...], np.dtype]:
    try:
        version = np.lib.format.read_magic(stream)  # type: ignore[arg-type]
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(stream)  # type: ignore[arg-type]
    except _DAMAGE as err:
        raise DataError(f"{where}: the header of the array is damaged. Get it again.") from err
    if dtype.hasobject:
        raise DataError(
            f"{where}: the array holds Python objects, which are never unpickled. Save it as plain numbers."
        )
    if fortran and len(shape) > 1:
        raise DataError(f"{where}: the array is in Fortran order. Save it with np.ascontiguousarray first.")
    return tuple(shape), dtype


def _look(folder: Path, name: str) -> _Run:
    where = f"{name}/sim.npz"
    if not (folder / "triangles.npy").is_file():
        raise DataError(f"{name}: no triangles.npy beside sim.npz: without triangles nothing lies between the nodes.")
    members = {}
    try:
        with zipfile.ZipFile(folder / "sim.npz") as archive:
            for member in archive.namelist():
                key = member.removesuffix(".npy")
                if key in {"pointcloud", "mask", *_NAMES}:
                    with archive.open(member) as stream:
                        members[key] = _header(stream, f"{where}: {key}")
    except DataError:
        raise
    except _DAMAGE as err:
        raise DataError(f"{where}: not a whole .npz archive ({err}). Get it again.") from err
    lacking = [key for key in ("pointcloud", "mask") if key not in members]
    if lacking or not set(members) & set(_NAMES):
        raise DataError(
            f"{where}: lacks {', '.join(lacking) or 'fields'}; expected pointcloud, mask and {', '.join(_NAMES)}; "
            f"{', '.join(sorted(members)) or 'none of them'} came."
        )
    shape = members["pointcloud"][0]
    if len(shape) != 3 or shape[2] != 2 or not shape[0]:
        raise DataError(f"{where}: pointcloud has shape {shape}; expected frames x nodes x 2.")
    for key, (came, dtype) in members.items():
        plain = came[:-1] if key == "mask" and len(came) == 3 and came[-1] == 1 else came
        if dtype.kind not in "iufb" or (key != "pointcloud" and plain != shape[:2]):
            raise DataError(
                f"{where}: {key} has shape {came} ({dtype}), but pointcloud has {shape[0]} frames of {shape[1]} nodes."
            )
    run = _Run(folder, name, members)
    try:
        triangles = run.triangles()
    except _DAMAGE as err:
        objects = any(word in str(err) for word in ("allow_pickle", "Python object"))
        reason = "holds Python objects, which are never unpickled" if objects else "is damaged"
        raise DataError(f"{name}/triangles.npy: the file {reason}. Save it as plain whole numbers.") from err
    if triangles.ndim not in (2, 3) or (triangles.ndim == 3 and len(triangles) != shape[0]):
        raise DataError(
            f"{name}/triangles.npy: shape {triangles.shape} came; expected {shape[0]} frames x faces x 3, "
            "as sim.npz has so many frames."
        )
    return run


def read_eagle(path: str, place: Path, wanted: Wanted, count: int) -> MeshRecord:
    """The record of the runs at a place; `count` is how many reference sites are wanted at most.

    Raises
    ------
    DataError, ConfigError
        If a run is not whole, runs differ in what they hold, or a channel is asked for that is not there.
    """
    root = _root(place)
    name = root.absolute().name
    runs = [_look(folder, name if folder == root else folder.relative_to(root).as_posix()) for folder in runs_in(place)]
    first = runs[0]
    offered = [key for key in _NAMES if key in first.members]
    for run in runs[1:]:
        held = [key for key in _NAMES if key in run.members]
        if held != offered:
            raise DataError(
                f"{run.name} holds {', '.join(held)}, but {first.name} holds {', '.join(offered)}. "
                "Give runs of the same fields."
            )
    channels = wanted.choose(name, [_NAMES[key] for key in offered], {})
    keys = tuple(key for key in offered if _NAMES[key].name in {channel.name for channel in channels})
    files = [run.folder / file for run in runs for file in ("sim.npz", "triangles.npy")]
    source = source_of(path, name, "mesh", tuple(map(str, files)), members=files, root=root)
    notes = [
        "the files say no units: lengths are taken as m, velocities as m/s, pressures as Pa, the step as 1/30 s",
    ]
    nodes, kinds = next(iter(first.frames(("pointcloud", "mask"))))
    start, kind = nodes[0].astype(float), kinds[0].reshape(-1)
    if not np.isfinite(start).all():
        raise _lost(first, start)
    faces = first.triangles()
    mesh = check_triangles(
        np.asarray(faces[0] if faces.ndim == 3 else faces), first.size, f"{first.name}/triangles.npy"
    )
    used = np.zeros(first.size, bool)
    used[mesh] = True
    still = len(runs) == 1 and _is_still(first)
    if still:
        points = start
        role = np.where(kind == _WALL, Role.FORBIDDEN, Role.CANDIDATE).astype(np.int8)
        notes.append("the mesh does not move: its own nodes are the sites; nodes of walls are no candidates")
    else:
        free = np.flatnonzero(used & (kind != _DISABLED) & (kind != _WALL))
        if len(free) < 2:
            raise DataError(f"{first.name}: {len(free)} nodes of its first frame lie in the flow. Check mask.")
        points, role = start[free[thinned(start[free], count)]], None
        notes.append(
            f"the mesh moves or differs between runs: values are read off its triangles at {len(points)} places, "
            f"nodes of {first.name} at its first frame; a place inside a wall or an obstacle is missing there"
        )
    split = _split(root, [run.name for run in runs], notes)
    steps = [run.steps for run in runs]
    return MeshRecord(
        source=source,
        steps=sum(steps),
        blocks=lambda: (block for run in runs for block in _blocks(run, keys, None if still else points)),
        points=points,
        channels=channels,
        time=np.arange(sum(steps)),
        run=np.repeat(np.arange(len(runs)), steps),
        cadence="1/30 s",
        triangles=mesh if still else None,
        role=role,
        cases=tuple(run.name for run in runs),
        notes=tuple(notes),
        split=split,
    )


def _root(place: Path) -> Path:
    """What names of runs start from: a folder, that of a file, or that above the first star of a pattern."""
    if place.is_dir():
        return place
    return place.parent if place.is_file() else next(up for up in place.parents if not glob.has_magic(str(up)))


def _lost(run: _Run, nodes: ndarray) -> DataError:
    bad = int((~np.isfinite(nodes)).any(axis=-1).sum())
    return DataError(f"{run.name}/sim.npz: pointcloud holds {bad} positions that are NaN or infinite. Get it again.")


def _is_still(run: _Run) -> bool:
    faces = run.triangles()
    if faces.ndim == 3 and any((frame != faces[0]).any() for frame in faces):
        return False
    blocks = run.frames(("pointcloud",))
    (first,) = next(blocks)
    return bool((first == first[0]).all()) and all(bool((block == first[0]).all()) for (block,) in blocks)


def _blocks(
    run: _Run, keys: tuple[str, ...], places: Float[ndarray, "s 2"] | None
) -> Iterator[Float[ndarray, "t s c"]]:
    """Values of a run: at the nodes, or read off the triangles at places that do not move."""
    locator = None if places is None else Locator(places)
    faces, at = run.triangles(), 0
    used, normal = np.zeros((2, run.size), bool)
    if locator is None:
        used[np.asarray(faces[0] if faces.ndim == 3 else faces).astype(np.int64)] = True
    for nodes, kinds, *fields in run.frames(("pointcloud", "mask", *keys)):
        if not np.isfinite(nodes).all():
            raise _lost(run, nodes.reshape(-1, 2))
        values = np.stack([field.astype(np.float32) for field in fields], axis=-1)
        kind = kinds.reshape(kinds.shape[:2])
        normal |= (kind == _NORMAL).any(0)
        values[kind == _DISABLED] = np.nan
        values[~np.isfinite(values)] = np.nan
        if locator is None:
            values[:, ~used] = np.nan
            yield values
        else:
            out = np.empty((len(values), len(locator.places), len(keys)), np.float32)
            for t in range(len(values)):
                raw = np.asarray(faces[at + t] if faces.ndim == 3 else faces)
                triangles = check_triangles(raw, run.size, f"{run.name}/triangles.npy")
                used[triangles] = True
                triangles = triangles[_in_flow(triangles, kind[t])]
                face, weight = locator.find(nodes[t].astype(float), triangles)
                there = face >= 0
                out[t] = np.nan
                corners = values[t][triangles[face[there]]]
                out[t, there] = (corners * weight[there, :, None].astype(np.float32)).sum(1)
            yield out
        at += len(values)
    stray = np.flatnonzero(normal & ~used)
    if len(stray):
        raise DataError(
            f"{run.name}: {len(stray)} of {run.size} nodes are in the flow by mask but lie in no triangle at any frame "
            f"(first: node {stray[0]}). Are sim.npz and triangles.npy of one run? Get both again."
        )


def _in_flow(triangles: Int[ndarray, "f 3"], kind: ndarray) -> Bool[ndarray, " f"]:
    """Triangles without a disabled corner: what such a node holds is no flow."""
    flows: ndarray = (kind[triangles.T] != _DISABLED).all(axis=0)
    return flows


def _split(root: Path, names: list[str], notes: list[str]) -> MakersSplit | None:
    """The lists of the makers: files train.txt, valid.txt and test.txt in a folder Splits in or beside the root."""
    for folder in (root / "Splits", root.parent / "Splits"):
        lists = {part: folder / f"{part}.txt" for part in ("train", "valid", "test")}
        if not all(file.is_file() for file in lists.values()):
            continue
        split = dict[str, tuple[str, ...]]()
        for part, file in lists.items():
            lines = file.read_text(encoding="utf-8", errors="replace").replace("\\", "/").splitlines()
            asked = [line.strip().strip("/").removeprefix("./") for line in lines if line.strip()]
            split[part] = tuple(
                name
                for name in names
                if any(f"/{ask}".endswith(f"/{name}") or f"/{name}".endswith(f"/{ask}") for ask in asked)
            )
        counts = " / ".join(str(len(part)) for part in split.values())
        if all(split.values()):
            notes.append(f"the lists in {folder.name} split the runs: {counts} for training, validation and test")
            return MakersSplit(**split)
        notes.append(f"the lists in {folder.name} are not used: they name {counts} of these runs")
    return None
