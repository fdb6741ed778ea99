"""Charts to look into a run with: the slider draws by rank, a comparison counts what it draws, a tie crosses zero."""

import csv
import json

import numpy as np
import pytest
import vl_convert

from dynst.domain import GridLayout, Plan, Sites
from dynst.domain.curve import Curve
from dynst.domain.graphs import nearest_neighbours
from dynst.errors import BudgetError, ConfigError, DataError
from dynst.reports.explore import budget_map, comparison_map, verdict_chart

LAT, LON = np.meshgrid(np.linspace(50, 45, 5), np.linspace(0, 10, 8), indexing="ij")
SITES = Sites(LON.ravel(), LAT.ravel())
GRID = GridLayout((5, 8), np.arange(40))


def plan_of(order, budget=4, name="ours", sites=SITES):
    return Plan(np.array(order), np.linspace(2, 1, len(order)), budget, sites, name, "a worth")


def layers_of(chart, field):
    """The layers that encode by `field`, each with its rows."""
    drawn = chart.to_dict()
    layers = [layer for layer in drawn["layer"] if f'"field": "{field}"' in json.dumps(layer["encoding"])]
    return [(layer, rows_of(drawn["datasets"][layer["data"]["name"]])) for layer in layers]


def rows_of(values):
    return list(csv.DictReader(values.splitlines())) if isinstance(values, str) else values


@pytest.mark.parametrize("layout", [GRID, nearest_neighbours(SITES), None], ids=["grid", "graph", "dots"])
def test_the_slider_draws_every_ranked_site_up_to_it_and_no_other_layer_marks_sensors(layout):
    chart = budget_map(plan_of(range(40)), layout, most=12)
    ranked = layers_of(chart, "rank")
    assert len(ranked) == 2  # dots and their numbers
    for layer, rows in ranked:
        assert {"filter": "datum.rank <= budget"} in layer["transform"]
        assert sorted(int(row["rank"]) for row in rows) == list(range(1, 13))
    slider, _ = chart.to_dict()["params"]
    assert (slider["value"], slider["bind"]["min"], slider["bind"]["max"]) == (4, 1, 12)


def test_a_page_with_the_slider_draws_as_many_dots_as_it_says():
    chart = budget_map(plan_of(range(40)), GRID).to_dict()
    dots = {}
    for value in (4, 9):
        chart["params"][0]["value"] = value
        picture = vl_convert.vegalite_to_svg(json.dumps(chart))
        dots[value] = picture.count('fill="#d55e00"')
        assert f"{value} of 40 sites" in picture
    assert dots == {4: 4, 9: 9}


def test_a_slider_ends_at_the_last_ranked_site():
    assert budget_map(plan_of(range(7)), GRID).params[0].bind.max == 7
    with pytest.raises(BudgetError):
        budget_map(plan_of(range(7)), GRID, most=41)


def test_a_comparison_counts_what_it_draws():
    chart = comparison_map(plan_of([3, 1, 5, 7]), plan_of([7, 9, 3], 3, "theirs"), GRID)
    ((_, rows),) = layers_of(chart, "plan")
    groups = [row["plan"] for row in rows]
    assert {name: groups.count(name) for name in groups} == {"theirs only": 1, "ours only": 2, "both": 2}
    assert chart.title.subtitle[0] == "2 of 4 sensors in common with theirs, which has 3 (overlap 0.40)"


def test_plans_on_other_sites_are_not_compared():
    other = Sites(LON.ravel() + 1, LAT.ravel())
    with pytest.raises(DataError, match="different sites"):
        comparison_map(plan_of(range(4)), plan_of(range(4), sites=other), GRID)


def judged():
    """Two planners and a frame at two budgets: ours is better by 8 to 2 %, then a tie."""
    values = np.ones((3, 2, 1, 1, 1))
    shape = (3, 3, 2)
    low, high, difference = (np.full(shape, np.nan) for _ in range(3))
    difference[0, 1:] = -5, -1
    low[0, 1:] = -8, -4
    high[0, 1:] = -2, 2
    verdict = np.full(shape, "", object)
    verdict[0, 1:] = "better", "tie"
    names = ["ours", "theirs", "floor"]
    return Curve.of(
        {"rmse": values, "mae": values, "bias": values},
        planners=names,
        budgets=[8, 4],
        n=16,
        channels=["t"],
        units=["K"],
        total=np.ones((3, 2, 1)),
        comparison={"difference": difference, "low": low, "high": high, "verdict": verdict},
        against=names,
    )


def test_verdicts_are_shown_with_their_interval_and_frames_are_no_plans():
    rows = {budget: layers_of(verdict_chart(judged(), "ours", budget), "low")[0][1] for budget in (8, 4)}
    assert rows[8] == [{"against": "theirs", "difference": -5.0, "low": -8.0, "high": -2.0, "verdict": "better"}]
    assert [row["verdict"] for row in rows[4]] == ["tie"]


def test_an_interval_that_says_nothing_is_named_and_not_drawn():
    curve = judged()
    curve.data["high"].loc[{"planner": "ours", "against": "theirs"}] = 9477.5
    chart = verdict_chart(curve, "ours", 8)
    assert layers_of(chart, "low")[0][1] == []
    assert chart.to_dict()["title"]["subtitle"][-1] == "Not drawn, cannot be judged: theirs."


@pytest.mark.parametrize(("planner", "budget", "error"), [("our", 8, ConfigError), ("ours", 5, DataError)])
def test_an_unknown_planner_or_budget_is_one_line(planner, budget, error):
    with pytest.raises(error) as stop:
        verdict_chart(judged(), planner, budget)
    assert "\n" not in str(stop.value)


def test_the_list_of_planners_chooses_whose_ranking_is_drawn():
    chart = budget_map(plan_of(range(40)), GRID, plans={"theirs": plan_of(range(5, 12), name="theirs")}).to_dict()
    budget, ranking = chart["params"]
    assert (ranking["value"], ranking["bind"]["options"]) == ("ours", ["ours", "theirs"])
    budget["value"], drawn = 9, {}
    for name in ("ours", "theirs"):
        ranking["value"] = name
        picture = vl_convert.vegalite_to_svg(json.dumps(chart))
        drawn[name] = picture.count('fill="#d55e00"'), "9 of 40 sites" in picture, "7 of 40 sites" in picture
    assert drawn == {"ours": (9, True, False), "theirs": (7, False, True)}, "theirs ranks seven sites"


def test_rankings_of_other_sites_are_not_drawn():
    other = Sites(LON.ravel() + 1, LAT.ravel())
    with pytest.raises(DataError, match="different sites"):
        budget_map(plan_of(range(4)), GRID, plans={"theirs": plan_of(range(4), name="theirs", sites=other)})
