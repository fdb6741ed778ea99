"""netCDF gives the same plan and the same grid back, and maps that any CF reader understands."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import Frame, GridLayout, Plan, Sites
from dynst.errors import CheckpointError, DataError
from dynst.export import load_plan, render, save_plan


def grid_plan(lat, lon, cell, *, periodic=False, budget=2, **options):
    sites = Sites(lon.ravel()[cell], lat.ravel()[cell], **options)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(cell))[: max(budget, len(cell) - 1)]
    plan = Plan(order, rng.normal(size=len(order)), budget, sites, "by_hand", "what it is", {"seed": 3, "ä": [1, "b"]})
    return plan, GridLayout(lat.shape, cell, periodic=periodic)


def same(a, b):
    assert (a.order == b.order).all()
    assert (a.importance == b.importance).all()
    assert (a.budget, a.planner, a.importance_is, a.provenance) == (b.budget, b.planner, b.importance_is, b.provenance)
    assert a.sites.fingerprint == b.sites.fingerprint
    assert a.sites.name == b.sites.name
    assert (a.sites.area == b.sites.area).all()
    assert (a.sites.role == b.sites.role).all()
    assert (a.sites.frame, a.sites.crs) == (b.sites.frame, b.sites.crs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("plans")


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(2, 5)),
    holes=st.sets(st.integers(0, 19), max_size=8),
    curved=st.booleans(),
    kind=st.sampled_from(
        [(Frame.GEOGRAPHIC, None), (Frame.PLANAR, None), (Frame.PROJECTED, None), (Frame.PROJECTED, "EPSG:32631")]
    ),
)
@settings(max_examples=25, deadline=None)
def test_save_then_load_gives_back_plan_and_grid(folder, shape, holes, curved, kind):
    rows, columns = shape
    lat, lon = np.meshgrid(np.arange(rows) * 2.0, np.arange(columns) * 3.0, indexing="ij")
    lat = lat + curved * 0.1 * lon
    cell = np.array([i for i in range(rows * columns) if i not in holes or i < 2])
    plan, layout = grid_plan(lat, lon, cell, frame=kind[0], crs=kind[1])
    path = folder / "plan.nc"
    save_plan(plan, layout, path)
    again, grid = load_plan(path)
    same(plan, again)
    assert grid.shape == layout.shape
    assert (grid.cell == layout.cell).all()
    assert grid.periodic == layout.periodic
    save_plan(plan, None, path)
    again, grid = load_plan(path)
    same(plan, again)
    assert grid is None


def test_the_export_is_a_plan_too(tmp_path):
    lat, lon = np.meshgrid([2.0, 0.0], [-180.0, -90.0, 0.0, 90.0], indexing="ij")
    plan, layout = grid_plan(lat, lon, np.arange(8), periodic=True)
    (tmp_path / "map.nc").write_bytes(render(plan, "netcdf", layout=layout, title="mine"))
    again, grid = load_plan(tmp_path / "map.nc")
    same(plan, again)
    assert grid.periodic


def test_maps_stand_on_the_grid_with_cf_coordinates(tmp_path):
    lat, lon = np.meshgrid([2.0, 0.0], [10.0, 11.0, 13.0], indexing="ij")
    plan, layout = grid_plan(lat, lon, np.array([0, 1, 2, 3, 5]))
    (tmp_path / "map.nc").write_bytes(render(plan, "netcdf", layout=layout))
    with xr.open_dataset(tmp_path / "map.nc") as data:
        assert data["importance_map"].dims == ("lat", "lon")
        assert data["lat"].values.tolist() == [2.0, 0.0]
        assert data["lon"].values.tolist() == [10.0, 11.0, 13.0]
        assert data["lon"].attrs == {"standard_name": "longitude", "units": "degrees_east"}
        np.testing.assert_array_equal(layout.unfold(data["importance_map"].values), plan.importance_map)
        assert data["sensor_map"].values[1, 1] == -1  # no site there
        assert int((data["sensor_map"] == 1).sum()) == plan.budget
        best = data["rank_map"].where(data["rank_map"] == 1, drop=True)
        assert (best["lon"].item(), best["lat"].item()) == (plan.sites.x[plan.order[0]], plan.sites.y[plan.order[0]])
        assert data.attrs["Conventions"].startswith("CF-")


def test_axes_run_one_way_around_the_earth_and_over_rows_of_land(tmp_path):
    lat, lon = np.meshgrid([60.0, 30.0, 0.0, -30.0, -60.0], [0.0, 90.0, -180.0, -90.0], indexing="ij")  # a 0..360 file
    cell = np.setdiff1d(np.arange(20), [4, 5, 6, 7, 16, 17, 18, 19])  # no site on the rows at 30 and at -60
    plan, layout = grid_plan(lat, lon, cell, periodic=True)
    (tmp_path / "map.nc").write_bytes(render(plan, "netcdf", layout=layout))
    with xr.open_dataset(tmp_path / "map.nc") as data:
        assert data["lon"].values.tolist() == [0.0, 90.0, 180.0, 270.0]
        assert data["lat"].values.tolist() == [60.0, 30.0, 0.0, -30.0, -60.0]
        assert np.isnan(data["importance_map"].sel(lat=30.0)).all()


def test_a_curved_grid_names_its_positions_in_two_dimensions(tmp_path):
    lat, lon = np.meshgrid([60.0, 59.0], [3.0, 4.0], indexing="ij")
    plan, layout = grid_plan(lat + 0.1 * lon, lon, np.arange(4))
    (tmp_path / "map.nc").write_bytes(render(plan, "netcdf", layout=layout))
    with xr.open_dataset(tmp_path / "map.nc") as data:
        assert data["importance_map"].dims == ("row", "column")
        assert data["lat"].dims == ("row", "column")
        assert {"lat", "lon"} <= set(data["importance_map"].coords)


def test_positions_changed_by_hand_are_noticed(tmp_path):
    lat, lon = np.meshgrid([2.0, 0.0], [10.0, 11.0], indexing="ij")
    save_plan(*grid_plan(lat, lon, np.arange(4)), tmp_path / "plan.nc")
    with xr.open_dataset(tmp_path / "plan.nc") as data:
        changed = data.load()
    changed["x"] = changed["x"] + 1.0
    changed.to_netcdf(tmp_path / "other.nc")
    with pytest.raises(DataError, match="changed after it was written"):
        load_plan(tmp_path / "other.nc")


@pytest.mark.parametrize("content", [b"", b"hello", None])
def test_what_is_no_plan_is_refused_in_words(tmp_path, content):
    path = tmp_path / "plan.nc"
    if content is None:
        xr.Dataset({"a": ("x", np.zeros(2))}).to_netcdf(path)
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a plan that dynst wrote"):
        load_plan(path)
    with pytest.raises(CheckpointError, match="no such file"):
        load_plan(tmp_path / "nothing.nc")
