"""The skill by lead in one sentence, from curves made to show each case."""

import numpy as np
import pytest

from dynst.domain import Curve
from dynst.evaluation.leads import skill_by_lead

UP = (400.0, 500.0, 600.0, 700.0)


def made(levels, *, cadence="6 h", channels=("msl",)):
    """A curve with the RMSE of each planner at each lead time."""
    rows = np.array([np.broadcast_to(values, 4) for values in levels.values()], float)
    values = np.repeat(rows[:, None, :, None, None], len(channels), axis=3)
    return Curve.of(
        dict.fromkeys(("rmse", "mae", "bias"), values),
        planners=list(levels),
        budgets=[5],
        n=10,
        channels=channels,
        units=["Pa"] * len(channels),
        total=np.ones((len(levels), 1, 1)),
        attrs={"cadence": cadence},
    )


@pytest.mark.parametrize(
    ("still", "mean", "says"),
    [
        (800, 900, 'At every lead time (6 h to 1 day) this plan is better than "no change" and than the climatology.'),
        (
            (300, 450, 580, 800),
            900,
            'Up to 18 h "no change" is better (at 6 h 300 against 400 Pa), from 1 day on this plan is better; this '
            "plan is better than the climatology at every lead time (6 h to 1 day).",
        ),
        (
            800,
            550,
            'This plan is better than "no change" at every lead time (6 h to 1 day); from 18 h on the climatology is '
            "better than this plan (at 18 h 550 against 600 Pa).",
        ),
        (
            300,
            900,
            '"No change" is better than this plan at every lead time (6 h to 1 day), at 6 h 300 against 400 Pa; this '
            "plan is better than the climatology at every lead time (6 h to 1 day).",
        ),
        (
            (300, 800, 580, 800),
            900,
            '"No change" is better than this plan at 2 of 4 lead times; this plan is better than the climatology at '
            "every lead time (6 h to 1 day).",
        ),
    ],
)
def test_the_sentence_follows_the_errors_by_lead(still, mean, says):
    (sentence,) = skill_by_lead(made({"mine": UP, "persistence": still, "climatology": mean}), "mine", 5)
    assert sentence == says


def test_without_a_cadence_lead_times_are_steps():
    levels = {"mine": UP, "persistence": (300, 800, 800, 800), "climatology": 900}
    (sentence,) = skill_by_lead(made(levels, cadence=""), "mine", 5)
    assert sentence.startswith('At 1 step "no change" is better (300 against 400 Pa), from 2 steps on')


def test_several_channels_are_taken_together_as_shares_of_their_climatologies():
    levels = {"mine": UP, "persistence": (300, 800, 800, 800), "climatology": 900}
    (sentence,) = skill_by_lead(made(levels, channels=("u", "v")), "mine", 5)
    assert sentence.startswith('At 6 h "no change" is better (by 25.0 %), from 12 h on this plan is')


def test_a_difference_that_does_not_show_is_no_win_and_no_loss():
    (sentence,) = skill_by_lead(made({"mine": 991.0, "persistence": 1400.0, "climatology": 991.2}), "mine", 5)
    assert "the climatology is as good as this plan at every lead time (6 h to 1 day), at 6 h 991 against" in sentence


def test_without_both_frames_nothing_is_said():
    assert skill_by_lead(made({"mine": UP, "persistence": 300}), "mine", 5) == []
    assert skill_by_lead(made({"mine": UP, "persistence": np.nan, "climatology": 900}), "mine", 5) == []
