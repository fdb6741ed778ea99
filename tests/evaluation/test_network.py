"""A network is reviewed exactly: every figure is a difference of two scores, every choice is made on validation."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dynst.domain import Field, GraphLayout, GridLayout, Sites, Window
from dynst.domain.graphs import nearest_neighbours
from dynst.errors import ConfigError
from dynst.evaluation import LinearJudge
from dynst.evaluation.network import _Work, review_network
from dynst.evaluation.review import Change
from dynst.windows import split_by_time

WINDOW = Window(1, 1)
KNOWING = (2, 7, 11)  # what they show now, their group of sites shows next


def planted(steps=1800, seed=0):
    """16 sites in a row; each of three knows the next value of its own four others, the rest is noise."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((steps, 16, 1))
    rest = [i for i in range(16) if i not in KNOWING]
    for number, site in enumerate(KNOWING):
        for other in rest[4 * number : 4 * number + 4]:
            values[1:, other] = values[:-1, site] + 0.3 * values[1:, other]
    layout = GridLayout((1, 16), np.arange(16))
    return Field.of(values, Sites(np.arange(16.0), np.zeros(16)), layout, name="planted")


@pytest.fixture(scope="module")
def judge():
    return LinearJudge(split_by_time(planted(), WINDOW), WINDOW)


@pytest.fixture(scope="module")
def reviewed(judge):
    return review_network(judge, np.array([15, 2, 14, 7, 11]), names=["e", "A", "d", "B", "C"], add=0)


def test_leave_one_out_is_the_difference_of_two_scores(judge, reviewed):
    whole = judge.score(np.array([15, 2, 14, 7, 11])).rmse
    for station in reviewed.stations:
        rest = [site for site in (15, 2, 14, 7, 11) if site != station.site]
        without = judge.score(np.array(rest)).rmse
        expected = 100 * (np.sqrt(np.mean(without**2) / np.mean(whole**2)) - 1)
        assert station.without.percent == pytest.approx(expected, abs=1e-3)  # errors are summed in float32
        assert station.without.low <= station.without.percent <= station.without.high


def test_sites_that_know_the_future_are_missed_and_noise_is_not(reviewed):
    missed = {station.name for station in reviewed.stations if station.without.verdict == "worse"}
    assert missed == {"A", "B", "C"}
    # In training deviations: 4 of 16 sites nobody knows, variance 1; of 12 what is left is 0.09 / 1.09. Without one
    # that knows, 8 and 8: sqrt((8 + 8 * 0.083) / (4 + 12 * 0.083)) is 1.32. 325 test windows tell that to some 4 %.
    # (Of half of these steps the folds may choose a form that shrinks what the sensors tell, and 22 % are lost.)
    for station in reviewed.stations:
        expected, room = (32, 4) if station.name in missed else (0, 0.5)
        assert station.without.percent == pytest.approx(expected, abs=room)


def test_noise_is_the_first_to_go(reviewed):
    assert [step.name for step in reviewed.removed][:2] in (["e", "d"], ["d", "e"])
    assert sorted(station.redundancy for station in reviewed.stations) == [1, 2, 3, 4, 5]
    assert abs(reviewed.removed[1].change.percent) < 1  # two weights fitted to noise in 1200 windows, and luck
    assert reviewed.removed[2].change.verdict == "worse"


def test_the_next_stations_are_the_planted_sites_that_are_missing(judge):
    review = review_network(judge, np.array([15, 7]), add=3)
    assert {step.site for step in review.added[:2]} == {2, 11}
    assert review.added[1].change.percent < review.added[0].change.percent < -5
    assert abs(review.added[2].change.percent - review.added[1].change.percent) < 1, "no third site knows anything"
    random, *_ = review.rivals
    assert random.networks == 20


def test_a_screen_by_training_gains_keeps_the_best_next_sites(judge, monkeypatch):
    whole = [step.site for step in review_network(judge, np.array([15, 7]), add=2).added]
    monkeypatch.setattr("dynst.evaluation.network._TRIED", 4)
    assert [step.site for step in review_network(judge, np.array([15, 7]), add=2).added] == whole


def test_what_cannot_be_afforded_is_screened_or_left_out_and_said(judge, monkeypatch):
    network = np.array([15, 2, 14, 7, 11])
    monkeypatch.setattr("dynst.evaluation.network._OPERATIONS", 5 * 1.2 * _operations(judge, 5))
    review = review_network(judge, network, add=0)
    assert {step.site for step in review.removed[:2]} == {15, 14}
    assert any("of least loss in training" in note for note in review.notes)
    monkeypatch.setattr("dynst.evaluation.network._OPERATIONS", 1.0)
    review = review_network(judge, network, add=0)
    assert len(review.removed) == 1
    assert any("first 1 of 5 stations" in note for note in review.notes)
    assert sum(station.redundancy is None for station in review.stations) == 4


def _operations(judge, k):
    return _Work(judge, np.arange(k), (), 0, lambda *_: None)._operations


def test_no_choice_is_made_on_the_test_block(judge):
    """With another test block all figures change, but not who goes, who comes, and which stations fail."""
    split = judge.split
    wrong = replace(
        split,
        test=Field.of(
            np.random.default_rng(5).standard_normal((split.test.steps, 16, 1)), split.test.sites, split.test.layout
        ),
    )
    other = LinearJudge(wrong, WINDOW, scaling=judge.scaling)
    network = np.array([15, 2, 14, 7])
    one, two = (review_network(each, network, add=2) for each in (judge, other))
    assert one.network.error != two.network.error
    assert [step.site for step in one.removed] == [step.site for step in two.removed]
    assert [step.site for step in one.added] == [step.site for step in two.added]


def test_a_silent_station_reads_its_mean_and_the_forecaster_is_not_made_anew(judge, reviewed):
    """Each of the 5 fails in turn: without any is the same as its share of a forecast that is made by hand."""
    assert (reviewed.failure.failing, reviewed.failure.cases, reviewed.failure.exact) == (1, 5, True)
    network = np.array([15, 2, 14, 7, 11])
    none, everyone = judge.silenced(network, [np.zeros(0, int), network])
    assert none.total == pytest.approx(judge.score(network).total, rel=1e-6)
    assert everyone.total == pytest.approx(judge.floor().total, rel=1e-6), "who hears nothing forecasts the mean"
    assert reviewed.failure.refitted_mean == pytest.approx(
        np.mean([station.without.error for station in reviewed.stations])
    )
    # What is left of five independent pieces of knowledge is as good refitted or not, but for noise.
    assert reviewed.failure.silent_mean == pytest.approx(reviewed.failure.refitted_mean, rel=0.02)
    assert reviewed.failure.silent_worst >= reviewed.failure.silent_mean


def test_stations_fail_in_seeded_draws_where_the_ways_are_many(judge, monkeypatch):
    """A tenth of 15 stations is 2, and there are 105 pairs of them."""
    monkeypatch.setattr("dynst.evaluation.network._CASES", 20)
    one, two, three = (_Work(judge, np.arange(15), ("",) * 15, seed, lambda *_: None).failure() for seed in (3, 3, 4))
    assert (one.failing, one.cases, one.exact) == (2, 20, False)
    assert one == two != three


def test_stations_everywhere_are_compared_with_nothing(judge):
    review = review_network(judge, np.arange(16), add=5)
    assert review.everywhere
    assert (review.rivals, review.added) == ((), ())
    assert any("make no sense here" in sentence for sentence in review.sentences)
    assert review.network.error == pytest.approx(review.ceiling)


def test_a_single_station_is_a_network_too(judge):
    review = review_network(judge, np.array([2]), names=["A"], rivals={"a plan": np.array([3])}, add=1)
    assert review.removed == ()
    assert review.stations[0].redundancy == 1
    assert review.stations[0].without.error == pytest.approx(review.floor)
    assert review.failure.silent_mean == pytest.approx(review.floor, rel=1e-6)
    assert "Your station forecasts" in review.sentences[0]
    assert review.sentences[1].startswith("20 random networks of 1 station have an error")
    assert review.sentences[2].startswith("A plan with 1 station has an error")


def test_forbidden_sites_are_never_proposed():
    field = planted()
    role = np.zeros(16, np.int8)
    role[[2, 11]] = 2
    field = replace(field, sites=field.sites.with_role(role))
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    assert not {2, 11} & {step.site for step in review_network(judge, np.array([7]), add=13).added}


def test_white_noise_has_no_station_that_is_missed():
    rng = np.random.default_rng(1)
    sites = Sites(np.arange(10.0), np.zeros(10))
    layout: GraphLayout = nearest_neighbours(sites, 3)
    field = Field.of(rng.standard_normal((500, 10, 1)), sites, layout, name="noise")
    judge = LinearJudge(split_by_time(field, WINDOW), WINDOW)
    review = review_network(judge, np.arange(6), add=0)
    assert review.network.verdict != "better"
    assert not [station for station in review.stations if station.without.verdict == "worse"]
    assert any(sentence.startswith("No single station is clearly missed") for sentence in review.sentences)


def test_the_review_is_json_with_the_sentences(reviewed):
    document = json.loads(json.dumps(reviewed.to_json(), allow_nan=False))
    assert [station["name"] for station in document["stations"]] == ["e", "A", "d", "B", "C"]
    assert document["stations"][0]["longitude"] == 15.0
    assert document["sentences"] == list(reviewed.sentences)
    assert document["removed"][2]["change"]["verdict"] == "worse"
    assert "e and d" in " ".join(reviewed.sentences) or "d and e" in " ".join(reviewed.sentences)
    assert repr(reviewed).startswith("NetworkReview(5 stations on the record, ")


def test_negative_additions_are_refused(judge):
    with pytest.raises(ConfigError, match="cannot be added"):
        review_network(judge, np.array([2]), add=-1)


@pytest.mark.parametrize("high", [np.inf, 348.16])
def test_an_interval_that_says_nothing_is_not_printed(high):
    change = Change(1.0, -3.21, -69.27, high, 0.01)
    assert str(change) == "by a figure that cannot be judged (its interval is wider than +-200 %)"
    assert change.verdict == "tie"
