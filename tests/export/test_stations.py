"""Existing stations leave under their own names, at their own places, with the role that they have."""

import csv
import io
import json

import numpy as np
import pandas
import pytest
import xarray as xr

from dynst.domain import Frame, GridLayout, Plan, Role, Sites, Stations
from dynst.export import load_plan, render, save_plan

LAYOUT = GridLayout((1, 6), np.arange(6))
ROLE = np.array([Role.FIXED, 0, 0, Role.FIXED, 0, Role.FORBIDDEN], np.int8)
NAMES = ("=HYPERLINK(hill)", "hilltop", "mast")


def stations(*, degrees):
    x, y = np.array([-11.9, -12.2, -2.75]), np.array([50.1, 49.8, 50.25])
    known = {"longitude": x, "latitude": y} if degrees else {}
    return Stations(np.array([0, 0, 3]), NAMES, x, y, np.array([13.2, 26.5, 33.1]), **known)


def planned(**frame):
    own = stations(degrees=not frame)
    sites = Sites(np.arange(6.0) * 3 - 12, np.full(6, 50.0), role=ROLE, stations=own, **frame)
    return Plan(np.array([3, 0, 2, 4, 1]), np.linspace(1, 0.5, 5), 4, sites, "by_hand")


def test_a_table_and_geojson_list_each_station_and_each_new_sensor():
    plan = planned()
    table = list(csv.DictReader(io.StringIO(render(plan, "csv", layout=LAYOUT, top=5).decode())))
    features = json.loads(render(plan, "geojson", layout=LAYOUT, top=5))["features"]
    assert [row["role"] for row in table] == ["existing", "existing", "existing", "new", "new", "candidate"]
    assert [row["name"].removeprefix("'") for row in table[:3]] == ["mast", "=HYPERLINK(hill)", "hilltop"]
    assert table[1]["name"][0] == "'"  # no spreadsheet runs it
    assert [row["rank"] for row in table] == ["1", "2", "2", "3", "4", "5"]
    assert [float(row["longitude"]) for row in table] == [-2.75, -11.9, -12.2, -6.0, 0.0, -9.0]
    assert [float(row["snapped_km"]) for row in table] == [33.1, 13.2, 26.5, 0.0, 0.0, 0.0]
    assert [row["site"] for row in table] == ["3", "0", "0", "2", "4", "1"]
    for row, feature in zip(table, features, strict=True):
        told = feature["properties"]
        assert told["name"] == row["name"].removeprefix("'")
        assert (told["role"], str(told["site"])) == (row["role"], row["site"])
        assert feature["geometry"]["coordinates"] == [float(row["longitude"]), float(row["latitude"])]
        assert told["snapped_km"] == float(row["snapped_km"])
    assert len({feature["id"] for feature in features}) == 6


@pytest.mark.parametrize(("unit", "key"), [("m", "snapped_km"), ("1", "snapped")])
def test_in_a_plane_stations_keep_their_lengths(unit, key):
    text = render(planned(frame=Frame.PLANAR, unit=unit), "csv", layout=LAYOUT).decode()
    table = pandas.read_csv(io.StringIO(text))
    assert table["x_m" if unit == "m" else "x"].tolist() == [-2.75, -11.9, -12.2, -6.0, 0.0]
    assert table[key].tolist() == [33.1, 13.2, 26.5, 0.0, 0.0]


def test_the_page_names_stations_and_their_role():
    page = render(planned(), "html", layout=LAYOUT).decode()
    assert "<td>1</td><td>mast</td><td>existing</td><td>-2.750</td><td>50.250</td>" in page
    assert "<td>3</td><td>50.000N 6.000W</td><td>new</td>" in page
    assert "existing station" in page


@pytest.mark.parametrize("frame", [{}, {"frame": Frame.PLANAR, "unit": "m"}], ids=["earth", "plane"])
def test_a_saved_plan_has_its_stations_again(tmp_path, frame):
    plan = planned(**frame)
    save_plan(plan, LAYOUT, tmp_path / "plan.nc")
    loaded, _ = load_plan(tmp_path / "plan.nc")
    again, own = loaded.sites.stations, plan.sites.stations
    assert (again.name, again.fingerprint) == (own.name, own.fingerprint)
    for axis in ("site", "x", "y", "away"):
        np.testing.assert_array_equal(getattr(again, axis), getattr(own, axis))
    assert (again.longitude is None) == (own.longitude is None)
    assert render(loaded, "csv", layout=LAYOUT) == render(plan, "csv", layout=LAYOUT)
    with xr.open_dataset(tmp_path / "plan.nc") as data:
        assert data["role"].attrs["flag_meanings"] == "candidate existing forbidden"
        assert data["station_name"].values.tolist() == list(NAMES)


def test_a_plan_without_stations_is_saved_as_before(tmp_path):
    sites = Sites(np.arange(3.0), np.zeros(3), role=np.array([Role.FIXED, 0, 0]))
    save_plan(Plan(np.arange(3), np.ones(3), 2, sites, "by_hand"), None, tmp_path / "plan.nc")
    with xr.open_dataset(tmp_path / "plan.nc") as data:
        assert not [name for name in data.variables if str(name).startswith("station")]
    assert load_plan(tmp_path / "plan.nc")[0].sites.stations is None
