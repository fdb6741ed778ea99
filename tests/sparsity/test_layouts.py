"""Laws of the other layouts a network is trained under."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.sparsity import MaskState, moved_layouts, other_layouts, random_layouts

LAW = settings(max_examples=30, deadline=None)
PATTERNS = st.text("10Fx", min_size=2, max_size=30).filter(lambda p: set(p) & set("1F"))


@LAW
@given(PATTERNS, st.integers(0, 9))
def test_moved_layouts_keep_the_count_and_the_roles(pattern, seed):
    state = MaskState.of(pattern)
    moved = moved_layouts(state, 5, generator=torch.Generator().manual_seed(seed))
    assert (moved.sum(1) == state.n_active).all()
    assert moved[:, state.fixed].all()
    assert not moved[:, state.forbidden].any()
    if {"1", "0"} <= set(pattern):
        assert ((moved != state.active).sum(1) >= 2).all(), "at least one sensor moves"


def test_between_one_and_thirty_per_cent_of_the_sensors_move():
    state = MaskState.of("1" * 100 + "0" * 300)
    moved = moved_layouts(state, 200, generator=torch.Generator().manual_seed(0))
    moves = (state.active & ~moved).sum(1)
    assert (moves >= 1).all()
    assert (moves <= 30).all()
    assert moves.max() - moves.min() > 20


@LAW
@given(PATTERNS, st.integers(1, 30), st.integers(0, 9))
def test_random_layouts_keep_the_roles_and_are_between_half_and_four_times_the_budget(pattern, around, seed):
    state = MaskState.of(pattern)
    layouts = random_layouts(state, 5, around=around, generator=torch.Generator().manual_seed(seed))
    assert layouts[:, state.fixed].all()
    assert not layouts[:, state.forbidden].any()
    least = max(int(state.fixed.sum()), min(state.n_legal, int(around / 2)), 1)
    most = max(int(state.fixed.sum()), min(state.n_legal, 4 * around))
    assert (layouts.sum(1) >= least).all()
    assert (layouts.sum(1) <= most).all()


def test_the_same_generator_gives_the_same_layouts_and_the_next_draw_others():
    state = MaskState.of("1100000000")
    first, second = (torch.Generator().manual_seed(1) for _ in range(2))
    one = other_layouts(state, 6, around=2, generator=first)
    assert one.shape == (6, 10)
    assert torch.equal(one, other_layouts(state, 6, around=2, generator=second))
    assert not torch.equal(one, other_layouts(state, 6, around=2, generator=second))
