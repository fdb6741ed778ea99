import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynst.backbones import TargetGrams, fit_ridge, fit_ridge_dual
from dynst.errors import DataError


def problem(m, q, r, *, v=30, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    x, xv = rng.standard_normal((m, q)), rng.standard_normal((v, q))
    w = rng.standard_normal((q, r)) / np.sqrt(q)
    y, yv = x @ w + noise * rng.standard_normal((m, r)), xv @ w + noise * rng.standard_normal((v, r))
    return x, y, xv, yv


def textbook(x, y, penalty):
    return np.linalg.solve(x.T @ x / len(x) + penalty * np.eye(x.shape[1]), x.T @ y / len(x))


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(1, 30), st.integers(1, 5), st.floats(-6, 3), st.integers(0, 9))
def test_forecast_is_the_textbook_solution(m, q, r, exponent, seed):
    x, y, xv, yv = problem(m, q, r, seed=seed)
    fit = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv, penalties=np.array([10.0**exponent]))
    np.testing.assert_allclose(fit.predict(xv), xv @ textbook(x, y, 10.0**exponent), rtol=1e-6, atol=1e-6)
    assert fit.error == pytest.approx(((fit.predict(xv) - yv) ** 2).mean(), rel=1e-6)


@pytest.mark.parametrize("q", [39, 40, 41])
def test_dual_and_primal_agree_at_the_switch(q):  # pitfall 11
    x, y, xv, yv = problem(40, q, 6)
    primal_or_dual = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv)
    penalties = np.array([primal_or_dual.penalty])
    dual = fit_ridge_dual(x @ x.T, y, valid_gram=xv @ x.T, valid_targets=yv, penalties=penalties)
    np.testing.assert_allclose(primal_or_dual.predict(xv), dual.predict(xv @ x.T), rtol=1e-6, atol=1e-6)
    assert primal_or_dual.error == pytest.approx(dual.error, rel=1e-6)


def test_dual_and_primal_choose_the_same_penalty_where_both_apply():
    x, y, xv, yv = problem(60, 60, 3)
    dual = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv)
    primal = fit_ridge(x[:, :59], y, valid_inputs=xv[:, :59], valid_targets=yv)
    assert primal.penalty == pytest.approx(dual.penalty, rel=0.9)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 0.3, 3.0])
@pytest.mark.parametrize("q", [5, 80])
def test_chosen_penalty_never_stands_at_the_end_of_a_grid_that_could_widen(noise, q):  # pitfall 10
    x, y, xv, yv = problem(50, q, 4, noise=noise)
    fit = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv)
    scale = np.linalg.eigvalsh(x.T @ x / 50)[-min(50, q) :].mean()
    assert not fit.at_grid_end or not 1e-9 * scale < fit.penalty < 1e7 * scale
    for other in (0.5, 2.0):
        trial = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv, penalties=np.array([other * fit.penalty]))
        assert fit.error <= trial.error * (1 + 1e-3) + 1e-12


def test_a_penalty_beyond_the_first_grid_is_found_by_widening():
    x, y, xv, yv = problem(200, 2, 1, noise=1e-5)
    x, xv = np.hstack([x, 3e-3 * np.roll(x, 1, 0)]), np.hstack([xv, np.zeros((30, 2))])
    fit = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv)
    assert not fit.at_grid_end
    assert fit.penalty < 1e-4 * np.trace(x.T @ x / 200) / 4


def test_noise_is_forecast_by_zero_and_the_grid_end_is_reported():
    rng = np.random.default_rng(0)
    x, y, xv = rng.standard_normal((30, 50)), rng.standard_normal((30, 3)), rng.standard_normal((40, 50))
    fit = fit_ridge(x, y, valid_inputs=xv, valid_targets=-(xv @ x.T @ y))  # the opposite of what was learnt
    assert fit.at_grid_end
    assert np.abs(fit.predict(xv)).max() < 1e-4


def test_given_penalties_are_taken_as_they_are():
    x, y, xv, yv = problem(50, 5, 2)
    fit = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv, penalties=np.array([1.0, 100.0]))
    assert (fit.penalty, fit.at_grid_end) == (1.0, True)


def test_float32_inputs_with_a_small_penalty_lose_nothing():  # pitfall 15
    rng = np.random.default_rng(0)
    base = rng.standard_normal((60, 8)).astype(np.float32)
    x = np.hstack([base + 1e-3 * rng.standard_normal((60, 8)).astype(np.float32) for _ in range(12)])
    y = (base @ rng.standard_normal((8, 3))).astype(np.float32)
    fit = fit_ridge(x, y, valid_inputs=x, valid_targets=y, penalties=np.array([1e-9]))
    wide = x.astype(np.float64)
    exact = wide @ (wide.T @ np.linalg.solve(wide @ wide.T + 60e-9 * np.eye(60), y.astype(np.float64)))
    np.testing.assert_allclose(fit.predict(x), exact, atol=1e-6)
    single = x @ (x.T @ np.linalg.solve(x @ x.T + np.float32(60e-9) * np.eye(60, dtype=np.float32), y))
    assert np.abs(single - exact).max() > 1e-4  # the pitfall is real here


@pytest.mark.parametrize("q", [6, 90])
def test_weights_decide_whose_error_chooses_the_penalty(q):
    x, y, xv, yv = problem(60, q, 2)
    y[:, 1] = np.random.default_rng(5).standard_normal(60)  # nothing to learn: wants a strong penalty
    one = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv, weight=np.array([1.0, 0.0]))
    alone = fit_ridge(x, y[:, :1], valid_inputs=xv, valid_targets=yv[:, :1])
    assert one.penalty == pytest.approx(alone.penalty)
    assert one.error == pytest.approx(alone.error)


@pytest.mark.parametrize("q", [6, 90])
def test_missing_validation_targets_do_not_count(q):
    x, y, xv, yv = problem(60, q, 4)
    observed = np.random.default_rng(1).random(yv.shape) < 0.6
    spoilt = np.where(observed, yv, 1e6)
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    fit = fit_ridge(x, y, valid_inputs=xv, valid_targets=spoilt, valid_observed=observed, weight=weight)
    error = (observed * weight * (fit.predict(xv) - yv) ** 2).sum() / (observed * weight).sum()
    assert fit.error == pytest.approx(error, rel=1e-9)
    every = np.ones_like(observed)
    masked = fit_ridge(x, y, valid_inputs=xv, valid_targets=yv, valid_observed=every, weight=weight)
    assert masked.penalty == fit_ridge(x, y, valid_inputs=xv, valid_targets=yv, weight=weight).penalty


def test_shared_target_grams_change_nothing():
    x, y, xv, yv = problem(40, 70, 5000, v=10)
    weight = np.linspace(0.5, 1.5, 5000)
    shared = TargetGrams.of(y, yv, weight=weight)
    options = {"valid_gram": xv @ x.T, "valid_targets": yv, "weight": weight}
    fit, same = fit_ridge_dual(x @ x.T, y, **options), fit_ridge_dual(x @ x.T, y, **options, shared=shared)
    assert fit.penalty == same.penalty
    np.testing.assert_array_equal(fit.predict(xv @ x.T), same.predict(xv @ x.T))
    explicit = (weight * (fit.predict(xv @ x.T) - yv) ** 2).sum() / (10 * weight.sum())
    assert fit.error == pytest.approx(explicit, rel=1e-9)


def test_no_target_is_cut_to_leading_modes():  # pitfall 14
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 3))
    y = rng.standard_normal((100, 40))  # white: any truncated basis would leave energy out
    fit = fit_ridge(x, y, valid_inputs=x[:50], valid_targets=y[:50])
    assert fit.error == pytest.approx(((fit.predict(x[:50]) - y[:50]) ** 2).mean(), rel=1e-9)
    assert fit.error > 0.8


def test_without_a_sensor_the_forecast_is_the_mean():
    _, y, _, yv = problem(20, 3, 4)
    fit = fit_ridge(np.zeros((20, 0)), y, valid_inputs=np.zeros((30, 0)), valid_targets=yv)
    assert not fit.predict(np.zeros((30, 0))).any()
    assert fit.error == pytest.approx((yv**2).mean())
    dual = fit_ridge_dual(np.zeros((20, 20)), y, valid_gram=np.zeros((30, 20)), valid_targets=yv)
    assert not dual.predict(np.zeros((30, 20))).any()


def test_what_cannot_be_fitted_is_refused():
    x, y, xv, yv = problem(20, 3, 4)
    x[0, 0] = np.nan
    with pytest.raises(DataError, match="NaN"):
        fit_ridge(x, y, valid_inputs=xv, valid_targets=yv)
    with pytest.raises(DataError, match="20 and 0 came"):
        fit_ridge(np.zeros((20, 3)), y, valid_inputs=xv[:0], valid_targets=yv[:0])
    with pytest.raises(DataError, match="no validation target"):
        fit_ridge(xv, yv, valid_inputs=xv, valid_targets=yv, valid_observed=np.zeros(yv.shape, bool))
