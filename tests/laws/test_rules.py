"""Laws of the rules of deployment, over every planner in the table: no plan of any of them breaks any rule."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dynst.domain import Field, Frame, GridLayout, Sites, Spacing, Stations, Window
from dynst.domain.graphs import drawing, of_edges
from dynst.domain.room import Room, in_turn
from dynst.domain.rules import Rules
from dynst.domain.spacing import HOPS
from dynst.domain.stability import Stability, Variant
from dynst.errors import BudgetError
from dynst.evaluation import LinearJudge
from dynst.evaluation.network import review_network
from dynst.planners import DEFAULT, PLANNERS
from dynst.planners.base import Task
from dynst.windows import split_by_time

SHORT = {"steps": 20, "batch": 4, "dim": 8, "depth": 1}  # of a planner that trains a network
QUICK = [name for name, row in PLANNERS.items() if not row.trains]
TRAINED = [name for name in PLANNERS if name not in QUICK]


def values_of(n, seed=0, steps=90):
    rng = np.random.default_rng(seed)
    time, site = np.arange(steps)[:, None], np.arange(n)[None, :]
    waves = np.sin(time / 4 + site / 3) + np.cos(time / 7 - site / 5)
    return (waves + 0.5 * rng.standard_normal((steps, n)))[:, :, None].astype(np.float32)


def sites_of(kind, n, rng):
    """Sites and their layout: across the date line, in a plane, or on a graph without positions."""
    if kind == "graph":
        ends = np.array([[i, i + 1] for i in range(n - 1)] + [[0, n - 1], [1, n - 2]])
        layout, _ = of_edges(n, ends[:, 0], ends[:, 1])
        place = drawing(layout)
        return Sites(place[:, 0], place[:, 1], frame=Frame.SCHEMATIC), layout
    x, y = rng.uniform(0, 8, n), rng.uniform(-4, 4, n)
    if kind == "plane":
        return Sites(1000 * x, 1000 * y, frame=Frame.PLANAR), GridLayout((1, n), np.arange(n))
    return Sites((x + 176 + 180) % 360 - 180, y + 60), GridLayout((1, n), np.arange(n))


def asked(most=20):
    """What is drawn of a case; `case_of` makes it."""
    return st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["earth", "plane", "graph"]),
            "n": st.integers(6, most),
            "seed": st.integers(0, 10_000),
            "given": st.sets(st.sampled_from(["existing", "forbid", "allow"])),
            "reach": st.floats(0.05, 1.0),
            "share": st.floats(0.0, 1.0),
        }
    )


def case_of(drawn):
    """A field whose sites have rules, the rules, and a budget that has a plan."""
    kind, n = drawn["kind"], drawn["n"]
    rng = np.random.default_rng(drawn["seed"])
    sites, layout = sites_of(kind, n, rng)
    shares = {"existing": 0.15, "forbid": 0.3, "allow": 0.8}
    masks = {name: rng.random(n) < share for name, share in shares.items() if name in drawn["given"]}
    stations = None
    if "existing" in masks and kind != "graph":
        at = np.flatnonzero(masks["existing"])
        beside = 0.1 if kind == "earth" else 100.0  # off the site
        x = (sites.x[at] - beside + 180) % 360 - 180 if kind == "earth" else sites.x[at] - beside
        stations = Stations(at, tuple(f"s{i}" for i in at), x, sites.y[at], np.ones(len(at)))
    if kind == "graph":
        spacing = Spacing(float(round(1 + 3 * drawn["reach"])), HOPS, layout.edge_index)
    else:
        spacing = Spacing(drawn["reach"] * (5.0 if kind == "plane" else 300.0), "km")
    rules = Rules(**masks, min_distance=spacing, stations=stations)
    ruled = rules.on(sites)
    fits, least = len(ruled.packing(n)), max(1, len(ruled.fixed))
    assume(fits >= least)
    budget = least + round(drawn["share"] * (fits - least))
    return Field.of(values_of(n, drawn["seed"] % 7), ruled, layout), rules, budget


def task_of(field, budget):
    return Task.make(field.between(0, 70), field.between(70, 90), Window(1, 1), budget)


def check(field, rules, chosen):
    """Assert that no rule is broken, by distances computed one pair at a time."""
    sites = field.sites
    n = len(sites)
    fixed = set() if rules.existing is None else set(np.flatnonzero(rules.existing).tolist())
    closed = np.zeros(n, bool) if rules.forbid is None else rules.forbid.copy()
    if rules.allow is not None:
        closed |= ~rules.allow
    new = [site for site in chosen if site not in fixed]
    assert fixed <= set(chosen)
    assert not closed[new].any()
    for a, b in itertools.permutations(chosen, 2):
        if b not in fixed:
            assert distance(field, a, b) >= rules.min_distance.least * (1 - 1e-6)


def distance(field, a, b):
    """From the sensor at `a` (its own place, if it is a station) to the site `b`."""
    sites = field.sites
    if sites.frame is Frame.SCHEMATIC:
        return hops(field.layout, a, b)
    x, y = sites.x[a], sites.y[a]
    if sites.stations is not None and a in sites.stations.site:
        at = int(np.flatnonzero(sites.stations.site == a)[0])
        x, y = sites.stations.x[at], sites.stations.y[at]
    if sites.frame is Frame.PLANAR:
        return np.hypot(x - sites.x[b], y - sites.y[b]) / 1000
    east, north, east_b, north_b = np.radians([x, y, sites.x[b], sites.y[b]])
    cosine = np.sin(north) * np.sin(north_b) + np.cos(north) * np.cos(north_b) * np.cos(east - east_b)
    return 6371.0088 * np.arccos(np.clip(cosine, -1, 1))


def hops(layout, a, b):
    reached, count = {a}, 0
    while b not in reached:
        more = {int(j) for i, j in layout.edge_index.T if i in reached} | {
            int(i) for i, j in layout.edge_index.T if j in reached
        }
        if more <= reached:
            return np.inf
        reached |= more
        count += 1
    return count


@pytest.mark.parametrize("name", QUICK)
@given(drawn=asked(), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_plan_of_any_planner_breaks_any_rule(name, drawn, seed):
    field, rules, budget = case_of(drawn)
    plan = PLANNERS[name].plan(task_of(field, budget), seed=seed)
    assert len(set(plan.selected.tolist())) == budget
    check(field, rules, plan.selected.tolist())
    check(field, rules, plan.order.tolist())  # nor does any longer plan of the ranking
    assert plan.provenance["min_distance"]["unit"] == rules.min_distance.unit


@pytest.mark.parametrize("name", TRAINED)
@given(drawn=asked(12), seed=st.integers(0, 2))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_plan_of_a_network_breaks_any_rule(name, drawn, seed):
    field, rules, budget = case_of(drawn)
    plan = PLANNERS[name].plan(task_of(field, budget), seed=seed, **SHORT)
    assert len(set(plan.selected.tolist())) == budget
    check(field, rules, plan.order.tolist())
    check(field, rules, plan.provenance.get("as_trained", plan.selected.tolist()))


@pytest.mark.parametrize("prune", [True, False])
@pytest.mark.parametrize("regrow", [True, False])
def test_the_mask_obeys_with_and_without_pruning_and_regrowing(prune, regrow):
    sites = Sites(np.arange(16.0) % 4, np.arange(16.0) // 4)
    rules = Rules(existing=np.arange(16) == 5, min_distance=Spacing(200.0, "km"))
    field = Field.of(values_of(16), rules.on(sites), GridLayout((4, 4), np.arange(16)))
    plan = PLANNERS["dynst"].plan(task_of(field, 4), seed=0, prune=prune, regrow=regrow, **SHORT)
    check(field, rules, plan.provenance["as_trained"])
    check(field, rules, plan.order.tolist())


@given(drawn=asked(12))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_whether_a_plan_exists_is_known_exactly_on_few_sites(drawn):
    field, rules, _ = case_of(drawn)
    free = [i for i in field.sites.legal.tolist() if i not in field.sites.fixed]
    sizes = [
        len(field.sites.fixed) + k
        for k in range(len(free) + 1)
        if any(obeys(field, rules, some) for some in itertools.combinations(free, k))
    ]
    assert len(field.sites.packing(len(field.sites))) == max(sizes)
    if max(sizes) < len(field.sites):
        with pytest.raises(BudgetError):
            field.sites.check_budget(max(sizes) + 1)


def obeys(field, rules, some):
    try:
        fixed = [] if rules.existing is None else np.flatnonzero(rules.existing).tolist()
        check(field, rules, [*fixed, *some])
    except AssertionError:
        return False
    return True


def objective(task, chosen):
    return task.expected_error.gain(np.sort(np.array(chosen)))


def best_of_all(field, rules, budget):
    """The best plan under the rules, by trying all of them."""
    task = task_of(field, budget)
    fixed = task.sites.fixed.tolist()
    free = [i for i in task.sites.legal.tolist() if i not in fixed]
    plans = [[*fixed, *some] for some in itertools.combinations(free, budget - len(fixed)) if obeys(field, rules, some)]
    return max(objective(task, plan) for plan in plans)


@given(drawn=asked(10))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_default_planner_is_near_the_best_of_all_plans_that_obey(drawn):
    field, rules, budget = case_of(drawn)
    assume(budget <= 4)
    best = best_of_all(field, rules, budget)
    found = objective(task_of(field, budget), PLANNERS[DEFAULT].plan(task_of(field, budget), seed=0).selected)
    assert found <= best * (1 + 1e-6)
    assert found >= 0.9 * best


@given(drawn=asked(9))
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_relaxing_a_rule_never_raises_the_least_error(drawn):
    field, rules, budget = case_of(drawn)
    assume(budget <= 3)
    bare = replace(field.sites, role=np.zeros(len(field.sites), np.int8), spacing=None, stations=None)
    with_all = best_of_all(field, rules, budget)
    crowded = not obeys(field, replace(rules, existing=None), field.sites.fixed.tolist())
    for rule in rules.given:
        if rule == "existing" and crowded:  # these stations stand closer than new sensors may
            continue
        fewer = rules.without(rule)
        if fewer.min_distance is None:
            fewer_checked = replace(fewer, min_distance=Spacing(0.0, rules.min_distance.unit))
        else:
            fewer_checked = fewer
        relaxed = replace(field, sites=fewer.on(bare))
        assert best_of_all(relaxed, fewer_checked, budget) >= with_all * (1 - 1e-6)


@pytest.mark.parametrize("name", QUICK)
def test_a_rule_that_excludes_nothing_changes_nothing(name):
    sites = Sites(np.arange(20.0) % 5, np.arange(20.0) // 5)
    layout = GridLayout((4, 5), np.arange(20))
    idle = Rules(allow=np.ones(20, bool), forbid=np.zeros(20, bool), min_distance=Spacing(1.0, "km"))
    plain = PLANNERS[name].plan(task_of(Field.of(values_of(20), sites, layout), 5), seed=2)
    ruled_plan = PLANNERS[name].plan(task_of(Field.of(values_of(20), idle.on(sites), layout), 5), seed=2)
    assert plain.selected.tolist() == ruled_plan.selected.tolist()


@given(drawn=asked(), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_an_order_is_followed_as_far_as_the_plan_can_still_be_completed(drawn, seed):
    field, rules, budget = case_of(drawn)
    sites = field.sites
    room = Room(sites, sites.fixed, budget=budget)
    order = np.random.default_rng(seed).permutation(sites.legal)
    found = in_turn(order, room, budget - len(sites.fixed))
    assert len(found) == budget - len(sites.fixed)
    check(field, rules, [*sites.fixed.tolist(), *found.tolist()])


def test_best_next_stations_obey_the_rules():
    rules = Rules(forbid=np.arange(24) < 6, min_distance=Spacing(150.0, "km"))
    sites = rules.on(Sites(np.arange(24.0) % 6, np.arange(24.0) // 6))
    field = Field.of(values_of(24, steps=200), sites, GridLayout((4, 6), np.arange(24)))
    judge = LinearJudge(split_by_time(field, Window(1, 1)), Window(1, 1))
    found = review_network(judge, np.array([0, 1]), add=5)  # stations that stand closer than new ones may
    new = [step.site for step in found.added]
    assert new
    for site in new:
        others = [0, 1, *(one for one in new if one != site)]
        assert min(distance(field, other, site) for other in others) >= 150.0
        assert site >= 6


def test_a_network_larger_than_the_rules_allow_is_judged_without_rivals():
    rules = Rules(allow=np.arange(24) < 3)
    sites = rules.on(Sites(np.arange(24.0) % 6, np.arange(24.0) // 6))
    field = Field.of(values_of(24, steps=200), sites, GridLayout((4, 6), np.arange(24)))
    judge = LinearJudge(split_by_time(field, Window(1, 1)), Window(1, 1))
    found = review_network(judge, np.arange(5, 15), add=2)
    assert found.rivals == ()
    assert any("no other network of 10 stations" in note for note in found.notes)
    assert {step.site for step in found.added} <= {0, 1, 2}


def test_what_two_random_plans_share_is_found_under_the_rules_and_kept():
    rules = Rules(existing=np.arange(24) == 3, min_distance=Spacing(240.0, "km"))
    sites = rules.on(Sites(np.arange(24.0) % 6, np.arange(24.0) // 6))
    others = np.zeros((1, 24), bool)
    others[0, [3, 14, 23]] = True
    found = Stability("by_hand", sites, np.array([3, 14, 23]), (Variant.half(1),), others, 100.0)
    free = Stability("by_hand", replace(sites, spacing=None), np.array([3, 14, 23]), (Variant.half(1),), others, 100.0)
    assert found.chance[0] > free.chance[0]  # fewer plans keep the distance, so two share more
    assert Stability.from_dataset(found.to_dataset()).chance == found.chance
