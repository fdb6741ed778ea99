"""Each format opened by a library that is not dynst's: the same sensors, names, roles and places."""

import io
import re
import xml.etree.ElementTree as ET
import zipfile

import geopandas
import numpy as np
import openpyxl
import pyogrio
import pytest
import shapely

from dynst.domain import Frame, GridLayout, Plan, Role, Sites, Stations
from dynst.errors import ConfigError
from dynst.export import EXPORTERS, export_plan, render
from dynst.export.geopackage import to_geodataframe

NAMES = ("Hill & <Dale>", '=HYPERLINK("http://a.b")', "bell\x07 ünï")
KML = "{http://www.opengis.net/kml/2.2}"


def plan_of(**frame):
    """Six cells; an existing station stands off the middle of its own."""
    x, y = np.meshgrid([178.0, 179.0, -180.0], [50.0, 49.0])
    role = np.array([Role.FIXED, 0, 0, 0, 0, 0])
    own = Stations(
        np.array([0]), NAMES[:1], np.array([178.25]), np.array([50.125]), np.array([22.6]), np.array([178.25]),
        np.array([50.125]),
    )  # fmt: skip
    names = ("cell", *NAMES[1:], "d", "e", "f")
    sites = Sites(x.ravel(), y.ravel(), name=names, role=role, stations=own, **frame)
    plan = Plan(np.array([0, 1, 2, 5]), np.array([4.0, 3.0, 2.5, 1.0]), 3, sites, "by_hand", "metres gained")
    return plan, GridLayout((2, 3), np.arange(6))


PLACES = [(178.25, 50.125), (179.0, 50.0), (-180.0, 50.0), (-180.0, 49.0)]
ROLES = ["existing", "new", "new", "candidate"]


def places_in(frame):
    return list(zip(frame.geometry.x, frame.geometry.y, strict=True))


def test_geopandas_opens_the_geopackage_and_finds_sensors_and_cells(tmp_path):
    plan, layout = plan_of()
    export_plan(plan, tmp_path / "plan.gpkg", layout=layout, top=4, title="a plan")
    assert pyogrio.list_layers(tmp_path / "plan.gpkg")[:, 0].tolist() == ["sensors", "cells"]
    sensors = geopandas.read_file(tmp_path / "plan.gpkg", layer="sensors")
    cells = geopandas.read_file(tmp_path / "plan.gpkg", layer="cells")
    assert sensors.crs.to_epsg() == cells.crs.to_epsg() == 4326
    assert places_in(sensors) == PLACES
    assert (sensors["role"].tolist(), sensors["rank"].tolist()) == (ROLES, [1, 2, 3, 4])
    assert sensors["name"].tolist() == [*NAMES, "f"]
    assert sensors["importance"].tolist() == plan.importance.tolist()
    assert cells.geometry.is_valid.all()
    np.testing.assert_allclose(shapely.area(cells.geometry.values), 1.0)
    middle = [(178.0, 50.0), *PLACES[1:]]
    assert cells.intersects(geopandas.GeoSeries.from_xy(*zip(*middle, strict=True), crs=4326)).all()


def test_a_plane_stays_a_plane_in_its_own_unit(tmp_path):
    plan, layout = plan_of(frame=Frame.PLANAR)
    export_plan(plan, tmp_path / "plan.gpkg", layout=layout)
    read = geopandas.read_file(tmp_path / "plan.gpkg", layer="sensors")
    assert places_in(read) == PLACES[:3]
    assert not read.crs.is_geographic
    assert read.crs.axis_info[0].unit_name == "metre"


def test_the_frame_in_python_has_the_same_rows_and_its_reference_system():
    plan, layout = plan_of()
    frame = to_geodataframe(plan, layout)
    assert (places_in(frame), frame["role"].tolist(), frame.crs.to_epsg()) == (PLACES[:3], ROLES[:3], 4326)
    assert "cell_west" in frame
    assert "cell_west" not in to_geodataframe(plan)
    assert frame.attrs["provenance"].startswith("dynst")
    kilometre = geopandas.GeoSeries.from_xy([0.0], [0.0], crs=4326).to_crs(3857)
    assert frame.to_crs(kilometre.crs).geometry.is_valid.all()


def test_a_drawn_graph_makes_no_geodataframe():
    plan = Plan(np.array([0]), np.ones(1), 1, Sites(np.zeros(2), np.ones(2), frame=Frame.SCHEMATIC), "by_hand")
    with pytest.raises(ConfigError, match="made of positions"):
        to_geodataframe(plan)


def test_kml_is_read_by_a_parser_and_by_gdal(tmp_path):
    plan, layout = plan_of()
    export_plan(plan, tmp_path / "plan.kml", layout=layout, title="<a> & b")
    root = ET.fromstring((tmp_path / "plan.kml").read_bytes())
    assert root.tag == f"{KML}kml"
    assert root.find(f"{KML}Document/{KML}name").text == "<a> & b"
    marks = list(root.iter(f"{KML}Placemark"))
    points = [tuple(map(float, mark.find(f"{KML}Point/{KML}coordinates").text.split(","))) for mark in marks]
    assert points == PLACES[:3]
    data = [{d.get("name"): d.find(f"{KML}value").text for d in mark.iter(f"{KML}Data")} for mark in marks]
    assert [row["role"] for row in data] == ROLES[:3]
    assert data[0]["name"] == NAMES[0]
    styles = {style.get("id") for style in root.iter(f"{KML}Style")}
    assert {mark.find(f"{KML}styleUrl").text.removeprefix("#") for mark in marks} <= styles
    read = geopandas.read_file(tmp_path / "plan.kml")
    assert [(point.x, point.y) for point in read.geometry] == PLACES[:3]


def test_openpyxl_opens_the_workbook_and_no_name_is_a_formula():
    plan, layout = plan_of()
    content = render(plan, "xlsx", layout=layout)
    book = openpyxl.load_workbook(io.BytesIO(content))
    assert book.sheetnames == ["sensors", "about"]
    header, *rows = book["sensors"].iter_rows(values_only=True)
    table = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["longitude"], row["latitude"]) for row in table] == PLACES[:3]
    assert [row["role"] for row in table] == ROLES[:3]
    assert [row["name"] for row in table] == [*NAMES[:2], "bell ünï"]
    assert {cell.data_type for row in book["sensors"].iter_rows() for cell in row} == {"s", "n"}
    about = dict(book["about"].iter_rows(min_row=2, values_only=True))
    assert about["importance"] == "metres gained"
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert parts.testzip() is None
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")


def test_a_workbook_without_its_package_is_one_line(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ConfigError, match=r"pip install 'dynst\[excel\]'"):
        render(plan_of()[0], "xlsx")


def test_csv_and_workbook_have_the_same_columns():
    plan, layout = plan_of()
    header = render(plan, "csv", layout=layout).decode().splitlines()[0].split(",")
    sheet = openpyxl.load_workbook(io.BytesIO(render(plan, "xlsx", layout=layout)))["sensors"]
    assert [*next(sheet.iter_rows(values_only=True)), "provenance"] == header


def test_the_drawing_is_xml_that_needs_nothing_else_and_the_page_is_as_large():
    plan, layout = plan_of()
    drawing, page = (render(plan, form, layout=layout, title="<b>a & b</b>") for form in ("svg", "pdf"))
    root = ET.fromstring(drawing)
    assert root.tag.endswith("svg")
    assert "<b>a & b</b>" in "".join(root.itertext())
    links = [value for part in root.iter() for key, value in part.attrib.items() if key.endswith("href")]
    assert links
    assert all(link.startswith("data:image/png") for link in links)
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert page.rstrip().endswith(b"%%EOF")
    box = [float(side) for side in re.search(rb"/MediaBox \[([^]]+)\]", page)[1].split()]
    assert box[2] / box[3] == pytest.approx(float(root.get("width")) / float(root.get("height")), rel=0.01)


@pytest.mark.parametrize("form", sorted(EXPORTERS))
def test_existing_stations_keep_their_names_in_every_format_of_text(form):
    if not EXPORTERS[form].text:
        pytest.skip("read by the tests above")
    plan, layout = plan_of()
    content = render(plan, form, layout=layout).decode()
    assert "Dale" in content
