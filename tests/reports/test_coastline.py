"""The shipped land is where land is, on whichever stretch of the circle a map opens, and small enough to ship."""

from importlib.resources import files

import numpy as np
import pytest
import shapely

from dynst.reports.coastline import land_in

PLACES = {  # degrees east and north, and whether it is land
    "Berlin": (13.4, 52.5, True),
    "Alice Springs": (133.9, -23.7, True),
    "South Pole": (0.0, -89.0, True),
    "Anadyr, beyond the date line": (-175.0, 66.8, True),
    "Mid-Atlantic": (-30.0, 30.0, False),
    "Mid-Pacific": (-170.0, 5.0, False),
    "Caspian Sea": (51.0, 41.0, False),
}


def is_land(window, longitude, latitude):
    land = land_in(*window)
    point = shapely.Point(longitude, latitude)
    return any(shapely.Polygon(ring).contains(point) for ring in land.areas) and not any(
        shapely.Polygon(ring).contains(point) for ring in land.lakes
    )


@pytest.mark.parametrize("place", PLACES)
def test_land_is_land_and_sea_is_sea_on_a_map_of_the_whole_earth(place):
    longitude, latitude, truth = PLACES[place]
    assert is_land((-180.0, 180.0, -90.0, 90.0), longitude, latitude) is truth


@pytest.mark.parametrize("turn", [-360.0, 0.0, 360.0])
@pytest.mark.parametrize("place", ["Berlin", "Anadyr, beyond the date line", "Mid-Pacific"])
def test_the_same_land_lies_in_every_count_of_longitude(place, turn):
    longitude, latitude, truth = PLACES[place]
    at = longitude + turn
    assert is_land((at - 3, at + 3, latitude - 3, latitude + 3), at, latitude) is truth


def test_the_date_line_is_no_coast():
    for line in land_in(150.0, 210.0, 50.0, 75.0).coasts:  # Chukotka lies on both sides
        along = (np.abs(line[:, 0] - 180) < 1e-9) & np.append(np.abs(np.diff(line[:, 0])) < 1e-9, False)
        assert not along.any()


def test_coasts_do_not_run_along_the_border_of_a_map():
    window = (5.0, 15.0, 47.0, 54.0)
    for line in land_in(*window).coasts:
        middles = (line[1:] + line[:-1]) / 2
        assert (middles[:, 0] > window[0]).all()
        assert (middles[:, 0] < window[1]).all()


def test_a_pacific_map_stays_in_its_window():
    land = land_in(124.0, 290.0, -30.0, 30.0)
    for ring in (*land.areas, *land.coasts):
        assert ring[:, 0].min() >= 124.0 - 1e-9
        assert ring[:, 0].max() <= 290.0 + 1e-9


def test_wide_maps_are_drawn_with_fewer_points_than_the_file_has():
    assert sum(map(len, land_in(-180.0, 180.0, -90.0, 90.0).areas)) < 12_000


def test_the_file_is_small():
    assert len(files("dynst.reports").joinpath("land.json.gz").read_bytes()) < 120_000
