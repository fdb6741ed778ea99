"""Laws of drop-regrow over random masks, saliencies and counts, and a state machine of the mask."""

import importlib.util
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from dynst.errors import BudgetError, DataError
from dynst.sparsity import MaskState, drop_regrow, regrown

_PATH = Path(__file__).parents[1] / "reference" / "drop_regrow.py"
_SPEC = importlib.util.spec_from_file_location("reference_drop_regrow", _PATH)
reference = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(reference)

LAW = settings(max_examples=30, deadline=None)
FEW_VALUES = st.integers(-3, 3).map(float)  # few, so that ties are common


@st.composite
def masks(draw, least=1, most=14):
    letters = draw(
        st.lists(st.sampled_from("10Fx"), min_size=least, max_size=most).filter(lambda p: set(p) & set("1F"))
    )
    state = MaskState.of("".join(letters))
    return state.with_score(torch.tensor(draw(st.lists(FEW_VALUES, min_size=len(state), max_size=len(state)))))


@st.composite
def updates(draw):
    state = draw(masks())
    n_active = draw(st.integers(max(1, int(state.fixed.sum())), state.n_legal))
    n_swap = draw(st.integers(0, n_active))
    values = st.lists(FEW_VALUES, min_size=len(state), max_size=len(state)).map(torch.tensor)
    return state, {"drop_by": draw(values), "grow_by": draw(values), "n_active": n_active, "n_swap": n_swap}


@LAW
@given(updates())
def test_agrees_with_the_loop(update):
    state, asked = update
    kept, grown = reference.drop_regrow_by_hand(
        state.active.tolist(),
        state.fixed.tolist(),
        state.forbidden.tolist(),
        drop_by=asked["drop_by"].tolist(),
        grow_by=asked["grow_by"].tolist(),
        n_active=asked["n_active"],
        n_swap=asked["n_swap"],
    )
    after = drop_regrow(state, **asked)
    assert not kept & grown, "kept and regrown are disjoint"
    assert set(after.active.nonzero().squeeze(-1).tolist()) == kept | grown


@LAW
@given(updates())
def test_the_active_count_is_exact_and_roles_hold(update):
    state, asked = update
    after = drop_regrow(state, **asked)
    assert after.n_active == asked["n_active"]
    assert after.active[state.fixed].all()
    assert not after.active[state.forbidden].any()
    assert after.step == state.step + 1


@LAW
@given(updates(), st.sampled_from([torch.exp, torch.tanh, lambda x: 3 * x - 7, lambda x: x**3]))
def test_increasing_transforms_of_saliency_change_nothing(update, increasing):
    state, asked = update
    plain = drop_regrow(state, **asked)
    moved = drop_regrow(
        state, **{**asked, "drop_by": increasing(asked["drop_by"]), "grow_by": increasing(asked["grow_by"])}
    )
    assert torch.equal(plain.active, moved.active)


@LAW
@given(updates(), st.randoms(use_true_random=False))
def test_relabelling_sites_relabels_the_result(update, shuffle):
    state, asked = update
    n = len(state)
    label = list(range(n))
    shuffle.shuffle(label)
    # without ties: a tie goes to the lower index, and that is what relabelling changes
    drop_by, grow_by = asked["drop_by"] + torch.rand(n), asked["grow_by"] + torch.rand(n)
    relabelled = MaskState(state.active[label], state.score[label], state.fixed[label], state.forbidden[label])
    counts = {"n_active": asked["n_active"], "n_swap": asked["n_swap"]}
    after = drop_regrow(state, drop_by=drop_by, grow_by=grow_by, **counts)
    other = drop_regrow(relabelled, drop_by=drop_by[label], grow_by=grow_by[label], **counts)
    assert torch.equal(after.active[label], other.active)
    assert torch.equal(after.score[label], other.score)


@LAW
@given(updates())
def test_a_regrown_score_is_the_median_active_score_and_no_other_score_moves(update):
    state, asked = update
    after = drop_regrow(state, **asked)
    new = regrown(state, after)
    assert torch.equal(after.score[~new], state.score[~new])
    born = after.active & ~state.active
    assert (after.score[born] == state.score[state.active].median()).all()


@LAW
@given(masks(), st.data())
def test_no_swap_and_a_lower_count_only_prunes(state, data):
    n_active = data.draw(st.integers(max(1, int(state.fixed.sum())), state.n_active))
    saliency = torch.rand(len(state))
    after = drop_regrow(state, drop_by=saliency, grow_by=-saliency, n_active=n_active, n_swap=0)
    assert not (after.active & ~state.active).any()
    assert after.n_active == n_active


def test_a_site_that_was_just_dropped_may_return():
    after = drop_regrow(MaskState.of("110"), drop_by=[2, 1, 0], grow_by=[0, 5, 1], n_active=2, n_swap=1)
    assert repr(after) == "MaskState(110, step=1)"


def test_ties_go_to_the_lower_index():
    after = drop_regrow(MaskState.of("0111100"), drop_by=[0] * 7, grow_by=[0] * 7, n_active=4, n_swap=2)
    # kept: the two lowest active indices, 1 and 2; regrown: the two lowest of the others, 0 and 3
    assert repr(after) == "MaskState(1111000, step=1)"


@pytest.mark.parametrize(
    ("pattern", "n_active", "n_swap", "words"),
    [
        ("10x", 3, 0, "2 of 3 sites are not forbidden"),
        ("FF0", 1, 0, "2 sites are fixed"),
        ("110", 1, 2, "2 swaps among 1"),
    ],
)
def test_an_impossible_update_is_a_budget_error(pattern, n_active, n_swap, words):
    with pytest.raises(BudgetError, match=words):
        drop_regrow(MaskState.of(pattern), drop_by=[0] * 3, grow_by=[0] * 3, n_active=n_active, n_swap=n_swap)


def test_a_nan_saliency_is_an_error():
    with pytest.raises(DataError, match="saliency of 1 sites is NaN"):
        drop_regrow(MaskState.of("110"), drop_by=[0, float("nan"), 0], grow_by=[0] * 3, n_active=1, n_swap=0)


class MaskMachine(RuleBasedStateMachine):
    """Any sequence of prunings, swaps and regrowths keeps the promises of a mask."""

    @initialize(state=masks(least=3))
    def begin(self, state):
        self.state, self.count, self.updates = state, state.n_active, 0
        self.fixed, self.forbidden = state.fixed.clone(), state.forbidden.clone()

    def _update(self, n_active, n_swap, seed):
        generator = torch.Generator().manual_seed(seed)
        drop_by, grow_by = torch.rand(2, len(self.state), generator=generator)
        before = self.state
        self.state = drop_regrow(before, drop_by=drop_by, grow_by=grow_by, n_active=n_active, n_swap=n_swap)
        self.count, self.updates = n_active, self.updates + 1
        return before

    @rule(seed=st.integers(0, 99), share=st.floats(0, 1))
    def prune(self, seed, share):
        least = max(1, int(self.fixed.sum()))
        before = self._update(max(least, int(share * self.count)), 0, seed)
        assert not (self.state.active & ~before.active).any()

    @rule(seed=st.integers(0, 99), share=st.floats(0, 1))
    def swap(self, seed, share):
        before = self._update(self.count, int(share * self.count), seed)
        assert int((self.state.active & ~before.active).sum()) <= int(share * self.count)

    @rule(seed=st.integers(0, 99))
    def grow(self, seed):
        before = self._update(min(self.count + 1, self.state.n_legal), 0, seed)
        assert (self.state.active | ~before.active).all(), "a growing mask drops nobody"

    @invariant()
    def promises(self):
        if hasattr(self, "state"):
            assert self.state.n_active == self.count
            assert self.state.step == self.updates
            assert self.state.active[self.fixed].all()
            assert not self.state.active[self.forbidden].any()


MaskMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=12, deadline=None)
test_a_mask_keeps_its_promises_under_any_history = MaskMachine.TestCase
