"""What `dynst.fit` may be given: a study, a file, data, or a field made in Python, with options by name."""

import json

import numpy as np
import pytest

import dynst
from dynst.errors import ConfigError
from dynst.study.given import asked

QUICK = {"sensors": 3, "ladder": (0.5,), "compare": "none", "stability": False}


def pond(steps=160):
    """Two channels of waves that travel over a grid, as an array that no file holds."""
    rng = np.random.default_rng(0)
    latitude, longitude = np.meshgrid(np.linspace(60, 45, 4), np.linspace(-10, 10, 6), indexing="ij")
    values = np.sin(np.arange(steps)[:, None, None] / 5 + np.arange(24)[:, None] / 3 + np.arange(2))
    values += 0.2 * rng.standard_normal(values.shape)
    return dynst.Field.of(
        values.astype(np.float32),
        dynst.Sites(longitude.ravel(), latitude.ravel()),
        dynst.GridLayout((4, 6), np.arange(24)),
        channels=(dynst.Channel("u"), dynst.Channel("v")),
        name="pond",
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of a field made in Python, as a user makes it."""
    return dynst.fit(pond(), **QUICK, planner="forward", penalty=0.1, out=str(tmp_path_factory.mktemp("p") / "pond"))


def test_a_field_is_planned_with_options_by_name_and_the_run_says_whence_it_came(run):
    assert (run.plan.planner, run.plan.budget) == ("forward", 3)
    study = dynst.Study.load(run.path / "study.toml")
    assert (study.data, study.options) == ("python:pond", {"penalty": 0.1})
    known = json.loads((run.path / "provenance.json").read_text())["data"]
    assert known["path"] == "python:pond"
    assert len(known["fingerprint"]) == 16


def test_the_fingerprint_follows_the_values(run, tmp_path):
    field = pond()
    other = field.series.read(0, field.steps)
    other[7, 3, 0] += 1
    changed = dynst.Field.of(other, field.sites, field.layout, channels=field.channels, name="pond")
    again, moved = (
        dynst.fit(data, **QUICK, planner="coverage", out=str(tmp_path / name))
        for name, data in (("again", field), ("moved", changed))
    )
    marks = [json.loads((r.path / "provenance.json").read_text())["data"]["fingerprint"] for r in (run, again, moved)]
    assert marks[0] == marks[1] != marks[2]


def test_its_report_and_its_maps_need_no_data(run, tmp_path):
    html, text = dynst.report(run, tmp_path)
    assert html.is_file()
    assert "pond" in text.read_text()
    dynst.export_plan(run.plan, tmp_path / "sensors.geojson", layout=run.layout)
    features = json.loads((tmp_path / "sensors.geojson").read_text())["features"]
    assert len(features) == 3
    with pytest.raises(ConfigError, match=r"\.shp"):
        dynst.export_plan(run.plan, tmp_path / "sensors.shp")


@pytest.mark.parametrize(
    "again", [lambda run: dynst.compare(str(run.path), budgets=(3,)), lambda run: dynst.score(str(run.path))]
)
def test_what_reads_the_data_again_says_that_no_file_holds_them(run, again):
    with pytest.raises(ConfigError, match=r"^python:pond was made in Python, and no file holds it") as told:
        again(run)
    assert "\n" not in str(told.value)


def test_a_stopped_run_of_a_field_is_not_resumed_and_says_why(tmp_path):
    def stop(event):
        if event.stage == "judge":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dynst.fit(pond(), **QUICK, planner="coverage", out=str(tmp_path / "half"), listen=stop)
    with pytest.raises(ConfigError, match="no file holds it"):
        dynst.resume(str(tmp_path / "half"))
    assert (tmp_path / ".half.partial" / "study.toml").is_file()


def test_networks_judge_a_field_in_this_process_as_no_other_can_read_it(tmp_path):
    options = QUICK | {"compare": "full", "steps": 6, "batch": 4, "dim": 8, "depth": 1, "seeds": 2, "workers": 2}
    run = dynst.fit(pond(80), **options, planner="coverage", out=str(tmp_path / "full"))
    assert np.isfinite([row.error for row in run.curves["network"].table(3) if row.planner == "coverage"]).all()


def test_channels_may_be_chosen(tmp_path):
    run = dynst.fit(pond(), **QUICK, observe="u", predict=["v"], planner="coverage", out=str(tmp_path / "one"))
    channels = json.loads((run.path / "provenance.json").read_text())["facts"]["data"]["channels"]
    assert [(c["name"], c["observe"], c["predict"]) for c in channels] == [("u", True, False), ("v", False, True)]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"data": "other.nc"}, "give no other data beside it"),
        ({"stations": "places.csv"}, "stations: belongs to data in files"),
        ({"sites": 20}, "sites: belongs to data in files"),
        ({"observe": "w"}, 'channel "w" is unknown'),
        ({"sensor": 3}, 'Did you mean "sensors"'),
        ({"planner": "forward", "penalty": -1.0}, "penalty: -1.0 came"),
    ],
)
def test_what_does_not_fit_a_field_is_one_line_and_nothing_is_written(tmp_path, monkeypatch, options, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=says) as told:
        dynst.fit(pond(), **options)
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_study_a_study_file_and_a_path_take_options_too(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('[data]\npath = "x.nc"\n[budget]\nsparsity = 0.5\n[planner]\nname = "forward"\npenalty = 0.1\n')
    wanted = dynst.Study(data=str(tmp_path / "x.nc"), sensors=4, planner="forward", penalty=0.2)
    for source in (path, str(path), dynst.Study.load(path)):
        assert asked(source, {"sensors": 4, "penalty": 0.2}) == (wanted, None)
    assert asked("x.nc", {"sensors": 4}) == (dynst.Study(data="x.nc", sensors=4), None)
    assert asked(wanted, {}) == (wanted, None)


def test_rules_made_in_python_hold_for_a_field_and_their_price_is_found(tmp_path):
    rules = dynst.Rules(forbid=np.arange(24) < 6, existing=np.arange(24) == 8)
    found = dynst.fit(pond(), rules=rules, **QUICK | {"compare": "quick"}, out=str(tmp_path / "ruled"))
    assert 8 in found.plan.selected
    assert not set(found.plan.selected.tolist()) & set(range(6))
    assert {row.rule for row in found.price.rows} == {"all rules", "existing", "forbid"}


def test_rules_of_other_sites_and_rules_beside_files_are_refused():
    with pytest.raises(ConfigError, match="mask of 5 sites"):
        dynst.fit(pond(), rules=dynst.Rules(forbid=np.zeros(5, bool)), **QUICK)
    with pytest.raises(ConfigError, match="made in Python"):
        dynst.fit("sample:heat_mesh", rules=dynst.Rules())
