"""Cells reach half-way to their neighbours, on every kind of grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import GridLayout
from dynst.domain.space import cell_edges
from dynst.reports.cells import cell_corners


@given(
    x=st.lists(st.floats(0.1, 5), min_size=1, max_size=6),
    y=st.lists(st.floats(0.1, 5), min_size=1, max_size=6),
    flip=st.booleans(),
)
@settings(max_examples=30, deadline=None)
def test_straight_grids_have_the_edges_half_way_between_neighbours(x, y, flip):
    x, y = np.cumsum(x), np.cumsum(y)[:: -1 if flip else 1]
    yy, xx = np.meshgrid(y, x, indexing="ij")
    corners = cell_corners(xx.ravel(), yy.ravel(), GridLayout(yy.shape, np.arange(yy.size)), geographic=False)
    low, high = corners.min(axis=1).reshape(*yy.shape, 2), corners.max(axis=1).reshape(*yy.shape, 2)
    if len(x) > 1:
        np.testing.assert_allclose(low[0, :, 0], cell_edges(x)[:-1], atol=1e-9)
        np.testing.assert_allclose(high[0, :, 0], cell_edges(x)[1:], atol=1e-9)
    if len(y) > 1:
        edges = np.sort(cell_edges(y))
        np.testing.assert_allclose(np.sort(low[:, 0, 1]), edges[:-1], atol=1e-9)


def test_a_lone_row_has_square_cells_and_a_lone_site_a_cell_too():
    row = cell_corners(np.array([0.0, 2.0]), np.zeros(2), GridLayout((1, 2), np.arange(2)), geographic=False)
    assert np.ptp(row[0], axis=0).tolist() == [2.0, 2.0]
    one = cell_corners(np.zeros(1), np.zeros(1), GridLayout((1, 1), np.arange(1)), geographic=False)
    assert np.ptp(one[0], axis=0).tolist() == [1.0, 1.0]


def test_empty_outer_rows_and_columns_do_not_shrink_the_cells_beside_them():
    layout = GridLayout((4, 4), np.array([5, 6, 9, 10]))  # only the middle of the grid holds sites
    x, y = np.array([1.0, 2.0, 1.0, 2.0]), np.array([3.0, 3.0, 1.0, 1.0])
    for geographic in (True, False):
        sides = np.ptp(cell_corners(x, y, layout, geographic=geographic), axis=1)
        np.testing.assert_allclose(sides, [[1.0, 2.0]] * 4)


@pytest.mark.parametrize("start", [0, 3])
def test_the_seam_of_a_full_turn_is_a_neighbour_like_any_other(start):
    x = (np.arange(8) * 45.0 + 45 * start + 180) % 360 - 180
    corners = cell_corners(x, np.zeros(8), GridLayout((1, 8), np.arange(8), periodic=True), geographic=True)
    np.testing.assert_allclose(np.ptp(corners[..., 0], axis=1), 45.0)


@pytest.mark.parametrize("axis", [0, 1])
def test_sites_in_one_row_or_column_of_a_larger_grid_have_square_cells(axis):
    cell = np.array([[0, 1], [0, 3]][axis])  # the other row, or column, of 2 x 3 holds no site
    x, y = (np.array([0.0, 2.0]), np.zeros(2)) if axis == 0 else (np.zeros(2), np.array([0.0, 2.0]))
    corners = cell_corners(x, y, GridLayout((2, 3), cell), geographic=False)
    assert np.ptp(corners, axis=1).tolist() == [[2.0, 2.0]] * 2
