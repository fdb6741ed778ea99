"""Farthest point: the fast form equals the plain one, on the sphere, across the seam, with ties and roles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import Frame, Sites
from dynst.planners.farthest import central_site, farthest_point, farthest_point_gaps


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_picks_equal_the_quadratic_loop(reference, seed, on_a_grid):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 40))
    if on_a_grid:  # many equal distances
        cells = rng.choice(64, n, replace=False)
        sites = Sites(cells % 8 * 10.0, cells // 8 * 10.0, frame=Frame.PLANAR, role=rng.integers(0, 3, n))
    else:
        sites = Sites(rng.uniform(-180, 179.9, n), rng.uniform(-90, 90, n), role=rng.integers(0, 3, n))
    count = len(sites.legal) - len(sites.fixed)
    if not len(sites.legal):
        return
    fast = farthest_point(sites, sites.fixed, count)
    plain = reference("coverage").farthest(
        sites.points, sites.legal.tolist(), sites.fixed.tolist(), count, central_site(sites)
    )
    assert fast.tolist() == plain


@pytest.mark.parametrize("kind", ["scattered", "grid", "line"])
@pytest.mark.parametrize("head", [0, 40])
def test_picks_of_many_sites_equal_the_plain_loop(kind, head):
    rng = np.random.default_rng(1)
    x, y = {
        "scattered": (rng.uniform(-180, 180, 1500), rng.uniform(-90, 90, 1500)),
        "grid": (np.arange(1500) % 50 * 1.0, np.arange(1500) // 50 * 1.0),
        "line": (np.arange(1500) * 0.05, np.zeros(1500)),
    }[kind]
    sites = Sites(x, y, frame=Frame.GEOGRAPHIC if kind == "scattered" else Frame.PLANAR)
    taken = rng.choice(1500, head, replace=False)
    order, gaps = farthest_point_gaps(sites, taken, 1500 - head)
    left = np.full(1500, np.inf)
    for site in taken if head else order[:1]:
        _take(sites, site, left)
    for site, gap in list(zip(order.tolist(), gaps.tolist(), strict=True))[0 if head else 1 :]:
        assert site == int(np.argmax(left))
        assert gap == pytest.approx(np.sqrt(left[site]), rel=1e-12)
        _take(sites, site, left)
    assert farthest_point(sites, taken, 90).tolist() == order[:90].tolist()


def _take(sites, site, left):
    """Lower the squared distances `left` by one more site, as the plain loop does."""
    shift = (sites.points - sites.points[site]).T
    left[:] = np.minimum(left, sum(part * part for part in shift))
    left[site] = -1.0


def test_the_date_line_and_the_poles_are_no_edges():
    sites = Sites(np.array([179.0, -179.0, 0.0, 90.0, -90.0]), np.array([0.0, 0.0, 0.0, 89.0, 89.0]))
    order = farthest_point(sites, np.array([0]), 4)
    assert order[0] == 2  # half a turn away
    assert order[-1] == 1  # two degrees away, across the date line


def test_gaps_fall_and_are_true_distances():
    rng = np.random.default_rng(0)
    sites = Sites(rng.uniform(-180, 180, 200), rng.uniform(-90, 90, 200))
    order, gaps = farthest_point_gaps(sites, np.zeros(0, np.int64), 200)
    assert np.isinf(gaps[0])
    assert (np.diff(gaps[1:]) <= 1e-12).all()
    earlier = sites.points[order[:50]]
    assert gaps[50] == pytest.approx(np.linalg.norm(sites.points[order[50]] - earlier, axis=1).min())


def test_twins_of_ranked_sites_come_last_and_once():
    sites = Sites(np.array([0.0, 0.0, 5.0, 0.0]), np.zeros(4), name=("a", "b", "c", "d"))
    assert farthest_point(sites, np.array([0]), 3).tolist() == [2, 1, 3]


def test_on_a_whole_sphere_the_first_site_is_large_not_a_pole():
    longitude, latitude = np.meshgrid(np.arange(-180.0, 180.0, 30.0), np.arange(90.0, -91.0, -30.0))
    area = np.maximum(np.cos(np.radians(latitude.ravel())), 0.01)
    sites = Sites(longitude.ravel(), latitude.ravel(), area=area)
    assert sites.y[central_site(sites)] == 0.0
