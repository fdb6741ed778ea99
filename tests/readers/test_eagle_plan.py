"""From a tree of EAGLE runs to one plan for all of them, and to files for other tools."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import dynst
from dynst.domain import Frame
from dynst.export import render

sys.path.insert(0, str(Path(__file__).parent))
from eagle_maker import write_run


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("eagle") / "runs"
    for i in range(5):
        write_run(root / f"Cre/{i}/1", nodes=140 + 20 * i, steps=24, seed=i, trailing=i % 2 == 1)
    return root


def fit(tree, out, **options):
    window = {"history": 2, "horizon": 2, "compare": "none", "ladder": ()}
    return dynst.fit(dynst.Study(data=str(tree), sites=40, sensors=5, out=str(out), **window, **options))


def test_runs_of_other_meshes_get_one_plan_in_the_plane(tree, tmp_path):
    run = fit(tree, tmp_path / "run", planner="dynst_linear")
    facts = run.provenance["facts"]
    assert facts["data"]["cases"] == [f"Cre/{i}/1" for i in range(5)]
    assert facts["split"]["how"].startswith("by run (3 / 1 / 1 runs")
    assert facts["split"]["train"] == {"steps": 72, "windows": 63}  # 24 - 2 - 2 + 1 in a run: none spans two
    assert facts["data"]["missing_share"] > 0  # the obstacle passes
    plan = run.plan
    assert (len(plan.sites), plan.budget, plan.sites.frame) == (40, 5, Frame.PLANAR)
    text = json.loads(render(plan, "geojson", layout=run.layout))
    assert text["crs"]["properties"]["name"].startswith("LOCAL_CS")  # no degrees: tools take null for WGS 84
    places = np.array([feature["geometry"]["coordinates"] for feature in text["features"]])
    assert places.shape == (5, 2)
    assert ((places[:, 0] >= 0) & (places[:, 0] <= 2)).all()
    assert ((places[:, 1] > 0) & (places[:, 1] < 1)).all()  # not on the walls
    assert render(plan, "png", layout=run.layout).startswith(b"\x89PNG")


def test_the_network_on_a_graph_plans_for_the_runs_too(tree, tmp_path):
    run = fit(tree, tmp_path / "run", planner="dynst", steps=4, batch=4, dim=8, depth=1, observe=("vx", "ps"))
    assert run.provenance["facts"]["planner"]["backbone"] == "gnn"
    assert run.plan.budget == len(run.plan.selected) == 5
    assert np.isfinite(run.curve.data["total"]).all()
