"""Data inside other things: groups, versions side by side, a mesh in a file of its own, GRIB."""

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from dynst.errors import DataError
from dynst.readers import read

STEPS = 50
WHEN = pd.date_range("2020-01-01", periods=STEPS, freq="h")
VALUES = np.random.default_rng(4).standard_normal((STEPS, 3, 4)).astype("f4")
AXES = ("time", "lat", "lon")
COORDS = {"time": WHEN, "lat": [52.0, 51.0, 50.0], "lon": [4.0, 5.0, 6.0, 7.0]}


def same_as_values(field, values=VALUES):
    np.testing.assert_array_equal(field.time, WHEN.to_numpy())
    np.testing.assert_array_equal(field.series.read(0, STEPS)[:, :, 0], values.reshape(STEPS, -1))


@pytest.mark.parametrize("above", [False, True], ids=["all in the group", "coordinates above it"])
def test_the_one_group_that_holds_data_is_read(above, tmp_path):
    data = xr.Dataset({"t": (AXES, VALUES)}, COORDS)
    path = tmp_path / "x.nc"
    xr.Dataset(coords=COORDS if above else None, attrs={"title": "groups"}).to_netcdf(path)
    (data.drop_vars(list(COORDS)) if above else data).to_netcdf(path, group="product/detail", mode="a")
    same_as_values(read(str(path)))


def test_stations_in_a_group_are_read(tmp_path):
    places = {"lat": ("station", [1.0, 2, 3]), "lon": ("station", [1.0, 2, 3]), "time": WHEN}
    xr.Dataset().to_netcdf(tmp_path / "x.nc")
    xr.Dataset({"pm": (("time", "station"), VALUES[:, :, 0])}, places).to_netcdf(tmp_path / "x.nc", "a", group="obs")
    same_as_values(read(str(tmp_path / "x.nc")), VALUES[:, :, 0])


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_a_grid_of_netcdf_called_hdf5_keeps_its_dates_and_places(suffix, tmp_path):
    path = tmp_path / f"x{suffix}"
    xr.Dataset({"t": (AXES, VALUES)}, COORDS).to_netcdf(path)
    field = read(str(path))
    same_as_values(field)
    assert field.sites.y.max() == 52


def write_netcdf(data, path, group):
    data.to_netcdf(path, group=group, mode="a" if path.exists() else "w")


def write_zarr(data, path, group):
    data.to_zarr(path, group=group, mode="a", consolidated=False)


@pytest.mark.parametrize(("write", "name"), [(write_netcdf, "x.nc"), (write_zarr, "x.zarr")])
def test_of_several_groups_one_is_named(write, name, tmp_path):
    data, path = xr.Dataset({"t": (AXES, VALUES)}, COORDS), tmp_path / name
    for group, shift in (("analysis", 0), ("forecast", 1)):
        write(data + shift, path, group)
    with pytest.raises(
        DataError, match=r"in 2 groups: analysis \(t\), forecast \(t\)\. Name one behind #: .*#analysis$"
    ):
        read(str(path))
    same_as_values(read(f"{path}#forecast"), VALUES + np.float32(1))
    with pytest.raises(DataError, match=r"there is no group past with data in it; analysis \(t\), forecast \(t\)"):
        read(f"{path}#past")


@pytest.mark.parametrize("place", [1, 3], ids=["(time, expver, ...)", "(..., expver)"])
@pytest.mark.parametrize("packed", [False, True])
def test_versions_that_fill_each_other_are_one_record(place, packed, tmp_path):
    final, first = VALUES.copy(), VALUES.copy()
    final[40:], first[:40] = np.nan, np.nan
    axes = [*AXES[:place], "expver", *AXES[place:]]
    data = xr.Dataset({"t2m": (axes, np.stack([final, first], place), {"units": "K"})}, COORDS | {"expver": [1, 5]})
    packing = {"dtype": "i2", "scale_factor": 0.001, "_FillValue": -32767} if packed else {}
    data.to_netcdf(tmp_path / "x.nc", encoding={"t2m": packing})
    field = read(str(tmp_path / "x.nc"))
    np.testing.assert_allclose(field.series.read(0, STEPS)[:, :, 0], VALUES.reshape(STEPS, -1), atol=6e-4 * packed)
    assert not field.has_missing
    assert any("expver" in note and "one record" in note for note in field.origin.notes)


def ugrid_in_two_files(folder, *, named="mesh2d", mesh_dim="nNodes"):
    """The mesh in one file, the values in another."""
    xy = np.array([[0.0, 0], [1, 0], [2, 0], [0, 1], [1, 1], [2, 1]])
    about = {"cf_role": "mesh_topology", "topology_dimension": 2}
    about |= {"node_coordinates": "node_x node_y", "face_node_connectivity": "faces"}
    mesh = xr.Dataset(
        {
            "mesh2d": ((), 0, about),
            "node_x": (mesh_dim, xy[:, 0], {"standard_name": "projection_x_coordinate"}),
            "node_y": (mesh_dim, xy[:, 1], {"standard_name": "projection_y_coordinate"}),
            "faces": (("nFaces", "three"), np.array([[0, 1, 3], [1, 4, 3], [1, 2, 4], [2, 5, 4]])),
        }
    )
    mesh.to_netcdf(folder / "grid.nc")
    values = np.random.default_rng(1).standard_normal((STEPS, 6)).astype("f4")
    attrs = {"mesh": named, "location": "node"}
    xr.Dataset({"s": (("time", "nNodes"), values, attrs)}, {"time": WHEN}).to_netcdf(folder / "series.nc")
    return str(folder / "series.nc"), values


@pytest.mark.parametrize("mesh_dim", ["nNodes", "node"])
def test_a_mesh_in_another_file_of_the_folder_is_found(mesh_dim, tmp_path):
    path, values = ugrid_in_two_files(tmp_path, mesh_dim=mesh_dim)
    np.testing.assert_array_equal(read(str(tmp_path)).series.read(0, STEPS)[:, :, 0], values)
    field = read(path)
    assert len(field.layout.triangles) == 4
    np.testing.assert_array_equal(field.series.read(0, STEPS)[:, :, 0], values)
    assert any("the mesh mesh2d is read from grid.nc beside the data" in note for note in field.origin.notes)


def test_a_mesh_that_is_nowhere_is_asked_for(tmp_path):
    path, _ = ugrid_in_two_files(tmp_path)
    (tmp_path / "grid.nc").unlink()
    with pytest.raises(DataError, match=r"stand on the mesh mesh2d, which is not in the file .* same folder"):
        read(path)


def test_grib_without_its_package_is_one_line_that_names_it(tmp_path, monkeypatch):
    (tmp_path / "x.grib").write_bytes(b"GRIB" + bytes(60))
    monkeypatch.setattr("dynst.readers.grib.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"^x.grib: reading GRIB needs the package cfgrib: pip install dynst\[grib\]$"):
        read(str(tmp_path / "x.grib"))


def test_grib_fields_of_other_heights_are_one_record(tmp_path, monkeypatch):
    """A stand-in for cfgrib gives, as it does, a dataset for each height."""
    seconds = (
        "time",
        (WHEN - pd.Timestamp("1970-01-01")).total_seconds().to_numpy(),
        {"units": "seconds since 1970-01-01"},
    )
    place = {"time": seconds, "latitude": ("latitude", COORDS["lat"]), "longitude": ("longitude", COORDS["lon"])}
    axes = ("time", "latitude", "longitude")
    parts = [
        xr.Dataset({name: (axes, VALUES + shift)}, place | {"heightAboveGround": height})
        for name, shift, height in (("t2m", 0, 2.0), ("u10", 1, 10.0))
    ]
    module = ModuleType("cfgrib")
    module.__spec__ = ModuleSpec("cfgrib", None)
    module.open_datasets = lambda file, **options: parts
    monkeypatch.setitem(sys.modules, "cfgrib", module)
    (tmp_path / "x.grib").write_bytes(b"GRIB" + bytes(60))
    field = read(str(tmp_path))
    assert [channel.name for channel in field.channels] == ["t2m", "u10"]
    same_as_values(field)


@pytest.mark.skipif(find_spec("cfgrib") is None, reason="cfgrib is not installed")
def test_real_grib_is_the_same_record_as_its_netcdf(shared_data):
    grib, netcdf = (read(str(shared_data / f"era5_uk_t2m/era5-2mt-2019-03-uk.{kind}")) for kind in ("grib", "nc"))
    np.testing.assert_array_equal(grib.time, netcdf.time)
    np.testing.assert_array_equal(grib.sites.x, netcdf.sites.x)
    np.testing.assert_allclose(grib.series.read(0, 50), netcdf.series.read(0, 50), atol=2e-3)
