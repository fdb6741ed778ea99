"""GeoJSON opens at the right place everywhere: RFC 7946, the date line, the poles, and planes without longitudes."""

import io
import json
import subprocess
import sys

import geopandas
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import Point, shape

from dynst.domain import Frame, GridLayout, Plan, Sites
from dynst.domain.space import wrap_longitude
from dynst.export import render


def planned(sites, budget=None):
    n = len(sites)
    return Plan(np.arange(n), np.linspace(1, 0, n), budget or n, sites, "by_hand", provenance={"seed": 1})


def globe(first, rows=(90.0, 45.0, 0.0, -45.0, -90.0), step=45.0):
    """A full turn of longitude that starts anywhere, as a file may."""
    longitude = wrap_longitude(first + step * np.arange(round(360 / step)))
    lat, lon = np.meshgrid(rows, longitude, indexing="ij")
    return Sites(lon.ravel(), lat.ravel()), GridLayout(lon.shape, np.arange(lon.size), periodic=True)


def features(sites, layout, **options):
    return json.loads(render(planned(sites), "geojson", layout=layout, **options))["features"]


def test_it_is_valid_json_for_a_strict_reader(tmp_path):
    path = tmp_path / "plan.geojson"
    path.write_bytes(render(planned(globe(0.0)[0]), "geojson"))
    subprocess.run([sys.executable, "-m", "json.tool", str(path)], check=True, stdout=subprocess.DEVNULL)


def test_a_gis_reads_every_sensor_at_its_place():
    sites, layout = globe(0.0)
    frame = geopandas.read_file(io.BytesIO(render(planned(sites, 17), "geojson", layout=layout)))
    assert len(frame) == 17
    assert frame.crs.to_epsg() == 4326
    west, south, east, north = frame.total_bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    np.testing.assert_allclose(frame.geometry.x, sites.x[:17])
    np.testing.assert_allclose(frame.geometry.y, sites.y[:17])
    assert frame["rank"].tolist() == list(range(1, 18))
    assert frame["name"].tolist() == list(sites.name[:17])


@pytest.mark.parametrize("first", [0.0, -180.0, -157.5])
def test_cells_of_a_globe_cover_it_once_and_hold_their_sensor(first):
    sites, layout = globe(first)
    cells = [shape(feature["properties"]["cell"]) for feature in features(sites, layout)]
    assert all(cell.is_valid for cell in cells)
    assert sum(cell.area for cell in cells) == pytest.approx(360 * 180)
    for cell, x, y in zip(cells, sites.x, sites.y, strict=True):
        assert cell.distance(Point(x, y)) == 0
        assert -180 <= cell.bounds[0] <= cell.bounds[2] <= 180
        assert -90 <= cell.bounds[1] <= cell.bounds[3] <= 90


def test_a_cell_on_the_date_line_is_cut_in_two_and_its_bounds_run_eastwards():
    sites, layout = globe(0.0)
    feature = next(f for f in features(sites, layout) if f["geometry"]["coordinates"] == [-180.0, 0.0])
    assert feature["properties"]["cell"]["type"] == "MultiPolygon"
    assert feature["properties"]["cell_bounds"] == [157.5, -22.5, -157.5, 22.5]
    assert sorted(part.bounds for part in shape(feature["properties"]["cell"]).geoms) == [
        (-180.0, -22.5, -157.5, 22.5),
        (157.5, -22.5, 180.0, 22.5),
    ]


@given(first=st.floats(-180, 179), step=st.sampled_from([30.0, 45.0, 60.0]), down=st.booleans())
@settings(max_examples=20, deadline=None)
def test_rings_are_closed_and_run_anticlockwise(first, step, down):
    rows = (60.0, 20.0, -20.0) if down else (-20.0, 20.0, 60.0)
    sites, layout = globe(first, rows, step)
    for feature in features(sites, layout):
        cell = shape(feature["properties"]["cell"])
        for part in getattr(cell, "geoms", [cell]):
            assert part.exterior.is_ccw
            assert part.exterior.is_closed


def test_from_0_to_360_or_from_minus_180_the_sensors_stand_at_the_same_places():
    def places(first):
        return {
            (tuple(f["geometry"]["coordinates"]), tuple(f["properties"]["cell_bounds"]))
            for f in features(*globe(first))
        }

    assert places(0.0) == places(-180.0)


def test_holes_do_not_change_the_cells_of_the_sites_beside_them():
    lat, lon = np.meshgrid([10.0, 8.0, 5.0], [20.0, 21.0, 23.0, 26.0], indexing="ij")  # uneven steps
    whole = Sites(lon.ravel(), lat.ravel())
    keep = np.array([0, 3, 5, 6, 8, 11])
    part = Sites(lon.ravel()[keep], lat.ravel()[keep])
    every = [f["properties"]["cell_bounds"] for f in features(whole, GridLayout((3, 4), np.arange(12)))]
    some = [f["properties"]["cell_bounds"] for f in features(part, GridLayout((3, 4), keep))]
    assert some == [every[i] for i in keep]


def test_metres_in_a_plane_are_never_sold_as_longitudes():
    sites = Sites(np.array([0.0, 10.0, 0.0, 10.0]), np.array([10.0, 10.0, 0.0, 0.0]), frame=Frame.PLANAR)
    text = json.loads(render(planned(sites), "geojson", layout=GridLayout((2, 2), np.arange(4))))
    frame = geopandas.read_file(io.BytesIO(json.dumps(text).encode()))
    assert not frame.crs.is_geographic
    assert frame.crs.axis_info[0].unit_name == "metre"
    assert "metres" in text["coordinates_are"]
    assert text["features"][1]["geometry"]["coordinates"] == [10.0, 10.0]
    assert text["features"][1]["properties"]["cell_bounds"] == [5.0, 5.0, 15.0, 15.0]


@pytest.mark.parametrize("told", [True, False])
def test_projected_sites_go_out_in_wgs84_with_their_metres_beside(told):
    x, y = np.array([500_000.0, 502_500.0]), np.array([6_651_411.2, 6_651_411.2])  # UTM 31 N, 60 N 3 E and 2.5 km east
    known = {"longitude": np.array([3.0, 3.0448]), "latitude": np.array([60.0, 60.0])} if told else {}
    sites = Sites(x, y, frame=Frame.PROJECTED, crs="EPSG:32631", **known)
    text = json.loads(render(planned(sites), "geojson", layout=GridLayout((1, 2), np.arange(2))))
    assert "crs" not in text
    for feature, longitude in zip(text["features"], (3.0, 3.0448), strict=True):
        np.testing.assert_allclose(feature["geometry"]["coordinates"], [longitude, 60.0], atol=1e-4)
    assert text["features"][0]["properties"]["x"] == 500_000.0
    assert text["features"][0]["properties"]["xy_crs"] == "EPSG:32631"


def test_the_file_says_how_the_plan_came_to_be():
    sites, layout = globe(0.0)
    text = json.loads(render(planned(sites, 3), "geojson", layout=layout))
    assert text["dynst"]["provenance"] == {"seed": 1}
    assert text["dynst"]["fingerprint"] == sites.fingerprint
    assert sites.fingerprint in text["features"][0]["properties"]["provenance"]


def test_curved_grids_have_cells_that_fit_together():
    i, j = np.meshgrid(np.arange(12.0), np.arange(15.0), indexing="ij")
    lat, lon = 60 - 0.1 * i + 0.02 * j, 5 + 0.2 * j + 0.05 * i + 0.001 * i * j
    sites, layout = Sites(lon.ravel(), lat.ravel()), GridLayout(lat.shape, np.arange(lat.size))
    cells = [shape(f["properties"]["cell"]) for f in features(sites, layout)]
    assert all(cell.is_valid for cell in cells)
    union = cells[0]
    for cell in cells[1:]:
        union = union.union(cell)
    assert sum(cell.area for cell in cells) == pytest.approx(union.area, rel=0.01)  # a bend of 1 % between neighbours
    assert union.convex_hull.area == pytest.approx(union.area, rel=0.02)
