"""Coverage without positions: far is what takes many edges."""

from itertools import pairwise

import numpy as np

from dynst.domain import Field, Frame, Sites, Window
from dynst.domain.graphs import drawing, of_edges
from dynst.planners import coverage
from dynst.planners.base import Task, complete_ranking
from dynst.planners.farthest import farthest_point, hop_gaps


def schematic(n, pairs, role=None):
    senders, receivers = np.array(pairs).T
    layout, _ = of_edges(n, senders, receivers)
    place = drawing(layout)
    return Sites(
        place[:, 0], place[:, 1], frame=Frame.SCHEMATIC, role=np.zeros(n, np.int8) if role is None else role
    ), layout


def test_each_site_is_the_most_edges_away_and_the_ranking_ends_among_neighbours():
    sites, layout = schematic(9, [(i, i + 1) for i in range(8)])
    order, gap = hop_gaps(sites, layout, sites.fixed)
    assert order.tolist() == [1, 8, 4, 6]  # 1: the first site of most edges; 8 is 7 edges on; 4 is 3 from 1; 6 is 2 off
    assert gap.tolist() == [np.inf, 7.0, 3.0, 2.0]


def test_the_largest_part_of_a_graph_is_served_first_and_every_part_before_the_second_site_of_any():
    sites, layout = schematic(9, [(0, 1), (2, 3), (3, 4), (4, 5), (5, 6)])  # parts of 2, 5, and two sites alone
    order, _ = hop_gaps(sites, layout, sites.fixed)
    assert order[:4].tolist() == [3, 0, 7, 8]


def test_fixed_sites_come_first_and_forbidden_ones_never():
    role = np.zeros(9, np.int8)
    role[4], role[[0, 8]] = 1, 2
    sites, layout = schematic(9, [(i, i + 1) for i in range(8)], role)
    order, _ = hop_gaps(sites, layout, sites.fixed)
    assert order[:3].tolist() == [4, 1, 7]
    assert not {0, 8} & set(order.tolist())


def test_the_ends_of_eight_legs_are_taken_though_a_drawing_in_the_plane_folds_them():
    legs = [[0, *range(1 + 5 * leg, 6 + 5 * leg)] for leg in range(8)]
    n = 41
    sites, layout = schematic(n, [pair for leg in legs for pair in pairwise(leg)])
    field = Field.of(np.random.default_rng(0).standard_normal((60, n, 1)), sites, layout)
    plan = coverage.plan(Task.make(field.between(0, 40), field.between(40, 60), Window(2, 2), 9), seed=0)
    ends = [leg[-1] for leg in legs]
    assert plan.selected.tolist() == [0, *ends]  # the hub, then all ends
    assert not set(ends) <= set(farthest_point(sites, np.array([0]), 8).tolist())
    assert plan.importance_is.endswith("edges")
    assert plan.importance.min() == 1
    assert sorted(plan.order.tolist()) == list(range(n))


def test_every_ranking_without_positions_is_completed_by_edges():
    legs = [[0, *range(1 + 5 * leg, 6 + 5 * leg)] for leg in range(8)]
    sites, layout = schematic(41, [pair for leg in legs for pair in pairwise(leg)])
    order = complete_ranking(sites, np.array([0]), layout)
    assert order[:9].tolist() == [0, *(leg[-1] for leg in legs)]
    assert sorted(order.tolist()) == list(range(41))
