"""A study comes from defaults, a file and flags; whatever cannot be understood is one line that says where."""

import re

import numpy as np
import pytest

from dynst.config import Study
from dynst.domain import Sites
from dynst.errors import BudgetError, ConfigError
from dynst.planners import PLANNERS


def write(tmp_path, text):
    path = tmp_path / "study.toml"
    path.write_text(text)
    return path


def sites(n):
    return Sites(np.linspace(0, 10, n), np.zeros(n))


def test_a_study_written_and_read_is_the_same_study(tmp_path):
    study = Study(
        data="sample:waves",
        observe=("u", "v"),
        sensors=7,
        history=3,
        planner="dynst",
        polish=False,
        l1=0.5,
        ladder=(0.5, 0.25),
        seed=3,
    )
    assert Study.load(write(tmp_path, study.toml())) == study


def test_the_defaults_need_no_file_and_make_an_empty_one():
    assert Study.load() == Study()
    assert Study().toml() == ""


def test_flags_override_the_file_and_missing_flags_do_not(tmp_path):
    path = write(tmp_path, '[planner]\nname = "coverage"\n[run]\nseed = 4\n')
    study = Study.load(path, {"seed": 5, "planner": None})
    assert (study.seed, study.planner) == (5, "coverage")


def test_a_budget_flag_replaces_the_budget_of_the_file_in_whichever_form(tmp_path):
    study = Study.load(write(tmp_path, "[budget]\nsparsity = 0.5\n"), {"sensors": 9})
    assert (study.sparsity, study.sensors) == (None, 9)


def test_lists_may_be_given_as_text_with_commas():
    study = Study.load(None, {"observe": "t2m, u10", "ladder": "0.5,0.9"})
    assert (study.observe, study.ladder) == (("t2m", "u10"), (0.5, 0.9))


def test_data_of_a_study_file_are_relative_to_that_file(tmp_path):
    assert Study.load(write(tmp_path, '[data]\npath = "x.nc"\n')).data == str(tmp_path / "x.nc")
    assert Study.load(write(tmp_path, '[data]\npath = "sample:waves"\n')).data == "sample:waves"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[planer]\nname = 1", r'study.toml: table "planer" is unknown. Did you mean "planner"\?'),
        ("[planner]\nnmae = 1", r'study.toml, \[planner\] key "nmae" is unknown. Did you mean "name"\?'),
        ('[planner]\nname = "dinst"', r'\[planner\] name: planner "dinst" is unknown. Did you mean "dynst"\?'),
        ('[planner]\nevidence = "gradiant"', r'\[planner\] evidence: "gradiant" is unknown. Did you mean "gradient"\?'),
        ('[planner]\nsteps = "many"', r'\[planner\] steps: "many" is no whole number'),
        ("[planner]\nsteps = 0", r"\[planner\] steps: 0 came; at least 1 is expected"),
        ("[budget]\nsparsity = 1.0", r"\[budget\] sparsity: 1.0 came; less than 1.0 is expected"),
        ("[budget]\nsparsity = 0.5\nsensors = 3", r"study.toml: sparsity and sensors exclude each other"),
        ('[planner]\nname = "dynst"\nbackbone = "linear"', r"choose planner dynst_linear"),
        ("seed = 3", r'key "seed" stands outside a table: move it under \[run\]'),
        ("seed", r"study.toml: not valid TOML"),
    ],
)
def test_what_a_file_gets_wrong_is_one_line_with_the_place_and_the_remedy(tmp_path, text, says):
    with pytest.raises(ConfigError, match=says) as caught:
        Study.load(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_what_a_flag_gets_wrong_names_the_flag():
    with pytest.raises(ConfigError, match=r"^--sparsity: 1.5 came; less than 1.0 is expected"):
        Study.load(None, {"sparsity": 1.5})


def test_a_missing_study_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none.toml: no such study file"):
        Study.load(tmp_path / "none.toml")


def test_the_budget_is_a_share_a_count_or_twenty():
    assert Study(sparsity=0.75).budget(sites(100)) == 25
    assert Study(sensors=3).budget(sites(100)) == 3
    assert Study().budget(sites(1000)) == 20
    assert Study().budget(sites(50)) == 5
    with pytest.raises(BudgetError, match="101"):
        Study(sensors=101).budget(sites(100))


def test_plans_are_made_in_closed_form_unless_told_otherwise():
    assert Study().chosen_planner() == ("dynst_linear", "the default")
    assert Study(backbone="stlight").chosen_planner()[0] == "dynst"
    assert Study(backbone="linear").chosen_planner()[0] == "dynst_linear"
    assert Study(planner="coverage").chosen_planner()[0] == "coverage"


def test_only_options_that_were_given_reach_the_network_planner():
    study = Study(steps=5, l1=0.1)
    assert study.planner_options("dynst") == {"steps": 5, "l1": 0.1, "device": "auto", "precision": "32"}
    assert study.planner_options("one_shot") == study.network() == {"steps": 5, "device": "auto"}


@pytest.mark.parametrize("switch", [{"evidence": "magnitude"}, {"rewind": True}, {"precision": "bf16"}, {"l1": 0.1}])
def test_a_switch_of_the_network_chooses_it_or_is_refused_but_never_ignored(switch):
    assert Study(**switch).chosen_planner() == ("dynst", f"as asked by {next(iter(switch))}")
    for other in ({"planner": "coverage"}, {"planner": "dynst_linear"}, {"backbone": "linear"}):
        with pytest.raises(ConfigError, match="leave one of them out"):
            Study.load(None, switch | other)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[window]\nhistory = true", "true is no number"),
        ("[run]\nseed = true", "true is no number"),
        ("[planner]\nalpha = true", "true is no number"),
        ('[planner]\npolish = "maybe"', '"maybe" came; true or false is expected'),
        ("[judge]\nladder = 0.5", "0.5 came; a list in brackets is expected"),
        ("[planner]\nl1 = inf", "finite number"),
        ("[data]\nspacing = -1", "-1 came; more than 0.0 is expected"),
        ("[planner]\nname = 3", "3 came; text in quotes is expected"),
    ],
)
def test_a_value_of_the_wrong_kind_is_told_in_our_words(tmp_path, text, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Study.load(write(tmp_path, text))


def test_a_precision_may_be_written_as_a_number(tmp_path):
    assert Study.load(write(tmp_path, "[run]\nprecision = 32")).precision == "32"


def test_without_polish_neither_kind_of_swap_follows_the_training():
    options = PLANNERS["dynst"].options
    assert not options(polish=False).sweeps
    assert options(polish=True).sweeps
    assert options(polish=False, exact_sweep=True).sweeps


def test_options_of_any_planner_come_from_file_flags_and_python_alike(tmp_path):
    path = write(tmp_path, '[planner]\nname = "forward"\npenalty = 0.1\n')
    studies = [
        Study.load(path),
        Study.load(None, {"planner": "forward", "penalty": 0.1}),
        Study(planner="forward", penalty=0.1),
        Study(planner="forward", options={"penalty": 0.1}),
        Study.of(planner="forward", penalty=0.1),
    ]
    assert all(study == studies[0] for study in studies)
    assert studies[0].planner_options("forward") == {"penalty": 0.1}
    assert Study.load(write(tmp_path, studies[0].toml())) == studies[0]
    assert Study.load(path, {"penalty": 0.3}).options == {"penalty": 0.3}


def test_a_network_field_given_as_an_option_is_that_field():
    assert Study(planner="dynst", options={"steps": 50, "alpha": 0.2}) == Study(planner="dynst", steps=50, alpha=0.2)
    assert Study(planner="dynst", options={"steps": 50}).steps == 50


@pytest.mark.parametrize("planner", sorted(PLANNERS))
def test_no_option_is_hidden_by_a_field_of_the_study(planner):
    """An option named like another field would never reach its planner."""
    shared = {"backbone", "steps", "batch", "dim", "depth", "patch", "device", "precision"}
    assert set(PLANNERS[planner].options.names()) & set(Study.model_fields) <= shared


@pytest.mark.parametrize("planner", ["coverage", "dynst_linear", "one_shot"])
def test_baselines_take_the_options_of_the_study_only_if_they_are_its_planner(planner):
    study = Study(planner="dynst", alpha=0.2, evidence="gradient", steps=20)
    assert not {"alpha", "evidence"} & set(study.planner_options(planner))
    assert study.planner_options("dynst")["alpha"] == 0.2


def test_without_a_planner_options_choose_the_network_only_where_it_has_them_all():
    assert Study(alpha=0.1).chosen_planner()[0] == "dynst"
    assert Study(sweeps=1).chosen_planner() == ("dynst_linear", "the default")
    assert Study(alpha=0.1, sweeps=1).chosen_planner()[0] == "dynst_linear"
    assert Study(alpha=0.1, backbone="linear").planner_options("dynst_linear") == {"alpha": 0.1}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "penalty = 0.1",
            "penalty: belongs to planner forward; planner dynst_linear does not take it: leave one of them out.",
        ),
        ('name = "coverage"\nalpha = 0.1', "alpha: belongs to planner dynst or dynst_linear; planner coverage"),
        ('name = "forward"\npenalty = 0', "penalty: 0 came; more than 0 is expected."),
        ('name = "forward"\npenaltie = 1', 'key "penaltie" is unknown. Did you mean "penalty"?'),
        ('name = "forward"\npenalty = "big"', 'penalty: "big" is no number.'),
        ('name = "dynst_linear"\nrounds = 1.5', "rounds: 1.5 is no whole number."),
        ('name = "dynst_linear"\nstart = "dens"', 'start: "dens" is unknown. Did you mean "dense"? Known: greedy'),
        ('name = "pivoted_qr"\nscaled = 1', "scaled: 1 came; true or false is expected."),
        ('name = "mutual_information"\nshrinkage = 2', "shrinkage: 2 came; at most 1 is expected."),
        ('backbone = "stlite"', 'backbone: backbone "stlite" is unknown. Did you mean "stlight"?'),
        ('backbone = "gnn"\npatch = 2', "patch: belongs to the backbone stlight; gnn has none: leave it out."),
    ],
)
def test_an_option_that_makes_no_sense_is_one_line_with_its_place(tmp_path, text, says):
    with pytest.raises(ConfigError) as told:
        Study.load(write(tmp_path, f"[planner]\n{text}\n"))
    assert str(told.value).startswith(f"{tmp_path / 'study.toml'}, [planner] ")
    assert says in str(told.value)
    assert "\n" not in str(told.value)


def test_what_python_gets_wrong_names_the_field():
    for fields, says in (({"sensors": 0}, "sensors: 0 came"), ({"sensor": 3}, 'Did you mean "sensors"')):
        with pytest.raises(ConfigError, match=says):
            Study.of(**fields)


def test_the_help_of_a_study_names_every_field():
    for field in Study.model_fields:
        assert re.search(rf"^[\w, ]*\b{field}\b[\w, :]*$", Study.__doc__, re.MULTILINE), field


def test_paths_below_home_and_names_with_a_colon_are_paths(tmp_path):
    path = write(tmp_path, '[data]\npath = "~/w.csv"\nstations = "st:1.csv"')
    study = Study.load(path)
    assert (study.data, study.stations) == ("~/w.csv", str(tmp_path / "st:1.csv"))


def test_an_empty_name_takes_back_what_the_file_says_of_stations(tmp_path):
    path = write(tmp_path, '[data]\nstations = "st.csv"\n[sample]\npath = "sample:heat_mesh"\nstations = ""')
    assert Study.load(path, sample=True).stations is None
    assert Study.load(path, {"stations": ""}).stations is None


def test_history_and_horizon_may_be_times():
    study = Study.load(None, {"history": "2d", "horizon": "12"})
    assert (study.history, study.horizon) == ("2d", 12)
    window = study.window(400, cadence="6 h")
    assert (window.history, window.prediction) == (8, 12)
    assert 'history = "2d"' in study.toml()
    with pytest.raises(ConfigError, match="cannot be counted in steps of 1 step"):
        study.window(400)


@pytest.mark.parametrize("name", ["history", "horizon"])
@pytest.mark.parametrize("value", ["soon", "12 parsecs", "-3", "0", True, 2.5])
def test_what_is_neither_steps_nor_a_time_is_refused_by_name(name, value):
    with pytest.raises(ConfigError, match=f"^--{name}: ") as caught:
        Study.load(None, {name: value})
    assert "\n" not in str(caught.value)


def test_a_climatology_has_one_spelling(tmp_path):
    path = write(tmp_path, '[window]\nclimatology = "day + Year"\n')
    study = Study.load(path)
    assert study.climatology == "year+day"
    assert Study.load(path, {"climatology": "mean"}).climatology == "mean"
    assert Study.load(write(tmp_path, study.toml())) == study


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"climatology": "yaer"}, '--climatology: word "yaer" is unknown. Did you mean "year"'),
        ({"climatology": "year,day"}, "is unknown"),
        ({"climatology": "cycle"}, "climatology cycle has no length: give --cycle STEPS"),
        ({"cycle": 1}, "--cycle: 1 came; at least 2 is expected"),
    ],
)
def test_an_impossible_climatology_is_one_line(flags, message):
    with pytest.raises(ConfigError, match=message) as caught:
        Study.load(None, flags)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"), [('"2015-12"', "2015-12"), ("2015", "2015"), ("2015-12-31", "2015-12-31"), ('""', None)]
)
def test_dates_of_a_split_may_be_text_or_dates_of_toml(tmp_path, text, said):
    path = tmp_path / "study.toml"
    path.write_text(f"[data]\ntrain_until = {text}\n")
    study = Study.load(path)
    assert study.train_until == said
    path.write_text(study.toml())
    assert Study.load(path) == study
    assert Study.load(path, {"train_until": ""}).until is None
    assert Study.load(path, {"train_until": "2014", "valid_until": "2016-06"}).valid_until == "2016-06"


def test_a_sample_takes_back_the_dates_of_its_study(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        '[data]\ntrain_until = "2015"\nvalid_until = "2016"\n[sample]\ntrain_until = ""\nvalid_until = ""\n'
    )
    assert Study.load(path, sample=True).until is None
    assert str(Study.load(path).until.valid) == "2016"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"train_until": "yesterday"}, '--train-until: "yesterday" came; a date such as 2015, '),
        ({"train_until": True}, "--train-until: true came; text in quotes is expected."),
        ({"train_until": 2015.5}, "--train-until: 2015.5 came; text in quotes is expected."),
        ({"valid_until": "2016"}, "valid_until needs train_until"),
        ({"train_until": "2016", "valid_until": "2015"}, "Name a later date."),
        ({"train_until": "2015", "split": "run"}, "leave out split, or train_until"),
    ],
)
def test_dates_that_contradict_are_one_line(flags, says):
    with pytest.raises(ConfigError) as told:
        Study.load(None, flags)
    assert says in str(told.value)
    assert not str(told.value).endswith("..")
    assert "\n" not in str(told.value)


def test_a_resolved_study_of_an_older_version_is_understood(tmp_path):
    """All switches of dynst and the arithmetic, where older versions wrote them."""
    path = write(
        tmp_path,
        """[data]
path = "waves.nc"

[planner]
name = "dynst"
backbone = "stlight"
dim = 8
steps = 50
evidence = "magnitude"
drop_by = "gradient"
schedule = "cubic"
interval = 5
alpha = 0.2
rate = "cosine"
prune = false
regrow = true
rewind = true
l1 = 0.001
polish = false

[run]
device = "cpu"
precision = "bf16"
""",
    )
    study = Study.load(path)
    assert study.planner_options("dynst") == {
        "backbone": "stlight",
        "dim": 8,
        "steps": 50,
        "device": "cpu",
        "precision": "bf16",
        "evidence": "magnitude",
        "drop_by": "gradient",
        "schedule": "cubic",
        "interval": 5,
        "alpha": 0.2,
        "rate": "cosine",
        "prune": False,
        "regrow": True,
        "rewind": True,
        "l1": 0.001,
        "polish": False,
    }
    assert Study.load(write(tmp_path, study.toml())) == study.model_copy(update={"data": str(tmp_path / study.data)})


def test_rules_are_files_with_buffers_in_every_form(tmp_path):
    (tmp_path / "study.toml").write_text(
        '[budget]\nnew = 4\n[rules]\nexisting = "mine.csv"\nallow = ["a.gpkg", "/abs/b.shp buffer=500m"]\n'
        'forbid = [{file = "airports.geojson", buffer = 5}, "towns.geojson"]\nmin_distance = "30 km"\n'
    )
    study = Study.load(tmp_path / "study.toml")
    files = {rule: [str(named) for named in named_files] for rule, named_files in study.rules.items()}
    assert files == {
        "existing": [str(tmp_path / "mine.csv")],
        "allow": [str(tmp_path / "a.gpkg"), "/abs/b.shp buffer=500m"],
        "forbid": [f"{tmp_path / 'airports.geojson'} buffer=5", str(tmp_path / "towns.geojson")],
    }
    assert (study.min_distance, study.new) == ("30km", 4)
    (tmp_path / "again.toml").write_text(study.toml())
    assert Study.load(tmp_path / "again.toml") == study
    assert Study.load(None, study.model_dump()) == study
    over = Study.load(tmp_path / "study.toml", {"forbid": ["x.geojson buffer=2km"], "sensors": 9, "allow": [""]})
    assert [str(named) for named in over.forbid] == ["x.geojson buffer=2km"]
    assert (over.allow, over.new, over.sensors) == ((), None, 9)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"new": 3, "sensors": 4}, "sensors and new exclude each other"),
        ({"new": 3, "sparsity": 0.5}, "sparsity and new exclude each other"),
        ({"new": 0}, "--new: 0 came; at least 1"),
        ({"min_distance": "soon"}, '--min-distance: "soon" came; a distance like 30km'),
        ({"min_distance": -2}, '--min-distance: "-2" came; a distance of more than 0'),
        ({"forbid": "a.geojson buffer=much"}, '--forbid: buffer: "much" came'),
        ({"forbid": [{"file": "a.geojson", "bufer": 3}]}, '--forbid: key "bufer" is unknown. Did you mean "buffer"'),
        ({"forbid": [{"buffer": 3}]}, "--forbid: a zone needs a file"),
        ({"forbid": [3]}, "--forbid: 3 came; the name of a file is expected"),
        ({"existing": "a.csv buffer=3"}, "existing stations take no buffer"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_one_line(given, says):
    with pytest.raises(ConfigError) as stop:
        Study.load(None, given)
    assert says in str(stop.value)
    assert "\n" not in str(stop.value)


def test_new_sensors_come_besides_the_fixed_sites():
    sites = Sites(np.arange(9.0), np.zeros(9), role=np.array([1, 1, 0, 0, 0, 0, 0, 0, 2]))
    assert Study(new=3).budget(sites) == 5
    assert Study(new=3).budget(sites.with_role(np.zeros(9, int))) == Study(sensors=3).budget(sites) == 3
