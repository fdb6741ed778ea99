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


def test_each_name_stands_once_for_readers_once_for_the_type_checker_and_once_for_python():
    homes = [name for names in dynst._HOMES.values() for name in names]
    assert sorted(homes) == sorted(dynst.__all__)
    source = Path(dynst.__file__).read_text(encoding="utf-8")
    for home, names in dynst._HOMES.items():
        assert f"from {home} import {', '.join(names)}\n" in source
        for name in names:
            assert getattr(import_module(home), name) is getattr(dynst, name)


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
