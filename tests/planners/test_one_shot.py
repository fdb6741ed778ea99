"""Laws of the one-shot ranking."""

import numpy as np
import pytest

from dynst.domain import Window
from dynst.planners import PLANNERS
from dynst.planners.base import Task
from dynst.readers.synthetic import planted
from dynst.windows import split_by_time

ONE_SHOT = PLANNERS["one_shot"]
SMALL = {"steps": 40, "dim": 8, "depth": 1, "patch": 1, "batch": 8}


@pytest.fixture(scope="module")
def study():
    field, sources = planted(j=3, shape=(5, 6), steps=500, lag=2, noise=0.1, seed=0)
    split = split_by_time(field, Window(2, 2))
    return Task.make(split.train, split.valid, Window(2, 2), 3), set(sources.tolist())


def test_planted_sites_are_ranked_first(study):
    task, sources = study
    plan = ONE_SHOT.plan(task, seed=0, steps=150, dim=32, depth=2)
    assert set(plan.selected.tolist()) == sources


def test_the_ranking_is_by_falling_importance_whatever_the_budget(study):
    task, _ = study
    plan = ONE_SHOT.plan(task, seed=0, **SMALL)
    assert (np.diff(plan.importance) <= 0).all()
    assert plan.importance.sum() == pytest.approx(1.0)
    assert np.array_equal(plan.order, ONE_SHOT.plan(task.with_budget(9), seed=0, **SMALL).order)


def test_the_same_seed_gives_the_same_ranking_and_another_seed_another(study):
    task, _ = study
    first, second, third = (ONE_SHOT.plan(task, seed=seed, **SMALL) for seed in (0, 0, 1))
    assert np.array_equal(first.order, second.order)
    assert np.array_equal(first.importance, second.importance)
    assert not np.array_equal(first.order, third.order)
