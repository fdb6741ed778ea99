"""Mutual information: picks against conditional variances written out, and the size guard."""

import numpy as np
import pytest

from dynst.planners import mutual_information
from dynst.planners.base import PlannerSkipped
from dynst.planners.mutual_information import mutual_information_order


def conditional(covariance, site, given):
    if not len(given):
        return covariance[site, site]
    inner = np.linalg.solve(covariance[np.ix_(given, given)], covariance[given, site])
    return covariance[site, site] - covariance[site, given] @ inner


def test_every_pick_gains_most_information(room_of):
    rng = np.random.default_rng(0)
    root = rng.standard_normal((12, 12))
    covariance = root @ root.T / 12 + 0.3 * np.eye(12)
    order, gained = mutual_information_order(covariance, room_of(12, forbidden=(5,)), 8, first=np.array([2]))
    chosen = []
    for i, site in enumerate(order.tolist()):
        left = [s for s in range(12) if s not in chosen]
        gain = {
            s: 0.5
            * np.log(
                conditional(covariance, s, chosen) / conditional(covariance, s, [other for other in left if other != s])
            )
            for s in left
        }
        allowed = [s for s in left if s != 5]
        assert site == (2 if i == 0 else max(allowed, key=gain.get))
        assert gained[i] == pytest.approx(gain[site], abs=1e-9)
        chosen.append(site)


def test_too_many_sites_are_skipped_with_the_reason(make_task, waves, monkeypatch):
    monkeypatch.setattr(mutual_information, "_LIMIT", 20)
    with pytest.raises(PlannerSkipped, match="30 came"):
        mutual_information.plan(make_task(waves(), 3), seed=0)
