"""The nouns keep what their docstrings promise."""

import numpy as np
import pytest

from dynst.domain import Field, Frame, GridLayout, Plan, Role, Sites, Window
from dynst.errors import BudgetError, ConfigError, DataError


def line_of_sites(n=5, role=None):
    return Sites(np.arange(float(n)), np.zeros(n), role=np.zeros(n, np.int8) if role is None else np.array(role))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0.0], [95.0], "Are longitude and latitude swapped"),
        ([200.0], [0.0], "Wrap them"),
        ([np.nan], [0.0], "no position"),
        ([], [], "no site"),
    ],
)
def test_impossible_positions_are_refused_in_words(x, y, message):
    with pytest.raises(DataError, match=message):
        Sites(np.array(x, float), np.array(y, float))


def test_sites_at_one_place_get_names_of_their_own():
    pole = Sites(np.zeros(3), np.full(3, 90.0))
    assert len(set(pole.name)) == 3


def test_the_nearest_sites_of_a_site_never_hold_itself_even_where_sites_coincide():
    sites = Sites(np.array([0.0, 0.0, 0.0, 1.0]), np.zeros(4))
    near = sites.nearest(2)
    assert near.shape == (4, 2)
    assert not (near == np.arange(4)[:, None]).any()


def test_the_fingerprint_changes_with_a_position_and_ignores_the_sign_of_zero():
    moved = Sites(np.arange(5.0) + 1e-3, np.zeros(5))
    assert line_of_sites().fingerprint != moved.fingerprint
    assert line_of_sites().fingerprint == Sites(np.arange(5.0), -np.zeros(5)).fingerprint


@pytest.mark.parametrize(("budget", "message"), [(0, "from 1 to 4"), (5, "from 1 to 4"), (1, "2 fixed")])
def test_an_impossible_budget_is_refused_before_any_work(budget, message):
    sites = line_of_sites(role=[Role.FIXED, Role.FIXED, 0, 0, Role.FORBIDDEN])
    with pytest.raises(BudgetError, match=message):
        sites.check_budget(budget)


def test_fold_and_unfold_are_inverse_with_missing_cells(rng):
    layout = GridLayout((3, 4), np.array([0, 2, 5, 11]))
    values = rng.standard_normal((2, 4)).astype(np.float32)
    np.testing.assert_array_equal(layout.unfold(layout.fold(values)), values)
    assert np.isnan(layout.fold(values)).sum() == 2 * 8


def test_a_plan_repeats_no_site_and_keeps_roles():
    sites = line_of_sites(role=[0, Role.FIXED, 0, 0, Role.FORBIDDEN])
    Plan(np.array([1, 0]), np.ones(2), 2, sites, "hand")
    for order, message in (([1, 1], "twice"), ([0, 1], "fixed sites must come first"), ([1, 4], "forbidden")):
        with pytest.raises(DataError, match=message):
            Plan(np.array(order), np.ones(2), 2, sites, "hand")


def test_a_plan_written_as_a_dataset_reads_back_as_itself():
    sites = Sites(np.arange(4.0) * 1000, np.zeros(4), Frame.PLANAR, name=("a", "<b>", "c", "d"))
    plan = Plan(np.array([3, 0, 1]), np.array([3.0, 2.0, 1.0]), 2, sites, "hand", "loss", {"seed": 3})
    back = Plan.from_dataset(plan.to_dataset())
    assert repr(back) == repr(plan)
    np.testing.assert_array_equal(back.order, plan.order)
    assert (back.sites.name, back.sites.fingerprint, back.provenance) == (sites.name, sites.fingerprint, {"seed": 3})


@pytest.mark.parametrize("valued_at", [None, 2])
def test_a_site_has_a_loss_or_a_gain_and_never_both(valued_at):
    plan = Plan(np.array([3, 0, 1]), np.array([3.0, 2.0, 1.0]), 2, line_of_sites(), "hand", valued_at=valued_at)
    for same in (plan, plan.top(1), plan.top(3), Plan.from_dataset(plan.to_dataset())):
        losses, gains = np.flatnonzero(np.isfinite(same.losses)), np.flatnonzero(np.isfinite(same.gains))
        assert losses.tolist() == ([] if valued_at is None else [0, 3]), "whatever the budget it is cut to"
        assert gains.tolist() == ([] if valued_at is None else [1])


@pytest.mark.parametrize("valued_at", [0, 4])
def test_a_plan_is_valued_at_sites_that_it_ranks(valued_at):
    with pytest.raises(DataError, match="valued at 1 to 3 sensors"):
        Plan(np.array([3, 0, 1]), np.ones(3), 2, line_of_sites(), "hand", valued_at=valued_at)


def test_overlap_is_the_share_of_common_sensors():
    sites = line_of_sites()
    plans = [Plan(np.array(order), np.ones(2), 2, sites, "hand") for order in ([0, 1], [1, 2])]
    assert plans[0].overlap(plans[1]) == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="different sites"):
        plans[0].overlap(Plan(np.array([0]), np.ones(1), 1, line_of_sites(4), "hand"))


def test_a_slice_of_a_field_reads_the_same_steps(rng):
    values = rng.standard_normal((10, 5, 1)).astype(np.float32)
    field = Field.of(values, line_of_sites(), GridLayout((1, 5), np.arange(5)), run=np.repeat([0, 1], 5))
    part = field.between(3, 8).between(1, 4)
    np.testing.assert_array_equal(part.series.read(0, 3), values[4:7])
    assert part.runs == [(0, 1), (1, 3)]
    np.testing.assert_array_equal(np.concatenate(list(field.blocks(limit_bytes=70))), values)


def test_a_record_too_short_for_any_window_is_refused():
    with pytest.raises(DataError, match="12 time steps are too few"):
        Window.for_record(12)
    with pytest.raises(ConfigError, match="history must be at least 1"):
        Window(0, 1)
