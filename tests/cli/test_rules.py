"""Existing stations and zones on the command line, on a winter of pressure: 864 cells of 2.5 degrees."""

import json
from pathlib import Path

import numpy as np
import pytest

import dynst
from dynst.domain import Plan, Role
from dynst.export import load_plan
from dynst.planners import PLANNERS
from dynst.study.prepare import prepare

WINTER = Path(__file__).parents[2] / "data" / "era5_natl_msl.nc"
WEST, SOUTH, EAST, NORTH = -30, 30, 10, 60
STATIONS = "name,lon,lat\nReykjavik,-21.9,64.1\nValentia,-10.2,51.9\nAzores,-27.2,38.7\n"
CELLS = {(-22.5, 65.0), (-10.0, 52.5), (-27.5, 37.5)}  # where these stand


def polygon(path, west=WEST, south=SOUTH, east=EAST, north=NORTH):
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"name": "zone"}, "geometry": shape}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with three stations and zones."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stations.csv").write_text(STATIONS)
    polygon(tmp_path / "zone.geojson")
    polygon(tmp_path / "tiny.geojson", -10.1, 50.0, -4.9, 50.1)  # three cells
    polygon(tmp_path / "world.geojson", -180, -90, 180, 90)
    polygon(tmp_path / "far.geojson", 100, -50, 110, -40)
    return tmp_path


def fit(call, *options):
    return call("fit", "--data", WINTER, "--history", "2", "--horizon", "2", "--climatology", "mean", *options)


def places(sites, rows):
    return set(zip(sites.x[rows].tolist(), sites.y[rows].tolist(), strict=True))


def in_zone(sites):
    return (sites.x >= WEST) & (sites.x <= EAST) & (sites.y >= SOUTH) & (sites.y <= NORTH)


@pytest.mark.parametrize("zone", ["allow", "forbid"])
def test_no_plan_of_any_planner_breaks_a_rule(folder, dynst_main, zone):
    rules = ("--existing", "stations.csv", f"--{zone}", "zone.geojson")
    code, _, err = fit(dynst_main, *rules, "--sensors", "7", "--ladder", "0.98", "--no-stability", "--out", "run")
    assert code == 0, err
    assert "could not be written" not in err
    run = dynst.find("run")
    task = prepare(dynst.Study.load(run.path / "study.toml")).task()
    plans = [load_plan(path)[0] for path in (run.path / "plans").glob("*.nc")]
    assert {"dynst_linear", "uniform_random", "coverage", "forward"} <= {plan.planner for plan in plans}
    plans += [PLANNERS["uniform_random"].plan(task, seed=seed) for seed in range(5)]  # further draws have no file
    for plan in plans:
        inside = in_zone(plan.sites)
        free = plan.order[~np.isin(plan.order, plan.sites.fixed)]
        assert places(plan.sites, plan.selected[:3]) == CELLS
        assert inside[free].all() if zone == "allow" else not inside[free].any()


def test_rules_are_said_on_terminal_page_and_in_provenance(folder, dynst_main):
    rules = ("--existing", "stations.csv", "--forbid", "zone.geojson")
    code, _, err = fit(dynst_main, *rules, "--sensors", "5", "--compare", "none", "--out", "run")
    assert code == 0, err
    run = dynst.find("run")
    fixed, free = (int((run.plan.sites.role == role).sum()) for role in (Role.FIXED, Role.CANDIDATE))
    said = f"3 existing stations stay; {free} of 864 sites may carry a new sensor"
    page = (run.path / "report.html").read_text(encoding="utf-8")
    told = run.provenance["facts"]["rules"]
    assert said in " ".join(err.split())
    assert said in page
    assert "stand on the nearest cell of the record" in page
    assert "the zones let no new sensor stand at 2 existing stations, which stay" in page
    assert (told["words"], told["existing"]) == (said, {"file": "stations.csv", "sites": 3})
    assert (told["fixed"], told["free"]) == (fixed, free)
    code, out, _ = dynst_main("export-map", "run", "--format", "geojson", "-o", "-")
    features = json.loads(out)["features"]
    assert code == 0
    assert [feature["properties"]["fixed"] for feature in features].count(True) == 3


def test_inspect_says_what_the_rules_leave(folder, dynst_main):
    code, out, _ = dynst_main("inspect", WINTER, "--existing", "stations.csv", "--allow", "tiny.geojson")
    assert code == 0
    assert "3 existing stations stay; 3 of 864 sites may carry a new sensor" in " ".join(out.split())
    code, out, _ = dynst_main("inspect", WINTER, "--json", "--allow", "tiny.geojson")
    assert json.loads(out)["rules"]["allow"] == {"file": "tiny.geojson", "sites": 3}


def test_a_study_file_has_rules_beside_it_and_lists_of_names_are_zones(folder, dynst_main):
    names = ["50.000N 10.000W", "50.000N 7.500W", "50.000N 5.000W", "47.500N 5.000W"]
    (folder / "names.txt").write_text("\n".join(names))
    (folder / "study.toml").write_text(
        f'[data]\npath = "{WINTER}"\n[window]\nhistory = 2\nhorizon = 2\n[budget]\nsensors = 5\n'
        '[rules]\nexisting = "stations.csv"\nallow = "names.txt"\n[judge]\ncompare = "none"\n'
    )
    code, _, err = dynst_main("fit", "study.toml", "--out", "run", "-q")
    assert code == 0, err
    plan = dynst.find("run").plan
    chosen = {plan.sites.name[site] for site in plan.selected[3:]}
    assert places(plan.sites, plan.selected[:3]) == CELLS
    assert len(chosen) == 2
    assert chosen <= set(names)
    again = dynst.Study.load(folder / "run" / "study.toml")
    assert again.rules == {"existing": str(folder / "stations.csv"), "allow": str(folder / "names.txt"), "forbid": None}


def test_rules_that_exclude_nothing_change_nothing(folder, dynst_main):
    asked = ("--sensors", "6", "--compare", "none", "-q")
    assert fit(dynst_main, *asked, "--out", "free")[0] == 0
    assert fit(dynst_main, *asked, "--allow", "world.geojson", "--out", "ruled")[0] == 0
    free, ruled = (dynst.find(name).plan for name in ("free", "ruled"))
    assert free.order.tolist() == ruled.order.tolist()
    assert free.importance.tolist() == ruled.importance.tolist()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--existing", "stations.csv", "--sensors", "2"), "rule existing: 3 stations stand already"),
        (("--allow", "tiny.geojson", "--sensors", "4"), "rule allow: 3 of 864 sites can be in a plan"),
        (
            ("--existing", "stations.csv", "--allow", "tiny.geojson", "--sensors", "7"),
            "Ask for 6 or fewer",
        ),
        (("--forbid", "world.geojson"), "rule forbid: no site is left"),
        (("--forbid", "far.geojson"), "rule forbid: far.geojson: no polygon holds a site"),
        (("--existing", "off.csv"), "rule existing: off.csv: 1 of 2 stations lies off the record"),
        (("--existing", "nowhere.csv"), "rule existing: nowhere.csv: no such file"),
        (("--allow", "broken.geojson"), "rule allow: broken.geojson: cannot be read"),
        (("--allow", "points.txt"), 'rule allow: points.txt: site "Atlantis" is unknown'),
    ],
)
def test_what_cannot_be_is_one_line_that_names_the_rule(folder, dynst_main, options, says):
    (folder / "off.csv").write_text("name,lon,lat\nValentia,-10.2,51.9\nPerth,115.9,-31.9\n")
    (folder / "broken.geojson").write_text('{"type": "FeatureCollection", "features": [')
    (folder / "points.txt").write_text("Atlantis\n")
    code, out, err = fit(dynst_main, *options, "-q")
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not (folder / "runs").exists()


def test_a_network_is_scored_without_existing_stations_and_its_next_ones_keep_the_zones(folder, dynst_main):
    rules = ("--existing", "stations.csv", "--allow", "tiny.geojson")
    assert fit(dynst_main, *rules, "--sensors", "5", "--compare", "none", "--out", "run", "-q")[0] == 0
    (folder / "two.csv").write_text("\n".join(STATIONS.splitlines()[:3]))
    code, out, err = dynst_main("score", "run", "--stations", "two.csv", "--add", "2", "--json")
    assert code == 0, err
    review = json.loads(out)
    assert len(review["stations"]) == 2
    assert len(review["added"]) == 2
    assert {step["name"] for step in review["added"]} <= {"50.000N 10.000W", "50.000N 7.500W", "50.000N 5.000W"}


def test_a_run_is_not_resumed_under_other_rules(folder, dynst_main, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dynst.study.work.judge_ladder", stop)
        code, _, err = fit(dynst_main, "--existing", "stations.csv", "--sensors", "5", "--out", "run", "-q")
    assert (code, "--resume" in err) == (130, True)
    (folder / "stations.csv").write_text("\n".join(STATIONS.splitlines()[:3]))
    code, _, err = dynst_main("fit", "--resume", "run", "-q")
    assert code == 2
    assert "the files of rules changed since run run was stopped" in err


def test_a_default_budget_has_room_for_all_existing_stations(folder, dynst_main):
    rows = [f"s{i},{lon},45" for i, lon in enumerate(np.arange(-60, 0, 2.5))]
    (folder / "many.csv").write_text("\n".join(["name,lon,lat", *rows]))
    code, _, err = fit(dynst_main, "--existing", "many.csv", "--compare", "none", "--out", "run", "-q")
    assert code == 0, err
    plan: Plan = dynst.find("run").plan
    assert (len(plan.sites.fixed), plan.budget) == (len(rows), len(rows) + 1)
