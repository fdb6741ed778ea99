"""What is said of data and results: experiments are no gaps, and a comparison that says nothing is called so."""

import numpy as np

from dynst.cli.results import _document, _unit
from dynst.domain import Frame, Plan, Sites
from dynst.domain.curve import Curve
from dynst.export import save_plan, write_netcdf
from dynst.runs import Run
from dynst.study.facts import fact_rows


def data(**changes):
    channel = {"name": "u", "units": "m s-1", "observe": True, "predict": True}
    about = {"sites": 9, "layout": "edges of 8 triangles", "frame": "planar", "steps": 40, "cadence": "1 s", "runs": 4}
    about |= {"cases": [], "first": "0", "last": "39", "channels": [channel], "missing_share": 0.0}
    return {"data": about | {"covariates": [], "notes": []} | changes}


def rows(**changes):
    return dict(fact_rows(data(**changes)))


def test_sites_of_a_graph_are_told_with_their_frame():
    assert rows()["sites"] == "9, planar, edges of 8 triangles"
    assert rows(frame="schematic", layout="given graph")["sites"] == "9, nobody says where, given graph"
    assert rows(sites=48, layout="48 of a 6 x 8 grid", on_grid=True)["sites"] == "48 of a 6 x 8 grid"


def test_experiments_are_not_called_gaps():
    assert "in 4 runs (gaps between them)" in rows()["time"]
    assert "in 4 experiments" in rows(cases=["a", "b", "c", "d"])["time"]


def test_a_unit_that_all_channels_share_is_said_once():
    one = {"units": "K", "observe": True, "predict": True}
    assert rows(channels=[{"name": "a"} | one, {"name": "b"} | one])["channels"] == "a, b (K)"
    mixed = [{"name": "a"} | one, {"name": "b"} | one | {"units": "Pa", "predict": False}]
    assert rows(channels=mixed)["channels"] == "a (K), b (Pa) observed only"
    assert rows(channels=[{"name": "a"} | one, {"name": "b"} | one | {"predict": False}])["channels"].endswith("only")


def test_what_has_no_unit_gets_none():
    assert (_unit("1"), _unit("K"), _unit("K", before="\n")) == ("", " (K)", "\n(K)")


def test_a_drawing_gives_the_document_no_positions(tmp_path):
    values = np.array([[2.0]]).reshape(1, 1, 1, 1, 1)
    curve = Curve.of(
        dict.fromkeys(("rmse", "mae", "bias"), values),
        planners=["by_hand"],
        budgets=[1],
        n=2,
        channels=["u"],
        units=["1"],
        total=values.reshape(1, 1, 1),
    )
    write_netcdf(curve.to_dataset(), tmp_path / "curve.nc")
    (tmp_path / "provenance.json").write_text("{}", encoding="utf-8")
    for frame, keys in (
        (Frame.SCHEMATIC, set()),
        (Frame.PLANAR, {"x", "y"}),
        (Frame.GEOGRAPHIC, {"longitude", "latitude"}),
    ):
        plan = Plan(np.array([0]), np.ones(1), 1, Sites(np.zeros(2), np.arange(2.0), frame=frame), "by_hand")
        save_plan(plan, None, tmp_path / "plan.nc")
        found = _document(Run(tmp_path), plan)
        assert {"x", "y", "longitude", "latitude"} & set(found["sensors"][0]) == keys
        assert (found["positions_are"] == "unknown") is (frame is Frame.SCHEMATIC)
