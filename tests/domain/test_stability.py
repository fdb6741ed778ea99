"""Stability: pairs are one to one and as many as possible, chance has its closed form, grades and words are true."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from dynst.domain import Frame, Plan, Role, Sites
from dynst.domain.matching import chance_overlap, matching, usual_radius
from dynst.domain.stability import GRADES, UNKNOWN, Stability, Variant
from dynst.errors import ConfigError, DataError
from dynst.export import write_netcdf

LINE = Sites(10.0 * np.arange(12), np.zeros(12), frame=Frame.PLANAR, unit="km")


def masks(*chosen, n=12):
    others = np.zeros((len(chosen), n), bool)
    for row, sites in zip(others, chosen, strict=True):
        row[list(sites)] = True
    return others


def stability_of_line(selected, *chosen, radius=12.0, names=None, sites=LINE):
    names = names or tuple(Variant.seed(i) for i in range(1, len(chosen) + 1))
    return Stability("by_hand", sites, np.array(selected), names, masks(*chosen, n=len(sites)), radius)


def most_pairs(near):
    """The largest one-to-one matching, by trying to pair the first of ours with each of theirs, or with none."""
    if not len(near):
        return 0
    without = most_pairs(near[1:])
    return max([without, *(1 + most_pairs(np.delete(near[1:], j, axis=1)) for j in np.flatnonzero(near[0]))])


def test_matching_is_one_to_one_within_the_radius_and_as_large_as_trying_all_finds(rng):
    for _ in range(60):
        sites = Sites(rng.uniform(0, 10, 14), rng.uniform(0, 10, 14), frame=Frame.PLANAR, unit="km")
        ours, theirs = rng.choice(14, 5, replace=False), rng.choice(14, 6, replace=False)
        radius = float(rng.uniform(0.5, 6))
        found = matching(sites, ours, theirs, radius)
        paired = found >= 0
        assert len(set(found[paired])) == paired.sum()
        assert set(found[paired]) <= set(theirs)
        apart = np.linalg.norm(sites.points[ours][:, None] - sites.points[theirs][None], axis=-1)
        assert (np.linalg.norm(sites.points[ours] - sites.points[found], axis=1)[paired] <= radius).all()
        assert paired.sum() == most_pairs(apart <= radius)


def test_a_sensor_that_both_plans_have_always_has_a_partner(rng):
    for _ in range(40):
        sites = Sites(rng.uniform(0, 10, 30), rng.uniform(0, 10, 30), frame=Frame.PLANAR, unit="km")
        ours, theirs = rng.choice(30, 8, replace=False), rng.choice(30, 8, replace=False)
        assert (matching(sites, ours, theirs, 2.0)[np.isin(ours, theirs)] >= 0).all()


def test_a_greedy_nearest_search_would_leave_a_sensor_alone_that_the_matching_pairs():
    sites = Sites(np.array([0.0, 10.0, 11.0, 21.0]), np.zeros(4), frame=Frame.PLANAR, unit="km")
    # 1 is nearest to 2, but then 0, which only 2 can stand for, and 3 have no partners of their own.
    assert matching(sites, np.array([0, 1]), np.array([2, 3]), 12.0).tolist() == [2, 3]


def test_relabelling_the_sites_relabels_the_pairs(rng):
    sites = Sites(rng.uniform(0, 10, 20), rng.uniform(0, 10, 20), frame=Frame.PLANAR, unit="km")
    ours, theirs, new = rng.choice(20, 6, replace=False), rng.choice(20, 6, replace=False), rng.permutation(20)
    back = np.argsort(new)
    moved = Sites(sites.x[back], sites.y[back], frame=Frame.PLANAR, unit="km")
    found, there = matching(sites, ours, theirs, 3.0), matching(moved, new[ours], new[theirs], 3.0)
    assert np.where(found < 0, -1, new[found]).tolist() == there.tolist()


def test_sites_on_either_side_of_the_date_line_are_near():
    sites = Sites(np.array([179.9, -179.9, 0.0]), np.zeros(3))
    assert matching(sites, np.array([0]), np.array([1]), 25.0).tolist() == [1]  # 0.2 degrees: 22.2 km
    assert matching(sites, np.array([0]), np.array([1]), 20.0).tolist() == [-1]


def test_two_sites_on_one_mast_are_the_same_place_within_a_radius_and_two_sites_without():
    sites = Sites(np.array([5.0, 5.0]), np.zeros(2), name=("low", "high"))
    assert matching(sites, np.array([0]), np.array([1]), 1.0).tolist() == [1]
    assert matching(sites, np.array([0]), np.array([1]), 0.0).tolist() == [-1]
    assert matching(sites, np.array([0, 1]), np.array([0, 1]), 1.0).tolist() == [0, 1]


@pytest.mark.parametrize(("legal", "fixed", "budget"), [(6, 0, 3), (7, 2, 4), (5, 1, 5), (4, 2, 2), (8, 0, 1)])
def test_the_overlap_by_chance_is_the_mean_over_all_pairs_of_plans(legal, fixed, budget):
    plans = [set(range(fixed)) | set(more) for more in combinations(range(fixed, legal), budget - fixed)]
    overlaps = [len(a & b) / len(a | b) for a in plans for b in plans]
    assert chance_overlap(legal, fixed, budget) == pytest.approx(np.mean(overlaps), rel=1e-12)


def test_the_overlap_by_chance_of_thousands_of_sites_neither_overflows_nor_is_off():
    # Jaccard is concave in how many are shared, which varies little here: just below its value at the mean, 10 of 1000.
    assert chance_overlap(100_000, 0, 1000) == pytest.approx(10 / 1990, rel=0.01)


def test_the_chance_of_a_plan_is_what_random_plans_show(rng):
    x, y = np.meshgrid(np.arange(12.0), np.arange(12.0))
    role = np.zeros(144, int)
    role[[0, 1]], role[[5, 6, 7]] = Role.FIXED, Role.FORBIDDEN
    sites = Sites(x.ravel(), y.ravel(), frame=Frame.PLANAR, unit="km", role=role)
    free = np.setdiff1d(sites.legal, sites.fixed)
    plans = [np.append(sites.fixed, rng.choice(free, 7, replace=False)) for _ in range(40)]
    names = tuple(Variant.seed(i) for i in range(1, 40))
    found = Stability("random", sites, plans[0], names, masks(*plans[1:], n=144), 2.0)
    exact, near = found.chance
    # 780 pairs of 40 plans of 9 sensors: as good as some hundreds of pairs of their own, thus a few thousand sensors,
    # so three standard errors are below 0.03.
    assert found.overlap("seeds") == pytest.approx(exact, abs=0.03)
    assert found.near_overlap("seeds") == pytest.approx(near, abs=0.03)
    assert replace(found, radius=0.0).near_overlap("seeds") == pytest.approx(
        replace(found, radius=0.0).chance[1], abs=0.02
    )


def test_identical_variants_leave_every_sensor_always_in_its_place():
    found = stability_of_line([3, 7], (3, 7), (7, 3), names=(Variant.seed(1), Variant.half(1)))
    assert found.grade == ("always", "always")
    assert found.overlap("seeds") == found.near_overlap("seeds") == 1.0
    assert found.substitutes == ((), ())
    assert found.words().startswith("2 of 2 sensors stay, within 12 km, whatever the seed or half of the record. Plans")


def test_far_disjoint_variants_leave_nothing_and_offer_nothing():
    found = stability_of_line([0, 1], (6, 7), (10, 11), names=(Variant.half(1), Variant.half(2)))
    assert found.grade == ("interchangeable", "interchangeable")
    assert found.overlap("halves") == found.near_overlap("halves") == 0.0
    assert found.near_frequency.tolist() == [0.0, 0.0]
    assert found.substitutes == ((), ())
    assert "0 of 2 sensors stay" in found.words()
    assert "2 are interchangeable" in found.words()


def test_one_sensor_of_a_variant_stands_for_one_sensor_of_the_plan_only():
    found = stability_of_line([4, 6], (5, 11))  # 5 is 10 km beside both
    assert found.near_frequency.sum() == 1.0
    assert found.near_overlap("seeds") == 0.5


def test_substitutes_come_most_often_first_then_nearest_with_their_share():
    found = stability_of_line([5], (6,), (6,), (4,), (5,), (7,), (11,), radius=25.0)
    ((first, second, third),) = found.substitutes
    assert first == (6, pytest.approx(2 / 6))
    assert [second[0], third[0]] == [4, 7]  # once each; 4 is 10 km away, 7 is 20 km away
    assert found.near_frequency.tolist() == [pytest.approx(5 / 6)]
    assert found.grade == ("usually",)


def test_grades_begin_at_nine_tenths_and_at_half():
    variants = [(5,)] * 9 + [(0,)]
    assert stability_of_line([5], *variants).grade == (GRADES[0],)
    assert stability_of_line([5], *variants, (1,)).grade == (GRADES[1],)  # 9 of 11
    assert stability_of_line([5], (5,), (0,)).grade == (GRADES[1],)
    assert stability_of_line([5], (5,), (0,), (1,)).grade == (GRADES[2],)


def test_a_radius_of_nothing_counts_the_very_sites(rng):
    selected = rng.choice(12, 4, replace=False)
    found = stability_of_line(selected, *(rng.choice(12, 4, replace=False) for _ in range(5)), radius=0.0)
    assert np.array_equal(found.near_frequency, found.others[:, selected].mean(axis=0))
    assert found.substitutes == ((),) * 4
    assert "at the same sites" in found.words()


def test_a_larger_radius_never_lowers_a_share_of_common_sensors(rng):
    selected, others = rng.choice(12, 4, replace=False), [rng.choice(12, 4, replace=False) for _ in range(6)]
    shares = [
        stability_of_line(selected, *others, radius=radius).near_overlap("seeds")
        for radius in (0.0, 10.0, 20.0, 45.0, 200.0)
    ]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_overlap_of_seeds_pairs_all_plans_that_of_halves_only_the_two_and_that_of_quarters_each_with_the_plan():
    kinds = (Variant.seed, Variant.half, Variant.without_quarter)
    names = tuple(kind(number) for kind in kinds for number in (1, 2))
    found = stability_of_line([0, 5], (0, 5), (0, 8), (0, 5), (2, 10), (0, 9), (4, 5), names=names, radius=0.0)
    assert found.overlap("seeds") == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert found.overlap("halves") == 0.0
    assert found.overlap("quarters") == pytest.approx(1 / 3)
    assert found.near_overlap("quarters") == 0.5
    assert np.isnan(stability_of_line([0, 5], (0, 5)).overlap("halves"))
    with pytest.raises(ConfigError, match="halfs"):
        found.overlap("halfs")


def test_exact_overlap_is_that_of_plans():
    plans = [Plan(np.array(order), np.ones(3), 3, LINE, "by_hand") for order in ([0, 4, 8], [4, 8, 1])]
    assert stability_of_line([0, 4, 8], (4, 8, 1)).overlap("seeds") == plans[0].overlap(plans[1])


def test_without_variants_nothing_is_claimed():
    found = Stability("by_hand", LINE, np.array([1]), (), masks(), 10.0, (("first half", "too short"),))
    assert found.grade == (UNKNOWN,)
    assert np.isnan(found.near_frequency).all()
    assert found.words() == "How stable the plan is is not known: nothing could be varied (first half)."
    assert Stability.from_dataset(found.to_dataset()).left_out == (("first half", "too short"),)


def test_the_usual_radius_is_a_quarter_of_the_spacing_of_the_sensors_and_no_less_than_that_of_the_sites():
    longitude, latitude = np.meshgrid(np.arange(0.0, 10.0, 0.25), np.arange(-5.0, 5.0, 0.25))
    sites = Sites(longitude.ravel(), latitude.ravel())
    side = 10 * 111.195  # km of ten degrees at the equator
    assert usual_radius(sites, 16) == pytest.approx(side / 4 / 4, rel=0.12)  # a disc on a coarse grid, two digits
    assert usual_radius(sites, 1600) == pytest.approx(0.25 * 111.195, rel=0.05)  # two digits, rounded up
    moved = Sites((longitude.ravel() + 175 + 180) % 360 - 180, latitude.ravel())
    assert usual_radius(moved, 16) == usual_radius(sites, 16)


def test_places_that_nobody_knows_are_never_near():
    drawn = Sites(np.arange(5.0), np.zeros(5), frame=Frame.SCHEMATIC)
    assert usual_radius(drawn, 2) == 0.0
    with pytest.raises(DataError, match="unknown"):
        stability_of_line([1], (2,), radius=1.0, sites=drawn)


def test_a_file_gives_back_the_same(tmp_path):
    import xarray as xr

    role = np.zeros(12, int)
    role[[2, 3]] = Role.FIXED, Role.FORBIDDEN
    names = (Variant.seed(1), Variant.half(1))
    found = stability_of_line([2, 7], (2, 8), (2, 7), names=names, sites=LINE.with_role(role))
    found = replace(found, left_out=(("second half", 'no value: "a", <b>'),))
    write_netcdf(found.to_dataset(), tmp_path / "stability.nc")
    with xr.open_dataset(tmp_path / "stability.nc") as opened:
        again = Stability.from_dataset(opened.load())
    assert (again.planner, again.variants, again.radius, again.left_out) == (
        found.planner,
        found.variants,
        found.radius,
        found.left_out,
    )
    assert np.array_equal(again.others, found.others)
    assert again.selected.tolist() == [2, 7]
    assert again.sites.fingerprint == found.sites.fingerprint
    assert again.sites.name == found.sites.name
    assert again.words() == found.words()


def test_a_file_of_an_older_form_tells_the_kinds_by_the_names():
    kinds = (Variant.seed, Variant.half, Variant.without_quarter)
    names = tuple(kind(number) for kind in kinds for number in (1, 2))
    found = stability_of_line([2, 7], *[(2, 8)] * 6, names=names)
    data = found.to_dataset()
    assert Stability.from_dataset(data.drop_vars("kind")).variants == Stability.from_dataset(data).variants == names
    with pytest.raises(DataError, match="kind of variant"):
        Stability.from_dataset(data.drop_vars("kind").assign(variant=data["variant"].astype(object) + "s"))


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (lambda d: d.drop_vars("chosen"), "no stability"),
        (lambda d: d.assign(kind=("variant", np.array(["thirds"], object))), "kind of variant"),
        (lambda d: d.assign(chosen=d["chosen"] * 2), "0 or 1"),
        (lambda d: d.assign(chosen=1 - d["chosen"]), "frequencies"),
        (lambda d: d.assign(radius=-1.0), "radius"),
        (lambda d: d.assign(x=d["x"] + 1), "fingerprint"),
        (lambda d: d.assign_attrs(left_out="{"), "no stability"),
        (lambda d: d.assign(order=d["order"] * 0), "twice"),
    ],
)
def test_a_damaged_file_is_refused(damage, word):
    with pytest.raises(DataError, match=word):
        Stability.from_dataset(damage(stability_of_line([2, 7], (2, 8)).to_dataset()))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"selected": np.array([12])}, "below 12"),
        ({"selected": np.array([1, 1])}, "twice"),
        ({"variants": (Variant.seed(1), Variant.seed(2))}, "names of their own"),
        ({"radius": float("nan")}, "radius"),
    ],
)
def test_parts_that_do_not_fit_are_refused(change, word):
    with pytest.raises(DataError, match=word):
        replace(stability_of_line([2, 7], (2, 8)), **change)
