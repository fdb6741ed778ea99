"""The map of a forecast: a panel a quantity, each with its own shades; zero is the middle of an error."""

import numpy as np
import pytest

from dynst.domain import GridLayout, Plan, Sites
from dynst.domain.graphs import nearest_neighbours
from dynst.export.picture import png_of
from dynst.reports.forecast_chart import Panel, forecast_map
from dynst.reports.raster import BOTH_WAYS


def plan_of(rows=5, columns=6):
    latitude, longitude = np.meshgrid(np.linspace(60, 40, rows), np.linspace(-10, 20, columns), indexing="ij")
    sites = Sites(longitude.ravel(), latitude.ravel())
    return Plan(np.arange(4) * 7, np.arange(4.0)[::-1], 4, sites, "by_hand")


def panels_of(n):
    values = np.linspace(99_000, 103_000, n)
    values[3] = np.nan
    return [
        Panel("mean", values, "msl (Pa)"),
        Panel("deviation", np.linspace(100, 900, n), "deviation (Pa)"),
        Panel("error", np.linspace(-300, 900, n), "error (Pa)", signed=True),
    ]


@pytest.mark.parametrize("grid", [True, False])
def test_each_panel_has_its_own_legend_and_sensors_that_are_silent_show(grid):
    plan = plan_of()
    layout = GridLayout((5, 6), np.arange(30)) if grid else nearest_neighbours(plan.sites, 4)
    heard = np.array([True, False, True, True])
    chart = forecast_map(plan, layout, panels_of(30), heard=heard, title="Tomorrow")
    text = chart.to_json()
    for legend in ("msl (Pa)", "deviation (Pa)", "error (Pa)"):
        assert legend in text
    assert "silent sensor" in text
    assert "e+5" not in text  # labels count in full
    assert all(colour in text for colour in BOTH_WAYS)
    assert png_of(chart).startswith(b"\x89PNG")


def test_zero_is_the_middle_of_the_shades_of_an_error():
    from dynst.reports.forecast_chart import _shades

    shades = _shades(Panel("error", np.array([-1.0, 0.0, 3.0]), "error", signed=True))
    assert shades.level[1] == 0.5
    assert shades.level[0] > 0.3
