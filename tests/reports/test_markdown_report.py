"""report.md says what the page says, with the numbers of the curve, and no name in it becomes markup."""

import re

import numpy as np
import pytest

from dynst.domain import Curve, Plan, Sites
from dynst.domain.stability import Stability, Variant
from dynst.reports.evidence_tables import budget_rows, curve_rows, figure_rows, lead_rows, region_rows
from dynst.reports.markdown_report import page_markdown
from dynst.reports.page import Page
from dynst.reports.tables import markdown_text

HOSTILE = (
    "<script>alert(1)</script>",
    "![x](http://evil.example/x.png)",
    "[click](https://evil.example)",
    "a | b",
    "`code` ``` fence",
    "https://evil.example/bare www.evil.example",
    "<img src=x onerror=alert(1)> &lt;b&gt;",
    "*bold* __strong__ ~~gone~~ $x^2$ @someone",
    "line one\n# heading\n- item",
    '=HYPERLINK("http://evil.example")',
    "# heading",
    "1. first",
    "---",
)

TAGS = {"h1", "h2", "p", "strong", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"}


def curve_of(planners=("mine", "other", "uniform_random", "floor", "ceiling"), budgets=(2, 4), leads=2, **extra):
    """Errors that name themselves: 10 per planner, 1 per budget, 0.1 per lead time."""
    shape = (len(planners), len(budgets), leads, 1, 1)
    i, j, lead, *_ = np.indices(shape)
    values = 10.0 * (i + 1) + (j + 1) + 0.1 * lead
    square = (len(planners), len(planners), len(budgets))
    comparison = {"difference": np.full(square, -3.25), "low": np.full(square, -5.0), "high": np.full(square, -1.0)}
    comparison |= {"verdict": np.full(square, "better", object)}
    return Curve.of(
        {"rmse": values, "mae": values / 2, "bias": values * 0},
        planners=planners,
        budgets=budgets,
        n=len(HOSTILE),
        channels=["t2m"],
        units=["K"],
        total=values.mean(axis=(2, 3)),
        comparison=comparison,
        against=planners,
        **extra,
    )


def plan_of(names=HOSTILE, budget=4):
    sites = Sites(np.arange(float(len(names))), np.zeros(len(names)), name=names)
    return Plan(np.arange(len(names)), np.linspace(1, 0.5, len(names)), budget, sites, "mine")


def page_of(**parts):
    plan = parts.pop("plan", plan_of())
    return Page("run-1", "The plan is better.", ("First.", "Second."), plan, **parts)


def rendered(text):
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return parser.render(text)


def test_hostile_names_come_out_as_text_and_nothing_else():
    plan = plan_of(budget=len(HOSTILE))
    page = Page(
        HOSTILE[0],
        HOSTILE[1],
        HOSTILE,
        plan,
        curves={HOSTILE[2]: curve_of(budgets=(2, len(HOSTILE)))},
        costs=tuple({"planner": name, HOSTILE[3]: 1.0} for name in HOSTILE),
        facts=tuple((name, name) for name in HOSTILE),
        provenance=(("study.toml", "```\n</code></pre><script>alert(2)</script>\n````\n"), (HOSTILE[4], "x")),
        notes=HOSTILE,
    )
    html = rendered(page_markdown(page))
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= TAGS
    assert html.count("<pre>") == 2, "the texts of several lines: one fact and study.toml"
    assert html.count("<code") == 2
    assert html.count("<h1>") == 1
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4  # title, sentence, sensor, cost, fact, note


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_reads_as_it_stood(name):
    from html import unescape

    words = unescape(re.sub(r"</?(p|ul|li)>", "", rendered(f"- {markdown_text(name)}"))).strip()
    assert words == " ".join(name.split())


def test_no_bare_address_is_left_that_a_renderer_would_make_a_link_of():
    text = page_markdown(page_of(notes=HOSTILE))
    assert not re.search(r"https?://|(?<![\\])www\.", text)


def test_the_order_is_that_of_the_page_and_empty_parts_are_left_out():
    full = page_markdown(
        page_of(curves={"linear judge": curve_of()}, costs=({"planner": "mine"},), facts=(("a", "b"),), notes=("n",))
    )
    order = [
        "What to keep in mind",
        "At 4 sensors",
        "With more or fewer sensors",
        "Channels, lead times, regions",
        "Sensors",
        "Cost",
        "Data",
    ]
    assert re.findall("^## (.*)$", full, re.MULTILINE) == order
    assert full.index("The plan is better.") < full.index("- First.") < full.index("- Second.") < full.index("## At 4")
    assert re.findall("^## (.*)$", page_markdown(page_of()), re.MULTILINE) == ["Sensors"]


def test_the_table_at_the_budget_has_the_error_the_interval_and_the_verdict():
    rows = {row["planner"]: row for row in budget_rows(curve_of(), "mine", 4)}
    assert rows["mine"]["error (K)"] == pytest.approx(np.sqrt((12**2 + 12.1**2) / 2))  # planner 0, budget 1, two leads
    assert rows["mine"]["verdict"] is None
    assert (rows["other"]["plan vs it"], rows["other"]["95 %"]) == ("-3.2 %", "-5.0 to -1.0")
    assert rows["other"]["verdict"] == "better"
    assert rows["ceiling (every site)"]["verdict"] is None, "frames are no plans"
    assert list(rows) == ["mine", "other", "uniform_random", "floor (no sensor)", "ceiling (every site)"]


def test_a_plan_is_not_compared_with_itself_nor_with_one_that_was_not_judged():
    curve = curve_of()
    curve.data["difference"].loc[{"planner": "mine", "against": "other"}] = np.nan
    assert curve.compared("mine", "other", 4) is None
    assert curve.compared("mine", "mine", 4) is None
    assert curve.compared("mine", "nobody", 4) is None
    assert curve.compared("mine", "uniform_random", 4) == (-3.25, -5.0, -1.0, "better")


def test_the_curve_table_has_every_planner_at_every_budget_and_a_gap_is_a_dash():
    curve = curve_of()
    for name in ("rmse", "total"):
        curve.data[name].loc[{"planner": "other", "sparsity": curve.data["sparsity"][0]}] = np.nan
    rows = curve_rows(curve, "other")
    assert [row["planner"] for row in rows][:2] == ["other", "mine"]
    for row in rows[:3]:
        for budget in (2, 4):
            expected = next(line.error for line in curve.table(budget) if line.planner == row["planner"])
            assert row[str(budget)] == pytest.approx(expected, nan_ok=True)
    assert "| other | 22.05 | \N{EN DASH} |" in page_markdown(page_of(curves={"judge": curve})).splitlines()


def test_lead_times_and_regions_are_told_apart_and_long_lists_are_thinned():
    curve = curve_of(leads=30)
    rows = lead_rows(curve, "mine", 2)
    assert len(rows) == 12
    assert [rows[0]["lead"], rows[-1]["lead"]] == ["1 step", "30 steps"]
    assert rows[0]["mine"] == pytest.approx(11.0)
    assert rows[-1]["other"] == pytest.approx(21 + 2.9)
    assert region_rows(curve, "mine", 2) == []
    values = np.arange(5 * 2 * 2, dtype=float).reshape(5, 2, 2, 1, 1)
    extra = {"rmse_region": (("planner", "sparsity", "region", "channel", "seed"), values)}
    rows = region_rows(curve_of(extra=extra, regions=["<b>north</b>", "south"]), "mine", 4)
    assert [(row["region"], row["mine"], row["other"]) for row in rows] == [("<b>north</b>", 2, 6), ("south", 3, 7)]


def test_optional_figures_appear_where_a_judge_gave_them():
    assert "ACC" not in figure_rows(curve_of(), "mine", 2)[0]
    shape = curve_of().data["rmse"].shape
    dims = ("planner", "sparsity", "lead_time", "channel", "seed")
    extra = {"acc": (dims, np.full(shape, 0.5)), "rmse_away": (dims, np.full(shape, 3.0))}
    row = figure_rows(curve_of(extra=extra), "mine", 2)[0]
    assert (row["ACC"], row["RMSE away"]) == (pytest.approx(0.5), pytest.approx(3.0))
    assert row["MAE"] == pytest.approx((11 + 11.1) / 4)  # half of the RMSE, mean of two lead times


def test_skill_is_one_minus_the_ratio_of_mean_squares_and_none_against_itself():
    names = ("mine", "climatology", "persistence")
    rows = {row["planner"]: row for row in figure_rows(curve_of(planners=names, leads=1), "mine", 2)}
    assert rows["mine"]["skill to climatology"] == pytest.approx(1 - (11 / 21) ** 2)
    assert rows["mine"]["skill to persistence"] == pytest.approx(1 - (11 / 31) ** 2)
    assert rows["persistence"]["skill to climatology"] == pytest.approx(1 - (31 / 21) ** 2)  # below zero: worse
    assert rows["climatology (mean)"]["skill to climatology"] is None
    assert "skill to climatology" not in figure_rows(curve_of(), "mine", 2)[0]


def test_stability_is_told_in_words_and_graded_sensor_by_sensor():
    plan = plan_of(("a", "b|c", "d", "e"), budget=2)
    others = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]], bool)
    seeds = tuple(Variant.seed(seed) for seed in (1, 2, 3))
    found = Stability("mine", plan.sites, plan.selected, seeds, others, 120.0)
    text = page_markdown(page_of(plan=plan, stability=found))
    assert markdown_text(found.words()) in text
    assert "| 1 | a | always | 100 % |" in text
    # site 2 lies one degree or 111 km from site 1 and stood in for it once; site 3 is too far
    assert r"| 2 | b\|c | usually | 67 % | d (33 %) |" in text
    idle = Stability("mine", plan.sites, plan.selected, (), np.zeros((0, 4), bool), 0.0)
    assert "nothing could be varied" in page_markdown(page_of(plan=plan, stability=idle))


def test_training_is_told_in_a_sentence():
    steps = [
        {"step": 0, "loss": 2.0, "births": [], "deaths": [1, 2]},
        {"step": 1, "loss": 1.0, "births": [1], "deaths": []},
    ]
    text = page_markdown(page_of(training=tuple(steps)))
    assert (
        "for 2 steps: standardised loss 2 at the first and 1 at the last; 2 times a site left the mask, 1 times" in text
    )


def test_the_list_of_sensors_is_cut_and_says_so():
    names = tuple(f"s{i}" for i in range(40))
    text = page_markdown(page_of(plan=plan_of(names, budget=35)))
    assert "The first 30 of 35 sensors" in text
    assert "| 30 | s29 |" in text
    assert "| 31 |" not in text
