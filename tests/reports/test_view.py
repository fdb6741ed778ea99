"""A map opens where the sites leave their widest gap, is true to scale, and says so where it cannot be."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynst.domain import Frame, GridLayout, Sites
from dynst.domain.space import wrap_longitude
from dynst.reports.raster import png_url, site_of_pixel
from dynst.reports.view import view_of


def box(west, east, south, north, *, columns=8, rows=6, **options):
    lat, lon = np.meshgrid(np.linspace(north, south, rows), np.linspace(west, east, columns), indexing="ij")
    x = lon.ravel() if "frame" in options else wrap_longitude(lon.ravel())
    return Sites(x, lat.ravel(), **options), GridLayout(lat.shape, np.arange(lat.size))


@given(west=st.floats(-180, 179), width=st.floats(5, 300))
@settings(max_examples=30, deadline=None)
def test_a_map_is_one_piece_wherever_the_region_lies(west, width):
    sites, layout = box(west, west + width, -20.0, 20.0)
    view = view_of(sites, layout)
    assert np.ptp(view.x) == pytest.approx(width, abs=1e-6)
    assert view.west < view.x.min() <= view.x.max() < view.east
    np.testing.assert_allclose(wrap_longitude(view.x - sites.x), 0, atol=1e-9)


def test_the_pacific_runs_from_124_to_290():
    view = view_of(*box(124.0, 290.0, -29.0, 29.0, columns=84, rows=30))
    assert 118 < view.west < 124
    assert 290 < view.east < 296
    assert not view.turn


def test_a_full_turn_shows_the_whole_earth_plate_carree():
    lat, lon = np.meshgrid(np.arange(90.0, -91, -30), np.arange(0.0, 360, 30), indexing="ij")
    sites = Sites(wrap_longitude(lon.ravel()), lat.ravel())
    view = view_of(sites, GridLayout(lat.shape, np.arange(lat.size), periodic=True))
    assert (view.west, view.east, view.south, view.north) == (-180.0, 180.0, -90.0, 90.0)
    assert view.width == 2 * view.height
    assert (site_of_pixel(view) >= 0).all(), "a globe has no pixel without a cell"


def test_points_all_over_the_globe_and_on_no_grid_leave_no_pixel_without_a_site():
    longitude, latitude = np.meshgrid(np.arange(-180.0, 180.0, 10.0), np.arange(-90.0, 91.0, 10.0))
    view = view_of(Sites(longitude.ravel(), latitude.ravel()))
    assert (site_of_pixel(view, scale=0.2) >= 0).all()


@pytest.mark.parametrize("latitude", [0.0, 55.0, -70.0])
def test_a_degree_of_longitude_is_as_short_as_it_is_on_the_ground(latitude):
    view = view_of(*box(10.0, 20.0, latitude - 3, latitude + 3))
    drawn = (view.width / (view.east - view.west)) / (view.height / (view.north - view.south))
    assert drawn == pytest.approx(np.cos(np.radians(latitude)), rel=0.01)
    assert view.stretch == pytest.approx(1.0, rel=0.01)


def test_a_tunnel_is_drawn_higher_than_it_is_and_the_map_says_so():
    view = view_of(*box(0.0, 100.0, 0.0, 3.0, frame=Frame.PLANAR, rows=4, columns=100))
    assert view.stretch > 2
    assert view.unit == "m"
    assert view_of(*box(0.0, 10_000.0, 0.0, 9_000.0, frame=Frame.PLANAR)).unit == "km"


@pytest.mark.parametrize("limits", [(-180.0, 180.0), (2.1, 2.34), (0.0, 9e4), (-3e-3, 4e-3)])
@pytest.mark.parametrize("frame", [Frame.PLANAR, Frame.GEOGRAPHIC])
def test_ticks_are_few_even_and_inside(limits, frame):
    if frame is Frame.GEOGRAPHIC and limits[1] > 360:
        limits = (-90.0, 90.0)
    view = view_of(*box(0.0, 1.0, 0.0, 1.0, frame=frame))
    ticks = view.ticks(*limits, 8)
    assert 1 <= len(ticks) <= 9
    assert all(limits[0] <= tick <= limits[1] for tick in ticks)
    assert np.ptp(np.diff(ticks)) < 1e-6 * (limits[1] - limits[0]) if len(ticks) > 1 else True


@given(
    rows=st.integers(1, 5),
    columns=st.integers(2, 6),
    bend=st.sampled_from([0.0, 0.05]),
    holes=st.sets(st.integers(0, 29)),
)
@example(rows=2, columns=2, bend=0.0, holes={2, 3})
@example(rows=2, columns=2, bend=0.05, holes={2, 3})
@settings(max_examples=25, deadline=None)
def test_the_pixel_of_a_site_shows_that_site_and_a_hole_shows_none(rows, columns, bend, holes):
    lat, lon = np.meshgrid(50.0 - np.arange(rows), 170.0 + 2 * np.arange(columns), indexing="ij")
    lat = lat + bend * np.arange(columns)[None, :]
    cell = np.array([i for i in range(lat.size) if i not in holes or i == 0])
    sites = Sites(wrap_longitude(lon.ravel()[cell]), lat.ravel()[cell])
    view = view_of(sites, GridLayout(lat.shape, cell))
    picture = site_of_pixel(view, scale=0.5)
    height, width = picture.shape

    def at(x, y):
        return picture[
            int((view.north - y) / (view.north - view.south) * height),
            int((x - view.west) / (view.east - view.west) * width),
        ]

    assert [at(x, y) for x, y in zip(view.x, view.y, strict=True)] == list(range(len(cell)))
    held = np.isin(np.arange(lat.size), cell).reshape(lat.shape)
    if bend == 0.0:  # the way from row to row shows as soon as two rows hold sites
        known = held.any(axis=1).sum() > 1 and held.any(axis=0).sum() > 1
    else:  # on a curved grid it takes two neighbours
        known = (held[1:] & held[:-1]).any() and (held[:, 1:] & held[:, :-1]).any()
    if not known:  # cells are then drawn square by the other way, and may well reach over a hole
        return
    for i in set(range(lat.size)) - set(cell.tolist()):
        x = view.x[0] + lon.ravel()[i] - lon.ravel()[0]
        if view.west < x < view.east and view.south < lat.ravel()[i] < view.north:
            assert at(x, lat.ravel()[i]) == -1


def test_the_picture_is_a_small_url():
    view = view_of(*box(0.0, 100.0, -20.0, 20.0, columns=100, rows=40))
    url = png_url(np.random.default_rng(0).random(4000), site_of_pixel(view))
    assert len(url) < 60_000
