"""Maps of stations, graphs and meshes: honest axes, links that stay in place, names that do not cover each other."""

import csv
import io
import json
import re

import numpy as np
import pytest

from dynst.domain import Frame, Plan, Sites
from dynst.domain.graphs import drawing, nearest_neighbours, of_edges, of_triangles
from dynst.domain.space import wrap_longitude
from dynst.reports import marks
from dynst.reports.map_chart import importance_map
from dynst.reports.raster import site_of_pixel
from dynst.reports.view import view_of


def plan_of(sites, budget=3):
    n = len(sites)
    return Plan(np.arange(n), np.linspace(2, 1, n), budget, sites, "by_hand", "worth of a site")


def scattered(n=40, seed=0, **options):
    rng = np.random.default_rng(seed)
    return Sites(rng.uniform(-10, 10, n), rng.uniform(40, 50, n), **options)


def lattice(rows=6, columns=9, step=0.1):
    """A mesh without dimension, of squares cut in two, and its triangles."""
    y, x = np.meshgrid(np.arange(rows) * step, np.arange(columns) * step, indexing="ij")
    node = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = (part.ravel() for part in (node[:-1, :-1], node[:-1, 1:], node[1:, :-1], node[1:, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    sites = Sites(x.ravel(), y.ravel(), frame=Frame.PLANAR, unit="1")
    return sites, of_triangles(len(sites), triangles)


def layers(chart):
    """The layers, each with its rows in place."""
    whole = chart.to_dict()
    return [layer | {"rows": whole["datasets"][layer["data"]["name"]]} for layer in whole["layer"]]


def rows_of(layer):
    rows = layer["rows"]
    return list(csv.DictReader(io.StringIO(rows))) if isinstance(rows, str) else rows


def kind(layer):
    mark = layer["mark"]
    return mark if isinstance(mark, str) else mark["type"]


def links_drawn(chart):
    return [row for layer in layers(chart) if kind(layer) == "rule" for row in rows_of(layer)]


def words(chart):
    return "\n".join(re.findall(r'"((?:[^"\\]|\\.)*)"', json.dumps(chart.to_dict())))


def texts(chart):
    return [row["name"] for layer in layers(chart) if kind(layer) == "text" for row in rows_of(layer) if "name" in row]


def test_stations_are_dots_of_their_shade_with_the_sensors_ringed_on_top():
    sites = scattered(name=tuple(f"st{i}" for i in range(40)))
    chart = importance_map(plan_of(sites), nearest_neighbours(sites, 3))
    circles = [layer for layer in layers(chart) if kind(layer) == "circle"]
    assert [len(rows_of(layer)) for layer in circles] == [40, 3]
    assert rows_of(circles[0])[-1]["name"] == "st0", "the most important site is drawn last"
    assert not any(kind(layer) == "image" for layer in layers(chart))
    assert {"1: st0", "2: st1", "3: st2"} == set(texts(chart))
    assert "3 nearest neighbours: " in words(chart)


def test_each_link_is_drawn_once_and_ends_at_its_sites():
    sites = Sites(np.array([0.0, 1.0, 2.0]), np.array([50.0, 51.0, 50.5]))
    layout, _ = of_edges(3, np.array([0, 1]), np.array([1, 2]))
    drawn = [
        [float(row[key]) for key in ("x", "y", "x2", "y2")]
        for row in links_drawn(importance_map(plan_of(sites), layout))
    ]
    assert drawn == [[0.0, 50.0, 1.0, 51.0], [1.0, 51.0, 2.0, 50.5]]


def test_no_link_runs_across_a_map_of_the_earth_and_those_at_the_date_line_stay_short():
    globe = Sites(np.linspace(-180, 160, 18), np.zeros(18))  # a ring around the equator
    chart = importance_map(plan_of(globe), nearest_neighbours(globe, 2))
    assert len(links_drawn(chart)) == 17
    assert max(abs(float(row["x"]) - float(row["x2"])) for row in links_drawn(chart)) < 30
    fiji = Sites(wrap_longitude(np.array([176.0, 179.0, 181.0, 183.0])), np.array([-17.0, -18.0, -16.0, -17.0]))
    drawn = links_drawn(importance_map(plan_of(fiji), nearest_neighbours(fiji, 3)))
    assert len(drawn) == 6
    assert max(abs(float(row["x"]) - float(row["x2"])) for row in drawn) < 8


def test_too_many_links_are_counted_and_not_drawn(monkeypatch):
    monkeypatch.setattr(marks, "_BUSIEST", 10)
    sites = scattered()
    chart = importance_map(plan_of(sites), nearest_neighbours(sites))
    assert links_drawn(chart) == []
    assert "links" in words(chart)


def test_a_graph_without_positions_has_no_axes_and_says_so():
    layout, _ = of_edges(5, np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]))
    place = drawing(layout)
    sites = Sites(place[:, 0], place[:, 1], frame=Frame.SCHEMATIC, name=("a", "b", "c", "d", "e"))
    chart = importance_map(plan_of(sites), layout)
    assert "Drawn from the graph: positions are unknown" in words(chart)
    assert "Not to scale" not in words(chart)
    axes = {str(layer["encoding"][c].get("axis")) for layer in layers(chart) for c in "xy" if c in layer["encoding"]}
    assert "None" in axes
    assert not any("title" in axis for axis in axes)
    tips = [tip["title"] for layer in layers(chart) for tip in layer["encoding"].get("tooltip", [])]
    assert set(tips) == {"order of building", "name", "importance"}


@pytest.mark.parametrize(
    ("unit", "reach", "title"),
    [("m", 900.0, "x (m)"), ("m", 9000.0, "x (km)"), ("1", 8.0, "x"), ("1", 9000.0, "x"), ("D", 3.0, "x (D)")],
)
def test_axes_have_the_unit_of_the_sites(unit, reach, title):
    rng = np.random.default_rng(1)
    sites = Sites(rng.uniform(0, reach, 30), rng.uniform(0, reach, 30), frame=Frame.PLANAR, unit=unit)
    found = [layer["encoding"]["x"].get("axis", {}) for layer in layers(importance_map(plan_of(sites)))[:1]]
    assert found[0]["title"] == title


def test_a_tunnel_of_sensors_fills_its_map_and_is_called_not_to_scale():
    x, y = np.meshgrid(np.linspace(0, 850, 14), np.linspace(0.3, 7, 8))
    sites = Sites(x.ravel(), y.ravel(), frame=Frame.PLANAR)
    view = view_of(sites, nearest_neighbours(sites))
    assert np.ptp(view.pixels[:, 1]) > 0.8 * view.height
    assert np.ptp(view.pixels[:, 0]) > 0.8 * view.width
    assert "Not to scale" in words(importance_map(plan_of(sites), nearest_neighbours(sites)))


def test_sites_at_one_place_are_counted():
    sites = Sites(np.zeros(4), np.array([1.0, 1.0, 1.0, 2.0]), frame=Frame.PLANAR, name=("a", "b", "c", "d"))
    assert "2 sites stand at the place of another" in words(importance_map(plan_of(sites)))


def test_every_node_of_a_mesh_owns_the_pixels_around_it_and_nothing_lies_outside_the_triangles():
    sites, layout = lattice()
    view = view_of(sites, layout)
    picture = site_of_pixel(view, layout.triangles, scale=1.0)
    at = np.round(view.pixels + np.array([2.0, 2.0]) * np.sign([view.width, view.height] / np.array(2) - view.pixels))
    assert picture[at[:, 1].astype(int), at[:, 0].astype(int)].tolist() == list(range(len(sites)))
    inside = np.ptp(view.pixels, axis=0)
    assert (picture >= 0).sum() == pytest.approx(inside.prod(), rel=0.01)
    hole = site_of_pixel(view, layout.triangles[2:], scale=1.0)
    share = 2 / len(layout.triangles)
    assert (hole >= 0).sum() == pytest.approx((1 - share) * (picture >= 0).sum(), rel=0.01)


def test_triangles_are_shaded_whichever_way_they_turn():
    sites, layout = lattice()
    view = view_of(sites, layout)
    one_way, other = (
        site_of_pixel(view, corners, scale=1.0) for corners in (layout.triangles, layout.triangles[:, ::-1])
    )
    assert ((one_way >= 0) == (other >= 0)).mean() > 0.999


def test_a_large_mesh_is_one_small_picture():
    sites, layout = lattice(rows=60, columns=80, step=1.0)
    text = importance_map(plan_of(sites, 20), layout).to_json()
    assert len(text) < 120_000
    assert '"type": "image"' in text


def test_labels_cover_neither_each_other_nor_a_sensor():
    sites = scattered(25, seed=3, name=tuple(f"a rather long name {i}" for i in range(25)))
    view = view_of(sites)
    dots, size = view.pixels, 12.0
    texts = [(f"{i} {name}", f"{i}") for i, name in enumerate(sites.name, 1)]
    found = marks._placed(texts, dots, size, view)
    boxes = []
    placed = [(*label, *dot) for label, dot in zip(found, dots.tolist(), strict=True) if label[0]]
    for text, side, right, middle in placed:
        wide = marks._LETTER * len(text)
        style = marks._sides(size)[side]
        left = right + style.get("dx", 0.0) - {"left": 0.0, "right": wide, "center": wide / 2}[style["align"]]
        down = middle + style.get("dy", 0.0)
        boxes.append((left, down - marks._LINE / 2, left + wide, down + marks._LINE / 2))
    assert len(boxes) > 12
    for i, box in enumerate(boxes):
        assert 0 <= box[0] <= box[2] <= view.width
        assert not any(marks._meet(box, other) for other in boxes[:i])
        reach = size / 2 - 0.01
        assert not any(marks._meet(box, (a - reach, b - reach, a + reach, b + reach)) for a, b in dots.tolist())


def test_names_made_from_positions_are_no_labels():
    assert set(texts(importance_map(plan_of(scattered())))) == {"1", "2", "3"}


def test_a_site_that_is_not_ranked_is_grey():
    sites = scattered(5)
    plan = Plan(np.arange(3), np.array([3.0, 2.0, 1.0]), 2, sites, "by_hand")
    (dots, _) = (layer for layer in layers(importance_map(plan)) if kind(layer) == "circle")
    assert [row["shade"] for row in rows_of(dots)].count("-1") == 2
    assert dots["encoding"]["color"]["value"] == "#d5d2cc"
