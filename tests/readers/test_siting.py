"""Stations that a user has stand on the right sites, and what is wrong with their file is one clear line."""

import json

import geopandas
import numpy as np
import pyproj
import pytest
import shapely

from dynst.domain import Frame, GraphLayout, GridLayout, Plan, Sites
from dynst.domain.graphs import nearest_neighbours
from dynst.domain.space import distance_km
from dynst.errors import DataError
from dynst.export import EXPORTERS
from dynst.readers.siting import stations_on

LONGITUDE, LATITUDE = np.meshgrid(np.arange(-10.0, 2.0), np.arange(58.0, 50.0, -1.0))
GRID = Sites(LONGITUDE.ravel(), LATITUDE.ravel())  # cells of 1 x 1 degree: 8 rows, 12 columns
CELLS = GridLayout((8, 12), np.arange(96))
TOWNS = [("Dublin", -6.25, 53.43, 64), ("Cork", -8.47, 51.9, 74), ("York", -1.08, 53.96, 57)]  # name, where, its cell


def points(path, rows, **more):
    """A GeoJSON of named points."""
    features = [
        {"type": "Feature", "properties": {"name": n}, "geometry": {"type": "Point", "coordinates": [x, y]}}
        for n, x, y in rows
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", **more, "features": features}))
    return path


def refused(sites, layout, path):
    with pytest.raises(DataError) as stop:
        stations_on(sites, layout, path)
    text = str(stop.value)
    assert "\n" not in text
    return text


@pytest.fixture
def towns(tmp_path):
    return points(tmp_path / "towns.geojson", [town[:3] for town in TOWNS])


def test_points_stand_on_the_cell_they_lie_in(towns):
    found = stations_on(GRID, CELLS, towns)
    assert found.selected.tolist() == [town[3] for town in TOWNS]
    assert found.names == ("Dublin", "Cork", "York")
    assert "nearest cell" in found.notes[-1]


@pytest.mark.parametrize(
    "text",
    [
        "name,lon,lat\nDublin,-6.25,53.43\nCork,-8.47,51.9\nYork,-1.08,53.96\n",
        "Station;Latitude (deg);Longitude (deg)\nDublin;53,43;-6,25\nCork;51,9;-8,47\nYork;53,96;-1,08\n",
        "id\tx\ty\tcost\nDublin\t-6.25\t53.43\t1\nCork\t-8.47\t51.9\t2\nYork\t-1.08\t53.96\t9\n",
        "name,lon,lat\nDublin,353.75,53.43\nCork,351.53,51.9\nYork,358.92,53.96\n",
    ],
    ids=["plain", "German", "x and y", "0 to 360"],
)
def test_tables_as_people_write_them(tmp_path, text):
    (tmp_path / "towns.csv").write_text(text)
    found = stations_on(GRID, CELLS, tmp_path / "towns.csv")
    assert found.selected.tolist() == [town[3] for town in TOWNS]
    assert found.names == ("Dublin", "Cork", "York")


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_other_reference_systems_are_brought_to_degrees(tmp_path, suffix):
    names, x, y, _ = zip(*TOWNS, strict=True)
    frame = geopandas.GeoDataFrame({"name": names}, geometry=shapely.points(x, y), crs="EPSG:4326").to_crs("EPSG:3035")
    frame.to_file(tmp_path / f"towns{suffix}")
    found = stations_on(GRID, CELLS, tmp_path / f"towns{suffix}")
    assert found.selected.tolist() == [town[3] for town in TOWNS]
    assert found.names == names


def test_the_old_crs_member_of_geojson_is_read(tmp_path):
    names, x, y, _ = zip(*TOWNS, strict=True)
    metres = geopandas.GeoSeries(shapely.points(x, y), crs="EPSG:4326").to_crs("EPSG:3857")
    rows = [(name, point.x, point.y) for name, point in zip(names, metres, strict=True)]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    found = stations_on(GRID, CELLS, points(tmp_path / "towns.geojson", rows, crs=crs))
    assert found.selected.tolist() == [town[3] for town in TOWNS]


FRAMES = {
    "geographic": GRID,
    "projected": Sites(
        LONGITUDE.ravel() * 6e4,
        LATITUDE.ravel() * 1.1e5,
        frame=Frame.PROJECTED,
        crs="EPSG:3035",
        longitude=GRID.x,
        latitude=GRID.y,
    ),
    "metres": Sites(LONGITUDE.ravel() * 50, LATITUDE.ravel() * 50, frame=Frame.PLANAR),
    "no unit": Sites(LONGITUDE.ravel() / 10, LATITUDE.ravel() / 10, frame=Frame.PLANAR, unit="1"),
}


@pytest.mark.parametrize("exporter", [EXPORTERS["geojson"], EXPORTERS["csv"]], ids=["geojson", "csv"])
@pytest.mark.parametrize("sites", FRAMES.values(), ids=FRAMES)
def test_our_own_exports_come_back_by_name_and_by_place(tmp_path, sites, exporter):
    """A plan that was exported is the same network again, also on sites that are called otherwise."""
    plan = Plan(np.array([64, 74, 57, 3]), np.arange(4.0), 3, sites, "by_hand")
    path = tmp_path / f"plan{exporter.suffix}"
    exporter.write(plan, path, layout=CELLS, top=4)
    called = Sites(
        sites.x,
        sites.y,
        frame=sites.frame,
        name=tuple(f"cell {i}" for i in range(96)),
        crs=sites.crs,
        longitude=sites.longitude,
        latitude=sites.latitude,
        unit=sites.unit,
    )
    for known in (sites, called):
        found = stations_on(known, CELLS, path)
        assert found.selected.tolist() == [64, 74, 57]
        assert "1 of the 4 rows" in found.notes[0], "the ranking beyond the budget is no part of the network"


def test_names_without_positions_find_the_nodes_of_a_graph(tmp_path):
    ring = GraphLayout(4, np.array([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])[:, [7, 1, 0, 3, 2, 5, 4, 6]])
    sites = Sites(np.arange(4.0), np.zeros(4), frame=Frame.SCHEMATIC, name=("A", "B b", "C", "D"))
    (tmp_path / "list.txt").write_text("station\nC\n\nB b\n# that is all\n")
    found = stations_on(sites, ring, tmp_path / "list.txt")
    assert (found.selected.tolist(), found.names) == ([2, 1], ("C", "B b"))
    plan = Plan(np.array([3, 0]), np.zeros(2), 2, sites, "by_hand")
    EXPORTERS["geojson"].write(plan, tmp_path / "plan.geojson", layout=ring)
    assert stations_on(sites, ring, tmp_path / "plan.geojson").selected.tolist() == [3, 0]
    (tmp_path / "wrong.txt").write_text("C\nBb\nQ\n")
    assert 'site "Bb" is unknown. Did you mean "B b"?' in refused(sites, ring, tmp_path / "wrong.txt")
    points(tmp_path / "places.geojson", [("X", 0.0, 0.0)])
    assert "nobody knows where the sites" in refused(sites, ring, tmp_path / "places.geojson")


def test_stations_are_found_by_whichever_column_names_them(tmp_path):
    sites = Sites(np.array([-10.25, -6.25]), np.array([51.9, 53.4]), name=("VAL", "DUB"))
    (tmp_path / "table.csv").write_text("station,code,lat,lon\nDublin,DUB,53.43,-6.25\nValentia,val,51.9,-10.25\n")
    found = stations_on(sites, nearest_neighbours(sites, 1), tmp_path / "table.csv")
    assert (found.selected.tolist(), found.names) == ([1, 0], ("DUB", "VAL"))


def test_two_stations_of_one_cell_count_once_and_are_named(tmp_path):
    rows = [*(town[:3] for town in TOWNS), ("Swords", -6.22, 53.46), ("Cork", -8.47, 51.9)]
    found = stations_on(GRID, CELLS, points(tmp_path / "more.geojson", rows))
    assert found.selected.tolist() == [town[3] for town in TOWNS]
    assert found.notes[-1].endswith("counted once: Swords (with Dublin), Cork")


def test_one_name_at_two_places_is_two_stations(tmp_path):
    rows = [("Newport", -3.0, 51.6), ("Newport", -9.5, 53.9)]
    found = stations_on(GRID, CELLS, points(tmp_path / "two.geojson", rows))
    assert len(found.selected) == 2
    assert len(set(found.names)) == 2
    assert "share a name" in found.notes[-1]


def test_swapped_coordinates_are_told_from_stations_elsewhere(tmp_path):
    swapped = points(tmp_path / "swapped.geojson", [(name, y, x) for name, x, y, _ in TOWNS])
    said = refused(GRID, CELLS, swapped)
    assert "latitude and longitude are swapped: as they stand 0 of 3 stations" in said
    assert "swapped 3 of 3" in said
    (tmp_path / "swapped.csv").write_text("name,lat,lon\nSydney,151.2,-33.9\nPerth,115.9,-32.0\n")
    south = Sites(np.array([151.0, 116.0]), np.array([-34.0, -32.0]))
    grid = GridLayout((1, 2), np.arange(2))
    assert "are swapped" in refused(south, grid, tmp_path / "swapped.csv"), "also where a latitude would be above 90"


def test_stations_off_the_grid_are_named_with_their_distance(tmp_path):
    rows = [*(town[:3] for town in TOWNS), ("Paris", 2.35, 48.86), ("Oslo", 10.7, 59.9), ("Rome", 12.5, 41.9)]
    said = refused(GRID, CELLS, points(tmp_path / "far.geojson", [*rows, ("Reykjavik", -21.9, 64.1)]))
    assert "4 of 7 stations lie off the record" in said
    assert "Paris at longitude 2.35, latitude 48.86, 256" in said  # km: 2.14 degrees south, 1.35 east at 49.9 N
    assert "and 1 more" in said
    said = refused(GRID, CELLS, points(tmp_path / "all.geojson", [(n, x + 90, y) for n, x, y, _ in TOWNS]))
    assert "all stations lie off the record" in said
    assert "different places" in said


def test_the_corner_of_a_cell_is_on_it_and_a_little_more_is_not(tmp_path):
    sites, grid = Sites(np.array([0.0, 10.0]), np.zeros(2), frame=Frame.PLANAR), GridLayout((1, 2), np.arange(2))
    (tmp_path / "on.csv").write_text("name,x,y\nA,-5,0\n")
    assert stations_on(sites, grid, tmp_path / "on.csv").selected.tolist() == [0]
    (tmp_path / "off.csv").write_text("name,x,y\nA,-5.1,0\n")
    assert "1 of 1" not in refused(sites, grid, tmp_path / "off.csv")


SILLY = {
    "empty.geojson": ("", "the file is empty"),
    "text.geojson": ("bring milk", "not JSON"),
    "bare.json": ("[1, 2]", "no GeoJSON"),
    "none.geojson": ('{"type": "FeatureCollection", "features": []}', "holds no feature"),
    "area.geojson": (
        '{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[[0, 50], [1, 50]]]}}',
        "feature 1 is a Polygon; a station is a Point",
    ),
    "half.geojson": ('{"type": "Point", "coordinates": [1]}', "no coordinates [longitude, latitude]"),
    "crs.geojson": (
        '{"type": "FeatureCollection", "crs": {"properties": {"name": "Narnia"}}, "features": '
        '[{"geometry": {"type": "Point", "coordinates": [1, 2]}}]}',
        '"Narnia" is unknown',
    ),
    "word.csv": ("name,lon,lat\nA,west,50\n", 'column "lon", row 1 holds "west"'),
    "numbers.csv": ("-6.25,53.4\n-8.4,51.9\n", "names of columns were expected"),
    "blank.csv": ("name,lon,lat\nA,,\nB,-6.25,53.4\n", "1 of 2 stations have no position"),
    "bytes.csv": ("\0\0\0", "zero bytes"),
    "network.docx": ("PK", "no file of stations by its name"),
    "cut.gpkg": ("SQLite", "cannot be read"),
    "names.txt": ("Dublin\nCork\n", 'site "Dublin" is unknown'),
}


@pytest.mark.parametrize("name", SILLY)
def test_a_file_that_is_no_network_is_one_line(tmp_path, name):
    text, says = SILLY[name]
    (tmp_path / name).write_text(text)
    said = refused(GRID, CELLS, tmp_path / name)
    assert says in said
    assert name in said


def test_a_missing_file_and_a_folder_are_one_line(tmp_path):
    assert "no such file" in refused(GRID, CELLS, tmp_path / "none.csv")
    assert "a folder" in refused(GRID, CELLS, tmp_path)


def test_degrees_do_not_place_a_station_on_a_plane(tmp_path, towns):
    plane = Sites(np.array([0.0, 10.0]), np.zeros(2), frame=Frame.PLANAR)
    (tmp_path / "towns.csv").write_text("name,lon,lat\nDublin,-6.25,53.43\n")
    assert "x and y in metres" in refused(plane, GridLayout((1, 2), np.arange(2)), tmp_path / "towns.csv")


def test_names_cannot_steer_a_terminal(tmp_path):
    found = stations_on(GRID, CELLS, points(tmp_path / "evil.geojson", [("\x1b[2JDub\nlin", -6.25, 53.43)]))
    assert found.names == ("[2JDub lin",)


def test_stations_keep_their_names_and_places_also_those_that_share_a_site(tmp_path):
    rows = [*(town[:3] for town in TOWNS), ("Airport", -6.1, 53.4)]
    own = stations_on(GRID, CELLS, points(tmp_path / "more.geojson", rows)).stations
    assert own.name == ("Dublin", "Cork", "York", "Airport")
    assert own.site.tolist() == [64, 74, 57, 64]
    assert list(zip(own.x.tolist(), own.y.tolist(), strict=True)) == [row[1:] for row in rows]
    assert (own.longitude == own.x).all()
    east, north = GRID.x[own.site], GRID.y[own.site]
    every = [distance_km(own.x[[i]], own.y[[i]], east[[i]], north[[i]])[0] for i in range(4)]
    np.testing.assert_allclose(own.away, every, rtol=1e-6)


def test_a_station_that_is_found_by_name_stands_on_its_site(tmp_path):
    (tmp_path / "list.txt").write_text(f"{GRID.name[3]}\n{GRID.name[50]}\n")
    own = stations_on(GRID, CELLS, tmp_path / "list.txt").stations
    assert own.name == (GRID.name[3], GRID.name[50])
    assert (own.x.tolist(), own.away.tolist()) == (GRID.x[[3, 50]].tolist(), [0.0, 0.0])


def test_stations_of_a_projected_record_stand_at_their_place_in_metres_and_in_degrees(tmp_path):
    x, y = np.meshgrid(500_000 + 2500.0 * np.arange(4), 5_000_000 - 2500.0 * np.arange(3))
    step = pyproj.Transformer.from_crs("EPSG:32631", "EPSG:4326", always_xy=True)
    lon, lat = step.transform(x.ravel(), y.ravel())
    sites = Sites(x.ravel(), y.ravel(), frame=Frame.PROJECTED, crs="EPSG:32631", longitude=lon, latitude=lat)
    place = step.transform(502_600.0, 4_997_300.0)
    file = points(tmp_path / "a.geojson", [("mast", *place)])
    own = stations_on(sites, GridLayout((3, 4), np.arange(12)), file).stations
    np.testing.assert_allclose([own.x[0], own.y[0]], [502_600.0, 4_997_300.0], atol=0.01)
    np.testing.assert_allclose([own.longitude[0], own.latitude[0]], place)
    assert own.site.tolist() == [5]
    assert own.away[0] == pytest.approx(np.hypot(0.1, 0.2), rel=0.01)
