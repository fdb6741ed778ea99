"""The public names: complete, sorted, loaded only when used."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dynst


def test_all_is_sorted_and_each_name_is_there():
    assert dynst.__all__ == sorted(dynst.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    for name in dynst.__all__:
        assert getattr(dynst, name) is not None


def test_each_name_stands_once_and_comes_from_where_it_says():
    stub = Path(dynst.__file__).with_suffix(".pyi").read_text(encoding="utf-8")
    lines = [line for line in stub.splitlines() if line and not line.startswith("#")]
    assert len(lines) == len(dynst.__all__)
    for line in lines:
        _, home, _, name, _, again = line.split()
        assert name == again
        assert getattr(import_module(home), name) is getattr(dynst, name)


def test_what_a_user_of_python_needs_is_there():
    needed = {"Rules", "Role", "Hints", "GraphLayout", "GridLayout", "Covariate", "Event", "Inspection"}
    assert needed | {"PlannerSkipped", "OptionError", "export_plan"} <= set(dynst.__all__)


def test_each_public_function_and_class_says_what_it_is():
    assert [name for name in dynst.__all__ if not getattr(dynst, name).__doc__] == []


def test_importing_the_package_loads_nothing():
    code = "import sys; before = set(sys.modules); import dynst; print(set(sys.modules) - before)"
    root = str(Path(dynst.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.strip(" {}\n").replace("'", "").split(", ")}
    assert not loaded & {"numpy", "torch", "xarray", "typer", "pydantic"}


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(dynst, "dinst")
