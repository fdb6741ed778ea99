"""Plans on stations, meshes and graphs without positions: what each format says of the places, and what comes back."""

import csv
import io
import json

import geopandas
import netCDF4
import numpy as np
import pytest
import xarray as xr

from dynst.domain import Frame, GraphLayout, Plan, Sites
from dynst.domain.graphs import drawing, nearest_neighbours, of_edges, of_triangles
from dynst.errors import DataError
from dynst.export import load_plan, render, save_plan

TRIANGLES = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2]])


def planned(sites, budget=3):
    n = len(sites)
    order = np.arange(n)[::-1]
    return Plan(order, np.linspace(1, 0.2, n), budget, sites, "by_hand", "worth", {"seed": 1})


def stations():
    names = ("Malin Head", "=cmd", "Kilkenny", "Ros\u00e9", "Cork")
    sites = Sites(np.array([-7.3, 179.9, -7.2, -6.3, -8.5]), np.array([55.3, 52.0, 52.6, 52.3, 51.8]), name=names)
    return sites, nearest_neighbours(sites, 2)


def mesh(**options):
    sites = Sites(np.array([0.0, 1.0, 0.0, 1.0, 0.25]), np.array([0.0, 0.0, 1.0, 1.0, 2.125]), **options)
    return sites, of_triangles(5, TRIANGLES)


def nowhere():
    layout, _ = of_edges(5, np.arange(4), np.arange(1, 5), np.array([0.5, 0.25, 1.0, 0.1]), both_ways=False)
    place = drawing(layout)
    return Sites(place[:, 0], place[:, 1], frame=Frame.SCHEMATIC, name=("a", "b", "c", "d", "e")), layout


KINDS = {
    "stations": stations(),
    "mesh": mesh(frame=Frame.PLANAR, unit="1"),
    "projected": mesh(frame=Frame.PROJECTED, crs="EPSG:32631"),
    "metres": mesh(frame=Frame.PLANAR),
    "nowhere": nowhere(),
    "no edge": (mesh(frame=Frame.PLANAR)[0], GraphLayout(5, np.zeros((2, 0), int))),
}


def geojson(kind):
    sites, layout = KINDS[kind]
    return json.loads(render(planned(sites), "geojson", layout=layout))


def table(kind):
    sites, layout = KINDS[kind]
    return list(csv.DictReader(io.StringIO(render(planned(sites), "csv", layout=layout).decode())))


@pytest.mark.parametrize("kind", KINDS)
def test_save_then_load_gives_back_plan_and_graph(kind, tmp_path):
    sites, layout = KINDS[kind]
    plan = planned(sites)
    save_plan(plan, layout, tmp_path / "plan.nc")
    again, graph = load_plan(tmp_path / "plan.nc")
    assert isinstance(graph, GraphLayout)
    assert (graph.size, graph.words, graph.weighted) == (5, layout.words, layout.weighted)
    np.testing.assert_array_equal(graph.edge_index, layout.edge_index)
    np.testing.assert_array_equal(graph.edge_weight, layout.edge_weight)
    assert (graph.triangles is None) == (layout.triangles is None)
    if layout.triangles is not None:
        np.testing.assert_array_equal(graph.triangles, layout.triangles)
    assert (again.sites.frame, again.sites.unit, again.sites.crs) == (sites.frame, sites.unit, sites.crs)
    assert again.sites.name == sites.name
    np.testing.assert_array_equal(again.importance_map, plan.importance_map)


def test_an_edge_that_was_changed_by_hand_is_noticed(tmp_path):
    save_plan(planned(KINDS["mesh"][0]), KINDS["mesh"][1], tmp_path / "plan.nc")
    with netCDF4.Dataset(tmp_path / "plan.nc", "a") as data:
        data["graph_edge"][0, 0] = 7
    with pytest.raises(DataError, match="an edge names site 7"):
        load_plan(tmp_path / "plan.nc")


def opened(kind, tmp_path):
    sites, layout = KINDS[kind]
    (tmp_path / "plan.nc").write_bytes(render(planned(sites), "netcdf", layout=layout))
    with xr.open_dataset(tmp_path / "plan.nc") as data:
        return data.load()


def test_stations_are_points_that_any_cf_reader_places(tmp_path):
    data = opened("stations", tmp_path)
    assert data.attrs["featureType"] == "point"
    assert {"x", "y", "site_name"} <= set(data["importance_map"].coords)
    units = {data[name].attrs["standard_name"]: data[name].attrs["units"] for name in ("x", "y")}
    assert units == {"longitude": "degrees_east", "latitude": "degrees_north"}
    assert data["sensor_map"].values.tolist() == [0, 0, 1, 1, 1]
    assert data["rank_map"].values.tolist() == [5, 4, 3, 2, 1]


def test_a_mesh_follows_ugrid(tmp_path):
    data = opened("mesh", tmp_path)
    assert "UGRID" in data.attrs["Conventions"]
    topology = data["mesh"].attrs
    assert (topology["cf_role"], int(topology["topology_dimension"])) == ("mesh_topology", 2)
    assert topology["node_coordinates"].split() == ["x", "y"]
    faces = data[topology["face_node_connectivity"]]
    np.testing.assert_array_equal(faces.values - int(faces.attrs["start_index"]), TRIANGLES)
    assert data["importance_map"].attrs["mesh"] == "mesh"
    assert data["importance_map"].attrs["location"] == "node"
    assert (data["x"].attrs["units"], "standard_name" in data["x"].attrs) == ("1", False)
    known = opened("projected", tmp_path)
    assert known["mesh"].attrs["node_coordinates"].split() == ["lon", "lat"]
    assert known["x"].attrs["standard_name"] == "projection_x_coordinate"


def test_a_drawing_is_never_passed_off_as_places(tmp_path):
    data = opened("nowhere", tmp_path)
    assert "featureType" not in data.attrs
    assert "position is unknown" in data["x"].attrs["long_name"]
    text = geojson("nowhere")
    assert text["crs"] is None
    assert text["coordinates_are"].startswith("unknown")
    assert all(feature["geometry"] is None for feature in text["features"])
    for keys in (text["features"][0]["properties"], table("nowhere")[0]):
        assert not {"x", "y", "x_m", "longitude", "cell"} & set(keys)
    page = render(planned(KINDS["nowhere"][0]), "html", layout=KINDS["nowhere"][1]).decode()
    assert "<th>order of building</th><th>name</th><th>role</th><th>importance</th>" in page


def test_stations_go_to_a_gis_under_their_names_without_cells():
    text = geojson("stations")
    assert "crs" not in text
    assert [f["properties"]["name"] for f in text["features"]] == ["Cork", "Ros\u00e9", "Kilkenny"]
    assert text["features"][0]["geometry"]["coordinates"] == [-8.5, 51.8]
    assert not any(key.startswith("cell") for key in text["features"][0]["properties"])
    frame = geopandas.read_file(io.BytesIO(render(planned(KINDS["stations"][0]), "geojson")))
    assert frame.crs.to_epsg() == 4326
    assert len(frame) == 3


@pytest.mark.parametrize(
    ("kind", "said", "columns"),
    [
        ("mesh", "lengths without dimension in a local plane", {"x", "y", "xy_unit"}),
        ("metres", "metres in a local plane", {"x_m", "y_m"}),
    ],
)
def test_a_plane_goes_out_in_its_own_unit_and_says_so(kind, said, columns):
    text = geojson(kind)
    assert text["coordinates_are"] == said
    assert not geopandas.read_file(io.BytesIO(json.dumps(text).encode())).crs.is_geographic
    assert text["features"][0]["geometry"]["coordinates"] == [0.25, 2.125]
    row = table(kind)[0]
    assert columns <= set(row)
    assert "longitude" not in row
    assert [float(row[column]) for column in sorted(columns - {"xy_unit"})] == [0.25, 2.125]
