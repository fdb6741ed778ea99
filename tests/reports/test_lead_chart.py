"""Error against lead time: the plan, the best other one, random plans and the frames, each with its mean."""

import numpy as np
import pytest
import vl_convert

from dynst.domain.curve import FRAMES, Curve
from dynst.errors import ConfigError, DataError
from dynst.reports.lead_chart import lead_chart

NAMES = ["dynst", "good", "bad", "uniform_random", *FRAMES]


def curve_of(leads=3, seeds=2, cadence="", no_change=None):
    """Error 10, 20 ... by planner, plus the lead time, plus or minus 1 by seed."""
    values = 10.0 * np.arange(1, len(NAMES) + 1)[:, None, None, None, None] + np.arange(leads)[:, None, None]
    values = values * np.ones((1, 2, 1, 2, 1)) + (np.arange(seeds) - (seeds - 1) / 2) * 2
    if no_change is not None:
        values[NAMES.index("persistence")] = np.array(no_change)[:, None, None]
    curve = Curve.of(
        {"rmse": values, "mae": values, "bias": values},
        planners=NAMES,
        budgets=[8, 4],
        n=16,
        channels=["u", "v"],
        units=["m s-1", "1"],
        total=values[:, :, 0, 0],
    )
    curve.data.attrs["cadence"] = cadence
    return curve


def rows_of(chart):
    return [row for rows in chart.to_dict()["datasets"].values() for row in rows]


def test_each_line_is_the_mean_over_seeds_with_their_standard_deviation_around_it():
    rows = rows_of(lead_chart(curve_of(), "dynst", 4))
    assert {row["planner"] for row in rows} == {"dynst", "good", "uniform_random", *FRAMES}, "the best other one only"
    ours = [row for row in rows if row["planner"] == "dynst"]
    assert [(row["step"], row["error"]) for row in ours] == [(1, 10.0), (2, 11.0), (3, 12.0)]
    assert ours[0]["high"] - ours[0]["low"] == pytest.approx(2 * np.sqrt(2))  # the sd of -1 and 1 is the root of 2


@pytest.mark.parametrize(
    ("cadence", "title", "last"),
    [("6 h", "lead time (h)", 18), ("1 day", "lead time (days)", 3), ("", "lead time (steps)", 3)],
)
def test_lead_times_stand_in_the_unit_of_the_record(cadence, title, last):
    chart = lead_chart(curve_of(cadence=cadence), "dynst", 4)
    assert chart.to_dict()["layer"][0]["encoding"]["x"]["title"] == title
    assert max(row["lead"] for row in rows_of(chart)) == last


@pytest.mark.parametrize(
    ("no_change", "said", "line"),
    [
        ([9, 12, 13], 'From 12 h on this plan is better than "no change" (persistence)', 12.0),
        ([12, 9, 13], 'From 18 h on this plan is better than "no change" (persistence)', 18.0),
        ([20, 20, 20], 'This plan is better than "no change" (persistence) at every lead time', None),
        ([20, 20, 9], 'This plan is not better than "no change" (persistence) at the last lead time', None),
    ],
)
def test_the_lead_time_from_which_the_plan_beats_no_change_is_marked(no_change, said, line):
    chart = lead_chart(curve_of(cadence="6 h", no_change=no_change), "dynst", 4)  # the plan: 10, 11, 12
    assert chart.to_dict()["title"]["subtitle"][-1] == said
    marked = [row["lead"] for row in rows_of(chart) if "text" in row]
    assert marked == ([] if line is None else [line])


def test_one_seed_has_no_band():
    areas = {}
    for seeds in (1, 2):
        picture = vl_convert.vegalite_to_svg(lead_chart(curve_of(seeds=seeds), "dynst", 4).to_json())
        areas[seeds] = picture.count("mark-area role-mark")
    assert areas == {1: 0, 2: 3 + len(FRAMES)}


def test_another_channel_has_its_own_unit_and_title():
    first, second = (lead_chart(curve_of(), "dynst", 4, channel=name).to_dict() for name in ("u", "v"))
    assert [chart["title"]["text"].split(":")[0] for chart in (first, second)] == ["u", "v"]
    titles = [chart["layer"][0]["encoding"]["y"]["title"] for chart in (first, second)]
    assert titles == ["RMSE (m s-1)", "RMSE"]


@pytest.mark.parametrize("leads", [2, 12, 13, 48])
def test_lead_times_on_the_axis_are_whole_and_few(leads):
    axis = lead_chart(curve_of(leads), "dynst", 4).to_dict()["layer"][0]["encoding"]["x"]["axis"]["values"]
    assert axis[0] == 1
    assert 2 <= len(axis) <= 12
    assert len(set(np.diff(axis))) == 1
    assert axis[-1] <= leads


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"planner": "dinst"}, ConfigError),
        ({"channel": "w"}, ConfigError),
        ({"budget": 5}, DataError),
    ],
)
def test_what_the_curve_does_not_know_is_one_line(asked, error):
    given = {"planner": "dynst", "budget": 4, "channel": "u"} | asked
    with pytest.raises(error) as stop:
        lead_chart(curve_of(), given["planner"], given["budget"], channel=given["channel"])
    assert "\n" not in str(stop.value)
