"""CSV that a spreadsheet opens without harm and a script reads without thought."""

import csv
import io

import numpy as np
import pandas
import pytest

from dynst.domain import Frame, GridLayout, Plan, Role, Sites
from dynst.export import render

NAMES = ("=1+1", "+x", "-x", "@SUM(A1)", "\t=1", " =1", "\uff1dA1", 'plain, "quoted"')


def plan_of(**frame):
    role = np.array([0, 0, Role.FIXED, 0, 0, 0, 0, 0], np.int8)
    sites = Sites(np.arange(8.0) * 3 - 12, np.full(8, -5.0), name=NAMES, role=role, **frame)
    return Plan(np.array([2, 0, 1, 3, 4, 5, 6, 7]), np.linspace(1, 0.3, 8), 8, sites, "by_hand")


def rows(plan, **options):
    return list(csv.DictReader(io.StringIO(render(plan, "csv", **options).decode())))


def test_no_name_can_run_as_a_formula():
    for row in rows(plan_of()):
        assert row["name"].lstrip()[0] not in "=+-@\uff1d", row["name"]
        assert row["name"].removeprefix("'") in NAMES


def test_numbers_survive_the_way_out_and_back():
    plan = plan_of()
    table = pandas.read_csv(io.BytesIO(render(plan, "csv")))
    assert table["rank"].tolist() == list(range(1, 9))
    assert table["site"].tolist() == plan.order.tolist()
    assert table["importance"].tolist() == plan.importance.tolist()
    assert table["longitude"].tolist() == plan.sites.x[plan.order].tolist()
    assert table["latitude"].tolist() == plan.sites.y[plan.order].tolist()
    assert table["role"].tolist() == ["existing", *["new"] * 7]


def test_cells_are_given_where_the_grid_is_known_and_only_there():
    layout = GridLayout((1, 8), np.arange(8))
    assert rows(plan_of(), layout=layout)[1]["cell_west"] == "-13.5"
    assert not any(column.startswith("cell") for column in rows(plan_of())[0])


def test_a_plane_has_metres_and_no_longitude():
    row = rows(plan_of(frame=Frame.PLANAR), layout=GridLayout((1, 8), np.arange(8)))[0]
    assert float(row["x_m"]) == -6.0
    assert row["cell_x_min"] == "-7.5"
    assert "longitude" not in row


@pytest.mark.parametrize("top", [1, 5])
def test_there_is_one_row_for_each_sensor(top):
    assert len(rows(plan_of(), top=top)) == top
