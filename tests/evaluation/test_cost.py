"""Rows of what a forecast costs: their count, their figures, and what they say of a mask that saves nothing."""

import json

import numpy as np
import pytest
import torch

from dynst.domain import Field, GraphLayout, GridLayout, Sites, Window
from dynst.domain.graphs import nearest_neighbours
from dynst.errors import BudgetError, ConfigError
from dynst.evaluation.cost import forecast_cost

N, WINDOW = 16, Window(2, 1)


def field_on(kind: str) -> Field:
    y, x = np.divmod(np.arange(N, dtype=float), 4)
    sites = Sites(x, y)
    layout = GridLayout((4, 4), np.arange(N)) if kind == "grid" else nearest_neighbours(sites, 3)
    assert isinstance(layout, GridLayout | GraphLayout)
    return Field.of(np.random.default_rng(0).standard_normal((12, N, 1)), sites, layout)


@pytest.mark.parametrize(
    ("kind", "forms"), [("grid", ["dense", "masked", "masked"]), ("graph", ["dense", *["masked", "removed"] * 2])]
)
def test_a_row_for_each_form_that_the_backbone_knows_and_each_budget(kind, forms):
    rows = forecast_cost(field_on(kind), WINDOW, [4, 8], repeats=1)
    assert [row["form"] for row in rows] == forms
    assert [row["sensors"] for row in rows if row["form"] == "masked"] == [8, 4]
    assert all(row["sparsity"] == 1 - row["sensors"] / N for row in rows)
    assert json.loads(json.dumps(rows)) == rows  # JSON types


def test_ratios_are_those_of_the_seconds_and_a_forecast_is_one_pass():
    rows = forecast_cost(field_on("graph"), WINDOW, [4], repeats=3)
    assert all(row["seconds"] > 0 and row["passes"] == 1 for row in rows)
    assert rows[0]["times_dense"] == 1
    for row in rows[1:]:
        assert row["times_dense"] == pytest.approx(rows[0]["seconds"] / row["seconds"])


def test_a_mask_on_a_grid_is_said_to_save_nothing():
    dense, masked = forecast_cost(field_on("grid"), WINDOW, [4], repeats=1)
    assert "saves no time" in masked["note"]
    assert masked["parameters"] == dense["parameters"]


def test_memory_is_what_the_caller_measures_and_unknown_otherwise():
    calls = []

    def grown(forecast):
        calls.append(forecast().shape)
        return 2.5 if len(calls) == 1 else float("nan")

    rows = forecast_cost(field_on("grid"), WINDOW, [4], batch=3, repeats=1, grown=grown)
    assert [row["peak_mb"] for row in rows] == [2.5, None]
    assert calls == [(3, 1, N, 1)] * 2  # 3 windows, 1 step ahead, every site, 1 channel
    assert all(row["peak_mb"] is None for row in forecast_cost(field_on("grid"), WINDOW, [4], repeats=1))


def test_the_number_of_threads_is_as_before():
    before = torch.get_num_threads()
    forecast_cost(field_on("grid"), WINDOW, [4], repeats=1)
    assert torch.get_num_threads() == before


def test_wrong_names_and_budgets_are_one_line():
    with pytest.raises(ConfigError, match="stlight"):
        forecast_cost(field_on("grid"), WINDOW, [4], "stlite")
    with pytest.raises(BudgetError):
        forecast_cost(field_on("grid"), WINDOW, [N + 1])
