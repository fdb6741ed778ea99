"""Tables of a curve: means over lead times and seeds, gaps with their reason, the comparison with random plans."""

import numpy as np
import pytest

from dynst.domain import Curve
from dynst.errors import DataError

NAMES = ["coverage", "variance", "uniform_random", "floor"]


def curve_of(channels, rmse, *, comparison=None, reason=None):
    p, b, _, _, s = rmse.shape
    return Curve.of(
        {"rmse": rmse, "mae": rmse, "bias": rmse},
        planners=NAMES[:p],
        budgets=[20, 10][:b],
        n=40,
        channels=channels,
        units=["K", "m"][: len(channels)],
        total=np.arange(1.0, p * b * s + 1).reshape(p, b, s),
        reason=reason,
        comparison=comparison,
        against=NAMES[:p],
    )


def test_a_row_is_the_mean_over_seeds_of_the_root_mean_square_over_lead_times():
    rmse = np.random.default_rng(0).uniform(1, 2, (3, 2, 4, 1, 5))
    rmse[0, 1, 2] = np.nan  # one lead time was not judged
    rmse[0, 1, :, :, 3] = np.nan  # one seed failed
    row = next(row for row in curve_of(["t"], rmse).table(10) if row.planner == "coverage")
    seeds = [0, 1, 2, 4]
    each = np.sqrt((rmse[0, 1][[0, 1, 3]][:, 0, seeds] ** 2).mean(axis=0))
    assert row.error == pytest.approx(each.mean())
    assert row.per_channel == {"t": pytest.approx(each.mean())}
    assert row.spread == pytest.approx(each.std(ddof=1))
    assert (row.seeds, row.units, row.vs_random, row.verdict) == (4, "K", None, "")


def test_several_channels_are_ranked_by_their_total_and_what_has_none_comes_last():
    rmse = np.ones((3, 2, 1, 2, 1))
    curve = curve_of(["t", "z"], rmse, reason=np.array([["", ""], ["", ""], ["too large", ""]], object))
    curve.data["total"][2, 0] = np.nan
    table = curve.table(20)
    assert [row.planner for row in table] == ["coverage", "variance", "uniform_random"]
    assert [row.error for row in table[:2]] == [1.0, 3.0]
    assert np.isnan(table[2].error)
    assert (table[2].reason, table[2].seeds, table[0].units) == ("too large", 0, "standard deviations")


def test_the_comparison_with_random_plans_stands_beside_each():
    shape = (3, 3, 2)
    change = np.arange(18.0).reshape(shape)
    change[2, 2] = np.nan
    words = np.full(shape, "worse", object)
    words[2, 2] = ""
    comparison = {"difference": change, "low": change - 1, "high": change + 1, "verdict": words}
    curve = curve_of(["t"], np.ones((3, 2, 1, 1, 2)), comparison=comparison)
    found = {row.planner: (row.vs_random, row.verdict) for row in curve.table(10)}
    assert found == {
        "coverage": ((5.0, 4.0, 6.0), "worse"),
        "variance": ((11.0, 10.0, 12.0), "worse"),
        "uniform_random": (None, ""),
    }


def test_a_table_is_the_readers_own_and_a_budget_nobody_judged_has_none():
    curve = curve_of(["t"], np.ones((3, 2, 1, 1, 2)))
    curve.table(20).clear()
    assert len(curve.table(20)) == 3
    with pytest.raises(DataError, match="has no budget 7"):
        curve.table(7)
