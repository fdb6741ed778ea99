"""What a closed-form study loads, in fresh processes: arrows are followed, not only direct imports read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHARTS = {"altair", "vl_convert", "matplotlib"}
NETWORKS = {"torch", "torch_geometric"}
FILES = {"xarray", "pandas", "netCDF4", "zarr", "h5py", "fsspec", "geopandas", "shapely", "pyproj"}
SLOW = NETWORKS | CHARTS | {"scipy.stats", "jinja2"}

PLANNERS = "[row.options for row in dynst.planners.PLANNERS.values()]"  # a planner's options are a light fact

LOADED = {  # module -> what must not be loaded with it, by whatever way
    "dynst.domain": SLOW | FILES,
    "dynst.config": SLOW | FILES,
    "dynst.windows": SLOW | FILES,
    "dynst.backbones": SLOW | FILES,
    "dynst.planners": {"numpy"} | SLOW | FILES,
    "dynst.cli.flags": {"numpy"} | SLOW | FILES,
    "dynst.planners.base": SLOW | FILES,
    "dynst.evaluation": SLOW | FILES,
    "dynst.export": SLOW | FILES,
    "dynst.runs": SLOW | FILES,
    "dynst.study": SLOW | FILES,
}

FIT = """
import sys
from dynst import Study, fit

before_report = []

def listen(event):
    if event.stage == "write" and not before_report:
        before_report.extend(sys.modules)

run = fit(Study(data="synthetic:white_noise:3", planner="PLANNER", ladder=()), listen=listen)
assert (run.path / "report.html").is_file() and len(before_report)
print(*before_report)
print(*sys.modules)
"""


def modules(code, folder):
    """Lines that `code` prints, as sets of names."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return [set(line.split()) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("module", LOADED)
def test_a_light_module_loads_nothing_heavy(module, tmp_path):
    (loaded,) = modules(f"import sys, {module}\nprint(*sys.modules)", tmp_path)
    assert module in loaded
    assert not loaded & LOADED[module]


def test_the_options_of_all_planners_load_no_network(tmp_path):
    code = f"import sys, dynst.planners\n{PLANNERS}\nprint(*sys.modules)"
    (loaded,) = modules(code, tmp_path)
    assert "dynst.planners.dynst" in loaded
    assert not loaded & NETWORKS


@pytest.mark.parametrize("planner", ["coverage", "dynst_linear"])
def test_a_closed_form_fit_never_loads_torch_and_draws_only_for_the_report(planner, tmp_path):
    before, after = modules(FIT.replace("PLANNER", planner), tmp_path)
    assert "dynst.evaluation.linear_judge" in before
    assert not before & (NETWORKS | CHARTS | {"scipy.stats"})
    assert not after & NETWORKS
