"""Help is quick because it loads nothing heavy, and it shows only what works."""

import subprocess
import sys

import pytest

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
    assert all(rule in out for rule in ("--existing", "--allow", "--forbid"))
    for later in ("--fixed", "--min-distance", "--cost", "--quota"):
        assert later not in out


def test_the_version_is_said(dynst_main):
    code, out, _ = dynst_main("--version")
    assert code == 0
    assert out.startswith("dynst ")
