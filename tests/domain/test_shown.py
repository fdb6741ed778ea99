"""What a plan hands to other libraries, and what a notebook shows: labelled, small, escaped, without a network."""

from html.parser import HTMLParser

import altair as alt
import numpy as np
import pytest
import xarray as xr

import dynst
from dynst.domain import Curve, Field, Frame, GridLayout, Plan, Sites, Stations

EVIL = "<img src=x onerror=alert(1)>"


def plan_of(frame=Frame.GEOGRAPHIC, **options):
    names = (EVIL, *(f"s{i}" for i in range(5)))
    sites = Sites(np.arange(6.0), np.arange(6.0) / 2, frame=frame, name=names, **options)
    return Plan(np.array([0, 3, 5]), np.array([3.0, 2.0, 1.0]), 2, sites, EVIL, EVIL, {"seed": 4})


LONLAT = {"longitude": np.arange(6.0), "latitude": np.arange(6.0) + 40}


@pytest.mark.parametrize(
    ("plan", "standard"),
    [
        (plan_of(), "longitude"),
        (plan_of(Frame.PROJECTED, crs="EPSG:32631", **LONLAT), "projection_x_coordinate"),
        (plan_of(Frame.PLANAR), None),
        (plan_of(Frame.SCHEMATIC), None),
    ],
)
def test_a_dataset_has_places_as_coordinates_and_makes_the_plan_again(plan, standard, tmp_path):
    data = plan.to_dataset()
    assert {"x", "y", "site_name"} <= set(data.coords)
    assert ("longitude" in data.coords) == (plan.sites.longitude is not None and standard != "longitude")
    assert data["x"].attrs.get("standard_name") == standard
    assert data["role"].coords["y"].values.tolist() == plan.sites.y.tolist()
    plain = data.reset_coords()  # as files of before have it: places are data among others
    for name in plain.data_vars:
        plain[name].attrs = {}
    data.to_netcdf(tmp_path / "plan.nc")
    for kept in (data, plain, xr.load_dataset(tmp_path / "plan.nc")):
        again = Plan.from_dataset(kept)
        assert again.order.tolist() == plan.order.tolist()
        assert again.sites.fingerprint == plan.sites.fingerprint
        assert again.sites.name == plan.sites.name


def test_plot_is_the_map_and_to_geodataframe_the_points():
    plan = plan_of()
    chart = plan.plot(title="here")
    assert isinstance(chart, alt.LayerChart)
    assert chart.to_dict() == dynst.importance_map(plan, title="here").to_dict()
    frame = plan.to_geodataframe(top=3)
    assert frame["role"].tolist() == ["new", "new", "candidate"]
    assert frame.crs.to_epsg() == 4326


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for key, value in attrs if key in {"src", "href"} or key.startswith("on")]

    def handle_data(self, data):
        self.text += data


def curve():
    values = np.full((2, 2, 1, 1, 1), 3.0)
    return Curve.of(
        {"rmse": values, "mae": values, "bias": values},
        planners=[EVIL, "floor"],
        budgets=[5, 2],
        n=10,
        channels=[EVIL],
        units=["K"],
        total=np.full((2, 2, 1), 0.5),
    )


def field():
    sites = plan_of().sites
    return Field.of(np.zeros((9, 6, 1)), sites, GridLayout((2, 3), np.arange(6)), name=EVIL)


@pytest.mark.parametrize("thing", [plan_of(), curve(), field()], ids=lambda thing: type(thing).__name__)
def test_a_card_is_small_runs_nothing_and_asks_for_nothing(thing):
    html = thing._repr_html_()
    found = Tags()
    found.feed(html)
    assert found.tags <= {"div", "strong", "table", "tr", "th", "td", "svg", "g", "circle"}
    assert found.links == []
    assert EVIL in found.text
    assert "http" not in html
    assert len(html) < 40_000


def test_the_card_of_a_large_plan_is_small_and_draws_every_sensor():
    rng = np.random.default_rng(0)
    sites = Sites(rng.uniform(-10, 10, 20_000), rng.uniform(-10, 10, 20_000))
    html = Plan(np.arange(300), np.ones(300), 300, sites, "by_hand")._repr_html_()
    assert html.count('r="3.2"') == 300
    assert len(html) < 60_000


def test_existing_stations_stand_on_the_card_under_their_own_name():
    own = Stations(np.array([0]), ("hill",), np.array([0.1]), np.zeros(1), np.array([11.1]))
    sites = Sites(np.arange(3.0), np.zeros(3), role=np.array([1, 0, 0]), stations=own)
    found = Tags()
    found.feed(Plan(np.arange(3), np.ones(3), 2, sites, "by_hand")._repr_html_())
    assert "hillexisting" in found.text


def test_the_card_of_a_curve_has_the_errors_by_number_of_sensors():
    found = Tags()
    found.feed(curve()._repr_html_())
    assert "planner25" in found.text, "fewest sensors first"
    assert found.text.count("3") >= 2
