"""What every planner promises, and what separates the ones that look at the forecast from chance."""

import dataclasses
import inspect
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

from dynst.domain import FRAMES, RANDOM, Field, Frame, GridLayout, Sites, Window
from dynst.domain.graphs import drawing, nearest_neighbours, of_edges
from dynst.domain.sites import Role
from dynst.errors import BudgetError, ConfigError, OptionError
from dynst.planners import DEFAULT, NETWORK, PLANNERS, find_planner, row_of
from dynst.planners.base import Task
from dynst.planners.options import NetworkOptions, SaliencyName
from dynst.reports.colours import PLANNER_COLOURS
from dynst.reports.curve_chart import OURS
from dynst.sparsity import SALIENCIES, SCHEDULES
from dynst.training import PRECISIONS
from dynst.windows import split_record

QUICK = sorted(name for name, row in PLANNERS.items() if not row.trains)
TRAINED = sorted(set(PLANNERS) - set(QUICK))
LINEAR = ("dynst_linear", "forward")
FIXED, FORBIDDEN = (3, 22), (0, 7, 8, 29)


def field_of(values, role=None):
    """Values on a grid of five rows."""
    _, n, _ = values.shape
    latitude, longitude = np.meshgrid(np.linspace(60, 45, 5), np.linspace(-10, 10, n // 5), indexing="ij")
    sites = Sites(
        longitude.ravel(),
        latitude.ravel(),
        area=np.cos(np.radians(latitude.ravel())),
        role=np.zeros(n, np.int8) if role is None else role,
    )
    return Field.of(values.astype(np.float32), sites, GridLayout((5, n // 5), np.arange(n)))


def task_of(values, budget, *, role=None, window=None):
    field = field_of(values, role)
    cut = int(0.75 * field.steps)
    return Task.make(field.between(0, cut), field.between(cut, field.steps), window or Window(2, 2), budget)


def waves(*, steps=140, noise=0.3, seed=0, channels=1, n=30):
    rng = np.random.default_rng(seed)
    time, site = np.arange(steps)[:, None, None], np.arange(n)[None, :, None]
    phase = np.arange(channels)
    return np.sin(time / 5 + site / 3 + phase) + noise * rng.standard_normal((steps, n, channels)) + 280


def graph_field(kind):
    """Waves on a graph: sites in the plane, without positions, in several runs, at one place, few, or apart."""
    rng, n = np.random.default_rng(3), 12 if kind == "few" else 24
    x, y = rng.uniform(0, 3, n), rng.uniform(0, 1, n)
    if kind == "twins":
        x[5], y[5] = x[4], y[4]
    sites = Sites(x, y, frame=Frame.PLANAR, unit="1")
    layout = nearest_neighbours(sites, 4)
    if kind in {"schematic", "apart"}:
        ends = np.array([[i, i + 1] for i in range(n - 1) if kind == "schematic" or i not in {9, 18, 21, 22}])
        layout, _ = of_edges(n, ends[:, 0], ends[:, 1])
        place = drawing(layout)
        sites = Sites(place[:, 0], place[:, 1], frame=Frame.SCHEMATIC)
    time = np.arange(160)[:, None, None]
    values = (
        np.sin(time / 5 + 4 * x[:, None]) + np.cos(time / 7 - 3 * y[:, None]) + 0.3 * rng.standard_normal((160, n, 1))
    )
    options = {"run": np.arange(160) // 20, "cases": tuple("abcdefgh")} if kind == "cases" else {}
    return Field.of(values.astype(np.float32), sites, layout, **options)


def roles():
    role = np.zeros(30, np.int8)
    role[list(FIXED)], role[list(FORBIDDEN)] = Role.FIXED, Role.FORBIDDEN
    return role


@pytest.mark.parametrize("name", QUICK)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_plan_ranks_every_legal_site_once_fixed_first_forbidden_never(name, channels):
    task = task_of(waves(channels=channels), 6, role=roles())
    plan = PLANNERS[name].plan(task, seed=1)
    assert plan.planner == name
    assert sorted(plan.order.tolist()) == sorted(set(range(30)) - set(FORBIDDEN))
    assert set(plan.order[:2].tolist()) == set(FIXED)
    assert np.isfinite(plan.importance).all()
    assert plan.importance_is != "rank"
    assert plan.provenance["seed"] == 1


@pytest.mark.parametrize("name", QUICK)
def test_same_seed_same_plan(name):
    plans = [PLANNERS[name].plan(task_of(waves(), 5), seed=4) for _ in range(2)]
    assert (plans[0].order == plans[1].order).all()
    assert (plans[0].importance == plans[1].importance).all()
    assert plans[0].provenance == plans[1].provenance


@pytest.mark.parametrize("name", QUICK)
def test_any_budget_from_one_to_all_gives_that_many_distinct_legal_sites(name):
    task = task_of(waves(n=15), 1)
    for budget in range(1, 16):
        plan = PLANNERS[name].plan(task.with_budget(budget), seed=0)
        assert len(set(plan.selected.tolist())) == budget
    with pytest.raises(BudgetError):
        task.with_budget(16)


@pytest.mark.parametrize("name", QUICK)
def test_with_all_budget_taken_by_fixed_sites_the_plan_is_those(name):
    plan = PLANNERS[name].plan(task_of(waves(), 2, role=roles()), seed=0)
    assert set(plan.selected.tolist()) == set(FIXED)


@pytest.mark.parametrize("name", QUICK)
def test_missing_values_never_reach_a_plan(name):
    values = waves()
    values[np.random.default_rng(1).random(values.shape) < 0.1] = np.nan
    values[:, 11] = np.nan  # a site that never reports
    plan = PLANNERS[name].plan(task_of(values, 5), seed=0)
    assert np.isfinite(plan.importance).all()
    assert len(plan.order) == 30


@pytest.mark.parametrize("name", QUICK)
def test_pitfall_8_validation_values_do_not_move_a_single_site(name):
    values = waves()
    other = values.copy()
    other[105:] = np.random.default_rng(9).standard_normal(other[105:].shape) * 50
    one, two = (PLANNERS[name].plan(task_of(v, 5), seed=0) for v in (values, other))
    assert (one.order == two.order).all()
    assert (one.importance == two.importance).all()


@pytest.mark.parametrize("name", QUICK)
def test_the_unit_of_a_channel_does_not_matter(name):
    celsius, fahrenheit = waves() - 280, (waves() - 280) * 2 + 32  # a power of two: no digit is lost
    one, two = (PLANNERS[name].plan(task_of(np.float32(v), 5), seed=0) for v in (celsius, fahrenheit))
    assert one.overlap(two) >= (0.6 if name in {"pivoted_qr", "mutual_information", "variance"} else 0.99)


@pytest.mark.parametrize("kind", ["plane", "schematic", "cases", "twins", "few", "apart"])
@pytest.mark.parametrize("name", QUICK)
def test_on_a_graph_a_plan_of_any_budget_is_distinct_sites_with_finite_importance(name, kind):
    field, window = graph_field(kind), Window(2, 2)
    split = split_record(field, window)
    assert (split.kind == "run") == (kind == "cases")
    n = len(field.sites)
    task = Task.make(split.train, split.valid, window, 1)
    for budget in range(1, n) if kind == "few" else (1, 5, n):
        plan = PLANNERS[name].plan(task.with_budget(budget), seed=2)
        assert len(set(plan.selected.tolist())) == budget
        assert sorted(plan.order.tolist()) == list(range(n))
        assert np.isfinite(plan.importance).all()
    again = PLANNERS[name].plan(Task.make(split.train, split.valid, window, plan.budget), seed=2)
    assert (again.order == plan.order).all()


@pytest.mark.parametrize("kind", ["schematic", "cases"])
@pytest.mark.parametrize("name", TRAINED)
def test_on_a_graph_a_network_plans_as_well(name, kind):
    split = split_record(graph_field(kind), Window(2, 2))
    task = Task.make(split.train, split.valid, Window(2, 2), 5)
    plan = PLANNERS[name].plan(task, seed=0, steps=12, batch=4, dim=8, depth=1)
    assert sorted(plan.order.tolist()) == list(range(24))
    assert np.isfinite(plan.importance).all()


@pytest.mark.parametrize("name", [*LINEAR, "a_optimal", "pivoted_qr", "coverage"])
def test_of_two_sites_at_one_place_that_read_the_same_one_is_enough(name):
    field = graph_field("twins")
    values = field.series.read(0, field.steps)
    values[:, 5] = values[:, 4]
    task = Task.make(*(Field.of(v, field.sites, field.layout) for v in (values[:120], values[120:])), Window(2, 2), 6)
    assert not {4, 5} <= set(PLANNERS[name].plan(task, seed=0).selected.tolist())


@pytest.mark.parametrize("name", QUICK)
def test_the_length_unit_of_a_plane_does_not_matter(name):
    field = graph_field("plane")
    large = Sites(field.sites.x * 1024, field.sites.y * 1024, frame=Frame.PLANAR, unit="mm")
    one, two = (
        Task.make(f.between(0, 120), f.between(120, 160), Window(2, 2), 6) for f in (field, replace(field, sites=large))
    )
    assert (PLANNERS[name].plan(one, seed=1).order == PLANNERS[name].plan(two, seed=1).order).all()


def planted(seed, *, noise=0.05, n=30, informative=3):
    """Slow independent signals at a few sites drive all others one step later; the others' own past says little."""
    rng = np.random.default_rng(seed)
    sources = rng.choice(n, informative, replace=False)
    steps, signal = 300, np.zeros((300, informative))
    for step in range(1, steps):
        signal[step] = 0.7 * signal[step - 1] + rng.standard_normal(informative)
    mixture = rng.choice([-1.0, 1.0], (informative, n))
    values = rng.standard_normal((steps, n))
    values[2:] += (signal[:-2] + signal[1:-1]) @ mixture * 0.5
    values[:, sources] = signal + noise * rng.standard_normal((steps, informative))
    return values[:, :, None], sources


@pytest.mark.parametrize("name", LINEAR)
def test_planted_informative_sites_come_first(name):
    hits = total = 0
    for seed in range(5):
        values, sources = planted(seed)
        plan = PLANNERS[name].plan(task_of(values, 3), seed=seed)
        hits += len(set(plan.selected.tolist()) & set(sources.tolist()))
        total += 3
    assert hits == total


@pytest.mark.parametrize("name", LINEAR)
def test_pitfall_3_a_loud_site_without_information_is_not_taken(name):
    values, sources = planted(1)
    loud = next(s for s in range(30) if s not in sources)
    values[:, loud] = 4 * np.random.default_rng(5).standard_normal(values[:, loud].shape)
    task = task_of(values, 3)
    assert loud == PLANNERS["variance"].plan(task, seed=0).order[0]
    assert loud not in PLANNERS[name].plan(task, seed=0).selected


@pytest.mark.parametrize("name", ["dynst_linear", "forward", "pivoted_qr", "a_optimal"])
def test_pitfall_4_twins_are_never_both_taken_while_another_informative_site_is_free(name):
    values, sources = planted(2, noise=0.0)
    twin = next(s for s in range(30) if s not in sources)
    values[:, twin] = values[:, sources[0]]
    task = task_of(values, 3)
    chosen = set(PLANNERS[name].plan(task, seed=0).selected.tolist())
    assert not {twin, int(sources[0])} <= chosen


@pytest.mark.parametrize("name", sorted(set(QUICK) - {"variance"}))
def test_pitfall_5_on_white_noise_no_plan_helps(name):
    """The validation error of a solved linear forecast stays that of the mean, whoever chose the sites."""
    rng = np.random.default_rng(0)
    field = field_of(rng.standard_normal((600, 30, 1)))
    task = Task.make(field.between(0, 400), field.between(400, 600), Window(1, 1), 5)
    plan = PLANNERS[name].plan(task, seed=0)
    past, future = task.train.series.read(0, 399)[:, plan.selected, 0], task.train.series.read(1, 400)[:, :, 0]
    weights = np.linalg.solve(past.T @ past + 40 * np.eye(5), past.T @ future)
    later = task.valid.series.read(0, 200)[:, :, 0]
    error = ((later[1:] - later[:-1, plan.selected] @ weights) ** 2).mean() / (later[1:] ** 2).mean()
    assert error > 0.995


def test_one_task_serves_all_budgets_from_the_same_matrices():
    task = task_of(waves(), 3)
    more = task.with_budget(9)
    assert more.expected_error is task.expected_error
    assert more.train_snapshots is task.train_snapshots
    assert more.budget == 9


def test_an_unknown_planner_is_answered_with_the_nearest():
    with pytest.raises(ConfigError, match='Did you mean "coverage"'):
        find_planner("coverag")


def test_each_name_has_one_row_and_what_is_no_planner_has_the_usual_facts():
    assert all(name == row.name and row_of(name) is row for name, row in PLANNERS.items())
    assert not any(row_of(name).trains or row_of(name).seeded for name in (*FRAMES, "refit", "dynst_as_trained"))


def test_names_that_stand_for_a_choice_have_the_facts_of_it():
    assert not PLANNERS[DEFAULT].trains
    assert PLANNERS[NETWORK].trains
    assert [name for name, row in PLANNERS.items() if row.draws > 1] == [RANDOM]
    assert set(OURS) == {NETWORK, DEFAULT}  # the charts stand below the planners and cannot ask


def test_each_planner_has_a_colour_of_its_own():
    assert set(PLANNER_COLOURS) == set(PLANNERS)
    assert len(set(PLANNER_COLOURS.values())) == len(PLANNERS)


@pytest.mark.parametrize("name", QUICK)
def test_a_planner_that_draws_lots_says_so(name):
    first, second = (PLANNERS[name].plan(task_of(waves(), 5), seed=seed) for seed in (0, 7))
    assert PLANNERS[name].seeded == (first.order != second.order).any()


@pytest.mark.parametrize("name", QUICK)
def test_a_planner_that_looks_at_no_record_says_so(name):
    first, second = (PLANNERS[name].plan(task_of(waves(noise=2.0, seed=seed), 5), seed=0) for seed in (0, 1))
    assert PLANNERS[name].reads_record == (first.order != second.order).any()


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_what_a_row_says_of_options_the_module_takes(name):
    row, taken = PLANNERS[name], inspect.signature(PLANNERS[name].load().plan).parameters
    assert row.trains == issubclass(row.options, NetworkOptions)
    assert row.resumable == ({"listen", "checkpoint"} <= set(taken))
    assert row.most_steps is None or row.most_steps == row.options().steps
    assert bool(row.options.names()) == ("options" in taken)
    assert dataclasses.is_dataclass(row.options)
    assert row.options.__dataclass_params__.frozen


@pytest.mark.parametrize("name", sorted(PLANNERS))
def test_every_option_is_documented_refuses_a_wrong_type_and_keeps_its_default(name):
    """An option without a type that is checked, or without a line in the docstring, does not pass."""
    options = PLANNERS[name].options
    assert options.of(dataclasses.asdict(options())) == options()
    pages = "\n".join(inspect.getdoc(cls) or "" for cls in options.__mro__)
    for option in options.names():
        assert re.search(rf"^(?:\w+, )*{option}(?:, \w+)* : ", pages, re.MULTILINE), option
        with pytest.raises(OptionError, match=f"^{option}: "):
            options.of({option: [1]})
    with pytest.raises(OptionError, match=r'^sedd: option "sedd" is unknown'):
        options.of({"sedd": 1})


def test_saliencies_schedules_and_rates_are_those_there_are():
    kinds = get_type_hints(PLANNERS[NETWORK].options)
    assert set(get_args(SaliencyName)) == set(SALIENCIES)
    assert set(get_args(kinds["schedule"])) == set(SCHEDULES)
    assert get_args(kinds["precision"]) == PRECISIONS


def test_naming_the_planners_loads_nothing_heavy():
    code = (
        "import sys, dynst.planners as p; assert p.PLANNERS;"
        "bad = {'torch', 'xarray', 'scipy', 'pandas'} & set(sys.modules); assert not bad, bad;"
        "[row.options for row in p.PLANNERS.values()];"
        "bad = {'torch', 'xarray', 'pandas'} & set(sys.modules); assert not bad, bad"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
