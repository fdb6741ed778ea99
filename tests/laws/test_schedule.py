"""Laws of the schedule: what it promises holds for any lengths, counts and shares."""

import itertools
import math

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dynst.errors import ConfigError
from dynst.sparsity import SCHEDULES, Phase, Schedule

LAW = settings(max_examples=30, deadline=None)


@st.composite
def schedules(draw):
    start = draw(st.integers(1, 300))
    shares = sorted(draw(st.lists(st.integers(0, 20), min_size=3, max_size=3)))
    steps = draw(st.integers(5, 120))
    target = draw(st.integers(1, start))
    pruned = round(shares[1] / 20 * steps) - round(shares[0] / 20 * steps)
    assume(target == start or pruned > 0)
    return Schedule(
        steps=steps,
        start=start,
        target=target,
        interval=draw(st.integers(1, 30)),
        warm_up=shares[0] / 20,
        prune_until=shares[1] / 20,
        swap_until=shares[2] / 20,
        alpha=draw(st.floats(0, 1)),
        least_swap=draw(st.integers(0, min(2, target))),
        curve=draw(st.sampled_from(sorted(SCHEDULES))),
    )


@LAW
@given(schedules())
def test_phases_follow_in_order(schedule):
    order = list(Phase)
    numbers = [order.index(schedule.phase(step)) for step in range(schedule.steps)]
    assert numbers == sorted(numbers)


@LAW
@given(schedules())
def test_the_active_count_never_rises_and_ends_at_the_target_when_pruning_ends(schedule):
    counts = [schedule.n_active(step) for step in range(schedule.steps)]
    assert all(a >= b for a, b in itertools.pairwise(counts))
    assert counts[-1] == schedule.target
    for step, count in enumerate(counts):
        if schedule.phase(step) in (Phase.DROP_REGROW, Phase.FROZEN):
            assert count == schedule.target


@LAW
@given(schedules())
def test_the_count_changes_only_at_an_update_of_the_pruning(schedule):
    counts = [schedule.start, *(schedule.n_active(step) for step in range(schedule.steps))]
    for step in range(schedule.steps):
        if counts[step + 1] != counts[step]:
            assert schedule.is_update(step)
            assert schedule.phase(step) is Phase.PRUNING


@LAW
@given(schedules())
def test_swaps_decline_by_the_cosine_and_happen_only_at_updates_of_drop_regrow(schedule):
    swaps = []
    for step in range(schedule.steps):
        if schedule.phase(step) is Phase.DROP_REGROW and schedule.is_update(step):
            swaps.append(schedule.n_swap(step))
        else:
            assert schedule.n_swap(step) == 0
    u_end = len(swaps)
    cosine = [
        math.floor(schedule.alpha / 2 * (1 + math.cos(math.pi * u / u_end)) * schedule.target) for u in range(u_end)
    ]
    expected = [max(count, schedule.least_swap) for count in cosine]
    assert swaps == expected
    assert swaps == sorted(swaps, reverse=True)


@LAW
@given(schedules())
def test_updates_stop_when_promised(schedule):
    final = [step for step in range(schedule.steps) if schedule.is_final(step)]
    assert not any(schedule.is_update(step) for step in final)
    first_final = final[0] if final else schedule.steps
    before = [step for step in range(first_final) if schedule.is_update(step)]
    assert first_final == (before[-1] + 1 if before else 0), "final begins right after the last update"
    assert all(schedule.phase(step) in (Phase.PRUNING, Phase.DROP_REGROW) for step in before)


def test_a_constant_schedule_is_frozen_throughout():
    schedule = Schedule.constant(7, 3)
    for step in range(7):
        assert schedule.phase(step) is Phase.FROZEN
        assert not schedule.is_update(step)
        assert (schedule.n_active(step), schedule.n_swap(step), schedule.is_final(step)) == (3, 0, True)


def test_geometric_pruning_keeps_the_same_share_each_time():
    counts = [SCHEDULES["geometric"](4096, 1, i / 12) for i in range(13)]
    assert counts == [2 ** (12 - i) for i in range(13)]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"curve": "qubic"}, 'Did you mean "cubic"'),
        ({"start": 3, "target": 4}, "start down to target"),
        ({"warm_up": 0.9}, "must rise"),
        ({"steps": 0}, "at least 1"),
        ({"warm_up": 0.5, "prune_until": 0.5}, "needs at least one step"),
        ({"alpha": 1.5}, "alpha must be within"),
    ],
)
def test_numbers_that_make_no_schedule_are_a_config_error(wrong, words):
    with pytest.raises(ConfigError, match=words):
        Schedule(**{"steps": 40, "start": 9, "target": 3, "interval": 4, **wrong})
