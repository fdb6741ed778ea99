"""Meshes: read off linearly to the known error, sites shared by all runs, one line for whatever is broken."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from dynst.domain import Window
from dynst.domain.split import split_record
from dynst.errors import ConfigError, DataError
from dynst.readers import Hints, mesh_records, read, sniff
from dynst.readers.triangles import Locator

sys.path.insert(0, str(Path(__file__).parent))
from eagle_maker import BOUND, RADIUS, SPARE, centre, flow, write_run


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("eagle")
    sides = [
        write_run(root / "Cre/1/1", nodes=400, seed=1),
        write_run(root / "Cre/1/2", nodes=460, seed=2, float_type="f8", face_type="i8", trailing=True),
        write_run(root / "Spl/7/1", nodes=430, seed=3, face_type="u2"),
    ]
    return root, max(sides)


def test_values_agree_with_the_flow_to_the_error_of_linear_interpolation(tree):
    root, longest = tree
    field = read(str(root), hints=Hints(sites=150))
    values = field.series.read(0, field.steps)
    points = np.stack([field.sites.x, field.sites.y], -1)
    truth = np.concatenate([[np.stack(flow(points, t), -1) for t in range(stop - start)] for start, stop in field.runs])
    error = np.nanmax(np.abs(values - truth), axis=(0, 1))
    # longest side h, largest second derivative M: at most h^2 / 8 M along a side, h^2 / 6 M within (Waldron 1998)
    bound = longest**2 / 6 * BOUND
    assert (error[:3] <= bound).all()
    assert (error[:3] >= bound / 3).all()  # measured: 0.0100, 0.0101, 0.0091 of 0.0181
    assert error[3] < 2e-6  # linear in x and y: exact but for single precision


def test_a_place_is_missing_just_while_the_obstacle_covers_it(tree):
    field = read(str(tree[0]), hints=Hints(sites=150))
    points = np.stack([field.sites.x, field.sites.y], -1)
    seen = np.isfinite(field.series.read(0, field.steps)).all(-1)
    for start, stop in field.runs:
        for t in range(stop - start):
            away = np.linalg.norm(points - centre(t), axis=1)
            assert not seen[start + t, away < 0.95 * RADIUS].any()
            inner = (away > RADIUS * 1.05) & (points > 0.02).all(1) & (points < [1.98, 0.98]).all(1)
            assert seen[start + t, inner].all()
    assert not seen.all()


def test_runs_are_cases_on_one_set_of_sites_without_walls(tree):
    field = read(str(tree[0]))
    assert field.cases == ("Cre/1/1", "Cre/1/2", "Spl/7/1")
    assert [stop - start for start, stop in field.runs] == [12, 12, 12]
    assert [channel.name for channel in field.channels] == ["vx", "vy", "ps", "pg"]
    assert field.cadence == "1/30 s"
    assert ((field.sites.y > 0) & (field.sites.y < 1)).all()  # the borders above and below are walls
    assert sniff(str(tree[0])) == "mesh"


def test_one_run_is_read_by_its_folder_or_its_file_and_channels_are_chosen(tree):
    one = read(str(tree[0] / "Spl/7/1"), observe=["ps"], predict=["vx"])
    same = read(str(tree[0] / "Spl/7/1/sim.npz"), observe=["ps"], predict=["vx"])
    assert len(one.runs) == 1
    assert [channel.name for channel in one.channels] == ["vx", "ps"]
    np.testing.assert_array_equal(one.series.read(0, 12), same.series.read(0, 12))
    with pytest.raises(ConfigError, match='channel "T" is unknown'):
        read(str(tree[0]), observe=["T"])


def test_a_mesh_that_stands_still_keeps_its_nodes_and_walls_are_no_candidates(tmp_path):
    write_run(tmp_path / "run", moving=False, steps=4)
    field = read(str(tmp_path / "run"))
    assert len(field.sites) == 400 - SPARE
    assert field.layout.triangles is not None
    wall = np.isin(field.sites.y, [0.0, 1.0])
    assert not np.isin(np.flatnonzero(wall), field.sites.legal).any()


def test_large_records_are_converted_to_the_same_values(tree, tmp_path, monkeypatch):
    small = read(str(tree[0]), hints=Hints(sites=60))
    monkeypatch.setattr(mesh_records, "IN_MEMORY_BYTES", 0)
    large = read(str(tree[0]), hints=Hints(sites=60), cache_dir=tmp_path)
    np.testing.assert_array_equal(small.series.read(0, 36), large.series.read(0, 36))
    assert small.sites.fingerprint == large.sites.fingerprint
    assert small.origin == large.origin


def test_the_lists_of_the_makers_split_the_runs(tmp_path):
    for i in (1, 2, 3):
        write_run(tmp_path / f"Cre/{i}/1", nodes=120, seed=i)
    (tmp_path / "Splits").mkdir()
    for part, i in (("train", 2), ("valid", 3), ("test", 1)):
        (tmp_path / "Splits" / f"{part}.txt").write_text(f"Cre/{i}/1\nTri/99/1\n")
    split = split_record(read(str(tmp_path)), Window(2, 2))
    assert (split.train.cases, split.valid.cases, split.test.cases) == (("Cre/2/1",), ("Cre/3/1",), ("Cre/1/1",))


def remake(folder, drop=(), **arrays):
    with np.load(folder / "sim.npz") as old:
        new = {name: old[name] for name in old.files if name not in drop} | arrays
    np.savez(folder / "sim.npz", **new)


def no_triangles(folder):
    (folder / "triangles.npy").unlink()


def pickled(folder):
    remake(folder, VX=np.array([None] * 12, object))


def pickled_triangles(folder):
    np.save(folder / "triangles.npy", np.array([None], object))


def cut_off_triangles(folder):
    content = (folder / "triangles.npy").read_bytes()
    (folder / "triangles.npy").write_bytes(content[: len(content) // 2])


def node_in_no_triangle(folder):
    with np.load(folder / "sim.npz") as old:
        mask = old["mask"].copy()
    mask[5:, -2] = 0
    remake(folder, mask=mask)


def wrong_node(folder):
    np.save(folder / "triangles.npy", np.load(folder / "triangles.npy") + 400)


def lost_positions(folder):
    remake(folder, pointcloud=np.full((12, 400, 2), np.nan))


def fewer_triangles(folder):
    np.save(folder / "triangles.npy", np.load(folder / "triangles.npy")[:5])


def cut_off(folder):
    content = (folder / "sim.npz").read_bytes()
    (folder / "sim.npz").write_bytes(content[: len(content) // 2])


def odd_header(folder):
    content = (folder / "triangles.npy").read_bytes()
    (folder / "triangles.npy").write_bytes(content[:10] + content[10:].replace(b"}", b" ", 1))


def later_version(folder):
    content = (folder / "sim.npz").read_bytes()
    at = content.index(b"PK\x01\x02") + 6  # what is needed to extract the first member
    (folder / "sim.npz").write_bytes(content[:at] + bytes([221]) + content[at + 1 :])


def no_mask(folder):
    remake(folder, drop=("mask",))


def short_field(folder):
    remake(folder, VX=np.zeros((11, 400)))


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (no_triangles, "run: no triangles.npy beside sim.npz"),
        (pickled, "^run/sim.npz: VX: the array holds Python objects, which are never unpickled"),
        (pickled_triangles, "run/triangles.npy: the file holds Python objects, which are never unpickled"),
        (cut_off_triangles, "run/triangles.npy: the file is damaged"),
        (
            node_in_no_triangle,
            r"run: 1 of 400 nodes are in the flow by mask but lie in no triangle .*\(first: node 398\)",
        ),
        (wrong_node, r"run/triangles.npy: a triangle names node \d+, but nodes count from 0 to 399"),
        (lost_positions, "run/sim.npz: pointcloud holds .* NaN or infinite"),
        (fewer_triangles, r"run/triangles.npy: shape \(5, .* expected 12 frames"),
        (cut_off, "run/sim.npz: not a whole .npz archive"),
        (odd_header, "run/triangles.npy: the file is damaged"),
        (later_version, r"run/sim.npz: not a whole .npz archive \(zip file version 22.1\)"),
        (no_mask, "run/sim.npz: lacks mask"),
        (short_field, r"run/sim.npz: VX has shape \(11, 400\)"),
    ],
)
def test_a_broken_run_is_one_clear_line(tmp_path, harm, message):
    write_run(tmp_path / "run")
    harm(tmp_path / "run")
    with pytest.raises(DataError, match=message) as caught:
        read(str(tmp_path / "run"))
    assert "\n" not in str(caught.value)


def test_runs_of_other_fields_are_refused(tmp_path):
    write_run(tmp_path / "a", nodes=120)
    write_run(tmp_path / "b", nodes=120)
    remake(tmp_path / "b", drop=("PG",))
    with pytest.raises(DataError, match="b holds VX, VY, PS, but a holds VX, VY, PS, PG"):
        read(str(tmp_path))


def test_a_still_mesh_with_a_node_in_no_triangle_is_refused_too(tmp_path):
    write_run(tmp_path / "run", moving=False)
    node_in_no_triangle(tmp_path / "run")
    with pytest.raises(DataError, match="1 of 400 nodes are in the flow by mask but lie in no triangle"):
        read(str(tmp_path / "run"))


def test_what_a_disabled_node_holds_is_read_nowhere(tmp_path):
    write_run(tmp_path / "run")
    with np.load(tmp_path / "run/sim.npz") as old:
        mask, vx = old["mask"].copy(), old["VX"].copy()
    mask[6:, 100:150], vx[6:, 100:150] = 2, 1e6
    before = read(str(tmp_path / "run")).series.read(0, 12)
    remake(tmp_path / "run", mask=mask, VX=vx)
    after = read(str(tmp_path / "run")).series.read(0, 12)
    seen = np.isfinite(after)
    np.testing.assert_array_equal(after[seen], before[seen])
    assert seen[:6].sum() == np.isfinite(before[:6]).sum()
    assert seen[6:].sum() < np.isfinite(before[6:]).sum()


def cloud(path, **arrays):
    coords = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1]])
    held = {"coords": coords, "triangles": np.array([[0, 1, 2], [1, 3, 2]]), "t2m": np.arange(36.0).reshape(9, 4)}
    held = {name: array for name, array in (held | arrays).items() if array is not None}
    if path.suffix == ".npz":
        np.savez(path, **held)
    else:
        with h5py.File(path, "w") as store:
            for name, array in held.items():
                store[name] = array
    return str(path)


def test_a_node_with_values_in_no_triangle_is_one_clear_line(tmp_path):
    path = cloud(tmp_path / "m.npz", triangles=np.array([[0, 1, 2], [0, 0, 1]]))
    with pytest.raises(DataError, match=r"m: 1 of 4 nodes hold values but lie in no triangle \(first: node 3,"):
        read(path)


def test_a_node_without_values_in_no_triangle_is_no_site_and_is_said(tmp_path):
    values = np.arange(36.0).reshape(9, 4)
    values[:, 3] = np.nan
    field = read(cloud(tmp_path / "m.npz", triangles=np.array([[0, 1, 2]]), t2m=values))
    assert len(field.sites) == 3
    assert "nodes outside every triangle are no sites: 1 of 4" in field.origin.notes


def test_hdf5_and_npz_of_the_same_arrays_are_the_same_record(tmp_path):
    packed, store = read(cloud(tmp_path / "m.npz")), read(cloud(tmp_path / "m.h5"))
    assert store.origin.reader == packed.origin.reader == "mesh"
    assert store.layout.triangles.tolist() == packed.layout.triangles.tolist() == [[0, 1, 2], [1, 3, 2]]
    np.testing.assert_array_equal(store.series.read(0, 9), packed.series.read(0, 9))


def test_arrays_without_triangles_are_joined_to_their_nearest(tmp_path):
    coords = np.random.default_rng(0).uniform(size=(12, 2))
    field = read(cloud(tmp_path / "m.h5", coords=coords, triangles=None, t2m=np.ones((9, 12))))
    assert field.layout.triangles is None
    assert field.layout.words.startswith("8 nearest")


def damaged_cloud(path):
    content = bytearray(Path(cloud(path / "x.npz")).read_bytes())
    at = content.index(np.arange(36.0).tobytes()[80:160])
    content[at : at + 8] = b"\xff" * 8
    (path / "x.npz").write_bytes(content)


def pickled_cloud(path):
    cloud(path / "x.npz", t2m=np.array([None] * 9, object))


def empty_matlab(path):
    (path / "x.mat").write_bytes(b"")


def new_matlab(path):
    (path / "x.mat").write_bytes(
        b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 .".ljust(512) + b"\x89HDF\r\n"
    )


def text_matlab(path):
    (path / "x.mat").write_text("time,level\n1,2\n")


def no_fields(path):
    cloud(path / "x.h5", t2m=np.ones((9, 5)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (damaged_cloud, r"x.npz: cannot be read \(Bad CRC-32 .* Get it again"),
        (pickled_cloud, "x.npz: an array holds Python objects, which are never unpickled"),
        (empty_matlab, r"x.mat: the file is empty \(0 bytes\)"),
        (new_matlab, r"x.mat: MATLAB 7.3 files are not read. Save it in MATLAB with save\(..., '-v7'\)"),
        (text_matlab, r"x.mat: cannot be read"),
        (no_fields, r"x.h5: no field on the 4 nodes; t2m \(9, 5\) came"),
    ],
)
def test_a_broken_file_of_arrays_is_one_clear_line(make, message, tmp_path):
    make(tmp_path)
    (file,) = tmp_path.iterdir()
    with pytest.raises(DataError, match=message) as caught:
        read(str(file))
    assert "\n" not in str(caught.value)


def test_a_pattern_names_the_runs_that_it_matches(tree):
    root = tree[0]
    whole, some = read(str(root)), read(str(root / "Cre/*/*/sim.npz"))
    assert some.cases == ("1/1", "1/2")
    assert read(str(root / "*/*/1")).cases == ("Cre/1/1", "Spl/7/1")
    np.testing.assert_array_equal(some.series.read(0, 24), whole.series.read(0, 24))
    with pytest.raises(DataError, match="no such file, folder or pattern"):
        read(str(root / "*/*/3/sim.npz"))


_MEMORY = """
import resource, sys
from dynst.readers import Hints, read
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
read(sys.argv[2])
before = peak()
field = read(sys.argv[1])
print(4 * field.steps * len(field.sites) * 4 / 2**20, type(field.series).__name__, peak() - before)
"""


def test_a_tree_larger_than_memory_allows_is_converted_in_little_memory(tmp_path):
    write_run(tmp_path / "tree/1", nodes=2200, steps=2)
    box = np.array([[0.0, 0], [2, 0], [2, 1], [0, 1]])
    steps = 1100
    for run in (2, 3):  # two triangles each: what costs time and memory is the sites
        (tmp_path / f"tree/{run}").mkdir()
        held = {name: np.random.default_rng(run).normal(size=(steps, 4)) for name in ("VX", "VY", "PS", "PG")}
        cloud = np.broadcast_to(box, (steps, 4, 2))
        np.savez(tmp_path / f"tree/{run}/sim.npz", pointcloud=cloud, mask=np.zeros((steps, 4)), **held)
        np.save(tmp_path / f"tree/{run}/triangles.npy", np.array([[0, 1, 2], [0, 2, 3]]))
    command = [sys.executable, "-c", _MEMORY, str(tmp_path / "tree"), str(tmp_path / "tree/1")]
    environment = {"DYNST_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=True)
    size, kind, grown = done.stdout.split()
    assert kind == "FileSeries"
    assert float(size) > 64
    assert float(grown) < 32


def test_the_triangle_of_a_place_is_the_one_that_holds_it(rng):
    from scipy.spatial import Delaunay

    nodes, places = rng.uniform(0, 1, (300, 2)), rng.uniform(-0.2, 1.2, (500, 2))
    mesh = Delaunay(nodes)
    face, weight = Locator(places).find(nodes, mesh.simplices.astype(np.int64))
    np.testing.assert_array_equal(face, mesh.find_simplex(places))
    inside = face >= 0
    np.testing.assert_allclose((nodes[mesh.simplices[face[inside]]] * weight[inside, :, None]).sum(1), places[inside])


def ugrid(path, *, start=1, at="face"):
    data = xr.Dataset(
        {
            "mesh": (
                (),
                0,
                {
                    "cf_role": "mesh_topology",
                    "topology_dimension": 2,
                    "node_coordinates": "nx ny",
                    "face_node_connectivity": "faces",
                },
            )
        }
    )
    data["nx"] = ("node", np.array([0.0, 1, 2, 0, 1, 2]), {"standard_name": "projection_x_coordinate"})
    data["ny"] = ("node", np.array([0.0, 0, 0, 1, 1, 1]), {"standard_name": "projection_y_coordinate"})
    faces = np.array([[0.0, 1, 4, 3], [1, 2, 5, -1 - start], [1, 5, 4, -1 - start]])
    data["faces"] = (("face", "corner"), faces + start, {"start_index": start, "_FillValue": -1.0})
    data["time"] = ("time", np.arange(8.0), {"units": "hours since 2020-01-01"})
    size = 3 if at == "face" else 6
    data["s"] = (("time", at), np.arange(8.0)[:, None] + np.arange(size), {"units": "m"})
    data.to_netcdf(path)
    return str(path)


def test_ugrid_faces_are_sites_at_their_centres_joined_over_shared_sides(tmp_path):
    field = read(ugrid(tmp_path / "f.nc"))
    np.testing.assert_allclose(field.sites.x, [0.5, 5 / 3, 4 / 3])
    np.testing.assert_allclose(field.sites.area, [1, 0.5, 0.5])
    assert field.layout.edge_index.T.tolist() == [[2, 0], [2, 1], [0, 2], [1, 2]]
    assert field.cadence == "1 h"


def test_ugrid_polygons_are_cut_into_triangles_wherever_counting_starts(tmp_path):
    one, zero = (read(ugrid(tmp_path / f"{i}.nc", start=i, at="node")) for i in (1, 0))
    assert one.layout.triangles.tolist() == zero.layout.triangles.tolist()
    assert len(one.layout.triangles) == 4
    assert one.sites.area.sum() == pytest.approx(2.0)


def remade(path, **variables):
    """The file of `ugrid` with some variables replaced by (values, attributes)."""
    with xr.open_dataset(path, decode_cf=False) as data:
        data.load()
    for name, (values, attrs) in variables.items():
        data[name] = (data[name].dims, values, data[name].attrs | attrs)
    data.to_netcdf(path)
    return str(path)


def test_ugrid_values_that_are_fill_are_missing_and_packed_ones_are_unpacked(tmp_path):
    packed = np.arange(48, dtype="i2").reshape(8, 6)
    packed[2:, 4] = -999
    attrs = {"_FillValue": np.int16(-999), "scale_factor": 0.5, "add_offset": 10.0}
    field = read(remade(ugrid(tmp_path / "x.nc", at="node"), s=(packed, attrs)))
    values = field.series.read(0, 8)[..., 0]
    np.testing.assert_array_equal(values, np.where(packed == -999, np.nan, 10 + 0.5 * packed).astype("f4"))
    assert f"{6 / 48:.2%} of the values at the sites are missing" in field.origin.notes


@pytest.mark.parametrize(("lowest", "missing"), [(-1.0, 5), (0.0, 4)])
def test_ground_is_dry_only_where_depths_below_0_tell_so(tmp_path, lowest, missing):
    depth = np.add.outer(np.arange(8.0), np.arange(6.0))
    depth[0, 0], depth[1:5, 3] = lowest, -999.0
    path = remade(ugrid(tmp_path / "x.nc", at="node"), s=(depth, {"_FillValue": -999.0, "standard_name": "depth"}))
    with xr.open_dataset(path, decode_cf=False) as data:
        data.load().rename(s="depth").to_netcdf(tmp_path / "y.nc")
    values = read(str(tmp_path / "y.nc")).series.read(0, 8)
    assert np.isnan(values).sum() == missing


def test_ugrid_faces_may_be_padded_with_nan_or_fill_at_any_corner(tmp_path):
    plain = read(ugrid(tmp_path / "a.nc", at="node"))
    faces = np.array([[1.0, 2, 5, 4], [2, 3, 6, np.nan], [np.nan, 2, 6, 5]])
    padded = read(remade(ugrid(tmp_path / "b.nc", at="node"), faces=(faces, {"_FillValue": np.nan})))
    assert padded.layout.triangles.tolist() == plain.layout.triangles.tolist()
    np.testing.assert_allclose(read(remade(ugrid(tmp_path / "c.nc"), faces=(faces, {}))).sites.area, [1, 0.5, 0.5])


def test_ugrid_times_that_are_nearly_even_are_put_on_even_ones_in_order(tmp_path):
    hours = np.array([0, 1.1, 2, 3, 4, 5, 7.05, 5.9])
    field = read(remade(ugrid(tmp_path / "x.nc"), time=(hours, {})))
    assert (field.runs, field.cadence) == ([(0, 8)], "1 h")
    assert field.series.read(0, 8)[:, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 7, 6]
    assert any(note.startswith("uneven times were put on even ones") for note in field.origin.notes)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"faces": (np.full((3, 4), 99.0), {})}, r"faces names node 98, but nodes count from 0 to 5 \(start_index 1\)"),
        ({"faces": (np.zeros((3, 4)), {})}, r"faces names node -1, but nodes count from 0 to 5 \(start_index 1\)"),
        ({"faces": (np.full((3, 4), np.nan), {})}, r"faces gives face 0 fewer than 3 nodes \(3 such\)"),
        ({"faces": (np.full((3, 4), "a"), {})}, "faces has shape .* expected faces x nodes of a face"),
        ({"nx": (np.full(6, np.nan), {})}, "have no position"),
        ({"time": (np.array([0.0, 1, 2, 3, 3, 4, 5, 6]), {})}, "time repeats: 2020-01-01T03:00 comes more than once"),
        ({"s": (np.full((8, 3), -1.0), {"_FillValue": -1.0})}, "s has no value at any time and place"),
    ],
)
def test_a_broken_ugrid_file_is_one_clear_line(variables, message, tmp_path):
    path = remade(ugrid(tmp_path / "x.nc"), **variables)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_real_clouds_and_meshes(shared_data):
    wake = read(str(shared_data / "cylinder_wake/cylinder_nektar_wake.mat"))
    assert [channel.name for channel in wake.channels] == ["u", "v", "p"]
    assert (wake.series.shape, wake.sites.unit) == ((200, 5000, 3), "1")
    heat = read(str(shared_data / "heat_mesh/unsteady_heat_10cases.npz"))
    assert (len(heat.cases), heat.steps, heat.sites.area.sum()) == (10, 1000, pytest.approx(1.0))
    step = read(str(shared_data / "backstep_flow_mesh/backstep_flow.npz"))
    assert any(note.startswith("THERE IS NO TIME") for note in step.origin.notes)
    bay = read(str(shared_data / "sandiego_depth_mesh/ADH_SanDiego.nc"))
    assert (len(bay.sites), bay.covariates[0].name) == (8731, "elevation")
    assert np.nanmin(bay.series.read(0, bay.steps)) > 0
    assert (bay.cadence, bay.runs) == ("30 min", [(0, 49)])  # its own are up to 225 s beside half hours
    assert "uneven times were put on even ones, 1800 s apart and at most 150 s away" in bay.origin.notes
