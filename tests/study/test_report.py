"""A page is filled from the run folder alone, says what its answer rests on, and lasts with older folders."""

import json

import numpy as np
import pytest

from dynst.domain import Curve, Frame, GridLayout, Plan, Sites
from dynst.errors import CheckpointError, ConfigError
from dynst.export import save_plan, write_netcdf
from dynst.runs import Run
from dynst.study.page import page_of

N, BUDGET, BUDGETS = 24, 4, (2, 4, 8)
NAMES = ("mine", "other", "uniform_random", "floor", "ceiling", "persistence", "climatology")
FACTS = {
    "data": {
        "name": "lake",
        "sites": N,
        "layout": f"{N} of a 4 x 6 grid",
        "on_grid": True,
        "covariates": [],
        "frame": "planar",
        "steps": 90,
        "runs": 3,
        "cases": [],
        "cadence": "1 h",
        "first": "2020-01-01 00:00",
        "last": "2020-01-05 00:00",
        "missing_share": 0.125,
        "channels": [{"name": "u", "units": "m s-1", "long_name": "wind", "observe": True, "predict": True}],
        "notes": ["two rows were joined"],
        "fingerprint": "f00d",
    },
    "window": {"history": 3, "horizon": 2, "stride": 1},
    "split": {
        "train": {"steps": 50, "windows": 46},
        "validation": {"steps": 16, "windows": 12},
        "test": {"steps": 16, "windows": 12},
        "how": "in time order",
        "kind": "time",
    },
    "budget": {"sensors": BUDGET, "sparsity": 1 - BUDGET / N},
    "planner": {"name": "mine", "why": "as asked", "backbone": "stlight"},
}
ERRORS = {"mine": 1.0, "other": 1.2, "uniform_random": 1.5, "floor": 2.0, "ceiling": 0.9, "persistence": 0.5}


def curve_of(names=NAMES, budgets=BUDGETS, seeds=1, factor=1.0, extra=None, **parts):
    """The errors of `ERRORS` times `factor`, at every budget; `mine` is better than all others."""
    rmse = np.array([factor * ERRORS.get(name, 2.0) for name in names])
    values = np.broadcast_to(rmse[:, None, None, None, None], (len(names), len(budgets), 2, 1, seeds)).copy()
    difference = 100 * (rmse[:, None] / rmse[None, :] - 1)
    change = np.repeat(difference[..., None], len(budgets), axis=2)
    windows = np.broadcast_to(rmse[:, None, None] ** 2, (len(names), len(budgets), 12)).astype(np.float32)
    word = np.where(change < 0, "better", np.where(change > 0, "worse", "tie")).astype(object)
    return Curve.of(
        {"rmse": values, "mae": values, "bias": 0 * values},
        planners=names,
        budgets=budgets,
        n=N,
        channels=["u"],
        units=["m s-1"],
        total=values.mean(axis=(2, 3)),
        comparison={"difference": change, "low": change - 1, "high": change + 1, "verdict": word},
        against=names,
        extra={"window_error": (("planner", "sparsity", "window"), windows), **(extra or {})},
        **parts,
    )


def plan_of(planner="mine", first=0, **provenance):
    sites = Sites(np.arange(N) % 6.0, np.arange(N) // 6.0, frame=Frame.PLANAR)
    order = np.roll(np.arange(N), -first)
    return Plan(order, np.linspace(1, 0.1, N), BUDGET, sites, planner, provenance={"seed": 0, **provenance})


@pytest.fixture
def folder(tmp_path):
    """A run folder made by hand: two plans, a curve, a log, what a run says of itself."""
    path = tmp_path / "lake-mine-1"
    layout = GridLayout((4, 6), np.arange(N))
    for file, plan in {"plan": plan_of(), "plans/mine": plan_of(), "plans/other": plan_of("other", 5)}.items():
        (path / f"{file}.nc").parent.mkdir(parents=True, exist_ok=True)
        save_plan(plan, layout, path / f"{file}.nc")
    put(curve_of(), path / "curve.nc")
    (path / "study.toml").write_text('[data]\npath = "lake.nc"\n\n[judge]\ntolerance = 20.0\n')
    lines = [{"step": i, "steps": 3, "phase": "pruning", "loss": 3.0 - i, "rate": 0.1, "births": []} for i in range(3)]
    lines += [{"planner": "mine", "seconds": 2.5}, {"planner": "other", "seconds": 0.25}]
    (path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"half')
    about = {"dynst": "9.9", "commit": "abc", "seed": 7, "command": "dynst fit lake.toml", "device": "cpu"}
    about |= {"data": {"path": "lake.nc", "fingerprint": "f00d"}, "facts": FACTS, "skipped": {"forward": "too big"}}
    (path / "provenance.json").write_text(json.dumps(about))
    return path


def put(curve, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_netcdf(curve.to_dataset(), path)


def test_everything_in_the_folder_is_on_the_page(folder):
    page = page_of(Run(folder))
    assert (page.title, page.run) == ("lake-mine-1: 4 places to measure", "lake-mine-1")
    assert ", 33.3 % less than from random places" in page.headline  # 1.0 / 1.5 - 1
    assert list(page.plans) == ["mine", "other"]
    assert page.plan.selected.tolist() == [0, 1, 2, 3]
    assert page.plans["other"].selected.tolist() == [5, 6, 7, 8]
    assert page.layout.shape == (4, 6)
    assert list(page.curves) == ["the space-time forecaster"]
    assert [row["loss"] for row in page.training] == [3.0, 2.0, 1.0]
    assert "rate" not in page.training[0]
    costs = {row["planner"]: row["planning (s)"] for row in page.costs}
    assert costs == {"mine": 2.5, "other": 0.25}
    assert page.stability is None


def test_the_data_card_says_missing_values_gaps_split_and_embargo(folder):
    card = page_of(Run(folder)).facts
    facts = dict(card)
    assert facts["missing"].startswith("12.5% of the values")
    assert facts["gaps"] == "2"
    assert facts["split"] == "train 46, validation 12, test 12 windows, in time order"
    assert facts["embargo"].startswith("4 steps")  # history 3 + horizon 2 - 1
    assert ("note", "two rows were joined") in card
    assert ("channel", "u: wind") in card


def test_the_run_can_be_repeated_from_what_the_page_says(folder):
    found = dict(page_of(Run(folder)).provenance)
    assert found["dynst"] == "9.9, commit abc"
    assert (found["seed"], found["command"]) == ("7", "dynst fit lake.toml")
    assert found["study.toml"] == (folder / "study.toml").read_text().strip()
    assert "dynst fit study.toml" in found["to repeat"]


def test_the_tolerance_of_the_study_is_that_of_the_answer(folder):
    (enough,) = [line for line in page_of(Run(folder)).sentences if "what a sensor at every site wins" in line]
    assert enough.startswith("2 sensors")  # 1.0 is 91 % of the way from 2.0 to 0.9
    assert "win 80 %" in enough
    (folder / "study.toml").write_text("tolerance = [")
    (enough,) = [line for line in page_of(Run(folder)).sentences if "what a sensor at every site wins" in line]
    assert enough.startswith("Not even 8 sensors")
    assert "win 95 %" in enough


def test_caveats_are_skipped_planners_few_windows_and_notes_of_the_planner(folder):
    save_plan(plan_of(warnings=["it did not converge"], sites_silent_in_training=2), None, folder / "plan.nc")
    notes = page_of(Run(folder)).notes
    assert "forward was skipped: too big" in notes
    assert "it did not converge" in notes
    assert any(note.startswith("2 sites report nothing") for note in notes)
    assert any("12 windows only" in note for note in notes)
    assert any("may be chance in more than 5 %" in note for note in notes)
    assert len(set(notes)) == len(notes)


def test_a_plan_that_could_not_be_judged_somewhere_is_a_caveat_with_its_reason(folder):
    reason = np.full((len(NAMES), len(BUDGETS)), "", object)
    reason[1, 2] = "the plan ranks 4 sites only"
    put(curve_of(reason=reason), folder / "curve.nc")
    assert (
        "the space-time forecaster: other was not judged at 8 sensors: the plan ranks 4 sites only"
        in page_of(Run(folder)).notes
    )


def test_the_comparison_is_the_better_evidence_and_is_said_to_be_what_the_answer_rests_on(folder):
    cut = next(line for line in page_of(Run(folder)).sentences if "rests on" in line)
    assert "cut short or extended" in cut
    assert "1 seed of" in cut
    put(curve_of(budgets=(1, BUDGET), seeds=3, factor=2.0), folder / "compare" / "curve.nc")
    put(curve_of(budgets=(BUDGET,), factor=3.0), folder / "curve_refit.nc")
    page = page_of(Run(folder))
    anew = next(line for line in page.sentences if "rests on" in line)
    assert "planned anew for each number of sensors" in anew
    assert "3 seeds of" in anew
    assert [(judge, curve.budgets) for judge, curve in page.curves.items()] == [
        ("the space-time forecaster", (1, BUDGET)),
        ("a network trained afresh for each plan", (BUDGET,)),
    ]
    assert any("a network trained afresh for each plan" in line for line in page.sentences)


def test_a_comparison_without_the_plan_or_its_budget_is_passed_over(folder):
    for other in (curve_of(budgets=(1, 2)), curve_of(names=("other", *NAMES[2:]))):
        put(other, folder / "compare" / "curve.nc")
        assert page_of(Run(folder)).curves["the space-time forecaster"].budgets == BUDGETS


def test_plans_of_the_comparison_fill_in_for_planners_that_the_fit_left_out(folder):
    for name, first in (("other", 9), ("third", 10)):
        for seed, start in ((11, first + 2), (7, first)):  # a study of seed 7, whose comparison used 7 to 11
            path = folder / "compare" / "plans" / f"{name}-k{BUDGET}-s{seed}.nc"
            path.parent.mkdir(parents=True, exist_ok=True)
            save_plan(plan_of(name, start), None, path)
    plans = page_of(Run(folder)).plans
    assert list(plans) == ["mine", "other", "third"]
    assert Run(folder).plan_by("third").order[0] == 10  # as the headline says: dynst export-map --planner third
    assert (plans["other"].order[0], plans["third"].order[0]) == (5, 10)


def test_long_lists_of_a_plan_stay_in_its_file(folder):
    save_plan(plan_of(warnings=["one"], updates=list(range(9))), None, folder / "plan.nc")
    shown = dict(page_of(Run(folder)).provenance)["plan"]
    assert json.loads(shown) == {"seed": 0, "warnings": ["one"], "updates": "9 entries, in plan.nc"}


def test_one_network_for_each_plan_is_said_to_be_few(folder):
    put(curve_of(budgets=(BUDGET,)), folder / "curve_refit.nc")
    assert any("one network for each plan" in note for note in page_of(Run(folder)).notes)
    put(curve_of(budgets=(BUDGET,), seeds=3), folder / "curve_refit.nc")
    assert not any("one network for each plan" in note for note in page_of(Run(folder)).notes)


def test_costs_of_the_curve_stand_before_those_of_the_log(folder):
    dims, shape = ("planner", "sparsity", "seed"), (len(NAMES), len(BUDGETS), 1)
    seconds, judging = np.full(shape, np.nan), np.full(shape, 0.5)
    seconds[0] = 9.0
    extra = {"plan_seconds": (dims, seconds), "judge_seconds": (dims, judging)}
    put(curve_of(extra=extra), folder / "curve.nc")
    rows = {row["planner"]: row for row in page_of(Run(folder)).costs}
    assert rows["mine"] == {"planner": "mine", "planning (s)": 9.0, "judging (s)": 0.5}
    assert rows["other"]["planning (s)"] == 0.25
    assert np.isnan(rows["floor"]["planning (s)"])


def test_a_plan_without_anything_beside_it_has_a_page_that_says_so(folder):
    put(curve_of(names=("mine", "floor", "ceiling")), folder / "curve.nc")
    page = page_of(Run(folder))
    assert "nothing was compared" in page.headline
    assert page.sentences[-1] == "To find out, run: dynst compare lake-mine-1"
    assert list(page.curves) == ["the space-time forecaster"]


def test_a_folder_of_an_older_form_has_a_page_too(folder):
    for name in ("curve.nc", "study.toml", "log.jsonl"):
        (folder / name).unlink()
    for about in ({"dynst": "0.0.1"}, {"facts": {"data": {"name": "lake"}}, "skipped": None}):
        (folder / "provenance.json").write_text(json.dumps(about))
        page = page_of(Run(folder))
        assert "no forecast was judged" in page.sentences[0]
        assert (page.curves, page.training, page.costs) == ({}, (), ())
    assert "does not know" in dict(page.facts)["data"]


def test_facts_of_an_older_form_give_the_same_card(folder):
    card = page_of(Run(folder)).facts
    about = json.loads((folder / "provenance.json").read_text())
    del about["facts"]["data"]["on_grid"], about["facts"]["split"]["kind"]
    about["facts"]["split"]["by_run"] = False
    (folder / "provenance.json").write_text(json.dumps(about))
    assert page_of(Run(folder)).facts == card
    assert dict(card)["sites"] == "24 of a 4 x 6 grid"


@pytest.mark.parametrize("reason", [{"skipped": "not asked for"}, "skipped: not asked for"], ids=["now", "older form"])
def test_a_step_that_was_left_out_is_a_caveat_and_one_that_was_made_is_none(folder, reason):
    made = {"sweeps": 1, "swaps": 2}
    save_plan(plan_of(polish=reason, exact_sweep=made), None, folder / "plan.nc")
    notes = page_of(Run(folder)).notes
    assert "polish: skipped: not asked for" in notes
    assert not any("exact_sweep" in note for note in notes)


@pytest.mark.parametrize("name", ["curve.nc", "plan.nc", "plans/other.nc", "provenance.json", "curve_refit.nc"])
def test_a_damaged_file_is_named(folder, name):
    (folder / name).write_bytes(b"\x00damaged")
    with pytest.raises(CheckpointError, match=name.replace(".", r"\.")):
        page_of(Run(folder))


def test_the_plan_of_any_planner_can_be_had_by_name(folder):
    run = Run(folder)
    assert run.planners == ("mine", "other")
    assert run.plan_by("other").planner == "other"
    assert run.plan_by("mine").selected.tolist() == run.plan.selected.tolist()
    with pytest.raises(ConfigError, match=r'planner "othr" is unknown. Did you mean "other"'):
        run.plan_by("othr")
    with pytest.raises(ConfigError, match="unknown"):
        run.plan_by("../plan")
