"""Forward selection equals the version that recomputes everything for every candidate."""

from dataclasses import replace

import numpy as np

from dynst.backbones.spacetime import Form
from dynst.planners import forward


def test_picks_equal_full_recomputation(make_task, waves):
    role = np.zeros(30, np.int8)
    role[17], role[[0, 1]] = 1, 2
    task = make_task(waves(noise=0.6), 6, role=role)
    plan = forward.plan(task, seed=0)
    error = replace(task.expected_error, form=Form(memory=0.0, noise=0.01), present=False)
    chosen = [17]
    while len(chosen) < 6:
        left = [site for site in task.sites.legal.tolist() if site not in chosen]
        chosen.append(max(left, key=lambda site: error.gain(np.array([*chosen, site]))))
    assert plan.selected.tolist() == chosen
    assert len(plan.order) == 28
    assert plan.provenance["ranked_by_method"] == 6
