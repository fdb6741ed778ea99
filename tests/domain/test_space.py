import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain.space import EARTH_RADIUS_KM, distance_km, unit_vectors, wrap_longitude, zone_area_km2


def test_the_cells_of_a_global_grid_add_up_to_the_sphere():
    sphere = 4 * np.pi * EARTH_RADIUS_KM**2
    for latitude, columns in ((np.linspace(90, -90, 73), 144), (np.arange(-87.1875, 88, 5.625), 64)):
        total = zone_area_km2(latitude, 360 / columns).sum() * columns
        np.testing.assert_allclose(total, sphere, rtol=1e-12)


def test_distance_across_the_date_line_is_short():
    one = distance_km(np.array([179.5]), np.array([0.0]), np.array([-179.5]), np.array([0.0]))
    np.testing.assert_allclose(one, 2 * np.pi * EARTH_RADIUS_KM / 360, rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-180, 179.9), st.floats(-90, 90)), min_size=3, max_size=3))
def test_straight_lines_between_unit_vectors_order_like_distances_on_the_earth(places):
    longitude, latitude = np.array(places).T
    points = unit_vectors(longitude, latitude)
    chord = np.linalg.norm(points[1:] - points[0], axis=1)
    arc = 2 * EARTH_RADIUS_KM * np.arcsin(np.clip(chord / 2, 0, 1))
    true = distance_km(longitude[:1], latitude[:1], longitude[1:], latitude[1:])
    np.testing.assert_allclose(arc, true, atol=1e-3)  # km; arcsin loses digits near the antipode


@given(st.floats(-1000, 1000))
def test_wrapped_longitudes_stay_on_their_meridian(degrees):
    wrapped = wrap_longitude(np.array([degrees]))
    assert -180 <= wrapped[0] < 180
    turns = (degrees - wrapped[0]) / 360
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
