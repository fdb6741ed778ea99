"""Laws of the ranking of dynst_linear."""

import numpy as np

from dynst.planners import dynst_linear
from dynst.planners.farthest import farthest_point
from dynst.planners.linear_evidence import linear_evidence
from dynst.planners.swaps import greedy_order, swap_sweep


def test_sites_beyond_the_plan_follow_by_farthest_point_whatever_the_search_did_to_them(make_task, waves):
    role = np.zeros(30, np.int8)
    role[4], role[[9, 13]] = 1, 2
    task = make_task(waves(noise=0.5, seed=2), 8, role=role)
    plan = dynst_linear.plan(task, seed=0, rounds=0)
    head = plan.order[:8]
    assert plan.provenance["swaps"] > 0, "a search that displaces nothing would show nothing"
    assert plan.order[8:].tolist() == farthest_point(task.sites, head, len(task.sites.legal) - 8).tolist()
    assert plan.provenance["ranked_by_method"] == 8


def test_the_plan_is_a_local_optimum_in_greedy_order(make_task, waves):
    task = make_task(waves(), 4)
    plan = dynst_linear.plan(task, seed=0, sweeps=9)
    assert plan.selected.tolist() == greedy_order(linear_evidence(task), task.sites, plan.selected).tolist()
    after, counts = swap_sweep(task, plan.selected, seed=1)
    assert counts["swaps"] == 0
    assert after.tolist() == sorted(plan.selected.tolist())
