"""Laws of the choice of a form: made without the test block, once for a budget, and no worse than saying nothing."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dynst.backbones.spacetime import Form
from dynst.domain import ArraySeries, Window
from dynst.evaluation import form_choice
from dynst.evaluation.dense_choice import choose_dense_form
from dynst.evaluation.form_choice import SHAPES, choose_form, folds
from dynst.windows import Scaling, split_by_run, split_by_time
from tests.evaluation.judge_maker import WINDOW, field_of, first_of_test, judge_of, waves

CHOOSE = {"few sensors": choose_form, "very many sensors": choose_dense_form}


def split_of(values, window=WINDOW):
    split = split_by_time(field_of(values), window)
    return split, Scaling.fit(split.train)


def wander(steps=400, n=10, seed=0):
    """Random walks, each of its own."""
    return np.random.default_rng(seed).standard_normal((steps, n, 1)).cumsum(axis=0)


@pytest.mark.parametrize("choose", CHOOSE.values(), ids=CHOOSE)
def test_a_choice_never_reads_the_test_block(choose):
    class Sealed(ArraySeries):
        def read(self, start, stop):
            raise AssertionError("the test block was read")

        read_into = read

    split, scaling = split_of(waves())
    sealed = replace(split.test, series=Sealed(np.zeros(split.test.series.shape)))
    one = choose(split, scaling, WINDOW, 5)
    two = choose(replace(split, test=sealed), scaling, WINDOW, 5)
    assert one.tried == two.tried
    assert one.form == two.form
    assert one.facts() == two.facts()
    assert (one.bar.scale == two.bar.scale).all()


def test_the_form_of_a_judge_does_not_depend_on_test_values():
    values = waves()
    other = values.copy()
    judge = judge_of(values)
    other[first_of_test(judge) :] = wander(len(values), 8)[first_of_test(judge) :]
    assert judge.choice(5).tried == judge_of(other).choice(5).tried


@pytest.mark.parametrize("choose", CHOOSE.values(), ids=CHOOSE)
def test_a_choice_is_the_same_twice_and_tries_every_form_it_may(choose):
    split, scaling = split_of(waves())
    one, two = (choose(split, scaling, WINDOW, 5, seed=3) for _ in range(2))
    assert one.tried == two.tried
    assert one.error == pytest.approx(np.exp(one.tried[one.form]))
    assert {form.memory for form in one.tried} >= {0.0, 0.5}
    assert {form.persistence for form in one.tried} == {0.0, 0.5, 1.0}
    if choose is choose_form:
        refined = form_choice._REFINED * len(form_choice._MORE_NOISES)
        assert len(one.tried) == (len(SHAPES) * len(form_choice._NOISES) + refined) * 5  # ways to use the present


@pytest.mark.parametrize("choose", CHOOSE.values(), ids=CHOOSE)
def test_where_tomorrow_is_as_today_and_sensors_are_everywhere_persistence_is_chosen(choose):
    split, scaling = split_of(wander())
    choice = choose(split, scaling, WINDOW, 10)
    persisting = [error for form, error in choice.tried.items() if form.persistence == 1.0 and not form.damped]
    assert np.exp(min(persisting)) < 0.5
    assert choice.form.persistence > 0
    assert np.log(choice.error) <= min(persisting) + form_choice._CLEARLY


def test_where_tomorrow_is_as_today_the_judge_is_as_good_as_no_change():
    for seed in range(3):
        judge = judge_of(wander(seed=seed))
        # random walks have nothing but no change; what is fitted beside it costs a little
        assert judge.ceiling().total <= 1.02 * judge.persistence().total


@pytest.mark.parametrize("sensors", [1, 5, 20])
def test_on_white_noise_the_judge_does_no_harm(sensors):
    for seed in range(3):
        judge = judge_of(np.random.default_rng(seed).standard_normal((500, 20, 1)), Window(2, 2))
        assert judge.score(np.arange(sensors)).total <= 1.02 * judge.climatology().total


def test_the_mean_of_both_stays_unless_a_part_is_clearly_better():
    mean, hybrid, other = Form(), Form(persistence=0.0), Form(memory=0.0)
    tried = {mean: -0.5, other: -0.4, hybrid: -0.5 - 0.9 * form_choice._CLEARLY}
    assert form_choice._best(tried) == mean
    assert form_choice._best(tried | {hybrid: -0.5 - 1.1 * form_choice._CLEARLY}) == hybrid
    assert form_choice._best(tried | {other: -0.6}) == other


def test_experiments_are_folded_by_run():
    run = np.repeat(np.arange(9), 30)
    field = field_of(waves(steps=270), run=run, cases=tuple(f"case {i}" for i in range(9)))
    split = split_by_run(field, WINDOW)
    scored = []
    for fold in folds(split, Scaling.fit(split.train), WINDOW, 0):
        starts = fold.windows.starts % 30
        assert starts.max() <= 30 - WINDOW.length
        record = fold.record()
        assert len(np.unique(record.stretch)) == len(fold.part.cases)
        scored.append(len(fold.part.cases))
    assert len(scored) == 3


def test_each_fold_has_a_climatology_of_its_own():
    split, scaling = split_of(wander())
    means = [fold.scaling.mean[0, 0] for fold in folds(split, scaling, WINDOW, 0)]
    assert len(set(map(float, means))) == 3
    for fold in folds(split, scaling, WINDOW, 0):
        np.testing.assert_allclose(fold.record().values.mean(axis=0), 0, atol=1e-5)


@pytest.mark.parametrize("choose", CHOOSE.values(), ids=CHOOSE)
def test_where_no_fold_holds_a_window_training_and_validation_time_choose(choose):
    window = Window(12, 20)
    split, scaling = split_of(waves(steps=270), window)
    (fold,) = folds(split, scaling, window, 0)
    assert fold.part is split.train
    assert np.isfinite(choose(split, scaling, window, 5).error)


@pytest.mark.parametrize("choose", CHOOSE.values(), ids=CHOOSE)
def test_what_provenance_keeps_is_json(choose):
    split, scaling = split_of(waves())
    facts = json.loads(json.dumps(choose(split, scaling, WINDOW, 5).facts(), allow_nan=False))
    assert facts["sensors"] == 5
    assert set(facts["form"]) == {"memory", "kernel", "taper", "noise", "persistence", "damped"}
    assert np.shape(facts["error_bar"]["scale"]) == (4, 1)
