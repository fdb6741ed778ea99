"""Laws of the graph layout: sorted, each edge once, parts told, nonsense refused in words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.domain import GraphLayout
from dynst.errors import DataError

pairs = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] != p[1]), unique=True)


@settings(max_examples=60, deadline=None)
@given(pairs, st.randoms(use_true_random=False))
def test_edges_are_the_same_in_whatever_order_they_come_and_sorted_by_receiver(edges, random):
    shuffled = random.sample(edges, len(edges))
    ends = np.array(shuffled, np.int64).reshape(-1, 2).T
    layout = GraphLayout(10, ends, 1.0 + ends[0] + 10 * ends[1])
    assert [tuple(pair) for pair in layout.edge_index.T.tolist()] == sorted(edges, key=lambda p: (p[1], p[0]))
    assert (layout.edge_weight == 1.0 + layout.edge_index[0] + 10 * layout.edge_index[1]).all()


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_sites_are_in_one_part_exactly_if_a_path_joins_them_in_either_direction(edges):
    layout = GraphLayout(10, np.array(edges, np.int64).reshape(-1, 2).T)
    reach = np.eye(10, dtype=bool)
    for sender, receiver in edges:
        reach[sender, receiver] = reach[receiver, sender] = True
    for _ in range(4):
        reach = (reach.astype(int) @ reach) > 0
    assert ((layout.part[:, None] == layout.part[None]) == reach).all()
    assert layout.parts == len({tuple(row) for row in reach.tolist()})
    assert layout.isolated.tolist() == np.flatnonzero(reach.sum(axis=1) == 1).tolist()


@pytest.mark.parametrize(
    ("edges", "weight", "words"),
    [
        ([[0], [3]], None, "names site 3, but sites count from 0 to 2"),
        ([[-1], [1]], None, "an edge names site -1"),
        ([[1], [1]], None, "no self loop"),
        ([[0, 0], [1, 1]], None, "more than once"),
        ([[0], [1]], [0.0], "positive and finite"),
        ([[0], [1]], [np.nan], "positive and finite"),
    ],
)
def test_what_is_no_graph_is_refused(edges, weight, words):
    with pytest.raises(DataError, match=words):
        GraphLayout(3, np.array(edges), None if weight is None else np.array(weight))
