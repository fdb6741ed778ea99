"""Plans judged together have the errors of plans judged one by one."""

import numpy as np
import pytest

from dynst.domain import Channel, Field, GridLayout, Sites, Window
from dynst.errors import ConfigError
from dynst.evaluation import LinearJudge, linear_judge
from dynst.evaluation.regions import default_regions
from dynst.windows import split_by_run, split_by_time

N = 24


def judge_of(*, steps=240, c=1, runs=1, window=None, seed=0, **options):
    window = window or Window(2, 3)
    rng = np.random.default_rng(seed)
    t, x = np.arange(steps)[:, None, None], np.arange(N)[None, :, None]
    phase = np.arange(1, c + 1)[None, None, :]
    values = np.sin(t * 0.3 * phase + 0.5 * x) + 0.3 * x + 0.3 * rng.standard_normal((steps, N, c))
    values *= 10.0 ** np.arange(c)
    sites = Sites(np.arange(N) / 4.0, np.linspace(40, 60, N), area=rng.uniform(0.2, 2, N))
    channels = tuple(Channel(f"v{i}") for i in range(c))
    run = np.repeat(np.arange(runs), steps // runs)
    cases = tuple(f"case {i}" for i in range(runs)) if runs > 1 else ()
    field = Field.of(values, sites, GridLayout((1, N), np.arange(N)), channels=channels, run=run, cases=cases)
    split = split_by_run(field, window) if runs > 1 else split_by_time(field, window)
    return LinearJudge(split, window, regions=default_regions(sites), **options)


def plans_of(sizes=(1, 5, 5, 12, N)):
    rng = np.random.default_rng(3)
    return [rng.permutation(N)[:k] for k in sizes]


def assert_same(quick, direct, rtol=2e-5):
    close = {"rtol": rtol, "atol": 1e-7}
    assert quick.notes["penalty"] == pytest.approx(direct.notes["penalty"], rel=1e-6)
    assert quick.notes["valid_error"] == pytest.approx(direct.notes["valid_error"], rel=rtol)
    assert quick.total == pytest.approx(direct.total, rel=rtol)
    np.testing.assert_allclose(quick.per_window, direct.per_window, **close)
    assert list(quick.regions) == list(direct.regions)
    pairs = [(quick.sums, direct.sums), (quick.at_sensors, direct.at_sensors), (quick.away, direct.away)]
    pairs += [(quick.regions[name], direct.regions[name]) for name in direct.regions]
    for mine, other in pairs:
        scale = np.sqrt(other.square * other.weight).max()  # of sums of signed errors, which may cancel to nothing
        for name in ("square", "weight", "product", "truth"):
            np.testing.assert_allclose(getattr(mine, name), getattr(other, name), rtol=rtol, atol=rtol * 1e-2 * scale)
        np.testing.assert_allclose(mine.signed, other.signed, rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(quick.acc, direct.acc, rtol=rtol)


@pytest.mark.parametrize(
    "case",
    [{}, {"c": 3}, {"runs": 12}, {"steps": 150, "window": Window(8, 3)}, {"steps": 400, "window": Window(30, 20)}],
    ids=["one channel", "channels", "runs", "more features than windows", "long windows"],
)
@pytest.mark.parametrize("on", ["test", "valid"])
def test_plans_judged_together_have_the_errors_of_plans_judged_alone(case, on):
    judge = judge_of(**case)
    plans = plans_of()
    for quick, plan in zip(judge.scores(plans, on=on), plans, strict=True):
        assert_same(quick, judge.score(plan, on=on))


def test_long_windows_in_patterns_are_judged_alike():
    judge = judge_of(steps=600, window=Window(30, 20), max_bytes=400_000)
    assert judge._modes is not None
    for quick, plan in zip(judge.scores(plans_of((2, 6))), plans_of((2, 6)), strict=True):
        assert_same(quick, judge.score(plan))


@pytest.mark.parametrize("bound", ["_POOL_BYTES", "_FORM_BYTES"])
def test_where_memory_is_short_the_errors_are_the_same(monkeypatch, bound):
    plans = plans_of()
    monkeypatch.setattr(linear_judge, bound, 0)
    judge = judge_of()
    for quick, plan in zip(judge.scores(plans), plans, strict=True):
        assert_same(quick, judge.score(plan))


def test_absolute_errors_need_the_field_and_are_not_made_up():
    judge = judge_of()
    (quick,) = judge.scores([np.array([1, 5])])
    assert np.isnan(quick.mae).all()
    np.testing.assert_allclose(quick.at_sensors.absolute, judge.score(np.array([1, 5])).at_sensors.absolute, rtol=1e-5)


def test_a_plan_of_all_sites_leaves_nothing_away_from_sensors():
    (quick,) = judge_of().scores([np.arange(N)])
    assert (quick.away.weight == 0).all()
    assert (quick.away.square == 0).all()


def test_a_plan_that_repeats_a_site_is_refused():
    with pytest.raises(ConfigError, match="not all different"):
        list(judge_of().scores([np.array([1, 1])]))


def test_what_was_shared_before_changes_no_error():
    """The pool is kept, used again, and grows: each way has the errors of plans judged alone."""
    judge, rng = judge_of(), np.random.default_rng(4)
    few, same, more = (np.arange(5), np.arange(1, 4), rng.permutation(N)[:9])
    for plans in ([few], [same], [more, few], [rng.permutation(N)[:12] for _ in range(20)], [few]):
        for quick, plan in zip(judge.scores(plans), plans, strict=True):
            assert_same(quick, judge.score(plan))
    kept = judge._pools["test"]
    assert kept.grams is not None, "twenty plans of half of all sites share their inner products"
    assert kept.has(np.concatenate([few, more]))
    list(judge.scores([few]))
    assert judge._pools["test"] is kept, "nothing is made anew for sites that are there"


@pytest.mark.parametrize(
    "case",
    [{}, {"c": 3}, {"runs": 12}, {"steps": 150, "window": Window(8, 3)}, {"steps": 400, "window": Window(30, 20)}],
    ids=["one channel", "channels", "runs", "more features than windows", "long windows"],
)
@pytest.mark.parametrize("on", ["test", "valid"])
@pytest.mark.parametrize("k", [2, 7, N])
def test_leaving_each_site_out_has_the_errors_of_the_plans_without_it(case, on, k):
    """By a correction of low rank, against a refit from the data."""
    judge, network = judge_of(**case), np.random.default_rng(k).permutation(N)[:k]
    assert judge._forms_of(on) is not None
    found = list(judge.without(network, on=on))
    assert len(found) == k
    for i in (0, k // 2, k - 1):
        assert_same(found[i], judge.score(np.delete(network, i), on=on))


def test_leaving_sites_out_where_nothing_is_noise_or_memory_is_short(monkeypatch):
    """Two waves at 24 sites: 22 of 24 eigenvalues are 0, and the weakest penalty is best; the refits are by hand."""
    t, x = np.arange(300)[:, None, None], np.arange(N)[None, :, None]
    sites = Sites(np.arange(N) / 4.0, np.linspace(40, 60, N))
    field = Field.of(np.sin(t * 0.3 + 0.5 * x), sites, GridLayout((1, N), np.arange(N)))
    judge, network = LinearJudge(split_by_time(field, Window(2, 2)), Window(2, 2)), np.arange(6)
    for i, score in enumerate(judge.without(network)):
        assert score.total == pytest.approx(judge.score(np.delete(network, i)).total, rel=1e-3, abs=1e-6)
    for bound in ("_POOL_BYTES", "_FORM_BYTES"):
        with monkeypatch.context() as patched:
            patched.setattr(linear_judge, bound, 0)
            again = judge_of()
            for i, score in enumerate(again.without(network)):
                plain = again.score(np.delete(network, i))
                assert score.total == pytest.approx(plain.total, rel=2e-5)


@pytest.mark.parametrize("k", [4, 15])
@pytest.mark.parametrize("on", ["test", "valid"])
def test_one_site_more_has_the_errors_of_the_plan_with_it(on, k):
    """With fewer features than the some 80 training windows, and with more."""
    judge, order = judge_of(steps=150, window=Window(8, 3)), np.random.default_rng(k).permutation(N)
    network, others = order[:k], order[k:]
    assert (k * 8 >= len(judge._train)) == (k == 15)
    found = list(judge.with_each(network, others, on=on))
    assert len(found) == len(others)
    for i in (0, len(others) - 1):
        assert_same(found[i], judge.score(np.append(network, others[i]), on=on))
    with pytest.raises(ConfigError, match="not all different"):
        list(judge.with_each(network, network[:1]))


def test_without_its_only_site_nothing_is_left_to_judge():
    with pytest.raises(ConfigError, match="0 sites"):
        list(judge_of().without(np.array([3])))
