"""The map of what stays: each sensor once in the shape and colour of its grade, with substitutes; shades are shares."""

import csv
from dataclasses import replace

import numpy as np
import pytest
import vl_convert

from dynst.domain import Frame, GridLayout, Role, Sites
from dynst.domain.graphs import nearest_neighbours
from dynst.domain.stability import Stability, Variant
from dynst.reports.stability_chart import _share_near, stability_map

LAT, LON = np.meshgrid(np.linspace(50, 46, 5), np.linspace(0, 7, 8), indexing="ij")
SITES = Sites(LON.ravel(), LAT.ravel())
GRID = GridLayout((5, 8), np.arange(40))


def found_on(sites=SITES, radius=120.0, selected=(0, 20, 39)):
    """Site 0 always stays; 20 stays or is replaced by its neighbour 21 (about 73 km); 39 never stays."""
    others = np.zeros((4, len(sites)), bool)
    others[:, 0] = True
    others[:2, 20] = others[2:3, 21] = True
    others[3, 4] = True
    variants = (Variant.seed(1), Variant.seed(2), Variant.half(1), Variant.half(2))
    return Stability("by_hand", sites, np.array(selected), variants, others, radius)


def rows_by(chart, column):
    """Rows of the layers whose data have `column`."""
    drawn = chart.to_dict()
    tables = [drawn["datasets"][layer["data"]["name"]] for layer in drawn["layer"]]
    rows = [list(csv.DictReader(table.splitlines())) for table in tables if isinstance(table, str)]
    return [found for found in rows if found and column in found[0]]


@pytest.mark.parametrize("layout", [GRID, nearest_neighbours(SITES), None], ids=["grid", "graph", "dots"])
def test_each_sensor_is_drawn_once_with_its_grade_share_and_substitutes(layout):
    chart = stability_map(found_on(), layout)
    marks, numbers = rows_by(chart, "grade")
    assert [row["grade"] for row in marks[::-1]] == ["always", "usually", "interchangeable"]
    assert [row["rank"] for row in numbers] == ["1", "2", "3"]
    assert [row["share"] for row in marks[::-1]] == ["100 %", "75 %", "0 %"]
    assert [row["instead"] for row in marks[::-1]] == ["none nearby", f"{SITES.name[21]} (25 %)", "none nearby"]
    vl_convert.vegalite_to_svg(chart.to_json())


def test_grades_differ_in_shape_and_in_colour_and_the_legend_counts_them():
    drawn = stability_map(found_on(), GRID).to_dict()
    (marks,) = [layer["encoding"] for layer in drawn["layer"] if "shape" in layer["encoding"]]
    for channel in ("shape", "fill"):
        scale = marks[channel]["scale"]
        assert scale["domain"] == ["must stay: 1", "usually stay: 1", "flexible: 1"]
        assert len(set(scale["range"])) == 3


def test_sites_that_other_plans_chose_say_how_often_and_for_whom():
    (others,) = rows_by(stability_map(found_on(), GRID), "chosen")
    assert {row["name"]: (row["chosen"], row["instead"]) for row in others} == {
        SITES.name[4]: ("20 %", "none"),
        SITES.name[21]: ("20 %", "2"),
    }


def test_shades_are_the_share_of_plans_with_a_sensor_within_the_radius():
    found = found_on()
    points = SITES.points
    chosen = np.concatenate([np.isin(np.arange(40), found.selected)[None], found.others])
    apart = SITES.distance(np.linalg.norm(points[:, None] - points[None], axis=-1))
    expected = [np.mean([(apart[site, plan] <= 120.0).any() for plan in chosen]) for site in range(40)]
    assert np.allclose(_share_near(found), expected)
    assert np.array_equal(_share_near(replace(found, radius=0.0)), found.frequency)


def test_forbidden_sites_have_shades_and_fixed_ones_are_drawn():
    role = np.zeros(40, int)
    role[0], role[10] = Role.FIXED, Role.FORBIDDEN
    chart = stability_map(found_on(SITES.with_role(role)), GRID)
    assert len(rows_by(chart, "grade")[0]) == 3


def test_a_drawing_of_a_graph_says_that_positions_are_unknown():
    drawn = replace(SITES, frame=Frame.SCHEMATIC, longitude=None, latitude=None, unit="", name=())
    chart = stability_map(found_on(drawn, radius=0.0), nearest_neighbours(drawn))
    assert chart.title.subtitle[-1] == "Drawn from the graph: positions are unknown"
    assert any("at the same sites" in line for line in chart.title.subtitle)


def test_without_variants_the_sensors_are_marked_as_not_known():
    found = Stability("by_hand", SITES, np.array([3]), (), np.zeros((0, 40), bool), 50.0, (("first half", "short"),))
    chart = stability_map(found, GRID)
    assert rows_by(chart, "grade")[0][0]["share"] == "unknown"
    assert "not known: 1" in vl_convert.vegalite_to_svg(chart.to_json())


def test_names_with_markup_commas_and_quotes_come_through_as_they_are():
    names = ("<script>alert(1)</script>", '=HYPERLINK("x"),y', *(f"s{i}" for i in range(38)))
    found = found_on(replace(SITES, name=names), selected=(0, 1, 39))
    marks, _ = rows_by(stability_map(found, GRID), "grade")
    assert {row["name"] for row in marks} == {names[0], names[1], names[39]}


def test_more_than_thirty_sensors_are_smaller_and_carry_no_numbers():
    others = np.zeros((1, 40), bool)
    others[0, :35] = True
    chart = stability_map(Stability("by_hand", SITES, np.arange(35), (Variant.seed(1),), others, 0.0), GRID)
    assert len(rows_by(chart, "grade")) == 1  # the marks, and no numbers
    few = stability_map(Stability("by_hand", SITES, np.arange(30), (Variant.seed(1),), others, 0.0), GRID)
    size, numbered = (
        next(layer["mark"]["size"] for layer in drawn.to_dict()["layer"] if "shape" in layer["encoding"])
        for drawn in (chart, few)
    )
    assert size < numbered
    assert len(rows_by(few, "grade")) == 2
