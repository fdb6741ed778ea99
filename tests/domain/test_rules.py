"""Rules give sites their roles; a station that exists stays; what cannot be is named with what can."""

import numpy as np
import pytest

from dynst.domain import Role, Sites
from dynst.domain.rules import Rules
from dynst.errors import BudgetError

C, F, X = Role.CANDIDATE, Role.FIXED, Role.FORBIDDEN


def line(role=None):
    return Sites(np.arange(6.0), np.zeros(6), role=np.zeros(6, np.int8) if role is None else np.array(role, np.int8))


def at(*sites):
    return np.isin(np.arange(6), sites)


@pytest.mark.parametrize(
    ("rules", "role"),
    [
        (Rules(), [C, C, C, C, C, C]),
        (Rules(existing=at(4)), [C, C, C, C, F, C]),
        (Rules(allow=at(0, 1)), [C, C, X, X, X, X]),
        (Rules(forbid=at(0, 1)), [X, X, C, C, C, C]),
        (Rules(allow=at(0, 1, 2), forbid=at(2, 3)), [C, C, X, X, X, X]),
        (Rules(existing=at(2, 5), allow=at(0, 1, 2), forbid=at(2, 3)), [C, C, F, X, X, F]),
    ],
)
def test_masks_become_roles_and_existing_stations_win(rules, role):
    sites = line()
    ruled = rules.on(sites)
    assert ruled.role.tolist() == role
    assert rules.on(ruled).role.tolist() == role  # once more changes nothing
    assert sites.role.tolist() == [C] * 6


def test_roles_of_the_record_stay_where_no_station_stands():
    record = line([X, F, C, C, C, X])
    ruled = Rules(existing=at(0), allow=at(2, 3, 5)).on(record)
    assert ruled.role.tolist() == [F, F, C, C, X, X]


def test_stations_in_a_zone_without_new_sensors_are_named():
    rules = Rules(existing=at(1, 2, 5), allow=at(0, 1, 2), forbid=at(2))
    assert rules.overruled(line()).tolist() == [2, 5]
    assert Rules(existing=at(1)).overruled(line()).tolist() == []


def test_words_count_what_is_left():
    assert Rules(existing=at(1, 2), forbid=at(2, 3)).words(line()) == (
        "2 existing stations stay; 3 of 6 sites may carry a new sensor"
    )
    assert Rules(allow=at(0, 1)).words(line()) == "2 of 6 sites may carry a new sensor"


@pytest.mark.parametrize(
    ("rules", "budget", "says"),
    [
        (Rules(existing=at(1, 2, 3)), 2, "rule existing: 3 stations .* Ask for 3 or more"),
        (Rules(allow=at(1, 2)), 3, "rule allow: 2 of 6 sites .* Ask for 2 or fewer"),
        (Rules(existing=at(0), forbid=at(0, 1, 2, 3)), 4, r"rule forbid: 3 of 6 .*\(1\) included; .* 3 or fewer"),
        (Rules(allow=at(1), forbid=at(1)), 1, "rules allow and forbid: no site is left"),
    ],
)
def test_a_budget_without_a_plan_is_refused_with_the_nearest_one_that_has_one(rules, budget, says):
    with pytest.raises(BudgetError, match=says):
        rules.check_budget(budget, line())


@pytest.mark.parametrize("budget", [2, 3, 4])
def test_every_other_budget_passes(budget):
    rules = Rules(existing=at(0, 1), forbid=at(0, 4, 5))
    rules.check_budget(budget, line())
    rules.on(line()).check_budget(budget)
