"""The price of rules: what is said of it, and that a file gives it back."""

import json

import pytest

from dynst.domain.change import Change
from dynst.domain.price import ALL_RULES, PriceOfRules, RulePrice
from dynst.errors import DataError

COSTS = RulePrice(ALL_RULES, Change(7.5, 9.2, 3.2, 15.7, 0.001))
TIE = RulePrice("min_distance", Change(8.1, 1.0, -4.0, 6.0, 0.7))
WIDE = RulePrice("forbid", Change(1.0, 60.0, -80.0, 900.0, 0.9))
NONE = RulePrice("existing", reason="no plan: budget 3 is impossible")


def price_of(*rows):
    return PriceOfRules("dynst_linear", 15, 8.2, "K", rows)


def test_a_rule_that_costs_is_named_with_its_interval_and_ties_are_not():
    assert price_of(COSTS, TIE).words() == "All rules together cost +9.2 % (95 %: +3.2 to +15.7) of error."


def test_nothing_is_claimed_of_ties_and_of_what_cannot_be_judged():
    words = price_of(TIE, WIDE).words()
    assert words.startswith("No rule costs an error that is beyond luck")
    assert "cannot be judged" in words
    assert "forbid" in words
    assert "900" not in words


def test_a_rule_without_which_there_is_no_plan_shows_the_reason():
    row = price_of(NONE).table()[0]
    assert row["verdict"] == "not known"
    assert row["price of the rule"] == NONE.reason


def test_a_file_gives_it_back():
    price = price_of(COSTS, TIE, WIDE, NONE)
    assert PriceOfRules.from_json(json.loads(json.dumps(price.to_json()))) == price


def test_another_file_is_refused():
    with pytest.raises(DataError, match="no price of rules"):
        PriceOfRules.from_json({"planner": "x"})
