"""The exact what-ifs of the solved-weights ridge, against full refits."""

import numpy as np
import pytest

from dynst.domain import Role, Sites
from dynst.planners.linear_evidence import LinearEvidence, Term, linear_evidence, marginal_values, share
from dynst.planners.swaps import Bench, affordable_picks, greedy_order, swap_sweep

SUPPORT = np.array([2, 7, 11, 20])


@pytest.fixture(scope="module")
def task(make_task, waves):
    return make_task(waves(channels=2), 4)


@pytest.fixture(scope="module")
def evidence(task):
    return linear_evidence(task)


def test_the_score_is_the_penalised_loss_of_a_refit(evidence, reference):
    ridge = reference("ridge_whatif")
    assert len(evidence.terms) == 2
    assert evidence.score(SUPPORT) == pytest.approx(ridge.score(evidence, SUPPORT), abs=1e-8)
    nothing = np.mean([np.log((term.targets**2).sum() / term.ridge) for term in evidence.terms])
    assert evidence.score(np.arange(0)) == pytest.approx(nothing, abs=1e-8)


def test_pitfall_2_exact_gains_and_losses_equal_full_recomputation(evidence):
    before = evidence.score(SUPPORT)
    others = np.setdiff1d(np.arange(30), SUPPORT)
    gains = [before - evidence.score(np.append(SUPPORT, s)) for s in others]
    losses = [evidence.score(np.setdiff1d(SUPPORT, s)) - before for s in SUPPORT]
    np.testing.assert_allclose(evidence.gains(SUPPORT, others), gains, atol=1e-8)
    np.testing.assert_allclose(evidence.losses(SUPPORT), losses, atol=1e-8)


def test_pitfall_1_the_gate_gradient_is_the_slope_of_the_score_at_active_and_inactive_sites(evidence):
    step, gradient = 1e-5, evidence.gradient(SUPPORT)
    assert (gradient > 0).all()
    for site in (7, 8):
        gate = 1.0 if site in SUPPORT else 0.0
        scores = []
        for change in (0.0, step):
            bent = evidence.histories.copy()
            bent[site] *= np.sqrt(gate + change)
            scores.append(LinearEvidence(bent, evidence.terms).score(np.union1d(SUPPORT, site)))
        assert gradient[site] == pytest.approx((scores[0] - scores[1]) / step, rel=1e-2)


def test_a_bench_stays_exact_over_many_changes(evidence):
    bench = Bench.of(evidence, SUPPORT)
    for site in (3, 7, 29, 2, 3, 15, 7, 16):
        bench = bench.toggle(site)
    fresh = bench.refreshed()
    assert bench.support.tolist() == [7, 11, 15, 16, 20, 29]
    assert bench.score == pytest.approx(evidence.score(bench.support), abs=1e-8)
    np.testing.assert_allclose(bench.gains(), fresh.gains(), atol=1e-8)


def test_pitfall_15_small_penalties_keep_their_digits(evidence, reference):
    weak = LinearEvidence(evidence.histories, tuple(Term(t.rows, t.targets, 1e-6) for t in evidence.terms))
    assert weak.histories.dtype == np.float64
    assert weak.score(SUPPORT) == pytest.approx(reference("ridge_whatif").score(weak, SUPPORT), abs=1e-6)


def test_a_swap_sweep_never_raises_the_score_and_keeps_fixed_and_forbidden(make_task, waves):
    role = np.zeros(30, np.int8)
    role[4], role[[9, 13]] = 1, 2
    task = make_task(waves(noise=0.5), 5, role=role)
    evidence = linear_evidence(task)
    start = np.array([0, 1, 2, 3, 4])
    after, counts = swap_sweep(task, start, seed=3, sweeps=3)
    assert evidence.score(after) < evidence.score(start) - 1e-3
    assert counts["swaps"] > 0
    assert 4 in after
    assert not {9, 13} & set(after.tolist())
    again, _ = swap_sweep(task, start, seed=3, sweeps=3)
    assert after.tolist() == again.tolist()


def test_a_local_optimum_is_left_alone(task):
    settled, _ = swap_sweep(task, SUPPORT, seed=0, sweeps=9)
    after, counts = swap_sweep(task, settled, seed=1, sweeps=1)
    assert after.tolist() == settled.tolist()
    assert counts == {"swaps": 0, "sweeps": 1}


def test_the_greedy_order_takes_the_best_first(evidence):
    sites = Sites(np.arange(float(evidence.shape[0])), np.zeros(evidence.shape[0]))
    order = greedy_order(evidence, sites, SUPPORT)
    assert sorted(order.tolist()) == SUPPORT.tolist()
    scores = {s: evidence.score(np.array([s])) for s in SUPPORT.tolist()}
    assert order[0] == min(scores, key=scores.get)
    standing = sites.with_role(np.where(np.arange(len(sites)) == 11, Role.FIXED, Role.CANDIDATE))
    assert greedy_order(evidence, standing, SUPPORT)[0] == 11


def test_operations_are_counted_not_clocked(evidence):
    n = evidence.shape[0]
    assert affordable_picks(evidence, n, most=7) == 7
    assert affordable_picks(evidence, 10**9, most=7) == 0


def test_marginal_values_are_shares_of_the_objective(task, evidence):
    value = marginal_values(task, SUPPORT)
    assert value.shape == (30,)
    assert ((value >= 0) & (value < 1)).all()
    rise = evidence.score(np.array([2, 7, 11])) - evidence.score(SUPPORT)
    assert value[20] == pytest.approx(share(np.array([rise]))[0], abs=1e-8)


def test_many_sites_thin_the_windows_and_never_the_sites(make_task, waves, monkeypatch):
    monkeypatch.setattr("dynst.planners.linear_evidence._ENTRIES", 30 * 2 * 20)
    evidence = linear_evidence(make_task(waves(), 4))
    assert evidence.shape[0] == 30
    assert evidence.shape[2] <= 20
    assert evidence.notes["synthetic_windows"] > 0
