"""Existing stations and zones on the command line, on a winter of pressure: 864 cells of 2.5 degrees."""

import json
from pathlib import Path

import numpy as np
import pytest

import dynst
from dynst.domain import Plan, Role, Spacing
from dynst.domain.space import distance_km
from dynst.domain.spacing import HOPS
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


def towns(path):
    """A town 11 km north of a site."""
    shape = {"type": "Point", "coordinates": [-5.0, 50.1]}
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": shape}))


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
    assert (told["words"], told["existing"]) == (said, {"files": ["stations.csv"], "sites": 3})
    assert (told["fixed"], told["free"]) == (fixed, free)
    code, out, _ = dynst_main("export-map", "run", "--format", "geojson", "-o", "-")
    features = json.loads(out)["features"]
    assert code == 0
    existing = [feature for feature in features if feature["properties"]["role"] == "existing"]
    assert {feature["properties"]["name"] for feature in existing} == {"Reykjavik", "Valentia", "Azores"}
    assert {tuple(feature["geometry"]["coordinates"]) for feature in existing} == {
        (-21.9, 64.1),
        (-10.2, 51.9),
        (-27.2, 38.7),
    }
    assert all(0 < feature["properties"]["snapped_km"] < 200 for feature in existing)


def test_inspect_says_what_the_rules_leave(folder, dynst_main):
    code, out, _ = dynst_main("inspect", WINTER, "--existing", "stations.csv", "--allow", "tiny.geojson")
    assert code == 0
    assert "3 existing stations stay; 3 of 864 sites may carry a new sensor" in " ".join(out.split())
    code, out, _ = dynst_main("inspect", WINTER, "--json", "--allow", "tiny.geojson")
    assert json.loads(out)["rules"]["allow"] == {"files": ["tiny.geojson"], "sites": 3}


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
    files = {rule: [named.file for named in files] for rule, files in again.rules.items()}
    assert files == {"existing": [str(folder / "stations.csv")], "allow": [str(folder / "names.txt")], "forbid": []}


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


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--min-distance", "30"), "rule min_distance: 30 has no unit. Positions are degrees, so write 30km."),
        (("--min-distance", "0km"), "--min-distance:"),
        (("--min-distance", "3hops"), "rule min_distance: 3hops came, but the sites form a grid"),
        (("--min-distance", "30miles"), 'the unit "miles" is unknown'),
        (
            ("--min-distance", "3000km", "--sensors", "20"),
            "rule min_distance: at 3000 km room was found for 8 sensors; 20 came. Ask for 8 or fewer, or for 1500 km,",
        ),
        (
            ("--min-distance", "3000km", "--existing", "stations.csv", "--new", "20"),
            "sensors fit, 3 existing stations included; 23 came. Ask for",
        ),
        (
            ("--min-distance", "300km", "--allow", "tiny.geojson", "--sensors", "3"),
            "rule min_distance: at 300 km at most 2 sensors fit in the zones; 3 came. Ask for 2 or fewer, or for ",
        ),
        (("--existing", "stations.csv", "--allow", "tiny.geojson", "--new", "4"), "Ask for 6 or fewer (3 new)"),
        (("--new", "4", "--sparsity", "0.9"), "sparsity and new exclude each other"),
        (("--forbid", "towns.geojson"), '"towns.geojson buffer=5"'),
        (("--forbid", "towns.geojson buffer=1"), "no site lies within 1 km"),
        (("--forbid", "towns.geojson buffer=-1"), "--forbid: buffer:"),
        (("--existing", "stations.csv buffer=5"), "existing stations take no buffer"),
    ],
)
def test_an_infeasible_distance_buffer_or_number_is_one_line_with_the_way_out(folder, dynst_main, options, says):
    towns(folder / "towns.geojson")
    code, out, err = fit(dynst_main, *options, "-q")
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not (folder / "runs").exists()


def test_new_sensors_keep_their_distance_and_stay_out_of_all_zones(folder, dynst_main):
    towns(folder / "towns.geojson")
    polygon(folder / "south.geojson", south=20, north=35)
    (folder / "more.csv").write_text("name,lon,lat\nKeflavik,-22.6,64.0\n")  # on the site of Reykjavik
    rules = ("--existing", "stations.csv", "--existing", "more.csv", "--min-distance", "600km")
    rules += ("--forbid", "towns.geojson buffer=400", "--forbid", "south.geojson")
    code, _, err = fit(dynst_main, *rules, "--new", "6", "--compare", "none", "--out", "run")
    assert code == 0, err
    assert "9 sensors: 6 new sensors beside 3 existing" in " ".join(err.split())
    run = dynst.find("run")
    plan, sites = run.plan, run.plan.sites
    new = plan.selected[3:]
    assert places(sites, plan.selected[:3]) == CELLS
    own = sites.stations
    assert sorted(own.name) == ["Azores", "Keflavik", "Reykjavik", "Valentia"]
    for site in new.tolist():
        others = new[new != site]
        east = np.concatenate([sites.x[others], own.x, [-5.0]])
        north = np.concatenate([sites.y[others], own.y, [50.1]])
        way = distance_km(sites.x[[site]], sites.y[[site]], east, north)
        assert way[:-1].min() >= 600 * (1 - 1e-9)
        assert way[-1] > 400 * 0.99
    assert not ((sites.x[new] >= WEST) & (sites.x[new] <= EAST) & (sites.y[new] <= 35)).any()
    study = dynst.Study.load(run.path / "study.toml")
    assert (study.new, study.sensors, study.min_distance) == (6, None, "600km")
    assert [str(named) for named in study.forbid] == [
        f"{folder / 'towns.geojson'} buffer=400",
        str(folder / "south.geojson"),
    ]
    assert prepare(study).budget == plan.budget
    code, out, _ = dynst_main("export-map", "run", "--format", "csv", "-o", "-")
    assert [line.split(",")[1] for line in out.splitlines()[1:5]].count("Keflavik") == 1
    code, out, _ = dynst_main("inspect", WINTER, *rules, "--json")
    told = json.loads(out)["rules"]
    assert told["min_distance"] == {"least": 600.0, "unit": "km"}
    assert told["room"]["sensors"] >= 9


def test_hops_keep_sensors_apart_on_a_mesh(folder, dynst_main):
    asked = ("--data", "sample:heat_mesh", "--min-distance", "3hops", "--sensors", "5", "--compare", "none", "-q")
    code, _, err = dynst_main("fit", *asked, "--out", "run")
    assert code == 0, err
    plan, layout = load_plan(dynst.find("run").path / "plan.nc")
    near = Spacing(3.0, HOPS, layout.edge_index)
    for site in plan.selected.tolist():
        assert set(near.within_hops(site).tolist()) & set(plan.selected.tolist()) == {site}


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
