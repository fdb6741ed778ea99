"""Zones hold the sites that they mean: buffers are true distances, also over the date line and near the poles."""

import itertools
import json

import geopandas
import numpy as np
import pytest
import shapely

from dynst.domain import Frame, GridLayout, Sites
from dynst.domain.space import distance_km, wrap_longitude
from dynst.errors import DataError
from dynst.readers.rule_files import RuleFile
from dynst.readers.zones import read_zone


def grid(west, south, east, north, step):
    x, y = np.meshgrid(np.arange(west, east, step), np.arange(north, south, -step))
    return Sites(wrap_longitude(x.ravel()), y.ravel()), GridLayout(x.shape, np.arange(x.size))


def written(path, *shapes, crs="EPSG:4326"):
    geopandas.GeoDataFrame({"name": range(len(shapes))}, geometry=list(shapes), crs=crs).to_file(path)
    return path


def zone(path, sites, layout, buffer="", notes=None):
    return read_zone(RuleFile(str(path), buffer), sites, layout, [] if notes is None else notes)


def away(sites, x, y):
    """Distance in km from each site to one place."""
    return distance_km(sites.x, sites.y, np.full(1, x), np.full(1, y))


def far(sites, line):
    """Distance in km from each site to a line in degrees, over a great many points on it."""
    along = np.linspace(0, 1, 4001)[:, None]
    points = np.concatenate([a + along * (b - a) for a, b in itertools.pairwise(line)])
    every = [distance_km(points[:, 0], points[:, 1], sites.x[[i]], sites.y[[i]]).min() for i in range(len(sites))]
    return np.array(every)


def agrees(mask, distance, reach):
    """Whether a mask holds all sites nearer than the reach and none farther, but for 1 %."""
    return mask[distance < 0.99 * reach].all() and not mask[distance > 1.01 * reach].any() and mask.any()


@pytest.mark.parametrize(
    ("box", "where"),
    [((170, -10, 190, 10), (180.0, 0.0)), ((-30, 80, 30, 90), (0.0, 86.0)), ((5, 45, 15, 55), (10.0, 50.0))],
    ids=["date line", "near the pole", "middle"],
)
@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".csv"])
def test_a_buffer_around_a_point_is_a_circle_on_the_earth(tmp_path, box, where, suffix):
    sites, layout = grid(*box, 0.5)
    path = tmp_path / f"airports{suffix}"
    if suffix == ".csv":
        path.write_text(f"name,lon,lat\nhub,{where[0]},{where[1]}\n")
    else:
        written(path, shapely.Point(where))
    distance = away(sites, *where)
    assert agrees(zone(path, sites, layout, "300"), distance, 300.0)
    assert (zone(path, sites, layout, "300km") == zone(path, sites, layout, "300000m")).all()


@pytest.mark.parametrize(
    "line",
    [
        np.array([[172.0, -8.0], [188.0, 7.0]]),
        np.array([[-60.0, 70.0], [60.0, 70.0]]),
        np.array([[0.0, 75.0], [25.0, 88.0], [80.0, 84.0]]),
    ],
    ids=["over the date line", "along a parallel", "near the pole"],
)
@pytest.mark.parametrize("reach", [40.0, 400.0])
def test_a_buffer_around_a_line_is_the_distance_to_its_nearest_point(tmp_path, line, reach):
    low, high = line.min(axis=0) - 8, line.max(axis=0) + 8
    sites, layout = grid(low[0], low[1], high[0], min(high[1], 90.0), 1.0)
    path = written(tmp_path / "road.geojson", shapely.LineString(line))
    assert agrees(zone(path, sites, layout, f"{reach}km"), far(sites, line), reach)


def test_a_buffered_polygon_holds_what_is_in_it_and_what_is_near_it(tmp_path):
    sites, layout = grid(170, -10, 190, 10, 0.5)
    ring = np.array([[178.0, -3.0], [183.0, -3.0], [183.0, 3.0], [178.0, 3.0], [178.0, -3.0]])
    path = written(tmp_path / "lagoon.geojson", shapely.Polygon(ring))
    east = sites.x % 360
    inside = (east >= 178) & (east <= 183) & (np.abs(sites.y) <= 3)
    assert (zone(path, sites, layout) == inside).all()
    found = zone(path, sites, layout, "100")
    assert found[inside].all()
    assert agrees(found[~inside], far(sites, ring)[~inside], 100.0)


def test_a_polygon_of_a_polar_system_holds_the_pole(tmp_path):
    x, y = np.meshgrid(np.arange(-180.0, 180.0, 10.0), np.arange(-60.0, -90.1, -2.0))
    sites, layout = Sites(x.ravel(), y.ravel()), GridLayout(x.shape, np.arange(x.size))
    south = shapely.Point(0, 0).buffer(1_000_000, quad_segs=64)  # metres around the pole
    path = written(tmp_path / "south.gpkg", south, crs="EPSG:3031")
    distance = away(sites, 0.0, -90.0)
    assert zone(path, sites, layout)[distance < 950].all()
    assert not zone(path, sites, layout)[distance > 1050].any()
    found = zone(path, sites, layout, "500")
    assert found[distance < 1450].all()
    assert not found[distance > 1550].any()


def test_a_plane_has_kilometres_and_a_flow_its_own_lengths(tmp_path):
    x, y = np.meshgrid(np.arange(10.0), np.arange(10.0))
    layout = GridLayout((10, 10), np.arange(100))
    (tmp_path / "post.csv").write_text("name,x,y\npost,4000,4000\n")
    metres = Sites(1000 * x.ravel(), 1000 * y.ravel(), frame=Frame.PLANAR)
    near = np.hypot(x.ravel() - 4, y.ravel() - 4) <= 2
    assert (zone(tmp_path / "post.csv", metres, layout, "2") == near).all()
    assert (zone(tmp_path / "post.csv", metres, layout, "2000m") == near).all()
    path = tmp_path / "post.geojson"
    path.write_text(
        json.dumps({"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [4, 4]}})
    )
    flow = Sites(x.ravel(), y.ravel(), frame=Frame.PLANAR, unit="1")
    assert (zone(path, flow, layout, "2") == near).all()
    with pytest.raises(DataError, match="buffer: 2km came, but the positions of the sites have no dimension"):
        zone(path, flow, layout, "2km")


def test_a_list_of_sites_with_a_buffer_reaches_their_neighbours(tmp_path):
    sites, layout = grid(0, 50, 5, 55, 1.0)
    (tmp_path / "sites.txt").write_text(f"{sites.name[7]}\n{sites.name[12]}\n")
    assert np.flatnonzero(zone(tmp_path / "sites.txt", sites, layout)).tolist() == [7, 12]
    reach = np.minimum(*(away(sites, sites.x[i], sites.y[i]) for i in (7, 12)))
    assert (zone(tmp_path / "sites.txt", sites, layout, "80") == (reach <= 80)).all()


@pytest.mark.parametrize(
    ("named", "says"),
    [
        (("road.geojson", ""), 'it holds no polygon.*"road.geojson buffer=5"'),
        (("road.geojson", "3"), "no site lies within 3 km of what it holds; the nearest is some .* km away"),
        (("road.csv", "3"), "no site lies within 3 km"),
        (("road.geojson", "3hops"), 'buffer: 3hops came, and the unit "hops" is unknown here'),
        (("nothing.geojson", "3"), "no such file"),
    ],
)
def test_a_zone_without_a_site_is_one_line(tmp_path, named, says):
    sites, layout = grid(0, 50, 5, 55, 1.0)
    written(tmp_path / "road.geojson", shapely.LineString([(20, 50), (21, 51)]))
    (tmp_path / "road.csv").write_text("name,lon,lat\na,20,50\n")
    with pytest.raises(DataError, match=says) as stop:
        zone(tmp_path / named[0], sites, layout, named[1])
    assert "\n" not in str(stop.value)


def test_coasts_of_the_world_reach_further_with_a_larger_buffer(shared_data):
    sites, layout = grid(-180, -88, 180, 88, 4.0)
    world = shared_data / "boundaries" / "naturalearth_lowres.shp"
    land, near, wide = (zone(world, sites, layout, buffer) for buffer in ("", "100", "500"))
    assert 0 < land.sum() < near.sum() < wide.sum() < len(sites)
    assert not (land & ~near).any()
    assert not (near & ~wide).any()
