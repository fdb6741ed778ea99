"""Files of weather, climate and ocean models: the grid or mesh of the model, its dates, and quantities only."""

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial import Delaunay

from dynst.errors import ConfigError, DataError
from dynst.readers import inspect, read, sniff

STEPS, ROWS, COLUMNS = 60, 5, 6
WHEN = pd.date_range("2018-10-15", periods=STEPS, freq="h")
rng = np.random.default_rng(3)
PLANE = rng.standard_normal((STEPS, ROWS, COLUMNS)).astype("f4")
LAT = 40 + 0.1 * np.arange(ROWS)[:, None] + 0.01 * np.arange(COLUMNS)[None, :]
LON = -100 + 0.12 * np.arange(COLUMNS)[None, :] + 0 * LAT


def wrf(path, *, clock="XTIME", levels=0, staggered=False, moves=0.0):
    """A file of the Weather Research and Forecasting model."""
    with netCDF4.Dataset(path, "w") as file:
        sizes = {
            "Time": None,
            "DateStrLen": 19,
            "south_north": ROWS,
            "west_east": COLUMNS,
            "west_east_stag": COLUMNS + 1,
        }
        for name, size in (sizes | ({"bottom_top": levels} if levels else {})).items():
            file.createDimension(name, size)
        plane = ("Time", "south_north", "west_east")
        drift = moves * np.arange(STEPS)[:, None, None]
        for name, values, units in (("XLAT", LAT, "degree_north"), ("XLONG", LON, "degree_east")):
            file.createVariable(name, "f4", plane)[:] = np.broadcast_to(values, PLANE.shape) + drift
            file[name].units = units
        if clock == "XTIME":
            file.createVariable("XTIME", "f4", ("Time",))[:] = 60 * np.arange(STEPS)
            file["XTIME"].description = "minutes since 2018-10-15 00:00:00"
        else:
            text = np.array([list(f"{when:%Y-%m-%d_%H:%M:%S}") for when in WHEN], "S1")
            file.createVariable("Times", "S1", ("Time", "DateStrLen"))[:] = text
        for name, values in (("T2", PLANE), ("HGT", np.broadcast_to(PLANE[:1], PLANE.shape))):
            file.createVariable(name, "f4", plane)[:] = values
            file[name].coordinates = "XLONG XLAT XTIME"
        if levels:
            block = np.stack([PLANE + level for level in range(levels)], 1)
            file.createVariable("T", "f4", (plane[0], "bottom_top", *plane[1:]))[:] = block
        if staggered:
            file.createVariable("U", "f4", (*plane[:2], "west_east_stag"))[:] = np.zeros((STEPS, ROWS, COLUMNS + 1))
    return str(path)


@pytest.mark.parametrize("clock", ["XTIME", "Times"])
def test_wrf_is_a_curvilinear_grid_with_dates_and_its_heights_are_no_series(clock, tmp_path):
    field = read(wrf(tmp_path / "wrfout_d01_2018-10-15_00_00_00", clock=clock))
    assert [channel.name for channel in field.channels] == ["T2"]
    np.testing.assert_array_equal(field.time, WHEN.to_numpy())
    np.testing.assert_allclose(np.sort(field.sites.y), np.sort(LAT.ravel()), atol=1e-4)
    np.testing.assert_array_equal(field.series.read(0, STEPS)[:, :, 0], PLANE[:, ::-1].reshape(STEPS, -1))
    assert any("HGT is not used: it does not vary in time" in note for note in field.origin.notes)


def test_levels_of_wrf_are_channels_and_staggered_winds_are_said(tmp_path):
    found = inspect(wrf(tmp_path / "x.nc", levels=2, staggered=True))
    assert found.observe == ("T0", "T1", "T2")
    aside = {variable.variable: variable.left_aside for variable in found.variables if variable.left_aside}
    assert "stands between the cells (west_east_stag)" in aside["U"]


def test_a_grid_that_moves_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"XLAT changes with time: the grid moves.*Interpolate"):
        read(wrf(tmp_path / "x.nc", moves=0.01))


def test_a_folder_of_wrf_files_needs_no_suffix(tmp_path):
    wrf(tmp_path / "wrfout_d01_2018-10-15_00_00_00")
    assert read(str(tmp_path)).steps == STEPS


def test_a_grid_of_an_ocean_model_whose_coordinates_have_a_time_axis(tmp_path):
    """ROMS and NEMO histories merged by xarray: nav_lat becomes (time, y, x)."""
    time = ("time_counter", np.arange(STEPS), {"units": "hours since 2018-10-15"})
    planes = {
        name: (("time_counter", "y", "x"), np.broadcast_to(at, PLANE.shape))
        for name, at in (("nav_lat", LAT), ("nav_lon", LON))
    }
    data = xr.Dataset({"tos": (("time_counter", "y", "x"), PLANE), **planes}, {"time_counter": time})
    data.to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"))
    assert (field.origin.grid, len(field.sites)) == (f"curvilinear {ROWS} x {COLUMNS}", ROWS * COLUMNS)


@pytest.mark.parametrize("unit", ["radian", "radians", "rad"])
def test_grids_in_radians_are_turned_to_degrees(unit, tmp_path):
    coords = {
        "time": WHEN,
        "lat": ("lat", np.deg2rad(LAT[:, 0]), {"units": unit, "standard_name": "latitude"}),
        "lon": ("lon", np.deg2rad(LON[0]), {"units": unit, "standard_name": "longitude"}),
    }
    xr.Dataset({"t": (("time", "lat", "lon"), PLANE)}, coords).to_netcdf(tmp_path / "x.nc")
    field = read(str(tmp_path / "x.nc"))
    np.testing.assert_allclose([field.sites.y.max(), field.sites.x.min()], [LAT[:, 0].max(), LON[0].min()], atol=1e-5)
    assert any(f"positions in {unit} were turned to degrees" in note for note in field.origin.notes)


N = 30
XY = rng.uniform(0, 10, (N, 2))
TRIANGLES = Delaunay(XY).simplices
AT = rng.standard_normal((STEPS, N)).astype("f4")
HOURS = ("time", np.arange(STEPS) * 1.0, {"units": "hours since 2018-10-15"})


def cells(path, *, dim="ncells", unit="radian", levels=(), marks=None, names=("clat", "clon")):
    """Cells of ICON, or of another model without a grid."""
    scale = np.deg2rad(1) if unit.startswith("rad") else 1.0
    kind = {"latitude": XY[:, 1] + 45, "longitude": XY[:, 0] + 5}
    coords = {
        name: (dim, values * scale, {"standard_name": standard, "units": unit})
        for name, (standard, values) in zip(names, kind.items(), strict=True)
    }
    if levels:
        block = np.stack([AT - i for i in range(len(levels))], 1)
        level = ("lev", np.array(levels), {"standard_name": "air_pressure", "units": "Pa"})
        data = xr.Dataset({"t": (("time", "lev", dim), block, marks or {})}, coords | {"lev": level, "time": HOURS})
    else:
        data = xr.Dataset({"t": (("time", dim), AT, marks or {})}, coords | {"time": HOURS})
    data.to_netcdf(path)
    return str(path)


@pytest.mark.parametrize(
    "spelled",
    [
        {},
        {"dim": "cell", "unit": "rad"},
        {"dim": "ncol", "unit": "degrees", "names": ("lat", "lon")},
        {"dim": "gridpoint", "unit": "degrees", "marks": {"CDI_grid_type": "unstructured"}},
    ],
)
def test_cells_without_a_grid_stand_where_they_are(spelled, tmp_path):
    path = cells(tmp_path / "x.nc", **spelled)
    field = read(path)
    np.testing.assert_allclose(field.sites.x, XY[:, 0] + 5, atol=1e-6)
    np.testing.assert_allclose(field.sites.y, XY[:, 1] + 45, atol=1e-6)
    np.testing.assert_array_equal(field.series.read(0, STEPS)[:, :, 0], AT)
    assert (sniff(path), field.origin.stations) == ("mesh", False)


def test_stations_in_radians_are_turned_to_degrees_and_stay_stations(tmp_path):
    path = cells(tmp_path / "x.nc", dim="station", names=("lat", "lon"))
    field = read(path)
    np.testing.assert_allclose(field.sites.x, XY[:, 0] + 5, atol=1e-6)
    assert field.origin.stations
    assert any("turned to degrees" in note for note in field.origin.notes)


def test_levels_of_cells_are_channels_by_their_pressure(tmp_path):
    path = cells(tmp_path / "x.nc", levels=(100000.0, 85000.0))
    field = read(path, observe=["t850"], predict=["t"])
    assert [(channel.name, channel.observe) for channel in field.channels] == [("t850", True), ("t1000", False)]
    np.testing.assert_array_equal(field.series.read(0, STEPS), np.stack([AT - 1, AT], -1))


def mpas(path):
    """Cells of the Model for Prediction Across Scales: radians without a unit, neighbours from 1, times as text."""
    with netCDF4.Dataset(path, "w") as file:
        for name, size in (("Time", None), ("StrLen", 64), ("nCells", N), ("nVertices", len(TRIANGLES)), ("three", 3)):
            file.createDimension(name, size)
        text = np.zeros((STEPS, 64), "S1")
        text[:, :19] = np.array([list(f"{when:%Y-%m-%d_%H:%M:%S}") for when in WHEN], "S1")
        file.createVariable("xtime", "S1", ("Time", "StrLen"))[:] = text
        file.createVariable("latCell", "f8", ("nCells",))[:] = np.deg2rad(XY[:, 1] + 45)
        file.createVariable("lonCell", "f8", ("nCells",))[:] = np.deg2rad(XY[:, 0] + 355) % (2 * np.pi)
        file.createVariable("areaCell", "f8", ("nCells",))[:] = 1 + np.arange(N)
        file.createVariable("cellsOnVertex", "i4", ("nVertices", "three"))[:] = TRIANGLES + 1
        file.createVariable("t2m", "f4", ("Time", "nCells"))[:] = AT
    return str(path)


def test_mpas_has_its_own_cells_neighbours_areas_and_dates(tmp_path):
    field = read(mpas(tmp_path / "x.nc"))
    np.testing.assert_allclose(field.sites.x, XY[:, 0] - 5, atol=1e-6)
    np.testing.assert_allclose(field.sites.area, 1 + np.arange(N))
    np.testing.assert_array_equal(field.time, WHEN.to_numpy())
    sides = {
        tuple(sorted(pair))
        for corner in TRIANGLES.tolist()
        for pair in zip(corner, corner[1:] + corner[:1], strict=True)
    }
    assert {tuple(sorted(pair)) for pair in field.layout.edge_index.T.tolist()} == sides


def two_supports(path, *, table="nv", transposed=True, start=1, metres=False):
    """FVCOM, or another model with triangles: levels at nodes, currents at elements."""
    corners = TRIANGLES.astype("i4") + start
    middle = XY[TRIANGLES].mean(1)
    at_elements = rng.standard_normal((STEPS, len(TRIANGLES))).astype("f4")
    zero = 0.0 if metres else 1.0
    east, north = {"units": "degrees_east"}, {"units": "degrees_north"}
    data = xr.Dataset(
        {
            "zeta": (("time", "node"), AT, {"units": "m"}),
            "ua": (("time", "nele"), at_elements, {"units": "m s-1"}),
            "wet_cells": (("time", "nele"), np.ones(at_elements.shape, "i4"), {"long_name": "Wet_Cells"}),
            "wet_nodes": (("time", "node"), np.ones(AT.shape, "i4")),
            "h": ("node", XY[:, 0] + 10, {"units": "m"}),
            table: (("three", "nele"), corners.T) if transposed else (("nele", "three"), corners),
            "Itime": ("time", np.arange(STEPS) // 24 + 58406, {"units": "days since 1858-11-17"}),
        },
        {
            "lon": ("node", (XY[:, 0] - 124) * zero, east),
            "lat": ("node", (XY[:, 1] + 37) * zero, north),
            "lonc": ("nele", (middle[:, 0] - 124) * zero, east),
            "latc": ("nele", (middle[:, 1] + 37) * zero, north),
            "time": HOURS,
        },
    )
    if metres:
        data = data.assign(x=("node", XY[:, 0]), y=("node", XY[:, 1]))
    data.to_netcdf(path)
    return str(path), at_elements


@pytest.mark.parametrize(
    "spelled",
    [{}, {"table": "element", "transposed": False}, {"table": "tri", "start": 0}, {"metres": True}],
)
def test_nodes_and_elements_of_one_file_can_both_be_asked_for(spelled, tmp_path):
    path, at_elements = two_supports(tmp_path / "x.nc", **spelled)
    nodes = read(path, observe=["zeta"], predict=["zeta"])
    np.testing.assert_array_equal(nodes.series.read(0, STEPS)[:, :, 0], AT)
    assert sorted(map(sorted, nodes.layout.triangles.tolist())) == sorted(map(sorted, TRIANGLES.tolist()))
    assert [known.name for known in nodes.covariates] == ["h"]
    elements = read(path, predict=["ua"])
    np.testing.assert_array_equal(elements.series.read(0, STEPS)[:, :, 0], at_elements)
    assert [channel.name for channel in elements.channels] == ["ua"]
    np.testing.assert_array_equal(nodes.time, WHEN.to_numpy())


def test_masks_of_wet_and_dry_are_no_quantity_and_two_supports_do_not_mix(tmp_path):
    path, _ = two_supports(tmp_path / "x.nc")
    assert [channel.name for channel in read(path).channels] == ["zeta"]
    with pytest.raises(ConfigError, match="wet_nodes cannot be used: it is a mask"):
        read(path, predict=["wet_nodes"])
    with pytest.raises(ConfigError, match=r"cannot be used: it stands at the .*name it alone"):
        read(path, observe=["zeta"], predict=["ua"])


def test_a_mask_of_wet_cells_on_a_grid_is_no_quantity(tmp_path):
    coords = {"time": WHEN, "lat": LAT[:, 0], "lon": LON[0]}
    wet = (("time", "lat", "lon"), np.ones(PLANE.shape, "i4"))
    xr.Dataset({"t": (("time", "lat", "lon"), PLANE), "wetdry_mask_rho": wet}, coords).to_netcdf(tmp_path / "x.nc")
    assert inspect(str(tmp_path / "x.nc")).observe == ("t",)


def test_layers_of_fvcom_whose_depths_differ_by_node_are_counted(tmp_path):
    path, _ = two_supports(tmp_path / "x.nc")
    with netCDF4.Dataset(path, "a") as file:
        file.createDimension("siglay", 3)
        file.createVariable("siglay", "f4", ("siglay", "node"))[:] = -np.arange(3)[:, None] - 0.1 * XY[None, :, 0]
        file["siglay"].standard_name = "ocean_sigma_coordinate"
        file.createVariable("temp", "f4", ("time", "siglay", "node"))[:] = AT[:, None] + np.arange(3)[:, None]
    field = read(path, predict=["temp2"])
    assert [channel.name for channel in field.channels] == ["zeta", "temp0", "temp1", "temp2"]
    np.testing.assert_array_equal(field.series.read(0, STEPS)[:, :, 3], AT + 2)


def around_the_date_line(path):
    """Triangles around the whole Earth."""
    lon, lat = np.meshgrid(np.arange(0, 360, 30.0), [-60.0, 0, 60])
    n = lon.size
    corner = [[i + 12 * r, (i + 1) % 12 + 12 * r, i + 12 * (r + 1)] for r in range(2) for i in range(12)]
    corner += [
        [(i + 1) % 12 + 12 * r, (i + 1) % 12 + 12 * (r + 1), i + 12 * (r + 1)] for r in range(2) for i in range(12)
    ]
    xr.Dataset(
        {
            "t": (("time", "node"), rng.standard_normal((STEPS, n)).astype("f4")),
            "tri": (("nele", "three"), np.array(corner)),
        },
        {
            "lon": ("node", lon.ravel(), {"units": "degrees_east"}),
            "lat": ("node", lat.ravel(), {"units": "degrees_north"}),
            "time": HOURS,
        },
    ).to_netcdf(path)
    return str(path)


def test_triangles_across_the_date_line_are_no_larger_than_others(tmp_path):
    field = read(around_the_date_line(tmp_path / "x.nc"))
    by_row = field.sites.area.reshape(3, 12)
    np.testing.assert_allclose(by_row, by_row[:, :1] * np.ones(12), rtol=1e-6)


@pytest.mark.parametrize("write", [lambda path: two_supports(path)[0], cells, mpas], ids=["FVCOM", "ICON", "MPAS"])
@pytest.mark.parametrize("overlap", [0, 5])
@pytest.mark.parametrize("asked", ["a folder", "a pattern"])
def test_files_on_one_mesh_that_follow_each_other_are_one_record(write, overlap, asked, tmp_path):
    with xr.open_dataset(write(tmp_path / "whole.nc"), decode_cf=False) as whole:
        time = "Time" if "Time" in whole.dims else "time"
        (tmp_path / "parts").mkdir()
        whole.isel({time: slice(0, 25 + overlap)}).to_netcdf(tmp_path / "parts/a.nc")
        whole.isel({time: slice(25, None)}).to_netcdf(tmp_path / "parts/b.nc")
    field = read(str(tmp_path / ("parts" if asked == "a folder" else "parts/*.nc")))
    np.testing.assert_array_equal(field.time, WHEN.to_numpy())
    np.testing.assert_array_equal(field.series.read(0, STEPS)[:, :, 0], AT)
    assert any("share 5 steps" in note for note in field.origin.notes) == bool(overlap)


def test_files_on_two_meshes_are_refused(tmp_path):
    cells(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc", decode_cf=False) as whole:
        whole.isel(ncells=slice(0, 9)).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(DataError, match=r"b.nc: 9 cells came; a.nc has 30. Give files on one mesh"):
        read(str(tmp_path))
