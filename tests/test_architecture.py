"""Imports only go down, and third parties stay in their rooms. Moving a wall is a change of these two tables."""

import ast
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from dynst.backbones import BACKBONES
from dynst.domain.judges import JUDGES
from dynst.export import EXPORTERS
from dynst.planners import PLANNERS
from dynst.run_layout import ComparisonLayout, RunLayout

PACKAGE = Path(__file__).parents[1] / "dynst"

FLOORS = [
    {"errors"},
    {"domain", "sparsity"},
    {"readers", "windows", "backbones", "reports", "run_layout"},
    {"training", "export"},
    {"forecasting"},
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
    "xarray": {"domain", "forecasting", "readers", "evaluation", "reports", "export", "runs", "study/given.py"},
    "netCDF4": {"readers", "export"},
    "pandas": {"readers", "forecasting", "study/given.py"},
    "zarr": {"readers"},
    "fsspec": {"readers"},
    "geopandas": {"readers", "export", "reports"},
    "pyogrio": {"export/geopackage.py"},
    "openpyxl": {"readers", "export/workbook.py"},
    "shapely": {"readers", "export", "reports"},
    "pyproj": {"readers", "export", "reports"},
    "altair": {"reports", "export"},
    "vl_convert": {"reports", "export"},
    "jinja2": {"reports"},
    "pydantic": {"config.py"},
    "typer": {"cli"},
    "rich": {"cli"},
    "safetensors": {"training", "forecasting"},
}

REACH_UP = {"domain/plan.py": "methods that show a plan or hand it to other libraries"}
"""Modules whose methods call the public names of `dynst`, which stand on higher floors, and what for."""

MODULES = sorted(
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.name not in {"__init__.py", "__main__.py"}
)


PROGRAM = "the program of that name, not the planner"
NAMED = {  # planner in a module that is not its own -> why its name stands there and no row is asked
    ("uniform_random", "domain/curve.py"): "RANDOM; the curve stands below the planners, and all others read it there",
    **{
        (name, "reports/colours.py"): "the one table of colours; the charts stand below the planners"
        for name in PLANNERS
    },
    ("dynst", "reports/curve_chart.py"): "OURS, drawn boldest; the charts stand below the planners",
    ("dynst_linear", "reports/curve_chart.py"): "OURS, as above",
    ("dynst", "cli/app.py"): PROGRAM,
    ("dynst", "cli/compare.py"): PROGRAM,
    ("dynst", "domain/caches.py"): PROGRAM,
    ("dynst", "export/base.py"): PROGRAM,
    ("dynst", "export/geojson.py"): PROGRAM,
    ("dynst", "reports/map_chart.py"): PROGRAM,
    ("dynst", "study/difference.py"): PROGRAM,
    ("dynst", "study/provenance.py"): PROGRAM,
    ("dynst", "study/report_rows.py"): PROGRAM,
    ("dynst", "training/checkpoint.py"): PROGRAM,
    ("dynst", "forecasting/files.py"): PROGRAM,
    ("dynst", "forecasting/store.py"): PROGRAM,
}


LOOKED_INTO = {  # module that asks how a text begins or ends -> what that text is; never a sentence of dynst
    "domain/spreadsheet.py": "a cell that a spreadsheet would take for a formula",
    "domain/words.py": "a unit in the plural",
    "evaluation/score.py": "keys of arrays in a file",
    "training/checkpoint.py": "keys of tensors in a file",
    "forecasting/store.py": "keys of arrays in a file",
    "training/recipe.py": "a device of torch",
    "study/caveats.py": "a plan of an older form",
    "study/score.py": "the name of a file, as typed",
    "cli/compare.py": "the name of a file, as typed",
    "run_layout.py": "a hidden folder",
    "study/memory.py": "lines that the system writes",
    "study/measure.py": "lines that the system writes",
}
TEXTS_COME_IN = {"readers", "config"}  # where files and users are read


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


def test_a_noun_reaches_up_only_by_the_public_names_in_a_method_and_is_listed():
    """``plan.plot()`` is ``dynst.importance_map(plan)``: looked up when called, so nothing is loaded with the noun."""
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f) if n is not f}
        facade = [n for n in ast.walk(tree) if isinstance(n, ast.Import) and any(a.name == "dynst" for a in n.names)]
        assert bool(facade) == (inside(path) in REACH_UP), inside(path)
        assert all(id(node) in inner for node in facade), inside(path)


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


def shown(node: ast.AST) -> str:
    """The text of a literal; of one that holds expressions what stands between these, as one word."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "*" for part in node.values)
    return ""


def literals(tree: ast.AST) -> set[str]:
    """All texts of a module but its docstrings."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {shown(node) for node in ast.walk(tree) if id(node) not in prose}


def joined_to_paths(tree: ast.AST) -> set[str]:
    """Literals at the right of ``path / "name"``."""
    return {shown(n.right) for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)}


def names_of_a_run() -> tuple[set[str], set[str]]:
    """Files and folders of a run and of a comparison, as `RunLayout` and `ComparisonLayout` name them."""
    files = RunLayout(Path("run"))
    kinds = [(files, RunLayout), (files.comparison, ComparisonLayout)]
    paths = [getattr(one, key) for one, kind in kinds for key, p in vars(kind).items() if isinstance(p, property)]
    paths = [path for path in paths if isinstance(path, Path)] + [files.comparison.path, files.lock]
    for judge in JUDGES.values():
        paths += [files.curve(judge), files.curve_table(judge), files.judge_facts(judge)]
    names = {path.name for path in paths}
    return {name for name in names if "." in name}, {name for name in names if "." not in name}


def test_a_file_of_a_run_is_named_in_the_layout_alone():
    """So that a run folder changes in one place, and the names say nothing that others take apart."""
    files, folders = names_of_a_run()
    assert {"study.toml", "provenance.json", "plan.nc", "log.jsonl", "curve_ridge.nc", "made_of.json"} <= files
    assert {"plans", "rules", "compare", "stability", "checkpoint", "cells"} == folders
    for path in MODULES:
        if inside(path) == "run_layout.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        said = {text for text in literals(tree) if any(re.search(rf"(?<!\w){re.escape(f)}(?!\w)", text) for f in files)}
        assert not said, inside(path)
        assert not joined_to_paths(tree) & folders, inside(path)
        if room(path) in {"study", "cli", "runs", "evaluation"}:
            made = {text for text in joined_to_paths(tree) if Path(text).suffix and "*" in text}
            assert not made, inside(path)


def test_nothing_decides_by_how_a_sentence_begins_or_ends():
    """A fact is a field of its own: whoever improves a sentence changes no behaviour."""
    asks = {"startswith", "endswith", "removeprefix", "removesuffix"}
    found = {
        inside(path)
        for path in MODULES
        if room(path) not in TEXTS_COME_IN
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in asks
    }
    assert found == set(LOOKED_INTO)


def test_nothing_is_unpickled():
    for path in MODULES:
        text = path.read_text(encoding="utf-8")
        assert "allow_pickle=True" not in text, inside(path)
        assert "torch.load(" not in text, inside(path)
        assert "import pickle" not in text, inside(path)
