"""Regions: bands of latitude part the sites; polygons of a file hold those that lie in them."""

import json

import geopandas
import numpy as np
import pytest
import shapely

from dynst.domain import Frame, Sites
from dynst.errors import DataError
from dynst.evaluation.regions import default_regions, regions_of
from dynst.readers.regions import read_regions

SITES = Sites(np.array([0.5, 1.5, 2.5, -5.0]), np.array([50.5, 51.5, 50.5, 40.0]))
WEST, EAST = shapely.box(0, 50, 2, 52), shapely.box(2, 50, 3, 52)


def written(tmp_path, shapes, names=None, *, file="regions.geojson", crs="EPSG:4326", column="name"):
    frame = geopandas.GeoDataFrame({} if names is None else {column: names}, geometry=shapes, crs=crs)
    frame.to_file(tmp_path / file)
    return tmp_path / file


def positions(regions):
    return {name: inside.nonzero()[0].tolist() for name, inside in regions.items()}


@pytest.mark.parametrize("span", [(-90, 90), (-35, 5), (50, 60)])
def test_bands_of_latitude_part_the_sites(span):
    latitude = np.linspace(*span, 30)
    regions = default_regions(Sites(np.zeros(30), latitude, name=tuple(map(str, range(30)))))
    assert len(regions) == 3
    assert (np.sum(list(regions.values()), axis=0) == 1).all()
    assert ("tropics" in regions) == (span == (-90, 90))


def test_the_tropics_are_those_of_weatherbench():
    latitude = np.array([-60.0, -20, -19, 0, 19, 20, 60])
    regions = default_regions(Sites(np.arange(7.0), latitude))
    assert latitude[regions["tropics"]].tolist() == [-19, 0, 19]


def test_where_latitudes_are_unknown_or_equal_there_are_no_bands():
    assert default_regions(Sites(np.arange(5.0), np.arange(5.0), Frame.PLANAR)) == {}
    assert default_regions(Sites(np.arange(5.0), np.full(5, 50.0))) == {}


@pytest.mark.parametrize("file", ["regions.geojson", "regions.gpkg", "regions.shp"])
def test_polygons_hold_the_sites_that_lie_in_them(tmp_path, file):
    path = written(tmp_path, [WEST, EAST], ["west", "east"], file=file)
    assert positions(regions_of(SITES, path)) == {"west": [0, 1], "east": [2]}


def test_polygons_in_metres_are_brought_to_the_sites(tmp_path):
    frame = geopandas.GeoDataFrame({"name": ["west", "east"]}, geometry=[WEST, EAST], crs="EPSG:4326")
    frame.to_crs("EPSG:3857").to_file(tmp_path / "metres.gpkg")
    assert positions(read_regions(tmp_path / "metres.gpkg", SITES)) == {"west": [0, 1], "east": [2]}


def test_what_was_done_with_the_file_is_said(tmp_path):
    notes = []
    path = written(tmp_path, [WEST, shapely.box(90, 0, 91, 1)], file="plain.shp")
    path.with_suffix(".prj").unlink()
    assert positions(read_regions(path, SITES, notes)) == {"region 1": [0, 1]}
    said = "\n".join(notes)
    assert "no reference system" in said
    assert "no column with names" in said
    assert "1 of 2 regions hold no site: region 2" in said


def test_polygons_of_one_name_are_one_region_and_names_stay_on_one_line(tmp_path):
    path = written(tmp_path, [WEST, EAST], ["<b>\n\x1b[2J" + "x" * 200] * 2, column="Region")
    ((name, inside),) = read_regions(path, SITES).items()
    assert inside.tolist() == [True, True, True, False]
    assert name.isprintable()
    assert len(name) <= 60


def test_longitudes_from_0_to_360_hold_sites_west_of_greenwich(tmp_path):
    path = written(tmp_path, [shapely.box(350, 39, 359, 41)], ["atlantic"])
    assert positions(read_regions(path, SITES)) == {"atlantic": [3]}


def test_sites_in_a_plane_are_read_in_that_plane(tmp_path):
    sites = Sites(np.array([0.5, 2.5]), np.array([51.0, 51.0]), Frame.PLANAR)
    assert positions(read_regions(written(tmp_path, [WEST, EAST], ["a", "b"]), sites)) == {"a": [0], "b": [1]}


def test_files_that_are_of_no_use_are_told_so(tmp_path):
    points = written(tmp_path, [shapely.Point(0, 50)], ["a"], file="points.geojson")
    with pytest.raises(DataError, match="holds no polygon"):
        read_regions(points, SITES)
    with pytest.raises(DataError, match="swapped"):
        read_regions(written(tmp_path, [shapely.box(50, 0, 52, 2)], ["a"], file="swapped.geojson"), SITES)
    with pytest.raises(DataError, match="no polygon holds a site"):
        read_regions(written(tmp_path, [shapely.box(100, 0, 101, 1)], ["a"], file="far.geojson"), SITES)
    with pytest.raises(DataError, match="no such file"):
        read_regions(tmp_path / "none.geojson", SITES)
    (tmp_path / "broken.geojson").write_text(json.dumps({"type": "FeatureCollection"})[:-4], encoding="utf-8")
    with pytest.raises(DataError, match="cannot be read"):
        read_regions(tmp_path / "broken.geojson", SITES)


def test_countries_of_a_public_file(shared_data):
    sites = Sites(np.array([2.35, -3.7, -30.0]), np.array([48.86, 40.4, 30.0]))
    regions = read_regions(shared_data / "boundaries" / "naturalearth_lowres.shp", sites)
    assert positions(regions) == {"France": [0], "Spain": [1]}
