"""Where the values of a mesh stand: nodes, faces or cells of UGRID, FVCOM, ICON, MPAS and their like."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy import ndarray

from dynst.domain.space import EARTH_RADIUS_KM, unit_vectors
from dynst.errors import DataError
from dynst.readers.faces import adjacent, centres, face_areas, faces_of, in_triangles
from dynst.readers.names import Role, degrees_in, role_of

__all__ = ["Support", "find_supports", "holds_supports", "is_geometry", "topology"]

_TRIANGLES = {"nv", "element", "elements", "ele", "elem", "elems", "tri", "triangles", "tris", "connectivity"}
_CELLS = {"ncells", "ncell", "cell", "cells", "ncol", "ncolumns", "nod2", "nele"}
_STATIONS = {"station", "stations", "site", "sites", "sensor", "sensors", "location"}
_GEOMETRY = r"([xyz]|lat|lon|area|index\w*)?_?(cell|vertex|edge)s?|[xyz]c?|(lat|lon)\w*|c?(lat|lon)|art[12]|area\w*"


@dataclass(frozen=True, eq=False)
class Support:
    """Places along one dimension of a file, and how they neighbour each other.

    Parameters
    ----------
    dim, kind : str
        The dimension, and what its places are: nodes, faces, elements or cells.
    points : Float[ndarray, "n 2"]
        x and y, or longitude and latitude in degrees.
    triangles, pairs : Int[ndarray, "f 3"], Int[ndarray, "2 e"] or None
        The mesh of the places, or their neighbours; without both each place is joined to its nearest.
    area : Float[ndarray, "n"] or None
        If it is known beside the triangles.
    notes : tuple of str
        What was done.
    """

    dim: str
    kind: str
    points: Float[ndarray, "n 2"]
    geographic: bool
    triangles: Int[ndarray, "f 3"] | None = None
    pairs: Int[ndarray, "2 e"] | None = None
    area: Float[ndarray, " n"] | None = None
    notes: tuple[str, ...] = ()


def topology(data: xr.Dataset) -> xr.DataArray | None:
    """The variable that describes a UGRID mesh."""
    return next((data[name] for name in data.variables if data[name].attrs.get("cf_role") == "mesh_topology"), None)


def holds_supports(data: xr.Dataset) -> bool:
    """Whether values of a file stand on a mesh, or on cells that form no grid."""
    if topology(data) is not None or _mesh_elsewhere(data):
        return True
    places = _positions(data)
    cells = [dim for dim in places if dim.lower() in _CELLS or _marked(data, dim)]
    return bool(cells) or _triangle_table(data, places) is not None


def is_geometry(name: str, array: xr.DataArray) -> bool:
    """Whether a variable describes the mesh itself."""
    role = role_of(name, array.attrs)
    return role in {Role.X, Role.Y, Role.LATITUDE, Role.LONGITUDE} or bool(re.fullmatch(_GEOMETRY, name.lower()))


def find_supports(data: xr.Dataset, file: Path) -> list[Support]:
    """All places of a file that values may stand on, nodes first.

    Raises
    ------
    DataError
        If the mesh is not whole, or lies in another file that is not there.
    """
    where = file.name
    if topology(data) is not None:
        return _ugrid(data, where)
    if name := _mesh_elsewhere(data):
        return _beside(data, name, file)
    places = _positions(data)
    table = _triangle_table(data, places)
    if table is not None:
        return _triangulated(data, places, table, where)
    return [_cells(data, dim, places[dim], where) for dim in places]


def _mesh_elsewhere(data: xr.Dataset) -> str:
    """Name of the mesh that variables stand on where the file does not hold it."""
    named = (
        str(array.attrs["mesh"])
        for array in data.variables.values()
        if {"mesh", "location"} <= set(array.attrs) and array.attrs["location"] in {"node", "face"}
    )
    return next((name for name in named if name not in data.variables), "")


def _beside(data: xr.Dataset, name: str, file: Path) -> list[Support]:
    """The supports of a mesh that lies in another file of the same folder."""
    others = [other for other in sorted(file.parent.glob("*.nc"))[:100] if other != file]
    for other in others:
        with xr.open_dataset(other, engine="netcdf4", decode_cf=False, cache=False) as mesh:
            found = topology(mesh)
            if found is None or (str(found.name) != name and len(others) > 1):
                continue
            supports = [_renamed(support, data) for support in _ugrid(mesh, other.name)]
            note = f"the mesh {found.name} is read from {other.name} beside the data"
            return [replace(support, notes=(*support.notes, note)) for support in supports if support.dim in data.dims]
    raise DataError(
        f"{file.name}: its values stand on the mesh {name}, which is not in the file and in no netCDF file beside it. "
        f"Put the file that holds {name} into the same folder."
    )


def _renamed(support: Support, data: xr.Dataset) -> Support:
    """The support under the name that its dimension has in the data, if sizes tell."""
    if data.sizes.get(support.dim) == len(support.points):
        return support
    same = [str(dim) for dim, size in data.sizes.items() if size == len(support.points)]
    return replace(support, dim=same[0]) if len(same) == 1 else support


def _ugrid(data: xr.Dataset, where: str) -> list[Support]:
    mesh = topology(data)
    assert mesh is not None  # asked before
    names = str(mesh.attrs.get("node_coordinates", "")).split()
    if len(names) != 2 or not all(name in data.variables for name in names):
        raise DataError(
            f"{where}: holds a mesh, but {mesh.name} names no two node_coordinates that are there "
            f"({' '.join(names) or 'none'}). Write the mesh again by the UGRID conventions."
        )
    roles = [role_of(name, data[name].attrs) for name in names]
    if roles[0] in {Role.LATITUDE, Role.Y}:
        names, roles = names[::-1], roles[::-1]
    if data[names[0]].ndim != 1 or data[names[0]].dims != data[names[1]].dims:
        raise DataError(f"{where}: {names[0]} and {names[1]} are not one number for each node. Write the mesh again.")
    nodes, notes = _points(data, (names[0], names[1]), geographic=Role.LONGITUDE in roles)
    name = str(mesh.attrs.get("face_node_connectivity", ""))
    if name not in data.variables:
        raise DataError(f"{where}: holds a mesh, but its face_node_connectivity ({name or 'none'}) is not there.")
    transposed = mesh.attrs.get("face_dimension") == data[name].dims[-1]
    faces, face_dim = faces_of(data[name], len(nodes), where, transposed=transposed)
    node_dim = str(data[names[0]].dims[0])
    return _both(nodes, faces, (node_dim, face_dim), geographic=Role.LONGITUDE in roles, notes=notes)


def _both(
    nodes: Float[ndarray, "n 2"],
    faces: Int[ndarray, "f k"],
    dims: tuple[str, str],
    *,
    geographic: bool,
    notes: tuple[str, ...],
) -> list[Support]:
    """The nodes of a mesh, and its faces at their centres."""
    cut = in_triangles(faces)
    wide = geographic and bool((np.ptp(nodes[cut][:, :, 0], axis=1) > 180).any())
    area = _sphere_areas(nodes, cut) if wide else None
    at_nodes = None if area is None else np.bincount(cut.ravel(), np.repeat(area / 3, 3), minlength=len(nodes))
    at_faces = face_areas(nodes, faces) if area is None else np.bincount(_owner(faces), area, minlength=len(faces))
    middle = _sphere_centres(nodes, faces) if wide else centres(nodes, faces)
    said = (*notes, "the values are on faces: the sites are their centres")
    return [
        Support(dims[0], "nodes", nodes, geographic, triangles=cut, area=at_nodes, notes=notes),
        Support(dims[1], "faces", middle, geographic, pairs=adjacent(faces), area=at_faces, notes=said),
    ]


def _owner(faces: Int[ndarray, "f k"]) -> Int[ndarray, " g"]:
    """The face of each triangle of `in_triangles`."""
    owner: ndarray = np.repeat(np.arange(len(faces)), (faces >= 0).sum(1) - 2)
    return owner


def _sphere_areas(nodes: Float[ndarray, "n 2"], cut: Int[ndarray, "g 3"]) -> Float[ndarray, " g"]:
    """Areas of triangles that may cross the date line, in square kilometres."""
    corner = unit_vectors(nodes[:, 0], nodes[:, 1])[cut]
    across = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area: ndarray = np.linalg.norm(across, axis=-1) / 2 * EARTH_RADIUS_KM**2
    return area


def _sphere_centres(nodes: Float[ndarray, "n 2"], faces: Int[ndarray, "f k"]) -> Float[ndarray, "f 2"]:
    there = (faces >= 0)[:, :, None]
    x, y, z = (unit_vectors(nodes[:, 0], nodes[:, 1])[faces] * there).sum(1).T
    middle: ndarray = np.degrees(np.stack([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))], axis=-1))
    return middle


def _positions(data: xr.Dataset) -> dict[str, tuple[str, str]]:
    """By dimension, the names of two coordinates of its places: longitude and latitude, else x and y in a plane."""
    found: dict[str, dict[Role, str]] = {}
    for key, array in data.variables.items():
        role = role_of(str(key), array.attrs) or _plane(str(key))
        if array.ndim == 1 and str(key) != array.dims[0] and array.dtype.kind in "iuf" and role is not None:
            found.setdefault(str(array.dims[0]), {}).setdefault(role, str(key))
    pairs = ((Role.LONGITUDE, Role.LATITUDE), (Role.X, Role.Y))
    places: dict[str, tuple[str, str]] = {}
    for dim, known in found.items():
        for x, y in pairs:
            whole = x in known and y in known and Role.TIME not in known
            if whole and np.ptp(data.variables[known[y]].values) > 0:  # FVCOM writes zeros where it has metres only
                places.setdefault(dim, (known[x], known[y]))
    return places


def _plane(name: str) -> Role | None:
    return {"xc": Role.X, "yc": Role.Y}.get(name.lower())


def _marked(data: xr.Dataset, dim: str) -> bool:
    """Whether the file says that places along a dimension are cells: by their unit, or by the mark of CDO."""
    x, _ = _positions(data)[dim]
    marks = (str(array.attrs.get("CDI_grid_type", "")) for array in data.variables.values() if dim in array.dims)
    turned = degrees_in(str(data.variables[x].attrs.get("units", ""))) != 1
    return (turned and dim.lower() not in _STATIONS) or "unstructured" in marks


def _points(
    data: xr.Dataset, names: tuple[str, str], *, geographic: bool
) -> tuple[Float[ndarray, "n 2"], tuple[str, ...]]:
    """Positions, in degrees where they are on the Earth."""
    points = np.stack([np.asarray(data.variables[name].values, float) for name in names], axis=-1)
    if not geographic:
        return points, ("the coordinate reference system is not stated: positions are metres in a plane of their own",)
    unit = str(data.variables[names[0]].attrs.get("units", ""))
    bare = not unit and names[0].lower() in {"loncell", "lonvertex"} and np.nanmax(np.abs(points)) <= 2 * np.pi + 1e-6
    turned = degrees_in("radian" if bare else unit)
    points = points * turned
    points[:, 0] = (points[:, 0] + 180) % 360 - 180
    notes = (f"positions in {unit or 'radians'} were turned to degrees",) if turned != 1 else ()
    return points, notes


def _triangle_table(data: xr.Dataset, places: dict[str, tuple[str, str]]) -> str | None:
    """The variable with the corners of each triangle, in a file that does not say so by UGRID."""
    for name, array in data.variables.items():
        named = str(name).lower() in _TRIANGLES or array.attrs.get("cf_role") == "face_node_connectivity"
        if named and array.ndim == 2 and array.dtype.kind in "iuf" and {3, 4} & set(array.shape) and places:
            return str(name)
    return None


def _triangulated(data: xr.Dataset, places: dict[str, tuple[str, str]], table: str, where: str) -> list[Support]:
    """Nodes and elements; corners are counted from 0 or from 1, as their numbers show."""
    array = data[table]
    transposed = array.shape[0] in {3, 4} and array.shape[1] not in {3, 4}
    face_dim = str(array.dims[1 if transposed else 0])
    node_dims = [dim for dim in places if dim != face_dim]
    if not node_dims:
        raise DataError(f"{where}: {table} holds triangles, but no node has a position (lon and lat, or x and y).")
    node_dim = node_dims[0]
    geographic = role_of(places[node_dim][0], data[places[node_dim][0]].attrs) is Role.LONGITUDE
    nodes, notes = _points(data, places[node_dim], geographic=geographic)
    corners = array.values[array.values > 0]
    from_one = bool(corners.size and corners.max() == len(nodes))
    counted = {"start_index": 1, "_FillValue": 0} if from_one and "start_index" not in array.attrs else {}
    faces, _ = faces_of(array.assign_attrs(counted), len(nodes), where, transposed=transposed)
    on_nodes, on_faces = _both(nodes, faces, (node_dim, face_dim), geographic=geographic, notes=notes)
    if face_dim in places:
        points, _ = _points(data, places[face_dim], geographic=geographic)
        on_faces = replace(on_faces, points=points, notes=notes)
    return [on_nodes, replace(on_faces, kind="elements")]


def _cells(data: xr.Dataset, dim: str, names: tuple[str, str], where: str) -> Support:
    """Cells that form no grid; their neighbours, if the file has them."""
    geographic = role_of(names[0], data[names[0]].attrs) is Role.LONGITUDE
    points, notes = _points(data, names, geographic=geographic)
    area = next((_numbers(data, name) for name in ("areaCell", "cell_area", "area") if name in data.variables), None)
    fitting = area is not None and area.shape == (len(points),) and bool((area > 0).all())
    return Support(
        dim, "cells", points, geographic, pairs=_neighbours(data, dim), area=area if fitting else None, notes=notes
    )


def _numbers(data: xr.Dataset, name: str) -> Float[ndarray, ...]:
    return np.asarray(data.variables[name].values, float)


def _neighbours(data: xr.Dataset, dim: str) -> Int[ndarray, "2 e"] | None:
    """Pairs of neighbouring cells, which MPAS and ICON count from 1; anything below is none."""
    for name in ("cellsOnCell", "neighbor_cell_index"):
        if name in data.variables and dim in data[name].dims and data[name].ndim == 2:
            other = next(d for d in data[name].dims if d != dim)
            table = data[name].transpose(dim, other).values.astype(np.int64) - 1
            return _pairs(np.repeat(np.arange(len(table)), table.shape[1]), table.ravel(), data.sizes[dim])
    if "cellsOnVertex" in data.variables and dim == "nCells":
        table = data["cellsOnVertex"].values.astype(np.int64) - 1
        return _pairs(table.ravel(), np.roll(table, 1, axis=1).ravel(), data.sizes[dim])
    return None


def _pairs(one: Int[ndarray, " e"], other: Int[ndarray, " e"], n: int) -> Int[ndarray, "2 g"]:
    """Each pair once, without those that end nowhere."""
    both = np.sort(np.stack([one, other]), axis=0)
    return np.unique(both[:, (both[0] >= 0) & (both[1] < n) & (both[0] < both[1])], axis=1)
