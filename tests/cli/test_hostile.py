"""Odd requests and damaged files found by a hostile test: one line each, and nothing outside is touched."""

import os
import struct

import numpy as np
import pytest
import xarray as xr

from dynst.cli.console import show_table
from dynst.runs import whole


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def is_one_line(code, out, err, *, says):
    assert (code, out) == (2, ""), err
    assert says in err
    assert len(err.splitlines()) == 1, err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[budget]\nsensors = 2020-01-01\n", "2020-01-01"),
        (f"a = {'[' * 3000}{']' * 3000}\n", "nested too deep"),
        (f"[budget]\nsensors = {'9' * 5000}\n", "not valid TOML"),
    ],
)
def test_a_study_file_that_is_odd(dynst_main, here, text, says):
    (here / "s.toml").write_text(text)
    is_one_line(*dynst_main("fit", "s.toml", "-q"), says=says)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name")
def test_a_pipe_is_no_study_file_and_is_not_waited_for(dynst_main, here):
    os.mkfifo(here / "s.toml")
    is_one_line(*dynst_main("fit", "s.toml", "-q"), says="a pipe")


@pytest.mark.parametrize("command", [("fit", "--resume"), ("report",), ("compare",), ("score",), ("export-map",)])
def test_a_name_that_is_too_long_is_an_unknown_run(dynst_main, command):
    is_one_line(*dynst_main(*command, "x" * 300), says="run")


def test_headers_that_lie_about_lengths(dynst_main, here):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 8, 10), }".ljust(117) + "\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header))
    (here / "negative.npy").write_bytes(start + header.encode() + bytes(4000))
    (here / "wide.nc").write_bytes(b"CDF\x05" + struct.pack(">QIQQ", 2**63, 10, 1, 2**64 - 8) + bytes(100))
    for name in ("negative.npy", "wide.nc"):
        is_one_line(*dynst_main("inspect", name), says="header")


def test_a_report_replaces_a_link_and_not_what_it_leads_to(dynst_main, waves, here):
    arguments = ("--sensors", 4, "--planner", "coverage", "--compare", "none", "--no-stability", "-q", "--out", "run")
    assert dynst_main("fit", "--data", waves, *arguments)[0] == 0
    (here / "mine").write_text("precious")
    for name in ("report.html", "report.md"):
        (here / "run" / name).unlink()
        (here / "run" / name).symlink_to(here / "mine")
    assert dynst_main("report", "run")[0] == 0
    assert (here / "mine").read_text() == "precious"
    assert (here / "run" / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_a_run_folder_that_was_damaged(dynst_main, waves, here):
    arguments = ("--sensors", 4, "--planner", "coverage", "--compare", "none", "--no-stability", "-q", "--out", "run")
    assert dynst_main("fit", "--data", waves, *arguments)[0] == 0
    (here / "run" / "compare").write_text("in the way")
    is_one_line(*dynst_main("compare", "run", "-q"), says="is a file where")
    (here / "run" / "compare").unlink()
    (here / "run" / "compare" / ".lock").mkdir(parents=True)
    is_one_line(*dynst_main("compare", "run", "-q"), says="is a folder where")
    plan = xr.load_dataset(here / "run" / "plan.nc")
    plan.assign_attrs(provenance="[1, 2]").to_netcdf(here / "run" / "plan.nc")
    is_one_line(*dynst_main("report", "run"), says="not a plan that dynst wrote")
    (here / "run" / "provenance.json").write_text("[" * 200_000)
    is_one_line(*dynst_main("score", "run", "-q"), says="provenance.json cannot be read")


def test_long_names_cost_a_table_none_of_its_numbers(capsys):
    long = "temperature of the air two metres above the ground "
    columns = ["planner", "error (sd)", f"{long} (degrees)", f"{long} and more (kilograms a square metre)", "95 %"]
    numbers = ["1.234", "5.678", "1234.5", "-1.2 to +3.4"]
    show_table("", columns, [["dynst_linear", *numbers], ["n" * 300, *numbers]])
    out = capsys.readouterr().out
    assert all(out.count(number) == 2 for number in numbers)
    assert max(map(len, out.splitlines())) <= 110


def test_what_a_killed_process_had_written_is_removed_by_the_next(here):
    dead, own = here / ".cell.999999999.part.npz", here / f".cell.{os.getppid()}.part.npz"
    dead.write_bytes(b"half")
    own.write_bytes(b"half")
    with whole(here / "cell.npz") as part:
        np.savez(part, a=1)
    assert sorted(path.name for path in here.iterdir()) == sorted([own.name, "cell.npz"])
