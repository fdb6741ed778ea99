"""A run ended from outside says how to go on, ends its helpers, and what is missing is made by --resume."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW = ("--sensors", "4", "--planner", "dynst", "--steps", "4000", "--batch", "4", "--dim", "8", "--depth", "1")
SIGNALS = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no POSIX signals")


def started(environment, cwd, *arguments, **options):
    command = [sys.executable, "-m", "dynst", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen(command, cwd=cwd, env=environment, **pipes, **options)


def wait_for(there, process):
    for _ in range(1200):
        if there() or process.poll() is not None:
            return
        time.sleep(0.05)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_one_line_with_the_way_on(environment, waves, tmp_path, number):
    process = started(environment, tmp_path, "fit", "-q", "--data", waves, *SLOW)
    wait_for(lambda: list(tmp_path.glob("runs/.*/log.jsonl")), process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    assert out == ""
    assert re.fullmatch(r"Stopped\. Continue with: dynst fit --resume waves-dynst-s[\d.]+-1\n", err), err


@pytest.mark.parametrize("number", SIGNALS)
def test_a_command_that_leaves_nothing_ends_with_the_code_of_the_signal(dynst_main, monkeypatch, number):
    monkeypatch.setattr("dynst.runs.find", lambda _: signal.raise_signal(number))
    code, out, err = dynst_main("report")
    assert (code, out.strip(), err.strip()) == (128 + number, "", "")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "afterwards all is as it was"


def test_two_signals_that_come_together_are_one(environment, waves, tmp_path):
    process = started(environment, tmp_path, "fit", "-q", "--data", waves, *SLOW)
    wait_for(lambda: list(tmp_path.glob("runs/.*/log.jsonl")), process)
    for number in (signal.SIGTERM, signal.SIGHUP):
        process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode in {129, 143}, err
    assert re.fullmatch(r"Stopped\. Continue with: .*\n", err), err


def test_a_signal_that_the_caller_ignores_stays_ignored(environment, waves, tmp_path):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does

    process = started(environment, tmp_path, "fit", "-q", "--data", waves, *SLOW, preexec_fn=ignore)
    wait_for(lambda: list(tmp_path.glob("runs/.*/log.jsonl")), process)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="helpers are found in /proc")
def test_the_helpers_of_a_comparison_end_with_it(environment, waves, tmp_path, dynst_main, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("--sensors", 4, "--planner", "coverage", "--compare", "none", "--no-stability", "-q", "--out", "run")
    assert dynst_main("fit", "--data", waves, *arguments)[0] == 0
    options = ("--judges", "linear", "--workers", 2, "-q")
    process = started(environment, tmp_path, "compare", "run", *options)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_for(lambda: len(children.read_text().split()) >= 2, process)
    helpers = children.read_text().split()
    assert len(helpers) >= 2
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert err.startswith("Stopped; what is made stays. Continue with: dynst compare run")
    wait_for(lambda: not any(Path(f"/proc/{helper}").exists() for helper in helpers), process)
    assert not any(Path(f"/proc/{helper}/exe").exists() for helper in helpers)


def test_a_report_that_is_missing_is_made_by_resume(dynst_main, waves, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("--sensors", 4, "--planner", "coverage", "--compare", "none", "--no-stability", "-q", "--out", "run")
    assert dynst_main("fit", "--data", waves, *arguments)[0] == 0
    report = {name: (tmp_path / "run" / name).read_bytes() for name in ("report.html", "report.md")}
    for name, content in report.items():
        (tmp_path / "run" / name).unlink()
        code, out, err = dynst_main("fit", "--resume", "run", "-q")
        assert (code, err) == (0, "")
        assert "report.html" in out
        assert (tmp_path / "run" / name).read_bytes() == content


ASCII = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}


def test_a_stream_that_knows_only_ascii_gets_ascii(environment, degrees, tmp_path):
    for options in ((), ("--json",)):
        command = [sys.executable, "-m", "dynst", "inspect", degrees, *options]
        done = subprocess.run(command, env=environment | ASCII, capture_output=True, cwd=tmp_path, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.isascii()
        if options:
            assert "°C" in json.dumps(json.loads(done.stdout), ensure_ascii=False)
    command = [sys.executable, "-m", "dynst", "inspect", "hören.nc"]
    done = subprocess.run(command, env=environment | ASCII, capture_output=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_stdout_that_is_closed_is_no_error(environment, degrees, tmp_path):
    command = f'"{sys.executable}" -m dynst inspect "{degrees}" >&-'
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.fixture
def degrees(waves, tmp_path):
    """The waves in a unit that ASCII cannot write."""
    import xarray as xr

    data = xr.load_dataset(waves)
    data["t2m"].attrs["units"] = "°C"
    data.to_netcdf(tmp_path / "degrees.nc")
    return tmp_path / "degrees.nc"
