"""A-optimal picks, against the posterior covariance written out."""

import numpy as np
import pytest

from dynst.planners.a_optimal import a_optimal_order
from dynst.planners.modal import ModalField


def error(field, sites):
    """Trace of the posterior covariance of the field, from its information matrix."""
    information = np.eye(field.rank)
    for site in sites:
        for view, noise in zip(field.view[site], field.noise[site], strict=True):
            information += np.outer(view, view) / noise
    return float((np.diag(np.linalg.inv(information)) * field.amplitude**2).sum())


@pytest.mark.parametrize("channels", [1, 2])
def test_every_pick_has_the_lowest_error_and_says_by_how_much(channels, room_of):
    rng = np.random.default_rng(channels)
    amplitude = np.array([3.0, 2.0, 1.0, 0.5])
    view = rng.standard_normal((15, channels, 4)) * amplitude
    field = ModalField(view, rng.uniform(0.1, 2, (15, channels)), amplitude)
    order, fall = a_optimal_order(field, room_of(15), 10, first=np.array([6]))
    chosen, before = [], error(field, [])
    for i, (site, gain) in enumerate(zip(order.tolist(), fall, strict=True)):
        left = [s for s in range(15) if s not in chosen]
        best = 6 if i == 0 else min(left, key=lambda s: error(field, [*chosen, s]))
        assert site == best
        chosen.append(site)
        after = error(field, chosen)
        assert gain == pytest.approx(before - after, rel=1e-6)
        before = after
