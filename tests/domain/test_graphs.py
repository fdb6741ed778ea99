"""Laws of graphs made from positions, triangles, edge lists and matrices."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import Frame, Sites
from dynst.domain.graphs import drawing, nearest_neighbours, of_edges, of_matrix, of_triangles, within_radius
from dynst.errors import ConfigError, DataError


def pairs_of(layout):
    return {tuple(pair) for pair in layout.edge_index.T.tolist()}


def scattered(seed, *, n=None, frame=None):
    """Clusters and single sites anywhere on the Earth, the date line and the poles among them, or in the plane."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40)) if n is None else n
    if rng.random() < 0.5 if frame is None else frame is Frame.PLANAR:
        return Sites(rng.standard_cauchy(n), rng.standard_cauchy(n), frame=Frame.PLANAR, unit="1")
    centre = rng.integers(0, 3, n)
    x = rng.choice([-179.9, 179.5, 0.0], n) + rng.normal(0, 0.4, n)
    y = np.clip(np.array([-89.0, 0.0, 89.5])[centre] + rng.normal(0, 1, n), -90, 90)
    return Sites((x + 180) % 360 - 180, y)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 9))
def test_nearest_neighbours_go_both_ways_hold_the_nearest_and_leave_no_part_alone(seed, k):
    sites = scattered(seed)
    layout, n = nearest_neighbours(sites, k), len(sites)
    pairs = pairs_of(layout)
    assert pairs == {(b, a) for a, b in pairs}
    assert layout.parts == 1
    distance = np.linalg.norm(sites.points[:, None] - sites.points[None], axis=-1)
    for site in range(n):
        others = np.delete(distance[site], site)
        least = np.sort(others)[min(k, n - 1) - 1]
        mine = [distance[site, a] for a, b in pairs if b == site]
        assert sum(d <= least * (1 + 1e-9) for d in mine) >= min(k, n - 1)


def test_across_the_date_line_and_round_the_pole_neighbours_are_near():
    line = Sites(np.array([179.5, -179.5, 170.0, -170.0]), np.zeros(4))
    assert (0, 1) in pairs_of(nearest_neighbours(line, 1))
    pole = Sites(np.array([0.0, 90.0, 180.0 - 360, -90.0, 0.0]), np.array([89.9, 89.9, 89.9, 89.9, 80.0]))
    assert {(0, 2), (2, 0), (1, 3), (3, 1)} <= pairs_of(nearest_neighbours(pole, 3))
    assert layout_degree(nearest_neighbours(pole, 3), 4) == 3


def layout_degree(layout, site):
    return int((layout.edge_index[1] == site).sum())


def test_far_clusters_are_joined_by_the_shortest_link():
    x = np.array([0.0, 1.0, 2.0, 50.0, 51.0, 52.0, 200.0, 201.0])
    layout = nearest_neighbours(Sites(x, np.zeros(8), frame=Frame.PLANAR), 1)
    assert layout.parts == 1
    assert {(2, 3), (5, 6)} <= pairs_of(layout)
    assert layout.edge_index.shape[1] == 2 * 7


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_sites_have_as_many_neighbours_as_there_are(n):
    layout = nearest_neighbours(Sites(np.arange(float(n)), np.zeros(n)), 8)
    assert layout.edge_index.shape[1] == n * (n - 1)
    assert str(n - 1) in layout.words
    with pytest.raises(ConfigError, match="at least 1 neighbour; 0 came"):
        nearest_neighbours(Sites(np.arange(float(n)), np.zeros(n)), 0)


def test_sites_at_one_place_are_neighbours_and_no_self_loops():
    layout = nearest_neighbours(Sites(np.array([0.0, 0.0, 0.0, 5.0]), np.zeros(4)), 1)
    assert layout.parts == 1
    assert (layout.edge_index[0] != layout.edge_index[1]).all()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0.01, 1.0))
def test_a_radius_joins_exactly_what_lies_within_or_the_message_names_one_that_joins_all(seed, share):
    sites = scattered(seed)
    points = sites.points
    distance = sites.distance(np.linalg.norm(points[:, None] - points[None], axis=-1))
    radius = share * float(distance.max())
    try:
        layout = within_radius(sites, radius)
    except DataError as error:
        named = float(re.search(r"Choose at least (\S+) ", str(error))[1])
        assert named > radius
        layout = within_radius(sites, named)
        with pytest.raises(DataError):  # a hundredth less would not do
            within_radius(sites, 0.985 * named)
        radius = named
    expected = (distance <= radius) & ~np.eye(len(sites), dtype=bool)
    unsure = np.abs(distance - radius) <= 1e-6 * radius  # a matter of rounding
    found = np.zeros_like(expected)
    found[layout.edge_index[0], layout.edge_index[1]] = True
    assert ((found == expected) | unsure).all()
    assert layout.parts == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 7)] * 3).filter(lambda t: len(set(t)) == 3), min_size=1))
def test_the_edges_of_triangles_are_their_sides_each_once_in_both_directions(triangles):
    layout = of_triangles(8, np.array(triangles))
    sides = {(a, b) for t in triangles for a in t for b in t if a != b}
    assert pairs_of(layout) == sides
    assert layout.triangles.tolist() == [list(t) for t in triangles]


def test_triangles_that_count_from_one_are_refused_with_a_guess():
    with pytest.raises(DataError, match=r"names node 3, but nodes count from 0 to 2\. Are nodes counted from 1"):
        of_triangles(3, np.array([[1, 2, 3]]))
    with pytest.raises(DataError, match="names node -1"):
        of_triangles(3, np.array([[0, 1, -1]]))


edge = st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0.0, 9.0))


@settings(max_examples=80, deadline=None)
@given(edges=st.lists(edge, min_size=1), both_ways=st.booleans())
def test_a_list_of_edges_keeps_the_strongest_of_those_that_repeat(edges, both_ways):
    senders, receivers, weight = (np.array(column) for column in zip(*edges, strict=True))
    strongest = {}
    for a, b, w in edges:
        if a != b and w > 0:
            for pair in [(a, b), (b, a)] if both_ways else [(a, b)]:
                strongest[pair] = max(w, strongest.get(pair, 0.0))
    if not strongest:
        with pytest.raises(DataError, match="no edge between two different sites"):
            of_edges(6, senders, receivers, weight, both_ways=both_ways)
        return
    layout, notes = of_edges(6, senders, receivers, weight, both_ways=both_ways)
    made = dict(zip(map(tuple, layout.edge_index.T.tolist()), layout.edge_weight.tolist(), strict=True))
    assert made == strongest
    assert layout.weighted
    assert any("self loop" in note for note in notes) == any(a == b for a, b, _ in edges)
    kept = [(a, b) for a, b, w in edges if a != b and w > 0]
    assert any("repeated" in note for note in notes) == (len(set(kept)) < len(kept))
    assert any("parts" in note for note in notes) == (layout.parts > 1)


@pytest.mark.parametrize(
    ("ends", "weight", "words"),
    [
        ([[0, 1], [1, 6]], None, "names site 6, but sites count from 0 to 2"),
        ([[0, -2], [1, 1]], None, "names site -2"),
        ([[0], [1]], [-1.0], "weight -1"),
        ([[0], [1]], [np.inf], "weight inf"),
        ([[], []], None, "no edge"),
    ],
)
def test_a_list_that_is_no_graph_is_refused(ends, weight, words):
    with pytest.raises(DataError, match=words):
        of_edges(3, *np.array(ends, np.int64), None if weight is None else np.array(weight))


def test_a_matrix_reads_from_row_to_column_and_its_diagonal_says_nothing():
    matrix = np.array([[1.0, 0.5, 0.0], [0.0, 1.0, 0.2], [0.0, 0.0, 1.0]])
    layout, notes = of_matrix(matrix)
    assert pairs_of(layout) == {(0, 1), (1, 2)}
    assert layout.edge_weight.tolist() == [0.5, 0.2]
    assert notes == ()
    assert pairs_of(of_matrix(matrix, both_ways=True)[0]) == {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert matrix[0, 0] == 1  # the caller's matrix is left alone
    with pytest.raises(DataError, match="weight nan"):
        of_matrix(np.array([[0.0, np.nan], [1.0, 0.0]]))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_drawing_is_finite_sets_parts_apart_and_is_the_same_each_time(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 30))
    senders, receivers = rng.integers(0, n, (2, n))
    receivers = np.where(senders == receivers, (receivers + 1) % n, receivers)
    layout, _ = of_edges(n, senders, receivers)
    place = drawing(layout)
    assert place.shape == (n, 2)
    assert np.isfinite(place).all()
    assert (place == drawing(layout)).all()
    ranges = [place[layout.part == part, 0] for part in range(layout.parts)]
    spans = sorted((x.min(), x.max()) for x in ranges)
    assert all(after[0] > before[1] for before, after in pairwise(spans))
