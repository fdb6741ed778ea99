"""The results page says what its files say: losses among the losses, each record once, one pick by validation alone."""

import importlib.util
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
ROUNDING = 0.11  # two figures of one decimal


@pytest.fixture(scope="module")
def pages():
    path = ROOT / "benchmarks" / "results_page.py"
    spec = importlib.util.spec_from_file_location("results_page", path)
    sys.modules["results_page"] = module = importlib.util.module_from_spec(spec)  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def file_of(pages, record, *, ours, p=0.5, valid=None, origin="0.5"):
    """A file in which all other planners have an error of 1, at two budgets under both judges."""
    others = pages.PLANNED[1:]
    found = {"difference": 100 * (ours - 1), "low": 100 * (ours - 1) - 2, "high": 100 * (ours - 1) + 2, "p": p}

    def cell(judge, budget):
        return {
            "judge": judge,
            "budget": budget,
            "windows": 30,
            "climatology": 2.0,
            "errors": {pages.OURS: [ours], **{name: [1.0] for name in others}, pages.RANDOM: [0.5, 1.5]},
            "valid": dict.fromkeys(pages.BASELINES, 1.0) | (valid or {}),
            "against": dict.fromkeys(others, found),
        }

    cells = [cell(judge, budget) for judge in pages.JUDGES for budget in (5, 10)]
    facts = {"record": record, "origin": origin, "sites": 30, "window": [4, 2], "calendar": "day"}
    return facts | {"cells": cells}


def section(text, title):
    """What stands below a heading."""
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def table_row(text, first):
    """The texts of the first row of a table that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {first} |"))
    return [part.strip() for part in line.strip("|").split("|")]


def test_each_record_counts_once(pages):
    found = [file_of(pages, "one", ours=0.9, origin=origin) for origin in ("0.5", "0.65", "0.8")]
    found.append(file_of(pages, "two", ours=0.8))
    logs = [100 * math.log(0.9), 100 * math.log(0.8)]
    row = table_row(section(pages.page(found), "Over all records"), "A-optimal")
    assert row[1] == f"{np.mean(logs):+.1f} +- {np.std(logs, ddof=1) / math.sqrt(2):.1f}"
    assert row[4] == "8 of 8"
    assert row[5] == f"{-np.mean(logs):.1f}"  # ours is the best everywhere, so theirs is its lead


def test_the_error_of_random_plans_is_the_mean_of_the_draws(pages):
    text = section(pages.page([file_of(pages, "one", ours=0.9)]), "Over all records")
    assert table_row(text, "random")[1] == f"{100 * math.log(0.9):+.1f}"


def test_a_cell_that_is_worse_stands_among_the_losses(pages):
    found = [file_of(pages, "good", ours=0.9), file_of(pages, "bad", ours=1.25, p=1e-6)]
    losses = section(pages.page(found), "Losses")
    assert "bad, origin 0.5, 5 sensors, `linear`: +25.0 % (+23.0 to +27.0) to A-optimal" in losses
    assert table_row(losses, "bad")[2] == "+22.3"  # 100 ln 1.25
    assert "good" not in losses
    assert "A-optimal: +5.9 %; asked for -0.7 % at most." in losses  # mean of 22.3 and -10.5
    assert "2 of 4 cells significantly worse; asked for 1 of 20 at most." in losses


def test_one_word_in_many_cells_is_no_loss_after_the_correction(pages):
    found = [file_of(pages, f"r{i}", ours=1.1, p=0.02) for i in range(4)]
    met = pages.meetings([cell for cell in pages.cells_of(found) if cell.judge == "linear"])
    assert [one.is_worse for one in met] == [False] * 8  # 8 x 0.02
    assert all(one.seems_worse for one in met)


def test_validation_alone_picks_the_baseline(pages):
    made = file_of(pages, "one", ours=0.9, valid={"coverage": 0.4, "forward": 0.3})
    assert {cell.picked for cell in pages.cells_of([made])} == {"forward"}


def test_a_planner_that_stopped_leaves_the_others_in_place(pages):
    made = file_of(pages, "large", ours=0.9)
    for cell in made["cells"]:
        for part in ("errors", "valid", "against"):
            del cell[part]["mutual_information"]
    text = pages.page([made, file_of(pages, "small", ours=0.8)])
    assert table_row(section(text, "Over all records"), "MI")[4] == "2 of 2"
    assert table_row(text.split("### large", 1)[1], "linear")[7] == "-"


def test_the_same_files_give_the_same_page_and_picture(pages, tmp_path):
    for record, ours in (("one", 0.9), ("two", 1.1)):
        (tmp_path / f"{record}.json").write_text(json.dumps(file_of(pages, record, ours=ours)))
    written = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        pages.write(tmp_path, tmp_path / name / "results.md")
        written.append([(tmp_path / name / file).read_text() for file in ("results.md", pages.PICTURE)])
    assert written[0] == written[1]
    assert written[0][1].startswith("<svg")


@pytest.mark.parametrize("judge", ["linear", "ridge"])
@pytest.mark.parametrize("column", [4, 5, 6, 7, 8, 9, 10])
def test_the_headline_of_the_committed_page_is_the_mean_of_its_records(judge, column):
    text = (ROOT / "docs" / "results.md").read_text()
    records = section(text, "Record by record").split("\n### ")[1:]
    rows = [[line.strip("|").split("|") for line in part.splitlines() if f"| {judge} |" in line] for part in records]
    head = next(line for line in records[0].splitlines() if line.startswith("| judge")).strip("|").split("|")
    means = [np.mean([float(row[column]) for row in some]) for some in rows if some[0][column].strip() != "-"]
    summary = section(text, "Over all records").split("\n### ")[1 if judge == "linear" else 2]
    shown = float(re.match(r"[-+][\d.]+", table_row(summary, head[column].strip())[1])[0])
    assert shown == pytest.approx(np.mean(means), abs=ROUNDING)
    assert len(records) >= 10


def test_the_committed_page_has_short_lines():
    assert not [line for line in (ROOT / "docs" / "results.md").read_text().splitlines() if len(line) > 100]
