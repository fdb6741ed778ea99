"""Imports only go down, and third parties stay in their rooms. Moving a wall is a change of these two tables."""

import ast
from collections.abc import Iterable
from pathlib import Path

import pytest

from dynst.backbones import BACKBONES
from dynst.export import EXPORTERS
from dynst.planners import PLANNERS

PACKAGE = Path(__file__).parents[1] / "dynst"

FLOORS = [
    {"errors"},
    {"domain", "sparsity"},
    {"readers", "windows", "backbones", "reports"},
    {"training", "export"},
    {"planners"},
    {"evaluation", "config", "runs"},
    {"study"},
    {"cli"},
]

HOUSED = {  # third party -> rooms or modules (path prefixes inside the package) that may import it
    "torch": {
        "windows",
        "sparsity",
        "backbones",
        "training",
        "planners",
        "evaluation",
    },
    "torch_geometric": {"backbones/gnn.py"},
    "xarray": {"domain", "readers", "evaluation", "reports", "export", "runs"},
    "netCDF4": {"readers", "export"},
    "pandas": {"readers"},
    "zarr": {"readers"},
    "fsspec": {"readers"},
    "geopandas": {"readers", "export", "reports"},
    "shapely": {"readers", "export", "reports"},
    "pyproj": {"readers", "export", "reports"},
    "altair": {"reports", "export"},
    "vl_convert": {"reports", "export"},
    "jinja2": {"reports"},
    "pydantic": {"config.py"},
    "typer": {"cli"},
    "rich": {"cli"},
    "safetensors": {"training"},
}

MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name not in {"__init__.py", "__main__.py"}
)


PROGRAM = "the program of that name, not the planner"
NAMED = {  # planner in a module that is not its own -> why its name stands there and no row is asked
    ("uniform_random", "domain/curve.py"): "RANDOM; the curve stands below the planners, and all others read it there",
    ("dynst", "reports/curve_chart.py"): "OURS, whose colours are fixed; the charts stand below the planners",
    ("dynst_linear", "reports/curve_chart.py"): "OURS, as above",
    ("dynst", "cli/app.py"): PROGRAM,
    ("dynst", "cli/compare.py"): PROGRAM,
    ("dynst", "domain/caches.py"): PROGRAM,
    ("dynst", "export/base.py"): PROGRAM,
    ("dynst", "export/geojson.py"): PROGRAM,
    ("dynst", "reports/map_chart.py"): PROGRAM,
    ("dynst", "study/provenance.py"): PROGRAM,
    ("dynst", "study/report_rows.py"): PROGRAM,
    ("dynst", "training/checkpoint.py"): PROGRAM,
}


def inside(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def words_in(path: Path, words: Iterable[str]) -> list[ast.Constant]:
    """The constants of a module that are one of the words."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Constant) and node.value in words]


def room(path: Path) -> str:
    return inside(path).split("/")[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{inside(path)}: write imports in full"
            names = [f"{node.module}.{alias.name}" for alias in node.names] if node.module == "dynst" else [node.module]
            found += [name for name in names if name]
    return found


def floor(name: str) -> int:
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def test_every_module_has_a_floor():
    assert {room(path) for path in MODULES} <= set().union(*FLOORS)


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_imports_only_go_down(path):
    here = room(path)
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "dynst" or len(parts) < 2:
            continue
        there = parts[1]
        assert there == here or floor(there) < floor(here), f"{inside(path)} (floor {floor(here)}) imports {name}"


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_third_parties_stay_in_their_rooms(path):
    for name in imports(path):
        rooms = HOUSED.get(name.split(".")[0])
        if rooms is not None:
            allowed = any(
                inside(path) == place or inside(path).startswith(place + "/") or room(path) == place for place in rooms
            )
            assert allowed, f"{inside(path)} imports {name}, which lives in {sorted(rooms)}"


@pytest.mark.parametrize("path", MODULES, ids=inside)
def test_every_module_lists_what_it_offers_and_nothing_below_the_command_line_prints(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), f"{inside(path)} has no docstring"
    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "__all__" in names or (path.name == "__init__.py" and len(tree.body) == 1), f"{inside(path)} has no __all__"
    if room(path) != "cli":
        prints = [
            n
            for n in ast.walk(tree)
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "print"
        ]
        assert not prints, f"{inside(path)} prints"


def test_a_planner_is_named_in_its_row_and_its_module_alone():
    """Whoever treats planners differently asks the row, so that a new planner is a module and a row."""
    found = {(node.value, inside(path)) for path in PACKAGE.rglob("*.py") for node in words_in(path, PLANNERS)}
    at_home = {(name, f"planners/{module}.py") for name in PLANNERS for module in ("__init__", name)}
    assert found - at_home == set(NAMED)
    assert {(name, "planners/__init__.py") for name in PLANNERS} <= found


def test_a_backbone_is_named_in_its_row_alone():
    """Whoever treats backbones differently asks the row: what shape it takes, whether it needs a grid."""
    found = {(node.value, inside(path)) for path in PACKAGE.rglob("*.py") for node in words_in(path, BACKBONES)}
    assert found == {(name, "backbones/__init__.py") for name in BACKBONES}


FORMATS = {  # export format in a module other than the table -> why the word stands there
    ("csv", "reports/embedded.py"): "a word of the page's script",
    ("csv", "reports/marks.py"): "a format of altair's data",
    ("geojson", "study/score.py"): "the file of the review, not of a plan",
    ("html", "cli/report.py"): "a key of the JSON that the command prints",
    ("netcdf", "readers/sources.py"): "a format that is read",
}


def test_an_export_format_is_named_in_its_row_alone():
    found = {(node.value, inside(path)) for path in PACKAGE.rglob("*.py") for node in words_in(path, EXPORTERS)}
    assert found == {(name, "export/__init__.py") for name in EXPORTERS} | set(FORMATS)


def test_nothing_is_unpickled():
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle=True" not in text, inside(path)
        assert "torch.load(" not in text, inside(path)
        assert "import pickle" not in text, inside(path)
