"""The expected error of a set of sensors, and every what-if, against whole covariances and full recomputation."""

from dataclasses import replace

import numpy as np
import pytest

from dynst.backbones.covariance import Anomalies
from dynst.backbones.spacetime import Form
from dynst.planners.bench import Bench
from dynst.planners.expected_error import ExpectedError

FORMS = {
    "sample": Form(memory=0.0, noise=0.1),
    "common memory": Form(memory=0.5, noise=0.3),
    "kernel": Form(memory=0.25, kernel=0.5, noise=0.2),
}
SUPPORT = np.array([1, 5, 8])
N = 12


def record_of(*, channels=2, seed=0, runs=2):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((120, N, channels))
    for step in range(1, len(values)):
        values[step] += 0.8 * values[step - 1]
    values = values + 0.5 * np.roll(values, 1, axis=1) + 0.3 * values[:, :, ::-1]
    points = np.stack([np.arange(N), np.arange(N) % 3], axis=1).astype(float)
    predicted = np.array([channels - 1])
    stretch = np.repeat(np.arange(runs), len(values) // runs)
    weight = rng.uniform(0.5, 1.5, N)
    return Anomalies(
        (values / values.std()).astype(np.float32), stretch, np.arange(channels), predicted, weight, points
    )


@pytest.fixture(scope="module", params=FORMS)
def error(request):
    reporting = np.linspace(0.5, 1.0, N)
    return ExpectedError(record_of(), FORMS[request.param], history=3, horizon=2, reporting=reporting)


def test_the_gain_is_that_of_whole_covariances(error, reference):
    dense = reference("expected_error")
    known = {"history": 3, "horizon": 2, "leads": error.leads, "noise": error.noise}
    assert error.leads.tolist() == [0, 1, 2]
    for support in ([4], [1, 5, 8]):
        expected = dense.gain(error.record, error.form, support, **known)
        assert error.gain(np.array(support)) == pytest.approx(expected, rel=1e-5)
    assert 0 < error.gain(SUPPORT) < error.total


def test_exact_gains_and_losses_equal_full_recomputation(error):
    bench, before = Bench.of(error, SUPPORT), error.gain(SUPPORT)
    assert bench.gained == pytest.approx(before, rel=1e-6)
    others = np.setdiff1d(np.arange(N), SUPPORT)
    gains = [error.gain(np.append(SUPPORT, site)) - before for site in others]
    losses = [before - error.gain(np.setdiff1d(SUPPORT, site)) for site in SUPPORT]
    np.testing.assert_allclose(bench.gains()[others], gains, rtol=1e-4)
    np.testing.assert_allclose(bench.losses(), losses, rtol=1e-4)
    assert (bench.gains()[SUPPORT] == -np.inf).all()


def test_gains_after_a_sensor_has_left_equal_full_recomputation(error):
    bench, rest = Bench.of(error, SUPPORT), np.array([1, 8])
    expected = [error.gain(np.append(rest, site)) - error.gain(rest) for site in (0, 5, 11)]
    np.testing.assert_allclose(bench.gains_without(5)[[0, 5, 11]], expected, rtol=1e-4)
    assert bench.support.tolist() == SUPPORT.tolist()


def test_a_bench_stays_exact_over_many_changes(error):
    bench = Bench.of(error, SUPPORT)
    for number in range(12):
        bench.add((7 * number) % 4)
        bench.remove((7 * number) % 4)
    for site in (3, 7, 10):
        bench.add(site)
    bench.remove(5)
    fresh = Bench.of(error, np.array([1, 3, 7, 8, 10]))
    assert bench.support.tolist() == fresh.support.tolist()
    assert bench.gained == pytest.approx(fresh.gained, rel=1e-5)
    absent = ~bench.active
    np.testing.assert_allclose(bench.gains()[absent], fresh.gains()[absent], rtol=1e-3)
    np.testing.assert_allclose(bench.losses(), fresh.losses(), rtol=1e-3)


def test_the_gate_gradient_at_absent_sites_is_the_slope_of_the_expected_error(error):
    """A gate w is relative precision: noise over w; at 0 there is no sensor, and the slope is finite."""
    bench, before, small = Bench.of(error, SUPPORT), error.gain(SUPPORT), 1e-4
    slopes = bench.slopes()
    for site in (0, 3, 11):
        gated = error.noise.copy()
        gated[site] /= small
        bent = replace(error)
        bent.__dict__["noise"] = gated
        finite = (bent.gain(np.append(SUPPORT, site)) - before) / small
        left = Bench.of(error, SUPPORT)._left.reshape(N, error.inputs, -1)[site].astype(float)
        formula = np.trace((left @ left.T) / error.noise[site][:, None])
        assert slopes[site] == pytest.approx(formula, rel=1e-6)
        assert slopes[site] == pytest.approx(finite, rel=1e-2)


def test_a_sensor_that_reports_half_of_the_time_is_worth_half():
    record, form = record_of(channels=1), Form(memory=0.5, noise=0.3)
    whole = ExpectedError(record, form, history=1, horizon=1)
    half = replace(whole, reporting=np.full(N, 0.5))
    alone = np.array([4])
    assert half.gain(alone) == pytest.approx(whole.gain(alone) / 2, rel=1e-2)  # edges of the windows


def test_long_histories_are_read_in_patterns():
    patterns = np.linalg.qr(np.random.default_rng(3).standard_normal((6, 2)))[0]
    record = record_of(channels=1)
    error = ExpectedError(record, Form(memory=0.3, noise=0.2), history=6, horizon=3, filters=patterns)
    assert error.inputs == 2
    bench = Bench.of(error, SUPPORT)
    assert bench.gains()[0] == pytest.approx(error.gain(np.append(SUPPORT, 0)) - error.gain(SUPPORT), rel=1e-4)


def test_neighbouring_leads_of_a_long_horizon_are_left_out():
    error = ExpectedError(record_of(channels=1), Form(), history=2, horizon=30)
    assert error.leads.tolist() == [0, 6, 12, 18, 24, 30]


def test_blocks_change_nothing(error, monkeypatch):
    before = Bench.of(error, SUPPORT).gains()
    monkeypatch.setattr("dynst.planners.expected_error._NUMBERS", 500)
    monkeypatch.setattr("dynst.planners.bench._BLOCK", 100)
    np.testing.assert_allclose(Bench.of(error, SUPPORT).gains(), before, rtol=1e-4)


def test_numbers_of_sites_change_nothing(error):
    order = np.random.default_rng(5).permutation(N)
    record = error.record
    turned = replace(record, values=record.values[:, order], weight=record.weight[order], points=record.points[order])
    same = replace(error, record=turned, reporting=error.reporting[order])
    assert same.gain(np.argsort(order)[SUPPORT]) == pytest.approx(error.gain(SUPPORT), rel=1e-4)
