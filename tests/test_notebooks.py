"""The notebooks run from top to bottom on samples and show charts; they are kept without outputs."""

import ast
import json
from pathlib import Path

import nbformat
import pytest
import vl_convert
from nbclient import NotebookClient

import dynst

FOLDER = Path(__file__).parents[1] / "notebooks"
BOOKS = sorted(FOLDER.glob("*.ipynb"))
LIBRARIES = {"altair", "numpy", "dynst"}


def test_the_notebooks_are_there():
    assert [path.stem for path in BOOKS] == [
        "01_importance_heatmap",
        "02_sensors_on_a_mesh",
        "03_reading_the_curve",
        "04_is_the_plan_better",
        "05_tomorrow_from_the_sensors",
    ]


def code_of(book):
    return [cell for cell in book.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs_and_is_written_like_the_code(path):
    book = nbformat.read(path, as_version=4)
    nbformat.validate(book)
    for cell in code_of(book):
        assert cell.outputs == []
        assert cell.execution_count is None
    tree = ast.parse("\n".join(cell.source for cell in code_of(book)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            assert isinstance(node, ast.Import), "a notebook imports whole modules"
            assert {alias.name for alias in node.names} <= LIBRARIES
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 8, f"{node.name} belongs into the library"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "dynst":
            assert node.attr in dynst.__all__
        if isinstance(node, ast.keyword) and node.arg == "data" and isinstance(node.value, ast.Constant):
            assert node.value.value.startswith("sample:")


@pytest.mark.filterwarnings("default")  # of the kernel's own libraries
@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_its_charts_draw(path, tmp_path, monkeypatch):
    root = str(Path(dynst.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", root)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "kernels"))
    book = nbformat.read(path, as_version=4)
    folder = tmp_path / "work"
    folder.mkdir()
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(book, timeout=300, kernel_name="python3", resources=resources).execute()
    pages = [
        output.data["text/html"]
        for cell in code_of(book)
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    charts = [chart for page in pages if (chart := chart_in(page)) is not None]
    assert charts
    for chart in charts:
        assert "<path" in vl_convert.vegalite_to_svg(json.dumps(chart))
    assert [part.name for part in folder.iterdir()] == ["runs"]


def chart_in(page):
    """The Vega-Lite chart that a page embeds."""
    if "vegaEmbed" not in page:
        return None
    return json.JSONDecoder().raw_decode(page, page.rindex("})({") + 3)[0]
