"""Forward selection equals the version that refits for every candidate."""

import numpy as np

from dynst.planners import forward
from dynst.planners.linear_evidence import forecast_evidence


def test_picks_equal_full_refits(make_task, waves, reference):
    role = np.zeros(30, np.int8)
    role[17], role[[0, 1]] = 1, 2
    task = make_task(waves(noise=0.6), 6, role=role)
    plan = forward.plan(task, seed=0)
    evidence = forecast_evidence(task, penalty=0.01)
    expected = reference("forward").forward(evidence, task.sites.legal.tolist(), [17], 6)
    assert plan.selected.tolist() == expected
    assert len(plan.order) == 28
