"""Help is quick because it loads nothing heavy, and it shows only what works."""

import re
import subprocess
import sys

import pytest

from dynst.cli.flags import FLAGS
from dynst.config import Study
from dynst.planners import PLANNERS
from dynst.runs import Run

HEAVY = {"torch", "numpy", "scipy", "xarray", "pandas", "geopandas", "altair", "zarr", "netCDF4"}


@pytest.mark.parametrize(
    "arguments", [["--help"], ["fit", "--help"], ["inspect", "-h"], ["export-map", "--help"], ["report", "--help"]]
)
def test_help_loads_nothing_heavy(arguments, environment):
    code = (
        "import sys\nfrom dynst.cli import main\n"
        f"sys.argv = ['dynst', *{arguments!r}]\n"
        "try:\n    main()\nfinally:\n    print(sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Usage" in done.stdout
    assert not HEAVY & {name.strip("[]' \n").split(".")[0] for name in done.stderr.split(",")}


def test_help_does_not_show_what_does_not_work_yet(dynst_main):
    _, out, _ = dynst_main("fit", "--help")
    assert "--sensors" in out
    assert all(rule in out for rule in ("--existing", "--allow", "--forbid", "--min-distance", "--new"))
    for later in ("--fixed", "--cost", "--quota"):
        assert later not in out


FINE = ("Rarely needed", "Research switches of the mask")


def test_the_ordinary_panels_of_fit_are_short_and_the_research_switches_come_last(dynst_main):
    _, out, _ = dynst_main("fit", "--help")
    titles = [line for line in out.splitlines() if line.startswith(("╭", "+-"))]
    assert [title.strip("╭─╮+- ") for title in titles][-2:] == list(FINE)
    ordinary = out.split(FINE[0])[0]
    flags = re.findall(r"^[│|] (--[a-z-]+)", ordinary, re.MULTILINE)
    assert 20 <= len(flags) <= 30, flags
    assert "--set" in flags


def test_every_field_of_a_study_has_a_flag_and_every_flag_a_field_or_an_option():
    names = [flag.name for flag in FLAGS]
    assert len(names) == len(set(names))
    assert set(names) >= set(Study.model_fields) - {"options"}
    assert set(names) - set(Study.model_fields) <= set(PLANNERS["dynst"].options.names())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--set", "penalty"], '--set: "penalty" came; KEY=VALUE is expected'),
        (["--set", "penaltie=1"], '--set key "penaltie" is unknown. Did you mean "penalty"?'),
        (["--set", "penalty=0.1"], "--set penalty: belongs to planner forward; planner dynst_linear does not take it"),
        (["--planner", "forward", "--set", "penalty=-1"], "--set penalty: -1 came; more than 0 is expected."),
        (["--planner", "forward", "--set", "penalty=big"], '--set penalty: "big" is no number.'),
        (["--planner", "forward", "--alpha", "0.2"], "--alpha: belongs to planner dynst or dynst_linear; planner forw"),
        (["--set", "sensors=5"], '--set key "sensors" is unknown.'),
        (["--resume", "latest", "--set", "alpha=0.1"], "--resume continues a run as it was asked for"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_line_and_exit_code_2(dynst_main, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    code, out, err = dynst_main("fit", "-q", *arguments)
    assert (code, out) == (2, "")
    assert says in " ".join(err.split())
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_option_set_on_the_command_line_reaches_the_planner_and_the_study_of_the_run(
    dynst_main, tmp_path, monkeypatch, waves
):
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "study.toml"
    study.write_text('[planner]\nname = "mutual_information"\nshrinkage = 0.5\n')
    common = ("--data", waves, "--sensors", 3, "--compare", "none", "--ladder", "0.5", "-q")
    assert dynst_main("fit", study, *common, "--out", "file")[0] == 0
    assert dynst_main("fit", study, *common, "--out", "flag", "--set", "shrinkage=0.25")[0] == 0
    for name, shrinkage in (("file", 0.5), ("flag", 0.25)):
        run = Run(tmp_path / name)
        assert run.plan.provenance["shrinkage"] == shrinkage
        assert Study.load(run.path / "study.toml").options == {"shrinkage": shrinkage}


def test_the_version_is_said(dynst_main):
    code, out, _ = dynst_main("--version")
    assert code == 0
    assert out.startswith("dynst ")
