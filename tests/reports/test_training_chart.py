"""Births and deaths of the mask: a site's bars are the steps at which it was in it, whatever it did in between."""

import csv

import numpy as np
import pytest
import vl_convert

from dynst.domain import Plan, Sites
from dynst.reports.training_chart import active_chart, lives, lives_chart, loss_chart, swap_chart


def plan_of(selected, n=6):
    order = np.r_[selected, np.setdiff1d(np.arange(n), selected)]
    return Plan(order, np.linspace(2, 1, n), len(selected), Sites(np.arange(n, dtype=float), np.zeros(n)), "dynst")


def random_log(rng, n=30, steps=40, start=None):
    """A log of random births and deaths, and the mask after each step: the slow, obviously right way."""
    active = set(range(n)) if start is None else set(start)
    log, masks = [], []
    for step in range(steps):
        deaths = [site for site in sorted(active) if rng.random() < 0.1]
        births = [site for site in range(n) if site not in active and rng.random() < 0.1]
        active = (active - set(deaths)) | set(births)
        loss = 1.0 / (1 + step)
        log.append({"step": step, "n_active": len(active), "births": births, "deaths": deaths, "loss": loss})
        masks.append(set(active))
    return log, masks


def test_lives_say_which_sites_were_in_the_mask_after_every_step(rng):
    log, masks = random_log(rng)
    found = lives(log, plan_of([0], 30))
    for step, mask in enumerate(masks[:-1]):
        there = {life.site for life in found if (life.start <= step or life.start == 0) and step < life.stop}
        born_at_first = set(log[0]["deaths"])
        assert there - born_at_first == mask - born_at_first, step
    assert {life.site for life in found if life.stayed} == masks[-1]


def test_a_mask_that_begins_small_counts_what_its_plan_kept(rng):
    log = [
        {"step": 0, "n_active": 2, "births": [], "deaths": []},
        {"step": 1, "n_active": 2, "births": [4], "deaths": [1]},
    ]
    found = {(life.site, life.start, life.stop, life.stayed) for life in lives(log, plan_of([0, 4]))}
    assert found == {(0, 0, 1, True), (1, 0, 1, False), (4, 1, 1, True)}


def test_no_training_has_no_lives():
    assert lives([], plan_of([0])) == []


def values_of(chart):
    return [
        row
        for data in chart.to_dict().get("datasets", {}).values()
        for row in (csv.DictReader(data.splitlines()) if isinstance(data, str) else data)
    ] or [row for layer in chart.to_dict()["layer"] for row in layer["data"]["values"]]


def test_the_sensors_of_the_plan_come_first_by_rank_and_few_others_are_drawn(rng):
    log, masks = random_log(rng, n=100)
    plan = plan_of([7, 3, 90], 100)
    chart = lives_chart(log, plan)
    rows = values_of(chart)
    order = list(dict.fromkeys(row["name"] for row in sorted(rows, key=lambda row: int(row["row"]))))
    assert order[:3] == [plan.sites.name[site] for site in (7, 3, 90)]
    assert len(order) == 48
    kept = len(masks[-1] & {7, 3, 90})
    words = " ".join(chart.title.subtitle)
    assert f"{kept} of the 3 sensors" in words or kept == 3
    assert "52 sites that left earlier" in words  # 100 - 48
    assert "<svg" in vl_convert.vegalite_to_svg(chart.to_json())


def test_births_and_deaths_are_counted_at_each_update(rng):
    log, _ = random_log(rng)
    rows = values_of(swap_chart(log))
    for key, sign in (("births", 1), ("deaths", -1)):
        drawn = {int(row["step"]): int(row["sites"]) for row in rows if row["kind"] == key}
        assert drawn == {line["step"]: sign * len(line[key]) for line in log if line[key]}


def test_the_number_of_active_sites_is_drawn_where_it_changes():
    counts = [9, 9, 9, 4, 4, 2, 2]
    log = [{"step": i, "n_active": count} for i, count in enumerate(counts)]
    rows = values_of(active_chart(log))
    assert [(row["step"], row["active"]) for row in rows] == [(0, 9), (3, 4), (5, 2), (6, 2)]


@pytest.mark.parametrize(("steps", "points", "together"), [(3, 3, 1), (800, 800, 1), (801, 401, 2), (2400, 800, 3)])
def test_a_long_training_is_drawn_as_means_of_few_steps(steps, points, together):
    log = [{"step": i, "loss": float(i)} for i in range(steps)]
    rows = values_of(loss_chart(log))
    assert len(rows) == points
    assert rows[0]["loss"] == (together - 1) / 2  # the mean of 0 ... together - 1


def test_validation_is_drawn_where_it_was_measured():
    log = [{"step": i, "loss": 1.0, "valid_error": 0.5 if i == 2 else None} for i in range(4)]
    assert [row["step"] for row in values_of(loss_chart(log)) if row["kind"] == "validation"] == [2]
