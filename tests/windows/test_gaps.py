"""Laws of the gap model: what was measured decides, what was not is told by what was, nothing comes of nothing."""

import numpy as np
import pytest

from dynst.domain import Field, GridLayout, Sites, Window
from dynst.windows import GapModel, Scaling, design, gaps, window_starts


def field_of(values):
    n = values.shape[1]
    return Field.of(values, Sites(np.arange(float(n)) / 8, np.zeros(n)), GridLayout((1, n), np.arange(n)))


def factors(rng, *, steps=400, n=12, c=1, rank=2, noise=0.2):
    """A field of a few common factors; every other one is strong."""
    z = rng.standard_normal((steps, rank))
    return np.einsum("sr,rnc->snc", z, rng.standard_normal((rank, n, c))) + noise * rng.standard_normal((steps, n, c))


@pytest.mark.parametrize("how", ["at random", "in blocks"])
def test_hidden_values_are_told_by_the_others_to_about_the_noise(rng, how):
    values = factors(rng)
    shape = values.shape if how == "at random" else (8, 12, 1)
    hidden = rng.random(shape) < 0.4
    hidden = hidden if how == "at random" else np.repeat(hidden, 50, axis=0)
    field = field_of(np.where(hidden, np.nan, values))
    scaling = Scaling.fit(field)
    told = scaling.undo(GapModel.fit(field, scaling).expected(scaling.apply(field.series.read(0, 400))))
    error = np.sqrt(((told - values)[hidden] ** 2).mean())
    assert error < 0.45 < np.sqrt(((values - values.mean(axis=0))[hidden] ** 2).mean()) / 2


def test_a_site_seen_rarely_is_drawn_to_its_mean_and_one_never_seen_stays_there(rng):
    values = factors(rng)
    values[3:, 5] = np.nan
    values[:, 7] = np.nan
    field = field_of(values)
    scaling = Scaling.fit(field)
    told = GapModel.fit(field, scaling).expected(scaling.apply(field.series.read(0, 400)))
    assert (told[:, 7] == 0).all()
    typical = np.delete(told, [5, 7], axis=1).std()
    assert told[:, 5].std() < typical


def test_columns_that_do_not_tell_the_factors_are_filled_as_well(rng, monkeypatch):
    values = factors(rng, n=40, c=2)
    hidden = rng.random(values.shape) < 0.3
    field = field_of(np.where(hidden, np.nan, values))
    scaling = Scaling.fit(field)
    monkeypatch.setattr(gaps, "_PROBES", 30)
    monkeypatch.setattr(gaps, "_COLUMNS", 7)
    model = GapModel.fit(field, scaling)
    assert len(model.probes) == 30
    told = scaling.undo(model.expected(scaling.apply(field.series.read(0, 400))))
    outside = hidden.reshape(400, -1)[:, np.setdiff1d(np.arange(80), model.probes)]
    error = (told - values).reshape(400, -1)[:, np.setdiff1d(np.arange(80), model.probes)]
    assert np.sqrt((error[outside] ** 2).mean()) < 0.5


def test_a_silent_sensor_reads_what_the_other_sensors_of_the_plan_tell_and_no_one_else(rng):
    values = factors(rng, n=6, c=2)
    values[rng.random(values.shape) < 0.3] = np.nan
    field, window = field_of(values), Window(3, 2)
    scaling = Scaling.fit(field)
    model = GapModel.fit(field, scaling)
    made = design(field, window, scaling, window_starts(field, window)[:50])
    plan, channels = np.array([1, 4, 5]), np.array([0, 1])
    filled = model.completed(made.inputs[:, plan], made.inputs_observed[:, plan], plan, channels)
    known = made.inputs_observed[:, plan]
    assert (filled[known] == made.inputs[:, plan][known]).all()
    alone = scaling.apply(np.where(np.isin(np.arange(6), plan)[:, None], field.series.read(0, 60), np.nan))
    one = GapModel(model.loading, model.noise, model.probes).expected(alone)  # told by the sensors of the plan
    history = np.stack([one[s : s + 3, plan].transpose(1, 0, 2).reshape(3, 6) for s in made.starts])
    np.testing.assert_allclose(filled[~known], history[~known], atol=1e-4)


def test_filled_targets_stay_unobserved_inputs_are_never_filled_and_windows_of_nothing_are_left_out(rng):
    values = factors(rng, steps=120, n=5)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[40:60] = np.nan
    field, window = field_of(values), Window(2, 2)
    scaling, starts = Scaling.fit(field), window_starts(field, window)
    plain, filled = (design(field, window, scaling, starts, gaps=g) for g in (None, GapModel.fit(field, scaling)))
    kept = np.isin(starts, filled.starts)
    assert (starts[~kept] == np.arange(38, 57)).all()  # both targets lie in the silence
    assert (filled.inputs == plain.inputs[kept]).all()
    assert (filled.observed == plain.observed[kept]).all()
    assert (filled.targets[filled.observed] == plain.targets[kept][filled.observed]).all()
    assert (plain.targets[~plain.observed] == 0).all()
    assert (filled.targets[~filled.observed] != 0).mean() > 0.9


def test_what_a_site_never_measured_in_training_is_neither_input_nor_target_later(rng):
    values = factors(rng, steps=100, n=4)
    values[:60, 2] = np.nan
    field, window = field_of(values), Window(2, 2)
    scaling = Scaling.fit(field.between(0, 60))
    later = field.between(60, 100)
    made = design(later, window, scaling, window_starts(later, window))
    assert (scaling.share[2], scaling.share[1]) == (0, 1)
    assert not made.observed[:, :, 2].any()
    assert not made.inputs_observed[:, 2].any()
    assert not made.inputs[:, 2].any()
    assert made.observed[:, :, [0, 1, 3]].all()


def test_a_record_whose_few_values_the_thinned_steps_miss_has_no_factor_and_expects_the_mean():
    values = np.full((4000, 3, 1), np.nan)
    values[:3, :, 0] = [[1.0, 2.0, 3.0], [2.0, 1.0, 0.0], [0.0, 5.0, 1.0]]
    field = field_of(values)
    scaling = Scaling.fit(field)
    told = [GapModel.fit(field, scaling, seed=seed).expected(np.ones((2, 3, 1))) for seed in range(6)]
    assert all(np.isfinite(each).all() for each in told)
    assert any((each == 0).all() for each in told)


@pytest.mark.parametrize("columns", [5, 64, 65, 200])
def test_steps_that_know_the_same_share_an_inverse_and_have_the_means_of_steps_taken_alone(rng, columns):
    """64 columns fill one machine word; in float32 sums over columns differ by the order of their terms alone."""
    w, noise = rng.standard_normal((columns, 3)), rng.uniform(0.5, 2, columns)
    known = (rng.random((7, columns)) < 0.6)[rng.integers(0, 7, 90)]  # 7 ways of knowing, in 90 steps
    known[3], known[4] = True, False
    values = np.where(known, rng.standard_normal((90, columns)), 0.0).astype(np.float32)
    shared = gaps._means(values, known, w, noise)
    alone, _ = gaps._factors(values, known.astype(np.float32), w, noise)
    np.testing.assert_allclose(shared, alone, atol=1e-5)
    assert (shared[4] == 0).all()
    assert gaps._means(values[:0], known[:0], w, noise).shape == (0, 3)
