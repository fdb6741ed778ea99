"""Every exporter, over plans of every kind: a file that is whole, repeatable, and harmless whatever the names."""

import json

import numpy as np
import pytest

from dynst.domain import Frame, GridLayout, Plan, Sites
from dynst.domain.graphs import nearest_neighbours, of_edges, of_triangles
from dynst.errors import BudgetError, ConfigError
from dynst.export import EXPORTERS, choose, export_plan, render

EVIL = (
    "<script>alert(1)</script>",
    '=HYPERLINK("x")',
    "</script><img src=x onerror=alert(2)>",
    'a,"b"\nc',
    "ün\u2013\u2028ï",
)
NOWHERE = {  # format that is made of places -> kinds of plan that it refuses
    "geopackage": {"graph without positions"},
    "kml": {"graph without positions", "planar", "projected, unknown", "mesh"},
}
SHUFFLED = {"pdf"}  # its objects come in another order each time; the library leaves no choice
DRAWN = sorted(name for name, exporter in EXPORTERS.items() if exporter.module == "picture")  # takes seconds


def plans():
    """A plan of each kind of place, with its grid."""
    names = EVIL + tuple(f"site {i}" for i in range(5, 12))
    rows, columns = np.meshgrid([50.0, 49.0, 48.0], [178.0, 179.0, -180.0, -179.0], indexing="ij")
    grid = GridLayout((3, 4), np.arange(12))
    x, y = np.meshgrid(np.arange(4.0) * 2500, np.arange(3.0) * 2500)
    planes = {"name": names, "frame": Frame.PROJECTED}
    metres = x.ravel() + 500_000, y.ravel() + 5_000_000
    stations = Sites(columns.ravel(), rows.ravel(), name=names)
    mesh = Sites(x.ravel(), y.ravel(), name=names, frame=Frame.PLANAR, unit="1")
    drawn = Sites(x.ravel(), y.ravel(), name=names, frame=Frame.SCHEMATIC)
    kinds = {
        "date line": (Sites(columns.ravel(), rows.ravel(), name=names), grid),
        "no layout": (Sites(columns.ravel(), rows.ravel(), name=names), None),
        "planar": (Sites(x.ravel(), y.ravel(), name=names, frame=Frame.PLANAR), grid),
        "projected": (Sites(*metres, crs="EPSG:32631", **planes), grid),
        "projected, unknown": (Sites(*metres, **planes), grid),
        "stations": (stations, nearest_neighbours(stations)),
        "mesh": (mesh, of_triangles(12, np.array([[0, 1, 4], [1, 5, 4], [1, 2, 5], [2, 6, 5]]))),
        "graph without positions": (drawn, of_edges(12, np.arange(11), np.arange(1, 12))[0]),
        "one site": (Sites(np.array([7.0]), np.array([3.0]), name=EVIL[:1]), GridLayout((1, 1), np.array([0]))),
    }
    for kind, (sites, layout) in kinds.items():
        order = np.arange(len(sites))
        importance = np.linspace(1.0, -0.5, len(sites))
        budget = min(6, len(sites))
        provenance = {"seed": 7, "bad": float("nan"), "notes": list(EVIL)}
        yield kind, Plan(order, importance, budget, sites, "by_hand", EVIL[0], provenance), layout


KINDS = {kind: (plan, layout) for kind, plan, layout in plans()}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.mark.parametrize("name", EXPORTERS)
def test_the_table_holds_each_exporter_under_its_name(name):
    exporter = EXPORTERS[name]
    assert exporter.format == name
    assert choose(EXPORTERS, format=None, path=f"some.where/map{exporter.suffix.upper()}") is exporter
    assert exporter.summary


@pytest.mark.parametrize("name", sorted(set(EXPORTERS) - set(DRAWN)))
def test_an_export_is_what_it_says_and_the_same_each_time(name, kind):
    plan, layout = KINDS[kind]
    if kind in NOWHERE.get(name, ()):
        with pytest.raises(ConfigError, match=rf"^{name} is made of (positions|longitudes)[^\n]*\.$"):
            render(plan, name, layout=layout)
        return
    content = render(plan, name, layout=layout, title=EVIL[2])
    assert content.startswith(EXPORTERS[name].magic)
    assert content == render(plan, name, layout=layout, title=EVIL[2])
    if EXPORTERS[name].text:
        content.decode("utf-8")


@pytest.mark.parametrize(
    "kind", ["date line", "planar", "one site", "stations", "mesh"]
)  # the others draw by the same lines
@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_what_it_says_and_the_same_each_time(name, kind):
    plan, layout = KINDS[kind]
    content = render(plan, name, layout=layout, title=EVIL[2])
    assert content.startswith(EXPORTERS[name].magic)
    again = render(plan, name, layout=layout, title=EVIL[2])
    assert len(content) == len(again)
    assert content == again or name in SHUFFLED


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_file_holds_what_render_returns_and_nothing_is_left_beside_it(name, tmp_path):
    plan, layout = KINDS["date line"]
    path = tmp_path / f"map{EXPORTERS[name].suffix}"
    path.write_text("old")
    export_plan(plan, path, layout=layout)
    assert path.read_bytes() == render(plan, name, layout=layout) or name in SHUFFLED
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_failed_write_leaves_the_old_file_alone(tmp_path, monkeypatch):
    plan, layout = KINDS["date line"]
    path = tmp_path / "map.csv"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dynst.export.base.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        export_plan(plan, path, layout=layout)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["map.csv"]


@pytest.mark.parametrize("name", EXPORTERS)
def test_more_than_the_plan_ranks_is_refused_in_words(name):
    plan, layout = KINDS["date line"]
    with pytest.raises(BudgetError, match="the plan ranks 12 sites"):
        render(plan, name, layout=layout, top=13)
    with pytest.raises(BudgetError, match="Choose from 1"):
        render(plan, name, layout=layout, top=0)


def test_top_cuts_and_extends_the_plan():
    plan, layout = KINDS["date line"]
    for top in (1, 6, 12):
        assert len(json.loads(render(plan, "geojson", layout=layout, top=top))["features"]) == top
        assert render(plan, "csv", layout=layout, top=top).decode().count("site") >= 0


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"format": "geojsn"}, 'Did you mean "geojson"'),
        ({"format": None, "path": "map.shp"}, r'the ending "\.shp"'),
        ({"format": None, "path": None}, "Give --format"),
    ],
)
def test_an_unknown_format_is_refused_in_words(asked, message):
    with pytest.raises(ConfigError, match=message):
        choose(EXPORTERS, **asked)


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    plan, layout = KINDS["one site"]
    with pytest.raises(ConfigError, match="nowhere"):
        export_plan(plan, tmp_path / "nowhere" / "map.csv", layout=layout)
