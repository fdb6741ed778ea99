"""Laws of the comparison: both ways round it says the same, families are corrected, frames are not."""

import time

import numpy as np

from dynst.domain import FRAMES, RANDOM
from dynst.evaluation import ErrorSums, Score, verdict
from dynst.evaluation.comparison import MIN_RANDOM_DRAWS, compared, holm

NAMES = ("ours", "other", "third", RANDOM, "ceiling", "floor")


def scored(per_window, run=None):
    mean = np.full((1, 1), np.nanmean(per_window))
    sums = ErrorSums(mean, mean, mean, np.ones((1, 1)))
    return Score(sums, sums, sums, np.ones(1), per_window, run=run)


def scores(rng, *, budgets=(5, 10), m=80, draws=12, gain=0.1):
    base = rng.uniform(1, 2, m)
    levels = {"ours": 1 - gain, "ceiling": 1 - gain, "floor": 1.5}
    return {
        (name, k): [
            scored(base * levels.get(name, 1.0) * rng.uniform(0.9, 1.1, m) * (1 + 0.02 * rng.standard_normal()))
            for _ in range(draws if name == RANDOM else 2 if name == "other" else 1)
        ]
        for name in NAMES
        for k in budgets
    }


def test_differences_and_intervals_turn_round_with_the_sides(rng):
    found = compared(NAMES, [5, 10], scores(rng))
    ratio = 1 + found["difference"] / 100
    np.testing.assert_allclose(ratio * ratio.transpose(1, 0, 2), np.where(np.isnan(ratio), np.nan, 1))
    low, high = (1 + found[key] / 100 for key in ("low", "high"))
    np.testing.assert_allclose(low * high.transpose(1, 0, 2), np.where(np.isnan(low), np.nan, 1))
    swapped = {"better": "worse", "worse": "better", "tie": "tie"}
    here = found["verdict"][:, NAMES.index(RANDOM)]
    there = found["verdict"][NAMES.index(RANDOM)]
    assert [swapped.get(word, "") for word in here.ravel()] == there.ravel().tolist()  # one family for both


def test_a_pair_is_compared_as_by_itself(rng):
    made = scores(rng)
    found = compared(NAMES, [5, 10], made)
    draws = np.stack([score.per_window for score in made[RANDOM, 10]])
    _, interval = verdict(made["ours", 10][0].per_window, draws, drawn=True)
    place = NAMES.index("ours"), NAMES.index(RANDOM), 1
    got = [found[key][place] for key in ("difference", "low", "high")]
    np.testing.assert_allclose(got, [interval.estimate, interval.low, interval.high])
    _, narrow = verdict(made["ours", 10][0].per_window, draws)
    assert narrow.high - narrow.low < interval.high - interval.low  # the luck of the draw comes on top


def test_several_seeds_count_by_their_mean(rng):
    made = scores(rng)
    found = compared(NAMES, [5, 10], made)
    roots = [np.sqrt(score.per_window.mean()) for score in made["other", 5]]
    change = 100 * (np.mean(roots) / np.sqrt(made["third", 5][0].per_window.mean()) - 1)
    np.testing.assert_allclose(found["difference"][NAMES.index("other"), NAMES.index("third"), 0], change)


def test_holm_multiplies_the_least_by_their_number_and_never_turns_the_order():
    # by hand: 0.004 x 4, 0.010 x 3, 0.020 x 2, 0.400 x 1
    np.testing.assert_allclose(holm(np.array([0.4, 0.004, 0.02, 0.01])), [0.4, 0.016, 0.04, 0.03])
    np.testing.assert_allclose(holm(np.array([0.03, 0.03, 0.9])), [0.09, 0.09, 0.9])
    assert holm(np.zeros(0)).shape == (0,)


def test_families_are_corrected_as_they_are_described(rng):
    made = scores(rng, gain=0.01)
    found = compared(NAMES, [5, 10], made)
    plans = [0, 1, 2]
    # alone, each pair has a family of one: its probability is uncorrected
    single = {}
    for i, one in enumerate(NAMES):
        for other in NAMES[i + 1 :]:
            for j, k in enumerate((5, 10)):
                pair = compared([one, other], [k], {key: made[key] for key in ((one, k), (other, k))})
                single[one, other, j] = single[other, one, j] = pair["p"][0, 1, 0]
    random = NAMES.index(RANDOM)
    for j in range(2):
        with_random = holm(np.array([single[NAMES[i], RANDOM, j] for i in plans]))
        np.testing.assert_allclose(found["p"][plans, random, j], with_random)
    asked = compared(NAMES, [5, 10], made, question=("other", 10))["p"]
    np.testing.assert_allclose(asked[plans, random, 0], found["p"][plans, random, 0])
    np.testing.assert_allclose(asked[1, random, 1], single["other", RANDOM, 1])  # asked beforehand: nothing to correct
    rest = holm(np.array([single["ours", RANDOM, 1], single["third", RANDOM, 1]]))
    np.testing.assert_allclose(asked[[0, 2], random, 1], rest)
    for i in plans:
        others = [j for j in plans if j != i]
        alone = holm(np.array([single[NAMES[i], NAMES[j], 1] for j in others]))
        np.testing.assert_allclose(found["p"][i, others, 1], alone)
    for frame in ("ceiling", "floor"):
        for name in NAMES[:4]:
            np.testing.assert_allclose(found["p"][NAMES.index(frame), NAMES.index(name), 0], single[frame, name, 0])


def test_words_follow_from_the_corrected_probability(rng):
    found = compared(NAMES, [5, 10], scores(rng))
    p, difference, words = (found[key] for key in ("p", "difference", "verdict"))
    sure = np.where(difference < 0, "better", "worse")
    assert (words == np.where(np.isnan(p), "", np.where(p < 0.05, sure, "tie"))).all()
    assert {"better", "worse", "tie", ""} == set(words.ravel())
    assert np.isnan(p[np.arange(6), np.arange(6)]).all()


def test_few_random_plans_and_missing_scores_leave_gaps(rng):
    made = scores(rng, draws=MIN_RANDOM_DRAWS - 1)
    del made["third", 5]
    found = compared(NAMES, [5, 10], made)
    assert (found["verdict"][:, NAMES.index(RANDOM)] == "").all()
    assert (found["verdict"][NAMES.index("third"), :, 0] == "").all()
    assert found["verdict"][NAMES.index("third"), 0, 1] != ""


def test_windows_without_a_value_are_left_out_for_all(rng):
    made = scores(rng)
    made["ours", 5][0].per_window[:7] = np.nan
    found = compared(NAMES, [5], made)
    a, b = (made[name, 5][0].per_window[7:] for name in ("third", "ceiling"))
    got = found["difference"][NAMES.index("third"), NAMES.index("ceiling"), 0]
    np.testing.assert_allclose(got, 100 * (np.sqrt(a.mean() / b.mean()) - 1))


def test_a_large_comparison_takes_little(rng):
    names = [*(f"planner {i}" for i in range(14)), RANDOM, *FRAMES]
    several = {RANDOM: 20}
    made = {(name, k): [scored(rng.uniform(1, 2, 200))] * several.get(name, 1) for name in names for k in range(9)}
    began = time.process_time()
    compared(names, list(range(9)), made)
    assert time.process_time() - began < 2.0  # 0.05 s by itself


def test_networks_that_differ_by_the_luck_of_their_training_alone_are_seldom_told_apart(rng):
    trials, told = 200, 0
    for _ in range(trials):
        weather = 1 + 0.3 * rng.standard_normal(300) ** 2  # the same windows for all
        scores = {
            (name, 5): [
                scored(weather * np.exp(0.02 * rng.standard_normal()) * (1 + 0.05 * rng.standard_normal(300)))
                for _ in range(3)
            ]
            for name in ("one", "other")
        }
        told += compared(["one", "other"], [5], scores)["verdict"][0, 1, 0] != "tie"
    assert told <= 22  # 5 % of 200, and four standard errors; by the windows alone it would be about 150
