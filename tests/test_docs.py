"""What the documents say is true: their example runs, and what they name exists."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import dynst
from dynst.cli.app import app
from dynst.export import EXPORTERS
from dynst.planners import PLANNERS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EVIDENCE = (ROOT / "docs" / "evidence.md").read_text(encoding="utf-8")
METHOD = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def help_of(*command: str) -> str:
    run = subprocess.run(
        [sys.executable, "-m", "dynst", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "200", "PATH": ""},
    )
    return run.stdout


def test_the_python_example_of_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    names = {}
    exec(example, names)
    assert names["run"].plan.budget == 20
    headline = dynst.answer(names["run"].curve, names["run"].plan.planner, 20).headline
    assert headline.split(";")[0] in " ".join(README.split()), f"the answer that README quotes is now: {headline}"


def test_the_examples_of_the_evidence_run_and_print_what_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names, shown = {}, 0
    for language, text in re.findall(r"```(bash|python|text)\n(.*?)```", EVIDENCE, flags=re.DOTALL):
        if language == "bash":
            printed = ""
            for line in text.splitlines():
                answer = CliRunner().invoke(app, shlex.split(line)[1:])
                assert answer.exit_code == 0, f"{line}: {answer.output}"
                printed += answer.stdout
        elif language == "python":
            exec(text, names)
            printed = capsys.readouterr().out
        else:
            for line in text.splitlines():  # the terminal may break it elsewhere
                assert " ".join(line.split()) in " ".join(printed.split())
                shown += 1
    assert shown > 8
    assert set(dynst.find("noise").comparison.at(5)["verdict"].sel(against="uniform_random").values.ravel()) <= {
        "",
        "tie",
        "worse",
    }


@pytest.mark.parametrize("command", [command.name for command in app.registered_commands])
def test_every_command_stands_in_the_readme_with_options_that_exist(command):
    lines = [line for block in blocks("bash") for line in block.splitlines() if f"dynst {command}" in line]
    assert lines, f"README does not show `dynst {command}`"
    known = help_of(command)
    for option in re.findall(r"(?<!\w)--?[a-z][\w-]*", " ".join(line.split(f"dynst {command}")[1] for line in lines)):
        assert re.search(rf"{option}\b", known), f"`dynst {command}` has no {option}"


def test_every_planner_and_export_format_is_documented():
    for name in PLANNERS:
        assert f"`{name}`" in METHOD, f"docs/method.md does not name the planner {name}"
    for name in EXPORTERS:
        assert name in README, f"README does not name the format {name}"


def test_every_public_name_says_what_it_is():
    undocumented = [name for name in dynst.__all__ if not (getattr(dynst, name).__doc__ or "").strip()]
    assert not undocumented


def test_links_between_the_documents_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_shipped_samples_stay_small():
    assert sum(path.stat().st_size for path in (ROOT / "data").iterdir()) < 1_000_000
