"""Variants of a plan: what is changed in each, that test data stay untouched, what is left out, what a study finds."""

import functools

import numpy as np
import pytest

from dynst.config import Study
from dynst.domain import Field, GridLayout, Sites, Window
from dynst.domain.split import split_by_time, split_record, window_starts
from dynst.domain.stability import Variant
from dynst.planners import PLANNERS
from dynst.planners.base import PlannerSkipped, Task
from dynst.readers.synthetic import planted, white_noise
from dynst.run_layout import RunLayout
from dynst.study import stability as study_stability
from dynst.study.prepare import Prepared, prepare
from dynst.study.stability import stability_of, worthwhile

WINDOW = Window(2, 1)


def prepared_of(field, planner, budget=3, window=WINDOW):
    split = split_record(field, window)
    return Prepared(Study(), field, window, split, budget, planner, "asked for")


def found_for(prepared, **options):
    task = Task.make(prepared.split.train, prepared.split.valid, prepared.window, prepared.budget)
    plan = PLANNERS[prepared.planner].plan(task, seed=0)
    return stability_of(prepared, task, plan, **{"seeds": 3, "options": {}} | options)


@functools.cache
def planted_field():
    return planted(j=3, shape=(5, 6), steps=500, lag=2, noise=0.1, seed=0)


class Recorded:
    """A planner that keeps what it was given and answers with the sites of the lowest index."""

    def __init__(self, least_steps=0):
        self.calls, self.least_steps = [], least_steps

    def plan(self, task, *, seed, **options):
        self.calls.append((task, seed, options))
        if task.train.steps < self.least_steps:
            raise PlannerSkipped(f"{task.train.steps} steps are too few")
        return PLANNERS["coverage"].plan(task, seed=seed)


def recorded(monkeypatch, prepared, least_steps=0, **options):
    planner = Recorded(least_steps)
    task = Task.make(prepared.split.train, prepared.split.valid, prepared.window, prepared.budget)
    plan = PLANNERS["coverage"].plan(task, seed=0)
    monkeypatch.setattr(study_stability, "find_planner", lambda name: planner)
    return planner, stability_of(prepared, task, plan, **{"seeds": 2, "options": {}} | options)


def test_planted_sites_always_stay():
    field, sources = planted_field()
    found = found_for(prepared_of(field, "forward"))
    assert set(found.selected.tolist()) == set(sources.tolist())
    assert found.grade == ("always",) * 3
    assert found.overlap("halves") == found.overlap("quarters") == 1.0
    assert found.variants == (Variant.half(1), Variant.half(2), *(Variant.without_quarter(q) for q in (1, 2, 3, 4)))


def test_on_white_noise_the_halves_agree_no_more_than_chance_does():
    field = white_noise(shape=(8, 8), steps=400, seed=3)
    found = found_for(prepared_of(field, "variance", budget=8))
    # 8 sensors in one pair of plans: the share by chance has a standard deviation of about 0.15.
    assert abs(found.near_overlap("halves") - found.chance[1]) < 0.45
    assert found.overlap("halves") < 0.5


def test_parts_cover_the_training_block_and_never_reach_validation_or_test(monkeypatch):
    values = np.arange(300.0)[:, None, None] + np.random.default_rng(0).standard_normal((300, 4, 1))
    field = Field.of(values, Sites(np.arange(4.0), np.zeros(4)), GridLayout((1, 4), np.arange(4)))
    prepared = prepared_of(field, "forward", budget=2)
    train = prepared.split.train
    planner, _ = recorded(monkeypatch, prepared)
    given = {tuple(task.train.time.tolist()) for task, _, _ in planner.calls}
    first, second = [task.train.time for task, _, _ in planner.calls[:2]]
    assert np.array_equal(np.concatenate([first, second]), train.time)
    assert max(map(max, given)) <= train.time[-1]
    for q, (task, seed, _) in enumerate(planner.calls[2:]):
        left = np.setdiff1d(train.time, task.train.time)
        assert len(left) == pytest.approx(train.steps / 4, abs=1)
        assert left[0] == (np.arange(train.steps) * 4 // train.steps).searchsorted(q)
        assert seed == 0
        assert task.valid is prepared.split.valid
        for start in window_starts(task.train, WINDOW):  # no window runs across the quarter that is missing
            assert np.all(np.diff(task.train.time[start : start + WINDOW.length]) == 1)
        values = task.train.series.read(0, task.train.steps)
        assert np.allclose(task.scaling.mean[:, 0], values[:, :, 0].mean(axis=0), atol=1e-3)  # of the part: float32


def test_parts_are_whole_runs_where_runs_are_experiments(monkeypatch):
    run, names = np.repeat(np.arange(9), 20), tuple("abcdefghi")
    values = np.random.default_rng(0).standard_normal((180, 4, 1))
    field = Field.of(values, Sites(np.arange(4.0), np.zeros(4)), GridLayout((1, 4), np.arange(4)), run=run, cases=names)
    prepared = prepared_of(field, "forward", budget=2)
    cases = prepared.split.train.cases
    planner, found = recorded(monkeypatch, prepared)
    first, second, *rest = [task.train.cases for task, _, _ in planner.calls]
    assert first + second == cases
    for part in rest:
        assert set(part) < set(cases)
        assert [name for name in cases if name in part] == list(part)
    assert sorted(name for part in rest for name in set(cases) - set(part)) == sorted(cases)
    assert len(found.variants) == 6


@pytest.mark.parametrize(
    ("planner", "kinds"),
    [
        ("dynst", {"seeds", "halves"}),
        ("one_shot", {"seeds", "halves"}),
        ("dynst_linear", {"halves", "quarters"}),
        ("forward", {"halves", "quarters"}),
        ("uniform_random", {"seeds"}),
    ],
)
def test_only_what_a_planner_depends_on_is_varied(monkeypatch, planner, kinds):
    _, found = recorded(monkeypatch, prepared_of(planted_field()[0], planner))
    assert {variant.kind for variant in found.variants} == kinds


def test_a_part_too_short_for_the_planner_is_left_out_and_named(monkeypatch):
    events = []
    prepared = prepared_of(planted_field()[0], "forward")
    _, found = recorded(monkeypatch, prepared, least_steps=prepared.split.train.steps * 2 // 3, listen=events.append)
    assert found.variants == tuple(Variant.without_quarter(q) for q in (1, 2, 3, 4))
    assert [name for name, _ in found.left_out] == ["first half", "second half"]
    assert "too few" in found.left_out[0][1]
    assert any("first half" in event.note and "too few" in event.note for event in events)
    steps = [(event.done, event.total) for event in events if not event.note]
    assert steps == [(done, 6) for done in range(7)]


def test_nothing_to_vary_with_is_no_error(monkeypatch):
    _, found = recorded(monkeypatch, prepared_of(planted_field()[0], "forward"), least_steps=10**6)
    assert found.variants == ()
    assert len(found.left_out) == 6


def test_options_reach_the_planner(monkeypatch):
    planner, _ = recorded(monkeypatch, prepared_of(planted_field()[0], "dynst"), options={"steps": 7})
    assert [given for _, _, given in planner.calls] == [{"steps": 7}] * 3


def test_plans_known_or_kept_are_not_made_again(monkeypatch, tmp_path):
    prepared = prepared_of(planted_field()[0], "coverage")
    planner, found = recorded(monkeypatch, prepared, keep=RunLayout(tmp_path))
    assert len(planner.calls) == 6
    RunLayout(tmp_path).variant("first half").unlink()
    planner, again = recorded(monkeypatch, prepared, keep=RunLayout(tmp_path))
    assert len(planner.calls) == 1
    assert np.array_equal(again.others, found.others)
    task = Task.make(prepared.split.train, prepared.split.valid, WINDOW, prepared.budget)
    known = {Variant.half(2): PLANNERS["coverage"].plan(task, seed=0)}
    assert len(recorded(monkeypatch, prepared, known=known)[0].calls) == 5


def test_a_kept_plan_of_another_size_is_left_out_and_named(monkeypatch, tmp_path):
    field = planted_field()[0]
    recorded(monkeypatch, prepared_of(field, "coverage", budget=4), keep=RunLayout(tmp_path))
    _, found = recorded(monkeypatch, prepared_of(field, "coverage", budget=3), keep=RunLayout(tmp_path))
    assert found.variants == ()
    assert "3 sensors by coverage" in found.left_out[0][1]


def test_it_is_worthwhile_without_being_asked_where_nothing_is_trained_and_the_task_is_small():
    field = planted_field()[0]
    assert worthwhile(prepared_of(field, "dynst_linear"))
    assert not worthwhile(prepared_of(field, "dynst"))
    assert not worthwhile(prepared_of(field, "one_shot"))
    big = Field.of(
        np.broadcast_to(np.arange(400.0, dtype=np.float32)[:, None, None], (400, 20_000, 1)),
        Sites(np.linspace(-170, 170, 20_000), np.zeros(20_000)),
        GridLayout((1, 20_000), np.arange(20_000)),
    )
    split = split_by_time(big, WINDOW)
    assert not worthwhile(Prepared(Study(), big, WINDOW, split, 20, "dynst_linear", ""))


def test_a_small_real_study_shares_more_than_chance_does():
    prepared = prepare(Study(sensors=4, planner="pivoted_qr"))
    found = found_for(prepared)
    assert worthwhile(prepared)
    assert found.radius > 0
    assert len(found.variants) == 6  # the seed changes nothing
    assert found.near_overlap("quarters") >= found.overlap("quarters")
    assert found.near_overlap("quarters") > found.chance[1]
