"""The charts say what they show: which shades, how many sensors, what could not be judged."""

import csv
import json
import re
from dataclasses import replace

import numpy as np
import pytest
import vl_convert

from dynst.domain import Frame, GridLayout, Plan, Sites
from dynst.domain.curve import FRAMES, Curve
from dynst.reports.curve_chart import _with_room, curve_chart
from dynst.reports.map_chart import importance_map
from dynst.reports.shades import shades_of


def plan_of(importance, budget=3, **options):
    lat, lon = np.meshgrid(np.linspace(50, 45, 5), np.linspace(0, 10, 8), indexing="ij")
    sites = Sites(lon.ravel(), lat.ravel(), **options)
    return Plan(np.arange(40), importance, budget, sites, "coverage", "distance in km", {"seed": 4}), GridLayout(
        (5, 8), np.arange(40)
    )


def texts(value):
    """Every text in a chart."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return [value] if isinstance(value, str) else []


def svg(chart):
    return vl_convert.vegalite_to_svg(chart.to_json())


def said(chart):
    return "\n".join(texts(chart.to_dict()))


def test_the_map_says_how_many_by_whom_and_what_the_shades_are():
    words = said(importance_map(*plan_of(np.linspace(2, 1, 40)), title="Mine"))
    for part in (
        "Mine",
        "3 of 40 sites",
        "planner coverage, seed 4",
        "distance in km",
        "in proportion",
        "Natural Earth",
    ):
        assert part in words, part


def valued(layout, budget=3):
    """A plan whose sensors are worth more than any other place, and its map."""
    plan, grid = plan_of(np.r_[np.linspace(0.9, 0.5, 3), np.linspace(0.2, 0.1, 37)])
    return importance_map(replace(plan, valued_at=3).top(budget), {"grid": grid, "dots": None}[layout])


def sensors_of(chart):
    """Rows of the marks of the sensors."""
    drawn = chart.to_dict()
    (layer,) = (one for one in drawn["layer"] if "kind" in json.dumps(one["encoding"]))
    return list(csv.DictReader(drawn["datasets"][layer["data"]["name"]].splitlines()))


@pytest.mark.parametrize("layout", ["grid", "dots"])
def test_the_shade_is_the_gain_of_a_next_sensor_and_the_size_the_loss_if_one_goes(layout):
    chart = valued(layout)
    words = said(chart)
    for part in (
        "gain of the next sensor after these 3",
        "gain of a next sensor",
        "loss if it goes",
        "order of building",
    ):
        assert part in words, part
    assert "0.2" in words, "the darkest shade is the largest gain"
    assert "datum.value == 1 ? '0.9'" not in words, "and no worth of a sensor"
    losses = {row["rank"]: float(row["loss"]) for row in sensors_of(chart)}
    assert losses == {"1": 0.9, "2": 0.7, "3": 0.5}


def test_marks_are_larger_where_more_is_lost():
    picture = svg(valued("grid"))
    areas = [float(width) for width in re.findall(r'd="M([\d.]+),0A[^"]*" fill="#d55e00"', picture)]
    drawn = areas[:3]
    assert drawn == sorted(set(drawn)), "the third sensor, worth least, is drawn first"


def test_a_planner_that_tells_no_gain_keeps_its_importance_as_shade_and_marks_of_one_size():
    chart = importance_map(*plan_of(np.linspace(2, 1, 40)))
    words = said(chart)
    assert "Shade: importance, distance in km" in words
    assert "loss if it goes" not in words
    assert {row["loss"] for row in sensors_of(chart)} == {"-1"}


def test_sensors_beyond_the_plan_have_a_gain_and_no_loss():
    rows = {row["rank"]: (row["loss"], row["importance"]) for row in sensors_of(valued("dots", budget=4))}
    assert rows["3"] == ("0.5", "0.5, loss if it goes")
    assert rows["4"] == ("-1", "0.2, gain of a next sensor")


def test_heavy_tails_are_shaded_by_percentile_and_the_map_says_so():
    importance = np.r_[np.full(1, 1e6), np.linspace(2, 1, 39)]
    assert "percentile" in said(importance_map(*plan_of(importance)))


def test_a_plane_is_drawn_in_metres_without_a_coast():
    words = said(importance_map(*plan_of(np.linspace(2, 1, 40), frame=Frame.PLANAR)))
    assert "x (m)" in words
    assert "Natural Earth" not in words
    assert "°" not in words.replace("'°", "")


@pytest.mark.parametrize(("budget", "numbered"), [(20, True), (21, False)])
def test_ranks_are_written_on_few_sensors_only(budget, numbered):
    layers = importance_map(*plan_of(np.linspace(2, 1, 40), budget=budget)).to_dict()["layer"]
    assert any(layer.get("encoding", {}).get("text", {}).get("field") == "rank" for layer in layers) is numbered


def test_shades_follow_order_whatever_the_scale(rng):
    for values in (rng.normal(size=50), np.exp(6 * rng.normal(size=50)), np.r_[np.zeros(40), rng.random(10)]):
        level = shades_of(values).level
        order = np.argsort(values, kind="stable")
        assert (np.diff(level[order]) >= 0).all()
        assert 0 <= level.min() <= level.max() <= 1
        assert (np.diff(level[order])[np.diff(values[order]) == 0] == 0).all()


def test_equal_values_and_no_values_have_shades_too():
    assert shades_of(np.full(3, 7.0)).level.tolist() == [0.5, 0.5, 0.5]
    assert np.isnan(shades_of(np.full(3, np.nan)).level).all()


def curve_of(error, reason=None, seeds=3):
    """error[planner][budget], the same for each seed but for a small spread."""
    budgets = [8, 4, 2]
    values = np.array(list(error.values()), float)[:, :, None, None, None] + 0.01 * np.arange(seeds)
    reasons = np.full(values.shape[:2], "", object)
    for name, text in (reason or {}).items():
        reasons[list(error).index(name)] = text
    return Curve.of(
        {"rmse": values, "mae": values, "bias": values * 0},
        planners=list(error),
        budgets=budgets,
        n=16,
        channels=["t2m"],
        units=["K"],
        total=values[:, :, 0, 0],
        reason=reasons,
    )


ERRORS = {"dynst": [1, 2, 3], "coverage": [1.5, 2.5, 3.5], "floor": [4, 4, 4], "ceiling": [0.5, 0.5, 0.5]}


def values_of(chart, name):
    return [
        row
        for layer in chart.to_dict()["layer"]
        for row in layer.get("data", {}).get("values", [])
        if row.get("planner", row.get("name")) == name
    ] or [row for rows in chart.to_dict().get("datasets", {}).values() for row in rows if row.get("planner") == name]


def test_the_curve_holds_every_planner_at_every_budget_in_the_unit_of_the_channel():
    chart = curve_chart(curve_of(ERRORS))
    points = {(row["budget"], round(row["error"], 6)) for row in values_of(chart, "dynst")}
    assert points == {(8, 1.01), (4, 2.01), (2, 3.01)}
    words = said(chart)
    assert "RMSE (K)" in words
    for frame in ("floor", "ceiling"):
        assert frame in words


def test_a_frame_far_off_is_named_and_does_not_squeeze_the_plans():
    words = said(curve_chart(curve_of(ERRORS | {"persistence": [90, 90, 90]})))
    assert "Off the chart: persistence 90.01 K" in words


def test_what_was_not_judged_is_named_with_its_reason():
    missing = {"mutual_information": [np.nan] * 3}
    words = said(curve_chart(curve_of(ERRORS | missing, reason={"mutual_information": "too many sites"})))
    assert "mutual_information (too many sites)" in words


def test_a_curve_of_frames_alone_can_be_drawn():
    assert "floor" in said(curve_chart(curve_of({name: [1, 2, 3] for name in FRAMES})))


def test_bands_are_the_spread_over_seeds_and_one_seed_has_none():
    for seeds, spread in ((3, 0.01), (1, 0.0)):  # the sd of 0, 0.01 and 0.02
        for row in values_of(curve_chart(curve_of(ERRORS, seeds=seeds)), "dynst"):
            assert row["high"] - row["low"] == pytest.approx(2 * spread, abs=1e-9)
    areas = {seeds: svg(curve_chart(curve_of(ERRORS, seeds=seeds))).count("mark-area role-mark") for seeds in (1, 3)}
    assert areas == {1: 0, 3: 2}, "one for each planner"


def test_an_upright_line_stands_at_the_budget_asked_for():
    curve = curve_of(ERRORS)
    assert "params" not in curve_chart(curve).to_dict()
    (param,) = curve_chart(curve, budget=4).to_dict()["params"]
    assert (param["name"], param["value"]) == ("budget", 4)
    plain, ruled = svg(curve_chart(curve)), svg(curve_chart(curve, budget=4))
    assert ruled.count('stroke-dasharray="2,2"') == plain.count('stroke-dasharray="2,2"') + 1


MANY = {"dynst": [1, 2, 3], "a": [9, 2.5, 3], "b": [1.5, 2.2, 9], "uniform_random": [3, 4, 5], "ceiling": [0.5] * 3}


def test_the_chart_of_a_plan_has_it_the_random_plans_and_the_best_other_at_its_budget():
    chart = curve_chart(curve_of(MANY), planner="dynst", budget=4)
    drawn = {row["planner"] for rows in chart.to_dict()["datasets"].values() for row in rows if "planner" in row}
    assert drawn == {"dynst", "b", "uniform_random"}
    words = said(chart)
    for part in ("dynst: this plan", "b: best other", "random plans"):
        assert part in words, part


def test_more_sensors_stand_further_to_the_right_and_the_number_of_the_plan_is_always_written():
    chart = curve_chart(curve_of(MANY), planner="dynst", budget=4).to_dict()
    (x,) = {json.dumps(one["encoding"]["x"]) for one in chart["layer"] if "axis" in one["encoding"].get("x", {})}
    assert "reverse" not in json.loads(x)["scale"]
    picture = svg(curve_chart(curve_of(MANY), budget=4))
    assert re.search(r">4<", picture)


@pytest.mark.parametrize("width", [230.0, 620.0])
@pytest.mark.parametrize("own", [9, 17, 20, 432])
def test_labels_of_an_axis_keep_the_number_of_the_plan_and_do_not_meet(own, width):
    kept = _with_room((605, 432, 259, 173, 86, 43, 20, 17, 9), own, width)
    assert own in kept
    assert {605, 9} & set(kept)
    apart = np.diff(np.log(sorted(kept))) / np.log(605 / 9) * (width - 36)
    assert (apart >= 37).all()
