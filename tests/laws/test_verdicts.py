"""Laws of verdicts: chance is called better in at most 5 % of cases, what is there is found, and words say so."""

import numpy as np
import pytest
from scipy.signal import lfilter

from dynst.domain import RANDOM, Window
from dynst.evaluation import ErrorSums, LinearJudge, Score, judge_ladder, verdict
from dynst.evaluation.comparison import compared
from dynst.evaluation.verdict import answer
from dynst.planners import PLANNERS
from dynst.planners.base import Task
from dynst.readers.synthetic import planted, white_noise
from dynst.windows import split_by_time


def scored(per_window):
    mean = np.full((1, 1), per_window.mean())
    sums = ErrorSums(mean, mean, mean, np.ones((1, 1)))
    return Score(sums, sums, sums, np.ones(1), per_window)


def ar1(phi, shape, rng):
    shocks = rng.standard_normal(shape)
    shocks[..., 0] /= np.sqrt(1 - phi**2)
    return lfilter([1], [1, -phi], shocks, axis=-1) * np.sqrt(1 - phi**2)


def layouts(rng, count, *, m=100, spread=0.04, noise=0.15, common=None):
    """Window errors of so many random layouts: each with a level and errors of its own, on shared weather."""
    common = ar1(0.6, (m,), rng) if common is None else common
    levels = 1 + spread * rng.standard_normal((count, 1))
    return np.exp(0.3 * common + noise * ar1(0.6, (count, m), rng)) * levels**2


def words(rng, plans, *, budgets=1, gain=0.0, draws=20, **options):
    """Verdicts on so many plans, each exchangeable with the random ones but for a gain in RMSE, and those on pairs."""
    names = [*(f"plan {i}" for i in range(plans)), RANDOM]
    made = {}
    for k in range(budgets):
        errors = layouts(rng, plans + draws, **options)
        errors[:plans] *= (1 - gain) ** 2
        made |= {(names[i], k): [scored(errors[i])] for i in range(plans)}
        made[RANDOM, k] = [scored(row) for row in errors[plans:]]
    found = compared(names, list(range(budgets)), made)["verdict"]
    return found[:plans, plans].ravel(), found[:plans, :plans]


def test_of_two_equal_plans_one_is_called_better_in_at_most_5_per_cent():
    # 300 trials of two-sided 5 %: one of the two is better in 5 %; standard error 1.3 %
    rng, better = np.random.default_rng(0), 0
    for _ in range(300):
        found = words(rng, 2, spread=0.0, draws=3)[1]
        better += (found == "better").any()
    assert better / 300 <= 0.05 + 2 * 0.013
    assert better > 0


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.06])
def test_a_plan_that_could_be_a_random_one_is_called_better_than_these_in_at_most_5_per_cent(spread):
    rng = np.random.default_rng(int(100 * spread))
    found = [words(rng, 1, spread=spread)[0][0] for _ in range(200)]
    assert found.count("better") / 200 <= 0.05
    assert found.count("worse") / 200 <= 0.05


def test_the_luck_of_the_draw_alone_would_be_called_better_much_more_often():
    # the same plans by the test windows alone: what verdicts would be without the spread of the layouts
    rng, lucky = np.random.default_rng(6), 0
    for _ in range(60):
        errors = layouts(rng, 21, spread=0.06)
        lucky += verdict(errors[0], errors[1:])[0] == "better"
    assert lucky / 60 > 0.15


def test_among_many_plans_and_budgets_any_false_verdict_against_random_is_rare():
    # Holm's family: 6 plans at 3 budgets. 120 trials of at most 5 %: standard error 2 %
    rng = np.random.default_rng(1)
    false = [set(words(rng, 6, budgets=3)[0]) != {"tie"} for _ in range(120)]
    assert np.mean(false) <= 0.05 + 2 * 0.02


def test_among_many_rivals_any_false_verdict_on_one_plan_is_rare():
    rng = np.random.default_rng(2)
    false = [bool({"better", "worse"} & set(words(rng, 7, spread=0.0, draws=3)[1][0].ravel())) for _ in range(120)]
    assert np.mean(false) <= 0.05 + 2 * 0.02


def test_a_true_gain_of_5_per_cent_is_found_where_noise_and_spread_are_small():
    rng = np.random.default_rng(3)
    found = np.concatenate([words(rng, 4, budgets=3, gain=0.05, spread=0.007, noise=0.05)[0] for _ in range(10)])
    assert (found == "better").mean() > 0.95


def curve_of(field, planners, budgets, *, draws=20, seed=0, window=None):
    window = window or Window(2, 2)
    split = split_by_time(field, window)
    task = Task.make(split.train, split.valid, window, budgets[0])
    plans = {name: [PLANNERS[name].plan(task, seed=seed)] for name in planners}
    plans[RANDOM] = [PLANNERS[RANDOM].plan(task, seed=seed + draw) for draw in range(draws)]
    return judge_ladder(plans, LinearJudge(split, window), budgets)


def test_on_white_noise_nothing_is_better_than_random_and_the_answer_says_so():
    planners, lucky = ["dynst_linear", "forward", "coverage", "variance"], 0
    for seed in range(4):
        curve = curve_of(white_noise(shape=(4, 6), steps=300, seed=seed), planners, [3, 6], seed=seed)
        against = curve.data["verdict"].sel(planner=planners, against=RANDOM)
        assert not (against == "better").any()
        found = answer(curve, "dynst_linear", 3)
        assert "sensors add n" in found.headline  # nothing, or next to nothing
        lucky += "better" in found.against.values()
    assert lucky <= 1  # records of four, each with 5 % for any false word on one plan: two or more come in 1.4 %


def test_where_few_sites_know_the_future_the_answer_says_who_finds_them():
    field, _ = planted()
    planners = ["dynst_linear", "forward", "coverage", "variance"]
    curve = curve_of(field, planners, [3], window=Window(2, 4))
    found = answer(curve, "dynst_linear", 3)
    assert found.against[RANDOM] == found.against["coverage"] == found.against["variance"] == "better"
    assert found.against["forward"] == "tie"
    assert found.headline.startswith("3 sensors (of 80 sites) forecast all sites with an error of ")
    assert "less than from random places" in found.headline
    assert "It cannot be told from forward" in " ".join(found.sentences)
    assert "All of the 20 random plans have more error" in " ".join(found.sentences)
    cover = answer(curve, "coverage", 3)
    assert cover.headline.startswith("This plan is worse than ")
    assert "--planner" in cover.headline
    assert found.indifferent is None
