"""What planners are given in a fit, and what a network had chosen itself."""

import numpy as np
import pytest

from dynst.config import Study
from dynst.domain import Field, GridLayout, Plan, Sites, Window
from dynst.domain.split import split_record
from dynst.study.prepare import Prepared
from dynst.study.work import as_trained

WINDOW = Window(2, 2)
SITES = Sites(np.arange(4.0), np.zeros(4))


def prepared_of(*, cases=()):
    values = np.random.default_rng(0).standard_normal((180, 4, 1)) + np.arange(180.0)[:, None, None]
    run = np.repeat(np.arange(9), 20) if cases else None
    field = Field.of(values, SITES, GridLayout((1, 4), np.arange(4)), run=run, cases=cases)
    return Prepared(Study(), field, WINDOW, split_record(field, WINDOW), 2, "dynst_linear", "")


def test_plans_are_made_on_training_and_validation_time_and_networks_learn_on_training_time_alone():
    prepared = prepared_of()
    task, split = prepared.task(), prepared.split
    assert task.train.time[0] == split.train.time[0]
    assert task.train.time[-1] == split.valid.time[-1]
    assert task.train.time[-1] < split.test.time[0]
    assert task.learning is split.train
    values = task.train.series.read(0, task.train.steps)
    np.testing.assert_allclose(task.scaling.mean[:, 0], values[:, :, 0].mean(axis=0), rtol=1e-5)


def test_of_experiments_all_but_those_of_the_test_are_planned_on():
    prepared = prepared_of(cases=tuple("abcdefghi"))
    task, split = prepared.task(), prepared.split
    assert set(task.train.cases) == set(split.train.cases) | set(split.valid.cases)
    assert not set(task.train.cases) & set(split.test.cases)


def plan_of(provenance):
    order = np.array([2, 0, 1, 3])
    return Plan(order, np.array([4.0, 3.0, 2.0, 1.0]), 2, SITES, "dynst", provenance=provenance)


def test_what_the_network_had_chosen_itself_is_a_plan_beside_its_plan():
    ((name, (own,)),) = as_trained(plan_of({"as_trained": [1, 2]})).items()
    assert name == own.planner == "dynst_as_trained"
    assert own.selected.tolist() == [2, 1]
    assert own.order.tolist() == [2, 1, 0, 3]
    assert own.importance.tolist() == [4.0, 2.0, 3.0, 1.0]


@pytest.mark.parametrize("provenance", [{}, {"as_trained": [0, 2]}])
def test_a_plan_that_is_the_networks_own_stands_once(provenance):
    assert as_trained(plan_of(provenance)) == {}
