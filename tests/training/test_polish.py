"""Laws of the what-if polish."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.training.polish import _some_of


@given(total=st.one_of(st.integers(4, 300), st.integers(60_000, 70_000), st.integers(1 << 40, 1 << 60)))
@settings(max_examples=30, deadline=None)
def test_probes_are_different_pairs_and_follow_from_the_seed(total):
    drawn, again = (_some_of(total, 4, torch.Generator().manual_seed(0)).tolist() for _ in range(2))
    assert drawn == again
    assert len(set(drawn)) == len(drawn) == 4
    assert 0 <= min(drawn) <= max(drawn) < total


def test_probes_of_very_many_pairs_are_drawn_without_listing_them(monkeypatch):
    raw, longest = torch.randperm, []
    monkeypatch.setattr(torch, "randperm", lambda n, **options: (longest.append(n), raw(n, **options))[1])
    drawn = _some_of(1 << 50, 32, torch.Generator().manual_seed(1)).numpy()
    assert len(np.unique(drawn)) == 32
    assert max(longest) <= 4 * 32
    assert drawn.mean() == pytest.approx(1 << 49, rel=0.5)  # spread over all pairs, not the first of them
