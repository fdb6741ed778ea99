"""`inspect` of stations, meshes and experiments: the graph in words, who misses what, the split that a fit makes."""

import json

import numpy as np
import pytest

from dynst.config import Study
from dynst.domain import Channel, Covariate, Field, Frame, Sites
from dynst.domain.durations import window_words
from dynst.domain.graphs import nearest_neighbours, of_edges
from dynst.readers import inspect, inspection
from dynst.study import prepare
from dynst.study.prepare import choose


def network(steps=60, n=6, channels=1, **options):
    rng = np.random.default_rng(0)
    frame = options.pop("frame", Frame.GEOGRAPHIC)
    sites = Sites(rng.uniform(-9, 9, n), rng.uniform(40, 60, n), frame=frame, name=tuple(f"s{i}" for i in range(n)))
    values = options.pop("values", rng.normal(size=(steps, n, channels)))
    names = tuple(Channel(f"q{i}", "K") for i in range(channels))
    return Field.of(
        values, sites, options.pop("layout", None) or nearest_neighbours(sites, 3), channels=names, **options
    )


def look(field, *, by="auto", shares=(0.65, 0.17, 0.18)):
    return inspection._describe("here", field, [], inspection._Cut(shares, by), "")


def test_the_graph_is_told_in_words():
    layout, _ = of_edges(6, np.array([0, 1, 3]), np.array([1, 2, 4]), np.array([1.0, 0.5, 0.2]))
    found = look(network(layout=layout))
    text = "given graph: 6 edges with weights, 1.0 a site, in 3 parts that do not hear of each other, alone: s5"
    assert dict(found.rows())["graph"] == text
    assert (found.graph.parts, found.graph.isolated) == (3, ("s5",))
    assert dict(look(network()).rows())["graph"].startswith("3 nearest neighbours: ")


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (Frame.GEOGRAPHIC, "6, geographic; longitude "),
        (Frame.PLANAR, "6, planar; x "),
        (Frame.SCHEMATIC, "6, nobody says where they are"),
    ],
)
def test_places_are_told_with_their_unit_and_drawings_are_no_places(frame, says):
    row = dict(look(network(frame=frame)).rows())["sites"]
    assert row.startswith(says)
    assert row.endswith(" m") is (frame is Frame.PLANAR)


def test_who_misses_most_is_named_and_a_channel_that_a_site_never_measures_is_not_held_against_it():
    values = np.zeros((60, 6, 2))
    values[:, 0, 1] = np.nan  # s0 has no such instrument
    values[:45, 3, 0] = np.nan
    values[:6, 4] = np.nan
    found = look(network(values=values, channels=2))
    assert found.missing_share == pytest.approx((60 + 45 + 12) / 720)
    assert found.worst_sites == pytest.approx({"s3": 0.375, "s4": 0.1})
    assert found.partial == 1
    assert found.missing_by_channel == pytest.approx({"q0": 51 / 360, "q1": 66 / 360})
    rows = dict(found.rows())
    assert "1 site measures some of the channels only; most at s3 (38%), s4 (10%)" in rows["missing"]
    assert rows["missing in"] == "q0 14.2%, q1 18.3%"


def test_experiments_are_named_and_split_whole():
    cases = tuple(f"fire {i}" for i in range(8))
    field = network(steps=160, run=np.repeat(np.arange(8), 20), cases=cases)
    found = look(field)
    assert dict(found.rows())["runs"].startswith("8 experiments of 20 steps each: fire 0, fire 1")
    assert found.split_how.startswith("by run (6 / 1 / 1 runs")
    assert found.split == (120, 20, 20)
    assert found.window == "4 steps read, 4 forecast"
    assert look(field, by="time").split_how == "in time order"


def test_a_window_fits_into_the_longest_run():
    field = network(steps=200, run=np.repeat(np.arange(20), 10))
    assert look(field).window == "2 steps read, 2 forecast"


def test_a_split_that_is_impossible_is_a_problem_and_no_error():
    assert "at least 3 runs" in look(network(), by="run").problem


def test_covariates_are_listed():
    field = network()
    field = Field(**(vars(field) | {"covariates": (Covariate("height", np.arange(6.0), "m"),)}))
    assert dict(look(field).rows())["known of sites"] == "height [m]"


def written(folder, steps=90):
    rng = np.random.default_rng(0)
    days = np.datetime64("2001-01-01") + np.arange(steps)
    lines = ["time,a,b,c,d", *(f"{day}," + ",".join(f"{v:.3f}" for v in rng.normal(size=4)) for day in days)]
    (folder / "wind.csv").write_text("\n".join(lines))
    (folder / "places.csv").write_text("station,longitude,latitude\na,1,50\nb,2,51\nc,3,50\nd,4,52\n")
    return str(folder / "wind.csv"), str(folder / "places.csv")


@pytest.mark.parametrize("gap", [False, True])
def test_what_inspect_says_is_what_a_fit_prepares(tmp_path, gap):
    data, stations = written(tmp_path)
    if gap:
        text = (tmp_path / "wind.csv").read_text().splitlines()
        (tmp_path / "wind.csv").write_text("\n".join(text[:40] + text[48:]))
    study = Study(data=data, stations=stations, sensors=1)
    found, ready = inspect(data, hints=study.hints), prepare(study)
    choices = choose(study, found.record)  # as the command does
    found = found.cut(found.record, choices.window, choices.split)
    split = (ready.split.train, ready.split.valid, ready.split.test)
    facts = ready.facts()
    assert found.split == tuple(part.steps for part in split)
    assert found.split_windows == tuple(facts["split"][name]["windows"] for name in ("train", "validation", "test"))
    assert found.split_how == ready.split.how
    assert found.window == window_words(ready.window.history, ready.window.prediction, ready.field.cadence)
    assert len(found.runs) == 1 + gap
    json.dumps(found.as_dict(), allow_nan=False)
